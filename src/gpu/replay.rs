//! Passes that are recorded once and replayed at a single call: CUDA graphs.
//!
//! To give a GPU thirty operations takes a CPU longer than the GPU takes for a few images. When a
//! batch of one shape comes a second time, its pass is recorded, from fixed places in memory to
//! fixed places; from then on such a batch is copied there, and the GPU does the rest by itself. A
//! recording is compared with the pass that it was made of before it is believed; where that fails,
//! or a recording can't be had, the operations are given one by one as before.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use candle_core::{CudaDevice, DType, Device, Result, Tensor};

use super::recording::{Batch, Recording, RecordingStream};
use super::weights::{GpuWeights, PassOutput};

/// One pass is recorded at a time: what others do to the GPU as a whole would end the recording.
static RECORDING: Mutex<()> = Mutex::new(());

/// The pass of one network over batches that all have the same shape.
#[derive(Default)]
pub(super) struct Replay(Mutex<State>);

#[derive(Default)]
struct State {
    /// The one that was used last stands last.
    recordings: Vec<Recording>,
    /// Made for the first of them.
    stream: Option<RecordingStream>,
    /// How often batches came that have no recording.
    seen: HashMap<Batch, u32>,
    /// Recordings that were made.
    made: u32,
    /// The last batch was answered by one.
    used: bool,
    /// A recording was wrong.
    given_up: bool,
}

/// Recordings that are kept.
const KEPT: usize = 4;

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replay")
    }
}

impl Replay {
    /// The answer of the network whose weights these are, to bytes `[N, H, W, 3]`, if a recording can
    /// give it.
    ///
    /// # Errors
    /// A failure of the GPU.
    pub fn answer(
        &self,
        weights: &GpuWeights,
        pixels: &Tensor,
        output: PassOutput,
    ) -> Result<Option<Tensor>> {
        let (Device::Cuda(device), DType::U8) = (weights.device(), pixels.dtype()) else {
            return Ok(None);
        };
        // Pixels on another GPU take the way that brings them here. Where events keep streams in order,
        // a recording would have to hold them.
        let elsewhere = pixels.device().is_cuda() && !pixels.device().same_device(weights.device());
        // "Per thread": as many streams as there are threads, and places in memory only for one.
        let per_thread = device.cuda_stream().cu_stream() as usize == 2;
        let (images, height, width, _) = pixels.dims4()?;
        if elsewhere || per_thread || device.is_event_tracking() || images == 0 {
            return Ok(None);
        }
        let batch = (images, height, width);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let known = state.recordings.iter().position(|r| r.batch() == batch);
        let recording = match known {
            Some(place) => Some(state.recordings.remove(place)),
            None => state.record(weights, device, pixels, batch),
        };
        state.used = recording.is_some();
        let Some(mut recording) = recording else {
            return Ok(None);
        };
        let answer = recording.run(pixels, output);
        state.recordings.push(recording);
        answer.map(Some)
    }

    /// Gives the recordings' memory back; whether there were any.
    pub fn forget(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _one = RECORDING.lock().unwrap_or_else(PoisonError::into_inner);
        let had = !state.recordings.is_empty();
        state.recordings.clear();
        had
    }

    /// Whether the last batch was answered by a recording.
    pub fn is_used(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).used
    }
}

impl State {
    /// Records a pass, if such batches have come often enough.
    fn record(
        &mut self,
        weights: &GpuWeights,
        device: &CudaDevice,
        pixels: &Tensor,
        batch: Batch,
    ) -> Option<Recording> {
        if self.given_up {
            return None;
        }
        // Counted by shape, and anew after each recording; each needs twice as many as the one
        // before: where shapes keep changing, recording them would take longer than it saves.
        let enough = 2 << self.made.min(16);
        let seen = self.seen.entry(batch).or_default();
        *seen += 1;
        if *seen < enough {
            return None;
        }
        self.seen.clear();
        self.made += 1;
        let _one = RECORDING.lock().unwrap_or_else(PoisonError::into_inner);
        if self.recordings.len() == KEPT {
            self.recordings.remove(0);
        }
        match self.try_to_record(weights, device, pixels, batch) {
            Ok(recording) => {
                self.given_up = recording.is_none();
                recording
            }
            // Too little memory, most likely: the next one has to come twice as often. What cudarc noted
            // on the way is not the next pass's error.
            Err(_) => {
                let _ = device.cuda_stream().context().check_err();
                None
            }
        }
    }

    /// A recording, unless it is wrong.
    fn try_to_record(
        &mut self,
        weights: &GpuWeights,
        device: &CudaDevice,
        pixels: &Tensor,
        batch: Batch,
    ) -> Result<Option<Recording>> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            empty => empty.insert(RecordingStream::new(device)?),
        };
        let mut recording = Recording::new(weights, device, stream, batch)?;
        let right = recording.is_right(weights, pixels)?;
        Ok(right.then_some(recording))
    }
}

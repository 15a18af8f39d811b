//! From named pictures to answers, in order, on all threads, in bounded memory.

mod budget;
mod model;
mod ordered;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, bounded};
use mobilenet::error::ImageError;
use mobilenet::pixels::{DecodeOptions, Prepared, RgbImage, dimensions};

pub use self::model::Model;

use self::budget::Budget;
use self::ordered::{Ordered, ordered};
use super::inputs::{Input, Inputs};
use super::interrupt::Interrupt;

/// Pictures that share a batch on a GPU unless the user says otherwise.
const GPU_BATCH: usize = 32;

/// Pictures on their way for each thread: enough that a slow one holds nobody up, and few
/// enough that their memory does not show.
const AHEAD: usize = 4;

/// Pixels of a large photograph, for as many of which as there are threads there is always room.
const PHOTOGRAPH: u64 = 24_000_000;

/// What turns pictures into answers.
pub struct Pipeline {
    model: Arc<dyn Model>,
    decode: DecodeOptions,
    /// Threads that decode, and run the network on the CPU.
    threads: usize,
    /// Pictures that go through the network together, if it was asked for.
    batch_size: Option<usize>,
    /// The largest batch that the device's memory holds, as far as has been seen.
    fits: AtomicUsize,
    budget: Budget,
}

/// What came of one picture.
pub struct Answer {
    /// Its name as it was given.
    pub name: OsString,
    /// The model's answer, such as the probabilities of all classes, or why there is none.
    pub values: Result<Vec<f32>, ImageError>,
}

/// Answers in the order of the pictures. An error is the network's, and the last item.
pub type Answers = Box<dyn Iterator<Item = Result<Answer>>>;

impl Pipeline {
    /// A pipeline of these parts.
    pub fn new(
        model: Arc<dyn Model>,
        decode: DecodeOptions,
        threads: usize,
        batch_size: Option<usize>,
    ) -> Self {
        let budget = (threads as u64 * PHOTOGRAPH).max(decode.max_pixels);
        Self {
            model,
            decode,
            threads,
            batch_size,
            fits: AtomicUsize::new(usize::MAX),
            budget: Budget::new(budget),
        }
    }

    /// Answers a single picture, with all threads for the network.
    pub fn one(self, mut inputs: Inputs) -> Answers {
        Box::new(std::iter::from_fn(move || {
            inputs.next().map(|input| self.answer(input))
        }))
    }

    /// Answers many pictures.
    ///
    /// On the CPU each thread takes a picture all the way from its file to its scores: nothing
    /// is faster, as a batch saves no work there, and there is nothing to wait for. For a GPU
    /// the threads decode, and what is ready goes through the network together.
    pub fn many(self, inputs: Inputs, interrupt: &Interrupt) -> Answers {
        let on_cpu = self.model.network().device().is_cpu();
        let batch = self
            .batch_size
            .unwrap_or(if on_cpu { 1 } else { GPU_BATCH });
        let window = (AHEAD * self.threads).max(2 * batch);
        let sizes = (self.threads, window);
        let pipeline = Arc::new(self);
        if on_cpu && batch == 1 {
            let work = move |input| pipeline.answer(input);
            let answers = ordered(inputs, sizes, interrupt, compute_alone, work);
            Box::new(answers.map(|answer| answer.and_then(|answer| answer)))
        } else {
            let decoding = pipeline.clone();
            let work = move |input| decoding.picture(input);
            let pictures = ordered(inputs, sizes, interrupt, || {}, work);
            Box::new(pipeline.batches(pictures, batch).into_iter())
        }
    }

    fn answer(&self, input: Input) -> Result<Answer> {
        let mut answers = self.answer_all(vec![self.picture(input)])?;
        answers.pop().context("the network lost a picture")
    }

    /// What the network will see of a picture.
    fn picture(&self, input: Input) -> Picture {
        let prepared = self.prepare(&input, &self.decode);
        Picture { input, prepared }
    }

    fn prepare(&self, input: &Input, options: &DecodeOptions) -> Result<Prepared, ImageError> {
        let recipe = self.model.preprocessing();
        input.decode(options, |bytes| {
            let _share = self.budget.take(pixels_of(bytes));
            recipe.read(bytes, options)
        })
    }

    /// Runs the network over what is ready of `pictures`, up to `batch` at a time, while the
    /// next ones are decoded and the last answers written.
    fn batches(
        self: Arc<Self>,
        mut pictures: Ordered<Picture>,
        batch: usize,
    ) -> Receiver<Result<Answer>> {
        let (sender, answers) = bounded(2 * batch);
        thread::spawn(move || {
            while let Some(first) = pictures.next() {
                let rest = std::iter::from_fn(|| pictures.next_if_ready());
                let batch = std::iter::once(first).chain(rest).take(batch);
                let batch: Result<Vec<Picture>> = batch.collect();
                let answers = match batch.and_then(|batch| self.answer_all(batch)) {
                    Ok(answers) => answers,
                    Err(error) => {
                        let _ = sender.send(Err(error));
                        return;
                    }
                };
                for answer in answers {
                    if sender.send(Ok(answer)).is_err() {
                        return;
                    }
                }
            }
        });
        answers
    }

    fn answer_all(&self, pictures: Vec<Picture>) -> Result<Vec<Answer>> {
        let mut inputs = Vec::with_capacity(pictures.len());
        let mut answers = Vec::with_capacity(pictures.len());
        let mut reduced = Vec::new();
        for Picture { input, prepared } in pictures {
            let values = prepared.map(|prepared| {
                if prepared.reduced {
                    reduced.push(answers.len());
                }
                inputs.push(prepared.pixels);
                Vec::new()
            });
            answers.push((input, values));
        }
        let answered = answers.iter_mut().filter_map(|(_, a)| a.as_mut().ok());
        for (slot, values) in answered.zip(self.answer_in_parts(&inputs)?) {
            *slot = values;
        }
        for i in reduced {
            let (input, values) = &mut answers[i];
            if values.as_ref().is_ok_and(|v| self.model.is_unsure(v)) {
                *values = self.look_closely(input)?;
            }
        }
        let answer = |(input, values): (Input, _)| Answer {
            name: input.name,
            values,
        };
        Ok(answers.into_iter().map(answer).collect())
    }

    /// Runs the network over a batch, in smaller ones where the device's memory does not hold it.
    fn answer_in_parts(&self, inputs: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        let mut answers = Vec::with_capacity(inputs.len());
        while answers.len() < inputs.len() {
            let rest = &inputs[answers.len()..];
            let part = rest.len().min(self.fits.load(Ordering::Relaxed));
            match self.model.answer(&rest[..part]) {
                Ok(more) => answers.extend(more),
                Err(error) if part > 1 && is_out_of_memory(&error) => {
                    self.fits.fetch_min(part / 2, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answers)
    }

    /// The answer to a picture decoded at its full size.
    fn look_closely(&self, input: &Input) -> Result<Result<Vec<f32>, ImageError>> {
        let full = DecodeOptions {
            reduced: false,
            ..self.decode.clone()
        };
        Ok(match self.prepare(input, &full) {
            Ok(prepared) => {
                let mut answers = self.model.answer(&[prepared.pixels])?;
                Ok(answers.pop().unwrap_or_default())
            }
            Err(error) => Err(error),
        })
    }
}

fn is_out_of_memory(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<mobilenet::Error>();
    error.is_some_and(mobilenet::Error::is_out_of_memory)
}

/// Width times height, as far as the header tells.
fn pixels_of(bytes: &[u8]) -> u64 {
    let (width, height) = dimensions(bytes).unwrap_or((0, 0));
    u64::from(width) * u64::from(height)
}

/// A picture at the network's size.
struct Picture {
    input: Input,
    prepared: Result<Prepared, ImageError>,
}

/// Makes this thread a pool of its own, so that the network runs on it alone.
fn compute_alone() {
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1);
    // It fails only where the thread belongs to a pool already.
    let _ = alone.use_current_thread().build().map(std::mem::forget);
}

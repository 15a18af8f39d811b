//! A run that was stopped, as a file.

use std::collections::HashMap;
use std::path::Path;

use ::safetensors::SafeTensors;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::settings::Epoch;
use crate::error::{Error, Result};
use crate::weights::write_whole;

/// The key of the file's metadata under which [`Header`] stands as JSON.
const METADATA_KEY: &str = "mobilenet_v1_training";

/// What a run needs to go on.
#[derive(Debug)]
pub struct State {
    /// How it was described when it was saved.
    pub run: serde_json::Value,
    /// The epochs that are done.
    pub epochs: Vec<Epoch>,
    pub(super) steps: usize,
    pub(super) tensors: HashMap<String, Tensor>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    run: serde_json::Value,
    epochs: Vec<Epoch>,
    steps: usize,
}

impl State {
    /// Reads a state.
    ///
    /// # Errors
    /// [`Error::Io`] where it can't be read, [`Error::Checkpoint`] where it is none.
    pub fn open(path: &Path) -> Result<Self> {
        let error = |reason: String| Error::checkpoint(path, reason);
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let damaged = |e: String| error(format!("not a state of training, or damaged ({e})"));
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
        let entries = metadata.metadata().as_ref();
        let header = entries.and_then(|entries| entries.get(METADATA_KEY));
        let header = header.ok_or_else(|| damaged(format!("no {METADATA_KEY}")))?;
        let header: Header = serde_json::from_str(header).map_err(|e| damaged(e.to_string()))?;
        Ok(Self {
            run: header.run,
            epochs: header.epochs,
            steps: header.steps,
            tensors: candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?,
        })
    }
}

pub(super) fn write(
    path: &Path,
    tensors: &HashMap<String, Tensor>,
    run: &serde_json::Value,
    epochs: &[Epoch],
    steps: usize,
) -> Result<()> {
    let header = Header {
        run: run.clone(),
        epochs: epochs.to_vec(),
        steps,
    };
    let error = |e: String| Error::checkpoint(path, e);
    let header = serde_json::to_string(&header).map_err(|e| error(e.to_string()))?;
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), header)]);
    let bytes = ::safetensors::serialize(tensors, Some(metadata));
    let bytes = bytes.map_err(|e| error(e.to_string()))?;
    write_whole(path, &bytes).map_err(Error::io(path))
}

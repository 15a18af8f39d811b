//! A run that was stopped, as a file.

use std::collections::HashMap;
use std::path::Path;

use ::safetensors::SafeTensors;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::settings::Epoch;
use super::tuning::Progress;
use crate::atomic_file;
use crate::digest::Sha256Hex;
use crate::error::{Error, Result};

/// The key of the file's metadata under which [`Header`] stands as JSON.
const METADATA_KEY: &str = "mobilenet_v1_training";

/// The key of the [`digest`] of all that a state holds: what went on from a damaged one would be
/// another run, and nobody would see it.
const DIGEST_KEY: &str = "sha256";

/// What a run needs to go on.
#[derive(Debug)]
pub struct State {
    /// How it was described when it was saved.
    pub run: serde_json::Value,
    /// The epochs that are done.
    pub epochs: Vec<Epoch>,
    pub(super) steps: usize,
    pub(super) tensors: HashMap<String, Tensor>,
    pub(super) tuning: Option<Progress>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    run: serde_json::Value,
    epochs: Vec<Epoch>,
    steps: usize,
    /// Of a run that is measured against what it began with.
    tuning: Option<Progress>,
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
        let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
        let stated = entries.and_then(|entries| entries.get(DIGEST_KEY));
        if stated != Some(&digest(header, &file)) {
            return Err(damaged("its digest is another".into()));
        }
        let header: Header = serde_json::from_str(header).map_err(|e| damaged(e.to_string()))?;
        Ok(Self {
            run: header.run,
            epochs: header.epochs,
            steps: header.steps,
            tuning: header.tuning,
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
    tuning: Option<&Progress>,
) -> Result<()> {
    let header = Header {
        run: run.clone(),
        epochs: epochs.to_vec(),
        steps,
        tuning: tuning.cloned(),
    };
    let error = |e: String| Error::checkpoint(path, e);
    let header = serde_json::to_string(&header).map_err(|e| error(e.to_string()))?;
    let bytes = |metadata: HashMap<String, String>| {
        ::safetensors::serialize(tensors, Some(metadata)).map_err(|e| error(e.to_string()))
    };
    let mut metadata = HashMap::from([(METADATA_KEY.to_owned(), header)]);
    let plain = bytes(metadata.clone())?;
    let file = SafeTensors::deserialize(&plain).map_err(|e| error(e.to_string()))?;
    let digest = digest(&metadata[METADATA_KEY], &file);
    metadata.insert(DIGEST_KEY.to_owned(), digest);
    atomic_file::write(path, &bytes(metadata)?).map_err(Error::io(path))
}

/// Sha256 of a header and of all tensors in the order of their names, in hexadecimal.
fn digest(header: &str, file: &SafeTensors) -> String {
    let mut sum = Sha256Hex::new();
    let mut add = |bytes: &[u8]| {
        sum.update((bytes.len() as u64).to_le_bytes());
        sum.update(bytes);
    };
    add(header.as_bytes());
    let mut tensors = file.tensors();
    tensors.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    for (name, tensor) in tensors {
        add(name.as_bytes());
        add(format!("{} {:?}", tensor.dtype(), tensor.shape()).as_bytes());
        add(tensor.data());
    }
    sum.finish()
}

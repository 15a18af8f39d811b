//! Embeddings in a file, as `mobilenet embed` writes them to safetensors.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mobilenet::pixels::Preprocessing;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The tensor of the embeddings, `[N, D]` in f32.
pub const TENSOR: &str = "embeddings";

/// The version of what the metadata states.
pub const METADATA_VERSION: &str = "1";

/// The keys of the metadata.
pub mod keys {
    /// [`METADATA_VERSION`](super::METADATA_VERSION).
    pub const VERSION: &str = "mobilenet_embeddings";
    /// JSON: the path of each row, null where it is not UTF-8.
    pub const PATHS: &str = "paths";
    /// JSON: the bytes of those that are not, in base64, by the numbers of their rows.
    pub const PATHS_BASE64: &str = "paths_base64";
    /// JSON: why rows are not numbers, by their own numbers.
    pub const ERRORS: &str = "errors";
    /// `true` where each row has a length of 1.
    pub const NORMALIZED: &str = "normalized";
    /// `false` where the run was stopped before its end.
    pub const COMPLETE: &str = "complete";
    /// JSON: the network, as `--provenance` tells it.
    pub const MODEL: &str = "model";
}

/// Embeddings that were made earlier.
#[derive(Debug)]
pub struct StoredEmbeddings {
    pub path: PathBuf,
    /// How many values each has.
    pub width: usize,
    /// The pictures' names, each with its row or nothing where it failed.
    names: Vec<OsString>,
    values: Vec<f32>,
    /// What of the network matters to its embeddings, if that is stated.
    pub model: Option<Value>,
    /// The network that made it, as far as that is stated.
    pub made_by: Option<MadeBy>,
    /// Whether the run that wrote it was not stopped before its end.
    pub is_complete: bool,
}

/// What a file of embeddings tells of the network that made it.
#[derive(Debug, Deserialize)]
pub struct MadeBy {
    /// The file of the weights, without its folders.
    pub name: String,
    pub sha256: Option<String>,
    pub alpha: f64,
    pub preprocessing: Preprocessing,
}

impl StoredEmbeddings {
    /// Whether a path is one of a file of embeddings and not of a picture.
    pub fn is_named_by(path: &Path) -> bool {
        let extension = path.extension();
        extension.is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(path: PathBuf) -> Result<Self> {
        let named = || path.display().to_string();
        let bytes = fs::read(&path).with_context(named)?;
        let (width, values, metadata) = table(&bytes).with_context(named)?;
        let names = names(&metadata).with_context(named)?;
        let rows = values.len() / width;
        let paths = names.len();
        ensure!(
            paths == rows,
            "{}: {paths} paths for {rows} embeddings",
            named()
        );
        Ok(Self {
            width,
            names,
            values,
            model: metadata.get(keys::MODEL).and_then(|json| model(json)),
            made_by: metadata
                .get(keys::MODEL)
                .and_then(|json| serde_json::from_str(json).ok()),
            is_complete: metadata
                .get(keys::COMPLETE)
                .is_none_or(|value| value != "false"),
            path,
        })
    }

    /// Each picture with its embedding, if it has one.
    pub fn rows(&self) -> impl Iterator<Item = (&OsString, Option<&[f32]>)> {
        let numbers = |row: &&[f32]| row.iter().all(|value| value.is_finite());
        let rows = self.values.chunks(self.width);
        let rows = rows.map(move |row| Some(row).filter(numbers));
        self.names.iter().zip(rows)
    }
}

/// What of a network matters to its embeddings: the weights, and the recipe for the pixels.
pub fn model(provenance: &str) -> Option<Value> {
    let mut provenance: Value = serde_json::from_str(provenance).ok()?;
    let take = |key: &str| provenance.get_mut(key).map(Value::take);
    let parts: Vec<Value> = ["sha256", "preprocessing"]
        .map(take)
        .into_iter()
        .flatten()
        .collect();
    let stated = !parts.is_empty() && !parts.contains(&Value::Null);
    stated.then_some(Value::Array(parts))
}

type Metadata = std::collections::HashMap<String, String>;

fn table(bytes: &[u8]) -> Result<(usize, Vec<f32>, Metadata)> {
    let not_one = "not a file of embeddings, as `mobilenet embed -o FILE.safetensors` writes";
    let (_, header) = SafeTensors::read_metadata(bytes).context(not_one)?;
    let tensors = SafeTensors::deserialize(bytes).context(not_one)?;
    let tensor = tensors.tensor(TENSOR).ok().context(not_one)?;
    ensure!(
        tensor.dtype() == Dtype::F32,
        "its embeddings are not of f32"
    );
    let width = match *tensor.shape() {
        [_, width] if width > 0 => width,
        _ => anyhow::bail!("its embeddings are not of shape [N, D]"),
    };
    let values = tensor.data().chunks_exact(4);
    let values = values.map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let metadata = header.metadata().clone().context(not_one)?;
    let version = metadata.get(keys::VERSION);
    ensure!(
        version.is_none_or(|version| version == METADATA_VERSION),
        "a newer version of this program wrote it"
    );
    Ok((width, values.collect(), metadata))
}

fn names(metadata: &Metadata) -> Result<Vec<OsString>> {
    let paths: Vec<Option<String>> = parse(metadata, keys::PATHS)?.context("it has no paths")?;
    let others: BTreeMap<usize, String> = parse(metadata, keys::PATHS_BASE64)?.unwrap_or_default();
    let name = |(number, path): (usize, Option<String>)| match (path, others.get(&number)) {
        (Some(path), _) => Ok(path.into()),
        (None, Some(base64)) => {
            let bytes = STANDARD.decode(base64);
            let bytes = bytes.with_context(|| format!("the path of row {number} is not base64"))?;
            Ok(bytes_name(bytes))
        }
        (None, None) => anyhow::bail!("row {number} has no path"),
    };
    paths.into_iter().enumerate().map(name).collect()
}

fn parse<T: DeserializeOwned>(metadata: &Metadata, key: &str) -> Result<Option<T>> {
    let json = metadata.get(key).map(|json| serde_json::from_str(json));
    json.transpose()
        .with_context(|| format!("its metadata {key} is not understood"))
}

#[cfg(unix)]
fn bytes_name(bytes: Vec<u8>) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes)
}

#[cfg(not(unix))]
fn bytes_name(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

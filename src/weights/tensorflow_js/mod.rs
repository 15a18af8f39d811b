//! TensorFlow.js's layers models: a `model.json` that describes a model as Keras does and lists its weights
//! (`manifest`), and shards of bytes beside it.

mod manifest;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::contents::MAX_FILE_BYTES;
use super::imported::Imported;
use super::keras;
use crate::error::{Error, Result};
use crate::weights::file_beside::is_beside;
use manifest::{Group, groups};

/// What a model is called in a folder.
pub(super) const FILE_IN_FOLDER: &str = "model.json";

/// More than any model's description.
const MAX_TEXT_BYTES: u64 = 64 << 20;

const GRAPH_MODEL: &str = "a graph model of TensorFlow.js, whose layers are operations of TensorFlow, which is not read: \
    convert the Keras model it was made of to a layers model (tensorflowjs_converter \
    --output_format=tfjs_layers_model), or give that itself";

/// A model's text.
pub(super) struct Model {
    text: Vec<u8>,
    value: Value,
}

impl Model {
    /// Opens a file whose name and contents are those of such a model; `None` of anything else.
    ///
    /// # Errors
    /// A text that is nearly one, or that can't be read.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let is_json = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("json"));
        if !is_json || !path.is_file() {
            return Ok(None);
        }
        let mut text = Vec::new();
        let file = File::open(path).map_err(Error::io(path))?;
        let mut file = file.take(MAX_TEXT_BYTES + 1);
        file.read_to_end(&mut text).map_err(Error::io(path))?;
        let error = |reason: String| Err(Error::checkpoint(path, reason));
        let has = |name: &str| memchr::memmem::find(&text, name.as_bytes()).is_some();
        if !has("\"weightsManifest\"") && !has("\"modelTopology\"") && !has("\"paths\"") {
            return Ok(None);
        }
        if text.len() as u64 > MAX_TEXT_BYTES {
            return error("larger than the description of any MobileNet V1".into());
        }
        let trimmed = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        match serde_json::from_slice(trimmed) {
            Ok(value @ Value::Object(_)) => Ok(Some(Self { text, value })),
            Ok(Value::Array(_)) => error(
                "only the list of a TensorFlow.js model's weights: give its model.json, which describes the \
                 model too"
                    .into(),
            ),
            Ok(_) => Ok(None),
            Err(e) => error(format!("truncated or damaged model of TensorFlow.js ({e})")),
        }
    }

    /// Reads the model, and gives the bytes of all its files too, one after another.
    ///
    /// # Errors
    /// Other kinds of models, shards that are missing or of another length, descriptions that are not a
    /// MobileNet V1's.
    pub fn read(self, path: &Path) -> Result<(Imported, Vec<u8>)> {
        let error = |reason: String| Error::checkpoint(path, reason);
        let topology = &self.value["modelTopology"];
        if self.value["format"] == "graph-model" || topology["node"].is_array() {
            return Err(error(GRAPH_MODEL.into()));
        }
        // As Python's converter has it, or as TensorFlow.js itself does.
        let description = match &topology["model_config"] {
            Value::Null => topology,
            description => description,
        };
        if !description["config"].is_object() && !description["config"].is_array() {
            return Err(error(
                "it lists the weights of a model of TensorFlow.js, but doesn't describe that (modelTopology)"
                    .into(),
            ));
        }
        let groups = groups(&self.value["weightsManifest"]).map_err(error)?;
        let mut bytes = self.text;
        let mut variables = Vec::new();
        for group in &groups {
            let start = bytes.len();
            add_shards(path, group, &mut bytes)?;
            variables.extend(group.variables(&bytes[start..]).map_err(error)?);
        }
        let imported = keras::read_described(description, variables).map_err(error)?;
        Ok((imported, bytes))
    }
}

/// Reads a group's shards, which have to have as many bytes as its weights.
fn add_shards(path: &Path, group: &Group, bytes: &mut Vec<u8>) -> Result<()> {
    let error = |reason: String| Error::checkpoint(path, reason);
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut left = group.bytes().map_err(error)?;
    if left.saturating_add(bytes.len() as u64) >= MAX_FILE_BYTES {
        return Err(error(
            "its weights are larger than any MobileNet V1's".into(),
        ));
    }
    for name in &group.paths {
        if !is_beside(name) {
            return Err(error(format!(
                "its weights are in {name:?}, which is no file beside it"
            )));
        }
        let shard = folder.join(name);
        let missing = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::NotFound => error(format!(
                "its weights are in {name}, which is not beside it: a model of TensorFlow.js is a folder \
                 of files, and all of them are needed"
            )),
            _ => Error::io(&shard)(e),
        };
        let file = File::open(&shard).map_err(missing)?;
        let start = bytes.len();
        // One more tells that there is more.
        file.take(left + 1).read_to_end(bytes).map_err(missing)?;
        let length = (bytes.len() - start) as u64;
        left = left.checked_sub(length).ok_or_else(|| {
            error(format!(
                "{name} beside it has more bytes than the weights that it lists"
            ))
        })?;
    }
    match left {
        0 => Ok(()),
        left => Err(error(format!(
            "{} beside it {} {left} bytes too short for the weights that it lists: the download broke off, or \
             another model's are in their place",
            group.paths.join(", "),
            if group.paths.len() == 1 {
                "is"
            } else {
                "are together"
            },
        ))),
    }
}

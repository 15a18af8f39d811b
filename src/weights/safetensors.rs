//! Our own format: safetensors whose metadata describes the network.

use std::collections::HashMap;

use ::safetensors::{Dtype, SafeTensors};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::imported::Source;
use crate::error::without_backtrace;
use crate::model::Config;
use crate::pixels::Preprocessing;

/// The key of the file's metadata under which [`Header`] stands as JSON.
const METADATA_KEY: &str = "mobilenet_v1";

/// The version of [`Header`] that is written and read.
pub(super) const VERSION: u32 = 1;

/// What the file says of the network besides its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    /// [`VERSION`]; another one is not understood.
    pub version: u32,
    #[serde(flatten)]
    pub config: Config,
    pub preprocessing: Preprocessing,
    /// The file that this one was converted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Whether the bytes look like safetensors: a header's length, then its JSON.
pub(super) fn matches_signature(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && bytes[3..8] == [0; 5]
}

/// A tensor as a file states it.
pub(super) struct Stated {
    pub name: String,
    pub shape: Vec<usize>,
    /// Of 16, 32 or 64 bits.
    pub is_float: bool,
}

/// Reads what a file states: its header, where it has one of ours, and its tensors' shapes. That
/// the file is as long as it has to be for them is checked.
pub(super) fn inspect(bytes: &[u8]) -> Result<(Option<Header>, Vec<Stated>), String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    let header = metadata.metadata().as_ref();
    let header = header.and_then(|entries| entries.get(METADATA_KEY));
    let header: Option<Header> = header
        .map(|json| serde_json::from_str(json))
        .transpose()
        .map_err(|e| format!("its metadata {METADATA_KEY} is not understood: {e}"))?;
    if let Some(Header { version, .. }) = header
        && version != VERSION
    {
        return Err(format!(
            "its metadata is of version {version}, and only {VERSION} is understood"
        ));
    }
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let stated = file.iter().map(|(name, tensor)| Stated {
        name: name.to_owned(),
        shape: tensor.shape().to_vec(),
        is_float: matches!(
            tensor.dtype(),
            Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64
        ),
    });
    Ok((header, stated.collect()))
}

/// Reads all tensors.
pub(super) fn tensors(bytes: &[u8]) -> Result<HashMap<String, Tensor>, String> {
    candle_core::safetensors::load_buffer(bytes, &Device::Cpu)
        .map_err(|e| damaged(without_backtrace(e)))
}

fn damaged(error: impl std::fmt::Display) -> String {
    format!("truncated or damaged safetensors ({error})")
}

/// The bytes of a file with these tensors and this header.
pub(super) fn encode(
    tensors: &HashMap<String, Tensor>,
    header: &Header,
) -> Result<Vec<u8>, String> {
    let json = serde_json::to_string(header).map_err(|e| e.to_string())?;
    // One entry, so that the same checkpoint always makes the same file.
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
    ::safetensors::serialize(tensors, Some(metadata)).map_err(|e| e.to_string())
}

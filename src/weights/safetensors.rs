//! Our own format: safetensors whose metadata describes the network.

use std::collections::HashMap;
use std::path::Path;

use ::safetensors::SafeTensors;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::imported::Source;
use crate::error::{Error, Result};
use crate::model::Config;
use crate::pixels::Preprocessing;

/// The key of the file's metadata under which [`Header`] stands as JSON.
const METADATA_KEY: &str = "mobilenet_v1";

/// What the file says of the network besides its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    #[serde(flatten)]
    pub config: Config,
    pub preprocessing: Preprocessing,
    /// The classes' names, where they are not ImageNet's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The file that this one was converted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// Whether the bytes look like safetensors: a header's length, then its JSON.
pub(super) fn matches_signature(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && bytes[3..8] == [0; 5]
}

/// Reads the tensors, and the header where there is one.
pub(super) fn read(bytes: &[u8]) -> Result<(HashMap<String, Tensor>, Option<Header>), String> {
    let damaged = |e: &dyn std::fmt::Display| format!("truncated or damaged safetensors ({e})");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e))?;
    let header = metadata.metadata().as_ref();
    let header = header.and_then(|entries| entries.get(METADATA_KEY));
    let header = header
        .map(|json| serde_json::from_str(json))
        .transpose()
        .map_err(|e| format!("its metadata {METADATA_KEY} is not understood: {e}"))?;
    let tensors =
        candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map_err(|e| damaged(&e))?;
    Ok((tensors, header))
}

/// Writes the file so that it is there whole or not at all.
pub(super) fn write(path: &Path, tensors: &HashMap<String, Tensor>, header: &Header) -> Result<()> {
    let json = serde_json::to_string(header)
        .map_err(|e| Error::Config(format!("the network's settings can't be written: {e}")))?;
    // One entry, so that the same checkpoint always makes the same file.
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
    let bytes = ::safetensors::serialize(tensors, Some(metadata))
        .map_err(|e| Error::checkpoint(path, e.to_string()))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(path))?;
    std::io::Write::write_all(&mut file, &bytes).map_err(Error::io(path))?;
    // A temporary file is its owner's alone; a converted checkpoint is as public as any file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        file.as_file()
            .set_permissions(mode)
            .map_err(Error::io(path))?;
    }
    file.persist(path).map_err(|e| Error::io(path)(e.error))?;
    Ok(())
}

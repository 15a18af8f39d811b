//! What kind of file a checkpoint is, by its first bytes.

use super::torch;

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFormat {
    Safetensors,
    /// Keras's `.h5`.
    Hdf5,
    /// Keras's `.keras`.
    Zip,
    Tflite,
    /// PyTorch's before it wrote zips.
    TorchStream,
}

/// Enough of a file to tell.
pub(super) const SIGNATURE_BYTES: u64 = 32;

impl FileFormat {
    /// The format of a file that begins like this.
    pub fn of(start: &[u8]) -> Option<Self> {
        // A header's length, then its JSON.
        let is_safetensors = start.get(3..9) == Some(b"\0\0\0\0\0{");
        if is_safetensors {
            Some(Self::Safetensors)
        } else if start.starts_with(b"\x89HDF\r\n\x1a\n") {
            Some(Self::Hdf5)
        } else if start.starts_with(b"PK\x03\x04") {
            Some(Self::Zip)
        } else if start.get(4..8) == Some(b"TFL3") {
            // An offset, then the identifier of its schema.
            Some(Self::Tflite)
        } else if torch::is_stream(start) {
            Some(Self::TorchStream)
        } else {
            None
        }
    }
}

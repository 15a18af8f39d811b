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
    Onnx,
    /// A graph of TensorFlow's with its variables as constants.
    FrozenGraph,
    /// The names of a checkpoint of TensorFlow.
    TensorFlowTable,
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
        } else if is_onnx(start) {
            Some(Self::Onnx)
        } else if is_graph(start) {
            Some(Self::FrozenGraph)
        } else if is_table(start) {
            Some(Self::TensorFlowTable)
        } else {
            None
        }
    }
}

/// Whether a file begins as ONNX's do: with the version of the format, then the name of a program, a graph
/// or the versions of operators. Core ML's begin alike, but with a message where the name is.
fn is_onnx(start: &[u8]) -> bool {
    let [0x08, 3..=63, rest @ ..] = start else {
        return false;
    };
    match rest {
        [0x12, length, name @ ..] => *length == 0 || name.first().is_some_and(u8::is_ascii_graphic),
        [0x1a | 0x22 | 0x32 | 0x3a | 0x42, ..] => true,
        _ => false,
    }
}

/// Whether a file begins as TensorFlow's graphs do: with a node, which begins with its name.
fn is_graph(start: &[u8]) -> bool {
    let [0x0a, rest @ ..] = start else {
        return false;
    };
    // The node's length, then a field of text.
    let length = rest
        .iter()
        .take(5)
        .take_while(|byte| **byte >= 0x80)
        .count();
    match rest.get(length + 1..) {
        Some([0x0a, _, name, ..]) => name.is_ascii_alphanumeric() || *name == b'.',
        _ => false,
    }
}

/// Whether a file begins as the tables of TensorFlow's checkpoints do: with the empty name, whose value is a
/// message.
fn is_table(start: &[u8]) -> bool {
    let [0, 0, rest @ ..] = start else {
        return false;
    };
    let length = rest
        .iter()
        .take(5)
        .take_while(|byte| **byte >= 0x80)
        .count();
    rest.first() != Some(&0) && matches!(rest.get(length + 1), Some(0x08 | 0x0a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_from_their_first_bytes() {
        for (start, format) in [
            (&b"\x08\x08\x12\x07pytorch"[..], Some(FileFormat::Onnx)),
            (b"\x08\x0a\x3a\x80\x10", Some(FileFormat::Onnx)),
            // Core ML, and a SavedModel.
            (b"\x08\x04\x12\x20\x0a\x05", None),
            (b"\x08\x01\x12\x80\x10\x0a", None),
            (b"\x0a\x37\x0a\x05input\x12", Some(FileFormat::FrozenGraph)),
            (
                b"\x0a\x80\x01\x0a\x0aMobilenet",
                Some(FileFormat::FrozenGraph),
            ),
            // Caffe.
            (b"\x0a\x09MOBILENET\x12", None),
            (
                b"\x00\x00\x08\x08\x01\x1a\x02\x08\x01",
                Some(FileFormat::TensorFlowTable),
            ),
            (
                b"\x00\x00\x9d\x42\x0a\x9a",
                Some(FileFormat::TensorFlowTable),
            ),
            (b"\x00\x00\x00\x08", None),
            (b"\x0a\x0a", None),
            (b"\x00\x00", None),
        ] {
            assert_eq!(FileFormat::of(start), format, "{start:?}");
        }
    }
}

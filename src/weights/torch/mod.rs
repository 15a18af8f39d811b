//! PyTorch's files (`.pth`, `.pt`, `pytorch_model.bin`): a pickle, which says what the tensors are, and
//! their numbers. Since PyTorch 1.6 they lie in a zip (`archive`), before that behind each other
//! (`stream`).
//!
//! A pickle is a program. `pickle` goes through it without running any of it: what it would call is
//! kept by its name, and `tensors` knows the few names that stand for tensors. Everything that is
//! made of a file is bounded by its length.

mod archive;
mod numbers;
mod pickle;
mod stream;
mod tensors;

pub(super) use archive::{is_torch, read_zip};
pub(super) use stream::{is_stream, read_stream};

use tensors::Described;

use super::safetensors::View;

/// A network's has 20 KB, that of a training run with its optimizer 200.
const MAX_PICKLE_BYTES: u64 = 1 << 20;

/// The tensors of a file of so many bytes, as safetensors hold them. `storage` gives the bytes of a
/// storage by its name.
fn to_safetensors<'a>(
    described: Vec<Described>,
    file_bytes: usize,
    mut storage: impl FnMut(&str) -> Result<&'a [u8], String>,
) -> Result<Vec<u8>, String> {
    // What many tensors make of the same numbers is not more than the file.
    let mut left = file_bytes;
    let mut views = Vec::new();
    for tensor in described {
        let bytes = storage(&tensor.storage);
        let bytes = bytes.and_then(|storage| numbers::numbers(&tensor, storage, &mut left));
        let bytes = bytes.map_err(|reason| format!("{}: {reason}", tensor.name))?;
        let Described {
            name, dtype, shape, ..
        } = tensor;
        views.push((
            name,
            View {
                dtype,
                shape,
                bytes,
            },
        ));
    }
    ::safetensors::serialize(views, None).map_err(|e| e.to_string())
}

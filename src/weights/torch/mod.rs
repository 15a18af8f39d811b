//! PyTorch's files (`.pth`, `.pt`, `pytorch_model.bin`): a zip of a pickle, which says what the tensors
//! are, and their numbers.
//!
//! A pickle is a program. `pickle` goes through it without running any of it: what it would call is
//! kept by its name, and `tensors` knows the few names that stand for tensors. Everything that is
//! made of a file is bounded by its length.

mod pickle;
mod tensors;

use std::io::{Cursor, Read};

use zip::{CompressionMethod, ZipArchive};

use pickle::Pickle;
use tensors::{Described, state_dict};

use super::safetensors::View;

/// The pickle in the zip.
const PICKLE: &str = "data.pkl";

/// A network's has 20 KB, that of a training run with its optimizer 200.
const MAX_PICKLE_BYTES: u64 = 1 << 20;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Whether a zip is one of PyTorch's, with weights and no program.
pub(super) fn is_torch(bytes: &[u8]) -> bool {
    ZipArchive::new(Cursor::new(bytes)).is_ok_and(|archive| {
        let has = |part: &str| {
            archive
                .file_names()
                .flatten()
                .any(|name| name.contains(part))
        };
        has(PICKLE) && !has("/code/") && !has("archive_format")
    })
}

/// The tensors of a file, as safetensors hold them.
pub(super) fn to_safetensors(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let damaged = |e: zip::result::ZipError| format!("truncated or damaged zip ({e})");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let pickle = archive.file_names().flatten().find_map(|name| {
        let folder = name.strip_suffix(PICKLE)?;
        Some(folder.to_owned())
    });
    let folder = pickle.ok_or("a zip without a pickle")?;
    let order = member(&mut archive, &format!("{folder}byteorder"), 16);
    if order.is_ok_and(|order| order == b"big") {
        return Err("its numbers are big-endian, which is not supported".into());
    }
    let program = member(&mut archive, &format!("{folder}{PICKLE}"), MAX_PICKLE_BYTES)?;
    let pickle = Pickle::read(&program)?;
    let described = state_dict(&pickle)?;
    // What many tensors make of the same numbers is not more than the file.
    let mut left = bytes.len();
    let mut views = Vec::new();
    for tensor in described {
        let bytes = numbers(&mut archive, &folder, &tensor, &mut left);
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

/// A file of the zip of at most so many bytes.
fn member(archive: &mut Archive, name: &str, most: u64) -> Result<Vec<u8>, String> {
    let error = |e: &dyn std::fmt::Display| format!("{name} in it: {e}");
    let file = archive.by_name(name).map_err(|e| error(&e))?;
    if file.size() > most {
        return Err(error(&format_args!("it has {} bytes", file.size())));
    }
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|e| error(&e))?;
    if bytes.len() as u64 > most {
        return Err(error(&"longer than it says"));
    }
    Ok(bytes)
}

/// A tensor's numbers in the order of its shape.
fn numbers(
    archive: &mut Archive,
    folder: &str,
    tensor: &Described,
    left: &mut usize,
) -> Result<Vec<u8>, String> {
    let width = tensor.dtype.bitsize() / 8;
    let count = tensor
        .shape
        .iter()
        .try_fold(1usize, |n, &side| n.checked_mul(side));
    let length = count.and_then(|count| count.checked_mul(width));
    let length = length.filter(|length| length <= left);
    let length = length.ok_or("its tensors have more numbers than the file has")?;
    *left -= length;
    let name = format!("{folder}data/{}", tensor.storage);
    let most = {
        let file = archive.by_name(&name);
        let file = file.map_err(|e| format!("{name} in it: {e}"))?;
        // Anything packed could be of any length.
        if file.compression() != CompressionMethod::Stored {
            return Err("its numbers are packed, which is not supported".into());
        }
        file.size()
    };
    let storage = member(archive, &name, most)?;
    if length == 0 {
        return Ok(Vec::new());
    }
    let outside = || "it lies outside of its numbers".to_owned();
    // The last of them lies furthest, since no stride is negative.
    let last = tensor
        .shape
        .iter()
        .zip(&tensor.strides)
        .try_fold(tensor.offset, |at, (&side, &stride)| {
            at.checked_add((side - 1).checked_mul(stride)?)
        });
    let end = last.and_then(|last| last.checked_add(1)?.checked_mul(width));
    if end.is_none_or(|end| end > storage.len()) {
        return Err(outside());
    }
    let mut bytes = Vec::with_capacity(length);
    let mut index = vec![0usize; tensor.shape.len()];
    let mut at = tensor.offset;
    loop {
        let number = storage
            .get(at * width..(at + 1) * width)
            .ok_or_else(outside)?;
        bytes.extend_from_slice(number);
        // The next index, the last dimension first.
        let mut dimension = index.len();
        loop {
            let Some(before) = dimension.checked_sub(1) else {
                return Ok(bytes);
            };
            dimension = before;
            index[dimension] += 1;
            at = at.wrapping_add(tensor.strides[dimension]);
            if index[dimension] < tensor.shape[dimension] {
                break;
            }
            at = at.wrapping_sub(index[dimension].wrapping_mul(tensor.strides[dimension]));
            index[dimension] = 0;
        }
    }
}

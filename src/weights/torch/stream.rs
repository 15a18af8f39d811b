//! Files of PyTorch before 1.6 (`_use_new_zipfile_serialization=False` since): pickles behind each
//! other, which are a magic number, a version, what machine wrote it, the tensors, and the names of
//! their storages; then each storage, its length before it.

use std::collections::HashMap;

use super::pickle::{Pickle, Value};
use super::tensors::{state_dict, storages};
use super::{MAX_PICKLE_BYTES, to_safetensors};

/// The magic number, as a pickle of any protocol has it: an integer of ten bytes.
const MAGIC: [u8; 12] = *b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// The only version that there ever was.
const VERSION: i64 = 1001;

/// Whether a file that begins like this is one.
pub(in crate::weights) fn is_stream(start: &[u8]) -> bool {
    // Behind the protocol and, since protocol 4, the length of what follows.
    start.starts_with(b"\x80")
        && [2, 11]
            .iter()
            .any(|&at| start.get(at..at + 12) == Some(&MAGIC))
}

/// The tensors of such a file, as safetensors hold them.
pub(in crate::weights) fn read_stream(bytes: &[u8]) -> Result<Vec<u8>, String> {
    read(bytes).map_err(|reason| format!("a bare pickle of PyTorch before 1.6: {reason}"))
}

fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut rest = bytes;
    let _magic = next(&mut rest)?;
    let version = next(&mut rest)?;
    if !matches!(version.value(version.root), Value::Number(VERSION)) {
        return Err("it is of a version of PyTorch's files that is not known".into());
    }
    let machine = next(&mut rest)?;
    if is_big_endian(&machine) {
        return Err("its numbers are big-endian, which is not supported".into());
    }
    let tensors = next(&mut rest)?;
    let described = state_dict(&tensors)?;
    let widths: HashMap<&str, usize> = storages(&tensors).collect();
    let keys = next(&mut rest)?;
    let Value::List(ids) = keys.value(keys.root) else {
        return Err("it does not say which storages it has".into());
    };
    let mut places: HashMap<&str, &[u8]> = HashMap::new();
    for id in ids {
        let unknown = || "it has a storage that no tensor is of".to_owned();
        let key = keys.text(*id).ok_or_else(unknown)?;
        let width = *widths.get(key).ok_or_else(unknown)?;
        places.insert(key, storage(&mut rest, width)?);
    }
    to_safetensors(described, bytes.len(), |name| {
        let place = places.get(name).copied();
        place.ok_or_else(|| "its numbers are not there".into())
    })
}

/// The next pickle.
fn next(rest: &mut &[u8]) -> Result<Pickle, String> {
    // Its values take more memory than its bytes.
    let most = rest.len().min(MAX_PICKLE_BYTES as usize);
    let (pickle, read) = Pickle::read_part(&rest[..most])?;
    *rest = &rest[read..];
    Ok(pickle)
}

fn is_big_endian(machine: &Pickle) -> bool {
    let Value::Dict(entries) = machine.value(machine.root) else {
        return false;
    };
    let is_false = |(key, value): &(usize, usize)| {
        machine.text(*key) == Some("little_endian")
            && matches!(machine.value(*value), Value::Flag(false))
    };
    entries.iter().any(is_false)
}

/// The next storage, of numbers of so many bytes.
fn storage<'a>(rest: &mut &'a [u8], width: usize) -> Result<&'a [u8], String> {
    let cut = || "it is cut off: a storage is not all there".to_owned();
    let (count, behind) = rest.split_first_chunk().ok_or_else(cut)?;
    let count = usize::try_from(u64::from_le_bytes(*count)).ok();
    let length = count.and_then(|count| count.checked_mul(width));
    let (bytes, behind) = length
        .and_then(|length| behind.split_at_checked(length))
        .ok_or_else(cut)?;
    *rest = behind;
    Ok(bytes)
}

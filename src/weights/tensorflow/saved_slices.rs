//! TensorFlow's first form of checkpoints (`SaverDef.V1`): one file, a table with the numbers themselves.

use std::collections::BTreeMap;

use super::bundle::Variable;
use super::message::{known_shape, tensor_of};
use super::table::Entry;
use crate::weights::protobuf::{Result, fields};

/// Whether the first entry of a table is that of such a file: a message of what it has.
pub(super) fn is_header(value: &[u8]) -> bool {
    value.first() == Some(&0x0a)
}

/// The variables of a file of so many bytes.
pub(super) fn variables<'a>(
    table: &[Entry<'a>],
    bytes: usize,
) -> Result<BTreeMap<String, Variable<'a>>> {
    // Types and shapes.
    let mut stated: BTreeMap<&str, (i64, Vec<usize>)> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for Entry { key, value } in table {
        for field in fields(value) {
            match field? {
                (1, meta) if key.is_empty() => {
                    for field in fields(meta.bytes()?) {
                        if let (1, tensor) = field? {
                            let (name, of) = described(tensor.bytes()?)?;
                            stated.insert(name, of);
                        }
                    }
                }
                (2, slice) => {
                    let (name, tensor) = slice_of(slice.bytes()?)?;
                    let of = stated.get(name).cloned();
                    let of =
                        of.ok_or_else(|| format!("truncated or damaged (no shape of {name})"))?;
                    let constant = tensor_of(tensor, Some(of), bytes);
                    let constant = constant.map_err(|e| format!("{name}: {e}"))?;
                    let variable = Variable::Read(constant);
                    if found.insert(name.to_owned(), variable).is_some() {
                        return Err(format!(
                            "{name}: it is saved in slices, which is not supported"
                        ));
                    }
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

/// A variable's name, with its type and shape.
fn described(message: &[u8]) -> Result<(&str, (i64, Vec<usize>))> {
    let (mut name, mut kind, mut shape) = ("", 0, Vec::new());
    for field in fields(message) {
        match field? {
            (1, value) => name = value.text()?,
            (2, value) => shape = known_shape(value.bytes()?)?,
            (3, value) => kind = value.integer()?,
            _ => {}
        }
    }
    Ok((name, (kind, shape)))
}

/// A slice's variable, and its numbers.
fn slice_of(message: &[u8]) -> Result<(&str, &[u8])> {
    let (mut name, mut tensor) = ("", &[][..]);
    for field in fields(message) {
        match field? {
            (1, value) => name = value.text()?,
            (3, value) => tensor = value.bytes()?,
            _ => {}
        }
    }
    Ok((name, tensor))
}

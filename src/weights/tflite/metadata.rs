//! What TensorFlow Lite's task library has to know of a model: a second FlatBuffer in the file, of a schema
//! of its own. Fields are under the numbers that this gives them.

use super::flatbuffer::{Result, Table, Tables};
use super::graph::Graph;
use crate::pixels::COLOURS;

/// The name under which a model has it.
const NAME: &[u8] = b"TFLITE_METADATA";
/// Models have a version and a converter's remark there besides.
const MAX_ENTRIES: usize = 64;
/// What is done to a model's input one after the other.
const MAX_UNITS: usize = 16;

/// Kinds of what is done to an input or an output.
const NORMALIZATION: u8 = 1;
const SCORE_CALIBRATION: u8 = 2;

/// What is done to pixels that a model takes as floats: `(byte - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Normalization {
    pub mean: [f64; COLOURS],
    pub std: [f64; COLOURS],
}

/// Reads it, where the file has such.
///
/// # Errors
/// What is damaged, or done to pixels or scores in a way that is not known.
pub(super) fn normalization(graph: &Graph) -> Result<Option<Normalization>> {
    let Some(bytes) = graph.metadata(NAME, MAX_ENTRIES)? else {
        return Ok(None);
    };
    let named = |error| format!("its metadata {}: {error}", String::from_utf8_lossy(NAME));
    read(bytes).map_err(named)
}

fn read(bytes: &[u8]) -> Result<Option<Normalization>> {
    let Some(graph) = Table::root(bytes)?.tables(3)?.get(0)? else {
        return Ok(None);
    };
    for unit in units(graph.tables(3)?)? {
        if unit.scalar(0, 0u8)? == SCORE_CALIBRATION {
            return Err("it calibrates scores, which is not supported".into());
        }
    }
    let mut found = None;
    for unit in units(graph.tables(2)?)? {
        if unit.scalar(0, 0u8)? != NORMALIZATION {
            continue;
        }
        let options = unit.table(1)?;
        let options = options.ok_or("it normalises pixels, and does not say how")?;
        let colours = |field, what: &str| match options.numbers::<f32>(field, MAX_UNITS)?[..] {
            [one] => Ok([f64::from(one); COLOURS]),
            [red, green, blue] => Ok([red, green, blue].map(f64::from)),
            ref other => Err(format!(
                "{what} has {} numbers for three colours",
                other.len()
            )),
        };
        let (mean, std) = (colours(0, "the mean")?, colours(1, "the deviation")?);
        if found.replace(Normalization { mean, std }).is_some() {
            return Err("it normalises pixels twice".into());
        }
    }
    Ok(found)
}

/// What is done to the first of these tensors.
fn units(tensors: Tables) -> Result<Vec<Table>> {
    let Some(tensor) = tensors.get(0)? else {
        return Ok(Vec::new());
    };
    let units = tensor.tables(4)?;
    if units.len() > MAX_UNITS {
        return Err(format!("{} steps are done to one tensor", units.len()));
    }
    (0..units.len())
        .filter_map(|unit| units.get(unit).transpose())
        .collect()
}

//! How the integers of a tensor stand for numbers.

use super::flatbuffer::Table;
use super::graph::TensorInfo;
use super::kind::Kind;
use crate::model::Quantisation;

type Result<T> = std::result::Result<T, String>;

/// The most channels that a layer has.
const MOST: usize = 1 << 20;

/// The number of a quantisation by blocks among those that have details of their own.
const BY_BLOCKS: u8 = 2;

/// Scales along the last dimension too, one for each block of it.
pub(super) struct Blocks {
    /// The tensor that has them.
    pub scales: usize,
    /// How many integers of a row share one.
    pub size: usize,
}

/// Either way of having scales.
pub(super) enum Scales {
    /// One, or one for each index of a dimension.
    Along(Quantisation),
    Blocks(Blocks),
}

/// How a tensor is quantised.
pub(super) fn of(tensor: &TensorInfo) -> Result<Scales> {
    let table = tensor.quantization.ok_or("has no quantisation")?;
    match table.scalar::<u8>(4, 0)? {
        0 => along(table, tensor.kind, &tensor.shape).map(Scales::Along),
        BY_BLOCKS => {
            let details = table.table(5)?;
            let details = details.ok_or("is quantised by blocks, of which it says nothing")?;
            blocks(details).map(Scales::Blocks)
        }
        _ => Err("is quantised in a way of its own, which is not supported".into()),
    }
}

/// Those of a tensor that is computed, or of a bias, which are never in blocks.
pub(super) fn without_blocks(tensor: &TensorInfo) -> Result<Quantisation> {
    match of(tensor)? {
        Scales::Along(quantisation) => Ok(quantisation),
        Scales::Blocks(_) => Err("is quantised by blocks, which only weights are".into()),
    }
}

/// Reads and checks the scales of integers of this type in a tensor of this shape.
fn along(table: Table, kind: Kind, shape: &[usize]) -> Result<Quantisation> {
    let scales: Vec<f32> = table.numbers(2, MOST)?;
    let mut zero_points: Vec<i64> = table.numbers(3, MOST)?;
    if zero_points.is_empty() {
        zero_points = vec![0; scales.len()];
    }
    if scales.is_empty() || scales.len() != zero_points.len() {
        let (n, m) = (scales.len(), zero_points.len());
        return Err(format!("has {n} scales and {m} zero points"));
    }
    if let Some(scale) = scales.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        return Err(format!("has the scale {scale:?}"));
    }
    let range = kind.integers();
    if let Some(zero) = zero_points.iter().find(|zero| !range.contains(*zero)) {
        return Err(format!("has the zero point {zero}"));
    }
    let dimension: i32 = table.scalar(6, 0)?;
    let axis = usize::try_from(dimension).unwrap_or(usize::MAX);
    let n = scales.len();
    if n > 1 && shape.get(axis) != Some(&n) {
        return Err(format!(
            "is {shape:?} and has {n} scales along its dimension {dimension}"
        ));
    }
    Ok(Quantisation {
        scales,
        zero_points,
        axis,
    })
}

fn blocks(details: Table) -> Result<Blocks> {
    let scales: i32 = details.scalar(0, 0)?;
    let zeros: i32 = details.scalar(1, -1)?;
    let size: i32 = details.scalar(2, 0)?;
    if zeros >= 0 {
        return Err("is quantised by blocks with zero points, which is not supported".into());
    }
    if details.has(3) {
        return Err("is quantised by blocks of several dimensions, which is not supported".into());
    }
    match (usize::try_from(scales), usize::try_from(size)) {
        (Ok(scales), Ok(size @ 1..)) => Ok(Blocks { scales, size }),
        _ => Err(format!("is quantised by blocks of {size}")),
    }
}

/// How the integers of a tensor that is computed stand for numbers, and whether they are signed;
/// `None` where it holds floats.
pub(super) fn activation(tensor: &TensorInfo) -> Result<Option<(Quantisation, bool)>> {
    match tensor.kind {
        Kind::FLOAT32 => Ok(None),
        kind @ (Kind::UINT8 | Kind::INT8) => {
            Ok(Some((without_blocks(tensor)?, kind == Kind::INT8)))
        }
        other => Err(format!("is of {other}, not of eight bits")),
    }
}

/// The numbers that the lowest and the highest integer of a quantised tensor stand for; `None` where
/// it holds floats, or has several scales.
pub(super) fn range(tensor: &TensorInfo) -> Result<Option<[f64; 2]>> {
    let ends = match tensor.kind {
        Kind::FLOAT32 => return Ok(None),
        Kind::UINT8 => [0, 255],
        Kind::INT8 => [-128, 127],
        Kind::INT16 => [i16::MIN.into(), i16::MAX.into()],
        other => {
            return Err(format!(
                "is of {other}, where pixels are of float32, uint8, int8 or int16"
            ));
        }
    };
    let quantisation = without_blocks(tensor)?;
    let number = |integer| quantisation.number(0, integer).map(f64::from);
    Ok(number(ends[0]).zip(number(ends[1])).map(<[f64; 2]>::from))
}

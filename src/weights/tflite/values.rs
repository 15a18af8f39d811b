//! Tensors as a file stores them: floats, or integers with their scales.

use half::f16;

use super::flatbuffer::{Result, Scalar, Table};
use super::graph::{Code, Graph, TensorInfo};
use crate::model::{Quantisation, StoredTensor, StoredValues};

/// Reads tensors, and no more of them than a file can hold.
pub(super) struct Reader<'g, 'a> {
    graph: &'g Graph<'a>,
    /// Many tensors may be of the same bytes, and together have more values than the file.
    left: usize,
}

impl<'g, 'a> Reader<'g, 'a> {
    /// A reader of a file of so many bytes, none of which is a value twice.
    pub fn new(graph: &'g Graph<'a>, bytes: usize) -> Self {
        Self { graph, left: bytes }
    }

    /// A tensor in the file's order; what a DEQUANTIZE makes at run time is as it was before that.
    pub fn read(&mut self, number: usize) -> Result<StoredTensor<'static>> {
        let error = |reason: String| format!("tensor {number} {reason}");
        let mut tensor = self.graph.tensor(number)?;
        let mut bytes = self.graph.data(&tensor)?;
        if bytes.is_empty() {
            let operators = &self.graph.operators;
            let source = operators
                .iter()
                .find(|operator| operator.output() == Ok(number))
                .filter(|operator| [Code::DEQUANTIZE, Code::DENSIFY].contains(&operator.code))
                .and_then(|operator| operator.input(0))
                .ok_or_else(|| error("has no values".into()))?;
            tensor = self.graph.tensor(source)?;
            bytes = self.graph.data(&tensor)?;
        }
        let values = tensor
            .shape
            .iter()
            .try_fold(1usize, |n, &side| n.checked_mul(side));
        let width = width(tensor.kind).map_err(error)?;
        let stated = values.and_then(|values| values.checked_mul(width));
        if stated != Some(bytes.len()) || bytes.is_empty() {
            return Err(error(format!(
                "is {:?} of {width} bytes each, which its buffer of {} bytes is not",
                tensor.shape,
                bytes.len()
            )));
        }
        let left = self.left.checked_sub(bytes.len() / width);
        self.left = left.ok_or("its tensors have more values than it has bytes")?;
        stored(tensor, bytes).map_err(error)
    }
}

const FLOAT32: i8 = 0;
const FLOAT16: i8 = 1;
const INT32: i8 = 2;
const UINT8: i8 = 3;
const INT8: i8 = 9;

/// The bytes of a value of a type.
fn width(kind: i8) -> std::result::Result<usize, String> {
    match kind {
        FLOAT32 | INT32 => Ok(4),
        FLOAT16 => Ok(2),
        UINT8 | INT8 => Ok(1),
        other => Err(format!(
            "is of type {other}, which is not supported: float32, float16, int32, uint8 and int8 \
             are"
        )),
    }
}

fn stored(tensor: TensorInfo, bytes: &[u8]) -> std::result::Result<StoredTensor<'static>, String> {
    let values = match tensor.kind {
        FLOAT32 => StoredValues::F32(numbers(bytes, |value: f32| value).into()),
        FLOAT16 => StoredValues::F16(numbers(bytes, f16::from_bits).into()),
        UINT8 => StoredValues::U8(numbers(bytes, |value: u8| value).into()),
        INT8 => StoredValues::I8(numbers(bytes, |value: i8| value).into()),
        _ => StoredValues::I32(numbers(bytes, |value: i32| value).into()),
    };
    let quantisation = match tensor.kind {
        FLOAT32 | FLOAT16 => None,
        kind => {
            let table = tensor.quantization.ok_or("has no quantisation")?;
            Some(quantisation(table, kind, &tensor.shape)?)
        }
    };
    Ok(StoredTensor {
        values,
        shape: tensor.shape,
        quantisation,
    })
}

fn numbers<T: Scalar, U>(bytes: &[u8], value: impl Fn(T) -> U) -> Vec<U> {
    let numbers = bytes.chunks_exact(T::SIZE).filter_map(T::first);
    numbers.map(value).collect()
}

/// Reads and checks how the integers of a tensor of this type and shape stand for numbers.
fn quantisation(
    table: Table,
    kind: i8,
    shape: &[usize],
) -> std::result::Result<Quantisation, String> {
    /// The most channels that a layer has.
    const MOST: usize = 1 << 20;
    if table.scalar::<u8>(4, 0)? != 0 {
        return Err("is quantised in a way of its own, which is not supported".into());
    }
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
    let range = match kind {
        UINT8 => 0..=255,
        INT8 => -128..=127,
        _ => 0..=0,
    };
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

/// The numbers that 0 and 255 (-128 and 127) stand for, where there is one scale.
fn range_of(quantisation: &Quantisation, kind: i8) -> Option<[f64; 2]> {
    let ends = match kind {
        UINT8 => [0, 255],
        _ => [-128, 127],
    };
    let number = |integer| quantisation.number(0, integer).map(f64::from);
    Some([number(ends[0])?, number(ends[1])?])
}

/// How the integers of a tensor that is computed stand for numbers, and whether they are signed; `None`
/// where it holds floats.
pub(super) fn activation(
    tensor: &TensorInfo,
) -> std::result::Result<Option<(Quantisation, bool)>, String> {
    match tensor.kind {
        FLOAT32 => Ok(None),
        kind @ (UINT8 | INT8) => {
            let table = tensor.quantization.ok_or("has no quantisation")?;
            let quantisation = quantisation(table, kind, &tensor.shape)?;
            Ok(Some((quantisation, kind == INT8)))
        }
        other => Err(format!("is of type {other}, not of eight bits")),
    }
}

/// The range of a quantised tensor's numbers, or `None` where it holds floats.
pub(super) fn range(tensor: &TensorInfo) -> std::result::Result<Option<[f64; 2]>, String> {
    match tensor.kind {
        FLOAT32 => Ok(None),
        kind @ (UINT8 | INT8) => {
            let table = tensor.quantization.ok_or("has no quantisation")?;
            Ok(range_of(&quantisation(table, kind, &tensor.shape)?, kind))
        }
        other => Err(format!(
            "is of type {other}, where pixels are of float32, uint8 or int8"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const FILE: &[u8] = include_bytes!("../../../tests/data/tflite/uint8.tflite.gz");

    /// However many tensors name the same bytes, what is made of them has a bound.
    #[test]
    fn no_more_values_are_read_than_were_allowed() {
        let mut file = Vec::new();
        let mut unpacked = flate2::read::GzDecoder::new(FILE);
        unpacked.read_to_end(&mut file).expect("a fixture");
        let graph = Graph::parse(&file).expect("a graph");
        let stem = graph.operators[0].input(1).expect("a weight");
        let mut reader = Reader::new(&graph, 2 * 54 + 53);
        for _ in 0..2 {
            let numbers = reader.read(stem).expect("a tensor").numbers();
            assert_eq!(numbers.expect("numbers").len(), 54);
        }
        let error = reader.read(stem).map(|it| it.shape);
        assert_eq!(
            error,
            Err("its tensors have more values than it has bytes".into())
        );
    }
}

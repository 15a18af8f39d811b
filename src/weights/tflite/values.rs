//! The values of a tensor as floats, whatever type they are kept in.

use half::f16;

use super::flatbuffer::{Result, Scalar, Table};
use super::graph::{Code, Graph, TensorInfo};

/// A tensor's values in the file's order.
pub(super) struct Values {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

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

    /// The values of a tensor, dequantised; also where a DEQUANTIZE does that at run time.
    pub fn read(&mut self, number: usize) -> Result<Values> {
        let error = |reason: String| format!("tensor {number} {reason}");
        let mut tensor = self.graph.tensor(number)?;
        let mut bytes = self.graph.data(&tensor)?;
        if bytes.is_empty() {
            let operators = &self.graph.operators;
            let source = operators
                .iter()
                .find(|operator| operator.output() == Ok(number))
                .filter(|operator| operator.code == Code::DEQUANTIZE)
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
        Ok(Values {
            values: floats(&tensor, bytes).map_err(error)?,
            shape: tensor.shape,
        })
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

fn floats(tensor: &TensorInfo, bytes: &[u8]) -> std::result::Result<Vec<f32>, String> {
    match tensor.kind {
        FLOAT32 => Ok(numbers(bytes, |value| value)),
        FLOAT16 => Ok(numbers(bytes, |bits: u16| f16::from_bits(bits).to_f32())),
        kind => {
            let quantization = tensor.quantization.ok_or("has no quantisation")?;
            let quantization = Quantization::read(quantization, kind)?;
            let integers: Vec<i32> = match kind {
                UINT8 => numbers(bytes, |value: u8| value.into()),
                INT8 => numbers(bytes, |value: i8| value.into()),
                _ => numbers(bytes, |value| value),
            };
            quantization.floats(&tensor.shape, &integers)
        }
    }
}

fn numbers<T: Scalar, U>(bytes: &[u8], value: impl Fn(T) -> U) -> Vec<U> {
    let numbers = bytes.chunks_exact(T::SIZE).filter_map(T::first);
    numbers.map(value).collect()
}

/// How integers stand for numbers: `(integer - zero point) * scale`.
pub(super) struct Quantization {
    /// One, or one for each index of a dimension.
    scales: Vec<f32>,
    /// As many.
    zero_points: Vec<i64>,
    dimension: i32,
}

impl Quantization {
    /// Reads and checks that of a tensor of a type.
    pub fn read(table: Table, kind: i8) -> std::result::Result<Self, String> {
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
        Ok(Self {
            scales,
            zero_points,
            dimension: table.scalar(6, 0)?,
        })
    }

    /// The number that an integer stands for, by its scale's index.
    fn number(&self, index: usize, integer: i32) -> Option<f32> {
        let (scale, zero) = (self.scales.get(index)?, self.zero_points.get(index)?);
        // Exact up to here: 24 bits times 32.
        Some(((i64::from(integer) - zero) as f64 * f64::from(*scale)) as f32)
    }

    fn floats(&self, shape: &[usize], integers: &[i32]) -> std::result::Result<Vec<f32>, String> {
        // A scale's run: the integers that lie side by side at an index of the dimension.
        let run = match self.scales.len() {
            1 => integers.len(),
            n => {
                let dimension = usize::try_from(self.dimension).ok();
                let after = dimension.and_then(|d| shape.get(d..)?.split_first());
                let after = after.filter(|(side, _)| **side == n);
                let (_, after) = after.ok_or_else(|| {
                    let dimension = self.dimension;
                    format!("is {shape:?} and has {n} scales along its dimension {dimension}")
                })?;
                after.iter().product()
            }
        };
        let runs = integers.chunks(run.max(1)).enumerate();
        let number = |i: usize, integer: i32| self.number(i % self.scales.len(), integer);
        Ok(runs
            .flat_map(|(i, run)| run.iter().filter_map(move |&integer| number(i, integer)))
            .collect())
    }

    /// The numbers that 0 and 255 (-128 and 127) stand for, where there is one scale.
    pub fn range(&self, kind: i8) -> Option<[f64; 2]> {
        let (low, high) = match kind {
            UINT8 => (0, 255),
            INT8 => (-128, 127),
            _ => return None,
        };
        Some([self.number(0, low)?, self.number(0, high)?].map(f64::from))
    }
}

/// The range of a quantised tensor's numbers, or `None` where it holds floats.
pub(super) fn range(tensor: &TensorInfo) -> std::result::Result<Option<[f64; 2]>, String> {
    match tensor.kind {
        FLOAT32 => Ok(None),
        kind @ (UINT8 | INT8) => {
            let quantization = tensor.quantization.ok_or("has no quantisation")?;
            Ok(Quantization::read(quantization, kind)?.range(kind))
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
            assert_eq!(reader.read(stem).map(|it| it.values.len()), Ok(54));
        }
        let error = reader.read(stem).map(|it| it.values.len());
        assert_eq!(
            error,
            Err("its tensors have more values than it has bytes".into())
        );
    }
}

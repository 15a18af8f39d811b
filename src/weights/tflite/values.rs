//! Tensors as a file stores them: floats, or integers with their scales.

use half::f16;

use super::flatbuffer::{Result, Scalar};
use super::graph::{Code, Graph, TensorInfo};
use super::kind::Kind;
use super::scales::{self, Blocks, Scales};
use super::sparse;
use crate::model::{StoredTensor, StoredValues};
use crate::weights::contents::MAX_FILE_BYTES;

/// How many values, zeros among them, pruned tensors may have for each byte of their file. Where 97 of
/// 100 weights of 8 bits are 0 there are 17.
const PRUNED_PER_BYTE: usize = 32;

/// Reads tensors, and no more of them than a file can hold.
pub(super) struct Reader<'g, 'a> {
    graph: &'g Graph<'a>,
    /// The bytes of the file.
    bytes: usize,
    /// Many tensors may be of the same bytes, and together have more values than the file.
    left: usize,
    /// The same of pruned tensors, whose zeros are not in the file.
    left_pruned: usize,
}

impl<'g, 'a> Reader<'g, 'a> {
    /// A reader of a file of so many bytes, none of which is a value twice.
    pub fn new(graph: &'g Graph<'a>, bytes: usize) -> Self {
        // No more than the largest file of floats has.
        let most = MAX_FILE_BYTES as usize / size_of::<f32>();
        Self {
            graph,
            bytes,
            left: bytes,
            left_pruned: bytes.saturating_mul(PRUNED_PER_BYTE).min(most),
        }
    }

    /// A tensor in the file's order; what is made at run time of one that is stored otherwise is as it
    /// was before that.
    pub fn read(&mut self, number: usize) -> Result<StoredTensor<'static>> {
        let error = |reason: String| format!("tensor {number} {reason}");
        let tensor = self.source(number)?;
        let bytes = self.graph.data(&tensor)?;
        let bits = tensor.kind.bits().map_err(error)?;
        let mut sides = tensor.shape.iter();
        let dense = sides.try_fold(1usize, |n, &side| n.checked_mul(side));
        let places = self.places(&tensor, dense)?;
        let count = places.as_ref().map(Vec::len).or(dense);
        let stated = count.and_then(|count| count.checked_mul(bits));
        let stated = stated.map(|bits| bits.div_ceil(8));
        let (Some(dense @ 1..), true) = (dense, stated == Some(bytes.len())) else {
            let kept = match &places {
                Some(places) => format!(" with {} values", places.len()),
                None => String::new(),
            };
            return Err(error(format!(
                "is {:?}{kept} of {bits} bits each, which its buffer of {} bytes is not",
                tensor.shape,
                bytes.len()
            )));
        };
        let left = self.left.checked_sub(bytes.len() / bits.div_ceil(8));
        self.left = left.ok_or("its tensors have more values than it has bytes")?;

        let values = decoded(tensor.kind, bytes, count.unwrap_or(dense));
        let values = match places {
            Some(places) => spread(&values, &places, dense),
            None => values,
        };
        self.with_scales(tensor, values).map_err(error)
    }

    /// The stored tensor that a tensor is, or that it is made of.
    fn source(&self, number: usize) -> Result<TensorInfo<'a>> {
        let operators = &self.graph.operators;
        let mut at = number;
        // Of values that were left out, and of fewer bits.
        for _ in 0..3 {
            let tensor = self.graph.tensor(at)?;
            if tensor.sparsity.is_some() || !self.graph.data(&tensor)?.is_empty() {
                return Ok(tensor);
            }
            let maker = operators.iter().find(|o| o.output() == Ok(at));
            let maker = maker.filter(|o| [Code::DEQUANTIZE, Code::DENSIFY].contains(&o.code));
            match maker.and_then(|operator| operator.input(0)) {
                Some(source) => at = source,
                None => break,
            }
        }
        Err(format!("tensor {number} has no values"))
    }

    /// Where the values of a pruned tensor belong among so many.
    fn places(&mut self, tensor: &TensorInfo, dense: Option<usize>) -> Result<Option<Vec<usize>>> {
        let Some(sparsity) = tensor.sparsity else {
            return Ok(None);
        };
        let left = dense.and_then(|dense| self.left_pruned.checked_sub(dense));
        self.left_pruned = left.ok_or_else(|| {
            format!(
                "its pruned tensors have more than {PRUNED_PER_BYTE} values for each of its bytes, which \
                 is not supported: convert the model once more, without EXPERIMENTAL_SPARSITY"
            )
        })?;
        sparse::places(sparsity, &tensor.shape, self.bytes).map(Some)
    }

    /// Values with what they stand for; those in blocks become the numbers themselves, and so do biases
    /// of 64 bits.
    fn with_scales(
        &mut self,
        tensor: TensorInfo,
        values: StoredValues<'static>,
    ) -> Result<StoredTensor<'static>> {
        let mut stored = StoredTensor::floats(values, &tensor.shape);
        if tensor.kind.is_float() {
            return Ok(stored);
        }
        match scales::of(&tensor)? {
            Scales::Blocks(blocks) => self.out_of_blocks(blocks, stored),
            Scales::Along(quantisation) => {
                if let StoredValues::F64(integers) = &stored.values {
                    if ![1, integers.len()].contains(&quantisation.scales.len()) {
                        return Err("is of int64, and no list of biases".into());
                    }
                    let numbers = integers.iter().enumerate();
                    let numbers = numbers
                        .map(|(i, integer)| (integer * f64::from(quantisation.scale(i))) as f32);
                    stored.values = StoredValues::F32(numbers.collect::<Vec<_>>().into());
                } else {
                    stored.quantisation = Some(quantisation);
                }
                Ok(stored)
            }
        }
    }

    fn out_of_blocks(
        &mut self,
        Blocks { scales, size }: Blocks,
        integers: StoredTensor<'static>,
    ) -> Result<StoredTensor<'static>> {
        let shape = &integers.shape;
        let wrong = || format!("is {shape:?} and has no scale for each block of {size}");
        let info = self.graph.tensor(scales)?;
        let mut expected = shape.clone();
        match expected.last_mut() {
            Some(last) if last.is_multiple_of(size) => *last /= size,
            _ => return Err(wrong()),
        }
        if !info.kind.is_float() || info.shape != expected {
            return Err(wrong());
        }
        let scales = self.read(scales)?.numbers().map_err(|e| e.to_string())?;
        if let Some(scale) = scales.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Err(format!("has the scale {scale:?}"));
        }
        let StoredValues::I8(values) = &integers.values else {
            return Err("is quantised by blocks, but not of int8, int4 or int2".into());
        };
        let numbers = values.chunks(size).zip(scales.iter());
        let numbers = numbers.flat_map(|(block, scale)| {
            let number = move |integer: &i8| f32::from(*integer) * scale;
            block.iter().map(number)
        });
        let numbers: Vec<f32> = numbers.collect();
        Ok(StoredTensor::floats(
            StoredValues::F32(numbers.into()),
            shape,
        ))
    }
}

/// So many values of a type; those of fewer bits than 8 lie with the first lowest.
fn decoded(kind: Kind, bytes: &[u8], count: usize) -> StoredValues<'static> {
    match kind {
        Kind::FLOAT32 => StoredValues::F32(numbers(bytes, |value: f32| value).into()),
        Kind::FLOAT16 => StoredValues::F16(numbers(bytes, f16::from_bits).into()),
        Kind::UINT8 => StoredValues::U8(numbers(bytes, |value: u8| value).into()),
        Kind::INT8 => StoredValues::I8(numbers(bytes, |value: i8| value).into()),
        Kind::INT4 => StoredValues::I8(unpacked::<4>(bytes, count).into()),
        Kind::INT2 => StoredValues::I8(unpacked::<2>(bytes, count).into()),
        Kind::INT64 => StoredValues::F64(numbers(bytes, |value: i64| value as f64).into()),
        _ => StoredValues::I32(numbers(bytes, |value: i32| value).into()),
    }
}

fn numbers<T: Scalar, U>(bytes: &[u8], value: impl Fn(T) -> U) -> Vec<U> {
    let numbers = bytes.chunks_exact(T::SIZE).filter_map(T::first);
    numbers.map(value).collect()
}

/// Integers of so many bits, with their signs.
fn unpacked<const BITS: usize>(bytes: &[u8], count: usize) -> Vec<i8> {
    let integers = bytes.iter().flat_map(|byte| {
        // To the top, and down again with the sign.
        let integer = move |at: usize| ((byte << (8 - BITS - at)) as i8) >> (8 - BITS);
        (0..8).step_by(BITS).map(integer)
    });
    integers.take(count).collect()
}

/// The dense form of a pruned tensor, whose other values are 0.
fn spread(values: &StoredValues, places: &[usize], count: usize) -> StoredValues<'static> {
    macro_rules! spread {
        ($($kind:ident)*) => {
            match values {
                $(StoredValues::$kind(values) => {
                    let mut dense = vec![Default::default(); count];
                    for (value, place) in values.iter().zip(places) {
                        dense[*place] = *value;
                    }
                    StoredValues::$kind(dense.into())
                })*
            }
        };
    }
    spread!(F64 F32 F16 BF16 I32 I8 U8)
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

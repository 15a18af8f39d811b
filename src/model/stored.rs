//! Tensors as a checkpoint stores them, and the numbers that they stand for.

use std::borrow::Cow;
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use half::{bf16, f16};

use super::engine::Blueprint;
use super::quantised::{QuantisedNetwork, Rounding};
use crate::error::{Error, Result};

/// Tensors by name, whatever holds them.
///
/// Also where an engine that runs a quantised file in its own integers gets what it needs.
pub(crate) trait TensorSource: Sync {
    /// A tensor by its name in our naming, which has to have this shape. Its values are borrowed
    /// where they lie as they can be used.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<StoredTensor<'_>>;

    /// How the activations of a convolution are to become integers, where the source says that.
    fn activation(&self, _convolution: &str) -> Option<&Quantisation> {
        None
    }

    /// What is quantised and knows the integers of its activations too; or, of what is quantised, why
    /// they are not to be had. Its weights are [`StoredValues::I8`] or [`U8`](StoredValues::U8) with a
    /// [`Quantisation`].
    fn integers(&self) -> Option<std::result::Result<&dyn StoredIntegers, &str>> {
        None
    }
}

/// Tensors as a file stores them, in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredTensors {
    /// By their names.
    pub tensors: HashMap<String, StoredTensor<'static>>,
    /// How activations are to become integers, by the names of the convolutions that give them.
    pub activations: HashMap<String, Quantisation>,
}

impl TensorSource for StoredTensors {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<StoredTensor<'_>> {
        let found = self
            .tensors
            .get(name)
            .filter(|tensor| tensor.shape == shape);
        let missing = || Error::tensor(name, format!("of shape {shape:?} is missing"));
        Ok(found.ok_or_else(missing)?.borrowed())
    }

    fn activation(&self, convolution: &str) -> Option<&Quantisation> {
        self.activations.get(convolution)
    }
}

/// A quantised network in a file.
pub(crate) trait StoredIntegers: Sync {
    /// The form in which it runs.
    ///
    /// # Errors
    /// What does not fit together.
    fn network<'a>(
        &'a self,
        blueprint: Blueprint<'a>,
        rounding: Rounding,
    ) -> Result<QuantisedNetwork<'a>>;
}

/// A tensor as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredTensor<'a> {
    /// Row after row.
    pub values: StoredValues<'a>,
    pub shape: Vec<usize>,
    /// How integers stand for numbers. Floats have none.
    pub quantisation: Option<Quantisation>,
}

/// Values in the type that they are stored in.
#[derive(Debug, Clone)]
pub(crate) enum StoredValues<'a> {
    F64(Cow<'a, [f64]>),
    F32(Cow<'a, [f32]>),
    F16(Cow<'a, [f16]>),
    BF16(Cow<'a, [bf16]>),
    I32(Cow<'a, [i32]>),
    I8(Cow<'a, [i8]>),
    U8(Cow<'a, [u8]>),
}

/// How integers stand for numbers: `(integer - zero point) * scale`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quantisation {
    /// One for the whole tensor, or one for each index of [`axis`](Self::axis).
    pub scales: Vec<f32>,
    /// As many.
    pub zero_points: Vec<i64>,
    /// The dimension that has a scale for each index, where there are several.
    pub axis: usize,
}

impl Quantisation {
    /// The number that an integer stands for, by its scale's index; `None` without such a scale.
    pub fn number(&self, index: usize, integer: i32) -> Option<f32> {
        let (scale, zero) = (self.scales.get(index)?, self.zero_points.get(index)?);
        // Exact up to here: 24 bits times 32.
        Some(((i64::from(integer) - zero) as f64 * f64::from(*scale)) as f32)
    }

    /// The scale of an index of its dimension.
    pub fn scale(&self, index: usize) -> f32 {
        let scale = self.scales.get(index).or(self.scales.first());
        scale.copied().unwrap_or(1.0)
    }

    /// The numbers that a tensor of this shape stands for.
    fn numbers(
        &self,
        shape: &[usize],
        integers: impl ExactSizeIterator<Item = i32>,
    ) -> Result<Vec<f32>> {
        // A scale's run: the integers that lie side by side at an index of its dimension.
        let run = match self.scales.len() {
            1 => integers.len(),
            n => {
                let after = shape.get(self.axis..).and_then(<[usize]>::split_first);
                let after = after.filter(|(side, _)| **side == n);
                let (_, after) = after.ok_or_else(|| {
                    let axis = self.axis;
                    let message = format!("{shape:?} with {n} scales along its dimension {axis}");
                    Error::network(message)
                })?;
                after.iter().product()
            }
        };
        let index = |i: usize| i / run.max(1) % self.scales.len().max(1);
        let numbers = integers.enumerate();
        numbers
            .map(|(i, integer)| self.number(index(i), integer))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::network("integers without a zero point"))
    }
}

impl<'a> StoredTensor<'a> {
    /// Floats, which stand for themselves.
    pub fn floats(values: StoredValues<'a>, shape: &[usize]) -> Self {
        Self {
            values,
            shape: shape.to_vec(),
            quantisation: None,
        }
    }

    /// A tensor's values, in its own type where that is a type of weights and in f32 otherwise.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn of(tensor: &Tensor) -> Result<StoredTensor<'static>> {
        let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
        let values = match flat.dtype() {
            DType::F64 => StoredValues::F64(flat.to_vec1()?.into()),
            DType::F16 => StoredValues::F16(flat.to_vec1()?.into()),
            DType::BF16 => StoredValues::BF16(flat.to_vec1()?.into()),
            _ => StoredValues::F32(flat.to_dtype(DType::F32)?.to_vec1()?.into()),
        };
        Ok(StoredTensor::floats(values, tensor.dims()))
    }

    /// The same without a copy of its values.
    pub fn borrowed(&self) -> StoredTensor<'_> {
        macro_rules! borrowed {
            ($($kind:ident)*) => {
                match &self.values {
                    $(StoredValues::$kind(values) => {
                        StoredValues::$kind(Cow::Borrowed(values))
                    })*
                }
            };
        }
        StoredTensor {
            values: borrowed!(F64 F32 F16 BF16 I32 I8 U8),
            shape: self.shape.clone(),
            quantisation: self.quantisation.clone(),
        }
    }

    /// The same with values of its own.
    pub fn into_owned(self) -> StoredTensor<'static> {
        macro_rules! owned {
            ($($kind:ident)*) => {
                match self.values {
                    $(StoredValues::$kind(values) => {
                        StoredValues::$kind(Cow::Owned(values.into_owned()))
                    })*
                }
            };
        }
        StoredTensor {
            values: owned!(F64 F32 F16 BF16 I32 I8 U8),
            shape: self.shape,
            quantisation: self.quantisation,
        }
    }

    /// Integers of 32 bits as they are, of which floats that are 0 are some; `None` of others.
    pub fn whole_numbers(&self) -> Option<Vec<i32>> {
        match &self.values {
            StoredValues::I32(values) => Some(values.to_vec()),
            StoredValues::F32(values) if values.iter().all(|value| *value == 0.0) => {
                Some(vec![0; values.len()])
            }
            _ => None,
        }
    }

    /// The numbers that it stands for, in f32. Whatever is quantised is dequantised here.
    ///
    /// # Errors
    /// Integers whose scales don't fit them, or that have none.
    pub fn numbers(self) -> Result<Cow<'a, [f32]>> {
        fn integers<T: Copy + Into<i32>>(stored: &[T]) -> impl ExactSizeIterator<Item = i32> + '_ {
            stored.iter().map(|&x| x.into())
        }
        let quantisation = self.quantisation.as_ref();
        let scaled = || quantisation.ok_or_else(|| Error::network("integers without scales"));
        let shape = &self.shape;
        let numbers = match self.values {
            StoredValues::F32(values) => return Ok(values),
            StoredValues::F64(values) => values.iter().map(|&x| x as f32).collect(),
            StoredValues::F16(values) => values.iter().map(|x| x.to_f32()).collect(),
            StoredValues::BF16(values) => values.iter().map(|x| x.to_f32()).collect(),
            StoredValues::I32(values) => scaled()?.numbers(shape, integers(&values))?,
            StoredValues::I8(values) => scaled()?.numbers(shape, integers(&values))?,
            StoredValues::U8(values) => scaled()?.numbers(shape, integers(&values))?,
        };
        Ok(Cow::Owned(numbers))
    }

    /// The same with its dimensions in another order: dimension `i` is what `order[i]` was.
    pub fn permuted(self, order: &[usize]) -> StoredTensor<'static> {
        let shape: Vec<usize> = order.iter().map(|&from| self.shape[from]).collect();
        let places = permuted_places(&self.shape, order);
        macro_rules! moved {
            ($($kind:ident)*) => {
                match &self.values {
                    $(StoredValues::$kind(values) => {
                        let moved = places.map(|place| values[place]);
                        StoredValues::$kind(Cow::Owned(moved.collect()))
                    })*
                }
            };
        }
        let values = moved!(F64 F32 F16 BF16 I32 I8 U8);
        let quantisation = self.quantisation.map(|quantisation| {
            let moved = order.iter().position(|&from| from == quantisation.axis);
            Quantisation {
                axis: moved.unwrap_or(quantisation.axis),
                ..quantisation
            }
        });
        StoredTensor {
            values,
            shape,
            quantisation,
        }
    }
}

/// Where in a tensor of this shape each value lies that the permuted one has, in the latter's order.
fn permuted_places<'s>(shape: &'s [usize], order: &'s [usize]) -> impl Iterator<Item = usize> + 's {
    let stride = |dimension: usize| shape[dimension + 1..].iter().product::<usize>();
    let axes: Vec<(usize, usize)> = order.iter().map(|&d| (shape[d], stride(d))).collect();
    let count: usize = shape.iter().product();
    (0..count).map(move |i| {
        let mut rest = i;
        let mut place = 0;
        for &(side, stride) in axes.iter().rev() {
            place += rest % side * stride;
            rest /= side;
        }
        place
    })
}

impl TensorSource for VarBuilder<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<StoredTensor<'_>> {
        // They are packed on the CPU, wherever the network is going to be.
        let here = self.clone().set_device(Device::Cpu);
        let tensor = here.get_with_hints_dtype(shape, name, Default::default(), DType::F32)?;
        StoredTensor::of(&tensor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_stand_for_numbers_by_tensor_and_by_channel() -> Result<()> {
        let tensor = |scales: &[f32], zero_points: &[i64], axis| StoredTensor {
            values: StoredValues::I8(vec![-2, -1, 0, 1, 2, 3].into()),
            shape: vec![2, 3],
            quantisation: Some(Quantisation {
                scales: scales.to_vec(),
                zero_points: zero_points.to_vec(),
                axis,
            }),
        };
        let whole = tensor(&[0.5], &[-1], 0).numbers()?;
        assert_eq!(whole.as_ref(), [-0.5, 0.0, 0.5, 1.0, 1.5, 2.0]);
        let rows = tensor(&[1.0, 10.0], &[0, 1], 0).numbers()?;
        assert_eq!(rows.as_ref(), [-2.0, -1.0, 0.0, 0.0, 10.0, 20.0]);
        let columns = tensor(&[1.0, 2.0, 3.0], &[0, 0, 0], 1);
        let turned = columns.clone().permuted(&[1, 0]);
        assert_eq!(turned.shape, [3, 2]);
        assert_eq!(turned.quantisation.as_ref().map(|q| q.axis), Some(0));
        assert_eq!(columns.numbers()?.as_ref(), [-2., -2., 0., 1., 4., 9.]);
        assert_eq!(turned.numbers()?.as_ref(), [-2., 1., -2., 4., 0., 9.]);
        assert!(tensor(&[1.0, 2.0], &[0, 0], 1).numbers().is_err());
        assert!(tensor(&[1.0, 2.0], &[0, 0], 2).numbers().is_err());
        assert!(tensor(&[1.0, 2.0], &[0], 0).numbers().is_err());
        let bare = StoredTensor::floats(StoredValues::U8(vec![1].into()), &[1]);
        assert!(bare.numbers().is_err());
        Ok(())
    }

    #[test]
    fn floats_of_any_width_are_numbers_and_those_of_32_bits_are_not_copied() -> Result<()> {
        let values = [1.5f32, -2.0];
        let stored = StoredTensor::floats(StoredValues::F32(Cow::Borrowed(&values)), &[2]);
        assert!(matches!(stored.numbers()?, Cow::Borrowed(_)));
        for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
            let tensor = Tensor::new(&values, &Device::Cpu)?.to_dtype(dtype)?;
            assert_eq!(StoredTensor::of(&tensor)?.numbers()?.as_ref(), values);
        }
        Ok(())
    }
}

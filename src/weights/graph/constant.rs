//! Numbers that a graph holds.

use std::borrow::Cow;
use std::fmt;

use half::{bf16, f16};

use crate::weights::protobuf::Result;

/// The type of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Kind {
    F16,
    BF16,
    F32,
    F64,
    I8,
    U8,
    I16,
    U16,
    I32,
    I64,
    Bool,
}

impl Kind {
    /// The bytes of a number.
    pub fn width(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::I16 => "int16",
            Self::U16 => "uint16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::Bool => "bool",
        })
    }
}

/// Numbers of a shape, row after row.
#[derive(Debug, Clone)]
pub(in crate::weights) struct Constant<'a> {
    pub shape: Vec<usize>,
    pub kind: Kind,
    /// Little-endian.
    bytes: Cow<'a, [u8]>,
}

/// More numbers than a shape or a list of axes has.
const MAX_INTEGERS: usize = 64;

/// A convolution's weight has four.
const MAX_DIMENSIONS: usize = 8;

impl<'a> Constant<'a> {
    /// Numbers, as many as the shape says.
    pub fn new(shape: Vec<usize>, kind: Kind, bytes: Cow<'a, [u8]>) -> Result<Self> {
        let fits = shape.len() <= MAX_DIMENSIONS
            && count(&shape).and_then(|n| n.checked_mul(kind.width())) == Some(bytes.len());
        match fits {
            true => Ok(Self { shape, kind, bytes }),
            false => Err(format!(
                "truncated or damaged (a tensor of {shape:?} has {} bytes)",
                bytes.len()
            )),
        }
    }

    pub fn floats(shape: Vec<usize>, numbers: &[f32]) -> Result<Constant<'static>> {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        Constant::new(shape, Kind::F32, Cow::Owned(bytes.collect()))
    }

    /// The same with bytes of its own.
    pub fn into_owned(self) -> Constant<'static> {
        Constant {
            shape: self.shape,
            kind: self.kind,
            bytes: Cow::Owned(self.bytes.into_owned()),
        }
    }

    /// The bytes of its numbers.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.kind.width()
    }

    /// The same numbers in another shape of as many.
    pub fn reshaped(&self, shape: Vec<usize>) -> Result<Self> {
        match count(&shape) == Some(self.len()) {
            true => Self::new(shape, self.kind, self.bytes.clone()),
            false => Err(format!("{:?} can't become {shape:?}", self.shape)),
        }
    }

    /// The same with its dimensions in another order: dimension `i` is what `order[i]` was.
    pub fn permuted(&self, order: &[usize]) -> Result<Constant<'static>> {
        let is_order = order.len() == self.shape.len()
            && (0..order.len()).all(|dimension| order.contains(&dimension));
        if !is_order {
            return Err(format!("{order:?} is no order of {:?}", self.shape));
        }
        let shape: Vec<usize> = order.iter().map(|&from| self.shape[from]).collect();
        let stride = |dimension: usize| self.shape[dimension + 1..].iter().product::<usize>();
        let strides: Vec<usize> = order.iter().map(|&dimension| stride(dimension)).collect();
        let width = self.kind.width();
        let mut bytes = Vec::with_capacity(self.bytes.len());
        for i in 0..self.len() {
            let (mut rest, mut place) = (i, 0);
            for (side, stride) in shape.iter().zip(&strides).rev() {
                place += rest % side * stride;
                rest /= side;
            }
            bytes.extend_from_slice(&self.bytes[place * width..][..width]);
        }
        Constant::new(shape, self.kind, Cow::Owned(bytes))
    }

    /// Its numbers in f32, whatever their type.
    pub fn numbers(&self) -> Vec<f32> {
        match self.kind {
            Kind::F16 => self.each(|bytes| f16::from_le_bytes(bytes).to_f32()),
            Kind::BF16 => self.each(|bytes| bf16::from_le_bytes(bytes).to_f32()),
            Kind::F32 => self.each(f32::from_le_bytes),
            Kind::F64 => self.each(|bytes| f64::from_le_bytes(bytes) as f32),
            Kind::I8 => self.each(|bytes| i8::from_le_bytes(bytes).into()),
            Kind::U8 | Kind::Bool => self.each(|[byte]: [u8; 1]| byte.into()),
            Kind::I16 => self.each(|bytes| i16::from_le_bytes(bytes).into()),
            Kind::U16 => self.each(|bytes| u16::from_le_bytes(bytes).into()),
            Kind::I32 => self.each(|bytes| i32::from_le_bytes(bytes) as f32),
            Kind::I64 => self.each(|bytes| i64::from_le_bytes(bytes) as f32),
        }
    }

    /// Its numbers, where they are floats.
    pub fn weights(&self) -> Result<Vec<f32>> {
        match self.kind.is_float() {
            true => Ok(self.numbers()),
            false => Err("its weights are integers without a scale".into()),
        }
    }

    /// The whole numbers of a list of axes, sides or the like.
    pub fn integers(&self) -> Result<Vec<i64>> {
        if self.len() > MAX_INTEGERS {
            return Err(format!("a list of {} numbers is too long", self.len()));
        }
        match self.kind {
            Kind::I64 => Ok(self.each(i64::from_le_bytes)),
            Kind::I32 => Ok(self.each(|bytes| i32::from_le_bytes(bytes).into())),
            Kind::I16 => Ok(self.each(|bytes| i16::from_le_bytes(bytes).into())),
            Kind::U16 => Ok(self.each(|bytes| u16::from_le_bytes(bytes).into())),
            Kind::I8 => Ok(self.each(|bytes| i8::from_le_bytes(bytes).into())),
            Kind::U8 | Kind::Bool => Ok(self.each(|[byte]: [u8; 1]| byte.into())),
            _ => Err("numbers that are not whole where whole ones are expected".into()),
        }
    }

    /// The only number.
    pub fn number(&self) -> Result<f64> {
        match (self.kind, self.len()) {
            (Kind::F64, 1) => Ok(self.each(f64::from_le_bytes)[0]),
            (_, 1) => Ok(self.numbers()[0].into()),
            (_, n) => Err(format!("{n} numbers where one is expected")),
        }
    }

    fn each<const N: usize, T>(&self, number: impl Fn([u8; N]) -> T) -> Vec<T> {
        let (numbers, _) = self.bytes.as_chunks::<N>();
        numbers.iter().map(|&bytes| number(bytes)).collect()
    }
}

/// The numbers of a shape.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |n, &side| n.checked_mul(side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_change_places() -> Result<()> {
        let constant = Constant::floats(vec![2, 3], &[1., 2., 3., 4., 5., 6.])?;
        let turned = constant.permuted(&[1, 0])?;
        assert_eq!(turned.shape, [3, 2]);
        assert_eq!(turned.numbers(), [1., 4., 2., 5., 3., 6.]);
        assert!(constant.permuted(&[0, 0]).is_err());
        assert!(constant.permuted(&[0]).is_err());
        assert!(constant.reshaped(vec![5]).is_err());
        Ok(())
    }

    #[test]
    fn a_shape_that_lies_is_refused() {
        for shape in [vec![3], vec![usize::MAX, 2], vec![1; 9]] {
            assert!(Constant::new(shape, Kind::F32, Cow::Owned(vec![0; 8])).is_err());
        }
    }
}

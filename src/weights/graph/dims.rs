//! Arithmetic with shapes, as exporters write `x.view(x.size(0), -1)`.

use super::constant::Constant;
use crate::weights::protobuf::Result;

/// A side of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Dim {
    /// As many as there are pictures.
    Pictures,
    /// Only known at run time.
    Unknown,
    /// What is left, in the shape that something is to get.
    Rest,
    /// As it was, in such a shape.
    Kept,
    Of(usize),
    /// A number that is no side, such as an index from the end.
    Number(i64),
}

impl Dim {
    /// A side that is a number of a shape.
    pub fn of(number: i64) -> Self {
        match usize::try_from(number) {
            Ok(side) => Self::Of(side),
            Err(_) => Self::Number(number),
        }
    }
}

/// A list of sides, or a single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dims {
    pub sides: Vec<Dim>,
    pub is_number: bool,
}

impl Dims {
    pub fn list(sides: Vec<Dim>) -> Self {
        Self {
            sides,
            is_number: false,
        }
    }

    /// Whole numbers that a graph holds.
    pub fn of(constant: &Constant) -> Result<Self> {
        Ok(Self {
            sides: constant.integers()?.into_iter().map(Dim::of).collect(),
            is_number: constant.shape.is_empty(),
        })
    }

    /// From a side to before another; those below 0 count from the end.
    pub fn slice(&self, start: i64, end: i64, is_number: bool) -> Result<Self> {
        let n = self.sides.len() as i64;
        let place = |at: i64| {
            let at = if at < 0 { at.saturating_add(n) } else { at };
            at.clamp(0, n) as usize
        };
        if is_number && !(-n..n).contains(&start) {
            return Err(format!("a shape of {n} sides has none at {start}"));
        }
        let (from, to) = (place(start), place(end));
        let to = if is_number { from + 1 } else { to.max(from) };
        let sides = &self.sides[from..to];
        Ok(Self {
            sides: sides.to_vec(),
            is_number,
        })
    }

    /// What an index, or a list of them, says.
    pub fn gather(&self, indices: &Constant) -> Result<Self> {
        let part = |index: &i64| {
            let part = self.slice(*index, 0, true)?;
            Ok(part.sides.into_iter())
        };
        let sides = indices.integers()?;
        let sides: Result<Vec<_>> = sides.iter().map(part).collect();
        Ok(Self {
            sides: sides?.into_iter().flatten().collect(),
            is_number: indices.shape.is_empty(),
        })
    }

    /// The sides of a product.
    pub fn multiplied(&self, other: &Self) -> Result<Self> {
        if self.sides.len() != other.sides.len() {
            return Err("it multiplies lists of different lengths".into());
        }
        let product = |(a, b): (&Dim, &Dim)| match (a, b) {
            (Dim::Of(1), other) | (other, Dim::Of(1)) => *other,
            (Dim::Of(a), Dim::Of(b)) => a.checked_mul(*b).map_or(Dim::Unknown, Dim::Of),
            _ => Dim::Unknown,
        };
        Ok(Self {
            sides: self.sides.iter().zip(&other.sides).map(product).collect(),
            is_number: self.is_number && other.is_number,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::constant::Kind;
    use super::*;

    #[test]
    fn parts_of_a_shape_are_taken() -> Result<()> {
        let shape = Dims::list(vec![Dim::Pictures, Dim::Of(8), Dim::Unknown]);
        assert_eq!(shape.slice(0, 1, true)?.sides, [Dim::Pictures]);
        assert_eq!(
            shape.slice(-2, i64::MAX, false)?.sides,
            [Dim::Of(8), Dim::Unknown]
        );
        assert_eq!(shape.slice(2, 1, false)?.sides, []);
        assert!(shape.slice(3, 4, true).is_err());
        let index = Constant::new(vec![], Kind::I32, Cow::Borrowed(&[1, 0, 0, 0]))?;
        assert_eq!(shape.gather(&index)?.sides, [Dim::Of(8)]);
        Ok(())
    }
}

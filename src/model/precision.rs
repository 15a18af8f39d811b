//! What a network computes in.

use std::fmt;

use candle_core::DType;

/// What a network computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// Floats of a type: weights, activations, sums (but for f16 and bf16, whose sums are f32). bf16 on the
    /// CPU wants a processor that has instructions for it.
    Float(DType),
    /// Activations of 8 bits, weights of 8 and 16, exact sums; the classifier in f32. On the CPU
    /// alone.
    Int8,
}

impl Precision {
    /// `f32`, `int8` and so on.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float(dtype) => dtype.as_str(),
            Self::Int8 => "int8",
        }
    }
}

impl From<DType> for Precision {
    fn from(dtype: DType) -> Self {
        Self::Float(dtype)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

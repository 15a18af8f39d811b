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
    /// Activations of 8 bits and exact sums. Of a quantised TFLite file its own integers, as LiteRT's
    /// default kernels compute them; of others weights of 8 bits and 16, and the classifier in f32. On
    /// the CPU alone.
    Int8,
    /// The integers of a quantised TFLite file as LiteRT's reference kernels compute them, which round
    /// twice in convolutions where [`Int8`](Self::Int8) does once. On the CPU alone.
    Int8Reference,
}

impl Precision {
    /// `f32`, `int8`, `int8-reference` and so on.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float(dtype) => dtype.as_str(),
            Self::Int8 => "int8",
            Self::Int8Reference => "int8-reference",
        }
    }
}

impl Precision {
    /// Whether it is integers.
    pub fn is_integer(self) -> bool {
        !matches!(self, Self::Float(_))
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

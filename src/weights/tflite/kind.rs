//! The types of tensors' values, by the schema's numbers.

use std::fmt;
use std::ops::RangeInclusive;

/// The type of a tensor's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(pub i8);

impl Kind {
    pub const FLOAT32: Self = Self(0);
    pub const FLOAT16: Self = Self(1);
    pub const INT32: Self = Self(2);
    pub const UINT8: Self = Self(3);
    pub const INT64: Self = Self(4);
    pub const INT16: Self = Self(7);
    pub const INT8: Self = Self(9);
    pub const INT4: Self = Self(17);
    pub const INT2: Self = Self(19);

    /// The bits of a value, where weights of the type are read.
    ///
    /// # Errors
    /// The name of a type that is not.
    pub fn bits(self) -> Result<usize, String> {
        match self {
            Self::INT64 => Ok(64),
            Self::FLOAT32 | Self::INT32 => Ok(32),
            Self::FLOAT16 => Ok(16),
            Self::UINT8 | Self::INT8 => Ok(8),
            Self::INT4 => Ok(4),
            Self::INT2 => Ok(2),
            other => Err(format!(
                "is of {other}, which is not supported: float32, float16, int64, int32, uint8, int8, \
                 int4 and int2 are"
            )),
        }
    }

    pub fn is_float(self) -> bool {
        [Self::FLOAT32, Self::FLOAT16].contains(&self)
    }

    /// What an integer of the type may be, as far as zero points go: those of wide types are 0.
    pub fn integers(self) -> RangeInclusive<i64> {
        match self {
            Self::UINT8 => 0..=255,
            Self::INT8 => -128..=127,
            Self::INT4 => -8..=7,
            Self::INT2 => -2..=1,
            _ => 0..=0,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 23] = [
            "float32",
            "float16",
            "int32",
            "uint8",
            "int64",
            "string",
            "bool",
            "int16",
            "complex64",
            "int8",
            "float64",
            "complex128",
            "uint64",
            "resource",
            "variant",
            "uint32",
            "uint16",
            "int4",
            "bfloat16",
            "int2",
            "uint4",
            "float8 (E4M3)",
            "float8 (E5M2)",
        ];
        let name = usize::try_from(self.0).ok().and_then(|n| NAMES.get(n));
        f.write_str(name.unwrap_or(&"a type that TFLite's schema doesn't have"))
    }
}

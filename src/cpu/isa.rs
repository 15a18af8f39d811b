//! The instruction sets that there are kernels for.

use std::fmt;
use std::str::FromStr;

use super::int8::kernels as int8;
use super::kernels::{self, Kernels};
use crate::model::Precision;

/// An instruction set. A value exists only where the machine has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX2, and dot products of bytes in 256 bits.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX-512, and dot products of bytes in 512 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl Isa {
    /// What the compiler makes of plain Rust for the target that it builds for: SSE2 on x86-64,
    /// NEON on 64-bit Arm.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// Those that this machine has for f32, the fastest first.
    pub fn available() -> Vec<Self> {
        Self::available_for(Precision::Float(candle_core::DType::F32))
    }

    /// Those that this machine has to compute in `precision`, the fastest first.
    pub fn available_for(precision: Precision) -> Vec<Self> {
        let sets = match precision {
            Precision::Int8 => Self::all_int8(),
            Precision::Float(_) => Self::all_f32(),
        };
        sets.into_iter()
            .filter(|set| set.is_here())
            .map(Self)
            .collect()
    }

    #[cfg(target_arch = "x86_64")]
    fn all_f32() -> Vec<Set> {
        vec![Set::Avx512, Set::Avx2, Set::Portable]
    }

    #[cfg(target_arch = "x86_64")]
    fn all_int8() -> Vec<Set> {
        vec![Set::Avx512Vnni, Set::AvxVnni, Set::Avx2, Set::Portable]
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn all_f32() -> Vec<Set> {
        vec![Set::Portable]
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn all_int8() -> Vec<Set> {
        vec![Set::Portable]
    }

    /// The fastest that this machine has for f32.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// The fastest that this machine has to compute in `precision`.
    pub fn detect_for(precision: Precision) -> Self {
        Self::available_for(precision)[0]
    }

    /// Its kernels in f32.
    pub(super) fn kernels(self) -> &'static Kernels {
        match self.0 {
            Set::Portable => &kernels::portable::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::AvxVnni => &kernels::avx2::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vnni => &kernels::avx512::KERNELS,
        }
    }

    /// Its kernels in eight bits.
    pub(super) fn int8_kernels(self) -> &'static int8::Kernels {
        match self.0 {
            #[cfg(not(target_arch = "x86_64"))]
            Set::Portable => &int8::portable::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::Portable => &int8::sse2::KERNELS,
            // No AVX-512 is without AVX2, of which these kernels make sure.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::Avx512 => &int8::avx2::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni => &int8::avx_vnni::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => &int8::avx512_vnni::KERNELS,
        }
    }

    /// `portable`, `avx2`, `avxvnni`, `avx512` or `avx512vnni`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni => "avxvnni",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => "avx512vnni",
        }
    }
}

impl Set {
    /// Whether this machine has all that the set's kernels of either kind use.
    #[cfg(target_arch = "x86_64")]
    fn is_here(self) -> bool {
        let avx2 = || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = || is_x86_feature_detected!("avx512f") && avx2();
        match self {
            Self::Portable => true,
            Self::Avx2 => avx2(),
            Self::AvxVnni => is_x86_feature_detected!("avxvnni") && avx2(),
            Self::Avx512 => avx512(),
            Self::Avx512Vnni => {
                is_x86_feature_detected!("avx512vnni")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && avx512()
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_here(self) -> bool {
        true
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = String;

    /// One of those for f32 or eight bits.
    fn from_str(name: &str) -> Result<Self, String> {
        let mut available = Self::available();
        for isa in Self::available_for(Precision::Int8) {
            if !available.contains(&isa) {
                available.push(isa);
            }
        }
        let found = available.iter().find(|isa| isa.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            format!("this machine has {}", names.join(", "))
        })
    }
}

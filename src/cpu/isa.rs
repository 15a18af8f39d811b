//! The instruction sets that there are kernels for.

use std::fmt;
use std::str::FromStr;

use candle_core::DType;

use super::bf16::Bf16;
use super::int8::kernels as int8;
use super::kernels::{self, Kernels};
use crate::device::DeviceChoice;
use crate::error::{DeviceErrorKind, Error, Result};
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
    /// AVX-512, and dot products of bf16.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
}

impl Isa {
    /// What the compiler makes of plain Rust for the target that it builds for: SSE2 on x86-64,
    /// NEON on 64-bit Arm.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// Those that this machine has for f32, the fastest first.
    pub fn available() -> Vec<Self> {
        Self::available_for(DType::F32.into())
    }

    /// Those that this machine has to compute in `precision`, the fastest first. For bf16 there may be
    /// none.
    pub fn available_for(precision: Precision) -> Vec<Self> {
        let sets = match precision {
            Precision::Int8 => Self::all_int8(),
            Precision::Float(DType::BF16) => Self::all_bf16(),
            // They are there to be compared with, and the same everywhere.
            Precision::Int8Reference => vec![Set::Portable],
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

    #[cfg(target_arch = "x86_64")]
    fn all_bf16() -> Vec<Set> {
        vec![Set::Avx512Bf16]
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn all_f32() -> Vec<Set> {
        vec![Set::Portable]
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn all_int8() -> Vec<Set> {
        vec![Set::Portable]
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn all_bf16() -> Vec<Set> {
        Vec::new()
    }

    /// The fastest that this machine has for f32.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// The fastest that this machine has to compute in `precision`.
    ///
    /// # Errors
    /// [`Error::Device`], where it has none, says what it has.
    pub fn detect_for(precision: Precision) -> Result<Self> {
        let found = Self::available_for(precision).into_iter().next();
        found.ok_or_else(|| Error::Device {
            device: DeviceChoice::Cpu,
            kind: DeviceErrorKind::UnsupportedType,
            reason: has_none(precision, &processor_features()),
        })
    }

    /// Its kernels in f32.
    pub(super) fn kernels(self) -> &'static Kernels {
        match self.0 {
            Set::Portable => &kernels::portable::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::AvxVnni => &kernels::avx2::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vnni | Set::Avx512Bf16 => &kernels::avx512::KERNELS,
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
            Set::Avx2 | Set::Avx512 | Set::Avx512Bf16 => &int8::avx2::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni => &int8::avx_vnni::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => &int8::avx512_vnni::KERNELS,
        }
    }

    /// Its kernels in bf16, if there are such.
    pub(super) fn bf16_kernels(self) -> Option<&'static Kernels<Bf16>> {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Bf16 => Some(&super::bf16::AVX512),
            _ => None,
        }
    }

    /// `portable`, `avx2`, `avxvnni`, `avx512`, `avx512vnni` or `avx512bf16`.
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
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Bf16 => "avx512bf16",
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
            Self::Avx512Bf16 => {
                is_x86_feature_detected!("avx512bf16")
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

    /// One of those for f32, eight bits or bf16.
    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let mut available = Self::available();
        for precision in [Precision::Int8, DType::BF16.into()] {
            for isa in Self::available_for(precision) {
                if !available.contains(&isa) {
                    available.push(isa);
                }
            }
        }
        let found = available.iter().find(|isa| isa.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            format!("this machine has {}", names.join(", "))
        })
    }
}

/// What of the instruction sets that matter to a convolution this processor has.
pub fn processor_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let found = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avxvnni", is_x86_feature_detected!("avxvnni")),
    ];
    #[cfg(target_arch = "aarch64")]
    let found = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
        (
            "dotprod",
            std::arch::is_aarch64_feature_detected!("dotprod"),
        ),
        ("bf16", std::arch::is_aarch64_feature_detected!("bf16")),
    ];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let found: [(&'static str, bool); 0] = [];
    found
        .into_iter()
        .filter_map(|(name, has)| has.then_some(name))
        .collect()
}

/// Why a processor of these features does not compute in `precision`.
fn has_none(precision: Precision, features: &[&str]) -> String {
    let features = match features {
        [] => "none of the instruction sets that we look for".to_owned(),
        features => features.join(", "),
    };
    format!(
        "{precision} on a CPU needs AVX-512 BF16; this one has {features}. It computes in f32 and int8"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_without_bf16_says_what_it_has() {
        let reason = has_none(DType::BF16.into(), &["avx2", "fma", "avx512f"]);
        for part in [
            "bf16",
            "AVX-512 BF16",
            "has avx2, fma, avx512f.",
            "f32 and int8",
        ] {
            assert!(reason.contains(part), "{reason}");
        }
        assert!(has_none(DType::BF16.into(), &[]).contains("has none"));
        // Where it has it, nothing else is taken for it.
        match Isa::detect_for(DType::BF16.into()) {
            Ok(isa) => assert!(isa.bf16_kernels().is_some()),
            Err(error) => assert!(error.to_string().contains("AVX-512 BF16"), "{error}"),
        }
        assert!(Isa::detect().bf16_kernels().is_none());
    }
}

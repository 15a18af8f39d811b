//! The instruction sets that there are kernels for.

use std::fmt;
use std::str::FromStr;

use candle_core::DType;
use serde::Serialize;

use super::bf16::Bf16;
use super::int8::kernels as int8;
use super::kernels::{self, Kernels};
use crate::device::DeviceChoice;
use crate::error::{DeviceErrorKind, Error, Result};
use crate::model::Precision;
use crate::processor::{Feature, processor_features};

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
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// NEON, and dot products of bytes.
    #[cfg(target_arch = "aarch64")]
    NeonDotprod,
    /// NEON, and products of matrices of bytes.
    #[cfg(target_arch = "aarch64")]
    NeonI8mm,
    /// NEON, and products of matrices of bf16.
    #[cfg(target_arch = "aarch64")]
    NeonBf16,
}

impl Isa {
    /// What the compiler makes of plain Rust for the target that it builds for.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// Those that this machine has for f32, the fastest first.
    pub fn available() -> Vec<Self> {
        Self::available_for(DType::F32.into())
    }

    /// Those that this machine has to compute in `precision`, the fastest first. For bf16 there may be
    /// none.
    pub fn available_for(precision: Precision) -> Vec<Self> {
        let sets = Self::all_for(precision).into_iter();
        // Kernels number the lanes of a vector as bytes lie in memory.
        let sets = sets.filter(|set| *set == Set::Portable || cfg!(target_endian = "little"));
        sets.filter(|set| set.lacks(Feature::is_here).is_empty())
            .map(Self)
            .collect()
    }

    /// Those that would be faster in `precision` than the one that is taken, the fastest first, and
    /// what this machine lacks for each.
    pub fn passed_over(precision: Precision) -> Vec<PassedOver> {
        passed_over(&Self::all_for(precision), Feature::is_here)
    }

    /// Those that there are for this architecture, the fastest first.
    fn all_for(precision: Precision) -> Vec<Set> {
        match precision {
            Precision::Int8 => Self::all_int8(),
            Precision::Float(DType::BF16) => Self::all_bf16(),
            // They are there to be compared with, and the same everywhere.
            Precision::Int8Reference => vec![Set::Portable],
            Precision::Float(_) => Self::all_f32(),
        }
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

    #[cfg(target_arch = "aarch64")]
    fn all_f32() -> Vec<Set> {
        vec![Set::Neon, Set::Portable]
    }

    #[cfg(target_arch = "aarch64")]
    fn all_int8() -> Vec<Set> {
        vec![Set::NeonI8mm, Set::NeonDotprod, Set::Neon, Set::Portable]
    }

    #[cfg(target_arch = "aarch64")]
    fn all_bf16() -> Vec<Set> {
        vec![Set::NeonBf16]
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn all_f32() -> Vec<Set> {
        vec![Set::Portable]
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn all_int8() -> Vec<Set> {
        vec![Set::Portable]
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
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
            #[cfg(target_arch = "aarch64")]
            Set::Neon | Set::NeonDotprod | Set::NeonI8mm | Set::NeonBf16 => &kernels::neon::KERNELS,
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
            #[cfg(target_arch = "aarch64")]
            Set::Neon | Set::NeonBf16 => &int8::neon::KERNELS,
            #[cfg(target_arch = "aarch64")]
            Set::NeonDotprod => &int8::neon_dotprod::KERNELS,
            #[cfg(target_arch = "aarch64")]
            Set::NeonI8mm => &int8::neon_i8mm::KERNELS,
        }
    }

    /// Its kernels in bf16, if there are such.
    pub(super) fn bf16_kernels(self) -> Option<&'static Kernels<Bf16>> {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Bf16 => Some(&super::bf16::AVX512),
            #[cfg(target_arch = "aarch64")]
            Set::NeonBf16 => Some(&super::bf16::NEON),
            _ => None,
        }
    }

    /// `portable`; `avx2`, `avxvnni`, `avx512`, `avx512vnni` or `avx512bf16`; `neon`, `neondotprod`,
    /// `neoni8mm` or `neonbf16`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl Set {
    fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => "avxvnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => "avx512vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => "avx512bf16",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
            #[cfg(target_arch = "aarch64")]
            Self::NeonDotprod => "neondotprod",
            #[cfg(target_arch = "aarch64")]
            Self::NeonI8mm => "neoni8mm",
            #[cfg(target_arch = "aarch64")]
            Self::NeonBf16 => "neonbf16",
        }
    }

    /// All that the set's kernels of any kind use.
    #[cfg(target_arch = "x86_64")]
    fn needs(self) -> &'static [Feature] {
        use Feature::{Avx2, Avx512Bf16, Avx512Bw, Avx512F, Avx512Vl, Avx512Vnni, AvxVnni, Fma};
        match self {
            Self::Portable => &[],
            Self::Avx2 => &[Avx2, Fma],
            Self::AvxVnni => &[Avx2, Fma, AvxVnni],
            Self::Avx512 => &[Avx2, Fma, Avx512F],
            Self::Avx512Vnni => &[Avx2, Fma, Avx512F, Avx512Bw, Avx512Vl, Avx512Vnni],
            Self::Avx512Bf16 => &[Avx2, Fma, Avx512F, Avx512Bw, Avx512Vl, Avx512Bf16],
        }
    }

    /// All that the set's kernels of any kind use.
    #[cfg(target_arch = "aarch64")]
    fn needs(self) -> &'static [Feature] {
        use Feature::{Bf16, DotProd, I8mm, Neon};
        match self {
            Self::Portable => &[],
            Self::Neon => &[Neon],
            Self::NeonDotprod => &[Neon, DotProd],
            Self::NeonI8mm => &[Neon, I8mm],
            Self::NeonBf16 => &[Neon, Bf16],
        }
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn needs(self) -> &'static [Feature] {
        &[]
    }

    /// What of that a machine lacks.
    fn lacks(self, has: impl Fn(Feature) -> bool) -> Vec<&'static str> {
        let needs = self.needs().iter().filter(|feature| !has(**feature));
        needs.map(|feature| feature.name()).collect()
    }
}

/// An instruction set with faster kernels than those that are taken, for which the machine lacks
/// something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Its name, as an [`Isa`] has one.
    pub isa: &'static str,
    /// What of a processor's features it needs and this one lacks.
    pub lacks: Vec<&'static str>,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} for {}", self.lacks.join(", "), self.isa)
    }
}

/// Of sets, the fastest first, those before the first one that is there.
fn passed_over(sets: &[Set], has: impl Fn(Feature) -> bool) -> Vec<PassedOver> {
    let sets = sets.iter().map(|set| PassedOver {
        isa: set.name(),
        lacks: set.lacks(&has),
    });
    sets.take_while(|set| !set.lacks.is_empty()).collect()
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

/// Why a processor of these features does not compute in `precision`.
fn has_none(precision: Precision, features: &[&str]) -> String {
    let features = match features {
        [] => "none of the instruction sets that we look for".to_owned(),
        features => features.join(", "),
    };
    format!(
        "{precision} on a CPU needs AVX-512 BF16, or bf16 on Arm; this one has {features}. It computes in f32 and int8"
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

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn what_is_passed_over_says_what_it_lacks() {
        let lacking = |precision: Precision, has: &[&str]| {
            let found = passed_over(&Isa::all_for(precision), |feature| {
                has.contains(&feature.name())
            });
            let found = found.iter().map(PassedOver::to_string);
            found.collect::<Vec<_>>().join("; ")
        };
        let (f32, bf16) = (DType::F32.into(), Precision::from(DType::BF16));
        let zen3 = ["avx2", "fma"];
        let alder_lake = ["avx2", "fma", "avxvnni"];
        let skylake_x = ["avx2", "fma", "avx512f", "avx512bw", "avx512vl"];
        assert_eq!(
            lacking(f32, &[]),
            "no avx2, fma, avx512f for avx512; no avx2, fma for avx2"
        );
        assert_eq!(
            lacking(f32, &["avx2"]),
            "no fma, avx512f for avx512; no fma for avx2"
        );
        assert_eq!(lacking(f32, &zen3), "no avx512f for avx512");
        assert_eq!(lacking(f32, &skylake_x), "");
        assert_eq!(
            lacking(Precision::Int8, &zen3),
            "no avx512f, avx512bw, avx512vl, avx512vnni for avx512vnni; no avxvnni for avxvnni"
        );
        assert_eq!(
            lacking(Precision::Int8, &alder_lake),
            "no avx512f, avx512bw, avx512vl, avx512vnni for avx512vnni"
        );
        assert_eq!(
            lacking(Precision::Int8, &skylake_x),
            "no avx512vnni for avx512vnni; no avxvnni for avxvnni"
        );
        assert_eq!(lacking(bf16, &skylake_x), "no avx512bf16 for avx512bf16");
        assert_eq!(lacking(Precision::Int8Reference, &[]), "");
    }

    #[cfg(target_arch = "aarch64")]
    #[test]
    fn what_is_passed_over_says_what_it_lacks() {
        let lacking = |precision: Precision, has: &[&str]| {
            let found = passed_over(&Isa::all_for(precision), |feature| {
                has.contains(&feature.name())
            });
            let found = found.iter().map(PassedOver::to_string);
            found.collect::<Vec<_>>().join("; ")
        };
        let cortex_a53 = ["neon"];
        let neoverse_n1 = ["neon", "fp16", "dotprod"];
        assert_eq!(lacking(DType::F32.into(), &cortex_a53), "");
        assert_eq!(
            lacking(Precision::Int8, &cortex_a53),
            "no i8mm for neoni8mm; no dotprod for neondotprod"
        );
        assert_eq!(
            lacking(Precision::Int8, &neoverse_n1),
            "no i8mm for neoni8mm"
        );
        assert_eq!(
            lacking(DType::BF16.into(), &neoverse_n1),
            "no bf16 for neonbf16"
        );
    }
}

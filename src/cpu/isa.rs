//! The instruction sets that there are kernels for.

use std::fmt;
use std::str::FromStr;

use super::kernels::{self, Kernels};

/// An instruction set. A value exists only where the machine has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// What the compiler makes of plain Rust for the target that it builds for: SSE2 on x86-64,
    /// NEON on 64-bit Arm.
    pub const PORTABLE: Self = Self(Set::Portable);

    /// Those that this machine has, the fastest first.
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                found.push(Self(Set::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Self(Set::Avx2));
            }
        }
        found.push(Self::PORTABLE);
        found
    }

    /// The fastest that this machine has.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// Its kernels.
    pub(super) fn kernels(self) -> &'static Kernels {
        match self.0 {
            Set::Portable => &kernels::portable::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => &kernels::avx2::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => &kernels::avx512::KERNELS,
        }
    }

    /// `portable`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let available = Self::available();
        let found = available.iter().find(|isa| isa.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            format!("this machine has {}", names.join(", "))
        })
    }
}

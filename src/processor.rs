//! What of the instructions that kernels are written for this processor has: the one place that
//! asks it. The network's kernels ([`Isa`](crate::Isa)) and the resampler's are chosen by it.

#[cfg(target_arch = "aarch64")]
use std::arch::is_aarch64_feature_detected;

/// Lists features in the order in which they are shown, with the names that compilers give them.
macro_rules! features {
    ($detected:ident: $($(#[$doc:meta])* $feature:ident $name:tt),*) => {
        /// Instructions that some processors of this architecture have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Feature {
            $($(#[$doc])* $feature),*
        }

        impl Feature {
            const ALL: &'static [Self] = &[$(Self::$feature),*];

            /// What compilers call it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$feature => $name),*
                }
            }

            /// Whether this processor has it.
            pub fn is_here(self) -> bool {
                match self {
                    $(Self::$feature => $detected!($name)),*
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
features! {
    is_x86_feature_detected:
    Avx2 "avx2",
    Fma "fma",
    Avx512F "avx512f",
    Avx512Bw "avx512bw",
    Avx512Vl "avx512vl",
    /// Dot products of bf16.
    Avx512Bf16 "avx512bf16",
    /// Dot products of bytes in 512 bits.
    Avx512Vnni "avx512vnni",
    /// Dot products of bytes in 256 bits.
    AvxVnni "avxvnni"
}

#[cfg(target_arch = "aarch64")]
features! {
    is_aarch64_feature_detected:
    Neon "neon",
    Fp16 "fp16",
    /// Dot products of bytes.
    DotProd "dotprod",
    /// Products of matrices of bytes.
    I8mm "i8mm",
    /// Products of matrices of bf16.
    Bf16 "bf16"
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
features! { none: }

/// What of the instruction sets that matter to kernels this processor has.
pub fn processor_features() -> Vec<&'static str> {
    let here = Feature::ALL.iter().filter(|feature| feature.is_here());
    here.map(|feature| feature.name()).collect()
}

//! AVX2 and FMA: 8 floats in a vector, 16 vectors.

use std::arch::x86_64::*;

use super::generic::{self, Broadcast, Vector};
use super::{Depthwise, Kernels, Output, Pointwise, Stem, peak, stem};
use crate::cpu::pixels::StemPixels;

pub(crate) static KERNELS: Kernels = Kernels {
    lanes: 8,
    panel_vectors: VECTORS,
    group: 1,
    depthwise,
    pointwise,
    bytes: StemPixels::look_up,
    stem,
    peak,
};

/// 6 pixels by 16 channels: 12 sums, 2 weights and 1 value of 16 registers.
const ROWS: usize = 6;
const VECTORS: usize = 2;

/// A row at a time: there are no registers for the sums of two.
const DEPTHWISE_ROWS: usize = 1;

#[derive(Clone, Copy)]
struct F32x8(__m256);

// SAFETY: every function does what it is named after, on the caller's promise that the machine
// has AVX2 and FMA and the pointer is good for 8 floats.
unsafe impl Vector for F32x8 {
    const LANES: usize = 8;
    type Element = f32;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller says that there is AVX2 and FMA, and that 8 floats are there.
        unsafe { Self(_mm256_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f32) {
        // SAFETY: the caller says that there is AVX2 and FMA, and that 8 floats are there.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller says that there is AVX2 and FMA.
        unsafe { Self(_mm256_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller says that there is AVX2 and FMA.
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, sum.0)) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the caller says that there is AVX2 and FMA.
        unsafe { Self(_mm256_max_ps(other.0, self.0)) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: the caller says that there is AVX2 and FMA.
        unsafe { Self(_mm256_min_ps(other.0, self.0)) }
    }
}

impl Broadcast for F32x8 {}

#[target_feature(enable = "avx2,fma")]
fn depthwise(task: &Depthwise, output: &mut [f32]) {
    // SAFETY: this function runs only where there is AVX2 and FMA, behind `Kernels::depthwise`.
    unsafe { generic::depthwise::<F32x8, DEPTHWISE_ROWS, DEPTHWISE_ROWS>(task, output) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: as above, behind `Kernels::pointwise`.
    unsafe { generic::pointwise::<F32x8, ROWS, VECTORS, ROWS>(task, output) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: as above, behind `Kernels::stem`.
    unsafe { stem::stem::<F32x8, ROWS, VECTORS>(task, output) }
}

#[target_feature(enable = "avx2,fma")]
fn peak(steps: usize) -> usize {
    // SAFETY: as above, behind `Kernels::peak`.
    unsafe { peak::peak::<F32x8, 12>(steps) }
}

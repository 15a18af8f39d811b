//! AVX-512: 16 floats in a vector, 32 vectors.

use std::arch::x86_64::*;

use super::generic::{self, Broadcast, Vector};
use super::{Depthwise, Kernels, Output, Pointwise, Stem, avx512_stem, peak, stem};
use crate::cpu::pixels::StemPixels;

pub(crate) static KERNELS: Kernels = Kernels {
    lanes: 16,
    panel_vectors: VECTORS,
    group: 1,
    depthwise,
    pointwise,
    bytes: StemPixels::look_up,
    stem,
    peak,
};

/// 14 pixels by 32 channels: 28 sums, 2 weights and 1 value of 32 registers.
const ROWS: usize = 14;
const VECTORS: usize = 2;

/// 2 rows of 7 pixels: 14 sums and 9 weights.
const DEPTHWISE_ROWS: usize = 2;

#[derive(Clone, Copy)]
pub(in crate::cpu) struct F32x16(pub __m512);

// SAFETY: every function does what it is named after, on the caller's promise that the machine
// has AVX-512 and the pointer is good for 16 floats.
unsafe impl Vector for F32x16 {
    const LANES: usize = 16;
    type Element = f32;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller says that there is AVX-512, and that 16 floats are there.
        unsafe { Self(_mm512_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f32) {
        // SAFETY: the caller says that there is AVX-512, and that 16 floats are there.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller says that there is AVX-512.
        unsafe { Self(_mm512_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller says that there is AVX-512.
        unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, sum.0)) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the caller says that there is AVX-512.
        unsafe { Self(_mm512_max_ps(other.0, self.0)) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: the caller says that there is AVX-512.
        unsafe { Self(_mm512_min_ps(other.0, self.0)) }
    }
}

impl Broadcast for F32x16 {}

#[target_feature(enable = "avx512f")]
fn depthwise(task: &Depthwise, output: &mut [f32]) {
    // SAFETY: this function runs only where there is AVX-512, behind `Kernels::depthwise`.
    unsafe { generic::depthwise::<F32x16, DEPTHWISE_ROWS, DEPTHWISE_ROWS>(task, output) }
}

#[target_feature(enable = "avx512f")]
unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: as above, behind `Kernels::pointwise`.
    unsafe { generic::pointwise::<F32x16, ROWS, VECTORS, ROWS>(task, output) }
}

#[target_feature(enable = "avx512f")]
unsafe fn stem(task: &Stem, output: Output) {
    if task.outputs <= avx512_stem::CHANNELS {
        // SAFETY: as above, behind `Kernels::stem`.
        return unsafe { avx512_stem::stem(task, output) };
    }
    // SAFETY: as above.
    unsafe { stem::stem::<F32x16, ROWS, VECTORS>(task, output) }
}

#[target_feature(enable = "avx512f")]
fn peak(steps: usize) -> usize {
    // SAFETY: as above, behind `Kernels::peak`.
    unsafe { peak::peak::<F32x16, 24>(steps) }
}

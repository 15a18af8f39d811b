//! NEON: 4 floats in a vector, 32 vectors, and products with one element of a vector.

use std::arch::aarch64::*;

use super::generic::{self, Products, Vector};
use super::{Depthwise, Kernels, Output, Pointwise, Stem, neon_stem, peak};
use crate::cpu::pixels::StemPixels;

pub(crate) static KERNELS: Kernels = Kernels {
    lanes: 4,
    panel_vectors: VECTORS,
    group: 1,
    depthwise,
    pointwise,
    bytes: StemPixels::look_up,
    stem,
    peak,
};

/// 7 pixels by 12 channels: 21 sums, 7 vectors of values and 3 of weights of 32 registers.
const ROWS: usize = 7;
const VECTORS: usize = 3;

/// 12 pixels by a single vector: as many as the compiler unrolls.
const TAIL_ROWS: usize = 12;

/// 2 rows of 7 pixels: 14 sums and 9 weights.
const DEPTHWISE_ROWS: usize = 2;

#[derive(Clone, Copy)]
pub(in crate::cpu) struct F32x4(pub float32x4_t);

// SAFETY: every function does what it is named after, on the caller's promise that the machine
// has NEON and the pointer is good for 4 floats.
unsafe impl Vector for F32x4 {
    const LANES: usize = 4;
    type Element = f32;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller says that there is NEON, and that 4 floats are there.
        unsafe { Self(vld1q_f32(from)) }
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f32) {
        // SAFETY: the caller says that there is NEON, and that 4 floats are there.
        unsafe { vst1q_f32(to, self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller says that there is NEON.
        unsafe { Self(vdupq_n_f32(value)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller says that there is NEON.
        unsafe { Self(vfmaq_f32(sum.0, self.0, factor.0)) }
    }

    // What is not a number stays so in both of these, whichever side it is on; of zeros the
    // positive one is the greater.
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the caller says that there is NEON.
        unsafe { Self(vmaxq_f32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: the caller says that there is NEON.
        unsafe { Self(vminq_f32(self.0, other.0)) }
    }
}

// SAFETY: as above.
unsafe impl Products for F32x4 {
    type Operand = float32x4_t;
    type Held = float32x4_t;
    const STEPS: usize = 4;

    #[inline(always)]
    unsafe fn spread(from: *const f32) -> float32x4_t {
        // SAFETY: see the implementation.
        unsafe { vld1q_dup_f32(from) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const f32) -> float32x4_t {
        // SAFETY: see the implementation.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn add_products(self, activations: float32x4_t, weights: float32x4_t) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(vfmaq_f32(self.0, weights, activations)) }
    }

    #[inline(always)]
    unsafe fn hold(from: *const f32) -> float32x4_t {
        // SAFETY: see the implementation.
        unsafe { vld1q_f32(from) }
    }

    #[inline(always)]
    unsafe fn add_held(self, held: float32x4_t, step: usize, weights: float32x4_t) -> Self {
        // SAFETY: see the implementation.
        unsafe {
            Self(match step {
                0 => vfmaq_laneq_f32::<0>(self.0, weights, held),
                1 => vfmaq_laneq_f32::<1>(self.0, weights, held),
                2 => vfmaq_laneq_f32::<2>(self.0, weights, held),
                _ => vfmaq_laneq_f32::<3>(self.0, weights, held),
            })
        }
    }
}

#[target_feature(enable = "neon")]
fn depthwise(task: &Depthwise, output: &mut [f32]) {
    // SAFETY: this function runs only where there is NEON, behind `Kernels::depthwise`.
    unsafe { generic::depthwise::<F32x4, DEPTHWISE_ROWS, DEPTHWISE_ROWS>(task, output) }
}

#[target_feature(enable = "neon")]
unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: as above, behind `Kernels::pointwise`.
    unsafe { generic::pointwise::<F32x4, ROWS, VECTORS, TAIL_ROWS>(task, output) }
}

#[target_feature(enable = "neon")]
unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: as above, behind `Kernels::stem`.
    unsafe { neon_stem::stem::<VECTORS>(task, output) }
}

#[target_feature(enable = "neon")]
fn peak(steps: usize) -> usize {
    // SAFETY: as above, behind `Kernels::peak`.
    unsafe { peak::peak::<F32x4, 24>(steps) }
}

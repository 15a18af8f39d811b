//! Plain Rust that compilers vectorise for whatever they build for.

use super::generic::{self, Broadcast, Vector};
use super::{Depthwise, Kernels, Output, Pointwise, Stem, peak, stem};
use crate::cpu::pixels::StemPixels;

pub(crate) static KERNELS: Kernels = Kernels {
    lanes: LANES,
    panel_vectors: VECTORS,
    group: 1,
    depthwise,
    pointwise,
    bytes: StemPixels::look_up,
    stem,
    peak,
};

/// Two vectors of SSE2 or NEON.
const LANES: usize = 8;
/// 4 pixels by 8 channels: 8 sums and 2 weights of at least 16 registers of 4 floats.
const ROWS: usize = 4;
const VECTORS: usize = 1;

/// A row at a time: there are no registers for the sums of two.
const DEPTHWISE_ROWS: usize = 1;

#[derive(Clone, Copy)]
struct Array([f32; LANES]);

impl Array {
    #[inline(always)]
    fn map(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

// SAFETY: every function does what it is named after, with no special instructions.
unsafe impl Vector for Array {
    const LANES: usize = LANES;
    type Element = f32;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller says that as many floats are there; they need not be aligned.
        unsafe { Self(from.cast::<[f32; LANES]>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Self::load(from) }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; LANES])
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // A fused one is a call into a library where the target has no instruction for it.
        let fused = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
        let product = |i: usize| match fused {
            true => self.0[i].mul_add(factor.0[i], sum.0[i]),
            false => self.0[i] * factor.0[i] + sum.0[i],
        };
        Self(std::array::from_fn(product))
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.map(other, |a, b| if a < b { b } else { a })
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.map(other, |a, b| if a > b { b } else { a })
    }
}

impl Broadcast for Array {}

fn depthwise(task: &Depthwise, output: &mut [f32]) {
    // SAFETY: no special instructions; behind `Kernels::depthwise`.
    unsafe { generic::depthwise::<Array, DEPTHWISE_ROWS, DEPTHWISE_ROWS>(task, output) }
}

unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: no special instructions; behind `Kernels::pointwise`.
    unsafe { generic::pointwise::<Array, ROWS, VECTORS, ROWS>(task, output) }
}

unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: no special instructions; behind `Kernels::stem`.
    unsafe { stem::stem::<Array, ROWS, VECTORS>(task, output) }
}

fn peak(steps: usize) -> usize {
    // SAFETY: no special instructions; behind `Kernels::peak`.
    unsafe { peak::peak::<Array, 5>(steps) }
}

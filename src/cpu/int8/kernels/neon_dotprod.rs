//! NEON with dot products of bytes (`FEAT_DotProd`): `udot` by element. Both factors have to be of one
//! kind, so weights are unsigned and what was taken off them is added again, pixel by pixel.
//!
//! Rust has no stable functions for these instructions, hence the assembly.

use std::arch::aarch64::*;
use std::arch::asm;

use super::generic::{self, Held, Sums};
use super::neon::{self, DEPTHWISE_PIXELS, I16x8, I32x4, LANES, ROWS, VECTORS};
use super::{Bounds, Depthwise, Kernels, Layout, Output, Pointwise};

pub(in crate::cpu) static KERNELS: Kernels = Kernels {
    tile_bytes: 1,
    lanes: LANES,
    panel_vectors: VECTORS,
    block: 8,
    narrow_block: 8,
    factor_words: 1,
    layout: Layout {
        pairs: false,
        unsigned: true,
        eights: false,
    },
    depthwise,
    pointwise,
    stem: neon::stem,
    peak,
};

/// Sums of products of unsigned bytes.
#[derive(Clone, Copy)]
struct Bytes(int32x4_t);

/// Adds to each sum the products of its four bytes of `weights` and of group `STEP` of `activations`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn udot<const STEP: usize>(
    mut sums: int32x4_t,
    weights: uint8x16_t,
    activations: uint8x16_t,
) -> int32x4_t {
    // SAFETY: the instruction touches what is named alone.
    unsafe {
        asm!(
            "udot {sums:v}.4s, {weights:v}.16b, {activations:v}.4b[{step}]",
            sums = inout(vreg) sums,
            weights = in(vreg) weights,
            activations = in(vreg) activations,
            step = const STEP,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

// SAFETY: every function does what it is named after, on the caller's promise that the machine
// has NEON with dot products and the pointer is good for what is read or written.
unsafe impl Sums for Bytes {
    const LANES: usize = LANES;
    const GROUP: usize = 4;
    type Operand = uint8x16_t;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(vld1q_s32(from)) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> uint8x16_t {
        // SAFETY: see the implementation.
        unsafe { vreinterpretq_u8_u32(vld1q_dup_u32(from.cast())) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> uint8x16_t {
        // SAFETY: see the implementation.
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn dot(self, activations: uint8x16_t, weights: uint8x16_t) -> Self {
        // SAFETY: see the implementation.
        unsafe { self.dot_held(activations, 0, weights) }
    }

    #[inline(always)]
    unsafe fn scale(self, multiplier: *const f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(I32x4(self.0).scale(multiplier).0) }
    }

    #[inline(always)]
    unsafe fn round(self, bounds: Bounds) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(I32x4(self.0).round(bounds).0) }
    }

    #[inline(always)]
    unsafe fn add(self, zero: i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(I32x4(self.0).add(zero).0) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { I32x4(self.0).store(to) }
    }

    #[inline(always)]
    unsafe fn store_words(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { I32x4(self.0).store_words(to) }
    }

    #[inline(always)]
    unsafe fn requantise<const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
        sums: [[Self; VECTORS]; ROWS],
        multiplier: *const f32,
        bounds: Bounds,
        to: impl Fn(usize) -> *mut u8,
    ) {
        let sums = sums.map(|row| row.map(|sum| I32x4(sum.0)));
        // SAFETY: see the implementation.
        unsafe { neon::requantise::<ROWS, VECTORS, BYTES>(sums, multiplier, bounds, to) }
    }
}

// SAFETY: as above.
unsafe impl Held for Bytes {
    type Held = uint8x16_t;
    const STEPS: usize = 4;

    #[inline(always)]
    unsafe fn hold(from: *const u8) -> uint8x16_t {
        // SAFETY: see the implementation.
        unsafe { vld1q_u8(from) }
    }

    #[inline(always)]
    unsafe fn dot_held(self, held: uint8x16_t, step: usize, weights: uint8x16_t) -> Self {
        // SAFETY: see the implementation.
        unsafe {
            Self(match step {
                0 => udot::<0>(self.0, weights, held),
                1 => udot::<1>(self.0, weights, held),
                2 => udot::<2>(self.0, weights, held),
                _ => udot::<3>(self.0, weights, held),
            })
        }
    }
}

#[target_feature(enable = "neon")]
fn depthwise(task: &Depthwise, tile: &mut [u8]) {
    // SAFETY: this function runs only where there is NEON, behind `Kernels::depthwise`.
    unsafe {
        super::depthwise::depthwise::<I16x8<1, false>, I16x8<1, false>, DEPTHWISE_PIXELS>(
            task, tile,
        );
    }
}

#[target_feature(enable = "neon,dotprod")]
unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: as above, behind `Kernels::pointwise`.
    unsafe { super::pointwise::pointwise::<Bytes, ROWS, VECTORS>(task, 1, output) }
}

#[target_feature(enable = "neon,dotprod")]
fn peak(steps: usize) -> usize {
    // SAFETY: as above, behind `Kernels::peak`.
    unsafe { generic::peak::<Bytes, 20>(steps) }
}

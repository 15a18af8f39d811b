//! AVX-VNNI: `vpdpbusd` on 256 bits, for CPUs without AVX-512. 16-bit values are multiplied as AVX2
//! does.

use std::arch::x86_64::*;

use super::avx2::I16x16;
use super::generic::{self, Broadcast, Sums};
use super::{Bounds, Depthwise, Kernels, Layout, Output, Pointwise, Stem, avx2};

pub(in crate::cpu) static KERNELS: Kernels = Kernels {
    tile_bytes: 1,
    lanes: 8,
    panel_vectors: VECTORS,
    block: 16,
    narrow_block: 16,
    factor_words: 1,
    layout: Layout::PAIRS,
    depthwise,
    pointwise,
    stem,
    peak,
};

/// 6 pixels by 16 channels: 12 sums, 2 weights and 1 value of 16 registers.
const ROWS: usize = 6;
const VECTORS: usize = 2;

/// Of 16 registers, 8 are sums; weights are read where they are used.
const DEPTHWISE_PIXELS: usize = 4;

#[derive(Clone, Copy)]
struct I32x8(__m256i);

// SAFETY: every function does what it is named after, on the caller's promise that the machine
// has AVX2 and AVX-VNNI and the pointer is good for what is read or written.
unsafe impl Sums for I32x8 {
    const LANES: usize = 8;
    const GROUP: usize = 4;
    type Operand = __m256i;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> __m256i {
        // SAFETY: see the implementation.
        unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> __m256i {
        // SAFETY: see the implementation.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(self, activations: __m256i, weights: __m256i) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_dpbusd_avx_epi32(self.0, activations, weights)) }
    }

    #[inline(always)]
    unsafe fn scale(self, multiplier: *const f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_castps_si256(avx2::scaled(self.0, multiplier))) }
    }

    #[inline(always)]
    unsafe fn round(self, bounds: Bounds) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(avx2::rounded(_mm256_castsi256_ps(self.0), bounds)) }
    }

    #[inline(always)]
    unsafe fn add(self, zero: i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_add_epi32(self.0, _mm256_set1_epi32(zero))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { avx2::store_bytes(self.0, to) }
    }

    #[inline(always)]
    unsafe fn store_words(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { avx2::store_words(self.0, to) }
    }
}

impl Broadcast for I32x8 {}

#[target_feature(enable = "avx2,fma,avxvnni")]
fn depthwise(task: &Depthwise, tile: &mut [u8]) {
    // SAFETY: this function runs only where there is AVX-VNNI, behind `Kernels::depthwise`.
    unsafe { super::depthwise::depthwise::<I16x16<1>, I16x16<1>, DEPTHWISE_PIXELS>(task, tile) }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: as above, behind `Kernels::pointwise`.
    unsafe { super::pointwise::pointwise::<I32x8, ROWS, VECTORS>(task, 1, output) }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: as above, behind `Kernels::stem`.
    unsafe { super::stem::stem::<avx2::I32x8, ROWS, VECTORS>(task, output) }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
fn peak(steps: usize) -> usize {
    // SAFETY: as above, behind `Kernels::peak`.
    unsafe { generic::peak::<I32x8, 12>(steps) }
}

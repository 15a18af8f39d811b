//! SSE2, which every x86-64 has: 4 sums in a vector, 16 vectors.

use std::arch::x86_64::*;

use super::generic::{self, Broadcast, Pairs, Sums};
use super::{Bounds, Depthwise, Kernels, Layout, Output, Pointwise, Stem};

pub(in crate::cpu) static KERNELS: Kernels = Kernels {
    tile_bytes: 2,
    lanes: 4,
    panel_vectors: VECTORS,
    block: 8,
    narrow_block: 8,
    factor_words: 1,
    layout: Layout::PAIRS,
    depthwise,
    pointwise,
    stem,
    peak,
};

/// 6 pixels by 8 channels: 12 sums, 2 weights and 1 value of 16 registers.
const ROWS: usize = 6;
const VECTORS: usize = 2;

/// Of 16 registers, 4 are sums; weights are read where they are used.
const DEPTHWISE_PIXELS: usize = 2;

#[derive(Clone, Copy)]
pub(super) struct I32x4(__m128i);

// SAFETY: every function does what it is named after, on the caller's promise that the pointer is
// good for what is read or written; the instructions are there.
unsafe impl Sums for I32x4 {
    const LANES: usize = 4;
    const GROUP: usize = 2;
    type Operand = __m128i;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> __m128i {
        // SAFETY: see the implementation.
        unsafe { _mm_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> __m128i {
        // SAFETY: see the implementation.
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(self, activations: __m128i, weights: __m128i) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm_add_epi32(self.0, _mm_madd_epi16(activations, weights))) }
    }

    #[inline(always)]
    unsafe fn scale(self, multiplier: *const f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm_castps_si128(scaled(self.0, multiplier))) }
    }

    #[inline(always)]
    unsafe fn round(self, bounds: Bounds) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(rounded(_mm_castsi128_ps(self.0), bounds)) }
    }

    #[inline(always)]
    unsafe fn add(self, zero: i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm_add_epi32(self.0, _mm_set1_epi32(zero))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe {
            let words = _mm_packs_epi32(self.0, self.0);
            let bytes = _mm_packus_epi16(words, words);
            to.cast::<i32>().write_unaligned(_mm_cvtsi128_si32(bytes));
        }
    }

    #[inline(always)]
    unsafe fn store_words(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { _mm_storel_epi64(to.cast(), _mm_packs_epi32(self.0, self.0)) }
    }
}

impl Broadcast for I32x4 {}

/// 4 sums as f32, times their multipliers.
#[inline(always)]
unsafe fn scaled(sums: __m128i, multiplier: *const f32) -> __m128 {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe { _mm_mul_ps(_mm_cvtepi32_ps(sums), _mm_loadu_ps(multiplier)) }
}

/// Floats within bounds, rounded to integers as the processor's mode says: halves to even.
#[inline(always)]
unsafe fn rounded(values: __m128, bounds: Bounds) -> __m128i {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe {
        let values = _mm_max_ps(values, _mm_set1_ps(bounds.low));
        _mm_cvtps_epi32(_mm_min_ps(values, _mm_set1_ps(bounds.high)))
    }
}

#[derive(Clone, Copy)]
pub(super) struct I16x8(__m128i);

// SAFETY: as above.
unsafe impl Pairs for I16x8 {
    const CHANNELS: usize = 8;
    const TILE_BYTES: usize = 2;
    type Sum = __m128i;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: see the implementation.
        unsafe {
            Self(_mm_unpacklo_epi8(
                _mm_loadl_epi64(from.cast()),
                _mm_setzero_si128(),
            ))
        }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm_setzero_si128()) }
    }

    #[inline(always)]
    unsafe fn pairs(self, other: Self) -> [Self; 2] {
        // SAFETY: see the implementation.
        unsafe {
            let low = _mm_unpacklo_epi16(self.0, other.0);
            [Self(low), Self(_mm_unpackhi_epi16(self.0, other.0))]
        }
    }

    #[inline(always)]
    unsafe fn sums(from: *const i32) -> __m128i {
        // SAFETY: see the implementation.
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(self, weights: Self, sum: __m128i) -> __m128i {
        // SAFETY: see the implementation.
        unsafe { _mm_add_epi32(sum, _mm_madd_epi16(self.0, weights.0)) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const i16) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm_loadu_si128(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store(sums: [__m128i; 2], multiplier: *const f32, bounds: Bounds, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe {
            let low = rounded(scaled(sums[0], multiplier), bounds);
            let high = rounded(scaled(sums[1], multiplier.add(4)), bounds);
            let words = _mm_packs_epi32(low, high);
            let words = _mm_add_epi16(words, _mm_set1_epi16(bounds.zero as i16));
            _mm_storeu_si128(to.cast(), words);
        }
    }
}

unsafe fn depthwise(task: &Depthwise, tile: &mut [u8]) {
    // SAFETY: behind `Kernels::depthwise`, which checked the task.
    unsafe { super::depthwise::depthwise::<I16x8, I16x8, DEPTHWISE_PIXELS>(task, tile) }
}

unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: behind `Kernels::pointwise`, which checked the task.
    unsafe { super::pointwise::pointwise::<I32x4, ROWS, VECTORS>(task, 2, output) }
}

unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: behind `Kernels::stem`, which checked the task.
    unsafe { super::stem::stem::<I32x4, ROWS, VECTORS>(task, output) }
}

fn peak(steps: usize) -> usize {
    // SAFETY: every x86-64 has SSE2.
    unsafe { generic::peak::<I32x4, 12>(steps) }
}

//! AVX2: 8 sums in a vector, 16 vectors. `vpmaddubsw` would saturate, so activations and weights
//! are multiplied in 16 bits, of which two products fit 32.

use std::arch::x86_64::*;

use super::generic::{self, Broadcast, Pairs, Sums};
use super::{Bounds, Depthwise, Kernels, Layout, Output, Pointwise, Stem};

pub(in crate::cpu) static KERNELS: Kernels = Kernels {
    tile_bytes: 2,
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

/// 4 neighbours: 8 sums and 12 weights of a block, most of which are read where they are used.
const DEPTHWISE_PIXELS: usize = 4;

/// Sums of pairs of 16-bit values and weights.
#[derive(Clone, Copy)]
pub(super) struct I32x8(__m256i);

// SAFETY: every function does what it is named after, on the caller's promise that the machine
// has AVX2 and the pointer is good for what is read or written.
unsafe impl Sums for I32x8 {
    const LANES: usize = 8;
    const GROUP: usize = 2;
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
        unsafe {
            Self(_mm256_add_epi32(
                self.0,
                _mm256_madd_epi16(activations, weights),
            ))
        }
    }

    #[inline(always)]
    unsafe fn scale(self, multiplier: *const f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_castps_si256(scaled(self.0, multiplier))) }
    }

    #[inline(always)]
    unsafe fn round(self, bounds: Bounds) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(rounded(_mm256_castsi256_ps(self.0), bounds)) }
    }

    #[inline(always)]
    unsafe fn add(self, zero: i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_add_epi32(self.0, _mm256_set1_epi32(zero))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { store_bytes(self.0, to) }
    }

    #[inline(always)]
    unsafe fn store_words(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { store_words(self.0, to) }
    }
}

impl Broadcast for I32x8 {}

/// 8 sums as f32, times their multipliers.
#[inline(always)]
pub(super) unsafe fn scaled(sums: __m256i, multiplier: *const f32) -> __m256 {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe { _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_loadu_ps(multiplier)) }
}

/// Floats within bounds, rounded to integers as the processor's mode says: halves to even.
#[inline(always)]
pub(super) unsafe fn rounded(values: __m256, bounds: Bounds) -> __m256i {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe {
        let values = _mm256_max_ps(values, _mm256_set1_ps(bounds.low));
        _mm256_cvtps_epi32(_mm256_min_ps(values, _mm256_set1_ps(bounds.high)))
    }
}

/// 8 values from 0 to 255 as bytes.
#[inline(always)]
pub(super) unsafe fn store_bytes(values: __m256i, to: *mut u8) {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe {
        let low = _mm256_castsi256_si128(values);
        let words = _mm_packus_epi32(low, _mm256_extracti128_si256::<1>(values));
        _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
    }
}

/// 8 values of 16 bits as such.
#[inline(always)]
pub(super) unsafe fn store_words(values: __m256i, to: *mut u8) {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe {
        let low = _mm256_castsi256_si128(values);
        let words = _mm_packus_epi32(low, _mm256_extracti128_si256::<1>(values));
        _mm_storeu_si128(to.cast(), words);
    }
}

/// 16 channels on their way to a tile of so many bytes an activation: 1, or 2 for this set's own
/// pointwise product.
#[derive(Clone, Copy)]
pub(super) struct I16x16<const TILE_BYTES: usize>(__m256i);

// SAFETY: as above.
unsafe impl<const TILE_BYTES: usize> Pairs for I16x16<TILE_BYTES> {
    const CHANNELS: usize = 16;
    const TILE_BYTES: usize = TILE_BYTES;
    type Sum = __m256i;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_cvtepu8_epi16(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_setzero_si256()) }
    }

    #[inline(always)]
    unsafe fn pairs(self, other: Self) -> [Self; 2] {
        // SAFETY: see the implementation.
        unsafe {
            let low = _mm256_unpacklo_epi16(self.0, other.0);
            [Self(low), Self(_mm256_unpackhi_epi16(self.0, other.0))]
        }
    }

    #[inline(always)]
    unsafe fn sums(from: *const i32) -> __m256i {
        // SAFETY: see the implementation.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(self, weights: Self, sum: __m256i) -> __m256i {
        // SAFETY: see the implementation.
        unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(self.0, weights.0)) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const i16) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store(sums: [__m256i; 2], multiplier: *const f32, bounds: Bounds, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe {
            let low = rounded(scaled(sums[0], multiplier), bounds);
            let high = rounded(scaled(sums[1], multiplier.add(8)), bounds);
            // Puts the channels back into their order.
            let words = _mm256_packs_epi32(low, high);
            let words = _mm256_add_epi16(words, _mm256_set1_epi16(bounds.zero as i16));
            if TILE_BYTES == 2 {
                _mm256_storeu_si256(to.cast(), words);
            } else {
                let upper = _mm256_extracti128_si256::<1>(words);
                let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), upper);
                _mm_storeu_si128(to.cast(), bytes);
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
fn depthwise(task: &Depthwise, tile: &mut [u8]) {
    // SAFETY: this function runs only where there is AVX2, behind `Kernels::depthwise`.
    unsafe { super::depthwise::depthwise::<I16x16<2>, I16x16<2>, DEPTHWISE_PIXELS>(task, tile) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: as above, behind `Kernels::pointwise`.
    unsafe { super::pointwise::pointwise::<I32x8, ROWS, VECTORS>(task, 2, output) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: behind `Kernels::stem`, which checked the task.
    unsafe { super::stem::stem::<I32x8, ROWS, VECTORS>(task, output) }
}

#[target_feature(enable = "avx2,fma")]
fn peak(steps: usize) -> usize {
    // SAFETY: as above, behind `Kernels::peak`.
    unsafe { generic::peak::<I32x8, 12>(steps) }
}

//! AVX-512 with VNNI: 16 sums in a vector, 32 vectors.

use std::arch::x86_64::*;

use super::avx2::I16x16;
use super::generic::{self, Broadcast, Pairs, Sums};
use super::{Bounds, Depthwise, Kernels, Layout, Output, Pointwise, Stem};

pub(in crate::cpu) static KERNELS: Kernels = Kernels {
    tile_bytes: 1,
    lanes: 16,
    panel_vectors: VECTORS,
    block: 32,
    narrow_block: 16,
    factor_words: 1,
    layout: Layout::PAIRS,
    depthwise,
    pointwise,
    stem,
    peak,
};

/// 14 pixels by 32 channels: 28 sums, 2 weights and 1 value of 32 registers.
const ROWS: usize = 14;
const VECTORS: usize = 2;

/// For the stem: the compiler makes two instructions of `vpdpwssd`, which need registers between
/// them.
const STEM_ROWS: usize = 7;

/// 14 sums, 12 weights and 4 pairs of 32 registers.
const DEPTHWISE_PIXELS: usize = 7;

#[derive(Clone, Copy)]
struct I32x16(__m512i);

// SAFETY: every function does what it is named after, on the caller's promise that the machine
// has AVX-512 with VNNI and the pointer is good for what is read or written.
unsafe impl Sums for I32x16 {
    const LANES: usize = 16;
    const GROUP: usize = 4;
    type Operand = __m512i;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> __m512i {
        // SAFETY: see the implementation.
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> __m512i {
        // SAFETY: see the implementation.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(self, activations: __m512i, weights: __m512i) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_dpbusd_epi32(self.0, activations, weights)) }
    }

    #[inline(always)]
    unsafe fn scale(self, multiplier: *const f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_castps_si512(scaled(self.0, multiplier))) }
    }

    #[inline(always)]
    unsafe fn round(self, bounds: Bounds) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(rounded(_mm512_castsi512_ps(self.0), bounds)) }
    }

    #[inline(always)]
    unsafe fn add(self, zero: i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_add_epi32(self.0, _mm512_set1_epi32(zero))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(self.0)) }
    }

    #[inline(always)]
    unsafe fn store_words(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(self.0)) }
    }
}

impl Broadcast for I32x16 {}

/// The same of pairs of 16-bit values and weights, for the stem.
#[derive(Clone, Copy)]
struct Words(__m512i);

// SAFETY: as above.
unsafe impl Sums for Words {
    const LANES: usize = 16;
    const GROUP: usize = 2;
    type Operand = __m512i;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> __m512i {
        // SAFETY: see the implementation.
        unsafe { I32x16::splat(from) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> __m512i {
        // SAFETY: see the implementation.
        unsafe { I32x16::weights(from) }
    }

    #[inline(always)]
    unsafe fn dot(self, values: __m512i, weights: __m512i) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_dpwssd_epi32(self.0, values, weights)) }
    }

    #[inline(always)]
    unsafe fn scale(self, multiplier: *const f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(I32x16(self.0).scale(multiplier).0) }
    }

    #[inline(always)]
    unsafe fn round(self, bounds: Bounds) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(I32x16(self.0).round(bounds).0) }
    }

    #[inline(always)]
    unsafe fn add(self, zero: i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_add_epi32(self.0, _mm512_set1_epi32(zero))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { I32x16(self.0).store(to) }
    }

    #[inline(always)]
    unsafe fn store_words(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { I32x16(self.0).store_words(to) }
    }
}

/// 16 sums as f32, times their multipliers.
#[inline(always)]
unsafe fn scaled(sums: __m512i, multiplier: *const f32) -> __m512 {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe { _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(multiplier)) }
}

/// Floats within bounds, rounded to integers as the processor's mode says: halves to even.
#[inline(always)]
unsafe fn rounded(values: __m512, bounds: Bounds) -> __m512i {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe {
        let values = _mm512_max_ps(values, _mm512_set1_ps(bounds.low));
        _mm512_cvtps_epi32(_mm512_min_ps(values, _mm512_set1_ps(bounds.high)))
    }
}

#[derive(Clone, Copy)]
struct I16x32(__m512i);

// SAFETY: as above.
unsafe impl Pairs for I16x32 {
    const CHANNELS: usize = 32;
    const TILE_BYTES: usize = 1;
    type Sum = __m512i;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_cvtepu8_epi16(_mm256_loadu_si256(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_setzero_si512()) }
    }

    #[inline(always)]
    unsafe fn pairs(self, other: Self) -> [Self; 2] {
        // SAFETY: see the implementation.
        unsafe {
            let low = _mm512_unpacklo_epi16(self.0, other.0);
            [Self(low), Self(_mm512_unpackhi_epi16(self.0, other.0))]
        }
    }

    #[inline(always)]
    unsafe fn sums(from: *const i32) -> __m512i {
        // SAFETY: see the implementation.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(self, weights: Self, sum: __m512i) -> __m512i {
        // SAFETY: see the implementation.
        unsafe { _mm512_dpwssd_epi32(sum, self.0, weights.0) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const i16) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store(sums: [__m512i; 2], multiplier: *const f32, bounds: Bounds, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe {
            let low = rounded(scaled(sums[0], multiplier), bounds);
            let high = rounded(scaled(sums[1], multiplier.add(16)), bounds);
            let words = _mm512_packs_epi32(low, high);
            let bytes = _mm512_cvtepi16_epi8(words);
            let zero = _mm256_set1_epi8(bounds.zero as i8);
            _mm256_storeu_si256(to.cast(), _mm256_add_epi8(bytes, zero));
        }
    }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
fn depthwise(task: &Depthwise, tile: &mut [u8]) {
    // SAFETY: this function runs only where there is VNNI, behind `Kernels::depthwise`.
    unsafe { super::depthwise::depthwise::<I16x32, I16x16<1>, DEPTHWISE_PIXELS>(task, tile) }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: as above, behind `Kernels::pointwise`.
    unsafe { super::pointwise::pointwise::<I32x16, ROWS, VECTORS>(task, 1, output) }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: as above, behind `Kernels::stem`.
    unsafe { super::stem::stem::<Words, STEM_ROWS, VECTORS>(task, output) }
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512vl,avx512vnni")]
fn peak(steps: usize) -> usize {
    // SAFETY: as above, behind `Kernels::peak`.
    unsafe { generic::peak::<I32x16, 24>(steps) }
}

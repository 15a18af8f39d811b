//! AVX-VNNI: `vpdpbusd` on 256 bits, for CPUs without AVX-512.

use std::arch::x86_64::*;

use super::generic::{self, Sums, Wide};
use super::{Depthwise, Kernels, Output, Pointwise, Stem, avx2};

pub(in crate::cpu) static KERNELS: Kernels = Kernels {
    tile_bytes: 1,
    lanes: 8,
    panel_vectors: VECTORS,
    block: 16,
    narrow_block: 16,
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
    unsafe fn round(self, bounds: (f32, f32)) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(avx2::rounded(_mm256_castsi256_ps(self.0), bounds)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { avx2::store_bytes(self.0, to) }
    }
}

/// The same of pairs of 16-bit values and weights, for the stem.
#[derive(Clone, Copy)]
struct Words(__m256i);

// SAFETY: as above.
unsafe impl Sums for Words {
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
        unsafe { I32x8::splat(from) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> __m256i {
        // SAFETY: see the implementation.
        unsafe { I32x8::weights(from) }
    }

    #[inline(always)]
    unsafe fn dot(self, values: __m256i, weights: __m256i) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_dpwssd_avx_epi32(self.0, values, weights)) }
    }

    #[inline(always)]
    unsafe fn scale(self, multiplier: *const f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(I32x8(self.0).scale(multiplier).0) }
    }

    #[inline(always)]
    unsafe fn round(self, bounds: (f32, f32)) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(I32x8(self.0).round(bounds).0) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { I32x8(self.0).store(to) }
    }
}

#[derive(Clone, Copy)]
struct I16x16(__m256i);

// SAFETY: as above.
unsafe impl Wide for I16x16 {
    const CHANNELS: usize = 16;
    const TILE_BYTES: usize = 1;
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
        unsafe { _mm256_dpwssd_avx_epi32(sum, self.0, weights.0) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const i16) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store(sums: [__m256i; 2], multiplier: *const f32, bounds: (f32, f32), to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe {
            let low = avx2::rounded(avx2::scaled(sums[0], multiplier), bounds);
            let high = avx2::rounded(avx2::scaled(sums[1], multiplier.add(8)), bounds);
            store_halves(low, high, to);
        }
    }
}

/// 16 values from 0 to 255, of which `low` has the lower four of each eight, as bytes in order.
#[inline(always)]
pub(super) unsafe fn store_halves(low: __m256i, high: __m256i, to: *mut u8) {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe {
        let words = _mm256_packs_epi32(low, high);
        let lower = _mm256_castsi256_si128(words);
        let upper = _mm256_extracti128_si256::<1>(words);
        _mm_storeu_si128(to.cast(), _mm_packus_epi16(lower, upper));
    }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
fn depthwise(task: &Depthwise, tile: &mut [u8]) {
    // SAFETY: this function runs only where there is AVX-VNNI, behind `Kernels::depthwise`.
    unsafe { generic::depthwise::<I16x16, I16x16, DEPTHWISE_PIXELS>(task, tile) }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: as above, behind `Kernels::pointwise`.
    unsafe { generic::pointwise::<I32x8, ROWS, VECTORS>(task, 1, output) }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: as above, behind `Kernels::stem`.
    unsafe { generic::stem::<Words, ROWS, VECTORS>(task, output) }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
fn peak(steps: usize) -> usize {
    // SAFETY: as above, behind `Kernels::peak`.
    unsafe { generic::peak::<I32x8, 12>(steps) }
}

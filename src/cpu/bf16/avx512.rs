//! AVX-512 BF16: 16 floats in a vector, and products of 16 pairs.

use std::arch::x86_64::*;

use super::{Bf16, avx512_stem};
use crate::cpu::kernels::avx512::F32x16;
use crate::cpu::kernels::generic::{self, Products, Vector};
use crate::cpu::kernels::{Depthwise, Kernels, Output, Pointwise, Stem, peak, stem};

pub(in crate::cpu) static KERNELS: Kernels<Bf16> = Kernels {
    lanes: 16,
    panel_vectors: VECTORS,
    group: 2,
    depthwise,
    pointwise,
    bytes: avx512_stem::bytes,
    stem,
    peak,
};

/// 14 pixels by 32 channels: 28 sums, 2 weights and 1 value of 32 registers.
const ROWS: usize = 14;
const VECTORS: usize = 2;

/// 2 rows of 7 pixels: 14 sums and 9 weights.
const DEPTHWISE_ROWS: usize = 2;

/// Of a stride of 2 the compiler no longer unrolls the loop over two rows.
const STRIDED_ROWS: usize = 1;

/// 16 floats that are stored in bf16.
#[derive(Clone, Copy)]
struct Bf16x16(__m512);

// SAFETY: every function does what it is named after, on the caller's promise that the machine
// has AVX-512 with BF16 and the pointer is good for 16 floats or elements.
unsafe impl Vector for Bf16x16 {
    const LANES: usize = 16;
    type Element = Bf16;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(F32x16::load(from).0) }
    }

    #[inline(always)]
    unsafe fn read(from: *const Bf16) -> Self {
        // SAFETY: see the implementation.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
        }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut Bf16) {
        // SAFETY: see the implementation.
        unsafe {
            to.cast::<__m256bh>()
                .write_unaligned(_mm512_cvtneps_pbh(self.0))
        }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(F32x16::splat(value).0) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(F32x16(self.0).mul_add(F32x16(factor.0), F32x16(sum.0)).0) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(F32x16(self.0).max(F32x16(other.0)).0) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(F32x16(self.0).min(F32x16(other.0)).0) }
    }
}

// SAFETY: as above, and for 2 or 32 elements.
unsafe impl Products for Bf16x16 {
    type Operand = __m512bh;
    type Held = __m512bh;
    const STEPS: usize = 1;

    #[inline(always)]
    unsafe fn spread(from: *const Bf16) -> __m512bh {
        // SAFETY: see the implementation; both types are 64 bytes of whatever bits.
        unsafe {
            let pair = from.cast::<i32>().read_unaligned();
            std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(pair))
        }
    }

    #[inline(always)]
    unsafe fn weights(from: *const Bf16) -> __m512bh {
        // SAFETY: see the implementation.
        unsafe { from.cast::<__m512bh>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn add_products(self, activations: __m512bh, weights: __m512bh) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(_mm512_dpbf16_ps(self.0, activations, weights)) }
    }

    #[inline(always)]
    unsafe fn hold(from: *const Bf16) -> __m512bh {
        // SAFETY: the caller's promise.
        unsafe { Self::spread(from) }
    }

    #[inline(always)]
    unsafe fn add_held(self, held: __m512bh, _step: usize, weights: __m512bh) -> Self {
        // SAFETY: the caller's promise.
        unsafe { self.add_products(held, weights) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn depthwise(task: &Depthwise<Bf16>, output: &mut [Bf16]) {
    // SAFETY: this function runs only where there is AVX-512 BF16, behind `Kernels::depthwise`.
    unsafe { generic::depthwise::<Bf16x16, DEPTHWISE_ROWS, STRIDED_ROWS>(task, output) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pointwise(task: &Pointwise<Bf16>, output: Output<Bf16>) {
    // SAFETY: as above, behind `Kernels::pointwise`.
    unsafe { generic::pointwise::<Bf16x16, ROWS, VECTORS, ROWS>(task, output) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn stem(task: &Stem<Bf16>, output: Output<Bf16>) {
    if task.outputs <= avx512_stem::CHANNELS {
        // SAFETY: as above, behind `Kernels::stem`.
        return unsafe { avx512_stem::stem(task, output) };
    }
    // SAFETY: as above, behind `Kernels::stem`.
    unsafe { stem::stem::<Bf16x16, ROWS, VECTORS>(task, output) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn peak(steps: usize) -> usize {
    // SAFETY: as above, behind `Kernels::peak`.
    unsafe { peak::peak::<Bf16x16, 24>(steps) }
}

//! NEON without dot products of bytes: 16-bit values are multiplied by an element. What its sisters
//! have in common with it is here too.

use std::arch::aarch64::*;

use super::generic::{self, Held, Sums, Wide};
use super::{Bounds, Depthwise, Kernels, Layout, Output, Pointwise, Stem};

pub(in crate::cpu) static KERNELS: Kernels = Kernels {
    tile_bytes: 2,
    lanes: LANES,
    panel_vectors: VECTORS,
    block: 8,
    narrow_block: 8,
    factor_words: 1,
    layout: Layout {
        pairs: false,
        ..Layout::PAIRS
    },
    depthwise,
    pointwise,
    stem,
    peak,
};

pub(super) const LANES: usize = 4;

/// 8 pixels by 8 channels: 16 sums, 8 vectors of values and 2 of weights of 32 registers. Channels are
/// always whole panels.
pub(super) const ROWS: usize = 8;
pub(super) const VECTORS: usize = 2;

/// 8 sums, 9 weights and a column of 3: with more pixels compilers no longer unroll the loop.
pub(super) const DEPTHWISE_PIXELS: usize = 4;

/// Sums of 16-bit values and weights, of which the first ones of four channels and then the second ones
/// lie side by side.
#[derive(Clone, Copy)]
pub(super) struct I32x4(pub int32x4_t);

// SAFETY: every function does what it is named after, on the caller's promise that the machine
// has NEON and the pointer is good for what is read or written.
unsafe impl Sums for I32x4 {
    const LANES: usize = LANES;
    const GROUP: usize = 2;
    type Operand = int16x8_t;

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(vld1q_s32(from)) }
    }

    #[inline(always)]
    unsafe fn splat(from: *const u8) -> int16x8_t {
        // SAFETY: see the implementation.
        unsafe { vreinterpretq_s16_s32(vld1q_dup_s32(from.cast())) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const u8) -> int16x8_t {
        // SAFETY: see the implementation.
        unsafe { vld1q_s16(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot(self, activations: int16x8_t, weights: int16x8_t) -> Self {
        // SAFETY: see the implementation.
        unsafe { self.dot_held(activations, 0, weights) }
    }

    #[inline(always)]
    unsafe fn scale(self, multiplier: *const f32) -> Self {
        // SAFETY: see the implementation.
        unsafe {
            let scaled = vmulq_f32(vcvtq_f32_s32(self.0), vld1q_f32(multiplier));
            Self(vreinterpretq_s32_f32(scaled))
        }
    }

    #[inline(always)]
    unsafe fn round(self, bounds: Bounds) -> Self {
        // SAFETY: see the implementation.
        unsafe {
            let value = vmaxq_f32(vreinterpretq_f32_s32(self.0), vdupq_n_f32(bounds.low));
            Self(vcvtnq_s32_f32(vminq_f32(value, vdupq_n_f32(bounds.high))))
        }
    }

    #[inline(always)]
    unsafe fn add(self, zero: i32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(vaddq_s32(self.0, vdupq_n_s32(zero))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe {
            let words = vcombine_s16(vmovn_s32(self.0), vdup_n_s16(0));
            store_four(vmovn_s16(words), to);
        }
    }

    #[inline(always)]
    unsafe fn store_words(self, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe { vst1_s16(to.cast(), vmovn_s32(self.0)) }
    }

    #[inline(always)]
    unsafe fn requantise<const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
        sums: [[Self; VECTORS]; ROWS],
        multiplier: *const f32,
        bounds: Bounds,
        to: impl Fn(usize) -> *mut u8,
    ) {
        // SAFETY: see the implementation.
        unsafe { requantise::<ROWS, VECTORS, BYTES>(sums, multiplier, bounds, to) }
    }
}

// SAFETY: as above.
unsafe impl Held for I32x4 {
    type Held = int16x8_t;
    const STEPS: usize = 4;

    #[inline(always)]
    unsafe fn hold(from: *const u8) -> int16x8_t {
        // SAFETY: see the implementation.
        unsafe { vld1q_s16(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot_held(self, held: int16x8_t, step: usize, weights: int16x8_t) -> Self {
        // SAFETY: see the implementation.
        unsafe {
            let first = vget_low_s16(weights);
            Self(match step {
                0 => {
                    let sum = vmlal_laneq_s16::<0>(self.0, first, held);
                    vmlal_high_laneq_s16::<1>(sum, weights, held)
                }
                1 => {
                    let sum = vmlal_laneq_s16::<2>(self.0, first, held);
                    vmlal_high_laneq_s16::<3>(sum, weights, held)
                }
                2 => {
                    let sum = vmlal_laneq_s16::<4>(self.0, first, held);
                    vmlal_high_laneq_s16::<5>(sum, weights, held)
                }
                _ => {
                    let sum = vmlal_laneq_s16::<6>(self.0, first, held);
                    vmlal_high_laneq_s16::<7>(sum, weights, held)
                }
            })
        }
    }
}

/// The first four of eight bytes.
#[inline(always)]
unsafe fn store_four(bytes: int8x8_t, to: *mut u8) {
    // SAFETY: the caller's promise, of the instructions and of the pointer.
    unsafe {
        let four = vget_lane_u32::<0>(vreinterpret_u32_s8(bytes));
        to.cast::<u32>().write_unaligned(four);
    }
}

/// Four sums times their multipliers, rounded, halves to even, to 16 bits, beyond which no bounds are.
#[inline(always)]
unsafe fn rounded(sums: int32x4_t, multiplier: float32x4_t) -> int16x4_t {
    // SAFETY: the caller says that there is NEON.
    unsafe {
        let scaled = vmulq_f32(vcvtq_f32_s32(sums), multiplier);
        vqmovn_s32(vcvtnq_s32_f32(scaled))
    }
}

/// The bounds, and the zero point, as they apply to 16 bits.
#[derive(Clone, Copy)]
struct Limits {
    zero: int16x8_t,
    low: int16x8_t,
    high: int16x8_t,
}

impl Limits {
    #[inline(always)]
    unsafe fn new(bounds: Bounds) -> Self {
        // SAFETY: the caller says that there is NEON.
        unsafe {
            Self {
                zero: vdupq_n_s16(bounds.zero as i16),
                low: vdupq_n_s16(bounds.low as i16 + bounds.zero as i16),
                high: vdupq_n_s16(bounds.high as i16 + bounds.zero as i16),
            }
        }
    }

    /// Rounded values become activations: whole numbers may be bounded after rounding as well as before.
    #[inline(always)]
    unsafe fn apply(self, values: int16x8_t) -> int16x8_t {
        // SAFETY: the caller says that there is NEON.
        unsafe {
            let values = vqaddq_s16(values, self.zero);
            vminq_s16(vmaxq_s16(values, self.low), self.high)
        }
    }
}

/// [`Sums::requantise`] of four sums in a vector, two vectors at a time.
#[inline(always)]
pub(super) unsafe fn requantise<const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
    sums: [[I32x4; VECTORS]; ROWS],
    multiplier: *const f32,
    bounds: Bounds,
    to: impl Fn(usize) -> *mut u8,
) {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe {
        let limits = Limits::new(bounds);
        let mut multipliers = [vdupq_n_f32(0.0); VECTORS];
        for (v, m) in multipliers.iter_mut().enumerate() {
            *m = vld1q_f32(multiplier.add(v * LANES));
        }
        for (r, row) in sums.iter().enumerate() {
            let to = to(r);
            let mut v = 0;
            while v + 2 <= VECTORS {
                let low = rounded(row[v].0, multipliers[v]);
                let high = rounded(row[v + 1].0, multipliers[v + 1]);
                let values = limits.apply(vcombine_s16(low, high));
                let to = to.add(v * LANES * BYTES);
                if BYTES == 2 {
                    vst1q_s16(to.cast(), values);
                } else {
                    vst1_s8(to.cast(), vmovn_s16(values));
                }
                v += 2;
            }
            if v < VECTORS {
                let low = rounded(row[v].0, multipliers[v]);
                let values = limits.apply(vcombine_s16(low, low));
                let to = to.add(v * LANES * BYTES);
                if BYTES == 2 {
                    vst1_s16(to.cast(), vget_low_s16(values));
                } else {
                    store_four(vmovn_s16(values), to);
                }
            }
        }
    }
}

/// 8 channels on their way to a tile of so many bytes an activation, whose pixels lie by
/// [eights](Layout::eights) or one after the other.
#[derive(Clone, Copy)]
pub(super) struct I16x8<const TILE_BYTES: usize, const EIGHTS: bool>(int16x8_t);

// SAFETY: as above.
unsafe impl<const TILE_BYTES: usize, const EIGHTS: bool> Wide for I16x8<TILE_BYTES, EIGHTS> {
    const CHANNELS: usize = 8;
    const TILE_BYTES: usize = TILE_BYTES;
    type Sum = int32x4_t;
    type Column = [Self; 3];
    type Weights = [int16x8_t; 3];

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(vreinterpretq_s16_u16(vmovl_u8(vld1_u8(from)))) }
    }

    #[inline(always)]
    unsafe fn load_words(from: *const i16) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(vld1q_s16(from)) }
    }

    #[inline(always)]
    unsafe fn sums(from: *const i32) -> int32x4_t {
        // SAFETY: see the implementation.
        unsafe { vld1q_s32(from) }
    }

    #[inline(always)]
    unsafe fn weights(block: *const i16, kx: usize) -> [int16x8_t; 3] {
        // SAFETY: see the implementation.
        unsafe { [0, 1, 2].map(|ky| vld1q_s16(block.add((kx * 3 + ky) * Self::CHANNELS))) }
    }

    #[inline(always)]
    unsafe fn column(rows: [Self; 3]) -> [Self; 3] {
        rows
    }

    #[inline(always)]
    unsafe fn add(column: &[Self; 3], weights: &[int16x8_t; 3], sums: &mut [int32x4_t; 2]) {
        let [low, high] = sums;
        for (values, weights) in column.iter().zip(*weights) {
            // SAFETY: see the implementation.
            unsafe {
                *low = vmlal_s16(*low, vget_low_s16(values.0), vget_low_s16(weights));
                *high = vmlal_high_s16(*high, values.0, weights);
            }
        }
    }

    #[inline(always)]
    unsafe fn store(sums: [int32x4_t; 2], multiplier: *const f32, bounds: Bounds, to: *mut u8) {
        // SAFETY: see the implementation.
        unsafe {
            let low = rounded(sums[0], vld1q_f32(multiplier));
            let high = rounded(sums[1], vld1q_f32(multiplier.add(4)));
            let values = Limits::new(bounds).apply(vcombine_s16(low, high));
            if TILE_BYTES == 2 {
                vst1q_s16(to.cast(), values);
            } else {
                vst1_s8(to.cast(), vmovn_s16(values));
            }
        }
    }

    #[inline(always)]
    fn place(pixel: usize, next: usize, stride: usize, channel: usize) -> usize {
        match EIGHTS {
            true => super::eights_place(pixel + next, stride, channel),
            false => ((pixel + next) * stride + channel) * TILE_BYTES,
        }
    }
}

#[target_feature(enable = "neon")]
fn depthwise(task: &Depthwise, tile: &mut [u8]) {
    // SAFETY: this function runs only where there is NEON, behind `Kernels::depthwise`.
    unsafe {
        super::depthwise::depthwise::<I16x8<2, false>, I16x8<2, false>, DEPTHWISE_PIXELS>(
            task, tile,
        );
    }
}

#[target_feature(enable = "neon")]
unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: as above, behind `Kernels::pointwise`.
    unsafe { super::pointwise::pointwise::<I32x4, ROWS, VECTORS>(task, 2, output) }
}

#[target_feature(enable = "neon")]
pub(super) unsafe fn stem(task: &Stem, output: Output) {
    // SAFETY: as above, behind `Kernels::stem`.
    unsafe { super::stem::stem::<I32x4, ROWS, VECTORS>(task, output) }
}

#[target_feature(enable = "neon")]
fn peak(steps: usize) -> usize {
    // SAFETY: as above, behind `Kernels::peak`.
    unsafe { generic::peak::<I32x4, 20>(steps) }
}

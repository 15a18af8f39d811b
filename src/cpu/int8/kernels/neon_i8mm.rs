//! NEON with products of matrices of bytes (`FEAT_I8MM`): `usmmla` multiplies eight activations of two
//! pixels with eight weights of two channels, to the four sums of both by both.
//!
//! Rust has no stable functions for these instructions, hence the assembly.

use std::arch::aarch64::*;
use std::arch::asm;

use super::neon::{self, DEPTHWISE_PIXELS, I16x8, I32x4, LANES};
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
        unsigned: false,
        eights: true,
    },
    depthwise,
    pointwise,
    stem: neon::stem,
    peak,
};

/// 4 pairs of pixels by 4 pairs of channels: 16 vectors of sums, 4 of values and 4 of weights of 32
/// registers. Channels are always whole panels.
const PAIRS: usize = 4;
const CHANNELS: usize = 8;
const VECTORS: usize = CHANNELS / LANES;

/// Bytes of eight activations of two pixels, and of eight weights of two channels.
const EIGHT_BYTES: usize = 16;

/// Sums of two pixels by two channels: those of the first pixel, then those of the second.
type Square = int32x4_t;

/// Adds to the sums of two pixels by two channels the products of eight bytes each.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn add_products(mut sums: Square, pixels: uint8x16_t, channels: uint8x16_t) -> Square {
    // SAFETY: the instruction touches what is named alone.
    unsafe {
        asm!(
            "usmmla {sums:v}.4s, {pixels:v}.16b, {channels:v}.16b",
            sums = inout(vreg) sums,
            pixels = in(vreg) pixels,
            channels = in(vreg) channels,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

#[target_feature(enable = "neon")]
fn depthwise(task: &Depthwise, tile: &mut [u8]) {
    // SAFETY: this function runs only where there is NEON, behind `Kernels::depthwise`.
    unsafe {
        super::depthwise::depthwise::<I16x8<1, true>, I16x8<1, true>, DEPTHWISE_PIXELS>(task, tile);
    }
}

#[target_feature(enable = "neon,i8mm")]
unsafe fn pointwise(task: &Pointwise, output: Output) {
    // SAFETY: the panels lie within `channels`; the rest is what `Kernels::pointwise` makes sure of.
    unsafe {
        for channel in (0..task.channels).step_by(CHANNELS) {
            match task.writes_words {
                true => pointwise_panel::<2>(task, channel, output),
                false => pointwise_panel::<1>(task, channel, output),
            }
        }
    }
}

/// All pixels by one panel, whose weights stay in the first-level cache meanwhile, to activations of so
/// many bytes.
#[inline(always)]
unsafe fn pointwise_panel<const BYTES: usize>(task: &Pointwise, channel: usize, output: Output) {
    let pixels = task.offsets.list().len();
    let mut pixel = 0;
    while pixel < pixels {
        // SAFETY: each tile begins within the pixels and takes at most one more than are left, for
        // which there is room in the tile.
        unsafe {
            pixel += match pixels - pixel {
                7.. => pointwise_tile::<PAIRS, BYTES>(task, channel, pixel, output),
                3.. => pointwise_tile::<2, BYTES>(task, channel, pixel, output),
                _ => pointwise_tile::<1, BYTES>(task, channel, pixel, output),
            };
        }
    }
}

/// `PAIRS` pairs of pixels by one panel, in registers. Returns how many pixels that is.
#[inline(always)]
unsafe fn pointwise_tile<const PAIRS: usize, const BYTES: usize>(
    task: &Pointwise,
    channel: usize,
    pixel: usize,
    output: Output,
) -> usize {
    // SAFETY: `check` covers the pixels from `pixel` on in whole pairs, and this panel.
    unsafe {
        let pair_stride = 2 * task.input_stride;
        let input = task.input.as_ptr().add(pixel / 2 * pair_stride);
        let mut weight = task.weight.as_ptr().add(channel * task.depth);
        let bias = task.bias.as_ptr().add(channel);
        let mut sums = [[vdupq_n_s32(0); CHANNELS / 2]; PAIRS];
        for row in &mut sums {
            for (c, sum) in row.iter_mut().enumerate() {
                let two = vld1_s32(bias.add(2 * c));
                *sum = vcombine_s32(two, two);
            }
        }
        // Two eights at a time: pointers are moved half as often.
        for k in (0..2 * task.depth).step_by(2 * EIGHT_BYTES) {
            let from = |p: usize, half: usize| input.add(p * pair_stride + k + half * EIGHT_BYTES);
            multiply(&mut sums, |p| from(p, 0), weight);
            multiply(&mut sums, |p| from(p, 1), weight.add(CHANNELS * 8));
            weight = weight.add(2 * CHANNELS * 8);
        }
        let multiplier = task.multiplier.as_ptr().add(channel);
        let offsets = task.offsets.list();
        let start = output.start.add((task.start + channel) * BYTES);
        for (p, squares) in sums.iter().enumerate() {
            for (second, row) in rows_of(*squares).into_iter().enumerate() {
                let pixel = pixel + 2 * p + second;
                if pixel >= offsets.len() {
                    break;
                }
                let mut row = row.map(I32x4);
                if let Some(correction) = task.corrections.get(pixel) {
                    for sum in &mut row {
                        sum.0 = vaddq_s32(sum.0, vdupq_n_s32(*correction));
                    }
                }
                let to = start.add(*offsets.get_unchecked(pixel) * BYTES);
                neon::requantise::<1, VECTORS, BYTES>([row], multiplier, task.bounds, |_| to);
            }
        }
    }
    2 * PAIRS
}

/// Adds the products of eight activations of some pairs of pixels, each from where `values` says, with
/// eight weights of a panel's channels.
#[inline(always)]
unsafe fn multiply<const PAIRS: usize>(
    sums: &mut [[Square; CHANNELS / 2]; PAIRS],
    values: impl Fn(usize) -> *const u8,
    weight: *const u8,
) {
    // SAFETY: the caller's promise, of the instructions and of the pointers.
    unsafe {
        let mut weights = [vdupq_n_u8(0); CHANNELS / 2];
        for (c, weights) in weights.iter_mut().enumerate() {
            *weights = vld1q_u8(weight.add(c * EIGHT_BYTES));
        }
        for (p, row) in sums.iter_mut().enumerate() {
            let values = vld1q_u8(values(p));
            for (sum, weights) in row.iter_mut().zip(weights) {
                *sum = add_products(*sum, values, weights);
            }
        }
    }
}

/// The sums of two pixels, each by eight channels.
#[inline(always)]
unsafe fn rows_of([a, b, c, d]: [Square; CHANNELS / 2]) -> [[int32x4_t; VECTORS]; 2] {
    // SAFETY: the caller says that there is NEON.
    unsafe {
        let [a, b, c, d] = [a, b, c, d].map(|square| vreinterpretq_s64_s32(square));
        let first = [vzip1q_s64(a, b), vzip1q_s64(c, d)];
        let second = [vzip2q_s64(a, b), vzip2q_s64(c, d)];
        [first, second].map(|row| row.map(|half| vreinterpretq_s32_s64(half)))
    }
}

#[target_feature(enable = "neon,i8mm")]
fn peak(steps: usize) -> usize {
    const SUMS: usize = 20;
    let ones = std::hint::black_box([1u8; 16]);
    let bounds = Bounds {
        low: 0.0,
        high: 255.0,
        zero: 0,
    };
    // SAFETY: as above, behind `Kernels::peak`; what is read and written is as long as a vector.
    unsafe {
        let operand = vld1q_u8(ones.as_ptr());
        let mut sums = [vdupq_n_s32(0); SUMS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = add_products(*sum, operand, operand);
            }
        }
        for sum in sums {
            let mut result = [0u8; 16];
            let to = result.as_mut_ptr();
            neon::requantise::<1, 1, 1>([[I32x4(sum)]], [1.0; 4].as_ptr(), bounds, |_| to);
            std::hint::black_box(result);
        }
    }
    // Four sums of eight products each.
    2 * steps * SUMS * 4 * 8
}

//! NEON with bf16 (`FEAT_BF16`): `bfmmla` multiplies four activations of two pixels with four weights of
//! two channels, to the four sums of both by both.
//!
//! Rust has no stable functions for these instructions, hence the assembly.

use std::arch::aarch64::*;
use std::arch::asm;

use super::Bf16;
use crate::cpu::kernels::generic::{self, Products, Vector};
use crate::cpu::kernels::neon::F32x4;
use crate::cpu::kernels::{Depthwise, Kernels, Output, Pointwise, Stem, stem};
use crate::cpu::pixels::StemPixels;

pub(in crate::cpu) static KERNELS: Kernels<Bf16> = Kernels {
    lanes: LANES,
    panel_vectors: CHANNELS / LANES,
    group: GROUP,
    depthwise,
    pointwise,
    bytes: StemPixels::look_up,
    stem,
    peak,
};

const LANES: usize = 4;

/// Activations of a pixel, and weights of a channel, that are multiplied at once.
const GROUP: usize = 4;

/// 4 pairs of pixels by 4 pairs of channels: 16 vectors of sums, 4 of values and 4 of weights of 32
/// registers.
const PAIRS: usize = 4;
const CHANNELS: usize = 8;

/// Of the stem: 7 pixels by 2 vectors.
const STEM_ROWS: usize = 7;

/// A row at a time: the compiler does not unroll the loop over two.
const DEPTHWISE_ROWS: usize = 1;

/// Adds to four sums the products of a pair each.
#[inline]
#[target_feature(enable = "neon,bf16")]
pub(super) fn bfdot(mut sums: float32x4_t, a: uint16x8_t, b: uint16x8_t) -> float32x4_t {
    // SAFETY: the instruction touches what is named alone.
    unsafe {
        asm!(
            "bfdot {sums:v}.4s, {a:v}.8h, {b:v}.8h",
            sums = inout(vreg) sums,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// Adds to the sums of two pixels by two channels the products of four each; those of the first pixel
/// come first.
#[inline]
#[target_feature(enable = "neon,bf16")]
pub(super) fn bfmmla(
    mut sums: float32x4_t,
    pixels: uint16x8_t,
    channels: uint16x8_t,
) -> float32x4_t {
    // SAFETY: the instruction touches what is named alone.
    unsafe {
        asm!(
            "bfmmla {sums:v}.4s, {pixels:v}.8h, {channels:v}.8h",
            sums = inout(vreg) sums,
            pixels = in(vreg) pixels,
            channels = in(vreg) channels,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// The nearest values of bf16.
#[inline]
#[target_feature(enable = "neon,bf16")]
pub(super) fn narrowed(values: float32x4_t) -> uint16x4_t {
    let narrow: uint16x8_t;
    // SAFETY: the instruction touches what is named alone.
    unsafe {
        asm!(
            "bfcvtn {narrow:v}.4h, {values:v}.4s",
            narrow = out(vreg) narrow,
            values = in(vreg) values,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    vget_low_u16(narrow)
}

/// 4 floats that are stored in bf16.
#[derive(Clone, Copy)]
struct Bf16x4(float32x4_t);

// SAFETY: every function does what it is named after, on the caller's promise that the machine
// has NEON with BF16 and the pointer is good for 4 floats or elements.
unsafe impl Vector for Bf16x4 {
    const LANES: usize = LANES;
    type Element = Bf16;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(F32x4::load(from).0) }
    }

    #[inline(always)]
    unsafe fn read(from: *const Bf16) -> Self {
        // SAFETY: see the implementation.
        unsafe {
            let wide = vshll_n_u16::<16>(vld1_u16(from.cast()));
            Self(vreinterpretq_f32_u32(wide))
        }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut Bf16) {
        // SAFETY: see the implementation.
        unsafe { vst1_u16(to.cast(), narrowed(self.0)) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(F32x4::splat(value).0) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(F32x4(self.0).mul_add(F32x4(factor.0), F32x4(sum.0)).0) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(F32x4(self.0).max(F32x4(other.0)).0) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(F32x4(self.0).min(F32x4(other.0)).0) }
    }
}

// Of the stem, which multiplies pairs of one pixel at a time.
// SAFETY: as above, and for 2 or 8 elements.
unsafe impl Products for Bf16x4 {
    type Operand = uint16x8_t;
    type Held = uint16x8_t;
    const STEPS: usize = 1;

    #[inline(always)]
    unsafe fn spread(from: *const Bf16) -> uint16x8_t {
        // SAFETY: see the implementation.
        unsafe { vreinterpretq_u16_u32(vld1q_dup_u32(from.cast())) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const Bf16) -> uint16x8_t {
        // SAFETY: see the implementation.
        unsafe { vld1q_u16(from.cast()) }
    }

    #[inline(always)]
    unsafe fn add_products(self, activations: uint16x8_t, weights: uint16x8_t) -> Self {
        // SAFETY: see the implementation.
        unsafe { Self(bfdot(self.0, activations, weights)) }
    }

    #[inline(always)]
    unsafe fn hold(from: *const Bf16) -> uint16x8_t {
        // SAFETY: the caller's promise.
        unsafe { Self::spread(from) }
    }

    #[inline(always)]
    unsafe fn add_held(self, held: uint16x8_t, _step: usize, weights: uint16x8_t) -> Self {
        // SAFETY: the caller's promise.
        unsafe { self.add_products(held, weights) }
    }
}

#[target_feature(enable = "neon,bf16")]
fn depthwise(task: &Depthwise<Bf16>, output: &mut [Bf16]) {
    // SAFETY: this function runs only where there is BF16, behind `Kernels::depthwise`.
    unsafe { generic::depthwise::<Bf16x4, DEPTHWISE_ROWS, DEPTHWISE_ROWS>(task, output) }
}

#[target_feature(enable = "neon,bf16")]
unsafe fn pointwise(task: &Pointwise<Bf16>, output: Output<Bf16>) {
    let mut channel = 0;
    // SAFETY: the panels lie within `channels`; the rest is what `Kernels::pointwise` makes sure of.
    unsafe {
        while channel + CHANNELS <= task.channels {
            pointwise_panel::<{ CHANNELS / 2 }>(task, channel, output);
            channel += CHANNELS;
        }
        if channel < task.channels {
            pointwise_panel::<{ LANES / 2 }>(task, channel, output);
        }
    }
}

/// All pixels by one panel of `TWOS` pairs of channels, whose weights stay in the first-level cache
/// meanwhile.
#[inline(always)]
unsafe fn pointwise_panel<const TWOS: usize>(
    task: &Pointwise<Bf16>,
    channel: usize,
    output: Output<Bf16>,
) {
    let pixels = task.offsets.list().len();
    let mut pixel = 0;
    while pixel < pixels {
        // SAFETY: each tile begins within the pixels, and takes no others.
        unsafe {
            pixel += match pixels - pixel {
                7.. => pointwise_tile::<PAIRS, TWOS>(task, channel, pixel, output),
                3.. => pointwise_tile::<2, TWOS>(task, channel, pixel, output),
                _ => pointwise_tile::<1, TWOS>(task, channel, pixel, output),
            };
        }
    }
}

/// `PAIRS` pairs of pixels by one panel, in registers; of the last pair there may be but one pixel.
/// Returns how many pixels that is.
#[inline(always)]
unsafe fn pointwise_tile<const PAIRS: usize, const TWOS: usize>(
    task: &Pointwise<Bf16>,
    channel: usize,
    pixel: usize,
    output: Output<Bf16>,
) -> usize {
    // SAFETY: `check` covers the pixels and this panel; a pixel that is none is the one before it.
    unsafe {
        let last = task.offsets.list().len() - 1;
        let inputs: [[*const u16; 2]; PAIRS] = std::array::from_fn(|p| {
            [0, 1].map(|second| {
                let pixel = (pixel + 2 * p + second).min(last);
                task.input.as_ptr().add(pixel * task.input_stride).cast()
            })
        });
        let bias = task.bias.as_ptr().add(channel);
        let mut weight: *const u16 = task.weight.as_ptr().add(channel * task.depth).cast();
        let mut sums = [[vdupq_n_f32(0.0); TWOS]; PAIRS];
        for row in &mut sums {
            for (c, sum) in row.iter_mut().enumerate() {
                let two = vld1_f32(bias.add(2 * c));
                *sum = vcombine_f32(two, two);
            }
        }
        for k in (0..task.depth).step_by(GROUP) {
            let values = inputs.map(|[first, second]| {
                vcombine_u16(vld1_u16(first.add(k)), vld1_u16(second.add(k)))
            });
            let mut weights = [vdupq_n_u16(0); TWOS];
            for (c, weights) in weights.iter_mut().enumerate() {
                *weights = vld1q_u16(weight.add(c * 2 * GROUP));
            }
            weight = weight.add(TWOS * 2 * GROUP);
            for (row, values) in sums.iter_mut().zip(values) {
                for (sum, weights) in row.iter_mut().zip(weights) {
                    *sum = bfmmla(*sum, values, weights);
                }
            }
        }
        let (low, high) = (vdupq_n_f32(task.bounds.0), vdupq_n_f32(task.bounds.1));
        let (start, _) = output.raw();
        let start = start.add(task.start + channel);
        for (p, squares) in sums.iter().enumerate() {
            for (c, two) in squares.chunks_exact(2).enumerate() {
                let [a, b] = [two[0], two[1]].map(|square| vreinterpretq_f64_f32(square));
                let rows = [vzip1q_f64(a, b), vzip2q_f64(a, b)];
                for (second, row) in rows.into_iter().enumerate() {
                    let Some(offset) = task.offsets.list().get(pixel + 2 * p + second) else {
                        break;
                    };
                    let row = vreinterpretq_f32_f64(row);
                    let row = Bf16x4(vminq_f32(vmaxq_f32(row, low), high));
                    row.write(start.add(offset + c * LANES));
                }
            }
        }
    }
    2 * PAIRS
}

#[target_feature(enable = "neon,bf16")]
unsafe fn stem(task: &Stem<Bf16>, output: Output<Bf16>) {
    // SAFETY: as above, behind `Kernels::stem`.
    unsafe { stem::stem::<Bf16x4, STEM_ROWS, { CHANNELS / LANES }>(task, output) }
}

#[target_feature(enable = "neon,bf16")]
fn peak(steps: usize) -> usize {
    const SUMS: usize = 20;
    let halves = std::hint::black_box([Bf16::from_f32(0.5); 8]);
    // SAFETY: as above, behind `Kernels::peak`; what is read and written is as long as a vector.
    unsafe {
        let operand = vld1q_u16(halves.as_ptr().cast());
        let mut sums = [vdupq_n_f32(1.0); SUMS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = bfmmla(*sum, operand, operand);
            }
        }
        for sum in sums {
            let mut result = [0f32; LANES];
            vst1q_f32(result.as_mut_ptr(), sum);
            std::hint::black_box(result);
        }
    }
    // Four sums of four products each.
    2 * steps * SUMS * 4 * 4
}

//! The network on the CPU with activations and pointwise weights in bf16, on processors that add
//! products of bf16 to sums in f32.
//!
//! It is the network in f32 ([`CpuNetwork`](super::network::CpuNetwork)) with another
//! [`Element`]: depthwise layers widen what they read and multiply in f32, pointwise layers multiply
//! pairs, and what a layer writes is rounded to the nearest, halves to even. Depthwise weights, biases,
//! the average and the classifier are f32.
//!
//! The stem multiplies pairs too. It reads bytes less the one that becomes 0, which for the scale of all
//! published checkpoints are exact in bf16, and its weights are multiplied with the scale. Two columns
//! of a line are a pair; the third one of each line is paired with that of the next line, in lines
//! made for it.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_stem;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(test)]
mod portable;
#[cfg(test)]
mod tests;

use candle_core::DType;

use super::element::Element;
use super::isa::Isa;
use super::kernels::Kernels;
use crate::model::Precision;
use crate::pixels::{COLOURS, PixelScale};

/// The upper half of a float.
pub(super) type Bf16 = half::bf16;

/// Lines of each row and colour under the stem's windows.
const LINES: usize = 3 * COLOURS;

impl Element for Bf16 {
    const GROUP: usize = 2;
    const STEM_LINES: usize = LINES + LINES.div_ceil(2);
    const STEM_TAPS: &'static [(usize, usize)] = &{
        let mut taps = [(0, 0); Self::STEM_LINES];
        let mut line = 0;
        while line < taps.len() {
            taps[line] = (line, 0);
            line += 1;
        }
        taps
    };
    const PRECISION: Precision = Precision::Float(DType::BF16);

    fn of(value: f64) -> Self {
        Self::from_f64(value)
    }

    fn value(self) -> f32 {
        self.to_f32()
    }

    fn stem_weights() -> Vec<Option<[usize; 3]>> {
        let weight = |line: usize, column| [line / COLOURS, column, line % COLOURS];
        let pairs = (0..LINES).flat_map(|line| [Some(weight(line, 0)), Some(weight(line, 1))]);
        let thirds =
            (0..LINES.next_multiple_of(2)).map(|line| (line < LINES).then(|| weight(line, 2)));
        pairs.chain(thirds).collect()
    }

    fn stem_unit(scale: &PixelScale) -> [f64; COLOURS] {
        scale.scale()
    }

    fn of_pixels(pixels: &[f32], factor: f32, to: &mut [Self]) {
        for (to, pixel) in to.iter_mut().zip(pixels) {
            *to = Self::from_f32(pixel * factor);
        }
    }

    fn make_lines(lines: &mut [Self], stride: usize, windows: usize) {
        let (lines, made) = lines.split_at_mut(LINES * stride);
        for (lines, made) in lines.chunks(2 * stride).zip(made.chunks_exact_mut(stride)) {
            let (first, second) = lines.split_at(stride);
            let made = &mut as_pairs_mut(made)[..windows];
            // The third column under a window is the first of the next two.
            let first = &as_pairs(first)[1..];
            if second.is_empty() {
                for (made, first) in made.iter_mut().zip(first) {
                    *made = pair(*first, 0);
                }
            } else {
                let second = &as_pairs(second)[1..];
                for (made, (first, second)) in made.iter_mut().zip(first.iter().zip(second)) {
                    *made = pair(*first, *second);
                }
            }
        }
    }

    fn kernels(isa: Isa) -> Option<&'static Kernels<Self>> {
        isa.bf16_kernels()
    }
}

/// Pairs of a line, as bits: compilers know more to do with those.
fn as_pairs(line: &[Bf16]) -> &[u32] {
    bytemuck::cast_slice(line)
}

/// See [`as_pairs`].
fn as_pairs_mut(line: &mut [Bf16]) -> &mut [u32] {
    bytemuck::cast_slice_mut(line)
}

/// The pair of the first ones of two pairs.
fn pair(first: u32, second: u32) -> u32 {
    match cfg!(target_endian = "little") {
        true => first & 0xffff | second << 16,
        false => first & 0xffff_0000 | second >> 16,
    }
}

/// Its kernels where there is AVX-512 BF16.
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::KERNELS as AVX512;
/// Its kernels where there is NEON with BF16.
#[cfg(target_arch = "aarch64")]
pub(super) use neon::KERNELS as NEON;

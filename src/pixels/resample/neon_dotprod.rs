//! The same with NEON's dot products of bytes (`sdot`): four samples are multiplied and added up at
//! once.
//!
//! A weight has more bits than a byte: it is the sum of three digits from -128 to 127, to the base of
//! 256, each of which has sums of its own. Samples less 128 are bytes with a sign too; what that takes
//! off is added in the beginning. All of it is right modulo 2^32, and the whole fits.

use std::arch::aarch64::{
    int8x16_t, int32x4_t, uint8x16_t, vaddq_s32, vdupq_n_s32, vdupq_n_u8, veorq_u8, vld1q_s8,
    vld1q_u8, vqtbl1q_u8, vreinterpretq_s8_u8, vreinterpretq_u8_u16, vreinterpretq_u16_u8,
    vshlq_n_s32, vzip1q_u8, vzip1q_u16, vzip2q_u8, vzip2q_u16,
};
use std::arch::asm;
use std::ops::Range;

use super::neon::{self, BYTES, GROUP, load, read, starts, write_bytes, write_pixel};
use super::{CHANNELS, Columns, Loops, Rows, Taps};
use crate::processor::Feature;

pub(super) static LOOPS: Loops = Loops {
    needs: &[Feature::Neon, Feature::DotProd],
    columns,
    rows,
};

/// Digits of a weight.
const DIGITS: usize = 3;
/// What a digit more is worth, in bits.
const DIGIT_BITS: i32 = 8;
/// 1 in every digit.
const ONES: i32 = 0x01_01_01;
/// What is taken off each sample.
const MIDDLE: u8 = 128;

/// The digits of four weights, as `sdot` reads them: four of the lowest, four of the next, four of the
/// highest.
type Group = [i8; BYTES];

/// Weights in groups of four, with zeros in the last one's places that are left.
struct PackedTaps {
    /// For each output where its groups lie, and what its sums begin with.
    spans: Vec<(Range<usize>, i32)>,
    groups: Vec<Group>,
}

impl PackedTaps {
    /// `None` where a weight has more digits: if it is nearly 2.
    fn new(taps: &Taps) -> Option<Self> {
        let mut packed = Self {
            spans: Vec::with_capacity(taps.len()),
            groups: Vec::new(),
        };
        for (_, weights) in taps.iter() {
            let start = packed.groups.len();
            for weights in weights.chunks(GROUP) {
                let mut group = [0; BYTES];
                for (place, weight) in weights.iter().enumerate() {
                    for (digit, value) in digits(*weight)?.into_iter().enumerate() {
                        group[digit * GROUP + place] = value;
                    }
                }
                packed.groups.push(group);
            }
            let all = weights.iter().copied().fold(0, i32::wrapping_add);
            let first = all.wrapping_mul(MIDDLE.into()).wrapping_add(taps.half());
            let span = start..packed.groups.len();
            packed.spans.push((span, first));
        }
        Some(packed)
    }
}

/// A weight's digits, the lowest first.
fn digits(weight: i32) -> Option<[i8; DIGITS]> {
    if !(-128 * ONES..=127 * ONES).contains(&weight) {
        return None;
    }
    let mut rest = weight;
    Some(std::array::from_fn(|_| {
        let digit = rest as i8;
        rest = (rest - i32::from(digit)) >> DIGIT_BITS;
        digit
    }))
}

#[target_feature(enable = "neon,dotprod")]
fn columns(task: &Columns, output: &mut [u8]) {
    let Some(packed) = PackedTaps::new(task.taps) else {
        return neon::columns(task, output);
    };
    // What is read behind a line is multiplied with nothing.
    let mut padded = vec![0; task.width * CHANNELS + BYTES];
    for (input, output) in task.lines().zip(output.chunks_exact_mut(task.written())) {
        padded[..input.len()].copy_from_slice(input);
        line(&padded, &packed, task, output);
    }
}

/// One line along x; `line` has [`BYTES`] more than it has samples.
#[target_feature(enable = "neon,dotprod")]
fn line(line: &[u8], packed: &PackedTaps, task: &Columns, output: &mut [u8]) {
    // The samples of a channel from four pixels, side by side.
    const Z: u8 = 255;
    let order = load(&[0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, Z, Z, Z, Z]);
    let shift = vdupq_n_s32(-(task.taps.precision as i32));
    let outputs = output.chunks_exact_mut(CHANNELS);
    let spans = task.taps.iter().zip(&packed.spans);
    for (((begin, _), (span, first)), pixel) in spans.zip(outputs) {
        let mut sums = Sums::new(*first);
        let start = (begin - task.offset) * CHANNELS;
        let (inputs, groups) = (&line[start..], &packed.groups[span.clone()]);
        assert!(inputs.len() >= read(groups.len()));
        for (number, group) in groups.iter().enumerate() {
            // SAFETY: a vector of bytes is there for each group.
            let bytes = unsafe { vld1q_u8(inputs.as_ptr().add(number * GROUP * CHANNELS)) };
            sums = sums.add(signed(vqtbl1q_u8(bytes, order)), weights(group));
        }
        write_pixel(sums.whole(), shift, pixel);
    }
}

#[target_feature(enable = "neon,dotprod")]
fn rows(task: &Rows, output: &mut [u8]) {
    let width = task.part.len();
    let packed = PackedTaps::new(task.taps).filter(|_| width >= BYTES);
    let Some(packed) = packed else {
        return neon::rows(task, output);
    };
    let shift = vdupq_n_s32(-(task.taps.precision as i32));
    let outputs = output.chunks_exact_mut(width);
    let spans = task.taps.iter().zip(&packed.spans);
    for (((begin, taps), (span, first)), output) in spans.zip(outputs) {
        let lines = task.starting_at(begin);
        // Where less than four lines are left, the last one is read again, for nothing.
        let last = (taps.len() - 1) * task.stride;
        assert!(last + width <= lines.len());
        for start in starts(width) {
            let mut sums = [Sums::new(*first); 4];
            let mut place = 0;
            for group in &packed.groups[span.clone()] {
                let bytes = |line: usize| {
                    let line = (place + line * task.stride).min(last);
                    // SAFETY: as many bytes as the line's part has are there, and a piece is within.
                    unsafe { vld1q_u8(lines.as_ptr().add(line + start)) }
                };
                let samples = side_by_side([bytes(0), bytes(1), bytes(2), bytes(3)]);
                for (sums, samples) in sums.iter_mut().zip(samples) {
                    *sums = sums.add(samples, weights(group));
                }
                place += GROUP * task.stride;
            }
            write_bytes(sums.map(|sums| sums.whole()), shift, &mut output[start..]);
        }
    }
}

/// For four outputs, the sums of each digit's products.
#[derive(Clone, Copy)]
struct Sums([int32x4_t; DIGITS]);

impl Sums {
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    fn new(first: i32) -> Self {
        Self([vdupq_n_s32(first), vdupq_n_s32(0), vdupq_n_s32(0)])
    }

    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    fn add(self, samples: int8x16_t, weights: int8x16_t) -> Self {
        let [low, middle, high] = self.0;
        Self([
            sdot::<0>(low, samples, weights),
            sdot::<1>(middle, samples, weights),
            sdot::<2>(high, samples, weights),
        ])
    }

    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    fn whole(self) -> int32x4_t {
        let [low, middle, high] = self.0;
        let upper = vaddq_s32(middle, vshlq_n_s32::<DIGIT_BITS>(high));
        vaddq_s32(low, vshlq_n_s32::<DIGIT_BITS>(upper))
    }
}

/// Adds to each sum the products of its four samples and of the four weights' digit `DIGIT`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot<const DIGIT: usize>(
    mut sums: int32x4_t,
    samples: int8x16_t,
    weights: int8x16_t,
) -> int32x4_t {
    // SAFETY: the instruction touches nothing but what is named.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {samples:v}.16b, {weights:v}.4b[{digit}]",
            sums = inout(vreg) sums,
            samples = in(vreg) samples,
            weights = in(vreg) weights,
            digit = const DIGIT,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn weights(group: &Group) -> int8x16_t {
    // SAFETY: a group is as long as a vector.
    unsafe { vld1q_s8(group.as_ptr()) }
}

/// Samples less [`MIDDLE`].
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn signed(samples: uint8x16_t) -> int8x16_t {
    vreinterpretq_s8_u8(veorq_u8(samples, vdupq_n_u8(MIDDLE)))
}

/// The samples of four lines column by column, four columns in each vector.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn side_by_side([first, second, third, fourth]: [uint8x16_t; 4]) -> [int8x16_t; 4] {
    let odd = [vzip1q_u8(first, second), vzip2q_u8(first, second)].map(|x| vreinterpretq_u16_u8(x));
    let even =
        [vzip1q_u8(third, fourth), vzip2q_u8(third, fourth)].map(|x| vreinterpretq_u16_u8(x));
    [
        vzip1q_u16(odd[0], even[0]),
        vzip2q_u16(odd[0], even[0]),
        vzip1q_u16(odd[1], even[1]),
        vzip2q_u16(odd[1], even[1]),
    ]
    .map(|samples| signed(vreinterpretq_u8_u16(samples)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_add_up_to_the_weight() {
        let ends = [-128 * ONES, 127 * ONES];
        let some = (-3..=3).flat_map(|i| [i, i + 0x80, i + 0x8080, i - 0x80_80, (i << 22) / 3]);
        for weight in some.chain(ends) {
            let [low, middle, high] = digits(weight).expect("three digits").map(i64::from);
            assert_eq!(low + 256 * middle + 65_536 * high, i64::from(weight));
        }
        assert_eq!([digits(ends[0] - 1), digits(ends[1] + 1)], [None, None]);
    }
}

//! The same with NEON: a pixel's three sums, or sixteen bytes of a line, stay in registers until
//! they are done.

use std::arch::aarch64::{
    int32x4_t, uint8x16_t, vaddq_s32, vcombine_u8, vcombine_u16, vdupq_n_s32, vget_lane_u32,
    vget_low_u8, vget_low_u16, vld1q_s32, vld1q_u8, vmlaq_laneq_s32, vmlaq_n_s32, vmovl_high_u8,
    vmovl_high_u16, vmovl_u8, vmovl_u16, vqmovn_u16, vqmovun_s32, vqtbl1q_u8, vreinterpret_u32_u8,
    vreinterpretq_s32_u32, vshlq_s32, vst1q_u8,
};
use std::ops::Range;

use super::{CHANNELS, Columns, Loops, Rows, Taps, portable};
use crate::processor::Feature;

pub(super) static LOOPS: Loops = Loops {
    needs: &[Feature::Neon],
    columns,
    rows,
};

/// Bytes that are read at once.
pub(super) const BYTES: usize = 16;
/// Pixels of them that are multiplied.
pub(super) const GROUP: usize = 4;

/// Weights in groups of four, with zeros in the last one's places that are left.
struct PackedTaps {
    /// For each output the first byte it reads, and where its weights lie.
    spans: Vec<(usize, Range<usize>)>,
    weights: Vec<[i32; GROUP]>,
}

impl PackedTaps {
    /// `offset` is the taps' position that a line begins with.
    fn new(taps: &Taps, offset: usize) -> Self {
        let mut packed = Self {
            spans: Vec::with_capacity(taps.len()),
            weights: Vec::new(),
        };
        for (begin, weights) in taps.iter() {
            let start = packed.weights.len();
            let groups = weights.chunks(GROUP);
            packed.weights.extend(
                groups.map(|group| {
                    std::array::from_fn(|place| group.get(place).copied().unwrap_or(0))
                }),
            );
            let span = start..packed.weights.len();
            packed.spans.push(((begin - offset) * CHANNELS, span));
        }
        packed
    }
}

#[target_feature(enable = "neon")]
pub(super) fn columns(task: &Columns, output: &mut [u8]) {
    let packed = PackedTaps::new(task.taps, task.offset);
    // What is read behind a line is multiplied with nothing.
    let mut padded = vec![0; task.width * CHANNELS + BYTES];
    for (input, output) in task.lines().zip(output.chunks_exact_mut(task.written())) {
        padded[..input.len()].copy_from_slice(input);
        line(&padded, &packed, task.taps, output);
    }
}

/// One line along x; `line` has [`BYTES`] more than it has samples.
#[target_feature(enable = "neon")]
fn line(line: &[u8], packed: &PackedTaps, taps: &Taps, output: &mut [u8]) {
    // Each pixel's samples and a zero.
    const Z: u8 = 255;
    let apart = load(&[0, 1, 2, Z, 3, 4, 5, Z, 6, 7, 8, Z, 9, 10, 11, Z]);
    let (half, zero) = (vdupq_n_s32(taps.half()), vdupq_n_s32(0));
    let shift = vdupq_n_s32(-(taps.precision as i32));
    for ((start, span), pixel) in packed.spans.iter().zip(output.chunks_exact_mut(CHANNELS)) {
        // Sums that don't wait for each other.
        let mut sums = [half, zero, zero, zero];
        let groups = &packed.weights[span.clone()];
        let inputs = &line[*start..];
        assert!(inputs.len() >= read(groups.len()));
        for (number, weights) in groups.iter().enumerate() {
            // SAFETY: a vector of bytes is there for each group, and of weights.
            let (bytes, weights) = unsafe {
                let bytes = inputs.as_ptr().add(number * GROUP * CHANNELS);
                (vld1q_u8(bytes), vld1q_s32(weights.as_ptr()))
            };
            let samples = widened(vqtbl1q_u8(bytes, apart));
            sums = [
                vmlaq_laneq_s32::<0>(sums[0], samples[0], weights),
                vmlaq_laneq_s32::<1>(sums[1], samples[1], weights),
                vmlaq_laneq_s32::<2>(sums[2], samples[2], weights),
                vmlaq_laneq_s32::<3>(sums[3], samples[3], weights),
            ];
        }
        let pairs = [vaddq_s32(sums[0], sums[1]), vaddq_s32(sums[2], sums[3])];
        write_pixel(vaddq_s32(pairs[0], pairs[1]), shift, pixel);
    }
}

#[target_feature(enable = "neon")]
pub(super) fn rows(task: &Rows, output: &mut [u8]) {
    let width = task.part.len();
    if width < BYTES {
        return portable::each_row(task, output);
    }
    let half = vdupq_n_s32(task.taps.half());
    let shift = vdupq_n_s32(-(task.taps.precision as i32));
    for ((begin, weights), output) in task.taps.iter().zip(output.chunks_exact_mut(width)) {
        let lines = task.starting_at(begin);
        assert!(weights.len().saturating_sub(1) * task.stride + width <= lines.len());
        for start in starts(width) {
            let mut sums = [half; 4];
            let mut place = start;
            for weight in weights {
                // SAFETY: as many bytes as the line's part has are there, and a piece is within.
                let bytes = unsafe { vld1q_u8(lines.as_ptr().add(place)) };
                for (sum, samples) in sums.iter_mut().zip(widened(bytes)) {
                    *sum = vmlaq_n_s32(*sum, samples, *weight);
                }
                place += task.stride;
            }
            write_bytes(sums, shift, &mut output[start..]);
        }
    }
}

/// Bytes that are read for so many groups of a line's pixels.
pub(super) fn read(groups: usize) -> usize {
    groups.saturating_sub(1) * GROUP * CHANNELS + BYTES
}

/// Where pieces of [`BYTES`] of a line begin that cover it; the last one lies over a part of the one
/// before it, and gives the same there.
pub(super) fn starts(width: usize) -> impl Iterator<Item = usize> {
    let last = width - BYTES;
    (0..width).step_by(BYTES).map(move |start| start.min(last))
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load(bytes: &[u8]) -> uint8x16_t {
    let bytes = &bytes[..BYTES];
    // SAFETY: as many bytes as a vector has are there.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// Samples in 32 bits each, in four vectors.
#[inline]
#[target_feature(enable = "neon")]
fn widened(bytes: uint8x16_t) -> [int32x4_t; 4] {
    let (low, high) = (vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes));
    [
        vmovl_u16(vget_low_u16(low)),
        vmovl_high_u16(low),
        vmovl_u16(vget_low_u16(high)),
        vmovl_high_u16(high),
    ]
    .map(|samples| vreinterpretq_s32_u32(samples))
}

/// A pixel of its three sums, less their fractions; `shift` is how many bits of those there are, as a
/// negative number.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn write_pixel(sums: int32x4_t, shift: int32x4_t, pixel: &mut [u8]) {
    let words = vqmovun_s32(vshlq_s32(sums, shift));
    let bytes = vqmovn_u16(vcombine_u16(words, words));
    let bytes = vget_lane_u32::<0>(vreinterpret_u32_u8(bytes)).to_le_bytes();
    pixel.copy_from_slice(&bytes[..CHANNELS]);
}

/// Sixteen bytes of as many sums.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn write_bytes(sums: [int32x4_t; 4], shift: int32x4_t, output: &mut [u8]) {
    let [first, second, third, fourth] = sums.map(|sums| vqmovun_s32(vshlq_s32(sums, shift)));
    let low = vqmovn_u16(vcombine_u16(first, second));
    let high = vqmovn_u16(vcombine_u16(third, fourth));
    let output = &mut output[..BYTES];
    // SAFETY: as many bytes as a vector has are there.
    unsafe { vst1q_u8(output.as_mut_ptr(), vcombine_u8(low, high)) }
}

//! The stem: pixels lie side by side in a vector until each is multiplied with all channels.

use std::arch::aarch64::*;

use super::stem::STRIDE;
use super::{Output, Stem};

/// Pixels in a vector, and output channels.
const LANES: usize = 4;

/// One row of the output, by panels of `VECTORS` vectors of channels.
///
/// # Safety
/// The machine has NEON, [`Stem::check`] passed with vectors of 4, and nobody else writes to what the
/// task writes to.
#[inline(always)]
pub(super) unsafe fn stem<const VECTORS: usize>(task: &Stem, output: Output) {
    let panel = LANES * VECTORS;
    let mut channel = 0;
    // SAFETY: the panels lie within `channels`; the rest is the caller's promise.
    unsafe {
        while channel + panel <= task.channels {
            stem_panel::<VECTORS, false>(task, channel, output);
            channel += panel;
        }
        // Of those that don't fill a panel each vector is one; two of them go together.
        while channel + 2 * LANES <= task.channels {
            stem_panel::<2, true>(task, channel, output);
            channel += 2 * LANES;
        }
        while channel < task.channels {
            stem_panel::<1, true>(task, channel, output);
            channel += LANES;
        }
    }
}

/// All pixels by one panel, or by as many of a single vector, where they are `APART`.
#[inline(always)]
unsafe fn stem_panel<const VECTORS: usize, const APART: bool>(
    task: &Stem,
    channel: usize,
    output: Output,
) {
    let mut pixel = 0;
    while pixel < task.columns {
        // SAFETY: `check` covers whole vectors of pixels, though not all of them are stored.
        unsafe {
            pixel += match task.columns - pixel > LANES {
                true => stem_tile::<2, VECTORS, APART>(task, channel, pixel, output),
                false => stem_tile::<1, VECTORS, APART>(task, channel, pixel, output),
            };
        }
    }
}

/// `GROUPS` vectors of pixels by one panel, in registers. Returns how many pixels that is.
///
/// A pixel's sum is taken in the order of the other kernels, to the bit.
#[inline(always)]
unsafe fn stem_tile<const GROUPS: usize, const VECTORS: usize, const APART: bool>(
    task: &Stem,
    channel: usize,
    pixel: usize,
    output: Output,
) -> usize {
    // SAFETY: `check` covers the lines up to whole vectors of pixels, and this panel; no more pixels
    // are stored than there are.
    unsafe {
        let input = task.input.as_ptr().add(pixel * STRIDE);
        let bias = task.bias.as_ptr().add(channel);
        let taps = task.taps.len();
        let mut weight = task.weight.as_ptr().add(channel * taps);
        let mut sums = [[[vdupq_n_f32(0.0); VECTORS]; LANES]; GROUPS];
        for pixel in sums.as_flattened_mut() {
            for (v, sum) in pixel.iter_mut().enumerate() {
                *sum = vld1q_f32(bias.add(v * LANES));
            }
        }
        // From a vector of weights to the next, and from a tap.
        let (apart, step) = match APART {
            true => (LANES * taps, LANES),
            false => (LANES, LANES * VECTORS),
        };
        for tap in task.taps {
            let mut weights = [vdupq_n_f32(0.0); VECTORS];
            for (v, w) in weights.iter_mut().enumerate() {
                *w = vld1q_f32(weight.add(v * apart));
            }
            weight = weight.add(step);
            for (g, sums) in sums.iter_mut().enumerate() {
                // Every second value of the line is what the next pixel has under its window there.
                let line = input.add(tap + g * LANES * STRIDE);
                let values = vuzp1q_f32(vld1q_f32(line), vld1q_f32(line.add(LANES)));
                for (sum, w) in sums[0].iter_mut().zip(&weights) {
                    *sum = vfmaq_laneq_f32::<0>(*sum, *w, values);
                }
                for (sum, w) in sums[1].iter_mut().zip(&weights) {
                    *sum = vfmaq_laneq_f32::<1>(*sum, *w, values);
                }
                for (sum, w) in sums[2].iter_mut().zip(&weights) {
                    *sum = vfmaq_laneq_f32::<2>(*sum, *w, values);
                }
                for (sum, w) in sums[3].iter_mut().zip(&weights) {
                    *sum = vfmaq_laneq_f32::<3>(*sum, *w, values);
                }
            }
        }
        let low = vdupq_n_f32(task.bounds.0);
        let high = vdupq_n_f32(task.bounds.1);
        let pixels = task.columns - pixel;
        let start = task.start + pixel * task.output_stride + channel;
        for (p, sums) in sums.as_flattened().iter().enumerate() {
            if p >= pixels {
                break;
            }
            let to = output.start.add(start + p * task.output_stride);
            for (v, sum) in sums.iter().enumerate() {
                let value = vminq_f32(vmaxq_f32(*sum, low), high);
                vst1q_f32(to.add(v * LANES), value);
            }
        }
    }
    GROUPS * LANES
}

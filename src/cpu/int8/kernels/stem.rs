//! The stem in integers, over a vector type.

use super::generic::Sums;
use super::{Output, STEM_PAIRS, Stem};

/// A row of the stem, `ROWS` pixels at a time by panels of `VECTORS` vectors.
///
/// # Safety
/// The machine has `S`'s instructions, [`Stem::check`] passed, and nobody else writes to what the
/// task writes to.
#[inline(always)]
pub(super) unsafe fn stem<S: Sums, const ROWS: usize, const VECTORS: usize>(
    task: &Stem,
    output: Output,
) {
    // SAFETY: as the caller says.
    unsafe {
        match task.writes_words {
            true => stem_panels::<S, ROWS, VECTORS, 2>(task, output),
            false => stem_panels::<S, ROWS, VECTORS, 1>(task, output),
        }
    }
}

/// The same for activations of so many bytes.
#[inline(always)]
unsafe fn stem_panels<S: Sums, const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
    task: &Stem,
    output: Output,
) {
    let panel = S::LANES * VECTORS;
    let mut channel = 0;
    // SAFETY: the panels lie within `channels`; the rest is the caller's promise.
    unsafe {
        while channel + panel <= task.channels {
            stem_panel::<S, ROWS, VECTORS, BYTES>(task, channel, output);
            channel += panel;
        }
        while channel < task.channels {
            stem_panel::<S, ROWS, 1, BYTES>(task, channel, output);
            channel += S::LANES;
        }
    }
}

/// All pixels by one panel.
#[inline(always)]
unsafe fn stem_panel<S: Sums, const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
    task: &Stem,
    channel: usize,
    output: Output,
) {
    let mut pixel = 0;
    while pixel < task.columns {
        let left = task.columns - pixel;
        // SAFETY: each tile takes no more pixels than are left.
        unsafe {
            pixel += if left >= ROWS {
                stem_tile::<S, ROWS, VECTORS, BYTES>(task, channel, pixel, output)
            } else {
                stem_tile::<S, 1, VECTORS, BYTES>(task, channel, pixel, output)
            };
        }
    }
}

/// `ROWS` pixels by one panel, in registers. Returns `ROWS`.
#[inline(always)]
unsafe fn stem_tile<S: Sums, const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
    task: &Stem,
    channel: usize,
    pixel: usize,
    output: Output,
) -> usize {
    // SAFETY: `check` covers the windows of `columns` pixels and this panel.
    unsafe {
        let input = task.input.as_ptr().add(pixel * task.step);
        let bias = task.bias.as_ptr().add(channel);
        let mut weight = task
            .weight
            .as_ptr()
            .add(channel * 2 * STEM_PAIRS)
            .cast::<u8>();
        let mut sums = [[S::load(bias); VECTORS]; ROWS];
        for row in &mut sums {
            for (v, sum) in row.iter_mut().enumerate() {
                *sum = S::load(bias.add(v * S::LANES));
            }
        }
        for tap in &task.taps {
            let input = input.add(*tap);
            let mut weights = [S::weights(weight); VECTORS];
            for (v, w) in weights.iter_mut().enumerate() {
                *w = S::weights(weight.add(v * S::LANES * 4));
            }
            weight = weight.add(S::LANES * VECTORS * 4);
            for (r, row) in sums.iter_mut().enumerate() {
                let values = S::splat(input.add(r * task.step).cast());
                for (sum, w) in row.iter_mut().zip(&weights) {
                    *sum = sum.dot(values, *w);
                }
            }
        }
        let multiplier = task.multiplier.as_ptr();
        let multiplier = multiplier.add(channel * S::FACTOR_WORDS);
        let to = task.start + pixel * task.output_stride + channel;
        S::requantise::<ROWS, VECTORS, BYTES>(sums, multiplier, task.bounds, |r| {
            output.start.add((to + r * task.output_stride) * BYTES)
        });
    }
    ROWS
}

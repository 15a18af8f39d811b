//! The pointwise product in integers, over a vector type.

use super::generic::Held;
use super::{Output, Pointwise};

/// The pointwise product, `ROWS` pixels at a time by panels of `VECTORS` vectors.
///
/// # Safety
/// The machine has `S`'s instructions, [`Pointwise::check`] passed, and nobody else writes to
/// what the task writes to.
#[inline(always)]
pub(super) unsafe fn pointwise<S: Held, const ROWS: usize, const VECTORS: usize>(
    task: &Pointwise,
    tile_bytes: usize,
    output: Output,
) {
    // SAFETY: as the caller says.
    unsafe {
        match task.writes_words {
            true => pointwise_panels::<S, ROWS, VECTORS, 2>(task, tile_bytes, output),
            false => pointwise_panels::<S, ROWS, VECTORS, 1>(task, tile_bytes, output),
        }
    }
}

/// The same for activations of so many bytes.
#[inline(always)]
unsafe fn pointwise_panels<S: Held, const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
    task: &Pointwise,
    tile_bytes: usize,
    output: Output,
) {
    let panel = S::LANES * VECTORS;
    let mut channel = 0;
    // SAFETY: the panels lie within `channels`; the rest is the caller's promise.
    unsafe {
        while channel + panel <= task.channels {
            pointwise_panel::<S, ROWS, VECTORS, BYTES>(task, tile_bytes, channel, output);
            channel += panel;
        }
        while channel < task.channels {
            pointwise_panel::<S, ROWS, 1, BYTES>(task, tile_bytes, channel, output);
            channel += S::LANES;
        }
    }
}

/// All pixels by one panel, whose weights stay in the first-level cache meanwhile.
#[inline(always)]
unsafe fn pointwise_panel<S: Held, const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
    task: &Pointwise,
    tile_bytes: usize,
    channel: usize,
    output: Output,
) {
    let pixels = task.offsets.list().len();
    let mut pixel = 0;
    while pixel < pixels {
        let rows = pixels - pixel;
        let at = (tile_bytes, channel, pixel);
        // SAFETY: each tile takes no more pixels than are left.
        unsafe {
            pixel += if rows >= ROWS {
                pointwise_tile::<S, ROWS, VECTORS, BYTES>(task, at, output)
            } else if ROWS > 7 && rows >= 7 {
                pointwise_tile::<S, 7, VECTORS, BYTES>(task, at, output)
            } else if ROWS > 4 && rows >= 4 {
                pointwise_tile::<S, 4, VECTORS, BYTES>(task, at, output)
            } else if ROWS > 2 && rows >= 2 {
                pointwise_tile::<S, 2, VECTORS, BYTES>(task, at, output)
            } else {
                pointwise_tile::<S, 1, VECTORS, BYTES>(task, at, output)
            };
        }
    }
}

/// `ROWS` pixels by one panel, in registers. Returns `ROWS`.
#[inline(always)]
unsafe fn pointwise_tile<S: Held, const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
    task: &Pointwise,
    (tile_bytes, channel, pixel): (usize, usize, usize),
    output: Output,
) -> usize {
    // SAFETY: `check` covers `ROWS` pixels from `pixel` on and this panel.
    unsafe {
        let stride = task.input_stride * tile_bytes;
        let input = task.input.as_ptr().add(pixel * stride);
        let bias = task.bias.as_ptr().add(channel);
        let depth = task.depth * tile_bytes;
        let mut weight = task.weight.as_ptr().add(channel * depth);
        let first = S::load(bias);
        let mut sums = [[first; VECTORS]; ROWS];
        for row in &mut sums {
            for (v, sum) in row.iter_mut().enumerate() {
                *sum = S::load(bias.add(v * S::LANES));
            }
        }
        let panel = S::LANES * VECTORS * 4;
        for k in (0..depth).step_by(4 * S::STEPS) {
            if S::STEPS == 1 {
                let values = |r: usize| S::hold(input.add(r * stride + k));
                multiply(&mut sums, values, 0, weight);
            } else {
                let mut values = [S::hold(input.add(k)); ROWS];
                for (r, values) in values.iter_mut().enumerate() {
                    *values = S::hold(input.add(r * stride + k));
                }
                // One step after the other: compilers don't unroll a loop over assembly.
                let values = |r: usize| values[r];
                multiply(&mut sums, values, 0, weight);
                multiply(&mut sums, values, 1, weight.add(panel));
                multiply(&mut sums, values, 2, weight.add(2 * panel));
                multiply(&mut sums, values, 3, weight.add(3 * panel));
            }
            weight = weight.add(S::STEPS * panel);
        }
        if !task.corrections.is_empty() {
            for (r, row) in sums.iter_mut().enumerate() {
                let correction = *task.corrections.get_unchecked(pixel + r);
                for sum in row {
                    *sum = sum.add(correction);
                }
            }
        }
        let start = output.start.add((task.start + channel) * BYTES);
        let multiplier = task.multiplier.as_ptr();
        let multiplier = multiplier.add(channel * S::FACTOR_WORDS);
        S::requantise::<ROWS, VECTORS, BYTES>(sums, multiplier, task.bounds, |r| {
            start.add(*task.offsets.list().get_unchecked(pixel + r) * BYTES)
        });
    }
    ROWS
}

/// Adds the products of four bytes of each of some pixels' activations and of a panel's weights.
#[inline(always)]
unsafe fn multiply<S: Held, const ROWS: usize, const VECTORS: usize>(
    sums: &mut [[S; VECTORS]; ROWS],
    values: impl Fn(usize) -> S::Held,
    step: usize,
    weight: *const u8,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut weights = [S::weights(weight); VECTORS];
        for (v, w) in weights.iter_mut().enumerate() {
            *w = S::weights(weight.add(v * S::LANES * 4));
        }
        for (r, row) in sums.iter_mut().enumerate() {
            let values = values(r);
            for (sum, w) in row.iter_mut().zip(&weights) {
                *sum = sum.dot_held(values, step, *w);
            }
        }
    }
}

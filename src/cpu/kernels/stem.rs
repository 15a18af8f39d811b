//! The stem: a 3x3 convolution of stride 2 from three colours, each a plane of its own.

use super::generic::Products;
use super::{Output, Stem};
use crate::cpu::element::Element;

/// Products of a sum at most: rows and columns of the window by colours.
pub(in crate::cpu) const MOST_TAPS: usize = 27;

/// Columns from a window to the next.
pub(in crate::cpu) const STRIDE: usize = 2;

/// One row of the output, `ROWS` pixels at a time by panels of `VECTORS` vectors.
///
/// # Safety
/// The machine has `V`'s instructions, [`Stem::check`] passed, and nobody else writes to what the
/// task writes to.
#[inline(always)]
pub(in crate::cpu) unsafe fn stem<V: Products, const ROWS: usize, const VECTORS: usize>(
    task: &Stem<V::Element>,
    output: Output<V::Element>,
) {
    let panel = V::LANES * VECTORS;
    let mut channel = 0;
    // SAFETY: the panels lie within `channels`; the rest is the caller's promise.
    unsafe {
        while channel + panel <= task.channels {
            stem_panel::<V, ROWS, VECTORS>(task, channel, output);
            channel += panel;
        }
        while channel < task.channels {
            stem_panel::<V, ROWS, 1>(task, channel, output);
            channel += V::LANES;
        }
    }
}

/// All pixels by one panel.
#[inline(always)]
unsafe fn stem_panel<V: Products, const ROWS: usize, const VECTORS: usize>(
    task: &Stem<V::Element>,
    channel: usize,
    output: Output<V::Element>,
) {
    let mut pixel = 0;
    while pixel < task.columns {
        let left = task.columns - pixel;
        // SAFETY: each tile takes no more pixels than are left.
        unsafe {
            pixel += if left >= ROWS {
                stem_tile::<V, ROWS, VECTORS>(task, channel, pixel, output)
            } else if ROWS > 4 && left >= 4 {
                stem_tile::<V, 4, VECTORS>(task, channel, pixel, output)
            } else {
                stem_tile::<V, 1, VECTORS>(task, channel, pixel, output)
            };
        }
    }
}

/// `ROWS` pixels by one panel, in registers. Returns `ROWS`.
///
/// A pixel's sum is the bias and then the products in the order of the window's rows, columns and
/// colours, whatever the tile it falls into.
#[inline(always)]
unsafe fn stem_tile<V: Products, const ROWS: usize, const VECTORS: usize>(
    task: &Stem<V::Element>,
    channel: usize,
    pixel: usize,
    output: Output<V::Element>,
) -> usize {
    // SAFETY: `check` covers the windows of `columns` pixels and this panel.
    unsafe {
        let input = task.input.as_ptr().add(pixel * STRIDE);
        let bias = task.bias.as_ptr().add(channel);
        let mut weight = task
            .weight
            .as_ptr()
            .add(channel * V::Element::STEM_TAPS.len() * V::GROUP);
        let mut sums = [[V::splat(0.0); VECTORS]; ROWS];
        for row in &mut sums {
            for (v, sum) in row.iter_mut().enumerate() {
                *sum = V::load(bias.add(v * V::LANES));
            }
        }
        for tap in task.taps {
            let input = input.add(*tap);
            let mut weights = [V::weights(weight); VECTORS];
            for (v, w) in weights.iter_mut().enumerate() {
                *w = V::weights(weight.add(v * V::LANES * V::GROUP));
            }
            weight = weight.add(V::LANES * VECTORS * V::GROUP);
            for (r, row) in sums.iter_mut().enumerate() {
                let values = V::spread(input.add(r * STRIDE));
                for (sum, w) in row.iter_mut().zip(&weights) {
                    *sum = sum.add_products(values, *w);
                }
            }
        }
        let (low, high) = (V::splat(task.bounds.0), V::splat(task.bounds.1));
        let to = output
            .start
            .add(task.start + pixel * task.output_stride + channel);
        for (r, row) in sums.iter().enumerate() {
            let to = to.add(r * task.output_stride);
            for (v, sum) in row.iter().enumerate() {
                sum.max(low).min(high).write(to.add(v * V::LANES));
            }
        }
    }
    ROWS
}

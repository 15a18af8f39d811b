//! Each loop once, over a vector type.
//!
//! Everything here is `#[inline(always)]`, so that it is compiled within the function of an
//! instruction set that calls it, with that set's instructions.

use super::{Depthwise, Output, Pointwise};

/// A vector of floats.
///
/// # Safety
/// Its functions may only be called where the machine has the vector's instructions, with
/// pointers that are good for `LANES` floats.
pub(super) unsafe trait Vector: Copy {
    const LANES: usize;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn splat(value: f32) -> Self;
    /// `self * factor + sum`.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// What is not a number in `self` stays so, here and in `min`.
    unsafe fn max(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
}

/// Pixels of a row that the depthwise kernel computes together: neighbours share what they
/// load.
const DEPTHWISE_PIXELS: usize = 7;

/// # Safety
/// The machine has `V`'s instructions, and [`Depthwise::check`] passed.
#[inline(always)]
pub(super) unsafe fn depthwise<V: Vector>(task: &Depthwise, output: &mut [f32]) {
    for row in 0..task.rows {
        let mut column = 0;
        while column < task.columns {
            let pixels = (task.columns - column).min(DEPTHWISE_PIXELS);
            // SAFETY: `check` covers every window of every pixel of every row.
            unsafe {
                let top = row * task.stride * task.row_stride;
                let input = task.input.as_ptr();
                let input = input.add(top + column * task.stride * task.channels);
                let pixel = row * task.columns + column;
                let output = output.as_mut_ptr().add(pixel * task.output_stride);
                match (task.stride, pixels) {
                    (1, 7) => depthwise_pixels::<V, 1, 7>(task, input, output),
                    (1, 4..) => {
                        depthwise_pixels::<V, 1, 4>(task, input, output);
                        column += 4;
                        continue;
                    }
                    (1, _) => {
                        depthwise_pixels::<V, 1, 1>(task, input, output);
                        column += 1;
                        continue;
                    }
                    (_, 7) => depthwise_pixels::<V, 2, 7>(task, input, output),
                    (_, 4..) => {
                        depthwise_pixels::<V, 2, 4>(task, input, output);
                        column += 4;
                        continue;
                    }
                    (_, _) => {
                        depthwise_pixels::<V, 2, 1>(task, input, output);
                        column += 1;
                        continue;
                    }
                }
            }
            column += pixels;
        }
    }
}

/// `PIXELS` neighbours, all channels.
#[inline(always)]
unsafe fn depthwise_pixels<V: Vector, const STRIDE: usize, const PIXELS: usize>(
    task: &Depthwise,
    input: *const f32,
    output: *mut f32,
) {
    let channels = task.channels;
    let mut c = 0;
    while c < channels {
        // SAFETY: `c + LANES <= channels`, and the caller's pointers are good for the windows of
        // `PIXELS` pixels.
        unsafe {
            let mut sums = [V::load(task.bias.as_ptr().add(c)); PIXELS];
            for ky in 0..3 {
                let row = input.add(ky * task.row_stride + c);
                let weight = task.weight.as_ptr().add(3 * ky * channels + c);
                let taps = [
                    V::load(weight),
                    V::load(weight.add(channels)),
                    V::load(weight.add(2 * channels)),
                ];
                for x in 0..(PIXELS - 1) * STRIDE + 3 {
                    let value = V::load(row.add(x * channels));
                    for (kx, tap) in taps.iter().enumerate() {
                        // Only where the window of a pixel has its column `kx` at `x`.
                        if x >= kx && (x - kx) % STRIDE == 0 && (x - kx) / STRIDE < PIXELS {
                            let sum = &mut sums[(x - kx) / STRIDE];
                            *sum = value.mul_add(*tap, *sum);
                        }
                    }
                }
            }
            let (low, high) = (V::splat(0.0), V::splat(task.high));
            for (pixel, sum) in sums.iter().enumerate() {
                let to = output.add(pixel * task.output_stride + c);
                sum.max(low).min(high).store(to);
            }
        }
        c += V::LANES;
    }
}

/// The pointwise product, `ROWS` pixels at a time by panels of `VECTORS` vectors.
///
/// # Safety
/// The machine has `V`'s instructions, [`Pointwise::check`] passed, and nobody else writes to
/// what the task writes to.
#[inline(always)]
pub(super) unsafe fn pointwise<V: Vector, const ROWS: usize, const VECTORS: usize>(
    task: &Pointwise,
    output: Output,
) {
    let panel = V::LANES * VECTORS;
    let mut channel = 0;
    while channel + panel <= task.channels {
        // SAFETY: the panel lies within `channels`; the rest is the caller's promise.
        unsafe { pointwise_panel::<V, ROWS, VECTORS>(task, channel, output) };
        channel += panel;
    }
    while channel < task.channels {
        // SAFETY: as above.
        unsafe { pointwise_panel::<V, ROWS, 1>(task, channel, output) };
        channel += V::LANES;
    }
}

/// All pixels by one panel, whose weights stay in the first-level cache meanwhile.
#[inline(always)]
unsafe fn pointwise_panel<V: Vector, const ROWS: usize, const VECTORS: usize>(
    task: &Pointwise,
    channel: usize,
    output: Output,
) {
    let pixels = task.offsets.len();
    let mut pixel = 0;
    while pixel < pixels {
        let rows = pixels - pixel;
        // SAFETY: each tile takes no more pixels than are left.
        unsafe {
            pixel += if rows >= ROWS {
                pointwise_tile::<V, ROWS, VECTORS>(task, channel, pixel, output)
            } else if ROWS > 7 && rows >= 7 {
                pointwise_tile::<V, 7, VECTORS>(task, channel, pixel, output)
            } else if ROWS > 4 && rows >= 4 {
                pointwise_tile::<V, 4, VECTORS>(task, channel, pixel, output)
            } else if ROWS > 2 && rows >= 2 {
                pointwise_tile::<V, 2, VECTORS>(task, channel, pixel, output)
            } else {
                pointwise_tile::<V, 1, VECTORS>(task, channel, pixel, output)
            };
        }
    }
}

/// `ROWS` pixels by one panel, in registers. Returns `ROWS`.
///
/// A pixel's sum is the bias and then the products in the order of the depth, whatever the tile
/// it falls into: so answers depend on neither threads nor batch.
#[inline(always)]
unsafe fn pointwise_tile<V: Vector, const ROWS: usize, const VECTORS: usize>(
    task: &Pointwise,
    channel: usize,
    pixel: usize,
    output: Output,
) -> usize {
    // SAFETY: `check` covers `ROWS` pixels from `pixel` on and this panel.
    unsafe {
        let stride = task.input_stride;
        let input = task.input.as_ptr().add(pixel * stride);
        let bias = task.bias.as_ptr().add(channel);
        let mut weight = task.weight.as_ptr().add(channel * task.depth);
        let mut sums = [[V::splat(0.0); VECTORS]; ROWS];
        for row in &mut sums {
            for (v, sum) in row.iter_mut().enumerate() {
                *sum = V::load(bias.add(v * V::LANES));
            }
        }
        for k in 0..task.depth {
            let mut weights = [V::splat(0.0); VECTORS];
            for (v, w) in weights.iter_mut().enumerate() {
                *w = V::load(weight.add(v * V::LANES));
            }
            weight = weight.add(V::LANES * VECTORS);
            for (r, row) in sums.iter_mut().enumerate() {
                let value = V::splat(*input.add(r * stride + k));
                for (sum, w) in row.iter_mut().zip(&weights) {
                    *sum = value.mul_add(*w, *sum);
                }
            }
        }
        let low = V::splat(task.bounds.0);
        let high = V::splat(task.bounds.1);
        for (r, row) in sums.iter().enumerate() {
            let to = output
                .start
                .add(*task.offsets.get_unchecked(pixel + r) + channel);
            for (v, sum) in row.iter().enumerate() {
                sum.max(low).min(high).store(to.add(v * V::LANES));
            }
        }
    }
    ROWS
}

//! Each loop once, over a vector type.
//!
//! Everything here is `#[inline(always)]`, so that it is compiled within the function of an
//! instruction set that calls it, with that set's instructions.

use super::{Depthwise, Output, Pointwise, prefetch_near};
use crate::cpu::element::Element;

/// A vector of floats.
///
/// # Safety
/// Its functions may only be called where the machine has the vector's instructions, with
/// pointers that are good for `LANES` floats or elements.
pub(in crate::cpu) unsafe trait Vector: Copy {
    const LANES: usize;
    /// What activations are stored in.
    type Element: Element;
    /// Reads weights.
    unsafe fn load(from: *const f32) -> Self;
    /// Reads activations.
    unsafe fn read(from: *const Self::Element) -> Self;
    /// Writes activations.
    unsafe fn write(self, to: *mut Self::Element);
    unsafe fn splat(value: f32) -> Self;
    /// `self * factor + sum`.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// What is not a number in `self` stays so, here and in `min`.
    unsafe fn max(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
}

/// A vector of sums of products of activations with the weights of pointwise layers, `GROUP` of
/// them at once.
///
/// # Safety
/// As [`Vector`], with pointers that are good for what is read.
pub(in crate::cpu) unsafe trait Products: Vector {
    /// What is multiplied: for each lane as many elements as are added to it at once.
    type Operand: Copy;
    /// What [`hold`](Self::hold) reads.
    type Held: Copy;
    const GROUP: usize = <Self::Element as Element>::GROUP;
    /// Groups of activations that lie in a vector side by side until each is multiplied with all lanes
    /// of the weights, where the machine multiplies by an element; else 1.
    const STEPS: usize;
    /// The same `GROUP` activations in each lane.
    unsafe fn spread(from: *const Self::Element) -> Self::Operand;
    /// `GROUP` weights for each lane.
    unsafe fn weights(from: *const Self::Element) -> Self::Operand;
    /// Adds the products to the sums in `self`.
    unsafe fn add_products(self, activations: Self::Operand, weights: Self::Operand) -> Self;
    /// `STEPS` groups of activations.
    unsafe fn hold(from: *const Self::Element) -> Self::Held;
    /// Adds the products of group `step` of them, which loops that are unrolled make a constant.
    unsafe fn add_held(self, held: Self::Held, step: usize, weights: Self::Operand) -> Self;
}

/// Floats of a machine that reads one into all lanes as it multiplies.
pub(in crate::cpu) trait Broadcast: Vector<Element = f32> {}

// SAFETY: every function does what it is named after, on the caller's promises.
unsafe impl<V: Broadcast> Products for V {
    type Operand = V;
    type Held = V;
    const STEPS: usize = 1;

    #[inline(always)]
    unsafe fn spread(from: *const f32) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::splat(*from) }
    }

    #[inline(always)]
    unsafe fn weights(from: *const f32) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::load(from) }
    }

    #[inline(always)]
    unsafe fn add_products(self, activations: V, weights: V) -> V {
        // SAFETY: the caller's promise.
        unsafe { activations.mul_add(weights, self) }
    }

    #[inline(always)]
    unsafe fn hold(from: *const f32) -> V {
        // SAFETY: the caller's promise.
        unsafe { V::spread(from) }
    }

    #[inline(always)]
    unsafe fn add_held(self, held: V, _step: usize, weights: V) -> V {
        // SAFETY: the caller's promise.
        unsafe { self.add_products(held, weights) }
    }
}

/// Pixels of a row that the depthwise kernel computes together: neighbours share what they
/// load.
const DEPTHWISE_PIXELS: usize = 7;

/// `ROWS` rows at a time, which share most of what they load, and of a stride of 2, where they share
/// less, `STRIDED`.
///
/// # Safety
/// The machine has `V`'s instructions, and [`Depthwise::check`] passed.
#[inline(always)]
pub(in crate::cpu) unsafe fn depthwise<V: Vector, const ROWS: usize, const STRIDED: usize>(
    task: &Depthwise<V::Element>,
    output: &mut [V::Element],
) {
    let mut row = 0;
    while row < task.rows {
        // SAFETY: `row` and as many rows as there are taken are below `task.rows`.
        unsafe {
            let left = task.rows - row;
            row += match task.stride {
                1 if left >= ROWS => depthwise_rows::<V, 1, ROWS>(task, row, output),
                1 => depthwise_rows::<V, 1, 1>(task, row, output),
                _ if left >= STRIDED => depthwise_rows::<V, 2, STRIDED>(task, row, output),
                _ => depthwise_rows::<V, 2, 1>(task, row, output),
            };
        }
    }
}

/// `ROWS` rows from `row` on. Returns `ROWS`.
#[inline(always)]
unsafe fn depthwise_rows<V: Vector, const STRIDE: usize, const ROWS: usize>(
    task: &Depthwise<V::Element>,
    row: usize,
    output: &mut [V::Element],
) -> usize {
    let mut column = 0;
    while column < task.columns {
        let left = task.columns - column;
        // SAFETY: `check` covers every window of every pixel of every row.
        unsafe {
            let top = row * STRIDE * task.row_stride;
            let input = task.input.as_ptr();
            let input = input.add(top + column * STRIDE * task.channels);
            let pixel = row * task.columns + column;
            let output = output.as_mut_ptr().add(pixel * task.output_stride);
            column += match left {
                DEPTHWISE_PIXELS.. => {
                    depthwise_pixels::<V, STRIDE, ROWS, DEPTHWISE_PIXELS>(task, input, output)
                }
                4.. => depthwise_pixels::<V, STRIDE, ROWS, 4>(task, input, output),
                _ => depthwise_pixels::<V, STRIDE, ROWS, 1>(task, input, output),
            };
        }
    }
    ROWS
}

/// `PIXELS` neighbours of `ROWS` rows, all channels. Returns `PIXELS`.
#[inline(always)]
unsafe fn depthwise_pixels<
    V: Vector,
    const STRIDE: usize,
    const ROWS: usize,
    const PIXELS: usize,
>(
    task: &Depthwise<V::Element>,
    input: *const V::Element,
    output: *mut V::Element,
) -> usize {
    let channels = task.channels;
    let mut c = 0;
    while c < channels {
        // SAFETY: `c + LANES <= channels`, and the caller's pointers are good for the windows of
        // `PIXELS` pixels of `ROWS` rows.
        unsafe {
            let mut sums = [[V::load(task.bias.as_ptr().add(c)); PIXELS]; ROWS];
            let mut taps = [[V::splat(0.0); 3]; 3];
            for (tap, taps) in taps.as_flattened_mut().iter_mut().enumerate() {
                *taps = V::load(task.weight.as_ptr().add(tap * channels + c));
            }
            for y in 0..(ROWS - 1) * STRIDE + 3 {
                let line = input.add(y * task.row_stride + c);
                // What is under the window of a pixel depends on constants alone.
                for (r, sums) in sums.iter_mut().enumerate() {
                    let Some(taps) = y.checked_sub(r * STRIDE).and_then(|ky| taps.get(ky)) else {
                        continue;
                    };
                    for (p, sum) in sums.iter_mut().enumerate() {
                        for (kx, tap) in taps.iter().enumerate() {
                            let value = V::read(line.add((p * STRIDE + kx) * channels));
                            *sum = value.mul_add(*tap, *sum);
                        }
                    }
                }
            }
            let (low, high) = (V::splat(0.0), V::splat(task.high));
            for (r, sums) in sums.iter().enumerate() {
                for (p, sum) in sums.iter().enumerate() {
                    let pixel = r * task.columns + p;
                    let to = output.add(pixel * task.output_stride + c);
                    sum.max(low).min(high).write(to);
                }
            }
        }
        c += V::LANES;
    }
    PIXELS
}

/// Steps of the depth by which weights are asked for in advance.
const PREFETCH_STEPS: usize = 64;

/// The pointwise product, `ROWS` pixels at a time by panels of `VECTORS` vectors, and `TAIL_ROWS` by
/// those of a single vector, of which there are some where channels don't fill a panel.
///
/// # Safety
/// The machine has `V`'s instructions, [`Pointwise::check`] passed, and nobody else writes to
/// what the task writes to.
#[inline(always)]
pub(in crate::cpu) unsafe fn pointwise<
    V: Products,
    const ROWS: usize,
    const VECTORS: usize,
    const TAIL_ROWS: usize,
>(
    task: &Pointwise<V::Element>,
    output: Output<V::Element>,
) {
    let panel = V::LANES * VECTORS;
    let mut channel = 0;
    // A single pixel has too few sums in one panel to keep the multipliers busy.
    while task.offsets.0.len() == 1 && channel + SINGLE_PANELS * panel <= task.channels {
        // SAFETY: these panels lie within `channels`; the rest is the caller's promise.
        unsafe { pointwise_single::<V, VECTORS>(task, channel, output) };
        channel += SINGLE_PANELS * panel;
    }
    while channel + panel <= task.channels {
        // SAFETY: the panel lies within `channels`; the rest is the caller's promise.
        unsafe { pointwise_panel::<V, ROWS, VECTORS, false>(task, channel, output) };
        channel += panel;
    }
    // Two of a single vector go together where they don't make a panel.
    while VECTORS > 2 && channel + 2 * V::LANES <= task.channels {
        // SAFETY: as above.
        unsafe { pointwise_panel::<V, ROWS, 2, true>(task, channel, output) };
        channel += 2 * V::LANES;
    }
    while channel < task.channels {
        // SAFETY: as above.
        unsafe { pointwise_panel::<V, TAIL_ROWS, 1, false>(task, channel, output) };
        channel += V::LANES;
    }
}

/// Panels that a single pixel goes through together.
const SINGLE_PANELS: usize = 4;

/// One pixel by [`SINGLE_PANELS`] panels; the sums are taken in the same order as in a tile.
#[inline(always)]
unsafe fn pointwise_single<V: Products, const VECTORS: usize>(
    task: &Pointwise<V::Element>,
    channel: usize,
    output: Output<V::Element>,
) {
    let panel = V::LANES * VECTORS;
    // SAFETY: `check` covers the pixel and these panels.
    unsafe {
        let bias = task.bias.as_ptr().add(channel);
        let weight = task.weight.as_ptr().add(channel * task.depth);
        let weights = |p: usize, v: usize, k: usize| {
            let weight = weight.add((p * task.depth + k) * panel);
            V::weights(weight.add(v * V::LANES * V::GROUP))
        };
        let mut sums = [[V::splat(0.0); VECTORS]; SINGLE_PANELS];
        for (i, sum) in sums.as_flattened_mut().iter_mut().enumerate() {
            *sum = V::load(bias.add(i * V::LANES));
        }
        let held = held_depth::<V>(task.depth);
        for k in (0..held).step_by(V::GROUP * V::STEPS) {
            let values = V::hold(task.input.as_ptr().add(k));
            for step in 0..V::STEPS {
                for (p, sums) in sums.iter_mut().enumerate() {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        let weights = weights(p, v, k + step * V::GROUP);
                        *sum = sum.add_held(values, step, weights);
                    }
                }
            }
        }
        for k in (held..task.depth).step_by(V::GROUP) {
            let values = V::spread(task.input.as_ptr().add(k));
            for (p, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.add_products(values, weights(p, v, k));
                }
            }
        }
        let (low, high) = (V::splat(task.bounds.0), V::splat(task.bounds.1));
        let offset = task.offsets.0.get_unchecked(0);
        let to = output.start.add(task.start + offset + channel);
        for (i, sum) in sums.as_flattened().iter().enumerate() {
            sum.max(low).min(high).write(to.add(i * V::LANES));
        }
    }
}

/// How much of the depth is [held](Products::hold): all of it, where that is a group at a time.
#[inline(always)]
fn held_depth<V: Products>(depth: usize) -> usize {
    match V::STEPS {
        1 => depth,
        steps => depth / (V::GROUP * steps) * (V::GROUP * steps),
    }
}

/// All pixels by one panel, whose weights stay in the first-level cache meanwhile; or by as many
/// panels of a single vector, where they are `APART`.
#[inline(always)]
unsafe fn pointwise_panel<
    V: Products,
    const ROWS: usize,
    const VECTORS: usize,
    const APART: bool,
>(
    task: &Pointwise<V::Element>,
    channel: usize,
    output: Output<V::Element>,
) {
    let pixels = task.offsets.0.len();
    let mut pixel = 0;
    while pixel < pixels {
        let rows = pixels - pixel;
        // SAFETY: each tile takes no more pixels than are left.
        unsafe {
            pixel += if rows >= ROWS {
                pointwise_tile::<V, ROWS, VECTORS, APART>(task, channel, pixel, output)
            } else if ROWS > 7 && rows >= 7 {
                pointwise_tile::<V, 7, VECTORS, APART>(task, channel, pixel, output)
            } else if ROWS > 4 && rows >= 4 {
                pointwise_tile::<V, 4, VECTORS, APART>(task, channel, pixel, output)
            } else if ROWS > 2 && rows >= 2 {
                pointwise_tile::<V, 2, VECTORS, APART>(task, channel, pixel, output)
            } else {
                pointwise_tile::<V, 1, VECTORS, APART>(task, channel, pixel, output)
            };
        }
    }
}

/// `ROWS` pixels by one panel, in registers. Returns `ROWS`.
///
/// A pixel's sum is the bias and then the products in the order of the depth, whatever the tile
/// it falls into: so answers depend on neither threads nor batch.
#[inline(always)]
unsafe fn pointwise_tile<
    V: Products,
    const ROWS: usize,
    const VECTORS: usize,
    const APART: bool,
>(
    task: &Pointwise<V::Element>,
    channel: usize,
    pixel: usize,
    output: Output<V::Element>,
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
        // From a vector of weights to the next, and from a group of the depth.
        let (apart, step) = match APART {
            true => (V::LANES * task.depth, V::LANES * V::GROUP),
            false => (V::LANES * V::GROUP, V::LANES * VECTORS * V::GROUP),
        };
        let read = |weight: *const V::Element| {
            let mut weights = [V::weights(weight); VECTORS];
            for (v, w) in weights.iter_mut().enumerate() {
                *w = V::weights(weight.add(v * apart));
            }
            prefetch_near(weight.wrapping_add(PREFETCH_STEPS * step), step);
            weights
        };
        let held = held_depth::<V>(task.depth);
        for k in (0..held).step_by(V::GROUP * V::STEPS) {
            let mut values = [V::hold(input.add(k)); ROWS];
            if V::STEPS > 1 {
                for (r, values) in values.iter_mut().enumerate() {
                    *values = V::hold(input.add(r * stride + k));
                }
            }
            for group in 0..V::STEPS {
                let weights = read(weight);
                weight = weight.add(step);
                for (r, row) in sums.iter_mut().enumerate() {
                    // One at a time, where it is multiplied at once.
                    let values = match V::STEPS {
                        1 => V::hold(input.add(r * stride + k)),
                        _ => values[r],
                    };
                    for (sum, w) in row.iter_mut().zip(&weights) {
                        *sum = sum.add_held(values, group, *w);
                    }
                }
            }
        }
        for k in (held..task.depth).step_by(V::GROUP) {
            let weights = read(weight);
            weight = weight.add(step);
            for (r, row) in sums.iter_mut().enumerate() {
                let values = V::spread(input.add(r * stride + k));
                for (sum, w) in row.iter_mut().zip(&weights) {
                    *sum = sum.add_products(values, *w);
                }
            }
        }
        let low = V::splat(task.bounds.0);
        let high = V::splat(task.bounds.1);
        let start = output.start.add(task.start + channel);
        for (r, row) in sums.iter().enumerate() {
            let to = start.add(*task.offsets.0.get_unchecked(pixel + r));
            for (v, sum) in row.iter().enumerate() {
                sum.max(low).min(high).write(to.add(v * V::LANES));
            }
        }
    }
    ROWS
}

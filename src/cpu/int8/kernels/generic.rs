//! Each loop once, over vector types.
//!
//! Everything here is `#[inline(always)]`, so that it is compiled within the function of an
//! instruction set that calls it, with that set's instructions.
//!
//! Zero points are mostly 0, since what ReLU6 leaves is never negative; there nothing is added.

use super::{Bounds, DEPTHWISE_WEIGHTS, Depthwise, Output, Pointwise, STEM_PAIRS, Stem};

/// A vector of 32-bit sums of products of activations and pointwise weights.
///
/// # Safety
/// Its functions may only be called where the machine has the vector's instructions, with
/// pointers that are good for what they read or write.
pub(super) unsafe trait Sums: Copy {
    /// Sums in a vector.
    const LANES: usize;
    /// Products that are added to a sum at once.
    const GROUP: usize;
    /// Words of 32 bits that a channel's factor takes.
    const FACTOR_WORDS: usize = 1;
    /// What is multiplied: four bytes a lane.
    type Operand: Copy;
    /// Reads `LANES` sums.
    unsafe fn load(from: *const i32) -> Self;
    /// The same four bytes of activations in each lane.
    unsafe fn splat(from: *const u8) -> Self::Operand;
    /// Four bytes of weights for each lane.
    unsafe fn weights(from: *const u8) -> Self::Operand;
    /// Adds the products of activations and weights.
    unsafe fn dot(self, activations: Self::Operand, weights: Self::Operand) -> Self;
    /// The first part of [`requantise`](super::requantise): each of `LANES` sums as f32, times its
    /// multiplier. In parts, because the compiler keeps the sums of a tile in registers only
    /// where loops over them are short enough to be unrolled.
    unsafe fn scale(self, multiplier: *const f32) -> Self;
    /// The second part: what [`scale`](Self::scale) gave within bounds, rounded to integers.
    unsafe fn round(self, bounds: Bounds) -> Self;
    /// Adds one number to each: the third part, for the zero point.
    unsafe fn add(self, zero: i32) -> Self;
    /// The fourth part: values from 0 to 255 as `LANES` bytes.
    unsafe fn store(self, to: *mut u8);
    /// The same for values of 12 bits, as `LANES` words of 16.
    unsafe fn store_words(self, to: *mut u8);
}

/// A vector of 16-bit activations of as many channels, on their way through a depthwise
/// convolution.
///
/// # Safety
/// As [`Sums`].
pub(super) unsafe trait Wide: Copy {
    /// Channels in a vector, a block of weights.
    const CHANNELS: usize;
    /// Bytes of an activation in a tile.
    const TILE_BYTES: usize;
    /// Words of 32 bits that a channel's factor takes.
    const FACTOR_WORDS: usize = 1;
    /// Sums of half of the channels.
    type Sum: Copy;
    /// Reads `CHANNELS` bytes.
    unsafe fn load(from: *const u8) -> Self;
    /// Zeros.
    unsafe fn zero() -> Self;
    /// Pairs of `self` and `other`, of the lower and the upper channels of each 128 bits.
    unsafe fn pairs(self, other: Self) -> [Self; 2];
    /// Reads `CHANNELS / 2` sums.
    unsafe fn sums(from: *const i32) -> Self::Sum;
    /// Adds to each sum the two products of a pair and the weights' pair.
    unsafe fn dot(self, weights: Self, sum: Self::Sum) -> Self::Sum;
    /// Reads `CHANNELS` 16-bit weights, or activations of 16 bits.
    unsafe fn weights(from: *const i16) -> Self;
    /// [`requantise`](super::requantise) both halves, to `CHANNELS` activations of a tile.
    unsafe fn store(sums: [Self::Sum; 2], multiplier: *const f32, bounds: Bounds, to: *mut u8);
}

/// A depthwise convolution in blocks of `V`'s channels, `PIXELS` of a row at a time; where less
/// than a block is left, in blocks of `N`'s.
///
/// # Safety
/// The machine has the vectors' instructions, and [`Depthwise::check`] passed.
#[inline(always)]
pub(super) unsafe fn depthwise<V: Wide, N: Wide, const PIXELS: usize>(
    task: &Depthwise,
    tile: &mut [u8],
) {
    // SAFETY: as the caller says.
    unsafe {
        match task.reads_words {
            true => depthwise_rows::<V, N, PIXELS, 2>(task, tile),
            false => depthwise_rows::<V, N, PIXELS, 1>(task, tile),
        }
    }
}

/// The same for activations of so many bytes.
#[inline(always)]
unsafe fn depthwise_rows<V: Wide, N: Wide, const PIXELS: usize, const BYTES: usize>(
    task: &Depthwise,
    tile: &mut [u8],
) {
    let tile = tile.as_mut_ptr();
    for row in 0..task.rows {
        let mut channel = 0;
        // SAFETY: the blocks lie within `channels`, and `check` covers every window.
        unsafe {
            while channel + V::CHANNELS <= task.channels {
                depthwise_row::<V, PIXELS, BYTES>(task, row, channel, tile);
                channel += V::CHANNELS;
            }
            while channel < task.channels {
                depthwise_row::<N, PIXELS, BYTES>(task, row, channel, tile);
                channel += N::CHANNELS;
            }
        }
    }
}

/// One block of channels of all pixels of a row.
#[inline(always)]
unsafe fn depthwise_row<V: Wide, const PIXELS: usize, const BYTES: usize>(
    task: &Depthwise,
    row: usize,
    channel: usize,
    tile: *mut u8,
) {
    // SAFETY: as the caller says.
    unsafe {
        match task.stride {
            1 => depthwise_columns::<V, 1, PIXELS, BYTES>(task, row, channel, tile),
            _ => depthwise_columns::<V, 2, PIXELS, BYTES>(task, row, channel, tile),
        }
    }
}

#[inline(always)]
unsafe fn depthwise_columns<
    V: Wide,
    const STRIDE: usize,
    const PIXELS: usize,
    const BYTES: usize,
>(
    task: &Depthwise,
    row: usize,
    channel: usize,
    tile: *mut u8,
) {
    // SAFETY: each call takes no more pixels than are left, and `check` covers their windows.
    unsafe {
        let mut column = 0;
        let line = task.input.as_ptr();
        let line = line.add((row * STRIDE * task.row_stride + channel) * BYTES);
        while column < task.columns {
            let left = task.columns - column;
            let input = line.add(column * STRIDE * task.channels * BYTES);
            let pixel = row * task.columns + column;
            let to = tile.add((pixel * task.output_stride + channel) * V::TILE_BYTES);
            column += if left >= PIXELS {
                depthwise_pixels::<V, STRIDE, PIXELS, BYTES>(task, channel, input, to)
            } else if PIXELS > 4 && left >= 4 {
                depthwise_pixels::<V, STRIDE, 4, BYTES>(task, channel, input, to)
            } else if PIXELS > 2 && left >= 2 {
                depthwise_pixels::<V, STRIDE, 2, BYTES>(task, channel, input, to)
            } else {
                depthwise_pixels::<V, STRIDE, 1, BYTES>(task, channel, input, to)
            };
        }
    }
}

/// `PIXELS` neighbours, one block of channels. Returns `PIXELS`.
#[inline(always)]
unsafe fn depthwise_pixels<
    V: Wide,
    const STRIDE: usize,
    const PIXELS: usize,
    const BYTES: usize,
>(
    task: &Depthwise,
    channel: usize,
    input: *const u8,
    to: *mut u8,
) -> usize {
    // SAFETY: `check` covers weights, bias and multipliers of all blocks, and the windows.
    unsafe {
        let half = V::CHANNELS / 2;
        let weight = task.weight.as_ptr().add(channel * DEPTHWISE_WEIGHTS);
        let bias = task.bias.as_ptr().add(channel);
        let mut weights = [[V::zero(); 4]; 3];
        for (i, weights) in weights.as_flattened_mut().iter_mut().enumerate() {
            *weights = V::weights(weight.add(i * V::CHANNELS));
        }
        let mut sums = [[V::sums(bias), V::sums(bias.add(half))]; PIXELS];
        for x in 0..(PIXELS - 1) * STRIDE + 3 {
            let from = input.add(x * task.channels * BYTES);
            let [first, second, third] = [0, 1, 2].map(|y: usize| {
                let from = from.add(y * task.row_stride * BYTES);
                if BYTES == 2 {
                    V::weights(from.cast())
                } else {
                    V::load(from)
                }
            });
            let upper = first.pairs(second);
            let lower = third.pairs(V::zero());
            // What is under the window of a pixel depends on constants alone.
            for (p, sums) in sums.iter_mut().enumerate() {
                let Some([a, b, c, d]) = x.checked_sub(p * STRIDE).and_then(|kx| weights.get(kx))
                else {
                    continue;
                };
                sums[0] = lower[0].dot(*c, upper[0].dot(*a, sums[0]));
                sums[1] = lower[1].dot(*d, upper[1].dot(*b, sums[1]));
            }
        }
        let multiplier = task.multiplier.as_ptr().add(channel * V::FACTOR_WORDS);
        let step = task.output_stride * V::TILE_BYTES;
        if task.bounds.zero == 0 {
            let bounds = task.bounds.without_zero();
            for (p, sums) in sums.iter().enumerate() {
                V::store(*sums, multiplier, bounds, to.add(p * step));
            }
        } else {
            for (p, sums) in sums.iter().enumerate() {
                V::store(*sums, multiplier, task.bounds, to.add(p * step));
            }
        }
    }
    PIXELS
}

/// The pointwise product, `ROWS` pixels at a time by panels of `VECTORS` vectors.
///
/// # Safety
/// The machine has `S`'s instructions, [`Pointwise::check`] passed, and nobody else writes to
/// what the task writes to.
#[inline(always)]
pub(super) unsafe fn pointwise<S: Sums, const ROWS: usize, const VECTORS: usize>(
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
unsafe fn pointwise_panels<S: Sums, const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
    task: &Pointwise,
    tile_bytes: usize,
    output: Output,
) {
    let panel = S::LANES * VECTORS;
    let mut channel = 0;
    while channel + panel <= task.channels {
        // SAFETY: the panel lies within `channels`; the rest is the caller's promise.
        unsafe { pointwise_panel::<S, ROWS, VECTORS, BYTES>(task, tile_bytes, channel, output) };
        channel += panel;
    }
    while channel < task.channels {
        // SAFETY: as above.
        unsafe { pointwise_panel::<S, ROWS, 1, BYTES>(task, tile_bytes, channel, output) };
        channel += S::LANES;
    }
}

/// All pixels by one panel, whose weights stay in the first-level cache meanwhile.
#[inline(always)]
unsafe fn pointwise_panel<S: Sums, const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
    task: &Pointwise,
    tile_bytes: usize,
    channel: usize,
    output: Output,
) {
    let pixels = task.offsets.list().len();
    let mut pixel = 0;
    while pixel < pixels {
        let rows = pixels - pixel;
        // SAFETY: each tile takes no more pixels than are left.
        unsafe {
            pixel += if rows >= ROWS {
                pointwise_tile::<S, ROWS, VECTORS, BYTES>(task, tile_bytes, channel, pixel, output)
            } else if ROWS > 7 && rows >= 7 {
                pointwise_tile::<S, 7, VECTORS, BYTES>(task, tile_bytes, channel, pixel, output)
            } else if ROWS > 4 && rows >= 4 {
                pointwise_tile::<S, 4, VECTORS, BYTES>(task, tile_bytes, channel, pixel, output)
            } else if ROWS > 2 && rows >= 2 {
                pointwise_tile::<S, 2, VECTORS, BYTES>(task, tile_bytes, channel, pixel, output)
            } else {
                pointwise_tile::<S, 1, VECTORS, BYTES>(task, tile_bytes, channel, pixel, output)
            };
        }
    }
}

/// `ROWS` pixels by one panel, in registers. Returns `ROWS`.
#[inline(always)]
unsafe fn pointwise_tile<S: Sums, const ROWS: usize, const VECTORS: usize, const BYTES: usize>(
    task: &Pointwise,
    tile_bytes: usize,
    channel: usize,
    pixel: usize,
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
        for k in (0..depth).step_by(4) {
            let mut weights = [S::weights(weight); VECTORS];
            for (v, w) in weights.iter_mut().enumerate() {
                *w = S::weights(weight.add(v * S::LANES * 4));
            }
            weight = weight.add(S::LANES * VECTORS * 4);
            for (r, row) in sums.iter_mut().enumerate() {
                let values = S::splat(input.add(r * stride + k));
                for (sum, w) in row.iter_mut().zip(&weights) {
                    *sum = sum.dot(values, *w);
                }
            }
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
        for row in &mut sums {
            for (v, sum) in row.iter_mut().enumerate() {
                *sum = sum.scale(multiplier.add(v * S::LANES * S::FACTOR_WORDS));
            }
        }
        for sum in sums.as_flattened_mut() {
            *sum = sum.round(task.bounds);
        }
        if task.bounds.zero != 0 {
            for sum in sums.as_flattened_mut() {
                *sum = sum.add(task.bounds.zero);
            }
        }
        for (r, row) in sums.iter().enumerate() {
            let to = start.add(*task.offsets.list().get_unchecked(pixel + r) * BYTES);
            for (v, sum) in row.iter().enumerate() {
                let to = to.add(v * S::LANES * BYTES);
                if BYTES == 2 {
                    sum.store_words(to);
                } else {
                    sum.store(to);
                }
            }
        }
    }
    ROWS
}

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
        for row in &mut sums {
            for (v, sum) in row.iter_mut().enumerate() {
                *sum = sum.scale(multiplier.add(v * S::LANES * S::FACTOR_WORDS));
            }
        }
        for sum in sums.as_flattened_mut() {
            *sum = sum.round(task.bounds);
        }
        let to = task.start + pixel * task.output_stride + channel;
        if task.bounds.zero != 0 {
            for sum in sums.as_flattened_mut() {
                *sum = sum.add(task.bounds.zero);
            }
        }
        for (r, row) in sums.iter().enumerate() {
            let to = output.start.add((to + r * task.output_stride) * BYTES);
            for (v, sum) in row.iter().enumerate() {
                let to = to.add(v * S::LANES * BYTES);
                if BYTES == 2 {
                    sum.store_words(to);
                } else {
                    sum.store(to);
                }
            }
        }
    }
    ROWS
}

/// Multiplications and additions of `steps` steps of `SUMS` sums that don't wait for each other:
/// the most that an instruction set can do.
///
/// # Safety
/// The machine has `S`'s instructions.
#[inline(always)]
pub(super) unsafe fn peak<S: Sums, const SUMS: usize>(steps: usize) -> usize {
    // SAFETY: the memory that is read is as long as the longest vector.
    unsafe {
        let ones = std::hint::black_box([1u8; 64]);
        let operand = S::weights(ones.as_ptr());
        let mut sums = [S::load(ones.as_ptr().cast()); SUMS];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = sum.dot(operand, operand);
            }
        }
        let bounds = Bounds {
            low: 0.0,
            high: 255.0,
            zero: 0,
        };
        for sum in sums {
            let mut result = [0u8; 64];
            sum.round(bounds).store(result.as_mut_ptr());
            std::hint::black_box(result);
        }
    }
    // As many products a lane as values fit four bytes.
    2 * steps * SUMS * S::LANES * S::GROUP
}

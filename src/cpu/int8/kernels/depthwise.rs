//! The depthwise convolution in integers, over a vector type.

use super::generic::Wide;
use super::{DEPTHWISE_WEIGHTS, Depthwise};

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
            column += if left >= PIXELS {
                depthwise_pixels::<V, STRIDE, PIXELS, BYTES>(task, channel, pixel, input, tile)
            } else if PIXELS > 4 && left >= 4 {
                depthwise_pixels::<V, STRIDE, 4, BYTES>(task, channel, pixel, input, tile)
            } else if PIXELS > 2 && left >= 2 {
                depthwise_pixels::<V, STRIDE, 2, BYTES>(task, channel, pixel, input, tile)
            } else {
                depthwise_pixels::<V, STRIDE, 1, BYTES>(task, channel, pixel, input, tile)
            };
        }
    }
}

/// `PIXELS` neighbours from `pixel` of the tile on, one block of channels. Returns `PIXELS`.
#[inline(always)]
unsafe fn depthwise_pixels<
    V: Wide,
    const STRIDE: usize,
    const PIXELS: usize,
    const BYTES: usize,
>(
    task: &Depthwise,
    channel: usize,
    pixel: usize,
    input: *const u8,
    tile: *mut u8,
) -> usize {
    // SAFETY: `check` covers weights, bias and multipliers of all blocks, and the windows.
    unsafe {
        let half = V::CHANNELS / 2;
        let weight = task.weight.as_ptr().add(channel * DEPTHWISE_WEIGHTS);
        let bias = task.bias.as_ptr().add(channel);
        let mut weights = [V::weights(weight, 0); 3];
        for (kx, weights) in weights.iter_mut().enumerate() {
            *weights = V::weights(weight, kx);
        }
        let mut sums = [[V::sums(bias), V::sums(bias.add(half))]; PIXELS];
        for x in 0..(PIXELS - 1) * STRIDE + 3 {
            let from = input.add(x * task.channels * BYTES);
            let read = |y: usize| {
                let from = from.add(y * task.row_stride * BYTES);
                if BYTES == 2 {
                    V::load_words(from.cast())
                } else {
                    V::load(from)
                }
            };
            let column = V::column([read(0), read(1), read(2)]);
            // What is under the window of a pixel depends on constants alone.
            for (p, sums) in sums.iter_mut().enumerate() {
                if let Some(weights) = x.checked_sub(p * STRIDE).and_then(|kx| weights.get(kx)) {
                    V::add(&column, weights, sums);
                }
            }
        }
        let multiplier = task.multiplier.as_ptr().add(channel * V::FACTOR_WORDS);
        let to = |p: usize| tile.add(V::place(pixel, p, task.output_stride, channel));
        if task.bounds.zero == 0 {
            let bounds = task.bounds.without_zero();
            for (p, sums) in sums.iter().enumerate() {
                V::store(*sums, multiplier, bounds, to(p));
            }
        } else {
            for (p, sums) in sums.iter().enumerate() {
                V::store(*sums, multiplier, task.bounds, to(p));
            }
        }
    }
    PIXELS
}

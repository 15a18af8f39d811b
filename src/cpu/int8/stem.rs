//! The stem in integers.

use std::ops::Range;

use super::kernels::{self, Kernels, Output, STEM_PAIRS};
use super::weights::{PackedInt8, STEM_ROW};
use crate::cpu::pixels::Picture;
use crate::cpu::workspace::{PaddedImage, Scratch};
use crate::model::{ByteIntegers, PixelIntegers};
use crate::pixels::COLOURS;

/// Lines under a row of windows.
const LINES: usize = 3;

/// The stem's work on one image.
pub(super) struct StemPass<'a> {
    pub kernels: &'static Kernels,
    pub weights: &'a PackedInt8,
    /// The image with the zeros around it.
    pub read: PaddedImage,
    pub written: PaddedImage,
    pub picture: Picture<'a>,
    /// What becomes of its pixels.
    pub pixels: &'a PixelIntegers,
    pub output: Output,
}

impl StemPass<'_> {
    /// Bytes that the lines under a row of windows take.
    pub fn tile_bytes(read: PaddedImage) -> usize {
        Self::line_len(read) * LINES * size_of::<i16>()
    }

    /// Values of a line: all pixels, and what the last window's last pair reads beyond them.
    fn line_len(read: PaddedImage) -> usize {
        (read.columns.total() * COLOURS + STEM_ROW).next_multiple_of(32)
    }

    /// Some rows of the output.
    pub fn run(&self, rows: Range<usize>, scratch: &mut Scratch) {
        let values: &mut [i16] = bytemuck::cast_slice_mut(scratch.tile.floats_mut());
        let len = Self::line_len(self.read);
        let lines = &mut values[..LINES * len];
        let stride = self.weights.params.stride;
        // The first line that is not among those of the last row. Three neighbours have places of
        // their own.
        let mut next = rows.start * stride;
        for row in rows {
            let first = row * stride;
            for line in next.max(first)..first + LINES {
                self.line(line, &mut lines[line % LINES * len..][..len]);
            }
            next = first + LINES;
            let task = kernels::Stem {
                input: lines,
                taps: std::array::from_fn(|pair| {
                    let (ky, within) = (pair / (STEM_PAIRS / LINES), pair % (STEM_PAIRS / LINES));
                    (first + ky) % LINES * len + 2 * within
                }),
                step: stride * COLOURS,
                weight: self.weights.weight_words(),
                bias: self.weights.bias(),
                multiplier: self.weights.multiplier(),
                channels: self.weights.channels,
                columns: self.written.columns.len,
                writes_words: self.weights.output.is_wide(),
                start: self.written.offset(row, 0),
                output_stride: self.written.channels,
                bounds: self.weights.bounds(),
            };
            // SAFETY: each thread has rows of its own.
            unsafe { self.kernels.stem(&task, self.output) };
        }
    }

    /// A line of the image, `[column][colour]` in integers, with the zeros around it; `row` counts from
    /// the first of the zeros above it.
    fn line(&self, row: usize, line: &mut [i16]) {
        let rows = self.read.rows;
        let columns = self.read.columns;
        let Some(row) = row.checked_sub(rows.before).filter(|row| *row < rows.len) else {
            line.fill(0);
            return;
        };
        let (before, rest) = line.split_at_mut(columns.before * COLOURS);
        let (middle, after) = rest.split_at_mut(columns.len * COLOURS);
        before.fill(0);
        after.fill(0);
        match self.picture {
            Picture::Bytes(pixels) => {
                let from = &pixels[row * columns.len * COLOURS..][..columns.len * COLOURS];
                let (factor, zero) = match &self.pixels.bytes {
                    ByteIntegers::Linear { factor, zero } => (*factor, *zero),
                    ByteIntegers::Table(table) => {
                        for (i, (value, byte)) in middle.iter_mut().zip(from).enumerate() {
                            *value = table[i % COLOURS][usize::from(*byte)];
                        }
                        return;
                    }
                };
                let [red, green, blue] = zero;
                if red == green && green == blue {
                    // In vectors.
                    for (value, byte) in middle.iter_mut().zip(from) {
                        *value = factor * i16::from(*byte) - red;
                    }
                } else {
                    let zero = zero.iter().cycle();
                    for ((value, byte), zero) in middle.iter_mut().zip(from).zip(zero) {
                        *value = factor * i16::from(*byte) - zero;
                    }
                }
            }
            Picture::Planes(pixels) => {
                let plane = rows.len * columns.len;
                for colour in 0..COLOURS {
                    let from = &pixels[colour * plane + row * columns.len..][..columns.len];
                    let values = middle.iter_mut().skip(colour).step_by(COLOURS);
                    let (factor, shift) = self.pixels.scaled[colour];
                    let (low, high) = self.pixels.bounds;
                    let (low, high) = (f32::from(low), f32::from(high));
                    for (value, pixel) in values.zip(from) {
                        let steps = (pixel * factor + shift).max(low).min(high);
                        *value = steps.round_ties_even() as i16;
                    }
                }
            }
        }
    }
}

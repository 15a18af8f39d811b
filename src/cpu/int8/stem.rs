//! The stem in integers: windows are laid out one after the other, and multiplied as a pointwise
//! convolution's pixels are.

use std::ops::Range;

use super::kernels::{self, Kernels, Output};
use super::quantise::LARGEST_PIXEL;
use super::weights::{PackedInt8, STEM_DEPTH, STEM_ROW};
use crate::cpu::kernels::Offsets;
use crate::cpu::pixels::Picture;
use crate::cpu::workspace::{PaddedImage, Scratch};
use crate::pixels::COLOURS;

/// The stem's work on one image.
pub(super) struct StemPass<'a> {
    pub kernels: &'static Kernels,
    pub weights: &'a PackedInt8,
    /// The image with the zeros around it.
    pub read: PaddedImage,
    pub written: PaddedImage,
    pub picture: Picture<'a>,
    /// Twice the byte of each colour that is taken for 0.
    pub zero: [i16; COLOURS],
    /// By which a scaled pixel of each colour is multiplied, and what is added then, to come in
    /// halves of bytes above that.
    pub steps: [(f32, f32); COLOURS],
    pub output: Output,
}

impl StemPass<'_> {
    /// Bytes that the windows of a row of the output and the lines under them take.
    pub fn tile_bytes(read: PaddedImage, written: PaddedImage) -> usize {
        (Self::line_len(read) * 3 + written.columns.len * STEM_DEPTH) * size_of::<i16>()
    }

    /// Values of a line: all pixels, and what the last window's last pair reads beyond them.
    fn line_len(read: PaddedImage) -> usize {
        (read.columns.total() * COLOURS + STEM_ROW).next_multiple_of(32)
    }

    /// Some rows of the output.
    pub fn run(&self, rows: Range<usize>, scratch: &mut Scratch) {
        let Scratch { tile, offsets, .. } = scratch;
        let values: &mut [i16] = bytemuck::cast_slice_mut(tile.floats_mut());
        let line = Self::line_len(self.read);
        let columns = self.written.columns.len;
        let (lines, windows) = values.split_at_mut(3 * line);
        let windows = &mut windows[..columns * STEM_DEPTH];
        for row in rows {
            for (ky, line) in lines.chunks_exact_mut(line).enumerate() {
                self.line(row * self.weights.params.stride + ky, line);
            }
            let step = self.weights.params.stride * COLOURS;
            for (column, window) in windows.chunks_exact_mut(STEM_DEPTH).enumerate() {
                window[3 * STEM_ROW..].fill(0);
                let (rows, _) = window.as_chunks_mut::<STEM_ROW>();
                for (ky, row) in rows.iter_mut().enumerate() {
                    // Of a length that is known, so that it is two moves and not a call.
                    let values = lines[ky * line + column * step..].first_chunk();
                    *row = *values.unwrap_or(&[0; STEM_ROW]);
                }
            }
            let task = kernels::Pointwise {
                input: bytemuck::cast_slice(windows),
                input_stride: STEM_DEPTH,
                depth: STEM_DEPTH,
                weight: self.weights.weight_bytes(),
                bias: self.weights.bias(),
                multiplier: self.weights.multiplier(),
                channels: self.weights.channels,
                start: self.written.offset(row, 0),
                offsets: Offsets::of_rows(
                    offsets,
                    1,
                    columns,
                    self.written.channels,
                    self.written.row_stride(),
                ),
                bounds: (0.0, 255.0),
            };
            // SAFETY: each thread has rows of its own, and the offsets are those of a row.
            unsafe { self.kernels.stem(&task, self.output) };
        }
    }

    /// A line of the image, `[column][colour]` in steps, with the zeros around it; `row` counts from
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
            Picture::Bytes { pixels, .. } => {
                let from = &pixels[row * columns.len * COLOURS..][..columns.len * COLOURS];
                let (to, _) = middle.as_chunks_mut::<COLOURS>();
                let (from, _) = from.as_chunks::<COLOURS>();
                for (values, bytes) in to.iter_mut().zip(from) {
                    for ((value, byte), zero) in values.iter_mut().zip(bytes).zip(self.zero) {
                        *value = 2 * i16::from(*byte) - zero;
                    }
                }
            }
            Picture::Planes(pixels) => {
                let plane = rows.len * columns.len;
                for colour in 0..COLOURS {
                    let from = &pixels[colour * plane + row * columns.len..][..columns.len];
                    let values = middle.iter_mut().skip(colour).step_by(COLOURS);
                    let (factor, shift) = self.steps[colour];
                    let most = f32::from(LARGEST_PIXEL);
                    for (value, pixel) in values.zip(from) {
                        let steps = (pixel * factor + shift).clamp(-most, most);
                        *value = steps.round_ties_even() as i16;
                    }
                }
            }
        }
    }
}

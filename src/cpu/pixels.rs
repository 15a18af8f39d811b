//! Pictures as they come, and as the stem reads them: a line of each colour at a time, with zeros at
//! its ends.

use super::workspace::PaddedImage;
use crate::pixels::{ByteScale, COLOURS};

/// What the pixels of a batch are of.
pub(super) trait Pixel: Copy + Send + Sync + Sized {
    /// One picture of such pixels. `scale` is what bytes become.
    fn picture(pixels: &[Self], scale: ByteScale) -> Picture<'_>;
}

impl Pixel for u8 {
    fn picture(pixels: &[u8], scale: ByteScale) -> Picture<'_> {
        Picture::Bytes { pixels, scale }
    }
}

impl Pixel for f32 {
    fn picture(pixels: &[f32], _scale: ByteScale) -> Picture<'_> {
        Picture::Planes(pixels)
    }
}

/// One picture, without zeros around it.
#[derive(Clone, Copy)]
pub(super) enum Picture<'a> {
    /// `[row][column][colour]`.
    Bytes { pixels: &'a [u8], scale: ByteScale },
    /// `[colour][row][column]`, scaled.
    Planes(&'a [f32]),
}

impl Picture<'_> {
    /// Writes a row as one line for each colour, `stride` floats apart; zeros for a row that the
    /// picture doesn't have. `image` says how large it is and how many zeros belong around it.
    pub fn lines(self, row: Option<usize>, image: PaddedImage, stride: usize, lines: &mut [f32]) {
        let PaddedImage { rows, columns, .. } = image;
        let Some(row) = row.filter(|row| *row < rows.len) else {
            lines.fill(0.0);
            return;
        };
        let inside = columns.before..columns.before + columns.len;
        for line in lines.chunks_exact_mut(stride) {
            line[..inside.start].fill(0.0);
            line[inside.end..].fill(0.0);
        }
        match self {
            Self::Planes(pixels) => {
                let plane = rows.len * columns.len;
                for (colour, line) in lines.chunks_exact_mut(stride).enumerate() {
                    let start = colour * plane + row * columns.len;
                    line[inside.clone()].copy_from_slice(&pixels[start..start + columns.len]);
                }
            }
            Self::Bytes { pixels, scale } => {
                let pixels = &pixels[row * columns.len * COLOURS..][..columns.len * COLOURS];
                let (red, rest) = lines.split_at_mut(stride);
                let (green, blue) = rest.split_at_mut(stride);
                let [red, green, blue] = [red, green, blue].map(|line| &mut line[inside.clone()]);
                let lines = red.iter_mut().zip(green).zip(blue);
                for (pixel, ((red, green), blue)) in pixels.chunks_exact(COLOURS).zip(lines) {
                    *red = scale.of(0, pixel[0]);
                    *green = scale.of(1, pixel[1]);
                    *blue = scale.of(2, pixel[2]);
                }
            }
        }
    }
}

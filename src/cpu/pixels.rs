//! Pictures as they come, and as the stem reads them: a line of each colour at a time, with zeros at
//! its ends.

use super::element::Element;
use super::kernels::Kernels;
use super::workspace::PaddedImage;
use crate::pixels::{ByteScale, COLOURS, PixelScale};

/// What the pixels of a batch are of.
pub(super) trait Pixel: Copy + Send + Sync + Sized {
    /// One picture of such pixels.
    fn picture(pixels: &[Self]) -> Picture<'_>;
}

impl Pixel for u8 {
    fn picture(pixels: &[u8]) -> Picture<'_> {
        Picture::Bytes(pixels)
    }
}

impl Pixel for f32 {
    fn picture(pixels: &[f32]) -> Picture<'_> {
        Picture::Planes(pixels)
    }
}

/// One picture, without zeros around it.
#[derive(Clone, Copy)]
pub(super) enum Picture<'a> {
    /// `[row][column][colour]`.
    Bytes(&'a [u8]),
    /// `[colour][row][column]`, scaled.
    Planes(&'a [f32]),
}

/// What the stem reads for pixels.
#[derive(Debug)]
pub(super) struct StemPixels<E> {
    /// For each byte of each colour.
    bytes: [[E; 256]; COLOURS],
    /// The byte of each colour that becomes 0.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code))]
    pub zero: [f32; COLOURS],
    /// By which scaled pixels of each colour are multiplied.
    factor: [f32; COLOURS],
}

impl<E: Element> StemPixels<E> {
    pub fn new(scale: &PixelScale) -> Self {
        let unit = E::stem_unit(scale);
        let bytes = scale.of_bytes();
        let scale = std::array::from_fn(|colour| bytes.scale[colour] / unit[colour] as f32);
        let scaled = ByteScale { scale, ..bytes };
        let of_byte = |colour, byte| E::of(f64::from(scaled.of(colour, byte as u8)));
        Self {
            bytes: std::array::from_fn(|colour| std::array::from_fn(|byte| of_byte(colour, byte))),
            zero: bytes.zero,
            factor: unit.map(|unit| (1.0 / unit) as f32),
        }
    }

    /// Writes a row of pixels `[column][colour]` as a line of each colour.
    pub fn look_up(&self, pixels: &[u8], [red, green, blue]: [&mut [E]; COLOURS]) {
        let [reds, greens, blues] = &self.bytes;
        let lines = red.iter_mut().zip(green).zip(blue);
        for (pixel, ((red, green), blue)) in pixels.chunks_exact(COLOURS).zip(lines) {
            *red = reds[usize::from(pixel[0])];
            *green = greens[usize::from(pixel[1])];
            *blue = blues[usize::from(pixel[2])];
        }
    }
}

impl Picture<'_> {
    /// Writes a row as one line for each colour, `stride` elements apart; zeros for a row that the
    /// picture doesn't have. `image` says how large it is and how many zeros belong around it.
    pub fn lines<E: Element>(
        self,
        row: Option<usize>,
        image: PaddedImage,
        values: &StemPixels<E>,
        kernels: &Kernels<E>,
        stride: usize,
        lines: &mut [E],
    ) {
        let PaddedImage { rows, columns, .. } = image;
        let Some(row) = row.filter(|row| *row < rows.len) else {
            lines.fill(E::zeroed());
            return;
        };
        let inside = columns.before..columns.before + columns.len;
        for line in lines.chunks_exact_mut(stride) {
            line[..inside.start].fill(E::zeroed());
            line[inside.end..].fill(E::zeroed());
        }
        match self {
            Self::Planes(pixels) => {
                let plane = rows.len * columns.len;
                for (colour, line) in lines.chunks_exact_mut(stride).enumerate() {
                    let start = colour * plane + row * columns.len;
                    let pixels = &pixels[start..start + columns.len];
                    E::of_pixels(pixels, values.factor[colour], &mut line[inside.clone()]);
                }
            }
            Self::Bytes(pixels) => {
                let pixels = &pixels[row * columns.len * COLOURS..][..columns.len * COLOURS];
                let (red, rest) = lines.split_at_mut(stride);
                let (green, blue) = rest.split_at_mut(stride);
                let [red, green, blue] = [red, green, blue].map(|line| &mut line[inside.clone()]);
                kernels.bytes(pixels, values, [red, green, blue]);
            }
        }
    }
}

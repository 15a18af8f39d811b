//! Pictures as networks take them: bytes, or what was never rounded to bytes.

use image::imageops::flip_horizontal_in_place;
use image::{Rgb32FImage, RgbImage};

/// A picture at a network's size, before its values are scaled
/// ([`Preprocessing::apply`](super::Preprocessing::apply)).
#[derive(Debug, Clone, PartialEq)]
pub enum Pixels {
    /// What a resampler rounds to bytes.
    Bytes(RgbImage),
    /// From 0 to 255 (a little beyond, where a kernel overshoots), as TensorFlow leaves them.
    Floats(Rgb32FImage),
}

/// What is a picture at a network's size.
pub trait AsPixels {
    /// Width and height.
    fn size(&self) -> (usize, usize);
    /// Its values, `[row][column][colour]`.
    fn samples(&self) -> Samples<'_>;
}

/// The values of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Samples<'a> {
    /// Bytes.
    Bytes(&'a [u8]),
    /// From 0 to 255, not rounded.
    Floats(&'a [f32]),
}

impl AsPixels for RgbImage {
    fn size(&self) -> (usize, usize) {
        (self.width() as usize, self.height() as usize)
    }

    fn samples(&self) -> Samples<'_> {
        Samples::Bytes(self.as_raw())
    }
}

impl AsPixels for Pixels {
    fn size(&self) -> (usize, usize) {
        let (width, height) = match self {
            Self::Bytes(image) => image.dimensions(),
            Self::Floats(image) => image.dimensions(),
        };
        (width as usize, height as usize)
    }

    fn samples(&self) -> Samples<'_> {
        match self {
            Self::Bytes(image) => Samples::Bytes(image.as_raw()),
            Self::Floats(image) => Samples::Floats(image.as_raw()),
        }
    }
}

impl Default for Pixels {
    fn default() -> Self {
        Self::Bytes(RgbImage::default())
    }
}

impl From<RgbImage> for Pixels {
    fn from(image: RgbImage) -> Self {
        Self::Bytes(image)
    }
}

impl PartialEq<RgbImage> for Pixels {
    fn eq(&self, other: &RgbImage) -> bool {
        matches!(self, Self::Bytes(image) if image == other)
    }
}

impl Pixels {
    /// Turns it into its mirror image.
    pub fn mirror(&mut self) {
        match self {
            Self::Bytes(image) => flip_horizontal_in_place(image),
            Self::Floats(image) => flip_horizontal_in_place(image),
        }
    }

    /// Replaces each pixel; what is beyond 0 and 255 ends there, and bytes are rounded.
    pub(crate) fn change(&mut self, change: impl Fn([f32; 3]) -> [f32; 3]) {
        match self {
            Self::Bytes(image) => {
                for pixel in image.pixels_mut() {
                    // A cast ends at 0 and 255.
                    pixel.0 = change(pixel.0.map(f32::from)).map(|x| x.round() as u8);
                }
            }
            Self::Floats(image) => {
                for pixel in image.pixels_mut() {
                    pixel.0 = change(pixel.0).map(|x| x.clamp(0.0, 255.0));
                }
            }
        }
    }

    /// What a number of each pixel comes to on average.
    pub(crate) fn mean(&self, number: impl Fn([f32; 3]) -> f32) -> f64 {
        let (width, height) = self.size();
        let sum: f64 = match self {
            Self::Bytes(image) => image
                .pixels()
                .map(|pixel| f64::from(number(pixel.0.map(f32::from))))
                .sum(),
            Self::Floats(image) => image.pixels().map(|pixel| f64::from(number(pixel.0))).sum(),
        };
        sum / ((width * height) as f64).max(1.0)
    }

    /// Its values in f32.
    pub fn to_floats(&self) -> Vec<f32> {
        match self.samples() {
            Samples::Bytes(bytes) => bytes.iter().map(|byte| f32::from(*byte)).collect(),
            Samples::Floats(values) => values.to_vec(),
        }
    }
}

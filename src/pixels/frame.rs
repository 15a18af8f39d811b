//! Parts of an image in fractions of its pixels.

use image::RgbImage;

/// The part of an image that shows, in fractions of its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    /// From its first column to its last.
    pub columns: Span,
    /// From its first row to its last.
    pub rows: Span,
}

/// A part of a line of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    /// Pixels before it.
    pub start: f64,
    /// Its length in pixels.
    pub len: f64,
}

impl Span {
    /// The whole of a line.
    pub fn whole(len: usize) -> Self {
        Self {
            start: 0.0,
            len: len as f64,
        }
    }
}

impl Frame {
    /// All of an image.
    pub fn whole(image: &RgbImage) -> Self {
        Self {
            columns: Span::whole(image.width() as usize),
            rows: Span::whole(image.height() as usize),
        }
    }
}

//! A decoded picture.

use image::RgbImage;

use super::frame::{Frame, Span};
use super::orientation::Orientation;

/// A decoded picture, or a smaller one that stands for it.
pub(super) struct Picture {
    /// 8-bit RGB.
    pub pixels: RgbImage,
    /// The part of the pixels that shows. A picture whose size is no multiple of what it was
    /// reduced by ends within its last pixel.
    pub frame: Frame,
    /// Width and height of the picture that it stands for.
    pub size: (usize, usize),
    /// Whether it is the preview of a raw photograph.
    pub is_preview: bool,
}

impl From<RgbImage> for Picture {
    fn from(pixels: RgbImage) -> Self {
        Self {
            frame: Frame::whole(&pixels),
            size: (pixels.width() as usize, pixels.height() as usize),
            pixels,
            is_preview: false,
        }
    }
}

impl Picture {
    /// The same as the preview of a raw photograph.
    pub fn of_preview(self) -> Self {
        Self {
            is_preview: true,
            ..self
        }
    }

    /// Pixels that stand for a picture of `size` reduced by `divisor`.
    pub fn reduced(pixels: RgbImage, size: (usize, usize), divisor: usize) -> Self {
        let span = |len| Span {
            start: 0.0,
            len: len as f64 / divisor as f64,
        };
        let frame = Frame {
            columns: span(size.0),
            rows: span(size.1),
        };
        Self {
            pixels,
            frame,
            size,
            is_preview: false,
        }
    }

    /// Whether it is smaller than what it stands for.
    pub fn is_reduced(&self) -> bool {
        (self.pixels.width() as usize, self.pixels.height() as usize) != self.size
    }

    /// As it is shown.
    pub fn oriented(self, orientation: Orientation) -> Self {
        let steps = orientation.steps();
        let (mut frame, mut size) = (self.frame, self.size);
        if steps.transpose {
            frame = Frame {
                columns: frame.rows,
                rows: frame.columns,
            };
            size = (size.1, size.0);
        }
        let pixels = orientation.apply(self.pixels);
        if steps.mirror_columns {
            frame.columns = mirrored(frame.columns, pixels.width());
        }
        if steps.mirror_rows {
            frame.rows = mirrored(frame.rows, pixels.height());
        }
        Self {
            pixels,
            frame,
            size,
            is_preview: self.is_preview,
        }
    }
}

/// A span of `len` pixels seen from the other end.
fn mirrored(span: Span, len: u32) -> Span {
    Span {
        start: f64::from(len) - span.start - span.len,
        ..span
    }
}

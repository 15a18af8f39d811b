//! A decoded picture.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use super::frame::{Frame, Span};

/// A decoded picture, or a smaller one that stands for it.
pub(super) struct Picture {
    /// 8-bit RGB.
    pub pixels: RgbImage,
    /// The part of the pixels that shows. A picture whose size is no multiple of what it was
    /// reduced by ends within its last pixel.
    pub frame: Frame,
    /// Width and height of the picture that it stands for.
    pub size: (usize, usize),
}

impl From<RgbImage> for Picture {
    fn from(pixels: RgbImage) -> Self {
        Self {
            frame: Frame::whole(&pixels),
            size: (pixels.width() as usize, pixels.height() as usize),
            pixels,
        }
    }
}

impl Picture {
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
        }
    }

    /// Whether it is smaller than what it stands for.
    pub fn is_reduced(&self) -> bool {
        (self.pixels.width() as usize, self.pixels.height() as usize) != self.size
    }

    /// Turned and mirrored.
    pub fn oriented(self, orientation: Orientation) -> Self {
        use Orientation::{
            FlipHorizontal, FlipVertical, NoTransforms, Rotate90, Rotate90FlipH, Rotate180,
            Rotate270, Rotate270FlipH,
        };
        if orientation == NoTransforms {
            return self;
        }
        let Frame { columns, rows } = self.frame;
        let left = mirrored(columns, self.pixels.width());
        let up = mirrored(rows, self.pixels.height());
        let (columns, rows) = match orientation {
            NoTransforms => (columns, rows),
            FlipHorizontal => (left, rows),
            FlipVertical => (columns, up),
            Rotate180 => (left, up),
            Rotate90 => (up, columns),
            Rotate270 => (rows, left),
            Rotate90FlipH => (rows, columns),
            Rotate270FlipH => (up, left),
        };
        let (width, height) = self.size;
        let turned = matches!(
            orientation,
            Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH
        );
        let mut image = DynamicImage::ImageRgb8(self.pixels);
        image.apply_orientation(orientation);
        Self {
            pixels: image.into_rgb8(),
            frame: Frame { columns, rows },
            size: match turned {
                true => (height, width),
                false => (width, height),
            },
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

//! Antialiased resampling to the very bytes that Pillow computes.
//!
//! Two separable passes in fixed point, each rounded to 8 bits. What goes into a network is
//! part of its definition: a resampler that is off by one in every tenth byte moves a score
//! by up to 0.018.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::resample::{CHANNELS, Taps, resample_columns, resample_rows};

/// The interpolation kernel. Shrinking stretches it over all the pixels that one covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// A triangle over two pixels.
    Bilinear,
    /// Keys's cubic over four pixels, with a = -0.5.
    Bicubic,
}

impl Filter {
    pub(super) fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    pub(super) fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}

/// The part of a resized image that is wanted, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Columns left of it.
    pub left: usize,
    /// Rows above it.
    pub top: usize,
    /// Its width.
    pub width: usize,
    /// Its height.
    pub height: usize,
}

impl Window {
    /// All of an image of this width and height.
    pub fn whole((width, height): (usize, usize)) -> Self {
        Self {
            left: 0,
            top: 0,
            width,
            height,
        }
    }
}

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

/// Resizes `image` to `width` by `height` pixels and returns a window of the result.
///
/// The bytes are those of Pillow 13's `image.resize((width, height), filter).crop(window)`, and
/// only what the window shows is computed.
///
/// # Panics
/// Where the image is empty or the window is not inside of the result.
pub fn resize(image: &RgbImage, size: (usize, usize), filter: Filter, window: Window) -> RgbImage {
    resize_frame(image, Frame::whole(image), size, filter, window)
}

/// [`resize`] for a part of `image`, as Pillow's `resize(size, filter, box)`.
pub(super) fn resize_frame(
    image: &RgbImage,
    frame: Frame,
    (width, height): (usize, usize),
    filter: Filter,
    window: Window,
) -> RgbImage {
    let (from_width, from_height) = (image.width() as usize, image.height() as usize);
    assert!(from_width > 0 && from_height > 0, "an empty image");
    assert!(window.left + window.width <= width, "window too wide");
    assert!(window.top + window.height <= height, "window too high");
    let wanted = window.left..window.left + window.width;
    let columns = Taps::new(from_width, frame.columns, width, wanted, filter);
    let wanted = window.top..window.top + window.height;
    let rows = Taps::new(from_height, frame.rows, height, wanted, filter);
    // Pillow 13 begins with the direction that leaves less to do; the order shows in the
    // rounding.
    let lost_rows = from_height as i64 - height as i64;
    let lost_columns = from_width as i64 - width as i64;
    let rows_first = lost_rows > 0 && lost_rows > 2 * lost_columns;
    let pixels = if rows_first {
        let narrow = columns.reach();
        let between = resample_rows(image, &rows, 0, narrow.clone());
        resample_columns(&between, narrow.len(), &columns, narrow.start)
    } else {
        let high = rows.reach();
        let line = from_width * CHANNELS;
        let needed = &image.as_raw()[high.start * line..high.end * line];
        let between = resample_columns(needed, from_width, &columns, 0);
        let between = raw(between, window.width, high.len());
        resample_rows(&between, &rows, high.start, 0..window.width)
    };
    raw(pixels, window.width, window.height)
}

/// An image of pixels that are known to be as many as its size says.
fn raw(pixels: Vec<u8>, width: usize, height: usize) -> RgbImage {
    RgbImage::from_raw(width as u32, height as u32, pixels).unwrap_or_default()
}

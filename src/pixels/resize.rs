//! Antialiased resampling to the very bytes that Pillow computes.
//!
//! Two separable passes in fixed point, each rounded to 8 bits. What goes into a network is
//! part of its definition: a resampler that is off by one in every tenth byte moves a score
//! by up to 0.018.

use image::RgbImage;

use super::filter::Filter;
use super::frame::Frame;
use super::resample::{CHANNELS, Taps, resample_columns, resample_rows};

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

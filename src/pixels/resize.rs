//! Resampling to the very bytes that Pillow and torchvision compute, or to TensorFlow's floats.
//!
//! Bytes come of two separable passes in fixed point, each rounded to 8 bits. What goes into a network is
//! part of its definition: a resampler that is off by one in every tenth byte moves a score
//! by up to 0.018.

use image::RgbImage;

use super::filter::{Filter, Resampler};
use super::frame::Frame;
use super::input::Pixels;
use super::line::Line;
use super::resample::{CHANNELS, Taps, resample_columns, resample_rows};
use super::unrounded;

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
    let (columns, rows) = lines(image, Frame::whole(image), size, filter, Resampler::Pillow);
    rounded(image, &columns, &rows, window)
}

/// A window of a part of `image` resized, as the resampler has it; Pillow's is
/// `resize(size, filter, box)`.
pub(super) fn resize_frame(
    image: &RgbImage,
    frame: Frame,
    size: (usize, usize),
    (filter, resampler): (Filter, Resampler),
    window: Window,
) -> Pixels {
    let (columns, rows) = lines(image, frame, size, filter, resampler);
    if filter == Filter::Nearest || resampler.rounds() {
        Pixels::Bytes(rounded(image, &columns, &rows, window))
    } else {
        check(image, &columns, &rows, window);
        Pixels::Floats(unrounded::resample(image, &columns, &rows, window))
    }
}

/// The same to bytes, as Pillow has them.
pub(super) fn resize_frame_bilinear(
    image: &RgbImage,
    frame: Frame,
    size: (usize, usize),
) -> RgbImage {
    let (filter, resampler) = (Filter::Bilinear, Resampler::Pillow);
    let (columns, rows) = lines(image, frame, size, filter, resampler);
    rounded(image, &columns, &rows, Window::whole(size))
}

/// What its columns and its rows become.
fn lines(
    image: &RgbImage,
    frame: Frame,
    (width, height): (usize, usize),
    filter: Filter,
    resampler: Resampler,
) -> (Line, Line) {
    let line = |from: u32, part, to| Line {
        from: from as usize,
        part,
        to,
        filter,
        resampler,
    };
    (
        line(image.width(), frame.columns, width),
        line(image.height(), frame.rows, height),
    )
}

fn check(image: &RgbImage, columns: &Line, rows: &Line, window: Window) {
    let pixels = u64::from(image.width()) * u64::from(image.height());
    assert!(pixels > 0, "an empty image");
    let right = window.left + window.width;
    assert!(right <= columns.to, "window too wide");
    assert!(window.top + window.height <= rows.to, "window too high");
}

/// Bytes.
fn rounded(image: &RgbImage, columns: &Line, rows: &Line, window: Window) -> RgbImage {
    check(image, columns, rows, window);
    if columns.filter == Filter::Nearest {
        return nearest(image, columns, rows, window);
    }
    // Pillow 13 begins with the direction that leaves less to do; the order shows in the
    // rounding.
    let lost = |line: &Line| line.from as i64 - line.to as i64;
    let rows_first =
        columns.resampler.is_pillow() && lost(rows) > 0 && lost(rows) > 2 * lost(columns);
    let width = columns.from;
    let columns = Taps::new(columns, window.left..window.left + window.width);
    let rows = Taps::new(rows, window.top..window.top + window.height);
    let pixels = if rows_first {
        let narrow = columns.reach();
        let between = resample_rows(image, &rows, 0, narrow.clone());
        resample_columns(&between, narrow.len(), &columns, narrow.start)
    } else {
        let high = rows.reach();
        let line = width * CHANNELS;
        let needed = &image.as_raw()[high.start * line..high.end * line];
        let between = resample_columns(needed, width, &columns, 0);
        let between = raw(between, window.width, high.len());
        resample_rows(&between, &rows, high.start, 0..window.width)
    };
    raw(pixels, window.width, window.height)
}

/// The one pixel that each output's centre falls into.
fn nearest(image: &RgbImage, columns: &Line, rows: &Line, window: Window) -> RgbImage {
    let width = image.width() as usize * CHANNELS;
    let mut pixels = Vec::with_capacity(window.width * window.height * CHANNELS);
    let wanted = columns.nearest().skip(window.left).take(window.width);
    let wanted: Vec<usize> = wanted.map(|column| column * CHANNELS).collect();
    for row in rows.nearest().skip(window.top).take(window.height) {
        let line = &image.as_raw()[row * width..(row + 1) * width];
        for &column in &wanted {
            pixels.extend_from_slice(&line[column..column + CHANNELS]);
        }
    }
    raw(pixels, window.width, window.height)
}

/// An image of pixels that are known to be as many as its size says.
fn raw(pixels: Vec<u8>, width: usize, height: usize) -> RgbImage {
    RgbImage::from_raw(width as u32, height as u32, pixels).unwrap_or_default()
}

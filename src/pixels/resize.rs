//! Antialiased resampling to the very bytes that Pillow computes.
//!
//! Two separable passes in fixed point, each rounded to 8 bits. What goes into a network is
//! part of its definition: a resampler that is off by one in every tenth byte moves a score
//! by up to 0.018.

use image::RgbImage;
use serde::{Deserialize, Serialize};

/// Bytes of a pixel.
const CHANNELS: usize = 3;
/// Fractional bits of a weight: 32, less 8 for a sample and 2 for headroom, as in Pillow.
const PRECISION: u32 = 22;

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
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
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

/// For every output position along one direction, the input positions and their weights.
struct Taps {
    /// First input position of each output, and where its weights lie.
    spans: Vec<(usize, std::ops::Range<usize>)>,
    weights: Vec<i32>,
}

impl Taps {
    /// The `wanted` of `to` outputs, resampled from a part of `from` inputs.
    fn new(
        from: usize,
        part: Span,
        to: usize,
        wanted: std::ops::Range<usize>,
        filter: Filter,
    ) -> Self {
        let scale = part.len / to as f64;
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let mut taps = Self {
            spans: Vec::with_capacity(wanted.len()),
            weights: Vec::new(),
        };
        let mut exact = Vec::new();
        for output in wanted {
            let centre = part.start + (output as f64 + 0.5) * scale;
            // The casts truncate, and bring what is below zero to zero.
            let begin = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            exact.clear();
            exact.extend(
                (begin..end)
                    .map(|input| filter.weight((input as f64 - centre + 0.5) * (1.0 / stretch))),
            );
            let sum: f64 = exact.iter().sum();
            let start = taps.weights.len();
            taps.weights.extend(exact.iter().map(|weight| {
                let normal = if sum == 0.0 { *weight } else { weight / sum };
                (normal * f64::from(1 << PRECISION)).round() as i32
            }));
            taps.spans.push((begin, start..taps.weights.len()));
        }
        taps
    }

    /// Each output's first input and weights.
    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let spans = self.spans.iter();
        spans.map(|(begin, weights)| (*begin, &self.weights[weights.clone()]))
    }

    /// The inputs that any output needs.
    fn reach(&self) -> std::ops::Range<usize> {
        let start = self.iter().map(|(begin, _)| begin).min().unwrap_or(0);
        let end = self.iter().map(|(begin, weights)| begin + weights.len());
        start..end.max().unwrap_or(start)
    }
}

const HALF: i32 = 1 << (PRECISION - 1);

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Resamples along x. `pixels` has lines of `width` pixels, the first of which is the taps'
/// position `offset`.
fn resample_columns(pixels: &[u8], width: usize, taps: &Taps, offset: usize) -> Vec<u8> {
    let mut output = Vec::with_capacity(pixels.len() / width * taps.spans.len());
    for line in pixels.chunks_exact(width * CHANNELS) {
        for (begin, weights) in taps.iter() {
            let mut sum = [HALF; CHANNELS];
            let inputs = line[(begin - offset) * CHANNELS..].chunks_exact(CHANNELS);
            for (pixel, weight) in inputs.zip(weights) {
                for (sum, sample) in sum.iter_mut().zip(pixel) {
                    *sum += i32::from(*sample) * weight;
                }
            }
            output.extend(sum.map(to_byte));
        }
    }
    output
}

/// Resamples along y the given columns of `image`, whose first line is the taps' position
/// `offset`.
fn resample_rows(
    image: &RgbImage,
    taps: &Taps,
    offset: usize,
    columns: std::ops::Range<usize>,
) -> Vec<u8> {
    let line = image.width() as usize * CHANNELS;
    let part = columns.start * CHANNELS..columns.end * CHANNELS;
    let mut output = Vec::with_capacity(taps.spans.len() * part.len());
    let mut sums = vec![0i32; part.len()];
    for (begin, weights) in taps.iter() {
        sums.fill(HALF);
        let lines = image.as_raw().chunks_exact(line).skip(begin - offset);
        for (input, weight) in lines.zip(weights) {
            for (sum, sample) in sums.iter_mut().zip(&input[part.clone()]) {
                *sum += i32::from(*sample) * weight;
            }
        }
        output.extend(sums.iter().map(|&sum| to_byte(sum)));
    }
    output
}

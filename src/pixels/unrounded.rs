//! Resampling that never rounds to bytes, as TensorFlow's.

use std::ops::Range;

use image::{Rgb32FImage, RgbImage};

use super::line::Line;
use super::resample::CHANNELS;
use super::resize::Window;

/// For every output position along one direction, the input positions and their weights.
struct Taps {
    /// First input position of each output, and where its weights lie.
    spans: Vec<(usize, Range<usize>)>,
    weights: Vec<f32>,
}

impl Taps {
    fn new(line: &Line, wanted: Range<usize>) -> Self {
        let mut taps = Self {
            spans: Vec::with_capacity(wanted.len()),
            weights: Vec::new(),
        };
        let mut exact = Vec::new();
        for output in wanted {
            let begin = line.weights(output, &mut exact);
            let start = taps.weights.len();
            taps.weights.extend(exact.iter().map(|w| *w as f32));
            taps.spans.push((begin, start..taps.weights.len()));
        }
        taps
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let spans = self.spans.iter();
        spans.map(|(begin, weights)| (*begin, &self.weights[weights.clone()]))
    }
}

/// A window of what comes of the columns and rows of an image.
pub(super) fn resample(
    image: &RgbImage,
    columns: &Line,
    rows: &Line,
    window: Window,
) -> Rgb32FImage {
    let columns = Taps::new(columns, window.left..window.left + window.width);
    let rows = Taps::new(rows, window.top..window.top + window.height);
    let width = image.width() as usize * CHANNELS;
    let mut values = vec![0.0; window.height * window.width * CHANNELS];
    let mut line = vec![0.0; width];
    let outputs = values.chunks_exact_mut(window.width * CHANNELS);
    for ((begin, weights), output) in rows.iter().zip(outputs) {
        line.fill(0.0);
        let inputs = image.as_raw().chunks_exact(width).skip(begin);
        for (input, weight) in inputs.zip(weights) {
            for (sum, byte) in line.iter_mut().zip(input) {
                *sum += f32::from(*byte) * weight;
            }
        }
        for ((begin, weights), pixel) in columns.iter().zip(output.chunks_exact_mut(CHANNELS)) {
            let inputs = line[begin * CHANNELS..].chunks_exact(CHANNELS);
            for (input, weight) in inputs.zip(weights) {
                for (sum, value) in pixel.iter_mut().zip(input) {
                    *sum += value * weight;
                }
            }
        }
    }
    let (width, height) = (window.width as u32, window.height as u32);
    Rgb32FImage::from_raw(width, height, values).unwrap_or_default()
}

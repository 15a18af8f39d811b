//! What an output is made of: the inputs that it reads, and their weights.

use std::ops::Range;

use crate::pixels::filter::Resampler;
use crate::pixels::line::Line;

/// Fractional bits of a weight: 32, less 8 for a sample and 2 for headroom, as in Pillow.
const PRECISION: u32 = 22;
/// The largest weight, its fractional bits among it, that fits into torchvision's 16 bits.
const LARGEST: f64 = 32_767.0;

/// For every output position along one direction, the input positions and their weights.
pub(in crate::pixels) struct Taps {
    /// First input position of each output, and where its weights lie.
    spans: Vec<(usize, Range<usize>)>,
    weights: Vec<i32>,
    /// Fractional bits of the weights.
    pub precision: u32,
}

impl Taps {
    /// The `wanted` outputs of a line.
    pub fn new(line: &Line, wanted: Range<usize>) -> Self {
        let mut exact = Vec::new();
        let precision = if line.resampler == Resampler::Torchvision {
            // Decided by all outputs, wanted or not.
            let mut largest = 0.0;
            for output in 0..line.to {
                line.weights(output, &mut exact);
                largest = exact.iter().copied().fold(largest, f64::max);
            }
            narrow_precision(largest)
        } else {
            PRECISION
        };
        let mut taps = Self {
            spans: Vec::with_capacity(wanted.len()),
            weights: Vec::new(),
            precision,
        };
        let one = f64::from(1 << precision);
        for output in wanted {
            let begin = line.weights(output, &mut exact);
            let start = taps.weights.len();
            let integers = exact.iter().map(|weight| (weight * one).round() as i32);
            taps.weights.extend(integers);
            taps.spans.push((begin, start..taps.weights.len()));
        }
        taps
    }

    /// How many outputs there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// What rounds to the nearest.
    pub fn half(&self) -> i32 {
        1 << (self.precision - 1)
    }

    /// A sum, without its fraction.
    pub fn to_byte(&self, sum: i32) -> u8 {
        (sum >> self.precision).clamp(0, 255) as u8
    }

    /// Each output's first input and weights.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let spans = self.spans.iter();
        spans.map(|(begin, weights)| (*begin, &self.weights[weights.clone()]))
    }

    /// The inputs that any output needs.
    pub fn reach(&self) -> Range<usize> {
        let start = self.iter().map(|(begin, _)| begin).min().unwrap_or(0);
        let end = self.iter().map(|(begin, weights)| begin + weights.len());
        start..end.max().unwrap_or(start)
    }
}

/// Torchvision's fractional bits: the most with which the largest weight fits into 16 bits.
fn narrow_precision(largest: f64) -> u32 {
    let fits = |precision: &u32| 0.5 + largest * f64::from(1 << precision) < LARGEST + 1.0;
    (1..=PRECISION).rev().find(fits).unwrap_or(1)
}

//! A 3x3 convolution of one plane with one filter, forwards and backwards, in plain loops.
//!
//! A plane is one channel of one picture. It is copied into zeros first, so that no tap has to
//! ask whether it is inside.

use candle_core::WithDType;

use super::{Padding, Span};

pub(crate) const KERNEL: usize = 3;
pub(crate) const TAPS: usize = KERNEL * KERNEL;

/// How a plane is convolved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    height: usize,
    width: usize,
    rows: Span,
    columns: Span,
    stride: usize,
}

impl Geometry {
    /// For planes of `height` by `width` pixels.
    pub fn new(height: usize, width: usize, stride: usize, padding: Padding) -> Self {
        Self {
            height,
            width,
            rows: padding.span(height, KERNEL, stride),
            columns: padding.span(width, KERNEL, stride),
            stride,
        }
    }

    /// Pixels of the input.
    pub fn input_len(&self) -> usize {
        self.height * self.width
    }

    /// Height and width of the output.
    pub fn output(&self) -> (usize, usize) {
        (self.rows.output, self.columns.output)
    }

    /// Pixels of the output.
    pub fn output_len(&self) -> usize {
        self.rows.output * self.columns.output
    }

    /// Pixels of a padded plane.
    pub fn padded_len(&self) -> usize {
        self.reach(self.rows) * self.padded_width()
    }

    fn padded_width(&self) -> usize {
        self.reach(self.columns)
    }

    /// As far as the taps reach, which may be less than the input.
    fn reach(&self, span: Span) -> usize {
        (span.output - 1) * self.stride + KERNEL
    }

    /// Copies a plane into the middle of zeros.
    pub fn pad<T: WithDType>(&self, plane: &[T], padded: &mut [T]) {
        padded.fill(T::zero());
        self.rows_of(|outside, inside| padded[outside].copy_from_slice(&plane[inside]));
    }

    /// Adds the middle of a padded plane to a plane.
    pub fn unpad<T: WithDType>(&self, padded: &[T], plane: &mut [T]) {
        self.rows_of(|outside, inside| add(&mut plane[inside], &padded[outside]));
    }

    /// Where each row of the input lies in a padded plane, and in a plane.
    fn rows_of(&self, mut each: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>)) {
        let (height, width) = (self.reach(self.rows), self.padded_width());
        let before = self.columns.before;
        let count = self.width.min(width - before);
        for y in 0..self.height.min(height - self.rows.before) {
            let outside = (y + self.rows.before) * width + before;
            let inside = y * self.width;
            each(outside..outside + count, inside..inside + count);
        }
    }

    /// Calls `each(tap, where the first pixel under it lies, output row)`.
    fn taps(&self, mut each: impl FnMut(usize, usize, usize)) {
        for y in 0..self.rows.output {
            for tap in 0..TAPS {
                let row = y * self.stride + tap / KERNEL;
                each(tap, row * self.padded_width() + tap % KERNEL, y);
            }
        }
    }

    /// Adds the convolution of a padded plane with a filter to an output.
    pub fn convolve<T: WithDType>(&self, padded: &[T], filter: &[T], output: &mut [T]) {
        let width = self.columns.output;
        self.taps(|tap, start, y| {
            let output = &mut output[y * width..][..width];
            let factor = filter[tap];
            match self.stride {
                1 => {
                    for (sum, value) in output.iter_mut().zip(&padded[start..]) {
                        *sum += *value * factor;
                    }
                }
                stride => {
                    for (sum, value) in output
                        .iter_mut()
                        .zip(padded[start..].iter().step_by(stride))
                    {
                        *sum += *value * factor;
                    }
                }
            }
        });
    }

    /// Adds what the output's gradient means for a padded input.
    pub fn input_gradient<T: WithDType>(&self, gradient: &[T], filter: &[T], padded: &mut [T]) {
        let width = self.columns.output;
        self.taps(|tap, start, y| {
            let gradient = &gradient[y * width..][..width];
            let factor = filter[tap];
            match self.stride {
                1 => {
                    for (sum, value) in padded[start..].iter_mut().zip(gradient) {
                        *sum += *value * factor;
                    }
                }
                stride => {
                    for (sum, value) in padded[start..].iter_mut().step_by(stride).zip(gradient) {
                        *sum += *value * factor;
                    }
                }
            }
        });
    }

    /// Adds what the output's gradient means for the filter.
    pub fn filter_gradient<T: WithDType>(&self, padded: &[T], gradient: &[T], sums: &mut [f64]) {
        let width = self.columns.output;
        self.taps(|tap, start, y| {
            let gradient = &gradient[y * width..][..width];
            sums[tap] += match self.stride {
                1 => dot(&padded[start..start + width], gradient).to_f64(),
                stride => {
                    let values = padded[start..].iter().step_by(stride);
                    let mut sum = T::zero();
                    for (value, gradient) in values.zip(gradient) {
                        sum += *value * *gradient;
                    }
                    sum.to_f64()
                }
            };
        });
    }
}

/// Sums that are taken side by side, so that they may go through a vector register; always in the
/// same order.
const LANES: usize = 8;

/// The sum of the products of two lists of equal length.
pub(crate) fn dot<T: WithDType>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::zero(); LANES];
    let (a, b) = (a.chunks(LANES), b.chunks(LANES));
    for (a, b) in a.zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += *a * *b;
        }
    }
    sums.into_iter().fold(T::zero(), |sum, value| sum + value)
}

/// The sum of a function of each value of a list.
pub(crate) fn sum_of<T: WithDType>(values: &[T], of: impl Fn(T) -> T) -> T {
    let mut sums = [T::zero(); LANES];
    for values in values.chunks(LANES) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += of(*value);
        }
    }
    sums.into_iter().fold(T::zero(), |sum, value| sum + value)
}

fn add<T: WithDType>(to: &mut [T], values: &[T]) {
    for (sum, value) in to.iter_mut().zip(values) {
        *sum += *value;
    }
}

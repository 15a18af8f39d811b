//! One direction of a resampling: which pixels an output is made of, and with what weights.

use super::filter::{Filter, Resampler};
use super::frame::Span;

/// TensorFlow looks a cubic up in a table of so many places between two pixels.
const PLACES: f32 = 1024.0;

/// A line of pixels that becomes another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Pixels of the line.
    pub from: usize,
    /// The part of it that is resampled.
    pub part: Span,
    /// Pixels that the part becomes.
    pub to: usize,
    pub filter: Filter,
    pub resampler: Resampler,
}

impl Line {
    /// The first pixel that an output is made of; `weights` becomes that pixel's and the next ones', whose
    /// sum is 1.
    pub fn weights(&self, output: usize, weights: &mut Vec<f64>) -> usize {
        let scale = self.part.len / self.to as f64;
        let stretch = if self.resampler.averages() {
            scale.max(1.0)
        } else {
            1.0
        };
        let support = self.filter.support() * stretch;
        let centre = self.part.start + self.centre(output);
        // The casts truncate, and bring what is below zero to zero.
        let begin = (centre - support + 0.5) as usize;
        let end = ((centre + support + 0.5) as usize).min(self.from);
        weights.clear();
        weights.extend((begin..end).map(|input| {
            self.filter
                .weight((input as f64 - centre + 0.5) * (1.0 / stretch))
        }));
        let sum: f64 = weights.iter().sum();
        if sum != 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        begin
    }

    /// Where in the part an output's centre lies.
    fn centre(&self, output: usize) -> f64 {
        if self.resampler != Resampler::Tensorflow {
            return (output as f64 + 0.5) * (self.part.len / self.to as f64);
        }
        // TensorFlow finds it in f32.
        let scale = self.part.len as f32 / self.to as f32;
        let position = (output as f32 + 0.5) * scale - 0.5;
        let position = if self.filter == Filter::Bicubic {
            let pixel = position.floor();
            pixel + ((position - pixel) * PLACES).round_ties_even() / PLACES
        } else {
            position
        };
        f64::from(position) + 0.5
    }

    /// The pixel of each output from the first on, for [`Filter::Nearest`].
    pub fn nearest(&self) -> impl Iterator<Item = usize> + '_ {
        let last = self.from.saturating_sub(1);
        let scale = self.part.len / self.to as f64;
        // Pillow adds up, others multiply in f32. The casts truncate.
        let mut next = self.part.start + 0.5 * scale;
        (0..self.to).map(move |output| {
            let pixel = if self.resampler.is_pillow() {
                next
            } else {
                self.part.start + f64::from((output as f32 + 0.5) * scale as f32)
            };
            next += scale;
            (pixel as usize).min(last)
        })
    }
}

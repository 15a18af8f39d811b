//! What activations are stored in between layers, and the weights of the stem and of pointwise layers
//! with them.

use std::fmt;

use bytemuck::Pod;
use candle_core::DType;

use super::isa::Isa;
use super::kernels::Kernels;
use crate::model::Precision;
use crate::pixels::{COLOURS, PixelScale};

/// A type that activations are stored in. Sums are f32 whatever it is.
pub(super) trait Element: Pod + fmt::Debug + Send + Sync {
    /// Products that kernels add to a sum at once; their weights lie side by side.
    const GROUP: usize;
    /// Lines that the stem reads for a row of its windows: those of each row and colour, and what is
    /// made of them.
    const STEM_LINES: usize;
    /// Where the groups under the first window of a row begin, in the order of the weights: line and
    /// column.
    const STEM_TAPS: &'static [(usize, usize)];
    /// What a network of such activations computes in.
    const PRECISION: Precision;
    /// The nearest value.
    fn of(value: f64) -> Self;
    fn value(self) -> f32;
    /// Which weight of a window of the stem, row, column and colour, each value of each group is
    /// multiplied with; `None` for one that counts for nothing.
    fn stem_weights() -> Vec<Option<[usize; 3]>>;
    /// What a scaled pixel of each colour has to be for the stem to read 1.
    fn stem_unit(scale: &PixelScale) -> [f64; COLOURS];
    /// What it reads for scaled pixels of a colour, `factor` being its unit's reciprocal.
    fn of_pixels(pixels: &[f32], factor: f32, to: &mut [Self]);
    /// Fills the lines that are made of those of each row and colour, `stride` apart, for windows of
    /// so many pixels.
    fn make_lines(lines: &mut [Self], stride: usize, windows: usize);
    /// An instruction set's kernels for it, if there are such.
    fn kernels(isa: Isa) -> Option<&'static Kernels<Self>>;
}

impl Element for f32 {
    const GROUP: usize = 1;
    const STEM_LINES: usize = 9;
    const STEM_TAPS: &'static [(usize, usize)] = &{
        // Lines are `[row][colour]`, windows `[row][column][colour]`.
        let mut taps = [(0, 0); 27];
        let mut k = 0;
        while k < taps.len() {
            taps[k] = (k / 9 * COLOURS + k % COLOURS, k / COLOURS % 3);
            k += 1;
        }
        taps
    };
    const PRECISION: Precision = Precision::Float(DType::F32);

    fn of(value: f64) -> Self {
        value as f32
    }

    fn value(self) -> f32 {
        self
    }

    fn stem_weights() -> Vec<Option<[usize; 3]>> {
        let weight = |k| Some([k / 9, k / COLOURS % 3, k % COLOURS]);
        (0..Self::STEM_TAPS.len()).map(weight).collect()
    }

    fn stem_unit(_scale: &PixelScale) -> [f64; COLOURS] {
        [1.0; COLOURS]
    }

    fn of_pixels(pixels: &[f32], _factor: f32, to: &mut [Self]) {
        to.copy_from_slice(pixels);
    }

    fn make_lines(_lines: &mut [Self], _stride: usize, _windows: usize) {}

    fn kernels(isa: Isa) -> Option<&'static Kernels> {
        Some(isa.kernels())
    }
}

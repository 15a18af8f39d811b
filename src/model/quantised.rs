//! A network in integers, as data. Engines in integers are built from this and nothing else, whatever
//! says what the integers are: the rounding of a float checkpoint, or a file that holds them.

use std::borrow::Cow;

use super::architecture::Convolution;
use crate::error::Result;
use crate::pixels::COLOURS;

/// A network in integers. Activations are u8: `(integer - zero point) * scale`, the zero point one
/// for all channels of a layer, the scale possibly one for each.
pub(crate) struct QuantisedNetwork<'a> {
    /// What the stem reads.
    pub pixels: PixelIntegers,
    /// All convolutions up to the last block's.
    pub layers: Box<dyn QuantisedLayers + 'a>,
    /// The scale of each channel of the last block's output.
    pub steps: Vec<f32>,
}

/// A network's convolutions, each made when it is asked for: on many threads, and gone when it is
/// packed.
pub(crate) trait QuantisedLayers: Sync {
    /// One of the network's convolutions.
    ///
    /// # Errors
    /// What is wrong with its tensors.
    fn layer(&self, convolution: &Convolution) -> Result<QuantisedConvolution<'_>>;
}

/// A convolution in integers: `sum((x - input_zero) * weight) + bias`, times `multiplier`, within
/// bounds, rounded with halves to even, plus the output's zero point.
///
/// No such sum is beyond 32 bits, whatever the x. That is the maker's to see to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuantisedConvolution<'a> {
    /// `[out][depth]`, in the order of [`Folded::weight`](super::Folded::weight), less their zero
    /// point. Of 9 bits at most, but for a stem and a depthwise one, which take 16.
    pub weight: IntegerWeights<'a>,
    /// `[out]`.
    pub bias: Vec<i32>,
    /// `[out]`, finite: the input's scale times the weights', by the output's.
    pub multiplier: Vec<f32>,
    /// What stands for 0 in its input, and lies around a padded image. 0 for a stem: see
    /// [`PixelIntegers`].
    pub input_zero: u8,
    pub output: Levels,
}

/// Weights as they are held: those of a file of bytes are packed from where they lie.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum IntegerWeights<'a> {
    Bytes(Cow<'a, [i8]>),
    Words(Cow<'a, [i16]>),
}

impl IntegerWeights<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(weights) => weights.len(),
            Self::Words(weights) => weights.len(),
        }
    }
}

/// The integers that a layer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Levels {
    /// The one that stands for 0.
    pub zero: u8,
    pub low: u8,
    pub high: u8,
}

impl Levels {
    /// All of them, from 0 on.
    pub const ALL: Self = Self {
        zero: 0,
        low: 0,
        high: u8::MAX,
    };
}

/// What a stem in integers reads of a picture. Zero points are taken off: what lies around the picture
/// is 0.
#[derive(Debug, Clone)]
pub(crate) struct PixelIntegers {
    pub bytes: ByteIntegers,
    /// Of a scaled pixel of each colour `pixel * factor + shift`, to the nearest integer, halves to
    /// even.
    pub scaled: [(f32, f32); COLOURS],
    /// The least and the greatest of those.
    pub bounds: (i16, i16),
}

/// What becomes of the bytes of a picture.
#[derive(Debug, Clone)]
pub(crate) enum ByteIntegers {
    /// `factor * byte - zero`.
    Linear { factor: i16, zero: [i16; COLOURS] },
}

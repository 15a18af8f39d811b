//! A network in integers, as data. Engines in integers are built from this and nothing else, whatever
//! says what the integers are: the rounding of a float checkpoint, or a file that holds them.

use std::borrow::Cow;

use super::architecture::{Convolution, ConvolutionKind};
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
    /// What becomes of sums, in all of its layers.
    pub rounding: Rounding,
    /// The embedding in integers; else it is the mean of what the last block's integers stand for.
    pub average: Option<IntegerAverage>,
    /// A classifier in integers, from an embedding in integers; else it is the checkpoint's, in
    /// floats.
    pub classifier: Option<IntegerClassifier<'a>>,
    /// How logits become scores.
    pub softmax: Softmax,
}

/// How a sum of products becomes an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// By one multiplication in f32 and one rounding, halves to even.
    Once,
    /// As LiteRT's reference kernels do: by a [`ReferenceFactor`].
    Reference,
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
    /// The same for [`Rounding::Reference`]; empty for the other.
    pub reference_factor: Vec<ReferenceFactor>,
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
    /// Of 8 bits, but of 12 where it is [`WIDE`](Self::WIDE), which what goes into a depthwise
    /// convolution may be.
    pub high: u16,
}

impl Levels {
    /// All of them, from 0 on.
    pub const ALL: Self = Self {
        zero: 0,
        low: 0,
        high: 255,
    };

    /// Integers of 12 bits, from 0 on, nine products of which with 14 bits and a sign fit 32.
    pub const WIDE: Self = Self {
        zero: 0,
        low: 0,
        high: 4095,
    };

    /// What a convolution gives in a network that we make integers of: 12 bits where that of the stem
    /// and of a narrow first block goes into a depthwise one, else 8. All of the network goes through
    /// them, and of all activations their rounding to 8 bits costs most.
    pub fn of(convolution: &Convolution) -> Self {
        /// Channels up to which the first block is narrow. Wide ones have more channels for errors to
        /// cancel out over, and would take longer: they don't fit the second-level cache in 16 bits.
        const NARROW: usize = 32;
        match convolution.kind {
            ConvolutionKind::Standard => Self::WIDE,
            ConvolutionKind::Pointwise
                if convolution.ends_the_first_block() && convolution.out_channels <= NARROW =>
            {
                Self::WIDE
            }
            _ => Self::ALL,
        }
    }

    /// Whether they take 16 bits.
    pub fn is_wide(self) -> bool {
        self.high > Self::ALL.high
    }
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
    /// Anything, by colour and byte.
    Table(Box<[[i16; 256]; COLOURS]>),
}

/// A factor as LiteRT's reference kernels have it. None is negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ReferenceFactor {
    /// A convolution's.
    Convolution(FixedPoint),
    /// A FULLY_CONNECTED's: products are taken in f64 and rounded once, halves away from zero.
    Dense(f64),
}

impl ReferenceFactor {
    /// In 64 bits, for kernels: the higher half first, whose sign says which it is.
    pub fn words(self) -> [i32; 2] {
        match self {
            Self::Convolution(FixedPoint { mantissa, exponent }) => [!mantissa, exponent],
            Self::Dense(factor) => {
                let bits = factor.abs().to_bits();
                [(bits >> 32) as i32, bits as i32]
            }
        }
    }

    /// Of such words.
    pub fn of_words([high, low]: [i32; 2]) -> Self {
        if high < 0 {
            return Self::Convolution(FixedPoint {
                mantissa: !high,
                exponent: low,
            });
        }
        let bits = u64::from(high as u32) << 32 | u64::from(low as u32);
        Self::Dense(f64::from_bits(bits))
    }

    /// A sum times this, to a whole number.
    pub fn times(self, sum: i32) -> i64 {
        match self {
            Self::Convolution(factor) => factor.times(sum),
            Self::Dense(factor) => (f64::from(sum) * factor).round() as i64,
        }
    }
}

/// A factor `mantissa / 2^31 * 2^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FixedPoint {
    /// From 2^30 to 2^31, or less of a factor that is nearly 0.
    pub mantissa: i32,
    pub exponent: i32,
}

impl FixedPoint {
    /// The nearest to a factor that is not negative; of one that is too small, 0.
    pub fn new(factor: f64) -> Self {
        let zero = Self {
            mantissa: 0,
            exponent: 0,
        };
        if !(factor.is_normal() && factor > 0.0) {
            return zero;
        }
        // The exponent of a fraction from a half to one.
        let mut exponent = ((factor.to_bits() >> 52) & 0x7ff) as i32 - 1022;
        let fraction = factor / 2f64.powi(exponent);
        let mut mantissa = (fraction * 2f64.powi(31) + 0.5).floor() as i64;
        if mantissa == 1 << 31 {
            mantissa /= 2;
            exponent += 1;
        }
        if exponent < -31 {
            return zero;
        }
        Self {
            mantissa: mantissa as i32,
            exponent,
        }
    }

    /// A sum times this, rounded twice where the factor is less than a half: as if the exponent were 0,
    /// halves up, and what that leaves to the exponent, halves away from zero.
    pub fn times(self, sum: i32) -> i64 {
        // Nothing is beyond 64 bits: 32 of the sum, 31 of the mantissa.
        let product = i64::from(sum) * i64::from(self.mantissa);
        let exponent = self.exponent.clamp(-62, 62);
        let product = i128::from(product) << exponent.max(0);
        let rounded = (product + (1 << 30)) >> 31;
        let rounded = rounded.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        if exponent >= 0 {
            return rounded;
        }
        let (floor, rest) = (rounded >> -exponent, rounded & ((1 << -exponent) - 1));
        // From a half on, or above it where it is negative.
        let half = (1i64 << (-exponent - 1)) + i64::from(rounded < 0);
        floor + i64::from(rest >= half)
    }
}

/// The global average pool in integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct IntegerAverage {
    pub rule: AverageRule,
    /// How its integers stand for numbers.
    pub output: Scale,
}

/// How integers stand for numbers: `(integer - zero) * step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    pub zero: u8,
    pub step: f32,
}

impl Scale {
    /// What an integer stands for.
    pub fn number(self, integer: u8) -> f32 {
        f32::from(i16::from(integer) - i16::from(self.zero)) * self.step
    }

    /// The integer that is nearest to a number.
    pub fn integer(self, number: f32) -> u8 {
        let steps = (number / self.step).round_ties_even();
        // What is not a number is 0 here, and is refused where pixels come in.
        (steps + f32::from(self.zero)).clamp(0.0, 255.0) as u8
    }
}

/// How an average is taken of integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum AverageRule {
    /// LiteRT's AVERAGE_POOL_2D: the mean of the file's integers, halves away from zero. Those of int8
    /// are 128 less than ours.
    Pool { signed: bool },
    /// LiteRT's MEAN, of integers whose zero point and scale these are.
    Mean { input: Scale, rounding: Rounding },
}

impl IntegerAverage {
    /// The average of `count` integers that add up to `sum`.
    pub fn of(self, sum: u32, count: usize) -> u8 {
        let count = count.max(1) as i64;
        let average = match self.rule {
            AverageRule::Pool { signed } => {
                let shift = if signed { 128 } else { 0 };
                let sum = i64::from(sum) - shift * count;
                let half = count / 2 * sum.signum();
                (sum + half) / count + shift
            }
            AverageRule::Mean { input, rounding } => {
                let sum = i64::from(sum) - i64::from(input.zero) * count;
                let mean = match rounding {
                    Rounding::Once => {
                        let factor = input.step / (self.output.step * count as f32);
                        (sum as f32 * factor).round_ties_even() as i64
                    }
                    Rounding::Reference => {
                        let ratio = f64::from(input.step) / f64::from(self.output.step);
                        let ratio = FixedPoint::new(ratio);
                        // The largest power of two that is not more than the count.
                        let shift = count.ilog2();
                        let mantissa = (i64::from(ratio.mantissa) << shift) / count;
                        let factor = FixedPoint {
                            mantissa: mantissa as i32,
                            exponent: ratio.exponent - shift as i32,
                        };
                        let sum = sum.clamp(i32::MIN.into(), i32::MAX.into());
                        factor.times(sum as i32)
                    }
                };
                mean.saturating_add(self.output.zero.into())
            }
        };
        average.clamp(0, 255) as u8
    }
}

/// A classifier in integers.
#[derive(Debug)]
pub(crate) struct IntegerClassifier<'a> {
    pub convolution: QuantisedConvolution<'a>,
    /// How the integers of its logits stand for numbers.
    pub output: Scale,
}

/// How logits become scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Softmax {
    /// In floats.
    Exact,
    /// In 256ths, from logits that are whole numbers of steps: LiteRT's SOFTMAX in eight bits.
    EightBits { step: f32 },
}

impl Softmax {
    /// The scores of logits in eight bits; `None` in floats.
    pub fn in_eight_bits(self, logits: &[f32]) -> Option<Vec<f32>> {
        let Self::EightBits { step } = self else {
            return None;
        };
        let step = f64::from(step);
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let power = |logit: &f32| {
            let steps = (f64::from(logit - most) / step).round();
            (steps * step).exp()
        };
        let powers: Vec<f64> = logits.iter().map(power).collect();
        let sum: f64 = powers.iter().sum();
        let score = |power: &f64| ((256.0 * power / sum + 0.5).floor().min(255.0) / 256.0) as f32;
        Some(powers.iter().map(score).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_the_nearest_in_31_bits() {
        for (factor, mantissa, exponent) in [
            (0.5, 1 << 30, 0),
            (0.75, 3 << 29, 0),
            (1.0, 1 << 30, 1),
            (3.0, 3 << 29, 2),
            (2f64.powi(-32), 1 << 30, -31),
            // Nearer to 1.
            (1.0 - 1e-12, 1 << 30, 1),
            (2f64.powi(-33), 0, 0),
            (0.0, 0, 0),
            (-1.0, 0, 0),
            (f64::NAN, 0, 0),
            (f64::INFINITY, 0, 0),
        ] {
            let found = FixedPoint::new(factor);
            assert_eq!((found.mantissa, found.exponent), (mantissa, exponent));
        }
    }

    #[test]
    fn kernels_read_the_factors_that_were_written() {
        for factor in [0.0, 1e-300, 2f64.powi(-31), 0.25, 0.3, 1.0, 255.0] {
            for factor in [
                ReferenceFactor::Convolution(FixedPoint::new(factor)),
                ReferenceFactor::Dense(factor),
            ] {
                assert_eq!(ReferenceFactor::of_words(factor.words()), factor);
            }
        }
        // What lies behind the last of them.
        assert_eq!(ReferenceFactor::of_words([0, 0]).times(i32::MIN), 0);
    }

    #[test]
    fn products_are_rounded_twice_in_convolutions_and_once_in_dense_layers() {
        for (factor, sum, convolution, dense) in [
            (0.5, 3, 2, 2),
            // Halves up where it is rounded as if the exponent were 0, which is here; else away from zero.
            (0.5, -3, -1, -2),
            (0.25, 2, 1, 1),
            (0.25, -2, -1, -1),
            (0.25, -6, -2, -2),
            // A little less than 1.5 is 1.5 after the first rounding.
            (0.25 * (1.0 - 1e-9), 6, 2, 1),
            // So little less that 31 bits don't hold it.
            (0.5 * (1.0 - 1e-10), 3, 2, 1),
            (0.5 * (1.0 - 1e-10), -3, -1, -1),
            (4.0, 7, 28, 28),
            (
                1e9,
                i32::MAX,
                2_147_483_647_000_000_000,
                2_147_483_647_000_000_000,
            ),
        ] {
            let found = ReferenceFactor::Convolution(FixedPoint::new(factor)).times(sum);
            assert_eq!(found, convolution, "{factor} times {sum}");
            let found = ReferenceFactor::Dense(factor).times(sum);
            assert_eq!(found, dense, "{factor} times {sum}");
        }
        // Whatever is in them.
        for high in [i32::MIN, -1, 0, i32::MAX] {
            for low in [i32::MIN, -40, 0, 40, i32::MAX] {
                let factor = ReferenceFactor::of_words([high, low]);
                factor.times(i32::MIN);
                factor.times(i32::MAX);
            }
        }
    }

    #[test]
    fn averages_are_rounded_as_the_files_kind_says() {
        let average = |signed| IntegerAverage {
            rule: AverageRule::Pool { signed },
            output: Scale { zero: 0, step: 1.0 },
        };
        // 2.5 of uint8; of int8 -125.5.
        assert_eq!(average(false).of(10, 4), 3);
        assert_eq!(average(true).of(10, 4), 2);
        assert_eq!(average(true).of(4 * 128 + 2, 4), 129);
    }

    #[test]
    fn scores_of_eight_bits_are_256ths() {
        let softmax = Softmax::EightBits { step: 0.5 };
        assert_eq!(Softmax::Exact.in_eight_bits(&[0.0]), None);
        assert_eq!(softmax.in_eight_bits(&[3.0]), Some(vec![255.0 / 256.0]));
        let scores = softmax.in_eight_bits(&[1.0, 0.5, -9.0]);
        assert_eq!(scores, Some(vec![159.0 / 256.0, 97.0 / 256.0, 0.0]));
    }

    #[test]
    fn numbers_are_integers_and_back() {
        let scale = Scale {
            zero: 78,
            step: 0.146_457_2,
        };
        for integer in 0..=255 {
            assert_eq!(scale.integer(scale.number(integer)), integer);
        }
        assert_eq!(scale.integer(f32::INFINITY), 255);
        assert_eq!(scale.integer(-1e9), 0);
        assert_eq!(scale.integer(f32::NAN), 0);
    }
}

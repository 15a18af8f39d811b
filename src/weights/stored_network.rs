//! A network that was read from a file of integers: its tensors, and the integers between its layers.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::model::{
    AverageRule, Blueprint, ByteIntegers, Convolution, ConvolutionKind, FixedPoint, IntegerAverage,
    IntegerClassifier, IntegerWeights, Levels, PixelIntegers, Quantisation, QuantisedConvolution,
    QuantisedLayers, QuantisedNetwork, ReferenceFactor, Rounding, Scale, Softmax, StoredIntegers,
    StoredTensor, StoredTensors, StoredValues,
};
use crate::pixels::{COLOURS, PixelScale};

/// Tensors as they were stored, and what is known of the integers between the layers.
#[derive(Debug)]
pub(super) struct StoredNetwork {
    /// By our names, in our layouts.
    pub stored: StoredTensors,
    /// `None` where nothing is quantised; the reason where it can't run in its integers.
    pub integers: Option<std::result::Result<NetworkIntegers, String>>,
    /// Of the pixels that the file takes.
    pub pixel_scale: PixelScale,
}

/// The integers between a network's layers. Those of int8 are taken 128 higher, as u8.
#[derive(Debug)]
pub(super) struct NetworkIntegers {
    pub entry: Entry,
    /// By the convolution's name.
    pub layers: HashMap<String, LayerIntegers>,
    /// The last block's output.
    pub features: Scale,
    pub average: IntegerAverage,
    /// The step of logits whose softmax is in eight bits.
    pub softmax: Option<f32>,
}

/// What a network makes of pixels.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    /// Bytes are its integers.
    Bytes(Scale),
    /// Scaled pixels become such integers.
    Floats(Scale),
}

/// What a convolution takes and gives.
#[derive(Debug)]
pub(super) struct LayerIntegers {
    pub input: Scale,
    pub output: Scale,
    pub levels: Levels,
    /// It is a FULLY_CONNECTED, which the reference kernels compute otherwise.
    pub is_dense: bool,
}

impl StoredNetwork {
    fn stored(&self, name: &str) -> Result<&StoredTensor<'static>> {
        self.stored.tensors.get(name).ok_or_else(|| missing(name))
    }
}

impl StoredIntegers for StoredNetwork {
    fn network<'a>(
        &'a self,
        blueprint: Blueprint<'a>,
        rounding: Rounding,
    ) -> Result<QuantisedNetwork<'a>> {
        let integers = match &self.integers {
            Some(Ok(integers)) => integers,
            _ => return Err(Error::network("a file without integers of its own")),
        };
        let layers = FileLayers {
            file: self,
            integers,
            rounding,
        };
        let convolutions = blueprint.config.convolutions();
        let is_classifier = |c: &&Convolution| c.kind == ConvolutionKind::Classifier;
        let classifier = convolutions.last().filter(is_classifier);
        let classifier = classifier.map(|convolution| {
            Ok::<_, Error>(IntegerClassifier {
                output: layers.integers_of(convolution)?.output,
                convolution: layers.convolution(convolution)?,
            })
        });
        let IntegerAverage { rule, output } = integers.average;
        Ok(QuantisedNetwork {
            pixels: self.pixels(integers.entry, blueprint.pixel_scale, rounding)?,
            steps: vec![integers.features.step; blueprint.config.embedding_len()],
            rounding,
            average: Some(IntegerAverage {
                rule: match rule {
                    AverageRule::Mean { input, .. } => AverageRule::Mean { input, rounding },
                    pool => pool,
                },
                output,
            }),
            classifier: classifier.transpose()?,
            softmax: match integers.softmax {
                Some(step) => Softmax::EightBits { step },
                None => Softmax::Exact,
            },
            layers: Box::new(layers),
        })
    }
}

impl StoredNetwork {
    fn pixels(
        &self,
        entry: Entry,
        pixel_scale: &PixelScale,
        rounding: Rounding,
    ) -> Result<PixelIntegers> {
        let (bytes, scaled, scale) = match entry {
            Entry::Bytes(scale) => {
                if *pixel_scale != self.pixel_scale {
                    let message = "this file takes bytes as they are: only in floats (f32) can its \
                                   pixels be scaled otherwise";
                    return Err(Error::config("pixel_scale", message));
                }
                let bytes = ByteIntegers::Linear {
                    factor: 1,
                    zero: [scale.zero.into(); COLOURS],
                };
                let zero = pixel_scale.zero();
                let scaled = std::array::from_fn(|c| {
                    let shift = zero[c] - f64::from(scale.zero);
                    (pixel_scale.scale()[c].recip() as f32, shift as f32)
                });
                (bytes, scaled, scale)
            }
            Entry::Floats(scale) => {
                let inverse = scale.step.recip();
                let (low, high) = ends(scale);
                // In f32 as Keras does it, `byte / 127.5 - 1`: the usual scale of such a file takes every
                // byte to the middle between two integers, and what is lost decides for one.
                let integer = |colour: usize, byte: usize| {
                    let divisor = pixel_scale.scale()[colour].recip() as f32;
                    let pixel = byte as f32 / divisor + pixel_scale.offset()[colour] as f32;
                    let steps = match rounding {
                        Rounding::Once => (pixel * inverse).round_ties_even(),
                        Rounding::Reference => (pixel / scale.step).round(),
                    };
                    steps.max(low.into()).min(high.into()) as i16
                };
                let table = std::array::from_fn(|c| std::array::from_fn(|byte| integer(c, byte)));
                let bytes = ByteIntegers::Table(Box::new(table));
                (bytes, [(inverse, 0.0); COLOURS], scale)
            }
        };
        Ok(PixelIntegers {
            bytes,
            scaled,
            bounds: ends(scale),
        })
    }
}

/// The least and the greatest integer of a scale, less its zero point.
fn ends(scale: Scale) -> (i16, i16) {
    let zero = i16::from(scale.zero);
    (-zero, 255 - zero)
}

/// The convolutions of a file.
struct FileLayers<'a> {
    file: &'a StoredNetwork,
    integers: &'a NetworkIntegers,
    rounding: Rounding,
}

impl<'a> FileLayers<'a> {
    fn integers_of(&self, convolution: &Convolution) -> Result<&'a LayerIntegers> {
        let found = self.integers.layers.get(&convolution.name);
        found.ok_or_else(|| missing(&convolution.name))
    }

    fn convolution(&self, convolution: &Convolution) -> Result<QuantisedConvolution<'a>> {
        let weight = self.file.stored(&convolution.weight_name())?;
        let bias = self.file.stored(&convolution.bias_name())?;
        let LayerIntegers {
            input,
            output,
            levels,
            is_dense,
        } = self.integers_of(convolution)?;
        let error = |reason: &str| Error::tensor(convolution.weight_name(), reason);
        let quantisation = weight.quantisation.as_ref();
        let quantisation = quantisation.ok_or_else(|| error("has no scale"))?;
        let outputs = convolution.out_channels;
        // Each step in f32, in the order of LiteRT's default kernels.
        let factor = |c| (input.step * quantisation.scale(c)) / output.step;
        // The reference kernels multiply the scales in f64, but those of convolutions in uint8.
        let in_f32 = !is_dense && matches!(weight.values, StoredValues::U8(_));
        let reference_factor = |c| {
            let (input, weights) = (input.step, quantisation.scale(c));
            let product = if in_f32 {
                f64::from(input * weights)
            } else {
                f64::from(input) * f64::from(weights)
            };
            let factor = product / f64::from(output.step);
            if *is_dense {
                ReferenceFactor::Dense(factor)
            } else {
                ReferenceFactor::Convolution(FixedPoint::new(factor))
            }
        };
        let reference_factor = match self.rounding {
            Rounding::Once => Vec::new(),
            Rounding::Reference => (0..outputs).map(reference_factor).collect(),
        };
        Ok(QuantisedConvolution {
            weight: weights(weight, quantisation).ok_or_else(|| error("is not of bytes"))?,
            bias: bias
                .whole_numbers()
                .ok_or_else(|| Error::tensor(convolution.bias_name(), "is not of int32"))?,
            multiplier: (0..outputs).map(factor).collect(),
            reference_factor,
            input_zero: match convolution.kind {
                // Taken off its pixels.
                ConvolutionKind::Standard => 0,
                _ => input.zero,
            },
            output: *levels,
        })
    }
}

impl QuantisedLayers for FileLayers<'_> {
    fn layer(&self, convolution: &Convolution) -> Result<QuantisedConvolution<'_>> {
        self.convolution(convolution)
    }
}

/// Weights less their zero point.
fn weights<'a>(
    stored: &'a StoredTensor<'static>,
    quantisation: &Quantisation,
) -> Option<IntegerWeights<'a>> {
    let zero = *quantisation.zero_points.first()?;
    match &stored.values {
        StoredValues::I8(values) if zero == 0 => Some(IntegerWeights::Bytes(Cow::Borrowed(values))),
        StoredValues::U8(values) => {
            let zero = i16::try_from(zero).ok()?;
            let words = values.iter().map(|&value| i16::from(value) - zero);
            Some(IntegerWeights::Words(words.collect()))
        }
        _ => None,
    }
}

fn missing(name: &str) -> Error {
    Error::tensor(name, "is missing")
}

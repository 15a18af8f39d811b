//! A network of floats, or of stored integers, to what the kernels compute in.
//!
//! Activations are u8 without a zero point, or of 12 bits at the beginning ([`Levels::of`]). Their scale is what the checkpoint says, else what the
//! activation does: ReLU6 keeps them in [0, 6], so that nothing needs calibration, and with ReLU a
//! batch norm tells how far they spread. Weights have no zero point either and a scale for each
//! output channel. Those of pointwise layers are of 8 bits, as they are stored if they are stored so.
//! Those of depthwise layers and the stem are of 16: nine taps a channel cost next to nothing, and
//! rounding them to 8 bits loses more than everything else together.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::model::{
    BYTE_LARGEST, Blueprint, ByteIntegers, Convolution, ConvolutionKind, Folded, IntegerWeights,
    LARGEST_BIAS, Levels, PixelIntegers, Quantisation, QuantisedConvolution, QuantisedLayers,
    QuantisedNetwork, Rounding, Softmax, Steps, StoredTensor, StoredValues, activation_steps,
    least_step, round_filter, weight_step,
};
use crate::pixels::{COLOURS, PixelScale};

/// The scale of what the stem reads, in bytes less the one that becomes 0. Halves, because that
/// byte is 127.5 in published checkpoints.
const PIXEL_STEP: f32 = 0.5;

/// The largest value in absolute terms that the stem takes, in steps: pictures have at most 255
/// where bytes become [-1, 1].
const LARGEST_PIXEL: i16 = 1023;

/// The largest weight of the stem. 27 products with its values stay below 2^30.
const STEM_LARGEST: i16 = i16::MAX;

/// The largest depthwise weight. Nine products with activations of 12 bits stay below 2^30.
const DEPTHWISE_LARGEST: i16 = (1 << 14) - 1;

/// The largest bias of a stored filter, a little more than one is given: it may have moved once the
/// filter's scale was chosen.
const LARGEST_STORED_BIAS: f64 = 1.25 * LARGEST_BIAS;

/// Quantises a network of which some or all tensors are floats.
///
/// # Errors
/// Activations whose range nothing tells; a scale of pixels that 16 bits don't hold. What is wrong with
/// a tensor is an error of its layer.
pub(in crate::cpu) fn network(blueprint: Blueprint<'_>) -> Result<QuantisedNetwork<'_>> {
    let exact = blueprint.pixel_scale.zero();
    let zero = exact.map(|zero| (2.0 * zero).round());
    // Of the values that a byte becomes.
    let most = |zero: &f64| zero.abs().max((510.0 - zero).abs());
    if zero
        .iter()
        .any(|zero| most(zero) > f64::from(LARGEST_PIXEL))
    {
        let message = "int8 needs pixels whose zero is near what a byte can be";
        return Err(Error::config("pixel_scale", message));
    }
    let steps = activation_steps(blueprint.config, blueprint.tensors)?;
    let last = steps.last().map(|last| {
        let channels = 0..blueprint.config.embedding_len();
        channels.map(|channel| last.at(channel)).collect()
    });
    let names = blueprint.config.convolutions().into_iter();
    let names = names.map(|convolution| convolution.name);
    // What the stem reads, and then what each gives.
    let read = std::iter::once(Steps::uniform(PIXEL_STEP)).chain(steps.iter().cloned());
    let scales = names.zip(read.zip(steps.iter().cloned())).collect();
    Ok(QuantisedNetwork {
        pixels: PixelIntegers {
            bytes: ByteIntegers::Linear {
                factor: 2,
                zero: zero.map(|zero| zero as i16),
            },
            scaled: std::array::from_fn(|c| {
                let factor = 2.0 / blueprint.pixel_scale.scale()[c];
                (factor as f32, (2.0 * exact[c] - zero[c]) as f32)
            }),
            bounds: (-LARGEST_PIXEL, LARGEST_PIXEL),
        },
        layers: Box::new(FloatLayers {
            blueprint,
            zero: zero.map(|zero| zero / 2.0),
            scales,
        }),
        steps: last.unwrap_or_default(),
        rounding: Rounding::Once,
        average: None,
        classifier: None,
        softmax: Softmax::Exact,
    })
}

/// The convolutions of such a network.
struct FloatLayers<'a> {
    blueprint: Blueprint<'a>,
    /// The byte of each colour that the stem takes for 0, near the one of the recipe.
    zero: [f64; COLOURS],
    /// The scales of what each reads and gives, by its name.
    scales: HashMap<String, (Steps, Steps)>,
}

impl QuantisedLayers for FloatLayers<'_> {
    fn layer(&self, convolution: &Convolution) -> Result<QuantisedConvolution<'_>> {
        let scales = self.scales.get(&convolution.name);
        let scales = scales.ok_or_else(|| Error::network("a layer without scales"))?;
        if let Some(stored) = stored(self.blueprint, convolution, scales)? {
            return Ok(stored);
        }
        let folded = folded(self.blueprint, convolution, self.zero)?;
        let output = Levels::of(convolution);
        Ok(quantised(&folded, convolution.kind, scales, output))
    }
}

/// A pointwise convolution that is stored in 8 bits with a scale for each output, as it is stored.
/// Nothing where it is not stored so.
fn stored<'a>(
    blueprint: Blueprint<'a>,
    convolution: &Convolution,
    (read, given): &(Steps, Steps),
) -> Result<Option<QuantisedConvolution<'a>>> {
    if convolution.kind != ConvolutionKind::Pointwise || convolution.batch_norm {
        return Ok(None);
    }
    let outputs = convolution.out_channels;
    let weight = convolution.weight_name();
    let weight = blueprint
        .tensors
        .tensor(&weight, &convolution.weight_shape())?;
    let StoredTensor {
        values: StoredValues::I8(integers),
        quantisation: Some(quantisation),
        ..
    } = weight
    else {
        return Ok(None);
    };
    let Quantisation {
        scales,
        zero_points,
        axis: 0,
    } = quantisation
    else {
        return Ok(None);
    };
    if scales.len() != outputs || zero_points.iter().any(|zero| *zero != 0) {
        return Ok(None);
    }
    let name = convolution.bias_name();
    let bias = blueprint.tensors.tensor(&name, &[outputs])?.numbers()?;
    // In sums of products. One that does not fit there can't have been rounded with its scale.
    let sums = bias.iter().zip(&scales).map(|(bias, scale)| {
        let sum = f64::from(*bias) / (f64::from(read.at(0)) * f64::from(*scale));
        let sum = sum.round_ties_even();
        (sum.abs() <= LARGEST_STORED_BIAS).then_some(sum as i32)
    });
    let sums: Option<Vec<i32>> = sums.collect();
    let bias = sums.ok_or_else(|| {
        let reason = "is no number, or does not go with the scale of its weights";
        Error::tensor(name, reason)
    })?;
    let multiplier = scales.iter().enumerate();
    Ok(Some(QuantisedConvolution {
        weight: IntegerWeights::Bytes(integers),
        bias,
        multiplier: multiplier
            .map(|(c, scale)| read.at(0) * scale / given.at(c))
            .collect(),
        reference_factor: Vec::new(),
        input_zero: 0,
        output: Levels::of(convolution),
    }))
}

/// A convolution as it is to be quantised: the stem's for bytes less those of `zero`.
fn folded<'a>(
    blueprint: Blueprint<'a>,
    convolution: &Convolution,
    zero: [f64; COLOURS],
) -> Result<Folded<'a>> {
    let folded = Folded::read(blueprint.config, convolution, blueprint.tensors)?;
    check_sums(convolution, &folded)?;
    if convolution.kind != ConvolutionKind::Standard {
        return Ok(folded);
    }
    let mut folded = with_pixel_scale(folded, blueprint.pixel_scale);
    // What `zero` is off moves every pixel as far.
    let exact = blueprint.pixel_scale.zero();
    let taps = 9;
    for (bias, filter) in folded
        .bias
        .iter_mut()
        .zip(folded.weight.chunks_exact(taps * COLOURS))
    {
        for (colour, window) in filter.chunks_exact(taps).enumerate() {
            let sum: f64 = window.iter().map(|w| f64::from(*w)).sum();
            *bias += sum * (zero[colour] - exact[colour]);
        }
    }
    Ok(folded)
}

/// Refuses weights whose sums may be too large for f32. There they are no numbers, which is an error;
/// here bounds would make an answer of them.
fn check_sums(convolution: &Convolution, folded: &Folded) -> Result<()> {
    /// More than any activation.
    const LARGEST_INPUT: f64 = 1024.0;
    let filters = folded
        .weight
        .chunks_exact(folded.weight.len() / folded.bias.len());
    for (filter, (scale, bias)) in filters.zip(folded.scale.iter().zip(&folded.bias)) {
        let largest = filter.iter().fold(0f32, |most, w| w.abs().max(most));
        let sum = f64::from(largest) * scale.abs() * filter.len() as f64 * LARGEST_INPUT;
        if sum + bias.abs() > f64::from(f32::MAX) {
            let reason = "has weights so large that no sum of them is a number: they are damaged";
            return Err(Error::tensor(
                format!("{}.weight", convolution.name),
                reason,
            ));
        }
    }
    Ok(())
}

/// The same stem for bytes less the one that becomes 0 ([`PixelScale::zero`]) in place of scaled
/// pixels.
fn with_pixel_scale<'a>(folded: Folded<'a>, pixel_scale: &PixelScale) -> Folded<'a> {
    // `[out][colour][row][column]`.
    let filter = folded.weight.len() / folded.scale.len().max(1);
    let colours = folded
        .weight
        .chunks_exact((filter / COLOURS).max(1))
        .enumerate();
    let scaled = colours.flat_map(|(i, window)| {
        let scale = folded.scale[i / COLOURS] * pixel_scale.scale()[i % COLOURS];
        window.iter().map(move |&w| (f64::from(w) * scale) as f32)
    });
    Folded {
        weight: scaled.collect(),
        scale: vec![1.0; folded.scale.len()],
        bias: folded.bias,
    }
}

/// The largest weight of a convolution in absolute value.
fn largest(kind: ConvolutionKind) -> i16 {
    match kind {
        ConvolutionKind::Standard => STEM_LARGEST,
        ConvolutionKind::Depthwise => DEPTHWISE_LARGEST,
        ConvolutionKind::Pointwise | ConvolutionKind::Classifier => BYTE_LARGEST,
    }
}

/// Quantises a convolution, with the scales of what it reads and gives.
fn quantised(
    folded: &Folded,
    kind: ConvolutionKind,
    (read, given): &(Steps, Steps),
    output: Levels,
) -> QuantisedConvolution<'static> {
    let outputs = folded.bias.len();
    let depth = folded.weight.len() / outputs;
    let mut integers: Vec<i16> = Vec::with_capacity(folded.weight.len());
    let mut quantised = QuantisedConvolution {
        weight: IntegerWeights::Words(Cow::Borrowed(&[])),
        bias: Vec::with_capacity(outputs),
        multiplier: Vec::with_capacity(outputs),
        reference_factor: Vec::new(),
        input_zero: 0,
        output,
    };
    let filters = folded.weight.chunks_exact(depth);
    let channels = filters.zip(folded.scale.iter().zip(&folded.bias));
    let mut weights = Vec::with_capacity(depth);
    for (c, (filter, (scale, bias))) in channels.enumerate() {
        // A channel of a depthwise convolution reads the same one.
        let input = read.at(c);
        weights.clear();
        weights.extend(filter.iter().map(|w| (f64::from(*w) * scale) as f32));
        let step = weight_step(&weights, largest(kind), least_step(*bias, input));
        let balanced = kind == ConvolutionKind::Pointwise;
        round_filter(&mut weights, step, balanced, &mut integers);
        let bias = bias / (f64::from(input) * f64::from(step));
        let bias = bias.clamp(-LARGEST_BIAS, LARGEST_BIAS);
        quantised.bias.push(bias.round_ties_even() as i32);
        // In the order in which LiteRT's default kernels multiply.
        quantised.multiplier.push(input * step / given.at(c));
    }
    quantised.weight = IntegerWeights::Words(Cow::Owned(integers));
    quantised
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::relu6_step;
    use ConvolutionKind::{Depthwise, Pointwise};

    fn words<'a>(quantised: &'a QuantisedConvolution) -> &'a [i16] {
        match &quantised.weight {
            IntegerWeights::Words(words) => words,
            IntegerWeights::Bytes(_) => panic!("bytes"),
        }
    }

    fn folded(weight: &[f32], bias: &[f64]) -> Folded<'static> {
        Folded {
            weight: Cow::Owned(weight.to_vec()),
            scale: vec![1.0; bias.len()],
            bias: bias.to_vec(),
        }
    }

    fn scales() -> (Steps, Steps) {
        let step = Steps::uniform(relu6_step(Levels::ALL));
        (step.clone(), step)
    }

    #[test]
    fn integers_stand_for_the_weights() {
        let weight: Vec<f32> = (0..96)
            .map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0)
            .collect();
        for (kind, off) in [(Pointwise, 0.02), (Depthwise, 1e-4)] {
            let quantised = quantised(
                &folded(&weight, &[0.5, -1.0, 3.0]),
                kind,
                &scales(),
                Levels::ALL,
            );
            let rows = words(&quantised).chunks(32).zip(weight.chunks(32));
            for (c, (integers, weights)) in rows.enumerate() {
                let step = quantised.multiplier[c];
                for (q, w) in integers.iter().zip(weights) {
                    assert!((f32::from(*q) * step - w).abs() < off, "{q} {w}");
                }
            }
            for (c, bias) in [0.5, -1.0, 3.0].iter().enumerate() {
                let stands_for =
                    quantised.bias[c] as f32 * quantised.multiplier[c] * relu6_step(Levels::ALL);
                assert!((stands_for - bias).abs() < 1e-3);
            }
        }
    }

    /// A channel that was pruned away still has its bias.
    #[test]
    fn a_filter_of_zeros_leaves_the_bias() {
        let quantised = quantised(
            &folded(&[0.0; 4], &[2.5]),
            Pointwise,
            &scales(),
            Levels::ALL,
        );
        assert_eq!(words(&quantised), [0; 4]);
        let stands_for =
            quantised.bias[0] as f32 * quantised.multiplier[0] * relu6_step(Levels::ALL);
        assert!((stands_for - 2.5).abs() < 1e-5);
    }
}

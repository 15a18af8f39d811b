//! Weights in f32 to integers.
//!
//! Activations are u8 with a scale that is the same for all channels of a layer and no zero point:
//! ReLU6 keeps them in [0, 6], so their scale needs no calibration. Weights have no zero point
//! either and a scale for each output channel. Those of pointwise layers are of 8 bits. Those of
//! depthwise layers and the stem are of 16: nine taps a channel cost next to nothing, and rounding
//! them to 8 bits loses more than everything else together.
//!
//! Activations are never negative, so that the rounding errors of a filter's weights don't cancel
//! out by chance: their sum, times the mean activation, moves the output. Hence [`balance`].

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::model::{
    Blueprint, ByteIntegers, Convolution, ConvolutionKind, Folded, IntegerWeights, Levels,
    PixelIntegers, QuantisedConvolution, QuantisedLayers, QuantisedNetwork,
};
use crate::ops::Activation;
use crate::pixels::{COLOURS, PixelScale};

/// The scale of every activation: ReLU6's range in 255 steps.
const STEP: f32 = 6.0 / 255.0;

/// The scale of what the stem reads, in bytes less the one that becomes 0. Halves, because that
/// byte is 127.5 in published checkpoints.
const PIXEL_STEP: f32 = 0.5;

/// The largest value in absolute terms that the stem takes, in steps: pictures have at most 255
/// where bytes become [-1, 1].
const LARGEST_PIXEL: i16 = 1023;

/// The largest weight of 8 bits: symmetric, so that -128 is never used.
const BYTE_LARGEST: i16 = 127;

/// The largest weight of 16 bits. Nine products with activations, and 27 with a stem's values,
/// stay below 2^30.
const WORD_LARGEST: i16 = i16::MAX;

/// The largest bias, which leaves the sum of products room.
const LARGEST_BIAS: f64 = (1 << 30) as f64;

/// Quantises a network of floats, for which nothing but its weights is needed.
///
/// # Errors
/// An activation without an upper bound; a scale of pixels that 16 bits don't hold. What is wrong with
/// a tensor is an error of its layer.
pub(in crate::cpu) fn network(blueprint: Blueprint<'_>) -> Result<QuantisedNetwork<'_>> {
    if blueprint.config.activation != Activation::Relu6 {
        let message = "int8 needs a network with ReLU6, whose activations have a known range; \
                       this one has ReLU";
        return Err(Error::config("activation", message));
    }
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
        }),
        steps: vec![STEP; blueprint.config.embedding_len()],
    })
}

/// The convolutions of a network of floats.
struct FloatLayers<'a> {
    blueprint: Blueprint<'a>,
    /// The byte of each colour that the stem takes for 0, near the one of the recipe.
    zero: [f64; COLOURS],
}

impl QuantisedLayers for FloatLayers<'_> {
    fn layer(&self, convolution: &Convolution) -> Result<QuantisedConvolution<'_>> {
        let folded = folded(self.blueprint, convolution, self.zero)?;
        Ok(quantised(&folded, convolution.kind))
    }
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

/// The scale of what a convolution reads.
fn input_step(kind: ConvolutionKind) -> f32 {
    match kind {
        ConvolutionKind::Standard => PIXEL_STEP,
        _ => STEP,
    }
}

/// The largest weight of a convolution in absolute value.
fn largest(kind: ConvolutionKind) -> i16 {
    match kind {
        ConvolutionKind::Standard | ConvolutionKind::Depthwise => WORD_LARGEST,
        ConvolutionKind::Pointwise | ConvolutionKind::Classifier => BYTE_LARGEST,
    }
}

/// Quantises a convolution.
fn quantised(folded: &Folded, kind: ConvolutionKind) -> QuantisedConvolution<'static> {
    let outputs = folded.bias.len();
    let depth = folded.weight.len() / outputs;
    let (input, most) = (input_step(kind), f32::from(largest(kind)));
    let mut integers: Vec<i16> = Vec::with_capacity(folded.weight.len());
    let mut quantised = QuantisedConvolution {
        weight: IntegerWeights::Words(Cow::Borrowed(&[])),
        bias: Vec::with_capacity(outputs),
        multiplier: Vec::with_capacity(outputs),
        input_zero: 0,
        output: Levels::ALL,
    };
    let filters = folded.weight.chunks_exact(depth);
    let channels = filters.zip(folded.scale.iter().zip(&folded.bias));
    let mut weights = Vec::with_capacity(depth);
    for (filter, (scale, bias)) in channels {
        weights.clear();
        weights.extend(filter.iter().map(|w| (f64::from(*w) * scale) as f32));
        let largest = weights.iter().fold(0f32, |most, w| w.abs().max(most));
        // A filter of zeros leaves the bias alone, which has to fit.
        let least = (bias.abs() / (f64::from(input) * LARGEST_BIAS)) as f32;
        let step = (largest / most).max(least).max(f32::MIN_POSITIVE);
        let inverse = step.recip();
        weights.iter_mut().for_each(|w| *w *= inverse);
        let start = integers.len();
        integers.extend(weights.iter().map(|w| round(*w)));
        if kind == ConvolutionKind::Pointwise {
            balance(&weights, &mut integers[start..]);
        }
        let bias = bias / (f64::from(input) * f64::from(step));
        let bias = bias.clamp(-LARGEST_BIAS, LARGEST_BIAS);
        quantised.bias.push(bias.round_ties_even() as i32);
        // In the order in which LiteRT's default kernels multiply.
        quantised.multiplier.push(input * step / STEP);
    }
    quantised.weight = IntegerWeights::Words(Cow::Owned(integers));
    quantised
}

/// The nearest integer, of two the even one, of less than 2^22 in absolute value: adding so much
/// leaves no room for a fraction. Where there is no instruction for it, rounding is a slow call.
fn round(value: f32) -> i16 {
    const NO_FRACTION: f32 = (3 << 22) as f32;
    ((value + NO_FRACTION) - NO_FRACTION) as i16
}

/// Rounds some weights of 8 bits the other way, those that are nearest to it, so that the errors of all of
/// them add up to less than one. On labelled pictures this halves what eight bits change: with
/// Google's weights of alpha 0.25 the first class stays the same for 86.8 % of pictures in place of
/// 83.7 %, of alpha 0.5 for 95.1 in place of 92.9 %.
fn balance(weights: &[f32], integers: &mut [i16]) {
    let errors = || integers.iter().zip(weights).map(|(q, w)| f32::from(*q) - w);
    // Several sums at a time, so that the compiler adds vectors; in the same order everywhere.
    let mut sums = [0f32; 8];
    for (i, error) in errors().enumerate() {
        sums[i % 8] += error;
    }
    let total: f32 = sums.iter().sum();
    let (turned, sign) = (total.abs().round() as usize, total.signum());
    if turned == 0 {
        return;
    }
    // The further from its integer, the nearer a weight is to the one on the other side; of equal
    // ones the first.
    let above = |floor: f32| -> Vec<(f32, usize)> {
        let off = errors().map(|error| error * sign).enumerate();
        let far = off.filter(|(_, off)| *off > floor);
        far.map(|(i, off)| (off, i)).collect()
    };
    // Errors are spread evenly over a step, so that a few more than are needed are above this.
    let part = (4 * turned + 16) as f32 / weights.len() as f32;
    let mut candidates = above((0.5 - part).max(0.0));
    if candidates.len() < turned {
        candidates = above(0.0);
    }
    let descending = |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    let turned = turned.min(candidates.len());
    if (1..candidates.len()).contains(&turned) {
        candidates.select_nth_unstable_by(turned, descending);
    }
    for (_, i) in &candidates[..turned] {
        integers[*i] = (integers[*i] - sign as i16).clamp(-BYTE_LARGEST, BYTE_LARGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn integers_stand_for_the_weights() {
        let weight: Vec<f32> = (0..96)
            .map(|i| ((i * 37 % 101) as f32 - 50.0) / 25.0)
            .collect();
        for (kind, off) in [(Pointwise, 0.02), (Depthwise, 1e-4)] {
            let quantised = quantised(&folded(&weight, &[0.5, -1.0, 3.0]), kind);
            let rows = words(&quantised).chunks(32).zip(weight.chunks(32));
            for (c, (integers, weights)) in rows.enumerate() {
                let step = quantised.multiplier[c];
                for (q, w) in integers.iter().zip(weights) {
                    assert!((f32::from(*q) * step - w).abs() < off, "{q} {w}");
                }
            }
            for (c, bias) in [0.5, -1.0, 3.0].iter().enumerate() {
                let stands_for = quantised.bias[c] as f32 * quantised.multiplier[c] * STEP;
                assert!((stands_for - bias).abs() < 1e-3);
            }
        }
    }

    /// A channel that was pruned away still has its bias.
    #[test]
    fn a_filter_of_zeros_leaves_the_bias() {
        let quantised = quantised(&folded(&[0.0; 4], &[2.5]), Pointwise);
        assert_eq!(words(&quantised), [0; 4]);
        let stands_for = quantised.bias[0] as f32 * quantised.multiplier[0] * STEP;
        assert!((stands_for - 2.5).abs() < 1e-5);
    }

    /// No weight is further from its integer than one step, and the errors cancel out.
    #[test]
    fn errors_add_up_to_less_than_one() {
        for seed in 0..50 {
            let wave = |i: i32| ((i * i + seed) as f32 * 0.37).sin() * 0.2 + 0.01;
            let weight: Vec<f32> = (0..257).map(wave).collect();
            let quantised = quantised(&folded(&weight, &[0.0]), Pointwise);
            let step = quantised.multiplier[0];
            let errors = words(&quantised).iter().zip(&weight);
            let errors: Vec<f32> = errors.map(|(q, w)| f32::from(*q) - w / step).collect();
            assert!(errors.iter().sum::<f32>().abs() < 0.51);
            assert!(errors.iter().all(|e| e.abs() < 1.0));
            let turned = errors.iter().filter(|e| e.abs() > 0.51).count();
            assert!(turned < 30, "{turned}");
        }
    }
}

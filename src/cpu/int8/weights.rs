//! Integer weights in the order in which the kernels read them.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::kernels::{Bounds, CHANNELS, DEPTHWISE_WEIGHTS, Kernels, depthwise_place};
use crate::cpu::buffer::{Buffer, Part};
use crate::error::{Error, Result};
use crate::model::{
    Assembly, Config, Convolution, ConvolutionKind, IntegerWeights, Levels, QuantisedConvolution,
    QuantisedNetwork, Rounding,
};
use crate::ops::ConvParams;
use crate::pixels::COLOURS;

/// Floats of a cache line.
const LINE: usize = 16;

/// Values under a row of the stem's window: three pixels of three colours, and one that counts
/// for nothing, so that they are pairs.
pub(super) const STEM_ROW: usize = 10;

/// Values under the stem's window.
const STEM_DEPTH: usize = 3 * STEM_ROW;

/// A convolution's packed weights, as [`Depthwise`](super::kernels::Depthwise) and
/// [`Pointwise`](super::kernels::Pointwise) describe them.
#[derive(Debug, Clone)]
pub(super) struct PackedInt8 {
    pub params: ConvParams,
    /// Inputs.
    pub inputs: usize,
    /// Inputs, padded.
    pub depth: usize,
    /// Outputs, padded.
    pub channels: usize,
    /// Outputs.
    pub outputs: usize,
    pub output: Levels,
    /// What is taken off each weight, so that they are the bytes that kernels multiply.
    pub offset: i32,
    weight: Part,
    /// Less what the input's zero point adds to a sum.
    bias: Part,
    multiplier: Part,
}

impl PackedInt8 {
    pub fn weight_bytes(&self) -> &[u8] {
        bytemuck::cast_slice(self.weight.floats())
    }

    pub fn weight_words(&self) -> &[i16] {
        bytemuck::cast_slice(self.weight.floats())
    }

    pub fn bias(&self) -> &[i32] {
        bytemuck::cast_slice(self.bias.floats())
    }

    /// As many for each output as the kernels' factors have words.
    pub fn multiplier(&self) -> &[f32] {
        self.multiplier.floats()
    }

    /// What the kernels make of its sums.
    pub fn bounds(&self) -> Bounds {
        let Levels { zero, low, high } = self.output;
        let [zero, low] = [zero, low].map(i32::from);
        Bounds {
            low: (low - zero) as f32,
            high: (i32::from(high) - zero) as f32,
            zero,
        }
    }
}

/// Packs the convolutions of a network, but for its classifier, on all threads.
pub(super) fn pack(
    config: &Config,
    network: &QuantisedNetwork,
    kernels: &Kernels,
) -> Result<Assembly<PackedInt8>> {
    let config = Config {
        classes: None,
        ..config.clone()
    };
    let convolutions = config.convolutions();
    let rounding = network.rounding;
    let layer = |convolution: &Convolution| network.layers.layer(convolution);
    let packed = pack_some(&config, &convolutions, layer, rounding, kernels)?;
    if packed.last().is_some_and(|(_, last)| last.output.is_wide()) {
        return Err(Error::network("an embedding of more than 8 bits"));
    }
    let mut packed = packed.into_iter();
    // What the layer before gives for 0.
    let mut zero = 0;
    Assembly::new(&config, |convolution| {
        let next = packed.next();
        let (input_zero, layer) =
            next.ok_or_else(|| Error::network("a layer without its weights"))?;
        check_zero(&convolution, input_zero, zero)?;
        zero = layer.output.zero;
        Ok(layer)
    })
}

/// Packs a classifier in integers, which is given `zero` for 0.
pub(super) fn pack_classifier(
    config: &Config,
    quantised: &QuantisedConvolution,
    zero: u8,
    rounding: Rounding,
    kernels: &Kernels,
) -> Result<Option<PackedInt8>> {
    let mut convolutions = config.convolutions();
    convolutions.retain(|c| c.kind == ConvolutionKind::Classifier);
    if let Some(classifier) = convolutions.first() {
        check_zero(classifier, quantised.input_zero, zero)?;
    }
    let borrowed = |_: &Convolution| Ok(quantised.clone());
    let mut packed = pack_some(config, &convolutions, borrowed, rounding, kernels)?;
    Ok(packed.pop().map(|(_, classifier)| classifier))
}

/// Refuses a layer that takes something else for 0 than it is given.
fn check_zero(convolution: &Convolution, takes: u8, given: u8) -> Result<()> {
    if takes == given {
        return Ok(());
    }
    let name = &convolution.name;
    let message = format!("{name} takes {takes} for 0, and is given {given} for it");
    Err(Error::network(message))
}

/// Packs some of a network's convolutions, each with what stands for 0 in its input.
fn pack_some<'q>(
    config: &Config,
    convolutions: &[Convolution],
    layer: impl Fn(&Convolution) -> Result<QuantisedConvolution<'q>> + Sync,
    rounding: Rounding,
    kernels: &Kernels,
) -> Result<Vec<(u8, PackedInt8)>> {
    if (rounding == Rounding::Reference) != (kernels.factor_words == 2) {
        return Err(Error::network("kernels that round otherwise"));
    }
    let mut end = 0;
    let planned: Vec<(&Convolution, Plan)> = convolutions
        .iter()
        .map(|convolution| {
            let plan = Plan::new(convolution, kernels, end);
            end = plan.end();
            (convolution, plan)
        })
        .collect();
    let buffer = Buffer::of_parts(
        &planned,
        |(_, plan)| plan.end() - plan.weight.start,
        |(convolution, plan), part| {
            let quantised = layer(convolution)?;
            check(convolution, &quantised, rounding)?;
            let offset = plan.offset(convolution, &quantised, kernels)?;
            plan.pack(&quantised, offset, kernels, part);
            let levels = (quantised.input_zero, quantised.output, offset);
            plan.levels.get_or_init(|| levels);
            Ok::<_, Error>(())
        },
    )?;
    let buffer = Arc::new(buffer);
    let packed = planned.into_iter().map(|(convolution, plan)| {
        let levels = plan.levels.get();
        let (input_zero, output, offset) =
            *levels.ok_or_else(|| Error::network("a layer that was not packed"))?;
        let packed = PackedInt8 {
            params: ConvParams {
                stride: convolution.stride,
                padding: convolution.padding,
                activation: config.activation,
            },
            inputs: convolution.in_channels,
            depth: plan.depth,
            channels: plan.channels,
            outputs: convolution.out_channels,
            output,
            offset,
            weight: Part::new(&buffer, plan.weight),
            bias: Part::new(&buffer, plan.bias),
            multiplier: Part::new(&buffer, plan.multiplier),
        };
        Ok((input_zero, packed))
    });
    packed.collect()
}

/// Refuses a convolution that is not as its form has to be.
fn check(
    convolution: &Convolution,
    quantised: &QuantisedConvolution,
    rounding: Rounding,
) -> Result<()> {
    let Levels { zero, low, high } = quantised.output;
    let outputs = convolution.out_channels;
    let weights: usize = convolution.weight_shape().iter().product();
    let is_whole = quantised.weight.len() == weights
        && quantised.bias.len() == outputs
        && match rounding {
            Rounding::Once => quantised.multiplier.len() == outputs,
            Rounding::Reference => quantised.reference_factor.len() == outputs,
        };
    // What goes into a depthwise convolution may be wider than bytes, if it is from 0 on.
    let is_narrow = matches!(
        convolution.kind,
        ConvolutionKind::Depthwise | ConvolutionKind::Classifier
    );
    let most = match (is_narrow, zero) {
        (false, 0) => Levels::WIDE.high,
        _ => Levels::ALL.high,
    };
    let fits = u16::from(low) <= high && high <= most;
    if is_whole && quantised.multiplier.iter().all(|m| m.is_finite()) && fits {
        return Ok(());
    }
    let name = &convolution.name;
    let message = format!("{name} in integers, {low} to {high} around {zero}, does not fit");
    Err(Error::network(message))
}

/// Where a convolution's packed weights go, in the floats of the network's buffer; each part
/// begins on a cache line.
struct Plan {
    kind: ConvolutionKind,
    depth: usize,
    channels: usize,
    weight: Range<usize>,
    bias: Range<usize>,
    multiplier: Range<usize>,
    /// What stands for 0 in its input, what it gives, and what is taken off its weights: known when it is
    /// packed.
    levels: OnceLock<(u8, Levels, i32)>,
}

impl Plan {
    fn new(convolution: &Convolution, kernels: &Kernels, start: usize) -> Self {
        let kind = convolution.kind;
        let channels = convolution.out_channels.next_multiple_of(CHANNELS);
        let depth = match kind {
            ConvolutionKind::Standard => STEM_DEPTH,
            _ => convolution.in_channels.next_multiple_of(CHANNELS),
        };
        let bytes = match kind {
            ConvolutionKind::Standard => depth * channels * size_of::<i16>(),
            ConvolutionKind::Depthwise => DEPTHWISE_WEIGHTS * channels * size_of::<i16>(),
            ConvolutionKind::Pointwise | ConvolutionKind::Classifier => {
                depth * channels * kernels.tile_bytes
            }
        };
        let weight = start..start + bytes / size_of::<f32>();
        let bias = weight.end.next_multiple_of(LINE);
        let multiplier = (bias + channels).next_multiple_of(LINE);
        Self {
            kind,
            depth,
            channels,
            weight,
            bias: bias..bias + channels,
            multiplier: multiplier..multiplier + channels * kernels.factor_words,
            levels: OnceLock::new(),
        }
    }

    /// Where the next convolution's begin.
    fn end(&self) -> usize {
        self.multiplier.end.next_multiple_of(LINE)
    }

    /// Writes a convolution to where it belongs, which holds zeros.
    fn pack(
        &self,
        quantised: &QuantisedConvolution,
        offset: i32,
        kernels: &Kernels,
        to: &mut [f32],
    ) {
        match &quantised.weight {
            IntegerWeights::Bytes(weights) => {
                self.pack_all(quantised, weights, offset, kernels, to);
            }
            IntegerWeights::Words(weights) => {
                self.pack_all(quantised, weights, offset, kernels, to);
            }
        }
    }

    /// What has to be taken off the weights for kernels that multiply bytes.
    fn offset(
        &self,
        convolution: &Convolution,
        quantised: &QuantisedConvolution,
        kernels: &Kernels,
    ) -> Result<i32> {
        let is_dense = matches!(
            self.kind,
            ConvolutionKind::Pointwise | ConvolutionKind::Classifier
        );
        if kernels.tile_bytes != 1 || !is_dense {
            return Ok(0);
        }
        let (least, most) = match &quantised.weight {
            // As many as bytes can be.
            IntegerWeights::Bytes(_) => (i8::MIN.into(), i8::MAX.into()),
            IntegerWeights::Words(words) => words.iter().fold((0, 0), |(least, most), word| {
                (i32::from(*word).min(least), i32::from(*word).max(most))
            }),
        };
        let (low, high) = kernels.layout.weight_range();
        if least >= low && most <= high {
            return Ok(0);
        }
        let offset = most - high;
        if least - offset >= low {
            return Ok(offset);
        }
        let name = &convolution.name;
        let message =
            format!("{name} has weights from {least} to {most}, more than eight bits hold");
        Err(Error::network(message))
    }

    fn pack_all<T: Copy + Into<i16>>(
        &self,
        quantised: &QuantisedConvolution,
        weights: &[T],
        offset: i32,
        kernels: &Kernels,
        to: &mut [f32],
    ) {
        let (weight, rest) = to.split_at_mut(self.bias.start - self.weight.start);
        let (bias, multiplier) = rest.split_at_mut(self.multiplier.start - self.bias.start);
        let bias: &mut [i32] = bytemuck::cast_slice_mut(bias);
        let outputs = quantised.bias.len();
        let rows = weights.chunks_exact(weights.len() / outputs);
        match self.kind {
            ConvolutionKind::Depthwise => {
                self.pack_depthwise(rows.clone(), kernels, bytemuck::cast_slice_mut(weight));
            }
            _ => {
                let weight = bytemuck::cast_slice_mut(weight);
                self.pack_panels(rows.clone(), offset as i16, kernels, weight);
            }
        }
        for (channel, row) in rows.enumerate() {
            let place = match self.kind {
                ConvolutionKind::Depthwise => {
                    let (first, block) = self.block(kernels, channel);
                    first + depthwise_place(kernels.layout, block, channel - first, 0).1
                }
                _ => channel,
            };
            bias[place] = less_zero(quantised.bias[channel], quantised.input_zero, row);
            match quantised.reference_factor.get(channel) {
                Some(factor) => {
                    let words: &mut [i32] = bytemuck::cast_slice_mut(multiplier);
                    words[2 * place..2 * place + 2].copy_from_slice(&factor.words());
                }
                None => multiplier[place] = quantised.multiplier[channel],
            }
        }
    }

    /// Where the blocks of depthwise weights begin that a channel is in, and their width: the last
    /// channels may be in narrower ones.
    fn block(&self, kernels: &Kernels, channel: usize) -> (usize, usize) {
        let whole = self.channels / kernels.block * kernels.block;
        if channel < whole {
            (0, kernels.block)
        } else {
            (whole, kernels.narrow_block)
        }
    }

    /// Windows of nine weights into the blocks of depthwise kernels.
    fn pack_depthwise<'w, T: Copy + Into<i16> + 'w>(
        &self,
        rows: impl Iterator<Item = &'w [T]>,
        kernels: &Kernels,
        to: &mut [i16],
    ) {
        for (channel, taps) in rows.enumerate() {
            let (first, block) = self.block(kernels, channel);
            for (tap, value) in taps.iter().enumerate() {
                let (at, _) = depthwise_place(kernels.layout, block, channel - first, tap);
                to[first * DEPTHWISE_WEIGHTS + at] = (*value).into();
            }
        }
    }

    /// Rows of weights as the columns of panels, the inputs that share four bytes side by side.
    fn pack_panels<'w, T: Copy + Into<i16> + 'w>(
        &self,
        rows: impl Iterator<Item = &'w [T]>,
        offset: i16,
        kernels: &Kernels,
        to: &mut [u8],
    ) {
        let is_stem = self.kind == ConvolutionKind::Standard;
        let is_words = is_stem || kernels.tile_bytes == 2;
        let bytes = match is_words {
            true => 4,
            false => kernels.layout.group_bytes(),
        };
        let values = if is_words { bytes / 2 } else { bytes };
        let (panel, lanes) = (kernels.panel(), kernels.lanes);
        let whole = self.channels / panel * panel;
        for (output, row) in rows.enumerate() {
            // The last panels, where less than a full one is left, are of a single vector.
            let (first, width) = if output < whole {
                (output / panel * panel, panel)
            } else {
                (output / lanes * lanes, lanes)
            };
            let to = &mut to[first * self.depth / values * bytes..];
            let within = output - first;
            // Where the output's first value of each group lies, and how far the next one is.
            let (place, next) = match is_words && !kernels.layout.pairs {
                true => (within / lanes * lanes * 4 + within % lanes * 2, lanes * 2),
                false => (within * bytes, bytes / values),
            };
            if is_stem {
                for (i, value) in row.iter().enumerate() {
                    let k = stem_place(i);
                    let at = k / 2 * width * 4 + place + k % 2 * next;
                    to[at..at + 2].copy_from_slice(&(*value).into().to_ne_bytes());
                }
                continue;
            }
            // Some bytes at a time, those of a step of the depth.
            let steps = to.chunks_mut(width * bytes).zip(row.chunks(values));
            for (to, row) in steps {
                if is_words {
                    for (i, value) in row.iter().enumerate() {
                        let at = place + i * next;
                        to[at..at + 2].copy_from_slice(&(*value).into().to_ne_bytes());
                    }
                } else {
                    for (to, value) in to[place..].iter_mut().zip(row) {
                        *to = ((*value).into() - offset) as u8;
                    }
                }
            }
        }
    }
}

/// A bias less what the input's zero point adds to a sum with these weights, in the 32 bits of the sums,
/// in which it may wrap: they do too.
fn less_zero<T: Copy + Into<i16>>(bias: i32, zero: u8, weights: &[T]) -> i32 {
    if zero == 0 {
        return bias;
    }
    let sum = weights.iter().fold(0i32, |sum, weight| {
        sum.wrapping_add(i32::from((*weight).into()))
    });
    bias.wrapping_sub(sum.wrapping_mul(i32::from(zero)))
}

/// Where the value for a weight of the stem, in the order `[colour][ky][kx]`, lies under a window:
/// `[ky][kx][colour]`, a row of which has [`STEM_ROW`] values.
fn stem_place(weight: usize) -> usize {
    let (colour, ky, kx) = (weight / 9, weight / 3 % 3, weight % 3);
    ky * STEM_ROW + kx * COLOURS + colour
}

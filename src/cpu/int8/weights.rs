//! Integer weights in the order in which the kernels read them.

use std::ops::Range;
use std::sync::Arc;

use super::kernels::{CHANNELS, DEPTHWISE_WEIGHTS, Kernels, depthwise_place};
use super::quantise::{Kind, Quantised};
use crate::cpu::buffer::{Buffer, Part};
use crate::error::{Error, Result};
use crate::model::{Assembly, Blueprint, Config, Convolution, ConvolutionKind, Folded};
use crate::ops::ConvParams;
use crate::pixels::{COLOURS, PixelScale};

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
    /// Inputs, padded.
    pub depth: usize,
    /// Outputs, padded.
    pub channels: usize,
    /// Outputs.
    pub outputs: usize,
    weight: Part,
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

    pub fn multiplier(&self) -> &[f32] {
        self.multiplier.floats()
    }
}

/// Quantises and packs the convolutions of a network, but for its classifier, on all threads.
///
/// `zero` is the byte of each colour that the stem takes for 0, near the one of the recipe.
pub(super) fn pack(
    blueprint: Blueprint,
    zero: [f64; COLOURS],
    kernels: &Kernels,
) -> Result<Assembly<PackedInt8>> {
    let config = Config {
        classes: None,
        ..blueprint.config.clone()
    };
    let convolutions = config.convolutions();
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
            let folded = folded(blueprint, convolution, zero)?;
            plan.pack(&Quantised::new(&folded, plan.kind), kernels, part);
            Ok::<_, Error>(())
        },
    )?;
    let buffer = Arc::new(buffer);
    let mut plans = planned.into_iter().map(|(_, plan)| plan);
    Assembly::new(&config, |convolution| {
        let plan = plans.next();
        let plan = plan.ok_or_else(|| Error::network("a layer without a plan"))?;
        Ok(PackedInt8 {
            params: ConvParams {
                stride: convolution.stride,
                padding: convolution.padding,
                activation: config.activation,
            },
            depth: plan.depth,
            channels: plan.channels,
            outputs: convolution.out_channels,
            weight: Part::new(&buffer, plan.weight),
            bias: Part::new(&buffer, plan.bias),
            multiplier: Part::new(&buffer, plan.multiplier),
        })
    })
}

/// A convolution as it is to be quantised: the stem's for bytes less those of `zero`.
pub(super) fn folded<'a>(
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

/// Which of the kinds a convolution is.
pub(super) fn kind(convolution: &Convolution) -> Kind {
    match convolution.kind {
        ConvolutionKind::Standard => Kind::Stem,
        ConvolutionKind::Depthwise => Kind::Depthwise,
        ConvolutionKind::Pointwise | ConvolutionKind::Classifier => Kind::Pointwise,
    }
}

/// Where a convolution's packed weights go, in the floats of the network's buffer; each part
/// begins on a cache line.
struct Plan {
    kind: Kind,
    depth: usize,
    channels: usize,
    weight: Range<usize>,
    bias: Range<usize>,
    multiplier: Range<usize>,
}

impl Plan {
    fn new(convolution: &Convolution, kernels: &Kernels, start: usize) -> Self {
        let kind = kind(convolution);
        let channels = convolution.out_channels.next_multiple_of(CHANNELS);
        let depth = match kind {
            Kind::Stem => STEM_DEPTH,
            _ => convolution.in_channels.next_multiple_of(CHANNELS),
        };
        let bytes = match kind {
            Kind::Stem => depth * channels * size_of::<i16>(),
            Kind::Depthwise => DEPTHWISE_WEIGHTS * channels * size_of::<i16>(),
            Kind::Pointwise => depth * channels * kernels.tile_bytes,
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
            multiplier: multiplier..multiplier + channels,
        }
    }

    /// Where the next convolution's begin.
    fn end(&self) -> usize {
        self.multiplier.end.next_multiple_of(LINE)
    }

    /// Writes a convolution to where it belongs, which holds zeros.
    fn pack(&self, quantised: &Quantised, kernels: &Kernels, to: &mut [f32]) {
        let (weight, rest) = to.split_at_mut(self.bias.start - self.weight.start);
        let (bias, multiplier) = rest.split_at_mut(self.multiplier.start - self.bias.start);
        let bias: &mut [i32] = bytemuck::cast_slice_mut(bias);
        match self.kind {
            Kind::Stem | Kind::Pointwise => {
                bias[..quantised.bias.len()].copy_from_slice(&quantised.bias);
                multiplier[..quantised.bias.len()].copy_from_slice(&quantised.multiplier);
                self.pack_panels(quantised, kernels, bytemuck::cast_slice_mut(weight));
            }
            Kind::Depthwise => {
                let weight: &mut [i16] = bytemuck::cast_slice_mut(weight);
                for (channel, taps) in quantised.weight.chunks_exact(9).enumerate() {
                    // The last channels may be in narrower blocks.
                    let whole = self.channels / kernels.block * kernels.block;
                    let (first, block) = if channel < whole {
                        (0, kernels.block)
                    } else {
                        (whole, kernels.narrow_block)
                    };
                    for (tap, value) in taps.iter().enumerate() {
                        let (at, _) = depthwise_place(block, channel - first, tap);
                        weight[first * DEPTHWISE_WEIGHTS + at] = *value;
                    }
                    let (_, at) = depthwise_place(block, channel - first, 0);
                    bias[first + at] = quantised.bias[channel];
                    multiplier[first + at] = quantised.multiplier[channel];
                }
            }
        }
    }

    /// Rows of weights as the columns of panels, the inputs that share four bytes side by side.
    fn pack_panels(&self, quantised: &Quantised, kernels: &Kernels, to: &mut [u8]) {
        let outputs = quantised.bias.len();
        let depth = quantised.weight.len() / outputs;
        let is_stem = self.kind == Kind::Stem;
        let bytes = if is_stem { 2 } else { kernels.tile_bytes };
        let (panel, lanes, group) = (kernels.panel(), kernels.lanes, 4 / bytes);
        let whole = self.channels / panel * panel;
        for (output, row) in quantised.weight.chunks_exact(depth).enumerate() {
            // The last panels, where less than a full one is left, are of a single vector.
            let (first, width) = if output < whole {
                (output / panel * panel, panel)
            } else {
                (output / lanes * lanes, lanes)
            };
            let start = (first * self.depth / group + output - first) * 4;
            let to = &mut to[start..];
            if is_stem {
                for (i, value) in row.iter().enumerate() {
                    let k = stem_place(i);
                    let at = k / 2 * width * 4 + k % 2 * 2;
                    to[at..at + 2].copy_from_slice(&value.to_ne_bytes());
                }
                continue;
            }
            // Four bytes at a time, those of a step of the depth.
            let steps = to.chunks_mut(width * 4).zip(row.chunks(group));
            if bytes == 1 {
                for (to, values) in steps {
                    for (to, value) in to.iter_mut().zip(values) {
                        *to = *value as i8 as u8;
                    }
                }
            } else {
                for (to, values) in steps {
                    for (to, value) in to.chunks_exact_mut(2).zip(values) {
                        to.copy_from_slice(&value.to_ne_bytes());
                    }
                }
            }
        }
    }
}

/// Where the value for a weight of the stem, in the order `[colour][ky][kx]`, lies under a window:
/// `[ky][kx][colour]`, a row of which has [`STEM_ROW`] values.
fn stem_place(weight: usize) -> usize {
    let (colour, ky, kx) = (weight / 9, weight / 3 % 3, weight % 3);
    ky * STEM_ROW + kx * COLOURS + colour
}

//! Weights in the order in which the kernels read them.
//!
//! All of a network's lie in one buffer, a convolution after the other, and are packed into it at
//! once on all threads: multiplied with what batch norm folds to, straight from where the tensors
//! lie.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use rayon::prelude::*;

use super::buffer::{Buffer, Part, floats_of};
use super::element::Element;
use super::kernels::Kernels;
use crate::error::{Error, Result};
use crate::model::{Assembly, Blueprint, Convolution, ConvolutionKind, Folded};
use crate::ops::{Activation, ConvParams};
use crate::pixels::COLOURS;

/// Depth of the part of a panel that is written at a time: it stays in the first-level cache
/// while the channels are written side by side.
const PACKED_DEPTH: usize = 64;

/// Floats of a cache line.
const LINE: usize = 16;

/// A convolution's packed weights: `[depth][panel]` for each panel of output channels. Those of a
/// depthwise layer are one panel, `[ky][kx][channels]`; the stem's depth is the values under its
/// windows, in the order of [`Element::stem_weights`]. The stem's and pointwise weights are elements,
/// `[depth / group][panel][group]`; all others are floats.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub params: ConvParams,
    /// Inputs, padded to a multiple of the element's group.
    pub depth: usize,
    /// Outputs, padded to a multiple of the vector.
    pub channels: usize,
    /// Outputs.
    pub outputs: usize,
    weight: Part,
    /// `[channels]`.
    bias: Part,
    /// The activation's bounds.
    pub bounds: (f32, f32),
}

impl Packed {
    pub fn weight<W: Pod>(&self) -> &[W] {
        bytemuck::cast_slice(self.weight.floats())
    }

    pub fn bias(&self) -> &[f32] {
        self.bias.floats()
    }
}

/// Packs all convolutions of a network, the classifier for kernels in f32.
pub(super) fn pack<E: Element>(
    blueprint: Blueprint,
    kernels: &Kernels<E>,
    classifier: &Kernels,
) -> Result<Assembly<Packed>> {
    let convolutions = blueprint.config.convolutions();
    let packed = pack_some(blueprint, &convolutions, kernels, classifier)?;
    let mut packed = packed.into_iter();
    Assembly::new(blueprint.config, |_| {
        let next = packed.next();
        next.ok_or_else(|| Error::network("a layer without weights"))
    })
}

/// Packs a network's classifier alone, if it has one.
pub(super) fn pack_classifier(blueprint: Blueprint, kernels: &Kernels) -> Result<Option<Packed>> {
    let mut convolutions = blueprint.config.convolutions();
    convolutions.retain(|c| c.kind == ConvolutionKind::Classifier);
    Ok(pack_some(blueprint, &convolutions, kernels, kernels)?.pop())
}

/// Packs some of a network's convolutions.
fn pack_some<E: Element>(
    blueprint: Blueprint,
    convolutions: &[Convolution],
    kernels: &Kernels<E>,
    classifier: &Kernels,
) -> Result<Vec<Packed>> {
    let Blueprint {
        config, tensors, ..
    } = blueprint;
    let mut end = 0;
    let planned: Vec<(&Convolution, Plan)> = convolutions
        .iter()
        .map(|convolution| {
            let plan = match convolution.kind {
                ConvolutionKind::Classifier => Plan::new::<f32>(convolution, classifier, end),
                _ => Plan::new(convolution, kernels, end),
            };
            end += plan.len();
            (convolution, plan)
        })
        .collect();
    let buffer = Buffer::of_parts(
        &planned,
        |(_, plan)| plan.len(),
        |(convolution, plan), part| {
            let mut folded = Folded::read(config, convolution, tensors)?;
            if convolution.kind == ConvolutionKind::Standard {
                let unit = E::stem_unit(blueprint.pixel_scale);
                folded.weight = windows::<E>(&folded.weight, unit).into();
            }
            plan.pack::<E>(folded, part);
            Ok::<_, Error>(())
        },
    )?;
    let buffer = Arc::new(buffer);
    let packed = planned.into_iter();
    let packed = packed.map(|(convolution, plan)| Packed {
        params: ConvParams {
            stride: convolution.stride,
            padding: convolution.padding,
            activation: config.activation,
        },
        depth: plan.depth,
        channels: plan.bias.len(),
        outputs: plan.outputs,
        weight: Part::new(&buffer, plan.weight),
        bias: Part::new(&buffer, plan.bias),
        bounds: match (convolution.kind, config.activation) {
            (ConvolutionKind::Classifier, _) => (f32::NEG_INFINITY, f32::INFINITY),
            (_, Activation::Relu) => (0.0, f32::INFINITY),
            (_, Activation::Relu6) => (0.0, 6.0),
        },
    });
    Ok(packed.collect())
}

/// Where a convolution's packed weights go.
struct Plan {
    kind: ConvolutionKind,
    /// Weights of an output, and with those that are padding.
    inputs: usize,
    depth: usize,
    outputs: usize,
    /// Weights of an output that lie side by side.
    group: usize,
    /// Width of the panels, and of those at the end that are not full.
    panel: usize,
    narrow: usize,
    /// In the network's buffer, in floats; both begin on a cache line.
    weight: Range<usize>,
    bias: Range<usize>,
}

impl Plan {
    /// For a convolution whose weights begin at `start`.
    fn new<E: Element>(convolution: &Convolution, kernels: &Kernels<E>, start: usize) -> Self {
        let outputs = convolution.out_channels;
        let channels = outputs.next_multiple_of(kernels.lanes);
        let [_, inputs, rows, columns] = convolution.weight_shape();
        let (group, inputs) = match convolution.kind {
            ConvolutionKind::Standard => (E::GROUP, E::STEM_TAPS.len() * E::GROUP),
            ConvolutionKind::Pointwise => (kernels.group, inputs),
            _ => (1, inputs * rows * columns),
        };
        let depth = inputs.next_multiple_of(group);
        let floats = if has_elements(convolution.kind) {
            floats_of::<E>(channels * depth)
        } else {
            channels * depth
        };
        let end = start + floats;
        let bias = end.next_multiple_of(LINE);
        let is_depthwise = convolution.kind == ConvolutionKind::Depthwise;
        Self {
            kind: convolution.kind,
            inputs,
            depth,
            outputs,
            group,
            panel: if is_depthwise {
                channels
            } else {
                kernels.panel()
            },
            narrow: if is_depthwise {
                channels
            } else {
                kernels.lanes
            },
            weight: start..end,
            bias: bias..bias + channels,
        }
    }

    /// Floats of weight and bias, to the end of a cache line.
    fn len(&self) -> usize {
        (self.bias.end - self.weight.start).next_multiple_of(LINE)
    }

    /// Writes weight and bias to where they belong, which holds zeros.
    fn pack<E: Element>(&self, folded: Folded, to: &mut [f32]) {
        let (weight, bias) = to.split_at_mut(self.bias.start - self.weight.start);
        let weight = &mut weight[..self.weight.len()];
        for (bias, value) in bias.iter_mut().zip(&folded.bias) {
            *bias = *value as f32;
        }
        if has_elements(self.kind) {
            let weight = bytemuck::cast_slice_mut(weight);
            self.pack_panels::<E>(&folded.weight, &folded.scale, weight);
        } else {
            self.pack_panels::<f32>(&folded.weight, &folded.scale, weight);
        }
    }

    /// Writes rows of weights, each times its factor, as the columns of panels.
    fn pack_panels<E: Element>(&self, rows: &[f32], scale: &[f64], weight: &mut [E]) {
        // What is beyond them is padding that fills a float.
        let weight = &mut weight[..self.bias.len() * self.depth];
        let panels = weight.par_chunks_mut(self.depth * self.panel).enumerate();
        panels.for_each(|(number, panel)| {
            // The last panels, where less than a full one is left, are of a single vector.
            let width = if panel.len() == self.depth * self.panel {
                self.panel
            } else {
                self.narrow
            };
            for (i, panel) in panel.chunks_exact_mut(self.depth * width).enumerate() {
                let first = (number * self.panel + i * width).min(self.outputs);
                let rows = &rows[first * self.inputs..];
                let scale = &scale[first..];
                pack_panel(rows, scale, self.inputs, width, self.group, panel);
            }
        });
    }
}

/// Writes rows of weights, each times its factor, as the columns of a panel, a group of a row's side
/// by side.
fn pack_panel<E: Element>(
    rows: &[f32],
    scale: &[f64],
    inputs: usize,
    width: usize,
    group: usize,
    panel: &mut [E],
) {
    for (i, part) in panel.chunks_mut(PACKED_DEPTH * width).enumerate() {
        let rows = rows.chunks_exact(inputs).zip(scale).take(width);
        for (lane, (row, scale)) in rows.enumerate() {
            let lines = part.chunks_exact_mut(width * group);
            let groups = row[i * PACKED_DEPTH..].chunks(group);
            for (line, values) in lines.zip(groups) {
                for (to, value) in line[lane * group..].iter_mut().zip(values) {
                    *to = E::of(f64::from(*value) * scale);
                }
            }
        }
    }
}

/// Whether a convolution's weights are elements, as the activations that they are multiplied with.
fn has_elements(kind: ConvolutionKind) -> bool {
    matches!(kind, ConvolutionKind::Standard | ConvolutionKind::Pointwise)
}

/// The stem's weight `[out][colour][row][column]`, for pixels in these units, in the order of the values
/// under a window.
fn windows<E: Element>(weight: &[f32], unit: [f64; COLOURS]) -> Vec<f32> {
    let places = E::stem_weights();
    let mut ordered = Vec::with_capacity(weight.len() / 27 * places.len());
    for output in weight.chunks_exact(9 * COLOURS) {
        ordered.extend(places.iter().map(|place| match *place {
            Some([row, column, colour]) => {
                let weight = output[9 * colour + 3 * row + column];
                (f64::from(weight) * unit[colour]) as f32
            }
            None => 0.0,
        }));
    }
    ordered
}

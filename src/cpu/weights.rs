//! Weights in the order in which the kernels read them.
//!
//! All of a network's lie in one buffer, a convolution after the other, and are packed into it at
//! once on all threads: multiplied with what batch norm folds to, straight from where the tensors
//! lie.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::buffer::{Buffer, Part};
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
/// depthwise layer are one panel, `[ky][kx][channels]`; the stem's depth is the pixels under its
/// windows, `[ky][kx][c]`.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub params: ConvParams,
    /// Inputs.
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
    pub fn weight(&self) -> &[f32] {
        self.weight.floats()
    }

    pub fn bias(&self) -> &[f32] {
        self.bias.floats()
    }
}

/// Packs all convolutions of a network.
pub(super) fn pack(blueprint: Blueprint, kernels: &Kernels) -> Result<Assembly<Packed>> {
    let packed = pack_some(blueprint, &blueprint.config.convolutions(), kernels)?;
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
    Ok(pack_some(blueprint, &convolutions, kernels)?.pop())
}

/// Packs some of a network's convolutions.
fn pack_some(
    blueprint: Blueprint,
    convolutions: &[Convolution],
    kernels: &Kernels,
) -> Result<Vec<Packed>> {
    let Blueprint {
        config, tensors, ..
    } = blueprint;
    let mut end = 0;
    let planned: Vec<(&Convolution, Plan)> = convolutions
        .iter()
        .map(|convolution| {
            let plan = Plan::new(convolution, kernels, end);
            end += plan.len();
            (convolution, plan)
        })
        .collect();
    let buffer = Buffer::of_parts(
        &planned,
        |(_, plan)| plan.len(),
        |(convolution, plan), part| {
            plan.pack(Folded::read(config, convolution, tensors)?, part);
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
    depth: usize,
    outputs: usize,
    /// Width of the panels, and of those at the end that are not full.
    panel: usize,
    narrow: usize,
    /// In the network's buffer; both begin on a cache line.
    weight: Range<usize>,
    bias: Range<usize>,
}

impl Plan {
    /// For a convolution whose weights begin at `start`.
    fn new(convolution: &Convolution, kernels: &Kernels, start: usize) -> Self {
        let outputs = convolution.out_channels;
        let channels = outputs.next_multiple_of(kernels.lanes);
        let [_, inputs, rows, columns] = convolution.weight_shape();
        let depth = inputs * rows * columns;
        let end = start + channels * depth;
        let bias = end.next_multiple_of(LINE);
        let is_depthwise = convolution.kind == ConvolutionKind::Depthwise;
        Self {
            kind: convolution.kind,
            depth,
            outputs,
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
    fn pack(&self, folded: Folded, to: &mut [f32]) {
        let (weight, bias) = to.split_at_mut(self.bias.start - self.weight.start);
        let weight = &mut weight[..self.weight.len()];
        for (bias, value) in bias.iter_mut().zip(&folded.bias) {
            *bias = *value as f32;
        }
        let ordered;
        let rows = match self.kind {
            ConvolutionKind::Standard => {
                ordered = windows(&folded.weight, self.depth);
                &ordered
            }
            _ => &*folded.weight,
        };
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
                let rows = &rows[first * self.depth..];
                pack_panel(rows, &folded.scale[first..], self.depth, width, panel);
            }
        });
    }
}

/// Writes rows of weights, each times its factor, as the columns of a panel.
fn pack_panel(rows: &[f32], scale: &[f64], depth: usize, width: usize, panel: &mut [f32]) {
    for (i, part) in panel.chunks_mut(PACKED_DEPTH * width).enumerate() {
        let rows = rows.chunks_exact(depth).zip(scale).take(width);
        for (lane, (row, scale)) in rows.enumerate() {
            let lines = part.chunks_exact_mut(width);
            for (line, value) in lines.zip(&row[i * PACKED_DEPTH..]) {
                line[lane] = (f64::from(*value) * scale) as f32;
            }
        }
    }
}

/// The stem's weight `[out][colour][tap]`, taps by row and column, as `[out][tap][colour]`, which is
/// the order of the pixels under a window.
fn windows(weight: &[f32], depth: usize) -> Vec<f32> {
    let taps = depth / COLOURS;
    let mut ordered = Vec::with_capacity(weight.len());
    for output in weight.chunks_exact(depth) {
        for tap in 0..taps {
            ordered.extend((0..COLOURS).map(|colour| output[taps * colour + tap]));
        }
    }
    ordered
}

//! Weights in the order in which the kernels read them.

use candle_core::{DType, Result, Tensor};

use super::buffer::Buffer;
use super::kernels::Kernels;
use crate::ops::ConvParams;

/// A matrix of weights and a bias: a pointwise layer, the classifier, or the stem over the
/// pixels under its windows.
#[derive(Debug, Clone)]
pub(super) struct Dense {
    /// Inputs.
    pub depth: usize,
    /// Outputs, padded to a multiple of the vector.
    pub channels: usize,
    /// Panels of `[depth][panel]`; see [`panels`](Self::panel_at).
    pub weight: Buffer,
    /// `[channels]`.
    pub bias: Buffer,
    /// The activation's bounds.
    pub bounds: (f32, f32),
}

impl Dense {
    /// Packs `weight` (`[out, depth]`, however it is shaped) and `bias` (`[out]`).
    pub fn new(weight: &[f32], bias: &[f32], bounds: (f32, f32), kernels: &Kernels) -> Self {
        let outputs = bias.len();
        let depth = weight.len() / outputs;
        let channels = outputs.next_multiple_of(kernels.lanes);
        let mut packed = Buffer::zeros(channels * depth);
        let floats = packed.floats_mut();
        let mut at = 0;
        let mut first = 0;
        while first < channels {
            let width = Self::panel_at(first, channels, kernels);
            let panel = &mut floats[at..at + depth * width];
            let rows = weight[first.min(outputs) * depth..].chunks_exact(depth);
            for (lane, row) in rows.take(width).enumerate() {
                for (line, value) in panel.chunks_exact_mut(width).zip(row) {
                    line[lane] = *value;
                }
            }
            at += depth * width;
            first += width;
        }
        let mut padded = vec![0.0; channels];
        padded[..outputs].copy_from_slice(bias);
        Self {
            depth,
            channels,
            weight: packed,
            bias: Buffer::from_slice(&padded),
            bounds,
        }
    }

    /// Width of the panel that begins at a channel: a full one, or a single vector where less
    /// than a full one is left.
    fn panel_at(first: usize, channels: usize, kernels: &Kernels) -> usize {
        match channels - first >= kernels.panel() {
            true => kernels.panel(),
            false => kernels.lanes,
        }
    }
}

/// A depthwise layer.
#[derive(Debug, Clone)]
pub(super) struct Depthwise {
    /// Channels, padded to a multiple of the vector.
    pub channels: usize,
    /// `[ky][kx][channels]`.
    pub weight: Buffer,
    /// `[channels]`.
    pub bias: Buffer,
    /// The activation's maximum.
    pub high: f32,
}

impl Depthwise {
    /// Packs `weight` (`[C, 1, 3, 3]`) and `bias` (`[C]`).
    pub fn new(weight: &[f32], bias: &[f32], high: f32, kernels: &Kernels) -> Self {
        let channels = bias.len().next_multiple_of(kernels.lanes);
        let mut packed = Buffer::zeros(9 * channels);
        let floats = packed.floats_mut();
        for (channel, taps) in weight.chunks_exact(9).enumerate() {
            for (tap, value) in taps.iter().enumerate() {
                floats[tap * channels + channel] = *value;
            }
        }
        let mut padded = vec![0.0; channels];
        padded[..bias.len()].copy_from_slice(bias);
        Self {
            channels,
            weight: packed,
            bias: Buffer::from_slice(&padded),
            high,
        }
    }
}

/// A depthwise-separable block.
#[derive(Debug)]
pub(super) struct Block {
    pub depthwise: Depthwise,
    /// Of the depthwise convolution.
    pub params: ConvParams,
    pub pointwise: Dense,
}

/// The stem's weight (`[out, 3, 3, 3]`, input channels before the kernel's rows and columns) as
/// `[out][ky][kx][c]`, which is the order of the pixels under a window.
pub(super) fn stem_weight(weight: &[f32]) -> Vec<f32> {
    let mut ordered = Vec::with_capacity(weight.len());
    for output in weight.chunks_exact(27) {
        for tap in 0..9 {
            ordered.extend((0..3).map(|c| output[9 * c + tap]));
        }
    }
    ordered
}

/// A tensor's values, in order.
pub(super) fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

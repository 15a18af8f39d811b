//! What runs a network: the interface that the CPU's engine, the GPU's and the composition of
//! candle's operations have in common.

use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::config::{Config, MIN_SIZE};
use super::precision::Precision;
use super::quantised::Softmax;
use super::stored::TensorSource;
use crate::cpu::{Isa, Piece};
use crate::error::{Error, Result};
use crate::pixels::{COLOURS, PixelScale};

/// What an engine is built from.
#[derive(Clone, Copy)]
pub(crate) struct Blueprint<'a> {
    pub config: &'a Config,
    /// What the bytes of pixels stand for.
    pub pixel_scale: &'a PixelScale,
    pub tensors: &'a dyn TensorSource,
}

/// What runs a network on a device in a type.
///
/// Pixels are bytes `[N, H, W, 3]`, or floats `[N, 3, H, W]` that are scaled already, on any device.
/// Whoever calls has checked that with [`image_size`].
pub(crate) trait Engine: fmt::Debug + Send + Sync {
    /// The device that it runs on.
    fn device(&self) -> &Device;

    /// What it computes in.
    fn precision(&self) -> Precision;

    /// How its logits become scores.
    fn softmax(&self) -> Softmax {
        Softmax::Exact
    }

    /// The last block's output of pixels: `[N, channels, rows, columns]` in f32.
    fn features(&self, pixels: &Tensor) -> Result<Tensor>;

    /// The mean of that over rows and columns: `[N, channels]` in f32.
    fn embed(&self, pixels: &Tensor) -> Result<Tensor>;

    /// The logits `[N, classes]` of such means, both in f32; the means where there is no
    /// classifier.
    fn classify_embedding(&self, embedding: &Tensor) -> Result<Tensor>;

    /// The logits `[N, classes]` of pixels, in f32; the means where there is no classifier.
    fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        self.classify_embedding(&self.embed(pixels)?)
    }

    /// The same, with the same weights in memory, on so many threads of the CPU; `None` where it runs
    /// elsewhere, or on threads that are not its own.
    fn with_threads(&self, _threads: usize) -> Option<Arc<dyn Engine>> {
        None
    }

    /// The instruction set of its kernels, where it has its own on the CPU.
    fn isa(&self) -> Option<Isa> {
        None
    }

    /// Operations that a pass gives a device that has kernels of ours, whatever the batch.
    fn device_operations(&self) -> Option<usize> {
        None
    }

    /// Whether the last batch went through a pass that was recorded.
    fn is_replayed(&self) -> bool {
        false
    }

    /// Its work on an image of this height and width, piece by piece, where it can be taken apart.
    fn pieces(&self, _size: (usize, usize)) -> Vec<Piece<'_>> {
        Vec::new()
    }
}

/// Height and width of pixels: bytes `[N, H, W, 3]`, or else `[N, 3, H, W]`.
pub(crate) fn image_size(pixels: &Tensor) -> Result<(usize, usize)> {
    let (channels, height, width) = match (pixels.dims4()?, pixels.dtype()) {
        ((_, height, width, channels), DType::U8) => (channels, height, width),
        ((_, channels, height, width), _) => (channels, height, width),
    };
    if channels != COLOURS || height.min(width) < MIN_SIZE {
        return Err(Error::input(format!(
            "pixels of {channels} channels, {height}x{width}: they have to be [N, 3, H, W], or \
             bytes [N, H, W, 3], of at least {MIN_SIZE}x{MIN_SIZE}"
        )));
    }
    Ok((height, width))
}

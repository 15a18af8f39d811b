//! The GPU's kernels as an engine.

use candle_core::{DType, Device, Tensor};

use super::weights::{GpuWeights, PassOutput};
#[cfg(feature = "cuda")]
use crate::device::reason::{Failure, explain};
use crate::error::Result;
use crate::model::{Blueprint, Engine, Precision};

/// A device that has kernels of ours.
#[derive(Debug)]
pub(crate) struct GpuEngine {
    weights: GpuWeights,
    #[cfg(feature = "cuda")]
    replay: super::replay::Replay,
}

impl GpuEngine {
    /// Brings the weights of a network to a device.
    pub fn new(blueprint: Blueprint, device: &Device, dtype: DType) -> Result<Self> {
        Ok(Self {
            weights: GpuWeights::new(blueprint, device, dtype)?,
            #[cfg(feature = "cuda")]
            replay: Default::default(),
        })
    }

    /// A pass, replayed where that can be.
    fn pass(&self, pixels: &Tensor, output: PassOutput) -> candle_core::Result<Tensor> {
        let pixels = channels_last(pixels)?;
        #[cfg(feature = "cuda")]
        if let Some(answer) = self.replay.answer(&self.weights, &pixels, output)? {
            return Ok(answer);
        }
        let answer = self.weights.pass(&pixels, output);
        #[cfg(feature = "cuda")]
        if let Err(error) = &answer
            && explain(error.to_string()).0 == Failure::OutOfMemory
            && self.replay.forget()
        {
            return self.weights.pass(&pixels, output);
        }
        answer
    }
}

impl Engine for GpuEngine {
    fn device(&self) -> &Device {
        self.weights.device()
    }

    fn precision(&self) -> Precision {
        self.weights.dtype().into()
    }

    fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        Ok(self.weights.features(&channels_last(pixels)?)?)
    }

    fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        Ok(self.pass(pixels, PassOutput::Embedding)?)
    }

    fn classify_embedding(&self, embedding: &Tensor) -> Result<Tensor> {
        Ok(self.weights.classify(embedding)?)
    }

    fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        Ok(self.pass(pixels, PassOutput::Logits)?)
    }

    fn device_operations(&self) -> Option<usize> {
        Some(self.weights.operations())
    }

    #[cfg(feature = "cuda")]
    fn is_replayed(&self) -> bool {
        self.replay.is_used()
    }
}

/// Pixels `[N, H, W, 3]`, as the stem takes them: bytes, or scaled ones in f32.
fn channels_last(pixels: &Tensor) -> candle_core::Result<Tensor> {
    match pixels.dtype() {
        DType::U8 => Ok(pixels.clone()),
        _ => pixels.to_dtype(DType::F32)?.permute((0, 2, 3, 1)),
    }
}

//! The network as a composition of candle's operations: slow, but on any device and in any float
//! type, and what the tests hold the other engines against.

use candle_core::{DType, Device, Tensor};

use super::architecture::{Convolution, ConvolutionKind};
use super::assembly::Assembly;
use super::config::Config;
use super::engine::{Blueprint, Engine};
use super::fold::Folded;
use super::stored::TensorSource;
use crate::error::Result;
use crate::ops::{self, ConvParams};
use crate::pixels::PixelScale;

/// A network a layer at a time. Its pixels are scaled before the stem.
#[derive(Debug)]
pub(super) struct ComposedEngine {
    layers: Assembly<FoldedConvolution>,
    pixel_scale: PixelScale,
    device: Device,
    dtype: DType,
}

/// A convolution with batch norm folded in.
#[derive(Debug)]
struct FoldedConvolution {
    kind: ConvolutionKind,
    /// `[out, in, k, k]`, or `[C, 1, k, k]` for a depthwise one.
    weight: Tensor,
    /// `[out]`.
    bias: Tensor,
    params: ConvParams,
}

impl ComposedEngine {
    /// Brings a network's weights to a device in a float type.
    pub fn new(blueprint: Blueprint, device: &Device, dtype: DType) -> Result<Self> {
        let Blueprint {
            config,
            pixel_scale,
            tensors,
        } = blueprint;
        Ok(Self {
            layers: Assembly::new(config, |convolution| {
                FoldedConvolution::new(config, &convolution, tensors, device, dtype)
            })?,
            pixel_scale: *pixel_scale,
            device: device.clone(),
            dtype,
        })
    }
}

impl Engine for ComposedEngine {
    fn device(&self) -> &Device {
        &self.device
    }

    fn dtype(&self) -> DType {
        self.dtype
    }

    fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        let pixels = pixels.to_device(&self.device)?;
        let mut x = match pixels.dtype() {
            DType::U8 => self.pixel_scale.apply(&pixels, self.dtype)?,
            _ => pixels.to_dtype(self.dtype)?,
        };
        for layer in self.layers.features() {
            x = layer.forward(&x)?;
        }
        Ok(x.to_dtype(DType::F32)?)
    }

    fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        // Summed in f32 whatever the type: 49 halves lose digits that the classifier needs.
        Ok(self.features(pixels)?.mean((2, 3))?)
    }

    fn classify_embedding(&self, embedding: &Tensor) -> Result<Tensor> {
        let Some(classifier) = &self.layers.classifier else {
            return Ok(embedding.clone());
        };
        let (n, channels) = embedding.dims2()?;
        let x = embedding.reshape((n, channels, 1, 1))?;
        let logits = classifier.forward(&x.to_dtype(self.dtype)?)?;
        Ok(logits.flatten_from(1)?.to_dtype(DType::F32)?)
    }
}

impl FoldedConvolution {
    fn new(
        config: &Config,
        convolution: &Convolution,
        tensors: &dyn TensorSource,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        let shape = convolution.weight_shape();
        let folded = Folded::read(config, convolution, tensors)?;
        let (weight, bias) = match dtype {
            DType::F64 => folded.tensors(&shape, |x| x)?,
            _ => folded.tensors(&shape, |x| x as f32)?,
        };
        let place = |tensor: Tensor| tensor.to_dtype(dtype)?.to_device(device);
        Ok(Self {
            kind: convolution.kind,
            weight: place(weight)?,
            bias: place(bias)?,
            params: ConvParams {
                stride: convolution.stride,
                padding: convolution.padding,
                activation: config.activation,
            },
        })
    }

    /// `[N, in, H, W]` to `[N, out, H', W']`.
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let Self {
            weight,
            bias,
            params,
            ..
        } = self;
        match self.kind {
            ConvolutionKind::Standard => ops::conv2d(x, weight, bias, *params),
            ConvolutionKind::Depthwise => ops::depthwise_conv2d(x, weight, bias, *params),
            ConvolutionKind::Pointwise => {
                ops::pointwise_conv2d(x, weight, bias, Some(params.activation))
            }
            ConvolutionKind::Classifier => ops::pointwise_conv2d(x, weight, bias, None),
        }
    }
}

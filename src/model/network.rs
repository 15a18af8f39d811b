//! The forward pass.

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::architecture::{Convolution, ConvolutionKind};
use super::config::Config;
use crate::error::Result;
use crate::ops::{self, ConvParams};

/// MobileNet V1, ready to run.
///
/// Batch norm is folded into the convolution before it when the network is built, so a layer
/// is a convolution, a bias and an activation.
///
/// # Example
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::VarBuilder;
/// use mobilenet::model::{Config, MobileNet, random_tensors};
///
/// let config = Config::with_alpha(0.25);
/// let tensors = random_tensors(&config, 0)?;
/// let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
/// let network = MobileNet::new(&config, &weights)?;
///
/// let pixels = Tensor::zeros((1, 3, 224, 224), DType::F32, &Device::Cpu)?;
/// assert_eq!(network.forward(&pixels)?.dims(), [1, 1000]);
/// # Ok::<(), mobilenet::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MobileNet {
    /// The stem and the depthwise-separable blocks.
    features: Vec<Layer>,
    classifier: Option<Layer>,
    device: Device,
    dtype: DType,
}

/// A convolution with batch norm folded in.
#[derive(Debug, Clone)]
struct Layer {
    kind: ConvolutionKind,
    /// `[out, in, k, k]`, or `[C, 1, k, k]` for a depthwise one.
    weight: Tensor,
    /// `[out]`.
    bias: Tensor,
    params: ConvParams,
}

impl MobileNet {
    /// Builds the network from tensors named as [`Config::tensors`] says, on the device and in
    /// the type of `weights`.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape, or settings that
    /// [`Config::validate`] refuses.
    pub fn new(config: &Config, weights: &VarBuilder) -> Result<Self> {
        config.validate()?;
        let mut features = Vec::new();
        let mut classifier = None;
        for convolution in config.convolutions() {
            let layer = Layer::new(config, &convolution, weights)?;
            match convolution.kind {
                ConvolutionKind::Classifier => classifier = Some(layer),
                _ => features.push(layer),
            }
        }
        Ok(Self {
            features,
            classifier,
            device: weights.device().clone(),
            dtype: weights.dtype(),
        })
    }

    /// The device that the network runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The type that the network computes in.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The global average pool of the last block: `[N, 3, H, W]` scaled pixels (see
    /// [`Preprocessing`](crate::pixels::Preprocessing)) to `[N, int(1024 * alpha)]` in f32.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        let mut x = pixels.to_device(&self.device)?.to_dtype(self.dtype)?;
        for layer in &self.features {
            x = layer.forward(&x)?;
        }
        // Summed in f32 whatever the type: 49 halves lose digits that the classifier needs.
        Ok(x.to_dtype(DType::F32)?.mean((2, 3))?)
    }

    /// Embeddings `[N, int(1024 * alpha)]` to logits `[N, classes]`, both in f32. A network
    /// without a classifier returns the embeddings.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn classify_embedding(&self, embedding: &Tensor) -> Result<Tensor> {
        let Some(classifier) = &self.classifier else {
            return Ok(embedding.clone());
        };
        let (n, channels) = embedding.dims2()?;
        let x = embedding.reshape((n, channels, 1, 1))?;
        let logits = classifier.forward(&x.to_dtype(self.dtype)?)?;
        Ok(logits.flatten_from(1)?.to_dtype(DType::F32)?)
    }

    /// `[N, 3, H, W]` scaled pixels to logits `[N, classes]` in f32, before the softmax. A
    /// network without a classifier returns the embedding.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        self.classify_embedding(&self.embed(pixels)?)
    }
}

impl Layer {
    fn new(config: &Config, convolution: &Convolution, weights: &VarBuilder) -> Result<Self> {
        // Folding happens in f32 whatever type the network runs in.
        let get = |name: String, shape: &[usize]| {
            weights.get_with_hints_dtype(shape, &name, Default::default(), DType::F32)
        };
        let name = &convolution.name;
        let channels = [convolution.out_channels];
        let weight = get(format!("{name}.weight"), &convolution.weight_shape())?;
        let (weight, bias) = if convolution.has_batch_norm() {
            let part = |part: &str| get(format!("{name}_bn.{part}"), &channels);
            let (gamma, beta) = (part("weight")?, part("bias")?);
            let (mean, variance) = (part("running_mean")?, part("running_var")?);
            let scale = (gamma / (variance + config.batch_norm_epsilon)?.sqrt()?)?;
            let weight = weight.broadcast_mul(&scale.reshape((channels[0], 1, 1, 1))?)?;
            (weight, (beta - (mean * scale)?)?)
        } else {
            (weight, get(format!("{name}.bias"), &channels)?)
        };
        Ok(Self {
            kind: convolution.kind,
            weight: weight.to_dtype(weights.dtype())?,
            bias: bias.to_dtype(weights.dtype())?,
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

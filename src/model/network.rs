//! The forward pass.

use std::sync::Arc;

use candle_core::{DType, Device, Storage, Tensor};
use candle_nn::VarBuilder;

use super::architecture::{Convolution, ConvolutionKind};
use super::config::{Config, MIN_SIZE};
use super::fold::{Folded, TensorSource};
use crate::cpu::{CpuNetwork, Isa, Piece};
use crate::error::{Error, Result};
use crate::gpu::{self, GpuNetwork};
use crate::ops::{self, ConvParams};
use crate::pixels::scale_bytes;

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
    engine: Engine,
    device: Device,
    dtype: DType,
}

/// What runs the network.
#[derive(Debug, Clone)]
enum Engine {
    /// f32 on the CPU.
    Cpu(Arc<CpuNetwork>),
    /// A device that has kernels of ours.
    Gpu(Arc<GpuNetwork>),
    /// Anything else: candle's operations, a layer at a time. The classifier, if there is one,
    /// is the last.
    Tensors(Vec<FoldedConvolution>),
}

/// A convolution with batch norm folded in.
#[derive(Debug, Clone)]
struct FoldedConvolution {
    kind: ConvolutionKind,
    /// `[out, in, k, k]`, or `[C, 1, k, k]` for a depthwise one.
    weight: Tensor,
    /// `[out]`.
    bias: Tensor,
    params: ConvParams,
}

impl MobileNet {
    /// Builds the network from tensors named as [`Config::tensors`] says, on the device and in
    /// the type of `weights`. On the CPU in f32 it runs on our own kernels, in the fastest
    /// instruction set that the machine has.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape, or settings that
    /// [`Config::validate`] refuses.
    pub fn new(config: &Config, weights: &VarBuilder) -> Result<Self> {
        Self::with_isa(config, weights, Isa::detect())
    }

    /// The same in a given instruction set, where that matters (on the CPU, in f32).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_isa(config: &Config, weights: &VarBuilder, isa: Isa) -> Result<Self> {
        match (weights.device(), weights.dtype()) {
            (Device::Cpu, DType::F32) => Self::on_cpu(config, weights, isa),
            (
                device @ (Device::Cuda(_) | Device::Metal(_)),
                DType::F32 | DType::F16 | DType::BF16,
            ) if gpu::kernels_work(device) => Self::channels_last(config, weights),
            _ => Self::composed(config, weights),
        }
    }

    /// The network on our own kernels, from tensors that need not be candle's.
    pub(crate) fn on_cpu(config: &Config, tensors: &dyn TensorSource, isa: Isa) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            engine: Engine::Cpu(Arc::new(CpuNetwork::new(config, tensors, isa)?)),
            device: Device::Cpu,
            dtype: DType::F32,
        })
    }

    /// The same as a composition of candle's operations, as it runs where there are no kernels of
    /// ours: slow, and what the tests hold those against.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn composed(config: &Config, weights: &VarBuilder) -> Result<Self> {
        Ok(Self {
            engine: Engine::Tensors(folded(config, weights)?),
            device: weights.device().clone(),
            dtype: weights.dtype(),
        })
    }

    /// The same as GPUs run it, whose kernels are plain loops where the weights are on the CPU. For
    /// tests: nothing that programs should count on.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[doc(hidden)]
    pub fn channels_last(config: &Config, weights: &VarBuilder) -> Result<Self> {
        config.validate()?;
        let (device, dtype) = (weights.device().clone(), weights.dtype());
        let network = GpuNetwork::new(config, weights, &device, dtype)?;
        Ok(Self {
            engine: Engine::Gpu(Arc::new(network)),
            device,
            dtype,
        })
    }

    /// The same network, with the same weights in memory, whose passes on the CPU run on so many
    /// threads (at least one, the caller's own): [the library's threads](crate#threads).
    pub fn with_threads(mut self, threads: usize) -> Self {
        if let Engine::Cpu(network) = &self.engine {
            self.engine = Engine::Cpu(Arc::new(network.with_threads(threads)));
        }
        self
    }

    /// The device that the network runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The type that the network computes in.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The instruction set of our own kernels, where the network runs on them.
    pub fn isa(&self) -> Option<Isa> {
        match &self.engine {
            Engine::Cpu(network) => Some(network.isa()),
            Engine::Gpu(_) | Engine::Tensors(_) => None,
        }
    }

    /// Operations that a pass gives a device that has kernels of ours, whatever the batch.
    pub fn device_operations(&self) -> Option<usize> {
        match &self.engine {
            Engine::Gpu(network) => Some(network.operations()),
            Engine::Cpu(_) | Engine::Tensors(_) => None,
        }
    }

    /// Whether the last batch went through a pass that was recorded and replayed at one call, as CUDA
    /// does when a second batch of the same shape comes. Of several threads, the last batch of any.
    pub fn is_replayed(&self) -> bool {
        match &self.engine {
            Engine::Gpu(network) => network.is_replayed(),
            Engine::Cpu(_) | Engine::Tensors(_) => false,
        }
    }

    /// Its work on an image of a size, piece by piece; nothing where it does not run on our own
    /// kernels. For `benches/kernels.rs`: nothing that programs should count on.
    #[doc(hidden)]
    pub fn pieces(&self, height: usize, width: usize) -> Vec<Piece<'_>> {
        match &self.engine {
            Engine::Cpu(network) => network.pieces((height, width)),
            Engine::Gpu(_) | Engine::Tensors(_) => Vec::new(),
        }
    }

    /// The global average pool of the last block: pixels to `[N, int(1024 * alpha)]` in f32.
    ///
    /// Pixels are `[N, 3, H, W]` of a float type, scaled to [-1, 1] (see
    /// [`to_tensor`](crate::pixels::to_tensor)), or bytes `[N, H, W, 3]` as they are (see
    /// [`to_bytes`](crate::pixels::to_bytes)), wherever they lie.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        let (height, width) = image_size(pixels)?;
        let layers = match &self.engine {
            Engine::Cpu(network) => {
                return on_pixels(pixels, network.embedding_len(), |p| {
                    network.embed(p, height, width)
                });
            }
            Engine::Gpu(network) => return Ok(network.embed(pixels)?),
            Engine::Tensors(layers) => layers,
        };
        // Summed in f32 whatever the type: 49 halves lose digits that the classifier needs.
        Ok(self.through(layers, pixels)?.mean((2, 3))?)
    }

    /// The last block's output, which the embedding is the mean of: pixels to
    /// `[N, int(1024 * alpha), H / 32, W / 32]` in f32, rounded as the padding says.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        let (height, width) = image_size(pixels)?;
        let network = match &self.engine {
            Engine::Cpu(network) => network,
            Engine::Gpu(network) => return Ok(network.features(pixels)?),
            Engine::Tensors(layers) => return self.through(layers, pixels),
        };
        let (rows, columns) = network.features_size(height, width);
        let channels = network.embedding_len();
        let maps = on_pixels(pixels, channels * rows * columns, |p| {
            network.features(p, height, width)
        })?;
        Ok(maps.reshape(((), channels, rows, columns))?)
    }

    /// What pixels become in all layers but the classifier, in f32.
    fn through(&self, layers: &[FoldedConvolution], pixels: &Tensor) -> Result<Tensor> {
        let pixels = pixels.to_device(&self.device)?;
        let mut x = match pixels.dtype() {
            DType::U8 => (pixels.to_dtype(DType::F32)? / 127.5)?
                .affine(1.0, -1.0)?
                .permute((0, 3, 1, 2))?
                .contiguous()?
                .to_dtype(self.dtype)?,
            _ => pixels.to_dtype(self.dtype)?,
        };
        for layer in layers.iter().filter(|layer| !layer.is_classifier()) {
            x = layer.forward(&x)?;
        }
        Ok(x.to_dtype(DType::F32)?)
    }

    /// Embeddings `[N, int(1024 * alpha)]` to logits `[N, classes]`, both in f32. A network
    /// without a classifier returns the embeddings.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn classify_embedding(&self, embedding: &Tensor) -> Result<Tensor> {
        let (n, channels) = embedding.dims2()?;
        let layers = match &self.engine {
            Engine::Cpu(network) => {
                let expected = network.embedding_len();
                if channels != expected {
                    let message = format!("embeddings of {channels} values, not {expected}");
                    return Err(Error::length(expected, channels, message));
                }
                if network.classes() == 0 {
                    return Ok(embedding.clone());
                }
                let values: Vec<f32> = embedding.flatten_all()?.to_vec1()?;
                let logits = network.classify(&values);
                let shape = (n, network.classes());
                return Ok(Tensor::from_vec(logits, shape, &self.device)?);
            }
            Engine::Gpu(network) => return Ok(network.classify(embedding)?),
            Engine::Tensors(layers) => layers,
        };
        let Some(classifier) = layers.last().filter(|layer| layer.is_classifier()) else {
            return Ok(embedding.clone());
        };
        let x = embedding.reshape((n, channels, 1, 1))?;
        let logits = classifier.forward(&x.to_dtype(self.dtype)?)?;
        Ok(logits.flatten_from(1)?.to_dtype(DType::F32)?)
    }

    /// Pixels to logits `[N, classes]` in f32, before the softmax. A network without a classifier
    /// returns the embedding.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        match &self.engine {
            // At once, so that threads share the classifier too.
            Engine::Cpu(network) if network.classes() > 0 => {
                let (height, width) = image_size(pixels)?;
                on_pixels(pixels, network.classes(), |p| {
                    network.forward(p, height, width)
                })
            }
            Engine::Gpu(network) => {
                image_size(pixels)?;
                Ok(network.forward(pixels)?)
            }
            _ => self.classify_embedding(&self.embed(pixels)?),
        }
    }
}

/// Height and width of pixels: bytes `[N, H, W, 3]`, or else `[N, 3, H, W]`.
pub(crate) fn image_size(pixels: &Tensor) -> Result<(usize, usize)> {
    let (channels, height, width) = match (pixels.dims4()?, pixels.dtype()) {
        ((_, height, width, channels), DType::U8) => (channels, height, width),
        ((_, channels, height, width), _) => (channels, height, width),
    };
    if channels != 3 || height.min(width) < MIN_SIZE {
        return Err(Error::input(format!(
            "pixels of {channels} channels, {height}x{width}: they have to be [N, 3, H, W], or \
             bytes [N, H, W, 3], of at least {MIN_SIZE}x{MIN_SIZE}"
        )));
    }
    Ok((height, width))
}

/// `[N, len]` of what comes of pixels on the CPU, wherever they are.
fn on_pixels(pixels: &Tensor, len: usize, run: impl Fn(&[f32]) -> Vec<f32>) -> Result<Tensor> {
    let pixels = pixels.to_device(&Device::Cpu)?;
    let pixels = match pixels.dtype() {
        DType::U8 => scale_bytes(&pixels)?,
        _ => pixels.to_dtype(DType::F32)?.contiguous()?,
    };
    let (storage, layout) = pixels.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        return Err(Error::input("pixels that are not on the CPU"));
    };
    let start = layout.start_offset();
    let values = &storage.as_slice::<f32>()?[start..start + layout.shape().elem_count()];
    let results = run(values);
    Ok(Tensor::from_vec(
        results,
        (pixels.dim(0)?, len),
        &Device::Cpu,
    )?)
}

/// The network's convolutions in order, batch norm folded in, in the type and on the device of the
/// weights.
fn folded(config: &Config, weights: &VarBuilder) -> Result<Vec<FoldedConvolution>> {
    config.validate()?;
    let convolutions = config.convolutions();
    let fold = |c| FoldedConvolution::new(config, c, weights);
    convolutions.iter().map(fold).collect()
}

impl FoldedConvolution {
    fn new(config: &Config, convolution: &Convolution, weights: &VarBuilder) -> Result<Self> {
        let shape = convolution.weight_shape();
        let folded = Folded::read(config, convolution, weights)?;
        let (weight, bias) = match weights.dtype() {
            DType::F64 => folded.tensors(&shape, |x| x)?,
            _ => folded.tensors(&shape, |x| x as f32)?,
        };
        let place = |tensor: Tensor| {
            tensor
                .to_dtype(weights.dtype())?
                .to_device(weights.device())
        };
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

    fn is_classifier(&self) -> bool {
        self.kind == ConvolutionKind::Classifier
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

//! A network that is ready to run, whatever runs it.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use super::composed::ComposedEngine;
use super::config::Config;
use super::dense_head::DenseHead;
use super::engine::{Blueprint, Engine, image_size};
use super::hidden::Pool;
use super::precision::Precision;
use super::quantised::Softmax;
use crate::cpu::{self, Isa, Piece};
use crate::error::{Error, Result};
use crate::gpu::{self, GpuEngine};
use crate::pixels::PixelScale;

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
/// let bytes = Tensor::zeros((1, 224, 224, 3), DType::U8, &Device::Cpu)?;
/// assert_eq!(network.forward(&bytes)?.dims(), [1, 1000]);
/// # Ok::<(), mobilenet::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MobileNet {
    /// What it does not compute of the network, `head` and the pool do.
    engine: Arc<dyn Engine>,
    /// `None` where the classifier is the engine's, or there is none.
    head: Option<Arc<DenseHead>>,
    config: Arc<Config>,
    pixel_scale: PixelScale,
}

/// What of a [`MobileNet`] can be other than usual.
#[derive(Clone)]
pub struct MobileNetBuilder<'a> {
    config: &'a Config,
    weights: &'a VarBuilder<'a>,
    pixel_scale: PixelScale,
    precision: Option<Precision>,
    isa: Option<Isa>,
}

impl<'a> MobileNetBuilder<'a> {
    /// Computing in something else than the type of the weights: in eight bits, or in bf16 from weights
    /// that are rounded only when batch norm has been folded into them.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self {
            precision: Some(precision),
            ..self
        }
    }

    /// For pixels of another scale than `byte / 127.5 - 1`.
    pub fn with_pixel_scale(self, pixel_scale: PixelScale) -> Self {
        Self {
            pixel_scale,
            ..self
        }
    }

    /// In an instruction set, where that matters (on the CPU, in f32, bf16 and int8); else it is the fastest that
    /// the machine has.
    pub fn with_isa(self, isa: Isa) -> Self {
        Self {
            isa: Some(isa),
            ..self
        }
    }

    /// The network on the device and in the type of its weights, on the fastest engine for both.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape, settings that [`Config::validate`] refuses, a
    /// scale that [`PixelScale::validate`] does, or a failure of the device.
    pub fn build(&self) -> Result<MobileNet> {
        let precision = match self.precision {
            Some(precision) => precision,
            None => self.weights.dtype().into(),
        };
        let device = self.weights.device();
        MobileNet::from_blueprint(self.blueprint(), device, precision, self.isa)
    }

    /// The same as a composition of candle's operations, as it runs where there are no kernels of
    /// ours: slow, and what the tests hold those against.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_composed(&self) -> Result<MobileNet> {
        let (device, dtype) = (self.weights.device(), self.weights.dtype());
        MobileNet::on(self.blueprint(), |blueprint| {
            Ok(Arc::new(ComposedEngine::new(blueprint, device, dtype)?))
        })
    }

    /// The same as GPUs run it, whose kernels are plain loops where the weights are on the CPU. For
    /// tests: nothing that programs should count on.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    #[doc(hidden)]
    pub fn build_channels_last(&self) -> Result<MobileNet> {
        let (device, dtype) = (self.weights.device(), self.weights.dtype());
        MobileNet::on(self.blueprint(), |blueprint| {
            Ok(Arc::new(GpuEngine::new(blueprint, device, dtype)?))
        })
    }

    fn blueprint(&self) -> Blueprint<'_> {
        Blueprint {
            config: self.config,
            pixel_scale: &self.pixel_scale,
            tensors: self.weights,
        }
    }
}

/// The engine for a device and what it is to compute in.
fn engine(
    blueprint: Blueprint,
    device: &Device,
    precision: Precision,
    isa: Option<Isa>,
) -> Result<Arc<dyn Engine>> {
    if device.is_cpu()
        && let Some(engine) = cpu::engine(blueprint, precision, isa)?
    {
        return Ok(engine);
    }
    let Precision::Float(dtype) = precision else {
        let message = format!("{precision} runs on the CPU alone");
        return Err(Error::config("precision", message));
    };
    Ok(match (device, dtype) {
        (Device::Cuda(_) | Device::Metal(_), DType::F32 | DType::F16 | DType::BF16)
            if gpu::kernels_work(device) =>
        {
            Arc::new(GpuEngine::new(blueprint, device, dtype)?)
        }
        _ => Arc::new(ComposedEngine::new(blueprint, device, dtype)?),
    })
}

impl MobileNet {
    /// Builds the network from tensors named as [`Config::tensors`] says, on the device and in
    /// the type of `weights`, for pixels of the scale that all published checkpoints take. On the CPU
    /// in f32 and bf16 it runs on our own kernels, in the fastest instruction set that the machine has.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape, settings that [`Config::validate`] refuses, or
    /// a failure of the device.
    pub fn new(config: &Config, weights: &VarBuilder) -> Result<Self> {
        Self::builder(config, weights).build()
    }

    /// The same with something other than usual.
    pub fn builder<'a>(config: &'a Config, weights: &'a VarBuilder<'a>) -> MobileNetBuilder<'a> {
        MobileNetBuilder {
            config,
            weights,
            pixel_scale: PixelScale::default(),
            precision: None,
            isa: None,
        }
    }

    /// The network from tensors that need not be candle's.
    pub(crate) fn from_blueprint(
        blueprint: Blueprint,
        device: &Device,
        precision: Precision,
        isa: Option<Isa>,
    ) -> Result<Self> {
        Self::on(blueprint, |blueprint| {
            engine(blueprint, device, precision, isa)
        })
    }

    fn on(
        blueprint: Blueprint,
        engine: impl FnOnce(Blueprint) -> Result<Arc<dyn Engine>>,
    ) -> Result<Self> {
        let config = blueprint.config;
        config.validate()?;
        blueprint.pixel_scale.validate()?;
        let (engine, head) = if config.has_plain_head() {
            (engine(blueprint)?, None)
        } else {
            let engine = engine(Blueprint {
                config: &config.without_head(),
                ..blueprint
            })?;
            let head = DenseHead::read(config, blueprint.tensors, engine.device())?;
            (engine, head)
        };
        Ok(Self {
            engine,
            head: head.map(Arc::new),
            config: Arc::new(blueprint.config.clone()),
            pixel_scale: *blueprint.pixel_scale,
        })
    }

    /// The network's settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The scale of the pixels that it was built for.
    pub fn pixel_scale(&self) -> &PixelScale {
        &self.pixel_scale
    }

    /// The same network, with the same weights in memory, whose passes on the CPU run on so many
    /// threads (at least one, the caller's own): [the library's threads](crate#threads).
    pub fn with_threads(self, threads: usize) -> Self {
        let head = self.head.as_ref();
        let head = head.map(|head| Arc::new(head.with_threads(threads)));
        let engine = self.engine.with_threads(threads).unwrap_or(self.engine);
        Self {
            engine,
            head,
            ..self
        }
    }

    /// The device that the network runs on.
    pub fn device(&self) -> &Device {
        self.engine.device()
    }

    /// What the network computes in.
    pub fn precision(&self) -> Precision {
        self.engine.precision()
    }

    /// How its logits become scores.
    pub(crate) fn softmax(&self) -> Softmax {
        self.engine.softmax()
    }

    /// The instruction set of our own kernels, where the network runs on them.
    pub fn isa(&self) -> Option<Isa> {
        self.engine.isa()
    }

    /// Operations that a pass gives a device that has kernels of ours, whatever the batch.
    pub fn device_operations(&self) -> Option<usize> {
        let head = self.head.as_ref().map_or(0, |head| head.operations());
        Some(self.engine.device_operations()? + head)
    }

    /// What it has after the embedding, where that is more than its engine computes by itself.
    pub(crate) fn head(&self) -> Option<&DenseHead> {
        self.head.as_deref()
    }

    /// Whether the last batch went through a pass that was recorded and replayed at one call, as CUDA
    /// does when a second batch of the same shape comes. Of several threads, the last batch of any.
    pub fn is_replayed(&self) -> bool {
        self.engine.is_replayed()
    }

    /// Its work on an image of a size, piece by piece; nothing where it does not run on our own
    /// kernels. For `benches/kernels.rs`: nothing that programs should count on.
    #[doc(hidden)]
    pub fn pieces(&self, height: usize, width: usize) -> Vec<Piece<'_>> {
        self.engine.pieces((height, width))
    }

    /// The global pool of the last block, before any hidden layer: pixels to `[N, int(1024 * alpha)]` in
    /// f32.
    ///
    /// Pixels are bytes `[N, H, W, 3]` as they are (see [`to_bytes`](crate::pixels::to_bytes)), or
    /// `[N, 3, H, W]` of a float type, scaled as [`pixel_scale`](Self::pixel_scale) says (see
    /// [`to_tensor`](crate::pixels::to_tensor)), wherever they lie. Bytes are faster.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn embed(&self, pixels: &Tensor) -> Result<Tensor> {
        image_size(pixels)?;
        match self.config.pool {
            Pool::Average => self.engine.embed(pixels),
            Pool::Max => Ok(largest(&self.engine.features(pixels)?)?),
        }
    }

    /// The last block's output, which the embedding is the mean of: pixels to
    /// `[N, int(1024 * alpha), H / 32, W / 32]` in f32, rounded as the padding says.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn features(&self, pixels: &Tensor) -> Result<Tensor> {
        image_size(pixels)?;
        self.engine.features(pixels)
    }

    /// Embeddings `[N, int(1024 * alpha)]` to logits `[N, classes]`, both in f32. A network
    /// without a classifier returns the embeddings.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn classify_embedding(&self, embedding: &Tensor) -> Result<Tensor> {
        let (_, channels) = embedding.dims2()?;
        let expected = self.config.embedding_len();
        if channels != expected {
            let message = format!("embeddings of {channels} values, not {expected}");
            return Err(Error::length(expected, channels, message));
        }
        match &self.head {
            Some(head) => Ok(head.logits(embedding)?),
            None => self.engine.classify_embedding(embedding),
        }
    }

    /// Pixels to logits `[N, classes]` in f32, before the softmax. A network without a classifier
    /// returns the embedding.
    ///
    /// # Errors
    /// A shape that doesn't fit, or a failure of the device.
    pub fn forward(&self, pixels: &Tensor) -> Result<Tensor> {
        image_size(pixels)?;
        if self.config.has_plain_head() {
            return self.engine.forward(pixels);
        }
        self.classify_embedding(&self.embed(pixels)?)
    }
}

/// The largest value of each map, `[N, C]` of `[N, C, H, W]`; what is not a number makes what is not.
fn largest(maps: &Tensor) -> candle_core::Result<Tensor> {
    let maps = maps.flatten_from(2)?;
    // The maximum alone may pass over what is not a number.
    maps.max(2)? + (maps.sum(2)? * 0.0)?
}

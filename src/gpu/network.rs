//! The whole network as launches on a device.

use candle_core::{DType, Device, Result as CandleResult, Tensor};

use super::layer::{COLOURS, Kernel, Layer, TAPS};
#[cfg(feature = "cuda")]
use crate::device::reason::is_out_of_memory;
use crate::error::{Error, Result};
use crate::model::{Config, Convolution, ConvolutionKind, Folded, TensorSource};
use crate::ops::Padding;

/// MobileNet V1 with its weights on a device, in the order that the kernels want.
#[derive(Debug)]
pub(crate) struct GpuNetwork {
    pub(super) stem: Step,
    pub(super) blocks: Vec<Block>,
    pub(super) average: Step,
    /// `[int(1024 * alpha), classes]` and `[classes]` in f32: it is small, and digits lost here are
    /// lost in the answer.
    pub(super) classifier: Option<(Tensor, Tensor)>,
    #[cfg(feature = "cuda")]
    replay: super::replay::Replay,
}

/// One of our kernels with its parameters.
#[derive(Debug)]
pub(super) struct Step {
    pub layer: Layer,
    pub parameters: Tensor,
}

#[derive(Debug)]
pub(super) struct Block {
    pub depthwise: Step,
    /// `[in, out]`; its bias is a parameter of whatever comes next.
    pub pointwise: Tensor,
}

/// What of a pass is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The global average pool.
    Embedding,
    /// The classifier's output; of a network without one the embedding.
    Logits,
}

impl Step {
    fn run(&self, input: &Tensor) -> CandleResult<Tensor> {
        self.layer.run(input, &self.parameters)
    }
}

impl GpuNetwork {
    /// Brings the weights of a network's convolutions to a device.
    pub fn new(
        config: &Config,
        tensors: &dyn TensorSource,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        let upload = |values: Vec<f32>| Tensor::new(values, device);
        let layer = |kernel, convolution: &Convolution, dtype| Layer {
            kernel,
            channels: convolution.out_channels,
            padding: convolution.padding,
            activation: config.activation,
            dtype,
        };
        let mut stem = None;
        let mut depthwise = None;
        let mut blocks = Vec::new();
        let mut classifier = None;
        // Of the pointwise layer before, whose activation is still to be taken.
        let mut bias: Option<Vec<f32>> = None;
        let mut last = None;
        for convolution in config.convolutions() {
            let folded = Folded::read(config, &convolution, tensors)?;
            let own_bias = folded.bias.iter().map(|&b| b as f32);
            let inputs = convolution.in_channels;
            match convolution.kind {
                ConvolutionKind::Standard => {
                    let weights = transposed(&folded, COLOURS * TAPS * TAPS, |i| {
                        // [colour][row][column] to [row][column][colour]
                        let (tap, colour) = (i / COLOURS, i % COLOURS);
                        colour * TAPS * TAPS + tap
                    });
                    stem = Some(Step {
                        layer: layer(Kernel::Stem, &convolution, dtype),
                        parameters: upload(weights.into_iter().chain(own_bias).collect())?,
                    });
                }
                ConvolutionKind::Depthwise => {
                    let taps = transposed(&folded, TAPS * TAPS, |i| i);
                    let kernel = Kernel::Depthwise {
                        stride: convolution.stride,
                        input_bias: bias.is_some(),
                    };
                    let parameters = taps.into_iter().chain(own_bias);
                    let parameters = parameters.chain(bias.take().unwrap_or_default());
                    depthwise = Some(Step {
                        layer: layer(kernel, &convolution, dtype),
                        parameters: upload(parameters.collect())?,
                    });
                }
                ConvolutionKind::Pointwise => {
                    let weight = upload(transposed(&folded, inputs, |i| i))?;
                    let pointwise = weight
                        .reshape((inputs, convolution.out_channels))?
                        .to_dtype(dtype)?;
                    blocks.extend(depthwise.take().map(|depthwise| Block {
                        depthwise,
                        pointwise,
                    }));
                    bias = Some(own_bias.collect());
                    last = Some(layer(Kernel::Average, &convolution, DType::F32));
                }
                ConvolutionKind::Classifier => {
                    let weight = upload(transposed(&folded, inputs, |i| i))?;
                    let weight = weight.reshape((inputs, convolution.out_channels))?;
                    classifier = Some((weight, upload(own_bias.collect())?));
                }
            }
        }
        let (Some(stem), Some(layer)) = (stem, last) else {
            return Err(Error::network("a network without layers"));
        };
        Ok(Self {
            stem,
            blocks,
            average: Step {
                layer: Layer {
                    padding: Padding::Same,
                    ..layer
                },
                parameters: upload(bias.unwrap_or_default())?,
            },
            classifier,
            #[cfg(feature = "cuda")]
            replay: Default::default(),
        })
    }

    /// The device that it is on.
    pub fn device(&self) -> &Device {
        self.stem.parameters.device()
    }

    /// The type of the activations.
    #[cfg(feature = "cuda")]
    pub(super) fn dtype(&self) -> DType {
        self.stem.layer.dtype
    }

    /// The global average pool `[N, int(1024 * alpha)]` in f32 of pixels: bytes `[N, H, W, 3]`, or
    /// scaled ones `[N, 3, H, W]` of any float type.
    pub fn embed(&self, pixels: &Tensor) -> CandleResult<Tensor> {
        self.pass(pixels, Wanted::Embedding)
    }

    /// Logits `[N, classes]` in f32 of pixels; the embedding where there is no classifier.
    pub fn forward(&self, pixels: &Tensor) -> CandleResult<Tensor> {
        self.pass(pixels, Wanted::Logits)
    }

    /// A pass, replayed where that can be.
    fn pass(&self, pixels: &Tensor, wanted: Wanted) -> CandleResult<Tensor> {
        #[cfg(feature = "cuda")]
        if let Some(answer) = self.replay.answer(self, pixels, wanted)? {
            return Ok(answer);
        }
        let answer = self.pass_once(pixels, wanted);
        #[cfg(feature = "cuda")]
        if let Err(error) = &answer
            && is_out_of_memory(&error.to_string())
            && self.replay.forget()
        {
            return self.pass_once(pixels, wanted);
        }
        answer
    }

    /// A pass, an operation at a time.
    pub(super) fn pass_once(&self, pixels: &Tensor, wanted: Wanted) -> CandleResult<Tensor> {
        let embedding = self.average.run(&self.products(pixels)?)?;
        match wanted {
            Wanted::Embedding => Ok(embedding),
            Wanted::Logits => self.classify(&embedding),
        }
    }

    /// The last block's output `[N, C, H, W]` in f32, of which the embedding is the mean.
    pub fn features(&self, pixels: &Tensor) -> CandleResult<Tensor> {
        let products = self.products(pixels)?.to_dtype(DType::F32)?;
        let biased = products.broadcast_add(&self.average.parameters)?;
        let highest = f64::from(self.average.layer.highest());
        biased.clamp(0f64, highest)?.permute((0, 3, 1, 2))
    }

    /// Logits `[N, classes]` of embeddings, both in f32; the embeddings without a classifier.
    pub fn classify(&self, embedding: &Tensor) -> CandleResult<Tensor> {
        match &self.classifier {
            Some((weight, bias)) => embedding.matmul(weight)?.broadcast_add(bias),
            None => Ok(embedding.clone()),
        }
    }

    /// The last pointwise layer's products `[N, H, W, C]`, without bias and activation.
    fn products(&self, pixels: &Tensor) -> CandleResult<Tensor> {
        let pixels = match pixels.dtype() {
            DType::U8 => pixels.contiguous()?,
            _ => {
                let pixels = pixels.to_dtype(DType::F32)?;
                pixels.permute((0, 2, 3, 1))?.contiguous()?
            }
        };
        let mut x = self.stem.run(&pixels.to_device(self.device())?)?;
        for block in &self.blocks {
            let y = block.depthwise.run(&x)?;
            let (n, h, w, channels) = y.dims4()?;
            let y = y.reshape((n * h * w, channels))?;
            x = y.matmul(&block.pointwise)?.reshape((n, h, w, ()))?;
        }
        Ok(x)
    }

    /// Whether the last pass was a recorded one.
    pub fn is_replayed(&self) -> bool {
        #[cfg(feature = "cuda")]
        return self.replay.is_used();
        #[cfg(not(feature = "cuda"))]
        false
    }

    /// Operations that a pass gives the device, whatever the batch, besides the copies up and down.
    pub fn operations(&self) -> usize {
        let classifier = if self.classifier.is_some() { 2 } else { 0 };
        1 + 2 * self.blocks.len() + 1 + classifier
    }
}

/// A convolution's filters, batch norm folded in, as `[len][out]`; value `i` of a row comes from
/// place `from(i)` of a filter.
fn transposed(folded: &Folded, len: usize, from: impl Fn(usize) -> usize) -> Vec<f32> {
    let value = |i: usize, filter: usize| {
        let weight = folded.weight[filter * len + from(i)];
        (f64::from(weight) * folded.scale[filter]) as f32
    };
    let filters = folded.scale.len();
    let row = |i| (0..filters).map(move |filter| (i, filter));
    (0..len)
        .flat_map(row)
        .map(|(i, filter)| value(i, filter))
        .collect()
}

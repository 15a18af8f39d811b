//! A network's weights on a device, and a pass over them, an operation at a time.

use candle_core::{DType, Device, Result as CandleResult, Tensor};

use super::kernel::{Kernel, KernelOp, TAPS};
use crate::error::{Error, Result};
use crate::model::{Assembly, Blueprint, Convolution, Folded};
use crate::ops::Padding;
use crate::pixels::COLOURS;

/// MobileNet V1 with its weights on a device, in the order that the kernels want.
#[derive(Debug)]
pub(super) struct GpuWeights {
    pub stem: Step,
    pub blocks: Vec<GpuBlock>,
    pub average: Step,
    /// `[int(1024 * alpha), classes]` and `[classes]` in f32: it is small, and digits lost here are
    /// lost in the answer.
    pub classifier: Option<(Tensor, Tensor)>,
}

/// One of our kernels with its parameters.
#[derive(Debug)]
pub(super) struct Step {
    pub op: KernelOp,
    pub parameters: Tensor,
}

/// A depthwise-separable convolution.
#[derive(Debug)]
pub(super) struct GpuBlock {
    pub depthwise: Step,
    /// `[in, out]`; its bias is a parameter of whatever comes next.
    pub pointwise: Tensor,
}

/// What of a pass is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PassOutput {
    /// The global average pool.
    Embedding,
    /// The classifier's output; of a network without one the embedding.
    Logits,
}

impl Step {
    fn run(&self, input: &Tensor) -> CandleResult<Tensor> {
        self.op.run(input, &self.parameters)
    }
}

impl GpuWeights {
    /// Brings the weights of a network's convolutions to a device.
    pub fn new(blueprint: Blueprint, device: &Device, dtype: DType) -> Result<Self> {
        let Blueprint {
            config,
            pixel_scale,
            tensors,
        } = blueprint;
        let upload = |values: Vec<f32>| Tensor::new(values, device);
        let op = |kernel, convolution: &Convolution| KernelOp {
            kernel,
            channels: convolution.out_channels,
            padding: convolution.padding,
            activation: config.activation,
            dtype,
            scale: pixel_scale.of_bytes(),
        };
        let layers = Assembly::new(config, |convolution| {
            let folded = Folded::read(config, &convolution, tensors)?;
            Ok((convolution, folded))
        })?;
        let (convolution, folded) = &layers.stem;
        let weights = transposed(folded, |i| {
            // [colour][row][column] to [row][column][colour]
            let (tap, colour) = (i / COLOURS, i % COLOURS);
            colour * TAPS * TAPS + tap
        });
        let stem = Step {
            op: op(Kernel::Stem, convolution),
            parameters: upload(weights.into_iter().chain(bias(folded)).collect())?,
        };
        // Of the pointwise layer before, whose activation is still to be taken.
        let mut before = None;
        let mut blocks = Vec::new();
        for block in &layers.blocks {
            let (convolution, folded) = &block.depthwise;
            let kernel = Kernel::Depthwise {
                stride: convolution.stride,
                input_bias: before.is_some(),
            };
            let parameters = transposed(folded, |i| i).into_iter().chain(bias(folded));
            let parameters = parameters.chain(before.into_iter().flat_map(bias));
            let depthwise = Step {
                op: op(kernel, convolution),
                parameters: upload(parameters.collect())?,
            };
            let (convolution, folded) = &block.pointwise;
            let pointwise = upload(transposed(folded, |i| i))?;
            let shape = (convolution.in_channels, convolution.out_channels);
            blocks.push(GpuBlock {
                depthwise,
                pointwise: pointwise.reshape(shape)?.to_dtype(dtype)?,
            });
            before = Some(folded);
        }
        let Some((convolution, folded)) = layers.blocks.last().map(|block| &block.pointwise) else {
            return Err(Error::network("a network without blocks"));
        };
        let average = Step {
            op: KernelOp {
                padding: Padding::Same,
                dtype: DType::F32,
                ..op(Kernel::Average, convolution)
            },
            parameters: upload(bias(folded).collect())?,
        };
        let classifier = match &layers.classifier {
            Some((convolution, folded)) => {
                let weight = upload(transposed(folded, |i| i))?;
                let shape = (convolution.in_channels, convolution.out_channels);
                Some((weight.reshape(shape)?, upload(bias(folded).collect())?))
            }
            None => None,
        };
        Ok(Self {
            stem,
            blocks,
            average,
            classifier,
        })
    }

    /// The device that it is on.
    pub fn device(&self) -> &Device {
        self.stem.parameters.device()
    }

    /// The type of the activations.
    pub fn dtype(&self) -> DType {
        self.stem.op.dtype
    }

    /// A pass over pixels `[N, H, W, 3]`: bytes, or scaled ones in f32.
    pub fn pass(&self, pixels: &Tensor, output: PassOutput) -> CandleResult<Tensor> {
        let embedding = self.average.run(&self.products(pixels)?)?;
        match output {
            PassOutput::Embedding => Ok(embedding),
            PassOutput::Logits => self.classify(&embedding),
        }
    }

    /// The last block's output `[N, C, H, W]` in f32, of which the embedding is the mean.
    pub fn features(&self, pixels: &Tensor) -> CandleResult<Tensor> {
        let products = self.products(pixels)?.to_dtype(DType::F32)?;
        let biased = products.broadcast_add(&self.average.parameters)?;
        let highest = f64::from(self.average.op.highest());
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
        let pixels = pixels.contiguous()?.to_device(self.device())?;
        let mut x = self.stem.run(&pixels)?;
        for block in &self.blocks {
            let y = block.depthwise.run(&x)?;
            let (n, h, w, channels) = y.dims4()?;
            let y = y.reshape((n * h * w, channels))?;
            x = y.matmul(&block.pointwise)?.reshape((n, h, w, ()))?;
        }
        Ok(x)
    }

    /// Operations that a pass gives the device, whatever the batch, besides the copies up and down.
    pub fn operations(&self) -> usize {
        let classifier = if self.classifier.is_some() { 2 } else { 0 };
        1 + 2 * self.blocks.len() + 1 + classifier
    }
}

/// A convolution's bias in f32.
fn bias(folded: &Folded) -> impl Iterator<Item = f32> {
    folded.bias.iter().map(|&bias| bias as f32)
}

/// A convolution's filters, batch norm folded in, as `[len][out]`; value `i` of a row comes from
/// place `from(i)` of a filter.
fn transposed(folded: &Folded, from: impl Fn(usize) -> usize) -> Vec<f32> {
    let filters = folded.scale.len();
    let len = folded.weight.len() / filters.max(1);
    let value = |i: usize, filter: usize| {
        let weight = folded.weight[filter * len + from(i)];
        (f64::from(weight) * folded.scale[filter]) as f32
    };
    let row = |i| (0..filters).map(move |filter| (i, filter));
    (0..len)
        .flat_map(row)
        .map(|(i, filter)| value(i, filter))
        .collect()
}

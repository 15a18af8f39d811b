//! The network as it is trained: batch norm by itself, variables in place of weights.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};

use super::batch_norm::BatchNorm;
use super::convolution::{Depthwise, Standard};
use crate::error::{Error, Result};
use crate::model::{Config, Convolution, ConvolutionKind};
use crate::ops::{Activation, conv2d_sums, depthwise_sums};

/// What batch norm normalises with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The statistics of the batch.
    Training,
    /// The running statistics, as in a network that is built from the checkpoint.
    Evaluation,
}

/// MobileNet V1 that can be trained, made from the one description of it
/// ([`Config::convolutions`]).
///
/// On a CPU, 3x3 convolutions and batch norm are loops of our own with gradients of their own; on
/// another device they are compositions of candle's operations, whose gradients are candle's.
#[derive(Debug)]
pub struct TrainableNetwork {
    config: Config,
    layers: Vec<Layer>,
    device: Device,
    dtype: DType,
    composed: bool,
}

/// A convolution with what follows it.
#[derive(Debug)]
struct Layer {
    convolution: Convolution,
    frozen: bool,
    /// As [`Convolution::weight_shape`] says.
    weight: Var,
    after: After,
}

/// What follows a convolution.
#[derive(Debug)]
enum After {
    /// Batch norm and the activation; `[C]` each.
    Norm {
        gamma: Var,
        beta: Var,
        running: Statistics,
    },
    /// A bias `[C]`.
    Bias(Var),
}

/// Mean and variance of each channel, `[C]`.
#[derive(Debug, Clone)]
pub(super) struct Statistics {
    mean: Tensor,
    variance: Tensor,
}

/// What came of a batch.
#[derive(Debug)]
pub struct Passed {
    /// `[N, classes]`.
    pub logits: Tensor,
    /// Of each layer that has a batch norm and is trained, by its number; none in evaluation.
    statistics: Vec<(usize, Statistics)>,
}

/// A weight that is trained.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name in a checkpoint.
    pub name: String,
    /// Its value.
    pub value: Var,
    /// Whether weight decay is for it: not for batch norm and biases, nor for depthwise filters,
    /// which have so few weights that little or none is best (Howard et al. 2017, section 3.2).
    pub decays: bool,
}

impl TrainableNetwork {
    /// A network of these tensors, named as [`Config::tensors`] says, to be trained but for the
    /// stem and the first `frozen` blocks, where that is more than none.
    ///
    /// # Errors
    /// Settings that can't be trained, tensors that are missing or of another shape, or more
    /// blocks than there are.
    pub fn new(
        config: &Config,
        tensors: &HashMap<String, Tensor>,
        frozen: usize,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        config.validate()?;
        let refuse = |reason: String| Err(Error::Config(reason));
        if config.batch_norm_folded {
            return refuse(
                "batch norm is folded into the convolutions: it can't be trained".into(),
            );
        }
        if config.classes.is_none() {
            return refuse("there is no classifier to be trained".into());
        }
        let convolutions = config.convolutions();
        // The stem and the classifier, and two for each block.
        let blocks = convolutions.len() / 2 - 1;
        if frozen > blocks {
            return refuse(format!(
                "{frozen} blocks can't be frozen: there are {blocks}"
            ));
        }
        let frozen_layers = if frozen == 0 { 0 } else { 1 + 2 * frozen };
        let take = |name: &str, shape: &[usize]| match tensors.get(name) {
            Some(tensor) if tensor.dims() == shape => {
                let placed = tensor.to_device(device)?.to_dtype(dtype)?;
                // A copy: what is trained must not change what it began with.
                Ok(placed.copy()?)
            }
            _ => Err(Error::Config(format!(
                "{name} of shape {shape:?} is missing"
            ))),
        };
        let layer = |(number, convolution): (usize, Convolution)| {
            let name = &convolution.name;
            let shape = [convolution.out_channels];
            let part = |part: &str| take(&format!("{name}_bn.{part}"), &shape);
            let after = match convolution.batch_norm {
                true => After::Norm {
                    gamma: Var::from_tensor(&part("weight")?)?,
                    beta: Var::from_tensor(&part("bias")?)?,
                    running: Statistics {
                        mean: part("running_mean")?,
                        variance: part("running_var")?,
                    },
                },
                false => After::Bias(Var::from_tensor(&take(&format!("{name}.bias"), &shape)?)?),
            };
            let weight = take(&format!("{name}.weight"), &convolution.weight_shape())?;
            Ok(Layer {
                weight: Var::from_tensor(&weight)?,
                after,
                frozen: number < frozen_layers,
                convolution,
            })
        };
        let layers = convolutions.into_iter().enumerate().map(layer);
        Ok(Self {
            config: config.clone(),
            layers: layers.collect::<Result<_>>()?,
            device: device.clone(),
            dtype,
            composed: !device.is_cpu(),
        })
    }

    /// The same made of candle's operations even on a CPU, as on other devices: slow, and what the
    /// tests hold the loops against.
    pub fn composed(self) -> Self {
        Self {
            composed: true,
            ..self
        }
    }

    /// The network's settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The weights that are trained, in the order of the layers.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        for layer in self.layers.iter().filter(|layer| !layer.frozen) {
            let mut push = |name: String, value: &Var, decays| {
                parameters.push(Parameter {
                    name,
                    value: value.clone(),
                    decays,
                });
            };
            let Convolution { name, kind, .. } = &layer.convolution;
            let decays = *kind != ConvolutionKind::Depthwise;
            push(format!("{name}.weight"), &layer.weight, decays);
            match &layer.after {
                After::Norm { gamma, beta, .. } => {
                    push(format!("{name}_bn.weight"), gamma, false);
                    push(format!("{name}_bn.bias"), beta, false);
                }
                After::Bias(bias) => push(format!("{name}.bias"), bias, false),
            }
        }
        parameters
    }

    /// All tensors as they are now, named as [`Config::tensors`] says.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn tensors(&self) -> Result<HashMap<String, Tensor>> {
        let mut tensors = HashMap::new();
        for layer in &self.layers {
            let name = &layer.convolution.name;
            let mut keep = |name: String, tensor: &Tensor| -> Result<()> {
                tensors.insert(name, tensor.to_device(&Device::Cpu)?.copy()?.detach());
                Ok(())
            };
            keep(format!("{name}.weight"), &layer.weight)?;
            match &layer.after {
                After::Norm {
                    gamma,
                    beta,
                    running,
                } => {
                    keep(format!("{name}_bn.weight"), gamma)?;
                    keep(format!("{name}_bn.bias"), beta)?;
                    keep(format!("{name}_bn.running_mean"), &running.mean)?;
                    keep(format!("{name}_bn.running_var"), &running.variance)?;
                }
                After::Bias(bias) => keep(format!("{name}.bias"), bias)?,
            }
        }
        Ok(tensors)
    }

    /// `[N, 3, H, W]` scaled pixels (see [`Preprocessing`](crate::pixels::Preprocessing)) to
    /// logits. Frozen layers are in evaluation always.
    ///
    /// # Errors
    /// Shapes that don't fit, or a failure of the device.
    pub fn forward(&self, pixels: &Tensor, phase: Phase) -> Result<Passed> {
        let mut statistics = Vec::new();
        let pixels = pixels.to_device(&self.device)?.to_dtype(self.dtype)?;
        // The channel first, see `convolution`.
        let mut x = pixels.transpose(0, 1)?.contiguous()?;
        for (number, layer) in self.layers.iter().enumerate() {
            if layer.convolution.kind == ConvolutionKind::Classifier {
                x = x.mean((2, 3))?;
            }
            let sums = self.convolve(layer, &x)?;
            x = match &layer.after {
                After::Bias(bias) => sums.broadcast_add(&bias.reshape(((), 1))?)?,
                After::Norm { gamma, beta, .. } if phase == Phase::Training && !layer.frozen => {
                    let (y, batch) = self.normalise(&sums, gamma, beta)?;
                    statistics.push((number, batch));
                    y
                }
                After::Norm {
                    gamma,
                    beta,
                    running,
                } => self.normalise_by(&sums, gamma, beta, running)?,
            };
            if layer.frozen {
                // Nothing before this is trained.
                x = x.detach();
            }
        }
        Ok(Passed {
            logits: x.t()?.contiguous()?,
            statistics,
        })
    }

    /// A convolution without bias: `[C, N, H, W]` to `[C', N, H', W']`; of the classifier `[C, N]`
    /// to `[classes, N]`.
    fn convolve(&self, layer: &Layer, x: &Tensor) -> Result<Tensor> {
        let Convolution {
            kind,
            stride,
            padding,
            out_channels,
            in_channels,
            ..
        } = layer.convolution;
        let weight = layer.weight.as_tensor();
        Ok(match kind {
            ConvolutionKind::Pointwise | ConvolutionKind::Classifier => {
                let weight = weight.reshape((out_channels, in_channels))?;
                let sums = weight.matmul(&x.flatten_from(1)?)?;
                let mut shape = x.dims().to_vec();
                shape[0] = out_channels;
                sums.reshape(shape)?
            }
            ConvolutionKind::Standard if !self.composed => {
                x.apply_op2(weight, Standard { stride, padding })?
            }
            ConvolutionKind::Depthwise if !self.composed => {
                x.apply_op2(weight, Depthwise { stride, padding })?
            }
            _ => {
                let x = x.transpose(0, 1)?.contiguous()?;
                let sums = match kind {
                    ConvolutionKind::Standard => conv2d_sums(&x, weight, stride, padding)?,
                    _ => depthwise_sums(&x, weight, stride, padding)?,
                };
                sums.transpose(0, 1)?.contiguous()?
            }
        })
    }

    /// Batch norm by the batch's own statistics, which it also gives; and the activation.
    fn normalise(&self, x: &Tensor, gamma: &Tensor, beta: &Tensor) -> Result<(Tensor, Statistics)> {
        let (epsilon, activation) = (self.config.batch_norm_epsilon, self.config.activation);
        if self.composed {
            return Ok(composed_batch_norm(x, gamma, beta, epsilon, activation)?);
        }
        let operation = BatchNorm::new(epsilon, activation);
        let moments = operation.moments.clone();
        let y = x.apply_op3(gamma, beta, operation)?;
        let moments = moments.get().map_or(&[][..], Vec::as_slice);
        let tensor = |values: Vec<f64>| {
            let len = values.len();
            Tensor::from_vec(values, len, &self.device)?.to_dtype(self.dtype)
        };
        let statistics = Statistics {
            mean: tensor(moments.iter().map(|m| m.mean).collect())?,
            variance: tensor(moments.iter().map(|m| m.variance).collect())?,
        };
        Ok((y, statistics))
    }

    /// Batch norm by given statistics, and the activation.
    fn normalise_by(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        by: &Statistics,
    ) -> Result<Tensor> {
        let deviation = (&by.variance + self.config.batch_norm_epsilon)?.sqrt()?;
        let scale = (gamma / deviation)?;
        let shift = (beta - (&by.mean * &scale)?)?;
        let channels = ((), 1, 1, 1);
        let y = x.broadcast_mul(&scale.reshape(channels)?)?;
        let y = y.broadcast_add(&shift.reshape(channels)?)?;
        Ok(self.config.activation.apply_to_tensor(&y)?)
    }

    /// Moves the running statistics to those of a batch: `running = momentum * running + (1 -
    /// momentum) * batch`.
    ///
    /// As in Keras 3 the variance is the biased one that the batch was normalised with. (PyTorch
    /// takes the unbiased one, and so do Keras 2's fused kernels.) Then what is learnt with a batch's
    /// statistics meets the same kind of numbers in evaluation.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn follow(&mut self, passed: &Passed, momentum: f64) -> Result<()> {
        for (number, batch) in &passed.statistics {
            if let After::Norm { running, .. } = &mut self.layers[*number].after {
                let towards = |running: &Tensor, batch: &Tensor| {
                    let batch = (batch.detach() * (1.0 - momentum))?;
                    (running * momentum)? + batch
                };
                running.mean = towards(&running.mean, &batch.mean)?;
                running.variance = towards(&running.variance, &batch.variance)?;
            }
        }
        Ok(())
    }
}

/// Batch norm and activation of candle's operations: `[C, N, H, W]`, and gamma and beta `[C]`.
fn composed_batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    epsilon: f64,
    activation: Activation,
) -> candle_core::Result<(Tensor, Statistics)> {
    let flat = x.flatten_from(1)?;
    let mean = flat.mean_keepdim(1)?;
    let centred = flat.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean_keepdim(1)?;
    let normalised = centred.broadcast_div(&(&variance + epsilon)?.sqrt()?)?;
    let y = normalised.broadcast_mul(&gamma.reshape(((), 1))?)?;
    let y = y.broadcast_add(&beta.reshape(((), 1))?)?;
    let statistics = Statistics {
        mean: mean.flatten_all()?.detach(),
        variance: variance.flatten_all()?.detach(),
    };
    Ok((
        activation.apply_to_tensor(&y)?.reshape(x.dims())?,
        statistics,
    ))
}

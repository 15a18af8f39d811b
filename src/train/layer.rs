//! One convolution of a network that is trained, with what follows it.

use candle_core::{Device, Tensor, Var};

use super::batch_norm::{BatchNorm, Statistics, composed_batch_norm, composed_fixed_norm};
use super::convolution::{Depthwise, Standard};
use crate::error::Result;
use crate::model::{Config, Convolution, ConvolutionKind};
use crate::ops::{conv2d_sums, depthwise_sums};

/// What a network is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// To learn from a batch: batch norms take their statistics as [`Norms`] says.
    Training,
    /// To answer: with the running statistics, as a network that is built from the checkpoint.
    Evaluation,
}

/// What batch norms that are trained normalise with. Their gamma and beta are trained in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norms {
    /// The statistics of the batch, which the running ones follow.
    Batch,
    /// The stored ones, which stay as they are: what is trained is the function that the checkpoint
    /// computes, whatever a batch has in it (Keras's `training=False`).
    Stored,
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
    /// Its part of the learning rate.
    pub rate: f64,
}

/// A convolution with what follows it.
#[derive(Debug)]
pub(super) struct TrainingLayer {
    pub convolution: Convolution,
    norms: Norms,
    /// It stays as it is.
    pub frozen: bool,
    /// Made of candle's operations.
    pub composed: bool,
    /// None of one that changes nothing.
    trained: Option<Trained>,
}

/// A convolution's variables.
#[derive(Debug)]
struct Trained {
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

impl TrainingLayer {
    /// A layer of tensors that `take` gives by their names and shapes.
    pub fn new(
        convolution: Convolution,
        frozen: bool,
        norms: Norms,
        take: &dyn Fn(&str, &[usize]) -> Result<Tensor>,
    ) -> Result<Self> {
        let trained = match convolution.identity {
            true => None,
            false => Some(Trained::new(&convolution, take)?),
        };
        Ok(Self {
            trained,
            norms,
            frozen,
            composed: false,
            convolution,
        })
    }

    /// The weights that are trained.
    pub fn parameters(&self) -> Vec<Parameter> {
        let Some(Trained { weight, after }) = self.trained.as_ref().filter(|_| !self.frozen) else {
            return Vec::new();
        };
        let Convolution { name, kind, .. } = &self.convolution;
        let parameter = |end: &str, value: &Var, decays| Parameter {
            name: format!("{name}{end}"),
            value: value.clone(),
            decays,
            rate: 1.0,
        };
        let decays = *kind != ConvolutionKind::Depthwise;
        let mut parameters = vec![parameter(".weight", weight, decays)];
        match after {
            After::Norm { gamma, beta, .. } => {
                parameters.push(parameter("_bn.weight", gamma, false));
                parameters.push(parameter("_bn.bias", beta, false));
            }
            After::Bias(bias) => parameters.push(parameter(".bias", bias, false)),
        }
        parameters
    }

    /// All of its tensors, by the names that they have in a checkpoint.
    pub fn tensors(&self) -> Vec<(String, &Tensor)> {
        let Some(Trained { weight, after }) = &self.trained else {
            return Vec::new();
        };
        let name = &self.convolution.name;
        let named = |end: &str, tensor| (format!("{name}{end}"), tensor);
        let mut tensors = vec![named(".weight", weight.as_tensor())];
        match after {
            After::Norm {
                gamma,
                beta,
                running,
            } => tensors.extend([
                named("_bn.weight", gamma.as_tensor()),
                named("_bn.bias", beta.as_tensor()),
                named("_bn.running_mean", &running.mean),
                named("_bn.running_var", &running.variance),
            ]),
            After::Bias(bias) => tensors.push(named(".bias", bias.as_tensor())),
        }
        tensors
    }

    /// `[C, N, H, W]` to `[C', N, H', W']`, the classifier `[C, N]` to `[classes, N]`; and the
    /// statistics of the batch where they were normalised with.
    pub fn forward(
        &self,
        x: &Tensor,
        phase: Phase,
        config: &Config,
    ) -> Result<(Tensor, Option<Statistics>)> {
        let Some(Trained { weight, after }) = &self.trained else {
            return Ok((x.clone(), None));
        };
        let sums = self.convolve(x, weight.as_tensor())?;
        let (gamma, beta, running) = match after {
            After::Bias(bias) => {
                return Ok((sums.broadcast_add(&bias.reshape(((), 1))?)?, None));
            }
            After::Norm {
                gamma,
                beta,
                running,
            } => (gamma.as_tensor(), beta.as_tensor(), running),
        };
        let (epsilon, activation) = (config.batch_norm_epsilon, config.activation);
        let of_batch = phase == Phase::Training && self.norms == Norms::Batch && !self.frozen;
        Ok(match (of_batch, self.composed) {
            (true, true) => {
                let (y, statistics) = composed_batch_norm(&sums, gamma, beta, epsilon, activation)?;
                (y, Some(statistics))
            }
            (true, false) => {
                let operation = BatchNorm::of_batch(epsilon, activation);
                let moments = operation.moments.clone();
                let y = sums.apply_op3(gamma, beta, operation)?;
                let moments = moments.get().map_or(&[][..], Vec::as_slice);
                let statistics = Statistics::new(moments, x.dtype(), &Device::Cpu)?;
                (y, Some(statistics))
            }
            (false, true) => {
                let y = composed_fixed_norm(&sums, gamma, beta, running, epsilon, activation)?;
                (y, None)
            }
            (false, false) => {
                let operation = BatchNorm::fixed(epsilon, activation, running)?;
                (sums.apply_op3(gamma, beta, operation)?, None)
            }
        })
    }

    /// The convolution without bias.
    fn convolve(&self, x: &Tensor, weight: &Tensor) -> candle_core::Result<Tensor> {
        let Convolution {
            kind,
            stride,
            padding,
            out_channels,
            in_channels,
            ..
        } = self.convolution;
        match kind {
            ConvolutionKind::Pointwise | ConvolutionKind::Classifier => {
                let weight = weight.reshape((out_channels, in_channels))?;
                let sums = weight.matmul(&x.flatten_from(1)?)?;
                let mut shape = x.dims().to_vec();
                shape[0] = out_channels;
                sums.reshape(shape)
            }
            ConvolutionKind::Standard if !self.composed => {
                x.apply_op2(weight, Standard { stride, padding })
            }
            ConvolutionKind::Depthwise if !self.composed => {
                x.apply_op2(weight, Depthwise { stride, padding })
            }
            _ => {
                let x = x.transpose(0, 1)?.contiguous()?;
                let sums = match kind {
                    ConvolutionKind::Standard => conv2d_sums(&x, weight, stride, padding)?,
                    _ => depthwise_sums(&x, weight, stride, padding)?,
                };
                sums.transpose(0, 1)?.contiguous()
            }
        }
    }

    /// Moves the running statistics to those of a batch.
    pub fn follow(&mut self, batch: &Statistics, momentum: f64) -> candle_core::Result<()> {
        let after = self.trained.as_mut().map(|trained| &mut trained.after);
        if let Some(After::Norm { running, .. }) = after {
            let towards = |running: &Tensor, batch: &Tensor| {
                let batch = (batch.detach() * (1.0 - momentum))?;
                (running * momentum)? + batch
            };
            running.mean = towards(&running.mean, &batch.mean)?;
            running.variance = towards(&running.variance, &batch.variance)?;
        }
        Ok(())
    }
}

impl Trained {
    fn new(
        convolution: &Convolution,
        take: &dyn Fn(&str, &[usize]) -> Result<Tensor>,
    ) -> Result<Self> {
        let name = &convolution.name;
        let shape = [convolution.out_channels];
        let var = |name: &str, shape: &[usize]| -> Result<Var> {
            Ok(Var::from_tensor(&take(name, shape)?)?)
        };
        let part = |part: &str| format!("{name}_bn.{part}");
        let after = match convolution.batch_norm {
            true => After::Norm {
                gamma: var(&part("weight"), &shape)?,
                beta: var(&part("bias"), &shape)?,
                running: Statistics {
                    mean: take(&part("running_mean"), &shape)?,
                    variance: take(&part("running_var"), &shape)?,
                },
            },
            false => After::Bias(var(&format!("{name}.bias"), &shape)?),
        };
        Ok(Self {
            weight: var(&format!("{name}.weight"), &convolution.weight_shape())?,
            after,
        })
    }
}

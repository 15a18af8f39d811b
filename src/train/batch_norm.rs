//! Batch norm and the activation behind it, with their gradients.
//!
//! Activations are `[C, N, H, W]`. A channel is normalised with the mean and the variance of its
//! N * H * W values (Ioffe and Szegedy 2015, arXiv:1502.03167), the variance being the biased one,
//! the mean of the squares; or with a mean and a variance that are given, which are constants then.

use std::sync::{Arc, OnceLock};

use candle_core::{
    CpuStorage, CustomOp3, DType, Device, Layout, Result, Shape, Tensor, WithDType, bail,
};
use rayon::prelude::*;

use super::values::{Operand, operand, with_values};
use crate::ops::Activation;
use crate::ops::planes::sum_of;

/// A channel's mean and biased variance in a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    pub mean: f64,
    pub variance: f64,
}

/// Mean and variance of each channel, `[C]`.
#[derive(Debug, Clone)]
pub(super) struct Statistics {
    pub mean: Tensor,
    pub variance: Tensor,
}

impl Statistics {
    /// As tensors.
    pub fn new(moments: &[Moments], dtype: DType, device: &Device) -> Result<Self> {
        let tensor = |of: &dyn Fn(&Moments) -> f64| {
            let values: Vec<f64> = moments.iter().map(of).collect();
            Tensor::from_vec(values, moments.len(), device)?.to_dtype(dtype)
        };
        Ok(Self {
            mean: tensor(&|moments| moments.mean)?,
            variance: tensor(&|moments| moments.variance)?,
        })
    }

    /// As numbers.
    fn moments(&self) -> Result<Vec<Moments>> {
        let values = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.to_vec1::<f64>();
        let pairs = values(&self.mean)?.into_iter().zip(values(&self.variance)?);
        Ok(pairs
            .map(|(mean, variance)| Moments { mean, variance })
            .collect())
    }
}

/// Normalises `[C, N, H, W]`, multiplies by gamma `[C]`, adds beta `[C]`, applies the activation.
#[derive(Clone)]
pub(super) struct BatchNorm {
    epsilon: f64,
    activation: Activation,
    /// Whether the moments are given, and not functions of the input.
    constant: bool,
    /// A channel each: those that are given, or the batch's once it has been through.
    pub moments: Arc<OnceLock<Vec<Moments>>>,
}

impl BatchNorm {
    /// With the statistics of the batch.
    pub fn of_batch(epsilon: f64, activation: Activation) -> Self {
        Self {
            epsilon,
            activation,
            constant: false,
            moments: Arc::default(),
        }
    }

    /// With these statistics.
    pub fn fixed(epsilon: f64, activation: Activation, statistics: &Statistics) -> Result<Self> {
        Ok(Self {
            epsilon,
            activation,
            constant: true,
            moments: Arc::new(OnceLock::from(statistics.moments()?)),
        })
    }

    fn forward<T: WithDType>(&self, [x, gamma, beta]: [Operand; 3]) -> Result<CpuStorage> {
        let (x, gamma, beta): (&[T], &[T], &[T]) = (operand(x)?, operand(gamma)?, operand(beta)?);
        let len = x.len() / gamma.len();
        let moments = self
            .moments
            .get_or_init(|| x.par_chunks(len).map(moments).collect());
        if moments.len() != gamma.len() {
            bail!(
                "batch norm: {} channels, not {}",
                moments.len(),
                gamma.len()
            );
        }
        let mut output = x.to_vec();
        let channels = output.par_chunks_mut(len).zip(moments);
        let channels = channels.zip(gamma.par_iter().zip(beta));
        channels.for_each(|((values, moments), (gamma, beta))| {
            let scale = gamma.to_f64() * self.inverse_deviation(moments);
            let shift = T::from_f64(beta.to_f64() - moments.mean * scale);
            let scale = T::from_f64(scale);
            let (zero, six) = (T::zero(), T::from_f64(6.0));
            for value in values {
                let y = *value * scale + shift;
                *value = match self.activation {
                    _ if y < zero => zero,
                    Activation::Relu6 if y > six => six,
                    _ => y,
                };
            }
        });
        Ok(T::to_cpu_storage_owned(output))
    }

    fn inverse_deviation(&self, moments: &Moments) -> f64 {
        (moments.variance + self.epsilon).sqrt().recip()
    }

    /// The gradients of input, gamma and beta.
    ///
    /// With x' the normalised input and g the gradient where the activation lets it through, m
    /// values in a channel: d beta = sum(g), d gamma = sum(g x'), and dx = gamma / deviation * g
    /// where mean and variance are given; where they are of the input too, dx = gamma / deviation *
    /// (g - d beta / m - x' * d gamma / m).
    fn backward<T: WithDType>(
        &self,
        (x, gamma): (&[T], &[T]),
        (output, gradient): (&[T], &[T]),
        moments: &[Moments],
    ) -> [Vec<T>; 3] {
        let len = x.len() / gamma.len();
        let (zero, six) = (T::zero(), T::from_f64(6.0));
        let passes = |y: T| match self.activation {
            Activation::Relu => y > zero,
            Activation::Relu6 => y > zero && y < six,
        };
        let mut dx = x.to_vec();
        let channels = dx.par_chunks_mut(len).zip(output.par_chunks(len));
        let channels = channels.zip(gradient.par_chunks(len));
        let channels = channels.zip(gamma.par_iter().zip(moments));
        let sums = channels.map(|(((dx, output), gradient), (gamma, moments))| {
            let mean = T::from_f64(moments.mean);
            let inverse = self.inverse_deviation(moments);
            let (mut dbeta, mut dgamma) = (0.0, 0.0);
            for ((x, y), g) in chunks(dx).zip(chunks(output)).zip(chunks(gradient)) {
                let (mut sum, mut products) = (T::zero(), T::zero());
                for ((x, y), g) in x.iter().zip(y).zip(g) {
                    let g = if passes(*y) { *g } else { zero };
                    sum += g;
                    products += g * (*x - mean);
                }
                dbeta += sum.to_f64();
                dgamma += products.to_f64() * inverse;
            }
            let m = len as f64;
            let scale = gamma.to_f64() * inverse;
            // dx = scale * g + slope * (x - mean) + offset
            let of_input = if self.constant { 0.0 } else { -scale / m };
            let slope = T::from_f64(of_input * dgamma * inverse);
            let offset = T::from_f64(of_input * dbeta);
            let scale = T::from_f64(scale);
            for ((dx, y), g) in dx.iter_mut().zip(output).zip(gradient) {
                let g = if passes(*y) { *g } else { zero };
                *dx = scale * g + slope * (*dx - mean) + offset;
            }
            (T::from_f64(dgamma), T::from_f64(dbeta))
        });
        let (dgamma, dbeta) = sums.unzip();
        [dx, dgamma, dbeta]
    }

    fn gradients<T: WithDType>(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let Some(moments) = self.moments.get() else {
            bail!("batch norm: backwards before forwards");
        };
        let [dx, dgamma, dbeta] = with_values(x, |x: &[T]| {
            with_values(gamma, |gamma: &[T]| {
                with_values(output, |output: &[T]| {
                    with_values(gradient, |gradient: &[T]| {
                        Ok(self.backward((x, gamma), (output, gradient), moments))
                    })
                })
            })
        })?;
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.dims(), like.device());
        Ok([
            Some(tensor(dx, x)?),
            Some(tensor(dgamma, gamma)?),
            Some(tensor(dbeta, gamma)?),
        ])
    }
}

/// Values whose sum is taken in their own type, before it is added up in f64.
const RUN: usize = 1024;

fn chunks<T>(values: &[T]) -> impl Iterator<Item = &[T]> {
    values.chunks(RUN)
}

fn moments<T: WithDType>(values: &[T]) -> Moments {
    let total = |of: &dyn Fn(&[T]) -> T| chunks(values).map(|run| of(run).to_f64()).sum::<f64>();
    let mean = total(&|run| sum_of(run, |x| x)) / values.len() as f64;
    let centre = T::from_f64(mean);
    let squares = total(&|run| sum_of(run, |x| (x - centre) * (x - centre)));
    Moments {
        mean,
        variance: squares / values.len() as f64,
    }
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "batch-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        gamma: &CpuStorage,
        gamma_layout: &Layout,
        beta: &CpuStorage,
        beta_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let operands = [(x, x_layout), (gamma, gamma_layout), (beta, beta_layout)];
        let output = match x {
            CpuStorage::F32(_) => self.forward::<f32>(operands)?,
            CpuStorage::F64(_) => self.forward::<f64>(operands)?,
            _ => bail!("{}: neither f32 nor f64", self.name()),
        };
        Ok((output, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        _beta: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dgamma, dbeta] = match x.dtype() {
            DType::F64 => self.gradients::<f64>(x, gamma, output, gradient)?,
            _ => self.gradients::<f32>(x, gamma, output, gradient)?,
        };
        Ok((dx, dgamma, dbeta))
    }
}

/// The same of candle's operations, for devices.
pub(super) fn composed_batch_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    epsilon: f64,
    activation: Activation,
) -> Result<(Tensor, Statistics)> {
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
    let y = activation.apply_to_tensor(&y)?.reshape(x.dims())?;
    Ok((y, statistics))
}

/// The same with statistics that are given.
pub(super) fn composed_fixed_norm(
    x: &Tensor,
    gamma: &Tensor,
    beta: &Tensor,
    Statistics { mean, variance }: &Statistics,
    epsilon: f64,
    activation: Activation,
) -> Result<Tensor> {
    let scale = (gamma / (variance + epsilon)?.sqrt()?)?;
    let shift = (beta - (mean * &scale)?)?;
    let channels = ((), 1, 1, 1);
    let y = x.broadcast_mul(&scale.reshape(channels)?)?;
    activation.apply_to_tensor(&y.broadcast_add(&shift.reshape(channels)?)?)
}

//! Batch norm folding: a convolution as a weight, a factor for each filter, and a bias.

use std::borrow::Cow;

use candle_core::{Device, Tensor, WithDType};

use super::architecture::Convolution;
use super::config::Config;
use super::stored::TensorSource;
use crate::error::{Error, Result};

/// A convolution with what batch norm makes of it, not yet multiplied: whoever uses it copies the
/// weight into an order of its own and can multiply on the way.
pub(crate) struct Folded<'a> {
    /// As [`Convolution::weight_shape`] says.
    pub weight: Cow<'a, [f32]>,
    /// By which each output's filter is multiplied, gamma / sqrt(variance + epsilon), and what
    /// that leaves of mean and beta. In f64 whatever type the network runs in.
    pub scale: Vec<f64>,
    /// See `scale`.
    pub bias: Vec<f64>,
}

impl<'a> Folded<'a> {
    /// Reads a convolution's tensors.
    pub fn read(
        config: &Config,
        convolution: &Convolution,
        tensors: &'a dyn TensorSource,
    ) -> Result<Self> {
        if convolution.identity {
            return Ok(Self::identity(convolution));
        }
        let read = |name: String, shape: &[usize]| {
            let values = tensors.tensor(&name, shape)?.numbers()?;
            if !all_finite(&values) {
                let reason = "has values that are not finite numbers";
                return Err(Error::tensor(name, reason));
            }
            Ok(values)
        };
        let (name, channels) = (&convolution.name, convolution.out_channels);
        let weight = read(format!("{name}.weight"), &convolution.weight_shape())?;
        let (scale, bias): (Vec<f64>, Vec<f64>) = if convolution.batch_norm {
            let part = |part: &str| read(format!("{name}_bn.{part}"), &[channels]);
            let (gamma, beta) = (part("weight")?, part("bias")?);
            let (mean, variance) = (part("running_mean")?, part("running_var")?);
            let channel = |c: usize| {
                let deviation = (f64::from(variance[c]) + config.batch_norm_epsilon).sqrt();
                let scale = f64::from(gamma[c]) / deviation;
                (scale, f64::from(beta[c]) - f64::from(mean[c]) * scale)
            };
            (0..channels).map(channel).unzip()
        } else {
            let bias = read(format!("{name}.bias"), &[channels])?;
            bias.iter().map(|&b| (1.0, f64::from(b))).unzip()
        };
        if !scale.iter().chain(&bias).all(|value| value.is_finite()) {
            let name = format!("{name}_bn");
            return Err(Error::tensor(
                name,
                "has values that no finite scale comes of",
            ));
        }
        Ok(Self {
            weight,
            scale,
            bias,
        })
    }

    /// A depthwise convolution that changes nothing: a 1 in the middle of each filter.
    fn identity(convolution: &Convolution) -> Self {
        let (channels, taps) = (convolution.out_channels, convolution.kernel().pow(2));
        let tap = |i: usize| if i % taps == taps / 2 { 1.0 } else { 0.0 };
        Self {
            weight: (0..channels * taps).map(tap).collect(),
            scale: vec![1.0; channels],
            bias: vec![0.0; channels],
        }
    }

    /// The weight multiplied, in f32.
    pub fn scaled(&self) -> Vec<f32> {
        let filters = self
            .weight
            .chunks_exact(self.weight.len() / self.bias.len());
        let filters = filters.zip(&self.scale);
        let scaled = filters
            .flat_map(|(filter, scale)| filter.iter().map(move |&w| (f64::from(w) * scale) as f32));
        scaled.collect()
    }

    /// Weight and bias as tensors on the CPU, multiplied.
    pub fn tensors<T: WithDType>(
        &self,
        shape: &[usize],
        cast: impl Fn(f64) -> T,
    ) -> Result<(Tensor, Tensor)> {
        let channels = self.bias.len();
        let mut scaled: Vec<T> = Vec::with_capacity(self.weight.len());
        let filters = self.weight.chunks_exact(self.weight.len() / channels);
        for (filter, scale) in filters.zip(&self.scale) {
            scaled.extend(filter.iter().map(|&w| cast(f64::from(w) * scale)));
        }
        let bias: Vec<T> = self.bias.iter().map(|&b| cast(b)).collect();
        Ok((
            Tensor::from_vec(scaled, shape, &Device::Cpu)?,
            Tensor::from_vec(bias, channels, &Device::Cpu)?,
        ))
    }
}

/// Without a way out in the middle, so that it is done a vector at a time.
fn all_finite(values: &[f32]) -> bool {
    let chunk_is_finite = |chunk: &[f32]| {
        let not = chunk.iter().map(|v| u32::from(!v.is_finite()));
        not.sum::<u32>() == 0
    };
    values.chunks(4096).all(chunk_is_finite)
}

#[cfg(test)]
mod tests {
    use super::all_finite;

    #[test]
    fn what_is_not_finite_is_found_wherever_it_is() {
        let mut values = vec![f32::MAX; 10_000];
        assert!(all_finite(&values) && all_finite(&[]));
        for at in [0, 4095, 4096, 9999] {
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                values[at] = value;
                assert!(!all_finite(&values));
                values[at] = -0.0;
            }
        }
    }
}

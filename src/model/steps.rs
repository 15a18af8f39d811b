//! The scales of activations that are held as integers.

use super::architecture::{Convolution, ConvolutionKind};
use super::config::Config;
use super::quantised::Levels;
use super::stored::{Quantisation, TensorSource};
use crate::error::{Error, Result};
use crate::ops::Activation;

/// Where ReLU6 ends.
const SIX: f32 = 6.0;

/// The scale of activations in [0, 6], which ReLU6 gives.
pub(crate) fn relu6_step(levels: Levels) -> f32 {
    step_up_to(SIX, levels)
}

/// The scale with which the largest of some integers stands for a number.
pub(crate) fn step_up_to(largest: f32, levels: Levels) -> f32 {
    largest / f32::from(levels.high)
}

/// Deviations above the mean that a batch norm's output reaches at most, of a network with ReLU.
/// Measured: see `docs/int8.md`.
const DEVIATIONS: f32 = 10.0;

/// What an integer of a convolution's output stands for: one number for all of its channels, or one
/// for each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Steps(Vec<f32>);

impl Steps {
    /// The same for all channels.
    pub fn uniform(step: f32) -> Self {
        Self(vec![step])
    }

    /// One for each channel.
    pub fn of_channels(steps: Vec<f32>) -> Self {
        Self(steps)
    }

    /// That of a channel.
    pub fn at(&self, channel: usize) -> f32 {
        self.0[channel % self.0.len()]
    }

    /// As they are: one, or one for each channel.
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}

/// The scales of all convolutions but the classifier, in order: what the source says, else what
/// follows from the activation.
///
/// Depthwise ones have one scale for all channels, since the sums of the product after them go over
/// channels. What a depthwise convolution reads may have one for each: its own weights take them up.
///
/// # Errors
/// Scales that don't fit; an activation without an upper bound whose range nothing tells.
pub(crate) fn activation_steps(config: &Config, tensors: &dyn TensorSource) -> Result<Vec<Steps>> {
    let convolutions = config.convolutions().into_iter();
    let convolutions = convolutions.filter(|c| c.kind != ConvolutionKind::Classifier);
    let mut all: Vec<Steps> = Vec::new();
    for convolution in convolutions {
        let stated = tensors.activation(&convolution.name);
        let steps = match (stated, config.activation, all.last()) {
            (Some(stated), activation, _) => stated_steps(activation, &convolution, stated)?,
            (None, Activation::Relu6, _) => Steps::uniform(relu6_step(Levels::of(&convolution))),
            // It gives what it reads.
            (None, Activation::Relu, Some(read)) if convolution.identity => Steps::uniform(
                read.values()
                    .iter()
                    .fold(0f32, |most, step| most.max(*step)),
            ),
            (None, Activation::Relu, _) => batch_norm_steps(&convolution, tensors)?,
        };
        all.push(steps);
    }
    Ok(all)
}

/// What a source says, if that can be.
fn stated_steps(
    activation: Activation,
    convolution: &Convolution,
    stated: &Quantisation,
) -> Result<Steps> {
    let wrong = |reason: &str| {
        let message = format!("the activations of {} have {reason}", convolution.name);
        Err(Error::config("activation_scale", message))
    };
    let channels = match convolution.kind {
        ConvolutionKind::Depthwise => 1,
        _ => convolution.out_channels,
    };
    let scales = &stated.scales;
    if scales.len() != 1 && scales.len() != channels {
        return wrong(&format!("{} scales, not {channels}", scales.len()));
    }
    if stated.zero_points.iter().any(|zero| *zero != 0) {
        return wrong("a zero point");
    }
    if scales
        .iter()
        .any(|scale| !scale.is_normal() || *scale < 0.0)
    {
        return wrong("a scale that is none");
    }
    let most = relu6_step(Levels::of(convolution)) * (1.0 + f32::EPSILON);
    if activation == Activation::Relu6 && scales.iter().any(|scale| *scale > most) {
        return wrong("a scale that ReLU6 has no use for");
    }
    Ok(Steps(scales.clone()))
}

/// What a batch norm says: its bias is the mean of each channel before ReLU, its weight the deviation.
fn batch_norm_steps(convolution: &Convolution, tensors: &dyn TensorSource) -> Result<Steps> {
    let name = &convolution.name;
    if !convolution.batch_norm {
        let message = "int8 needs to know how far activations reach. ReLU, unlike ReLU6, does not \
                       say it, nor does this checkpoint, in which batch norm is folded; pictures do";
        return Err(Error::config("activation", message));
    }
    let read = |part: &str| {
        let name = format!("{name}_bn.{part}");
        tensors
            .tensor(&name, &[convolution.out_channels])?
            .numbers()
    };
    let (deviations, means) = (read("weight")?, read("bias")?);
    let reach = means.iter().zip(deviations.iter());
    let reach = reach.map(|(mean, deviation)| mean + DEVIATIONS * deviation.abs());
    // A channel that is never above 0 has any scale.
    let steps = reach.map(|most| step_up_to(most.max(0.01), Levels::of(convolution)));
    let steps: Vec<f32> = steps.collect();
    if steps.iter().any(|step| !step.is_finite()) {
        let reason = "has values that are not finite numbers";
        return Err(Error::tensor(format!("{name}_bn.weight"), reason));
    }
    Ok(match convolution.kind {
        ConvolutionKind::Depthwise => {
            Steps::uniform(steps.iter().fold(0f32, |most, step| most.max(*step)))
        }
        _ => Steps(steps),
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarBuilder;

    use super::*;
    use crate::model::random_tensors;

    /// Sums over its channels need one number for all of them, none of which may be cut off.
    #[test]
    fn what_changes_nothing_reaches_as_far_as_what_it_reads() -> Result<()> {
        let config = Config {
            activation: Activation::Relu,
            head_channels: Some(24),
            ..Config::with_alpha(0.0625)
        };
        let tensors = random_tensors(&config, 0)?;
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let steps = activation_steps(&config, &weights)?;
        let convolutions = config.convolutions();
        let at = convolutions.iter().position(|c| c.identity);
        let at = at.expect("a layer that changes nothing");
        let read = steps[at - 1].values();
        assert_eq!(read.len(), 64);
        let most = read.iter().copied().fold(0.0, f32::max);
        assert_eq!(steps[at], Steps::uniform(most));
        Ok(())
    }
}

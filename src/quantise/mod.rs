//! A checkpoint to one in eight bits.
//!
//! Nothing but the weights is needed for that. Pictures make it better: the range of each channel is
//! measured, and the weights of each pointwise convolution are rounded so that together they give what
//! they gave in floats on these pictures, the first layer first, so that each makes up for what the
//! rounding before it did. A few dozen pictures of the kind that the network is to see suffice; labels
//! are not needed.
//!
//! # Example
//! ```no_run
//! use std::path::Path;
//!
//! use mobilenet::quantise::quantise;
//! use mobilenet::weights::{Checkpoint, LoadOptions};
//!
//! let checkpoint = Checkpoint::open("mobilenet_2_5_224_tf.h5", &LoadOptions::default())?;
//! quantise(&checkpoint, &[])?.save("int8.safetensors")?;
//! # Ok::<(), mobilenet::Error>(())
//! ```

mod calibrate;
mod fit;
mod linear;
mod moments;
mod planes;

use std::collections::HashMap;

use self::calibrate::{Calibrated, Pointwise};
use crate::error::Result;
use crate::model::{
    BYTE_LARGEST, Config, Convolution, ConvolutionKind, Folded, Levels, Quantisation, Steps,
    StoredTensor, StoredTensors, StoredValues, TensorSource, activation_steps, least_step,
    relu6_step, round_filter, weight_step,
};
use crate::pixels::Pixels;
use crate::weights::Checkpoint;

pub use self::calibrate::pictures_wanted;

/// Quantises a checkpoint: pointwise weights, and the classifier's, become integers of 8 bits with a
/// scale for each output, batch norm is folded into the convolutions, and each activation gets its
/// scale. What is small (the stem, depthwise weights, biases) stays in floats, and so do all layers of a
/// head that has hidden ones.
///
/// `pictures` are those that the checkpoint's recipe was applied to, of the network's size; of more than
/// [`pictures_wanted`] those beyond are not looked at. Without any, weights are rounded for themselves,
/// and the result answers nearly as `--dtype int8` does without a
/// quantised file, whose classifier stays in floats.
///
/// # Errors
/// A checkpoint that is quantised already, whose weights are not finite numbers, or of a network with ReLU
/// whose ranges neither batch norm nor pictures tell; pictures of another size.
pub fn quantise(checkpoint: &Checkpoint, pictures: &[Pixels]) -> Result<Checkpoint> {
    checkpoint.refuse_quantised()?;
    let named = |error: crate::Error| error.in_checkpoint(checkpoint.path());
    // A head of several layers is computed in floats, and stays as it is.
    let own = checkpoint.config();
    let quantised = match own.has_plain_head() {
        true => own.clone(),
        false => own.without_head(),
    };
    let network = Floats::read(&quantised, checkpoint.tensor_source()).map_err(named)?;
    let pictures = &pictures[..pictures.len().min(network.pictures_wanted(checkpoint))];
    let calibrated = if pictures.is_empty() {
        uncalibrated(&network, checkpoint.tensor_source()).map_err(named)?
    } else {
        calibrate::calibrate(&network, checkpoint.preprocessing(), pictures).map_err(named)?
    };
    let config = Config {
        batch_norm_folded: true,
        ..own.clone()
    };
    let mut stored = stored(&network, calibrated);
    let mut left = config.tensors();
    left.retain(|(name, _)| !stored.tensors.contains_key(name));
    for (name, shape) in left {
        let tensor = checkpoint.tensor_source().tensor(&name, &shape)?;
        let values = StoredValues::F32(tensor.numbers()?.into_owned().into());
        let tensor = StoredTensor::floats(values, &shape);
        stored.tensors.insert(name, tensor);
    }
    checkpoint.quantised(config, stored, pictures.len())
}

/// A network in floats, batch norm folded.
struct Floats {
    config: Config,
    layers: Vec<FloatLayer>,
}

/// One of its convolutions.
struct FloatLayer {
    convolution: Convolution,
    /// As [`Convolution::weight_shape`] says.
    weight: Vec<f32>,
    bias: Vec<f64>,
}

impl Floats {
    fn read(config: &Config, tensors: &dyn TensorSource) -> Result<Self> {
        let convolutions = config.convolutions().into_iter();
        let layers = convolutions.map(|convolution| {
            let folded = Folded::read(config, &convolution, tensors)?;
            Ok(FloatLayer {
                weight: folded.scaled(),
                bias: folded.bias,
                convolution,
            })
        });
        Ok(Self {
            config: config.clone(),
            layers: layers.collect::<Result<_>>()?,
        })
    }

    fn pictures_wanted(&self, checkpoint: &Checkpoint) -> usize {
        pictures_wanted(&self.config, checkpoint.preprocessing().size)
    }
}

/// Weights that are rounded for themselves, with scales for which no picture is needed.
fn uncalibrated(network: &Floats, tensors: &dyn TensorSource) -> Result<Calibrated> {
    let steps = activation_steps(&network.config, tensors)?;
    // What the first layer reads is not asked for.
    let read = std::iter::once(relu6_step(Levels::ALL)).chain(steps.iter().map(|step| step.at(0)));
    let layers = network.layers.iter().zip(read);
    let pointwise = layers.map(|(layer, read)| match layer.convolution.kind {
        ConvolutionKind::Pointwise | ConvolutionKind::Classifier => {
            Some(rounded(&layer.weight, layer.bias.clone(), read))
        }
        _ => None,
    });
    let pointwise = pointwise.collect();
    Ok(Calibrated { steps, pointwise })
}

/// Weights `[out][in]` that are rounded for themselves. `read` is the scale of what they are multiplied
/// with.
fn rounded(weight: &[f32], bias: Vec<f64>, read: f32) -> Pointwise {
    let mut integers = Vec::with_capacity(weight.len());
    let steps = weight
        .chunks_exact(weight.len() / bias.len())
        .zip(&bias)
        .map(|(filter, bias)| {
            let step = weight_step(filter, BYTE_LARGEST, least_step(*bias, read));
            round_filter(&mut filter.to_vec(), step, true, &mut integers);
            step
        })
        .collect();
    Pointwise {
        integers: integers.into_iter().map(|q| q as i8).collect(),
        steps,
        bias,
    }
}

/// The tensors of a checkpoint in eight bits.
fn stored(network: &Floats, calibrated: Calibrated) -> StoredTensors {
    let mut stored = StoredTensors::default();
    let floats = |values: Vec<f32>, shape: &[usize]| {
        StoredTensor::floats(StoredValues::F32(values.into()), shape)
    };
    let layers = network.layers.iter().zip(calibrated.pointwise);
    for (layer, pointwise) in layers {
        let convolution = &layer.convolution;
        if convolution.identity {
            continue;
        }
        let shape = convolution.weight_shape();
        let (weight, bias) = match pointwise {
            Some(pointwise) => {
                let weight = StoredTensor {
                    values: StoredValues::I8(pointwise.integers.into()),
                    shape: shape.to_vec(),
                    quantisation: Some(Quantisation {
                        zero_points: vec![0; pointwise.steps.len()],
                        scales: pointwise.steps,
                        axis: 0,
                    }),
                };
                (weight, pointwise.bias)
            }
            None => (floats(layer.weight.clone(), &shape), layer.bias.clone()),
        };
        let bias = bias.iter().map(|b| *b as f32).collect();
        stored.tensors.insert(convolution.weight_name(), weight);
        let bias = floats(bias, &[convolution.out_channels]);
        stored.tensors.insert(convolution.bias_name(), bias);
    }
    let scales = |steps: &Steps| Quantisation {
        scales: steps.values().to_vec(),
        zero_points: vec![0; steps.values().len()],
        axis: 0,
    };
    let names = network.layers.iter().map(|l| l.convolution.name.clone());
    let activations: HashMap<String, Quantisation> =
        names.zip(calibrated.steps.iter().map(scales)).collect();
    stored.activations = activations;
    stored
}

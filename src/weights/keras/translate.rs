//! The variables of Keras's layers as tensors of ours.

use std::collections::{BTreeMap, HashMap};

use candle_core::{Device, Tensor};

use super::describe::Described;
use super::layout::{BATCH_NORM_VARIABLES, Kind};
use super::network::absent;
use super::stored::{Stored, StoredLayer, take};
use crate::model::BATCH_NORM_PARTS;
use crate::weights::hdf5::Dataset;

/// A convolution of ours, and the file's layers that it is made of.
pub(super) struct Placed {
    /// Our name for it.
    pub name: String,
    /// What Keras's layer is; a classifier may be `Dense`.
    pub kind: Kind,
    pub convolution: Option<StoredLayer>,
    /// `None` for the classifier.
    pub batch_norm: Option<Option<StoredLayer>>,
    /// Variables that these layers were made without.
    pub without: Vec<&'static str>,
}

/// The tensors of all that was found. What is left in the file comes under its path there, to
/// be named as superfluous.
pub(super) fn tensors(
    found: Vec<Placed>,
    stored: Stored,
) -> candle_core::Result<HashMap<String, Tensor>> {
    let mut tensors = HashMap::new();
    let mut rest: Vec<Dataset> = Vec::new();
    for layer in stored.layers {
        rest.extend(layer.variables.into_values());
    }
    for found in found {
        let name = &found.name;
        let without = &found.without;
        let classifies = found.batch_norm.is_none();
        let mut convolution = variables(found.convolution, found.kind, without, &mut rest);
        if let Some(batch_norm) = found.batch_norm {
            let mut parts = variables(batch_norm, Kind::BatchNorm, without, &mut rest);
            if let Some(bias) = convolution.remove("bias") {
                rest.extend(into_mean(bias, parts.get_mut("moving_mean")));
            }
            let channels = parts.get("moving_mean").map(|mean| mean.shape.clone());
            for (keras, ours) in BATCH_NORM_VARIABLES.into_iter().zip(BATCH_NORM_PARTS) {
                let tensor = match (parts.remove(keras), &channels) {
                    (Some(data), _) => tensor(data)?,
                    (None, Some(channels)) if without.contains(&keras) => {
                        constant(keras, channels)?
                    }
                    _ => continue,
                };
                tensors.insert(format!("{name}_bn.{ours}"), tensor);
            }
        }
        let kernel = match convolution.remove("kernel") {
            Some(data) => Some(kernel(data, found.kind)?),
            None => None,
        };
        let bias = match (convolution.remove("bias"), &kernel) {
            (Some(data), _) => Some(tensor(data)?),
            (None, Some(kernel)) if classifies && without.contains(&"bias") => {
                Some(constant("bias", &kernel.dims()[..1])?)
            }
            _ => None,
        };
        tensors.extend(kernel.map(|kernel| (format!("{name}.weight"), kernel)));
        tensors.extend(bias.map(|bias| (format!("{name}.bias"), bias)));
    }
    for data in rest {
        tensors.insert(data.path.clone(), tensor(data)?);
    }
    Ok(tensors)
}

/// Takes a described batch norm out of a file, as what each value is multiplied by, and what is added.
///
/// # Errors
/// What is missing.
pub(super) fn batch_norm(
    stored: &mut Stored,
    described: &Described<'_>,
) -> Result<(Vec<f64>, Vec<f64>), String> {
    let layer = take(stored, described, Kind::BatchNorm).ok_or("has no weights in the file")?;
    let config = described.config;
    let without = absent(config, &[("scale", "gamma"), ("center", "beta")]);
    let mut rest = Vec::new();
    let mut parts = variables(Some(layer), Kind::BatchNorm, &without, &mut rest);
    let mut part = |name: &str| {
        let found = parts.remove(name);
        found.ok_or_else(|| format!("has no {name} in the file"))
    };
    let (mean, variance) = (part("moving_mean")?.values, part("moving_variance")?.values);
    let mut other = |name: &'static str, usual: f32| match without.contains(&name) {
        true => Ok(vec![usual; mean.len()]),
        false => part(name).map(|data| data.values),
    };
    let (gamma, beta) = (other("gamma", 1.0)?, other("beta", 0.0)?);
    let len = mean.len();
    if [&gamma, &beta, &variance]
        .iter()
        .any(|part| part.len() != len)
    {
        return Err("has variables of several lengths".into());
    }
    let epsilon = config["epsilon"].as_f64().unwrap_or(1e-3);
    let value = |i: usize| {
        let factor = f64::from(gamma[i]) / (f64::from(variance[i]) + epsilon).sqrt();
        (factor, f64::from(beta[i]) - f64::from(mean[i]) * factor)
    };
    Ok((0..len).map(value).unzip())
}

/// A layer's variables by name; those that layers of its kind don't have are left in `rest`.
fn variables(
    layer: Option<StoredLayer>,
    kind: Kind,
    without: &[&str],
    rest: &mut Vec<Dataset>,
) -> BTreeMap<&'static str, Dataset> {
    let all = kind.layout().variables.iter().copied();
    let present: Vec<&'static str> = all.filter(|name| !without.contains(name)).collect();
    let mut named = BTreeMap::new();
    for (part, data) in layer.into_iter().flat_map(|layer| layer.variables) {
        let name = match part.parse::<usize>() {
            Ok(number) => present.get(number),
            Err(_) => present.iter().find(|name| **name == part),
        };
        match name {
            Some(name) => {
                named.insert(*name, data);
            }
            None => rest.push(data),
        }
    }
    named
}

/// Takes a convolution's bias off the mean that the batch norm after it subtracts. Gives it
/// back where it doesn't fit.
fn into_mean(bias: Dataset, mean: Option<&mut Dataset>) -> Option<Dataset> {
    match mean {
        Some(mean) if mean.shape == bias.shape => {
            for (mean, bias) in mean.values.iter_mut().zip(bias.values) {
                *mean = (f64::from(*mean) - f64::from(bias)) as f32;
            }
            None
        }
        _ => Some(bias),
    }
}

/// What a variable would be that a layer was made without.
fn constant(name: &str, shape: &[usize]) -> candle_core::Result<Tensor> {
    let value = if name == "gamma" { 1f32 } else { 0f32 };
    Tensor::full(value, shape, &Device::Cpu)
}

fn tensor(data: Dataset) -> candle_core::Result<Tensor> {
    Tensor::from_vec(data.values, data.shape, &Device::Cpu)
}

/// A kernel in our order of axes; one of another rank stays as it is, to be named as of the
/// wrong shape.
fn kernel(data: Dataset, kind: Kind) -> candle_core::Result<Tensor> {
    let tensor = tensor(data)?;
    let axes = kind.layout().kernel;
    if tensor.rank() != axes.len() {
        return Ok(tensor);
    }
    let tensor = tensor.permute(axes)?.contiguous()?;
    let mut shape = tensor.dims().to_vec();
    shape.resize(4, 1);
    tensor.reshape(shape)
}

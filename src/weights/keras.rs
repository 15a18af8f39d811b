//! What Keras writes, translated into our names and layouts.
//!
//! Three ways of naming occur in four kinds of file:
//! - keras-applications' `*_tf.h5` and Keras 2: `conv_dw_1/conv_dw_1/depthwise_kernel:0`;
//! - Keras 3's legacy `.h5`: the same without `:0` and with `kernel` for every kernel; a whole
//!   model saved as `.h5` has that under `model_weights/` and its description as an attribute;
//! - Keras 3's `.weights.h5`: `layers/depthwise_conv2d_3/vars/0`, numbered by class in the
//!   order of the layers; `.keras` is a zip of that and the model's description.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read};

use candle_core::{Device, Tensor};
use serde_json::Value;

use super::hdf5::{Dataset, File};
use super::imported::{Imported, Tensors};
use crate::model::{BATCH_NORM_PARTS, Config, ConvolutionKind, Padding};
use crate::ops::Activation;

/// The first bytes of a zip, which `.keras` is.
pub(super) const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";

/// More than any MobileNet's weights, so that a zip bomb ends early.
const MAX_WEIGHTS_BYTES: u64 = 512 << 20;

/// More than any model's description.
const MAX_CONFIG_BYTES: u64 = 64 << 20;

/// Reads an HDF5 file of weights or of a whole model.
pub(super) fn read_hdf5(bytes: &[u8]) -> Result<Imported, String> {
    let file = File::parse(bytes)?;
    let description = file.attribute("model_config")?;
    let description = description.map(|text| Description::parse(text.as_bytes()));
    import(
        file.datasets()?,
        description.transpose()?.unwrap_or_default(),
    )
}

/// Reads a `.keras` file.
pub(super) fn read_zip(bytes: &[u8]) -> Result<Imported, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| format!("truncated or damaged zip ({e})"))?;
    let config = member(&mut archive, "config.json", MAX_CONFIG_BYTES)?;
    let weights = member(&mut archive, "model.weights.h5", MAX_WEIGHTS_BYTES)?;
    import(
        File::parse(&weights)?.datasets()?,
        Description::parse(&config)?,
    )
}

fn member(
    archive: &mut zip::ZipArchive<Cursor<&[u8]>>,
    name: &str,
    most: u64,
) -> Result<Vec<u8>, String> {
    let member = archive
        .by_name(name)
        .map_err(|e| format!("a zip, but not one of Keras: {name}: {e}"))?;
    let mut bytes = Vec::new();
    member
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("{name} in it is damaged: {e}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("{name} in it is larger than any MobileNet"));
    }
    Ok(bytes)
}

fn import(datasets: Vec<Dataset>, description: Description) -> Result<Imported, String> {
    let numbered = datasets.iter().any(|d| numbered_path(&d.path).is_some());
    let variables = match numbered {
        true => name_numbered(datasets)?,
        false => datasets.into_iter().filter_map(named).collect(),
    };
    let mut tensors = HashMap::new();
    for Variable { layer, part, data } in variables {
        let (name, tensor) = translate(&layer, &part, data).map_err(|e| e.to_string())?;
        tensors.insert(name, tensor);
    }
    Ok(Imported {
        size: description.size,
        activation: description.activation,
        padding: description.padding.unwrap_or(Padding::Keras),
        batch_norm_epsilon: description.batch_norm_epsilon.unwrap_or(1e-3),
        ..Imported::new(Tensors::Loaded(tensors))
    })
}

/// A layer's variable under the name that keras-applications gives the layer.
struct Variable {
    layer: String,
    /// `kernel`, `bias`, `gamma`, `beta`, `moving_mean` or `moving_variance`.
    part: String,
    data: Dataset,
}

/// `[model_weights/]LAYER/.../LAYER/VARIABLE[:0]`; what is not under its layer's name (an
/// optimizer's slots) is passed over.
fn named(data: Dataset) -> Option<Variable> {
    let path = data.path.strip_prefix("model_weights/");
    let path = path.unwrap_or(&data.path);
    let (layer, rest) = path.split_once('/')?;
    if layer == "optimizer_weights" {
        return None;
    }
    let (_, variable) = rest.rsplit_once('/')?;
    let variable = variable.split(':').next().unwrap_or(variable);
    let part = match variable {
        "depthwise_kernel" => "kernel",
        other => other,
    };
    Some(Variable {
        layer: layer.to_owned(),
        part: part.to_owned(),
        data,
    })
}

/// `[...]layers/CLASS[_NUMBER]/vars/INDEX` as class, number and index.
fn numbered_path(path: &str) -> Option<(&str, usize, usize)> {
    let mut parts = path.rsplit('/');
    let index = parts.next()?.parse().ok()?;
    let (vars, layer, layers) = (parts.next()?, parts.next()?, parts.next()?);
    if vars != "vars" || layers != "layers" {
        return None;
    }
    let numbered = layer.rsplit_once('_').and_then(|(class, number)| {
        let number = number.parse().ok()?;
        Some((class, number))
    });
    let (class, number) = numbered.unwrap_or((layer, 0));
    Some((class, number, index))
}

/// Gives the layers of a `.weights.h5` the names that keras-applications has for them.
///
/// The numbers say the order within a class, and the order of a MobileNet's layers is known:
/// so the n-th depthwise layer is the n-th depthwise layer.
fn name_numbered(datasets: Vec<Dataset>) -> Result<Vec<Variable>, String> {
    let mut layers: BTreeMap<&str, BTreeMap<usize, BTreeMap<usize, Dataset>>> = BTreeMap::new();
    for dataset in datasets {
        let class = |path: &str| numbered_path(path).map(|(c, n, i)| (c.to_owned(), n, i));
        let Some((class, number, index)) = class(&dataset.path) else {
            continue;
        };
        let class = match class.as_str() {
            "conv2d" => "conv2d",
            "depthwise_conv2d" => "depthwise_conv2d",
            "batch_normalization" => "batch_normalization",
            other => return Err(format!("layers/{other} is not a layer of a MobileNet V1")),
        };
        let layer = layers.entry(class).or_default().entry(number).or_default();
        layer.insert(index, dataset);
    }
    let mut layers_of = |class| {
        let layers = layers.remove(class).unwrap_or_default();
        layers.into_values().collect::<Vec<_>>().into_iter()
    };
    let mut convolutions = layers_of("conv2d");
    let mut depthwise = layers_of("depthwise_conv2d");
    let mut batch_norms = layers_of("batch_normalization");

    // Only the layers' kinds and order matter here; their widths are checked later on.
    let config = Config {
        shallow: match depthwise.len() {
            13 => false,
            8 => true,
            n => {
                return Err(format!(
                    "it has {n} depthwise layers, where a MobileNet V1 has 13, or 8 if shallow"
                ));
            }
        },
        classes: (convolutions.len() > depthwise.len() + 1).then_some(1),
        ..Config::default()
    };
    let mut variables = Vec::new();
    let mut take = |layer: String, parts: &[&str], found: Option<BTreeMap<usize, Dataset>>| {
        for (index, data) in found.unwrap_or_default() {
            let part = parts.get(index).copied().unwrap_or("variable");
            variables.push(Variable {
                layer: layer.clone(),
                part: part.to_owned(),
                data,
            });
        }
    };
    for convolution in config.convolutions() {
        let found = match convolution.kind {
            ConvolutionKind::Depthwise => depthwise.next(),
            _ => convolutions.next(),
        };
        take(convolution.name.clone(), &["kernel", "bias"], found);
        if convolution.batch_norm {
            let name = format!("{}_bn", convolution.name);
            take(name, &BATCH_NORM_VARIABLES, batch_norms.next());
        }
    }
    match convolutions.len() + batch_norms.len() {
        0 => Ok(variables),
        n => Err(format!("it has {n} layers more than a MobileNet V1")),
    }
}

/// Keras's names of a batch norm's variables, in the order of [`BATCH_NORM_PARTS`].
const BATCH_NORM_VARIABLES: [&str; 4] = ["gamma", "beta", "moving_mean", "moving_variance"];

/// One variable as a tensor of ours: `kernel` from HWIO to OIHW (HWC1 to C1HW).
fn translate(layer: &str, part: &str, data: Dataset) -> candle_core::Result<(String, Tensor)> {
    let tensor = Tensor::from_vec(data.values, data.shape, &Device::Cpu)?;
    if part == "kernel" {
        let tensor = match (tensor.rank(), layer.starts_with("conv_dw_")) {
            (4, true) => tensor.permute((2, 3, 0, 1))?.contiguous()?,
            (4, false) => tensor.permute((3, 2, 0, 1))?.contiguous()?,
            _ => tensor,
        };
        return Ok((format!("{layer}.weight"), tensor));
    }
    let batch_norm = BATCH_NORM_VARIABLES.iter().position(|name| *name == part);
    let part = batch_norm.map_or(part, |i| BATCH_NORM_PARTS[i]);
    Ok((format!("{layer}.{part}"), tensor))
}

/// What a model's description (`config.json`, `model_config`) says beyond its tensors.
#[derive(Default)]
struct Description {
    size: Option<usize>,
    activation: Option<Activation>,
    padding: Option<Padding>,
    batch_norm_epsilon: Option<f64>,
}

impl Description {
    fn parse(json: &[u8]) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(json)
            .map_err(|e| format!("the model's description in it is damaged: {e}"))?;
        let layers = value.pointer("/config/layers").and_then(Value::as_array);
        let mut description = Self::default();
        let mut strided_without_zeros = false;
        for layer in layers.into_iter().flatten() {
            let config = &layer["config"];
            match layer["class_name"].as_str().unwrap_or_default() {
                "InputLayer" => {
                    let shape = [&config["batch_shape"], &config["batch_input_shape"]];
                    let height = shape.iter().find_map(|s| s[1].as_u64());
                    description.size = height.map(|n| n as usize);
                }
                "ReLU" => {
                    let maximum = config["max_value"].as_f64();
                    let activation = match maximum {
                        None => Activation::Relu,
                        Some(6.0) => Activation::Relu6,
                        Some(n) => return Err(format!("its ReLU has the maximum {n}, not 6")),
                    };
                    description.activation = Some(activation);
                }
                "Activation" => match config["activation"].as_str() {
                    Some("relu6") => description.activation = Some(Activation::Relu6),
                    Some("relu") => description.activation = Some(Activation::Relu),
                    Some("linear" | "softmax") => {}
                    other => {
                        let name = other.unwrap_or("of its own");
                        return Err(format!("its activation {name} is not supported"));
                    }
                },
                class @ ("LeakyReLU" | "PReLU" | "ELU" | "ThresholdedReLU") => {
                    return Err(format!("its activation {class} is not supported"));
                }
                "BatchNormalization" => description.batch_norm_epsilon = config["epsilon"].as_f64(),
                "ZeroPadding2D" => {
                    description.padding = match config["padding"].to_string().as_str() {
                        "[[0,1],[0,1]]" => Some(Padding::Keras),
                        "[[1,1],[1,1]]" => Some(Padding::Symmetric),
                        other => return Err(format!("its padding {other} is not supported")),
                    };
                }
                "DepthwiseConv2D" => {
                    let strided = config["strides"][0].as_u64() == Some(2);
                    strided_without_zeros |= strided && config["padding"] == "same";
                }
                _ => {}
            }
        }
        if strided_without_zeros && description.padding.is_none() {
            description.padding = Some(Padding::Same);
        }
        Ok(description)
    }
}

//! What a reader hands over to a checkpoint.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::quantised::is_scale;
use super::recognise::Stated;
use super::safetensors::SafetensorsFile;
use super::stored_network::StoredNetwork;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::model::{
    HiddenLayer, Padding, Pool, Quantisation, StoredIntegers, StoredTensor, StoredTensors,
    TensorSource,
};
use crate::ops::Activation;
use crate::pixels::{PixelScale, Preprocessing};

/// A checkpoint's tensors.
#[derive(Debug, Clone)]
pub(super) enum Tensors {
    /// A safetensors file, from which each is taken when it is asked for: a copy of all of them
    /// would cost as much time as the network needs for a picture.
    File(SafetensorsFile),
    /// Translated from another layout.
    Loaded(HashMap<String, Tensor>),
    /// The same as it was stored there: integers with their scales among them.
    Stored(Arc<StoredTensors>),
    /// The same of a TFLite file, which may have the integers between its layers too.
    Tflite(Arc<StoredNetwork>),
}

impl Tensors {
    /// The file's name for a tensor of ours.
    pub fn name<'a>(&'a self, ours: &'a str) -> &'a str {
        match self {
            Self::File(file) => file.name(ours),
            Self::Loaded(_) | Self::Stored(_) | Self::Tflite(_) => ours,
        }
    }

    /// Copies of all of them, under our names: floats in their own type, and what integers stand for
    /// in f32.
    pub fn copies(&self) -> Result<HashMap<String, Tensor>> {
        match self {
            Self::File(file) if file.is_quantised() => file
                .stated()
                .into_iter()
                .filter(|tensor| !is_scale(&tensor.name))
                .map(|Stated { name, shape, .. }| {
                    let numbers = file.tensor(&name, &shape)?.numbers()?.into_owned();
                    Ok((name, Tensor::from_vec(numbers, shape, &Device::Cpu)?))
                })
                .collect(),
            Self::File(file) => file.tensors().map_err(Error::network),
            Self::Loaded(tensors) => Ok(tensors.clone()),
            Self::Stored(stored) => copies_of(stored),
            Self::Tflite(network) => copies_of(&network.stored),
        }
    }

    /// Names, shapes and types.
    pub fn stated(&self) -> Vec<Stated> {
        match self {
            Self::File(file) => file.stated(),
            Self::Loaded(tensors) => {
                let stated = tensors.iter().map(|(name, tensor)| Stated {
                    name: name.clone(),
                    shape: tensor.dims().to_vec(),
                    is_numeric: tensor.dtype().is_float(),
                    is_bytes: false,
                });
                stated.collect()
            }
            Self::Stored(stored) => stated_by(stored),
            Self::Tflite(network) => stated_by(&network.stored),
        }
    }
}

impl TensorSource for Tensors {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<StoredTensor<'_>> {
        match self {
            Self::File(file) => file.tensor(name, shape),
            Self::Loaded(tensors) => {
                let found = tensors.get(name).filter(|tensor| tensor.dims() == shape);
                let missing = || Error::tensor(name, format!("of shape {shape:?} is missing"));
                StoredTensor::of(found.ok_or_else(missing)?)
            }
            Self::Stored(stored) => stored.tensor(name, shape),
            Self::Tflite(network) => network.stored.tensor(name, shape),
        }
    }

    fn activation(&self, convolution: &str) -> Option<&Quantisation> {
        match self {
            Self::File(file) => file.activation(convolution),
            Self::Loaded(_) => None,
            Self::Stored(stored) => stored.activation(convolution),
            Self::Tflite(network) => network.stored.activation(convolution),
        }
    }

    fn integers(&self) -> Option<std::result::Result<&dyn StoredIntegers, &str>> {
        let Self::Tflite(network) = self else {
            return None;
        };
        let found = network.integers.as_ref()?.as_ref();
        let integers: &dyn StoredIntegers = network.as_ref();
        Some(found.map(|_| integers).map_err(String::as_str))
    }
}

/// Copies of tensors, and what integers stand for in f32.
fn copies_of(stored: &StoredTensors) -> Result<HashMap<String, Tensor>> {
    let copies = stored.tensors.iter().map(|(name, tensor)| {
        let shape = tensor.shape.as_slice();
        let numbers = tensor.clone().numbers()?.into_owned();
        Ok((
            name.clone(),
            Tensor::from_vec(numbers, shape, &Device::Cpu)?,
        ))
    });
    copies.collect()
}

/// Their names and shapes.
fn stated_by(stored: &StoredTensors) -> Vec<Stated> {
    let stated = stored.tensors.iter().map(|(name, tensor)| Stated {
        name: name.clone(),
        shape: tensor.shape.clone(),
        is_numeric: true,
        is_bytes: false,
    });
    stated.collect()
}

/// What a reader of a foreign format found, in our names and layouts.
pub(super) struct Imported {
    pub tensors: Tensors,
    pub size: Option<usize>,
    pub activation: Option<Activation>,
    pub padding: Padding,
    pub batch_norm_epsilon: f64,
    /// What files beside it say of the pixels; its size is theirs.
    pub recipe: Option<Preprocessing>,
    /// What a graph or a description says of the pixels' scale, where there is no recipe.
    pub pixel_scale: Option<PixelScale>,
    /// What a description says of how pictures become squares, where there is no recipe; its size and its
    /// scale are not stated.
    pub view: Option<Preprocessing>,
    /// What makes an embedding of the last block's output.
    pub pool: Pool,
    /// The layers between the embedding and the classifier.
    pub hidden: Vec<HiddenLayer>,
    /// What makes scores of its outputs.
    pub head: Option<Head>,
    /// The classes' names.
    pub labels: Option<Vec<String>>,
}

impl Imported {
    /// Tensors that come without a word, taken to be as in the published checkpoints of Keras.
    pub fn new(tensors: Tensors) -> Self {
        Self {
            tensors,
            size: None,
            activation: None,
            padding: Padding::Keras,
            batch_norm_epsilon: 1e-3,
            recipe: None,
            pixel_scale: None,
            view: None,
            pool: Pool::Average,
            hidden: Vec::new(),
            head: None,
            labels: None,
        }
    }
}

//! What a reader hands over to a checkpoint.

use std::collections::HashMap;

use candle_core::Tensor;

use super::recognise::Stated;
use super::safetensors::SafetensorsFile;
use crate::model::Padding;
use crate::ops::Activation;
use crate::pixels::Preprocessing;

/// A checkpoint's tensors.
#[derive(Debug, Clone)]
pub(super) enum Tensors {
    /// A safetensors file, from which each is taken when it is asked for: a copy of all of them
    /// would cost as much time as the network needs for a picture.
    File(SafetensorsFile),
    /// Translated from another layout.
    Loaded(HashMap<String, Tensor>),
}

impl Tensors {
    /// The file's name for a tensor of ours.
    pub fn name<'a>(&'a self, ours: &'a str) -> &'a str {
        match self {
            Self::File(file) => file.name(ours),
            Self::Loaded(_) => ours,
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
                    is_float: tensor.dtype().is_float(),
                });
                stated.collect()
            }
        }
    }
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
            labels: None,
        }
    }
}

//! What a reader hands over to a checkpoint, and where that came from.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::contents::Contents;
use super::recognise::Stated;
use super::safetensors::SafetensorsFile;
use crate::model::Padding;
use crate::ops::Activation;
use crate::pixels::Preprocessing;

/// Where a checkpoint was converted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Address or file name.
    pub name: String,
    /// Sha256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Sha256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

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

/// What is known of a checkpoint's [`Source`].
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// What our header states.
    Stated(Option<Source>),
    /// It is the file that was read.
    File {
        name: String,
        contents: Arc<Contents>,
        /// Made when it is asked for: a digest of all bytes takes longer than a picture.
        source: OnceLock<Source>,
    },
}

impl Origin {
    /// The file that was read, under a name.
    pub fn file(name: String, contents: Arc<Contents>) -> Self {
        Self::File {
            name,
            contents,
            source: OnceLock::new(),
        }
    }

    pub fn source(&self) -> Option<&Source> {
        match self {
            Self::Stated(source) => source.as_ref(),
            Self::File {
                name,
                contents,
                source,
            } => Some(source.get_or_init(|| Source {
                name: name.clone(),
                sha256: sha256(contents),
            })),
        }
    }

    /// The same under another name.
    pub fn renamed(self, name: &str) -> Self {
        match self {
            Self::Stated(source) => Self::Stated(source.map(|source| Source {
                name: name.into(),
                ..source
            })),
            Self::File { contents, .. } => Self::file(name.into(), contents),
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

//! Checkpoints in eight bits, as our safetensors hold them.
//!
//! `NAME.weight` is of I8 where `NAME.weight_scale`, `[out]` in f32, says what an integer stands for:
//! `integer * scale` of its output. `NAME.activation_scale`, `[1]` or `[out]` in f32, is the scale of what
//! the convolution gives after its activation, in integers of 8 bits from 0 on.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::imported::Tensors;
use super::lesson::StoredLesson;
use super::provenance::Origin;
use super::recognise::Stated;
use super::safetensors::SafetensorsFile;
use crate::error::{Error, Result};
use crate::model::{Config, Quantisation, StoredTensor, StoredTensors, TensorSource};

/// The end of the name of what an integer of a weight stands for.
const WEIGHT_SCALE: &str = "weight_scale";
/// The same of an activation.
const ACTIVATION_SCALE: &str = "activation_scale";

/// Whether a tensor holds the scales of others.
pub(super) fn is_scale(name: &str) -> bool {
    name.ends_with(WEIGHT_SCALE) || name.ends_with(ACTIVATION_SCALE)
}

/// How a checkpoint was quantised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QuantisationSummary {
    /// Bits of pointwise weights and of activations: 8.
    pub bits: u32,
    /// Pictures that scales and integers were fitted to; 0 where weights were rounded for themselves.
    pub pictures: usize,
}

/// The bits that are written and read.
const BITS: u32 = 8;

impl QuantisationSummary {
    /// Eight bits, fitted to so many pictures.
    pub(super) fn new(pictures: usize) -> Self {
        Self {
            bits: BITS,
            pictures,
        }
    }
}

/// What integers stand for in a file: of weights, by their names, and of activations, by the names of
/// the convolutions that give them.
#[derive(Debug, Clone, Default)]
pub(super) struct Scales {
    pub weights: HashMap<String, Quantisation>,
    pub activations: HashMap<String, Quantisation>,
}

impl Scales {
    /// Reads those of a file, which are no part of the network's tensors then.
    pub fn read(
        file: &SafetensorsFile,
        summary: QuantisationSummary,
        config: &Config,
        stated: &mut Vec<Stated>,
    ) -> Result<Self> {
        if summary.bits != BITS {
            let bits = summary.bits;
            let message = format!("it is quantised to {bits} bits, and only {BITS} are understood");
            return Err(Error::network(message));
        }
        let mut scales = Self::default();
        for convolution in config.convolutions() {
            let mut take = |part: &str| {
                let name = format!("{}.{part}", convolution.name);
                let found = stated.iter().position(|tensor| tensor.name == name)?;
                Some(stated.swap_remove(found))
            };
            if let Some(tensor) = take(WEIGHT_SCALE) {
                let name = convolution.weight_name();
                let found = quantisation(file, &tensor, convolution.out_channels)?;
                scales.weights.insert(name, found);
            }
            if let Some(tensor) = take(ACTIVATION_SCALE) {
                let found = quantisation(file, &tensor, convolution.out_channels)?;
                scales.activations.insert(convolution.name, found);
            }
        }
        for tensor in stated {
            tensor.is_numeric |= tensor.is_bytes && scales.weights.contains_key(&tensor.name);
        }
        Ok(scales)
    }
}

/// One scale, or one for each output.
fn quantisation(file: &SafetensorsFile, tensor: &Stated, outputs: usize) -> Result<Quantisation> {
    let wrong = |reason: String| Error::tensor(&tensor.name, reason);
    let count = match tensor.shape.as_slice() {
        [1] => 1,
        [count] if *count == outputs => outputs,
        shape => return Err(wrong(format!("is {shape:?}, not [{outputs}]"))),
    };
    let scales = file.tensor(&tensor.name, &[count])?.numbers()?.into_owned();
    if !scales.iter().all(|scale| scale.is_finite() && *scale > 0.0) {
        return Err(wrong("has a scale that is not a number above 0".into()));
    }
    Ok(Quantisation {
        zero_points: vec![0; count],
        scales,
        axis: 0,
    })
}

/// The scales of tensors in memory, as tensors of a file: their names and values.
pub(super) fn scale_tensors(stored: &StoredTensors) -> impl Iterator<Item = (String, &[f32])> {
    let weights = stored.tensors.iter().filter_map(|(name, tensor)| {
        let quantisation = tensor.quantisation.as_ref()?;
        let name = name.strip_suffix("weight")?;
        Some((
            format!("{name}{WEIGHT_SCALE}"),
            quantisation.scales.as_slice(),
        ))
    });
    let activations = stored.activations.iter().map(|(name, quantisation)| {
        (
            format!("{name}.{ACTIVATION_SCALE}"),
            quantisation.scales.as_slice(),
        )
    });
    weights.chain(activations)
}

impl Checkpoint {
    /// How it is quantised, if it is one of our files in eight bits.
    pub fn quantisation(&self) -> Option<QuantisationSummary> {
        self.quantisation
    }

    /// Refuses what is in eight bits already.
    pub(crate) fn refuse_quantised(&self) -> Result<()> {
        match self.quantisation {
            Some(_) => Err(Error::checkpoint(&self.path, "it is in eight bits already")),
            None => Ok(()),
        }
    }

    /// What gives its tensors to whoever builds a network of them.
    pub(crate) fn tensor_source(&self) -> &dyn TensorSource {
        &self.tensors
    }

    /// The same network in eight bits.
    pub(crate) fn quantised(
        &self,
        config: Config,
        stored: StoredTensors,
        pictures: usize,
    ) -> Result<Self> {
        let tensors = Tensors::Stored(Arc::new(stored));
        let stated = tensors.stated();
        Self {
            config,
            tensors,
            quantisation: Some(QuantisationSummary::new(pictures)),
            origin: Origin::Stated(self.source().cloned()),
            contents: None,
            assumed: Vec::new(),
            // Embeddings of another network.
            lesson: self.lesson.as_ref().map(StoredLesson::without_examples),
            ..self.clone()
        }
        .checked(&stated)
    }

    /// The same quantised network with another last layer, in floats.
    pub(super) fn with_float_classifier(
        &self,
        config: Config,
        classifier: [(String, Tensor); 2],
    ) -> Result<Self> {
        let mut stored = self.stored_tensors()?;
        // Hidden layers go with the last one.
        stored
            .tensors
            .retain(|name, _| !name.starts_with("hidden_"));
        for (name, tensor) in classifier {
            stored.tensors.insert(name, StoredTensor::of(&tensor)?);
        }
        let pictures = self.quantisation.map_or(0, |summary| summary.pictures);
        self.quantised(config, stored, pictures)
    }

    /// The tensors of the network as they are stored.
    pub(super) fn stored_tensors(&self) -> Result<StoredTensors> {
        let mut stored = StoredTensors::default();
        for (name, shape) in self.config.tensors() {
            let tensor = self.tensors.tensor(&name, &shape)?.into_owned();
            stored.tensors.insert(name, tensor);
        }
        for convolution in self.config.convolutions() {
            if let Some(scales) = self.tensors.activation(&convolution.name) {
                stored.activations.insert(convolution.name, scales.clone());
            }
        }
        Ok(stored)
    }
}

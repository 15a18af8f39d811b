//! The network as it is trained: batch norm by itself, variables in place of weights.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use super::batch_norm::Statistics;
use super::layer::{Norms, Parameter, Phase, TrainingLayer};
use crate::error::{Error, Result};
use crate::model::{Assembly, Config, block_count, image_size};

/// MobileNet V1 that can be trained, made from the one description of it
/// ([`Config::convolutions`]).
///
/// On a CPU, 3x3 convolutions and batch norm are loops of our own with gradients of their own; on
/// another device they are compositions of candle's operations, whose gradients are candle's.
#[derive(Debug)]
pub struct TrainableNetwork {
    config: Config,
    layers: Assembly<TrainingLayer>,
    device: Device,
    dtype: DType,
}

/// What came of a batch.
#[derive(Debug)]
pub struct Passed {
    /// `[N, classes]`.
    pub logits: Tensor,
    /// Of each layer that normalised with its batch's, by its number.
    statistics: Vec<(usize, Statistics)>,
}

impl TrainableNetwork {
    /// A network of these tensors, named as [`Config::tensors`] says, to be trained but for the
    /// stem and the first `frozen` blocks, where that is more than none; `norms` is for the others.
    /// On a CPU it computes in f32 or f64.
    ///
    /// # Errors
    /// Settings that can't be trained, tensors that are missing or of another shape, or more
    /// blocks than there are.
    pub fn new(
        config: &Config,
        tensors: &HashMap<String, Tensor>,
        frozen: usize,
        norms: Norms,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        config.validate()?;
        let refuse = |reason: &str| Err(Error::network(reason));
        if config.batch_norm_folded {
            return refuse("batch norm is folded into the convolutions: it can't be trained");
        }
        if config.classes.is_none() {
            return refuse("there is no classifier to be trained");
        }
        if !config.has_plain_head() {
            return refuse(
                "its head has hidden layers or takes largest values, and only a network whose classifier \
                 follows the average can be trained",
            );
        }
        let blocks = block_count(config.shallow);
        if frozen > blocks {
            let reason = format!("{frozen} blocks can't be frozen: there are {blocks}");
            return Err(Error::config("frozen", reason));
        }
        let frozen_layers = if frozen == 0 { 0 } else { 1 + 2 * frozen };
        let take = |name: &str, shape: &[usize]| match tensors.get(name) {
            Some(tensor) if tensor.dims() == shape => {
                let placed = tensor.to_device(device)?.to_dtype(dtype)?;
                // A copy: what is trained must not change what it began with.
                Ok(placed.copy()?)
            }
            _ => Err(Error::tensor(
                name,
                format!("of shape {shape:?} is missing"),
            )),
        };
        let mut numbers = 0..;
        let network = Self {
            config: config.clone(),
            layers: Assembly::new(config, |convolution| {
                let is_frozen = numbers.next().is_some_and(|number| number < frozen_layers);
                TrainingLayer::new(convolution, is_frozen, norms, &take)
            })?,
            device: device.clone(),
            dtype,
        };
        Ok(if device.is_cpu() {
            network
        } else {
            network.composed()
        })
    }

    /// The same made of candle's operations even on a CPU, as on other devices: slow, and what the
    /// tests hold the loops against.
    pub fn composed(mut self) -> Self {
        for layer in self.layers.iter_mut() {
            layer.composed = true;
        }
        self
    }

    /// The network's settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The weights that are trained, in the order of the layers.
    pub fn parameters(&self) -> Vec<Parameter> {
        self.layers
            .iter()
            .flat_map(TrainingLayer::parameters)
            .collect()
    }

    /// The same, of which each block has `decay` of the next one's learning rate, the last one the
    /// classifier's, and the stem as much as the first block would leave to a block before it.
    pub fn parameters_by_depth(&self, decay: f64) -> Vec<Parameter> {
        let blocks = self.layers.blocks.len();
        let layers = self.layers.iter().enumerate();
        let parameters = layers.flat_map(|(number, layer)| {
            // The stem is number 0, and each block has two.
            let after = blocks.saturating_sub(number.div_ceil(2));
            let rate = decay.powi(after as i32);
            let parameters = layer.parameters().into_iter();
            parameters.map(move |parameter| Parameter { rate, ..parameter })
        });
        parameters.collect()
    }

    /// All tensors as they are now, named as [`Config::tensors`] says, on the CPU.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn tensors(&self) -> Result<HashMap<String, Tensor>> {
        let tensors = self.layers.iter().flat_map(TrainingLayer::tensors);
        let copy = |(name, tensor): (String, &Tensor)| {
            Ok((name, tensor.to_device(&Device::Cpu)?.copy()?.detach()))
        };
        tensors.map(copy).collect()
    }

    /// `[N, 3, H, W]` scaled pixels (see [`Preprocessing`](crate::pixels::Preprocessing)) to
    /// logits. Frozen layers are in evaluation always.
    ///
    /// # Errors
    /// Shapes that don't fit, or a failure of the device.
    pub fn forward(&self, pixels: &Tensor, phase: Phase) -> Result<Passed> {
        image_size(pixels)?;
        let mut statistics = Vec::new();
        let pixels = pixels.to_device(&self.device)?.to_dtype(self.dtype)?;
        // The channel first, see `convolution`.
        let mut x = pixels.transpose(0, 1)?.contiguous()?;
        for (number, layer) in self.layers.features().enumerate() {
            let (y, batch) = layer.forward(&x, phase, &self.config)?;
            statistics.extend(batch.map(|batch| (number, batch)));
            // Nothing before a frozen layer is trained.
            x = if layer.frozen { y.detach() } else { y };
        }
        x = x.mean((2, 3))?;
        if let Some(classifier) = &self.layers.classifier {
            (x, _) = classifier.forward(&x, phase, &self.config)?;
        }
        Ok(Passed {
            logits: x.t()?.contiguous()?,
            statistics,
        })
    }

    /// Moves the running statistics to those of a batch: `running = momentum * running + (1 -
    /// momentum) * batch`.
    ///
    /// As in Keras 3 the variance is the biased one that the batch was normalised with. (PyTorch
    /// takes the unbiased one, and so do Keras 2's fused kernels.) Then what is learned with a batch's
    /// statistics meets the same kind of numbers in evaluation.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn follow(&mut self, passed: &Passed, momentum: f64) -> Result<()> {
        let mut statistics = passed.statistics.iter().peekable();
        for (number, layer) in self.layers.iter_mut().enumerate() {
            if let Some((_, batch)) = statistics.next_if(|(of, _)| *of == number) {
                layer.follow(batch, momentum)?;
            }
        }
        Ok(())
    }
}

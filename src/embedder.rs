//! Pictures to embeddings: a network without its last layer.

use candle_core::Tensor;
use image::RgbImage;

use crate::cpu::{Threads, for_each};
use crate::device::OpenedDevice;
use crate::error::{Error, Result};
use crate::model::{MobileNet, Precision};
use crate::pixels::{AsPixels, Pixels, Preprocessing, to_input};
use crate::weights::Checkpoint;

/// A network with its recipe for pixels. It needs no classifier.
#[derive(Debug, Clone)]
pub struct Embedder {
    network: MobileNet,
    preprocessing: Preprocessing,
    threads: Threads,
}

impl Embedder {
    /// Builds the network of a checkpoint.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) where the device can't compute in `precision`, or a
    /// failure of the device.
    pub fn new(
        checkpoint: &Checkpoint,
        device: &OpenedDevice,
        precision: impl Into<Precision>,
    ) -> Result<Self> {
        let precision = precision.into();
        crate::device::check_precision(device, precision)?;
        Ok(Self {
            network: checkpoint.network(&device.device, precision)?,
            preprocessing: checkpoint.preprocessing().clone(),
            threads: Threads::default(),
        })
    }

    /// The same with another recipe for the pixels, of the same scale: the network has that in its
    /// weights, so another one goes into the checkpoint
    /// ([`Checkpoint::with_preprocessing`]) before the network is built.
    ///
    /// # Errors
    /// A recipe out of range, or of another scale.
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Result<Self> {
        preprocessing.validate()?;
        if preprocessing.pixel_scale != *self.network.pixel_scale() {
            let message = "a recipe that scales pixels otherwise than the network was built for";
            return Err(Error::config("pixel_scale", message));
        }
        self.preprocessing = preprocessing;
        Ok(self)
    }

    /// The same on so many threads: what the CPU does of it, whatever the network runs on.
    /// [The library's threads](crate#threads) says what it does without.
    pub fn with_threads(self, threads: usize) -> Self {
        Self {
            network: self.network.with_threads(threads),
            threads: Threads::exactly(threads),
            ..self
        }
    }

    /// The network.
    pub fn network(&self) -> &MobileNet {
        &self.network
    }

    /// The recipe for the pixels.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// The embedding of each picture: the global pool of the last block, before any hidden layer, `int(1024
    /// * alpha)` values that are not negative.
    ///
    /// They do not depend on which pictures share a batch.
    ///
    /// # Errors
    /// A failure of the device, or weights that lead to what is not a number.
    pub fn embeddings(&self, images: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        self.embeddings_of_inputs(&self.inputs(images))
    }

    /// What the network sees of pictures, which are resized on several threads.
    pub(crate) fn inputs(&self, images: &[RgbImage]) -> Vec<Pixels> {
        let apply = |image| self.preprocessing.apply(image);
        if images.len() < 2 || self.threads.count() == 1 {
            return images.iter().map(apply).collect();
        }
        let mut inputs = vec![Pixels::default(); images.len()];
        for_each(self.threads, images.iter().zip(&mut inputs), |pair| {
            let (image, input) = pair;
            *input = apply(image);
        });
        inputs
    }

    /// The same for pictures that [`Preprocessing::apply`] has been applied to.
    ///
    /// # Errors
    /// As [`embeddings`](Self::embeddings); also pictures of different sizes.
    pub fn embeddings_of_inputs<P: AsPixels>(&self, inputs: &[P]) -> Result<Vec<Vec<f32>>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        self.embeddings_of_tensor(&self.pixels(inputs)?)
    }

    /// The same for pixels that are a tensor already: bytes `[N, H, W, 3]`, or `[N, 3, H, W]` of a float
    /// type, scaled as the network's [`pixel_scale`](MobileNet::pixel_scale) says, on any device.
    ///
    /// # Errors
    /// As [`embeddings`](Self::embeddings); also a shape that doesn't fit.
    pub fn embeddings_of_tensor(&self, pixels: &Tensor) -> Result<Vec<Vec<f32>>> {
        let embeddings: Vec<Vec<f32>> = self.network.embed(pixels)?.to_vec2()?;
        match embeddings.iter().flatten().all(|value| value.is_finite()) {
            true => Ok(embeddings),
            false => Err(not_a_number()),
        }
    }

    /// The logits of embeddings.
    ///
    /// # Errors
    /// A failure of the device.
    pub(crate) fn logits_of_embeddings(&self, embeddings: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let Some(first) = embeddings.first() else {
            return Ok(Vec::new());
        };
        let shape = (embeddings.len(), first.len());
        let embeddings = Tensor::from_vec(embeddings.concat(), shape, self.network.device())?;
        Ok(self.network.classify_embedding(&embeddings)?.to_vec2()?)
    }

    /// Pictures on the network's device.
    pub(crate) fn pixels<P: AsPixels>(&self, inputs: &[P]) -> Result<Tensor> {
        to_input(inputs, self.network.pixel_scale(), self.network.device())
    }
}

/// What is said of an answer that is none.
pub(crate) fn not_a_number() -> Error {
    let message = "the network's answer is not a number: its weights are damaged";
    Error::not_a_number(message)
}

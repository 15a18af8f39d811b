//! Load once, classify many.

use candle_core::DType;
use image::RgbImage;
use serde::Serialize;

use crate::device::OpenedDevice;
use crate::error::{Error, Result};
use crate::labels::Labels;
use crate::model::MobileNet;
use crate::pixels::{Preprocessing, to_tensor};
use crate::weights::Checkpoint;

/// One of the classes that a picture may show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// ImageNet's index (-1 for the background class), or the output's number.
    pub index: Option<i32>,
    /// WordNet id of an ImageNet class.
    pub wnid: Option<String>,
    /// The class's name.
    pub label: String,
    /// Its probability: the softmax of its logit over all classes.
    pub score: f32,
}

/// A network with its labels and its recipe for pixels.
#[derive(Debug, Clone)]
pub struct Classifier {
    network: MobileNet,
    preprocessing: Preprocessing,
    labels: Labels,
}

impl Classifier {
    /// Builds the network of a checkpoint. `labels` of `None` are its own, or those that its
    /// number of classes suggests.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where it has no classifier, [`Error::Device`] where the device
    /// can't compute in `dtype`, or a failure of the device.
    pub fn new(
        checkpoint: &Checkpoint,
        labels: Option<Labels>,
        device: &OpenedDevice,
        dtype: DType,
    ) -> Result<Self> {
        let Some(classes) = checkpoint.config().classes else {
            return Err(Error::checkpoint(
                checkpoint.path(),
                "it has no classifier, so it can't tell classes",
            ));
        };
        crate::device::check_dtype(device, dtype)?;
        let labels = labels
            .or_else(|| checkpoint.labels())
            .unwrap_or_else(|| Labels::for_classes(classes));
        if labels.classes().len() != classes {
            return Err(Error::Config(format!(
                "{} labels for a network of {classes} classes",
                labels.classes().len()
            )));
        }
        Ok(Self {
            network: checkpoint.network(&device.device, dtype)?,
            preprocessing: checkpoint.preprocessing().clone(),
            labels,
        })
    }

    /// The same with another recipe for the pixels.
    ///
    /// # Errors
    /// A recipe out of range.
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Result<Self> {
        preprocessing.validate()?;
        self.preprocessing = preprocessing;
        Ok(self)
    }

    /// The network.
    pub fn network(&self) -> &MobileNet {
        &self.network
    }

    /// The recipe for the pixels.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// The probabilities of all classes for each picture, in the order of the labels.
    ///
    /// They do not depend on which pictures share a batch.
    ///
    /// # Errors
    /// A failure of the device, or weights that lead to scores that are not numbers.
    pub fn scores(&self, images: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        let apply = |image| self.preprocessing.apply(image);
        self.scores_of_inputs(&images.iter().map(apply).collect::<Vec<_>>())
    }

    /// The same for pictures that [`Preprocessing::apply`] has been applied to.
    ///
    /// # Errors
    /// As [`scores`](Self::scores); also pictures of different sizes.
    pub fn scores_of_inputs(&self, inputs: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let pixels = to_tensor(inputs, self.network.device())?;
        let logits: Vec<Vec<f32>> = self.network.forward(&pixels)?.to_vec2()?;
        logits.iter().map(|logits| softmax(logits)).collect()
    }

    /// The `top_k` most probable classes of each picture, those under `threshold` left out.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn classify(
        &self,
        images: &[RgbImage],
        top_k: usize,
        threshold: f32,
    ) -> Result<Vec<Vec<Prediction>>> {
        let scores = self.scores(images)?;
        let top = |scores: &Vec<f32>| self.top(scores, top_k, threshold);
        Ok(scores.iter().map(top).collect())
    }

    /// The `top_k` most probable classes of one picture's scores, those under `threshold` left
    /// out; of equally probable ones the first.
    pub fn top(&self, scores: &[f32], top_k: usize, threshold: f32) -> Vec<Prediction> {
        let prediction = |i: usize| {
            let class = &self.labels.classes()[i];
            Prediction {
                index: Some(class.index),
                wnid: class.wnid.clone(),
                label: class.label.clone(),
                score: scores[i],
            }
        };
        let outputs = top_outputs(scores, top_k, threshold);
        outputs.into_iter().map(prediction).collect()
    }

    /// The classes.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }
}

/// The numbers of the `top_k` largest scores in descending order, those under `threshold` left
/// out; of equal ones the first.
pub fn top_outputs(scores: &[f32], top_k: usize, threshold: f32) -> Vec<usize> {
    let descending = |&a: &usize, &b: &usize| scores[b].total_cmp(&scores[a]).then(a.cmp(&b));
    let mut outputs: Vec<usize> = (0..scores.len()).collect();
    outputs.retain(|&i| scores[i] >= threshold);
    if (1..outputs.len()).contains(&top_k) {
        outputs.select_nth_unstable_by(top_k, descending);
    }
    outputs.truncate(top_k);
    outputs.sort_unstable_by(descending);
    outputs
}

/// Probabilities from logits, summed in f64.
fn softmax(logits: &[f32]) -> Result<Vec<f32>> {
    let maximum = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits
        .iter()
        .map(|&x| f64::from(x - maximum).exp())
        .collect();
    let sum: f64 = powers.iter().sum();
    if !sum.is_finite() {
        let message = "the network's answer is not a number: its weights are damaged";
        return Err(Error::Config(message.into()));
    }
    Ok(powers.iter().map(|p| (p / sum) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_is_a_distribution_even_of_large_logits() -> Result<()> {
        let scores = softmax(&[1000.0, 999.0, -1000.0])?;
        assert!((scores[0] - 0.731_058_6).abs() < 1e-6);
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(softmax(&[f32::NAN, 1.0]).is_err());
        assert!(softmax(&[f32::INFINITY, 1.0]).is_err());
        Ok(())
    }
}

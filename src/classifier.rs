//! Load once, classify many.

use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;
use image::RgbImage;
use serde::Serialize;

use crate::device::{self, DeviceChoice, OpenedDevice};
use crate::embedder::{Embedder, not_a_number};
use crate::error::{Error, Result};
use crate::familiarity::Familiarity;
use crate::head::Head;
use crate::labels::Labels;
use crate::model::{MobileNet, Precision, Softmax};
use crate::pixels::{AsPixels, Preprocessing};
use crate::rejection::Rejection;
use crate::weights::{Checkpoint, LoadOptions};

/// The label of a picture of none of the classes.
pub const UNKNOWN: &str = "unknown";

/// One of the classes that a picture may show, or that it shows none of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// ImageNet's index (-1 for the background class), or the output's number; `None` for a
    /// picture of none of the classes.
    pub index: Option<i32>,
    /// WordNet id of an ImageNet class.
    pub wnid: Option<String>,
    /// The class's name.
    pub label: String,
    /// Its probability: the softmax of its logit over all classes (of a file whose softmax is in eight
    /// bits, its own 256ths), or where the network has such a [`Head`] the sigmoid of its logit; less
    /// what a checkpoint with
    /// [`Familiarity`] has no reason to believe of it. For a picture of none of
    /// them the highest there is, which is too low.
    pub score: f32,
}

/// A network with its labels, its recipe for pixels, and when it admits that it does not know.
#[derive(Debug, Clone)]
pub struct Classifier {
    embedder: Embedder,
    labels: Labels,
    head: Head,
    rejection: Option<Rejection>,
    familiarity: Option<Arc<Familiarity>>,
}

impl Classifier {
    /// Builds the network of a checkpoint. `labels` of `None` are its own, or those that its
    /// number of classes suggests.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where it has no classifier, [`Error::Device`] where the device
    /// can't compute in `precision`, or a failure of the device.
    pub fn new(
        checkpoint: &Checkpoint,
        labels: Option<Labels>,
        device: &OpenedDevice,
        precision: impl Into<Precision>,
    ) -> Result<Self> {
        let Some(classes) = checkpoint.config().classes else {
            return Err(Error::checkpoint(
                checkpoint.path(),
                "it has no classifier, so it can't tell classes",
            ));
        };
        let labels = labels
            .or_else(|| checkpoint.labels())
            .unwrap_or_else(|| Labels::for_classes(classes));
        if labels.classes().len() != classes {
            let found = labels.classes().len();
            let message = format!("{found} labels for a network of {classes} classes");
            return Err(Error::length(classes, found, message));
        }
        let head = checkpoint.head();
        if let Some(reason) = head.unsuitable(Some(classes)) {
            return Err(Error::checkpoint(checkpoint.path(), reason));
        }
        Ok(Self {
            embedder: Embedder::new(checkpoint, device, precision)?,
            labels,
            head,
            rejection: checkpoint.rejection(),
            familiarity: checkpoint.shared_familiarity(),
        })
    }

    /// The same with another recipe for the pixels.
    ///
    /// # Errors
    /// A recipe out of range, or one that scales pixels otherwise than the network was built for
    /// ([`Embedder::with_preprocessing`]).
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Result<Self> {
        self.embedder = self.embedder.with_preprocessing(preprocessing)?;
        Ok(self)
    }

    /// Opens a checkpoint of any kind that [`Checkpoint::open`] takes, with its own labels and
    /// recipe, on the best device that this machine has, in f32; a quantised TFLite file on the CPU in its
    /// own integers ([`Checkpoint::default_precision`]).
    ///
    /// # Errors
    /// As [`Checkpoint::open`] and [`new`](Self::new).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let checkpoint = Checkpoint::open(path.as_ref(), &LoadOptions::default())?;
        let device = device::open(DeviceChoice::Auto)?;
        let precision = checkpoint.default_precision(&device.device);
        Self::new(&checkpoint, None, &device, precision)
    }

    /// The same on so many threads: what the CPU does of it, whatever the network runs on.
    /// [The library's threads](crate#threads) says what it does without.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.embedder = self.embedder.with_threads(threads);
        self
    }

    /// The network.
    pub fn network(&self) -> &MobileNet {
        self.embedder.network()
    }

    /// The recipe for the pixels.
    pub fn preprocessing(&self) -> &Preprocessing {
        self.embedder.preprocessing()
    }

    /// The probabilities of all classes for each picture, in the order of the labels.
    ///
    /// They do not depend on which pictures share a batch.
    ///
    /// # Errors
    /// A failure of the device, or weights that lead to scores that are not numbers.
    pub fn scores(&self, images: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        self.scores_of_inputs(&self.embedder.inputs(images))
    }

    /// The same for pictures that [`Preprocessing::apply`] has been applied to.
    ///
    /// # Errors
    /// As [`scores`](Self::scores); also pictures of different sizes.
    pub fn scores_of_inputs<P: AsPixels>(&self, inputs: &[P]) -> Result<Vec<Vec<f32>>> {
        let scored = self.scored(inputs)?.into_iter();
        Ok(scored.map(|scored| scored.scores).collect())
    }

    /// The same, each with what is known of it besides.
    pub(crate) fn scored<P: AsPixels>(&self, inputs: &[P]) -> Result<Vec<Scored>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        self.scored_tensor(&self.embedder.pixels(inputs)?)
    }

    /// The probabilities of all classes for pixels that are a tensor already: bytes `[N, H, W, 3]`, or
    /// `[N, 3, H, W]` of a float type, scaled as the network's
    /// [`pixel_scale`](MobileNet::pixel_scale) says, on any device.
    ///
    /// # Errors
    /// As [`scores`](Self::scores); also a shape that doesn't fit.
    pub fn scores_of_tensor(&self, pixels: &Tensor) -> Result<Vec<Vec<f32>>> {
        let scored = self.scored_tensor(pixels)?.into_iter();
        Ok(scored.map(|scored| scored.scores).collect())
    }

    fn scored_tensor(&self, pixels: &Tensor) -> Result<Vec<Scored>> {
        let softmax = self.network().softmax();
        let scores = |logits: &Vec<f32>| {
            let scores = self.head.scores(logits, softmax)?;
            Ok(Scored {
                is_near_tie: match self.head {
                    Head::Softmax => is_near_tie(&scores),
                    Head::Sigmoid => self.head.is_unsure(&scores),
                },
                order: match softmax {
                    Softmax::EightBits { .. } => logits.clone(),
                    Softmax::Exact => Vec::new(),
                },
                scores,
            })
        };
        let Some(familiarity) = &self.familiarity else {
            let logits: Vec<Vec<f32>> = self.network().forward(pixels)?.to_vec2()?;
            return logits.iter().map(scores).collect();
        };
        let embeddings = self.embedder.embeddings_of_tensor(pixels)?;
        let logits = self.embedder.logits_of_embeddings(&embeddings)?;
        let discounted = |(logits, embedding): (&Vec<f32>, &Vec<f32>)| {
            let mut scored = scores(logits)?;
            familiarity.discount(&mut scored.scores, embedding);
            Ok(scored)
        };
        logits.iter().zip(&embeddings).map(discounted).collect()
    }

    /// The `top_k` most probable classes of each picture, as [`top`](Self::top) has them.
    ///
    /// # Errors
    /// As [`scores`](Self::scores).
    pub fn classify(
        &self,
        images: &[RgbImage],
        top_k: usize,
        threshold: Option<f32>,
    ) -> Result<Vec<Vec<Prediction>>> {
        let scored = self.scored(&self.embedder.inputs(images))?;
        let top =
            |scored: &Scored| self.top_in_order(&scored.scores, &scored.order, top_k, threshold);
        Ok(scored.iter().map(top).collect())
    }

    /// The `top_k` most probable classes of one picture's scores, those under `threshold` left
    /// out ([`Head::threshold`] where there is none); of equally probable ones the first. Of a picture that [is
    /// rejected](Self::rejects) the one answer is [`UNKNOWN`].
    pub fn top(&self, scores: &[f32], top_k: usize, threshold: Option<f32>) -> Vec<Prediction> {
        self.top_in_order(scores, &[], top_k, threshold)
    }

    /// The same; equally probable ones go by `order`, the highest first
    /// ([`Reply::order`](crate::pipeline::Reply::order)).
    pub fn top_in_order(
        &self,
        scores: &[f32],
        order: &[f32],
        top_k: usize,
        threshold: Option<f32>,
    ) -> Vec<Prediction> {
        if top_k > 0 && self.rejects(scores, threshold) {
            return vec![Prediction {
                index: None,
                wnid: None,
                label: UNKNOWN.into(),
                score: scores.iter().copied().fold(0.0, f32::max),
            }];
        }
        let prediction = |i: usize| {
            let class = &self.labels.classes()[i];
            Prediction {
                index: Some(class.index),
                wnid: class.wnid.clone(),
                label: class.label.clone(),
                score: scores[i],
            }
        };
        let least = threshold.unwrap_or(self.head.threshold());
        let outputs = top_outputs_in_order(scores, order, top_k, least);
        outputs.into_iter().map(prediction).collect()
    }

    /// Whether these scores are a picture's of none of the classes: all of them are under the
    /// threshold, which is the checkpoint's own unless there is another. A network whose
    /// checkpoint has no [`Rejection`] rejects nothing.
    pub fn rejects(&self, scores: &[f32], threshold: Option<f32>) -> bool {
        self.rejection.is_some_and(|own| {
            let threshold = threshold.unwrap_or(own.threshold);
            scores.iter().all(|&score| score < threshold)
        })
    }

    /// What tells pictures that are like those that the classes were learned from, if the
    /// checkpoint has such.
    pub fn familiarity(&self) -> Option<&Familiarity> {
        self.familiarity.as_deref()
    }

    /// What makes scores of the network's outputs.
    pub fn head(&self) -> Head {
        self.head
    }

    /// When a picture is of none of the classes, if the checkpoint says so.
    pub fn rejection(&self) -> Option<Rejection> {
        self.rejection
    }

    /// The network and its recipe, for embeddings.
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// The classes.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }
}

/// What a network makes of a picture.
pub(crate) struct Scored {
    /// The probabilities of all classes.
    pub scores: Vec<f32>,
    /// Whether its first two classes are nearly as probable as each other. That is asked of the
    /// network's own scores: a discount takes all of them nearer to each other.
    pub is_near_tie: bool,
    /// By which classes of equal scores go; empty where by their number.
    pub order: Vec<f32>,
}

/// Share of the first score from which on a second one is near.
const NEAR_TIE: f32 = 0.9;

/// Whether the second of these scores is nearly the first.
fn is_near_tie(scores: &[f32]) -> bool {
    let (mut first, mut second) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    for &score in scores {
        if score > first {
            (first, second) = (score, first);
        } else if score > second {
            second = score;
        }
    }
    second > NEAR_TIE * first
}

/// The numbers of the `top_k` largest scores in descending order, those under `threshold` left
/// out; of equal ones the first.
pub fn top_outputs(scores: &[f32], top_k: usize, threshold: f32) -> Vec<usize> {
    top_outputs_in_order(scores, &[], top_k, threshold)
}

/// The same; of equal ones those whose `order` is highest, where it says something of them.
pub fn top_outputs_in_order(
    scores: &[f32],
    order: &[f32],
    top_k: usize,
    threshold: f32,
) -> Vec<usize> {
    let order = |output: usize| order.get(output).copied().unwrap_or(0.0);
    let descending = |&a: &usize, &b: &usize| {
        let by_score = scores[b].total_cmp(&scores[a]);
        by_score
            .then_with(|| order(b).total_cmp(&order(a)))
            .then(a.cmp(&b))
    };
    let mut outputs: Vec<usize> = (0..scores.len()).collect();
    outputs.retain(|&i| scores[i] >= threshold);
    if (1..outputs.len()).contains(&top_k) {
        outputs.select_nth_unstable_by(top_k, descending);
    }
    outputs.truncate(top_k);
    outputs.sort_unstable_by(descending);
    outputs
}

impl Softmax {
    /// Scores from logits.
    pub(crate) fn scores(self, logits: &[f32]) -> Result<Vec<f32>> {
        match self.in_eight_bits(logits) {
            Some(scores) => Ok(scores),
            None => softmax(logits),
        }
    }
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
        return Err(not_a_number());
    }
    Ok(powers.iter().map(|p| (p / sum) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_tie_is_of_the_two_highest() {
        for (scores, expected) in [
            (&[0.1, 0.5, 0.4][..], false),
            (&[0.1, 0.42, 0.48], false),
            (&[0.1, 0.44, 0.46], true),
            (&[0.46, 0.1, 0.44], true),
            (&[0.3, 0.3], true),
            (&[1.0], false),
            (&[], false),
        ] {
            assert_eq!(is_near_tie(scores), expected, "{scores:?}");
        }
    }

    #[test]
    fn equal_scores_go_by_their_order_and_then_by_their_number() {
        let scores = [0.25, 0.5, 0.25, 0.25, 0.0];
        assert_eq!(top_outputs(&scores, 5, 0.0), [1, 0, 2, 3, 4]);
        let order = [1.0, 9.0, 3.0, 1.0, -2.0];
        let ordered = top_outputs_in_order(&scores, &order, 5, 0.0);
        assert_eq!(ordered, [1, 2, 0, 3, 4]);
        assert_eq!(top_outputs_in_order(&scores, &order, 2, 0.0), [1, 2]);
    }

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

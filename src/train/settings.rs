//! How a network is trained, and how that goes.

use serde::{Deserialize, Serialize};

use super::augment::Augmentation;
use super::layer::Norms;
use crate::error::{Error, Result};

/// How a network is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How often each picture is shown.
    pub epochs: usize,
    /// Pictures that are learned from at once, or a few less.
    pub batch_size: usize,
    /// The highest learning rate, see [`learning_rate`](super::learning_rate).
    pub learning_rate: f64,
    /// AdamW's.
    pub weight_decay: f64,
    /// The share of each truth that is given to all classes alike.
    pub label_smoothing: f64,
    /// How pictures are varied.
    pub augmentation: Augmentation,
    /// Blocks from the first on that are left as they are, and the stem with them.
    pub frozen: usize,
    /// What batch norms normalise with.
    pub norms: Norms,
    /// The learning rate of each block as a part of the next one's, see
    /// [`parameters_by_depth`](super::TrainableNetwork::parameters_by_depth); with 1 all learn alike.
    pub block_decay: f64,
    /// What all random numbers come from, the same ones in every version of this crate.
    pub seed: u64,
}

impl Settings {
    /// Checks them.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names what is out of range.
    pub fn validate(&self) -> Result<()> {
        let rules = [
            (
                "epochs",
                self.epochs >= 1,
                "there has to be at least 1 epoch",
            ),
            (
                "batch_size",
                self.batch_size >= 2,
                "a batch has to have at least 2 pictures: batch norm takes its statistics from them",
            ),
            (
                "learning_rate",
                self.learning_rate > 0.0 && self.learning_rate <= 1.0,
                "the learning rate has to be above 0 and at most 1",
            ),
            (
                "weight_decay",
                (0.0..=10.0).contains(&self.weight_decay),
                "the weight decay has to be from 0 to 10",
            ),
            (
                "block_decay",
                self.block_decay > 0.0 && self.block_decay <= 1.0,
                "the decay of learning rates from block to block has to be above 0 and at most 1",
            ),
            (
                "label_smoothing",
                (0.0..1.0).contains(&self.label_smoothing),
                "the label smoothing has to be from 0 to less than 1",
            ),
        ];
        match rules.iter().find(|(_, holds, _)| !holds) {
            Some((setting, _, rule)) => Err(Error::config(setting, *rule)),
            None => self.augmentation.validate(),
        }
    }
}

/// How an epoch went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1; 0 is what [`FineTuning`](super::FineTuning) begins with.
    pub epoch: usize,
    /// The learning rate at its end.
    pub learning_rate: f64,
    /// Mean over the pictures as they were shown, while the network learned; with label smoothing. Of
    /// what a run begins with, over the pictures as they are, without it.
    pub train_loss: f64,
    /// Share of them whose class had the highest logit.
    pub train_accuracy: f64,
    /// Mean over the pictures to test with, if there are any; without label smoothing.
    pub validation_loss: Option<f64>,
    /// Share of them whose class has the highest score.
    pub validation_accuracy: Option<f64>,
    /// What it took.
    pub seconds: f64,
    /// The number of the trial that it is of, from 1; `None` in the run whose network is kept.
    pub trial: Option<usize>,
}

/// What was shown of an epoch so far.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Its number, from 1.
    pub epoch: usize,
    /// Pictures that were shown.
    pub pictures: usize,
    /// Pictures that there are.
    pub of: usize,
    /// Mean loss.
    pub loss: f64,
    /// Share whose class had the highest logit.
    pub accuracy: f64,
}

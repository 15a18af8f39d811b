//! How a network is trained, as the command line says it.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use mobilenet::train::{Augmentation, Norms, Settings};

use super::begin::BeginOptions;

/// How a network is trained.
#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub struct LearningOptions {
    /// How many times each picture is shown [default: 30, from a checkpoint 10]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,

    /// Number of pictures in a step [default: 32, from a checkpoint 16]
    #[arg(short, long, value_name = "N")]
    batch_size: Option<usize>,

    /// The highest learning rate: it rises for a twentieth of the run, and falls to 0 as a cosine
    /// [default: 0.003, from a checkpoint 0.0003]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,

    /// The learning rate of each of the blocks as a part of the next one's, the last one's being
    /// --learning-rate; 1 has all learn alike [default: 1, from a checkpoint 0.7]
    #[arg(long, value_name = "P")]
    block_decay: Option<f64>,

    /// What batch norms normalise with: the statistics of the batch, or the stored ones, which stay as
    /// they are [default: batch, from a checkpoint stored]
    #[arg(long, value_name = "WHICH")]
    norms: Option<NormsName>,

    /// AdamW's weight decay, for all weights but batch norm's, biases and depthwise filters
    #[arg(long, value_name = "W", default_value_t = 0.05)]
    weight_decay: f64,

    /// Label smoothing: the share of each truth that is spread over all classes [default: 0.1, from a
    /// checkpoint 0]
    #[arg(long, value_name = "P")]
    label_smoothing: Option<f64>,

    /// Seed of all random numbers; the same in every version
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Share of each class that is held out and tested after each epoch; from a checkpoint in one trial
    /// before the run that learns from all pictures. 0 holds nothing out, and all epochs are kept
    /// [default: 0.1, from a checkpoint as many fifths in turn as make 200 pictures]
    #[arg(long, value_name = "P")]
    pub validation: Option<f64>,

    /// Test with another such folder instead, and learn from all of DIR; from a checkpoint the best epoch is
    /// kept
    #[arg(long, value_name = "DIR", conflicts_with = "validation")]
    pub validation_dir: Option<PathBuf>,

    /// Least part of a picture's area that random crops show; 1 shows whole pictures, as --crop says
    /// [default: 0.35, from a checkpoint 0.6]
    #[arg(long, value_name = "P", help_heading = "Augmentation")]
    least_area: Option<f64>,

    /// Don't mirror pictures: for writing, and whatever else has a left and a right
    #[arg(long, alias = "no-flip", help_heading = "Augmentation")]
    no_mirror: bool,

    /// How much brightness, contrast and saturation vary at most
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.2,
        help_heading = "Augmentation"
    )]
    colour: f64,
}

/// [`Norms`] by its name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum NormsName {
    Batch,
    Stored,
}

impl LearningOptions {
    /// What random numbers come from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How to train what begins so.
    ///
    /// # Errors
    /// What is out of range.
    pub fn settings(&self, network: &BeginOptions) -> Result<Settings> {
        let from_checkpoint = network.is_from_checkpoint();
        ensure!(
            from_checkpoint || network.freeze == 0,
            "--freeze keeps what a checkpoint has learned: it needs --weights or --pretrained"
        );
        let has_stored = from_checkpoint || !matches!(self.norms, Some(NormsName::Stored));
        ensure!(
            has_stored,
            "--norms stored needs a checkpoint that has statistics: --weights or --pretrained"
        );
        ensure!(
            self.validation
                .is_none_or(|share| (0.0..1.0).contains(&share)),
            "--validation has to be from 0 to less than 1"
        );
        let usual = |anew: f64, from: f64| if from_checkpoint { from } else { anew };
        let norms = match (self.norms, from_checkpoint) {
            (Some(NormsName::Batch), _) | (None, false) => Norms::Batch,
            (Some(NormsName::Stored), _) | (None, true) => Norms::Stored,
        };
        let settings = Settings {
            epochs: self.epochs.unwrap_or(if from_checkpoint { 10 } else { 30 }),
            batch_size: self
                .batch_size
                .unwrap_or(if from_checkpoint { 16 } else { 32 }),
            learning_rate: self.learning_rate.unwrap_or(usual(3e-3, 3e-4)),
            weight_decay: self.weight_decay,
            label_smoothing: self.label_smoothing.unwrap_or(usual(0.1, 0.0)),
            augmentation: Augmentation {
                least_area: self.least_area.unwrap_or(usual(0.35, 0.6)),
                flip: !self.no_mirror,
                colour: self.colour,
            },
            frozen: network.freeze,
            norms,
            block_decay: self.block_decay.unwrap_or(usual(1.0, 0.7)),
            seed: self.seed,
        };
        settings.validate()?;
        Ok(settings)
    }
}

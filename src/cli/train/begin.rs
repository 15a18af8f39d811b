//! What training begins with.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use candle_core::{DType, Device, Tensor};
use clap::Args;
use mobilenet::Head;
use mobilenet::model::{Config, Pool, validate_size};
use mobilenet::pixels::Preprocessing;
use mobilenet::train::initial_tensors;
use mobilenet::weights::Checkpoint;

use super::Arguments;
use crate::cli::Global;
use crate::cli::options::{ModelOptions, UnstatedOptions};

/// Which network, and what it begins with.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct BeginOptions {
    /// Width multiplier [default: 1.0, or the checkpoint's]
    #[arg(long, value_name = "ALPHA")]
    alpha: Option<f64>,

    /// Side of the network's input in pixels, from 32 [default: 224, or the checkpoint's]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,

    /// The paper's shallow variant, without blocks 7 to 11
    #[arg(long, conflicts_with_all = ["weights", "pretrained"])]
    shallow: bool,

    #[command(flatten)]
    unstated: UnstatedOptions,

    /// Begin with a checkpoint in any form that classify takes; if its classes are others, or it is of
    /// `learn`, a new classifier is fitted first, as `learn` does it
    #[arg(long, value_name = "PATH")]
    pub weights: Option<PathBuf>,

    /// Begin with the published weights for --alpha and --size
    #[arg(long, conflicts_with = "weights")]
    pub pretrained: bool,

    /// Leave the stem and the first N blocks (of 13) as they are
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub freeze: usize,

    /// Never use the network (also HF_HUB_OFFLINE=1)
    #[arg(long)]
    offline: bool,
}

impl BeginOptions {
    /// Whether it is with what a checkpoint has learned.
    pub fn is_from_checkpoint(&self) -> bool {
        self.weights.is_some() || self.pretrained
    }
}

/// What training begins with.
pub struct Beginning {
    /// With these classes and this recipe.
    pub checkpoint: Checkpoint,
    /// Of the file that it is from, if it is from one.
    pub sha256: Option<String>,
    /// That file.
    pub file: Option<PathBuf>,
    /// Whether its classifier is gone on with.
    pub has_own_classifier: bool,
}

impl Beginning {
    /// A network that has learned nothing yet, or the checkpoint that was asked for, with a new
    /// classifier where its classes are others.
    ///
    /// # Errors
    /// Settings that no network can be built with, or a checkpoint that can't be had.
    pub fn new(arguments: &Arguments, classes: &[String], global: Global) -> Result<Self> {
        let BeginOptions {
            alpha,
            size,
            shallow,
            unstated,
            weights,
            pretrained,
            offline,
            ..
        } = &arguments.network;
        let options = ModelOptions {
            alpha: *alpha,
            size: *size,
            classes: None,
            unstated: *unstated,
            weights: weights.clone(),
            repo: None,
            offline: *offline,
        };
        let config = Config {
            classes: Some(classes.len()),
            ..options.config(*shallow)
        };
        if weights.is_none() && !pretrained {
            validate_size(options.size_or_default())?;
            let recipe = Preprocessing::center(options.size_or_default());
            let checkpoint = Checkpoint::from_tensors(
                &arguments.output,
                config.clone(),
                initial_tensors(&config, arguments.learning.seed())?,
                arguments.view.preprocessing(&recipe),
                Some(classes.to_vec()),
            )?;
            return Ok(Self {
                checkpoint,
                sha256: None,
                file: None,
                has_own_classifier: false,
            });
        }
        let found = if *pretrained {
            options.open_published(global)?
        } else {
            options.load(global)?
        };
        ensure!(
            !found.config().batch_norm_folded,
            "{}: its batch norm is folded into its convolutions, and can't be trained",
            found.path().display()
        );
        let (sha256, file) = (found.sha256(), found.path().to_owned());
        let recipe = arguments.view.preprocessing(found.preprocessing());
        let has_own_classifier = is_of_classes(&found, classes);
        let found = match has_own_classifier {
            true => found,
            false => with_classes(found, classes)?,
        };
        ensure!(
            found.config().pool == Pool::Average,
            "{}: its pool takes the largest values, and only networks that average can be trained",
            found.path().display()
        );
        ensure!(
            found.config().hidden.is_empty(),
            "{}: it has hidden layers, which can't be trained. With classes of other names it gets a new \
             classifier in their place, and `learn` makes one of these classes without training",
            found.path().display()
        );
        ensure!(
            found.head() == Head::Softmax,
            "{}: its head is a {}, and training is for pictures of one class each",
            found.path().display(),
            found.head()
        );
        Ok(Self {
            checkpoint: found.with_preprocessing(recipe)?,
            sha256,
            file: Some(file),
            has_own_classifier,
        })
    }
}

/// Whether a checkpoint has these classes in this order, and learned them with all of its layers: what
/// `learn` fitted to them is fitted again.
fn is_of_classes(found: &Checkpoint, classes: &[String]) -> bool {
    let labels = found.labels();
    let labels = labels.as_ref().map_or(&[][..], |labels| labels.classes());
    labels.iter().map(|class| &class.label).eq(classes) && found.familiarity().is_none()
}

/// A checkpoint of these classes, with a place for their classifier.
fn with_classes(found: Checkpoint, classes: &[String]) -> Result<Checkpoint> {
    let embedding = found.config().embedding_len();
    let weight = Tensor::zeros((classes.len(), embedding), DType::F32, &Device::Cpu)?;
    let bias = Tensor::zeros(classes.len(), DType::F32, &Device::Cpu)?;
    Ok(found.with_classifier(&weight, &bias, classes.to_vec())?)
}

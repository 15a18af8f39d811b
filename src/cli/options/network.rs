//! Which network, how it sees pictures, and what it runs on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use mobilenet::labels::Labels;
use mobilenet::model::Precision;
use mobilenet::pipeline::{Model, Pipeline};
use mobilenet::pixels::{DecodeOptions, Preprocessing};
use mobilenet::weights::{Checkpoint, Integers, QuantisationSummary, Source};
use mobilenet::{Classifier, Embedder, Head};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Assumed, LabelOptions, ModelOptions, RunOptions, Running, ViewOptions, computes_in};
use crate::cli::{Global, files, note};

/// What a command needs that shows pictures to a network.
#[derive(Debug, Clone, Args)]
pub struct NetworkOptions {
    #[command(flatten)]
    view: ViewOptions,

    #[command(flatten)]
    pub model: ModelOptions,

    #[command(flatten)]
    run: RunOptions,
}

/// A checkpoint that is ready to be built into a network.
pub struct OpenedNetwork {
    pub checkpoint: Checkpoint,
    /// The checkpoint's recipe, with what the command line changes of it.
    pub preprocessing: Preprocessing,
    pub decode: DecodeOptions,
    pub running: Running,
    pub precision: Precision,
    /// What neither the checkpoint nor the command line states.
    pub assumed: Assumed,
}

impl NetworkOptions {
    /// Whether pictures are seen as the checkpoint says.
    pub fn sees_as_the_checkpoint(&self) -> bool {
        self.view.is_the_checkpoints()
    }

    /// How files are decoded.
    pub fn decode(&self) -> DecodeOptions {
        self.view.decode()
    }

    /// Opens the device and finds the checkpoint. `outputs` are the files that the command will
    /// write.
    ///
    /// # Errors
    /// A device or a checkpoint that can't be had, or is one of the outputs.
    pub fn open(&self, outputs: &[&Path], global: Global) -> Result<OpenedNetwork> {
        let running = self.run.start(global)?;
        let checkpoint = self.model.find(global)?;
        // Not what was named: that may be a folder, or nothing at all for one in the cache.
        files::protect(outputs, [checkpoint.path()])?;
        let precision = running.precision(Some(&checkpoint));
        let assumed = self.view.assumed(&checkpoint);
        if global.verbose {
            note(&computes_in(&checkpoint, precision));
        }
        if global.verbose || assumed.is_worth_telling() && !global.quiet {
            assumed.tell();
        }
        Ok(OpenedNetwork {
            preprocessing: self.view.preprocessing(checkpoint.preprocessing()),
            decode: self.view.decode(),
            checkpoint,
            running,
            precision,
            assumed,
        })
    }
}

/// Refuses a network whose scores don't share out 1, for what would make no sense of them.
///
/// # Errors
/// A head that is no softmax.
pub fn check_shares(classifier: &Classifier, what: &str) -> Result<()> {
    ensure!(
        classifier.head() == Head::Softmax,
        "{what} takes a picture to be of one class, and adds up the probabilities of classes: this \
         network's head is a {}, which gives each class a score of its own",
        classifier.head()
    );
    Ok(())
}

impl OpenedNetwork {
    /// Builds the network with its classes.
    ///
    /// # Errors
    /// A checkpoint without classes, labels that don't fit, a failure of the device.
    pub fn classifier(&self, labels: &LabelOptions) -> Result<Classifier> {
        let labels = match (labels.file(), self.checkpoint.config().classes) {
            (Some(path), Some(classes)) => Some(Labels::open(path, classes)?),
            _ => None,
        };
        let Running {
            device, threads, ..
        } = &self.running;
        let classifier = Classifier::new(&self.checkpoint, labels, device, self.precision)?;
        let classifier = classifier.with_threads(*threads);
        Ok(classifier.with_preprocessing(self.preprocessing.clone())?)
    }

    /// Builds the network up to its embedding.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn embedder(&self) -> Result<Embedder> {
        let device = &self.running.device;
        let embedder = Embedder::new(&self.checkpoint, device, self.precision)?;
        let embedder = embedder.with_threads(self.running.threads);
        Ok(embedder.with_preprocessing(self.preprocessing.clone())?)
    }

    /// What runs many pictures through a model made of it.
    pub fn pipeline(&self, model: Arc<dyn Model>) -> Pipeline {
        let Running {
            threads,
            batch_size,
            ..
        } = self.running;
        let pipeline = Pipeline::new(model)
            .decode_options(self.decode.clone())
            .threads(threads);
        match batch_size {
            Some(pictures) => pipeline.batch_size(pictures),
            None => pipeline,
        }
    }

    /// The same for what a checkpoint is made of. One that was in another tool's integers is going to be of
    /// floats: then in floats, unless it was asked for something else.
    pub fn for_new_checkpoint(self) -> Self {
        if self.checkpoint.quantisation().is_some() {
            return self;
        }
        Self {
            precision: self.running.precision_for_floats(),
            ..self
        }
    }

    /// Whose integers it computes in, where they are the file's.
    fn integers(&self) -> Option<&'static str> {
        let is_own = self.precision.is_integer() && self.checkpoint.integers() == Integers::Own;
        is_own.then_some("the file's own")
    }

    /// What answers, for which all of the weights are read once more.
    pub fn provenance(&self) -> Provenance {
        let path = self.checkpoint.path();
        let name = path.file_name().unwrap_or(path.as_os_str());
        Provenance {
            name: name.to_string_lossy().into_owned(),
            sha256: self.checkpoint.sha256(),
            source: self.checkpoint.source().cloned(),
            alpha: self.checkpoint.config().alpha,
            preprocessing: self.preprocessing.clone(),
            reduced_decoding: self.decode.reduced,
            background: self.decode.background.map(hexadecimal),
            device: self.running.device.name.to_string(),
            dtype: self.precision.name(),
            integers: self.integers(),
            head: Some(self.checkpoint.head()).filter(|head| *head != Head::Softmax),
            quantisation: self.checkpoint.quantisation(),
            assumed: self.assumed.settings(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// What its answers depend on, by the names that `--resume` says it by.
    pub fn run_facts(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "weights sha256": self.checkpoint.sha256(),
            "recipe": self.preprocessing,
            "head": self.checkpoint.head(),
            "dtype": self.precision.name(),
            "integers": self.integers(),
            "exif": self.decode.exif_orientation,
            "reduced decoding": self.decode.reduced,
            "background": self.decode.background,
        })
    }
}

/// A colour as `--background` takes it.
fn hexadecimal([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// What answered, as `--provenance` says it.
#[derive(Debug, Serialize)]
pub struct Provenance {
    /// The file of the weights, without its folders.
    name: String,
    sha256: Option<String>,
    /// What the weights were converted from, if that is known.
    source: Option<Source>,
    alpha: f64,
    preprocessing: Preprocessing,
    /// Large JPEGs are decoded at a reduced scale.
    reduced_decoding: bool,
    /// The colour behind transparent pixels, where their alpha is not dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    background: Option<String>,
    device: String,
    dtype: &'static str,
    /// What makes scores of its outputs, where that is no softmax.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
    /// How the checkpoint was put into eight bits, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    quantisation: Option<QuantisationSummary>,
    /// Whose they are, where it is integers of the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    integers: Option<&'static str>,
    /// What nothing states, and is taken to be so.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    assumed: BTreeMap<&'static str, String>,
    version: &'static str,
}

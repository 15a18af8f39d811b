//! Which network, how it sees pictures, and what it runs on.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use mobilenet::labels::Labels;
use mobilenet::pixels::{DecodeOptions, Preprocessing};
use mobilenet::weights::{Checkpoint, Source};
use mobilenet::{Classifier, Embedder};
use serde::Serialize;

use super::{LabelOptions, ModelOptions, RunOptions, Running, ViewOptions};
use crate::cli::Global;
use crate::cli::inputs::is_same_file;
use crate::cli::pipeline::{Model, Pipeline};

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
pub struct Network {
    pub checkpoint: Checkpoint,
    /// The checkpoint's recipe, with what the command line changes of it.
    pub preprocessing: Preprocessing,
    pub decode: DecodeOptions,
    pub running: Running,
}

impl NetworkOptions {
    /// Opens the device and finds the checkpoint.
    pub fn open(&self, global: Global) -> Result<Network> {
        let running = self.run.start(global)?;
        let checkpoint = self.model.load(global)?;
        Ok(Network {
            preprocessing: self.view.preprocessing(checkpoint.preprocessing()),
            decode: self.view.decode(),
            checkpoint,
            running,
        })
    }

    /// Refuses an output that would replace what is read.
    ///
    /// # Errors
    /// It is the checkpoint.
    pub fn protect(&self, output: &Path) -> Result<()> {
        refuse_same(self.model.weights.as_deref(), output)
    }
}

/// Refuses an output that would replace a file that is read.
///
/// # Errors
/// They are the same file.
pub fn refuse_same(read: Option<&Path>, output: &Path) -> Result<()> {
    if let Some(read) = read {
        let same = is_same_file(read, output);
        let (read, output) = (read.display(), output.display());
        ensure!(!same, "{output}: it would replace {read}, which is read");
    }
    Ok(())
}

/// Refuses an output that the next run would take for a picture of a class: `pictures` is a folder
/// that has a folder for each.
///
/// # Errors
/// It lies in one of them.
pub fn refuse_among(pictures: &Path, output: &Path) -> Result<()> {
    let real = output.canonicalize();
    let folder = real.as_deref().unwrap_or(output).parent().map(|folder| {
        let here = folder.as_os_str().is_empty();
        if here { Path::new(".") } else { folder }.canonicalize()
    });
    if let (Some(Ok(folder)), Ok(pictures)) = (folder, pictures.canonicalize()) {
        let among = folder != pictures && folder.starts_with(pictures);
        let output = output.display();
        ensure!(
            !among,
            "{output}: it would lie among the pictures of a class"
        );
    }
    Ok(())
}

impl Network {
    /// Builds the network with its classes.
    ///
    /// # Errors
    /// A checkpoint without classes, labels that don't fit, a failure of the device.
    pub fn classifier(&self, labels: &LabelOptions) -> Result<Classifier> {
        let labels = match (labels.file(), self.checkpoint.config().classes) {
            (Some(path), Some(classes)) => Some(Labels::open(path, classes)?),
            _ => None,
        };
        let Running { device, dtype, .. } = &self.running;
        let classifier = Classifier::new(&self.checkpoint, labels, device, *dtype)?;
        Ok(classifier.with_preprocessing(self.preprocessing.clone())?)
    }

    /// Builds the network up to its embedding.
    ///
    /// # Errors
    /// A failure of the device.
    pub fn embedder(&self) -> Result<Embedder> {
        let embedder = Embedder::new(&self.checkpoint, &self.running.device, self.running.dtype)?;
        Ok(embedder.with_preprocessing(self.preprocessing.clone())?)
    }

    /// What runs many pictures through a model made of it.
    pub fn pipeline(&self, model: Arc<dyn Model>) -> Pipeline {
        let Running {
            threads,
            batch_size,
            ..
        } = self.running;
        Pipeline::new(model, self.decode.clone(), threads, batch_size)
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
            device: self.running.device.name.to_string(),
            dtype: self.running.dtype.as_str(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
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
    device: String,
    dtype: &'static str,
    version: &'static str,
}

//! Which pictures, and how they are seen.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use mobilenet::Classifier;
use mobilenet::labels::Labels;
use mobilenet::pixels::{CENTER_CROP, Crop, DecodeOptions, Preprocessing};
use mobilenet::weights::{Checkpoint, Source};
use serde::Serialize;

use super::{ModelOptions, RunOptions, Running};
use crate::cli::Global;
use crate::cli::inputs::{Inputs, Shard, Sources};
use crate::cli::pipeline::Pipeline;

/// What a command needs that classifies pictures.
#[derive(Debug, Clone, Args)]
pub struct PictureOptions {
    #[command(flatten)]
    pub sources: Sources,

    /// Only the I-th of N parts of the pictures, for runs side by side (by the SHA-256 of the
    /// path)
    #[arg(long, value_name = "I/N", help_heading = "Pictures")]
    shard: Option<Shard>,

    /// How a picture becomes a square [default: what the checkpoint says, else center]
    #[arg(long, value_name = "HOW", help_heading = "Pictures")]
    crop: Option<CropName>,

    /// Leave pictures as they are stored, whatever their EXIF orientation
    #[arg(long, help_heading = "Pictures")]
    no_exif: bool,

    /// Decode large JPEGs at their full size, to the very pixels that Pillow would see: slower,
    /// for scores that differ little
    #[arg(long, help_heading = "Pictures")]
    full_decode: bool,

    /// Refuse larger pictures; decoding one takes up to 6 bytes a pixel
    #[arg(long, value_name = "N", help_heading = "Pictures", default_value_t = DecodeOptions::default().max_pixels)]
    max_pixels: u64,

    /// Refuse larger files
    #[arg(long, value_name = "BYTES", help_heading = "Pictures", default_value_t = DecodeOptions::default().max_bytes)]
    max_file_size: u64,

    /// Labels in place of the checkpoint's: one a line, or JSON of index to label
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    labels: Option<PathBuf>,

    #[command(flatten)]
    model: ModelOptions,

    #[command(flatten)]
    run: RunOptions,
}

/// `--crop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CropName {
    Center,
    Squash,
}

impl PictureOptions {
    /// Finds the network and builds it, ready for pictures; and says what it is, if that is
    /// wanted, for which all of the weights are read once more.
    pub fn pipeline(
        &self,
        provenance: bool,
        global: Global,
    ) -> Result<(Pipeline, Option<Provenance>)> {
        let running = self.run.start(global)?;
        let checkpoint = self.model.load(global)?;
        let decode = DecodeOptions {
            exif_orientation: !self.no_exif,
            reduced: !self.full_decode,
            max_pixels: self.max_pixels,
            max_bytes: self.max_file_size,
        };
        let classifier = self.classifier(&checkpoint, &running)?;
        let provenance =
            provenance.then(|| Provenance::new(&checkpoint, &classifier, &decode, &running));
        let (threads, batch_size) = (running.threads, running.batch_size);
        let pipeline = Pipeline::new(classifier, decode, threads, batch_size);
        Ok((pipeline, provenance))
    }

    fn classifier(&self, checkpoint: &Checkpoint, running: &Running) -> Result<Classifier> {
        let labels = match (&self.labels, checkpoint.config().classes) {
            (Some(path), Some(classes)) => Some(Labels::open(path, classes)?),
            _ => None,
        };
        let classifier = Classifier::new(checkpoint, labels, &running.device, running.dtype)?;
        Ok(classifier.with_preprocessing(self.preprocessing(checkpoint))?)
    }

    /// The checkpoint's recipe, with what the command line changes of it.
    fn preprocessing(&self, checkpoint: &Checkpoint) -> Preprocessing {
        let recipe = checkpoint.preprocessing().clone();
        let crop = match (self.crop, recipe.crop) {
            (None, own) => own,
            (Some(CropName::Squash), _) => Crop::Squash,
            (Some(CropName::Center), Crop::Squash) => Crop::Center(CENTER_CROP),
            (Some(CropName::Center), own) => own,
        };
        Preprocessing { crop, ..recipe }
    }

    /// Refuses an output that would replace what is read.
    ///
    /// # Errors
    /// It is one of the files that are named.
    pub fn protect(&self, output: &Path) -> Result<()> {
        let model = [&self.labels, &self.model.weights];
        let model = model.into_iter().flatten().map(PathBuf::as_path);
        for named in self.sources.files().chain(model) {
            let same = same_file::is_same_file(named, output).unwrap_or(false);
            let (named, output) = (named.display(), output.display());
            ensure!(
                !same,
                "{output}: the answers would replace {named}, which is read"
            );
        }
        Ok(())
    }

    /// The pictures.
    ///
    /// # Errors
    /// A list of them that can't be opened.
    pub fn inputs(&self) -> Result<Inputs> {
        let inputs = self.sources.clone().into_inputs()?;
        Ok(match self.shard {
            Some(shard) => Box::new(inputs.filter(move |input| shard.takes(&input.name))),
            None => inputs,
        })
    }
}

/// What answered, as `--provenance` says it.
#[derive(Debug, Serialize)]
pub struct Provenance {
    /// The file of the weights, without its folders.
    name: String,
    sha256: String,
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

impl Provenance {
    fn new(
        checkpoint: &Checkpoint,
        classifier: &Classifier,
        decode: &DecodeOptions,
        running: &Running,
    ) -> Self {
        let path = checkpoint.path();
        let name = path.file_name().unwrap_or(path.as_os_str());
        Self {
            name: name.to_string_lossy().into_owned(),
            sha256: checkpoint.sha256(),
            source: checkpoint.source().cloned(),
            alpha: checkpoint.config().alpha,
            preprocessing: classifier.preprocessing().clone(),
            reduced_decoding: decode.reduced,
            device: running.device.name.to_string(),
            dtype: running.dtype.as_str(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// A value of `--threshold`.
pub fn parse_probability(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("expected a probability from 0 to 1".into()),
    }
}

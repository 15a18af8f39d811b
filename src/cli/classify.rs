//! `mobilenet classify`

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use mobilenet::error::ImageError;
use mobilenet::labels::Labels;
use mobilenet::pixels::{CENTER_CROP, Crop, DecodeOptions, Preprocessing, RgbImage};
use mobilenet::weights::Checkpoint;
use mobilenet::{Classifier, Prediction};

use super::inputs;
use super::options::{ModelOptions, RunOptions};
use super::output::{self, Format, Row, RowWriter};
use super::terminal::{Terminal, printable};
use super::{Global, Outcome, note};

/// Tell what pictures show: the most probable labels of each
#[derive(Debug, Args)]
pub struct Arguments {
    /// Pictures; `-` is the bytes of one on stdin
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<OsString>,

    /// How many labels for each picture
    #[arg(short = 'k', long, default_value = "5", value_name = "N")]
    top_k: usize,

    /// Leave out labels with a score under P
    #[arg(long, default_value = "0", value_name = "P", value_parser = parse_threshold)]
    threshold: f32,

    #[command(flatten)]
    output: OutputOptions,

    /// Labels in place of the checkpoint's: one a line, or JSON of index to label
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    labels: Option<PathBuf>,

    /// How a picture becomes a square [default: what the checkpoint says, else center]
    #[arg(long, value_name = "HOW", help_heading = "Model")]
    crop: Option<CropName>,

    /// Leave pictures as they are stored, whatever their EXIF orientation
    #[arg(long, help_heading = "Model")]
    no_exif: bool,

    #[command(flatten)]
    model: ModelOptions,

    #[command(flatten)]
    run: RunOptions,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct OutputOptions {
    /// How to write the answers
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    format: Format,

    /// Short for --format json
    #[arg(long)]
    json: bool,

    /// Short for --format jsonl
    #[arg(long)]
    jsonl: bool,
}

impl OutputOptions {
    fn format(&self) -> Format {
        match self {
            Self { json: true, .. } => Format::Json,
            Self { jsonl: true, .. } => Format::Jsonl,
            Self { format, .. } => *format,
        }
    }
}

/// `--crop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CropName {
    Center,
    Squash,
}

fn parse_threshold(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("expected a probability from 0 to 1".into()),
    }
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let running = arguments.run.start(global)?;
    let checkpoint = arguments.model.load(global)?;
    let labels = match (&arguments.labels, checkpoint.config().classes) {
        (Some(path), Some(classes)) => Some(Labels::open(path, classes)?),
        _ => None,
    };
    let classifier = Classifier::new(&checkpoint, labels, &running.device, running.dtype)?
        .with_preprocessing(preprocessing(arguments, &checkpoint))?;
    let mut session = Session {
        classifier,
        arguments,
        decode: DecodeOptions {
            exif_orientation: !arguments.no_exif,
            ..DecodeOptions::default()
        },
        // A structured row carries its error; text has only stderr for it.
        report: arguments.output.format() == Format::Text || !global.quiet,
        outcome: Outcome::Complete,
    };
    let stdout = io::BufWriter::new(io::stdout().lock());
    let mut writer = output::writer(arguments.output.format(), stdout, Terminal::of_stdout());
    writer.begin()?;
    let mut batches = arguments.paths.chunks(running.batch_size);
    let answered = batches.try_for_each(|names| session.batch(names, &mut *writer));
    // An array is closed even where the network gave up in the middle of it.
    writer.end()?;
    answered?;
    Ok(session.outcome)
}

/// The checkpoint's recipe, with what the command line changes of it.
fn preprocessing(arguments: &Arguments, checkpoint: &Checkpoint) -> Preprocessing {
    let recipe = checkpoint.preprocessing().clone();
    let crop = match (arguments.crop, recipe.crop) {
        (None, own) => own,
        (Some(CropName::Squash), _) => Crop::Squash,
        (Some(CropName::Center), Crop::Squash) => Crop::Center(CENTER_CROP),
        (Some(CropName::Center), own) => own,
    };
    Preprocessing { crop, ..recipe }
}

/// One run over all inputs.
struct Session<'a> {
    classifier: Classifier,
    arguments: &'a Arguments,
    decode: DecodeOptions,
    report: bool,
    outcome: Outcome,
}

impl Session<'_> {
    /// Answers the inputs of one batch, in order.
    fn batch(&mut self, names: &[OsString], writer: &mut dyn RowWriter) -> Result<()> {
        let mut images: Vec<RgbImage> = Vec::with_capacity(names.len());
        let mut failures: Vec<Option<ImageError>> = Vec::with_capacity(names.len());
        for name in names {
            match inputs::open(name, &self.decode) {
                // What is kept of a picture is only what the network will see of it.
                Ok(image) => {
                    images.push(self.classifier.preprocessing().apply(&image));
                    failures.push(None);
                }
                Err(error) => failures.push(Some(error)),
            }
        }
        let mut scores = self.classifier.scores_of_inputs(&images)?.into_iter();
        for (name, failure) in names.iter().zip(&failures) {
            let Arguments {
                top_k, threshold, ..
            } = *self.arguments;
            let predictions: Vec<Prediction> = match failure {
                None => scores.next().map_or_else(Vec::new, |scores| {
                    self.classifier.top(&scores, top_k, threshold)
                }),
                Some(_) => Vec::new(),
            };
            if let Some(error) = failure {
                self.outcome = Outcome::Incomplete;
                self.report(name, error);
            }
            writer.row(&Row {
                name,
                answer: failure.as_ref().map_or(Ok(&predictions), Err),
            })?;
        }
        Ok(())
    }

    fn report(&self, name: &OsString, error: &ImageError) {
        if self.report {
            let name = printable(&name.to_string_lossy());
            let message = printable(&error.message);
            note(&format!("{name}: {message}"));
        }
    }
}

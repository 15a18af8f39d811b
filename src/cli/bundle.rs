//! `mobilenet bundle`

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use mobilenet::labels::Labels;
use mobilenet::weights::{SaveOptions, write_bundle};

use super::options::ModelOptions;
use super::{Global, Outcome, files, note};

/// Write one executable with the weights and labels inside
///
/// It needs no network and no cache: copied to another machine of the same kind,
/// `FILE classify photo.jpg` just works.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The executable to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Use these labels instead of the checkpoint's: one per line, or JSON that maps index to label
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    labels: Option<PathBuf>,

    #[command(flatten)]
    model: ModelOptions,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let program = std::env::current_exe().context("this program can't be found to be copied")?;
    let output = arguments.output.as_path();
    files::refuse_picture(output)?;
    files::check(output)?;
    files::protect(&[output], arguments.labels.as_deref())?;
    let mut checkpoint = arguments.model.load(global)?;
    files::protect(&[output], [checkpoint.path()])?;
    if let (Some(path), Some(classes)) = (&arguments.labels, checkpoint.config().classes) {
        checkpoint = checkpoint.with_labels(&Labels::open(path, classes)?)?;
    }
    let weights = checkpoint.to_safetensors(&SaveOptions::default())?;
    write_bundle(&program, &weights, output)?;
    if global.verbose {
        let output = output.display();
        note(&format!("{output}: weights of {} bytes", weights.len()));
    }
    Ok(Outcome::Complete)
}

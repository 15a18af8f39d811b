//! `mobilenet convert`

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use mobilenet::weights::{Checkpoint, LoadOptions};

use super::options::ActivationName;
use super::{Global, Outcome};

/// Convert a checkpoint to safetensors that describe themselves
#[derive(Debug, Args)]
pub struct Arguments {
    /// A checkpoint: Keras's .h5, .weights.h5 or .keras, or safetensors
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// The safetensors file to write
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,

    /// Side of the input, where the checkpoint does not state it [default: 224]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,

    /// The activation, where the checkpoint does not state it [default: relu6]
    #[arg(long, value_name = "NAME")]
    activation: Option<ActivationName>,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let options = LoadOptions {
        size: arguments.size,
        activation: arguments.activation.map(Into::into),
    };
    let checkpoint = Checkpoint::open(&arguments.input, &options)?;
    if arguments.output.is_dir() {
        bail!("{}: is a directory", arguments.output.display());
    }
    checkpoint.save(&arguments.output)?;
    if global.verbose {
        let config = checkpoint.config();
        eprintln!(
            "mobilenet: {}: alpha {:?}, {} pixels",
            arguments.output.display(),
            config.alpha,
            checkpoint.preprocessing().size
        );
    }
    Ok(Outcome::Complete)
}

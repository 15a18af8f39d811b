//! `mobilenet convert`

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use mobilenet::weights::{Checkpoint, LoadOptions};

use super::options::ActivationName;
use super::{Global, Outcome, note};

/// Convert a checkpoint to safetensors that describe themselves
#[derive(Debug, Args)]
pub struct Arguments {
    /// A checkpoint: Keras's .h5, .weights.h5 or .keras, or safetensors
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// The safetensors file to write; `-` is stdout
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
    if arguments.output.as_os_str() == "-" {
        io::stdout().write_all(&checkpoint.to_safetensors()?)?;
    } else {
        checkpoint.save(&arguments.output)?;
    }
    if !checkpoint.assumed().is_empty() && !global.quiet {
        note(&format!(
            "{}: it does not state its {}; taken to be as in the published checkpoints \
             (--size, --activation)",
            arguments.input.display(),
            checkpoint.assumed().join(" and ")
        ));
    }
    if global.verbose {
        let config = checkpoint.config();
        note(&format!(
            "{}: alpha {:?}, {} pixels",
            arguments.output.display(),
            config.alpha,
            checkpoint.preprocessing().size
        ));
    }
    Ok(Outcome::Complete)
}

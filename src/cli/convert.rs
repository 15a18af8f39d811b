//! `mobilenet convert`

use std::path::PathBuf;

use anyhow::Result;
use candle_core::DType;
use clap::{Args, ValueEnum};
use mobilenet::weights::{Checkpoint, SaveOptions};

use super::options::{Assumed, RecipeOptions, UnstatedOptions};
use super::{Global, Outcome, note, saved_checkpoint};

/// Convert a checkpoint to safetensors that describe themselves
#[derive(Debug, Args)]
pub struct Arguments {
    /// A checkpoint in any form that `--weights` takes
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// The safetensors file to write; `-` is stdout. A folder, or a name that ends with `/`, becomes a
    /// repository for the Hugging Face Hub
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,

    /// The type of the tensors. Integers become the floats that they stand for; `mobilenet quantize` makes
    /// some
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    dtype: StoredType,

    /// Fold each batch norm into its convolution: a smaller file with the same answers
    #[arg(long)]
    fold_batch_norm: bool,

    /// Side of the input, if the checkpoint does not state it [default: 224]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,

    #[command(flatten)]
    unstated: UnstatedOptions,

    #[command(flatten)]
    recipe: RecipeOptions,
}

/// `--dtype` of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StoredType {
    F32,
    F16,
    Bf16,
}

impl Arguments {
    fn options(&self) -> SaveOptions {
        let dtype = match self.dtype {
            StoredType::F32 => DType::F32,
            StoredType::F16 => DType::F16,
            StoredType::Bf16 => DType::BF16,
        };
        SaveOptions::default()
            .with_dtype(dtype)
            .with_fold_batch_norm(self.fold_batch_norm)
            .with_dequantise(true)
    }
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let loading = arguments.unstated.loading(arguments.size)?;
    let checkpoint = Checkpoint::open(&arguments.input, &loading)?;
    let recipe = arguments.recipe.preprocessing(checkpoint.preprocessing());
    let checkpoint = checkpoint.with_preprocessing(recipe)?;
    let output = arguments.output.as_path();
    saved_checkpoint::write(&checkpoint, output, &arguments.options())?;
    if !global.quiet {
        Assumed::of(&checkpoint, &arguments.recipe).tell();
    }
    if global.verbose {
        let config = checkpoint.config();
        note(&format!(
            "{}: alpha {:?}, {} pixels",
            output.display(),
            config.alpha,
            checkpoint.preprocessing().size
        ));
    }
    Ok(Outcome::Complete)
}

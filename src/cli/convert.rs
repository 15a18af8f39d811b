//! `mobilenet convert`

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use candle_core::DType;
use clap::{Args, ValueEnum};
use mobilenet::weights::{Checkpoint, LoadOptions, SaveOptions};

use super::options::{ActivationName, tell_assumed};
use super::{Global, Outcome, files, note};

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

    /// The type of the tensors
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    dtype: StoredType,

    /// Fold each batch norm into its convolution: a smaller file with the same answers
    #[arg(long)]
    fold_batch_norm: bool,

    /// Side of the input, if the checkpoint does not state it [default: 224]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,

    /// The activation, if the checkpoint does not state it [default: relu6]
    #[arg(long, value_name = "NAME")]
    activation: Option<ActivationName>,
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
    }
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let loading = LoadOptions::default()
        .with_size(arguments.size)
        .with_activation(arguments.activation.map(Into::into));
    let checkpoint = Checkpoint::open(&arguments.input, &loading)?;
    let (output, options) = (&arguments.output, arguments.options());
    let names_a_folder = output.as_os_str().as_encoded_bytes().ends_with(b"/");
    if output.is_dir() || names_a_folder {
        write_repository(&checkpoint, output, &options)?;
    } else if output.as_os_str() == "-" {
        io::stdout().write_all(&checkpoint.to_safetensors(&options)?)?;
    } else {
        files::refuse_picture(output)?;
        files::check(output)?;
        checkpoint.save_as(output, &options)?;
    }
    if !global.quiet {
        tell_assumed(&checkpoint);
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

/// What a repository consists of.
const REPOSITORY: [&str; 4] = [
    "model.safetensors",
    "config.json",
    "labels.json",
    "README.md",
];

/// How the model card begins, by which a repository of ours is known.
const CARD_START: &str = "---\nlibrary_name: mobilenet\n";

/// Writes a folder as it may be uploaded to the Hub, and as `--weights` reads it.
fn write_repository(checkpoint: &Checkpoint, folder: &Path, options: &SaveOptions) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let [model, config, names, card] = REPOSITORY.map(|name| folder.join(name));
    let is_ours = fs::read(&card).is_ok_and(|text| text.starts_with(CARD_START.as_bytes()));
    let mut files = [&model, &config, &names, &card].into_iter();
    if let (false, Some(other)) = (is_ours, files.find(|path| path.exists())) {
        bail!(
            "{}: is there already, and not of an earlier conversion: name another folder, or remove it",
            other.display()
        );
    }
    // First, so that a conversion that breaks off can be done again.
    files::write(&card, read_me(checkpoint, options).as_bytes())?;
    checkpoint.save_as(&model, options)?;
    let write = |path: &Path, text: String| files::write(path, (text + "\n").as_bytes());
    write(&config, checkpoint.description(options)?)?;
    if let Some(labels) = checkpoint.labels() {
        let labels = labels.classes().iter().map(|class| &class.label);
        let labels: BTreeMap<usize, &String> = labels.enumerate().collect();
        write(&names, serde_json::to_string_pretty(&labels)?)?;
    }
    Ok(())
}

/// The model card: what it is, where it is from, how it is used.
fn read_me(checkpoint: &Checkpoint, options: &SaveOptions) -> String {
    let config = checkpoint.config();
    let size = checkpoint.preprocessing().size;
    let shallow = if config.shallow { "shallow, " } else { "" };
    let classes = match config.classes {
        Some(classes) => format!("{classes} classes"),
        None => "no classifier".into(),
    };
    let norm = if config.batch_norm_folded || options.fold_batch_norm {
        "folded into the convolutions"
    } else {
        "kept"
    };
    let source = match checkpoint.source() {
        Some(source) => format!("`{}`, SHA-256 `{}`", source.name, source.sha256),
        None => "not known".into(),
    };
    let dtype = options.dtype.as_str();
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "{CARD_START}pipeline_tag: image-classification\ntags:\n- mobilenet_v1\n---\n\n\
         # MobileNet V1, {shallow}alpha {alpha:?}, {size}x{size}, {classes}\n\n\
         - Converted from: {source}\n\
         - Converted by: mobilenet {version}\n\
         - Tensors: {dtype}, batch norm {norm}\n\
         - Settings and the recipe for the pixels: `config.json`, and in the metadata of \
         `model.safetensors`\n\n\
         ```console\n$ mobilenet classify --weights . photo.jpg\n```\n",
        alpha = config.alpha,
    )
}

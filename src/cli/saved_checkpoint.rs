//! A checkpoint that a command writes: a file, stdout, or a folder for the Hugging Face Hub.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use mobilenet::learn::Lesson;
use mobilenet::weights::{Checkpoint, SaveOptions};

use super::output::check_ending;
use super::stdout::Stdout;
use super::{files, learned};

/// Refuses what can't be written to, before the work.
///
/// # Errors
/// A place or a file that can't be written to, or that is a picture.
pub fn check(output: &Path) -> Result<()> {
    if is_folder(output) || output.as_os_str() == "-" {
        return Ok(());
    }
    files::refuse_picture(output)?;
    check_ending(output, "safetensors", &["safetensors"])?;
    files::check(output)
}

/// Writes a checkpoint; `-` is stdout.
///
/// # Errors
/// As [`check`], and a file that can't be written.
pub fn write(checkpoint: &Checkpoint, output: &Path, options: &SaveOptions) -> Result<()> {
    check(output)?;
    if is_folder(output) {
        write_repository(checkpoint, output, options)
    } else if output.as_os_str() == "-" {
        Ok(Stdout::new().write_all(&checkpoint.to_safetensors(options)?)?)
    } else {
        Ok(checkpoint.save_as(output, options)?)
    }
}

fn is_folder(output: &Path) -> bool {
    output.is_dir() || output.as_os_str().as_encoded_bytes().ends_with(b"/")
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
    let dtype = match checkpoint.quantisation() {
        Some(_) if !options.dequantise => "int8",
        _ => options.dtype.as_str(),
    };
    let version = env!("CARGO_PKG_VERSION");
    let (facts, table) = match checkpoint.lesson() {
        Some(lesson) => {
            let lesson = &Lesson {
                has_examples: checkpoint.writes_lesson_examples(options),
                ..lesson.clone()
            };
            let facts = learned::facts(checkpoint, lesson).into_iter();
            let facts: String = facts.map(|fact| format!("- {fact}\n")).collect();
            (facts, format!("{}\n", learned::table(checkpoint, lesson)))
        }
        None => Default::default(),
    };
    format!(
        "{CARD_START}pipeline_tag: image-classification\ntags:\n- mobilenet_v1\n---\n\n\
         # MobileNet V1, {shallow}alpha {alpha:?}, {size}x{size}, {classes}\n\n\
         - Converted from: {source}\n\
         - Converted by: mobilenet {version}\n\
         - Tensors: {dtype}, batch norm {norm}\n\
         - Settings and the recipe for the pixels: `config.json`, and in the metadata of \
         `model.safetensors`\n\
         {facts}\n{table}\
         ```console\n$ mobilenet classify --weights . photo.jpg\n```\n",
        alpha = config.alpha,
    )
}

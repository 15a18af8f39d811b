//! What the files beside a checkpoint say of it: `config.json`, `preprocessor_config.json`.

mod timm;
mod transformers;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::imported::Imported;
use crate::ops::Activation;
use crate::pixels::{COLOURS, PixelScale};

/// More than the labels of a million classes need.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Adds what the files in the folder of a checkpoint say.
///
/// # Errors
/// A file that is damaged, or describes what can't be done.
pub(super) fn read(checkpoint: &Path, imported: &mut Imported) -> Result<(), String> {
    let folder = checkpoint.parent().unwrap_or(Path::new(""));
    // Both tools call it that, and their fields have different names.
    let name = "config.json";
    if let Some(text) = text(folder, name)? {
        let said = |reason: String| format!("{name} beside it says that {reason}");
        let theirs: transformers::Description = parsed(&text, name)?;
        theirs.apply(imported).map_err(said)?;
        let theirs: timm::Description = parsed(&text, name)?;
        theirs.apply(imported).map_err(said)?;
    }
    let name = "preprocessor_config.json";
    if let Some(text) = text(folder, name)? {
        let said = |reason: String| format!("{name} beside it says that {reason}");
        let preprocessor: transformers::Preprocessor = parsed(&text, name)?;
        imported.recipe = Some(preprocessor.recipe().map_err(said)?);
    }
    Ok(())
}

/// A file that is there.
fn text(folder: &Path, name: &str) -> Result<Option<String>, String> {
    let Ok(file) = File::open(folder.join(name)) else {
        return Ok(None);
    };
    let mut text = String::new();
    let read = file.take(MAX_FILE_BYTES).read_to_string(&mut text);
    read.map_err(|e| format!("{name} beside it can't be read: {e}"))?;
    Ok(Some(text))
}

fn parsed<T: DeserializeOwned>(text: &str, name: &str) -> Result<T, String> {
    let value = serde_json::from_str(text);
    value.map_err(|e| format!("{name} beside it is not understood: {e}"))
}

/// An activation by the name that both tools have for it.
fn activation(name: &str) -> Result<Activation, String> {
    match name {
        "relu6" => Ok(Activation::Relu6),
        "relu" => Ok(Activation::Relu),
        other => Err(format!("its activation is {other}")),
    }
}

const PER_BYTE: f64 = 1.0 / 255.0;

/// The scale of pixels that are multiplied by a factor, then made to have no mean and a deviation of
/// 1 by those that are stated.
fn pixel_scale(
    factor: f64,
    mean: [f64; COLOURS],
    std: [f64; COLOURS],
) -> Result<PixelScale, String> {
    let scale = PixelScale::from_mean_and_std(factor, mean, std);
    let error = |e| format!("its mean is {mean:?} and its deviation {std:?}: {e}");
    Ok(scale.map_err(error)?.snapped())
}

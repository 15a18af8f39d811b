//! What makes a run the same run.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use mobilenet::train::Settings;
use serde_json::{Value, json};

use super::Arguments;
use super::begin::Beginning;
use super::dataset::Content;
use crate::cli::run_facts::differences;

/// All that the outcome of a run depends on.
pub fn describe(
    settings: &Settings,
    beginning: &Beginning,
    arguments: &Arguments,
    contents: &BTreeMap<String, Content>,
) -> Value {
    let Beginning {
        checkpoint, sha256, ..
    } = beginning;
    let augmentation = settings.augmentation;
    let decode = arguments.view.decode();
    let mut run = json!({
        "program version": env!("CARGO_PKG_VERSION"),
        "epochs": settings.epochs,
        "batch size": settings.batch_size,
        "learning rate": settings.learning_rate,
        "weight decay": settings.weight_decay,
        "label smoothing": settings.label_smoothing,
        "least area": augmentation.least_area,
        "flip": augmentation.flip,
        "colour": augmentation.colour,
        "frozen blocks": settings.frozen,
        "norms": format!("{:?}", settings.norms).to_lowercase(),
        "block decay": settings.block_decay,
        "seed": settings.seed,
        "validation": match &arguments.learning.validation_dir {
            Some(_) => json!("of a folder"),
            None => json!(arguments.learning.validation),
        },
        "network": checkpoint.config(),
        "recipe": checkpoint.preprocessing(),
        "weights sha256": sha256,
        "exif": decode.exif_orientation,
        "reduced decoding": decode.reduced,
    });
    if let (Value::Object(run), Value::Object(pictures)) = (&mut run, json!(contents)) {
        run.extend(pictures);
    }
    run
}

/// Refuses to go on with a run that was another one.
///
/// # Errors
/// What differs.
pub fn compare(state: &Path, earlier: &Value, now: &Value) -> Result<()> {
    match differences(earlier, now) {
        None => Ok(()),
        Some(lines) => bail!(
            "{}: it is the state of another run, and can't be gone on with:{lines}",
            state.display()
        ),
    }
}

//! What makes a run the same run.

use std::path::Path;

use anyhow::{Result, bail};
use mobilenet::train::Settings;
use mobilenet::weights::Checkpoint;
use serde_json::{Value, json};

use super::Arguments;
use super::dataset::TrainingData;
use crate::cli::run_facts::differences;

/// All that the outcome of a run depends on; `sha256` is of the checkpoint it begins with.
pub fn describe(
    settings: &Settings,
    beginning: &Checkpoint,
    sha256: Option<String>,
    arguments: &Arguments,
    dataset: &TrainingData,
) -> Value {
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
        "seed": settings.seed,
        "validation": match &arguments.validation_dir {
            Some(_) => json!("of a folder"),
            None => json!(arguments.validation),
        },
        "network": beginning.config(),
        "recipe": beginning.preprocessing(),
        "weights sha256": sha256,
        "exif": decode.exif_orientation,
        "reduced decoding": decode.reduced,
    });
    if let (Value::Object(run), Value::Object(pictures)) = (&mut run, json!(dataset.contents)) {
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

//! What makes a run the same run.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use mobilenet::train::Settings;
use mobilenet::weights::Checkpoint;
use serde_json::{Value, json};

use super::Arguments;
use super::dataset::TrainingData;

/// Differences that are worth naming.
const SHOWN: usize = 6;

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
    json!({
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
        "pictures": dataset.contents,
    })
}

/// Refuses to go on with a run that was another one.
///
/// # Errors
/// What differs.
pub fn compare(state: &Path, earlier: &Value, now: &Value) -> Result<()> {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    flatten("", earlier, &mut before);
    flatten("", now, &mut after);
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let none = || "nothing".to_owned();
    let differences: Vec<String> = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            let value = |of: &BTreeMap<_, String>| of.get(name).cloned().unwrap_or_else(none);
            let name = name.strip_prefix("pictures ").unwrap_or(name);
            match name.strip_suffix(" sha256") {
                Some(what) => format!("{what}: other contents"),
                None => format!("{name}: {}, and it was {}", value(&after), value(&before)),
            }
        })
        .collect();
    if differences.is_empty() {
        return Ok(());
    }
    let more = match differences.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    let shown = &differences[..differences.len().min(SHOWN)];
    bail!(
        "{}: it is the state of another run, and can't be gone on with:\n  {}{more}",
        state.display(),
        shown.join("\n  ")
    )
}

/// The values of a tree by their paths.
fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let below = |key: &str| match name {
        "" => key.to_owned(),
        name => format!("{name} {key}"),
    };
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                flatten(&below(key), value, into);
            }
        }
        other => {
            into.insert(name.to_owned(), other.to_string());
        }
    }
}

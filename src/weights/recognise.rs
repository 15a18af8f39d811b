//! Which network a file's tensors are of, and whether they are all of them.

use std::collections::BTreeMap;

use crate::model::{Config, alpha_from_channels};

/// A tensor as a file states it.
pub(super) struct Stated {
    pub name: String,
    pub shape: Vec<usize>,
    /// Of 16, 32 or 64 bits.
    pub is_float: bool,
}

/// Alpha, classes and shallow or not, from the tensors' names and shapes.
pub(super) fn recognise(tensors: &[Stated]) -> Result<Config, String> {
    let channels = |layer: &str| {
        let name = format!("{layer}.weight");
        let weight = tensors.iter().find(|tensor| tensor.name == name)?;
        weight.shape.first().copied()
    };
    let widths = [
        ("conv1", 32),
        ("conv_pw_1", 64),
        ("conv_pw_2", 128),
        ("conv_pw_4", 256),
        ("conv_pw_6", 512),
        ("conv_pw_12", 1024),
    ];
    let observed: Vec<(usize, usize)> = widths
        .iter()
        .filter_map(|(layer, base)| Some((*base, channels(layer)?)))
        .collect();
    if observed.is_empty() {
        let mut names: Vec<&str> = tensors.iter().map(|t| t.name.as_str()).collect();
        names.sort_unstable();
        return Err(match names.as_slice() {
            [] => "it has no weights".into(),
            names => format!(
                "not a MobileNet V1 in a known layout: it has {} tensors, none of them \
                 conv1.weight or conv_pw_1.weight:{}",
                names.len(),
                list(names)
            ),
        });
    }
    let Some(alpha) = alpha_from_channels(&observed) else {
        let found: Vec<String> = observed.iter().map(|(_, c)| c.to_string()).collect();
        return Err(format!(
            "its layers have {} channels, which no one width multiplier gives",
            found.join(", ")
        ));
    };
    let has = |name: &str| tensors.iter().any(|tensor| tensor.name == name);
    Ok(Config {
        batch_norm_folded: has("conv1.bias") && !has("conv1_bn.weight"),
        classes: channels("conv_preds"),
        shallow: channels("conv_dw_7").is_none(),
        ..Config::with_alpha(alpha)
    })
}

/// Names, all at once, what the settings call for and the file doesn't have, and what it has
/// besides. `name` gives the file's name for a tensor of ours.
pub(super) fn check(
    config: &Config,
    tensors: &[Stated],
    name: &dyn Fn(&str) -> String,
) -> Result<(), String> {
    let mut found: BTreeMap<&str, &Stated> = tensors.iter().map(|s| (s.name.as_str(), s)).collect();
    let mut wrong = Vec::new();
    for (ours, shape) in config.tensors() {
        let found = found.remove(ours.as_str());
        let name = name(&ours);
        match found {
            None => wrong.push(format!("{name} is missing")),
            Some(tensor) if tensor.shape != shape => {
                wrong.push(format!("{name} is {:?}, not {shape:?}", tensor.shape));
            }
            Some(tensor) if !tensor.is_float => {
                wrong.push(format!("{name} is not of 16, 32 or 64-bit floats"));
            }
            Some(_) => {}
        }
    }
    wrong.extend(found.keys().map(|name| format!("{name} is not part of it")));
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not the MobileNet V1 that it seems to be ({}):{}",
        describe(config),
        list(&wrong)
    ))
}

fn describe(config: &Config) -> String {
    let kind = if config.shallow { "shallow, " } else { "" };
    let classes = match config.classes {
        Some(n) => format!("{n} classes"),
        None => "no classifier".into(),
    };
    format!("{kind}alpha {:?}, {classes}", config.alpha)
}

/// The first lines of a list that may be long.
pub(super) fn list(lines: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 12;
    let shown = lines.iter().take(SHOWN);
    let mut text: String = shown.map(|line| format!("\n  {}", line.as_ref())).collect();
    if lines.len() > SHOWN {
        text.push_str(&format!("\n  and {} more", lines.len() - SHOWN));
    }
    text
}

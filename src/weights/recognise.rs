//! Which network a file's tensors are of, and whether they are all of them.

use std::collections::BTreeMap;

use crate::model::{Config, Convolution, ConvolutionKind, HEAD, alpha_from_channels, block_count};

/// A tensor as a file states it.
pub(super) struct Stated {
    pub name: String,
    pub shape: Vec<usize>,
    /// Floats of 16, 32 or 64 bits, or integers with a scale.
    pub is_numeric: bool,
    /// Integers of 8 bits, for which a scale may be found.
    pub is_bytes: bool,
}

/// Alpha, classes and shallow or not, from the tensors' names and shapes.
pub(super) fn recognise(tensors: &[Stated]) -> Result<Config, String> {
    let outputs = |name: &str| {
        let weight = tensors.iter().find(|tensor| tensor.name == name)?;
        weight.shape.first().copied()
    };
    let channels = |convolution: &Convolution| outputs(&convolution.weight_name());
    let paper = Config::default().convolutions();
    // The first layer of each width tells the multiplier; whether the others have theirs is checked
    // later on.
    let mut widths: Vec<&Convolution> = Vec::new();
    for convolution in &paper {
        let is_wider = widths
            .last()
            .is_none_or(|last| convolution.out_channels > last.out_channels);
        match convolution.kind {
            ConvolutionKind::Standard => widths.push(convolution),
            ConvolutionKind::Pointwise if is_wider => widths.push(convolution),
            _ => {}
        }
    }
    let observed = widths.iter();
    let observed = observed.filter_map(|c| Some((c.out_channels, channels(c)?)));
    let observed: Vec<(usize, usize)> = observed.collect();
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
    let is_folded = |stem: &Convolution| {
        let mut batch_norm = stem.tensors().into_iter().skip(1);
        has(&stem.bias_name()) && !batch_norm.any(|(name, _)| has(&name))
    };
    let shallow = Config {
        shallow: true,
        ..Config::default()
    };
    // A layer that only the full network has.
    let shallow = shallow.convolutions();
    let left_out = paper
        .iter()
        .find(|c| shallow.iter().all(|s| s.name != c.name));
    Ok(Config {
        batch_norm_folded: paper.first().is_some_and(is_folded),
        classes: paper.last().and_then(channels),
        head_channels: outputs(&format!("{HEAD}.weight")),
        shallow: left_out.is_some_and(|c| channels(c).is_none()),
        ..Config::with_alpha(alpha)
    })
}

/// Why a network of so many depthwise layers is none of ours.
pub(super) fn wrong_depth(depthwise: usize) -> String {
    let (full, shallow) = (block_count(false), block_count(true));
    format!(
        "it has {depthwise} depthwise layers, where a MobileNet V1 has {full}, or {shallow} if \
         shallow"
    )
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
            Some(tensor) if !tensor.is_numeric => {
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
    let head = match config.head_channels {
        Some(channels) => format!("{channels} channels before the pool, "),
        None => String::new(),
    };
    format!("{kind}alpha {:?}, {head}{classes}", config.alpha)
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

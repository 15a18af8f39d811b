//! A checkpoint in several files, and the index beside them that says which tensor lies in which, as
//! transformers writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ::safetensors::SafeTensors;
use ::safetensors::tensor::TensorView;
use serde::Deserialize;

use super::contents::{Contents, MAX_FILE_BYTES};
use super::file_beside::is_beside;
use super::format::FileFormat;
use super::recognise::list;
use super::torch;
use crate::error::{Error, Result};

/// How an index's name ends.
const INDEX_END: &str = ".index.json";

/// More than the index of a thousand networks has.
const MAX_INDEX_BYTES: u64 = 16 << 20;

/// More parts than anybody makes of a few megabytes.
const MAX_SHARDS: usize = 1000;

/// As far as it matters.
#[derive(Deserialize)]
struct Index {
    /// The file that each tensor lies in.
    weight_map: BTreeMap<String, String>,
}

/// Whether a file is an index, by its name.
pub(super) fn is_index(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        let checkpoint = name.strip_suffix(INDEX_END).unwrap_or_default();
        [".safetensors", ".bin"]
            .iter()
            .any(|end| checkpoint.ends_with(end))
    })
}

/// The files that an index names, each once.
///
/// # Errors
/// An index that is none, or names files that do not lie beside it.
pub(super) fn file_names(index: &Path) -> Result<Vec<String>> {
    let map = read_index(index)?.weight_map.into_values();
    let names: BTreeSet<String> = map.collect();
    Ok(names.into_iter().collect())
}

fn read_index(path: &Path) -> Result<Index> {
    let error = |reason: String| Error::checkpoint(path, reason);
    let length = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if length > MAX_INDEX_BYTES {
        return Err(error("it is too long for an index of tensors".into()));
    }
    let text = std::fs::read(path).map_err(Error::io(path))?;
    let index: std::result::Result<Index, _> = serde_json::from_slice(&text);
    let index = index.map_err(|e| error(format!("it is no index of tensors: {e}")))?;
    let names: BTreeSet<&String> = index.weight_map.values().collect();
    if let Some(name) = names.iter().find(|name| !is_beside(name)) {
        return Err(error(format!(
            "it names {name:?}, which is no file beside it"
        )));
    }
    if names.is_empty() || names.len() > MAX_SHARDS {
        return Err(error(format!("it names {} files", names.len())));
    }
    Ok(index)
}

/// The tensors of all the files that an index names, as one safetensors file holds them.
///
/// # Errors
/// Files that are missing or damaged, tensors that the index has in another file or not at all.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let error = |reason: String| Error::checkpoint(path, reason);
    let index = read_index(path)?;
    let names: BTreeSet<&String> = index.weight_map.values().collect();
    let folder = path.parent().unwrap_or(Path::new(""));
    let missing: Vec<&String> = names
        .iter()
        .copied()
        .filter(|name| !folder.join(name).exists())
        .collect();
    if !missing.is_empty() {
        return Err(error(format!(
            "of the {} files that it names some are not beside it:{}",
            names.len(),
            list(&missing)
        )));
    }
    let mut total = 0;
    let mut shards: Vec<(&String, PathBuf, Contents)> = Vec::new();
    for name in names {
        let path = folder.join(name);
        let contents = contents(&path)?;
        total += contents.len() as u64;
        if total >= MAX_FILE_BYTES {
            return Err(error("together larger than any MobileNet V1".into()));
        }
        shards.push((name, path, contents));
    }
    let mut tensors: BTreeMap<String, TensorView> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, path, contents) in &shards {
        let shard = SafeTensors::deserialize(contents);
        let shard = shard.map_err(|e| {
            Error::checkpoint(path, format!("truncated or damaged safetensors ({e})"))
        })?;
        for (tensor, view) in shard.iter() {
            match index.weight_map.get(tensor) {
                Some(place) if place == *name => {
                    tensors.insert(tensor.into(), view);
                }
                Some(place) => wrong.push(format!("{tensor} is in {name}, not in {place}")),
                None => wrong.push(format!("{tensor} is in {name}, and not in the index")),
            }
        }
    }
    let absent = index
        .weight_map
        .iter()
        .filter(|(tensor, _)| !tensors.contains_key(*tensor));
    wrong.extend(absent.map(|(tensor, place)| format!("{tensor} is not in {place}")));
    if !wrong.is_empty() {
        let wrong = list(&wrong);
        return Err(error(format!(
            "it is not the index of the files beside it:{wrong}"
        )));
    }
    ::safetensors::serialize(tensors, None).map_err(|e| error(e.to_string()))
}

/// A shard as a safetensors file.
fn contents(path: &Path) -> Result<Contents> {
    let contents = Contents::open(path)?;
    let error = |reason: String| Error::checkpoint(path, reason);
    Ok(match FileFormat::of(&contents) {
        Some(FileFormat::Safetensors) => contents,
        Some(FileFormat::Zip) if torch::is_torch(&contents) => {
            Contents::read(torch::read_zip(&contents).map_err(error)?)
        }
        Some(FileFormat::TorchStream) => {
            Contents::read(torch::read_stream(&contents).map_err(error)?)
        }
        _ => {
            return Err(error(
                "no part of a checkpoint: those are of safetensors or PyTorch".into(),
            ));
        }
    })
}

/// Why a file can't be read by itself: it is one of several parts, by its name.
pub(super) fn is_part(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    // `model-00001-of-00003.safetensors`
    let (before, end) = name.split_once("-of-")?;
    let (stem, number) = before.rsplit_once('-')?;
    let (count, end) = end.split_once('.')?;
    let digits = |text: &str| {
        (text.len() == 5)
            .then(|| text.parse::<usize>().ok())
            .flatten()
    };
    let (_, count) = (digits(number)?, digits(count)?);
    let is_known = end == "safetensors" || end == "bin";
    (is_known && count > 1).then(|| {
        format!(
            "one of the {count} parts of a checkpoint: give {stem}.{end}{INDEX_END}, which has to lie beside \
             them, or their folder"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_and_parts_are_known_by_their_names() {
        for (name, index) in [
            ("a/model.safetensors.index.json", true),
            ("pytorch_model.bin.index.json", true),
            ("model.index.json", false),
            ("model.safetensors", false),
            ("index.json", false),
        ] {
            assert_eq!(is_index(Path::new(name)), index, "{name}");
        }
        let part = is_part(Path::new("a/pytorch_model-00002-of-00003.bin"));
        let part = part.expect("a part");
        assert!(part.contains("one of the 3 parts"), "{part}");
        assert!(part.contains("pytorch_model.bin.index.json"), "{part}");
        for whole in [
            "model-00001-of-00001.safetensors",
            "model-1-of-3.safetensors",
            "best-of-00002.safetensors",
            "model-00001-of-00003.h5",
        ] {
            assert_eq!(is_part(Path::new(whole)), None, "{whole}");
        }
    }
}

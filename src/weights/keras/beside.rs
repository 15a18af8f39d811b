//! Files of Keras's that lie beside one another and are one checkpoint: weights in several parts with their
//! index, and what `.keras` files hold, unpacked.
//!
//! `save_weights("X.weights.json", max_shard_size=...)` writes parts `X_00000.weights.h5` and so on, each
//! with the groups of some layers, and an index `X.weights.json` that says which group is in which.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{MAX_CONFIG_BYTES, import};
use crate::error::{Error, Result};
use crate::weights::contents::{Contents, MAX_FILE_BYTES};
use crate::weights::file_beside::is_beside;
use crate::weights::hdf5;
use crate::weights::imported::Imported;
use crate::weights::recognise::list;

const INDEX_END: &str = ".weights.json";
const PART_END: &str = ".weights.h5";

/// More parts than anybody makes of a few megabytes.
const MAX_PARTS: usize = 1000;

/// Entries of a folder that are looked at.
const MAX_ENTRIES: usize = 10_000;

/// The files of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::weights) struct FilesBeside {
    /// The model's `config.json`.
    description: Option<PathBuf>,
    /// An index, or a file of weights.
    weights: PathBuf,
}

impl FilesBeside {
    /// What a file stands for that is an index, or a part whose index lies beside it.
    pub fn of(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_str()?;
        let index = match part(name) {
            Some(stem) => file.with_file_name(format!("{stem}{INDEX_END}")),
            None if name.ends_with(INDEX_END) => file.to_owned(),
            None => return None,
        };
        index.is_file().then_some(Self {
            description: None,
            weights: index,
        })
    }

    /// What a folder holds: an unpacked `.keras`, or one index.
    pub fn in_folder(folder: &Path) -> Option<Self> {
        let description = folder.join("config.json");
        if description.is_file() {
            for name in ["model.weights.h5", "model.weights.json"] {
                let weights = folder.join(name);
                if weights.is_file() {
                    let description = Some(description);
                    return Some(Self {
                        description,
                        weights,
                    });
                }
            }
        }
        let entries = std::fs::read_dir(folder).ok()?.take(MAX_ENTRIES).flatten();
        let paths = entries.map(|entry| entry.path());
        let is_index = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.ends_with(INDEX_END))
        };
        let mut indices = paths.filter(is_index);
        let weights = indices.next().filter(|_| indices.next().is_none())?;
        Some(Self {
            description: None,
            weights,
        })
    }

    /// The file that stands for them.
    pub fn path(&self) -> &Path {
        &self.weights
    }

    /// Reads them: what they are, and the bytes of all of them, one after the other.
    ///
    /// # Errors
    /// A file that is missing, damaged, or not part of a MobileNet V1.
    pub fn read(&self) -> Result<(Imported, Vec<u8>)> {
        let error = |reason: String| Error::checkpoint(&self.weights, reason);
        let mut all = Vec::new();
        let description = match &self.description {
            Some(path) => Some(read_text(path)?),
            None => None,
        };
        all.extend(description.iter().flatten());
        let parts = if is_index(&self.weights) {
            let index = read_text(&self.weights)?;
            let names = names_in(&index).map_err(error)?;
            all.extend(index);
            self.beside(&names)?
        } else {
            vec![self.weights.clone()]
        };
        let mut files = Vec::new();
        for path in parts {
            let contents = Contents::open(&path)?;
            if (all.len() + contents.len()) as u64 >= MAX_FILE_BYTES {
                return Err(error("together larger than any MobileNet V1".into()));
            }
            let file = hdf5::File::parse(&contents);
            let file = file.map_err(|reason| Error::checkpoint(&path, reason))?;
            files.push(match path.file_name() {
                Some(name) if path != self.weights => file.named(name.to_string_lossy()),
                _ => file,
            });
            all.extend_from_slice(&contents);
        }
        let imported = import(&files, description.as_deref()).map_err(error)?;
        Ok((imported, all))
    }

    /// The parts that an index names, if all of them are there.
    fn beside(&self, names: &BTreeSet<String>) -> Result<Vec<PathBuf>> {
        let folder = self.weights.parent().unwrap_or(Path::new(""));
        let missing: Vec<&String> = names
            .iter()
            .filter(|name| !folder.join(name).is_file())
            .collect();
        if !missing.is_empty() {
            let reason = format!(
                "of the {} files that it names some are not beside it:{}",
                names.len(),
                list(&missing)
            );
            return Err(Error::checkpoint(&self.weights, reason));
        }
        Ok(names.iter().map(|name| folder.join(name)).collect())
    }
}

/// Why a file can't be read by itself that looks like a part, whose index is missing.
pub(in crate::weights) fn without_index(file: &Path) -> Option<String> {
    let stem = part(file.file_name()?.to_str()?)?;
    Some(format!(
        "by its name it is one of several parts: their index {stem}{INDEX_END}, which has to lie beside it, \
         is missing"
    ))
}

/// The name before the number of `X_00012.weights.h5`.
fn part(name: &str) -> Option<&str> {
    let (stem, number) = name.strip_suffix(PART_END)?.rsplit_once('_')?;
    let is_number = number.len() == 5 && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !stem.is_empty()).then_some(stem)
}

fn is_index(path: &Path) -> bool {
    path.to_string_lossy().ends_with(INDEX_END)
}

/// A text that is not too long.
fn read_text(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io(path))?;
    let mut bytes = Vec::new();
    let mut start = file.take(MAX_CONFIG_BYTES + 1);
    start.read_to_end(&mut bytes).map_err(Error::io(path))?;
    match bytes.len() as u64 > MAX_CONFIG_BYTES {
        true => Err(Error::checkpoint(
            path,
            "longer than any description or index",
        )),
        false => Ok(bytes),
    }
}

/// The files that an index names, each once.
fn names_in(index: &[u8]) -> std::result::Result<BTreeSet<String>, String> {
    let index: Value = serde_json::from_slice(index)
        .map_err(|e| format!("it is no index of Keras's weights: {e}"))?;
    let map = index["weight_map"].as_object();
    let map = map.ok_or("it is no index of Keras's weights: it has no weight_map")?;
    let mut names = BTreeSet::new();
    for (group, places) in map {
        // A group's variables may lie in several files.
        let places = places
            .as_array()
            .map_or(std::slice::from_ref(places), Vec::as_slice);
        for place in places {
            match place.as_str() {
                Some(name) if is_beside(name) => {
                    names.insert(name.to_owned());
                }
                _ => {
                    return Err(format!(
                        "it has {group} in {place}, which is no file beside it"
                    ));
                }
            }
        }
    }
    match names.len() {
        1..=MAX_PARTS => Ok(names),
        count => Err(format!("it names {count} files")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_known_by_their_names() {
        assert_eq!(part("a_b_00012.weights.h5"), Some("a_b"));
        for name in [
            "a.weights.h5",
            "a_0001.weights.h5",
            "a_0001x.weights.h5",
            "_00001.weights.h5",
        ] {
            assert_eq!(part(name), None, "{name}");
        }
        let reason = without_index(Path::new("x/net_00001.weights.h5"));
        assert!(reason.is_some_and(|reason| reason.contains("net.weights.json")));
    }

    #[test]
    fn indices_name_files_beside_them() {
        let index =
            br#"{"weight_map": {"/a/vars": "x_00000.weights.h5", "/b/vars": ["x_00000.weights.h5",
            "x_00001.weights.h5"]}}"#;
        let names = names_in(index).expect("names");
        assert!(
            names
                .iter()
                .eq(["x_00000.weights.h5", "x_00001.weights.h5"])
        );
        for (index, reason) in [
            (
                r#"{"weight_map": {"/a": "../x.h5"}}"#,
                "it has /a in \"../x.h5\", which is no file",
            ),
            (r#"{"weight_map": {"/a": "/x.h5"}}"#, "is no file beside it"),
            (
                r#"{"weight_map": {"/a": ["x", ".."]}}"#,
                "is no file beside it",
            ),
            (r#"{"weight_map": {"/a": ["x", 3]}}"#, "it has /a in 3"),
            (r#"{"weight_map": {"/a": [["x"]]}}"#, "it has /a in [\"x\"]"),
            (r#"{"weight_map": {}}"#, "it names 0 files"),
            (r#"{"weight_map": []}"#, "it has no weight_map"),
            ("[", "it is no index"),
        ] {
            let error = names_in(index.as_bytes()).expect_err(reason);
            assert!(error.contains(reason), "{error}");
        }
        let many: Vec<String> = (0..1001).map(|i| format!("\"/{i}\": \"{i}\"")).collect();
        let many = format!("{{\"weight_map\": {{{}}}}}", many.join(","));
        assert!(names_in(many.as_bytes()).is_err());
    }
}

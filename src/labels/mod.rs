//! The names of the classes, and the groups that they form.

mod file;
mod lookup;
mod near;
pub mod wordnet;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
pub use lookup::{Lookup, LookupError};

/// A class as the network's outputs number it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// ImageNet's index (0 to 999), -1 for the background class of TensorFlow's checkpoints,
    /// or the number of the output where the classes are not ImageNet's.
    pub index: i32,
    /// WordNet id of an ImageNet class, such as `n02123045`.
    pub wnid: Option<String>,
    /// The name.
    pub label: String,
}

/// The classes of a network, in the order of its outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels(Vec<Class>);

/// WordNet id and name of the 1,000 classes, a line each, in ImageNet's order. Both are
/// WordNet's, see `LICENSE-WordNet`.
const IMAGENET: &str = include_str!("imagenet.tsv");

/// More than a million labels need.
const MAX_FILE_BYTES: u64 = 64 << 20;

impl Labels {
    /// ImageNet's 1,000 classes.
    pub fn imagenet() -> Self {
        let class = |(index, line): (i32, &str)| {
            let (wnid, label) = line.split_once('\t').unwrap_or(("", line));
            Class {
                index,
                wnid: Some(wnid.to_owned()),
                label: label.to_owned(),
            }
        };
        Self((0..).zip(IMAGENET.lines()).map(class).collect())
    }

    /// ImageNet's classes behind `background`, as TensorFlow's checkpoints have them.
    pub fn imagenet_with_background() -> Self {
        let background = Class {
            index: -1,
            wnid: None,
            label: "background".into(),
        };
        let classes = std::iter::once(background).chain(Self::imagenet().0);
        Self(classes.collect())
    }

    /// Classes with these names.
    pub fn named(names: impl IntoIterator<Item = String>) -> Self {
        let class = |(index, label)| Class {
            index,
            wnid: None,
            label,
        };
        Self((0..).zip(names).map(class).collect())
    }

    /// What a network of `classes` outputs means where nothing says: ImageNet for 1,000 and
    /// 1,001, else `class 0`, `class 1`, ...
    pub fn for_classes(classes: usize) -> Self {
        match classes {
            1000 => Self::imagenet(),
            1001 => Self::imagenet_with_background(),
            n => Self::named((0..n).map(|i| format!("class {i}"))),
        }
    }

    /// Reads a file of labels for a network of `classes` outputs: one a line; a JSON list, or object
    /// of index to label (also Keras's `imagenet_class_index.json`, a `config.json` of transformers); a
    /// table of indices and names. For 1,001 classes, 1,000 labels leave out the background.
    ///
    /// # Errors
    /// [`Error::Io`] where it can't be read, [`Error::Labels`] where it is not of such a form
    /// or has not as many labels as there are classes.
    pub fn open(path: impl AsRef<Path>, classes: usize) -> Result<Self> {
        let path = path.as_ref();
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(Error::io(path))?;
        let mut limited = file.take(MAX_FILE_BYTES);
        limited.read_to_end(&mut bytes).map_err(Error::io(path))?;
        Self::from_bytes(&bytes, path, classes)
    }

    /// The same from a file's bytes; `path` is for messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: &[u8], path: &Path, classes: usize) -> Result<Self> {
        let error = |reason: String| Error::Labels {
            path: path.into(),
            reason,
        };
        let entries = file::parse(bytes).map_err(error)?;
        let leads = classes == 1001 && entries.len() == 1000;
        if entries.len() != classes && !leads {
            let found = entries.len();
            return Err(error(format!(
                "it has {found} labels for {classes} classes"
            )));
        }
        let background = leads.then(|| Class {
            index: -1,
            wnid: None,
            label: "background".into(),
        });
        let class = |(index, entry): (i32, file::Entry)| Class {
            index,
            wnid: entry.wnid,
            label: entry.label,
        };
        let named = (0..).zip(entries).map(class);
        let mut labels = Self(background.into_iter().chain(named).collect());
        // Renamed ImageNet classes (a translation, say) keep their ids.
        if matches!(classes, 1000 | 1001) {
            for (class, known) in labels.0.iter_mut().zip(Self::for_classes(classes).0) {
                class.index = known.index;
                class.wnid = class.wnid.take().or(known.wnid);
            }
        }
        Ok(labels)
    }

    /// The classes, in the order of the network's outputs.
    pub fn classes(&self) -> &[Class] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imagenet_has_a_thousand_classes_in_order() {
        let labels = Labels::imagenet();
        assert_eq!(labels.classes().len(), 1000);
        let class = &labels.classes()[281];
        assert_eq!(class.wnid.as_deref(), Some("n02123045"));
        assert_eq!(class.label, "tabby, tabby cat");
        let cranes: Vec<i32> = labels
            .classes()
            .iter()
            .filter(|c| c.label == "crane")
            .map(|c| c.index)
            .collect();
        assert_eq!(cranes, [134, 517]);
        for class in labels.classes() {
            let wnid = class.wnid.as_deref().unwrap_or_default();
            assert!(wnid.len() == 9 && wnid.starts_with('n') && !class.label.is_empty());
        }
    }

    #[test]
    fn background_is_minus_one() {
        let labels = Labels::for_classes(1001);
        assert_eq!(labels.classes()[0].index, -1);
        assert_eq!(labels.classes()[282].label, "tabby, tabby cat");
        assert_eq!(labels.classes()[282].index, 281);
    }
}

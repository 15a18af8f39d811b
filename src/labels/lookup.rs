//! From what somebody calls a class to the class.

use std::collections::HashMap;

use super::near::{MAX_LENGTH, MAX_SUGGESTIONS, distance, folded};
use super::{Class, Labels};

/// The classes by what they are called.
#[derive(Debug, Clone)]
pub struct Lookup {
    labels: Labels,
    /// From the most to the least exact: the first table that has a name decides.
    tables: [HashMap<String, Vec<usize>>; 4],
    wnids: HashMap<String, usize>,
    indices: HashMap<i32, usize>,
}

/// Why a name is no class's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// No class is called so.
    #[error("{}", unknown(suggestions, *numbers))]
    Unknown {
        /// Names that look like it, the best first; may be empty.
        suggestions: Vec<String>,
        /// The lowest and the highest index, where it is a number.
        numbers: Option<(i32, i32)>,
    },
    /// Several are.
    #[error("several classes are called so: {}", listed(candidates))]
    Ambiguous {
        /// The classes, in the order of the outputs.
        candidates: Vec<Class>,
    },
}

fn unknown(suggestions: &[String], numbers: Option<(i32, i32)>) -> String {
    match (numbers, suggestions) {
        (Some((lowest, highest)), _) => {
            format!("no class is called so; their indices are {lowest} to {highest}")
        }
        (None, []) => "no class is called so".into(),
        (None, names) => format!("no class is called so; near names: {}", names.join("; ")),
    }
}

fn listed(candidates: &[Class]) -> String {
    let describe = |class: &Class| {
        let wnid = class.wnid.as_deref().map(|wnid| format!("{wnid} or "));
        format!(
            "{} ({}{})",
            class.label,
            wnid.unwrap_or_default(),
            class.index
        )
    };
    let all: Vec<String> = candidates.iter().map(describe).collect();
    all.join("; ")
}

impl Labels {
    /// The classes by what they are called.
    pub fn lookup(&self) -> Lookup {
        let mut tables: [HashMap<String, Vec<usize>>; 4] = Default::default();
        let mut wnids = HashMap::new();
        let mut indices = HashMap::new();
        for (output, class) in self.0.iter().enumerate() {
            let mut enter = |table: usize, name: String| {
                let outputs = tables[table].entry(name).or_default();
                if outputs.last() != Some(&output) {
                    outputs.push(output);
                }
            };
            enter(0, class.label.clone());
            enter(2, folded(&class.label));
            for (i, name) in synonyms(class).enumerate() {
                if i == 0 {
                    enter(1, name.to_owned());
                    enter(2, folded(name));
                }
                enter(3, folded(name));
            }
            if let Some(wnid) = &class.wnid {
                wnids.insert(wnid.clone(), output);
            }
            indices.insert(class.index, output);
        }
        Lookup {
            labels: self.clone(),
            tables,
            wnids,
            indices,
        }
    }
}

impl Lookup {
    /// Whether a class has this label, or it is the first name of one.
    pub fn is_label(&self, name: &str) -> bool {
        self.tables[..2]
            .iter()
            .any(|table| table.contains_key(name))
    }

    /// The output of the class that is called so: by its label, by one of the names that an
    /// ImageNet label joins with commas, by its WordNet id, or by its index.
    ///
    /// Capitals do not matter and spaces, `_` and `-` are one, unless that is all that tells two
    /// classes apart (`cardigan`, `Cardigan`). A whole label goes before a label's first name,
    /// and that before its other names: `harp` is no harmonica. Names go before numbers: there
    /// may be a class called `7`.
    ///
    /// # Errors
    /// [`LookupError`]: no class or several.
    pub fn find(&self, name: &str) -> Result<usize, LookupError> {
        let word = folded(name);
        for (i, table) in self.tables.iter().enumerate() {
            let key = if i < 2 { name } else { word.as_str() };
            match table.get(key).map(Vec::as_slice) {
                None | Some([]) => {}
                Some([output]) => return Ok(*output),
                Some(outputs) => {
                    let class = |&output: &usize| self.labels.0[output].clone();
                    return Err(LookupError::Ambiguous {
                        candidates: outputs.iter().map(class).collect(),
                    });
                }
            }
        }
        if let Some(&output) = self.wnids.get(word.as_str()) {
            return Ok(output);
        }
        let number = number(name);
        if let Some(&output) = number.and_then(|index| self.indices.get(&index)) {
            return Ok(output);
        }
        let indices = || (self.indices.keys().min(), self.indices.keys().max());
        let numbers = number.and_then(|_| match indices() {
            (Some(&lowest), Some(&highest)) => Some((lowest, highest)),
            _ => None,
        });
        Err(LookupError::Unknown {
            suggestions: self.suggestions(&word),
            numbers,
        })
    }

    /// Names that look like a word that is none, the best first: a few keystrokes away, or with the word in them.
    pub fn near(&self, word: &str) -> Vec<String> {
        self.suggestions(&folded(word))
    }

    /// Names that are a few keystrokes away, then names that have the word in them.
    fn suggestions(&self, word: &str) -> Vec<String> {
        if word.is_empty() || word.len() > MAX_LENGTH {
            return Vec::new();
        }
        let mut found: Vec<(usize, usize, &str)> = Vec::new();
        for (output, class) in self.labels.0.iter().enumerate() {
            let names = synonyms(class).chain(std::iter::once(class.label.as_str()));
            let distances =
                names.filter_map(|name| Some((distance(&folded(name), word)?, output, name)));
            found.extend(distances.min());
        }
        found.sort_unstable();
        let mut names: Vec<String> = Vec::new();
        for (.., name) in found {
            if names.len() < MAX_SUGGESTIONS && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }
}

/// The names that an ImageNet label joins. A comma in any other label is a part of it.
fn synonyms(class: &Class) -> impl Iterator<Item = &str> {
    let joined = class.wnid.is_some().then(|| class.label.split(", "));
    joined.into_iter().flatten()
}

/// Digits, and a minus for the background class.
fn number(name: &str) -> Option<i32> {
    let digits = name.strip_prefix('-').unwrap_or(name);
    let only = digits.bytes().all(|b| b.is_ascii_digit());
    name.parse().ok().filter(|_| only)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(labels: &Labels, name: &str) -> Vec<i32> {
        match labels.lookup().find(name) {
            Err(LookupError::Ambiguous { candidates }) => {
                candidates.iter().map(|class| class.index).collect()
            }
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn imagenets_classes_have_many_names() {
        let labels = Labels::imagenet();
        let lookup = labels.lookup();
        for (name, output) in [
            ("tabby, tabby cat", 281),
            ("tabby", 281),
            ("Tabby_Cat", 281),
            ("n02123045", 281),
            ("N02123045", 281),
            ("281", 281),
            ("Egyptian_cat", 285),
            // A whole label goes before a name among others, and a first one too.
            ("harp", 594),
            ("maillot", 638),
            ("maillot, tank suit", 639),
            ("polecat", 358),
            ("cardigan", 474),
            ("Cardigan", 264),
        ] {
            assert_eq!(lookup.find(name), Ok(output), "{name}");
        }
        for (name, indices) in [
            ("crane", vec![134, 517]),
            ("CARDIGAN", vec![264, 474]),
            ("panda", vec![387, 388]),
            ("Panther", vec![286, 290]),
        ] {
            assert_eq!(candidates(&labels, name), indices, "{name}");
        }
        let error = lookup.find("crane").expect_err("two").to_string();
        assert_eq!(
            error,
            "several classes are called so: crane (n02012849 or 134); crane (n03126707 or 517)"
        );
    }

    /// Every class can be named, whatever else is called so.
    #[test]
    fn every_class_is_found_by_what_is_its_own() {
        for labels in [Labels::imagenet(), Labels::imagenet_with_background()] {
            let lookup = labels.lookup();
            for (output, class) in labels.classes().iter().enumerate() {
                assert_eq!(lookup.find(&class.index.to_string()), Ok(output));
                assert_eq!(
                    lookup.find(class.wnid.as_deref().unwrap_or("-1")),
                    Ok(output)
                );
                if class.label != "crane" {
                    assert_eq!(lookup.find(&class.label), Ok(output));
                }
            }
        }
    }

    #[test]
    fn names_go_before_numbers() {
        let digits = ["9", "8", "7"].map(String::from);
        let labels = Labels::named(digits);
        assert_eq!(labels.lookup().find("8"), Ok(1));
        assert_eq!(labels.lookup().find("2"), Ok(2));
        let error = labels.lookup().find("3").expect_err("none").to_string();
        assert_eq!(error, "no class is called so; their indices are 0 to 2");
    }

    /// Somebody's own labels are whole, whatever is in them.
    #[test]
    fn other_labels_are_not_taken_apart() {
        let labels = Labels::named(["Cat", "cat, big", "cat"].map(String::from));
        assert_eq!(labels.lookup().find("cat"), Ok(2));
        assert_eq!(labels.lookup().find("Cat"), Ok(0));
        assert_eq!(candidates(&labels, "CAT"), [0, 2]);
        assert_eq!(labels.lookup().find("CAT, BIG"), Ok(1));
        assert!(labels.lookup().find("big").is_err());
    }

    #[test]
    fn near_names_are_suggested() {
        let labels = Labels::imagenet();
        let error = |name: &str| labels.lookup().find(name).expect_err("none").to_string();
        assert!(error("tabbi").contains("near names: tabby"));
        assert!(error("terrier").contains("toy terrier"));
        assert_eq!(error(""), "no class is called so");
        assert_eq!(
            error("1000"),
            "no class is called so; their indices are 0 to 999"
        );
        assert_eq!(error(&"x".repeat(1 << 20)), "no class is called so");
    }
}

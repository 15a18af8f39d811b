//! From a name to a class.

use super::near::{MAX_LENGTH, MAX_SUGGESTIONS, distance, folded};
use super::{Class, Labels};

/// A name that is not one class's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownClass {
    /// No class has it.
    #[error("no class is called {name:?}{}", near(suggestions))]
    Unknown {
        /// The name as it was given.
        name: String,
        /// Names that look like it or contain it, the best first; may be empty.
        suggestions: Vec<String>,
    },
    /// Several classes have it.
    #[error("several classes are called {name:?}: {}", listed(classes))]
    Ambiguous {
        /// The name as it was given.
        name: String,
        /// The classes that have it.
        classes: Vec<Class>,
    },
}

fn near(suggestions: &[String]) -> String {
    match suggestions {
        [] => String::new(),
        names => format!(" (near names: {})", names.join("; ")),
    }
}

fn listed(classes: &[Class]) -> String {
    let class = |class: &Class| {
        let wnid = class.wnid.as_ref();
        let wnid = wnid.map_or(String::new(), |wnid| format!(" ({wnid})"));
        format!("{}{wnid}", class.index)
    };
    classes.iter().map(class).collect::<Vec<_>>().join(", ")
}

impl Labels {
    /// The output of the class with a name: its label or, where no label is that, a WordNet id, an
    /// index (ImageNet's, so -1 for the background), or one of the synonyms that a label lists with
    /// commas. Capitals do not matter; spaces, `_` and `-` are one.
    ///
    /// # Errors
    /// [`UnknownClass`], with near names, or with the classes that share the name.
    pub fn find(&self, name: &str) -> Result<usize, UnknownClass> {
        let unknown = |suggestions| UnknownClass::Unknown {
            name: name.to_owned(),
            suggestions,
        };
        if name.len() > MAX_LENGTH && self.0.iter().all(|class| class.label != name) {
            return Err(unknown(Vec::new()));
        }
        let word = folded(name);
        let index = name.trim().parse::<i32>().ok();
        let ways: [&dyn Fn(&Class) -> bool; 5] = [
            &|class| class.label == name,
            &|class| folded(&class.label) == word,
            &|class| class.wnid.as_ref().is_some_and(|wnid| *wnid == word),
            &|class| Some(class.index) == index,
            &|class| synonyms(class).any(|synonym| folded(synonym) == word),
        ];
        for is_meant in ways {
            let classes = self.0.iter().enumerate();
            let found: Vec<usize> = classes
                .filter(|(_, class)| is_meant(class))
                .map(|(output, _)| output)
                .collect();
            match found[..] {
                [] => {}
                [output] => return Ok(output),
                _ => {
                    return Err(UnknownClass::Ambiguous {
                        name: name.to_owned(),
                        classes: found.iter().map(|&i| self.0[i].clone()).collect(),
                    });
                }
            }
        }
        Err(unknown(self.suggestions(&word)))
    }

    /// Names that are a few keystrokes away, then names that have the word in them.
    fn suggestions(&self, word: &str) -> Vec<String> {
        let mut found: Vec<(usize, &str)> = Vec::new();
        for class in &self.0 {
            let distances =
                synonyms(class).filter_map(|name| Some((distance(&folded(name), word)?, name)));
            found.extend(distances.min());
        }
        found.sort();
        let mut names: Vec<String> = Vec::new();
        for (_, name) in found {
            if names.len() < MAX_SUGGESTIONS && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }
}

fn synonyms(class: &Class) -> impl Iterator<Item = &str> {
    class.label.split(',').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Labels {
        Labels::named(names.iter().map(|&name| name.to_owned()))
    }

    #[test]
    fn a_class_by_any_of_its_names() {
        let labels = Labels::imagenet();
        for name in [
            "tabby, tabby cat",
            "Tabby, Tabby Cat",
            "tabby",
            "TABBY-CAT",
            " tabby_cat ",
            "n02123045",
            "N02123045",
            "281",
        ] {
            assert_eq!(labels.find(name), Ok(281), "{name}");
        }
        assert_eq!(Labels::imagenet_with_background().find("-1"), Ok(0));
        assert_eq!(Labels::imagenet_with_background().find("281"), Ok(282));
        // A whole label goes before another's synonym, a label before an index.
        assert_eq!(labels.find("maillot"), Ok(638));
        assert_eq!(named(&["1", "0"]).find("1"), Ok(0));
        assert_eq!(named(&["a", "A", "b"]).find("A"), Ok(1));
    }

    #[test]
    fn a_name_of_several_classes_is_an_error_that_tells_them_apart() {
        let error = Labels::imagenet().find("crane").expect_err("two classes");
        let expected = "several classes are called \"crane\": 134 (n02012849), 517 (n03126707)";
        assert_eq!(error.to_string(), expected);
        let error = named(&["a", "a"]).find("a").expect_err("two classes");
        assert_eq!(error.to_string(), "several classes are called \"a\": 0, 1");
    }

    #[test]
    fn an_unknown_name_suggests_near_ones() {
        let unknown = |name| {
            Labels::imagenet()
                .find(name)
                .expect_err("unknown")
                .to_string()
        };
        assert!(unknown("taby").starts_with("no class is called \"taby\" (near names: tabby"));
        assert!(
            unknown("terrier").contains("Boston bull") || unknown("terrier").contains("terrier")
        );
        assert_eq!(unknown("xyzzyxyzzy"), "no class is called \"xyzzyxyzzy\"");
        assert!(unknown("").ends_with("\"\""));
        let endless = "x".repeat(100_000);
        assert!(unknown(&endless).ends_with("x\""));
        assert!(unknown("1000").ends_with("\"1000\""));
        let long = "x".repeat(1000);
        assert_eq!(named(&["a", &long]).find(&long), Ok(1));
    }
}

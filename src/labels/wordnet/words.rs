//! From a word to a group.

use super::super::near::{MAX_LENGTH, MAX_SUGGESTIONS, distance, folded};
use super::{Group, Hierarchy};

/// The words that several groups share: the word, and the groups' ids in the order of its senses.
const SENSES: &str = include_str!("senses.tsv");

/// Irregular plurals with their singulars.
const PLURALS: &str = include_str!("plurals.tsv");

/// WordNet's endings of plurals, and what they stand for.
const ENDINGS: [(&str, &str); 8] = [
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
];

/// A word that names no group of ImageNet's classes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "WordNet has no group {name:?} with classes of ImageNet in it{}",
    near(suggestions)
)]
pub struct UnknownGroup {
    /// The word as it was given.
    pub name: String,
    /// Names of groups that look like it or contain it, the best first; may be empty.
    pub suggestions: Vec<&'static str>,
}

fn near(suggestions: &[&str]) -> String {
    match suggestions {
        [] => String::new(),
        names => format!(" (near names: {})", names.join(", ")),
    }
}

impl Hierarchy {
    /// The group that a word names: the first of its senses with classes in it. `name` may also
    /// be a WordNet id. Capitals do not matter, spaces, `_` and `-` are one, and a plural will
    /// do where there is no such word.
    ///
    /// # Errors
    /// [`UnknownGroup`], with near names.
    pub fn group(&self, name: &str) -> Result<&Group, UnknownGroup> {
        self.senses(name).map(|(first, _)| first)
    }

    /// The group that a word names, as [`group`](Self::group) has it, and what else the word
    /// means, in WordNet's order: `crane` is the machine first, then the bird.
    ///
    /// # Errors
    /// As [`group`](Self::group).
    pub fn senses(&self, name: &str) -> Result<(&Group, Vec<&Group>), UnknownGroup> {
        let unknown = |suggestions| UnknownGroup {
            name: name.to_owned(),
            suggestions,
        };
        if name.len() > MAX_LENGTH {
            return Err(unknown(Vec::new()));
        }
        let word = folded(name);
        if let Some(group) = self.by_wnid(&word) {
            return Ok((group, Vec::new()));
        }
        let words = std::iter::once(word.clone()).chain(singulars(&word));
        let mut senses = words.map(|word| self.named(&word));
        match senses.find(|groups| !groups.is_empty()) {
            Some(mut groups) => Ok((groups.remove(0), groups)),
            None => Err(unknown(self.suggestions(&word))),
        }
    }

    /// The groups with this name, in the order of the word's senses.
    fn named(&self, word: &str) -> Vec<&Group> {
        // Words are asked for a few times a run; an index of them all would cost more.
        let has_name = |group: &&Group| names(group).any(|name| is_folded(name, word));
        let mut found: Vec<&Group> = self.groups.iter().filter(has_name).collect();
        let mut orders = SENSES.lines().filter_map(|line| line.split_once('\t'));
        if let Some((_, order)) = orders.find(|(known, _)| *known == word) {
            let sense = |group: &&Group| order.split(' ').position(|id| id == group.wnid);
            found.sort_by_key(|group| sense(group).unwrap_or(usize::MAX));
        }
        found
    }

    /// Names that are a few keystrokes away, then names that have the word in them; of equally
    /// near ones the larger group.
    fn suggestions(&self, word: &str) -> Vec<&'static str> {
        let mut found: Vec<(usize, usize, &'static str)> = Vec::new();
        for group in &self.groups {
            let distances = names(group).filter_map(|name| {
                let distance = distance(&folded(name), word)?;
                Some((distance, usize::MAX - group.classes.len(), name))
            });
            found.extend(distances.min());
        }
        found.sort_unstable();
        let mut names: Vec<&str> = Vec::new();
        for (.., name) in found {
            if names.len() < MAX_SUGGESTIONS && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

fn names(group: &Group) -> impl Iterator<Item = &'static str> {
    group.label.split(", ")
}

/// Whether a name is this word once it is [`folded`].
fn is_folded(name: &str, word: &str) -> bool {
    let fold = |b: u8| match b {
        b'-' => b' ',
        b => b.to_ascii_lowercase(),
    };
    name.bytes().map(fold).eq(word.bytes())
}

/// What a plural may be the plural of: of all of it, or of its beginning (`birds of prey`).
fn singulars(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    let spaces = word.rmatch_indices(' ').map(|(space, _)| space);
    for end in std::iter::once(word.len()).chain(spaces) {
        let (plural, rest) = word.split_at(end);
        let start = plural.rfind(' ').map_or(0, |space| space + 1);
        let (before, last) = plural.split_at(start);
        let irregular = PLURALS.lines().filter_map(|line| line.split_once('\t'));
        let irregular = irregular.filter(|(known, _)| *known == last);
        found.extend(irregular.map(|(_, singular)| format!("{before}{singular}{rest}")));
        // As WordNet has it: `grass` is not the plural of `gras`.
        if last.len() > 2 && !last.ends_with("ss") {
            let stems = ENDINGS.iter().filter_map(|(plural, singular)| {
                let stem = last.strip_suffix(plural)?;
                Some(format!("{before}{stem}{singular}{rest}"))
            });
            found.extend(stems);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wnid(name: &str) -> &'static str {
        let group = Hierarchy::wordnet().group(name);
        group.map_or("unknown", Group::wnid)
    }

    fn suggestions(name: &str) -> Vec<&'static str> {
        let group = Hierarchy::wordnet().group(name);
        group.expect_err("an unknown word").suggestions
    }

    #[test]
    fn a_word_is_its_first_sense_with_classes() {
        assert_eq!(wnid("dog"), "n02084071");
        assert_eq!(wnid("cat"), "n02121620"); // not the big cat
        assert_eq!(wnid("turtle"), "n01662784"); // the first sense is a sweater
        let senses = Hierarchy::wordnet().senses("crane").expect("a group");
        assert_eq!(senses.0.wnid, "n03126707"); // the machine
        let others: Vec<&str> = senses.1.iter().map(|group| group.wnid).collect();
        assert_eq!(others, ["n02012849"]); // the bird
    }

    #[test]
    fn ids_capitals_and_spaces_are_read_leniently() {
        for name in ["n02123045", "N02123045", " n02123045\n"] {
            assert_eq!(wnid(name), "n02123045");
        }
        for name in [
            "egyptian cat",
            "Egyptian_cat",
            "EGYPTIAN-CAT",
            " Egyptian  cat ",
        ] {
            assert_eq!(wnid(name), "n02124075", "{name}");
        }
        // Hyphens in WordNet's own spelling.
        for name in ["old world monkey", "t-shirt", "T shirt", "german shepherd"] {
            assert_ne!(wnid(name), "unknown", "{name}");
        }
    }

    #[test]
    fn plurals_will_do() {
        for (plural, singular) in [
            ("dogs", "dog"),
            ("buses", "bus"),
            ("strawberries", "strawberry"),
            ("wolves", "wolf"),
            ("foxes", "fox"),
            ("couches", "couch"),
            ("brushes", "brush"),
            ("geese", "goose"),
            ("Musical-Instruments", "musical instrument"),
            ("paper knives", "paper knife"),
            ("birds of prey", "bird of prey"),
        ] {
            assert_ne!(wnid(singular), "unknown", "{singular}");
            assert_eq!(wnid(plural), wnid(singular), "{plural}");
        }
        // A word of its own comes before the plural of another.
        assert_eq!(wnid("sunglasses"), "n04356056");
        assert_eq!(wnid("dogss"), "unknown");
    }

    #[test]
    fn an_unknown_word_suggests_near_ones() {
        assert_eq!(suggestions("dgo")[0], "dog");
        assert!(suggestions("vehicel").contains(&"vehicle"));
        assert!(suggestions("elefant").contains(&"elephant"));
        assert!(suggestions("tree").contains(&"tree frog"));
        for nonsense in ["", " ", "-", "s", "xyzzyxyzzy", &"dogs ".repeat(100_000)] {
            assert_eq!(suggestions(nonsense), [""; 0], "{nonsense:.20}");
        }
        // No name twice, though two groups are pots.
        assert_eq!(suggestions("pet"), ["pen", "pot"]);
        assert_eq!(suggestions("man").len(), MAX_SUGGESTIONS);
    }

    #[test]
    fn the_error_says_what_is_unknown() {
        let error = |name| Hierarchy::wordnet().group(name).expect_err("unknown");
        let expected =
            "WordNet has no group \"dgo\" with classes of ImageNet in it (near names: dog";
        assert!(error("dgo").to_string().starts_with(expected));
        assert!(error("a\u{1b}").to_string().contains(r#""a\u{1b}""#));
        assert!(error("zzzzzz").to_string().ends_with("in it"));
    }

    #[test]
    fn every_shared_word_has_all_its_senses_in_the_table() {
        let hierarchy = Hierarchy::wordnet();
        for (word, ids) in SENSES.lines().filter_map(|line| line.split_once('\t')) {
            let found = hierarchy.named(word);
            let found: Vec<&str> = found.into_iter().map(Group::wnid).collect();
            assert_eq!(found.join(" "), ids, "{word}");
        }
        let shared: Vec<&str> = SENSES
            .lines()
            .filter_map(|l| l.split('\t').next())
            .collect();
        for name in hierarchy.groups.iter().flat_map(names) {
            let word = folded(name);
            let senses = hierarchy.named(&word).len();
            assert_eq!(senses > 1, shared.contains(&word.as_str()), "{name}");
        }
    }
}

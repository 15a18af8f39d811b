//! WordNet's hierarchy over ImageNet's classes: what is a dog, a vehicle, a food.
//!
//! A [`Group`] is one of WordNet's noun synsets that is one of the 1,000 classes or lies above some
//! of them. Its probability is the sum of its classes' ([`Members::score`]), and the smallest
//! group that is probable enough is what a picture surely shows ([`Rollup`]).
//!
//! ```
//! use mobilenet::labels::Labels;
//! use mobilenet::labels::wordnet::{Hierarchy, Rollup};
//!
//! let labels = Labels::imagenet();
//! let cat = Hierarchy::wordnet().group("cat")?;
//! let members = cat.members(&labels);
//!
//! // Half a tabby, half a tiger cat.
//! let mut scores = vec![0.0; 1000];
//! (scores[281], scores[282]) = (0.5, 0.5);
//! assert_eq!(members.score(&scores), 1.0);
//!
//! let rollup = Rollup::new(&labels);
//! let found = rollup.of(&scores, 0.9).map(|found| found.label);
//! assert_eq!(found, Some("domestic cat, house cat, Felis domesticus, Felis catus"));
//! # Ok::<(), mobilenet::labels::wordnet::UnknownGroup>(())
//! ```

mod rollup;
mod words;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{IMAGENET, Labels};

pub use rollup::{RolledUp, Rollup};
pub use words::UnknownGroup;

/// A group a line: its WordNet id, its parents' ids, its names. Parents stand before their
/// children, and the names of ImageNet's classes are in `imagenet.tsv`.
const SYNSETS: &str = include_str!("synsets.tsv");

/// WordNet's noun groups that are ImageNet classes or have some below them.
#[derive(Debug)]
pub struct Hierarchy {
    groups: Vec<Group>,
    by_wnid: HashMap<&'static str, usize>,
}

/// A group of WordNet's: a noun in one of its senses, with the ImageNet classes that are such.
#[derive(Debug, PartialEq, Eq)]
pub struct Group {
    wnid: &'static str,
    label: &'static str,
    depth: usize,
    classes: Vec<usize>,
}

impl Hierarchy {
    /// The hierarchy of WordNet 3.0, which ImageNet took its classes from. The first use reads
    /// it, in about a millisecond.
    pub fn wordnet() -> &'static Self {
        static WORDNET: LazyLock<Hierarchy> = LazyLock::new(Hierarchy::read);
        &WORDNET
    }

    fn read() -> Self {
        let classes: Vec<(&str, &str)> = IMAGENET
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .collect();
        let names: HashMap<&str, &str> = classes.iter().copied().collect();

        let mut groups: Vec<Group> = Vec::new();
        let mut parents: Vec<Vec<usize>> = Vec::new();
        let mut by_wnid: HashMap<&str, usize> = HashMap::new();
        for line in SYNSETS.lines() {
            let mut fields = line.split('\t');
            let (Some(wnid), Some(above)) = (fields.next(), fields.next()) else {
                continue;
            };
            let name = fields.next().or_else(|| names.get(wnid).copied());
            let above = above.split(' ').filter_map(|id| by_wnid.get(id).copied());
            let above: Vec<usize> = above.collect();
            by_wnid.insert(wnid, groups.len());
            groups.push(Group {
                wnid,
                label: name.unwrap_or(wnid),
                depth: above
                    .iter()
                    .map(|&p| groups[p].depth + 1)
                    .max()
                    .unwrap_or(0),
                classes: Vec::new(),
            });
            parents.push(above);
        }

        // Every class is told to all above it. A group that has it as its latest was reached on
        // another way already, and so was all above that group.
        for (class, (wnid, _)) in classes.iter().enumerate() {
            let mut pending: Vec<usize> = by_wnid.get(wnid).copied().into_iter().collect();
            while let Some(group) = pending.pop() {
                let known = &mut groups[group].classes;
                if known.last() != Some(&class) {
                    known.push(class);
                    pending.extend(&parents[group]);
                }
            }
        }
        Self { groups, by_wnid }
    }

    fn by_wnid(&self, wnid: &str) -> Option<&Group> {
        self.by_wnid.get(wnid).map(|&group| &self.groups[group])
    }

    /// Which of a network's outputs are each of ImageNet's classes.
    fn outputs(&self, labels: &Labels) -> Vec<Vec<usize>> {
        let mut outputs = vec![Vec::new(); IMAGENET.lines().count()];
        for (output, class) in labels.classes().iter().enumerate() {
            let group = class.wnid.as_deref().and_then(|wnid| self.by_wnid(wnid));
            if let Some([class]) = group.map(Group::classes) {
                outputs[*class].push(output);
            }
        }
        outputs
    }
}

impl Group {
    /// Its WordNet id, such as `n02084071`.
    pub fn wnid(&self) -> &'static str {
        self.wnid
    }

    /// Its names, such as `dog, domestic dog, Canis familiaris`.
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// Steps from the top, `entity`, on the longest way: a group is deeper than all above it.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// ImageNet's indices of its classes, ascending; a class is its own only one.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Its classes among a network's, told by their WordNet ids. Empty where the labels have
    /// no such ids, because they are not ImageNet's.
    pub fn members(&self, labels: &Labels) -> Members {
        let outputs = Hierarchy::wordnet().outputs(labels);
        let classes = self.classes.iter().flat_map(|&class| &outputs[class]);
        let mut members: Vec<usize> = classes.copied().collect();
        members.sort_unstable();
        Members(members)
    }
}

/// Which of a network's outputs belong to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members(Vec<usize>);

impl Members {
    /// No output belongs to the group: the network's classes are not ImageNet's.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers of the outputs, ascending.
    pub fn outputs(&self) -> &[usize] {
        &self.0
    }

    /// The group's probability, from those of all classes in the order of the labels.
    pub fn score(&self, scores: &[f32]) -> f32 {
        sum(&self.0, scores)
    }
}

/// The sum of these outputs' scores, in f64 so that many small ones count in full.
fn sum(outputs: &[usize], scores: &[f32]) -> f32 {
    let scores = outputs.iter().filter_map(|&output| scores.get(output));
    scores.map(|&score| f64::from(score)).sum::<f64>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let hierarchy = Hierarchy::wordnet();
        let mut roots = 0;
        let mut seen: Vec<&str> = Vec::new();
        for (line, group) in SYNSETS.lines().zip(&hierarchy.groups) {
            let above = line.split('\t').nth(1).expect("parents");
            roots += usize::from(above.is_empty());
            for parent in above.split(' ').filter(|id| !id.is_empty()) {
                assert!(seen.contains(&parent), "{line}: its parents come first");
                let parent = hierarchy.by_wnid(parent).expect("a group");
                assert!(parent.depth < group.depth, "{line}");
                let contains = |class| parent.classes.contains(class);
                assert!(group.classes.iter().all(contains), "{line}");
            }
            assert!(group.classes.is_sorted_by(|a, b| a < b), "{line}");
            assert!(!group.classes.is_empty(), "{line}");
            assert_ne!(group.label, group.wnid);
            seen.push(group.wnid);
        }
        assert_eq!((seen.len(), roots), (1860, 1));
        assert_eq!(hierarchy.by_wnid.len(), 1860);
    }

    #[test]
    fn every_class_is_a_group_of_itself_alone() {
        for (index, class) in Labels::imagenet().classes().iter().enumerate() {
            let wnid = class.wnid.as_deref().unwrap_or_default();
            let group = Hierarchy::wordnet().by_wnid(wnid).expect("a group");
            assert_eq!(group.classes, [index]);
            assert_eq!(group.label, class.label);
        }
    }

    #[test]
    fn members_are_told_by_their_ids_and_not_by_their_place() {
        let dog = Hierarchy::wordnet().group("dog").expect("a group");
        let plain = dog.members(&Labels::imagenet());
        assert_eq!(plain.outputs(), dog.classes());
        let behind = dog.members(&Labels::imagenet_with_background());
        let next: Vec<usize> = dog.classes().iter().map(|class| class + 1).collect();
        assert_eq!(behind.outputs(), next);

        let reversed: Vec<_> = Labels::imagenet().0.into_iter().rev().collect();
        let expected: Vec<usize> = dog.classes().iter().rev().map(|c| 999 - c).collect();
        assert_eq!(dog.members(&Labels(reversed)).outputs(), expected);

        let others = Labels::named(["dog".to_owned(), "cat".to_owned()]);
        assert!(dog.members(&others).is_empty());
    }

    #[test]
    fn the_background_is_in_no_group() {
        let entity = Hierarchy::wordnet().group("entity").expect("a group");
        let members = entity.members(&Labels::imagenet_with_background());
        assert_eq!(members.outputs(), (1..1001).collect::<Vec<_>>());
        let mut scores = vec![0.0; 1001];
        (scores[0], scores[1], scores[1000]) = (0.5, 0.25, 0.125);
        assert_eq!(members.score(&scores), 0.375);
        // Too few scores are no reason to panic.
        assert_eq!(members.score(&scores[..2]), 0.25);
    }

    #[test]
    fn many_small_scores_count_in_full() {
        let entity = Hierarchy::wordnet().group("entity").expect("a group");
        let mut scores = vec![2e-8; 1000];
        scores[0] = 1.0;
        let score = entity.members(&Labels::imagenet()).score(&scores);
        assert_eq!(score, (1.0 + 999.0 * f64::from(2e-8_f32)) as f32);
        assert!(score > 1.000_01);
    }
}

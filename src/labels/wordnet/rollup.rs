//! From scores to the smallest group that is probable enough.

use super::{Group, Hierarchy, sum};
use crate::labels::Labels;

/// Answers with a group where no class alone is probable enough.
///
/// ImageNet tells 118 dogs apart; a picture whose score is spread over several of them is a dog
/// all the same.
#[derive(Debug, Clone)]
pub struct Rollup {
    labels: Labels,
    /// The smallest first; of equal sizes the deepest, then the lowest id.
    candidates: Vec<Candidate>,
}

/// A group and the network's outputs in it.
#[derive(Debug, Clone)]
struct Candidate {
    group: &'static Group,
    outputs: Vec<usize>,
}

/// What a picture's scores roll up to: a class, or a group of several.
#[derive(Debug, Clone, PartialEq)]
pub struct RolledUp<'a> {
    /// The class's index, as [`Class`](crate::labels::Class) has it; none for a group.
    pub index: Option<i32>,
    /// The WordNet id.
    pub wnid: &'static str,
    /// The class's name, as the labels have it, or the group's.
    pub label: &'a str,
    /// How many of the network's classes it is.
    pub classes: usize,
    /// The sum of their probabilities.
    pub score: f32,
}

impl Rollup {
    /// The groups of these labels.
    pub fn new(labels: &Labels) -> Self {
        let hierarchy = Hierarchy::wordnet();
        let by_class = hierarchy.outputs(labels);
        let candidate = |group: &'static Group| {
            let classes = group.classes.iter();
            let mut outputs: Vec<usize> = classes
                .flat_map(|&class| by_class[class].iter().copied())
                .collect();
            outputs.sort_unstable();
            Candidate { group, outputs }
        };
        let candidates = hierarchy.groups.iter().map(candidate);
        let mut candidates: Vec<Candidate> = candidates
            .filter(|candidate| !candidate.outputs.is_empty())
            .collect();

        // Of groups of the same classes the deepest says the most.
        let specific = |c: &Candidate| (usize::MAX - c.group.depth, c.group.wnid);
        candidates.sort_by(|a, b| {
            let outputs = a.outputs.cmp(&b.outputs);
            outputs.then_with(|| specific(a).cmp(&specific(b)))
        });
        candidates.dedup_by(|later, kept| later.outputs == kept.outputs);
        candidates.sort_by_key(|candidate| (candidate.outputs.len(), specific(candidate)));
        Self {
            labels: labels.clone(),
            candidates,
        }
    }

    /// There is nothing to answer with: the labels are not ImageNet's.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// The most specific group whose probability is at least `threshold`, a class being the
    /// smallest group: the one of the fewest classes, of such the most probable. `scores` are
    /// the probabilities of all classes in the order of the labels. None where even all of
    /// ImageNet is less probable.
    pub fn of(&self, scores: &[f32], threshold: f32) -> Option<RolledUp<'_>> {
        let size = |a: &Candidate, b: &Candidate| a.outputs.len() == b.outputs.len();
        let best = self.candidates.chunk_by(size).find_map(|candidates| {
            let mut best: Option<(f32, &Candidate)> = None;
            for candidate in candidates {
                let score = sum(&candidate.outputs, scores);
                let is_better = best.is_none_or(|(highest, _)| score > highest);
                if score >= threshold && is_better {
                    best = Some((score, candidate));
                }
            }
            best
        });
        let (score, Candidate { group, outputs }) = best?;
        let class = match outputs.as_slice() {
            [output] => self.labels.classes().get(*output),
            _ => None,
        };
        Some(RolledUp {
            index: class.map(|class| class.index),
            wnid: group.wnid,
            label: class.map_or(group.label, |class| &class.label),
            classes: outputs.len(),
            score,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(given: &[(usize, f32)]) -> Vec<f32> {
        let mut scores = vec![0.0; 1000];
        for &(class, score) in given {
            scores[class] = score;
        }
        scores
    }

    #[test]
    fn a_class_that_is_probable_enough_is_the_answer() {
        let rollup = Rollup::new(&Labels::imagenet());
        let found = rollup.of(&scores(&[(281, 0.6), (282, 0.4)]), 0.5);
        let expected = RolledUp {
            index: Some(281),
            wnid: "n02123045",
            label: "tabby, tabby cat",
            classes: 1,
            score: 0.6,
        };
        assert_eq!(found, Some(expected));
        // Where a class is the only one of a group above it, it answers for the group.
        for class in 0..1000 {
            let found = rollup.of(&scores(&[(class, 1.0)]), 0.5);
            assert_eq!(found.and_then(|found| found.index), Some(class as i32));
        }
    }

    #[test]
    fn classes_below_the_threshold_add_up_to_the_smallest_group() {
        let rollup = Rollup::new(&Labels::imagenet());
        let label = |given: &[(usize, f32)], threshold| {
            let scores = scores(given);
            let found = rollup.of(&scores, threshold)?;
            assert_eq!(found.index, None);
            let group = Hierarchy::wordnet().group(found.wnid).expect("a group");
            assert_eq!(
                (group.label(), group.classes().len()),
                (found.label, found.classes)
            );
            let sum: f32 = given.iter().map(|(_, score)| score).sum();
            assert!(found.score >= threshold && found.score <= sum);
            Some(group.label().split(',').next().unwrap_or_default())
        };
        // A Norfolk and a Norwich terrier; a terrier and a tabby; a fox and a tabby; a terrier
        // and an airliner.
        assert_eq!(label(&[(185, 0.5), (186, 0.5)], 0.9), Some("terrier"));
        assert_eq!(
            label(&[(185, 0.4), (281, 0.6)], 0.9),
            Some("domestic animal")
        );
        assert_eq!(label(&[(277, 0.4), (281, 0.6)], 0.9), Some("carnivore"));
        assert_eq!(label(&[(185, 0.5), (404, 0.5)], 0.9), Some("whole"));
        assert_eq!(label(&[(281, 0.5), (282, 0.5)], 0.9), Some("domestic cat"));
        // What is small enough to be left out is left out.
        assert_eq!(
            label(&[(281, 0.5), (282, 0.45), (404, 0.05)], 0.9),
            Some("domestic cat")
        );
        assert_eq!(label(&[(281, 0.5), (282, 0.4)], 0.95), None);
    }

    #[test]
    fn of_equal_sizes_the_most_probable_then_the_first_wins() {
        let rollup = Rollup::new(&Labels::imagenet());
        let index = |given: &[(usize, f32)]| rollup.of(&scores(given), 0.1)?.index;
        assert_eq!(index(&[(281, 0.3), (404, 0.4)]), Some(404));
        assert_eq!(index(&[(404, 0.3), (281, 0.4)]), Some(281));
        // Equally probable: the tabby lies deeper than the airliner.
        assert_eq!(index(&[(404, 0.4), (281, 0.4)]), Some(281));
        // As deep as each other: the lower id.
        assert_eq!(index(&[(282, 0.4), (281, 0.4)]), Some(281));
    }

    #[test]
    fn the_background_and_foreign_labels_have_no_group() {
        let rollup = Rollup::new(&Labels::imagenet_with_background());
        let mut scores = vec![0.0; 1001];
        (scores[0], scores[282]) = (0.75, 0.25);
        assert_eq!(rollup.of(&scores, 0.5), None);
        let found = rollup.of(&scores, 0.25).expect("the tabby");
        assert_eq!((found.index, found.wnid), (Some(281), "n02123045"));

        let others = Rollup::new(&Labels::for_classes(3));
        assert!(others.is_empty());
        assert_eq!(others.of(&[1.0, 0.0, 0.0], 0.5), None);
        assert!(!rollup.is_empty());
        assert_eq!(rollup.of(&[f32::NAN; 1001], 0.5), None);
        assert_eq!(rollup.of(&[], 0.5), None);
    }

    #[test]
    fn no_two_candidates_have_the_same_classes() {
        let rollup = Rollup::new(&Labels::imagenet());
        let mut sets: Vec<&[usize]> = rollup.candidates.iter().map(|c| &*c.outputs).collect();
        let count = sets.len();
        sets.sort();
        sets.dedup();
        assert_eq!(sets.len(), count);
        for group in &Hierarchy::wordnet().groups {
            let mut candidates = rollup.candidates.iter();
            let kept = candidates.find(|c| c.outputs == group.classes);
            let kept = kept.expect("every group's classes have a candidate").group;
            assert!(
                kept.depth >= group.depth,
                "{} for {}",
                kept.label,
                group.label
            );
        }
    }
}

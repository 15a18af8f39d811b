//! Which pictures are held out together.

use std::collections::HashMap;

use super::Example;
use crate::random::{Purpose, Random};

/// Parts for cross-validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folds {
    /// How many parts there are, at least 2.
    pub count: usize,
    /// The part that each example is in; `None` for one that is always learned from, since
    /// without it nothing would be known of its class.
    pub of: Vec<Option<usize>>,
}

/// Deals the examples of each class out to at most `most` parts, evenly over all of them;
/// examples whose first views are the same go to the same part, so that none is tested on what
/// was learned by heart. `None` where no class has two different examples.
pub(crate) fn assign(
    examples: &[Example],
    classes: usize,
    most: usize,
    seed: u64,
) -> Option<Folds> {
    let mut groups: Vec<Vec<Vec<usize>>> = vec![Vec::new(); classes];
    let mut known: HashMap<(usize, Vec<u32>), usize> = HashMap::new();
    for (i, example) in examples.iter().enumerate() {
        let bits = example.views.first().into_iter().flatten();
        let key = (example.class, bits.map(|v| v.to_bits()).collect());
        let of_class = &mut groups[example.class];
        let group = *known.entry(key).or_insert(of_class.len());
        match of_class.get_mut(group) {
            Some(group) => group.push(i),
            None => of_class.push(vec![i]),
        }
    }
    let largest = groups.iter().map(Vec::len).max().unwrap_or(0);
    let count = most.min(largest);
    if count < 2 {
        return None;
    }
    let mut of = vec![None; examples.len()];
    let mut next = 0;
    let spread = groups.into_iter().enumerate();
    for (class, mut groups) in spread.filter(|(_, groups)| groups.len() > 1) {
        Random::new(seed, Purpose::Folds, 0, class).shuffle(&mut groups);
        for group in groups {
            for example in group {
                of[example] = Some(next % count);
            }
            next += 1;
        }
    }
    Some(Folds { count, of })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(counts: &[usize]) -> Vec<Example> {
        let classes = counts.iter().enumerate();
        let classes = classes.flat_map(|(class, &count)| std::iter::repeat_n(class, count));
        let example = |(i, class)| Example {
            class,
            views: vec![vec![i as f32], vec![0.0]],
        };
        classes.enumerate().map(example).collect()
    }

    #[test]
    fn each_class_is_spread_evenly() {
        let examples = examples(&[23, 10, 2, 7]);
        let folds = assign(&examples, 4, 5, 7).expect("folds");
        assert_eq!(folds.count, 5);
        for class in 0..4 {
            let mut counts = [0; 5];
            for (example, fold) in examples.iter().zip(&folds.of) {
                if example.class == class {
                    counts[fold.expect("held out once")] += 1;
                }
            }
            let (least, most) = (counts.iter().min(), counts.iter().max());
            assert!(
                most.zip(least).is_some_and(|(m, l)| m - l <= 1),
                "{counts:?}"
            );
        }
        assert_eq!(assign(&examples, 4, 5, 7), Some(folds.clone()));
        assert_ne!(assign(&examples, 4, 5, 8), Some(folds));
    }

    /// In the order that ChaCha8's definition gives, computed in Python.
    #[test]
    fn a_seed_means_the_same_in_every_version() {
        let folds = assign(&examples(&[1, 1, 12]), 3, 5, 0).expect("folds");
        let order = [9, 10, 6, 1, 0, 7, 5, 2, 4, 11, 8, 3];
        for (place, example) in order.into_iter().enumerate() {
            assert_eq!(folds.of[2 + example], Some(place % 5));
        }
    }

    #[test]
    fn the_only_picture_of_a_class_is_always_learned_from() {
        let folds = assign(&examples(&[1, 3]), 2, 5, 0).expect("folds");
        assert_eq!((folds.count, folds.of[0]), (3, None));
        assert_eq!(assign(&examples(&[1, 1, 1]), 3, 5, 0), None);
    }

    #[test]
    fn copies_stay_together() {
        let mut examples = examples(&[10, 10]);
        for i in 0..5 {
            examples[i + 5].views = examples[i].views.clone();
        }
        let folds = assign(&examples, 2, 5, 3).expect("folds");
        assert!((0..5).all(|i| folds.of[i] == folds.of[i + 5]));
        // Five copies of one picture are one picture.
        for example in &mut examples {
            example.views = vec![vec![1.0]];
        }
        assert_eq!(assign(&examples, 2, 5, 3), None);
    }
}

//! Which classes were taken for which.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::share;
use super::sum::ExactSum;

/// How many pictures of each class were taken for which class.
///
/// It takes memory for the pairs that occur, of which there are no more than pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    /// By the true class and the predicted one.
    counts: BTreeMap<(usize, usize), u64>,
    /// Of each class: pictures, predictions, right predictions.
    support: Vec<u64>,
    predicted: Vec<u64>,
    correct: Vec<u64>,
}

/// How one class was told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Pictures of it.
    pub support: u64,
    /// Pictures that were taken for it.
    pub predicted: u64,
    /// Pictures of it that were.
    pub correct: u64,
    /// `correct / predicted`; 0 where nothing was taken for it.
    pub precision: f64,
    /// `correct / support`; 0 where there is no picture of it.
    pub recall: f64,
    /// `2 correct / (support + predicted)`, the harmonic mean of both; 0 where it is neither.
    pub f1: f64,
}

/// Means over classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Average {
    /// Of the precisions.
    pub precision: f64,
    /// Of the recalls.
    pub recall: f64,
    /// Of the F1 scores, not the F1 score of the means.
    pub f1: f64,
}

/// A class that was taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confused {
    /// The true class.
    pub truth: usize,
    /// What it was taken for.
    pub predicted: usize,
    /// How often.
    pub count: u64,
}

impl ConfusionMatrix {
    /// An empty matrix of `size` classes.
    pub fn new(size: usize) -> Self {
        Self {
            counts: BTreeMap::new(),
            support: vec![0; size],
            predicted: vec![0; size],
            correct: vec![0; size],
        }
    }

    /// Adds a picture.
    ///
    /// # Panics
    /// A class that is not less than the number of classes.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        self.support[truth] += 1;
        self.predicted[predicted] += 1;
        self.correct[truth] += u64::from(truth == predicted);
        *self.counts.entry((truth, predicted)).or_default() += 1;
    }

    /// How many pictures of the class `truth` were taken for `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        let count = self.counts.get(&(truth, predicted));
        count.copied().unwrap_or(0)
    }

    /// A row of the matrix: what the pictures of a class were taken for, as scikit-learn's
    /// `confusion_matrix` has it.
    pub fn row(&self, truth: usize) -> Vec<u64> {
        let mut row = vec![0; self.support.len()];
        for (&(_, predicted), &count) in self.counts.range((truth, 0)..(truth + 1, 0)) {
            row[predicted] = count;
        }
        row
    }

    /// How many pictures there are.
    pub fn pictures(&self) -> u64 {
        self.support.iter().sum()
    }

    /// The share of pictures that were told rightly (`accuracy_score`); `None` without a picture.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.correct.iter().sum(), self.pictures())
    }

    /// How each class was told (`precision_recall_fscore_support` with `zero_division=0`).
    pub fn classes(&self) -> Vec<ClassMetrics> {
        let class = |class: usize| {
            let (support, predicted) = (self.support[class], self.predicted[class]);
            let correct = self.correct[class];
            ClassMetrics {
                support,
                predicted,
                correct,
                precision: share(correct, predicted).unwrap_or(0.0),
                recall: share(correct, support).unwrap_or(0.0),
                f1: share(2 * correct, support + predicted).unwrap_or(0.0),
            }
        };
        (0..self.support.len()).map(class).collect()
    }

    /// The plain mean over the classes that occur, in the truth or in the predictions: those
    /// that are in neither would count as 0 (scikit-learn's `average="macro"`, and its choice of
    /// classes where it is given none). `None` without a picture.
    pub fn macro_average(&self) -> Option<Average> {
        self.average(|_, class| u64::from(class.support + class.predicted > 0))
    }

    /// The same, with a class counted only where there are pictures of it: an answer that is no class, such as that a
    /// picture is of none, has a recall where it is the right one at times (`labels` without it else).
    pub fn macro_average_with(&self, answer: usize) -> Option<Average> {
        self.average(|number, class| {
            let predicted = if number == answer { 0 } else { class.predicted };
            u64::from(class.support + predicted > 0)
        })
    }

    /// The mean over the classes, each as often as it has pictures (`average="weighted"`). Its
    /// recall is the accuracy. `None` without a picture.
    pub fn weighted_average(&self) -> Option<Average> {
        self.average(|_, class| class.support)
    }

    fn average(&self, weight: impl Fn(usize, &ClassMetrics) -> u64) -> Option<Average> {
        let classes = self.classes();
        let numbered = || classes.iter().enumerate();
        let total: u64 = numbered()
            .map(|(number, class)| weight(number, class))
            .sum();
        let mean = |value: fn(&ClassMetrics) -> f64| {
            let weighted = |(number, class)| value(class) * weight(number, class) as f64;
            let sum: ExactSum = numbered().map(weighted).collect();
            sum.value() / total as f64
        };
        (total > 0).then(|| Average {
            precision: mean(|class| class.precision),
            recall: mean(|class| class.recall),
            f1: mean(|class| class.f1),
        })
    }

    /// The `most` pairs of classes that were mistaken most often, the most frequent first; of
    /// equally frequent ones the first.
    pub fn most_confused(&self, most: usize) -> Vec<Confused> {
        let mut found = BTreeSet::new();
        for (&(truth, predicted), &count) in &self.counts {
            if truth != predicted {
                found.insert((u64::MAX - count, truth, predicted));
                if found.len() > most {
                    found.pop_last();
                }
            }
        }
        let confused = |(rest, truth, predicted)| Confused {
            truth,
            predicted,
            count: u64::MAX - rest,
        };
        found.into_iter().map(confused).collect()
    }
}

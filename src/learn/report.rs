//! How learning went.

use serde::Serialize;

use super::calibration::highest;
use super::cross_validation::{CrossValidation, PathPoint, first};
use super::samples::Samples;

/// How learning went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrossValidationReport {
    /// Examples that were learned from.
    pub examples: usize,
    /// What the squared weights cost, see [`learn`](super::learn).
    pub regularisation: f64,
    /// The same as the `C` of scikit-learn's `LogisticRegression`, for the embeddings as they are
    /// and an example's views weighing 1 together.
    pub c: f64,
    /// By class, in order.
    pub classes: Vec<ClassReport>,
    /// What cross-validation found; `None` where no class has two different examples.
    pub held_out: Option<HeldOut>,
}

/// How the examples of a class were told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClassReport {
    /// Examples that were learned from.
    pub examples: usize,
    /// Those of them that were held out once: all, or none where they are all the same.
    pub held_out: usize,
    /// Held-out ones that were told right, whatever their score.
    pub correct: usize,
    /// Held-out ones with a highest score under the threshold.
    pub rejected: usize,
}

/// How held-out examples were told, by fits that had not seen them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldOut {
    /// How many examples were held out, each once.
    pub examples: usize,
    /// Parts of cross-validation.
    pub folds: usize,
    /// The share that was told right.
    pub accuracy: f64,
    /// Mean cross entropy, in nats.
    pub log_loss: f64,
    /// The share with a highest score under the threshold; `None` without one.
    pub rejected: Option<f64>,
    /// Which classes were taken for which, the most frequent first.
    pub confusions: Vec<Confusion>,
    /// Every regularisation that was tried, from strong to weak.
    pub path: Vec<PathPoint>,
    /// What each was told to be, in the order of the examples.
    #[serde(skip)]
    pub pictures: Vec<HeldOutExample>,
    #[serde(skip)]
    classes: Vec<ClassReport>,
}

/// What a held-out example was told to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldOutExample {
    /// Its number among the examples.
    pub example: usize,
    /// The class with the highest score.
    pub predicted: usize,
    /// That score.
    pub score: f32,
    /// The score of its own class.
    pub true_score: f32,
    /// Whether the highest score is under the threshold.
    pub rejected: bool,
}

/// A class that was taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// The true class.
    pub class: usize,
    /// The class it was taken for.
    pub taken_for: usize,
    /// How many held-out examples.
    pub examples: usize,
}

/// What is known of the examples, those that were held out among them.
pub(super) fn report(
    samples: &Samples,
    regularisation: f64,
    mut held_out: Option<HeldOut>,
) -> CrossValidationReport {
    let mut classes = match &mut held_out {
        Some(held_out) => std::mem::take(&mut held_out.classes),
        None => vec![ClassReport::default(); samples.class_count],
    };
    for &class in &samples.classes {
        classes[class].examples += 1;
    }
    CrossValidationReport {
        examples: samples.classes.len(),
        regularisation,
        c: samples.inverse_strength(regularisation),
        classes,
        held_out,
    }
}

/// How those that were held out were told, and how many of them are under a threshold.
pub(super) fn held_out(
    validated: &CrossValidation,
    samples: &Samples,
    scores: &[Vec<f32>],
    threshold: Option<f64>,
) -> HeldOut {
    let mut classes = vec![ClassReport::default(); samples.class_count];
    let mut confused = std::collections::BTreeMap::<(usize, usize), usize>::new();
    let mut pictures = Vec::with_capacity(scores.len());
    for ((example, probabilities), scores) in validated.probabilities.iter().zip(scores) {
        let class = samples.classes[*example];
        let told = first(probabilities);
        let report = &mut classes[class];
        report.held_out += 1;
        report.correct += usize::from(told == class);
        let under = threshold.is_some_and(|threshold| highest(scores) < threshold);
        report.rejected += usize::from(under);
        pictures.push(HeldOutExample {
            example: *example,
            predicted: told,
            score: scores[told],
            true_score: scores[class],
            rejected: under,
        });
        if told != class {
            *confused.entry((class, told)).or_default() += 1;
        }
    }
    let confusions = confused.into_iter();
    let confusions = confusions.map(|((class, taken_for), examples)| Confusion {
        class,
        taken_for,
        examples,
    });
    let mut confusions: Vec<Confusion> = confusions.collect();
    confusions.sort_by_key(|confusion| std::cmp::Reverse(confusion.examples));
    let count = validated.probabilities.len();
    let share =
        |of: fn(&ClassReport) -> usize| classes.iter().map(of).sum::<usize>() as f64 / count as f64;
    HeldOut {
        examples: count,
        folds: validated.folds,
        accuracy: share(|class| class.correct),
        log_loss: validated.log_loss,
        rejected: threshold.map(|_| share(|class| class.rejected)),
        confusions,
        path: validated.path.clone(),
        pictures,
        classes,
    }
}

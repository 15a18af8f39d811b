//! All of it together.

use super::calibration::Calibration;
use super::confusion::ConfusionMatrix;
use super::log_loss::LogLoss;
use super::rejections::Rejections;
use super::share;
use crate::error::{Error, Result};

/// How many of a picture's classes count as an answer, where there are as many.
pub const TOP_K: usize = 5;

/// Scores against the truth, picture by picture.
#[derive(Debug, Clone)]
pub struct Evaluation {
    classes: usize,
    in_top_k: u64,
    answered_in_top_k: u64,
    predictions: ConfusionMatrix,
    answers: ConfusionMatrix,
    log_loss: LogLoss,
    calibration: Calibration,
    rejections: Rejections,
}

impl Evaluation {
    /// An evaluation of a network of so many classes, without a picture yet.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            in_top_k: 0,
            answered_in_top_k: 0,
            predictions: ConfusionMatrix::new(classes),
            answers: ConfusionMatrix::new(classes + 1),
            log_loss: LogLoss::default(),
            calibration: Calibration::default(),
            rejections: Rejections::default(),
        }
    }

    /// Adds a picture: its scores, one a class and from 0 to 1; its class, `None` for a picture
    /// of none of them; whether the network rejects it
    /// ([`Classifier::rejects`](crate::Classifier::rejects)).
    ///
    /// The prediction is the class with the highest score, of equal ones the first, whether or
    /// not the picture is rejected; only [`rejections`](Self::rejections) and
    /// [`answers`](Self::answers) look at that.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] for another number of scores, [`Error::InvalidInput`] for scores that
    /// are no probabilities, or a class that is not there.
    pub fn add(&mut self, scores: &[f32], truth: Option<usize>, rejected: bool) -> Result<()> {
        self.add_in_order(scores, &[], truth, rejected)
    }

    /// The same; equal scores go by `order`, the highest first
    /// ([`Answer::order`](crate::pipeline::Answer::order)).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_in_order(
        &mut self,
        scores: &[f32],
        order: &[f32],
        truth: Option<usize>,
        rejected: bool,
    ) -> Result<()> {
        let wrong = |reason: String| Err(Error::input(reason));
        if scores.len() != self.classes || scores.is_empty() {
            let (found, classes) = (scores.len(), self.classes);
            let message = format!("{found} scores for {classes} classes");
            return Err(Error::length(classes, found, message));
        }
        if let Some(score) = scores.iter().find(|score| !(0.0..=1.0).contains(*score)) {
            return wrong(format!("a score of {score} is no probability"));
        }
        if let Some(class) = truth.filter(|&class| class >= self.classes) {
            return wrong(format!("class {class} of {} classes", self.classes));
        }
        let predicted = highest(scores, order);
        let answer = if rejected { self.classes } else { predicted };
        self.answers.add(truth.unwrap_or(self.classes), answer);
        let correct = truth.map(|truth| truth == predicted);
        self.rejections.add(rejected, correct);
        let is_in_top_k = truth.is_some_and(|truth| rank(scores, order, truth) < self.top_k());
        self.answered_in_top_k += u64::from(if rejected {
            truth.is_none()
        } else {
            is_in_top_k
        });
        if let Some(truth) = truth {
            self.predictions.add(truth, predicted);
            self.in_top_k += u64::from(is_in_top_k);
            self.log_loss.add(scores[truth]);
            self.calibration.add(scores[predicted], truth == predicted);
        }
        Ok(())
    }

    /// What pictures of the classes were taken for, rejected or not: as if nothing was.
    pub fn predictions(&self) -> &ConfusionMatrix {
        &self.predictions
    }

    /// What the network answers, with one class more behind its own: pictures of none of them,
    /// and pictures that were rejected.
    pub fn answers(&self) -> &ConfusionMatrix {
        &self.answers
    }

    /// [`top_k_accuracy`](Self::top_k_accuracy) of these answers. That of a rejected picture is right where it is of none
    /// of the classes.
    pub fn answered_top_k_accuracy(&self) -> Option<f64> {
        share(self.answered_in_top_k, self.answers.pictures())
    }

    /// The `k` of [`top_k_accuracy`](Self::top_k_accuracy): [`TOP_K`], or all classes where there
    /// are fewer.
    pub fn top_k(&self) -> usize {
        TOP_K.min(self.classes)
    }

    /// The share of pictures whose class is among the `k` with the highest scores
    /// (`top_k_accuracy_score`); of equal scores the first class goes before, as for the
    /// prediction, where scikit-learn takes the last. `None` without a picture.
    pub fn top_k_accuracy(&self) -> Option<f64> {
        share(self.in_top_k, self.predictions.pictures())
    }

    /// The log loss.
    pub fn log_loss(&self) -> &LogLoss {
        &self.log_loss
    }

    /// The calibration.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// How rejection went.
    pub fn rejections(&self) -> &Rejections {
        &self.rejections
    }
}

/// Whether a class goes before another: the one with the higher score, of equal ones that with the
/// higher order, then the first.
fn is_before(scores: &[f32], order: &[f32], class: usize, other: usize) -> bool {
    let order = |class: usize| order.get(class).copied().unwrap_or(0.0);
    let by_score = scores[class].total_cmp(&scores[other]);
    let by_order = by_score.then_with(|| order(class).total_cmp(&order(other)));
    by_order.then(other.cmp(&class)).is_gt()
}

/// How many classes go before one.
fn rank(scores: &[f32], order: &[f32], class: usize) -> usize {
    let before = |&other: &usize| is_before(scores, order, other, class);
    (0..scores.len()).filter(before).count()
}

/// The class that goes before all others.
fn highest(scores: &[f32], order: &[f32]) -> usize {
    let first = |first, class| {
        if is_before(scores, order, class, first) {
            class
        } else {
            first
        }
    };
    (0..scores.len()).fold(0, first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one order that answers come in, here and in `classify`.
    #[test]
    fn ranks_are_those_of_the_answers() {
        for scores in [
            vec![0.1f32, 0.4, 0.1, 0.4, 0.0, 0.0],
            vec![0.0; 7],
            vec![1.0],
            vec![0.0, 1.0, 1.0],
        ] {
            for order in [&[][..], &[1.0, 2.0, 2.0, 3.0, -1.0, 4.0, 0.5]] {
                let ranked = crate::top_outputs_in_order(&scores, order, scores.len(), 0.0);
                for (place, &class) in ranked.iter().enumerate() {
                    assert_eq!(rank(&scores, order, class), place, "{scores:?}, {order:?}");
                }
                assert_eq!(highest(&scores, order), ranked[0]);
            }
        }
    }

    #[test]
    fn of_equal_scores_the_one_with_the_higher_order_is_the_prediction() {
        let mut evaluation = Evaluation::new(7);
        let scores = [0.125; 7];
        let order = [0.0, 1.0, 3.0, 2.0, 4.0, 5.0, 6.0];
        for truth in [6, 0, 1] {
            let added = evaluation.add_in_order(&scores, &order, Some(truth), false);
            added.expect("a picture");
        }
        assert_eq!(evaluation.predictions().accuracy(), Some(1.0 / 3.0));
        // The lowest two of seven.
        assert_eq!(evaluation.top_k_accuracy(), Some(1.0 / 3.0));
        assert_eq!(evaluation.answers().count(0, 6), 1);
    }

    #[test]
    fn what_are_no_scores_is_refused() {
        let mut evaluation = Evaluation::new(3);
        let good = [0.2, 0.3, 0.5];
        for (scores, truth) in [
            (&good[..2], Some(0)),
            (&[][..], Some(0)),
            (&good[..], Some(3)),
            (&[0.2, f32::NAN, 0.5][..], Some(0)),
            (&[0.2, 1.5, 0.5][..], None),
            (&[-0.1, 0.5, 0.5][..], None),
        ] {
            assert!(evaluation.add(scores, truth, false).is_err());
        }
        assert_eq!(evaluation.answers().pictures(), 0);
        assert!(Evaluation::new(0).add(&[], None, false).is_err());
        assert!(evaluation.add(&good, Some(1), false).is_ok());
    }
}

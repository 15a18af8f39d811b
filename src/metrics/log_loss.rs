//! The mean log loss.

use super::sum::ExactSum;

/// What stands for a score of 0, and its distance from 1 for a score of 1.
const LEAST: f64 = f64::EPSILON;

/// The mean of the negative natural logarithms of the scores that the true classes got, as
/// scikit-learn's `log_loss` of float64 scores: a score under 2^-52 counts as that, and one over
/// 1 - 2^-52 as that. 0 is perfect, the logarithm of the number of classes is blind guessing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogLoss {
    sum: ExactSum,
    count: u64,
}

impl LogLoss {
    /// Adds a picture by the score of its true class, from 0 to 1.
    pub fn add(&mut self, score: f32) {
        let score = f64::from(score).clamp(LEAST, 1.0 - LEAST);
        self.sum.add(-score.ln());
        self.count += 1;
    }

    /// The mean; `None` without a picture.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.value() / self.count as f64)
    }
}

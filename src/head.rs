//! What makes scores of a network's outputs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::embedder::not_a_number;
use crate::error::Result;
use crate::model;

/// What the outputs of a network's last layer mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// A picture is of one of the classes: their scores share out 1.
    #[default]
    Softmax,
    /// A picture may be of several classes or of none: each has a score of its own, from 0 to 1.
    Sigmoid,
}

impl Head {
    pub(crate) fn is_softmax(&self) -> bool {
        *self == Self::Softmax
    }

    /// The score that a class needs at least where nothing else is asked for.
    pub fn threshold(self) -> f32 {
        match self {
            Self::Softmax => 0.0,
            Self::Sigmoid => 0.5,
        }
    }

    /// Why a network of so many classes can't have this head, if it can't.
    pub(crate) fn unsuitable(self, classes: Option<usize>) -> Option<&'static str> {
        (self.is_softmax() && classes == Some(1)).then_some(
            "it has a single output, and a softmax over that is 1 whatever a picture shows",
        )
    }

    /// Scores of logits, computed in f64, or as a file's own softmax does.
    ///
    /// # Errors
    /// Logits that are not numbers.
    pub(crate) fn scores(self, logits: &[f32], softmax: model::Softmax) -> Result<Vec<f32>> {
        if self.is_softmax() {
            return softmax.scores(logits);
        }
        let sigmoid = |&logit: &f32| match logit.is_finite() {
            true => Ok((1.0 / (1.0 + (-f64::from(logit)).exp())) as f32),
            false => Err(not_a_number()),
        };
        logits.iter().map(sigmoid).collect()
    }

    /// Whether scores are so near to meaning something else that a picture is to be looked at closely.
    pub(crate) fn is_unsure(self, scores: &[f32]) -> bool {
        /// How far from the threshold a score is near to it.
        const NEAR: f32 = 0.05;
        let near = |score: &f32| (score - self.threshold()).abs() < NEAR;
        !self.is_softmax() && scores.iter().any(near)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sigmoid_gives_each_class_a_score_of_its_own() -> Result<()> {
        let sigmoid = |logits: &[f32]| Head::Sigmoid.scores(logits, model::Softmax::Exact);
        let scores = sigmoid(&[0.0, 2.0, -2.0, 1000.0, -1000.0])?;
        let expected = [0.5, 0.880_797_1, 0.119_202_92, 1.0, 0.0];
        let off = scores.iter().zip(expected).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f32::max) < 1e-7, "{scores:?}");
        assert!(sigmoid(&[f32::NAN]).is_err());
        assert!(sigmoid(&[f32::INFINITY]).is_err());
        Ok(())
    }

    #[test]
    fn no_softmax_is_over_a_single_output() {
        assert!(Head::Softmax.unsuitable(Some(1)).is_some());
        for (head, classes) in [
            (Head::Softmax, Some(2)),
            (Head::Softmax, None),
            (Head::Sigmoid, Some(1)),
        ] {
            assert_eq!(head.unsuitable(classes), None);
        }
    }

    #[test]
    fn scores_near_the_threshold_are_unsure() {
        assert!(Head::Sigmoid.is_unsure(&[0.9, 0.52]));
        assert!(!Head::Sigmoid.is_unsure(&[0.9, 0.1]));
        assert!(!Head::Softmax.is_unsure(&[0.01, 0.99]));
    }
}

//! When a picture is of none of the classes.

use serde::{Deserialize, Serialize};

/// A score under which a network's first class is not to be believed.
///
/// A softmax shares out all of the probability whatever the picture shows; what pictures of none
/// of the classes have in common is that no class gets much of it (Hendrycks and Gimpel 2017,
/// arXiv:1610.02136), all the more where a [`Familiarity`](crate::Familiarity) discounts it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rejection {
    /// A picture whose highest score is under this is of none of the classes.
    pub threshold: f32,
    /// The share of true members that was under it in calibration, as it was asked for.
    pub share: f32,
}

impl Rejection {
    /// Checks values that may come from a file.
    ///
    /// # Errors
    /// What is not a probability, by its name.
    pub fn validate(&self) -> Result<(), String> {
        let values = [("threshold", self.threshold), ("share", self.share)];
        match values.iter().find(|(_, v)| !(0.0..=1.0).contains(v)) {
            Some((name, value)) => Err(format!("its rejection {name} is {value}, not from 0 to 1")),
            None => Ok(()),
        }
    }
}

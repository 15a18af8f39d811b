//! How good scores are, for pictures whose classes are known.
//!
//! An [`Evaluation`] is fed with the scores of one picture after the other and holds counts and
//! sums only: the confusion matrix is all that grows, with the pairs of classes that occur. Sums
//! are exact, so that no order of the pictures changes a digit.
//!
//! The definitions are scikit-learn's (1.9), whose function each one names, and for the
//! calibration error those of Guo et al. 2017.

mod calibration;
mod confusion;
mod evaluation;
mod log_loss;
mod rejections;
mod sum;

pub use calibration::{Bin, Calibration};
pub use confusion::{Average, ClassMetrics, Confused, ConfusionMatrix};
pub use evaluation::{Evaluation, TOP_K};
pub use log_loss::LogLoss;
pub use rejections::Rejections;
pub use sum::ExactSum;

/// A share of a whole, `None` of nothing.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

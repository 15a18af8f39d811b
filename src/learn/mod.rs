//! Classes of one's own on a network that stays as it is: a linear classifier on embeddings.
//!
//! What a network trained on ImageNet makes of a picture before its last layer tells classes
//! apart that it was never shown. A multinomial logistic regression on it (scikit-learn's
//! `LogisticRegression`) needs a few dozen pictures a class and seconds; how strongly it is held
//! back from learning them by heart is chosen by stratified cross-validation, as
//! `LogisticRegressionCV` does. What comes of it is a last layer for
//! [`Checkpoint::with_classifier`](crate::weights::Checkpoint::with_classifier), and a
//! [`Rejection`] for pictures of none of the classes.
//!
//! # Example
//! ```
//! use mobilenet::learn::{Example, LearnOptions, learn};
//!
//! // Embeddings as `Embedder` gives them: of a picture, and of its mirror image.
//! let example = |class: usize, x: f32| Example {
//!     class,
//!     views: vec![vec![x, 1.0, 0.0], vec![x, 0.0, 1.0]],
//! };
//! let examples: Vec<Example> = (0..40)
//!     .map(|i| example(i % 2, (i % 2) as f32 + i as f32 / 100.0))
//!     .collect();
//! let learned = learn(&examples, 2, &LearnOptions::default())?;
//! assert_eq!(learned.weight.dims(), [2, 3]);
//! assert_eq!(learned.report.held_out.map(|held_out| held_out.accuracy), Some(1.0));
//! # Ok::<(), mobilenet::Error>(())
//! ```

mod calibration;
mod cross_validation;
pub(crate) mod folds;
mod lbfgs;
mod lesson;
mod logistic;
mod report;
mod samples;

use candle_core::{Device, Tensor};

use self::cross_validation::CrossValidation;
use self::logistic::{Parameters, Problem};
use self::samples::Samples;
use crate::error::Result;
use crate::familiarity::Familiarity;
use crate::rejection::Rejection;

pub use self::cross_validation::PathPoint;
pub use self::lesson::{HeldOutLesson, Lesson};
pub use self::report::{ClassReport, Confusion, CrossValidationReport, HeldOut, HeldOutExample};

/// A picture to learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The number of its class.
    pub class: usize,
    /// The embeddings of its views, of which the first is the picture itself and the others, such
    /// as its mirror image, only add to what is learned: all of them together count as one
    /// picture.
    pub views: Vec<Vec<f32>>,
}

/// How classes are learned.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LearnOptions {
    /// Parts for cross-validation, at least 2; there are fewer where no class has as many pictures.
    pub folds: usize,
    /// What decides which picture is in which part: with the same pictures in the same order, the same
    /// seed means the same parts in every version of this crate.
    pub seed: u64,
    /// What the squared weights cost, see [`learn`]; `None` to choose it by cross-validation.
    pub regularisation: Option<f64>,
    /// The share of true members that may be taken for none of the classes, from 0 (which turns
    /// rejection off) to less than 1.
    pub reject: f64,
    /// Whether every class counts as much as any other, however many pictures it has (scikit-learn's
    /// `class_weight="balanced"`); else every picture does.
    pub balance: bool,
}

impl LearnOptions {
    /// The same with another number of parts.
    pub fn with_folds(self, folds: usize) -> Self {
        Self { folds, ..self }
    }

    /// The same with another seed.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same with a price for the squared weights, or `None` to choose it.
    pub fn with_regularisation(self, regularisation: impl Into<Option<f64>>) -> Self {
        Self {
            regularisation: regularisation.into(),
            ..self
        }
    }

    /// The same with another share that may be rejected.
    pub fn with_reject(self, reject: f64) -> Self {
        Self { reject, ..self }
    }

    /// The same with classes that count alike, or not.
    pub fn with_balance(self, balance: bool) -> Self {
        Self { balance, ..self }
    }

    fn validate(&self) -> Result<()> {
        let error = |setting, message: &str| Err(crate::Error::config(setting, message));
        if self.folds < 2 {
            return error("folds", "cross-validation needs at least 2 folds");
        }
        if self
            .regularisation
            .is_some_and(|r| !(LEAST_REGULARISATION..=MOST_REGULARISATION).contains(&r))
        {
            return error(
                "regularisation",
                "the regularisation has to be from 1e-12 to 1e6",
            );
        }
        if !(0.0..1.0).contains(&self.reject) {
            return error(
                "reject",
                "the share of members to reject has to be from 0 to less than 1",
            );
        }
        Ok(())
    }
}

impl Default for LearnOptions {
    fn default() -> Self {
        Self {
            folds: 5,
            seed: 0,
            regularisation: None,
            reject: 0.05,
            balance: true,
        }
    }
}

/// A last layer that was learned.
#[derive(Debug, Clone)]
pub struct Learned {
    /// `[classes, embedding]`, f32.
    pub weight: Tensor,
    /// `[classes]`, f32.
    pub bias: Tensor,
    /// When a picture is of none of the classes; `None` where it was turned off, or where there
    /// were too few pictures to tell.
    pub rejection: Option<Rejection>,
    /// What a picture is held against before its scores are believed; `None` with `rejection`.
    pub familiarity: Option<Familiarity>,
    /// How it went.
    pub report: CrossValidationReport,
}

/// The regularisation where nothing can be held out to choose it by.
const UNSURE: f64 = 1e-3;

/// Beyond these nothing is learned, or nothing is left of f64.
const LEAST_REGULARISATION: f64 = 1e-12;
const MOST_REGULARISATION: f64 = 1e6;

/// How near the last fit comes to the least objective, in nats.
const CONVERGED: f64 = 1e-16;

/// Learns to tell `classes` classes apart.
///
/// The objective is scikit-learn's: the mean cross entropy of the examples, in which classes count alike unless the
/// options say otherwise, plus `regularisation /
/// 2` times the squared weights, those of the biases left out, on features that are centred and
/// divided by one number, the root mean square of their distance from the mean. That number is
/// folded back into the weights, and makes a regularisation mean the same whatever network the
/// embeddings are of.
///
/// Of regularisations from 1 down to 1e-9 the strongest is taken whose cross entropy on held-out
/// pictures is within 0.005 nats of the least. Views of one picture, and pictures of a class whose
/// embeddings are the same, are never on both sides. All numbers are f64, and the same for a seed,
/// whatever the number of threads.
///
/// A softmax alone is as sure of a picture of something else as of a member, so scores are discounted
/// by [`Familiarity`]: how near a picture's embedding is to the nearest of up to 2,000 that were
/// learned from, where the median of the held-out pictures is usual. What is left of a score falls by the same factor
/// with each step of the cosine below it: to 1/e at that of their twentieth, and no further than to a hundredth.
///
/// The threshold for rejection is the `floor(reject * (n + 1))`-th smallest of the `n` held-out
/// pictures' highest scores, those that were misclassified among them: split conformal
/// prediction's (Vovk et al. 2005), with which no more than the share `reject` of new members is
/// expected under it, as far as new members are like the ones learned from. The held-out scores
/// are of fits that have seen fewer pictures than the one that is returned.
///
/// # Errors
/// Fewer than two classes or a class without examples ([`InvalidInput`](crate::Error::InvalidInput)),
/// embeddings of different lengths ([`ShapeMismatch`](crate::Error::ShapeMismatch)) or with values that
/// are not numbers ([`NotANumber`](crate::Error::NotANumber)), options out of range
/// ([`InvalidConfig`](crate::Error::InvalidConfig)).
pub fn learn(examples: &[Example], classes: usize, options: &LearnOptions) -> Result<Learned> {
    let learned = learn_until(examples, classes, options, &|| false)?;
    learned.ok_or(crate::Error::Stopped { work: "learning" })
}

/// The same, given up with `None` soon after `stop` is true, which is asked often and on several
/// threads.
///
/// # Errors
/// As [`learn`].
pub fn learn_until(
    examples: &[Example],
    classes: usize,
    options: &LearnOptions,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Learned>> {
    options.validate()?;
    let samples = Samples::new(examples, classes, options.balance)?;
    let folds = folds::assign(examples, classes, options.folds, options.seed);
    let validated = match &folds {
        Some(folds) => match CrossValidation::run(&samples, folds, options.regularisation, stop)? {
            Some(validated) => Some(validated),
            None => return Ok(None),
        },
        None => None,
    };
    let chosen = validated.as_ref().map(|v| v.regularisation);
    let regularisation = options.regularisation.or(chosen).unwrap_or(UNSURE);
    let problem = Problem::new(&samples, |_| true, regularisation);
    let start = validated.as_ref().and_then(|v| v.start.clone());
    let start = start.unwrap_or_else(|| problem.origin());
    let Some(fitted) = lbfgs::minimise(&problem, start, CONVERGED, stop)? else {
        return Ok(None);
    };
    let mut rejection = None;
    let mut familiarity = None;
    let mut held_out = None;
    if let (Some(validated), Some(folds)) = (&validated, &folds) {
        let pictures: Vec<usize> = validated.probabilities.iter().map(|(i, _)| *i).collect();
        let (known, trusts) = calibration::familiarity(examples, folds, &pictures)?;
        let scores = calibration::trusted(&validated.probabilities, &trusts);
        let highest = scores.iter().map(|scores| calibration::highest(scores));
        let highest: Vec<f64> = highest.collect();
        let threshold = calibration::threshold(&highest, options.reject);
        held_out = Some(report::held_out(validated, &samples, &scores, threshold));
        familiarity = threshold.map(|_| known);
        rejection = threshold.map(|threshold| Rejection {
            threshold: threshold as f32,
            share: options.reject as f32,
        });
    }
    let report = report::report(&samples, regularisation, held_out);
    let (weight, bias) = samples.unscaled(&fitted.parameters)?;
    Ok(Some(Learned {
        weight,
        bias,
        rejection,
        familiarity,
        report,
    }))
}

/// A matrix of candle's, on the CPU.
fn matrix(values: Vec<f64>, rows: usize, columns: usize) -> Result<Tensor> {
    Ok(Tensor::from_vec(values, (rows, columns), &Device::Cpu)?)
}

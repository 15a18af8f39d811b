//! The regularisation under which pictures that were not learned from are told best.

use rayon::prelude::*;
use serde::Serialize;

use super::folds::Folds;
use super::lbfgs;
use super::logistic::{Point, Problem, softmax};
use super::samples::Samples;
use crate::error::Result;

/// Half decades that regularisations are tried at: from 1, under which next to nothing is learned,
/// down to 1e-9, where scores are as sure as f32 can say.
const HALF_DECADES: i32 = 18;

/// Cross entropies, in nats, that differ by less are the same: hundreds of pictures tell it no more
/// exactly. Of the regularisations that are as good as the best the strongest is taken, since
/// under weaker ones scores only grow surer of themselves.
const SAME: f64 = 5e-3;
/// The way ends when so many in a row were worse than the best.
const PATIENCE: usize = 2;

/// How near each fit comes to the least objective, in nats: well within [`SAME`].
const NEAR: f64 = 1e-5;

/// A regularisation, and how held-out examples were told under it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PathPoint {
    /// What the squared weights cost.
    pub regularisation: f64,
    /// Mean cross entropy, in nats.
    pub log_loss: f64,
    /// The share that was told right.
    pub accuracy: f64,
}

/// What came of cross-validation.
pub(super) struct CrossValidation {
    /// The regularisation that was chosen.
    pub regularisation: f64,
    /// How many parts there were.
    pub folds: usize,
    /// Mean cross entropy of the held-out pictures, in nats.
    pub log_loss: f64,
    /// Each held-out example with the probabilities of its classes, in order of the examples.
    pub probabilities: Vec<(usize, Vec<f64>)>,
    /// Every regularisation that was tried.
    pub path: Vec<PathPoint>,
    /// Where to begin with a fit to all examples.
    pub start: Option<Point>,
}

impl CrossValidation {
    /// Goes from strong regularisation to weak, where each fit begins with the last one, or looks
    /// at one that is `given`. `None` once `stop` is true.
    pub fn run(
        samples: &Samples,
        folds: &Folds,
        given: Option<f64>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Self>> {
        let mut points: Vec<Option<Point>> = vec![None; folds.count];
        let mut path = Vec::new();
        // As good as the best so far, from strong to weak.
        let mut good: Vec<Self> = Vec::new();
        let mut least = f64::INFINITY;
        let mut worse = 0;
        let strengths = match given {
            Some(given) => vec![given],
            None => grid(),
        };
        for regularisation in strengths {
            let fit = |(fold, start): (usize, Option<Point>)| {
                let learned = |example: usize| folds.of[example] != Some(fold);
                let problem = Problem::new(samples, learned, regularisation);
                let start = start.unwrap_or_else(|| problem.origin());
                lbfgs::minimise(&problem, start, NEAR, stop)
            };
            let fitted: Vec<Option<Point>> = points
                .into_par_iter()
                .enumerate()
                .map(fit)
                .collect::<Result<_>>()?;
            if fitted.iter().any(Option::is_none) {
                return Ok(None);
            }
            points = fitted;
            let probabilities = held_out(samples, folds, &points);
            let (log_loss, accuracy) = score(samples, &probabilities);
            path.push(PathPoint {
                regularisation,
                log_loss,
                accuracy,
            });
            if log_loss > least + SAME {
                worse += 1;
                if worse == PATIENCE {
                    break;
                }
                continue;
            }
            worse = 0;
            least = least.min(log_loss);
            good.push(Self {
                regularisation,
                folds: folds.count,
                log_loss,
                probabilities,
                path: Vec::new(),
                start: points.first().cloned().flatten(),
            });
            good.retain(|point| point.log_loss <= least + SAME);
            if least < SAME {
                // There is nothing left to gain.
                break;
            }
        }
        let chosen = good.into_iter().next();
        Ok(chosen.map(|chosen| Self { path, ..chosen }))
    }
}

/// The regularisations to try, from strong to weak.
fn grid() -> Vec<f64> {
    let decades = (0..=HALF_DECADES).map(|i| f64::from(-i) / 2.0);
    decades.map(|decade| 10f64.powf(decade)).collect()
}

/// The probabilities of each held-out example's first view, by the fit that has not seen it.
fn held_out(samples: &Samples, folds: &Folds, points: &[Option<Point>]) -> Vec<(usize, Vec<f64>)> {
    let classes = samples.class_count;
    let examples = folds.of.iter().enumerate();
    let probabilities = examples.filter_map(|(example, fold)| {
        let point = points.get((*fold)?)?.as_ref()?;
        let row = samples.first_rows[example];
        let mut probabilities = point.logits[row * classes..][..classes].to_vec();
        softmax(&mut probabilities);
        Some((example, probabilities))
    });
    probabilities.collect()
}

/// Mean cross entropy, in which classes count as they do in learning, and the share that was told right.
fn score(samples: &Samples, probabilities: &[(usize, Vec<f64>)]) -> (f64, f64) {
    let (mut loss, mut right, mut total) = (0.0, 0usize, 0.0);
    for (example, probabilities) in probabilities {
        let class = samples.classes[*example];
        let weight = samples.class_weights[class];
        loss -= weight * probabilities[class].max(f64::MIN_POSITIVE).ln();
        right += usize::from(first(probabilities) == class);
        total += weight;
    }
    (loss / total, right as f64 / probabilities.len() as f64)
}

/// The most probable class; of equally probable ones the first.
pub(super) fn first(probabilities: &[f64]) -> usize {
    let mut first = 0;
    for (class, p) in probabilities.iter().enumerate() {
        if *p > probabilities[first] {
            first = class;
        }
    }
    first
}

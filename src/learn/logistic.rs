//! Multinomial logistic regression: its objective, its gradient, and what it is along a line.

use candle_core::{Device, Tensor};

use super::matrix;
use super::samples::Samples;
use crate::error::Result;

/// Weights and biases, or a change of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameters {
    /// The weights, class by class, then the biases.
    pub values: Vec<f64>,
    length: usize,
    classes: usize,
}

impl Parameters {
    fn split(&self) -> (&[f64], &[f64]) {
        self.values.split_at(self.classes * self.length)
    }

    /// The weights, without the biases.
    pub fn weights(&self) -> &[f64] {
        self.split().0
    }

    /// A class's weights.
    pub fn weight(&self, class: usize) -> &[f64] {
        &self.values[class * self.length..][..self.length]
    }

    /// A class's bias.
    pub fn bias(&self, class: usize) -> f64 {
        self.split().1[class]
    }
}

/// Parameters with the logits that they give every row, those that are not learned from as well.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub parameters: Parameters,
    /// `rows x classes`.
    pub logits: Vec<f64>,
}

/// The mean cross entropy of some rows, and `regularisation / 2` times the squared weights.
pub(super) struct Problem<'a> {
    samples: &'a Samples,
    /// What each row counts, with a sum of 1; 0 for those that are not learned from.
    weights: Vec<f64>,
    pub regularisation: f64,
}

/// The objective at a place along a line, and its first two derivatives there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Along {
    pub value: f64,
    pub slope: f64,
    pub curvature: f64,
}

impl<'a> Problem<'a> {
    /// Learns from the examples that are `wanted`.
    pub fn new(samples: &'a Samples, wanted: impl Fn(usize) -> bool, regularisation: f64) -> Self {
        let rows = samples.examples.iter().zip(&samples.weights);
        let weights = rows.map(|(&i, &weight)| if wanted(i) { weight } else { 0.0 });
        let mut weights: Vec<f64> = weights.collect();
        let sum: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= sum;
        }
        Self {
            samples,
            weights,
            regularisation,
        }
    }

    /// All parameters 0.
    pub fn origin(&self) -> Point {
        let Samples {
            class_count,
            length,
            ..
        } = *self.samples;
        Point {
            parameters: self.parameters(vec![0.0; class_count * (length + 1)]),
            logits: vec![0.0; self.samples.rows() * class_count],
        }
    }

    /// Values in the order of [`Parameters`].
    pub fn parameters(&self, values: Vec<f64>) -> Parameters {
        Parameters {
            values,
            length: self.samples.length,
            classes: self.samples.class_count,
        }
    }

    /// The logits of all rows.
    pub fn logits(&self, parameters: &Parameters) -> Result<Vec<f64>> {
        let (weight, bias) = parameters.split();
        let shape = (self.samples.class_count, self.samples.length);
        let weight = Tensor::from_slice(weight, shape, &Device::Cpu)?;
        let logits = self.samples.features.matmul(&weight.t()?)?;
        let mut logits: Vec<f64> = logits.flatten_all()?.to_vec1()?;
        for row in logits.chunks_exact_mut(bias.len()) {
            for (logit, bias) in row.iter_mut().zip(bias) {
                *logit += bias;
            }
        }
        Ok(logits)
    }

    /// The gradient at a point.
    pub fn gradient(&self, point: &Point) -> Result<Vec<f64>> {
        let classes = self.samples.class_count;
        // What each logit is off by: its probability, less 1 for the true class.
        let mut errors = vec![0.0; point.logits.len()];
        let mut biases = vec![0.0; classes];
        for (row, (errors, logits)) in errors
            .chunks_exact_mut(classes)
            .zip(point.logits.chunks_exact(classes))
            .enumerate()
        {
            let weight = self.weights[row];
            if weight == 0.0 {
                continue;
            }
            errors.copy_from_slice(logits);
            softmax(errors);
            errors[self.class(row)] -= 1.0;
            for (error, bias) in errors.iter_mut().zip(&mut biases) {
                *error *= weight;
                *bias += *error;
            }
        }
        let errors = matrix(errors, self.samples.rows(), classes)?;
        let gradient = errors.t()?.matmul(&self.samples.features)?;
        let mut gradient: Vec<f64> = gradient.flatten_all()?.to_vec1()?;
        for (slope, weight) in gradient.iter_mut().zip(point.parameters.weights()) {
            *slope += self.regularisation * weight;
        }
        gradient.extend(biases);
        Ok(gradient)
    }

    /// The objective at `point + step * direction`. Since logits are linear in the parameters this
    /// takes no product of matrices: those of the point and of the direction are enough.
    pub fn along(&self, point: &Point, direction: &Point, step: f64) -> Along {
        let classes = self.samples.class_count;
        let mut sum = self.penalty(point, direction, step);
        let mut logits = vec![0.0; classes];
        for (row, (start, change)) in point
            .logits
            .chunks_exact(classes)
            .zip(direction.logits.chunks_exact(classes))
            .enumerate()
        {
            let weight = self.weights[row];
            if weight == 0.0 {
                continue;
            }
            for ((logit, start), change) in logits.iter_mut().zip(start).zip(change) {
                *logit = start + step * change;
            }
            let class = self.class(row);
            let truth = logits[class];
            let total = softmax(&mut logits);
            let (mut mean, mut square) = (0.0, 0.0);
            for (p, change) in logits.iter().zip(change) {
                mean += p * change;
                square += p * change * change;
            }
            sum.value += weight * (total - truth);
            sum.slope += weight * (mean - change[class]);
            sum.curvature += weight * (square - mean * mean).max(0.0);
        }
        sum
    }

    fn penalty(&self, point: &Point, direction: &Point, step: f64) -> Along {
        let (weights, changes) = (point.parameters.weights(), direction.parameters.weights());
        let half = self.regularisation / 2.0;
        let crossed = dot(weights, changes);
        let squared = dot(changes, changes);
        Along {
            value: half * (dot(weights, weights) + step * (2.0 * crossed + step * squared)),
            slope: self.regularisation * (crossed + step * squared),
            curvature: self.regularisation * squared,
        }
    }

    fn class(&self, row: usize) -> usize {
        self.samples.classes[self.samples.examples[row]]
    }
}

/// Turns logits into probabilities; returns the logarithm of the sum of their powers.
pub(super) fn softmax(logits: &mut [f64]) -> f64 {
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - highest).exp();
        sum += *logit;
    }
    for power in logits.iter_mut() {
        *power /= sum;
    }
    highest + sum.ln()
}

/// In four sums, which the compiler can take side by side.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 4];
    for (a, b) in a.zip(b) {
        for i in 0..4 {
            sums[i] += a[i] * b[i];
        }
    }
    rest + sums.iter().sum::<f64>()
}

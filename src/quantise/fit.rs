//! The integers of a pointwise convolution that come nearest to what it gives in floats.

use rayon::prelude::*;

use super::calibrate::Pointwise;
use super::linear::{Cholesky, dot};
use super::moments::Moments;
use crate::error::{Error, Result};
use crate::model::{BYTE_LARGEST, least_step, weight_step};

/// How strongly the weights are held to what they were, as a share of the input's mean variance. From
/// few pictures much less follows by chance what the last layers, of hundreds of channels, happened to
/// show.
const RIDGE: f64 = 1.0;

/// The same for the order in which rounding errors are made up for.
const DAMPING: f64 = 0.03;

/// Fits integers to a convolution of `weight` (`[out][in]`) and `bias`; `read` is the scale of what it
/// reads.
///
/// Three things differ from plain rounding. The input differs from that in floats, by rounding
/// further up: the weights are first those that make the least of it (a ridge regression). Then each
/// weight is rounded so that it makes up for the errors of those before it, as far as their channels
/// vary together (GPTQ, Frantar et al. 2022, arXiv:2210.17323; here in the equal form of Babai's nearest
/// plane, which needs one factorisation and no inverse). And the bias takes up what is left of the mean
/// error.
pub(super) fn fit(weight: &[f32], bias: &[f64], read: f32, moments: &Moments) -> Result<Pointwise> {
    let n = moments.channels();
    // Where nothing varies there is nothing to fit, and any diagonal will do.
    let variance = moments.mean_variance().max(f64::MIN_POSITIVE.sqrt());
    let failed =
        || Error::not_a_number("activations whose products are too large to be told apart");
    // The inputs that vary most are rounded first, when all others can make up for them. The factor is
    // gone through from its end.
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (moments.covariance(a, a), moments.covariance(b, b));
        a.total_cmp(&b)
    });
    let diagonal = |i: usize, j: usize, added: f64| if i == j { added * variance } else { 0.0 };
    let ridge = Cholesky::new(n, |i, j| moments.covariance(i, j) + diagonal(i, j, RIDGE));
    let ridge = ridge.ok_or_else(failed)?;
    let rounding = Cholesky::new(n, |i, j| {
        moments.covariance(order[i], order[j]) + diagonal(i, j, DAMPING)
    });
    let rounding = columns(&rounding.ok_or_else(failed)?);
    let cross: Vec<Vec<f64>> = (0..n)
        .map(|integer| {
            (0..n)
                .map(|float| moments.cross_covariance(float, integer))
                .collect()
        })
        .collect();
    let rows = weight.par_chunks_exact(n).zip(bias);
    let fitted = rows.map(|(weight, bias)| {
        let weight: Vec<f64> = weight.iter().map(|w| f64::from(*w)).collect();
        let mut best: Vec<f64> = cross
            .iter()
            .zip(&weight)
            .map(|(cross, held)| dot(cross, &weight) + RIDGE * variance * held)
            .collect();
        ridge.solve(&mut best);
        let best: Vec<f32> = order.iter().map(|&c| best[c] as f32).collect();
        let step = weight_step(&best, BYTE_LARGEST, least_step(*bias, read));
        let ordered = round(&best, step, &rounding);
        let mut integers = vec![0; n];
        for (&c, q) in order.iter().zip(ordered) {
            integers[c] = q;
        }
        let mean: f64 = (0..n)
            .map(|c| {
                let (float, integer) = moments.means(c);
                weight[c] * float - f64::from(integers[c]) * f64::from(step) * integer
            })
            .sum();
        (integers, step, bias + mean)
    });
    let fitted: Vec<(Vec<i8>, f32, f64)> = fitted.collect();
    Ok(Pointwise {
        steps: fitted.iter().map(|(_, step, _)| *step).collect(),
        bias: fitted.iter().map(|(_, _, bias)| *bias).collect(),
        integers: fitted
            .into_iter()
            .flat_map(|(integers, ..)| integers)
            .collect(),
    })
}

/// A factor's columns below the diagonal, each divided by its diagonal.
fn columns(factor: &Cholesky) -> Vec<Vec<f64>> {
    let rows = factor.rows();
    let column = |i: usize| {
        rows[i + 1..]
            .iter()
            .map(|row| row[i] / rows[i][i])
            .collect()
    };
    (0..rows.len()).into_par_iter().map(column).collect()
}

/// Rounds from the last weight to the first, each to the integer that is nearest once it has made up
/// for the errors of those after it.
fn round(weights: &[f32], step: f32, columns: &[Vec<f64>]) -> Vec<i8> {
    let n = weights.len();
    let most = f64::from(BYTE_LARGEST);
    let mut integers = vec![0; n];
    // In steps: the weight less its integer.
    let mut errors = vec![0.0; n];
    for i in (0..n).rev() {
        let weight = f64::from(weights[i]) / f64::from(step);
        let wanted = weight + dot(&columns[i], &errors[i + 1..]);
        let integer = wanted.round_ties_even().clamp(-most, most);
        errors[i] = weight - integer;
        integers[i] = integer as i8;
    }
    integers
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// What `tests/data/quantise/make.py` wrote.
    #[derive(Deserialize)]
    struct Reference {
        weight: Vec<f32>,
        bias: Vec<f64>,
        floats: Vec<f32>,
        integers: Vec<f32>,
        expected: Vec<i8>,
        steps: Vec<f32>,
        shifted: Vec<f64>,
    }

    fn reference() -> Reference {
        let text = include_str!("../../tests/data/quantise/fit.json");
        serde_json::from_str(text).expect("a fixture")
    }

    fn moments(reference: &Reference, channels: usize) -> Moments {
        let mut moments = Moments::new(channels);
        let added = moments.add(&reference.floats, &reference.integers);
        added.expect("numbers");
        moments
    }

    #[test]
    fn integers_are_those_of_the_paper() {
        let reference = reference();
        let channels = reference.weight.len() / reference.bias.len();
        let moments = moments(&reference, channels);
        let fitted = fit(&reference.weight, &reference.bias, 6.0 / 255.0, &moments);
        let fitted = fitted.expect("a fit");
        assert_eq!(fitted.integers, reference.expected);
        for (step, expected) in fitted.steps.iter().zip(&reference.steps) {
            assert!(
                (step - expected).abs() < 1e-6 * expected,
                "{step} {expected}"
            );
        }
        for (bias, expected) in fitted.bias.iter().zip(&reference.shifted) {
            assert!((bias - expected).abs() < 1e-5, "{bias} {expected}");
        }
    }

    /// On what it was fitted to it errs less than weights that are rounded for themselves.
    #[test]
    fn errors_are_smaller_than_those_of_rounding() {
        let reference = reference();
        let outputs = reference.bias.len();
        let channels = reference.weight.len() / outputs;
        let pixels = reference.floats.len() / channels;
        let moments = moments(&reference, channels);
        let fitted = fit(&reference.weight, &reference.bias, 6.0 / 255.0, &moments);
        let fitted = fitted.expect("a fit");
        let product = |row: &[f64], values: &[f32], pixel: usize| -> f64 {
            let values = (0..channels).map(|c| f64::from(values[c * pixels + pixel]));
            row.iter().zip(values).map(|(w, v)| w * v).sum()
        };
        let (mut all_plain, mut all_better) = (0.0, 0.0);
        for o in 0..outputs {
            let weight = &reference.weight[o * channels..][..channels];
            let exact: Vec<f64> = weight.iter().map(|w| f64::from(*w)).collect();
            let step = weight_step(weight, BYTE_LARGEST, 0.0);
            let rounded = weight.iter().map(|w| f64::from((w / step).round() * step));
            let rounded: Vec<f64> = rounded.collect();
            let integers = fitted.integers[o * channels..][..channels].iter();
            let ours: Vec<f64> = integers
                .map(|q| f64::from(*q) * f64::from(fitted.steps[o]))
                .collect();
            let shift = fitted.bias[o] - reference.bias[o];
            let (mut plain, mut better) = (0.0, 0.0);
            for pixel in 0..pixels {
                let wanted = product(&exact, &reference.floats, pixel);
                plain += (product(&rounded, &reference.integers, pixel) - wanted).powi(2);
                better += (product(&ours, &reference.integers, pixel) + shift - wanted).powi(2);
            }
            assert!(better < plain, "{o}: {better} {plain}");
            all_plain += plain;
            all_better += better;
        }
        assert!(all_better < 0.9 * all_plain, "{all_better} {all_plain}");
    }

    /// A filter that was pruned away keeps its bias, and inputs that never vary are no failure.
    #[test]
    fn zeros_are_no_failure() {
        let mut moments = Moments::new(3);
        let added = moments.add(&[0.0; 12], &[0.0; 12]);
        added.expect("numbers");
        let fitted = fit(&[0.0; 6], &[2.5, -1.0], 6.0 / 255.0, &moments).expect("a fit");
        assert_eq!(fitted.integers, [0; 6]);
        assert_eq!(fitted.bias, [2.5, -1.0]);
        assert!(fitted.steps.iter().all(|step| *step > 0.0));
    }
}

//! The least objective, by L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.5).

use std::collections::VecDeque;

use super::logistic::{Along, Point, Problem, dot};
use crate::error::Result;

/// Steps that are remembered.
const MEMORY: usize = 10;

/// More than any problem has taken by far; what was reached by then is returned.
const MOST_STEPS: usize = 20_000;

/// A step is long enough where the slope has fallen to this part of what it was.
const FLAT: f64 = 0.1;

/// How much larger a value may be than it was by rounding alone, as a share of it; which way it
/// went is then for the slope to say.
const ROUNDING: f64 = 1e-13;

/// Places that are looked at along a line.
const MOST_PLACES: usize = 40;

/// Goes from `start` to where the objective is about as small as it gets, at most `tolerance`
/// from it; `None` once `stop` is true.
///
/// With a gradient `g` it is at most `g^2 / (2 * regularisation)` from the least (strong
/// convexity; the biases, which are not regularised, left aside). Where rounding ends the way
/// before that, it ends.
pub(super) fn minimise(
    problem: &Problem,
    start: Point,
    tolerance: f64,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Point>> {
    let mut point = start;
    let mut gradient = problem.gradient(&point)?;
    let mut memory = Memory::default();
    for _ in 0..MOST_STEPS {
        if dot(&gradient, &gradient) <= 2.0 * problem.regularisation * tolerance {
            break;
        }
        if stop() {
            return Ok(None);
        }
        let parameters = problem.parameters(memory.direction(&gradient));
        let direction = Point {
            logits: problem.logits(&parameters)?,
            parameters,
        };
        let Some(step) = step_along(problem, &point, &direction, memory.is_empty()) else {
            if memory.is_empty() {
                break;
            }
            // What is remembered has been overtaken by rounding.
            memory = Memory::default();
            continue;
        };
        let change: Vec<f64> = direction
            .parameters
            .values
            .iter()
            .map(|d| step * d)
            .collect();
        for (value, change) in point.parameters.values.iter_mut().zip(&change) {
            *value += change;
        }
        for (logit, change) in point.logits.iter_mut().zip(&direction.logits) {
            *logit += step * change;
        }
        let next = problem.gradient(&point)?;
        let turned = next.iter().zip(&gradient).map(|(n, g)| n - g).collect();
        memory.push(change, turned);
        gradient = next;
    }
    Ok(Some(point))
}

/// How far to go: to where the line is nearly flat, by Newton's method between the places known
/// to be before and behind that. `None` where the line does not go down, as far as f64 can tell.
fn step_along(problem: &Problem, point: &Point, direction: &Point, first: bool) -> Option<f64> {
    let start = problem.along(point, direction, 0.0);
    if start.slope.is_nan() || start.slope >= 0.0 {
        return None;
    }
    let newton = |step: f64, at: Along| step - at.slope / at.curvature;
    let (mut before, mut behind) = (0.0, f64::INFINITY);
    let mut step = if first { newton(0.0, start) } else { 1.0 };
    for _ in 0..MOST_PLACES {
        if !step.is_finite() || step <= 0.0 {
            return None;
        }
        let here = problem.along(point, direction, step);
        let descends = here.value <= start.value * (1.0 + ROUNDING);
        if descends && here.slope.abs() <= FLAT * start.slope.abs() {
            return Some(step);
        }
        if here.slope > 0.0 || !descends {
            behind = step;
        } else {
            before = step;
        }
        // Too near to a bound, or behind it, Newton's step is of no use.
        let next = newton(step, here);
        let room = behind - before;
        step = match behind.is_finite() {
            true if next > before + 0.05 * room && next < behind - 0.05 * room => next,
            true => before + 0.5 * room,
            false => next.clamp(2.0 * step, 10.0 * step),
        };
    }
    (before > 0.0).then_some(before)
}

/// The last steps, and how the gradient changed over each: what is known of the curvature.
#[derive(Default)]
struct Memory {
    pairs: VecDeque<Pair>,
}

struct Pair {
    step: Vec<f64>,
    turned: Vec<f64>,
    product: f64,
}

impl Memory {
    fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    fn push(&mut self, step: Vec<f64>, turned: Vec<f64>) {
        let product = dot(&step, &turned);
        // Always so of a convex objective, but for rounding.
        if product > f64::EPSILON * dot(&turned, &turned) {
            if self.pairs.len() == MEMORY {
                self.pairs.pop_front();
            }
            self.pairs.push_back(Pair {
                step,
                turned,
                product,
            });
        }
    }

    /// Down the gradient, as what is remembered of the curvature corrects it.
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut shares = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let share = dot(&pair.step, &direction) / pair.product;
            add(&mut direction, -share, &pair.turned);
            shares.push(share);
        }
        if let Some(last) = self.pairs.back() {
            let scale = last.product / dot(&last.turned, &last.turned);
            for value in &mut direction {
                *value *= scale;
            }
        }
        for (pair, share) in self.pairs.iter().zip(shares.into_iter().rev()) {
            let back = dot(&pair.turned, &direction) / pair.product;
            add(&mut direction, share - back, &pair.step);
        }
        direction
    }
}

fn add(values: &mut [f64], factor: f64, others: &[f64]) {
    for (value, other) in values.iter_mut().zip(others) {
        *value += factor * other;
    }
}

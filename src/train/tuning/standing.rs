//! Whether what was trained answers pictures better than what it began with.
//!
//! Both answer the same pictures, which neither has learned from, so that their losses are compared
//! picture by picture: what makes a picture hard for both cancels out.

use serde::{Deserialize, Serialize};

use crate::train::loss::Answer;

/// Deviations of the mean by which a gain has to be above nothing, for it to be no accident.
const DEVIATIONS: f64 = 1.0;

/// How an epoch of a run answered pictures to test with, beside what the run began with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Pictures.
    pub pictures: usize,
    /// Those that were told right.
    pub right: usize,
    /// What the loss fell by since the beginning, in nats, added up over the pictures.
    pub gain: f64,
    /// The squares of the same.
    pub squared_gain: f64,
}

impl Standing {
    pub(super) fn new(start: &[Answer], now: &[Answer]) -> Self {
        let mut standing = Self::default();
        for (start, now) in start.iter().zip(now) {
            let gain = start.loss - now.loss;
            standing.pictures += 1;
            standing.right += usize::from(now.right);
            standing.gain += gain;
            standing.squared_gain += gain * gain;
        }
        standing
    }

    fn and(self, other: Self) -> Self {
        Self {
            pictures: self.pictures + other.pictures,
            right: self.right + other.right,
            gain: self.gain + other.gain,
            squared_gain: self.squared_gain + other.squared_gain,
        }
    }

    /// The mean gain in nats.
    fn mean(self) -> f64 {
        self.gain / self.pictures.max(1) as f64
    }

    /// Whether as many pictures are told right as by `start`, at least, and the loss fell by more than
    /// an accident would make it fall.
    fn beats(self, start: Self) -> bool {
        let n = self.pictures as f64;
        if n < 2.0 || self.right < start.right {
            return false;
        }
        let variance = (self.squared_gain / n - self.mean().powi(2)).max(0.0) * n / (n - 1.0);
        self.mean() > DEVIATIONS * (variance / n).sqrt()
    }
}

/// The same of several runs that began alike, for as many epochs as all of them have: number 0 is
/// their beginning.
pub(super) fn together(runs: &[Vec<Standing>]) -> Vec<Standing> {
    let epochs = runs.iter().map(Vec::len).min().unwrap_or(0);
    let sum = |epoch| {
        let of_runs = runs.iter().map(|run: &Vec<Standing>| run[epoch]);
        of_runs.fold(Standing::default(), Standing::and)
    };
    (0..epochs).map(sum).collect()
}

/// The epoch to keep: of those that beat number 0 the one with the least loss, else 0.
pub(super) fn best(epochs: &[Standing]) -> usize {
    let Some((start, epochs)) = epochs.split_first() else {
        return 0;
    };
    let better = epochs.iter().zip(1..);
    let better = better.filter(|(epoch, _)| epoch.beats(*start));
    better
        .max_by(|(a, _), (b, _)| a.mean().total_cmp(&b.mean()))
        .map_or(0, |(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(losses: &[f64]) -> Vec<Answer> {
        let answer = |&loss: &f64| Answer {
            loss,
            right: loss < 0.5,
        };
        losses.iter().map(answer).collect()
    }

    fn standings(runs: &[&[f64]]) -> Vec<Standing> {
        let start = answers(runs[0]);
        let standing = |run: &&[f64]| Standing::new(&start, &answers(run));
        runs.iter().map(standing).collect()
    }

    #[test]
    fn what_is_better_on_the_whole_is_kept() {
        let start = [0.4, 0.6, 0.3, 0.9];
        let better = [0.3, 0.4, 0.3, 0.7];
        let best_of_all = [0.1, 0.2, 0.1, 0.6];
        assert_eq!(best(&standings(&[&start, &better])), 1);
        assert_eq!(
            best(&standings(&[&start, &better, &best_of_all, &better])),
            2
        );
        assert_eq!(best(&standings(&[&start, &start])), 0);
        assert_eq!(best(&standings(&[&start])), 0);
        assert_eq!(best(&[]), 0);
    }

    #[test]
    fn one_picture_s_luck_is_not_enough_and_neither_is_a_lower_loss_with_more_mistakes() {
        let start = [0.4, 0.6, 0.3, 3.0];
        // A mean gain of 0.525 with a deviation of 0.66.
        let lucky = [0.5, 0.7, 0.4, 0.6];
        assert_eq!(best(&standings(&[&start, &lucky])), 0);
        let wrong = [0.1, 0.1, 0.51, 2.0];
        let start = [0.4, 0.45, 0.3, 3.0];
        assert_eq!(best(&standings(&[&start, &wrong])), 0);
        // One picture shows nothing.
        assert_eq!(best(&standings(&[&[0.9], &[0.1]])), 0);
    }

    #[test]
    fn runs_are_added_up_epoch_by_epoch() {
        let runs = vec![
            standings(&[&[0.4, 0.6], &[0.3, 0.4], &[0.2, 0.2]]),
            standings(&[&[0.9], &[0.7]]),
        ];
        let both = together(&runs);
        assert_eq!(both.len(), 2);
        assert_eq!((both[1].pictures, both[1].right), (3, 2));
        assert!((both[1].gain - 0.5).abs() < 1e-12);
        assert!((both[1].squared_gain - 0.09).abs() < 1e-12);
        assert_eq!(together(&[]), []);
    }
}

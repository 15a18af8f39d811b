//! The score under which a picture is of none of the classes.

use rayon::prelude::*;

use super::Example;
use super::folds::Folds;
use crate::error::Result;
use crate::familiarity::{Decay, Familiarity, FamiliarityRange, discount};

/// Pictures that others are held against: as many as are quickly gone through.
const MOST_EXAMPLES: usize = 2000;

/// The share of the pictures whose cosines are so far below the usual one that trust falls to 1/e.
const RARE_SHARE: f64 = 0.05;
/// A hundredth is left after so many times that way: the natural logarithm of 100. On tasks of narrow and of broad
/// classes (`benches/learn`) this rejects more of what is none of them than a fall in a straight line or one that is steeper.
const STRANGE_TIMES: f64 = 4.605_170_185_988_092;
/// Copies of the same few pictures say nothing of how far from each other pictures may be.
const LEAST_WIDTH: f64 = 0.02;

/// What tells familiar pictures, from the held-out ones: half of them are usual. With how far each
/// is to be trusted, in the order of `held_out`.
pub(super) fn familiarity(
    examples: &[Example],
    folds: &Folds,
    held_out: &[usize],
) -> Result<(Familiarity, Vec<f32>)> {
    // Evenly, in the order of the examples, which is that of their classes or any other.
    let step = examples.len().div_ceil(MOST_EXAMPLES).max(1);
    let kept: Vec<usize> = (0..examples.len()).step_by(step).collect();
    let rows = kept.iter().flat_map(|&i| &examples[i].views[0]).copied();
    let len = examples[0].views[0].len();
    let widest = FamiliarityRange {
        strange: -1.0,
        usual: 1.0,
        decay: Decay::Geometric,
    };
    let known = Familiarity::new(rows.collect(), len, widest)?;
    let cosine = |&i: &usize| {
        // By those that a fit which has not seen it has.
        let learned = |row: usize| folds.of[kept[row]] != folds.of[i];
        known.nearest(&examples[i].views[0], learned)
    };
    let cosines: Vec<f32> = held_out.par_iter().map(cosine).collect();
    let mut sorted = cosines.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| f64::from(sorted[((sorted.len() - 1) as f64 * share).round() as usize]);
    let usual = at(0.5);
    let width = (STRANGE_TIMES * (usual - at(RARE_SHARE))).max(LEAST_WIDTH);
    let range = FamiliarityRange {
        strange: (usual - width).max(-1.0) as f32,
        usual: usual as f32,
        decay: Decay::Geometric,
    };
    let known = known.with_range(range)?;
    let trusts = cosines.into_iter().map(|cosine| range.trust(cosine));
    Ok((known, trusts.collect()))
}

/// The scores of each of these distributions, as far as they are trusted.
pub(super) fn trusted(probabilities: &[(usize, Vec<f64>)], trusts: &[f32]) -> Vec<Vec<f32>> {
    let trusted = |((_, probabilities), &trust): (&(usize, Vec<f64>), &f32)| {
        let mut scores: Vec<f32> = probabilities.iter().map(|&p| p as f32).collect();
        discount(&mut scores, trust);
        scores
    };
    probabilities.iter().zip(trusts).map(trusted).collect()
}

/// The highest of some scores.
pub(super) fn highest(scores: &[f32]) -> f64 {
    f64::from(scores.iter().copied().fold(0.0, f32::max))
}

/// The threshold under which, of new members like those of the `n` held-out `scores`, no more
/// than the share `share` is expected: the `floor(share * (n + 1))`-th smallest. Of a new score
/// and `n` others each is equally likely to be the k-th smallest of them all, so it is under the k-th
/// smallest of the others with a probability of at most `k / (n + 1)`.
///
/// `None` for a share of 0, and where `n` is too small for the share: 19 scores are the fewest
/// for one of 0.05.
pub(super) fn threshold(scores: &[f64], share: f64) -> Option<f64> {
    // A product that falls short of a whole number by rounding is one.
    let rank = (share * (scores.len() + 1) as f64 + 1e-9).floor() as usize;
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::threshold;
    use crate::random::{Purpose, Random};

    #[test]
    fn the_rank_is_the_conformal_one() {
        let scores: Vec<f64> = (1..=99).rev().map(f64::from).collect();
        assert_eq!(threshold(&scores, 0.05), Some(5.0));
        assert_eq!(threshold(&scores, 0.29), Some(29.0));
        assert_eq!(threshold(&scores, 0.0), None);
        assert_eq!(threshold(&scores[..18], 0.05), None);
        assert_eq!(threshold(&scores[..19], 0.05), Some(81.0));
        assert_eq!(threshold(&[], 0.5), None);
    }

    /// The promise, over many calibrations: the share is met on average and not exceeded.
    #[test]
    fn new_members_are_rejected_at_the_promised_rate() {
        let mut random = Random::new(1, Purpose::Folds, 0, 0);
        for (n, share) in [(25, 0.1), (60, 0.05), (200, 0.05)] {
            let trials = 20_000;
            let mut rejected = 0;
            for _ in 0..trials {
                let scores: Vec<f64> = (0..n).map(|_| random.unit().powi(3)).collect();
                let threshold = threshold(&scores, share).expect("enough scores");
                rejected += usize::from(random.unit().powi(3) < threshold);
            }
            let rate = rejected as f64 / f64::from(trials);
            let expected = (share * f64::from(n + 1)).floor() / f64::from(n + 1);
            assert!((rate - expected).abs() < 0.01, "{rate}, not {expected}");
        }
    }
}

//! The score under which a picture is of none of the classes.

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
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::threshold;

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
        let mut rng = StdRng::seed_from_u64(1);
        for (n, share) in [(25, 0.1), (60, 0.05), (200, 0.05)] {
            let trials = 20_000;
            let mut rejected = 0;
            for _ in 0..trials {
                let scores: Vec<f64> = (0..n).map(|_| rng.random::<f64>().powi(3)).collect();
                let threshold = threshold(&scores, share).expect("enough scores");
                rejected += usize::from(rng.random::<f64>().powi(3) < threshold);
            }
            let rate = rejected as f64 / f64::from(trials);
            let expected = (share * f64::from(n + 1)).floor() / f64::from(n + 1);
            assert!((rate - expected).abs() < 0.01, "{rate}, not {expected}");
        }
    }
}

//! Whether scores can be taken at their word.

use serde::Serialize;

use super::share;
use super::sum::ExactSum;

/// Bins of the top score.
const BINS: usize = 15;

/// How far top scores are from how often they are right.
///
/// Pictures are sorted by their top score into 15 bins of equal width, `(0, 1/15]` to
/// `(14/15, 1]`. The expected calibration error is the mean over the pictures of the distance
/// between the share of right answers in a picture's bin and the mean top score there (Guo et
/// al. 2017, "On calibration of modern neural networks", arXiv:1706.04599, with the 15 bins of
/// its experiments).
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    bins: [Content; BINS],
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Content {
    pictures: u64,
    correct: u64,
    scores: ExactSum,
}

/// A bin of top scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// Scores above this belong to it.
    pub above: f64,
    /// The highest score that belongs to it.
    pub up_to: f64,
    /// Pictures in it.
    pub pictures: u64,
    /// The share of them that was answered rightly; `None` of an empty bin, as for the score.
    pub accuracy: Option<f64>,
    /// The mean of their top scores.
    pub score: Option<f64>,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            bins: std::array::from_fn(|_| Content::default()),
        }
    }
}

impl Calibration {
    /// Adds a picture by its top score, from 0 to 1, and whether that was its class's.
    pub fn add(&mut self, score: f32, correct: bool) {
        let score = f64::from(score);
        // The product is exact, and no f32 but 0 and 1 is a border of bins.
        let bin = ((score * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let bin = &mut self.bins[bin];
        bin.pictures += 1;
        bin.correct += u64::from(correct);
        bin.scores.add(score);
    }

    /// The expected calibration error, from 0 to 1; `None` without a picture.
    pub fn error(&self) -> Option<f64> {
        let pictures: u64 = self.bins.iter().map(|bin| bin.pictures).sum();
        // A bin's pictures times the distance of its means.
        let distance = |bin: &Content| (bin.correct as f64 - bin.scores.value()).abs();
        let distances: ExactSum = self.bins.iter().map(distance).collect();
        (pictures > 0).then(|| distances.value() / pictures as f64)
    }

    /// The bins, from the lowest on: a reliability diagram.
    pub fn bins(&self) -> Vec<Bin> {
        let border = |i: usize| i as f64 / BINS as f64;
        let bin = |(i, content): (usize, &Content)| {
            let Content {
                pictures, correct, ..
            } = *content;
            let mean = content.scores.value() / pictures as f64;
            Bin {
                above: border(i),
                up_to: border(i + 1),
                pictures,
                accuracy: share(correct, pictures),
                score: (pictures > 0).then_some(mean),
            }
        };
        self.bins.iter().enumerate().map(bin).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `confidence > low & confidence <= high` with `linspace(0, 1, 16)`, as the paper's code has
    /// it, for the scores around each border.
    #[test]
    fn scores_are_in_the_bins_of_the_definition() {
        for i in 0..=BINS {
            let border = (i as f64 / BINS as f64) as f32;
            for score in [border.next_down(), border, border.next_up()] {
                if !(0.0..=1.0).contains(&score) {
                    continue;
                }
                let mut calibration = Calibration::default();
                calibration.add(score, true);
                let bins = calibration.bins();
                let bin = bins.iter().find(|bin| bin.pictures > 0).expect("one");
                let score = f64::from(score);
                // A softmax has no top score of 0, which the paper's code would leave out.
                assert!(score > bin.above || (score == 0.0 && bin.above == 0.0));
                assert!(score <= bin.up_to, "{score} is in {bin:?}");
            }
        }
    }
}

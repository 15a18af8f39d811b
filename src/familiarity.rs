//! How much a picture is like those that its classes were learned from.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::similarity::{dot_in_f32, normalise};

/// A network's scores are of the classes that it knows, whatever a picture shows, and a picture of
/// something else can have a high one. Here it is held against those that were learned from: the
/// cosine of its embedding and the nearest of theirs (as in Sun et al. 2022, arXiv:2204.06507, but
/// for one neighbour) says how far its scores are to be trusted, and the rest of the probability
/// is shared out among all classes alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Familiarity {
    /// Embeddings of norm 1, one after the other.
    examples: Vec<f32>,
    /// Length of an embedding.
    len: usize,
    range: FamiliarityRange,
}

/// What the cosine of a picture means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FamiliarityRange {
    /// From here down a hundredth is left of a picture's scores.
    pub strange: f32,
    /// From here up they are taken as they are.
    pub usual: f32,
    /// What they are in between.
    #[serde(default)]
    pub decay: Decay,
}

/// How trust falls from a usual cosine to a strange one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// By the same amount for each step, as in checkpoints that don't say it.
    #[default]
    Linear,
    /// By the same factor for each step: soon after the usual cosines little is left.
    Geometric,
}

impl Familiarity {
    /// Holds pictures against those with these embeddings, each of `len` values, whatever their
    /// norms.
    ///
    /// # Errors
    /// [`Error::InvalidInput`]: no embeddings, or values that are not numbers;
    /// [`Error::InvalidConfig`]: a range that is none.
    pub fn new(mut examples: Vec<f32>, len: usize, range: FamiliarityRange) -> Result<Self> {
        let error = |message: &str| Err(Error::input(message));
        if len == 0 || examples.is_empty() || !examples.len().is_multiple_of(len) {
            return error("no examples to tell a familiar picture by");
        }
        range.validate()?;
        for example in examples.chunks_exact_mut(len) {
            if !normalise(example) {
                return error("examples of familiar pictures that are not numbers");
            }
        }
        Ok(Self {
            examples,
            len,
            range,
        })
    }

    /// The embeddings `[N, len]` of the pictures that others are held against, of norm 1.
    pub fn examples(&self) -> (&[f32], usize) {
        (&self.examples, self.len)
    }

    /// What the cosine of a picture means.
    pub fn range(&self) -> FamiliarityRange {
        self.range
    }

    /// The same with another range.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where it is none.
    pub(crate) fn with_range(self, range: FamiliarityRange) -> Result<Self> {
        range.validate()?;
        Ok(Self { range, ..self })
    }

    /// The largest cosine of an embedding and one of those that are `wanted`, by their number;
    /// -1 where none is.
    pub(crate) fn nearest(&self, embedding: &[f32], wanted: impl Fn(usize) -> bool) -> f32 {
        let mut embedding = embedding.to_vec();
        normalise(&mut embedding);
        let examples = self.examples.chunks_exact(self.len).enumerate();
        let cosines = examples.filter(|(i, _)| wanted(*i));
        let cosines = cosines.map(|(_, example)| dot_in_f32(example, &embedding));
        cosines.fold(-1.0, f32::max)
    }

    /// Takes away from a picture's scores what its embedding gives no reason to believe. They stay a
    /// distribution, in the same order.
    pub fn discount(&self, scores: &mut [f32], embedding: &[f32]) {
        let trust = self.range.trust(self.nearest(embedding, |_| true));
        discount(scores, trust);
    }
}

/// What is left to a stranger's scores, so that they still say which class it is most like.
const LEAST_TRUST: f32 = 0.01;

impl FamiliarityRange {
    fn validate(self) -> Result<()> {
        let Self { strange, usual, .. } = self;
        if (-1.0..=1.01).contains(&strange) && (strange..=1.01).contains(&usual) {
            return Ok(());
        }
        let message = "a familiarity whose range is no range of cosines";
        Err(Error::config("familiarity", message))
    }

    /// From next to nothing for a stranger's cosine to 1.
    pub(crate) fn trust(self, cosine: f32) -> f32 {
        let Self {
            strange,
            usual,
            decay,
        } = self;
        if cosine >= usual {
            return 1.0;
        }
        let way = (cosine - strange) / (usual - strange);
        match decay {
            Decay::Linear => way.clamp(LEAST_TRUST, 1.0),
            Decay::Geometric => LEAST_TRUST.powf((1.0 - way).clamp(0.0, 1.0)),
        }
    }
}

/// Shares out what is not trusted of a distribution.
pub(crate) fn discount(scores: &mut [f32], trust: f32) {
    let rest = (1.0 - trust) / scores.len() as f32;
    for score in scores {
        *score = trust * *score + rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: FamiliarityRange = FamiliarityRange {
        strange: 0.5,
        usual: 0.9,
        decay: Decay::Linear,
    };

    #[test]
    fn what_is_like_an_example_keeps_its_scores_and_a_stranger_none() -> Result<()> {
        // Examples along two axes, of any norm.
        let known = Familiarity::new(vec![2.0, 0.0, 0.0, 0.0, 0.5, 0.0], 3, RANGE)?;
        let after = |embedding: [f32; 3]| {
            let mut scores = [0.7, 0.2, 0.1];
            known.discount(&mut scores, &embedding);
            scores
        };
        assert_eq!(after([0.0, 7.0, 0.0]), [0.7, 0.2, 0.1]);
        for stranger in [[0.0, 0.0, 1.0], [0.0; 3], [-1.0, -1.0, 0.0]] {
            let scores = after(stranger);
            assert!(scores.iter().all(|score| (score - 1.0 / 3.0).abs() < 0.01));
            assert!(scores[0] > scores[1] && scores[1] > scores[2]);
        }
        // A cosine of 0.7 is half way.
        let half = after([0.7, 0.0, (1f32 - 0.49).sqrt()]);
        for (got, want) in half.iter().zip([0.7, 0.2, 0.1]) {
            assert!((got - (want + 1.0 / 3.0) / 2.0).abs() < 1e-6);
        }
        Ok(())
    }

    /// Half way down a tenth is left of a hundredth's way.
    #[test]
    fn trust_falls_by_amounts_or_by_factors() {
        let at = |decay, cosine| FamiliarityRange { decay, ..RANGE }.trust(cosine);
        for (cosine, linear, geometric) in [
            (1.0, 1.0, 1.0),
            (0.9, 1.0, 1.0),
            (0.8, 0.75, 0.01f32.powf(0.25)),
            (0.7, 0.5, 0.1),
            (0.5, 0.01, 0.01),
            (-1.0, 0.01, 0.01),
        ] {
            assert!(
                (at(Decay::Linear, cosine) - linear).abs() < 1e-6,
                "{cosine}"
            );
            assert!(
                (at(Decay::Geometric, cosine) - geometric).abs() < 1e-6,
                "{cosine}"
            );
        }
        let point = FamiliarityRange {
            strange: 0.9,
            usual: 0.9,
            decay: Decay::Geometric,
        };
        assert_eq!((point.trust(0.9), point.trust(0.89)), (1.0, LEAST_TRUST));
    }

    #[test]
    fn the_nearest_is_found_among_those_that_are_wanted() -> Result<()> {
        let len = 37;
        let example = |i: usize| (0..len).map(move |k| ((i * 31 + k * 7) % 13) as f32 - 5.0);
        let known = Familiarity::new((0..5).flat_map(example).collect(), len, RANGE)?;
        let query: Vec<f32> = example(3).map(|x| x * 0.1).collect();
        assert!((known.nearest(&query, |_| true) - 1.0).abs() < 1e-6);
        let (rows, _) = known.examples();
        let norm = query.iter().map(|x| x * x).sum::<f32>().sqrt();
        let cosine = |i: usize| {
            let row = &rows[i * len..][..len];
            row.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>() / norm
        };
        let best = [0, 1, 2, 4].map(cosine).into_iter().fold(-1.0, f32::max);
        assert!((known.nearest(&query, |i| i != 3) - best).abs() < 1e-5);
        assert_eq!(known.nearest(&query, |_| false), -1.0);
        Ok(())
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let range = |strange, usual| FamiliarityRange {
            strange,
            usual,
            decay: Decay::Linear,
        };
        for (examples, len, range) in [
            (vec![], 3, RANGE),
            (vec![1.0; 4], 3, RANGE),
            (vec![1.0; 3], 0, RANGE),
            (vec![1.0, f32::NAN, 0.0], 3, RANGE),
            (vec![1.0, f32::INFINITY, 0.0], 3, RANGE),
            (vec![1.0; 3], 3, range(0.9, 0.5)),
            (vec![1.0; 3], 3, range(f32::NAN, 0.5)),
            (vec![1.0; 3], 3, range(0.5, 7.0)),
        ] {
            assert!(Familiarity::new(examples, len, range).is_err());
        }
        // Where both ends meet, nothing is in between.
        assert_eq!(range(0.9, 0.9).trust(0.9), 1.0);
        assert_eq!(range(0.9, 0.9).trust(0.89), LEAST_TRUST);
    }
}

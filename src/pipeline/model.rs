//! What a network makes of pictures.

use anyhow::Result;
use mobilenet::model::MobileNet;
use mobilenet::pixels::{Preprocessing, RgbImage};
use mobilenet::{Classifier, Embedder, top_outputs};

/// Share of the first score from which on a second one is near.
const NEAR_TIE: f32 = 0.9;

/// Gives a list of numbers for each picture: scores, or an embedding.
pub trait Model: Send + Sync {
    /// The network.
    fn network(&self) -> &MobileNet;

    /// How it wants its pictures.
    fn preprocessing(&self) -> &Preprocessing;

    /// The numbers for pictures that the recipe has been applied to. They do not depend on which
    /// pictures share a batch.
    ///
    /// # Errors
    /// A failure of the device.
    fn answer(&self, inputs: &[RgbImage]) -> Result<Vec<Vec<f32>>>;

    /// Whether decoding at a reduced scale may have changed what matters of an answer.
    fn is_unsure(&self, _answer: &[f32]) -> bool {
        false
    }
}

/// The probabilities of all classes.
impl Model for Classifier {
    fn network(&self) -> &MobileNet {
        self.network()
    }

    fn preprocessing(&self) -> &Preprocessing {
        self.preprocessing()
    }

    fn answer(&self, inputs: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        Ok(self.scores_of_inputs(inputs)?)
    }

    /// It moves the ratio of the first two scores by up to a fifth, mostly by less than a tenth
    /// (`docs/benchmarks.md`), and so may change which class comes first.
    fn is_unsure(&self, scores: &[f32]) -> bool {
        match top_outputs(scores, 2, 0.0)[..] {
            [first, second] => scores[second] > NEAR_TIE * scores[first],
            _ => false,
        }
    }
}

/// The embedding.
impl Model for Embedder {
    fn network(&self) -> &MobileNet {
        self.network()
    }

    fn preprocessing(&self) -> &Preprocessing {
        self.preprocessing()
    }

    fn answer(&self, inputs: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        Ok(self.embeddings_of_inputs(inputs)?)
    }
}

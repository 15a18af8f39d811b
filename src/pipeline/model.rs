//! What a network makes of pictures.

use std::sync::Arc;

use crate::classifier::Scored;
use crate::error::Result;
use crate::pixels::{Pixels, Preprocessing};
use crate::{Classifier, Embedder};

/// Gives a list of numbers for each picture: scores, or an embedding.
pub trait Model: Send + Sync {
    /// How it wants its pictures.
    fn preprocessing(&self) -> &Preprocessing;

    /// Whether it runs on the CPU, where batches are no faster than one picture after the other.
    fn is_on_cpu(&self) -> bool;

    /// What it makes of each of the pictures, which the recipe has been applied to. That does not
    /// depend on which pictures share a batch, nor on the number of threads.
    ///
    /// # Errors
    /// A failure of the device, or weights that lead to what is not a number.
    fn answer(&self, inputs: &[Pixels]) -> Result<Vec<Reply>>;

    /// The same model, with the same weights in memory, on so many threads of the CPU.
    fn on_threads(&self, threads: usize) -> Arc<dyn Model>;
}

/// What a model makes of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The numbers.
    pub values: Vec<f32>,
    /// Whether it is so near to saying something else that the picture, if it was decoded at a
    /// reduced scale, is to be looked at in full.
    pub is_unsure: bool,
    /// By which classes of equal scores go, the highest first; empty where by their number. For
    /// [`Classifier::top_in_order`].
    pub order: Vec<f32>,
}

impl Reply {
    /// Numbers that are what they are.
    pub fn sure(values: Vec<f32>) -> Self {
        Self {
            values,
            is_unsure: false,
            order: Vec::new(),
        }
    }
}

/// The probabilities of all classes. A reduced scale moves the ratio of the first two by up to a
/// fifth, mostly by less than a tenth (`docs/benchmarks.md`), and so may change which comes first:
/// where they are nearly equal it is unsure.
impl Model for Classifier {
    fn preprocessing(&self) -> &Preprocessing {
        self.preprocessing()
    }

    fn is_on_cpu(&self) -> bool {
        self.network().device().is_cpu()
    }

    fn answer(&self, inputs: &[Pixels]) -> Result<Vec<Reply>> {
        let answers = self.scored(inputs)?.into_iter();
        let reply = |scored: Scored| Reply {
            values: scored.scores,
            is_unsure: scored.is_near_tie,
            order: scored.order,
        };
        Ok(answers.map(reply).collect())
    }

    fn on_threads(&self, threads: usize) -> Arc<dyn Model> {
        Arc::new(self.clone().with_threads(threads))
    }
}

/// The embedding.
impl Model for Embedder {
    fn preprocessing(&self) -> &Preprocessing {
        self.preprocessing()
    }

    fn is_on_cpu(&self) -> bool {
        self.network().device().is_cpu()
    }

    fn answer(&self, inputs: &[Pixels]) -> Result<Vec<Reply>> {
        let embeddings = self.embeddings_of_inputs(inputs)?.into_iter();
        Ok(embeddings.map(Reply::sure).collect())
    }

    fn on_threads(&self, threads: usize) -> Arc<dyn Model> {
        Arc::new(self.clone().with_threads(threads))
    }
}

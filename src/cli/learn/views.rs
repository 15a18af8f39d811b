//! What is learned from of a picture.

use std::sync::Arc;

use mobilenet::pipeline::{Model, Reply};
use mobilenet::pixels::{Pixels, Preprocessing};
use mobilenet::{Embedder, Result};

/// Gives the embedding of each picture and, where that is wanted, behind it that of its mirror
/// image.
pub struct Views {
    embedder: Embedder,
    mirror: bool,
}

impl Views {
    pub fn new(embedder: Embedder, mirror: bool) -> Self {
        Self { embedder, mirror }
    }

    /// Embeddings in an answer.
    pub fn count(mirror: bool) -> usize {
        if mirror { 2 } else { 1 }
    }
}

impl Model for Views {
    fn preprocessing(&self) -> &Preprocessing {
        self.embedder.preprocessing()
    }

    fn is_on_cpu(&self) -> bool {
        self.embedder.network().device().is_cpu()
    }

    fn answer(&self, inputs: &[Pixels]) -> Result<Vec<Reply>> {
        if !self.mirror {
            return Model::answer(&self.embedder, inputs);
        }
        let both = inputs.iter().flat_map(|input| {
            let mut mirrored = input.clone();
            mirrored.mirror();
            [input.clone(), mirrored]
        });
        let both: Vec<Pixels> = both.collect();
        let embeddings = self.embedder.embeddings_of_inputs(&both)?;
        let views = embeddings.chunks(Self::count(self.mirror));
        Ok(views.map(|views| Reply::sure(views.concat())).collect())
    }

    fn on_threads(&self, threads: usize) -> Arc<dyn Model> {
        let embedder = self.embedder.clone().with_threads(threads);
        Arc::new(Self::new(embedder, self.mirror))
    }
}

//! What is learned from of a picture.

use anyhow::Result;
use image::imageops::flip_horizontal;
use mobilenet::Embedder;
use mobilenet::model::MobileNet;
use mobilenet::pixels::{Preprocessing, RgbImage};

use crate::cli::pipeline::Model;

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
    fn network(&self) -> &MobileNet {
        self.embedder.network()
    }

    fn preprocessing(&self) -> &Preprocessing {
        self.embedder.preprocessing()
    }

    fn answer(&self, inputs: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        if !self.mirror {
            return Ok(self.embedder.embeddings_of_inputs(inputs)?);
        }
        let both = inputs
            .iter()
            .flat_map(|input| [input.clone(), flip_horizontal(input)]);
        let both: Vec<RgbImage> = both.collect();
        let embeddings = self.embedder.embeddings_of_inputs(&both)?;
        let count = Self::count(self.mirror);
        Ok(embeddings.chunks(count).map(<[_]>::concat).collect())
    }
}

//! What is learned from of a picture.

use anyhow::Result;
use image::imageops::flip_horizontal;
use mobilenet::Embedder;
use mobilenet::model::MobileNet;
use mobilenet::pixels::{Preprocessing, RgbImage};

use crate::cli::pipeline::Model;

/// Gives the embedding of each picture and, behind it, that of its mirror image.
pub struct Views(Embedder);

impl Views {
    /// Embeddings in an answer.
    pub const COUNT: usize = 2;

    pub fn new(embedder: Embedder) -> Self {
        Self(embedder)
    }
}

impl Model for Views {
    fn network(&self) -> &MobileNet {
        self.0.network()
    }

    fn preprocessing(&self) -> &Preprocessing {
        self.0.preprocessing()
    }

    fn answer(&self, inputs: &[RgbImage]) -> Result<Vec<Vec<f32>>> {
        let both = inputs
            .iter()
            .flat_map(|input| [input.clone(), flip_horizontal(input)]);
        let both: Vec<RgbImage> = both.collect();
        let embeddings = self.0.embeddings_of_inputs(&both)?;
        Ok(embeddings.chunks(Self::COUNT).map(<[_]>::concat).collect())
    }
}

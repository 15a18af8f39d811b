//! How pictures are seen.

use clap::Args;
use mobilenet::pixels::{DecodeOptions, Preprocessing};
use mobilenet::weights::Checkpoint;

use super::{Assumed, RecipeOptions};

/// How pictures are read and made square.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pictures")]
pub struct ViewOptions {
    #[command(flatten)]
    recipe: RecipeOptions,

    /// Ignore the EXIF orientation: take pictures as they are stored
    #[arg(long)]
    no_exif: bool,

    /// Decode large JPEGs at their full size, to exactly the pixels that Pillow sees; slower, and
    /// scores differ little
    #[arg(long)]
    full_decode: bool,

    /// Refuse pictures of more pixels; decoding takes up to 11 bytes a pixel
    #[arg(long, value_name = "N", default_value_t = DecodeOptions::default().max_pixels)]
    max_pixels: u64,

    /// Refuse larger files
    #[arg(long, value_name = "BYTES", default_value_t = DecodeOptions::default().max_bytes)]
    max_file_size: u64,
}

impl ViewOptions {
    /// How files are decoded.
    pub fn decode(&self) -> DecodeOptions {
        DecodeOptions::default()
            .with_exif_orientation(!self.no_exif)
            .with_reduced(!self.full_decode)
            .with_max_pixels(self.max_pixels)
            .with_max_bytes(self.max_file_size)
    }

    /// A checkpoint's recipe, with what the command line changes of it.
    pub fn preprocessing(&self, recipe: &Preprocessing) -> Preprocessing {
        self.recipe.preprocessing(recipe)
    }

    /// What neither these nor a checkpoint state.
    pub fn assumed(&self, checkpoint: &Checkpoint) -> Assumed {
        Assumed::of(checkpoint, &self.recipe)
    }
}

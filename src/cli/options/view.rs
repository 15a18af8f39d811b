//! How pictures are seen.

use clap::{Args, ValueEnum};
use mobilenet::pixels::{CENTER_CROP, Crop, DecodeOptions, Preprocessing};

/// How pictures are read and made square.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Pictures")]
pub struct ViewOptions {
    /// How a picture becomes a square [default: what the checkpoint says, else center]
    #[arg(long, value_name = "HOW")]
    crop: Option<CropName>,

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

/// `--crop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CropName {
    Center,
    Squash,
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
        let crop = match (self.crop, recipe.crop) {
            (None, own) => own,
            (Some(CropName::Squash), _) => Crop::Squash,
            (Some(CropName::Center), Crop::Squash) => Crop::Center(CENTER_CROP),
            (Some(CropName::Center), own) => own,
        };
        recipe.clone().with_crop(crop)
    }
}

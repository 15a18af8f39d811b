//! How pictures are seen.

use std::str::FromStr;

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

    /// Ignore the EXIF orientation: take pictures as they are stored (HEIC and JPEG XL are turned by
    /// their codec all the same)
    #[arg(long)]
    no_exif: bool,

    /// Decode large JPEGs at their full size, to exactly the pixels that Pillow sees; slower, and
    /// scores differ little
    #[arg(long)]
    full_decode: bool,

    /// What is behind transparent pixels: white, black or rrggbb; none drops their alpha, as Pillow's
    /// convert("RGB") does, and they have the colours that the file has for them, often black. TIFF,
    /// HEIC, AVIF and JPEG XL with alpha are refused in front of a colour
    #[arg(long, value_name = "COLOUR", default_value = "none")]
    background: Background,

    /// Refuse pictures of more pixels; decoding takes up to 12 bytes a pixel, HEIC in one piece up
    /// to 34
    #[arg(long, value_name = "N", default_value_t = DecodeOptions::default().max_pixels)]
    max_pixels: u64,

    /// Refuse larger files
    #[arg(long, value_name = "BYTES", default_value_t = DecodeOptions::default().max_bytes)]
    max_file_size: u64,
}

/// `--background`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Background(Option<[u8; 3]>);

impl FromStr for Background {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        let byte = |i: usize| u8::from_str_radix(&digits[i..i + 2], 16).ok();
        let is_hex = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let colour = match text {
            "none" => return Ok(Self(None)),
            "white" => Some([255; 3]),
            "black" => Some([0; 3]),
            _ if is_hex => byte(0)
                .zip(byte(2))
                .zip(byte(4))
                .map(|((r, g), b)| [r, g, b]),
            _ => None,
        };
        let colour = colour.ok_or("expected none, white, black or a colour as rrggbb")?;
        Ok(Self(Some(colour)))
    }
}

impl ViewOptions {
    /// How files are decoded.
    pub fn decode(&self) -> DecodeOptions {
        DecodeOptions::default()
            .with_exif_orientation(!self.no_exif)
            .with_reduced(!self.full_decode)
            .with_background(self.background.0)
            .with_max_pixels(self.max_pixels)
            .with_max_bytes(self.max_file_size)
    }

    /// Whether the recipe is the checkpoint's own.
    pub fn is_the_checkpoints(&self) -> bool {
        self.recipe.say_nothing()
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

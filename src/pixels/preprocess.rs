//! How a checkpoint wants its pixels.

use candle_core::{Device, Tensor};
use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::resize::{Filter, Window, resize};
use crate::error::Result;
use crate::model::validate_size;

/// The part of the resized image's side that TF-Slim's evaluation crops to, which the
/// published accuracies were measured with.
pub const CENTER_CROP: f64 = 0.875;

/// How a picture of any shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// The shorter side is resized to `round(size / fraction)`, and the centre cut out.
    Center(f64),
    /// Both sides are resized to `size`, whatever becomes of the proportions, as Keras
    /// tutorials do with `load_img(target_size=...)`.
    Squash,
}

/// A recipe from a decoded picture to the network's input.
///
/// The samples become `x / 127.5 - 1`, which all published checkpoints take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Side of the network's input in pixels.
    pub size: usize,
    /// How the picture becomes a square.
    pub crop: Crop,
    /// How it is resampled.
    pub filter: Filter,
}

impl Preprocessing {
    /// What TF-Slim evaluates with: bilinear, the centre 87.5 % of the shorter side.
    pub fn center(size: usize) -> Self {
        Self {
            size,
            crop: Crop::Center(CENTER_CROP),
            filter: Filter::Bilinear,
        }
    }

    /// Checks the recipe, which may come from a file.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) for a size or a crop out of range.
    pub fn validate(&self) -> Result<()> {
        validate_size(self.size)?;
        match self.crop {
            Crop::Center(fraction) if !(fraction > 0.1 && fraction <= 1.0) => {
                Err(crate::Error::Config(format!(
                    "centre crop of {fraction} is out of range: it has to be above 0.1 and at most 1"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Brings a picture to `size` by `size` pixels, to the bytes that Pillow makes.
    pub fn apply(&self, image: &RgbImage) -> RgbImage {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let (size, filter) = (self.size, self.filter);
        let (resized, left, top) = match self.crop {
            Crop::Squash => ((size, size), 0, 0),
            Crop::Center(fraction) => {
                let shorter = (size as f64 / fraction).round_ties_even() as usize;
                let longer = |long: usize, short: usize| long * shorter / short;
                let (w, h) = match width <= height {
                    true => (shorter, longer(height, width)),
                    false => (longer(width, height), shorter),
                };
                ((w, h), (w - size) / 2, (h - size) / 2)
            }
        };
        let window = Window {
            left,
            top,
            width: size,
            height: size,
        };
        resize(image, resized, filter, window)
    }
}

/// Scales pictures of one size to the network's input: `[N, 3, H, W]`, f32 in [-1, 1].
///
/// # Errors
/// Pictures of different sizes, or none.
pub fn to_tensor(images: &[RgbImage], device: &Device) -> Result<Tensor> {
    let (width, height) = images.first().map_or((0, 0), RgbImage::dimensions);
    if images.iter().any(|i| i.dimensions() != (width, height)) || width * height == 0 {
        let message = "a batch needs pictures, all of one size";
        return Err(crate::Error::Config(message.into()));
    }
    let mut values = Vec::with_capacity(images.len() * (width * height) as usize * 3);
    for image in images {
        for channel in 0..3 {
            values.extend(image.pixels().map(|p| f32::from(p[channel]) / 127.5 - 1.0));
        }
    }
    let shape = (images.len(), 3, height as usize, width as usize);
    Ok(Tensor::from_vec(values, shape, device)?)
}

//! How a checkpoint wants its pixels.

use image::RgbImage;
use image::imageops::crop_imm;
use serde::{Deserialize, Serialize};

use super::crop::{CENTER_CROP, Centring, Crop, Region, Steps};
use super::decode::decode_for;
use super::filter::{Filter, Resampler};
use super::frame::{Frame, Span};
use super::input::Pixels;
use super::jpeg::{Dct, Needs};
use super::limits::DecodeOptions;
use super::picture::Picture;
use super::resize::{Window, resize_frame};
use super::scale::PixelScale;
use crate::error::{ImageError, Result};
use crate::model::validate_size;

/// How many times the wanted width and height a JPEG decoded at a reduced scale has at least.
///
/// What is left to the resampler then hides most of what the reduced decoding does otherwise.
/// Pillow's `thumbnail` leaves as much.
const REDUCED_AT_LEAST: usize = 2;
/// What a JPEG's sides are divided by at most.
const MOST_REDUCED: usize = 8;

/// A recipe from a decoded picture to the network's input.
///
/// # Example
/// ```
/// use mobilenet::pixels::{Filter, PixelScale, Preprocessing};
///
/// // As most of torchvision's networks take their pictures.
/// let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// let scale = PixelScale::from_mean_and_std(1.0 / 255.0, mean, std)?;
/// let recipe = Preprocessing::center(224).with_filter(Filter::Bicubic).with_pixel_scale(scale);
/// # Ok::<(), mobilenet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredRecipe")]
#[non_exhaustive]
pub struct Preprocessing {
    /// Side of the network's input in pixels.
    pub size: usize,
    /// How the picture becomes a square.
    pub crop: Crop,
    /// The kernel that it is resampled with.
    pub filter: Filter,
    /// Whose arithmetic does that.
    #[serde(skip_serializing_if = "Resampler::is_pillow")]
    pub resampler: Resampler,
    /// Which pixels are the centre.
    #[serde(skip_serializing_if = "Centring::is_down")]
    pub centring: Centring,
    /// How a JPEG is decoded.
    #[serde(skip_serializing_if = "Dct::is_accurate")]
    pub dct: Dct,
    /// What its bytes become.
    #[serde(skip_serializing_if = "PixelScale::is_default")]
    pub pixel_scale: PixelScale,
}

/// A recipe as it is stored. What is not known in it is refused: it would change the answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRecipe {
    size: usize,
    crop: Crop,
    filter: StoredFilter,
    #[serde(default)]
    resampler: Option<Resampler>,
    #[serde(default)]
    centring: Centring,
    #[serde(default)]
    dct: Dct,
    #[serde(default)]
    pixel_scale: PixelScale,
}

/// A kernel, or one that an earlier version had with TensorFlow's arithmetic in its name.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredFilter {
    Plain(Filter),
    Sampled(Sampled),
}

#[derive(Deserialize)]
enum Sampled {
    #[serde(rename = "bilinear-sampled")]
    Bilinear,
}

impl TryFrom<StoredRecipe> for Preprocessing {
    type Error = String;

    fn try_from(stored: StoredRecipe) -> std::result::Result<Self, String> {
        let (filter, resampler) = match (stored.filter, stored.resampler) {
            (StoredFilter::Plain(filter), resampler) => (filter, resampler.unwrap_or_default()),
            (StoredFilter::Sampled(Sampled::Bilinear), None | Some(Resampler::Tensorflow)) => {
                (Filter::Bilinear, Resampler::Tensorflow)
            }
            (StoredFilter::Sampled(Sampled::Bilinear), Some(other)) => {
                let other = other.name();
                return Err(format!("the filter bilinear-sampled is not {other}'s"));
            }
        };
        Ok(Self {
            size: stored.size,
            crop: stored.crop,
            filter,
            resampler,
            centring: stored.centring,
            dct: stored.dct,
            pixel_scale: stored.pixel_scale,
        })
    }
}

/// A picture as the network takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// Its pixels.
    pub pixels: Pixels,
    /// Whether it was decoded at a reduced scale, so that the pixels are nearly those that
    /// the recipe's tools make, and not the very same.
    pub reduced: bool,
    /// Whether they are those of the preview in a raw photograph.
    pub preview: bool,
}

impl Preprocessing {
    /// What TF-Slim evaluates with: bilinear, the centre 87.5 % of the shorter side.
    pub fn center(size: usize) -> Self {
        Self {
            size,
            crop: Crop::Center(CENTER_CROP),
            filter: Filter::Bilinear,
            resampler: Resampler::Pillow,
            centring: Centring::Down,
            dct: Dct::Accurate,
            pixel_scale: PixelScale::default(),
        }
    }

    /// Both sides resized to `size`, bilinear: what Keras tutorials do.
    pub fn squash(size: usize) -> Self {
        Self::center(size).with_crop(Crop::Squash)
    }

    /// The same for another size of input.
    pub fn with_size(self, size: usize) -> Self {
        Self { size, ..self }
    }

    /// The same for another size of input, if one is given.
    pub fn at(self, size: Option<usize>) -> Self {
        let size = size.unwrap_or(self.size);
        self.with_size(size)
    }

    /// The same with another way to a square.
    pub fn with_crop(self, crop: Crop) -> Self {
        Self { crop, ..self }
    }

    /// The same with another kernel.
    pub fn with_filter(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// The same with another arithmetic.
    pub fn with_resampler(self, resampler: Resampler) -> Self {
        Self { resampler, ..self }
    }

    /// The same with JPEGs decoded in another way.
    pub fn with_dct(self, dct: Dct) -> Self {
        Self { dct, ..self }
    }

    /// The same with other pixels for the centre.
    pub fn with_centring(self, centring: Centring) -> Self {
        Self { centring, ..self }
    }

    /// The same with another scale for its bytes.
    pub fn with_pixel_scale(self, pixel_scale: PixelScale) -> Self {
        Self {
            pixel_scale,
            ..self
        }
    }

    /// Checks the recipe, which may come from a file.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) for a size, a crop or a scale out of
    /// range.
    pub fn validate(&self) -> Result<()> {
        validate_size(self.size)?;
        self.pixel_scale.validate()?;
        let outside = |fraction: &f64| !(*fraction > 0.1 && *fraction <= 1.0);
        if let Some(fraction) = self.crop.fraction().filter(outside) {
            return Err(crate::Error::config(
                "crop",
                format!(
                    "centre crop of {fraction} is out of range: it has to be above 0.1 and at most 1"
                ),
            ));
        }
        if !self.resampler.has(self.filter) {
            let (resampler, filter) = (self.resampler.name(), self.filter.name());
            return Err(crate::Error::config(
                "filter",
                format!("the resampler {resampler} has no filter {filter}; pillow has"),
            ));
        }
        Ok(())
    }

    /// Whether it makes bytes of a picture, or floats that were never rounded to such.
    pub fn gives_bytes(&self) -> bool {
        self.filter == Filter::Nearest || self.resampler.rounds()
    }

    /// Whether shrinking takes all pixels into account.
    pub fn averages(&self) -> bool {
        self.filter != Filter::Nearest && self.resampler.averages()
    }

    /// Decodes the bytes of a file and brings the picture to `size` by `size` pixels.
    ///
    /// With [`DecodeOptions::reduced`], a JPEG that is much larger than that is decoded at a
    /// half, a quarter or an eighth of its size, and the answer says so.
    ///
    /// # Errors
    /// As [`decode`](super::decode()).
    pub fn read(
        &self,
        bytes: &[u8],
        options: &DecodeOptions,
    ) -> std::result::Result<Prepared, ImageError> {
        let needs = |width, height| self.needs((width, height), options.reduced);
        let picture = decode_for(bytes, &options.clone().with_dct(self.dct), &needs)?;
        Ok(Prepared {
            reduced: picture.is_reduced(),
            preview: picture.is_preview,
            pixels: self.cut(picture),
        })
    }

    /// What of a picture of this width and height has to be decoded. What it is turned to by
    /// EXIF does not matter: the recipe is the same for both directions and both ends.
    fn needs(&self, size: (usize, usize), reduced: bool) -> Needs {
        let steps = self.steps(size);
        let (_, scale) = steps.scale();
        // The centre, half a pixel of rounding, and what the kernel reaches beyond.
        let reach = self.size as f64 / 2.0 + 1.0 + self.filter.support() * scale.recip().max(1.0);
        let rows = size.1 as f64 / 2.0 + reach * scale;
        // And the pixels that a reduced one stands for.
        let rows = rows.ceil() as usize + MOST_REDUCED;
        // Of the whole picture, of which a part may become the input.
        let enough = |whole: usize, part: usize, resized: usize| {
            (REDUCED_AT_LEAST * resized * whole).div_ceil(part)
        };
        let Steps { part, resized, .. } = steps;
        Needs {
            // What is sampled is not to be averaged by the decoder either.
            size: if reduced && self.averages() {
                (
                    enough(size.0, part.width, resized.0),
                    enough(size.1, part.height, resized.1),
                )
            } else {
                (usize::MAX, usize::MAX)
            },
            rows,
        }
    }

    /// Brings a picture to `size` by `size` pixels, as the recipe's tools do.
    pub fn apply(&self, image: &RgbImage) -> Pixels {
        let size = (image.width() as usize, image.height() as usize);
        self.cut_from(image, Frame::whole(image), size)
    }

    /// The same for a picture that may have been decoded at a reduced scale.
    fn cut(&self, picture: Picture) -> Pixels {
        self.cut_from(&picture.pixels, picture.frame, picture.size)
    }

    /// The same for a part of an image, which stands for a picture of size `original`.
    fn cut_from(&self, image: &RgbImage, frame: Frame, original: (usize, usize)) -> Pixels {
        let Steps {
            part,
            resized,
            window,
        } = self.steps(original);
        let how = (self.filter, self.resampler);
        if part == Window::whole(original) {
            return resize_frame(image, frame, resized, how, window);
        }
        let is_whole = (image.width() as usize, image.height() as usize) == original;
        if is_whole && !self.resampler.is_pillow() {
            // No kernel reaches out of what was cut out first. Pillow's do, where Keras's load_img
            // has it cut and resize at once.
            let [x, y, width, height] =
                [part.left, part.top, part.width, part.height].map(|n| n as u32);
            let part = crop_imm(image, x, y, width, height).to_image();
            return resize_frame(&part, Frame::whole(&part), resized, how, window);
        }
        let within = |span: Span, start: usize, len: usize, whole: usize| {
            let scale = span.len / whole as f64;
            Span {
                start: span.start + start as f64 * scale,
                len: len as f64 * scale,
            }
        };
        let frame = Frame {
            columns: within(frame.columns, part.left, part.width, original.0),
            rows: within(frame.rows, part.top, part.height, original.1),
        };
        resize_frame(image, frame, resized, how, window)
    }

    /// Resamples a whole image to `size` by `size` pixels, whatever the recipe cuts out.
    pub(crate) fn squashed(&self, image: &RgbImage) -> Pixels {
        self.clone().with_crop(Crop::Squash).apply(image)
    }

    /// The part of an upright picture of this width and height that the network sees.
    pub fn region(&self, size: (usize, usize)) -> Region {
        self.steps(size).region()
    }

    /// How a picture of this width and height becomes a square.
    fn steps(&self, size: (usize, usize)) -> Steps {
        self.crop.steps(size, self.size, self.centring)
    }
}

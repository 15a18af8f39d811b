//! How a checkpoint wants its pixels.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::decode::decode_for;
use super::filter::Filter;
use super::frame::Frame;
use super::jpeg::Needs;
use super::limits::DecodeOptions;
use super::resize::{Window, resize_frame};
use super::scale::PixelScale;
use crate::error::{ImageError, Result};
use crate::model::validate_size;

/// The part of the resized image's side that TF-Slim's evaluation crops to, which the
/// published accuracies were measured with.
pub const CENTER_CROP: f64 = 0.875;

/// How many times the wanted width and height a JPEG decoded at a reduced scale has at least.
///
/// What is left to the resampler then hides most of what the reduced decoding does otherwise.
/// Pillow's `thumbnail` leaves as much.
const REDUCED_AT_LEAST: usize = 2;
/// What a JPEG's sides are divided by at most.
const MOST_REDUCED: usize = 8;

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

/// Where the centre of a picture lies that can't be in its middle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Centring {
    /// Half a pixel up and to the left, as with integers: `(n - size) / 2`.
    #[default]
    Down,
    /// To the even offset, as torchvision's `round`, and so timm.
    HalfToEven,
}

impl Centring {
    fn is_down(&self) -> bool {
        *self == Self::Down
    }

    /// What to leave out before the centre, of `spare` pixels that are too many.
    fn offset(self, spare: usize) -> usize {
        match self {
            Self::Down => spare / 2,
            Self::HalfToEven => spare / 2 + usize::from(spare % 4 == 3),
        }
    }
}

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
#[non_exhaustive]
pub struct Preprocessing {
    /// Side of the network's input in pixels.
    pub size: usize,
    /// How the picture becomes a square.
    pub crop: Crop,
    /// How it is resampled.
    pub filter: Filter,
    /// Which pixels are the centre.
    #[serde(default, skip_serializing_if = "Centring::is_down")]
    pub centring: Centring,
    /// What its bytes become.
    #[serde(default, skip_serializing_if = "PixelScale::is_default")]
    pub pixel_scale: PixelScale,
}

/// A part of a picture, in pixels and fractions of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Region {
    /// What is left of it.
    pub left: f64,
    /// What is above it.
    pub top: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

impl Region {
    /// The same part of the picture where that is `x` times as wide and `y` times as high.
    pub fn scaled(self, (x, y): (f64, f64)) -> Self {
        Self {
            left: self.left * x,
            top: self.top * y,
            width: self.width * x,
            height: self.height * y,
        }
    }
}

/// A picture as the network takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its pixels.
    pub pixels: RgbImage,
    /// Whether it was decoded at a reduced scale, so that the pixels are nearly those that
    /// Pillow makes, and not the very same.
    pub reduced: bool,
}

impl Preprocessing {
    /// What TF-Slim evaluates with: bilinear, the centre 87.5 % of the shorter side.
    pub fn center(size: usize) -> Self {
        Self {
            size,
            crop: Crop::Center(CENTER_CROP),
            filter: Filter::Bilinear,
            centring: Centring::Down,
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

    /// The same with another resampling.
    pub fn with_filter(self, filter: Filter) -> Self {
        Self { filter, ..self }
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
        match self.crop {
            Crop::Center(fraction) if !(fraction > 0.1 && fraction <= 1.0) => {
                Err(crate::Error::config(
                    "crop",
                    format!(
                        "centre crop of {fraction} is out of range: it has to be above 0.1 and at most 1"
                    ),
                ))
            }
            _ => Ok(()),
        }
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
        let picture = decode_for(bytes, options, &needs)?;
        Ok(Prepared {
            pixels: self.cut(&picture.pixels, picture.frame, picture.size),
            reduced: picture.is_reduced(),
        })
    }

    /// What of a picture of this width and height has to be decoded. What it is turned to by
    /// EXIF does not matter: the recipe is the same for both directions and both ends.
    fn needs(&self, size: (usize, usize), reduced: bool) -> Needs {
        let (width, height) = self.resized(size);
        // The centre, half a pixel of rounding, and what the kernel reaches beyond.
        let scale = size.1 as f64 / height as f64;
        let reach = self.size as f64 / 2.0 + 1.0 + self.filter.support() * scale.recip().max(1.0);
        let rows = size.1 as f64 / 2.0 + reach * scale;
        // And the pixels that a reduced one stands for.
        let rows = rows.ceil() as usize + MOST_REDUCED;
        Needs {
            // What is sampled is not to be averaged by the decoder either.
            size: match reduced && self.filter.averages() {
                true => (REDUCED_AT_LEAST * width, REDUCED_AT_LEAST * height),
                false => (usize::MAX, usize::MAX),
            },
            rows,
        }
    }

    /// Brings a picture to `size` by `size` pixels, to the bytes that Pillow makes.
    pub fn apply(&self, image: &RgbImage) -> RgbImage {
        let size = (image.width() as usize, image.height() as usize);
        self.cut(image, Frame::whole(image), size)
    }

    /// Resizes and crops a part of an image, which stands for a picture of size `original`.
    fn cut(&self, image: &RgbImage, frame: Frame, original: (usize, usize)) -> RgbImage {
        let resized = self.resized(original);
        let window = Window {
            left: self.centring.offset(resized.0 - self.size),
            top: self.centring.offset(resized.1 - self.size),
            width: self.size,
            height: self.size,
        };
        resize_frame(image, frame, resized, self.filter, window)
    }

    /// The part of an upright picture of this width and height that the network sees.
    pub fn region(&self, size: (usize, usize)) -> Region {
        let resized = self.resized(size);
        let part = |len: usize, resized: usize| {
            let scale = len as f64 / resized as f64;
            let before = self.centring.offset(resized - self.size);
            (before as f64 * scale, self.size as f64 * scale)
        };
        let (left, width) = part(size.0, resized.0);
        let (top, height) = part(size.1, resized.1);
        Region {
            left,
            top,
            width,
            height,
        }
    }

    /// Width and height that a picture is resized to before it is cropped.
    fn resized(&self, (width, height): (usize, usize)) -> (usize, usize) {
        match self.crop {
            Crop::Squash => (self.size, self.size),
            Crop::Center(fraction) => {
                let shorter = (self.size as f64 / fraction).round_ties_even() as usize;
                let longer = |long: usize, short: usize| long * shorter / short;
                match width <= height {
                    true => (shorter, longer(height, width)),
                    false => (longer(width, height), shorter),
                }
            }
        }
    }
}

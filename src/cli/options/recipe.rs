//! How a picture becomes the network's input.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use mobilenet::pixels::{CENTER_CROP, Crop, Dct, Filter, Preprocessing, Resampler};

/// What of a checkpoint's recipe is to be otherwise.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Pictures")]
pub struct RecipeOptions {
    /// How a picture becomes a square: `center` scales the shorter side and cuts out the centre (87.5 % of it, or
    /// as `center:0.9` says), `squash` scales both sides, `square` cuts out the largest square and
    /// scales that (Keras's crop_to_aspect_ratio), `unscaled` cuts out the centre as it is [default: what the
    /// checkpoint says, else center]
    #[arg(long, value_name = "HOW")]
    crop: Option<CropName>,

    /// The kernel that pictures are scaled with; Keras's load_img and ImageDataGenerator have `nearest` unless they
    /// are told otherwise [default: what the checkpoint says, else bilinear]
    #[arg(long, value_name = "KERNEL")]
    filter: Option<FilterName>,

    /// Whose arithmetic scales them: `tensorflow` is tf.image.resize and image_dataset_from_directory, which
    /// pass pixels over when they shrink a picture and never round, `torchvision` its resizing of tensors
    /// [default: what the checkpoint says, else pillow]
    #[arg(long, value_name = "TOOL")]
    resampler: Option<ResamplerName>,

    /// How a JPEG is decoded: `fast` as TensorFlow does it, unless it is told otherwise, `accurate` as all
    /// others [default: what the checkpoint says, else accurate]
    #[arg(long, value_name = "HOW")]
    dct: Option<DctName>,
}

/// `--crop`.
#[derive(Debug, Clone, Copy, PartialEq)]
enum CropName {
    Center(Option<f64>),
    Squash,
    Square,
    Unscaled,
}

impl FromStr for CropName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || {
            Err("expected center, center:FRACTION, squash, square or unscaled, FRACTION above 0.1 and at \
                 most 1"
                .to_owned())
        };
        match text.split_once(':') {
            Some(("center", fraction)) => match fraction.parse() {
                Ok(fraction) if fraction > 0.1 && fraction <= 1.0 => {
                    Ok(Self::Center(Some(fraction)))
                }
                _ => error(),
            },
            Some(_) => error(),
            None => match text {
                "center" => Ok(Self::Center(None)),
                "squash" => Ok(Self::Squash),
                "square" => Ok(Self::Square),
                "unscaled" => Ok(Self::Unscaled),
                _ => error(),
            },
        }
    }
}

/// `--filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FilterName {
    Nearest,
    Box,
    Bilinear,
    Hamming,
    Bicubic,
    Lanczos,
}

/// `--resampler`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ResamplerName {
    Pillow,
    Torchvision,
    Tensorflow,
    TensorflowAntialias,
}

/// `--dct`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DctName {
    Accurate,
    Fast,
}

impl RecipeOptions {
    /// Whether they state what a checkpoint may leave open.
    pub fn states(&self, setting: &str) -> bool {
        match setting {
            "crop" => self.crop.is_some(),
            "filter" => self.filter.is_some() || self.resampler.is_some(),
            _ => false,
        }
    }

    /// Whether they change nothing.
    pub fn say_nothing(&self) -> bool {
        let Self {
            crop,
            filter,
            resampler,
            dct,
        } = self;
        crop.is_none() && filter.is_none() && resampler.is_none() && dct.is_none()
    }

    /// A checkpoint's recipe, with what the command line changes of it.
    pub fn preprocessing(&self, recipe: &Preprocessing) -> Preprocessing {
        let crop = match (self.crop, recipe.crop) {
            (None, own) => own,
            (Some(CropName::Squash), _) => Crop::Squash,
            (Some(CropName::Square), _) => Crop::Square,
            (Some(CropName::Unscaled), _) => Crop::Unscaled,
            (Some(CropName::Center(Some(fraction))), _) => Crop::Center(fraction),
            (Some(CropName::Center(None)), own @ Crop::Center(_)) => own,
            (Some(CropName::Center(None)), _) => Crop::Center(CENTER_CROP),
        };
        let filter = match self.filter {
            None => recipe.filter,
            Some(FilterName::Nearest) => Filter::Nearest,
            Some(FilterName::Box) => Filter::Box,
            Some(FilterName::Bilinear) => Filter::Bilinear,
            Some(FilterName::Hamming) => Filter::Hamming,
            Some(FilterName::Bicubic) => Filter::Bicubic,
            Some(FilterName::Lanczos) => Filter::Lanczos,
        };
        let resampler = match self.resampler {
            None => recipe.resampler,
            Some(ResamplerName::Pillow) => Resampler::Pillow,
            Some(ResamplerName::Torchvision) => Resampler::Torchvision,
            Some(ResamplerName::Tensorflow) => Resampler::Tensorflow,
            Some(ResamplerName::TensorflowAntialias) => Resampler::TensorflowAntialias,
        };
        let dct = match self.dct {
            None => recipe.dct,
            Some(DctName::Accurate) => Dct::Accurate,
            Some(DctName::Fast) => Dct::Fast,
        };
        recipe
            .clone()
            .with_crop(crop)
            .with_filter(filter)
            .with_resampler(resampler)
            .with_dct(dct)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_may_state_its_fraction() {
        let crop = |text: &str| -> Option<Crop> {
            let options = RecipeOptions {
                crop: Some(text.parse().ok()?),
                ..RecipeOptions::default()
            };
            Some(options.preprocessing(&Preprocessing::squash(64)).crop)
        };
        assert_eq!(crop("center"), Some(Crop::Center(CENTER_CROP)));
        assert_eq!(crop("center:0.9"), Some(Crop::Center(0.9)));
        assert_eq!(crop("center:1"), Some(Crop::Center(1.0)));
        assert_eq!(crop("square"), Some(Crop::Square));
        for wrong in [
            "center:0.1",
            "center:1.1",
            "center:nan",
            "center:",
            "squash:1",
            "middle",
            "",
        ] {
            assert_eq!(crop(wrong), None, "{wrong}");
        }
        let own = Preprocessing::center(64).with_crop(Crop::Center(1.0));
        let options = RecipeOptions {
            crop: Some(CropName::Center(None)),
            ..RecipeOptions::default()
        };
        assert_eq!(options.preprocessing(&own).crop, Crop::Center(1.0));
    }
}

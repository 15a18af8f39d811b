//! transformers' `config.json` and `preprocessor_config.json`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::{PER_BYTE, activation, pixel_scale};
use crate::head::Head;
use crate::model::Padding;
use crate::pixels::{COLOURS, Crop, Filter, PixelScale, Preprocessing, Resampler};
use crate::weights::imported::Imported;

/// `config.json`, as far as it matters.
#[derive(Debug, Deserialize)]
pub(super) struct Description {
    hidden_act: Option<String>,
    layer_norm_eps: Option<f64>,
    tf_padding: Option<bool>,
    image_size: Option<usize>,
    id2label: Option<BTreeMap<usize, String>>,
    problem_type: Option<String>,
}

/// `preprocessor_config.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Preprocessor {
    size: Side,
    resample: Option<u8>,
    image_processor_type: Option<String>,
    feature_extractor_type: Option<String>,
    #[serde(default = "yes")]
    do_resize: bool,
    do_center_crop: Option<bool>,
    crop_size: Option<Side>,
    crop_pct: Option<f64>,
    #[serde(default)]
    do_flip_channel_order: bool,
    #[serde(default)]
    do_pad: bool,
    rescale_offset: Option<bool>,
    #[serde(default = "yes")]
    do_rescale: bool,
    #[serde(default = "per_byte")]
    rescale_factor: f64,
    #[serde(default = "yes")]
    do_normalize: bool,
    image_mean: Option<[f64; COLOURS]>,
    image_std: Option<[f64; COLOURS]>,
}

fn yes() -> bool {
    true
}

fn per_byte() -> f64 {
    PER_BYTE
}

/// A size as transformers writes it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Side {
    Shortest { shortest_edge: usize },
    Both { height: usize, width: usize },
    Plain(usize),
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shortest { shortest_edge } => write!(f, "a shorter side of {shortest_edge}"),
            Self::Both { height, width } => write!(f, "{width}x{height}"),
            Self::Plain(side) => write!(f, "{side}"),
        }
    }
}

impl Description {
    pub fn apply(self, imported: &mut Imported) -> Result<(), String> {
        if let Some(name) = self.hidden_act.as_deref() {
            imported.activation = Some(activation(name)?);
        }
        if let Some(epsilon) = self.layer_norm_eps {
            imported.batch_norm_epsilon = epsilon;
        }
        match self.tf_padding {
            Some(true) => imported.padding = Padding::Same,
            Some(false) => imported.padding = Padding::Symmetric,
            None => {}
        }
        imported.size = self.image_size.or(imported.size);
        // As its pipeline for image classification has it.
        let has_one_label = self
            .id2label
            .as_ref()
            .is_some_and(|labels| labels.len() == 1);
        imported.head = match self.problem_type.as_deref() {
            None | Some("single_label_classification") if has_one_label => Some(Head::Sigmoid),
            Some("multi_label_classification") => Some(Head::Sigmoid),
            Some("single_label_classification") => Some(Head::Softmax),
            None => self.id2label.as_ref().map(|_| Head::Softmax),
            Some(other) => return Err(format!("its problem_type is {other}")),
        };
        if let Some(labels) = self.id2label {
            imported.labels = Some(in_order(labels)?);
        }
        Ok(())
    }
}

/// The labels of outputs from 0 on.
fn in_order(labels: BTreeMap<usize, String>) -> Result<Vec<String>, String> {
    match labels.keys().enumerate().find(|(at, key)| at != *key) {
        None => Ok(labels.into_values().collect()),
        Some((at, _)) => Err(format!(
            "it has {} labels, and none for output {at}: id2label has to have the keys from 0 to {}",
            labels.len(),
            labels.len() - 1
        )),
    }
}

/// What an image processor does where its file says nothing of it.
#[derive(Debug, Clone, Copy)]
struct Habits {
    /// Whether it crops what it resized.
    crops: bool,
    /// Whether a plain number for a size is that of both sides.
    squashes: bool,
    /// Pillow's number for what it resamples with.
    resample: u8,
}

impl Habits {
    /// Those of a kind; `None` for one that may do something else besides.
    fn of(kind: &str) -> Option<Self> {
        let kind = kind.trim_end_matches("Fast").trim_end_matches("Pil");
        let kind = kind
            .trim_end_matches("ImageProcessor")
            .trim_end_matches("FeatureExtractor");
        let (crops, squashes, resample) = match kind {
            "MobileNetV1" | "MobileNetV2" => (true, false, 2),
            "CLIP" => (true, false, 3),
            "DeiT" => (true, true, 3),
            "ViT" => (false, true, 2),
            _ => return None,
        };
        Some(Self {
            crops,
            squashes,
            resample,
        })
    }
}

impl Preprocessor {
    pub fn recipe(&self) -> Result<Preprocessing, String> {
        let pixel_scale = self.pixel_scale()?;
        let square = |side: Side| match side {
            Side::Both { height, width } if height == width => Ok(height),
            Side::Plain(n) => Ok(n),
            other => Err(format!("its size is {other}, not a square")),
        };
        let habits = self.habits()?;
        let squashes = matches!(self.size, Side::Both { .. })
            || matches!(self.size, Side::Plain(_)) && habits.is_some_and(|habits| habits.squashes);
        let (size, crop) = if self.crops(habits)? {
            let side = match self.size {
                Side::Shortest { shortest_edge } => shortest_edge,
                size => square(size)?,
            };
            let size = square(self.crop_size.unwrap_or(Side::Plain(side)))?;
            if size > side {
                return Err(format!("it resizes to {side} and crops to {size}"));
            }
            let fraction = size as f64 / side as f64;
            if squashes {
                (size, Crop::SquashCenter(fraction))
            } else {
                (size, Crop::Center(fraction))
            }
        } else {
            (square(self.size)?, Crop::Squash)
        };
        let resample = self.resample.or(habits.map(|habits| habits.resample));
        let filter = match resample.ok_or("it does not say how it resamples")? {
            0 => Filter::Nearest,
            1 => Filter::Lanczos,
            2 => Filter::Bilinear,
            3 => Filter::Bicubic,
            4 => Filter::Box,
            5 => Filter::Hamming,
            other => return Err(format!("its resampling is Pillow's number {other}")),
        };
        Ok(Preprocessing::center(size)
            .with_crop(crop)
            .with_filter(filter)
            .with_resampler(Self::resampler(filter))
            .with_pixel_scale(pixel_scale))
    }

    /// What resizes pictures where transformers loads the configuration: since version 5 torchvision, whatever
    /// wrote it. Earlier versions used Pillow under the same names, as later ones do if they are asked, and that
    /// can't be told from a file. What only Pillow has is Pillow's.
    fn resampler(filter: Filter) -> Resampler {
        if Resampler::Torchvision.has(filter) {
            Resampler::Torchvision
        } else {
            Resampler::Pillow
        }
    }

    /// The class that makes its pictures.
    fn kind(&self) -> Option<&str> {
        let kind = self.image_processor_type.as_deref();
        kind.or(self.feature_extractor_type.as_deref())
    }

    /// What its kind does, if that is stated.
    fn habits(&self) -> Result<Option<Habits>, String> {
        let Some(kind) = self.kind() else {
            return Ok(None);
        };
        match Habits::of(kind) {
            Some(habits) => Ok(Some(habits)),
            None => Err(format!(
                "its pictures are made by {kind}, which is not supported"
            )),
        }
    }

    /// Whether it crops: as it says, or else as its kind does.
    fn crops(&self, habits: Option<Habits>) -> Result<bool, String> {
        for (is_so, what) in [
            (!self.do_resize, "it does not resize pictures"),
            (self.crop_pct.is_some(), "it crops by crop_pct"),
            (self.do_flip_channel_order, "it takes blue before red"),
            (self.do_pad, "it pads pictures"),
            (
                self.rescale_offset == Some(true),
                "it moves pixels by an offset of its own",
            ),
        ] {
            if is_so {
                return Err(format!("{what}, which is not supported"));
            }
        }
        let crops = self.do_center_crop.or(habits.map(|habits| habits.crops));
        crops.ok_or_else(|| {
            "it makes pictures in a way without a name, and not whether it crops them".into()
        })
    }

    fn pixel_scale(&self) -> Result<PixelScale, String> {
        let factor = if self.do_rescale {
            self.rescale_factor
        } else {
            1.0
        };
        let (mean, std) = match (self.do_normalize, self.image_mean, self.image_std) {
            (false, _, _) => ([0.0; COLOURS], [1.0; COLOURS]),
            (true, Some(mean), Some(std)) => (mean, std),
            (true, _, _) => return Err("it normalises pixels, without a mean or deviation".into()),
        };
        pixel_scale(factor, mean, std)
    }
}

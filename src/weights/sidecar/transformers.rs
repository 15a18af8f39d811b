//! transformers' `config.json` and `preprocessor_config.json`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::{PER_BYTE, activation, pixel_scale};
use crate::head::Head;
use crate::model::Padding;
use crate::pixels::{COLOURS, Crop, Filter, PixelScale, Preprocessing};
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
    resample: u8,
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

/// Whether an image processor resizes and then crops, where it says nothing of that; `None` for one
/// that may do something else. They do the same otherwise.
fn crops_by_itself(kind: &str) -> Option<bool> {
    let kind = kind.trim_end_matches("Fast").trim_end_matches("Pil");
    match kind
        .trim_end_matches("ImageProcessor")
        .trim_end_matches("FeatureExtractor")
    {
        "MobileNetV1" | "MobileNetV2" | "DeiT" | "CLIP" => Some(true),
        "ViT" => Some(false),
        _ => None,
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
        let (size, crop) = match (self.crops()?, self.size) {
            (false, size) => (square(size)?, Crop::Squash),
            (
                true,
                Side::Shortest {
                    shortest_edge: side,
                }
                | Side::Plain(side),
            ) => {
                let size = square(self.crop_size.unwrap_or(Side::Plain(side)))?;
                if size > side {
                    return Err(format!("it resizes to {side} and crops to {size}"));
                }
                (size, Crop::Center(size as f64 / side as f64))
            }
            (true, size) => return Err(format!("it resizes to {size} and then crops")),
        };
        let filter = match self.resample {
            2 => Filter::Bilinear,
            3 => Filter::Bicubic,
            other => return Err(format!("its resampling is Pillow's number {other}")),
        };
        Ok(Preprocessing::center(size)
            .with_crop(crop)
            .with_filter(filter)
            .with_pixel_scale(pixel_scale))
    }

    /// Whether it crops: as it says, or else as its kind does.
    fn crops(&self) -> Result<bool, String> {
        let kind = self.image_processor_type.as_ref();
        let kind = kind.or(self.feature_extractor_type.as_ref());
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
        let by_itself = kind.map(|kind| (kind, crops_by_itself(kind)));
        match (self.do_center_crop, by_itself) {
            (_, Some((kind, None))) => Err(format!(
                "its pictures are made by {kind}, which is not supported"
            )),
            (Some(crops), _) | (None, Some((_, Some(crops)))) => Ok(crops),
            (None, None) => Err(
                "it makes pictures in a way without a name, and not whether it crops them".into(),
            ),
        }
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

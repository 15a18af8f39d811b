//! What the files beside a checkpoint say of it: `config.json`, `preprocessor_config.json`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::imported::Imported;
use crate::model::Padding;
use crate::ops::Activation;
use crate::pixels::{COLOURS, Centring, Crop, Filter, PixelScale, Preprocessing};

/// More than the labels of a million classes need.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// `config.json` of transformers and of timm, as far as it matters.
#[derive(Debug, Deserialize)]
struct Description {
    hidden_act: Option<String>,
    layer_norm_eps: Option<f64>,
    tf_padding: Option<bool>,
    image_size: Option<usize>,
    id2label: Option<BTreeMap<usize, String>>,
    label_names: Option<Vec<String>>,
    pretrained_cfg: Option<TimmRecipe>,
    model_args: Option<TimmArguments>,
}

/// timm's `pretrained_cfg`.
#[derive(Debug, Deserialize)]
struct TimmRecipe {
    input_size: [usize; 3],
    interpolation: String,
    crop_pct: f64,
    crop_mode: Option<String>,
    mean: [f64; COLOURS],
    std: [f64; COLOURS],
}

/// timm's `model_args`: what the network was made with, as far as it changes the answers.
#[derive(Debug, Deserialize)]
struct TimmArguments {
    act_layer: Option<String>,
    pad_type: Option<String>,
    in_chans: Option<usize>,
    global_pool: Option<String>,
}

/// transformers' `preprocessor_config.json`.
#[derive(Debug, Deserialize)]
struct Preprocessor {
    size: Side,
    resample: u8,
    image_processor_type: Option<String>,
    do_center_crop: Option<bool>,
    crop_size: Option<Side>,
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
    1.0 / 255.0
}

/// A size as transformers writes it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Side {
    Shortest { shortest_edge: usize },
    Both { height: usize, width: usize },
    Plain(usize),
}

/// Adds what the files in the folder of a checkpoint say.
///
/// # Errors
/// A file that is damaged, or describes what can't be done.
pub(super) fn read(checkpoint: &Path, imported: &mut Imported) -> Result<(), String> {
    let folder = checkpoint.parent().unwrap_or(Path::new(""));
    if let Some(description) = json::<Description>(folder, "config.json")? {
        let said = |reason: String| format!("config.json beside it says that {reason}");
        description.apply(imported).map_err(said)?;
    }
    if let Some(preprocessor) = json::<Preprocessor>(folder, "preprocessor_config.json")? {
        let said =
            |reason: String| format!("preprocessor_config.json beside it says that {reason}");
        imported.recipe = Some(preprocessor.recipe().map_err(said)?);
    }
    Ok(())
}

/// A file that is there, understood.
fn json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<T>, String> {
    let Ok(file) = File::open(folder.join(name)) else {
        return Ok(None);
    };
    let mut text = String::new();
    let read = file.take(MAX_FILE_BYTES).read_to_string(&mut text);
    read.map_err(|e| format!("{name} beside it can't be read: {e}"))?;
    let value = serde_json::from_str(&text);
    value.map_err(|e| format!("{name} beside it is not understood: {e}"))
}

impl TimmArguments {
    fn apply(self, imported: &mut Imported) -> Result<(), String> {
        match self.act_layer.as_deref() {
            None => {}
            Some("relu6") => imported.activation = Some(Activation::Relu6),
            Some("relu") => imported.activation = Some(Activation::Relu),
            Some(other) => return Err(format!("its activation is {other}")),
        }
        match self.pad_type.as_deref() {
            None | Some("") => {}
            Some("same") => imported.padding = Padding::Same,
            Some(other) => return Err(format!("its padding is {other}")),
        }
        match self.in_chans {
            None | Some(COLOURS) => {}
            Some(channels) => return Err(format!("its pixels have {channels} channels")),
        }
        match self.global_pool.as_deref() {
            None | Some("avg") => Ok(()),
            Some(other) => Err(format!("its global pool is {other:?}, not avg")),
        }
    }
}

impl Description {
    fn apply(self, imported: &mut Imported) -> Result<(), String> {
        imported.activation = match self.hidden_act.as_deref() {
            None => imported.activation,
            Some("relu6") => Some(Activation::Relu6),
            Some("relu") => Some(Activation::Relu),
            Some(other) => return Err(format!("its activation is {other}")),
        };
        if let Some(epsilon) = self.layer_norm_eps {
            imported.batch_norm_epsilon = epsilon;
        }
        match self.tf_padding {
            Some(true) => imported.padding = Padding::Same,
            Some(false) => imported.padding = Padding::Symmetric,
            None => {}
        }
        imported.size = self.image_size.or(imported.size);
        let named = |labels: BTreeMap<usize, String>| labels.into_values().collect();
        imported.labels = self.label_names.or(self.id2label.map(named));
        if let Some(arguments) = self.model_args {
            arguments.apply(imported)?;
        }
        if let Some(recipe) = self.pretrained_cfg {
            imported.recipe = Some(recipe.recipe()?);
        }
        Ok(())
    }
}

impl TimmRecipe {
    /// As its model cards use it: the shorter side to `floor(size / crop_pct)`, centre cut out.
    fn recipe(&self) -> Result<Preprocessing, String> {
        let pixel_scale = pixel_scale(per_byte(), self.mean, self.std)?;
        let [_, size, width] = self.input_size;
        if size != width {
            return Err(format!("its input is {width}x{size}, not a square"));
        }
        if self
            .crop_mode
            .as_deref()
            .is_some_and(|mode| mode != "center")
        {
            return Err(format!("its crop_mode is {:?}", self.crop_mode));
        }
        if !(self.crop_pct > 0.0 && self.crop_pct <= 1.0) {
            return Err(format!("its crop_pct is {}", self.crop_pct));
        }
        let shorter = (size as f64 / self.crop_pct).floor();
        let filter = match self.interpolation.as_str() {
            "bilinear" => Filter::Bilinear,
            "bicubic" => Filter::Bicubic,
            other => return Err(format!("its interpolation is {other}")),
        };
        Ok(Preprocessing::center(size)
            .with_crop(Crop::Center(size as f64 / shorter))
            .with_filter(filter)
            .with_centring(Centring::HalfToEven)
            .with_pixel_scale(pixel_scale))
    }
}

impl Preprocessor {
    fn recipe(&self) -> Result<Preprocessing, String> {
        let pixel_scale = self.pixel_scale()?;
        let square = |side: Side| match side {
            Side::Both { height, width } if height == width => Ok(height),
            Side::Plain(n) => Ok(n),
            other => Err(format!("its size is {other:?}, not a square")),
        };
        let (size, crop) = match (self.crops()?, self.size) {
            (false, size) => (square(size)?, Crop::Squash),
            (true, Side::Shortest { shortest_edge }) => {
                let size = square(self.crop_size.unwrap_or(Side::Plain(shortest_edge)))?;
                (size, Crop::Center(size as f64 / shortest_edge as f64))
            }
            (true, size) => return Err(format!("it resizes to {size:?} and then crops")),
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
        let kind = self.image_processor_type.as_deref().unwrap_or_default();
        match self.do_center_crop {
            Some(crops) => Ok(crops),
            None if kind.starts_with("MobileNetV1") => Ok(true),
            None if kind.starts_with("ViT") => Ok(false),
            None => Err(format!(
                "it is a {kind:?}, and not whether it crops pictures"
            )),
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

/// The scale of pixels that are multiplied by a factor, then made to have no mean and a deviation of
/// 1 by those that are stated.
fn pixel_scale(
    factor: f64,
    mean: [f64; COLOURS],
    std: [f64; COLOURS],
) -> Result<PixelScale, String> {
    let scale = PixelScale::from_mean_and_std(factor, mean, std);
    let error = |e| format!("its mean is {mean:?} and its deviation {std:?}: {e}");
    Ok(scale.map_err(error)?.snapped())
}

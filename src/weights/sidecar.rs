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
use crate::pixels::{Centring, Crop, Filter, Preprocessing};

/// More than the labels of a million classes need.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The mean and standard deviation of pixels in [0, 1] that bring them to [-1, 1].
const HALF: [f64; 3] = [0.5; 3];

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
}

/// timm's `pretrained_cfg`.
#[derive(Debug, Deserialize)]
struct TimmRecipe {
    input_size: [usize; 3],
    interpolation: String,
    crop_pct: f64,
    crop_mode: Option<String>,
    mean: [f64; 3],
    std: [f64; 3],
}

/// transformers' `preprocessor_config.json`.
#[derive(Debug, Deserialize)]
struct Preprocessor {
    size: Side,
    resample: u8,
    do_center_crop: bool,
    crop_size: Option<Side>,
    image_mean: [f64; 3],
    image_std: [f64; 3],
    #[serde(default = "per_byte")]
    rescale_factor: f64,
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
        if let Some(recipe) = self.pretrained_cfg {
            imported.recipe = Some(recipe.recipe()?);
        }
        Ok(())
    }
}

impl TimmRecipe {
    /// As its model cards use it: the shorter side to `floor(size / crop_pct)`, centre cut out.
    fn recipe(&self) -> Result<Preprocessing, String> {
        check_scaling(self.mean, self.std, per_byte())?;
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
        Ok(Preprocessing {
            size,
            crop: Crop::Center(size as f64 / shorter),
            filter: match self.interpolation.as_str() {
                "bilinear" => Filter::Bilinear,
                "bicubic" => Filter::Bicubic,
                other => return Err(format!("its interpolation is {other}")),
            },
            centring: Centring::HalfToEven,
        })
    }
}

impl Preprocessor {
    fn recipe(&self) -> Result<Preprocessing, String> {
        check_scaling(self.image_mean, self.image_std, self.rescale_factor)?;
        let square = |side: Side| match side {
            Side::Both { height, width } if height == width => Ok(height),
            Side::Plain(n) => Ok(n),
            other => Err(format!("its size is {other:?}, not a square")),
        };
        let (size, crop) = match (self.do_center_crop, self.size) {
            (false, size) => (square(size)?, Crop::Squash),
            (true, Side::Shortest { shortest_edge }) => {
                let size = square(self.crop_size.unwrap_or(Side::Plain(shortest_edge)))?;
                (size, Crop::Center(size as f64 / shortest_edge as f64))
            }
            (true, size) => return Err(format!("it resizes to {size:?} and then crops")),
        };
        Ok(Preprocessing {
            size,
            crop,
            filter: match self.resample {
                2 => Filter::Bilinear,
                3 => Filter::Bicubic,
                other => return Err(format!("its resampling is Pillow's number {other}")),
            },
            centring: Centring::Down,
        })
    }
}

fn check_scaling(mean: [f64; 3], std: [f64; 3], factor: f64) -> Result<(), String> {
    let usual = mean == HALF && std == HALF && (factor - per_byte()).abs() < 1e-9;
    match usual {
        true => Ok(()),
        false => Err(format!(
            "its pixels are scaled by {factor} with mean {mean:?} and deviation {std:?}; only to \
             [-1, 1] is supported"
        )),
    }
}

//! timm's `config.json`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{PER_BYTE, activation, pixel_scale};
use crate::model::Padding;
use crate::pixels::{COLOURS, Centring, Crop, Filter, Preprocessing};
use crate::weights::imported::Imported;

/// As far as it matters.
#[derive(Debug, Deserialize)]
pub(super) struct Description {
    label_names: Option<Vec<String>>,
    global_pool: Option<String>,
    pretrained_cfg: Option<Recipe>,
    model_args: Option<Arguments>,
}

/// `pretrained_cfg`.
#[derive(Debug, Deserialize)]
struct Recipe {
    input_size: [usize; 3],
    interpolation: String,
    crop_pct: f64,
    crop_mode: Option<String>,
    mean: Vec<f64>,
    std: Vec<f64>,
}

/// `model_args`: what the network was made with, as far as it changes the answers.
#[derive(Debug, Deserialize)]
struct Arguments {
    act_layer: Option<String>,
    pad_type: Option<String>,
    in_chans: Option<usize>,
    global_pool: Option<String>,
    bn_eps: Option<f64>,
    output_stride: Option<usize>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Arguments that change nothing once a network is trained, or whose work the tensors show.
const HARMLESS: &[&str] = &[
    "bn_momentum",
    "cache_dir",
    "channel_multiplier",
    "drop_block_rate",
    "drop_path_rate",
    "drop_rate",
    "exportable",
    "fix_stem",
    "head_conv",
    "num_classes",
    "pretrained",
    "scriptable",
    "stem_size",
];

/// Whether an argument of this value leaves the network as it is.
fn is_harmless(name: &str, value: &Value) -> bool {
    let usual = match name {
        "depth_multiplier" => Some(1.0),
        "stem_kernel_size" => Some(3.0),
        _ => None,
    };
    let is_usual = usual.is_some() && value.as_f64() == usual;
    is_usual || value.is_null() || *value == Value::Bool(false) || HARMLESS.contains(&name)
}

/// What a network reduces its pictures' sides by.
const STRIDE: usize = 32;

impl Description {
    pub fn apply(self, imported: &mut Imported) -> Result<(), String> {
        if let Some(labels) = self.label_names {
            imported.labels = Some(labels);
        }
        check_pool(self.global_pool.as_deref())?;
        if let Some(arguments) = self.model_args {
            arguments.apply(imported)?;
        }
        if let Some(recipe) = self.pretrained_cfg {
            imported.recipe = Some(recipe.recipe()?);
        }
        Ok(())
    }
}

/// Refuses another pool than the average over all places.
fn check_pool(pool: Option<&str>) -> Result<(), String> {
    match pool {
        None | Some("avg" | "fast" | "fastavg") => Ok(()),
        Some("") => Err("it has no global pool, and so no embedding".into()),
        Some(other) => Err(format!("its global pool is {other:?}, not avg")),
    }
}

impl Arguments {
    fn apply(self, imported: &mut Imported) -> Result<(), String> {
        if let Some(name) = self.act_layer.as_deref() {
            imported.activation = Some(activation(name)?);
        }
        match self.pad_type.as_deref() {
            None | Some("") => {}
            Some("same") => imported.padding = Padding::Same,
            Some(other) => return Err(format!("its padding is {other}")),
        }
        if let Some(epsilon) = self.bn_eps {
            imported.batch_norm_epsilon = epsilon;
        }
        match self.in_chans {
            None | Some(COLOURS) => {}
            Some(channels) => return Err(format!("its pixels have {channels} channels")),
        }
        match self.output_stride {
            None | Some(STRIDE) => {}
            Some(stride) => return Err(format!("its output stride is {stride}, not {STRIDE}")),
        }
        check_pool(self.global_pool.as_deref())?;
        let mut others = self.others.iter();
        match others.find(|(name, value)| !is_harmless(name, value)) {
            None => Ok(()),
            Some((name, value)) => Err(format!(
                "it was made with {name} {value}, which is not supported"
            )),
        }
    }
}

impl Recipe {
    /// As its model cards use it: the shorter side, or both, to `floor(size / crop_pct)`, centre cut out.
    fn recipe(&self) -> Result<Preprocessing, String> {
        let [channels, size, width] = self.input_size;
        let colours = |values: &[f64]| <[f64; COLOURS]>::try_from(values).ok();
        let (Some(mean), Some(std)) = (colours(&self.mean), colours(&self.std)) else {
            let means = self.mean.len();
            return Err(format!("its pixels have {means} channels"));
        };
        if channels != COLOURS {
            return Err(format!("its pixels have {channels} channels"));
        }
        let pixel_scale = pixel_scale(PER_BYTE, mean, std)?;
        if size != width {
            return Err(format!("its input is {width}x{size}, not a square"));
        }
        if !(self.crop_pct > 0.0 && self.crop_pct <= 1.0) {
            return Err(format!("its crop_pct is {}", self.crop_pct));
        }
        let fraction = size as f64 / (size as f64 / self.crop_pct).floor();
        let crop = match self.crop_mode.as_deref() {
            None | Some("center") => Crop::Center(fraction),
            Some("squash") => Crop::SquashCenter(fraction),
            Some(mode) => return Err(format!("its crop_mode is {mode}, not center or squash")),
        };
        let filter = match self.interpolation.as_str() {
            "nearest" => Filter::Nearest,
            "box" => Filter::Box,
            "bilinear" => Filter::Bilinear,
            "hamming" => Filter::Hamming,
            "bicubic" => Filter::Bicubic,
            "lanczos" => Filter::Lanczos,
            other => return Err(format!("its interpolation is {other}")),
        };
        Ok(Preprocessing::center(size)
            .with_crop(crop)
            .with_filter(filter)
            .with_centring(Centring::HalfToEven)
            .with_pixel_scale(pixel_scale))
    }
}

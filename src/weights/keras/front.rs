//! What a described model does to its pixels before its first convolution: the layers that make them up
//! are its recipe.

use serde_json::Value;

use super::layout::Arithmetic;
use super::stored::StoredLayer;
use crate::pixels::{COLOURS, Crop, Filter, PixelScale, Preprocessing, Resampler};

/// Keras's least deviation.
const LEAST_DEVIATION: f64 = 1e-7;

/// What the layers so far do.
#[derive(Debug, Default)]
pub(super) struct Front {
    /// The side of the pictures that they give, where it is stated.
    pub size: Option<usize>,
    /// How they become squares of that side, where the model takes pictures of any size.
    pub view: Option<Preprocessing>,
    scaling: Scaling,
    /// Whether it takes integers, which `Resizing` rounds to.
    takes_integers: bool,
}

/// `x * scale + offset`, for each colour.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scaling {
    scale: [f64; COLOURS],
    offset: [f64; COLOURS],
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            scale: [1.0; COLOURS],
            offset: [0.0; COLOURS],
        }
    }
}

impl Front {
    /// An `InputLayer`.
    pub fn input(&mut self, config: &Value) {
        self.size = self.size.or_else(|| input_side(config));
        let dtype = config["dtype"].as_str().unwrap_or_default();
        self.takes_integers |= dtype.contains("int");
    }

    /// A `Resizing`: pictures of any size are brought to one by the model itself.
    pub fn resizing(&mut self, config: &Value) -> Result<(), String> {
        let (side, recipe) = resizing(config)?;
        if self.size == Some(side) && self.view.is_none() {
            return Ok(());
        }
        if self.size.is_some() || self.view.is_some() {
            return Err("resizes pictures that have a size already".into());
        }
        if self.takes_integers && recipe.filter != Filter::Nearest {
            return Err(
                "rounds to the integers that the model takes, which is not supported".into(),
            );
        }
        self.set(side, recipe);
        Ok(())
    }

    /// A `CenterCrop`.
    pub fn center_crop(&mut self, config: &Value) -> Result<(), String> {
        let side = square(config).ok_or("makes something else than a square")?;
        let crop = self.view.as_ref().map(|view| view.crop);
        match (self.size, crop) {
            (Some(size), _) if size == side => Ok(()),
            (None, None) => {
                self.set(side, tensorflow(Crop::Unscaled, Filter::Bilinear));
                Ok(())
            }
            (Some(size), Some(Crop::Squash)) if size > side => {
                let crop = Crop::SquashCenter(side as f64 / size as f64);
                self.size = Some(side);
                self.view = self.view.take().map(|view| view.with_crop(crop));
                Ok(())
            }
            (Some(size), _) => Err(format!(
                "makes {side}x{side} of pictures that are {size}x{size} already, which is not supported"
            )),
            (None, Some(_)) => Err("comes after another one".into()),
        }
    }

    fn set(&mut self, side: usize, recipe: Preprocessing) {
        self.size = Some(side);
        self.view = Some(recipe);
    }

    /// A `Rescaling`.
    pub fn rescaling(&mut self, config: &Value) -> Result<(), String> {
        let scale = colours(&config["scale"]);
        let offset = match &config["offset"] {
            Value::Null => Some([0.0; COLOURS]),
            offset => colours(offset),
        };
        let (Some(scale), Some(offset)) = (scale, offset) else {
            return Err("has a scaling that is none for three colours".into());
        };
        self.then(scale, offset);
        Ok(())
    }

    /// An operation with a constant.
    pub fn arithmetic(&mut self, arithmetic: Arithmetic, constant: f64) {
        let (scale, offset) = match arithmetic {
            Arithmetic::Add => (1.0, constant),
            Arithmetic::Subtract => (1.0, -constant),
            Arithmetic::Multiply => (constant, 0.0),
            Arithmetic::Divide => (1.0 / constant, 0.0),
        };
        self.then([scale; COLOURS], [offset; COLOURS]);
    }

    /// A `Normalization`, with the mean and the variance that it was adapted to, if the file has such.
    pub fn normalization(
        &mut self,
        config: &Value,
        stored: Option<StoredLayer>,
    ) -> Result<(), String> {
        // Of each colour, or of all values.
        let axis = &config["axis"];
        let by_colour = |axis: &Value| *axis == -1 || *axis == 3;
        let is_usual = match axis {
            Value::Array(axes) => axes.iter().all(by_colour),
            Value::Null => true,
            axis => by_colour(axis),
        };
        if !is_usual {
            return Err(format!(
                "has statistics of the axes {axis}, not of each colour"
            ));
        }
        let given = |what: &str| match &config[what] {
            Value::Null => None,
            stated => Some(colours(stated)),
        };
        let adapted = |what: &str, number: &str| {
            let variables = &stored.as_ref()?.variables;
            let data = variables.get(what).or_else(|| variables.get(number))?;
            let values = data.values.iter().map(|value| f64::from(*value));
            Some(each(values.collect()))
        };
        let mean = given("mean").or_else(|| adapted("mean", "0"));
        let variance = given("variance").or_else(|| adapted("variance", "1"));
        let (mean, variance) = match (mean, variance) {
            (Some(Some(mean)), Some(Some(variance))) => (mean, variance),
            (None, _) | (_, None) => {
                return Err("has a mean and a variance that are not in the file".into());
            }
            _ => return Err("has a mean or a variance that is none of three colours".into()),
        };
        let deviation = variance.map(|variance| variance.sqrt().max(LEAST_DEVIATION));
        if config["invert"] == true {
            self.then(deviation, mean);
        } else {
            let offset = std::array::from_fn(|colour| -mean[colour] / deviation[colour]);
            self.then(deviation.map(f64::recip), offset);
        }
        Ok(())
    }

    fn then(&mut self, scale: [f64; COLOURS], offset: [f64; COLOURS]) {
        let before = self.scaling;
        self.scaling = Scaling {
            scale: std::array::from_fn(|c| before.scale[c] * scale[c]),
            offset: std::array::from_fn(|c| before.offset[c] * scale[c] + offset[c]),
        };
    }

    /// What becomes of a byte; `None` where the model leaves it to its caller, which then scales
    /// pixels as all published networks take them.
    ///
    /// # Errors
    /// What no recipe can have.
    pub fn pixel_scale(&self) -> Result<Option<PixelScale>, String> {
        if self.scaling == Scaling::default() {
            return Ok(None);
        }
        let Scaling { scale, offset } = self.scaling;
        let scale = PixelScale::new(scale, offset).map_err(|e| e.to_string())?;
        Ok(Some(scale.snapped()))
    }
}

/// As TensorFlow's own functions resample; the size is not stated, nor what decodes a file.
fn tensorflow(crop: Crop, filter: Filter) -> Preprocessing {
    Preprocessing::squash(1)
        .with_crop(crop)
        .with_filter(filter)
        .with_resampler(Resampler::Tensorflow)
}

/// The side that a `Resizing` brings any picture to, and how.
fn resizing(config: &Value) -> Result<(usize, Preprocessing), String> {
    let side = square(config).ok_or("makes something else than a square")?;
    if config["pad_to_aspect_ratio"] == true {
        return Err("has pad_to_aspect_ratio, which is not supported".into());
    }
    let crop = if config["crop_to_aspect_ratio"] == true {
        Crop::Square
    } else {
        Crop::Squash
    };
    let filter = match config["interpolation"].as_str().unwrap_or("bilinear") {
        "bilinear" => Filter::Bilinear,
        "nearest" => Filter::Nearest,
        "bicubic" => Filter::Bicubic,
        "lanczos3" => Filter::Lanczos,
        other => {
            return Err(format!(
                "has the interpolation {other}, where nearest, bilinear, bicubic and lanczos3 are \
                 supported"
            ));
        }
    };
    let recipe = tensorflow(crop, filter);
    let recipe = if config["antialias"] == true {
        recipe.with_resampler(Resampler::TensorflowAntialias)
    } else {
        recipe
    };
    Ok((side, recipe))
}

/// A number for each colour, stated as such or as one for all.
fn colours(value: &Value) -> Option<[f64; COLOURS]> {
    match value {
        Value::Array(values) => {
            let values: Option<Vec<f64>> = values.iter().map(Value::as_f64).collect();
            each(values?)
        }
        value => value.as_f64().map(|value| [value; COLOURS]),
    }
}

/// The same of a list, which may be of one number.
fn each(values: Vec<f64>) -> Option<[f64; COLOURS]> {
    match values[..] {
        [one] => Some([one; COLOURS]),
        _ => values.try_into().ok(),
    }
}

/// The side of a square input, where its shape is stated.
fn input_side(config: &Value) -> Option<usize> {
    let shape = match &config["batch_shape"] {
        Value::Null => &config["batch_input_shape"],
        shape => shape,
    };
    side(&shape[1], &shape[2])
}

fn square(config: &Value) -> Option<usize> {
    side(&config["height"], &config["width"])
}

fn side(height: &Value, width: &Value) -> Option<usize> {
    let side = height.as_u64().filter(|_| height == width)?;
    usize::try_from(side).ok().filter(|side| *side > 0)
}

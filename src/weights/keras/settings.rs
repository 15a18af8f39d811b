//! What the settings of a described layer say.

use serde_json::Value;

use crate::head::Head;
use crate::ops::Activation;
use crate::pixels::{COLOURS, Filter, PixelScale};

/// `x * scale + offset`, for each colour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scaling {
    pub scale: [f64; COLOURS],
    pub offset: [f64; COLOURS],
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            scale: [1.0; COLOURS],
            offset: [0.0; COLOURS],
        }
    }
}

impl Scaling {
    pub fn then(self, next: Self) -> Self {
        Self {
            scale: std::array::from_fn(|c| self.scale[c] * next.scale[c]),
            offset: std::array::from_fn(|c| self.offset[c] * next.scale[c] + next.offset[c]),
        }
    }

    /// The same as a recipe has it; `None` where the model leaves it to its caller, which then scales
    /// pixels as all published networks take them.
    ///
    /// # Errors
    /// What no recipe can have.
    pub fn pixel_scale(self) -> Result<Option<PixelScale>, String> {
        if self == Self::default() {
            return Ok(None);
        }
        let scale = PixelScale::new(self.scale, self.offset).map_err(|e| e.to_string())?;
        Ok(Some(scale.snapped()))
    }
}

/// A `Rescaling`'s, or `None` where its numbers are neither one nor one for each colour.
pub(super) fn rescaling(config: &Value) -> Option<Scaling> {
    Some(Scaling {
        scale: colours(&config["scale"])?,
        offset: match &config["offset"] {
            Value::Null => [0.0; COLOURS],
            offset => colours(offset)?,
        },
    })
}

/// A number for each colour, stated as such or as one for all.
fn colours(value: &Value) -> Option<[f64; COLOURS]> {
    match value {
        Value::Array(values) => {
            let values: Option<Vec<f64>> = values.iter().map(Value::as_f64).collect();
            values?.try_into().ok()
        }
        value => value.as_f64().map(|value| [value; COLOURS]),
    }
}

/// The side of a square input, where its shape is stated.
pub(super) fn input_side(config: &Value) -> Option<usize> {
    let shape = match &config["batch_shape"] {
        Value::Null => &config["batch_input_shape"],
        shape => shape,
    };
    square(&shape[1], &shape[2])
}

/// The side that a `Resizing` brings any picture to, and how.
pub(super) fn resizing(config: &Value) -> Result<(usize, Filter), String> {
    let side = square(&config["height"], &config["width"]);
    let side = side.ok_or("makes something else than a square")?;
    for setting in ["crop_to_aspect_ratio", "pad_to_aspect_ratio"] {
        if config[setting] == true {
            return Err(format!("has {setting}, which is not supported"));
        }
    }
    let interpolation = config["interpolation"].as_str().unwrap_or("bilinear");
    match (interpolation, config["antialias"] == true) {
        ("bilinear", true) => Ok((side, Filter::Bilinear)),
        ("bilinear", false) => Ok((side, Filter::BilinearSampled)),
        (other, _) => Err(format!(
            "has the interpolation {other}, where only bilinear is supported"
        )),
    }
}

fn square(height: &Value, width: &Value) -> Option<usize> {
    let side = height.as_u64().filter(|_| height == width)?;
    usize::try_from(side).ok()
}

/// What an activation does.
pub(super) enum Activates {
    With(Activation),
    Head(Head),
    Not,
}

/// What a `ReLU` or an `Activation` does, or why a MobileNet has no such one.
pub(super) fn activation(class: &str, config: &Value) -> Result<Activates, String> {
    if class == "ReLU" {
        for setting in ["negative_slope", "threshold"] {
            let value = number(&config[setting]).unwrap_or_default();
            if value != 0.0 {
                return Err(format!("has the {setting} {value}"));
            }
        }
        return match number(&config["max_value"]) {
            Some(6.0) => Ok(Activates::With(Activation::Relu6)),
            Some(other) => Err(format!("has the maximum {other}, not 6")),
            None => Ok(Activates::With(Activation::Relu)),
        };
    }
    match function(&config["activation"]) {
        "relu" => Ok(Activates::With(Activation::Relu)),
        "relu6" => Ok(Activates::With(Activation::Relu6)),
        "softmax" | "softmax_v2" => Ok(Activates::Head(Head::Softmax)),
        "sigmoid" => Ok(Activates::Head(Head::Sigmoid)),
        "linear" => Ok(Activates::Not),
        other => Err(format!("is {other}, not relu, relu6, softmax or sigmoid")),
    }
}

/// What makes scores of a classifier's outputs, if it is one with its own activation.
pub(super) fn head(config: &Value) -> Result<Option<Head>, String> {
    match function(&config["activation"]) {
        "linear" => Ok(None),
        "softmax" | "softmax_v2" => Ok(Some(Head::Softmax)),
        "sigmoid" => Ok(Some(Head::Sigmoid)),
        other => Err(format!(
            "has the activation {other}: only a softmax over the classes and a sigmoid of each are \
             supported"
        )),
    }
}

/// What a convolution has that none of ours has.
pub(super) fn unusual(config: &Value) -> Vec<String> {
    let mut unusual = Vec::new();
    let activation = function(&config["activation"]);
    if activation != "linear" {
        unusual.push(format!("the activation {activation} before its batch norm"));
    }
    if config["data_format"] == "channels_first" {
        unusual.push("its channels first".into());
    }
    for setting in ["dilation_rate", "groups", "depth_multiplier"] {
        let stated = &config[setting];
        let ones = match stated {
            Value::Array(sides) => sides.iter().all(|side| *side == 1),
            Value::Null => true,
            one => *one == 1,
        };
        if !ones {
            unusual.push(format!("{setting} {stated}"));
        }
    }
    unusual
}

/// The name of a function, which Keras states as such or in an object.
fn function(value: &Value) -> &str {
    match value {
        Value::Null => "linear",
        Value::String(name) => name,
        object => match object["config"].as_str().or(object["class_name"].as_str()) {
            Some(name) => name,
            None => "of its own",
        },
    }
}

/// A number, which old versions wrap in an object.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value["value"].as_f64())
}

//! What the settings of a described layer say.

use serde_json::Value;

use crate::ops::Activation;

/// `x * scale + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scaling {
    pub scale: f64,
    pub offset: f64,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            scale: 1.0,
            offset: 0.0,
        }
    }
}

impl Scaling {
    pub fn then(self, next: Self) -> Self {
        Self {
            scale: self.scale * next.scale,
            offset: self.offset * next.scale + next.offset,
        }
    }

    /// Whether the network sees pixels from -1 to 1: because the model scales them so, or
    /// because it leaves that to its caller.
    pub fn is_ours(self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs().max(1e-2);
        let scales = near(self.scale * 127.5, 1.0) && near(self.offset, -1.0);
        scales || self == Self::default()
    }
}

/// A `Rescaling`'s, or `None` where it is not the same for all channels.
pub(super) fn rescaling(config: &Value) -> Option<Scaling> {
    Some(Scaling {
        scale: config["scale"].as_f64()?,
        offset: match &config["offset"] {
            Value::Null => 0.0,
            offset => offset.as_f64()?,
        },
    })
}

/// The side of a square input, where its shape is stated.
pub(super) fn input_side(config: &Value) -> Option<usize> {
    let shape = match &config["batch_shape"] {
        Value::Null => &config["batch_input_shape"],
        shape => shape,
    };
    square(&shape[1], &shape[2])
}

/// What a `Resizing` makes of any picture.
pub(super) fn resized_side(config: &Value) -> Option<usize> {
    square(&config["height"], &config["width"])
}

fn square(height: &Value, width: &Value) -> Option<usize> {
    let side = height.as_u64().filter(|_| height == width)?;
    usize::try_from(side).ok()
}

/// What an activation does.
pub(super) enum Activates {
    With(Activation),
    Softmax,
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
        "softmax" | "softmax_v2" => Ok(Activates::Softmax),
        "linear" => Ok(Activates::Not),
        other => Err(format!("is {other}, not relu, relu6 or softmax")),
    }
}

/// Refuses a classifier whose answers are no softmax's.
pub(super) fn classifies(config: &Value) -> Result<(), String> {
    match function(&config["activation"]) {
        "linear" | "softmax" | "softmax_v2" => Ok(()),
        other => Err(format!(
            "has the activation {other}: only a softmax over the classes is supported"
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

//! What the settings of a described layer say.

use serde_json::Value;

use crate::head::Head;
use crate::ops::Activation;

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

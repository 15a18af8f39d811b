//! What the settings of a described layer say.

use serde_json::Value;

use crate::head::Head;
use crate::model::HiddenActivation;
use crate::ops::Activation;

/// What a `ReLU` or an `Activation` after a batch norm does, or why a MobileNet has no such one; `None` for
/// nothing.
pub(super) fn activation(class: &str, config: &Value) -> Result<Option<Activation>, String> {
    match top_activation(class, config)? {
        TopActivation::Hidden(HiddenActivation::Relu) => Ok(Some(Activation::Relu)),
        TopActivation::Hidden(HiddenActivation::Relu6) => Ok(Some(Activation::Relu6)),
        TopActivation::Hidden(HiddenActivation::Linear) => Ok(None),
        TopActivation::Hidden(other) => Err(format!("is {other}, not relu or relu6")),
        TopActivation::Head(head) => Err(format!("is a {head}, not relu or relu6")),
    }
}

/// What an activation after the pool does: a sigmoid may be a hidden layer's too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TopActivation {
    Hidden(HiddenActivation),
    Head(Head),
}

/// What a layer that is an activation does, or why it is not supported.
pub(super) fn top_activation(class: &str, config: &Value) -> Result<TopActivation, String> {
    // A number by today's name or that of Keras 2, which may be null: then there is none.
    let stated = |names: &[&str], usual: f64| {
        let found = names.iter().find_map(|name| config.get(*name));
        found.map_or(Some(usual), number)
    };
    let hidden = match class {
        "ReLU" => {
            let threshold = stated(&["threshold"], 0.0).unwrap_or_default();
            if threshold != 0.0 {
                return Err(format!("has the threshold {threshold}"));
            }
            let slope = stated(&["negative_slope"], 0.0).unwrap_or_default();
            match stated(&["max_value"], f64::INFINITY) {
                Some(f64::INFINITY) | None if slope != 0.0 => HiddenActivation::LeakyRelu(slope),
                _ if slope != 0.0 => return Err(format!("has the negative_slope {slope}")),
                Some(f64::INFINITY) | None => HiddenActivation::Relu,
                Some(6.0) => HiddenActivation::Relu6,
                Some(other) => return Err(format!("has the maximum {other}, not 6")),
            }
        }
        "LeakyReLU" => match stated(&["negative_slope", "alpha"], 0.3) {
            Some(slope) => HiddenActivation::LeakyRelu(slope),
            None => return Err("has a slope that is not a number".into()),
        },
        "ELU" => match stated(&["alpha"], 1.0) {
            Some(alpha) => HiddenActivation::Elu(alpha),
            None => return Err("has an alpha that is not a number".into()),
        },
        "Softmax" => return softmax(config),
        _ => return named_activation(&config["activation"]),
    };
    Ok(TopActivation::Hidden(hidden))
}

/// A `Softmax`, which has to be over the classes.
pub(super) fn softmax(config: &Value) -> Result<TopActivation, String> {
    match &config["axis"] {
        Value::Null => Ok(TopActivation::Head(Head::Softmax)),
        axis if *axis == -1 || *axis == 1 => Ok(TopActivation::Head(Head::Softmax)),
        axis => Err(format!("is over axis {axis}, not the last")),
    }
}

/// What an activation does that a layer's settings name, or describe as a layer.
pub(super) fn named_activation(value: &Value) -> Result<TopActivation, String> {
    let config = &value["config"];
    if let (Some(class), true) = (value["class_name"].as_str(), config.is_object())
        && matches!(class, "ReLU" | "LeakyReLU" | "ELU" | "Softmax" | "Activation")
        // An `Activation` in an `Activation` and so on is nothing that anybody writes.
        && (class != "Activation" || config["activation"].is_string())
    {
        return top_activation(class, config);
    }
    Ok(TopActivation::Hidden(match function(value) {
        "linear" => HiddenActivation::Linear,
        "relu" => HiddenActivation::Relu,
        "relu6" => HiddenActivation::Relu6,
        "leaky_relu" => HiddenActivation::LeakyRelu(0.2),
        "elu" => HiddenActivation::Elu(1.0),
        "selu" => HiddenActivation::Selu,
        "gelu" => HiddenActivation::Gelu,
        "silu" | "swish" => HiddenActivation::Silu,
        "tanh" => HiddenActivation::Tanh,
        "softmax" | "softmax_v2" => return Ok(TopActivation::Head(Head::Softmax)),
        "sigmoid" => return Ok(TopActivation::Head(Head::Sigmoid)),
        other => {
            return Err(format!(
                "has the activation {other}: only relu, relu6, leaky_relu, elu, selu, gelu, silu, tanh and \
                 sigmoid are supported, and a softmax or a sigmoid at the end"
            ));
        }
    }))
}

/// How Keras quantised a dense layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantised {
    /// `kernel / kernel_scale`.
    Int8,
    /// The same of two weights a byte; in blocks of inputs, `(kernel - kernel_zero) * kernel_scale`.
    Int4,
}

/// How a layer's dtype policy says that it is quantised, if it is.
///
/// # Errors
/// A way that is not known.
pub(super) fn quantisation(config: &Value) -> Result<Option<Quantised>, String> {
    let policy = &config["dtype"];
    let mode = match policy["config"]["mode"].as_str() {
        Some(mode) => mode,
        // `int8_from_float32`.
        None => match policy.as_str().and_then(|name| name.split_once("_from_")) {
            Some((mode, _)) => mode,
            None => return Ok(None),
        },
    };
    match mode.split('/').next() {
        Some("int8") => Ok(Some(Quantised::Int8)),
        Some("int4") => Ok(Some(Quantised::Int4)),
        _ => Err(format!(
            "is quantised to {mode}, which is not supported: save the model before it is quantised, or \
             quantised to int8 or int4"
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

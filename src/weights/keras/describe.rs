//! A model's description (`config.json`, `model_config`) as a list of layers.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;

use super::layout::{Role, role};

/// A MobileNet has 86 layers, and what people put around it a few more.
const MAX_LAYERS: usize = 2_000;

/// A layer as the model's description states it.
pub(super) struct Described<'a> {
    /// What it is to us, if a MobileNet can have such a layer.
    pub role: Option<Role>,
    /// Keras's class, or the function of an operation.
    pub class: &'a str,
    pub name: &'a str,
    pub config: &'a Value,
    /// The constant of an arithmetic operation.
    pub constant: Option<f64>,
    /// The outermost model within the model that it lies in.
    pub within: Option<&'a str>,
    /// The path of its container in a `.weights.h5`, and how many layers of its class come
    /// before it there.
    pub container: Rc<str>,
    pub number: usize,
}

/// A model's layers in order, those of models within it in their place. None where there is no
/// description or it has no layers.
pub(super) fn layers(description: &Value) -> Result<Vec<Described<'_>>, String> {
    let mut found = Vec::new();
    add_model(description, None, "layers".into(), &mut found)?;
    Ok(found)
}

fn add_model<'a>(
    model: &'a Value,
    within: Option<&'a str>,
    container: Rc<str>,
    found: &mut Vec<Described<'a>>,
) -> Result<(), String> {
    // Sequential models were a list once.
    let layers = model["config"]["layers"].as_array();
    let layers = layers.or_else(|| model["config"].as_array());
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut before = None;
    for layer in layers.into_iter().flatten() {
        let config = &layer["config"];
        let stated = layer["class_name"].as_str().unwrap_or_default();
        let name = config["name"].as_str().or(layer["name"].as_str());
        let name = name.unwrap_or("without a name");
        let inbound = &layer["inbound_nodes"];
        follows(name, inbound, before)?;
        before = Some(name);
        let number = numbers.entry(stated).or_default();
        *number += 1;
        let number = *number - 1;
        let class = match stated {
            "TFOpLambda" => config["function"].as_str().unwrap_or(stated),
            _ => stated,
        };
        if found.len() == MAX_LAYERS {
            return Err(format!("it has more than {MAX_LAYERS} layers"));
        }
        let role = role(class);
        if role == Some(Role::Model) {
            let group = numbered_name(&class.to_lowercase(), number);
            let inner = format!("{container}/{group}/layers");
            add_model(layer, within.or(Some(name)), inner.into(), found)?;
            continue;
        }
        found.push(Described {
            role,
            class,
            name,
            config,
            constant: constant(inbound),
            within,
            container: Rc::clone(&container),
            number,
        });
    }
    Ok(())
}

/// A layer, for messages.
pub(super) fn title(layer: &Described<'_>) -> String {
    format!("{} {}", layer.class, layer.name)
}

/// A name in a `.weights.h5`.
pub(super) fn numbered_name(class: &str, number: usize) -> String {
    match number {
        0 => class.to_owned(),
        n => format!("{class}_{n}"),
    }
}

/// Refuses a layer that takes anything but the output of the one before it. Sequential models
/// state no inputs.
fn follows(name: &str, inbound: &Value, before: Option<&str>) -> Result<(), String> {
    let mut sources = Vec::new();
    add_sources(inbound, &mut sources);
    match (sources.as_slice(), before) {
        ([], _) => Ok(()),
        ([source], Some(before)) if *source == before => Ok(()),
        _ => Err(format!(
            "not a MobileNet V1, whose layers are a single chain: {name} takes from {}, and {} is \
             before it",
            sources.join(", "),
            before.unwrap_or("nothing"),
        )),
    }
}

/// The layers that a node takes from: Keras 3's `"keras_history": [NAME, 0, 0]`, Keras 2's
/// `[NAME, 0, 0, {}]`.
fn add_sources<'a>(node: &'a Value, sources: &mut Vec<&'a str>) {
    match node {
        Value::Array(items) => {
            if let [Value::String(name), Value::Number(_), Value::Number(_), ..] = &items[..] {
                sources.push(name);
            }
            items.iter().for_each(|item| add_sources(item, sources));
        }
        Value::Object(fields) => fields.values().for_each(|item| add_sources(item, sources)),
        _ => {}
    }
}

/// The number that an operation takes besides a layer's output: Keras 3's `"args": [TENSOR,
/// 127.5]`, TensorFlow's `[NAME, 0, 0, {"y": 127.5}]`.
fn constant(inbound: &Value) -> Option<f64> {
    let node = &inbound[0];
    let number = node["args"][1].as_f64();
    number.or_else(|| node[3]["y"].as_f64())
}

//! TF-Slim's names for the variables of its MobileNet V1.
//!
//! Besides the variables a checkpoint of training has those of its optimizer and moving averages, under the same
//! names with something after them. TF-Slim's scripts evaluate without the averages where they are not told
//! otherwise, and so do we.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bundle::Variable;
use crate::model::{
    Config, Convolution, ConvolutionKind, Padding, StoredTensor, StoredTensors, StoredValues,
};
use crate::ops::Activation;
use crate::weights::imported::{Imported, Tensors};
use crate::weights::protobuf::Result;
use crate::weights::recognise::list;

/// The first layer's weight, behind the scope of the network.
const STEM: &str = "Conv2d_0/weights";

/// The network of a checkpoint's variables.
///
/// # Errors
/// It is another network, or damaged.
pub(super) fn imported(mut variables: BTreeMap<String, Variable>) -> Result<Imported> {
    let scopes: Vec<String> = variables.keys().filter_map(|name| scope(name)).collect();
    let [scope] = &scopes[..] else {
        let names: Vec<&String> = variables.keys().collect();
        let object_graph = variables.contains_key("_CHECKPOINTABLE_OBJECT_GRAPH");
        let way = match object_graph {
            true => {
                " (it is one of Keras's or tf.train.Checkpoint's, which are not read: save the model as .keras)"
            }
            false => "",
        };
        return Err(match scopes.is_empty() {
            true => format!(
                "a checkpoint of TensorFlow, but not of TF-Slim's MobileNet V1, of which it has no {STEM}{way}:{}",
                list(&names)
            ),
            false => format!("it has several networks ({})", scopes.join(", ")),
        });
    };
    let scope = scope.clone();
    let mut stored = StoredTensors::default();
    let mut known = Vec::new();
    for convolution in Config::default().convolutions() {
        for (part, ours) in parts(&convolution) {
            let name = format!("{scope}{part}");
            let Some(variable) = variables.remove(&name) else {
                // Without `scale` a batch norm has no factor.
                if part.ends_with("/gamma") {
                    let beta = format!("{scope}{}", part.replace("gamma", "beta"));
                    if let Some(beta) = variables.get(&beta) {
                        let shape = beta.shape().to_vec();
                        let ones = vec![1.0; beta_len(&shape, &name)?];
                        let ones = StoredTensor::floats(StoredValues::F32(ones.into()), &shape);
                        stored.tensors.insert(ours, ones);
                    }
                }
                continue;
            };
            let error = |reason: String| format!("{name}: {reason}");
            let constant = variable.constant().map_err(error)?;
            let order: &[usize] = match (constant.shape.len(), convolution.kind) {
                (4, ConvolutionKind::Depthwise) => &[2, 3, 0, 1],
                (4, _) => &[3, 2, 0, 1],
                (1, _) => &[0],
                _ => return Err(error(format!("it is {:?}", constant.shape))),
            };
            let constant = constant.permuted(order).map_err(error)?;
            let values = StoredValues::F32(constant.weights().map_err(error)?.into());
            stored
                .tensors
                .insert(ours, StoredTensor::floats(values, &constant.shape));
            known.push(format!("{name}/"));
        }
    }
    check_others(&variables, &scope, &known)?;
    Ok(Imported {
        activation: Some(Activation::Relu6),
        padding: Padding::Same,
        ..Imported::new(Tensors::Stored(Arc::new(stored)))
    })
}

/// What comes before the names of a network, if that is the name of its first layer's weight.
fn scope(name: &str) -> Option<String> {
    let scope = name.strip_suffix(STEM)?;
    (scope.is_empty() || scope.ends_with('/')).then(|| scope.to_owned())
}

/// The numbers of a batch norm whose beta has this shape.
fn beta_len(shape: &[usize], name: &str) -> Result<usize> {
    /// The most channels that a layer has.
    const MOST: usize = 1 << 20;
    match shape {
        [n] if *n <= MOST => Ok(*n),
        _ => Err(format!("{name}: it is missing")),
    }
}

/// Refuses what the network has besides its own variables, and what says that it computes otherwise.
fn check_others(others: &BTreeMap<String, Variable>, scope: &str, known: &[String]) -> Result<()> {
    let inside = others
        .keys()
        .filter(|name| !scope.is_empty() && name.starts_with(scope));
    let inside: Vec<&String> = inside
        .filter(|name| !known.iter().any(|known| name.starts_with(known.as_str())))
        .collect();
    let is_quantised = |name: &&&String| name.contains("_quant/");
    if let Some(name) = inside.iter().find(is_quantised) {
        return Err(format!(
            "it is trained for eight bits ({name}), and says how to round what goes through: give the quantised .tflite \
             that was made of it"
        ));
    }
    // Statistics of training without their variable are those of the optimizer or an average.
    match inside.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "not the MobileNet V1 that it seems to be; it has:{}",
            list(&inside)
        )),
    }
}

/// TF-Slim's names of a convolution's variables, each with ours.
fn parts(convolution: &Convolution) -> Vec<(String, String)> {
    let ours = &convolution.name;
    let block = ours.rsplit('_').next().unwrap_or_default();
    let (layer, weight) = match convolution.kind {
        ConvolutionKind::Standard => ("Conv2d_0".to_owned(), "weights"),
        ConvolutionKind::Depthwise => (format!("Conv2d_{block}_depthwise"), "depthwise_weights"),
        ConvolutionKind::Pointwise => (format!("Conv2d_{block}_pointwise"), "weights"),
        ConvolutionKind::Classifier => ("Logits/Conv2d_1c_1x1".to_owned(), "weights"),
    };
    let mut parts = vec![(format!("{layer}/{weight}"), convolution.weight_name())];
    if convolution.batch_norm {
        for (theirs, part) in [
            ("gamma", "weight"),
            ("beta", "bias"),
            ("moving_mean", "running_mean"),
            ("moving_variance", "running_var"),
        ] {
            parts.push((
                format!("{layer}/BatchNorm/{theirs}"),
                format!("{ours}_bn.{part}"),
            ));
        }
    } else {
        parts.push((format!("{layer}/biases"), convolution.bias_name()));
    }
    parts
}

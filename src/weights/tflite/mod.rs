//! TensorFlow Lite's files (`.tflite`): batch norm is folded into the weights, which may be
//! quantised; then they are handed over as they are, with their scales and those of the activations
//! between them (`integers`).
//!
//! Names of tensors depend on what converted a model, so the network is read off its operators
//! (`walk`), which a graph holds (`graph`) in a FlatBuffer (`flatbuffer`). What is done to the pixels before
//! may stand in the task library's metadata (`metadata`). Generated code for
//! TFLite's schema would be a hundred tables; a MobileNet needs ten, and every offset in them
//! checked.

mod flatbuffer;
mod graph;
mod integers;
mod kind;
mod labels;
mod metadata;
mod options;
mod reshape;
mod scales;
mod scaling;
mod sparse;
mod values;
mod walk;

use std::sync::Arc;

use flatbuffer::Result;
use graph::Graph;
use metadata::Normalization;
use scaling::Scaling;
use walk::{TfliteLayer, TfliteNetwork};

use super::imported::{Imported, Tensors};
use super::recognise::wrong_depth;
use super::stored_network::StoredNetwork;
use crate::model::{Config, StoredTensors, is_shallow, validate_size};
use crate::pixels::{COLOURS, PixelScale};
use crate::weights::zeros;

/// Reads a TFLite file.
pub(super) fn read(bytes: &[u8]) -> Result<Imported> {
    let graph = Graph::parse(bytes)?;
    let pixels = Pixels::of(&graph)?;
    let Pixels {
        input, size, range, ..
    } = pixels;
    let chain = walk::chain(&graph, input)?;
    let TfliteNetwork {
        layers,
        scaling,
        head,
    } = walk::network(&graph, &chain, pixels.channels_first, bytes.len())?;
    // Integers say themselves what they stand for.
    let normalization = if range.is_none() {
        metadata::normalization(&graph)?
    } else {
        None
    };
    let pixel_scale = pixel_scale(range, normalization, scaling)?;

    let depthwise = layers.len().saturating_sub(1) / 2;
    let shallow = is_shallow(depthwise).ok_or_else(|| wrong_depth(depthwise))?;
    // Only the layers' kinds and order matter here; their widths are checked later on.
    let config = Config {
        shallow,
        classes: layers.len().is_multiple_of(2).then_some(1),
        ..Config::default()
    };
    let activation = layers.first().and_then(|layer| layer.activation);
    let convolutions = config.convolutions();
    for (layer, convolution) in layers.iter().zip(&convolutions) {
        let error = |reason: String| Err(format!("{}: {reason}", layer.name));
        if layer.stride != convolution.stride {
            return error(format!(
                "not a MobileNet V1: its stride is {}, not {}",
                layer.stride, convolution.stride
            ));
        }
        if layer.activation.is_some() && layer.activation != activation {
            return error("its activation is not that of the layers before it".into());
        }
    }
    let padding = zeros::padding(&config, size, |number, convolution, side, expected| {
        let layer = layers.get(number);
        let span = |layer: &TfliteLayer| {
            let (kernel, stride) = (convolution.kernel(), convolution.stride);
            layer.padding.span(side, kernel, stride)
        };
        layer.is_none_or(|layer| span(layer) == expected)
    })?;
    let classes = config.classes.and(layers.last());
    let labels = classes.and_then(|layer| labels::read(bytes, layer.bias.shape.iter().product()));
    let integers = integers::read(&graph, &chain, input, &layers, &convolutions);
    let tensors = layers.into_iter().zip(convolutions);
    let tensors = tensors.flat_map(|(layer, convolution)| {
        [
            (convolution.weight_name(), layer.weight),
            (convolution.bias_name(), layer.bias),
        ]
    });
    let stored = StoredTensors {
        tensors: tensors.collect(),
        ..StoredTensors::default()
    };
    Ok(Imported {
        size,
        activation,
        padding,
        labels,
        pixel_scale,
        head,
        ..Imported::new(Tensors::Tflite(Arc::new(StoredNetwork {
            stored,
            integers,
            pixel_scale: pixel_scale.unwrap_or_default(),
        })))
    })
}

/// What a graph takes.
struct Pixels {
    /// The tensor.
    input: usize,
    /// The side of the picture, where it is not left open.
    size: Option<usize>,
    /// Whether a picture is a plane for each colour, as PyTorch has it.
    channels_first: bool,
    /// What 0 and 255 are, where pixels go in as they are in a picture.
    range: Option<[f64; 2]>,
}

impl Pixels {
    fn of(graph: &Graph) -> Result<Self> {
        let [Some(input)] = graph.inputs[..] else {
            let n = graph.inputs.len();
            return Err(format!("not a MobileNet V1: it has {n} inputs, not one"));
        };
        let tensor = graph.tensor(input)?;
        let error = |reason: String| format!("its input {reason}");
        let range = scales::range(&tensor).map_err(error)?;
        let (channels_first, sides) = match tensor.shape[..] {
            [_, _, _, COLOURS] => (false, [1, 2]),
            [_, COLOURS, _, _] => (true, [2, 3]),
            _ => (false, [0, 0]),
        };
        let size = match (sides.map(|side| tensor.shape.get(side)), &tensor.fixed[..]) {
            _ if sides == [0, 0] => None,
            (_, fixed) if sides.iter().any(|&side| fixed[side].is_none()) => Some(None),
            ([height, width], _) if height == width => Some(height.copied()),
            _ => None,
        };
        let size = size.ok_or_else(|| {
            error(format!(
                "is {:?}, where pixels of a square picture are [1, side, side, 3] or [1, 3, side, side]",
                tensor.shape
            ))
        })?;
        if let Some(size) = size {
            validate_size(size).map_err(|e| e.to_string())?;
        }
        Ok(Self {
            input,
            size,
            channels_first,
            range,
        })
    }
}

/// What the first layer makes of the bytes of a picture; `None` where the file doesn't say.
fn pixel_scale(
    range: Option<[f64; 2]>,
    normalization: Option<Normalization>,
    scaling: Option<Scaling>,
) -> Result<Option<PixelScale>> {
    let of_first_layer = |e| format!("of what its first layer takes: {e}");
    let Scaling { factor, offset } = scaling.unwrap_or(Scaling {
        factor: [1.0; COLOURS],
        offset: [0.0; COLOURS],
    });
    if let Some(Normalization { mean, std }) = normalization {
        let scale = std::array::from_fn(|colour| factor[colour] / std[colour]);
        let offset = std::array::from_fn(|colour| offset[colour] - mean[colour] * scale[colour]);
        let scale = PixelScale::new(scale, offset).map_err(of_first_layer)?;
        return Ok(Some(scale.snapped()));
    }
    // Floats that a graph doesn't scale may be anything, and are taken to be scaled already.
    let Some([low, high]) = range.or(scaling.map(Scaling::usual_input)) else {
        return Ok(None);
    };
    // Calibration on a few pictures makes the range of integers a little narrower.
    let usual = |colour: usize| {
        let [low, high] = [low, high].map(|end| end * factor[colour] + offset[colour]);
        (low + 1.0).abs() < 0.1 && (high - 1.0).abs() < 0.1
    };
    if range.is_some() && (0..COLOURS).all(usual) {
        return Ok(Some(PixelScale::default()));
    }
    let scale = PixelScale::new(
        factor.map(|factor| (high - low) / 255.0 * factor),
        std::array::from_fn(|colour| low * factor[colour] + offset[colour]),
    );
    let scale = scale.map_err(of_first_layer)?;
    Ok(Some(scale.snapped()))
}

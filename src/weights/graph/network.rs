//! A graph's layers as the network that they are.

use std::rc::Rc;
use std::sync::Arc;

use super::Input;
use super::activations::{Activations, Axis, Stage};
use super::affine::Affine;
use super::constant::Kind;
use super::layer::Layer;
use super::operation::Zeros;
use crate::model::{
    Config, MIN_SIZE, StoredTensor, StoredTensors, StoredValues, is_shallow, validate_size,
};
use crate::ops::Span;
use crate::pixels::{COLOURS, PixelScale};
use crate::weights::imported::{Imported, Tensors};
use crate::weights::protobuf::Result;
use crate::weights::recognise::wrong_depth;
use crate::weights::zeros;

/// What a graph takes.
pub(super) struct Pixels {
    axes: Vec<Axis>,
    sides: [Option<usize>; 2],
    pictures: Option<usize>,
    /// They are integers, as they are in a picture.
    are_bytes: bool,
}

impl Pixels {
    pub fn of(input: &Input) -> Result<Self> {
        let error = |reason: String| Err(format!("its input {:?} {reason}", input.name));
        let are_bytes = match input.kind {
            Kind::U8 | Kind::I32 | Kind::I64 => true,
            kind if kind.is_float() => false,
            kind => return error(format!("is of {kind}, where pixels are floats or of uint8")),
        };
        let colours = Some(COLOURS);
        let is_first = |shape: &[Option<usize>]| shape.first() == Some(&colours);
        let is_last = |shape: &[Option<usize>]| shape.last() == Some(&colours);
        let first = [Axis::Channels, Axis::Height, Axis::Width];
        let last = [Axis::Height, Axis::Width, Axis::Channels];
        let (pictures, order, sides) = match &input.shape[..] {
            // TensorFlow's order, which is all that graphs without a shape have.
            [] => (Some(None), last, [None; 2]),
            [n, shape @ ..] if shape.len() == 3 && is_last(shape) => {
                (Some(*n), last, [shape[0], shape[1]])
            }
            [n, shape @ ..] if shape.len() == 3 && is_first(shape) => {
                (Some(*n), first, [shape[1], shape[2]])
            }
            shape if shape.len() == 3 && is_last(shape) => (None, last, [shape[0], shape[1]]),
            shape if shape.len() == 3 && is_first(shape) => (None, first, [shape[1], shape[2]]),
            shape => {
                let sides = shape.iter().map(|side| match side {
                    Some(side) => side.to_string(),
                    None => "?".into(),
                });
                let sides = sides.collect::<Vec<_>>().join(", ");
                return error(format!(
                    "is [{sides}], where pixels are [pictures, 3, side, side] or [pictures, side, side, 3]"
                ));
            }
        };
        if let [Some(height), Some(width)] = sides
            && height != width
        {
            return error(format!("is of {width}x{height} pixels, not a square"));
        }
        for side in sides.into_iter().flatten() {
            validate_size(side).map_err(|e| e.to_string())?;
        }
        let front = pictures.map(|_| Axis::Pictures);
        Ok(Self {
            axes: front.into_iter().chain(order).collect(),
            sides,
            pictures: pictures.unwrap_or(Some(1)),
            are_bytes,
        })
    }

    pub fn activations(&self) -> Activations {
        Activations::pixels(self.axes.clone(), self.sides, self.pictures)
    }
}

/// The network of what comes out of a graph.
pub(super) fn imported(it: Activations, pixels: &Pixels) -> Result<Imported> {
    let (it, head) = match it.stage {
        Stage::Pooled if it.affine.is_some() => {
            return Err(
                "not a MobileNet V1: something is done to the average, and no classifier follows"
                    .into(),
            );
        }
        Stage::Pooled => (it, None),
        Stage::Logits => (it.closed(None)?, None),
        Stage::Scores(head) => (it, Some(head)),
        _ => {
            let reason = "not a MobileNet V1: its output comes before the average of the last layer; \
                          export it with its pool";
            return Err(reason.into());
        }
    };
    let size = match (pixels.sides, it.pooled_side) {
        ([Some(side), _] | [_, Some(side)], _) => Some(side),
        // Five strides of 2 come before the average.
        (_, Some(side)) => Some(side.saturating_mul(MIN_SIZE)),
        _ => None,
    };
    if let Some(size) = size {
        validate_size(size).map_err(|e| e.to_string())?;
    }
    let layers = &it.layers;
    let is_classifier = |layer: &Rc<Layer>| layer.activation.is_none();
    let has_classifier = layers.last().is_some_and(is_classifier);
    let others = layers.len() - usize::from(has_classifier);
    let depthwise = others.saturating_sub(1) / 2;
    let shallow = is_shallow(depthwise).ok_or_else(|| wrong_depth(depthwise))?;
    // Only the layers' kinds and order matter here; their widths are checked later on.
    let config = Config {
        shallow,
        classes: has_classifier.then_some(1),
        head_channels: others.is_multiple_of(2).then_some(1),
        ..Config::default()
    };
    let mut convolutions = config.convolutions();
    convolutions.retain(|convolution| !convolution.identity);
    if layers.len() != convolutions.len() {
        return Err("not a MobileNet V1: its last block has no 1x1 convolution".into());
    }
    let activation = layers.first().and_then(|layer| layer.activation);
    for (layer, convolution) in layers.iter().zip(&convolutions) {
        let error = |reason: String| Err(format!("{}: {reason}", layer.kernel.name));
        if layer.kernel.stride != convolution.stride {
            return error(format!(
                "not a MobileNet V1: its stride is {}, not {}",
                layer.kernel.stride, convolution.stride
            ));
        }
        if layer.activation.is_some() && layer.activation != activation {
            return error("its activation is not that of the layers before it".into());
        }
    }
    let padding = zeros::padding(&config, size, |number, convolution, side, expected| {
        let (kernel, stride) = (convolution.kernel(), convolution.stride);
        let has = |layer: &Rc<Layer>| span(layer.kernel.zeros, side, kernel, stride);
        let layer = layers.get(number);
        kernel == 1 || layer.is_none_or(|layer| has(layer) == Some(expected))
    })
    .map_err(|reason| format!("not a MobileNet V1: {reason}"))?;
    let pixel_scale = pixel_scale(it.scaling.as_ref(), pixels.are_bytes)?;
    let mut stored = StoredTensors::default();
    for (layer, convolution) in layers.iter().zip(&convolutions) {
        let (weight, bias) = layer.folded();
        let shape = &layer.kernel.shape;
        let mut keep = |name: String, values: Vec<f32>, shape: &[usize]| {
            let values = StoredValues::F32(values.into());
            stored
                .tensors
                .insert(name, StoredTensor::floats(values, shape));
        };
        keep(convolution.weight_name(), weight, shape);
        keep(convolution.bias_name(), bias, &shape[..1]);
    }
    Ok(Imported {
        size,
        activation,
        padding,
        pixel_scale,
        head,
        ..Imported::new(Tensors::Stored(Arc::new(stored)))
    })
}

/// What the first layer makes of the bytes of a picture; `None` where the graph doesn't say.
fn pixel_scale(scaling: Option<&Affine>, are_bytes: bool) -> Result<Option<PixelScale>> {
    let colours = |numbers: &[f64]| <[f64; COLOURS]>::try_from(numbers).ok();
    let scaling = scaling.and_then(|it| Some((colours(&it.factor)?, colours(&it.offset)?)));
    let (factor, offset) = match scaling {
        Some(scaling) => scaling,
        None if are_bytes => ([1.0; COLOURS], [0.0; COLOURS]),
        // Floats may be anything, and are taken to be scaled already.
        None => return Ok(None),
    };
    // What is done to floats tells whether they are of 0 to 1: then the network's 0 lies among what they
    // become, and they become different numbers.
    let is_fraction = !are_bytes
        && (0..COLOURS).all(|colour| {
            let ends = [offset[colour], offset[colour] + factor[colour]];
            let (low, high) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
            low <= 0.0 && high >= 0.0 && high - low >= 0.5
        });
    let whole = if is_fraction { 255.0 } else { 1.0 };
    let scale = PixelScale::new(factor.map(|factor| factor / whole), offset);
    let scale = scale.map_err(|e| format!("of what its first layer takes: {e}"))?;
    Ok(Some(scale.snapped()))
}

/// The zeros of a layer around a side, and what it makes of it.
fn span(zeros: Zeros, side: usize, kernel: usize, stride: usize) -> Option<Span> {
    let same = crate::ops::Padding::Same.span(side, kernel, stride);
    match zeros {
        Zeros::Same => Some(same),
        Zeros::SameBefore => Some(Span {
            before: same.after,
            after: same.before,
            ..same
        }),
        Zeros::Are([[before, after], _]) => {
            let before = usize::try_from(before).ok()?;
            let after = usize::try_from(after).ok()?;
            let output = (side + before + after).checked_sub(kernel)? / stride + 1;
            Some(Span {
                before,
                after,
                output,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(factor: f64, offset: f64, are_bytes: bool) -> Option<([f64; 3], [f64; 3])> {
        let affine = Affine {
            factor: vec![factor; 3],
            offset: vec![offset; 3],
        };
        let scale = pixel_scale(Some(&affine), are_bytes).expect("a scale");
        scale.map(|scale| (scale.scale(), scale.offset()))
    }

    /// Whether floats are of 0 to 255 or of 0 to 1 shows in what is done to them.
    #[test]
    fn the_range_of_pixels_is_told_from_their_arithmetic() {
        let usual = PixelScale::default();
        let usual = Some((usual.scale(), usual.offset()));
        assert_eq!(scale(1.0 / 127.5, -1.0, false), usual);
        assert_eq!(scale(1.0 / 127.5, -1.0, true), usual);
        assert_eq!(scale(2.0, -1.0, false), usual);
        let byte = 1.0 / 255.0;
        assert_eq!(scale(byte, 0.0, false), Some(([byte; 3], [0.0; 3])));
        assert_eq!(scale(255.0, 0.0, false), Some(([1.0; 3], [0.0; 3])));
        assert_eq!(scale(1.0, -127.5, false), Some(([1.0; 3], [-127.5; 3])));
        let (std, mean) = (0.229, 0.485);
        assert_eq!(
            scale(1.0 / std, -mean / std, false),
            Some(([1.0 / std / 255.0; 3], [-mean / std; 3]))
        );
        assert_eq!(scale(1.0, 0.0, true), Some(([1.0; 3], [0.0; 3])));
        assert_eq!(pixel_scale(None, false).expect("none"), None);
    }
}

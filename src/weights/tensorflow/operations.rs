//! What TensorFlow's operations do.

use super::frozen::TensorFlow;
use super::message::Settings;
use crate::weights::graph::{
    Arithmetic, Convolution, Dim, Format, Groups, Inputs, Layout, Node, Operation, Pool, Product,
    WeightOrder, Zeros,
};
use crate::weights::protobuf::Result;

impl<'a> Format<'a> for TensorFlow {
    type Attributes = Settings<'a>;

    fn operation(
        &self,
        node: &Node<'a, Settings<'a>>,
        inputs: &Inputs<'_, 'a>,
    ) -> Result<Operation<'a>> {
        let settings = &node.attributes;
        let clip = |low, high| Ok(Operation::Clip { low, high });
        // The number of two inputs that is not computed.
        let bound = || inputs.number(1).or_else(|_| inputs.number(0));
        let required = |number: usize| {
            let list = inputs.integers(number)?;
            list.ok_or_else(|| format!("it has no input {number}"))
        };
        match node.kind {
            "Const" => Ok(Operation::Constant(settings.tensor("value", self.bytes)?)),
            "Identity" | "StopGradient" | "PreventGradient" | "CheckNumerics" | "EnsureShape" | "Snapshot"
            | "PlaceholderWithDefault" => Ok(Operation::Pass),
            "Placeholder" | "PlaceholderV2" => Err(
                "it takes something besides the pixels: freeze the graph for use, without training".into(),
            ),
            "Conv2D" => convolution(settings, WeightOrder::Hwio, Groups::Are(1)),
            "DepthwiseConv2dNative" => convolution(settings, WeightOrder::Hwcm, Groups::Each),
            "FusedBatchNorm" | "FusedBatchNormV2" | "FusedBatchNormV3" => {
                match settings.flag("is_training", true)? {
                    true => Err("its batch norm is one of training: freeze the graph for use".into()),
                    false => Ok(Operation::Normalise {
                        epsilon: settings.float("epsilon", 1e-4)?,
                        layout: layout(settings)?,
                    }),
                }
            }
            "BiasAdd" | "BiasAddV1" => Ok(Operation::Bias(layout(settings)?)),
            "Add" | "AddV2" => Ok(Operation::Arithmetic(Arithmetic::Add)),
            "Sub" => Ok(Operation::Arithmetic(Arithmetic::Subtract)),
            "Mul" => Ok(Operation::Arithmetic(Arithmetic::Multiply)),
            "Div" | "RealDiv" => Ok(Operation::Arithmetic(Arithmetic::Divide)),
            "Relu" => clip(Some(0.0), None),
            "Relu6" => clip(Some(0.0), Some(6.0)),
            "Maximum" => clip(bound()?, None),
            "Minimum" => clip(None, bound()?),
            "Mean" => Ok(Operation::Mean {
                axes: required(1)?,
                keep: settings.flag("keep_dims", false)?,
            }),
            "AvgPool" => {
                let layout = layout(settings)?;
                Ok(Operation::AveragePool(Pool {
                    layout,
                    kernel: sides(settings, "ksize", layout)?,
                    strides: sides(settings, "strides", layout)?,
                    zeros: zeros(settings, layout)?,
                }))
            }
            "MatMul" => match settings.flag("transpose_a", false)? {
                true => Err("it turns its input, which is not understood".into()),
                false => Ok(Operation::Product(Product {
                    transposed: settings.flag("transpose_b", false)?,
                    factor: 1.0,
                    bias_factor: 1.0,
                })),
            },
            "Pad" | "PadV2" => {
                let value = inputs.number(2)?.unwrap_or(0.0);
                if value != 0.0 {
                    return Err(format!("it puts {value} around the picture, not zeros"));
                }
                let numbers = required(1)?;
                let (pairs, _) = numbers.as_chunks::<2>();
                Ok(Operation::Pad(pairs.to_vec()))
            }
            "Reshape" => {
                let side = |side| match side {
                    Dim::Number(-1) => Dim::Rest,
                    other => other,
                };
                Ok(Operation::Reshape(inputs.sides(1)?.into_iter().map(side).collect()))
            }
            "Squeeze" => {
                let mut axes = settings.integers("squeeze_dims")?;
                axes.extend(settings.integers("axis")?);
                Ok(Operation::Squeeze(Some(axes).filter(|axes| !axes.is_empty())))
            }
            "ExpandDims" => Ok(Operation::Unsqueeze(required(1)?)),
            "Transpose" => Ok(Operation::Transpose(Some(required(1)?))),
            "Softmax" | "LogSoftmax" => Ok(Operation::Softmax {
                axis: -1,
                flattens: false,
            }),
            "Sigmoid" => Ok(Operation::Sigmoid),
            "Shape" => Ok(Operation::Shape { start: 0, end: None }),
            "StridedSlice" => part(settings, inputs),
            "GatherV2" => Ok(Operation::Gather {
                axis: inputs.number(2)?.unwrap_or(0.0) as i64,
            }),
            "Pack" => match settings.integer("axis")? {
                0 => Ok(Operation::Concat(inputs.len())),
                _ => Err("it packs in a way that is not understood".into()),
            },
            // The last input is the axis.
            "ConcatV2" => Ok(Operation::Concat(inputs.len().saturating_sub(1))),
            "Cast" => Ok(Operation::Cast(settings.kind("DstT")?)),
            "Sqrt" => Ok(Operation::Root { reciprocal: false }),
            "Rsqrt" => Ok(Operation::Root { reciprocal: true }),
            "Switch" | "Merge" | "If" | "StatelessIf" => {
                Err("it has a part for training and one for use: freeze it with the latter alone".into())
            }
            kind if kind.starts_with("FakeQuant") => Err(
                "it is trained for eight bits, and says how to round what goes through: give the quantised .tflite \
                 that was made of it"
                    .into(),
            ),
            kind if kind.starts_with("_Fused") => Err(
                "it was optimised for one machine: give the graph from before that".into(),
            ),
            "ResizeBilinear" | "DecodeJpeg" | "DecodePng" => Err(
                "it prepares pictures itself: cut the graph off behind that, at its pixels".into(),
            ),
            _ => Err("not a MobileNet V1, which has no such operation".into()),
        }
    }
}

fn layout(settings: &Settings) -> Result<Layout> {
    match settings.text("data_format")? {
        None | Some("NHWC") => Ok(Layout::ChannelsLast),
        Some("NCHW") => Ok(Layout::ChannelsFirst),
        Some(other) => Err(format!("its data_format {other:?} is not understood")),
    }
}

/// What is stated for height and width, of four dimensions.
fn sides(settings: &Settings, name: &str, layout: Layout) -> Result<[i64; 2]> {
    let numbers = settings.integers(name)?;
    let [height, width] = layout.sides();
    let others = numbers.iter().enumerate();
    let mut others = others.filter(|(at, _)| ![height, width].contains(at));
    match numbers.len() == 4 && others.all(|(_, n)| *n == 1) {
        true => Ok([numbers[height], numbers[width]]),
        false => Err(format!("its {name} are {numbers:?}")),
    }
}

fn zeros(settings: &Settings, layout: Layout) -> Result<Zeros> {
    match settings.text("padding")? {
        Some("SAME") => Ok(Zeros::Same),
        Some("VALID") => Ok(Zeros::NONE),
        Some("EXPLICIT") => {
            let numbers = settings.integers("explicit_paddings")?;
            let (pairs, _) = numbers.as_chunks::<2>();
            let [height, width] = layout.sides();
            match (pairs.get(height), pairs.get(width), pairs.len()) {
                (Some(rows), Some(columns), 4) => Ok(Zeros::Are([*rows, *columns])),
                _ => Err(format!("its explicit_paddings are {numbers:?}")),
            }
        }
        other => Err(format!("its padding {other:?} is not understood")),
    }
}

fn convolution<'a>(
    settings: &Settings,
    weight: WeightOrder,
    groups: Groups,
) -> Result<Operation<'a>> {
    let layout = layout(settings)?;
    let dilations = match settings.integers("dilations")?.is_empty() {
        true => [1, 1],
        false => sides(settings, "dilations", layout)?,
    };
    Ok(Operation::Convolve(Convolution {
        layout,
        weight,
        strides: sides(settings, "strides", layout)?,
        dilations,
        groups,
        zeros: zeros(settings, layout)?,
    }))
}

/// A part of a list.
fn part<'a>(settings: &Settings, inputs: &Inputs) -> Result<Operation<'a>> {
    let unknown = || "the part that it takes is not understood".to_owned();
    let one = |number: usize| match inputs.integers(number)?.as_deref() {
        Some([one]) => Ok(*one),
        _ => Err(unknown()),
    };
    let (start, end, step) = (one(1)?, one(2)?, one(3)?);
    let mask = |name: &str| settings.integer(name);
    if step != 1 || mask("ellipsis_mask")? != 0 || mask("new_axis_mask")? != 0 {
        return Err(unknown());
    }
    Ok(Operation::Slice {
        start: if mask("begin_mask")? & 1 == 1 {
            0
        } else {
            start
        },
        end: if mask("end_mask")? & 1 == 1 {
            i64::MAX
        } else {
            end
        },
        is_number: mask("shrink_axis_mask")? & 1 == 1,
    })
}

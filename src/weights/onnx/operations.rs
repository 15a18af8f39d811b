//! What ONNX's operators do.

use super::Onnx;
use super::model::{Attributes, is_own};
use crate::weights::graph::{
    Arithmetic, Constant, Convolution, Dim, Format, Groups, Inputs, Kind, Layout, Node, Operation,
    Pool, Product, WeightOrder, Zeros,
};
use crate::weights::protobuf::Result;

const FIRST: Layout = Layout::ChannelsFirst;

/// A node's domain and settings.
pub(super) struct Settings<'a> {
    pub domain: &'a str,
    pub attributes: Attributes<'a>,
}

impl<'a> Format<'a> for Onnx<'a> {
    type Attributes = Settings<'a>;

    fn operation(
        &self,
        node: &Node<'a, Settings<'a>>,
        inputs: &Inputs<'_, 'a>,
    ) -> Result<Operation<'a>> {
        let Settings { domain, attributes } = &node.attributes;
        if !is_own(domain) {
            return Err(format!(
                "an operator of {domain:?}, which is not understood: export the model without optimising it \
                 for one runtime"
            ));
        }
        // Settings became inputs with newer operators.
        let list = |name: &str, number: usize| match attributes.integers(name)? {
            Some(list) => Ok::<_, String>(Some(list)),
            None => inputs.integers(number),
        };
        let number = |name: &str, number: usize| match attributes.stated_float(name)? {
            Some(value) => Ok::<_, String>(Some(value)),
            None => inputs.number(number),
        };
        let clip = |low, high| Ok(Operation::Clip { low, high });
        match node.kind {
            "Identity" => Ok(Operation::Pass),
            "Dropout" => match inputs.number(2)?.unwrap_or(0.0) == 0.0 {
                true => Ok(Operation::Pass),
                false => Err("it drops channels at random, as in training: export the model for use".into()),
            },
            "Constant" => self.value(attributes).map(Operation::Constant),
            "Cast" => super::tensor::kind(attributes.integer("to", 0)?).map(Operation::Cast),
            "Conv" => convolution(attributes),
            "BatchNormalization" => {
                let is_training = attributes.integer("training_mode", 0)? != 0;
                if is_training || attributes.integer("spatial", 1)? != 1 {
                    return Err("its batch norm is one of training: export the model for use".into());
                }
                Ok(Operation::Normalise {
                    epsilon: attributes.float("epsilon", 1e-5)?,
                    layout: FIRST,
                })
            }
            "Add" => Ok(Operation::Arithmetic(Arithmetic::Add)),
            "Sub" => Ok(Operation::Arithmetic(Arithmetic::Subtract)),
            "Mul" => Ok(Operation::Arithmetic(Arithmetic::Multiply)),
            "Div" => Ok(Operation::Arithmetic(Arithmetic::Divide)),
            "Sum" if inputs.len() == 2 => Ok(Operation::Arithmetic(Arithmetic::Add)),
            "Relu" => clip(Some(0.0), None),
            "Clip" => clip(number("min", 1)?, number("max", 2)?),
            "Max" if inputs.len() == 2 => clip(self.bound(inputs)?, None),
            "Min" if inputs.len() == 2 => clip(None, self.bound(inputs)?),
            "GlobalAveragePool" => Ok(Operation::Mean {
                axes: vec![2, 3],
                keep: true,
            }),
            "ReduceMean" => Ok(Operation::Mean {
                axes: list("axes", 1)?.ok_or("it averages over everything")?,
                keep: attributes.integer("keepdims", 1)? != 0,
            }),
            "AveragePool" => Ok(Operation::AveragePool(Pool {
                layout: FIRST,
                kernel: attributes.pair("kernel_shape", 0)?,
                strides: attributes.pair("strides", 1)?,
                zeros: zeros(attributes)?,
            })),
            "Gemm" => {
                if attributes.integer("transA", 0)? != 0 {
                    return Err("it turns its input, which is not understood".into());
                }
                Ok(Operation::Product(Product {
                    transposed: attributes.integer("transB", 0)? != 0,
                    factor: attributes.float("alpha", 1.0)?,
                    bias_factor: attributes.float("beta", 1.0)?,
                }))
            }
            "MatMul" => Ok(Operation::Product(Product {
                transposed: false,
                factor: 1.0,
                bias_factor: 1.0,
            })),
            "Pad" => pad(attributes, inputs),
            "Reshape" => {
                let keeps = attributes.integer("allowzero", 0)? == 0;
                let stated = match attributes.integers("shape")? {
                    Some(shape) => shape.into_iter().map(Dim::of).collect(),
                    None => inputs.sides(1)?,
                };
                let side = |side| match side {
                    Dim::Of(0) if keeps => Dim::Kept,
                    Dim::Number(-1) => Dim::Rest,
                    other => other,
                };
                Ok(Operation::Reshape(stated.into_iter().map(side).collect()))
            }
            "Flatten" => Ok(Operation::Flatten(attributes.integer("axis", 1)?)),
            "Squeeze" => Ok(Operation::Squeeze(list("axes", 1)?)),
            "Unsqueeze" => Ok(Operation::Unsqueeze(list("axes", 1)?.ok_or("it says no axes")?)),
            "Transpose" => Ok(Operation::Transpose(attributes.integers("perm")?)),
            "Softmax" | "LogSoftmax" => {
                // Until operator set 13 it went over all dimensions from one on.
                let flattens = self.opset < 13;
                Ok(Operation::Softmax {
                    axis: attributes.integer("axis", if flattens { 1 } else { -1 })?,
                    flattens,
                })
            }
            "Sigmoid" => Ok(Operation::Sigmoid),
            "Shape" => Ok(Operation::Shape {
                start: attributes.integer("start", 0)?,
                end: attributes.stated_integer("end")?,
            }),
            "Gather" => Ok(Operation::Gather {
                axis: attributes.integer("axis", 0)?,
            }),
            "Slice" => {
                let one = |name: &str, at: usize| match list(name, at)?.as_deref() {
                    Some([one]) => Ok(Some(*one)),
                    None => Ok(None),
                    _ => Err("it cuts several dimensions".to_owned()),
                };
                let bounds = (one("starts", 1)?, one("ends", 2)?);
                let is_plain = matches!(one("axes", 3)?, None | Some(0))
                    && matches!(inputs.integers(4)?.as_deref(), None | Some([1]));
                match bounds {
                    (Some(start), Some(end)) if is_plain => Ok(Operation::Slice {
                        start,
                        end,
                        is_number: false,
                    }),
                    _ => Err("the part that it takes is not understood".into()),
                }
            }
            "Concat" => Ok(Operation::Concat(inputs.len())),
            "Sqrt" => Ok(Operation::Root { reciprocal: false }),
            "DequantizeLinear" if attributes.integer("block_size", 0)? == 0 => Ok(Operation::Dequantise {
                axis: attributes.integer("axis", 1)?,
            }),
            "QuantizeLinear" | "QLinearConv" | "ConvInteger" | "MatMulInteger" | "DynamicQuantizeLinear" => {
                Err("what goes through is quantised, which is not supported for ONNX: give the model of floats \
                     that it was made of (quantize makes one of eight bits), or a quantised .tflite"
                    .into())
            }
            _ => Err("not a MobileNet V1, which has no such operation".into()),
        }
    }
}

impl<'a> Onnx<'a> {
    /// The numbers of a Constant.
    fn value(&self, attributes: &Attributes<'a>) -> Result<Constant<'a>> {
        if let Some(tensor) = attributes.tensor("value")? {
            return tensor.constant(&|_| None);
        }
        if let Some(value) = attributes.stated_float("value_float")? {
            return Constant::floats(vec![], &[value as f32]);
        }
        let list = attributes.integers("value_ints")?;
        let (shape, integers) = match (attributes.stated_integer("value_int")?, list) {
            (Some(one), _) => (vec![], vec![one]),
            (None, Some(list)) => (vec![list.len()], list),
            (None, None) => return Err("its value is of a kind that is not understood".into()),
        };
        let bytes: Vec<u8> = integers.iter().flat_map(|n| n.to_le_bytes()).collect();
        Constant::new(shape, Kind::I64, bytes.into())
    }

    /// The number of two inputs that is not computed.
    fn bound(&self, inputs: &Inputs<'_, 'a>) -> Result<Option<f64>> {
        let second = inputs.number(1);
        second.or_else(|_| inputs.number(0))
    }
}

fn convolution<'a>(attributes: &Attributes) -> Result<Operation<'a>> {
    Ok(Operation::Convolve(Convolution {
        layout: FIRST,
        weight: WeightOrder::Oihw,
        strides: attributes.pair("strides", 1)?,
        dilations: attributes.pair("dilations", 1)?,
        groups: Groups::Are(attributes.integer("group", 1)?),
        zeros: zeros(attributes)?,
    }))
}

/// What is put around the input.
fn zeros(attributes: &Attributes) -> Result<Zeros> {
    match attributes.text("auto_pad")? {
        Some("SAME_UPPER") => return Ok(Zeros::Same),
        Some("SAME_LOWER") => return Ok(Zeros::SameBefore),
        Some("VALID") => return Ok(Zeros::NONE),
        None | Some("NOTSET" | "") => {}
        Some(other) => return Err(format!("its auto_pad {other:?} is not understood")),
    }
    // All beginnings, then all ends.
    match attributes.integers("pads")?.as_deref() {
        None | Some([]) => Ok(Zeros::NONE),
        Some([top, left, bottom, right]) => Ok(Zeros::Are([[*top, *bottom], [*left, *right]])),
        Some(pads) => Err(format!("its pads are {pads:?}, not four numbers")),
    }
}

fn pad<'a>(attributes: &Attributes, inputs: &Inputs) -> Result<Operation<'a>> {
    let mode = attributes.text("mode")?.unwrap_or("constant");
    if mode != "constant" {
        return Err(format!("it puts no zeros around the picture, but {mode:?}"));
    }
    let pads = match attributes.integers("pads")? {
        Some(pads) => pads,
        None => inputs.integers(1)?.ok_or("it says no pads")?,
    };
    let value = match attributes.stated_float("value")? {
        Some(value) => value,
        None => inputs.number(2)?.unwrap_or(0.0),
    };
    if value != 0.0 {
        return Err(format!("it puts {value} around the picture, not zeros"));
    }
    let axes = inputs.integers(3)?;
    let dimensions = inputs.rank(0).ok_or("it pads nothing")?;
    let axes = axes.unwrap_or_else(|| (0..dimensions as i64).collect());
    if pads.len() != 2 * axes.len() {
        return Err(format!("{} pads for {} dimensions", pads.len(), axes.len()));
    }
    let mut zeros = vec![[0; 2]; dimensions];
    let (before, after) = pads.split_at(axes.len());
    for ((axis, before), after) in axes.iter().zip(before).zip(after) {
        let at = if *axis < 0 {
            axis + dimensions as i64
        } else {
            *axis
        };
        let place = usize::try_from(at).ok().and_then(|at| zeros.get_mut(at));
        *place.ok_or_else(|| format!("it pads dimension {axis}"))? = [*before, *after];
    }
    Ok(Operation::Pad(zeros))
}

//! The way through a graph's operators, from the pixels to the scores, as a MobileNet V1 goes.

use std::iter::Peekable;
use std::vec::IntoIter;

use candle_core::{Device, Tensor};

use super::flatbuffer::Result;
use super::graph::{Code, Graph, Operator};
use super::values::{Reader, Values};
use crate::error::without_backtrace;
use crate::model::ConvolutionKind;
use crate::ops::{Activation, Padding};

/// A convolution of the network, in our layout.
pub(super) struct Layer {
    /// The operator, for messages.
    pub name: String,
    pub weight: Tensor,
    pub bias: Tensor,
    pub stride: usize,
    pub padding: Padding,
    /// None after the classifier.
    pub activation: Option<Activation>,
}

/// The number of an option's kind in the schema.
const CONV_2D_OPTIONS: u8 = 1;
const DEPTHWISE_CONV_2D_OPTIONS: u8 = 2;
const POOL_2D_OPTIONS: u8 = 5;
const FULLY_CONNECTED_OPTIONS: u8 = 8;
const SOFTMAX_OPTIONS: u8 = 9;

/// The number of VALID in the schema; SAME is 0.
const VALID: i8 = 1;

/// The network's layers in order; the last is the classifier where the number is even.
pub(super) fn layers(graph: &Graph, input: usize, bytes: usize) -> Result<Vec<Layer>> {
    let mut walk = Walk {
        graph,
        reader: Reader::new(graph, bytes),
        ahead: chain(graph, input)?.into_iter().peekable(),
        channels: 3,
    };
    let mut layers = vec![walk.convolution(ConvolutionKind::Standard)?];
    while walk.next_is(&[Code::PAD, Code::DEPTHWISE_CONV_2D]) {
        layers.push(walk.convolution(ConvolutionKind::Depthwise)?);
        layers.push(walk.convolution(ConvolutionKind::Pointwise)?);
    }
    walk.pool()?;
    let flattens = [Code::RESHAPE, Code::SQUEEZE];
    while walk.next_is(&flattens) {
        walk.ahead.next();
    }
    if walk.ahead.peek().is_some() {
        layers.push(walk.convolution(ConvolutionKind::Classifier)?);
        while walk.next_is(&flattens) {
            walk.ahead.next();
        }
        if walk.ahead.peek().is_some() {
            walk.softmax()?;
        }
    }
    while walk.next_is(&flattens) {
        walk.ahead.next();
    }
    match walk.ahead.next() {
        None => Ok(layers),
        Some(operator) => Err(format!(
            "not a MobileNet V1: {operator} comes after its last layer"
        )),
    }
}

/// The operators that the pixels go through, in order, without those that only change how numbers
/// are kept.
fn chain<'g, 'a>(graph: &'g Graph<'a>, input: usize) -> Result<Vec<&'g Operator<'a>>> {
    let mut chain: Vec<&Operator> = Vec::new();
    let mut tensor = input;
    for _ in 0..=graph.operators.len() {
        let mut takers = graph.operators.iter().filter(|o| o.takes(tensor));
        let Some(operator) = takers.next() else {
            let ends = graph.outputs == [Some(tensor)];
            chain.retain(|o| o.code != Code::QUANTIZE && o.code != Code::DEQUANTIZE);
            return match ends {
                true => Ok(chain),
                false => Err(format!(
                    "not a MobileNet V1: its input leads to tensor {tensor}, which is not its only \
                     output"
                )),
            };
        };
        if let Some(other) = takers.next() {
            return Err(format!(
                "not a MobileNet V1: tensor {tensor} goes to both {operator} and {other}"
            ));
        }
        if operator.input(0) != Some(tensor) {
            return Err(format!(
                "{operator} takes tensor {tensor} otherwise than as its first input"
            ));
        }
        chain.push(operator);
        tensor = operator.output()?;
    }
    Err("its operators lead in a circle".into())
}

struct Walk<'g, 'a> {
    graph: &'g Graph<'a>,
    reader: Reader<'g, 'a>,
    ahead: Peekable<IntoIter<&'g Operator<'a>>>,
    /// What the last layer gave.
    channels: usize,
}

impl<'g, 'a> Walk<'g, 'a> {
    fn next_is(&mut self, codes: &[Code]) -> bool {
        self.ahead.peek().is_some_and(|o| codes.contains(&o.code))
    }

    /// The next operator, which has to do one of these.
    fn expect(&mut self, codes: &[Code]) -> Result<&'g Operator<'a>> {
        let operator = self.ahead.next_if(|o| codes.contains(&o.code));
        operator.ok_or_else(|| {
            let codes: Vec<String> = codes.iter().map(Code::to_string).collect();
            let codes = codes.join(" or ");
            match self.ahead.peek() {
                Some(other) => {
                    format!("not a MobileNet V1: {other} comes where {codes} is expected")
                }
                None => format!("not a MobileNet V1: it ends where {codes} is expected"),
            }
        })
    }

    fn convolution(&mut self, kind: ConvolutionKind) -> Result<Layer> {
        let zeros = match self.ahead.next_if(|o| o.code == Code::PAD) {
            Some(operator) => Some(self.zeros(operator)?),
            None => None,
        };
        let codes: &[Code] = match kind {
            ConvolutionKind::Depthwise => &[Code::DEPTHWISE_CONV_2D],
            ConvolutionKind::Classifier => &[Code::CONV_2D, Code::FULLY_CONNECTED],
            _ => &[Code::CONV_2D],
        };
        let operator = self.expect(codes)?;
        let error = |reason: String| format!("{operator}: {reason}");
        let tensor = |number: usize, what: &str| {
            let tensor = operator.input(number);
            tensor.ok_or_else(|| error(format!("it has no {what}")))
        };
        let weight = self.reader.read(tensor(1, "weight")?).map_err(error)?;
        let (weight, outputs) = self.weight(kind, operator, weight).map_err(error)?;
        let bias = match operator.input(2) {
            Some(bias) => self.reader.read(bias).map_err(error)?.values,
            None => vec![0.0; outputs],
        };
        if bias.len() != outputs {
            let n = bias.len();
            return Err(error(format!("its bias has {n} values, not {outputs}")));
        }
        let bias = Tensor::from_vec(bias, outputs, &Device::Cpu);
        let (stride, padding, fused) = settings(operator, kind, zeros).map_err(error)?;
        let mut activation = activation(fused).map_err(error)?;
        match (kind, activation) {
            (ConvolutionKind::Classifier, None) => {}
            (ConvolutionKind::Classifier, Some(activation)) => {
                return Err(error(format!(
                    "its classifier has the activation {activation}"
                )));
            }
            (_, None) => {
                let after = self.expect(&[Code::RELU6, Code::RELU])?;
                activation = Some(match after.code {
                    Code::RELU => Activation::Relu,
                    _ => Activation::Relu6,
                });
            }
            (_, Some(_)) => {}
        }
        self.channels = outputs;
        Ok(Layer {
            name: operator.to_string(),
            weight: weight.map_err(|e| error(without_backtrace(e)))?,
            bias: bias.map_err(|e| error(without_backtrace(e)))?,
            stride,
            padding,
            activation,
        })
    }

    /// A convolution's weight from OHWI to OIHW, a depthwise one's from 1HWC to C1HW; and its
    /// output channels.
    fn weight(
        &self,
        kind: ConvolutionKind,
        operator: &Operator,
        Values { mut shape, values }: Values,
    ) -> Result<(candle_core::Result<Tensor>, usize)> {
        if operator.code == Code::FULLY_CONNECTED && shape.len() == 2 {
            shape.splice(1..1, [1, 1]);
        }
        let c = self.channels;
        let (expected, outputs, order) = match (kind, shape.as_slice()) {
            (ConvolutionKind::Depthwise, _) => (vec![1, 3, 3, c], c, [3, 0, 1, 2]),
            (ConvolutionKind::Standard, [n, ..]) => (vec![*n, 3, 3, c], *n, [0, 3, 1, 2]),
            (_, [n, ..]) => (vec![*n, 1, 1, c], *n, [0, 3, 1, 2]),
            (_, []) => return Err("its weight is a single number".into()),
        };
        if shape != expected {
            return Err(format!(
                "not a MobileNet V1: its weight is {shape:?}, not {expected:?}"
            ));
        }
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu);
        let tensor = tensor.and_then(|tensor| tensor.permute(order)?.contiguous());
        Ok((tensor, outputs))
    }

    /// What a PAD puts around the pixels, in either direction before and after.
    fn zeros(&self, operator: &Operator) -> Result<[i64; 2]> {
        let error = |reason: String| format!("{operator}: {reason}");
        let zeros = operator.input(1).ok_or_else(|| error("no zeros".into()))?;
        let zeros = self.graph.integers(zeros).map_err(error)?;
        match zeros[..] {
            [0, 0, top, bottom, left, right, 0, 0] if [top, bottom] == [left, right] => {
                Ok([top, bottom])
            }
            _ => Err(error(format!("its zeros {zeros:?} are not supported"))),
        }
    }

    /// The global average pool.
    fn pool(&mut self) -> Result<()> {
        let depthwise = Code::DEPTHWISE_CONV_2D;
        let operator = self.expect(&[depthwise, Code::AVERAGE_POOL_2D, Code::MEAN])?;
        let error = |reason: String| format!("{operator}: {reason}");
        let input = operator.input(0).ok_or_else(|| error("no input".into()))?;
        let shape = self.graph.tensor(input).map_err(error)?.shape;
        let [_, height, width, _] = shape[..] else {
            return Err(error(format!("its input is {shape:?}")));
        };
        if operator.code == Code::MEAN {
            let axes = operator.input(1).ok_or_else(|| error("no axes".into()))?;
            let axes = self.graph.integers(axes).map_err(error)?;
            let mut sides: Vec<i64> = axes.iter().map(|n| n.rem_euclid(4)).collect();
            sides.sort_unstable();
            return match sides[..] {
                [1, 2] => Ok(()),
                _ => Err(error(format!("its axes are {axes:?}, not [1, 2]"))),
            };
        }
        let options = operator.options(POOL_2D_OPTIONS)?;
        let filter: [i32; 2] = [options.scalar(4, 0)?, options.scalar(3, 0)?];
        let fused: i8 = options.scalar(5, 0)?;
        let whole = filter.map(|side| side.try_into().ok()) == [Some(height), Some(width)];
        let once = options.scalar(0, 0)? == VALID || filter == [1, 1];
        match whole && once && fused == 0 {
            true => Ok(()),
            false => Err(error(format!(
                "it takes {filter:?} pixels of {height}x{width}, where one average of all of them \
                 is expected"
            ))),
        }
    }

    fn softmax(&mut self) -> Result<()> {
        let operator = self.expect(&[Code::SOFTMAX])?;
        let beta: f32 = operator.options(SOFTMAX_OPTIONS)?.scalar(0, 0.0)?;
        match beta == 1.0 {
            true => Ok(()),
            false => Err(format!("{operator}: its beta is {beta}, not 1")),
        }
    }
}

/// A convolution's stride, padding and fused activation.
fn settings(
    operator: &Operator,
    kind: ConvolutionKind,
    zeros: Option<[i64; 2]>,
) -> Result<(usize, Padding, i8)> {
    // The depthwise one has its depth multiplier before the activation.
    let (options, activation) = match operator.code {
        Code::FULLY_CONNECTED => {
            let options = operator.options(FULLY_CONNECTED_OPTIONS)?;
            if options.scalar::<i8>(1, 0)? != 0 {
                return Err("its weight is shuffled, which is not supported".into());
            }
            return Ok((1, Padding::Same, options.scalar(0, 0)?));
        }
        Code::DEPTHWISE_CONV_2D => {
            let options = operator.options(DEPTHWISE_CONV_2D_OPTIONS)?;
            let multiplier: i32 = options.scalar(3, 0)?;
            // Where it is not stated, the shapes tell: one filter a channel.
            if ![0, 1].contains(&multiplier) {
                return Err(format!("its depth multiplier is {multiplier}, not 1"));
            }
            (options, 4)
        }
        _ => (operator.options(CONV_2D_OPTIONS)?, 3),
    };
    let dilation: [i32; 2] = [
        options.scalar(activation + 1, 1)?,
        options.scalar(activation + 2, 1)?,
    ];
    if dilation != [1, 1] {
        return Err(format!("its dilation is {dilation:?}, not [1, 1]"));
    }
    let strides: [i32; 2] = [options.scalar(1, 0)?, options.scalar(2, 0)?];
    let stride = match strides {
        [1, 1] => 1,
        [2, 2] => 2,
        _ => return Err(format!("its strides are {strides:?}, not 1 or 2")),
    };
    let valid = options.scalar(0, 0i8)? == VALID;
    let is_3x3 = matches!(kind, ConvolutionKind::Standard | ConvolutionKind::Depthwise);
    let padding = match (is_3x3, zeros, valid) {
        (true, None, false) | (false, None, _) => Padding::Same,
        (true, Some([0, 1]), true) if stride == 2 => Padding::After,
        (true, Some([1, 1]), true) => Padding::Symmetric,
        (true, None, true) => {
            return Err("it has no zeros around its input (VALID), which is not supported".into());
        }
        (_, Some(zeros), _) => {
            return Err(format!(
                "{zeros:?} zeros before and after its input are not supported"
            ));
        }
    };
    Ok((stride, padding, options.scalar(activation, 0)?))
}

/// The activation of a number in the schema.
fn activation(number: i8) -> Result<Option<Activation>> {
    match number {
        0 => Ok(None),
        1 => Ok(Some(Activation::Relu)),
        3 => Ok(Some(Activation::Relu6)),
        2 => Err("its activation RELU_N1_TO_1 is not supported".into()),
        4 => Err("its activation TANH is not supported".into()),
        n => Err(format!("its activation {n} is not supported")),
    }
}

//! The way through a graph's operators, from the pixels to the scores, as a MobileNet V1 goes.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::flatbuffer::Result;
use super::graph::{Code, Graph, Operator};
use super::options;
use super::reshape;
use super::scaling::Scaling;
use super::values::Reader;
use crate::head::Head;
use crate::model::{ConvolutionKind, StoredTensor, StoredValues};
use crate::ops::{Activation, Padding};

/// A convolution of the network, in our layout.
pub(super) struct TfliteLayer {
    /// The operator, for messages.
    pub name: String,
    pub weight: StoredTensor<'static>,
    pub bias: StoredTensor<'static>,
    pub stride: usize,
    pub padding: Padding,
    /// None after the classifier.
    pub activation: Option<Activation>,
}

/// What a graph does with pixels.
pub(super) struct TfliteNetwork {
    /// In order; the last is the classifier where the number is even.
    pub layers: Vec<TfliteLayer>,
    /// What is done to the pixels before the first of them, if anything is.
    pub scaling: Option<Scaling>,
    /// What makes scores of its outputs, if anything does.
    pub head: Option<Head>,
}

/// Reads the network from the operators that its pixels go through, in a file of so many bytes.
/// `channels_first` says how the pixels lie.
pub(super) fn network<'g>(
    graph: &'g Graph,
    chain: &[&'g Operator<'_>],
    channels_first: bool,
    bytes: usize,
) -> Result<TfliteNetwork> {
    let tensors = chain.iter().filter_map(|operator| operator.input(0));
    let tensors = tensors.collect();
    let mut chain = chain.to_vec();
    chain.retain(|o| o.code != Code::QUANTIZE && o.code != Code::DEQUANTIZE);
    let mut walk = Walk {
        graph,
        reader: Reader::new(graph, bytes),
        ahead: chain.into_iter().peekable(),
        tensors,
        channels: 3,
    };
    let mut scaling = walk.scaling(None)?;
    if channels_first {
        walk.channels_last()?;
        scaling = walk.scaling(scaling)?;
    }
    let mut layers = vec![walk.convolution(ConvolutionKind::Standard)?];
    while walk.next_is(&[Code::PAD, Code::DEPTHWISE_CONV_2D]) {
        layers.push(walk.convolution(ConvolutionKind::Depthwise)?);
        layers.push(walk.convolution(ConvolutionKind::Pointwise)?);
    }
    walk.pool()?;
    walk.flatten()?;
    let mut head = None;
    if walk.ahead.peek().is_some() {
        layers.push(walk.convolution(ConvolutionKind::Classifier)?);
        walk.flatten()?;
        if walk.ahead.peek().is_some() {
            head = Some(walk.head()?);
        }
    }
    walk.flatten()?;
    match walk.ahead.next() {
        None => Ok(TfliteNetwork {
            layers,
            scaling,
            head,
        }),
        Some(operator) => Err(format!(
            "not a MobileNet V1: {operator} comes after its last layer"
        )),
    }
}

/// The operators that the pixels go through, in order.
pub(super) fn chain<'g, 'a>(graph: &'g Graph<'a>, input: usize) -> Result<Vec<&'g Operator<'a>>> {
    let mut chain: Vec<&Operator> = Vec::new();
    let mut tensor = input;
    for _ in 0..=graph.operators.len() {
        // A shape may be asked for beside the way; what is made of it is seen where it is used.
        let mut takers = graph
            .operators
            .iter()
            .filter(|o| o.takes(tensor) && o.code != Code::SHAPE);
        let Some(operator) = takers.next() else {
            let ends = graph.outputs == [Some(tensor)];
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

pub(super) struct Walk<'g, 'a> {
    pub graph: &'g Graph<'a>,
    pub reader: Reader<'g, 'a>,
    pub ahead: Peekable<IntoIter<&'g Operator<'a>>>,
    /// What the pixels become on their way.
    tensors: Vec<usize>,
    /// What the last layer gave.
    channels: usize,
}

impl<'g, 'a> Walk<'g, 'a> {
    pub fn next_is(&mut self, codes: &[Code]) -> bool {
        self.ahead.peek().is_some_and(|o| codes.contains(&o.code))
    }

    /// The next operator, which has to do one of these.
    pub fn expect(&mut self, codes: &[Code]) -> Result<&'g Operator<'a>> {
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

    fn convolution(&mut self, kind: ConvolutionKind) -> Result<TfliteLayer> {
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
        let mut bias = match operator.input(2) {
            Some(bias) => self.reader.read(bias).map_err(error)?,
            None => {
                let zeros = StoredValues::F32(vec![0.0; outputs].into());
                StoredTensor::floats(zeros, &[outputs])
            }
        };
        let n: usize = bias.shape.iter().product();
        if n != outputs {
            return Err(error(format!("its bias has {n} values, not {outputs}")));
        }
        bias.shape = vec![outputs];
        let (stride, padding, fused) = options::settings(operator, kind, zeros).map_err(error)?;
        let mut activation = options::activation(fused).map_err(error)?;
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
        Ok(TfliteLayer {
            name: operator.to_string(),
            weight,
            bias,
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
        mut weight: StoredTensor<'static>,
    ) -> Result<(StoredTensor<'static>, usize)> {
        if operator.code == Code::FULLY_CONNECTED && weight.shape.len() == 2 {
            weight.shape.splice(1..1, [1, 1]);
            if let Some(quantisation) = &mut weight.quantisation
                && quantisation.axis == 1
            {
                quantisation.axis = 3;
            }
        }
        let c = self.channels;
        let (expected, outputs, order) = match (kind, weight.shape.as_slice()) {
            (ConvolutionKind::Depthwise, _) => (vec![1, 3, 3, c], c, [3, 0, 1, 2]),
            (ConvolutionKind::Standard, [n, ..]) => (vec![*n, 3, 3, c], *n, [0, 3, 1, 2]),
            (_, [n, ..]) => (vec![*n, 1, 1, c], *n, [0, 3, 1, 2]),
            (_, []) => return Err("its weight is a single number".into()),
        };
        if weight.shape != expected {
            return Err(format!(
                "not a MobileNet V1: its weight is {:?}, not {expected:?}",
                weight.shape
            ));
        }
        Ok((weight.permuted(&order), outputs))
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

    /// The global average pool. Over a single pixel there is nothing to do, and TensorFlow's converter
    /// leaves it out.
    fn pool(&mut self) -> Result<()> {
        let next = self.ahead.peek().and_then(|operator| operator.input(0));
        let shape = next.and_then(|input| self.graph.tensor(input).ok());
        let is_pixel = shape.is_some_and(|tensor| matches!(tensor.shape[..], [_, 1, 1, _]));
        // Where there is one pixel, a sum is an average too, and some converters write that.
        let averages = match is_pixel {
            true => &[Code::AVERAGE_POOL_2D, Code::MEAN, Code::SUM][..],
            false => &[Code::AVERAGE_POOL_2D, Code::MEAN],
        };
        if is_pixel && !self.next_is(averages) {
            return Ok(());
        }
        let mut expected = vec![Code::DEPTHWISE_CONV_2D];
        expected.extend(averages);
        let operator = self.expect(&expected)?;
        let error = |reason: String| format!("{operator}: {reason}");
        let input = operator.input(0).ok_or_else(|| error("no input".into()))?;
        let shape = self.graph.tensor(input).map_err(error)?.shape;
        let [_, height, width, _] = shape[..] else {
            return Err(error(format!("its input is {shape:?}")));
        };
        if operator.code != Code::AVERAGE_POOL_2D {
            let axes = operator.input(1).ok_or_else(|| error("no axes".into()))?;
            let axes = self.graph.integers(axes).map_err(error)?;
            let mut sides: Vec<i64> = axes.iter().map(|n| n.rem_euclid(4)).collect();
            sides.sort_unstable();
            return match sides[..] {
                [1, 2] => Ok(()),
                _ => Err(error(format!("its axes are {axes:?}, not [1, 2]"))),
            };
        }
        options::check_pool(operator, [height, width]).map_err(error)
    }

    /// Passes over what only changes the shape of a picture's channels.
    fn flatten(&mut self) -> Result<()> {
        while self.next_is(&[Code::RESHAPE, Code::SQUEEZE]) {
            if let Some(operator) = self.ahead.next_if(|o| o.code == Code::RESHAPE) {
                reshape::check(self.graph, &self.tensors, operator, self.channels)?;
            } else {
                self.ahead.next();
            }
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head> {
        let operator = self.expect(&[Code::SOFTMAX, Code::LOGISTIC])?;
        if operator.code == Code::LOGISTIC {
            return Ok(Head::Sigmoid);
        }
        options::check_softmax(operator).map_err(|reason| format!("{operator}: {reason}"))?;
        Ok(Head::Softmax)
    }
}

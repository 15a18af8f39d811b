//! Convolutions, and the product with a matrix that the last one may be.

use std::rc::Rc;

use super::activations::{Activations, Axis, Stage};
use super::affine::Affine;
use super::constant::Constant;
use super::operation::{Convolution, Groups, Layout, Product, WeightOrder, Zeros};
use crate::model::ConvolutionKind;
use crate::weights::protobuf::Result;

/// More than a MobileNet V1 has.
const MAX_LAYERS: usize = 64;

/// A convolution by itself.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Its node, for messages.
    pub name: String,
    /// `[out, in, k, k]`, `[C, 1, k, k]` of a depthwise one.
    pub shape: [usize; 4],
    pub weight: Vec<f32>,
    /// One for each output, or none.
    pub bias: Option<Vec<f32>>,
    pub stride: usize,
    pub zeros: Zeros,
}

impl Activations {
    /// A convolution's output.
    pub fn convolved(
        &self,
        name: &str,
        settings: &Convolution,
        weight: &Constant,
        bias: Option<&Constant>,
    ) -> Result<Self> {
        let order: [usize; 4] = match settings.weight {
            WeightOrder::Oihw => [0, 1, 2, 3],
            WeightOrder::Hwio => [3, 2, 0, 1],
            WeightOrder::Hwcm => [2, 3, 0, 1],
        };
        let stated = weight.shape.clone();
        let weight = weight.permuted(&order)?;
        let shape: [usize; 4] = weight.shape[..].try_into().map_err(|_| wrong(&stated))?;
        let (c, [outputs, inputs, height, width]) = (self.channels, shape);
        // Each block begins with a depthwise one; timm has a 1x1 one after the last of them.
        let begins_block = self.layers.len() % 2 == 1;
        let is_head = self.stage == Stage::Activated && begins_block && [height, width] == [1, 1];
        let kind = match (self.stage, begins_block && !is_head) {
            (Stage::Activated, _) if self.has_head => return Err(self.unexpected("a convolution")),
            (Stage::Pixels, _) => ConvolutionKind::Standard,
            (Stage::Activated, true) => ConvolutionKind::Depthwise,
            (Stage::Activated, _) => ConvolutionKind::Pointwise,
            (Stage::Pooled, _) => ConvolutionKind::Classifier,
            _ => return Err(self.unexpected("a convolution")),
        };
        let order: [Axis; 4] = match settings.layout {
            Layout::ChannelsFirst => [Axis::Pictures, Axis::Channels, Axis::Height, Axis::Width],
            Layout::ChannelsLast => [Axis::Pictures, Axis::Height, Axis::Width, Axis::Channels],
        };
        let pooled = order.map(|axis| match axis {
            Axis::Height | Axis::Width => Axis::One,
            other => other,
        });
        let expected = match kind {
            ConvolutionKind::Classifier => pooled,
            _ => order,
        };
        if self.axes != expected {
            return Err("it takes the dimensions of its input in another order".into());
        }
        if settings.dilations != [1, 1] {
            return Err(format!("its dilation is {:?}, not 1", settings.dilations));
        }
        let stride = match settings.strides {
            [1, 1] => 1,
            [2, 2] => 2,
            strides => return Err(format!("its strides are {strides:?}, not 1 or 2")),
        };
        let groups = match settings.groups {
            Groups::Are(n) => usize::try_from(n).ok(),
            Groups::Each => Some(c),
        };
        let side = match kind {
            ConvolutionKind::Standard | ConvolutionKind::Depthwise => 3,
            _ => 1,
        };
        let of_channels = match kind {
            ConvolutionKind::Depthwise => outputs == c && inputs == 1 && groups == Some(c),
            _ => inputs == c && groups == Some(1),
        };
        if !of_channels || [height, width] != [side; 2] || outputs == 0 {
            let wanted = match kind {
                ConvolutionKind::Standard => "3x3 over the colours",
                ConvolutionKind::Depthwise => "3x3 for each channel",
                _ => "1x1 over all channels",
            };
            return Err(format!(
                "not a MobileNet V1: its weight of {stated:?} is not {wanted}, of which there are {c}"
            ));
        }
        let zeros = match (self.zeros, settings.zeros) {
            (None, zeros) => zeros,
            (Some(before), Zeros::Are(own)) => Zeros::Are(sum(before, own)?),
            (Some(_), _) => return Err("there are zeros around its input already".into()),
        };
        let zeros = match (side, zeros) {
            (1, Zeros::Are(around)) if around != [[0; 2]; 2] => {
                return Err("it puts zeros around the input of a 1x1 convolution".into());
            }
            (1, _) => Zeros::NONE,
            (_, Zeros::Are([rows, columns])) if rows != columns => {
                return Err("it puts other zeros above and below than at the sides".into());
            }
            (_, Zeros::Are([[before, after], _]))
                if ![before, after].iter().all(|n| (0..=2).contains(n)) =>
            {
                return Err(format!(
                    "it puts {before} and {after} zeros around its input"
                ));
            }
            _ => zeros,
        };
        let mut it = self.clone();
        it.has_head = is_head;
        it.zeros = None;
        it.sides = self.sides.map(|n| output_side(n?, side, stride, zeros));
        let kernel = Kernel {
            name: name.into(),
            shape,
            weight: weight.weights()?,
            bias: bias.map(Constant::weights).transpose()?,
            stride,
            zeros,
        };
        it.opened(kernel)
    }

    /// The product with a matrix, which is the classifier.
    pub fn product(
        &self,
        name: &str,
        settings: &Product,
        matrix: &Constant,
        bias: Option<&Constant>,
    ) -> Result<Self> {
        if self.stage != Stage::Pooled {
            return Err(self.unexpected("a product with a matrix"));
        }
        if self.axes.last() != Some(&Axis::Channels) {
            return Err("its channels are not in the last dimension".into());
        }
        let matrix = match (settings.transposed, matrix.shape.len()) {
            (_, n) if n != 2 => return Err(wrong(&matrix.shape)),
            (true, _) => matrix.clone(),
            (false, _) => matrix.permuted(&[1, 0])?,
        };
        let (outputs, inputs) = (matrix.shape[0], matrix.shape[1]);
        if inputs != self.channels || outputs == 0 {
            return Err(format!(
                "its matrix takes {inputs} channels, and there are {}",
                self.channels
            ));
        }
        let scaled = |constant: &Constant, factor: f64| {
            let numbers = constant.weights()?;
            let scaled = numbers.iter().map(|x| (f64::from(*x) * factor) as f32);
            Ok::<Vec<f32>, String>(match factor == 1.0 {
                true => numbers,
                false => scaled.collect(),
            })
        };
        let bias = bias.map(|bias| scaled(bias, settings.bias_factor));
        let bias = bias.transpose()?.map(|bias| match bias[..] {
            [one] => vec![one; outputs],
            _ => bias,
        });
        let kernel = Kernel {
            name: name.into(),
            shape: [outputs, inputs, 1, 1],
            weight: scaled(&matrix, settings.factor)?,
            bias,
            stride: 1,
            zeros: Zeros::NONE,
        };
        self.clone().opened(kernel)
    }

    /// The same with a convolution of what it was.
    fn opened(mut self, mut kernel: Kernel) -> Result<Self> {
        if self.layers.len() >= MAX_LAYERS {
            return Err("not a MobileNet V1: it has too many layers".into());
        }
        let outputs = kernel.shape[0];
        if let Some(bias) = &kernel.bias
            && bias.len() != outputs
        {
            return Err(format!(
                "its bias has {} numbers, not {outputs}",
                bias.len()
            ));
        }
        let affine = self.affine.take();
        self.stage = match self.stage {
            Stage::Pixels => {
                self.scaling = affine;
                Stage::Convolved
            }
            Stage::Pooled => {
                if let Some(affine) = affine {
                    kernel.take(&affine);
                }
                Stage::Logits
            }
            _ => Stage::Convolved,
        };
        self.channels = outputs;
        self.open = Some(Rc::new(kernel));
        Ok(self)
    }
}

impl Kernel {
    /// Takes in what is done to its input, of which there is one place only.
    fn take(&mut self, affine: &Affine) {
        let [outputs, inputs, ..] = self.shape;
        let mut bias = self.bias.take().unwrap_or_else(|| vec![0.0; outputs]);
        for (weights, bias) in self.weight.chunks_mut(inputs.max(1)).zip(&mut bias) {
            let mut sum = f64::from(*bias);
            for ((weight, factor), offset) in
                weights.iter_mut().zip(&affine.factor).zip(&affine.offset)
            {
                sum += f64::from(*weight) * offset;
                *weight = (f64::from(*weight) * factor) as f32;
            }
            *bias = sum as f32;
        }
        self.bias = Some(bias);
    }
}

fn wrong(shape: &[usize]) -> String {
    format!("not a MobileNet V1: its weight is {shape:?}")
}

fn sum(a: [[i64; 2]; 2], b: [[i64; 2]; 2]) -> Result<[[i64; 2]; 2]> {
    let mut sum = a;
    for (a, b) in sum.iter_mut().flatten().zip(b.into_iter().flatten()) {
        *a = a.checked_add(b).ok_or("its zeros are too many")?;
    }
    Ok(sum)
}

/// The side of what a convolution makes of a side, if it is one.
fn output_side(side: usize, kernel: usize, stride: usize, zeros: Zeros) -> Option<usize> {
    match zeros {
        Zeros::Same | Zeros::SameBefore => Some(side.div_ceil(stride)),
        Zeros::Are([[before, after], _]) => {
            let around = usize::try_from(before.checked_add(after)?).ok()?;
            let left = side.checked_add(around)?.checked_sub(kernel)?;
            Some(left / stride + 1)
        }
    }
}

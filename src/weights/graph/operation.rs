//! What a node of a graph does, in the field's terms, whatever its format calls it.

use super::constant::{Constant, Kind};
use super::dims::Dim;

/// What a node does with its inputs, of which the first is what goes through where nothing else is said.
pub(in crate::weights) enum Operation<'a> {
    /// Hands on what it takes.
    Pass,
    Constant(Constant<'a>),
    /// The second input is the weight, the third the bias, if there is one.
    Convolve(Convolution),
    /// Its inputs are gamma, beta, mean and variance.
    Normalise {
        epsilon: f64,
        layout: Layout,
    },
    /// Adds its second input, one number a channel.
    Bias(Layout),
    Arithmetic(Arithmetic),
    /// What is lower or higher becomes these.
    Clip {
        low: Option<f64>,
        high: Option<f64>,
    },
    /// The average over some dimensions, which stay with a side of 1 if they are kept.
    Mean {
        axes: Vec<i64>,
        keep: bool,
    },
    AveragePool(Pool),
    /// The product with a matrix.
    Product(Product),
    /// Zeros before and after, by dimension.
    Pad(Vec<[i64; 2]>),
    Reshape(Vec<Dim>),
    /// To two dimensions, the second of which begins with this one.
    Flatten(i64),
    /// Without these dimensions of 1, or without all of them.
    Squeeze(Option<Vec<i64>>),
    Unsqueeze(Vec<i64>),
    /// Dimensions in another order, or in the reverse one.
    Transpose(Option<Vec<i64>>),
    /// Over a dimension, and all after it where it `flattens`.
    Softmax {
        axis: i64,
        flattens: bool,
    },
    Sigmoid,
    /// The shape of what it takes, or a part of that.
    Shape {
        start: i64,
        end: Option<i64>,
    },
    /// Of its first input what its second says.
    Gather {
        axis: i64,
    },
    /// A number of a list, or a part of it, from one to before the other.
    Slice {
        start: i64,
        end: i64,
        is_number: bool,
    },
    /// So many inputs, lists or numbers, one after the other.
    Concat(usize),
    Cast(Kind),
    /// Integers to the numbers that they stand for: its inputs are the scale and the zero point.
    Dequantise {
        axis: i64,
    },
    /// The square root, or 1 by it.
    Root {
        reciprocal: bool,
    },
}

/// The order of what goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Layout {
    ChannelsFirst,
    ChannelsLast,
}

impl Layout {
    /// The dimensions of height and width.
    pub fn sides(self) -> [usize; 2] {
        match self {
            Self::ChannelsFirst => [2, 3],
            Self::ChannelsLast => [1, 2],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// A convolution's settings, those of sides by height and width.
pub(in crate::weights) struct Convolution {
    pub layout: Layout,
    pub weight: WeightOrder,
    pub strides: [i64; 2],
    pub dilations: [i64; 2],
    pub groups: Groups,
    pub zeros: Zeros,
}

/// The order of a weight's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum WeightOrder {
    /// Outputs, inputs, height, width.
    Oihw,
    /// Height, width, inputs, outputs.
    Hwio,
    /// Height, width, channels, filters a channel.
    Hwcm,
}

/// How many groups of channels a convolution has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Groups {
    Are(i64),
    /// As many as there are channels.
    Each,
}

/// What is put around the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::weights) enum Zeros {
    /// TensorFlow's SAME, the odd one after the input.
    Same,
    /// The same with the odd one before it.
    SameBefore,
    /// Before and after, by height and width.
    Are([[i64; 2]; 2]),
}

impl Zeros {
    pub const NONE: Self = Self::Are([[0; 2]; 2]);
}

/// An average pool's settings.
pub(in crate::weights) struct Pool {
    pub layout: Layout,
    pub kernel: [i64; 2],
    pub strides: [i64; 2],
    pub zeros: Zeros,
}

/// A product with a matrix: its second input is that, the third what is added, if there is one.
pub(in crate::weights) struct Product {
    /// The matrix is `[outputs, inputs]`.
    pub transposed: bool,
    pub factor: f64,
    pub bias_factor: f64,
}

//! The three kinds of convolution that MobileNet V1 is made of, with bias and activation.
//!
//! Each is a function over candle tensors that checks its shapes and runs as a fixed number of
//! candle's operations, on any device and in any float type. On the CPU in f32, and on GPUs, the
//! network does not come through here but runs on kernels of its own, which the tests hold against
//! these; and these against their plain definition in [`mod@reference`].
//!
//! Layouts: activations `[N, C, H, W]`, weights `[out, in, k, k]` (`[C, 1, k, k]` for a
//! depthwise one), bias `[out]`.

mod conv2d;
mod depthwise_conv2d;
pub(crate) mod planes;
mod pointwise_conv2d;
pub mod reference;

pub use conv2d::conv2d;
pub(crate) use conv2d::conv2d_sums;
pub use depthwise_conv2d::depthwise_conv2d;
pub(crate) use depthwise_conv2d::depthwise_sums;
pub use pointwise_conv2d::pointwise_conv2d;

use std::fmt;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The nonlinearity after a batch norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relu => "relu",
            Self::Relu6 => "relu6",
        })
    }
}

impl Activation {
    /// The activation of one value.
    #[inline(always)]
    pub fn apply(self, x: f32) -> f32 {
        match self {
            // Unlike `max`, this lets through what is not a number.
            Self::Relu if x < 0.0 => 0.0,
            Self::Relu => x,
            Self::Relu6 => x.clamp(0.0, 6.0),
        }
    }

    /// The activation of a tensor, with candle's operations.
    pub(crate) fn apply_to_tensor(self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Relu => x.relu(),
            Self::Relu6 => x.clamp(0f64, 6f64),
        }
    }
}

/// How a convolution's input is extended with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// TensorFlow's SAME: as many outputs as `ceil(input / stride)`, and where the zeros
    /// needed for that are odd in number, the extra one after the input.
    Same,
    /// `kernel - stride` zeros, all of them after the input: what Keras spells
    /// `ZeroPadding2D(((0, 1), (0, 1)))` and `valid` for a 3x3 kernel of stride 2. It is SAME
    /// for an even input and one output less for an odd one.
    After,
    /// `kernel / 2` zeros on both sides, as timm and torchvision pad.
    Symmetric,
}

/// One direction of a padded convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Zeros before the input.
    pub before: usize,
    /// Zeros after the input.
    pub after: usize,
    /// Output length.
    pub output: usize,
}

impl Padding {
    /// Zeros and output length for an input of length `input`, which is at least 1.
    pub fn span(self, input: usize, kernel: usize, stride: usize) -> Span {
        match self {
            Self::Same => {
                let output = input.div_ceil(stride);
                let total = ((output - 1) * stride + kernel).saturating_sub(input);
                Span {
                    before: total / 2,
                    after: total - total / 2,
                    output,
                }
            }
            Self::After => {
                let after = kernel.saturating_sub(stride.min(input));
                Span {
                    before: 0,
                    after,
                    output: (input + after - kernel) / stride + 1,
                }
            }
            Self::Symmetric => {
                let pad = kernel / 2;
                Span {
                    before: pad,
                    after: pad,
                    output: (input + 2 * pad - kernel) / stride + 1,
                }
            }
        }
    }
}

/// What a 3x3 convolution does besides multiplying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvParams {
    /// Stride, the same in both directions.
    pub stride: usize,
    /// Where zeros go.
    pub padding: Padding,
    /// Applied to the sum and the bias.
    pub activation: Activation,
}

/// Adds a bias `[C]` to `[N, C, H, W]` and applies the activation, if any.
fn bias_and_activation(
    x: &Tensor,
    bias: &Tensor,
    activation: Option<Activation>,
) -> candle_core::Result<Tensor> {
    let y = x.broadcast_add(&bias.reshape((1, bias.elem_count(), 1, 1))?)?;
    match activation {
        Some(activation) => activation.apply_to_tensor(&y),
        None => Ok(y),
    }
}

/// Pads the two spatial dimensions of `[N, C, H, W]` with zeros.
fn pad(x: &Tensor, rows: Span, columns: Span) -> candle_core::Result<Tensor> {
    x.pad_with_zeros(2, rows.before, rows.after)?
        .pad_with_zeros(3, columns.before, columns.after)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule of TensorFlow's documentation, over every size a layer can meet.
    #[test]
    fn same_padding_puts_the_odd_zero_after_the_input() {
        for (input, before, after, output) in [
            (224, 0, 1, 112),
            (225, 1, 1, 113),
            (7, 1, 1, 4),
            (1, 1, 1, 1),
        ] {
            let span = Padding::Same.span(input, 3, 2);
            assert_eq!(
                (span.before, span.after, span.output),
                (before, after, output)
            );
        }
        for input in 1..50 {
            let span = Padding::Same.span(input, 3, 1);
            assert_eq!((span.before, span.after, span.output), (1, 1, input));
        }
    }

    #[test]
    fn padding_after_the_input_is_same_for_even_inputs_only() {
        for input in (2..50).step_by(2) {
            assert_eq!(
                Padding::After.span(input, 3, 2),
                Padding::Same.span(input, 3, 2)
            );
        }
        assert_eq!(Padding::After.span(33, 3, 2).output, 16);
        assert_eq!(Padding::After.span(1, 3, 2).output, 1);
    }

    #[test]
    fn symmetric_padding_is_one_on_every_side() {
        for input in 1..50 {
            for stride in [1, 2] {
                let span = Padding::Symmetric.span(input, 3, stride);
                assert_eq!((span.before, span.after), (1, 1));
                assert_eq!(span.output, (input - 1) / stride + 1);
            }
        }
    }
}

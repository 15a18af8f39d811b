//! The pointwise (1x1) convolution: a matrix product, and 95 % of the network's arithmetic.

use candle_core::{Result, Tensor, bail};

use super::{Activation, bias_and_activation};

/// Multiplies the channels of `x` (`[N, C, H, W]`) with `weight` (`[out, C, 1, 1]`), adds
/// `bias` (`[out]`) and applies the activation, if any. Returns `[N, out, H, W]`.
///
/// # Errors
/// Shapes that don't fit.
pub fn pointwise_conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Option<Activation>,
) -> Result<Tensor> {
    let (n, channels, h, w) = x.dims4()?;
    let (out, ..) = weight.dims4()?;
    if weight.dims() != [out, channels, 1, 1] || bias.dims() != [out] {
        let (weight, bias) = (weight.dims(), bias.dims());
        bail!("pointwise_conv2d: weight {weight:?} and bias {bias:?} for {channels} channels");
    }
    let weight = weight.reshape((out, channels))?.broadcast_left(n)?;
    let y = weight.matmul(&x.reshape((n, channels, h * w))?)?;
    bias_and_activation(&y.reshape((n, out, h, w))?, bias, activation)
}

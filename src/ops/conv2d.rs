//! The full 3x3 convolution of the stem.

use candle_core::{Result, Tensor, bail};

use super::{ConvParams, Padding, bias_and_activation, pad};

/// Convolves `x` (`[N, C, H, W]`) with `weight` (`[out, C, k, k]`), adds `bias` (`[out]`) and
/// applies the activation. Returns `[N, out, H', W']` with the padding's output sizes.
///
/// # Errors
/// Shapes that don't fit.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: &Tensor, params: ConvParams) -> Result<Tensor> {
    let out = weight.dim(0)?;
    if bias.dims() != [out] {
        bail!("conv2d: bias {:?} for {out} channels", bias.dims());
    }
    let sums = conv2d_sums(x, weight, params.stride, params.padding)?;
    bias_and_activation(&sums, bias, Some(params.activation))
}

/// The same without bias and activation.
pub(crate) fn conv2d_sums(
    x: &Tensor,
    weight: &Tensor,
    stride: usize,
    padding: Padding,
) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let (_, _, kernel, _) = weight.dims4()?;
    let rows = padding.span(h, kernel, stride);
    let columns = padding.span(w, kernel, stride);
    pad(x, rows, columns)?.conv2d(weight, 0, stride, 1, 1)
}

//! The full 3x3 convolution of the stem.

use candle_core::{Result, Tensor, bail};

use super::{ConvParams, bias_and_activation, pad};

/// Convolves `x` (`[N, C, H, W]`) with `weight` (`[out, C, k, k]`), adds `bias` (`[out]`) and
/// applies the activation. Returns `[N, out, H', W']` with the padding's output sizes.
///
/// # Errors
/// Shapes that don't fit.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: &Tensor, params: ConvParams) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let (out, _, kernel, _) = weight.dims4()?;
    if bias.dims() != [out] {
        bail!("conv2d: bias {:?} for {out} channels", bias.dims());
    }
    let rows = params.padding.span(h, kernel, params.stride);
    let columns = params.padding.span(w, kernel, params.stride);
    let y = pad(x, rows, columns)?.conv2d(weight, 0, params.stride, 1, 1)?;
    bias_and_activation(&y, bias, Some(params.activation))
}

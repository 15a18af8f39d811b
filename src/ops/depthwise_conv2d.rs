//! The depthwise 3x3 convolution.
//!
//! candle runs a grouped convolution as one convolution a group: 4,960 of them in one pass of
//! alpha 1.0, three quarters of its time on a CPU and thousands of launches on a GPU.

use candle_core::{Result, Tensor, bail};

use super::{ConvParams, Padding, bias_and_activation, pad};

const KERNEL: usize = 3;

/// Convolves every channel of `x` (`[N, C, H, W]`) with its own filter of `weight`
/// (`[C, 1, 3, 3]`), adds `bias` (`[C]`) and applies the activation. Returns
/// `[N, C, H', W']` with the padding's output sizes. The stride is 1 or 2.
///
/// It is a fixed number of candle's operations: one product and one sum for each of the nine
/// taps. A stride of 2 becomes an index by reshaping `[.., 2 H', 2 W']` to `[.., H', 2, W', 2]`.
///
/// # Errors
/// Shapes that don't fit.
pub fn depthwise_conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    params: ConvParams,
) -> Result<Tensor> {
    let channels = x.dim(1)?;
    if bias.dims() != [channels] {
        let bias = bias.dims();
        bail!("depthwise_conv2d: bias {bias:?} for {channels} channels");
    }
    let sums = depthwise_sums(x, weight, params.stride, params.padding)?;
    bias_and_activation(&sums, bias, Some(params.activation))
}

/// The same without bias and activation.
pub(crate) fn depthwise_sums(
    x: &Tensor,
    weight: &Tensor,
    stride: usize,
    padding: Padding,
) -> Result<Tensor> {
    let (n, channels, height, width) = x.dims4()?;
    if weight.dims() != [channels, 1, KERNEL, KERNEL] {
        let weight = weight.dims();
        bail!("depthwise_conv2d: weight {weight:?} for {channels} channels");
    }
    if height == 0 || width == 0 || !matches!(stride, 1 | 2) {
        bail!("depthwise_conv2d: {height}x{width} pixels at stride {stride}");
    }
    let rows = padding.span(height, KERNEL, stride);
    let columns = padding.span(width, KERNEL, stride);
    let (h, w) = (rows.output, columns.output);
    let x = pad(x, rows, columns)?;
    // Every tap's window has to reach `stride * output` pixels; what this adds at the end is
    // skipped by the stride.
    let missing = |have: usize, output: usize| (stride * output + KERNEL - 1).saturating_sub(have);
    let x = x
        .pad_with_zeros(2, 0, missing(x.dim(2)?, h))?
        .pad_with_zeros(3, 0, missing(x.dim(3)?, w))?;
    let mut sum: Option<Tensor> = None;
    for ky in 0..KERNEL {
        for kx in 0..KERNEL {
            let window = x
                .narrow(2, ky, stride * h)?
                .narrow(3, kx, stride * w)?
                .contiguous()?
                .reshape((n, channels, h, stride, w, stride))?
                .narrow(3, 0, 1)?
                .narrow(5, 0, 1)?
                .contiguous()?
                .reshape((n, channels, h, w))?;
            let tap = weight.narrow(2, ky, 1)?.narrow(3, kx, 1)?;
            let tap = tap.contiguous()?.reshape((1, channels, 1, 1))?;
            let product = window.broadcast_mul(&tap)?;
            sum = Some(match sum {
                Some(sum) => (sum + product)?,
                None => product,
            });
        }
    }
    match sum {
        Some(sum) => Ok(sum),
        None => bail!("depthwise_conv2d: no taps"),
    }
}

//! The depthwise 3x3 convolution.
//!
//! candle runs a grouped convolution as one convolution a group: 4,960 of them in one pass of
//! alpha 1.0, three quarters of its time on a CPU and thousands of launches on a GPU.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{ConvParams, Span, bias_and_activation, cpu_f32, pad};

const KERNEL: usize = 3;

/// Convolves every channel of `x` (`[N, C, H, W]`) with its own filter of `weight`
/// (`[C, 1, 3, 3]`), adds `bias` (`[C]`) and applies the activation. Returns
/// `[N, C, H', W']` with the padding's output sizes. The stride is 1 or 2.
///
/// # Errors
/// Shapes that don't fit; on the CPU, a type other than f32 or a layout that is not
/// contiguous.
pub fn depthwise_conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    params: ConvParams,
) -> Result<Tensor> {
    let (_, channels, h, w) = x.dims4()?;
    if weight.dims() != [channels, 1, KERNEL, KERNEL] {
        bail!(
            "depthwise_conv2d: weight {:?} for {channels} channels",
            weight.dims()
        );
    }
    if bias.dims() != [channels] {
        bail!(
            "depthwise_conv2d: bias {:?} for {channels} channels",
            bias.dims()
        );
    }
    if h == 0 || w == 0 || !matches!(params.stride, 1 | 2) {
        bail!(
            "depthwise_conv2d: {h}x{w} pixels at stride {}",
            params.stride
        );
    }
    let op = DepthwiseConv2d {
        params,
        rows: params.padding.span(h, KERNEL, params.stride),
        columns: params.padding.span(w, KERNEL, params.stride),
    };
    if x.device().is_cpu() {
        x.apply_op3_no_bwd(weight, bias, &op)
    } else {
        op.compose(x, weight, bias)
    }
}

struct DepthwiseConv2d {
    params: ConvParams,
    rows: Span,
    columns: Span,
}

impl DepthwiseConv2d {
    /// The same as a fixed number of candle's operations, for a device without a kernel: one
    /// product and one sum for each of the nine taps. A stride of 2 becomes an index by
    /// reshaping `[.., 2 H', 2 W']` to `[.., H', 2, W', 2]`.
    fn compose(&self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let (n, channels, _, _) = x.dims4()?;
        let (stride, h, w) = (self.params.stride, self.rows.output, self.columns.output);
        let x = pad(x, self.rows, self.columns)?;
        // Every tap's window has to reach `stride * output` pixels; what this adds at the end
        // is skipped by the stride.
        let reach = |output: usize| stride * output + KERNEL - 1;
        let missing = |have: usize, output: usize| reach(output).saturating_sub(have);
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
            Some(sum) => bias_and_activation(&sum, bias, Some(self.params.activation)),
            None => bail!("depthwise_conv2d: no taps"),
        }
    }

    /// One channel of one image: `input` is `h * w`, `output` `H' * W'`, `padded` scratch.
    fn plane(
        &self,
        input: &[f32],
        w: usize,
        taps: &[f32],
        bias: f32,
        output: &mut [f32],
        padded: &mut [f32],
    ) {
        // A zero-bordered copy leaves the loops without edge cases. A plane is at most a few
        // tens of kilobytes and stays in the first-level cache.
        let width = self.padded_width(w);
        for (y, row) in input.chunks_exact(w).enumerate() {
            let start = (y + self.rows.before) * width + self.columns.before;
            padded[start..start + w].copy_from_slice(row);
        }
        for (oy, out) in output.chunks_exact_mut(self.columns.output).enumerate() {
            let top = oy * self.params.stride * width;
            let rows = [0, 1, 2].map(|ky| &padded[top + ky * width..][..width]);
            match self.params.stride {
                1 => self.row::<1>(rows, taps, bias, out),
                _ => self.row::<2>(rows, taps, bias, out),
            }
        }
    }

    #[inline(always)]
    fn row<const STRIDE: usize>(
        &self,
        rows: [&[f32]; 3],
        taps: &[f32],
        bias: f32,
        out: &mut [f32],
    ) {
        let reach = (out.len() - 1) * STRIDE + KERNEL;
        let rows = rows.map(|row| &row[..reach]);
        for (x, out) in out.iter_mut().enumerate() {
            let mut sum = bias;
            for (row, taps) in rows.iter().zip(taps.chunks_exact(KERNEL)) {
                for (kx, tap) in taps.iter().enumerate() {
                    sum += tap * row[x * STRIDE + kx];
                }
            }
            *out = self.params.activation.apply(sum);
        }
    }

    fn padded_width(&self, w: usize) -> usize {
        w + self.columns.before + self.columns.after
    }
}

impl CustomOp3 for DepthwiseConv2d {
    fn name(&self) -> &'static str {
        "depthwise-conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, channels, h, w) = x_layout.shape().dims4()?;
        let x = cpu_f32(x, x_layout, self.name())?;
        let weight = cpu_f32(weight, weight_layout, self.name())?;
        let bias = cpu_f32(bias, bias_layout, self.name())?;
        let plane = self.rows.output * self.columns.output;
        let mut output = vec![0f32; n * channels * plane];
        let padded_len = self.padded_width(w) * (h + self.rows.before + self.rows.after);
        output
            .par_chunks_mut(plane)
            .zip(x.par_chunks(h * w))
            .enumerate()
            .with_min_len(8)
            .for_each_init(
                || vec![0f32; padded_len],
                |padded, (i, (output, input))| {
                    let c = i % channels;
                    let taps = &weight[c * KERNEL * KERNEL..][..KERNEL * KERNEL];
                    self.plane(input, w, taps, bias[c], output, padded);
                },
            );
        let shape = Shape::from((n, channels, self.rows.output, self.columns.output));
        Ok((CpuStorage::F32(output), shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Activation, Padding, reference};
    use candle_core::Device;

    /// The composition that devices without a kernel use can be checked on the CPU too.
    #[test]
    fn the_composition_equals_the_reference() -> Result<()> {
        for padding in [Padding::Same, Padding::After, Padding::Symmetric] {
            for stride in [1, 2] {
                for (h, w) in [(1, 1), (1, 5), (2, 2), (7, 7), (8, 5), (13, 16)] {
                    let params = ConvParams {
                        stride,
                        padding,
                        activation: Activation::Relu6,
                    };
                    let x = Tensor::randn(0f32, 2.0, (2, 3, h, w), &Device::Cpu)?;
                    let weight = Tensor::randn(0f32, 1.0, (3, 1, 3, 3), &Device::Cpu)?;
                    let bias = Tensor::randn(0f32, 1.0, 3, &Device::Cpu)?;
                    let op = DepthwiseConv2d {
                        params,
                        rows: padding.span(h, KERNEL, stride),
                        columns: padding.span(w, KERNEL, stride),
                    };
                    let got = op.compose(&x, &weight, &bias)?;
                    let (want, shape) = reference::depthwise_conv2d(
                        &x.flatten_all()?.to_vec1()?,
                        [2, 3, h, w],
                        &weight.flatten_all()?.to_vec1()?,
                        &bias.to_vec1()?,
                        KERNEL,
                        params,
                    );
                    assert_eq!(got.dims(), shape);
                    for (a, b) in got.flatten_all()?.to_vec1::<f32>()?.iter().zip(&want) {
                        assert!((a - b).abs() < 1e-5, "{a} {b}");
                    }
                }
            }
        }
        Ok(())
    }
}

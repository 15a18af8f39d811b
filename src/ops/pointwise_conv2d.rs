//! The pointwise (1x1) convolution: a matrix product, and 95 % of the network's arithmetic.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::{Activation, bias_and_activation, cpu_f32};

/// Multiplies the channels of `x` (`[N, C, H, W]`) with `weight` (`[out, C, 1, 1]`), adds
/// `bias` (`[out]`) and applies the activation, if any. Returns `[N, out, H, W]`.
///
/// # Errors
/// Shapes that don't fit; on the CPU, a type other than f32 or a layout that is not
/// contiguous.
pub fn pointwise_conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    activation: Option<Activation>,
) -> Result<Tensor> {
    let (n, channels, h, w) = x.dims4()?;
    let (out, ..) = weight.dims4()?;
    if weight.dims() != [out, channels, 1, 1] || bias.dims() != [out] {
        bail!(
            "pointwise_conv2d: weight {:?} and bias {:?} for {channels} channels",
            weight.dims(),
            bias.dims()
        );
    }
    if x.device().is_cpu() {
        return x.apply_op3_no_bwd(weight, bias, &PointwiseConv2d { activation });
    }
    let weight = weight.reshape((out, channels))?.broadcast_left(n)?;
    let y = weight.matmul(&x.reshape((n, channels, h * w))?)?;
    bias_and_activation(&y.reshape((n, out, h, w))?, bias, activation)
}

struct PointwiseConv2d {
    activation: Option<Activation>,
}

impl CustomOp3 for PointwiseConv2d {
    fn name(&self) -> &'static str {
        "pointwise-conv2d"
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
        let (out, pixels) = (bias.len(), h * w);
        let mut output = vec![0f32; n * out * pixels];
        for (output, x) in output
            .chunks_exact_mut(out * pixels)
            .zip(x.chunks_exact(channels * pixels))
        {
            multiply(weight, x, output, channels);
            for (row, bias) in output.chunks_exact_mut(pixels).zip(bias) {
                for value in row {
                    *value += bias;
                    if let Some(activation) = self.activation {
                        *value = activation.apply(*value);
                    }
                }
            }
        }
        Ok((CpuStorage::F32(output), Shape::from((n, out, h, w))))
    }
}

/// `output` (`[m, n]`) becomes `a` (`[m, k]`) times `b` (`[k, n]`), all row-major.
fn multiply(a: &[f32], b: &[f32], output: &mut [f32], k: usize) {
    let (m, n) = (a.len() / k, b.len() / k);
    assert!(a.len() == m * k && b.len() == k * n && output.len() == m * n);
    let (rows_a, rows_b, rows_output) = (k as isize, n as isize, n as isize);
    // SAFETY: the assertion above makes the three slices exactly the matrices that the sizes
    // and strides describe, and `output` is borrowed mutably, so nothing aliases it.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            output.as_mut_ptr(),
            1,
            rows_output,
            false,
            a.as_ptr(),
            1,
            rows_a,
            b.as_ptr(),
            1,
            rows_b,
            0f32,
            1f32,
            false,
            false,
            false,
            gemm::Parallelism::Rayon(rayon::current_num_threads()),
        );
    }
}

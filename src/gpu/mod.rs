//! The network on a GPU: three kernels of our own, and the device's matrix products.
//!
//! Activations are `[N, H, W, C]`. A pass over a batch is one launch for the stem, two for each
//! block (the depthwise kernel, and a product of `[N * H * W, C]` pixels with the pointwise
//! weights, which goes to the matrix units), one for the global average pool and two for the
//! classifier: 30 for the whole network, whatever the batch. A pointwise layer's bias and
//! activation are applied by the kernel that reads it.
//!
//! The kernels are in `kernels.h`, once for CUDA and Metal; [`plain`] is the same in plain loops, which runs where a
//! tensor is on the CPU and is what the tests hold the kernels against.

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(any(feature = "cuda", feature = "metal", test))]
mod launch;
mod layer;
#[cfg(feature = "metal")]
mod metal;
mod network;
mod plain;
#[cfg(test)]
mod tests;

pub(crate) use network::GpuNetwork;

/// Has a device run the smallest of the kernels, and looks at what comes back.
///
/// # Errors
/// A device that can't compile or run them, or computes something else.
#[cfg(any(feature = "cuda", feature = "metal", test))]
pub(crate) fn try_out(device: &candle_core::Device) -> candle_core::Result<()> {
    use candle_core::{DType, Tensor, bail};

    let layer = layer::Layer {
        kernel: layer::Kernel::Average,
        channels: 2,
        padding: crate::ops::Padding::Same,
        activation: crate::ops::Activation::Relu6,
        dtype: DType::F32,
    };
    let input = Tensor::new(&[[[[1f32, -9.0], [3.0, 20.0]]]], device)?;
    let mean = layer.run(&input, &Tensor::new(&[1f32, -2.0], device)?)?;
    let found: Vec<f32> = mean.flatten_all()?.to_vec1()?;
    match found[..] {
        [3.0, 3.0] => Ok(()),
        _ => bail!("the GPU computes {found:?} where it should be [3.0, 3.0]"),
    }
}

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

//! The network on a GPU: three kernels of our own, and the device's matrix products.
//!
//! Activations are `[N, H, W, C]`. A pass over a batch is one launch for the stem, two for each
//! block (the depthwise kernel, and a product of `[N * H * W, C]` pixels with the pointwise
//! weights, which goes to the matrix units), one for the global average pool and two for the
//! classifier: 30 for the whole network, whatever the batch. A pointwise layer's bias and
//! activation are applied by the kernel that reads it. CUDA records them and replays them at one call
//! (`replay.rs`).
//!
//! The kernels are in `kernels.h`, once for CUDA and Metal; [`plain`] is the same in plain loops,
//! which runs where a tensor is on the CPU and is what the tests hold the kernels against.

mod candle_op;
#[cfg(feature = "cuda")]
mod cuda;
mod engine;
mod kernel;
#[cfg(any(feature = "cuda", feature = "metal", test))]
mod launch;
#[cfg(feature = "metal")]
mod metal;
mod plain;
#[cfg(feature = "cuda")]
mod recording;
#[cfg(feature = "cuda")]
mod replay;
#[cfg(test)]
mod tests;
mod weights;

pub(crate) use engine::GpuEngine;

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Device, DeviceLocation, Result, Tensor};

use self::kernel::{Kernel, KernelOp};
use crate::ops::{Activation, Padding};
use crate::pixels::{ByteScale, COLOURS};

/// Whether a device computes with our kernels what plain loops do; tried once. Where it doesn't, for
/// whatever reason, the network is a composition of candle's operations.
pub(crate) fn kernels_work(device: &Device) -> bool {
    static TRIED: Mutex<Vec<(DeviceLocation, bool)>> = Mutex::new(Vec::new());
    let mut tried = TRIED.lock().unwrap_or_else(PoisonError::into_inner);
    let place = device.location();
    if let Some((_, works)) = tried.iter().find(|(known, _)| *known == place) {
        return *works;
    }
    let works = trial(device).is_ok_and(|off| off < 1e-4);
    tried.push((place, works));
    works
}

/// The largest difference between a device's kernels and plain loops, over every kernel.
fn trial(device: &Device) -> Result<f32> {
    let depthwise = |stride, input_bias| Kernel::Depthwise { stride, input_bias };
    let kernels = [
        (Kernel::Stem, 28),
        (depthwise(1, false), 10),
        (depthwise(1, true), 11),
        (depthwise(2, false), 10),
        (depthwise(2, true), 11),
        (Kernel::Average, 1),
    ];
    let mut off = 0f32;
    // A channel a thread, and several.
    for channels in [3, 8] {
        for (kernel, rows) in kernels {
            let op = KernelOp {
                kernel,
                channels,
                padding: Padding::Same,
                activation: Activation::Relu6,
                dtype: DType::F32,
                scale: ByteScale {
                    zero: [1.5, 2.5, 0.5],
                    scale: [0.5, -0.25, 1.0],
                },
            };
            let shape = match kernel {
                Kernel::Stem => (2, 7, 9, COLOURS),
                _ => (2, 7, 9, channels),
            };
            let wave = |len: usize| (0..len).map(|i| (i as f32 * 1.7).sin()).collect::<Vec<_>>();
            let count = shape.0 * shape.1 * shape.2 * shape.3;
            let mut inputs = vec![Tensor::new(wave(count), &Device::Cpu)?];
            if kernel == Kernel::Stem {
                let bytes: Vec<u8> = (0..count).map(|i| (i * 7 % 5) as u8).collect();
                inputs.push(Tensor::new(bytes, &Device::Cpu)?);
            }
            let parameters = Tensor::new(wave(rows * channels), &Device::Cpu)?;
            for input in inputs {
                let input = input.reshape(shape)?;
                let want = op.run(&input, &parameters)?;
                let got = op.run(&input.to_device(device)?, &parameters.to_device(device)?)?;
                let difference = (got.to_device(&Device::Cpu)? - want)?.abs()?;
                let largest = difference.flatten_all()?.max(0)?.to_scalar::<f32>()?;
                // What is not a number is off by more than anything.
                off = if largest <= off { off } else { largest };
            }
        }
    }
    Ok(off)
}

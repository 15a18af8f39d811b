//! Launching the kernels on an NVIDIA GPU.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{DeviceRepr, LaunchConfig, PushKernelArg};
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::{CudaStorage, DType, Layout, Result, Shape};
use half::{bf16, f16};

use super::launch::RawSizes;
use super::layer::{Layer, Sizes};

/// `kernels.cu`, compiled by the build script.
const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

/// The name that the device keeps them under.
const MODULE: &str = "mobilenet";

/// Threads of a block.
const BLOCK: usize = 256;

// SAFETY: it is `repr(C)`, and as `Sizes` in `kernels.h`.
unsafe impl DeviceRepr for RawSizes {}

/// Runs a layer.
pub(super) fn run(
    layer: &Layer,
    sizes: &Sizes,
    input: (&CudaStorage, &Layout),
    parameters: (&CudaStorage, &Layout),
) -> Result<(CudaStorage, Shape)> {
    let run = match (input.0.dtype(), layer.dtype) {
        (DType::U8, DType::F16) => launch::<u8, f16>,
        (DType::U8, DType::BF16) => launch::<u8, bf16>,
        (DType::U8, _) => launch::<u8, f32>,
        (DType::F16, DType::F16) => launch::<f16, f16>,
        (DType::F16, _) => launch::<f16, f32>,
        (DType::BF16, DType::BF16) => launch::<bf16, bf16>,
        (DType::BF16, _) => launch::<bf16, f32>,
        (_, DType::F16) => launch::<f32, f16>,
        (_, DType::BF16) => launch::<f32, bf16>,
        _ => launch::<f32, f32>,
    };
    run(layer, sizes, input, parameters)
}

fn launch<I: CudaDType + DeviceRepr, O: CudaDType + DeviceRepr>(
    layer: &Layer,
    sizes: &Sizes,
    (input, input_layout): (&CudaStorage, &Layout),
    (parameters, parameters_layout): (&CudaStorage, &Layout),
) -> Result<(CudaStorage, Shape)> {
    let offset = input_layout.start_offset();
    let launch = layer.launch(sizes, input.dtype(), offset)?;
    let device = input.device().clone();
    let values = input.as_cuda_slice::<I>()?.slice(offset..);
    let parameters = parameters.as_cuda_slice::<f32>()?;
    let parameters = parameters.slice(parameters_layout.start_offset()..);
    let function = device.get_or_load_custom_func(&launch.name, MODULE, PTX)?;
    let shape = layer.output(sizes);
    // SAFETY: the kernel writes all of it.
    let output = unsafe { device.alloc::<O>(shape.elem_count())? };
    let config = LaunchConfig {
        // As many as fit into 31 bits, see `Layer::launch`.
        grid_dim: (launch.threads.div_ceil(BLOCK) as u32, 1, 1),
        block_dim: (BLOCK as u32, 1, 1),
        shared_mem_bytes: 0,
    };
    let mut arguments = function.builder();
    arguments.arg(&values);
    arguments.arg(&parameters);
    arguments.arg(&output);
    arguments.arg(&launch.sizes);
    // SAFETY: these are the arguments of every kernel in `kernels.cu`, in their order and, by
    // `Layer::launch`, of the types that its name says; `Layer::sizes` checked that the tensors are
    // as large as the sizes say, and each thread checks that its share lies within them.
    unsafe { arguments.launch(config) }.w()?;
    Ok((O::wrap_cuda_slice(output, device), shape))
}

//! Giving the kernels to an NVIDIA GPU.

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{
    CudaStream, DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg, SyncOnDrop,
};
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::{CudaDevice, CudaStorage, DType, Layout, Result, Shape, bail};
use half::{bf16, f16};

use super::kernel::{KernelOp, Sizes};
use super::launch::{Launch, RawSizes};

/// `kernels.cu`, compiled by the build script.
const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

/// The name that the device keeps them under.
const MODULE: &str = "mobilenet";

/// Threads of a block. Few: the last layers of one image have hardly two thousand threads, which are
/// to be spread over all of the GPU.
const BLOCK: usize = 64;

// SAFETY: it is `repr(C)`, and as `Sizes` in `kernels.h`.
unsafe impl DeviceRepr for RawSizes {}

/// Where a kernel's arrays begin in the GPU's memory.
pub(super) struct Arrays {
    pub input: u64,
    pub parameters: u64,
    pub output: u64,
}

/// Runs a kernel.
pub(super) fn run(
    op: &KernelOp,
    sizes: &Sizes,
    (input, input_layout): (&CudaStorage, &Layout),
    (parameters, parameters_layout): (&CudaStorage, &Layout),
) -> Result<(CudaStorage, Shape)> {
    let offset = input_layout.start_offset();
    let launch = op.launch(sizes, input.dtype(), offset)?;
    let device = input.device();
    let stream = device.cuda_stream();
    let shape = op.output(sizes);
    // SAFETY: the kernel writes all of it.
    let output = unsafe {
        match op.output_dtype() {
            DType::F16 => empty::<f16>(device, shape.elem_count())?,
            DType::BF16 => empty::<bf16>(device, shape.elem_count())?,
            _ => empty::<f32>(device, shape.elem_count())?,
        }
    };
    {
        let (input, _in_use) = address(input, offset, &stream)?;
        let start = parameters_layout.start_offset();
        let (parameters, _read) = address(parameters, start, &stream)?;
        let (output, _written) = address(&output, 0, &stream)?;
        let arrays = Arrays {
            input,
            parameters,
            output,
        };
        // SAFETY: `KernelOp::sizes` checked that the tensors are as large as the sizes say; the types
        // are those that the launch is for; memory is freed in the order of the same stream.
        unsafe { give(device, &stream, &launch, &arrays)? };
    }
    Ok((output, shape))
}

/// Gives a kernel to a stream.
///
/// # Safety
/// The arrays are of the types that the launch was made for and as large as its sizes say, and they
/// last until the stream has done it.
pub(super) unsafe fn give(
    device: &CudaDevice,
    stream: &CudaStream,
    launch: &Launch,
    arrays: &Arrays,
) -> Result<()> {
    let function = device.get_or_load_custom_func(&launch.name, MODULE, PTX)?;
    let config = LaunchConfig {
        // As many as fit into 31 bits, see `KernelOp::launch`.
        grid_dim: (launch.threads.div_ceil(BLOCK) as u32, 1, 1),
        block_dim: (BLOCK as u32, 1, 1),
        shared_mem_bytes: 0,
    };
    let mut arguments = stream.launch_builder(&function);
    arguments.arg(&arrays.input);
    arguments.arg(&arrays.parameters);
    arguments.arg(&arrays.output);
    arguments.arg(&launch.sizes);
    // SAFETY: these are the arguments of every kernel in `kernels.cu`, in their order; each thread
    // checks that its share lies within the sizes. The rest is the caller's promise.
    unsafe { arguments.launch(config) }.w()?;
    Ok(())
}

/// Where an element of a tensor lies, and what tells candle that the stream uses it.
pub(super) fn address<'a>(
    storage: &'a CudaStorage,
    element: usize,
    stream: &'a CudaStream,
) -> Result<(u64, SyncOnDrop<'a>)> {
    fn of<'a, T: CudaDType + DeviceRepr + 'a>(
        storage: &'a CudaStorage,
        element: usize,
        stream: &'a CudaStream,
    ) -> Result<(u64, SyncOnDrop<'a>)> {
        let (address, in_use) = storage.as_cuda_slice::<T>()?.device_ptr(stream);
        Ok((address + (element * size_of::<T>()) as u64, in_use))
    }
    match storage.dtype() {
        DType::U8 => of::<u8>(storage, element, stream),
        DType::F16 => of::<f16>(storage, element, stream),
        DType::BF16 => of::<bf16>(storage, element, stream),
        DType::F32 => of::<f32>(storage, element, stream),
        other => bail!("a tensor in {}", other.as_str()),
    }
}

/// A tensor's memory with nothing in it yet.
///
/// # Safety
/// It is written before it is read.
unsafe fn empty<T: CudaDType + DeviceRepr>(device: &CudaDevice, len: usize) -> Result<CudaStorage> {
    // SAFETY: the caller's promise.
    let slice = unsafe { device.alloc::<T>(len)? };
    Ok(T::wrap_cuda_slice(slice, device.clone()))
}

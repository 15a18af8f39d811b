//! Opening an NVIDIA GPU.

use candle_core::cuda_backend::cudarc::cublas::CudaBlas;
use candle_core::cuda_backend::cudarc::cublas::sys::{cublasMath_t, cublasSetMathMode};
use candle_core::cuda_backend::cudarc::driver::result::{device, mem_pool};
use candle_core::cuda_backend::cudarc::driver::sys::CUmemPool_attribute;
use candle_core::{CudaDevice, Device};

use super::reason::cuda_reason;
use crate::error::without_backtrace;

/// Opens the GPU of this number, and has it compute something, so that what is wrong is known now
/// and not in the middle of a run.
///
/// All threads give their work to one stream. candle's default is a stream for each thread, and then
/// a network that one thread has brought to the GPU may not be there yet when another asks it.
///
/// # Errors
/// Why it can't be had, and what to do.
pub fn open(number: usize) -> Result<Device, String> {
    #[cfg(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))]
    super::lazy::check().map_err(super::reason::missing_library)?;
    let device = Device::new_cuda_with_stream(number).and_then(|device| {
        if let Device::Cuda(cuda) = &device {
            // SAFETY: events order the streams that share a tensor. All of candle's work goes to one; the
            // other, which passes are recorded on, waits before and after (`gpu/replay.rs`).
            unsafe { cuda.disable_event_tracking() };
            keep_memory(cuda);
            keep_digits(&cuda.cublas_handle());
        }
        super::try_out(&device)?;
        Ok(device)
    });
    device.map_err(|error| cuda_reason(number, &without_backtrace(error)))
}

/// Has the driver keep memory that was freed for whoever asks next. By default it gives it back
/// whenever somebody waits for the GPU, which is after every batch, and each batch begins by
/// fetching it anew. Where it doesn't listen, that is how it is.
fn keep_memory(cuda: &CudaDevice) {
    const THRESHOLD: CUmemPool_attribute = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    let number = cuda.cuda_stream().context().cu_device();
    let mut all = u64::MAX;
    // SAFETY: the device is open, its pool lasts as long as it does, and the attribute is a number of
    // 64 bits.
    let _ = unsafe {
        device::get_default_mem_pool(number)
            .and_then(|pool| mem_pool::set_attribute(pool, THRESHOLD, (&raw mut all).cast()))
    };
}

/// Has cuBLAS take the sums of halves in f32 to the end, where it adds them in parts too.
pub(crate) fn keep_digits(blas: &CudaBlas) {
    const MODE: cublasMath_t = cublasMath_t::CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    // SAFETY: the handle is alive. An error leaves the mode as it was.
    let _ = unsafe { cublasSetMathMode(*blas.handle(), MODE) };
}

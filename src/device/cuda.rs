//! Opening an NVIDIA GPU.

use candle_core::Device;

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
            // SAFETY: events order the streams that share a tensor, and there is but one.
            unsafe { cuda.disable_event_tracking() };
        }
        super::try_out(&device)?;
        Ok(device)
    });
    device.map_err(|error| cuda_reason(number, &without_backtrace(error)))
}

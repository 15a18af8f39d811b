//! Why a GPU can't be had, or stopped, in words that say what to do.

/// CUDA's errors, each with what it means.
const CUDA_ERRORS: [(&str, &str); 19] = [
    (
        "CUDA_ERROR_NO_DEVICE",
        "the driver sees no GPU (`nvidia-smi` shows what it sees; CUDA_VISIBLE_DEVICES may hide it)",
    ),
    (
        "CUDA_ERROR_INVALID_DEVICE",
        "there is no GPU of that number (`nvidia-smi -L` lists them)",
    ),
    (
        "CUDA_ERROR_DEVICE_UNAVAILABLE",
        "the GPU is busy: another process has it for itself alone",
    ),
    (
        "CUDA_ERROR_OUT_OF_MEMORY",
        "the GPU's memory is full (`nvidia-smi` shows by whom)",
    ),
    (
        "CUBLAS_STATUS_ALLOC_FAILED",
        "the GPU's memory is full (`nvidia-smi` shows by whom)",
    ),
    (
        "CUDA_ERROR_LAUNCH_FAILED",
        "the GPU broke off in the middle of its work",
    ),
    (
        "CUDA_ERROR_ILLEGAL_ADDRESS",
        "the GPU broke off in the middle of its work",
    ),
    (
        "CUDA_ERROR_MISALIGNED_ADDRESS",
        "the GPU broke off in the middle of its work",
    ),
    (
        "CUBLAS_STATUS_NOT_INITIALIZED",
        "cuBLAS could not start, mostly for want of the GPU's memory",
    ),
    (
        "CUDA_ERROR_LAUNCH_TIMEOUT",
        "the work took longer than the driver lets a GPU with a screen work",
    ),
    (
        "CUBLAS_STATUS_EXECUTION_FAILED",
        "the GPU broke off in the middle of its work",
    ),
    (
        "CUDA_ERROR_INSUFFICIENT_DRIVER",
        "the driver is too old for this build: update it, or build with an older CUDA toolkit",
    ),
    (
        "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
        "the driver is too old for this build: update it, or build with an older CUDA toolkit",
    ),
    (
        "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
        "the driver and its library are of different versions: restart the machine after an update",
    ),
    (
        "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
        "the driver is too old for this build, and CUDA's compatibility package does not know the GPU",
    ),
    (
        "CUDA_ERROR_NO_BINARY_FOR_GPU",
        "this build is for a newer GPU: build it with CUDA_COMPUTE_CAP set to this one's (`nvidia-smi --query-gpu=compute_cap --format=csv`)",
    ),
    (
        "CUDA_ERROR_INVALID_PTX",
        "this build is for a newer GPU: build it with CUDA_COMPUTE_CAP set to this one's (`nvidia-smi --query-gpu=compute_cap --format=csv`)",
    ),
    (
        "CUDA_ERROR_SYSTEM_NOT_READY",
        "the system around the GPU is not ready: is the fabric manager running?",
    ),
    (
        "CUDA_ERROR_ECC_UNCORRECTABLE",
        "the GPU's memory is damaged: it has to be reset",
    ),
];

/// What an error of CUDA's means for whoever asked for a GPU.
#[cfg_attr(not(any(feature = "cuda", test)), allow(dead_code))]
pub fn cuda_reason(number: usize, error: &str) -> String {
    let reason = in_words(error);
    format!("GPU {number}: {}", reason.as_deref().unwrap_or(error))
}

/// An error of CUDA's in words, with its name; `None` for any other.
fn in_words(error: &str) -> Option<String> {
    let known = CUDA_ERRORS.iter().find(|(name, _)| error.contains(name));
    known.map(|(name, reason)| format!("{reason} ({name})"))
}

/// What kind of failure an error of candle's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A GPU has too little memory.
    OutOfMemory,
    /// Anything else that its driver or cuBLAS reports.
    Gpu,
    /// Anything else.
    Other,
}

/// What kind of failure a driver's error is, and the same in words. candle passes these errors on as
/// text; here they become values, and nowhere else is the text looked at.
pub fn explain(error: String) -> (Failure, String) {
    let has = |names: [&str; 2]| names.iter().any(|name| error.contains(name));
    let failure = if has(["OUT_OF_MEMORY", "ALLOC_FAILED"]) {
        Failure::OutOfMemory
    } else if has(["CUDA_ERROR", "CUBLAS"]) {
        Failure::Gpu
    } else {
        Failure::Other
    };
    (failure, in_words(&error).unwrap_or(error))
}

/// What it means that one of CUDA's libraries is not there.
#[cfg_attr(not(any(feature = "cuda", test)), allow(dead_code))]
pub fn missing_library(name: &str) -> String {
    match name.starts_with("libcuda.") {
        true => format!("no NVIDIA driver is installed ({name} was not found)"),
        false => format!(
            "{name} was not found: install CUDA's libraries, or name their folder in LD_LIBRARY_PATH"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_told_apart() {
        let error = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        let reason = cuda_reason(1, error);
        assert!(reason.starts_with("GPU 1: the GPU's memory is full"));
        assert!(cuda_reason(0, "CUDA_ERROR_NO_DEVICE").contains("sees no GPU"));
        assert!(cuda_reason(9, "CUDA_ERROR_INVALID_DEVICE").contains("of that number"));
        assert!(cuda_reason(0, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION").contains("too old"));
        assert_eq!(cuda_reason(0, "something else"), "GPU 0: something else");
        assert_eq!(explain(error.into()).0, Failure::OutOfMemory);
        assert_eq!(explain("CUDA_ERROR_LAUNCH_FAILED".into()).0, Failure::Gpu);
        assert_eq!(
            explain("a shape".into()),
            (Failure::Other, "a shape".into())
        );
    }

    #[test]
    fn a_missing_library_is_named() {
        assert!(missing_library("libcuda.so.1").contains("no NVIDIA driver"));
        assert!(missing_library("libcublas.so.13").contains("LD_LIBRARY_PATH"));
    }
}

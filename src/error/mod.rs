//! What can go wrong, as the library sees it.
//!
//! Messages name the thing that is wrong, and say all that their sources do. Advice (which option to
//! use instead) is the program's business, see `cli/advice.rs`.

mod fetch;
mod image;

use std::borrow::Borrow;
use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use crate::device::DeviceChoice;
use crate::device::reason::{self, Failure};
pub use fetch::{Attempt, AttemptKind, FetchError};
pub use image::{ImageError, ImageErrorKind, ImageLimit};

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The library's error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that is out of range, or that does not go with what it is for.
    #[error("{reason}")]
    #[non_exhaustive]
    InvalidConfig {
        /// Its name, such as `alpha`.
        setting: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// Values that make no sense where they were given, such as a class that is not there.
    #[error("{reason}")]
    #[non_exhaustive]
    InvalidInput {
        /// What is wrong with them.
        reason: String,
    },

    /// As many values, or values of such a shape, as don't fit.
    #[error("{reason}")]
    #[non_exhaustive]
    ShapeMismatch {
        /// The shape that would fit; a number of values has one dimension.
        expected: Vec<usize>,
        /// The shape that was given.
        got: Vec<usize>,
        /// The same in words.
        reason: String,
    },

    /// A tensor of a network that is missing, or can't be used.
    #[error("{name} {reason}")]
    #[non_exhaustive]
    InvalidTensor {
        /// The tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
    },

    /// Layers that make no network, or not the one that was expected.
    #[error("{reason}")]
    #[non_exhaustive]
    InvalidNetwork {
        /// What is wrong with them.
        reason: String,
    },

    /// A result that is not a finite number.
    #[error("{reason}")]
    #[non_exhaustive]
    NotANumber {
        /// Which one, and what may be the cause.
        reason: String,
    },

    /// The work was stopped by whoever asked for it.
    #[error("{work} was stopped")]
    #[non_exhaustive]
    Stopped {
        /// The work, such as `learning`.
        work: &'static str,
    },

    /// An image that could not be opened, read or decoded.
    #[error(transparent)]
    Image(#[from] ImageError),

    /// A checkpoint that could not be read, or that is not of this network.
    #[error("{}: {reason}", path.display())]
    #[non_exhaustive]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What was found out first, if it is an error of its own.
        source: Option<Box<dyn StdError + Send + Sync>>,
    },

    /// A labels file that could not be used.
    #[error("{}: {reason}", path.display())]
    #[non_exhaustive]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A file that could not be read or written.
    #[error("{}: {}", path.display(), in_words(source))]
    #[non_exhaustive]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },

    /// A device that was asked for and can't be had, or can't do what was asked for.
    #[error("{reason}")]
    #[non_exhaustive]
    Device {
        /// The device.
        device: DeviceChoice,
        /// What it lacks.
        kind: DeviceErrorKind,
        /// The same in words.
        reason: String,
    },

    /// Weights that could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),

    /// A device has too little memory for what it was asked: a smaller batch may fit.
    #[error("{reason}")]
    #[non_exhaustive]
    OutOfMemory {
        /// The driver's reason, in words.
        reason: String,
        /// The driver's error, a [`candle_core::Error`].
        source: Box<dyn StdError + Send + Sync>,
    },

    /// A GPU, or its driver, failed in the middle of its work.
    #[error("{reason}")]
    #[non_exhaustive]
    Gpu {
        /// The driver's reason, in words.
        reason: String,
        /// The driver's error, a [`candle_core::Error`].
        source: Box<dyn StdError + Send + Sync>,
    },

    /// Any other failure inside candle.
    #[error("{reason}")]
    #[non_exhaustive]
    Candle {
        /// candle's reason.
        reason: String,
        /// The [`candle_core::Error`].
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// Why a device can't be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceErrorKind {
    /// This build does not know it.
    NotBuilt,
    /// It is not there, or its driver can't open it.
    Unavailable,
    /// It does not compute in the type that was asked for.
    UnsupportedType,
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        let reason = without_backtrace(&error);
        let source: Box<dyn StdError + Send + Sync> = Box::new(error);
        let (failure, reason) = reason::explain(reason);
        match failure {
            Failure::OutOfMemory => Self::OutOfMemory { reason, source },
            Failure::Gpu => Self::Gpu { reason, source },
            Failure::Other => Self::Candle { reason, source },
        }
    }
}

/// candle's error without the backtrace that `RUST_BACKTRACE` adds to its text.
pub(crate) fn without_backtrace(error: impl Borrow<candle_core::Error>) -> String {
    match error.borrow() {
        candle_core::Error::WithBacktrace { inner, .. } => inner.to_string(),
        other => other.to_string(),
    }
}

impl Error {
    /// Whether a device has too little memory for what it was asked: a smaller batch may fit.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::OutOfMemory { .. })
    }

    pub(crate) fn config(setting: &'static str, reason: impl Into<String>) -> Self {
        Self::InvalidConfig {
            setting,
            reason: reason.into(),
        }
    }

    pub(crate) fn input(reason: impl Into<String>) -> Self {
        Self::InvalidInput {
            reason: reason.into(),
        }
    }

    /// `expected` and `got` are numbers of values.
    pub(crate) fn length(expected: usize, got: usize, reason: impl Into<String>) -> Self {
        Self::ShapeMismatch {
            expected: vec![expected],
            got: vec![got],
            reason: reason.into(),
        }
    }

    /// The message is the name and then the reason.
    pub(crate) fn tensor(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidTensor {
            name: name.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn network(reason: impl Into<String>) -> Self {
        Self::InvalidNetwork {
            reason: reason.into(),
        }
    }

    pub(crate) fn not_a_number(reason: impl Into<String>) -> Self {
        Self::NotANumber {
            reason: reason.into(),
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn checkpoint(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Checkpoint {
            path: path.into(),
            reason: reason.into(),
            source: None,
        }
    }

    /// The same error with the checkpoint that it is about, if it is about what a checkpoint holds.
    pub(crate) fn in_checkpoint(self, path: &Path) -> Self {
        match self {
            Self::InvalidConfig { .. }
            | Self::InvalidInput { .. }
            | Self::ShapeMismatch { .. }
            | Self::InvalidTensor { .. }
            | Self::InvalidNetwork { .. }
            | Self::NotANumber { .. } => Self::Checkpoint {
                path: path.to_owned(),
                reason: self.to_string(),
                source: Some(Box::new(self)),
            },
            other => other,
        }
    }
}

/// The system's reason as all messages have it: without its number, in lower case, the common ones in few words.
pub fn in_words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "no such file".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        ErrorKind::IsADirectory => "is a directory".into(),
        _ => {
            let text = error.to_string();
            // What is no error of the system's has words of its own.
            let Some((reason, _)) = text.split_once(" (os error ") else {
                return text;
            };
            let mut rest = reason.chars();
            let first = rest.next().map(|c| c.to_ascii_lowercase());
            first.into_iter().chain(rest).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;

    /// As candle has a driver's error: as text.
    fn of_driver(text: &str) -> Error {
        candle_core::Error::Msg(text.into()).bt().into()
    }

    #[test]
    fn drivers_errors_are_told_apart() {
        let full = of_driver("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")");
        assert!(full.is_out_of_memory());
        assert_eq!(
            full.to_string(),
            "the GPU's memory is full (`nvidia-smi` shows by whom) (CUDA_ERROR_OUT_OF_MEMORY)"
        );
        assert!(of_driver("CublasError(CUBLAS_STATUS_ALLOC_FAILED)").is_out_of_memory());
        for text in [
            "DriverError(CUDA_ERROR_LAUNCH_FAILED, \"unspecified launch failure\")",
            "CublasError(CUBLAS_STATUS_EXECUTION_FAILED)",
            "DriverError(CUDA_ERROR_UNKNOWN, \"unknown error\")",
        ] {
            let error = of_driver(text);
            assert!(matches!(error, Error::Gpu { .. }), "{error:?}");
            assert!(!error.is_out_of_memory());
        }
        let tensor = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).expect("a tensor");
        let error = Error::from(tensor.reshape((4, 2)).expect_err("another size"));
        assert!(matches!(error, Error::Candle { .. }), "{error:?}");
        assert!(
            error
                .source()
                .is_some_and(|source| source.is::<candle_core::Error>())
        );
    }

    #[test]
    fn an_error_tells_the_file_and_keeps_its_source() {
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = Error::io("a/b")(missing());
        assert_eq!(error.to_string(), "a/b: no such file");
        assert!(
            error
                .source()
                .is_some_and(|source| source.is::<std::io::Error>())
        );
        let error = ImageError::from(missing());
        assert_eq!(error.to_string(), "no such file");
        assert!(
            error
                .source()
                .is_some_and(|source| source.is::<std::io::Error>())
        );
        assert_eq!(error.at("a/b").to_string(), "a/b: no such file");
        let error = Error::tensor("conv1.weight", "is cut off").in_checkpoint(Path::new("a"));
        assert_eq!(error.to_string(), "a: conv1.weight is cut off");
        assert!(error.source().is_some_and(|source| source.is::<Error>()));
        let error = Error::Stopped { work: "learning" };
        assert_eq!(error.to_string(), "learning was stopped");
    }
}

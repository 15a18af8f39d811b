//! What can go wrong, as the library sees it.
//!
//! Messages name the thing that is wrong. Advice (which option to use instead) is the
//! program's business, see `cli/advice.rs`.

use std::path::PathBuf;

use crate::device::reason;

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The library's error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Settings that no network can be built with.
    #[error("{0}")]
    Config(String),

    /// An image that could not be opened, read or decoded.
    #[error(transparent)]
    Image(#[from] ImageError),

    /// A checkpoint that could not be read, or that is not of this network.
    #[error("{}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A labels file that could not be used.
    #[error("{}: {reason}", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A file that could not be read or written.
    #[error("{}: {}", path.display(), in_words(reason))]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },

    /// A device that was asked for and can't be had.
    #[error("{0}")]
    Device(String),

    /// Weights that could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),

    /// A failure inside candle: out of memory on a device, a driver's error.
    #[error("{0}")]
    Candle(String),
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        let text = without_backtrace(error);
        Self::Candle(reason::in_words(&text).unwrap_or(text))
    }
}

/// candle's error without the backtrace that `RUST_BACKTRACE` adds to its text.
pub(crate) fn without_backtrace(error: candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => inner.to_string(),
        other => other.to_string(),
    }
}

impl Error {
    /// Whether a device has too little memory for what it was asked: a smaller batch may fit.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Candle(text) if reason::is_out_of_memory(text))
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |reason| Self::Io { path, reason }
    }

    pub(crate) fn checkpoint(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Checkpoint {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// Why an image has no answer. The names are part of the JSON output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageErrorKind {
    /// There is no such file.
    NotFound,
    /// The file may not be read.
    Permission,
    /// The bytes are not an image of a known format, or a damaged one.
    Decode,
    /// The image is larger than the limits allow.
    Limit,
    /// Any other failure to read.
    Io,
}

/// Why an image has no answer, in words. The message does not repeat the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageError {
    /// The file, where it is known to what failed: [`open`](crate::pixels::open) says it.
    pub path: Option<PathBuf>,
    /// The reason's kind.
    pub kind: ImageErrorKind,
    /// The reason in words.
    pub message: String,
}

impl ImageError {
    /// An error of `kind`.
    pub fn new(kind: ImageErrorKind, message: impl Into<String>) -> Self {
        Self {
            path: None,
            kind,
            message: message.into(),
        }
    }

    /// The same error, which names the file.
    pub(crate) fn at(self, path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()),
            ..self
        }
    }

    pub(crate) fn decode(message: impl Into<String>) -> Self {
        Self::new(ImageErrorKind::Decode, message)
    }

    /// What stands for a picture whose decoder panicked.
    pub fn decoder_failed() -> Self {
        Self::decode("the decoder failed: please report this picture")
    }
}

impl std::fmt::Display for ImageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ImageError {}

impl From<std::io::Error> for ImageError {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ImageErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ImageErrorKind::Permission,
            _ => ImageErrorKind::Io,
        };
        Self::new(kind, in_words(&error))
    }
}

/// The system's reason without its number, the common ones in few words.
fn in_words(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "no such file".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        ErrorKind::IsADirectory => "is a directory".into(),
        _ => {
            let text = error.to_string();
            let reason = text.split_once(" (os error ");
            reason.map_or(text.clone(), |(reason, _)| reason.to_owned())
        }
    }
}

/// One place where weights were looked for, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The address, or the cache's path.
    pub address: String,
    /// What it answered.
    pub outcome: String,
}

/// Why weights could not be fetched, and where they were looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchError {
    /// What was looked for, for example `MobileNet V1 alpha 0.5, 160x160`.
    pub wanted: String,
    /// The places, in the order they were tried.
    pub attempts: Vec<Attempt>,
    /// The network was not to be used.
    pub offline: bool,
}

impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "can't get the weights of {}", self.wanted)?;
        if self.offline {
            write!(f, " (offline)")?;
        }
        for Attempt { address, outcome } in &self.attempts {
            write!(f, "\n  {address}: {outcome}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FetchError {}

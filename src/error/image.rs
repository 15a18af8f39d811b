//! Why a picture has no answer.

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::in_words;

/// Why an image has no answer. The names are part of the JSON output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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

/// A limit of [`DecodeOptions`](crate::pixels::DecodeOptions) that a picture is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageLimit {
    /// `max_pixels`
    Pixels,
    /// `max_bytes`
    FileSize,
}

/// Why an image has no answer, in words.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ImageError {
    /// The reason's kind.
    pub kind: ImageErrorKind,
    /// The reason in words, without the path.
    pub message: String,
    /// The limit that may be raised for it, where it is over one.
    pub limit: Option<ImageLimit>,
    /// The file, where it was opened by its path.
    pub path: Option<PathBuf>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl ImageError {
    /// An error of `kind`.
    pub fn new(kind: ImageErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            limit: None,
            path: None,
            source: None,
        }
    }

    /// The same error, which names the file.
    pub fn at(self, path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()),
            ..self
        }
    }

    /// The same with the error that it comes from.
    pub fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Arc::new(source)),
            ..self
        }
    }

    /// A picture over a limit that may be raised for it.
    pub(crate) fn over(limit: ImageLimit, message: impl Into<String>) -> Self {
        Self {
            limit: Some(limit),
            ..Self::new(ImageErrorKind::Limit, message)
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

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        f.write_str(&self.message)
    }
}

impl StdError for ImageError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref();
        source.map(|source| source as &(dyn StdError + 'static))
    }
}

/// Equal but for their sources.
impl PartialEq for ImageError {
    fn eq(&self, other: &Self) -> bool {
        let parts = |error: &Self| (error.kind, error.limit);
        parts(self) == parts(other) && (&self.message, &self.path) == (&other.message, &other.path)
    }
}

impl Eq for ImageError {}

impl From<std::io::Error> for ImageError {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ImageErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ImageErrorKind::Permission,
            _ => ImageErrorKind::Io,
        };
        let message = in_words(&error);
        Self::new(kind, message).with_source(error)
    }
}

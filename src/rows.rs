//! Answers as rows: what a line of JSON says of a picture.
//!
//! The program writes them with `--jsonl` and `--json`, its service sends them, and the Python module
//! hands them out as dictionaries: their keys are here and nowhere else.
//!
//! ```
//! use std::ffi::OsStr;
//!
//! use mobilenet::rows::{PathKeys, PredictionRow};
//!
//! let row: PredictionRow = PredictionRow {
//!     path: PathKeys::of(OsStr::new("cat.jpg")),
//!     predictions: &[],
//!     error: None,
//!     model: None,
//!     preview: None,
//! };
//! let line = serde_json::to_string(&row)?;
//! assert_eq!(line, r#"{"path":"cat.jpg","predictions":[],"error":null}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::borrow::Cow;
use std::ffi::OsStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::classifier::Prediction;
use crate::error::ImageErrorKind;

/// The row of a picture's labels. `M` is what a program says of the model that answered.
#[derive(Debug, Serialize)]
pub struct PredictionRow<'a, M = ()> {
    /// Which picture.
    #[serde(flatten)]
    pub path: PathKeys<'a>,
    /// Its most probable classes, the surest first; none where there is an error.
    pub predictions: &'a [Prediction],
    /// Why it has no answer; null where it has one.
    pub error: Option<ErrorKeys<'a>>,
    /// What answered, where that is to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a M>,
    /// Whether a raw photograph's preview was looked at, where that is to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<bool>,
}

/// A picture's name.
#[derive(Debug, Serialize)]
pub struct PathKeys<'a> {
    /// Null where the name is not UTF-8.
    pub path: Option<&'a str>,
    /// Its bytes then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
}

impl<'a> PathKeys<'a> {
    /// The keys of a name.
    pub fn of(name: &'a OsStr) -> Self {
        let path = name.to_str();
        Self {
            path,
            // The system's own bytes on Unix, where names are bytes.
            path_base64: path
                .is_none()
                .then(|| STANDARD.encode(name.as_encoded_bytes())),
        }
    }
}

/// Why a picture has no answer.
#[derive(Debug, Serialize)]
pub struct ErrorKeys<'a> {
    /// For programs.
    pub kind: ImageErrorKind,
    /// For people: the [`message`](crate::error::ImageError::message), and how to get over it if
    /// whoever shows it knows.
    pub message: Cow<'a, str>,
}

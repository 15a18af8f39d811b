//! What the rows of every command have in common: whose they are, and why they have no answer.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mobilenet::error::{ImageError, ImageErrorKind};
use serde::Serialize;

use crate::cli::advice::picture_error;

/// A picture's name as keys of a JSON object.
#[derive(Debug, Serialize)]
pub struct PathKeys<'a> {
    /// Null where the name is not UTF-8.
    pub path: Option<&'a str>,
    /// Its bytes then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
}

impl<'a> PathKeys<'a> {
    pub fn of(name: &'a OsStr) -> Self {
        let path = name.to_str();
        let bytes = path.is_none().then(|| name_bytes(name));
        Self {
            path,
            path_base64: bytes.map(|bytes| STANDARD.encode(bytes)),
        }
    }
}

/// A name's bytes: the system's own on Unix, where names are bytes.
pub fn name_bytes(name: &OsStr) -> &[u8] {
    name.as_encoded_bytes()
}

/// Why a picture has no answer, as a JSON object.
#[derive(Debug, Serialize)]
pub struct ErrorKeys<'a> {
    kind: ImageErrorKind,
    message: Cow<'a, str>,
}

impl<'a> ErrorKeys<'a> {
    pub fn of(error: &'a ImageError) -> Self {
        Self {
            kind: error.kind,
            message: picture_error(error),
        }
    }
}

/// The same as one field of a table.
pub fn error_field(error: &ImageError) -> String {
    let kind = match serde_json::to_value(error.kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    };
    format!("{kind}: {}", picture_error(error))
}

/// The records of a table.
pub struct Records<W: Write>(csv::Writer<W>);

impl<W: Write> Records<W> {
    /// Records with this between their fields.
    pub fn new(out: W, delimiter: u8) -> Self {
        let out = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .from_writer(out);
        Self(out)
    }

    /// Writes a record; a failure is the stream's own, so that a closed pipe is known as one.
    pub fn record<T: AsRef<[u8]>>(
        &mut self,
        fields: impl IntoIterator<Item = T>,
    ) -> io::Result<()> {
        self.0
            .write_record(fields)
            .map_err(|error| match error.into_kind() {
                csv::ErrorKind::Io(error) => error,
                other => io::Error::other(format!("{other:?}")),
            })
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    /// What they were written to, flushed.
    pub fn into_inner(self) -> io::Result<W> {
        self.0.into_inner().map_err(|error| error.into_error())
    }
}

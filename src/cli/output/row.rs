//! What the rows of every command have in common, whose keys are the library's: why there is no answer, in the
//! program's words, and the same in tables.

use std::ffi::OsStr;
use std::io::{self, Write};

use mobilenet::error::ImageError;
use mobilenet::rows::ErrorKeys;

use crate::cli::advice::picture_error;

/// A name's bytes: the system's own on Unix, where names are bytes.
pub fn name_bytes(name: &OsStr) -> &[u8] {
    name.as_encoded_bytes()
}

/// Why a picture has no answer, with the option that would let it have one.
pub fn error_keys(error: &ImageError) -> ErrorKeys<'_> {
    ErrorKeys {
        kind: error.kind,
        message: picture_error(error),
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

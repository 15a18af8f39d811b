//! JSON: one array, or one object a line.

use std::ffi::OsStr;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mobilenet::Prediction;
use mobilenet::error::ImageError;
use serde::Serialize;

use super::{Row, RowWriter, kind_name};
use crate::cli::options::Provenance;

pub struct Json<W> {
    out: W,
    array: bool,
    rows: usize,
}

impl<W: Write> Json<W> {
    pub fn array(out: W) -> Self {
        Self {
            out,
            array: true,
            rows: 0,
        }
    }

    pub fn lines(out: W) -> Self {
        Self {
            array: false,
            ..Self::array(out)
        }
    }
}

/// A name as JSON has it.
#[derive(Serialize)]
pub struct PathObject<'a> {
    /// Null where the name is not UTF-8.
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
}

impl<'a> PathObject<'a> {
    pub fn new(name: &'a OsStr) -> Self {
        let path = name.to_str();
        Self {
            path,
            path_base64: path.is_none().then(|| STANDARD.encode(name_bytes(name))),
        }
    }
}

#[derive(Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    path: PathObject<'a>,
    predictions: &'a [Prediction],
    error: Option<ErrorObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a Provenance>,
}

/// Why a picture has no answer.
#[derive(Serialize)]
pub struct ErrorObject<'a> {
    kind: String,
    message: &'a str,
}

impl<'a> ErrorObject<'a> {
    pub fn new(error: &'a ImageError) -> Self {
        Self {
            kind: kind_name(error),
            message: &error.message,
        }
    }
}

impl<W: Write> RowWriter for Json<W> {
    fn begin(&mut self) -> io::Result<()> {
        match self.array {
            true => write!(self.out, "["),
            false => Ok(()),
        }
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let object = Object {
            path: PathObject::new(row.name),
            predictions: row.answer.unwrap_or_default(),
            error: row.answer.err().map(ErrorObject::new),
            model: row.provenance,
        };
        if self.array {
            let separator = if self.rows == 0 { "\n" } else { ",\n" };
            self.out.write_all(separator.as_bytes())?;
        }
        self.rows += 1;
        serde_json::to_writer(&mut self.out, &object)?;
        if !self.array {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    fn end(&mut self) -> io::Result<()> {
        if self.array {
            let end = if self.rows == 0 { "]\n" } else { "\n]\n" };
            self.out.write_all(end.as_bytes())?;
        }
        self.out.flush()
    }
}

/// A name's bytes: the system's own on Unix, where names are bytes.
pub fn name_bytes(name: &OsStr) -> &[u8] {
    name.as_encoded_bytes()
}

//! The answers of `classify`, one file a format.

mod json;
mod options;
mod resume;
mod table;
mod text;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;

use clap::ValueEnum;
use mobilenet::Prediction;
use mobilenet::error::ImageError;

use super::options::Provenance;
use super::terminal::Terminal;
pub use options::{OutputOptions, is_picture};

/// `--format` of `classify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Jsonl,
    Csv,
    Tsv,
}

impl Format {
    /// What the extension of a file's name says.
    fn of_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_ascii_lowercase().to_str()? {
            "txt" => Some(Self::Text),
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            _ => None,
        }
    }
}

/// The answer to one input.
pub struct Row<'a> {
    /// The input's name as it was given.
    pub name: &'a OsStr,
    /// Its most probable classes, or why it has none.
    pub answer: Result<&'a [Prediction], &'a ImageError>,
    /// What answered, where that was asked for; for JSON.
    pub provenance: Option<&'a Provenance>,
}

/// Writes rows as they come.
pub trait RowWriter {
    /// Writes what stands before the first row.
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }
    /// Writes a row and flushes it.
    fn row(&mut self, row: &Row) -> io::Result<()>;
    /// Writes what stands behind the last row.
    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The writer of a format.
fn writer(format: Format, out: impl Write + 'static, terminal: Terminal) -> Box<dyn RowWriter> {
    match format {
        Format::Text => Box::new(text::Text::new(out, terminal)),
        Format::Json => Box::new(json::Json::array(out)),
        Format::Jsonl => Box::new(json::Json::lines(out)),
        Format::Csv => Box::new(table::Table::new(out, b',')),
        Format::Tsv => Box::new(table::Table::new(out, b'\t')),
    }
}

/// The name of an error's kind in machine-readable output.
fn kind_name(error: &ImageError) -> String {
    match serde_json::to_value(error.kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

//! The answers of `classify`, one file a format; `row` is what the rows of other commands have
//! in common with them, `vectors` are those of `embed`, `similar` those of `similar`; and how any
//! report becomes JSON, any picture a PNG.

mod json;
mod options;
mod resume;
mod retry;
mod row;
mod similar;
mod table;
mod text;
mod vectors;

use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use clap::ValueEnum;
use mobilenet::Prediction;
use mobilenet::error::ImageError;
use mobilenet::pixels::RgbImage;
use png::{ColorType, Compression, Encoder, EncodingError};
use serde::Serialize;

use super::files::DRAWN;
use super::options::Provenance;
use super::terminal::Terminal;
pub use options::{FormatOptions, OutputOptions};
pub use resume::{Seen, ThisRun};
pub use row::name_bytes;
pub use row::{ErrorKeys, PathKeys, Records, error_field};
pub use similar::{SimilarOptions, write_groups, write_nearest};
pub use vectors::{End, Made, VectorFormat, VectorOptions};

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
pub struct Row<'a, T = Prediction> {
    /// The input's name as it was given.
    pub name: &'a OsStr,
    /// Its most probable classes (or what else it was asked for), or why it has none.
    pub answer: Result<&'a [T], &'a ImageError>,
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

/// A buffer that holds any row, so that a row is written at once: several processes may share a
/// pipe.
fn buffered<W: Write>(out: W) -> BufWriter<W> {
    BufWriter::with_capacity(1 << 18, out)
}

/// Writes a report as indented JSON.
pub fn write_report(out: &mut impl Write, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

/// A picture as the bytes of a PNG that says what drew it.
pub fn png(picture: &RgbImage) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(ColorType::Rgb);
    encoder.set_compression(Compression::Fast);
    let (keyword, text) = DRAWN;
    encoder.add_text_chunk(keyword.into(), text.into())?;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(picture)?;
    writer.finish()?;
    Ok(bytes)
}

/// The writer of a format.
fn writer<'a>(format: Format, out: impl Write + 'a, terminal: Terminal) -> Box<dyn RowWriter + 'a> {
    match format {
        Format::Text => Box::new(text::Text::new(out, terminal)),
        Format::Json => Box::new(json::Json::array(out)),
        Format::Jsonl => Box::new(json::Json::lines(out)),
        Format::Csv => Box::new(table::Table::new(out, b',')),
        Format::Tsv => Box::new(table::Table::new(out, b'\t')),
    }
}

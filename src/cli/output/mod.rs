//! The answers of `classify`, one file a format; `row` is what the rows of other commands have
//! in common with them, `vectors` are those of `embed`, `similar` and `groups` those of `similar`; `resume` is how
//! a file of rows is gone on with, `sink` one that is written, `packing` what packs it, `ending` what its name
//! says; and how any report becomes JSON, any picture a PNG.

mod ending;
mod format;
mod frames;
mod groups;
mod json;
mod labels;
mod options;
mod packing;
mod resume;
mod row;
mod similar;
mod sink;
mod table;
mod text;
mod vectors;

use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};

use anyhow::{Result, bail};
use mobilenet::Prediction;
use mobilenet::error::ImageError;
use mobilenet::pixels::RgbImage;
use png::{ColorType, Compression, Encoder, EncodingError};
use serde::Serialize;

use super::files::DRAWN;
use super::options::Provenance;
use super::session::Tally;
use super::terminal::Terminal;
pub use ending::check as check_ending;
pub use format::{Format, FormatOptions, Offered, formats};
pub use groups::{write_extras, write_groups};
#[cfg(feature = "serve")]
pub use json::prediction_row;
pub use options::OutputOptions;
pub use packing::{Packer, Packing};
pub use resume::{EmbeddingRows, PredictionRows};
pub use row::name_bytes;
pub use row::{Records, error_field, error_keys};
pub use similar::{SimilarOptions, write_nearest};
#[cfg(feature = "serve")]
pub use vectors::EmbeddingObject;
pub use vectors::VectorOptions;

/// The answer to one input.
pub struct Row<'a, T = Prediction> {
    /// The input's name as it was given.
    pub name: &'a OsStr,
    /// Its most probable classes (or what else it was asked for), or why it has none.
    pub answer: Result<&'a [T], &'a ImageError>,
    /// What answered, where that was asked for; for JSON.
    pub provenance: Option<&'a Provenance>,
    /// Whether it is a raw photograph, answered from the preview in it; told with the provenance.
    pub preview: bool,
}

impl<T> Row<'_, T> {
    /// What is told of a preview.
    fn told_preview(&self) -> Option<bool> {
        (self.preview && self.provenance.is_some()).then_some(true)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Complete,
    /// It was asked to stop. What was written has to be of use.
    Stopped,
    /// It could not go on.
    Failed,
}

impl End {
    /// The end of a run with this result.
    pub fn of(tally: &Result<Tally>) -> Self {
        match tally {
            Ok(tally) if tally.interrupted => Self::Stopped,
            Ok(_) => Self::Complete,
            Err(_) => Self::Failed,
        }
    }
}

/// Writes rows as they come.
pub trait RowWriter<T> {
    /// Writes what stands before the first row.
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }
    /// Writes a row and flushes it, unless the format is written at the end.
    fn row(&mut self, row: &Row<T>) -> io::Result<()>;
    /// Writes what stands behind the last row.
    fn end(&mut self, _end: End) -> Result<()> {
        Ok(())
    }
}

/// A buffer that holds any row, so that a row is one `write`. Lines of several processes in one pipe
/// are not mixed only up to `PIPE_BUF` bytes a row, which are 4,096 on Linux.
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

/// Writes the rows of `classify`.
fn prediction_writer<'a>(
    format: Format,
    out: Box<dyn Write + 'a>,
    terminal: Terminal,
    labels_only: bool,
) -> Result<Box<dyn RowWriter<Prediction> + 'a>> {
    Ok(match (format, format.delimiter()) {
        (_, Some(delimiter)) => Box::new(table::Table::new(out, delimiter)),
        (Format::Json, _) => Box::new(json::Json::array(out)),
        (Format::Jsonl, _) => Box::new(json::Json::lines(out)),
        (Format::Text, _) if labels_only => Box::new(labels::LabelLines(out)),
        (Format::Text, _) => Box::new(text::Text::new(out, terminal)),
        _ => bail!("--format {} has no room for labels", format.name()),
    })
}

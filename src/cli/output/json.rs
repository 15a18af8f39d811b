//! JSON: one array, or one object a line.

use std::io::{self, Write};

use anyhow::Result;
use mobilenet::Prediction;
use mobilenet::rows::{PathKeys, PredictionRow};

use super::{End, Row, RowWriter, error_keys};
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

/// The row of a picture's labels.
pub fn prediction_row<'a>(row: &Row<'a>) -> PredictionRow<'a, Provenance> {
    PredictionRow {
        path: PathKeys::of(row.name),
        predictions: row.answer.unwrap_or_default(),
        error: row.answer.err().map(error_keys),
        model: row.provenance,
        preview: row.told_preview(),
    }
}

impl<W: Write> RowWriter<Prediction> for Json<W> {
    fn begin(&mut self) -> io::Result<()> {
        if self.array {
            write!(self.out, "[")?;
        }
        Ok(())
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let object = prediction_row(row);
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

    fn end(&mut self, _: End) -> Result<()> {
        if self.array {
            let end = if self.rows == 0 { "]\n" } else { "\n]\n" };
            self.out.write_all(end.as_bytes())?;
        }
        Ok(self.out.flush()?)
    }
}

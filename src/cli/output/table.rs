//! CSV and TSV: a line a prediction.

use std::io::{self, Write};

use super::json::name_bytes;
use super::{Row, RowWriter, kind_name};

pub const HEADER: [&str; 7] = ["path", "rank", "index", "wnid", "label", "score", "error"];

pub struct Table<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> Table<W> {
    pub fn new(out: W, delimiter: u8) -> Self {
        let out = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .from_writer(out);
        Self { out }
    }
}

impl<W: Write> Table<W> {
    /// Writes a record; a failure is the stream's own, so that a closed pipe is known as one.
    fn record<T: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = T>) -> io::Result<()> {
        self.out
            .write_record(fields)
            .map_err(|error| match error.into_kind() {
                csv::ErrorKind::Io(error) => error,
                other => io::Error::other(format!("{other:?}")),
            })
    }
}

impl<W: Write> RowWriter for Table<W> {
    fn begin(&mut self) -> io::Result<()> {
        self.record(HEADER)?;
        self.out.flush()
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let path = name_bytes(row.name);
        let predictions = row.answer.unwrap_or_default();
        for (rank, prediction) in (1..).zip(predictions) {
            let rank: u32 = rank;
            let index = prediction.index.map(|i| i.to_string()).unwrap_or_default();
            self.record([
                path,
                rank.to_string().as_bytes(),
                index.as_bytes(),
                prediction.wnid.as_deref().unwrap_or_default().as_bytes(),
                prediction.label.as_bytes(),
                prediction.score.to_string().as_bytes(),
                b"",
            ])?;
        }
        if predictions.is_empty() {
            let error = row.answer.err();
            let error = error.map(|e| format!("{}: {}", kind_name(e), e.message));
            let error = error.unwrap_or_default();
            self.record([path, b"", b"", b"", b"", b"", error.as_bytes()])?;
        }
        self.out.flush()
    }
}

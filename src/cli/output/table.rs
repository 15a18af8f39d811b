//! CSV and TSV: a line a prediction.

use std::io::{self, Write};

use mobilenet::Prediction;

use super::row::{Records, error_field};
use super::{Row, RowWriter, name_bytes};

pub const HEADER: [&str; 7] = ["path", "rank", "index", "wnid", "label", "score", "error"];

pub struct Table<W: Write> {
    out: Records<W>,
}

impl<W: Write> Table<W> {
    pub fn new(out: W, delimiter: u8) -> Self {
        let out = Records::new(out, delimiter);
        Self { out }
    }
}

impl<W: Write> RowWriter<Prediction> for Table<W> {
    fn begin(&mut self) -> io::Result<()> {
        self.out.record(HEADER)?;
        self.out.flush()
    }

    fn row(&mut self, row: &Row) -> io::Result<()> {
        let path = name_bytes(row.name);
        let predictions = row.answer.unwrap_or_default();
        for (rank, prediction) in (1..).zip(predictions) {
            let rank: u32 = rank;
            let index = prediction.index.map(|i| i.to_string()).unwrap_or_default();
            self.out.record([
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
            let error = row.answer.err().map(error_field).unwrap_or_default();
            self.out
                .record([path, b"", b"", b"", b"", b"", error.as_bytes()])?;
        }
        self.out.flush()
    }
}

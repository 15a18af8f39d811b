//! CSV: a line a picture, a column a value.

use std::io::{self, Write};

use anyhow::Result;

use crate::cli::output::row::{Records, error_field};
use crate::cli::output::{End, Row, RowWriter, name_bytes};

pub struct Table<W: Write> {
    out: Records<W>,
    width: usize,
}

impl<W: Write> Table<W> {
    pub fn new(out: W, width: usize) -> Self {
        let out = Records::new(out, b',');
        Self { out, width }
    }
}

/// The names of the columns.
pub fn header(width: usize) -> Vec<Vec<u8>> {
    let values = (0..width).map(|i| format!("e{i}"));
    let names = std::iter::once("path".to_owned()).chain(values);
    names
        .chain(["error".to_owned()])
        .map(String::into_bytes)
        .collect()
}

impl<W: Write> RowWriter<f32> for Table<W> {
    fn begin(&mut self) -> io::Result<()> {
        self.out.record(header(self.width))?;
        self.out.flush()
    }

    fn row(&mut self, row: &Row<f32>) -> io::Result<()> {
        let mut record = Vec::with_capacity(self.width + 2);
        record.push(name_bytes(row.name).to_vec());
        match row.answer {
            Ok(values) => record.extend(values.iter().map(|v| v.to_string().into_bytes())),
            Err(_) => record.resize(self.width + 1, Vec::new()),
        }
        let error = row.answer.err().map(error_field).unwrap_or_default();
        record.push(error.into_bytes());
        self.out.record(record)?;
        self.out.flush()
    }

    fn end(&mut self, _: End) -> Result<()> {
        Ok(self.out.flush()?)
    }
}

//! CSV: a line a picture, a column a value.

use std::io::{self, Write};

use anyhow::Result;

use super::{End, VectorWriter};
use crate::cli::output::row::{Records, error_field};
use crate::cli::output::{Row, name_bytes};

pub struct Table<W: Write> {
    out: Records<W>,
    width: usize,
}

impl<W: Write> Table<W> {
    /// Writes the header.
    pub fn begin(out: W, width: usize) -> io::Result<Self> {
        let mut out = Records::new(out, b',');
        let values = (0..width).map(|i| format!("e{i}"));
        let path = std::iter::once("path".to_owned());
        out.record(path.chain(values).chain(["error".to_owned()]))?;
        out.flush()?;
        Ok(Self { out, width })
    }
}

impl<W: Write> VectorWriter for Table<W> {
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

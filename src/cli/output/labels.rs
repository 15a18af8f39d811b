//! Labels alone: a line a picture.

use std::io::{self, Write};

use mobilenet::Prediction;

use super::{Row, RowWriter};
use crate::cli::terminal::printable;

/// The labels of a picture with tabs between them. The line of one without any is empty, so that lines can be
/// counted.
pub struct LabelLines<W>(pub W);

impl<W: Write> RowWriter<Prediction> for LabelLines<W> {
    fn row(&mut self, row: &Row) -> io::Result<()> {
        let predictions = row.answer.unwrap_or_default().iter();
        let labels: Vec<String> = predictions.map(|p| printable(&p.label)).collect();
        writeln!(self.0, "{}", labels.join("\t"))?;
        self.0.flush()
    }
}

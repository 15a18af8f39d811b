//! JSON Lines: an object a picture.

use std::io::{self, Write};

use anyhow::Result;
use mobilenet::rows::{ErrorKeys, PathKeys};
use serde::Serialize;

use crate::cli::options::Provenance;
use crate::cli::output::{End, Row, RowWriter, error_keys};

pub struct Lines<W> {
    out: W,
}

impl<W: Write> Lines<W> {
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

/// The row of a picture's embedding.
#[derive(Serialize)]
pub struct EmbeddingObject<'a> {
    #[serde(flatten)]
    path: PathKeys<'a>,
    embedding: Option<&'a [f32]>,
    error: Option<ErrorKeys<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a Provenance>,
    /// Whether a raw photograph's preview was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<bool>,
}

impl<'a> EmbeddingObject<'a> {
    pub fn of(row: &Row<'a, f32>) -> Self {
        Self {
            path: PathKeys::of(row.name),
            embedding: row.answer.ok(),
            error: row.answer.err().map(error_keys),
            model: row.provenance,
            preview: row.told_preview(),
        }
    }
}

impl<W: Write> RowWriter<f32> for Lines<W> {
    fn row(&mut self, row: &Row<f32>) -> io::Result<()> {
        let object = EmbeddingObject::of(row);
        serde_json::to_writer(&mut self.out, &object)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    fn end(&mut self, _: End) -> Result<()> {
        Ok(self.out.flush()?)
    }
}

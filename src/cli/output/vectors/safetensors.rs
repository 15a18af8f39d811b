//! Safetensors: one tensor, and in the metadata whose row is whose.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mobilenet::rows::PathKeys;
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::{SpooledTempFile, spooled_tempfile, spooled_tempfile_in};

use super::npy::KEPT_BYTES;
use super::{Made, little_endian};
use crate::cli::files::{self, Staged};
use crate::cli::output::{End, Row, RowWriter, error_keys};
use crate::cli::stdout::Stdout;
use crate::cli::stored_embeddings::{METADATA_VERSION, TENSOR, keys};
use crate::cli::words;

/// The paths stand before the rows, which are kept until all of them are known.
pub struct Safetensors {
    rows: BufWriter<SpooledTempFile>,
    /// The file that is written in the end; stdout where there is none.
    target: Option<PathBuf>,
    made: Made,
    paths: Vec<Value>,
    /// The bytes of names that are not UTF-8, by the number of their row.
    paths_base64: BTreeMap<usize, Value>,
    /// Why rows are not numbers.
    errors: BTreeMap<usize, Value>,
    header_bytes: usize,
}

/// Readers refuse a longer header.
const MOST_HEADER_BYTES: usize = 100_000_000;

impl Safetensors {
    /// What goes to this file, or to stdout.
    ///
    /// # Errors
    /// It is a picture, or can't be written to.
    pub fn new(target: Option<&Path>, made: Made) -> Result<Self> {
        let rows = match target {
            Some(target) => {
                files::refuse_picture(target)?;
                files::check(target)?;
                spooled_tempfile_in(KEPT_BYTES, files::folder_of(target))
            }
            None => spooled_tempfile(KEPT_BYTES),
        };
        Ok(Self {
            rows: BufWriter::new(rows),
            target: target.map(Path::to_owned),
            made,
            paths: Vec::new(),
            paths_base64: BTreeMap::new(),
            errors: BTreeMap::new(),
            // What does not depend on the pictures is far less.
            header_bytes: 1 << 16,
        })
    }

    fn header(&self, end: End) -> io::Result<Vec<u8>> {
        let shape = [self.paths.len(), self.made.width];
        let bytes = shape[0] * shape[1] * size_of::<f32>();
        // The metadata of safetensors is text; what is not has to be JSON within it.
        let mut metadata = BTreeMap::from([
            (keys::VERSION, METADATA_VERSION.to_owned()),
            (keys::PATHS, text(&self.paths)?),
            (keys::ERRORS, text(&self.errors)?),
            (keys::NORMALIZED, self.made.normalised.to_string()),
            (keys::COMPLETE, (end == End::Complete).to_string()),
        ]);
        if !self.paths_base64.is_empty() {
            metadata.insert(keys::PATHS_BASE64, text(&self.paths_base64)?);
        }
        if let Some(model) = &self.made.model {
            metadata.insert(keys::MODEL, text(model)?);
        }
        let header = json!({
            "__metadata__": metadata,
            TENSOR: {"dtype": "F32", "shape": shape, "data_offsets": [0, bytes]},
        });
        let mut json = serde_json::to_vec(&header)?;
        // So that the numbers lie where numbers may.
        json.resize(json.len().next_multiple_of(8), b' ');
        Ok([&(json.len() as u64).to_le_bytes()[..], &json].concat())
    }
}

fn text(value: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::to_string(value)?)
}

impl RowWriter<f32> for Safetensors {
    fn row(&mut self, row: &Row<f32>) -> io::Result<()> {
        let number = self.paths.len();
        let PathKeys { path, path_base64 } = PathKeys::of(row.name);
        let mut add = |value: Value| {
            // With its number, and quoted as what it is part of will be.
            self.header_bytes += Value::from(value.to_string()).to_string().len() + 16;
            value
        };
        self.paths.push(add(path.into()));
        if let Some(base64) = path_base64 {
            self.paths_base64.insert(number, add(base64.into()));
        }
        if let Err(error) = row.answer {
            let error = serde_json::to_value(error_keys(error))?;
            self.errors.insert(number, add(error));
        }
        if self.header_bytes > MOST_HEADER_BYTES {
            return Err(io::Error::other(
                "more paths than safetensors has room for; use --format npy with --paths",
            ));
        }
        let bytes = little_endian(row, self.made.width);
        self.rows
            .write_all(&bytes)
            .map_err(|error| match &self.target {
                // What is kept until the end lies in its folder.
                Some(target) => {
                    let reason = words::of(&error);
                    io::Error::new(
                        error.kind(),
                        format!("{}: {reason}", files::unwritable(target)),
                    )
                }
                None => error,
            })
    }

    fn end(&mut self, end: End) -> Result<()> {
        if end == End::Failed {
            return Ok(());
        }
        let header = self.header(end)?;
        self.rows.rewind()?;
        let rows = self.rows.get_mut();
        let mut write = |out: &mut dyn Write| {
            out.write_all(&header)?;
            io::copy(rows, out)?;
            out.flush()
        };
        match &self.target {
            Some(target) => {
                let mut staged = Staged::new(target)?;
                write(&mut staged).with_context(|| files::unwritable(target))?;
                staged.finish()
            }
            None => Ok(write(&mut Stdout::new())?),
        }
    }
}

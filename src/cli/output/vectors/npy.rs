//! NumPy's format, version 1.0: a header that states the shape, then the values.

use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::Path;

use anyhow::Result;
use mobilenet::rows::{ErrorKeys, PathKeys};
use serde::Serialize;
use tempfile::spooled_tempfile;

use super::{Paths, little_endian};
use crate::cli::files::{self, Named};
use crate::cli::output::{End, Row, RowWriter, error_keys};
use crate::cli::stdout::Stdout;

/// Of a header with room for any shape, as NumPy's own is.
const HEADER_BYTES: usize = 128;

/// How much is written at a time.
const BUFFERED_BYTES: usize = 1 << 20;

/// What does not go to a file is kept until its end, in memory up to this size: the header
/// comes first and states how many rows there are.
pub const KEPT_BYTES: usize = 64 << 20;

pub struct Npy {
    file: BufWriter<Box<dyn Target>>,
    /// Where all of it goes in the end, if not there.
    out: Option<Box<dyn Write>>,
    paths: Option<Paths>,
    width: usize,
    rows: u64,
}

/// What can be written out of order.
pub trait Target: Read + Write + Seek {}

impl<T: Read + Write + Seek> Target for T {}

impl Npy {
    /// Writes a header that says that the file is unfinished. Where there is none, or what can only be written to
    /// in order, all is written at the end.
    ///
    /// # Errors
    /// The file can't be written to.
    pub(super) fn begin(path: Option<&Path>, paths: Option<Paths>, width: usize) -> Result<Self> {
        let spooled = || Box::new(spooled_tempfile(KEPT_BYTES));
        let (target, out): (Box<dyn Target>, Option<Box<dyn Write>>) = match path {
            Some(path) => {
                let file = files::create(path)?;
                let is_file = file.metadata()?.is_file();
                let named = Named::new(file, path);
                if is_file {
                    (Box::new(named), None)
                } else {
                    (spooled(), Some(Box::new(named)))
                }
            }
            None => (spooled(), Some(Box::new(Stdout::new()))),
        };
        let mut npy = Self {
            file: BufWriter::with_capacity(BUFFERED_BYTES, target),
            out,
            paths,
            width,
            rows: 0,
        };
        npy.file.write_all(&header(None, width))?;
        npy.file.flush()?;
        Ok(npy)
    }

    /// An error of the file, with what becomes of it.
    fn told(&self, error: io::Error) -> io::Error {
        if self.out.is_some() {
            return error;
        }
        let text = format!(
            "{error}; what is there is marked as unfinished, and does not load (--format jsonl and csv can be resumed)"
        );
        io::Error::new(error.kind(), text)
    }
}

#[derive(Serialize)]
struct PathRow<'a> {
    index: u64,
    #[serde(flatten)]
    path: PathKeys<'a>,
    error: Option<ErrorKeys<'a>>,
}

impl RowWriter<f32> for Npy {
    fn row(&mut self, row: &Row<f32>) -> io::Result<()> {
        if let Some(Paths { out: paths, .. }) = &mut self.paths {
            let path = PathRow {
                index: self.rows,
                path: PathKeys::of(row.name),
                error: row.answer.err().map(error_keys),
            };
            serde_json::to_writer(&mut *paths, &path)?;
            paths.write_all(b"\n")?;
            paths.flush()?;
        }
        let written = self.file.write_all(&little_endian(row, self.width));
        self.rows += 1;
        written.map_err(|error| self.told(error))
    }

    fn end(&mut self, end: End) -> Result<()> {
        if let Some(sink) = self.paths.as_ref().and_then(|paths| paths.sink.as_ref()) {
            sink.finish()?;
        }
        self.file.flush().map_err(|error| self.told(error))?;
        if end == End::Failed {
            return Ok(());
        }
        // Last of all, as it is what makes the file one that can be loaded.
        self.file.rewind()?;
        self.file.write_all(&header(Some(self.rows), self.width))?;
        self.file.flush()?;
        if let Some(out) = &mut self.out {
            self.file.rewind()?;
            io::copy(self.file.get_mut(), out)?;
            out.flush()?;
        }
        Ok(())
    }
}

/// The header of `rows` times `width` numbers, f32, little-endian, row by row. Where it is not known yet how many
/// there will be, it has another key, which NumPy refuses by its name.
fn header(rows: Option<u64>, width: usize) -> Vec<u8> {
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    let rest = (HEADER_BYTES - header.len() - 2) as u16;
    header.extend(rest.to_le_bytes());
    let (shape, unfinished) = match rows {
        Some(rows) => (format!("'shape': ({rows}, {width})"), ""),
        None => (format!("'shape': (0, {width})"), "'unfinished': True, "),
    };
    let fields = format!("{{'descr': '<f4', 'fortran_order': False, {unfinished}{shape}, }}");
    header.extend(fields.bytes());
    header.resize(HEADER_BYTES - 1, b' ');
    header.push(b'\n');
    header
}

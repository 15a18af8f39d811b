//! NumPy's format, version 1.0: a header that states the shape, then the values.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use anyhow::Result;
use serde::Serialize;
use tempfile::spooled_tempfile;

use super::little_endian;
use crate::cli::output::{End, ErrorKeys, PathKeys, Row, RowWriter};

/// Of a header with room for any shape, as NumPy's own is.
const HEADER_BYTES: usize = 128;

/// How much is written before the header is made to count it, so that a program that is ended
/// by force leaves a file that is short of a little.
const UNCOUNTED_BYTES: usize = 1 << 20;

/// What does not go to a file is kept until its end, in memory up to this size: the header
/// comes first and states how many rows there are.
pub const KEPT_BYTES: usize = 64 << 20;

pub struct Npy {
    file: BufWriter<Box<dyn Target>>,
    /// Where all of it goes in the end, if not there.
    out: Option<Box<dyn Write>>,
    paths: Option<Box<dyn Write>>,
    width: usize,
    rows: u64,
    uncounted: usize,
}

/// What can be written out of order.
pub trait Target: Read + Write + Seek {}

impl<T: Read + Write + Seek> Target for T {}

impl Npy {
    /// Writes the header. Where there is no file, or what can only be written to in order, all
    /// is written at the end.
    pub fn begin(
        file: Option<File>,
        paths: Option<Box<dyn Write>>,
        width: usize,
    ) -> io::Result<Self> {
        let (target, out): (Box<dyn Target>, Option<Box<dyn Write>>) = match file {
            Some(file) if file.metadata()?.is_file() => (Box::new(file), None),
            Some(pipe) => (Box::new(spooled_tempfile(KEPT_BYTES)), Some(Box::new(pipe))),
            None => (
                Box::new(spooled_tempfile(KEPT_BYTES)),
                Some(Box::new(io::stdout())),
            ),
        };
        let mut npy = Self {
            file: BufWriter::with_capacity(UNCOUNTED_BYTES, target),
            out,
            paths,
            width,
            rows: 0,
            uncounted: 0,
        };
        npy.file.write_all(&header(0, width))?;
        Ok(npy)
    }

    /// Has the header count all rows.
    fn count(&mut self) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(&header(self.rows, self.width))?;
        self.file.seek(SeekFrom::End(0))?;
        self.uncounted = 0;
        Ok(())
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
        if let Some(paths) = &mut self.paths {
            let path = PathRow {
                index: self.rows,
                path: PathKeys::of(row.name),
                error: row.answer.err().map(ErrorKeys::of),
            };
            serde_json::to_writer(&mut *paths, &path)?;
            paths.write_all(b"\n")?;
            paths.flush()?;
        }
        let bytes = little_endian(row, self.width);
        self.file.write_all(&bytes)?;
        self.rows += 1;
        self.uncounted += bytes.len();
        if self.uncounted >= UNCOUNTED_BYTES {
            self.count()
        } else {
            Ok(())
        }
    }

    fn end(&mut self, end: End) -> Result<()> {
        self.count()?;
        let Some(out) = self.out.as_mut().filter(|_| end != End::Failed) else {
            return Ok(self.file.flush()?);
        };
        self.file.rewind()?;
        io::copy(self.file.get_mut(), out)?;
        Ok(out.flush()?)
    }
}

/// The header of `rows` times `width` numbers, f32, little-endian, row by row.
fn header(rows: u64, width: usize) -> Vec<u8> {
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    let rest = (HEADER_BYTES - header.len() - 2) as u16;
    header.extend(rest.to_le_bytes());
    let shape = format!("'shape': ({rows}, {width})");
    header.extend(format!("{{'descr': '<f4', 'fortran_order': False, {shape}, }}").bytes());
    header.resize(HEADER_BYTES - 1, b' ');
    header.push(b'\n');
    header
}

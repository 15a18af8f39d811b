//! Answers that take the places of an earlier run's failures.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Format, Row, writer};
use crate::cli::files::{self, Staged, unwritable};
use crate::cli::terminal::Terminal;

/// New rows for a file that has others, kept until the run is over: then the file is replaced
/// whole. A run that is killed before leaves the failures where they are, to be tried again.
pub struct Retries {
    path: PathBuf,
    format: Format,
    rows: Vec<(Range<u64>, Vec<u8>)>,
}

impl Retries {
    /// Rows for this file.
    ///
    /// # Errors
    /// It can't be replaced, which is not found out when the work is done.
    pub(super) fn new(path: &Path, format: Format) -> Result<Self> {
        files::check(path)?;
        Ok(Self {
            path: path.to_owned(),
            format,
            rows: Vec::new(),
        })
    }

    /// Takes a row for these bytes of the file.
    pub fn row(&mut self, place: Range<u64>, row: &Row) -> io::Result<()> {
        let mut bytes = Vec::new();
        writer(self.format, &mut bytes, Terminal::none()).row(row)?;
        self.rows.push((place, bytes));
        Ok(())
    }

    /// Puts the rows in their places.
    ///
    /// # Errors
    /// What could not be read or written; then the file is as it was.
    pub fn finish(mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.rows.sort_by_key(|(place, _)| place.start);
        let mut staged = Staged::new(&self.path)?;
        self.write(&mut staged)
            .with_context(|| unwritable(&self.path))?;
        staged.finish()
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut file = BufReader::new(File::open(&self.path)?);
        let mut at = 0;
        for (place, bytes) in &self.rows {
            io::copy(&mut file.by_ref().take(place.start - at), out)?;
            out.write_all(bytes)?;
            at = file.seek(SeekFrom::Start(place.end))?;
        }
        io::copy(&mut file, out).map(drop)
    }
}

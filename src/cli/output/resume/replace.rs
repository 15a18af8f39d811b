//! Rows that take the places of others.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result};

use super::earlier::Place;
use crate::cli::files::{Staged, unwritable};

/// New rows for a file that has others, kept until the run is over: then the file is replaced
/// whole. A run that is killed before leaves the file as it is.
#[derive(Debug, Default)]
pub struct Replacements {
    rows: Vec<(Place, Vec<u8>)>,
}

impl Replacements {
    /// Takes the bytes that will be at this place.
    pub fn add(&mut self, place: Place, bytes: Vec<u8>) {
        self.rows.push((place, bytes));
    }

    /// By how many bytes the file will be longer, or shorter.
    pub fn growth(&self) -> i64 {
        let growth = |(place, bytes): &(Place, Vec<u8>)| {
            bytes.len() as i64 - (place.end - place.start) as i64
        };
        self.rows.iter().map(growth).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Puts the rows in their places, and `tail` behind them all.
    ///
    /// # Errors
    /// What could not be read or written; then the file is as it was.
    pub fn write(mut self, path: &Path, tail: &[u8]) -> Result<()> {
        self.rows.sort_by_key(|(place, _)| place.start);
        let mut staged = Staged::new(path)?;
        self.copy(path, &mut staged)
            .and_then(|()| staged.write_all(tail))
            .with_context(|| unwritable(path))?;
        staged.finish()
    }

    fn copy(&self, path: &Path, out: &mut impl Write) -> io::Result<()> {
        let mut file = BufReader::new(File::open(path)?);
        let mut at = 0;
        for (place, bytes) in &self.rows {
            io::copy(&mut file.by_ref().take(place.start - at), out)?;
            out.write_all(bytes)?;
            at = file.seek(SeekFrom::Start(place.end))?;
        }
        io::copy(&mut file, out).map(drop)
    }
}

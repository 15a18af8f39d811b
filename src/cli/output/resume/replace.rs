//! Rows that take the places of others.

use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};

use super::earlier::Place;
use crate::cli::files::{Staged, unwritable};
use crate::cli::output::packing::{Contents, Packer, Packing};

/// How much is copied at a time.
const COPIED: u64 = 1 << 18;

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
        let mut file = Contents::open(path)?.rows;
        let mut write = |out: &mut dyn Write| {
            self.copy(&mut file, out)?;
            out.write_all(tail)
        };
        let written = match Packing::of_name(path) {
            None => write(&mut staged),
            Some(packing) => {
                let mut packer = Packer::new(&mut staged, packing);
                write(&mut packer).and_then(|()| packer.settle())
            }
        };
        written.with_context(|| unwritable(path))?;
        staged.finish()
    }

    fn copy(&self, mut file: impl Read, out: &mut dyn Write) -> io::Result<()> {
        let mut at = 0;
        for (place, bytes) in &self.rows {
            copy(&mut file.by_ref().take(place.start - at), out)?;
            out.write_all(bytes)?;
            let replaced = place.end - place.start;
            io::copy(&mut file.by_ref().take(replaced), &mut io::sink())?;
            at = place.end;
        }
        copy(&mut file, out)
    }
}

/// Copies all that there is, a bit at a time: what packs it may end a part behind each.
fn copy(file: &mut impl Read, out: &mut dyn Write) -> io::Result<()> {
    while io::copy(&mut file.by_ref().take(COPIED), out)? > 0 {
        out.flush()?;
    }
    Ok(())
}

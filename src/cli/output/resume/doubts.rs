//! Which rows of a table may lack lines, written beside it while that can't be seen from the table.
//!
//! Of a picture that is the last of its table it is not known whether all of its lines are there.
//! As soon as another one is behind it, its lines look like a whole answer. So before that is written,
//! the place of those lines goes into a file of its own, which is gone when the run is over.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use mobilenet::digest;
use serde::{Deserialize, Serialize};

use super::earlier::Place;
use crate::cli::files::{self, unwritable};

/// The file that says which rows of another one may lack lines.
#[derive(Debug)]
pub struct Doubts {
    /// The table.
    of: PathBuf,
    path: PathBuf,
    is_there: bool,
}

/// Rows in doubt, as the file has them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Noted {
    rows_that_may_lack_lines: Vec<NotedRow>,
}

/// Bytes of the table, which are these no more if their digest is another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotedRow {
    begin: u64,
    end: u64,
    sha256: String,
}

impl NotedRow {
    pub fn new(place: &Place, lines: &[u8]) -> Self {
        Self {
            begin: place.start,
            end: place.end,
            sha256: digest::sha256(lines),
        }
    }
}

impl Doubts {
    /// Those about this table, and the places that are noted and are still what they were.
    ///
    /// # Errors
    /// A file that can't be read. One that is not ours says nothing.
    pub fn open(of: &Path) -> Result<(Self, Vec<Place>)> {
        let mut path = of.as_os_str().to_owned();
        path.push(".resume");
        let path = PathBuf::from(path);
        let noted = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Noted>(&bytes).ok(),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let doubts = Self {
            of: of.to_owned(),
            path,
            is_there: noted.is_some(),
        };
        let mut places = Vec::new();
        for row in noted.unwrap_or_default().rows_that_may_lack_lines {
            let place = row.begin..row.end;
            let lines = lines(of, &place);
            if lines.is_ok_and(|lines| NotedRow::new(&place, &lines) == row) {
                places.push(place);
            }
        }
        Ok((doubts, places))
    }

    /// Notes these rows in place of others; nothing is noted of none.
    ///
    /// # Errors
    /// A file that can't be written, or is there and not ours.
    pub fn note(&mut self, rows: Vec<NotedRow>) -> Result<()> {
        if rows.is_empty() {
            return self.forget();
        }
        let path = &self.path;
        ensure!(
            self.is_there || !path.exists(),
            "{}: is there already; a note on {} would go there: move one of them",
            path.display(),
            self.of.display()
        );
        let noted = Noted {
            rows_that_may_lack_lines: rows,
        };
        files::write(path, &serde_json::to_vec(&noted)?)?;
        self.is_there = true;
        Ok(())
    }

    /// Removes what was noted.
    ///
    /// # Errors
    /// It can't be removed.
    pub fn forget(&mut self) -> Result<()> {
        if self.is_there {
            std::fs::remove_file(&self.path).with_context(|| unwritable(&self.path))?;
            self.is_there = false;
        }
        Ok(())
    }
}

/// The bytes at a place of a file.
pub fn lines(path: &Path, place: &Place) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(place.start))?;
    let mut bytes = Vec::new();
    file.take(place.end.saturating_sub(place.start))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

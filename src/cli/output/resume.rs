//! What an earlier run wrote before it stopped.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::table::HEADER;

/// The answers that an earlier run left.
#[derive(Debug, Default)]
pub struct Earlier {
    /// Names, and how many answers each has.
    names: HashMap<Vec<u8>, u32>,
    /// How many of the answers are failures.
    pub failed: u64,
    /// Length of the part of the file that is whole.
    pub kept_bytes: u64,
}

#[derive(Deserialize)]
struct JsonRow {
    path: Option<String>,
    path_base64: Option<String>,
    #[serde(rename = "predictions")]
    _predictions: Vec<IgnoredAny>,
    error: Option<IgnoredAny>,
}

impl Earlier {
    /// Takes an answer to this name away, if there is one left: a picture that is named twice
    /// is answered twice.
    pub fn take(&mut self, name: &[u8]) -> bool {
        match self.names.get_mut(name) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// How many answers there are.
    pub fn len(&self) -> u64 {
        self.names.values().copied().map(u64::from).sum()
    }

    fn add(&mut self, name: Vec<u8>, failed: bool) {
        *self.names.entry(name).or_default() += 1;
        self.failed += u64::from(failed);
    }

    /// Reads JSON Lines; a last line that is not whole does not count.
    pub fn of_json_lines(path: &Path) -> Result<Self> {
        let mut earlier = Self::default();
        let mut file = BufReader::new(File::open(path)?);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = file.read_until(b'\n', &mut line)? as u64;
            if line.last() != Some(&b'\n') {
                break;
            }
            let (name, failed) = json_row(&line).with_context(|| not_ours(number))?;
            earlier.add(name, failed);
            earlier.kept_bytes += read;
        }
        Ok(earlier)
    }

    /// Reads CSV or TSV. A row is several lines, and only the next row shows that it was
    /// whole, so the last one does not count.
    pub fn of_table(path: &Path, delimiter: u8) -> Result<Self> {
        let mut earlier = Self::default();
        let mut file = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_path(path)?;
        let mut record = csv::ByteRecord::new();
        file.read_byte_record(&mut record)?;
        if record.iter().ne(HEADER.map(str::as_bytes)) {
            // Stopped within the header, or never began.
            let header = HEADER.join(str::from_utf8(&[delimiter])?);
            ensure!(
                header.as_bytes().starts_with(&std::fs::read(path)?),
                not_ours(1)
            );
            return Ok(earlier);
        }
        earlier.kept_bytes = file.position().byte();
        let mut last: Option<(Vec<u8>, bool)> = None;
        loop {
            let start = file.position().clone();
            if !file.read_byte_record(&mut record)? {
                return Ok(earlier);
            }
            let whole = record.len() == HEADER.len();
            let first = whole && matches!(&record[1], b"" | b"1");
            if first {
                if let Some((name, failed)) = last.take() {
                    earlier.add(name, failed);
                    earlier.kept_bytes = start.byte();
                }
                last = Some((record[0].to_vec(), !record[6].is_empty()));
            } else if !whole {
                // Only the end of the file may be like this.
                ensure!(!file.read_byte_record(&mut record)?, not_ours(start.line()));
                return Ok(earlier);
            } else {
                let same = last.as_ref().is_some_and(|(name, _)| *name == record[0]);
                ensure!(same, not_ours(start.line()));
            }
        }
    }
}

fn json_row(line: &[u8]) -> Result<(Vec<u8>, bool)> {
    let row: JsonRow = serde_json::from_slice(line)?;
    let name = match (row.path, row.path_base64) {
        (Some(path), _) => path.into_bytes(),
        (None, Some(encoded)) => STANDARD.decode(encoded)?,
        (None, None) => return Err(anyhow!("a row without a path")),
    };
    Ok((name, row.error.is_some()))
}

/// The message for a line that no run of ours wrote.
fn not_ours(line: u64) -> String {
    format!("line {line} is not an answer of an earlier run; use another file or no --resume")
}

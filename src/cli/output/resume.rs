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
    /// The last picture of a table, where some of its lines may be missing.
    pub unsure: Option<Unsure>,
}

/// A picture that is answered again, if it is among this run's.
#[derive(Debug)]
pub struct Unsure {
    pub name: Vec<u8>,
    /// Its lines, to be put back if it is not.
    pub lines: Vec<u8>,
}

/// What every line of ours begins with.
const JSON_START: &[u8] = b"{\"path\":";

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
    ///
    /// # Errors
    /// A file that no run of ours wrote.
    pub fn of_json_lines(path: &Path) -> Result<Self> {
        let mut earlier = Self::default();
        let mut file = BufReader::new(File::open(path)?);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = file.read_until(b'\n', &mut line)? as u64;
            if line.last() != Some(&b'\n') {
                let shared = line.len().min(JSON_START.len());
                ensure!(line[..shared] == JSON_START[..shared], not_ours(number));
                break;
            }
            let (name, failed) = json_row(&line).with_context(|| not_ours(number))?;
            earlier.add(name, failed);
            earlier.kept_bytes += read;
        }
        Ok(earlier)
    }

    /// Reads CSV or TSV. A picture has up to `top_k` lines, and only as many, or the next
    /// picture, show that none is missing.
    ///
    /// # Errors
    /// A file that no run of ours wrote.
    pub fn of_table(path: &Path, delimiter: u8, top_k: usize) -> Result<Self> {
        let content = std::fs::read(path)?;
        let header = HEADER.join(str::from_utf8(&[delimiter])?);
        if header.as_bytes().starts_with(&content) {
            // Stopped within the header, or never began.
            return Ok(Self::default());
        }
        let mut file = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(content.as_slice());
        let mut record = csv::ByteRecord::new();
        file.read_byte_record(&mut record)?;
        ensure!(record.iter().eq(HEADER.map(str::as_bytes)), not_ours(1));
        // The reader leaves the second half of a CRLF to the next record.
        let after_line = |at: u64| at + u64::from(content.get(at as usize) == Some(&b'\n'));
        let mut earlier = Self {
            kept_bytes: after_line(file.position().byte()),
            ..Self::default()
        };
        let mut last: Option<Rows> = None;
        loop {
            let start = file.position().clone();
            let at_end = !file.read_byte_record(&mut record)?;
            let whole = record.len() == HEADER.len();
            if at_end
                || !whole
                || file.position().byte() == content.len() as u64 && !content.ends_with(b"\n")
            {
                // Only the end of the file may be like this.
                ensure!(
                    at_end || !file.read_byte_record(&mut record)?,
                    not_ours(start.line())
                );
                let end = after_line(start.byte());
                earlier.end_with(last, &content[..end as usize], top_k);
                return Ok(earlier);
            }
            if matches!(&record[1], b"" | b"1") {
                if let Some(rows) = last.take() {
                    earlier.add(rows.name, rows.failed);
                    earlier.kept_bytes = after_line(start.byte());
                }
                last = Some(Rows {
                    name: record[0].to_vec(),
                    failed: !record[6].is_empty(),
                    predictions: usize::from(!record[1].is_empty()),
                });
            } else {
                let rows = last.as_mut().filter(|rows| rows.name == record[0]);
                rows.with_context(|| not_ours(start.line()))?.predictions += 1;
            }
        }
    }

    /// Takes the last picture of a table whose whole lines are `content`.
    fn end_with(&mut self, last: Option<Rows>, content: &[u8], top_k: usize) {
        let Some(rows) = last else { return };
        if rows.predictions == 0 || rows.predictions == top_k {
            self.add(rows.name, rows.failed);
            self.kept_bytes = content.len() as u64;
        } else {
            self.unsure = Some(Unsure {
                name: rows.name,
                lines: content[self.kept_bytes as usize..].to_vec(),
            });
        }
    }
}

/// A picture's lines in a table.
struct Rows {
    name: Vec<u8>,
    failed: bool,
    predictions: usize,
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

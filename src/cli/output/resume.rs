//! What an earlier run wrote before it stopped.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mobilenet::labels::Class;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::table::HEADER;
use crate::cli::options::Provenance;

/// What the run that goes on with them answers like.
pub struct ThisRun<'a> {
    /// How many predictions a picture has at most.
    pub lines: usize,
    /// The classes, where each prediction is one of them.
    pub classes: Option<&'a [Class]>,
    /// What answers, where the rows say it.
    pub model: Option<&'a Provenance>,
}

/// The answers that an earlier run left.
#[derive(Debug, Default)]
pub struct Earlier {
    /// Names, and how many rows each has.
    names: HashMap<Vec<u8>, Rows>,
    /// Where the failures among them are, in their order.
    failures: HashMap<Vec<u8>, VecDeque<Failure>>,
    /// The most predictions of a picture.
    most: usize,
    /// A class by its index and name.
    class: Option<(i32, String)>,
    /// What answered, as the first row says it.
    model: Option<Value>,
    /// How many of the answers are failures.
    pub failed: u64,
    /// Length of the part of the file that is whole.
    pub kept_bytes: u64,
    /// The last picture of a table, where some of its lines may be missing.
    pub unsure: Option<Unsure>,
}

#[derive(Debug, Default)]
struct Rows {
    all: u32,
    taken: u32,
}

#[derive(Debug)]
struct Failure {
    /// Which of the rows of its name it is.
    number: u32,
    place: Range<u64>,
}

/// What an earlier run made of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Never,
    Answered,
    /// Its row is at these bytes of the file.
    Failed(Range<u64>),
}

/// A picture that is answered again, if it is among this run's.
#[derive(Debug)]
pub struct Unsure {
    pub name: Vec<u8>,
    /// Its lines, to be put back if it is not.
    pub lines: Vec<u8>,
}

/// What to do about rows of another kind.
const OTHER: &str = "use another file, or the options of the run that wrote it";

/// What every line of ours begins with.
const JSON_START: &[u8] = b"{\"path\":";

#[derive(Deserialize)]
struct JsonRow {
    path: Option<String>,
    path_base64: Option<String>,
    predictions: Vec<JsonPrediction>,
    error: Option<IgnoredAny>,
    model: Option<Value>,
}

#[derive(Deserialize)]
struct JsonPrediction {
    index: Option<i32>,
    label: String,
}

impl Earlier {
    /// Takes the next row of this name away, if there is one left: a picture that is named twice
    /// is answered twice.
    pub fn take(&mut self, name: &[u8]) -> Seen {
        let left = |rows: &&mut Rows| rows.taken < rows.all;
        let Some(rows) = self.names.get_mut(name).filter(left) else {
            return Seen::Never;
        };
        let number = rows.taken;
        rows.taken += 1;
        let is_next = |rows: &&mut VecDeque<Failure>| {
            let first = rows.front();
            first.is_some_and(|row| row.number == number)
        };
        let failures = self.failures.get_mut(name).filter(is_next);
        match failures.and_then(VecDeque::pop_front) {
            Some(failure) => Seen::Failed(failure.place),
            None => Seen::Answered,
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.names.values().map(|rows| u64::from(rows.all)).sum()
    }

    /// Adds a row, at these bytes of the file where it is a failure.
    fn add(&mut self, name: Vec<u8>, failed: Option<Range<u64>>) {
        if let Some(place) = failed {
            let number = self.names.get(&name).map_or(0, |rows| rows.all);
            let failures = self.failures.entry(name.clone()).or_default();
            failures.push_back(Failure { number, place });
            self.failed += 1;
        }
        self.names.entry(name).or_default().all += 1;
    }

    /// Refuses rows that a run like this one can't have written, as far as they show it.
    ///
    /// # Errors
    /// What differs.
    pub fn compare(&self, run: &ThisRun, is_json: bool) -> Result<()> {
        let (most, lines) = (self.most, run.lines);
        ensure!(
            most <= lines,
            "it has {most} predictions of a picture, where this run has {lines} at most: {OTHER}"
        );
        let now = run.model.map(serde_json::to_value).transpose()?;
        // Whether rows say it is one of the options.
        ensure!(
            !is_json || self.names.is_empty() || self.model.is_some() == now.is_some(),
            "rows with and without --provenance: {OTHER}"
        );
        if let (Some(before), Some(now)) = (&self.model, &now) {
            for key in ["sha256", "preprocessing", "reduced_decoding", "dtype"] {
                let (before, now) = (&before[key], &now[key]);
                ensure!(
                    before == now,
                    "{key} was {before}, and is {now} in this run: {OTHER}"
                );
            }
        }
        if let (Some((index, before)), Some(classes)) = (&self.class, run.classes) {
            let now = classes.iter().find(|class| class.index == *index);
            let now = now.map_or("nothing", |class| &class.label);
            ensure!(
                now == before,
                "class {index} was {before:?}, and is {now:?} in this run: {OTHER}"
            );
        }
        Ok(())
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
            let row: Result<JsonRow, _> = serde_json::from_slice(&line);
            let row = row.with_context(|| not_ours(number))?;
            earlier.most = earlier.most.max(row.predictions.len());
            if earlier.class.is_none() {
                let class = |p: JsonPrediction| Some((p.index?, p.label));
                earlier.class = row.predictions.into_iter().find_map(class);
            }
            if number == 1 {
                earlier.model = row.model;
            }
            let name = match (row.path, row.path_base64) {
                (Some(path), _) => path.into_bytes(),
                (None, Some(encoded)) => {
                    let name = STANDARD.decode(encoded);
                    name.with_context(|| not_ours(number))?
                }
                (None, None) => bail!("a row without a path: {}", not_ours(number)),
            };
            let place = earlier.kept_bytes..earlier.kept_bytes + read;
            earlier.add(name, row.error.is_some().then_some(place));
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
        let mut last: Option<Lines> = None;
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
                let begin = after_line(start.byte());
                if let Some(lines) = last.take() {
                    earlier.add(lines.name, lines.failed);
                    earlier.kept_bytes = begin;
                }
                let failed = !record[6].is_empty();
                last = Some(Lines {
                    name: record[0].to_vec(),
                    failed: failed.then(|| begin..after_line(file.position().byte())),
                    predictions: usize::from(!record[1].is_empty()),
                });
            } else {
                let lines = last.as_mut().filter(|lines| lines.name == record[0]);
                lines.with_context(|| not_ours(start.line()))?.predictions += 1;
            }
            let predictions = last.as_ref().map_or(0, |lines| lines.predictions);
            earlier.most = earlier.most.max(predictions);
            if let (None, Ok(index)) = (&earlier.class, str::from_utf8(&record[2])) {
                let label = String::from_utf8_lossy(&record[4]).into_owned();
                earlier.class = index.parse().ok().map(|index| (index, label));
            }
        }
    }

    /// Takes the last picture of a table whose whole lines are `content`.
    fn end_with(&mut self, last: Option<Lines>, content: &[u8], top_k: usize) {
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
struct Lines {
    name: Vec<u8>,
    failed: Option<Range<u64>>,
    predictions: usize,
}

/// The message for a line that no run of ours wrote.
fn not_ours(line: u64) -> String {
    format!("line {line} is not an answer of an earlier run; use another file or no --resume")
}

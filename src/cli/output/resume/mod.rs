//! The rows of a run, which may go on where an earlier one stopped.
//!
//! - `kind`: what rows hold, and which ones can't be of one file
//! - `earlier`: whose rows are there, read by `json_lines` and `table`
//! - `selection`: which pictures still need a row, and where it goes
//! - `resumed`: what becomes of a row whose place is taken, with `replace`, rows that take the places
//!   of others, and `doubts`, which rows may lack lines
//!
//! What an earlier run answered is in the file at any time: a row is replaced when the new one is
//! there, and nothing is cut off but the end of a line that was on its way.

mod doubts;
mod earlier;
mod json_lines;
mod kind;
mod replace;
mod resumed;
mod selection;
mod table;

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{End, Format, Row, RowWriter, buffered, name_bytes};
use crate::cli::files;
use crate::cli::run_record::RunRecord;
use crate::cli::session::Left;
use crate::cli::terminal::Terminal;
use doubts::Doubts;
use earlier::Earlier;
pub use kind::{EmbeddingRows, PredictionRows, RowKind, only};
use resumed::Resumed;
pub use selection::Selection;
use selection::Target;

/// The rows of a run.
pub struct Rows<K: RowKind> {
    kind: K,
    writer: Box<dyn RowWriter<K::Value>>,
    /// The earlier run's, if this one goes on with them.
    earlier: Option<Resumed>,
    /// Keeps others from the file.
    record: Option<RunRecord>,
}

impl<K: RowKind> Rows<K> {
    /// Rows that go to a writer and are not gone on with.
    pub fn new(kind: K, mut writer: Box<dyn RowWriter<K::Value>>) -> Result<Self> {
        writer.begin()?;
        Ok(Self {
            kind,
            writer,
            earlier: None,
            record: None,
        })
    }

    /// Rows of a new file, or in the place of what is there.
    ///
    /// # Errors
    /// A file that can't be written to.
    pub fn create(kind: K, path: &Path, format: Format) -> Result<Self> {
        let out = Box::new(buffered(files::Named::new(files::create(path)?, path)));
        if let Ok((mut doubts, _)) = Doubts::open(path) {
            doubts.forget()?;
        }
        let writer = kind.writer(format, out, Terminal::none())?;
        Self::new(kind, writer)
    }

    /// The same while this run alone has the file; `run` is what later ones compare, if they may go on with the
    /// rows.
    ///
    /// # Errors
    /// That can't be noted.
    pub fn recorded(self, mut record: RunRecord, run: Option<&Value>) -> Result<Self> {
        if let Some(run) = run {
            record.describe(run)?;
        } else {
            record.forget()?;
        }
        Ok(Self {
            record: Some(record),
            ..self
        })
    }

    /// Goes on with a file that is there, unless `compare` refuses the rows that it has.
    ///
    /// # Errors
    /// A file that can't be written to, or is not the output of an earlier run like this one.
    pub fn resume(
        kind: K,
        path: &Path,
        format: Format,
        retry_failed: bool,
        compare: impl FnOnce(&Earlier) -> Result<()>,
    ) -> Result<Self> {
        if retry_failed {
            // That it can't be replaced is not to be found out when the work is done.
            files::check(path)?;
        }
        let failed = || format!("{}: can't resume", path.display());
        Self::reopen(kind, path, format, retry_failed, compare).with_context(failed)
    }

    fn reopen(
        kind: K,
        path: &Path,
        format: Format,
        retry_failed: bool,
        compare: impl FnOnce(&Earlier) -> Result<()>,
    ) -> Result<Self> {
        ensure!(path.is_file(), "it is not a regular file");
        let (doubts, doubted) = Doubts::open(path)?;
        let earlier = kind.read(path, format, &doubted)?;
        kind.compare(&earlier.facts)?;
        kind::compare_models(&earlier, kind.model(), format)?;
        compare(&earlier)?;
        let mut out = File::options().append(true).open(path)?;
        // What the earlier run was in the middle of.
        out.set_len(earlier.whole_bytes)?;
        if earlier.lacks_line_end {
            out.write_all(b"\n")?;
        }
        let mut writer = kind.writer(
            format,
            Box::new(buffered(files::Named::new(out, path))),
            Terminal::none(),
        )?;
        if earlier.whole_bytes == 0 {
            writer.begin()?;
        }
        let resumed = Resumed::new(path, format, earlier, retry_failed, doubts)?;
        Ok(Self {
            kind,
            writer,
            earlier: Some(resumed),
            record: None,
        })
    }

    /// What an earlier run left, and which pictures are still wanted, where this run goes on with
    /// one; once.
    pub fn take_earlier(&mut self) -> Option<(Left, Selection)> {
        let earlier = self.earlier.as_mut()?;
        Some((earlier.left.clone(), earlier.selection.take()?))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// It can't be written.
    pub fn row(&mut self, row: &Row<K::Value>) -> Result<()> {
        let Some(earlier) = &mut self.earlier else {
            return Ok(self.writer.row(row)?);
        };
        match earlier.targets.recv().unwrap_or(Target::End) {
            Target::End => {
                earlier.note_doubts()?;
                Ok(self.writer.row(row)?)
            }
            Target::Failure(place) => {
                let failed = &earlier.left.failed;
                failed.set(failed.get() - 1);
                let bytes = bytes_of(&self.kind, earlier.format, row)?;
                earlier.replacements.add(place, bytes);
                Ok(())
            }
            Target::Unsure(place) => {
                let bytes = bytes_of(&self.kind, earlier.format, row)?;
                earlier.answer_unsure(place, bytes)
            }
        }
    }

    /// Ends the file, and puts rows where they take the places of others.
    ///
    /// # Errors
    /// They can't be written; what was in the file before is there.
    pub fn finish(mut self, end: End) -> Result<()> {
        self.writer.end(end)?;
        drop(self.writer);
        let finished = self.earlier.map_or(Ok(()), Resumed::finish);
        // The others may have the file now.
        drop(self.record);
        finished
    }
}

/// A row as it is written.
fn bytes_of<K: RowKind>(kind: &K, format: Format, row: &Row<K::Value>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut writer = kind.writer(format, Box::new(&mut bytes), Terminal::none())?;
    writer.row(row)?;
    drop(writer);
    Ok(bytes)
}

/// The message for a line that no run of ours wrote.
fn not_ours(line: u64) -> String {
    format!("line {line} is not an answer of an earlier run; use another file or no --resume")
}

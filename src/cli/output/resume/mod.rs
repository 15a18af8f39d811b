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

mod counted;
mod doubts;
mod earlier;
mod json_lines;
mod kind;
mod replace;
mod resumed;
mod selection;
mod table;

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Error, Result, anyhow, ensure};
use serde_json::Value;

use super::packing::{Contents, Packing};
use super::sink::Sink;
use super::{End, Format, Row, RowWriter, buffered, name_bytes};
use crate::cli::files;
use crate::cli::run_record::RunRecord;
use crate::cli::session::Left;
use crate::cli::terminal::Terminal;
use counted::Counted;
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
    /// The file that they go to, if it is one.
    file: Option<RowFile>,
    /// The earlier run's, if this one goes on with them.
    earlier: Option<Resumed>,
    /// Keeps others from the file.
    record: Option<RunRecord>,
}

/// A file that is written row by row.
struct RowFile {
    sink: Sink,
    /// Whether a later run may go on with it.
    is_resumable: bool,
}

impl RowFile {
    /// An error of the file, with what is safe and the way on.
    fn told(&self, error: Error) -> Error {
        let io = error.downcast_ref::<std::io::Error>();
        // Whoever reads a pipe has seen enough.
        if io.is_none_or(|error| error.kind() == ErrorKind::BrokenPipe) {
            return error;
        }
        let way_on = match (self.is_resumable, self.sink.safe_rows()) {
            (false, _) => {
                "what is there is not whole, and only csv, tsv and jsonl can be resumed".into()
            }
            (true, 0) => "no row is there; --resume begins again".into(),
            (true, 1) => "1 row is there; --resume goes on".into(),
            (true, safe) => format!("{safe} rows are there; --resume goes on"),
        };
        anyhow!("{error}; {way_on}")
    }
}

impl<K: RowKind> Rows<K> {
    /// Rows that go to a writer and are not gone on with.
    pub fn new(kind: K, mut writer: Box<dyn RowWriter<K::Value>>) -> Result<Self> {
        writer.begin()?;
        Ok(Self::unbegun(kind, writer))
    }

    fn unbegun(kind: K, writer: Box<dyn RowWriter<K::Value>>) -> Self {
        Self {
            kind,
            writer,
            file: None,
            earlier: None,
            record: None,
        }
    }

    fn told(&self, error: Error) -> Error {
        match &self.file {
            Some(file) => file.told(error),
            None => error,
        }
    }

    /// Rows of a new file, or in the place of what is there.
    ///
    /// # Errors
    /// A file that can't be written to.
    pub fn create(kind: K, path: &Path, format: Format) -> Result<Self> {
        let sink = Sink::new(files::create(path)?, path, 0);
        if let Ok((mut doubts, _)) = Doubts::open(path) {
            doubts.forget()?;
        }
        let out = Box::new(buffered(sink.clone()));
        let writer = kind.writer(format, out, Terminal::none())?;
        let file = RowFile {
            sink,
            is_resumable: K::RESUMABLE.contains(&format),
        };
        let mut rows = Self {
            file: Some(file),
            ..Self::unbegun(kind, writer)
        };
        let begun = rows.writer.begin();
        begun.map_err(|error| rows.told(error.into()))?;
        Ok(rows)
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

    /// Goes on with a file that is there, unless `compare` refuses the rows that it has. `is_known`: that a run
    /// of ours wrote it is not only seen from its rows.
    ///
    /// # Errors
    /// A file that can't be written to, or is not the output of an earlier run like this one.
    pub fn resume(
        kind: K,
        path: &Path,
        format: Format,
        retry_failed: bool,
        is_known: bool,
        compare: impl FnOnce(&Earlier) -> Result<()>,
    ) -> Result<Self> {
        if retry_failed {
            // That it can't be replaced is not to be found out when the work is done.
            files::check(path)?;
        }
        let failed = || format!("{}: can't resume", path.display());
        Self::reopen(kind, path, format, retry_failed, is_known, compare).with_context(failed)
    }

    fn reopen(
        kind: K,
        path: &Path,
        format: Format,
        retry_failed: bool,
        is_known: bool,
        compare: impl FnOnce(&Earlier) -> Result<()>,
    ) -> Result<Self> {
        ensure!(path.is_file(), "it is not a regular file");
        let (doubts, doubted) = Doubts::open(path)?;
        let is_packed = Packing::of_name(path).is_some();
        let contents = Contents::open(path)?;
        contents.refuse_cut_off(is_known)?;
        let expected = Expected {
            doubted: &doubted,
            // Parts of a packed file end with whole rows.
            ends_whole: is_packed && is_known,
        };
        let mut counted = Counted::new(contents.rows);
        let earlier = kind.read(&mut counted, format, &expected)?;
        kind.compare(&earlier.facts)?;
        kind::compare_models(&earlier, kind.model(), format)?;
        compare(&earlier)?;
        let out = File::options().append(true).open(path)?;
        // What the earlier run was in the middle of.
        if is_packed {
            ensure!(
                earlier.whole_bytes == counted.rest()? && earlier.unsure.is_empty(),
                "its last row may lack something, which can't be mended in a packed file: unpack it, and go on with \
                 what is unpacked"
            );
            out.set_len(contents.whole_length)?;
        } else {
            out.set_len(earlier.whole_bytes)?;
        }
        let rows = earlier.answered + earlier.failed + earlier.unsure.len() as u64;
        let mut sink = Sink::new(out, path, rows);
        if earlier.lacks_line_end {
            sink.write_all(b"\n")?;
            sink.flush()?;
        }
        let mut writer = kind.writer(format, Box::new(buffered(sink.clone())), Terminal::none())?;
        if earlier.whole_bytes == 0 {
            writer.begin()?;
        }
        let file = RowFile {
            sink,
            is_resumable: true,
        };
        let resumed = Resumed::new(path, format, earlier, retry_failed, doubts)?;
        Ok(Self {
            file: Some(file),
            earlier: Some(resumed),
            ..Self::unbegun(kind, writer)
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
            return self.next(row);
        };
        match earlier.targets.recv().unwrap_or(Target::End) {
            Target::End => {
                earlier.note_doubts()?;
                self.next(row)
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

    /// Writes a row behind the others.
    fn next(&mut self, row: &Row<K::Value>) -> Result<()> {
        let written = self.writer.row(row);
        written.map_err(|error| self.told(error.into()))?;
        if let Some(file) = &self.file {
            file.sink.add_row();
        }
        Ok(())
    }

    /// Ends the file, and puts rows where they take the places of others.
    ///
    /// # Errors
    /// They can't be written; what was in the file before is there.
    pub fn finish(mut self, end: End) -> Result<()> {
        let ended = self.writer.end(end);
        let ended = ended.and_then(|()| match &self.file {
            Some(file) => Ok(file.sink.finish()?),
            None => Ok(()),
        });
        ended.map_err(|error| self.told(error))?;
        drop(self.writer);
        let finished = self.earlier.map_or(Ok(()), Resumed::finish);
        // The others may have the file now.
        drop(self.record);
        finished
    }
}

/// What is known of a file before it is read.
pub struct Expected<'a> {
    /// The places of rows that may lack lines.
    pub doubted: &'a [earlier::Place],
    /// Whether its last row lacks none.
    pub ends_whole: bool,
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

//! A file of an earlier run, and rows whose places in it are taken.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use crossbeam_channel::Receiver;

use super::Format;
use super::doubts::{self, Doubts, NotedRow};
use super::earlier::{Earlier, Place};
use super::replace::Replacements;
use super::selection::{Selection, Target};
use crate::cli::session::Left;

/// A file that is gone on with.
pub struct Resumed {
    path: PathBuf,
    pub format: Format,
    pub left: Left,
    /// Handed out once.
    pub selection: Option<Selection>,
    /// Where the rows go, in their order.
    pub targets: Receiver<Target>,
    pub replacements: Replacements,
    unsure: Vec<Unsure>,
    doubts: Doubts,
}

/// Lines of a picture that may lack some.
struct Unsure {
    place: Place,
    lines: Vec<u8>,
    /// Whether they are the end of the file, and so are known to be like this.
    is_at_end: bool,
    /// A whole row waits to take their place. Until it has it, they are in doubt.
    is_answered: bool,
}

impl Resumed {
    /// Goes on with a file that has these rows.
    ///
    /// # Errors
    /// It can't be read.
    pub fn new(
        path: &Path,
        format: Format,
        earlier: Earlier,
        retry_failed: bool,
        doubts: Doubts,
    ) -> Result<Self> {
        let left = Left {
            answered: earlier.answered,
            advice: if retry_failed {
                ""
            } else {
                " (--retry-failed answers them again)"
            },
            ..Left::default()
        };
        left.failed.set(earlier.failed);
        let unsure = |place: Place| -> Result<Unsure> {
            Ok(Unsure {
                lines: doubts::lines(path, &place)?,
                is_at_end: place.end == earlier.whole_bytes,
                is_answered: false,
                place,
            })
        };
        let (selection, targets) = Selection::new(earlier.names, retry_failed);
        Ok(Self {
            unsure: earlier
                .unsure
                .into_iter()
                .map(unsure)
                .collect::<Result<_>>()?,
            path: path.to_owned(),
            format,
            left,
            selection: Some(selection),
            targets,
            replacements: Replacements::default(),
            doubts,
        })
    }

    /// Notes which rows may lack lines, before something is written behind them.
    ///
    /// # Errors
    /// It can't be noted.
    pub fn note_doubts(&mut self) -> Result<()> {
        if self.unsure.iter().any(|unsure| unsure.is_at_end) {
            self.doubts.note(noted(&self.unsure))?;
            self.unsure
                .iter_mut()
                .for_each(|unsure| unsure.is_at_end = false);
        }
        Ok(())
    }

    /// Takes the whole row of a picture whose lines are at a place.
    ///
    /// # Errors
    /// It can't be written.
    pub fn answer_unsure(&mut self, place: Place, row: Vec<u8>) -> Result<()> {
        let is_there = |unsure: &Unsure| unsure.place == place;
        let Some(number) = self.unsure.iter().position(is_there) else {
            return Ok(());
        };
        let unsure = &mut self.unsure[number];
        match row.strip_prefix(&unsure.lines[..]) {
            // The usual case: the lines are the beginning of the same row.
            Some(rest) if unsure.is_at_end => {
                let mut file = File::options().append(true).open(&self.path)?;
                file.write_all(rest)?;
                self.unsure.remove(number);
            }
            _ => {
                unsure.is_answered = true;
                self.replacements.add(place, row);
                self.note_doubts()?;
            }
        }
        Ok(())
    }

    /// Puts rows where they take the places of others.
    ///
    /// # Errors
    /// They can't be written; what was in the file before is there.
    pub fn finish(mut self) -> Result<()> {
        // Those that were none of this run's pictures go to the end, where it can be seen of the
        // last one that it may lack lines.
        let before = noted(&self.unsure);
        let mut moved = std::mem::take(&mut self.unsure);
        moved.retain(|unsure| !unsure.is_answered);
        if moved.iter().all(|unsure| unsure.is_at_end) {
            moved.clear();
        }
        if moved.is_empty() && self.replacements.is_empty() {
            return self.doubts.forget();
        }
        for unsure in &moved {
            self.replacements.add(unsure.place.clone(), Vec::new());
        }
        let length = std::fs::metadata(&self.path)?.len();
        let mut at = length.saturating_add_signed(self.replacements.growth());
        let now = moved.iter().map(|unsure| {
            let begin = at;
            at += unsure.lines.len() as u64;
            NotedRow::new(&(begin..at), &unsure.lines)
        });
        let mut now: Vec<NotedRow> = now.collect();
        if !moved.is_empty() {
            // Both, as one of them is right before the file is replaced, and the other afterwards.
            self.doubts.note([before, now.clone()].concat())?;
        }
        let tail: Vec<u8> = moved.into_iter().flat_map(|unsure| unsure.lines).collect();
        self.replacements.write(&self.path, &tail)?;
        now.pop();
        self.doubts.note(now)
    }
}

fn noted(unsure: &[Unsure]) -> Vec<NotedRow> {
    let noted = |unsure: &Unsure| NotedRow::new(&unsure.place, &unsure.lines);
    unsure.iter().map(noted).collect()
}

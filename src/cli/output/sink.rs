//! A file of rows, of which it is known what is whole.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::packing::{PART_AGE, Packer, Packing};
use crate::cli::files::Named;

/// A file that rows are written to, packed if its name says so. Its clones are the same file.
#[derive(Clone)]
pub struct Sink(Arc<Mutex<Inner>>);

struct Inner {
    out: Out,
    /// Rows that are in the file.
    safe: u64,
    /// Rows behind them that wait to be packed.
    waiting: u64,
}

enum Out {
    Plain(Rows),
    Packed(Packer<Rows>),
}

/// The file itself. Where it can't be written to, what of a row is there is taken off again.
struct Rows {
    file: Named,
    /// Bytes behind the last row that is whole.
    unsettled: u64,
    /// Why nothing more is written: what comes would be the rest of a row.
    failure: Option<(io::ErrorKind, String)>,
}

impl Sink {
    /// Writes to a file of this name, behind so many rows that are there.
    pub fn new(file: File, path: &Path, rows: u64) -> Self {
        let packing = Packing::of_name(path);
        let file = Rows {
            file: Named::new(file, path),
            unsettled: 0,
            failure: None,
        };
        let sink = Self(Arc::new(Mutex::new(Inner {
            out: match packing {
                Some(packing) => Out::Packed(Packer::new(file, packing)),
                None => Out::Plain(file),
            },
            safe: rows,
            waiting: 0,
        })));
        if packing.is_some() {
            sink.settle_in_time();
        }
        sink
    }

    /// Has what waits written when it has waited long enough, though nothing more may come.
    fn settle_in_time(&self) {
        let inner = Arc::downgrade(&self.0);
        thread::spawn(move || {
            while let Some(inner) = inner.upgrade() {
                // A failure is kept, and told when something more comes, or at the end.
                let _ = lock(&inner).settle(false);
                drop(inner);
                thread::sleep(PART_AGE / 2);
            }
        });
    }

    /// Counts a row that was written and flushed.
    pub fn add_row(&self) {
        let mut inner = lock(&self.0);
        match &inner.out {
            Out::Packed(packer) if !packer.is_settled() => inner.waiting += 1,
            _ => inner.safe += 1,
        }
    }

    /// How many rows are in the file.
    pub fn safe_rows(&self) -> u64 {
        lock(&self.0).safe
    }

    /// Writes what waits, and has the system write it.
    ///
    /// # Errors
    /// It can't be written.
    pub fn finish(&self) -> io::Result<()> {
        let mut inner = lock(&self.0);
        inner.settle(true)?;
        let rows = inner.rows();
        rows.check()?;
        rows.file.sync()
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// Packs what waits, if it has waited long enough, or is forced to.
    fn settle(&mut self, is_forced: bool) -> io::Result<()> {
        if let Out::Packed(packer) = &mut self.out {
            if is_forced {
                packer.settle()?;
            } else {
                packer.flush_old()?;
            }
            if packer.is_settled() {
                self.safe += std::mem::take(&mut self.waiting);
            }
        }
        Ok(())
    }

    fn rows(&mut self) -> &mut Rows {
        match &mut self.out {
            Out::Plain(rows) => rows,
            Out::Packed(packer) => packer.get_mut(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut lock(&self.0).out {
            Out::Plain(rows) => rows.write(bytes),
            Out::Packed(packer) => packer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut inner = lock(&self.0);
        match &mut inner.out {
            Out::Plain(rows) => rows.flush(),
            Out::Packed(packer) => {
                packer.get_mut().check()?;
                packer.flush()?;
                inner.settle(false)
            }
        }
    }
}

impl Rows {
    /// The failure, if there was one.
    fn check(&self) -> io::Result<()> {
        match &self.failure {
            Some((kind, text)) => Err(io::Error::new(*kind, text.clone())),
            None => Ok(()),
        }
    }
}

impl Write for Rows {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        match self.file.write(bytes) {
            Ok(written) => {
                self.unsettled += written as u64;
                Ok(written)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.file.take_off(self.unsettled);
                self.failure = Some((error.kind(), error.to_string()));
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        self.file.flush()?;
        self.unsettled = 0;
        Ok(())
    }
}

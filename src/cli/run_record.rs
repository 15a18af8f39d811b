//! Which run writes a file as it goes, and what that run was.
//!
//! Beside a file `NAME` lies `.NAME.run`. It is locked while a run writes the file, so that no other one does
//! (the system lets go of the lock however a run ends), and says who that is. Of rows that a later run may go on
//! with it stays and says what they depend on, because tables have no room for that.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use anyhow::{Result, bail, ensure};
use mobilenet::atomic_file::{folder_of, is_special};
use mobilenet::file_lock::FileLock;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::run_facts::differences;
use super::terminal::printable;
use super::{Global, files, note, words};

/// How each begins: what does not is somebody else's.
const START: &str = "{\"writer\":";

/// More than any has.
const MOST_BYTES: u64 = 1 << 20;

/// The fact that a newer program may change.
const VERSION: &str = "version";

/// A file that this run writes, and nobody else meanwhile.
#[derive(Debug)]
pub struct RunRecord {
    output: PathBuf,
    path: PathBuf,
    /// None where nothing is kept beside the output, or files can't be locked.
    lock: Option<FileLock>,
    /// What the run was that wrote the file before.
    earlier: Option<Value>,
    /// Whether the record is kept when the run is over.
    stays: bool,
    is_quiet: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    writer: Writer,
    run: Option<Value>,
}

/// A process.
#[derive(Debug, Serialize, Deserialize)]
struct Writer {
    pid: u32,
    host: String,
    since: String,
}

impl Writer {
    fn this() -> Self {
        Self {
            pid: process::id(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            since: httpdate::fmt_http_date(SystemTime::now()),
        }
    }
}

impl RunRecord {
    /// Begins to write a file, which is not touched yet. Nothing is kept of a device or a pipe.
    ///
    /// # Errors
    /// Another run is writing it, or the record's place is taken.
    pub fn begin(output: &Path, global: Global) -> Result<Self> {
        let mut record = Self {
            output: output.to_owned(),
            path: PathBuf::new(),
            lock: None,
            earlier: None,
            stays: false,
            is_quiet: global.quiet,
        };
        let real = fs::canonicalize(output);
        let name = real.as_deref().unwrap_or(output).file_name();
        let Some(name) = name.filter(|_| !is_special(output)) else {
            return Ok(record);
        };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".run");
        record.path = folder_of(output).join(hidden);
        match FileLock::try_take(&record.path) {
            Ok(Some(lock)) => {
                let earlier = record.read(&lock)?;
                record.lock = Some(lock);
                record.earlier = earlier.and_then(|record| record.run);
                record.stays = record.earlier.is_some();
                record.write()?;
            }
            Ok(None) => bail!(record.is_held()),
            // That there is no such folder is told of the output itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(error) => record.note(&format!(
                "no lock can be had beside it ({}), so make sure that no other run writes it",
                words::of(&error)
            )),
        }
        Ok(record)
    }

    /// Whether it is known what the run was that wrote the file before.
    pub fn is_known(&self) -> bool {
        self.earlier.is_some()
    }

    fn note(&self, text: &str) {
        if !self.is_quiet {
            note(&printable(&format!("{}: {text}", self.output.display())));
        }
    }

    /// Refuses to go on with a run that was another one. That the program was of another version is only
    /// said.
    ///
    /// # Errors
    /// What differs.
    pub fn compare(&self, run: &Value) -> Result<()> {
        let Some(earlier) = &self.earlier else {
            self.note(
                "nothing says which network and options its rows are of; they are taken to be those of this \
                 run",
            );
            return Ok(());
        };
        let (before, now) = (&earlier[VERSION], &run[VERSION]);
        if before != now {
            self.note(&format!("version {before} wrote it, and {now} goes on"));
        }
        match differences(&without_version(earlier), &without_version(run)) {
            None => Ok(()),
            Some(lines) => bail!(
                "this run would answer otherwise than the one that wrote it:{lines}\nuse another file, or \
                 the options of the run that wrote it"
            ),
        }
    }

    /// Says what the run is, for those that go on with its rows.
    ///
    /// # Errors
    /// It can't be written.
    pub fn describe(&mut self, run: &Value) -> Result<()> {
        self.earlier = Some(run.clone());
        self.stays = true;
        self.write()
    }

    /// Forgets what the run before was, whose rows are going to be replaced by ones that no run goes on with.
    ///
    /// # Errors
    /// It can't be written.
    pub fn forget(&mut self) -> Result<()> {
        self.earlier = None;
        self.stays = false;
        self.write()
    }

    fn read(&self, lock: &FileLock) -> Result<Option<Record>> {
        let mut bytes = Vec::new();
        lock.file().take(MOST_BYTES).read_to_end(&mut bytes)?;
        // What is cut short was on its way when its run was killed.
        let is_ours = START.as_bytes().starts_with(&bytes) || bytes.starts_with(START.as_bytes());
        ensure!(
            is_ours,
            "{}: is there already, and the record of this run would go there: move it",
            self.path.display()
        );
        Ok(serde_json::from_slice(&bytes).ok())
    }

    fn write(&self) -> Result<()> {
        let Some(lock) = &self.lock else {
            return Ok(());
        };
        let record = Record {
            writer: Writer::this(),
            run: self.earlier.clone(),
        };
        let mut bytes = serde_json::to_vec(&record)?;
        bytes.push(b'\n');
        let mut file = lock.file();
        let mut write = || {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&bytes)?;
            file.set_len(bytes.len() as u64)
        };
        write().map_err(|error| {
            let (output, path) = (files::unwritable(&self.output), self.path.display());
            anyhow::anyhow!(
                "{output}: {} (that is, {path} beside it)",
                words::of(&error)
            )
        })
    }

    /// What is said where another run has the file.
    fn is_held(&self) -> String {
        let record = fs::read(&self.path).ok();
        let record = record.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
        let who = record.map_or(String::new(), |Record { writer, .. }| {
            let Writer { pid, host, since } = writer;
            format!(" (process {pid} on {host}, since {since})")
        });
        format!(
            "{}: another run is writing it{who}: wait for its end, or name another file",
            self.output.display()
        )
    }
}

fn without_version(run: &Value) -> Value {
    let mut run = run.clone();
    if let Some(facts) = run.as_object_mut() {
        facts.remove(VERSION);
    }
    run
}

impl Drop for RunRecord {
    fn drop(&mut self) {
        // Still locked: who waits for it looks whether it is there.
        if self.lock.is_some() && !self.stays {
            let _ = fs::remove_file(&self.path);
        }
    }
}

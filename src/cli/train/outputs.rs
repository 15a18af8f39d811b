//! The files that a run writes.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use mobilenet::train::State;

use super::Arguments;
use crate::cli::options::refuse_same;

/// How a log begins.
const LOG_START: &[u8] = b"epoch,learning_rate,";

/// Where a run writes what.
pub struct Outputs {
    /// The epochs as CSV: the output's name with another end.
    pub log: PathBuf,
    /// What is needed to go on, until the run is over.
    pub state: PathBuf,
    pub curves: Option<PathBuf>,
}

impl Outputs {
    /// Refuses outputs that can't be written, before the work.
    ///
    /// # Errors
    /// A folder, one that is not there, a file that is something else.
    pub fn new(arguments: &Arguments) -> Result<Self> {
        let file = &arguments.output;
        ensure!(
            file.as_os_str() != "-",
            "training keeps a state and a log beside its output: -o has to be a file"
        );
        let beside = |end: &str| {
            let mut name = file.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        };
        let log = match file.extension().is_some_and(|end| end == "csv") {
            true => beside(".csv"),
            false => file.with_extension("csv"),
        };
        let outputs = Self {
            log,
            state: beside(".state"),
            curves: arguments.curves.clone(),
        };
        let all = [file, &outputs.log, &outputs.state];
        for path in all.into_iter().chain(&outputs.curves) {
            check(path)?;
        }
        let curves = outputs.curves.as_ref();
        ensure!(
            curves.is_none_or(|curves| curves.as_os_str() != "-"),
            "--curves has to be a file: stdout has the epochs"
        );
        ensure!(
            curves.is_none_or(|curves| all.iter().all(|path| *path != curves)),
            "--curves needs a file of its own"
        );
        let mut start = Vec::new();
        if let Ok(log) = fs::File::open(&outputs.log) {
            log.take(LOG_START.len() as u64).read_to_end(&mut start)?;
        }
        ensure!(
            start.is_empty() || start == LOG_START,
            "{}: the log of the epochs would replace it, and it is no such log",
            outputs.log.display()
        );
        refuse_same(arguments.network.weights.as_deref(), file)?;
        Ok(outputs)
    }

    /// The state of an earlier run, if there is one to go on with.
    ///
    /// # Errors
    /// There is one, and it is not to be gone on with.
    pub fn earlier(&self, resume: bool) -> Result<Option<State>> {
        match (self.state.exists(), resume) {
            (true, true) => Ok(Some(State::open(&self.state)?)),
            (true, false) => bail!(
                "{}: it is the state of a run that was stopped; --resume goes on with it, without \
                 the file a new one begins",
                self.state.display()
            ),
            (false, _) => Ok(None),
        }
    }

    /// The run is over.
    ///
    /// # Errors
    /// The state can't be removed.
    pub fn remove_state(&self) -> Result<()> {
        match fs::remove_file(&self.state) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| self.state.display().to_string())
            }
            _ => Ok(()),
        }
    }
}

/// Refuses a path that no file can be written to.
fn check(path: &Path) -> Result<()> {
    let name = path.display();
    let is_folder = path.file_name().is_none() || path.is_dir();
    ensure!(!is_folder, "{name}: is a folder; a file is to be written");
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder_name = folder.display();
    ensure!(folder.is_dir(), "{name}: there is no folder {folder_name}");
    // Asked now, rather than found out when the work is done.
    let writable = tempfile::tempfile_in(folder).map_err(|error| io::Error::from(error.kind()));
    writable.with_context(|| format!("{folder_name}: can't be written to"))?;
    Ok(())
}

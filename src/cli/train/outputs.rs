//! The files that a run writes.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use mobilenet::train::State;

use super::Arguments;
use crate::cli::files;
use crate::cli::inputs::is_same_file;

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
            files::check(path)?;
            files::protect(&[path.as_path()], arguments.network.weights.as_deref())?;
        }
        for path in all {
            files::refuse_picture(path)?;
        }
        if let Some(curves) = &outputs.curves {
            ensure!(
                curves.as_os_str() != "-",
                "--curves has to be a file: stdout has the epochs"
            );
            let same = |path: &&PathBuf| *path == curves || is_same_file(path, curves);
            ensure!(!all.iter().any(same), "--curves needs a file of its own");
            ensure!(
                curves
                    .extension()
                    .is_some_and(|end| end.eq_ignore_ascii_case("png")),
                "{}: what is written is a PNG, so its name has to end in .png",
                curves.display()
            );
            for pictures in [Some(&arguments.pictures), arguments.validation_dir.as_ref()] {
                pictures.map_or(Ok(()), |pictures| files::refuse_among(pictures, curves))?;
            }
        }
        let mut start = Vec::new();
        if let Ok(log) = fs::File::open(&outputs.log) {
            log.take(LOG_START.len() as u64).read_to_end(&mut start)?;
        }
        ensure!(
            LOG_START.starts_with(&start),
            "{}: the log of the epochs would replace it, and it is no such log",
            outputs.log.display()
        );
        Ok(outputs)
    }

    /// Refuses to replace what is read.
    ///
    /// # Errors
    /// One of these files would be.
    pub fn protect<'a>(
        &self,
        arguments: &Arguments,
        read: impl IntoIterator<Item = &'a Path>,
    ) -> Result<()> {
        let outputs = [&arguments.output, &self.log, &self.state].into_iter();
        let outputs: Vec<&Path> = outputs.chain(&self.curves).map(PathBuf::as_path).collect();
        files::protect(&outputs, read)
    }

    /// The state of an earlier run, if there is one to go on with.
    ///
    /// # Errors
    /// There is one, and it is not to be gone on with.
    pub fn earlier(&self, resume: bool) -> Result<Option<State>> {
        match (self.state.exists(), resume) {
            (true, true) => match State::open(&self.state) {
                Ok(state) => Ok(Some(state)),
                Err(error) => bail!("{error}; without the file --resume begins a new run"),
            },
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

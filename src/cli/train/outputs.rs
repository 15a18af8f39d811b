//! The files that a run writes.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use mobilenet::train::State;

use super::Arguments;
use crate::cli::file_id::is_same_file;
use crate::cli::files;

/// How a log begins.
const LOG_START: &[u8] = b"epoch,learning_rate,";

/// Where a run writes what.
pub struct Outputs {
    /// `None` where the output is a device or a pipe: nobody looks for files beside those.
    pub beside: Option<Beside>,
    pub curves: Option<PathBuf>,
}

/// The files beside the output.
pub struct Beside {
    /// The epochs as CSV: the output's name with another end.
    pub log: PathBuf,
    /// What is needed to go on, until the run is over.
    pub state: PathBuf,
}

impl Beside {
    fn new(output: &Path) -> Self {
        let with = |end: &str| {
            let mut name = output.to_owned().into_os_string();
            name.push(end);
            PathBuf::from(name)
        };
        let log = if output.extension().is_some_and(|end| end == "csv") {
            with(".csv")
        } else {
            output.with_extension("csv")
        };
        let state = with(".state");
        Self { log, state }
    }

    fn files(&self) -> [&Path; 2] {
        [&self.log, &self.state]
    }
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
        let beside = (!files::is_special(file)).then(|| Beside::new(file));
        ensure!(
            beside.is_some() || !arguments.resume,
            "{}: it is no regular file, and no state is kept beside it for --resume",
            file.display()
        );
        let outputs = Self {
            beside,
            curves: arguments.curves.clone(),
        };
        let files: Vec<&Path> = outputs.files(file).collect();
        for path in files.iter().copied().chain(outputs.curves.as_deref()) {
            files::check(path)?;
            files::protect(&[path], arguments.network.weights.as_deref())?;
        }
        for path in &files {
            files::refuse_picture(path)?;
        }
        if let Some(curves) = &outputs.curves {
            ensure!(
                curves.as_os_str() != "-",
                "--curves has to be a file: stdout has the epochs"
            );
            let same = |path: &&Path| *path == curves || is_same_file(path, curves);
            ensure!(!files.iter().any(same), "--curves needs a file of its own");
            ensure!(
                curves
                    .extension()
                    .is_some_and(|end| end.eq_ignore_ascii_case("png")),
                "{}: what is written is a PNG, so its name has to end in .png",
                curves.display()
            );
            for pictures in [
                Some(&arguments.pictures),
                arguments.learning.validation_dir.as_ref(),
            ] {
                pictures.map_or(Ok(()), |pictures| files::refuse_among(pictures, curves))?;
            }
            files::refuse_undrawn(curves)?;
        }
        if let Some(Beside { log, .. }) = &outputs.beside {
            let mut start = Vec::new();
            if let Ok(log) = fs::File::open(log) {
                log.take(LOG_START.len() as u64).read_to_end(&mut start)?;
            }
            ensure!(
                LOG_START.starts_with(&start),
                "{}: the log of the epochs would replace it, and it is no such log",
                log.display()
            );
        }
        Ok(outputs)
    }

    /// The output and what is beside it.
    fn files<'a>(&'a self, output: &'a Path) -> impl Iterator<Item = &'a Path> {
        let beside = self.beside.as_ref().map(Beside::files);
        std::iter::once(output).chain(beside.into_iter().flatten())
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
        let outputs = self.files(&arguments.output);
        let outputs: Vec<&Path> = outputs.chain(self.curves.as_deref()).collect();
        files::protect(&outputs, read)
    }

    /// The state of an earlier run, if there is one to go on with.
    ///
    /// # Errors
    /// There is one, and it is not to be gone on with.
    pub fn earlier(&self, resume: bool) -> Result<Option<State>> {
        let Some(Beside { state, .. }) = &self.beside else {
            return Ok(None);
        };
        match (state.exists(), resume) {
            (true, true) => match State::open(state) {
                Ok(state) => Ok(Some(state)),
                Err(error) => bail!("{error}; without the file --resume begins a new run"),
            },
            (true, false) => bail!(
                "{}: it is the state of a run that was stopped; --resume goes on with it, without \
                 the file a new one begins",
                state.display()
            ),
            (false, _) => Ok(None),
        }
    }

    /// Whether there is an output and no state of a run that would make it.
    pub fn is_finished(&self, output: &Path) -> bool {
        let state = self.beside.as_ref().map(|beside| beside.state.as_path());
        output.exists() && state.is_some_and(|state| !state.exists())
    }

    /// The run is over.
    ///
    /// # Errors
    /// The state can't be removed.
    pub fn remove_state(&self) -> Result<()> {
        let Some(Beside { state, .. }) = &self.beside else {
            return Ok(());
        };
        match fs::remove_file(state) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| state.display().to_string())
            }
            _ => Ok(()),
        }
    }
}

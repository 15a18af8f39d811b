//! How and where the answers of `classify` are written.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::Value;

use super::format::{Format, ROW_FORMATS, RowFormatOptions};
use super::resume::{PredictionRows, RowKind, Rows, only};
use super::{buffered, ending};
use crate::cli::run_record::RunRecord;
use crate::cli::stdout::Stdout;
use crate::cli::terminal::Terminal;
use crate::cli::{Global, files};

/// Arguments of the output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    #[command(flatten)]
    form: RowFormatOptions,

    /// Print the labels alone, a line a picture, with tabs between them; an empty line for one that has none
    #[arg(long)]
    labels_only: bool,

    /// Write the answers to a file instead of stdout (`-`); one in .gz or .zst is packed
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    resume: ResumeOptions,
}

/// Going on where an earlier run stopped.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub struct ResumeOptions {
    /// Continue an earlier run with the same options: pictures that are in the output file already,
    /// answered or failed, are left out (jsonl, csv and tsv)
    #[arg(long, requires = "output")]
    resume: bool,

    /// With --resume, try failed pictures again; their answers replace the failures
    #[arg(long, requires = "resume")]
    retry_failed: bool,
}

impl ResumeOptions {
    /// Whether an earlier run is to be gone on with.
    pub fn is_asked(self) -> bool {
        self.resume
    }

    /// Opens a file for rows, and reads what an earlier run left of it where it is gone on with; `run` is what
    /// the rows depend on.
    ///
    /// # Errors
    /// A file that can't be written to, that another run is writing, or that is not the output of an earlier
    /// run like this one.
    pub fn open<K: RowKind>(
        self,
        kind: K,
        run: &Value,
        path: &Path,
        format: Format,
        global: Global,
    ) -> Result<Rows<K>> {
        ensure!(!self.resume || K::RESUMABLE.contains(&format), only::<K>());
        // First, so that nothing is said of a lock where there can't be a file.
        files::check_new(path)?;
        let record = RunRecord::begin(path, global)?;
        let rows = if self.resume && path.exists() {
            let is_known = record.is_known();
            Rows::resume(kind, path, format, self.retry_failed, is_known, |rows| {
                if rows.is_empty() {
                    Ok(())
                } else {
                    record.compare(run)
                }
            })?
        } else {
            Rows::create(kind, path, format)?
        };
        rows.recorded(record, K::RESUMABLE.contains(&format).then_some(run))
    }
}

impl OutputOptions {
    /// Whether nothing but labels is told.
    pub fn is_labels_only(&self) -> bool {
        self.labels_only
    }

    /// The form of the answers.
    pub fn format(&self) -> Format {
        let form = self.form.format();
        form.or_else(|| Format::of_name(self.output.as_deref()?, ROW_FORMATS))
            .unwrap_or(Format::Text)
    }

    /// Refuses a file whose name says another format.
    ///
    /// # Errors
    /// What it says.
    pub fn validate(&self) -> Result<()> {
        ensure!(
            !self.labels_only || self.format() == Format::Text,
            "--labels-only is for --format text; of the others jq, cut and their like take the labels"
        );
        let form = self.form.format();
        let check = |path| ending::check_rows(path, form, ROW_FORMATS);
        self.file().map_or(Ok(()), check)
    }

    /// Opens the output, and reads what an earlier run left of it where it is gone on with; `run` is what the
    /// rows depend on.
    ///
    /// # Errors
    /// A file that can't be written to, or is not the output of an earlier run like this one.
    pub fn begin<'a>(
        &self,
        rows: PredictionRows<'a>,
        run: impl FnOnce() -> Value,
        global: Global,
    ) -> Result<Rows<PredictionRows<'a>>> {
        let format = self.format();
        match self.file() {
            Some(path) => self.resume.open(rows, &run(), path, format, global),
            None => {
                let out = Box::new(buffered(Stdout::new()));
                let writer = rows.writer(format, out, Terminal::of_stdout())?;
                Rows::new(rows, writer)
            }
        }
    }

    /// The file that the answers go to; `-` is stdout.
    pub fn file(&self) -> Option<&Path> {
        let path = self.output.as_deref();
        path.filter(|path| path.as_os_str() != "-")
    }
}

//! How and where the answers of `classify` are written.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::resume::{Earlier, ThisRun};
use super::retry::Retries;
use super::{Format, RowWriter, buffered, writer};
use crate::cli::files;
use crate::cli::terminal::Terminal;

/// The form of the answers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct FormatOptions {
    /// How to write the answers [default: what the name of --output says, else text]
    #[arg(long, value_name = "FORMAT", group = "form")]
    format: Option<Format>,

    /// Short for --format json
    #[arg(long, group = "form")]
    json: bool,

    /// Short for --format jsonl
    #[arg(long, group = "form")]
    jsonl: bool,
}

impl FormatOptions {
    /// The form that was asked for, if one was.
    pub fn format(&self) -> Option<Format> {
        match self {
            Self { json: true, .. } => Some(Format::Json),
            Self { jsonl: true, .. } => Some(Format::Jsonl),
            Self { format, .. } => *format,
        }
    }
}

/// Arguments of the output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    #[command(flatten)]
    form: FormatOptions,

    /// Write the answers to a file in place of stdout (`-`)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Go on where an earlier run with the same options stopped: pictures that --output has
    /// already, answered or failed, are left out (jsonl, csv and tsv)
    #[arg(long, requires = "output")]
    resume: bool,

    /// With --resume, answer again what failed: in the end the answers are where the failures were
    #[arg(long, requires = "resume")]
    retry_failed: bool,
}

/// Where the answers go.
pub struct Output {
    /// Writes them.
    pub rows: Box<dyn RowWriter>,
    /// What was there before.
    pub earlier: Option<Earlier>,
    /// New rows for failures among it, where they are asked for.
    pub retries: Option<Retries>,
}

impl OutputOptions {
    /// The form of the answers.
    pub fn format(&self) -> Format {
        let form = self.form.format();
        form.or_else(|| Format::of_name(self.output.as_deref()?))
            .unwrap_or(Format::Text)
    }

    /// Opens the output, and reads what an earlier run left of it.
    ///
    /// # Errors
    /// A file that can't be written to, or is not the output of an earlier run like this one.
    pub fn open(&self, run: &ThisRun) -> Result<Output> {
        let format = self.format();
        let Some(path) = self.file() else {
            let rows = writer(format, buffered(io::stdout()), Terminal::of_stdout());
            return Ok(begun(rows)?);
        };
        if self.resume {
            let resumable = matches!(format, Format::Jsonl | Format::Csv | Format::Tsv);
            ensure!(resumable, "only --format jsonl, csv and tsv can be resumed");
            if path.exists() {
                let failed = || format!("{}: can't resume", path.display());
                let retries = self.retry_failed.then(|| Retries::new(path, format));
                let retries = retries.transpose()?;
                let mut output = reopen(path, format, run).with_context(failed)?;
                output.retries = retries;
                return Ok(output);
            }
        }
        let out = buffered(files::create(path)?);
        Ok(begun(writer(format, out, Terminal::none()))?)
    }

    /// The file that the answers go to; `-` is stdout.
    pub fn file(&self) -> Option<&Path> {
        let path = self.output.as_deref();
        path.filter(|path| path.as_os_str() != "-")
    }
}

fn reopen(path: &Path, format: Format, run: &ThisRun) -> Result<Output> {
    ensure!(path.is_file(), "it is not a regular file");
    let earlier = match format {
        Format::Csv => Earlier::of_table(path, b',', run.lines)?,
        Format::Tsv => Earlier::of_table(path, b'\t', run.lines)?,
        _ => Earlier::of_json_lines(path)?,
    };
    earlier.compare(run, format == Format::Jsonl)?;
    let mut out = File::options().read(true).write(true).open(path)?;
    // What the earlier run was in the middle of is done again.
    out.set_len(earlier.kept_bytes)?;
    out.seek(SeekFrom::End(0))?;
    let rows = writer(format, buffered(out), Terminal::none());
    let mut output = match earlier.kept_bytes {
        0 => begun(rows)?,
        _ => Output {
            rows,
            earlier: None,
            retries: None,
        },
    };
    output.earlier = Some(earlier);
    Ok(output)
}

fn begun(mut rows: Box<dyn RowWriter>) -> io::Result<Output> {
    rows.begin()?;
    Ok(Output {
        rows,
        earlier: None,
        retries: None,
    })
}

//! How and where the answers of `classify` are written.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::resume::Earlier;
use super::{Format, RowWriter, writer};
use crate::cli::terminal::Terminal;

/// Arguments of the output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// How to write the answers [default: what the name of --output says, else text]
    #[arg(long, value_name = "FORMAT", group = "form")]
    format: Option<Format>,

    /// Short for --format json
    #[arg(long, group = "form")]
    json: bool,

    /// Short for --format jsonl
    #[arg(long, group = "form")]
    jsonl: bool,

    /// Write the answers to a file in place of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Go on where an earlier run with the same --output stopped: pictures that it has are left
    /// out (jsonl, csv and tsv)
    #[arg(long, requires = "output")]
    resume: bool,
}

/// Where the answers go.
pub struct Output {
    /// Writes them.
    pub rows: Box<dyn RowWriter>,
    /// What was there before.
    pub earlier: Option<Earlier>,
}

impl OutputOptions {
    /// The form of the answers.
    pub fn format(&self) -> Format {
        match self {
            Self { json: true, .. } => Format::Json,
            Self { jsonl: true, .. } => Format::Jsonl,
            Self { format, output, .. } => format
                .or_else(|| Format::of_name(output.as_deref()?))
                .unwrap_or(Format::Text),
        }
    }

    /// Whether the answers go to a file.
    pub fn is_a_file(&self) -> bool {
        self.output.is_some()
    }

    /// Opens the output, and reads what an earlier run left of it.
    ///
    /// # Errors
    /// A file that can't be written to, or is not the output of an earlier run.
    pub fn open(&self) -> Result<Output> {
        let format = self.format();
        let Some(path) = &self.output else {
            let rows = writer(format, BufWriter::new(io::stdout()), Terminal::of_stdout());
            return Ok(begun(rows)?);
        };
        let file = |e| format!("{}: {e}", path.display());
        if self.resume && path.exists() {
            return self
                .reopen(path, format)
                .with_context(|| file("can't resume"));
        }
        let out = File::create(path).with_context(|| file("can't be written"))?;
        let terminal = Terminal::none();
        Ok(begun(writer(format, BufWriter::new(out), terminal))?)
    }

    fn reopen(&self, path: &Path, format: Format) -> Result<Output> {
        let earlier = match format {
            Format::Jsonl => Earlier::of_json_lines(path)?,
            Format::Csv => Earlier::of_table(path, b',')?,
            Format::Tsv => Earlier::of_table(path, b'\t')?,
            Format::Text | Format::Json => {
                bail!("only --format jsonl, csv and tsv can be resumed")
            }
        };
        let mut out = File::options().read(true).write(true).open(path)?;
        // What the earlier run was in the middle of is done again.
        out.set_len(earlier.kept_bytes)?;
        out.seek(SeekFrom::End(0))?;
        let rows = writer(format, BufWriter::new(out), Terminal::none());
        let mut output = match earlier.kept_bytes {
            0 => begun(rows)?,
            _ => Output {
                rows,
                earlier: None,
            },
        };
        output.earlier = Some(earlier);
        Ok(output)
    }
}

fn begun(mut rows: Box<dyn RowWriter>) -> io::Result<Output> {
    rows.begin()?;
    Ok(Output {
        rows,
        earlier: None,
    })
}

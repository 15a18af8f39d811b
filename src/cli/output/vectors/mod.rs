//! The embeddings of `embed`, one file a format.

mod lines;
mod npy;
mod safetensors;
mod table;

#[cfg(feature = "serve")]
pub use lines::EmbeddingObject;
pub(super) use table::header;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use super::ending;
use super::options::ResumeOptions;
use super::packing::Packing;
use super::resume::{EmbeddingRows, Rows, only};
use super::sink::Sink;
use super::{Format, Offered, Row, RowWriter, buffered, formats};
use crate::cli::options::Provenance;
use crate::cli::run_record::RunRecord;
use crate::cli::stdout::Stdout;
use crate::cli::{Global, files};

/// What `embed` offers.
const FORMATS: &[Offered] = &[
    (Format::Jsonl, "A JSON object a line"),
    (Format::Csv, "A line a picture, a column a value"),
    (Format::Npy, "NumPy's: values alone, `[N, D]`"),
    (
        Format::Safetensors,
        "The same with the paths in its metadata; `similar` reads it",
    ),
];

/// Arguments of the output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
#[command(mut_arg("resume", |arg| arg.help(
    "Go on where an earlier run with the same options stopped: pictures that --output has already, \
     answered or failed, are left out (jsonl and csv)"
)))]
pub struct VectorOptions {
    /// Format of the embeddings [default: by the name of --output, else jsonl]
    #[arg(long, value_name = "FORMAT", value_parser = formats(FORMATS))]
    format: Option<Format>,

    /// Write them to a file instead of stdout (`-`); jsonl and csv are packed in .gz and .zst
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Write a JSON row for each picture to a file: its path, and why it failed. For .npy, which has
    /// no room for them; `-` is stdout
    #[arg(long = "paths", value_name = "FILE")]
    paths_file: Option<PathBuf>,

    #[command(flatten)]
    resume: ResumeOptions,
}

/// How embeddings were made, which a file of them tells.
#[derive(Debug)]
pub struct Made {
    /// How many values each has.
    pub width: usize,
    /// Whether each has a length of 1.
    pub normalised: bool,
    pub model: Option<Provenance>,
}

impl VectorOptions {
    /// The form of the embeddings.
    pub fn format(&self) -> Format {
        let of_name = || Format::of_name(self.output.as_deref()?, FORMATS);
        self.format.or_else(of_name).unwrap_or(Format::Jsonl)
    }

    /// Whether the file tells which network they are of.
    pub fn names_the_model(&self) -> bool {
        self.format() == Format::Safetensors
    }

    /// Whether what is written tells why a picture failed.
    pub fn tells_failures(&self) -> bool {
        self.format() != Format::Npy || self.paths_file.is_some()
    }

    /// The files that are written.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let named = [&self.output, &self.paths_file].into_iter().flatten();
        named.filter_map(|path| file(path))
    }

    /// Whether something is written to stdout.
    pub fn is_on_stdout(&self) -> bool {
        self.vectors().is_none()
            || self
                .paths_file
                .as_deref()
                .is_some_and(|path| file(path).is_none())
    }

    /// The file of the embeddings; stdout is none.
    fn vectors(&self) -> Option<&Path> {
        file(self.output.as_deref()?)
    }

    /// Refuses what can't be written together.
    ///
    /// # Errors
    /// What it is.
    pub fn validate(&self) -> Result<()> {
        let format = self.format();
        if let Some(vectors) = self.vectors() {
            ending::check_rows(vectors, self.format, FORMATS)?;
        }
        if let Some(paths) = &self.paths_file {
            ensure!(
                format == Format::Npy,
                "--paths is for --format npy: the other formats have room for the paths"
            );
            ensure!(
                self.vectors().is_some() || file(paths).is_some(),
                "--paths - and the embeddings can't both go to stdout"
            );
            if let Some(vectors) = self.vectors() {
                ensure!(
                    paths != vectors,
                    "{}: --paths and --output are the same file",
                    paths.display()
                );
                files::protect(&[paths], [vectors])?;
            }
            ending::check(
                &Packing::inner_name(paths),
                "a JSON object a line",
                &["jsonl", "ndjson", "json"],
            )?;
        }
        ensure!(
            format.is_text() || self.vectors().is_some() || !io::stdout().is_terminal(),
            "{} is not for a terminal: write it to a file with -o",
            format.name()
        );
        Ok(())
    }

    /// Opens the output for rows whose provenance is not in them but, where the format has room for
    /// it, in the file's metadata: `model`. `run` is what the rows depend on.
    ///
    /// # Errors
    /// A file that can't be written to, or is not the output of an earlier run like this one.
    pub fn begin<'a>(
        &self,
        rows: EmbeddingRows<'a>,
        model: Option<Provenance>,
        run: impl FnOnce() -> Value,
        global: Global,
    ) -> Result<Rows<EmbeddingRows<'a>>> {
        let made = Made {
            width: rows.width,
            normalised: rows.normalised,
            model,
        };
        let format = self.format();
        if let Some(path) = self.vectors() {
            files::check_new(path)?;
        }
        // The others are whole or not at all.
        let record = self.vectors().filter(|_| format == Format::Npy);
        let record = record.map(|path| RunRecord::begin(path, global));
        let record = record.transpose()?;
        let writer: Box<dyn RowWriter<f32>> = match (format, self.vectors()) {
            (Format::Jsonl | Format::Csv, Some(path)) => {
                return self.resume.open(rows, &run(), path, format, global);
            }
            (_, Some(_)) if self.resume.is_asked() => bail!(only::<EmbeddingRows>()),
            (Format::Safetensors, path) => Box::new(safetensors::Safetensors::new(path, made)?),
            (Format::Npy, path) => Box::new(npy::Npy::begin(path, self.paths()?, made.width)?),
            (_, _) => writer(format, Box::new(buffered(Stdout::new())), rows.width)?,
        };
        let rows = Rows::new(rows, writer)?;
        match record {
            Some(record) => rows.recorded(record, None),
            None => Ok(rows),
        }
    }

    /// Where the paths of npy's rows go, if they are asked for.
    fn paths(&self) -> Result<Option<Paths>> {
        let Some(path) = self.paths_file.as_deref() else {
            return Ok(None);
        };
        Ok(Some(match file(path) {
            Some(path) => {
                let sink = Sink::new(files::create(path)?, path, 0);
                Paths {
                    out: Box::new(buffered(sink.clone())),
                    sink: Some(sink),
                }
            }
            None => Paths {
                out: Box::new(buffered(Stdout::new())),
                sink: None,
            },
        }))
    }
}

/// Where the paths of npy's rows go.
struct Paths {
    out: Box<dyn Write>,
    /// The file, if it is one.
    sink: Option<Sink>,
}

/// Writes embeddings of `width` values row by row.
pub(super) fn writer<'a>(
    format: Format,
    out: Box<dyn Write + 'a>,
    width: usize,
) -> Result<Box<dyn RowWriter<f32> + 'a>> {
    Ok(match format {
        Format::Jsonl => Box::new(lines::Lines::new(out)),
        Format::Csv => Box::new(table::Table::new(out, width)),
        _ => bail!("--format {} is not written row by row", format.name()),
    })
}

/// A file by its name; `-` is stdout.
fn file(path: &Path) -> Option<&Path> {
    (path.as_os_str() != "-").then_some(path)
}

/// The bytes of a row as files of numbers have them: f32, little-endian, not a number throughout
/// for a picture that failed.
fn little_endian(row: &Row<f32>, width: usize) -> Vec<u8> {
    match row.answer {
        Ok(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Err(_) => f32::NAN.to_le_bytes().repeat(width),
    }
}

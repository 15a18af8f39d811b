//! The embeddings of `embed`, one file a format.

mod lines;
mod npy;
mod safetensors;
mod table;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use super::{Row, buffered};
use crate::cli::files;
use crate::cli::options::Provenance;

/// `--format` of `embed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VectorFormat {
    /// A JSON object a line
    Jsonl,
    /// A line a picture, a column a value
    Csv,
    /// NumPy's: values alone, `[N, D]`
    Npy,
    /// The same with the paths in its metadata; `similar` reads it
    Safetensors,
}

impl VectorFormat {
    /// What the extension of a file's name says.
    fn of_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_ascii_lowercase().to_str()? {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "npy" => Some(Self::Npy),
            "safetensors" => Some(Self::Safetensors),
            _ => None,
        }
    }

    /// Whether a row is text that a terminal can show.
    fn is_text(self) -> bool {
        matches!(self, Self::Jsonl | Self::Csv)
    }
}

/// Arguments of the output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct VectorOptions {
    /// How to write the embeddings [default: what the name of --output says, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    format: Option<VectorFormat>,

    /// Write them to a file in place of stdout (`-`)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Write a JSON row for each picture to a file, its path and why it failed, for which .npy
    /// has no room; `-` is stdout
    #[arg(long = "paths", value_name = "FILE")]
    paths_file: Option<PathBuf>,
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

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Complete,
    /// It was asked to stop. What was written has to be of use.
    Stopped,
    /// It could not go on.
    Failed,
}

/// Writes embeddings as they come.
pub trait VectorWriter {
    /// Writes a row, which is as long as the others.
    fn row(&mut self, row: &Row<f32>) -> io::Result<()>;
    /// Writes what stands behind the last row.
    fn end(&mut self, end: End) -> Result<()>;
}

impl VectorOptions {
    /// The form of the embeddings.
    pub fn format(&self) -> VectorFormat {
        let of_name = || VectorFormat::of_name(self.output.as_deref()?);
        self.format.or_else(of_name).unwrap_or(VectorFormat::Jsonl)
    }

    /// Whether the file tells which network they are of.
    pub fn names_the_model(&self) -> bool {
        self.format() == VectorFormat::Safetensors
    }

    /// Whether what is written tells why a picture failed.
    pub fn tells_failures(&self) -> bool {
        self.format() != VectorFormat::Npy || self.paths_file.is_some()
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
        if let Some(paths) = &self.paths_file {
            ensure!(
                format == VectorFormat::Npy,
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
        }
        ensure!(
            format.is_text() || self.vectors().is_some() || !io::stdout().is_terminal(),
            "{} is not for a terminal: write it to a file with -o",
            format
                .to_possible_value()
                .map_or("this format".into(), |v| v.get_name().to_owned())
        );
        Ok(())
    }

    /// Opens the output.
    ///
    /// # Errors
    /// A file that can't be written to.
    pub fn open(&self, made: Made) -> Result<Box<dyn VectorWriter>> {
        let out = || -> Result<Box<dyn Write>> {
            Ok(match self.vectors() {
                Some(path) => Box::new(buffered(files::create(path)?)),
                None => Box::new(buffered(io::stdout())),
            })
        };
        Ok(match self.format() {
            VectorFormat::Jsonl => Box::new(lines::Lines::new(out()?)),
            VectorFormat::Csv => Box::new(table::Table::begin(out()?, made.width)?),
            VectorFormat::Safetensors => {
                Box::new(safetensors::Safetensors::new(self.vectors(), made)?)
            }
            VectorFormat::Npy => {
                let paths: Option<Box<dyn Write>> = match self.paths_file.as_deref() {
                    Some(path) => Some(match file(path) {
                        Some(path) => Box::new(buffered(files::create(path)?)),
                        None => Box::new(buffered(io::stdout())),
                    }),
                    None => None,
                };
                let file: Option<File> = self.vectors().map(files::create).transpose()?;
                Box::new(npy::Npy::begin(file, paths, made.width)?)
            }
        })
    }
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

//! The answers of `similar`: pictures by their similarity; `groups` has groups of them.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};

use anyhow::{Result, ensure};
use clap::Args;
use mobilenet::rows::PathKeys;
use serde::Serialize;

use super::format::RowFormatOptions;
use super::row::Records;
use super::{Format, buffered, name_bytes};
use crate::cli::stdout::Stdout;
use crate::cli::terminal::{Terminal, printable_name};

/// Arguments of the output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
#[command(mut_arg("format", |arg| arg.help("Format of the answers [default: text]")))]
pub struct SimilarOptions {
    #[command(flatten)]
    form: RowFormatOptions,

    /// Print only paths, each ended by NUL, for `xargs -0`
    #[arg(short = '0', long)]
    pub null: bool,
}

impl SimilarOptions {
    pub fn format(&self) -> Format {
        self.form.format().unwrap_or(Format::Text)
    }

    /// Refuses what can't be printed together.
    ///
    /// # Errors
    /// What it is.
    pub fn validate(&self) -> Result<()> {
        let text = self.format() == Format::Text;
        ensure!(text || !self.null, "-0 is for --format text");
        Ok(())
    }
}

/// Prints pictures with their similarity, in the order in which they are given.
pub fn write_nearest(options: &SimilarOptions, found: &[(f32, OsString)]) -> io::Result<()> {
    #[derive(Serialize)]
    struct Object<'a> {
        #[serde(flatten)]
        path: PathKeys<'a>,
        similarity: f32,
    }
    let objects = found.iter().map(|(similarity, name)| Object {
        path: PathKeys::of(name),
        similarity: *similarity,
    });
    let table = |delimiter| {
        let mut out = Records::new(buffered(Stdout::new()), delimiter);
        out.record(["path", "rank", "similarity"])?;
        for (rank, (similarity, name)) in found.iter().enumerate() {
            let rank = (rank + 1).to_string();
            let similarity = similarity.to_string();
            out.record([name_bytes(name), rank.as_bytes(), similarity.as_bytes()])?;
        }
        out.flush()
    };
    let text = |paths: &mut Paths| {
        for (similarity, name) in found {
            if !options.null {
                write!(paths.out, "{similarity:.4}  ")?;
            }
            paths.path(name)?;
        }
        Ok(())
    };
    write_as(options, objects, table, text)
}

/// Prints an answer in the form that was asked for: as objects, as a table with this between its
/// fields, or as paths.
pub(super) fn write_as(
    options: &SimilarOptions,
    objects: impl Iterator<Item = impl Serialize>,
    table: impl FnOnce(u8) -> io::Result<()>,
    text: impl FnOnce(&mut Paths) -> io::Result<()>,
) -> io::Result<()> {
    let format = options.format();
    if let Some(delimiter) = format.delimiter() {
        return table(delimiter);
    }
    match format {
        Format::Json => array(objects),
        Format::Jsonl => lines(objects),
        _ => {
            let mut paths = Paths::new(options);
            text(&mut paths)?;
            paths.out.flush()
        }
    }
}

/// Paths as text.
pub(super) struct Paths {
    pub out: io::BufWriter<Stdout>,
    /// Only a person reads a terminal.
    readable: bool,
    end: &'static [u8],
}

impl Paths {
    pub fn new(options: &SimilarOptions) -> Self {
        Self {
            out: buffered(Stdout::new()),
            readable: Terminal::of_stdout().width.is_some() && !options.null,
            end: if options.null { b"\0" } else { b"\n" },
        }
    }

    pub fn path(&mut self, name: &OsStr) -> io::Result<()> {
        if self.readable {
            self.out.write_all(printable_name(name).as_bytes())?;
        } else {
            self.out.write_all(name_bytes(name))?;
        }
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.write_all(self.end)
    }
}

/// One JSON array, an object a line.
fn array(objects: impl Iterator<Item = impl Serialize>) -> io::Result<()> {
    let mut out = buffered(Stdout::new());
    write!(out, "[")?;
    let mut empty = true;
    for object in objects {
        out.write_all(if empty { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut out, &object)?;
        empty = false;
    }
    out.write_all(if empty { b"]\n" } else { b"\n]\n" })?;
    out.flush()
}

/// A JSON object a line.
fn lines(objects: impl Iterator<Item = impl Serialize>) -> io::Result<()> {
    let mut out = buffered(Stdout::new());
    for object in objects {
        serde_json::to_writer(&mut out, &object)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

//! The answers of `similar`: pictures by their similarity, and groups of them.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};

use anyhow::{Result, ensure};
use clap::Args;
use mobilenet::similarity::Group;
use serde::Serialize;

use super::format::RowFormatOptions;
use super::row::Records;
use super::{Format, PathKeys, buffered, name_bytes};
use crate::cli::terminal::{Terminal, printable_name};

/// Arguments of the output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
#[command(mut_arg("format", |arg| arg.help("Format of the answers [default: text]")))]
pub struct SimilarOptions {
    #[command(flatten)]
    form: RowFormatOptions,

    /// Print only paths, each ended by NUL, for `xargs -0`; another NUL separates groups
    #[arg(short = '0', long)]
    null: bool,
}

impl SimilarOptions {
    fn format(&self) -> Format {
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
        let mut out = Records::new(buffered(io::stdout()), delimiter);
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

/// Prints groups of pictures, whose names have the numbers that the groups mean.
pub fn write_groups(
    options: &SimilarOptions,
    groups: &[Group],
    names: &[OsString],
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Object<'a> {
        pictures: Vec<PathKeys<'a>>,
        lowest: f32,
        highest: f32,
    }
    let objects = groups.iter().map(|group| Object {
        pictures: group
            .members
            .iter()
            .map(|&i| PathKeys::of(&names[i]))
            .collect(),
        lowest: group.lowest,
        highest: group.highest,
    });
    let table = |delimiter| {
        let mut out = Records::new(buffered(io::stdout()), delimiter);
        out.record(["path", "group", "lowest", "highest"])?;
        for (number, group) in groups.iter().enumerate() {
            let number = (number + 1).to_string();
            let (lowest, highest) = (group.lowest.to_string(), group.highest.to_string());
            let rest = [&number, &lowest, &highest].map(|text| text.as_bytes());
            for &i in &group.members {
                let path = [name_bytes(&names[i])];
                out.record(path.into_iter().chain(rest))?;
            }
        }
        out.flush()
    };
    let text = |paths: &mut Paths| {
        for (number, group) in groups.iter().enumerate() {
            if number > 0 {
                paths.end()?;
            }
            for &i in &group.members {
                paths.path(&names[i])?;
            }
        }
        Ok(())
    };
    write_as(options, objects, table, text)
}

/// Prints an answer in the form that was asked for: as objects, as a table with this between its
/// fields, or as paths.
fn write_as(
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
struct Paths {
    out: io::BufWriter<io::Stdout>,
    /// Only a person reads a terminal.
    readable: bool,
    end: &'static [u8],
}

impl Paths {
    fn new(options: &SimilarOptions) -> Self {
        Self {
            out: buffered(io::stdout()),
            readable: Terminal::of_stdout().width.is_some() && !options.null,
            end: if options.null { b"\0" } else { b"\n" },
        }
    }

    fn path(&mut self, name: &OsStr) -> io::Result<()> {
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
    let mut out = buffered(io::stdout());
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
    let mut out = buffered(io::stdout());
    for object in objects {
        serde_json::to_writer(&mut out, &object)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

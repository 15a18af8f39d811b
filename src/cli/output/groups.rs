//! Groups of pictures that look alike, for people and for programs.

use std::ffi::OsString;
use std::io::{self, Write};

use mobilenet::rows::PathKeys;
use serde::Serialize;

use super::row::Records;
use super::similar::{Paths, SimilarOptions, write_as};
use super::{buffered, name_bytes};
use crate::cli::near_duplicates::{FoundGroup, Member};
use crate::cli::stdout::Stdout;

#[derive(Serialize)]
struct GroupObject<'a> {
    pictures: Vec<PictureObject<'a>>,
    lowest: f32,
    highest: f32,
    chain: bool,
}

/// Null is what can't be told, because the file can't be read.
#[derive(Serialize)]
struct PictureObject<'a> {
    #[serde(flatten)]
    path: PathKeys<'a>,
    width: Option<u32>,
    height: Option<u32>,
    bytes: Option<u64>,
    keep: Option<bool>,
}

impl<'a> PictureObject<'a> {
    fn of(member: &Member, names: &'a [OsString]) -> Self {
        let facts = member.facts;
        Self {
            path: PathKeys::of(&names[member.number]),
            width: facts.map(|facts| facts.width),
            height: facts.map(|facts| facts.height),
            bytes: facts.map(|facts| facts.bytes),
            keep: member.kept,
        }
    }

    /// The fields of a table.
    fn fields(&self) -> [String; 4] {
        let number = |n: Option<u64>| n.map_or_else(String::new, |n| n.to_string());
        [
            number(self.width.map(u64::from)),
            number(self.height.map(u64::from)),
            number(self.bytes),
            self.keep.map_or_else(String::new, |keep| keep.to_string()),
        ]
    }
}

/// Prints groups of pictures, whose names have the numbers that the groups mean.
pub fn write_groups(
    options: &SimilarOptions,
    groups: &[FoundGroup],
    names: &[OsString],
) -> io::Result<()> {
    let pictures = |group: &FoundGroup| -> Vec<PictureObject> {
        let members = group.members.iter();
        members.map(|it| PictureObject::of(it, names)).collect()
    };
    let objects = groups.iter().map(|group| GroupObject {
        pictures: pictures(group),
        lowest: group.lowest,
        highest: group.highest,
        chain: group.is_chain,
    });
    let table = |delimiter| {
        let mut out = Records::new(buffered(Stdout::new()), delimiter);
        let header = [
            "path", "group", "lowest", "highest", "width", "height", "bytes", "keep",
        ];
        out.record(header)?;
        for (number, group) in groups.iter().enumerate() {
            let number = (number + 1).to_string();
            let of_group = [number, group.lowest.to_string(), group.highest.to_string()];
            for member in &group.members {
                let picture = PictureObject::of(member, names).fields();
                let rest = of_group
                    .iter()
                    .chain(&picture)
                    .map(|field| field.as_bytes());
                let path = [name_bytes(&names[member.number])];
                out.record(path.into_iter().chain(rest))?;
            }
        }
        out.flush()
    };
    write_as(options, objects, table, |paths| {
        for (number, group) in groups.iter().enumerate() {
            if !options.null {
                let gap = if number > 0 { "\n" } else { "" };
                writeln!(paths.out, "{gap}{}", heading(group))?;
            }
            let figures = figures(&pictures(group));
            for (member, figures) in group.members.iter().zip(figures) {
                if !options.null {
                    write!(paths.out, "  {figures}  ")?;
                }
                paths.path(&names[member.number])?;
            }
        }
        Ok(())
    })
}

/// Prints the paths of those that are not kept.
pub fn write_extras(
    options: &SimilarOptions,
    groups: &[FoundGroup],
    names: &[OsString],
) -> io::Result<()> {
    let members = groups.iter().flat_map(|group| &group.members);
    let extras = members.filter(|member| member.is_extra());
    let mut paths = Paths::new(options);
    for extra in extras {
        paths.path(&names[extra.number])?;
    }
    paths.out.flush()
}

fn heading(group: &FoundGroup) -> String {
    let FoundGroup {
        members,
        lowest,
        highest,
        is_chain,
    } = group;
    let count = members.len();
    if *is_chain {
        format!(
            "{count} pictures in a chain, alike from {lowest:.4} (linked by others) to {highest:.4}"
        )
    } else {
        format!("{count} pictures, alike from {lowest:.4} to {highest:.4}")
    }
}

/// What is told before each path, in columns.
fn figures(pictures: &[PictureObject]) -> Vec<String> {
    let cells = pictures.iter().map(|picture| {
        let kept = match picture.keep {
            Some(true) => "keep",
            Some(false) => "extra",
            None => "unread",
        };
        let size = match (picture.width, picture.height) {
            (Some(width), Some(height)) => format!("{width}x{height}"),
            _ => "-".into(),
        };
        let bytes = picture.bytes.map_or("-".into(), |n| format!("{n} bytes"));
        (kept, size, bytes)
    });
    let cells: Vec<(&str, String, String)> = cells.collect();
    let sizes = cells.iter().map(|(_, size, _)| size.len()).max();
    let bytes = cells.iter().map(|(_, _, bytes)| bytes.len()).max();
    let (sizes, lengths) = (sizes.unwrap_or(0), bytes.unwrap_or(0));
    let line = |(kept, size, bytes): &(&str, String, String)| {
        format!("{kept:<6}  {size:>sizes$}  {bytes:>lengths$}")
    };
    cells.iter().map(line).collect()
}

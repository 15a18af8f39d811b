//! `mobilenet explain`

mod answer;
mod json;
mod terminal;

use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use mobilenet::error::ImageError;

use super::advice::picture_error;
use super::options::{LabelOptions, NetworkOptions, named};
use super::session::tell_previews;
use super::stdout::Stdout;
use super::terminal::{Terminal, printable_name};
use super::{Global, Outcome, files, note};
pub use answer::{Answer, Explaining, Wanted};
pub use json::Object;

/// Show where in a picture a class is seen: the class activation map, exactly
///
/// The mean of the map and the class's bias are its logit. Of a network with hidden layers it is the map of
/// the class's gradient at the picture (Grad-CAM). Without --output and --json the map is
/// drawn in the terminal.
#[derive(Debug, Args)]
pub struct Arguments {
    /// One picture; `-` reads it from stdin
    #[arg(value_name = "IMAGE")]
    image: OsString,

    /// Show the N most probable classes
    #[arg(short = 'k', long, default_value = "1", value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    top_k: u16,

    /// Show this class instead of the most probable one: its name, a synonym, WordNet id or index; may
    /// be repeated
    #[arg(
        // `--classes` has the field's own name.
        id = "class",
        long = "class",
        value_name = "LABEL",
        conflicts_with = "top_k",
        allow_negative_numbers = true
    )]
    classes: Vec<String>,

    /// Draw the maps over the picture into a PNG file; `-` is stdout. An existing file is replaced only
    /// if it is a PNG that this program drew
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,

    /// Limit the longer side of each picture in the PNG, in pixels [default: 1280; 800 for 2 to 4
    /// classes, 560 for more]
    #[arg(long, value_name = "PIXELS", help_heading = "Output",
          value_parser = clap::value_parser!(u16).range(16..=8192))]
    max_side: Option<u16>,

    /// Write the maps as numbers, with the part of the picture that they cover
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    labels: LabelOptions,

    #[command(flatten)]
    network: NetworkOptions,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    if let Some(path) = &arguments.output {
        arguments.check_output(path)?;
    }
    let network = arguments
        .network
        .open(arguments.file().as_slice(), global)?;
    let explaining = Explaining::new(&network, network.classifier(&arguments.labels)?)?;
    let wanted = match arguments.classes.as_slice() {
        [] => Wanted::Top(arguments.top_k.into()),
        names => Wanted::Outputs(explaining.outputs(names, "--class ")?),
    };
    let input = named(&arguments.image);
    let answer = match explaining.answer(&input, &wanted)? {
        Ok(answer) => answer,
        Err(error) => {
            let name = printable_name(&input.name);
            if !(arguments.json && global.quiet) {
                note(&format!("{name}: {}", picture_error(&error)));
            }
            if arguments.json {
                write_json(&input.name, Err(&error))?;
            }
            return Ok(Outcome::Incomplete);
        }
    };
    if answer.preview && !global.quiet {
        tell_previews(1);
    }
    if let Some(path) = &arguments.output {
        let drawn = answer.draw(arguments.max_side.map(usize::from))?;
        if path.as_os_str() == "-" {
            Stdout::new().write_all(&drawn)?;
        } else {
            files::write(path, &drawn)?;
        }
    }
    match (arguments.json, &arguments.output) {
        (true, _) => write_json(&input.name, Ok(&answer))?,
        (false, None) => terminal::write(&input.name, &answer, Terminal::of_stdout())?,
        (false, Some(_)) => {}
    }
    Ok(Outcome::Complete)
}

impl Arguments {
    /// Refuses an output that is no place for a PNG, before anything is done.
    fn check_output(&self, path: &Path) -> Result<()> {
        if path.as_os_str() == "-" {
            ensure!(
                !self.json,
                "--json and --output - both write to stdout: name a file"
            );
            ensure!(
                !io::stdout().is_terminal(),
                "a PNG is not for a terminal: name a file, or leave out --output to see the map here"
            );
            return Ok(());
        }
        let named = path.display();
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        let other = [
            "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "ppm", "json",
        ];
        ensure!(
            !other.iter().any(|name| extension == *name),
            "{named}: what is written is a PNG, so its name should end in .png"
        );
        files::check(path)?;
        let image = Path::new(&self.image);
        files::protect(&[path], self.labels.file().into_iter().chain([image]))?;
        files::refuse_undrawn(path)
    }

    /// The file that is written; stdout is none.
    fn file(&self) -> Option<&Path> {
        self.output
            .as_deref()
            .filter(|path| path.as_os_str() != "-")
    }
}

/// Writes the maps of a picture as numbers, or why there are none, on a line.
fn write_json(name: &OsStr, answer: Result<&Answer, &ImageError>) -> io::Result<()> {
    let mut out = BufWriter::new(Stdout::new());
    serde_json::to_writer(&mut out, &Object::of(name, answer))?;
    out.write_all(b"\n")?;
    out.flush()
}

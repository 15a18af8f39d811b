//! `mobilenet explain`

mod answer;
mod drawings;
mod json;
mod terminal;

use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use mobilenet::dataset;
use mobilenet::error::ImageError;

use self::drawings::Drawings;

use super::advice::picture_error;
use super::options::{LabelOptions, NetworkOptions, STDIN, named};
use super::session::tell_previews;
use super::stdout::Stdout;
use super::terminal::{Terminal, printable_name};
use super::{Global, Outcome, note};
pub use answer::{Answer, Explaining, Wanted};
pub use json::Object;

/// Show where in a picture a class is seen: the class activation map, exactly
///
/// The mean of the map and the class's bias are its logit. Of a network with hidden layers it is the map of
/// the class's gradient at the picture (Grad-CAM). Without --output and --json the map is
/// drawn in the terminal.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Pictures, and folders of them; `-` reads one from stdin
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<OsString>,

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

    /// Draw the maps over the picture into a PNG file; `-` is stdout. Of several pictures it is a folder, with a PNG
    /// for each. An existing file is replaced only if it is a PNG that this program drew
    #[arg(short, long, value_name = "FILE|FOLDER", help_heading = "Output")]
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
    let images = arguments.images();
    let drawings = Drawings::new(arguments.output.as_deref(), &images)?;
    drawings.check(arguments)?;
    let outputs: Vec<&Path> = drawings.files().collect();
    let network = arguments.network.open(&outputs, global)?;
    let explaining = Explaining::new(&network, network.classifier(&arguments.labels)?)?;
    let wanted = match arguments.classes.as_slice() {
        [] => Wanted::Top(arguments.top_k.into()),
        names => Wanted::Outputs(explaining.outputs(names, "--class ")?),
    };
    let (mut outcome, mut previews) = (Outcome::Complete, 0);
    for (number, image) in images.iter().enumerate() {
        let input = named(image);
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
                outcome = Outcome::Incomplete;
                continue;
            }
        };
        previews += u64::from(answer.preview);
        drawings.write(number, || answer.draw(arguments.max_side.map(usize::from)))?;
        match (arguments.json, &arguments.output) {
            (true, _) => write_json(&input.name, Ok(&answer))?,
            (false, None) => terminal::write(&input.name, &answer, Terminal::of_stdout())?,
            (false, Some(_)) => {}
        }
    }
    if previews > 0 && !global.quiet {
        tell_previews(previews);
    }
    if images.is_empty() && !global.quiet {
        note("no pictures found");
    }
    Ok(outcome)
}

impl Arguments {
    /// The pictures that are named, and those of folders.
    fn images(&self) -> Vec<OsString> {
        let images = self.images.iter().flat_map(|image| -> Vec<OsString> {
            let path = Path::new(image);
            if image != STDIN && path.is_dir() {
                dataset::path(path).map(|input| input.name).collect()
            } else {
                vec![image.clone()]
            }
        });
        images.collect()
    }
}

/// Writes the maps of a picture as numbers, or why there are none, on a line.
fn write_json(name: &OsStr, answer: Result<&Answer, &ImageError>) -> io::Result<()> {
    let mut out = BufWriter::new(Stdout::new());
    serde_json::to_writer(&mut out, &Object::of(name, answer))?;
    out.write_all(b"\n")?;
    out.flush()
}

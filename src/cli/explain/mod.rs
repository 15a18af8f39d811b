//! `mobilenet explain`

mod json;
mod terminal;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::Args;
use mobilenet::dataset::Input;
use mobilenet::error::ImageError;
use mobilenet::explain::{ClassMap, Explainer};
use mobilenet::figures::{ClassPanel, class_maps};
use mobilenet::labels::Class;
use mobilenet::pixels::{Region, RgbImage, decode};
use mobilenet::{Classifier, UNKNOWN, top_outputs_in_order};

use super::advice::picture_error;
use super::options::{LabelOptions, NetworkOptions, OpenedNetwork, named};
use super::output::png;
use super::session::{pipeline_error, tell_previews};
use super::terminal::{Terminal, printable_name};
use super::{Global, Outcome, files, note};

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

/// The answer to a picture.
struct Answer {
    /// Upright and whole.
    picture: RgbImage,
    /// The part of it that the network sees.
    region: Region,
    /// Each class that was asked for, with its map.
    classes: Vec<(Class, ClassMap)>,
    /// The highest score, where it is too low for the picture to be of any class.
    rejected: Option<f32>,
    /// Whether it is the preview in a raw photograph.
    preview: bool,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    if let Some(path) = &arguments.output {
        arguments.check_output(path)?;
    }
    let network = arguments
        .network
        .open(arguments.file().as_slice(), global)?;
    let classifier = network.classifier(&arguments.labels)?;
    let outputs = arguments.outputs(&classifier)?;
    let input = named(&arguments.image);
    let top_k = usize::from(arguments.top_k);
    let answer = match answer(&input, &network, &classifier, &outputs, top_k)? {
        Ok(answer) => answer,
        Err(error) => {
            let name = printable_name(&input.name);
            if !(arguments.json && global.quiet) {
                note(&format!("{name}: {}", picture_error(&error)));
            }
            if arguments.json {
                json::write(&input.name, Err(&error))?;
            }
            return Ok(Outcome::Incomplete);
        }
    };
    if answer.preview && !global.quiet {
        tell_previews(1);
    }
    if let Some(path) = &arguments.output {
        let drawn = arguments.draw(&answer)?;
        if path.as_os_str() == "-" {
            io::stdout().write_all(&drawn)?;
        } else {
            files::write(path, &drawn)?;
        }
    }
    match (arguments.json, &arguments.output) {
        (true, _) => json::write(&input.name, Ok(&answer))?,
        (false, None) => terminal::write(&input.name, &answer, Terminal::of_stdout())?,
        (false, Some(_)) => {}
    }
    Ok(Outcome::Complete)
}

impl Arguments {
    /// The outputs of the classes that are asked for, each once; none for the most probable ones.
    fn outputs(&self, classifier: &Classifier) -> Result<Vec<usize>> {
        let lookup = classifier.labels().lookup();
        let mut outputs = Vec::new();
        for name in &self.classes {
            let output = lookup
                .find(name)
                .with_context(|| format!("--class {name:?}"))?;
            if !outputs.contains(&output) {
                outputs.push(output);
            }
        }
        Ok(outputs)
    }

    /// The picture with its maps as a PNG.
    fn draw(&self, answer: &Answer) -> Result<Vec<u8>> {
        let usual = match answer.classes.len() {
            0..=1 => 1280,
            2..=4 => 800,
            _ => 560,
        };
        let classes = answer.classes.iter();
        let panels: Vec<ClassPanel> = classes
            .map(|(class, map)| ClassPanel {
                title: class.label.clone(),
                note: format!("score {:.4}, logit {:.2}", map.score, map.logit),
                map,
            })
            .collect();
        let side = self.max_side.map_or(usual, usize::from);
        let remark = answer.remark();
        let (picture, region) = (&answer.picture, answer.region);
        let drawn = class_maps(picture, region, &panels, side, remark.as_deref());
        Ok(png(&drawn)?)
    }

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

impl Answer {
    /// What is to be said of a picture of none of the classes.
    fn remark(&self) -> Option<String> {
        let score = self.rejected?;
        Some(format!(
            "{UNKNOWN}: no class is likely enough (highest score {score:.4})"
        ))
    }
}

/// Runs the network on a picture and makes the maps.
fn answer(
    input: &Input,
    network: &OpenedNetwork,
    classifier: &Classifier,
    outputs: &[usize],
    top_k: usize,
) -> Result<Result<Answer, ImageError>> {
    // As `classify` sees it, and as it is.
    let pipeline = network.pipeline(Arc::new(classifier.clone()));
    let look = match pipeline.look(input).map_err(pipeline_error)? {
        Ok(look) => look,
        Err(error) => return Ok(Err(error)),
    };
    let full = network.decode.clone().with_reduced(false);
    let picture = match input.decode(&full, |bytes| decode(bytes, &full)) {
        Ok(picture) => picture,
        Err(error) => return Ok(Err(error)),
    };
    let explainer = Explainer::new(&network.checkpoint, classifier.network())?;
    let explanation = explainer.explain(&look.pixels)?;
    let scores = explanation.scores();
    let rejected = classifier.rejects(scores, None);
    let outputs = match outputs {
        [] => top_outputs_in_order(scores, explanation.order(), top_k, 0.0),
        asked => asked.to_vec(),
    };
    let classes = classifier.labels().classes();
    let class = |output: usize| Some((classes.get(output)?.clone(), explanation.map(output)?));
    let size = (picture.width() as usize, picture.height() as usize);
    Ok(Ok(Answer {
        region: classifier.preprocessing().region(size),
        classes: outputs.into_iter().filter_map(class).collect(),
        rejected: rejected.then(|| scores.iter().copied().fold(0.0, f32::max)),
        picture,
        preview: look.preview,
    }))
}

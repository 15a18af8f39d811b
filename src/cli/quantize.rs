//! `mobilenet quantize`

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use image::{Rgb32FImage, RgbImage};
use mobilenet::dataset::{Input, Inputs};
use mobilenet::pipeline::{Model, Pipeline, Reply};
use mobilenet::pixels::{Pixels, Preprocessing};
use mobilenet::quantise::{pictures_wanted, quantise};
use mobilenet::weights::{Checkpoint, SaveOptions};

use super::interrupt::Interrupt;
use super::options::{
    FolderOptions, OptionalSources, UnstatedOptions, ViewOptions, default_threads,
};
use super::progress::Waiting;
use super::session::{Session, Tally};
use super::{Global, Outcome, files, note, saved_checkpoint};

/// Write a checkpoint in eight bits: a quarter of the size, and computed in integers on the CPU
///
/// Without pictures each weight is rounded for itself, and the answers are nearly those of `--dtype int8`. A few
/// dozen pictures of the kind that it is to see, without labels, make them better: of Google's network of
/// alpha 0.25, 95 in 100 pictures keep their first label in place of 90, of alpha 0.5 98 in place of 96.
#[derive(Debug, Args)]
#[command(
    override_usage = "mobilenet quantize [OPTIONS] --output <OUT> <CHECKPOINT> [PICTURES]..."
)]
pub struct Arguments {
    /// A checkpoint in any form that `--weights` takes
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: PathBuf,

    #[command(flatten)]
    pictures: OptionalSources,

    #[command(flatten)]
    folders: FolderOptions,

    /// The safetensors file to write; `-` is stdout. A folder, or a name that ends with `/`, becomes a
    /// repository for the Hugging Face Hub
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,

    /// Side of the input, if the checkpoint does not state it [default: 224]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,

    #[command(flatten)]
    unstated: UnstatedOptions,

    /// Number of threads [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    #[command(flatten)]
    view: ViewOptions,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    // First, because it is quick to fail.
    let output = arguments.output.as_path();
    saved_checkpoint::check(output)?;
    let sources = &arguments.pictures.0;
    files::protect(&[output], sources.files())?;
    let max_bytes = arguments.view.decode().max_bytes;
    let inputs = sources
        .clone()
        .into_inputs(arguments.folders.selection(), false, max_bytes)?;
    let loading = arguments.unstated.loading(arguments.size)?;
    let checkpoint = Checkpoint::open(&arguments.checkpoint, &loading)?;
    files::protect(&[output], [checkpoint.path()])?;
    let recipe = arguments.view.preprocessing(checkpoint.preprocessing());
    let checkpoint = checkpoint.with_preprocessing(recipe)?;
    let threads = arguments.threads.map_or_else(default_threads, usize::from);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    let mut found = Found::default();
    if !sources.is_empty() {
        found = arguments.pixels(&checkpoint, inputs, threads, global)?;
        if found.tally.interrupted {
            return Ok(Outcome::Interrupted);
        }
        if found.pictures.is_empty() {
            bail!(
                "no picture could be read, and nothing was written; without pictures none are needed"
            );
        }
    }
    let interrupt = Interrupt::watch();
    let waiting = Waiting::new(global, "fitting");
    let quantised = quantise(&checkpoint, &found.pictures)?;
    drop(waiting);
    if interrupt.happened() {
        return Ok(Outcome::Interrupted);
    }
    saved_checkpoint::write(&quantised, output, &SaveOptions::default())?;
    if !global.quiet {
        arguments.view.assumed(&checkpoint).tell();
        let used = found.pictures.len();
        if found.named > used {
            note(&format!("fitted to {used} of {} pictures", found.named));
        }
    }
    if global.verbose {
        let pictures = found.pictures.len();
        note(&format!(
            "{}: eight bits, fitted to {pictures} pictures",
            output.display()
        ));
    }
    Ok(found.tally.outcome())
}

/// The pictures that there are to fit to.
#[derive(Default)]
struct Found {
    pictures: Vec<Pixels>,
    /// How many were named.
    named: usize,
    tally: Tally,
}

impl Arguments {
    /// Pictures as the network sees them: of many, some from everywhere among them.
    fn pixels(
        &self,
        checkpoint: &Checkpoint,
        inputs: Inputs,
        threads: usize,
        global: Global,
    ) -> Result<Found> {
        let inputs: Vec<Input> = inputs.collect();
        let named = inputs.len();
        let recipe = checkpoint.preprocessing().clone();
        let (size, wanted) = (
            recipe.size,
            pictures_wanted(checkpoint.config(), recipe.size),
        );
        let chosen = inputs.into_iter().enumerate();
        let chosen = chosen.filter(move |(i, _)| is_chosen(*i, named, wanted));
        let chosen = Box::new(chosen.map(|(_, input)| input));
        let gives_bytes = recipe.gives_bytes();
        let model = Arc::new(Shown { recipe });
        let pipeline = Pipeline::new(model)
            .decode_options(self.view.decode())
            .threads(threads);
        let mut pictures = Vec::new();
        let session = Session::new(chosen, false, pipeline, global).with_answers_elsewhere();
        let tally = session.run(|answer| {
            if let Ok(values) = &answer.values {
                let side = size as u32;
                let picture = if gives_bytes {
                    let bytes = values.iter().map(|value| *value as u8).collect();
                    RgbImage::from_raw(side, side, bytes).map(Pixels::Bytes)
                } else {
                    Rgb32FImage::from_raw(side, side, values.clone()).map(Pixels::Floats)
                };
                pictures.push(picture.context("a picture of another size than the network's")?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Found {
            pictures,
            named,
            tally,
        })
    }
}

/// Whether one of `named` is among `wanted` that are evenly spread over them.
fn is_chosen(i: usize, named: usize, wanted: usize) -> bool {
    let before = |i: usize| i * wanted / named;
    named <= wanted || before(i) != before(i + 1)
}

/// What gives back the pixels that a network sees.
#[derive(Clone)]
struct Shown {
    recipe: Preprocessing,
}

impl Model for Shown {
    fn preprocessing(&self) -> &Preprocessing {
        &self.recipe
    }

    fn is_on_cpu(&self) -> bool {
        true
    }

    fn answer(&self, inputs: &[Pixels]) -> mobilenet::Result<Vec<Reply>> {
        Ok(inputs
            .iter()
            .map(|pixels| Reply::sure(pixels.to_floats()))
            .collect())
    }

    fn on_threads(&self, _threads: usize) -> Arc<dyn Model> {
        Arc::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::is_chosen;

    #[test]
    fn as_many_as_are_wanted_are_chosen_from_everywhere() {
        for (named, wanted) in [(1, 64), (64, 64), (65, 64), (1000, 64), (129, 128), (7, 3)] {
            let chosen: Vec<usize> = (0..named)
                .filter(|&i| is_chosen(i, named, wanted))
                .collect();
            assert_eq!(chosen.len(), named.min(wanted), "{named} {wanted}");
            let widest = chosen.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(widest.is_none_or(|gap| gap <= named.div_ceil(wanted)));
        }
    }
}

//! `mobilenet classify`

use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use clap::Args;
use crossbeam_channel::unbounded;
use mobilenet::Prediction;
use mobilenet::labels::wordnet::Rollup;

use super::options::{LabelOptions, PictureOptions, parse_probability};
use super::output::{Format, OutputOptions, Row, Seen, ThisRun};
use super::session::{Left, Session};
use super::{Global, Outcome, files};

/// Tell what pictures show: the most probable labels of each
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many labels for each picture
    #[arg(short = 'k', long, default_value = "5", value_name = "N")]
    top_k: usize,

    /// Leave out labels with a score under P; where that is all of them, a checkpoint that rejects
    /// pictures says `unknown` [default: 0, or when the checkpoint rejects]
    #[arg(long, value_name = "P", value_parser = parse_probability)]
    threshold: Option<f32>,

    /// Answer with the most specific WordNet group that has a score of at least P [default P:
    /// 0.5]
    #[arg(long, value_name = "P", num_args = 0..=1, require_equals = true, default_missing_value = "0.5",
          value_parser = parse_probability, conflicts_with_all = ["top_k", "threshold"])]
    rollup: Option<f32>,

    /// Say in each JSON row what answered: the weights and their SHA-256, recipe, device, version
    #[arg(long, help_heading = "Output")]
    provenance: bool,

    #[command(flatten)]
    output: OutputOptions,

    #[command(flatten)]
    labels: LabelOptions,

    #[command(flatten)]
    pictures: PictureOptions,
}

impl Arguments {
    /// How many lines of a table a picture has, unless a threshold leaves some out.
    fn lines_of_a_picture(&self) -> usize {
        match self.rollup {
            Some(_) => 1,
            None => self.top_k,
        }
    }
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    if arguments.provenance && !matches!(arguments.output.format(), Format::Json | Format::Jsonl) {
        bail!("--provenance is for --json and --jsonl: other formats have no room for it");
    }
    let pictures = &arguments.pictures;
    // First, because it is quick to fail.
    let inputs = pictures.inputs()?;
    let file = arguments.output.file();
    files::protect(file.as_slice(), arguments.labels.file())?;
    let network = pictures.open(file.as_slice(), global)?;
    let classifier = Arc::new(network.classifier(&arguments.labels)?);
    let provenance = arguments.provenance.then(|| network.provenance());
    let pipeline = network.pipeline(classifier.clone());
    let mut session = Session::new(inputs, pictures.sources.is_single(), pipeline, global);
    // A structured row carries its error; text has only stderr for it.
    if arguments.output.format() != Format::Text {
        session = session.with_failures_in_output();
    }
    if file.is_some() {
        session = session.with_answers_elsewhere();
    }
    let rollup = arguments.rollup.map(|_| Rollup::new(classifier.labels()));
    if rollup.as_ref().is_some_and(Rollup::is_empty) {
        bail!("--rollup needs ImageNet's classes, and the network has others");
    }
    let mut output = arguments.output.open(&ThisRun {
        lines: arguments.lines_of_a_picture(),
        classes: rollup.is_none().then(|| classifier.labels().classes()),
        model: provenance.as_ref(),
    })?;
    let left = Left::default();
    // Where each picture's row goes that is answered, in their order.
    let mut places = None;
    let mut unsure = None;
    if let Some(mut earlier) = output.earlier.take() {
        let retries = output.retries.is_some();
        left.failed.set(earlier.failed);
        session = session.after(Left {
            answered: earlier.len() - earlier.failed,
            advice: match retries {
                true => "",
                false => " (--retry-failed answers them again)",
            },
            ..left.clone()
        });
        let place;
        (place, places) = retries.then(unbounded).unzip();
        unsure = earlier
            .unsure
            .take()
            .map(|unsure| (unsure, Arc::<AtomicBool>::default()));
        let redone = unsure
            .as_ref()
            .map(|(unsure, seen)| (unsure.name.clone(), seen.clone()));
        session = session.filter(move |input| {
            let name = input.name.as_encoded_bytes();
            if let Some((_, seen)) = redone.as_ref().filter(|(redone, _)| redone == name) {
                seen.store(true, Ordering::Relaxed);
            }
            match (earlier.take(name), &place) {
                (Seen::Answered, _) | (Seen::Failed(_), None) => false,
                (Seen::Failed(at), Some(place)) => place.send(Some(at)).is_ok(),
                (Seen::Never, Some(place)) => place.send(None).is_ok(),
                (Seen::Never, None) => true,
            }
        });
    }
    let tally = session.run(|answer| {
        let predict = |scores: &Vec<f32>| match (&rollup, arguments.rollup) {
            (Some(rollup), Some(least)) => group(rollup, scores, least),
            _ => classifier.top(scores, arguments.top_k, arguments.threshold),
        };
        let predictions: Result<Vec<Prediction>, _> = answer.values.as_ref().map(predict);
        let row = Row {
            name: &answer.name,
            answer: predictions.as_deref().map_err(|error| *error),
            provenance: provenance.as_ref(),
        };
        let place = places.as_ref().and_then(|places| places.recv().ok());
        match (place.flatten(), &mut output.retries) {
            (Some(place), Some(retries)) => {
                left.failed.set(left.failed.get() - 1);
                retries.row(place, &row)?;
            }
            _ => output.rows.row(&row)?,
        }
        Ok(ControlFlow::Continue(()))
    });
    // An array is closed even where the network gave up in the middle of it.
    output.rows.end()?;
    if let (Some((unsure, seen)), Some(path)) = (unsure, file)
        && !seen.load(Ordering::Relaxed)
    {
        // It was none of this run's pictures, and so the earlier answer is all there is.
        File::options()
            .append(true)
            .open(path)?
            .write_all(&unsure.lines)?;
    }
    if let Some(retries) = output.retries {
        retries.finish()?;
    }
    Ok(match tally? {
        tally if tally.interrupted => Outcome::Interrupted,
        tally if tally.failed + left.failed.get() > 0 => Outcome::Incomplete,
        _ => Outcome::Complete,
    })
}

/// The most specific group that is likely enough, if there is one.
fn group(rollup: &Rollup, scores: &[f32], least: f32) -> Vec<Prediction> {
    let found = rollup.of(scores, least).map(|group| Prediction {
        index: group.index,
        wnid: Some(group.wnid.to_owned()),
        label: group.label.to_owned(),
        score: group.score,
    });
    found.into_iter().collect()
}

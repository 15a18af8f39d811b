//! `mobilenet classify`

use std::ops::ControlFlow;

use anyhow::Result;
use clap::Args;
use mobilenet::Prediction;

use super::options::{PictureOptions, parse_probability};
use super::output::{Format, OutputOptions, Row};
use super::session::Session;
use super::{Global, Outcome, note};

/// Tell what pictures show: the most probable labels of each
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many labels for each picture
    #[arg(short = 'k', long, default_value = "5", value_name = "N")]
    top_k: usize,

    /// Leave out labels with a score under P
    #[arg(long, default_value = "0", value_name = "P", value_parser = parse_probability)]
    threshold: f32,

    #[command(flatten)]
    output: OutputOptions,

    #[command(flatten)]
    pictures: PictureOptions,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let mut session = Session::new(&arguments.pictures, global)?;
    // A structured row carries its error; text has only stderr for it.
    if arguments.output.format() != Format::Text {
        session = session.with_failures_in_output();
    }
    let mut output = arguments.output.open()?;
    let mut failed_earlier = 0;
    if let Some(mut earlier) = output.earlier.take() {
        failed_earlier = earlier.failed;
        if global.verbose {
            note(&format!("{} answered earlier", earlier.len()));
        }
        session = session.filter(move |input| !earlier.take(input.name.as_encoded_bytes()));
    }
    let classifier = session.classifier().clone();
    let tally = session.run(|answer| {
        let top = |scores: &Vec<f32>| classifier.top(scores, arguments.top_k, arguments.threshold);
        let predictions: Result<Vec<Prediction>, _> = answer.scores.as_ref().map(top);
        output.rows.row(&Row {
            name: &answer.name,
            answer: predictions.as_deref().map_err(|error| *error),
        })?;
        Ok(ControlFlow::Continue(()))
    });
    // An array is closed even where the network gave up in the middle of it.
    output.rows.end()?;
    Ok(match tally? {
        tally if tally.interrupted => Outcome::Interrupted,
        tally if tally.failed + failed_earlier > 0 => Outcome::Incomplete,
        _ => Outcome::Complete,
    })
}

//! `mobilenet learn`

mod arguments;
mod doubts;
mod earlier;
mod predictions;
mod report;
mod views;

use std::ffi::OsString;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mobilenet::dataset::{Input, Labelled};
use mobilenet::learn::{Example, Learned, Lesson, learn_until};
use mobilenet::weights::Checkpoint;

pub use self::arguments::Arguments;
use self::earlier::Earlier;
use self::predictions::Predictions;
use self::report::LearnReport;
use self::views::Views;
use super::interrupt::Interrupt;
use super::options::OpenedNetwork;
use super::progress::Waiting;
use super::session::{Session, Tally};
use super::stdout::Stdout;
use super::terminal::Terminal;
use super::{Global, Outcome, files, note};

/// A picture that is learned from.
pub struct Picture {
    /// Nothing of a picture of an earlier run.
    pub name: Option<OsString>,
    pub example: Example,
}

/// What was embedded.
struct Embedded {
    pictures: Vec<Picture>,
    tally: Tally,
    took: Duration,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    // First, because it is quick to fail.
    let output = arguments.output.as_path();
    ensure!(
        output.as_os_str() != "-",
        "the report goes to stdout, and the checkpoint needs a file: -o FILE"
    );
    files::refuse_picture(output)?;
    files::check(output)?;
    let predictions = arguments.predictions.as_deref();
    if let Some(predictions) = predictions {
        ensure!(
            predictions != output,
            "{}: it is named twice",
            output.display()
        );
        if let Some(folder) = &arguments.folder {
            files::refuse_among(folder, predictions)?;
        }
    }
    let Labelled { classes, pictures } = arguments.labelled()?;
    let outputs: Vec<&Path> = std::iter::once(output).chain(predictions).collect();
    let predictions = predictions.map(Predictions::new).transpose()?;
    let network = arguments.network.open(&outputs, global)?;
    let network = network.for_new_checkpoint();
    let mut earlier = match arguments.keeps_classes() {
        true => Some(Earlier::of(&network)?),
        false => None,
    };
    if let Some(earlier) = &mut earlier {
        earlier.remove(&arguments.remove)?;
        earlier.refuse_mirror(arguments.no_mirror)?;
    }
    let options = arguments.options(earlier.as_ref().map(|earlier| &earlier.lesson));
    let views = earlier.as_ref().map(|earlier| earlier.lesson.views);
    let views = views.unwrap_or_else(|| Views::count(!arguments.no_mirror));
    let interrupt = Interrupt::watch();
    let embedded = embed(&network, pictures, views, global)?;
    if embedded.tally.interrupted || interrupt.happened() {
        return Ok(Outcome::Interrupted);
    }
    check_examples(&embedded.pictures, &classes)?;
    let (classes, pictures) = match earlier {
        Some(earlier) => {
            let (classes, pictures, again) = earlier.with(classes, embedded.pictures);
            if again > 0 && !global.quiet {
                note(&format!(
                    "pictures that were learned from already, and count once: {again}"
                ));
            }
            (classes, pictures)
        }
        None => (classes, embedded.pictures),
    };
    ensure!(
        classes.len() > 1,
        "one class alone can't be told from nothing: at least two have to be left"
    );
    let begin = Instant::now();
    let waiting = Waiting::new(global, "fitting");
    let stop = || interrupt.happened();
    let examples: Vec<Example> = pictures.iter().map(|it| it.example.clone()).collect();
    let Some(learned) = learn_until(&examples, classes.len(), &options, &stop)? else {
        return Ok(Outcome::Interrupted);
    };
    drop(waiting);
    let fitting = begin.elapsed();
    let lesson = Lesson::new(&learned, &options, views, network.precision.name());
    let kept = (examples.len() <= arguments.examples).then_some(examples.as_slice());
    checkpoint(&network, &learned, &classes)?
        .with_lesson(lesson, kept)?
        .save(output)?;
    if !global.quiet {
        // Else it was said when the checkpoint was loaded.
        if !global.verbose && !network.assumed.is_worth_telling() {
            network.assumed.tell();
        }
        doubts::tell(&learned, &classes, &pictures, &options)?;
    }
    if let Some(predictions) = predictions {
        let nameless = predictions.write(&learned, &pictures, &classes)?;
        if nameless > 0 && !global.quiet {
            note(&format!(
                "held-out pictures of earlier runs, whose names are not known and which have no row: {nameless}"
            ));
        }
    }
    if global.verbose {
        note(&format!("{}: written", output.display()));
    }
    let report = LearnReport {
        output,
        classes: &classes,
        learned: &learned,
        options: &options,
        failed: embedded.tally.failed,
        embedding: embedded.took,
        fitting,
    };
    let mut out = io::BufWriter::new(Stdout::new());
    if arguments.report.is_json() {
        report.write_json(&mut out)?;
    } else {
        report.write_text(&mut out, Terminal::of_stdout().width)?;
    }
    out.flush()?;
    Ok(embedded.tally.outcome())
}

/// Embeds the pictures, each in so many views; those that can't be read are told and left out.
fn embed(
    network: &OpenedNetwork,
    pictures: Vec<(Input, usize)>,
    views: usize,
    global: Global,
) -> Result<Embedded> {
    let begin = Instant::now();
    if pictures.is_empty() {
        return Ok(Embedded {
            pictures: Vec::new(),
            tally: Tally::default(),
            took: begin.elapsed(),
        });
    }
    let (inputs, classes): (Vec<_>, Vec<usize>) = pictures.into_iter().unzip();
    let model = Views::new(network.embedder()?, views > 1);
    let pipeline = network.pipeline(Arc::new(model));
    let session = Session::new(Box::new(inputs.into_iter()), false, pipeline, global);
    let mut embedded = Vec::with_capacity(classes.len());
    let mut classes = classes.into_iter();
    let tally = session.with_answers_elsewhere().run(|answer| {
        let class = classes.next().context("an answer without a picture")?;
        if let Ok(values) = &answer.values {
            let views = values.chunks(values.len() / views);
            let views = views.map(<[f32]>::to_vec).collect();
            embedded.push(Picture {
                name: Some(answer.name.clone()),
                example: Example { class, views },
            });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Embedded {
        pictures: embedded,
        tally,
        took: begin.elapsed(),
    })
}

/// Refuses to leave out a class of which nothing could be read.
fn check_examples(pictures: &[Picture], classes: &[String]) -> Result<()> {
    let seen = |class: usize| pictures.iter().any(|it| it.example.class == class);
    let lost = (0..classes.len()).filter(|&class| !seen(class));
    let lost: Vec<&str> = lost.map(|class| classes[class].as_str()).collect();
    ensure!(
        lost.is_empty(),
        "no picture could be read of {}; nothing was written",
        lost.join(", ")
    );
    Ok(())
}

fn checkpoint(
    network: &OpenedNetwork,
    learned: &Learned,
    classes: &[String],
) -> Result<Checkpoint> {
    let checkpoint = network.checkpoint.clone();
    let checkpoint =
        checkpoint.with_classifier(&learned.weight, &learned.bias, classes.to_vec())?;
    let checkpoint = checkpoint.with_preprocessing(network.preprocessing.clone())?;
    let checkpoint = checkpoint.with_familiarity(learned.familiarity.clone())?;
    Ok(checkpoint.with_rejection(learned.rejection)?)
}

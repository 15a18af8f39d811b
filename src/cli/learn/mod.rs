//! `mobilenet learn`

mod report;
mod views;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use mobilenet::dataset::{Input, Labelled};
use mobilenet::learn::{Example, LearnOptions, Learned, learn_until};
use mobilenet::weights::Checkpoint;

use self::report::LearnReport;
use self::views::Views;
use super::interrupt::Interrupt;
use super::options::{FolderOptions, NetworkOptions, OpenedNetwork, ReportOptions};
use super::progress::Waiting;
use super::session::{Session, Tally};
use super::stdout::Stdout;
use super::terminal::{Terminal, printable};
use super::{Global, Outcome, files, note};

/// Learn classes of your own from a folder of pictures for each
///
/// The network stays as it is and gets another last layer, in the place of the one it has and of hidden
/// ones: a logistic regression on its embeddings of the pictures and of their mirror images. What is written is a checkpoint like
/// any other: `mobilenet classify --weights FILE`. A few dozen pictures a class are enough. A
/// picture that is unlike those that were learned from has low scores, and is `unknown` where
/// they are too low. How well that goes is measured on pictures held out from DIR: near copies among
/// them, such as frames of a film, make it look better than it is.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A folder that has a folder for each class, whose name is the label
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The checkpoint to write (safetensors)
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Number of parts for cross-validation, which chooses the regularisation and measures how well new
    /// pictures are told apart
    #[arg(long, default_value = "5", value_name = "N", help_heading = "Learning",
          value_parser = clap::value_parser!(u16).range(2..=1000))]
    folds: u16,

    /// Seed that decides which picture is in which part; the same in every version
    #[arg(long, default_value = "0", value_name = "N", help_heading = "Learning")]
    seed: u64,

    /// Share of the classes' own pictures that may be called `unknown`; sets the threshold, and 0 turns
    /// it off
    #[arg(long, default_value = "0.05", value_name = "SHARE", help_heading = "Learning",
          value_parser = parse_share)]
    reject: f64,

    /// Don't learn from mirror images: for classes that a mirror changes, such as letters and arrows
    #[arg(long, help_heading = "Learning")]
    no_mirror: bool,

    #[command(flatten)]
    folders: FolderOptions,

    #[command(flatten)]
    report: ReportOptions,

    #[command(flatten)]
    network: NetworkOptions,
}

fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to less than 1, such as 0.05".into()),
    }
}

impl Arguments {
    fn options(&self) -> LearnOptions {
        LearnOptions::default()
            .with_folds(self.folds.into())
            .with_seed(self.seed)
            .with_reject(self.reject)
    }
}

/// What was embedded.
struct Embedded {
    examples: Vec<Example>,
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
    let selection = arguments.folders.selection();
    let Labelled { classes, pictures } = Labelled::open_to_learn(&arguments.folder, &selection)?;
    let network = arguments.network.open(&[output], global)?;
    let network = network.for_new_checkpoint();
    let interrupt = Interrupt::watch();
    let embedded = embed(&network, pictures, !arguments.no_mirror, global)?;
    if embedded.tally.interrupted || interrupt.happened() {
        return Ok(Outcome::Interrupted);
    }
    check_examples(&embedded.examples, &classes)?;
    let begin = Instant::now();
    let waiting = Waiting::new(global, "fitting");
    let (examples, options) = (&embedded.examples, arguments.options());
    let stop = || interrupt.happened();
    let Some(learned) = learn_until(examples, classes.len(), &options, &stop)? else {
        return Ok(Outcome::Interrupted);
    };
    drop(waiting);
    let fitting = begin.elapsed();
    checkpoint(&network, &learned, &classes)?.save(output)?;
    if !global.quiet {
        // Else it was said when the checkpoint was loaded.
        if !global.verbose && !network.assumed.is_worth_telling() {
            network.assumed.tell();
        }
        tell_doubts(&learned, &classes, &options);
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

/// Embeds the pictures; those that can't be read are told and left out.
fn embed(
    network: &OpenedNetwork,
    pictures: Vec<(Input, usize)>,
    mirror: bool,
    global: Global,
) -> Result<Embedded> {
    let begin = Instant::now();
    let (inputs, classes): (Vec<_>, Vec<usize>) = pictures.into_iter().unzip();
    let views = Views::new(network.embedder()?, mirror);
    let pipeline = network.pipeline(Arc::new(views));
    let session = Session::new(Box::new(inputs.into_iter()), false, pipeline, global);
    let mut examples = Vec::with_capacity(classes.len());
    let mut classes = classes.into_iter();
    let tally = session.with_answers_elsewhere().run(|answer| {
        let class = classes.next().context("an answer without a picture")?;
        if let Ok(values) = &answer.values {
            let views = values.chunks(values.len() / Views::count(mirror));
            let views = views.map(<[f32]>::to_vec).collect();
            examples.push(Example { class, views });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Embedded {
        examples,
        tally,
        took: begin.elapsed(),
    })
}

/// Refuses to leave out a class of which nothing could be read.
fn check_examples(examples: &[Example], classes: &[String]) -> Result<()> {
    let seen = |class: usize| examples.iter().any(|example| example.class == class);
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

/// Says what could not be done, or is not known.
fn tell_doubts(learned: &Learned, classes: &[String], options: &LearnOptions) {
    let Some(held_out) = &learned.report.held_out else {
        return note(
            "no class has two different pictures, so none can be held out: how well they are told \
             is not known, the regularisation is a guess, and nothing is rejected",
        );
    };
    let reports = classes.iter().zip(&learned.report.classes);
    let single = reports.filter(|(_, report)| report.held_out == 0);
    let single: Vec<String> = single.map(|(class, _)| printable(class)).collect();
    if !single.is_empty() {
        note(&format!(
            "only one picture, or copies of it, so that how well it is told is not known: {}",
            single.join(", ")
        ));
    }
    if options.reject > 0.0 && learned.rejection.is_none() {
        let (share, found) = (options.reject, held_out.examples);
        // The least n with share * (n + 1) of at least 1.
        let needed = (1.0 / share - 1.0 - 1e-9).ceil();
        note(&format!(
            "nothing is rejected: a share of {share} takes at least {needed} pictures, and {found} \
             were held out (--reject)"
        ));
    }
}

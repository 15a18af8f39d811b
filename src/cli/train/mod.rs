//! `mobilenet train`

mod begin;
mod course;
mod curves;
mod dataset;
mod learning;
mod outputs;
mod report;
mod run;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use mobilenet::device::DeviceChoice;

use self::begin::{BeginOptions, Beginning};
use self::course::Course;
use self::dataset::{FoundPictures, Pictures, TrainingData};
use self::learning::LearningOptions;
use self::outputs::Outputs;
use self::report::TrainReport;
use super::interrupt::Interrupt;
use super::options::{DTypeName, FolderOptions, RunOptions, ViewOptions};
use super::run_record::RunRecord;
use super::session::Tally;
use super::terminal::printable_name;
use super::{Global, Outcome, note};

/// Train all layers of a network on pictures of your own
///
/// DIR has a folder for each class, with its pictures in it. --resume continues a run that was
/// stopped, and the result is the same to the byte. Until the end, the state of the run is kept
/// beside FILE; a log of the epochs as CSV is kept there, too, and stays.
///
/// From a checkpoint (--weights, --pretrained) the run begins with the classifier that `learn` would
/// fit, and ends no worse than that as far as held-out pictures can tell. First there are trials: a fifth of
/// the pictures is held out, the network learns from the others, and the fifth is answered after each
/// epoch; with fewer than 1,000 pictures other fifths are held out in turn, until 200 pictures were. The run whose network is
/// written learns from all pictures, for as many epochs as told the held-out ones best. Where none told
/// them better, what the run began with is written.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A folder with a folder for each class
    #[arg(value_name = "DIR")]
    pictures: PathBuf,

    /// The safetensors file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Continue an earlier run, if there is one
    #[arg(long)]
    resume: bool,

    /// Draw loss and accuracy over the epochs as PNG; an existing file is replaced only if this program
    /// drew it
    #[arg(long, value_name = "FILE")]
    curves: Option<PathBuf>,

    /// Print a line of JSON for each epoch
    #[arg(long, alias = "json")]
    jsonl: bool,

    #[command(flatten)]
    learning: LearningOptions,

    #[command(flatten)]
    network: BeginOptions,

    #[command(flatten)]
    folders: FolderOptions,

    #[command(flatten)]
    view: ViewOptions,

    /// auto, cpu, cuda, cuda:N or metal
    #[arg(
        long,
        default_value = "auto",
        value_name = "DEVICE",
        help_heading = "Running"
    )]
    device: DeviceChoice,

    /// Number of threads [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", help_heading = "Running",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    // First, because it is quick to fail.
    let settings = arguments.learning.settings(&arguments.network)?;
    let outputs = Outputs::new(arguments)?;
    if outputs.beside.is_none() && global.verbose {
        let output = arguments.output.display();
        note(&format!(
            "{output}: no regular file, so no state and no log are kept beside it"
        ));
    }
    // To the end: the state and the log are written as the run goes.
    let _record = RunRecord::begin(&arguments.output, global)?;
    let earlier = outputs.earlier(arguments.resume)?;
    if arguments.resume && earlier.is_none() && outputs.is_finished(&arguments.output) {
        if !global.quiet {
            note(&format!(
                "{}: the run is over, and nothing is left to do; without --resume a new one replaces it",
                printable_name(arguments.output.display().to_string())
            ));
        }
        return Ok(Outcome::Complete);
    }
    if arguments.resume && earlier.is_none() && !global.quiet {
        note("no run to go on with was found: this is a new one");
    }
    let running = RunOptions {
        device: arguments.device,
        threads: arguments.threads,
        batch_size: None,
        dtype: Some(DTypeName::F32),
    };
    let device = running.start(global)?.device.device;
    let found = FoundPictures::open(arguments)?;
    outputs.protect(arguments, found.files())?;
    let beginning = Beginning::new(arguments, &found.classes, global)?;
    outputs.protect(arguments, beginning.file.as_deref())?;
    let interrupt = Interrupt::watch();
    let recipe = beginning.checkpoint.preprocessing();
    let Some(data) = TrainingData::read(arguments, found, recipe, &interrupt, global)? else {
        return Ok(Outcome::Interrupted);
    };
    let TrainingData {
        pictures,
        contents,
        failed,
    } = data;
    if let Pictures::Divided { test, .. } = &pictures
        && test.is_empty()
        && arguments.learning.validation != Some(0.0)
        && !global.quiet
    {
        note("no class has a picture to spare for validation");
    }
    let description = run::describe(&settings, &beginning, arguments, &contents);
    let course = Course::new(beginning, pictures, settings, &device, &interrupt)?;
    let Some(mut course) = course else {
        return Ok(stopped(&outputs, 0, global));
    };
    if let (Some(state), Some(beside)) = (earlier, &outputs.beside) {
        run::compare(&beside.state, &state.run, &description)?;
        if !course.restore(state, &beside.state, &interrupt)? {
            return Ok(stopped(&outputs, 0, global));
        }
    }
    let report = TrainReport::new(arguments, &outputs, &course, global);
    course.tell_beginning(global)?;
    while !course.is_done() {
        let watch = |shown| report.watch(shown, &interrupt);
        let Some(epoch) = course.epoch(&interrupt, watch)? else {
            report.end();
            return Ok(stopped(&outputs, course.done(), global));
        };
        if let Some(beside) = &outputs.beside {
            course.save(&beside.state, &description)?;
        }
        report.epoch(&epoch, course.epochs())?;
    }
    report.end();
    report.files(course.epochs())?;
    course.checkpoint()?.save(&arguments.output)?;
    outputs.remove_state()?;
    course.tell_end(global);
    let tally = Tally {
        failed: failed as u64,
        ..Tally::default()
    };
    Ok(tally.outcome())
}

/// Says after how many epochs a run was stopped, and whether another one can go on with it.
fn stopped(outputs: &Outputs, done: usize, global: Global) -> Outcome {
    if !global.quiet {
        let next = match &outputs.beside {
            Some(beside) if beside.state.exists() => "--resume goes on from there",
            Some(_) => "nothing is kept yet, and --resume would begin anew",
            None => "nothing is kept of them",
        };
        note(&format!("stopped after {done} epochs; {next}"));
    }
    Outcome::Interrupted
}

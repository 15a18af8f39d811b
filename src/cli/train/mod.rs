//! `mobilenet train`

mod begin;
mod curves;
mod dataset;
mod outputs;
mod report;
mod run;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use mobilenet::device::DeviceChoice;
use mobilenet::train::{Augmentation, Settings, Trainer};

use self::begin::{BeginOptions, Beginning};
use self::dataset::{FoundPictures, TrainingData};
use self::outputs::{Beside, Outputs};
use self::report::TrainReport;
use super::interrupt::Interrupt;
use super::options::{DTypeName, FolderOptions, RunOptions, ViewOptions};
use super::run_record::RunRecord;
use super::session::Tally;
use super::{Global, Outcome, note};

/// Train all layers of a network on pictures of your own
///
/// DIR has a folder for each class, with its pictures in it. --resume continues a run that was
/// stopped, and the result is the same to the byte. Until the end, the state of the run is kept
/// beside FILE; a log of the epochs as CSV is kept there, too, and stays.
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

    /// How many times each picture is shown
    #[arg(
        long,
        value_name = "N",
        default_value_t = 30,
        help_heading = "Training"
    )]
    epochs: usize,

    /// Number of pictures in a step
    #[arg(
        short,
        long,
        value_name = "N",
        default_value_t = 32,
        help_heading = "Training"
    )]
    batch_size: usize,

    /// The highest learning rate: it rises for a twentieth of the run, and falls to 0 as a cosine
    /// [default: 0.003, from a checkpoint 0.001]
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    learning_rate: Option<f64>,

    /// AdamW's weight decay, for all weights but batch norm's, biases and depthwise filters
    #[arg(
        long,
        value_name = "W",
        default_value_t = 0.05,
        help_heading = "Training"
    )]
    weight_decay: f64,

    /// Label smoothing: the share of each truth that is spread over all classes
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.1,
        help_heading = "Training"
    )]
    label_smoothing: f64,

    /// Seed of all random numbers; the same in every version
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Training")]
    seed: u64,

    /// Share of each class that is held out and tested after each epoch
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.1,
        help_heading = "Training"
    )]
    validation: f64,

    /// Test with another such folder instead, and learn from all of DIR
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "validation",
        help_heading = "Training"
    )]
    validation_dir: Option<PathBuf>,

    /// Least part of a picture's area that random crops show; 1 shows whole pictures, as --crop says
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.35,
        help_heading = "Augmentation"
    )]
    least_area: f64,

    /// Don't mirror pictures: for writing, and whatever else has a left and a right
    #[arg(long, alias = "no-flip", help_heading = "Augmentation")]
    no_mirror: bool,

    /// How much brightness, contrast and saturation vary at most
    #[arg(
        long,
        value_name = "P",
        default_value_t = 0.2,
        help_heading = "Augmentation"
    )]
    colour: f64,

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

impl Arguments {
    /// How to train.
    ///
    /// # Errors
    /// What is out of range.
    fn settings(&self) -> Result<Settings> {
        let from_checkpoint = self.network.weights.is_some() || self.network.pretrained;
        ensure!(
            from_checkpoint || self.network.freeze == 0,
            "--freeze keeps what a checkpoint has learned: it needs --weights or --pretrained"
        );
        ensure!(
            (0.0..1.0).contains(&self.validation),
            "--validation has to be from 0 to less than 1"
        );
        let usual_rate = if from_checkpoint { 1e-3 } else { 3e-3 };
        let settings = Settings {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate.unwrap_or(usual_rate),
            weight_decay: self.weight_decay,
            label_smoothing: self.label_smoothing,
            augmentation: Augmentation {
                least_area: self.least_area,
                flip: !self.no_mirror,
                colour: self.colour,
            },
            frozen: self.network.freeze,
            seed: self.seed,
        };
        settings.validate()?;
        Ok(settings)
    }
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    // First, because it is quick to fail.
    let settings = arguments.settings()?;
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
    let Beginning {
        checkpoint, sha256, ..
    } = beginning;
    let interrupt = Interrupt::watch();
    let recipe = checkpoint.preprocessing();
    let Some(dataset) = TrainingData::read(arguments, found, recipe, &interrupt, global)? else {
        return Ok(Outcome::Interrupted);
    };
    if dataset.test.is_empty() && arguments.validation > 0.0 && !global.quiet {
        note("no class has a picture to spare for validation");
    }
    let description = run::describe(&settings, &checkpoint, sha256, arguments, &dataset);
    let mut trainer = Trainer::new(checkpoint, settings, &device)?;
    if let (Some(state), Some(Beside { state: path, .. })) = (earlier, &outputs.beside) {
        run::compare(path, &state.run, &description)?;
        let named = || path.display().to_string();
        trainer.restore(state).with_context(named)?;
    }
    let report = TrainReport::new(arguments, &outputs, &trainer, global);
    let done = trainer.epochs().len();
    if done > 0 && !global.quiet {
        note(&format!(
            "{done} of {} epochs were done earlier",
            arguments.epochs
        ));
    }
    if !run_epochs(
        &mut trainer,
        &dataset,
        &outputs,
        &description,
        &report,
        &interrupt,
    )? {
        report.end();
        if !global.quiet {
            let done = trainer.epochs().len();
            let next = match outputs.beside {
                Some(_) => "--resume goes on from there",
                None => "nothing is kept of them",
            };
            note(&format!("stopped after {done} epochs; {next}"));
        }
        return Ok(Outcome::Interrupted);
    }
    report.end();
    report.files(trainer.epochs())?;
    trainer.checkpoint()?.save(&arguments.output)?;
    outputs.remove_state()?;
    let tally = Tally {
        failed: dataset.failed as u64,
        ..Tally::default()
    };
    Ok(tally.outcome())
}

/// Runs the epochs that are left, and keeps the state after each; false where it is asked to stop
/// before the last one.
fn run_epochs(
    trainer: &mut Trainer,
    dataset: &TrainingData,
    outputs: &Outputs,
    description: &serde_json::Value,
    report: &TrainReport,
    interrupt: &Interrupt,
) -> Result<bool> {
    while !trainer.is_done() {
        let watch = |shown| report.watch(shown, interrupt);
        let Some(epoch) = trainer.epoch(&dataset.learn, Some(&dataset.test), watch)? else {
            return Ok(false);
        };
        if let Some(Beside { state, .. }) = &outputs.beside {
            trainer.save(state, description)?;
        }
        report.epoch(&epoch, trainer.epochs())?;
    }
    Ok(true)
}

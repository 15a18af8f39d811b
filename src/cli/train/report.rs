//! What is told of a run: a line an epoch, a log, curves, and on a terminal how far it is.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Result;
use mobilenet::train::{Epoch, Shown};

use super::Arguments;
use super::course::Course;
use super::outputs::Outputs;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::png;
use crate::cli::progress::Training;
use crate::cli::stdout::Stdout;
use crate::cli::{Global, files};

/// Where it is told.
pub struct TrainReport {
    bar: Training,
    json: bool,
    epochs: usize,
    trials: usize,
    log: Option<PathBuf>,
    curves: Option<PathBuf>,
}

impl TrainReport {
    pub fn new(arguments: &Arguments, outputs: &Outputs, course: &Course, global: Global) -> Self {
        let epochs = course.epochs_of_a_run();
        let left = course.most_epochs().saturating_sub(course.done());
        Self {
            bar: Training::new(epochs, left, global),
            json: arguments.jsonl,
            epochs,
            trials: course.trials(),
            log: outputs.beside.as_ref().map(|beside| beside.log.clone()),
            curves: outputs.curves.clone(),
        }
    }

    /// Tells how far an epoch is, and whether to go on with it.
    pub fn watch(&self, shown: Shown, interrupt: &Interrupt) -> ControlFlow<()> {
        self.bar.show(shown);
        if interrupt.happened() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Tells of an epoch, of which all before it are told anew in the files.
    pub fn epoch(&self, epoch: &Epoch, all: &[Epoch]) -> Result<()> {
        let line = if self.json {
            serde_json::to_string(epoch)?
        } else {
            self.text(epoch)
        };
        if epoch.epoch > 0 {
            self.bar.next();
        }
        match self.bar.above(|| writeln!(Stdout::new(), "{line}")) {
            // Whoever reads has seen enough. The network is still wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            told => told?,
        }
        self.files(all)
    }

    /// Writes the log and the curves.
    pub fn files(&self, all: &[Epoch]) -> Result<()> {
        if let Some(path) = &self.log {
            let mut log = csv::Writer::from_writer(Vec::new());
            for epoch in all {
                log.serialize(epoch)?;
            }
            files::write(path, &log.into_inner()?)?;
        }
        if let Some(path) = &self.curves {
            files::write(path, &png(&super::curves::draw(all))?)?;
        }
        Ok(())
    }

    /// Clears the bar away.
    pub fn end(&self) {
        self.bar.end();
    }

    /// A line of less than 80 columns.
    fn text(&self, epoch: &Epoch) -> String {
        let figures = |loss: f64, accuracy: f64| format!("{loss:.4}  {:5.1} %", 100.0 * accuracy);
        let (epochs, trials) = (self.epochs, self.trials);
        let width = epochs.to_string().len();
        let number = epoch.epoch;
        let run = match epoch.trial {
            Some(trial) => format!("trial {trial}/{trials}  "),
            None => String::new(),
        };
        let trained = figures(epoch.train_loss, epoch.train_accuracy);
        let line = format!("{run}epoch {number:width$}/{epochs}  loss {trained}");
        match (epoch.validation_loss, epoch.validation_accuracy) {
            (Some(loss), Some(accuracy)) => {
                format!("{line}  validation {}", figures(loss, accuracy))
            }
            _ => line,
        }
    }
}

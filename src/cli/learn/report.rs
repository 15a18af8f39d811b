//! How learning went, for people and for programs.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use mobilenet::Rejection;
use mobilenet::learn::{ClassReport, HeldOut, LearnOptions, Learned, PathPoint};
use serde::Serialize;

use crate::cli::output::write_report;
use crate::cli::terminal::{columns, padded, printable, truncate};

/// Pairs of classes that are told.
const CONFUSIONS: usize = 3;

/// What is reported.
pub struct LearnReport<'a> {
    pub output: &'a Path,
    pub classes: &'a [String],
    pub learned: &'a Learned,
    pub options: &'a LearnOptions,
    /// Pictures that could not be read.
    pub failed: u64,
    pub embedding: Duration,
    pub fitting: Duration,
}

#[derive(Serialize)]
struct Object<'a> {
    version: &'static str,
    output: String,
    /// Pictures that were learned from.
    pictures: usize,
    /// Pictures that could not be read.
    failed: u64,
    classes: Vec<ClassObject<'a>>,
    regularisation: f64,
    /// The same as scikit-learn's C.
    c: f64,
    folds: Option<usize>,
    seed: u64,
    /// The following are of held-out pictures, and null where none could be.
    held_out: Option<usize>,
    accuracy: Option<f64>,
    log_loss: Option<f64>,
    /// As `eval` has them.
    most_confused: Option<Vec<ConfusionObject<'a>>>,
    path: Option<&'a [PathPoint]>,
    rejection: Option<RejectionObject>,
    embedding_seconds: f64,
    fitting_seconds: f64,
}

#[derive(Serialize)]
struct ClassObject<'a> {
    label: &'a str,
    pictures: usize,
    held_out: usize,
    /// Shares of those held out; null where there are none.
    recall: Option<f64>,
    rejected: Option<f64>,
}

#[derive(Serialize)]
struct ConfusionObject<'a> {
    truth: &'a str,
    predicted: &'a str,
    count: usize,
}

#[derive(Serialize)]
struct RejectionObject {
    #[serde(flatten)]
    rejection: Rejection,
    /// The share of held-out pictures under the threshold.
    rejected: Option<f64>,
}

impl LearnReport<'_> {
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let report = &self.learned.report;
        let held_out = report.held_out.as_ref();
        let confusions = held_out.map(|held_out| {
            let confusions = held_out.confusions.iter();
            let object = confusions.map(|confusion| ConfusionObject {
                truth: &self.classes[confusion.class],
                predicted: &self.classes[confusion.taken_for],
                count: confusion.examples,
            });
            object.collect()
        });
        let classes = self.classes.iter().zip(&report.classes);
        let object = Object {
            version: env!("CARGO_PKG_VERSION"),
            output: self.output.to_string_lossy().into_owned(),
            pictures: report.examples,
            failed: self.failed,
            classes: classes
                .map(|(label, class)| self.class(label, class))
                .collect(),
            regularisation: report.regularisation,
            c: report.c,
            folds: held_out.map(|held_out| held_out.folds),
            seed: self.options.seed,
            held_out: held_out.map(|held_out| held_out.examples),
            accuracy: held_out.map(|held_out| held_out.accuracy),
            log_loss: held_out.map(|held_out| held_out.log_loss),
            most_confused: confusions,
            path: held_out.map(|held_out| held_out.path.as_slice()),
            rejection: self.learned.rejection.map(|rejection| RejectionObject {
                rejection,
                rejected: held_out.and_then(|held_out| held_out.rejected),
            }),
            embedding_seconds: self.embedding.as_secs_f64(),
            fitting_seconds: self.fitting.as_secs_f64(),
        };
        write_report(out, &object)
    }

    fn class<'a>(&self, label: &'a str, class: &ClassReport) -> ClassObject<'a> {
        let share = |n: usize| (class.held_out > 0).then(|| n as f64 / class.held_out as f64);
        ClassObject {
            label,
            pictures: class.examples,
            held_out: class.held_out,
            recall: share(class.correct),
            rejected: self.learned.rejection.and_then(|_| share(class.rejected)),
        }
    }

    /// `width` is that of the terminal, if it is one.
    pub fn write_text(&self, out: &mut impl Write, width: Option<usize>) -> io::Result<()> {
        self.write_table(out, width)?;
        writeln!(out)?;
        let Learned {
            report, rejection, ..
        } = self.learned;
        if let Some(held_out) = &report.held_out {
            let HeldOut {
                folds, log_loss, ..
            } = held_out;
            writeln!(out, "{folds}-fold cross-validation, log loss {log_loss:.4}")?;
            self.write_confusions(out, held_out, width)?;
        }
        let (regularisation, c) = (report.regularisation, report.c);
        writeln!(
            out,
            "regularisation {regularisation:.1e} (scikit-learn's C {c:.3e})"
        )?;
        match rejection {
            Some(rejection) => {
                writeln!(out, "unknown under a score of {:.4}", rejection.threshold)?
            }
            None => writeln!(out, "nothing is rejected")?,
        }
        writeln!(
            out,
            "{:.1} s for embeddings, {:.1} s for fitting",
            self.embedding.as_secs_f64(),
            self.fitting.as_secs_f64()
        )
    }

    fn write_table(&self, out: &mut impl Write, width: Option<usize>) -> io::Result<()> {
        const NUMBERS: usize = 30;
        let report = &self.learned.report;
        let labels: Vec<String> = self.classes.iter().map(|label| printable(label)).collect();
        let room = width.unwrap_or(usize::MAX).saturating_sub(NUMBERS).max(8);
        let longest = labels.iter().map(|label| columns(label)).max();
        let column = longest.unwrap_or(0).clamp("class".len(), room);
        let mut line = |label: &str, pictures: &str, recall: &str, rejected: &str| {
            let label = padded(label, column);
            let line = format!("{label}  {pictures:>8}  {recall:>7}  {rejected:>8}");
            writeln!(out, "{}", line.trim_end())
        };
        let share = |share: Option<f64>| {
            share.map_or_else(|| "-".into(), |share| format!("{:.1}%", 100.0 * share))
        };
        line("class", "pictures", "recall", "rejected")?;
        for (label, class) in labels.iter().zip(&report.classes) {
            let object = self.class(label, class);
            let pictures = class.examples.to_string();
            line(
                label,
                &pictures,
                &share(object.recall),
                &share(object.rejected),
            )?;
        }
        let held_out = report.held_out.as_ref();
        let accuracy = share(held_out.map(|held_out| held_out.accuracy));
        let rejected = share(held_out.and_then(|held_out| held_out.rejected));
        line("all", &report.examples.to_string(), &accuracy, &rejected)
    }

    /// The pairs of classes that are most often confused.
    fn write_confusions(
        &self,
        out: &mut impl Write,
        held_out: &HeldOut,
        width: Option<usize>,
    ) -> io::Result<()> {
        const WORDS: usize = 30;
        let room = width.unwrap_or(usize::MAX).saturating_sub(WORDS) / 2;
        let label = |class: usize| truncate(&printable(&self.classes[class]), room.max(8));
        for confusion in held_out.confusions.iter().take(CONFUSIONS) {
            let (class, taken_for) = (label(confusion.class), label(confusion.taken_for));
            let all = self.learned.report.classes[confusion.class].held_out;
            let n = confusion.examples;
            writeln!(out, "  {class} taken for {taken_for}: {n} of {all}")?;
        }
        Ok(())
    }
}

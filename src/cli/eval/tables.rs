//! Tables for other programs, and the picture of the confusion matrix.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use mobilenet::labels::Class;
use mobilenet::metrics::{ConfusionMatrix, Evaluation};
use mobilenet::pipeline::Answer;
use mobilenet::{Classifier, UNKNOWN, figures, top_outputs_in_order};

use super::names;
use super::report::EvalReport;
use super::truth::Truth;
use crate::cli::files::{self, Staged};
use crate::cli::output::{Packer, Packing, Records, check_ending, error_field, name_bytes, png};

/// As many classes have room for their names in a picture.
const NAMED_CLASSES: usize = 100;

/// Writes a line a class.
pub fn write_classes(out: &mut impl Write, report: &EvalReport) -> io::Result<()> {
    let mut table = Records::new(out, b',');
    let header = [
        "index",
        "wnid",
        "label",
        "support",
        "predicted",
        "correct",
        "precision",
        "recall",
        "f1",
    ];
    table.record(header)?;
    for class in &report.per_class {
        let metrics = &class.metrics;
        let counts = [metrics.support, metrics.predicted, metrics.correct];
        let ratios = [metrics.precision, metrics.recall, metrics.f1];
        let fields = class.class.fields().into_iter();
        let fields = fields.chain(counts.iter().map(u64::to_string));
        table.record(fields.chain(ratios.iter().map(f64::to_string)))?;
    }
    table.flush()
}

/// A file for the confusion matrix.
pub struct Confusion {
    out: Staged,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Table,
    Picture,
}

impl Confusion {
    /// A table or a picture, as the extension says.
    ///
    /// # Errors
    /// Another extension, a picture that is there, or a place that can't be written to.
    pub fn new(path: &Path) -> Result<Self> {
        let extension = path
            .extension()
            .map(|extension| extension.to_ascii_lowercase());
        let form = match extension
            .as_deref()
            .and_then(|extension| extension.to_str())
        {
            Some("csv") => Form::Table,
            Some("png") => Form::Picture,
            _ => bail!("{}: a name in .csv or .png is wanted", path.display()),
        };
        match form {
            Form::Table => files::refuse_picture(path)?,
            Form::Picture => files::refuse_undrawn(path)?,
        }
        let out = Staged::new(path)?;
        Ok(Self { out, form })
    }

    /// Writes the answers: a row for each class, what its pictures were taken for in the columns;
    /// `unknown` behind the classes, as a row where there are pictures of none, as a column where
    /// pictures can be rejected.
    pub fn write(mut self, evaluation: &Evaluation, classifier: &Classifier) -> Result<()> {
        let answers = evaluation.answers();
        let classes = classifier.labels().classes();
        let unknown = classes.len();
        let mut rows: Vec<usize> = (0..classes.len()).collect();
        let mut columns = rows.clone();
        if evaluation.rejections().others > 0 {
            rows.push(unknown);
        }
        if classifier.rejection().is_some() {
            columns.push(unknown);
        }
        let path = self.out.path().to_owned();
        match self.form {
            Form::Table => {
                let names = names::whole(classes);
                let written = write_matrix(&mut self.out, answers, &names, &rows, &columns);
                written.with_context(|| files::unwritable(&path))?;
            }
            Form::Picture => {
                let occurs = occurring(answers, unknown);
                if occurs.iter().filter(|&&occurs| occurs).count() <= NAMED_CLASSES {
                    rows.retain(|&class| class == unknown || occurs[class]);
                    columns.retain(|&class| class == unknown || occurs[class]);
                }
                let names = names::short(classes);
                let pick = |chosen: &[usize]| -> Vec<String> {
                    chosen.iter().map(|&class| names[class].clone()).collect()
                };
                let counts: Vec<Vec<u64>> = rows
                    .iter()
                    .map(|&truth| {
                        let row = answers.row(truth);
                        columns.iter().map(|&class| row[class]).collect()
                    })
                    .collect();
                let picture = figures::confusion_matrix(&pick(&rows), &pick(&columns), &counts);
                let written = self.out.write_all(&png(&picture)?);
                written.with_context(|| files::unwritable(&path))?;
            }
        }
        self.out.finish()
    }
}

/// Which classes have pictures or predictions.
fn occurring(answers: &ConfusionMatrix, classes: usize) -> Vec<bool> {
    let all = answers.classes().into_iter().take(classes);
    all.map(|class| class.support + class.predicted > 0)
        .collect()
}

fn write_matrix(
    out: &mut impl Write,
    answers: &ConfusionMatrix,
    names: &[String],
    rows: &[usize],
    columns: &[usize],
) -> io::Result<()> {
    let mut table = Records::new(out, b',');
    let header = columns.iter().map(|&class| names[class].as_str());
    table.record(std::iter::once("true").chain(header))?;
    for &truth in rows {
        let row = answers.row(truth);
        let counts = columns.iter().map(|&class| row[class].to_string());
        table.record(std::iter::once(names[truth].clone()).chain(counts))?;
    }
    table.flush()
}

/// A file for what was answered to each picture.
pub struct Predictions {
    path: PathBuf,
    table: Records<Table>,
}

enum Table {
    Plain(Staged),
    Packed(Packer<Staged>),
}

impl Write for Table {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Packed(out) => {
                let written = out.write(bytes)?;
                // A part may end anywhere: the file appears whole or not at all.
                out.flush()?;
                Ok(written)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Packed(out) => out.flush(),
        }
    }
}

impl Predictions {
    /// A table.
    ///
    /// # Errors
    /// A place that can't be written to.
    pub fn new(path: &Path) -> Result<Self> {
        check_ending(&Packing::inner_name(path), "CSV", &["csv"])?;
        // `--predictions *.jpg` names one where a table should be.
        files::refuse_picture(path)?;
        let staged = Staged::new(path)?;
        let out = match Packing::of_name(path) {
            Some(packing) => Table::Packed(Packer::new(staged, packing)),
            None => Table::Plain(staged),
        };
        let mut table = Records::new(out, b',');
        let header = [
            "path",
            "true_index",
            "true",
            "predicted_index",
            "predicted",
            "score",
            "true_score",
            "rejected",
            "highest",
            "error",
        ];
        table.record(header)?;
        Ok(Self {
            path: path.to_owned(),
            table,
        })
    }

    /// Writes what was answered to a picture. The prediction is the class with the highest score, or `unknown`;
    /// `rejected` is `None` where nothing is.
    pub fn row(
        &mut self,
        answer: &Answer,
        classes: &[Class],
        truth: Truth,
        rejected: Option<bool>,
    ) -> Result<()> {
        let index = |class: usize| classes[class].index.to_string();
        let label = |class: Option<usize>| match class {
            Some(class) => classes[class].label.clone(),
            None => UNKNOWN.to_owned(),
        };
        let truth_index = truth.map(index).unwrap_or_default();
        let mut fields = vec![truth_index, label(truth)];
        match &answer.values {
            Ok(scores) => {
                let first = top_outputs_in_order(scores, &answer.order, 1, 0.0);
                let first = first.first().copied().unwrap_or(0);
                let predicted = (rejected != Some(true)).then_some(first);
                fields.push(predicted.map(index).unwrap_or_default());
                fields.extend([label(predicted), scores[first].to_string()]);
                fields.push(truth.map(|t| scores[t].to_string()).unwrap_or_default());
                fields.push(rejected.map(|r| r.to_string()).unwrap_or_default());
                fields.extend([label(Some(first)), String::new()]);
            }
            Err(error) => {
                fields.extend(std::iter::repeat_n(String::new(), 6));
                fields.push(error_field(error));
            }
        }
        let path = name_bytes(&answer.name).to_vec();
        let fields = fields.into_iter().map(String::into_bytes);
        let written = self.table.record(std::iter::once(path).chain(fields));
        written.with_context(|| files::unwritable(&self.path))
    }

    /// Puts the table into its place.
    ///
    /// # Errors
    /// What could not be written.
    pub fn finish(self) -> Result<()> {
        let table = self.table.into_inner();
        let staged = table.and_then(|table| match table {
            Table::Plain(staged) => Ok(staged),
            Table::Packed(packer) => packer.finish(),
        });
        let staged = staged.with_context(|| files::unwritable(&self.path))?;
        staged.finish()
    }
}

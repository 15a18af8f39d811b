//! Tables for other programs, and the picture of the confusion matrix.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use mobilenet::labels::Class;
use mobilenet::metrics::{ConfusionMatrix, Evaluation};
use mobilenet::pixels::looks_like_image;
use mobilenet::{Classifier, UNKNOWN, figures, top_outputs};

use super::names;
use super::report::Report;
use super::truth::Truth;
use crate::cli::output::error_field;
use crate::cli::pipeline::Answer;
use crate::cli::staged::Staged;

/// As many classes have room for their names in a picture.
const NAMED_CLASSES: usize = 100;

/// Writes a line a class.
pub fn write_classes(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
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
    record(&mut table, header)?;
    for class in &report.per_class {
        let metrics = &class.metrics;
        let counts = [metrics.support, metrics.predicted, metrics.correct];
        let ratios = [metrics.precision, metrics.recall, metrics.f1];
        let fields = class.class.fields().into_iter();
        let fields = fields.chain(counts.iter().map(u64::to_string));
        record(&mut table, fields.chain(ratios.iter().map(f64::to_string)))?;
    }
    table.flush()
}

/// Writes a record; a failure is the stream's own, so that a closed pipe is known as one.
fn record<T: AsRef<[u8]>>(
    table: &mut csv::Writer<impl Write>,
    fields: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    let written = table.write_record(fields);
    written.map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    })
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
    /// Another extension, or a place that can't be written to.
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
        if form == Form::Table {
            refuse_picture(path)?;
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
        let failed = |path: &Path| format!("{}: can't be written", path.display());
        let path = self.out.path().to_owned();
        match self.form {
            Form::Table => {
                let names = names::whole(classes);
                let written = write_matrix(&mut self.out, answers, &names, &rows, &columns);
                written.with_context(|| failed(&path))?;
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
                let mut bytes = io::Cursor::new(Vec::new());
                picture.write_to(&mut bytes, image::ImageFormat::Png)?;
                let written = self.out.write_all(bytes.get_ref());
                written.with_context(|| failed(&path))?;
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
    let mut table = csv::Writer::from_writer(out);
    let header = columns.iter().map(|&class| names[class].as_str());
    record(&mut table, std::iter::once("true").chain(header))?;
    for &truth in rows {
        let row = answers.row(truth);
        let counts = columns.iter().map(|&class| row[class].to_string());
        record(
            &mut table,
            std::iter::once(names[truth].clone()).chain(counts),
        )?;
    }
    table.flush()
}

/// A file for what was answered to each picture.
pub struct Predictions {
    table: csv::Writer<Staged>,
}

impl Predictions {
    /// A table.
    ///
    /// # Errors
    /// A place that can't be written to.
    pub fn new(path: &Path) -> Result<Self> {
        refuse_picture(path)?;
        let mut table = csv::Writer::from_writer(Staged::new(path)?);
        let header = [
            "path",
            "true_index",
            "true",
            "predicted_index",
            "predicted",
            "score",
            "true_score",
            "rejected",
            "error",
        ];
        record(&mut table, header)?;
        Ok(Self { table })
    }

    /// Writes what was answered to a picture. The prediction is the class with the highest score;
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
                let first = top_outputs(scores, 1, 0.0).first().copied().unwrap_or(0);
                fields.extend([index(first), label(Some(first)), scores[first].to_string()]);
                fields.push(truth.map(|t| scores[t].to_string()).unwrap_or_default());
                fields.push(rejected.map(|r| r.to_string()).unwrap_or_default());
                fields.push(String::new());
            }
            Err(error) => {
                fields.extend(std::iter::repeat_n(String::new(), 5));
                fields.push(error_field(error));
            }
        }
        let path = answer.name.as_encoded_bytes().to_vec();
        let fields = fields.into_iter().map(String::into_bytes);
        let written = record(&mut self.table, std::iter::once(path).chain(fields));
        written.context("the predictions can't be written")
    }

    /// Puts the table into its place.
    ///
    /// # Errors
    /// What could not be written.
    pub fn finish(self) -> Result<()> {
        let staged = self.table.into_inner().map_err(|error| error.into_error());
        let staged = staged.context("the predictions can't be written")?;
        staged.finish()
    }
}

/// `--predictions *.jpg` has a picture where a table should be.
fn refuse_picture(path: &Path) -> Result<()> {
    let mut start = Vec::new();
    // Opening a pipe waits for its other end.
    if path.is_file()
        && let Ok(file) = std::fs::File::open(path)
        && io::Read::read_to_end(&mut io::Read::take(file, 32), &mut start).is_ok()
    {
        let shown = path.display();
        ensure!(
            !looks_like_image(&start),
            "{shown}: is a picture, which a table would replace"
        );
    }
    Ok(())
}

//! What rows hold, by the command that writes them.

use std::io::{BufRead, Write};

use anyhow::{Result, bail, ensure};
use mobilenet::Prediction;
use mobilenet::labels::Class;

use super::earlier::{Earlier, Facts};
use super::{Expected, json_lines, table};
use crate::cli::options::Provenance;
use crate::cli::output::{Format, RowWriter, prediction_writer, vectors};
use crate::cli::terminal::Terminal;

/// What all rows of a run are like.
pub trait RowKind {
    /// Of which an answer has some.
    type Value;

    /// The formats that can be gone on with.
    const RESUMABLE: &'static [Format];

    /// Writes such rows.
    ///
    /// # Errors
    /// A format that they can't be written in row by row.
    fn writer<'a>(
        &self,
        format: Format,
        out: Box<dyn Write + 'a>,
        terminal: Terminal,
    ) -> Result<Box<dyn RowWriter<Self::Value> + 'a>>;

    /// Reads such rows that an earlier run wrote.
    ///
    /// # Errors
    /// A file that no run of ours wrote, and another format than [`Self::RESUMABLE`].
    fn read(&self, file: &mut impl BufRead, format: Format, expected: &Expected)
    -> Result<Earlier>;

    /// What answers, where the rows say it.
    fn model(&self) -> Option<&Provenance>;

    /// Refuses rows that a run like this one can't have written, as far as they show it.
    ///
    /// # Errors
    /// What differs.
    fn compare(&self, facts: &Facts) -> Result<()>;
}

/// What is said of a format that can't be gone on with.
pub fn only<K: RowKind>() -> String {
    let names: Vec<&str> = K::RESUMABLE.iter().map(|format| format.name()).collect();
    let (last, others) = names.split_last().unwrap_or((&"", &[]));
    format!(
        "only --format {} and {last} can be resumed",
        others.join(", ")
    )
}

/// What to do about rows of another kind.
const OTHER: &str = "use another file, or the options of the run that wrote it";

/// Rows of `classify`.
#[derive(Debug)]
pub struct PredictionRows<'a> {
    /// How many predictions a picture has at most.
    pub most: usize,
    /// The classes, where each prediction is one of them.
    pub classes: Option<&'a [Class]>,
    pub model: Option<&'a Provenance>,
    /// Nothing but labels is told of a picture, as text.
    pub labels_only: bool,
}

impl RowKind for PredictionRows<'_> {
    type Value = Prediction;

    const RESUMABLE: &'static [Format] = &[Format::Jsonl, Format::Csv, Format::Tsv];

    fn writer<'a>(
        &self,
        format: Format,
        out: Box<dyn Write + 'a>,
        terminal: Terminal,
    ) -> Result<Box<dyn RowWriter<Prediction> + 'a>> {
        prediction_writer(format, out, terminal, self.labels_only)
    }

    fn read(
        &self,
        file: &mut impl BufRead,
        format: Format,
        expected: &Expected,
    ) -> Result<Earlier> {
        match (format, format.delimiter()) {
            (Format::Jsonl, _) => json_lines::read(file, json_lines::Content::Predictions),
            (_, Some(delimiter)) => table::read_predictions(file, delimiter, self.most, expected),
            _ => bail!(only::<Self>()),
        }
    }

    fn model(&self) -> Option<&Provenance> {
        self.model
    }

    fn compare(&self, facts: &Facts) -> Result<()> {
        let (most, lines) = (facts.most_predictions, self.most);
        ensure!(
            most <= lines,
            "it has {most} predictions of a picture, where this run has {lines} at most: {OTHER}"
        );
        if let (Some((index, before)), Some(classes)) = (&facts.class, self.classes) {
            let now = classes.iter().find(|class| class.index == *index);
            let now = now.map_or("nothing", |class| &class.label);
            ensure!(
                now == before,
                "class {index} was {before:?}, and is {now:?} in this run: {OTHER}"
            );
        }
        Ok(())
    }
}

/// Rows of `embed`.
#[derive(Debug)]
pub struct EmbeddingRows<'a> {
    /// How many values each has.
    pub width: usize,
    /// Whether each has a norm of 1.
    pub normalised: bool,
    pub model: Option<&'a Provenance>,
}

impl RowKind for EmbeddingRows<'_> {
    type Value = f32;

    const RESUMABLE: &'static [Format] = &[Format::Jsonl, Format::Csv];

    fn writer<'a>(
        &self,
        format: Format,
        out: Box<dyn Write + 'a>,
        _: Terminal,
    ) -> Result<Box<dyn RowWriter<f32> + 'a>> {
        vectors::writer(format, out, self.width)
    }

    fn read(&self, file: &mut impl BufRead, format: Format, _: &Expected) -> Result<Earlier> {
        match format {
            Format::Jsonl => json_lines::read(file, json_lines::Content::Embedding),
            Format::Csv => table::read_embeddings(file, &vectors::header(self.width)),
            _ => bail!(only::<Self>()),
        }
    }

    fn model(&self) -> Option<&Provenance> {
        self.model
    }

    fn compare(&self, facts: &Facts) -> Result<()> {
        let Some((width, norm)) = facts.embedding else {
            return Ok(());
        };
        ensure!(
            width == self.width,
            "its embeddings have {width} values, and those of this run {}: {OTHER}",
            self.width
        );
        // That of zeros is 0 either way. Any other is hardly 1 by chance.
        let is_one = (norm - 1.0).abs() < 1e-3;
        ensure!(
            norm == 0.0 || is_one == self.normalised,
            "embeddings with and without --normalize: {OTHER}"
        );
        Ok(())
    }
}

/// Refuses rows that other weights, or another view of the pictures, answered, as far as they say
/// it.
///
/// # Errors
/// What differs.
pub fn compare_models(earlier: &Earlier, now: Option<&Provenance>, format: Format) -> Result<()> {
    let before = &earlier.facts.model;
    let now = now.map(serde_json::to_value).transpose()?;
    // Whether rows say it is one of the options.
    ensure!(
        format != Format::Jsonl || earlier.is_empty() || before.is_some() == now.is_some(),
        "rows with and without --provenance: {OTHER}"
    );
    if let (Some(before), Some(now)) = (before, &now) {
        for key in ["sha256", "preprocessing", "reduced_decoding", "dtype"] {
            let (before, now) = (&before[key], &now[key]);
            ensure!(
                before == now,
                "{key} was {before}, and is {now} in this run: {OTHER}"
            );
        }
    }
    Ok(())
}

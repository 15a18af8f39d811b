//! Answers that are kept until all are there, and then told by their scores.

use std::ffi::OsString;

use anyhow::Result;
use mobilenet::Prediction;
use mobilenet::error::ImageError;
use mobilenet::pipeline::Answer;

use super::options::Provenance;
use super::output::Row;

/// Answers, of which only the predictions are kept.
#[derive(Default)]
pub struct Sorted(Vec<Kept>);

struct Kept {
    name: OsString,
    answer: Result<Vec<Prediction>, ImageError>,
    preview: bool,
}

impl Kept {
    /// The highest score; none is below all.
    fn score(&self) -> f32 {
        let predictions = self.answer.iter().flatten();
        let scores = predictions.map(|prediction| prediction.score);
        scores.fold(-1.0, f32::max)
    }
}

impl Sorted {
    pub fn add(&mut self, answer: &Answer, predictions: Result<Vec<Prediction>, &ImageError>) {
        self.0.push(Kept {
            name: answer.name.clone(),
            answer: predictions.map_err(ImageError::clone),
            preview: answer.preview,
        });
    }

    /// Gives all of them to `write`, those with the highest scores first; equal ones in the order of the pictures.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn write(
        mut self,
        provenance: Option<&Provenance>,
        mut write: impl FnMut(&Row) -> Result<()>,
    ) -> Result<()> {
        self.0.sort_by(|a, b| b.score().total_cmp(&a.score()));
        for kept in &self.0 {
            write(&Row {
                name: &kept.name,
                answer: kept.answer.as_deref(),
                provenance,
                preview: kept.preview,
            })?;
        }
        Ok(())
    }
}

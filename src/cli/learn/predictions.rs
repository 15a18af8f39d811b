//! What each held-out picture was told to be.

use std::path::Path;

use anyhow::{Context, Result};
use mobilenet::UNKNOWN;
use mobilenet::learn::Learned;

use super::Picture;
use crate::cli::files::{self, Staged};
use crate::cli::output::{Records, name_bytes};

/// A table of the pictures, by fits that had not seen them.
pub struct Predictions {
    table: Records<Staged>,
}

impl Predictions {
    /// In a file.
    ///
    /// # Errors
    /// A place that can't be written to.
    pub fn new(path: &Path) -> Result<Self> {
        files::refuse_picture(path)?;
        let mut table = Records::new(Staged::new(path)?, b',');
        table.record([
            "path",
            "true",
            "predicted",
            "score",
            "true_score",
            "rejected",
            "highest",
        ])?;
        Ok(Self { table })
    }

    /// Writes it. Pictures of an earlier run have no path, and no row; returns how many those are.
    ///
    /// # Errors
    /// What could not be written.
    pub fn write(
        mut self,
        learned: &Learned,
        pictures: &[Picture],
        classes: &[String],
    ) -> Result<usize> {
        let mut nameless = 0;
        let held_out = learned.report.held_out.iter();
        for told in held_out.flat_map(|held_out| &held_out.pictures) {
            let picture = &pictures[told.example];
            let Some(name) = &picture.name else {
                nameless += 1;
                continue;
            };
            let highest = classes[told.predicted].as_str();
            let predicted = if told.rejected { UNKNOWN } else { highest };
            let (score, true_score) = (told.score.to_string(), told.true_score.to_string());
            let rejected = learned.rejection.map(|_| told.rejected.to_string());
            let fields = [
                name_bytes(name),
                classes[picture.example.class].as_bytes(),
                predicted.as_bytes(),
                score.as_bytes(),
                true_score.as_bytes(),
                rejected.as_deref().unwrap_or_default().as_bytes(),
                highest.as_bytes(),
            ];
            let written = self.table.record(fields);
            written.context("the predictions can't be written")?;
        }
        let staged = self.table.into_inner();
        staged
            .context("the predictions can't be written")?
            .finish()?;
        Ok(nameless)
    }
}

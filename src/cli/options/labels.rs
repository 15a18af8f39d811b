//! Other names for the classes.

use std::path::{Path, PathBuf};

use clap::Args;

/// The names of the classes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Model")]
pub struct LabelOptions {
    /// Labels in place of the checkpoint's: one a line, or JSON of index to label
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

impl LabelOptions {
    /// The file, if one was named.
    pub fn file(&self) -> Option<&Path> {
        self.labels.as_deref()
    }
}

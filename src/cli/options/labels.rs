//! Other names for the classes.

use std::path::{Path, PathBuf};

use clap::Args;

/// The names of the classes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Model")]
pub struct LabelOptions {
    /// Use these labels instead of the checkpoint's: one per line, a table of index and name, or JSON (index to
    /// label, a list, Keras's imagenet_class_index.json, a config.json)
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

impl LabelOptions {
    /// The file, if one was named.
    pub fn file(&self) -> Option<&Path> {
        self.labels.as_deref()
    }
}

//! What of folders is looked at.

use clap::Args;
use mobilenet::dataset::{Pattern, Selection};

/// Which of the files in folders are pictures to look at. What is named itself always is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Pictures")]
pub struct FolderOptions {
    /// In folders, take only files that match GLOB, or lie in a folder that does; may be repeated. A GLOB
    /// without `/` is a name, such as '*.jpg', one with `/` is a path below the folder
    #[arg(long, value_name = "GLOB")]
    include: Vec<Pattern>,

    /// In folders, leave out files and folders that match GLOB; may be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<Pattern>,

    /// In folders, take in what programs leave there: ._* (AppleDouble), __MACOSX, .ipynb_checkpoints,
    /// @eaDir, .thumbnails, folders of deleted files
    #[arg(long)]
    hidden: bool,
}

impl FolderOptions {
    /// Whether anything was asked for.
    pub fn are_used(&self) -> bool {
        self.hidden || !self.include.is_empty() || !self.exclude.is_empty()
    }

    /// What they select.
    pub fn selection(&self) -> Selection {
        Selection::default()
            .with_include(self.include.iter().cloned())
            .with_exclude(self.exclude.iter().cloned())
            .with_hidden(self.hidden)
    }
}

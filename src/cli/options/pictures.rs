//! Which pictures, and what tells their classes.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use mobilenet::dataset::{Inputs, Selection, Shard};

use super::{FolderOptions, NetworkOptions, OpenedNetwork, Sources};
use crate::cli::{Global, files, note};

/// What a command needs that classifies pictures.
#[derive(Debug, Clone, Args)]
pub struct PictureOptions {
    #[command(flatten)]
    pub sources: Sources,

    /// Answer only the I-th of N parts of the pictures, to share them among several runs (decided by
    /// the SHA-256 of the path)
    #[arg(long, value_name = "I/N", help_heading = "Pictures")]
    shard: Option<Shard>,

    /// What a list names is one picture each, and has one row: a folder in it is an error. For a program that
    /// writes paths and waits for the answer to each
    #[arg(long, conflicts_with = "shard", help_heading = "Pictures")]
    one_row: bool,

    /// In folders, leave files that were written to within so many seconds for the next run: they may be on their
    /// way there
    #[arg(long, value_name = "SECONDS", help_heading = "Pictures")]
    min_age: Option<u32>,

    #[command(flatten)]
    folders: FolderOptions,

    /// What is taken of folders, once that is asked for.
    #[arg(skip)]
    selection: OnceLock<Selection>,

    #[command(flatten)]
    pub network: NetworkOptions,
}

impl PictureOptions {
    /// Opens the network. `outputs` are the files that the command will write.
    ///
    /// # Errors
    /// As [`NetworkOptions::open`], or one of the files that are named is an output.
    pub fn open(&self, outputs: &[&Path], global: Global) -> Result<OpenedNetwork> {
        files::protect(outputs, self.sources.files())?;
        self.network.open(outputs, global)
    }

    fn selection(&self) -> &Selection {
        self.selection.get_or_init(|| {
            let selection = self.folders.selection();
            match self.min_age {
                Some(seconds) => selection.with_min_age(Duration::from_secs(seconds.into())),
                None => selection,
            }
        })
    }

    /// Says after a run how many pictures it has left for the next.
    pub fn tell_left_for_later(&self, global: Global) {
        let left = self.selection().left_for_later();
        if let (Some(seconds), 1.., false) = (self.min_age, left, global.quiet) {
            note(&format!(
                "younger than {seconds} s, and left for the next run: {left}"
            ));
        }
    }

    /// The pictures.
    ///
    /// # Errors
    /// A list of them that can't be opened.
    pub fn inputs(&self) -> Result<Inputs> {
        let max_bytes = self.network.decode().max_bytes;
        let sources = self.sources.clone();
        let inputs = sources.into_inputs(self.selection().clone(), self.one_row, max_bytes)?;
        Ok(match self.shard {
            Some(shard) => Box::new(inputs.filter(move |input| shard.takes(&input.name))),
            None => inputs,
        })
    }
}

/// A value of `--threshold`.
pub fn parse_probability(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err("expected a probability from 0 to 1".into()),
    }
}

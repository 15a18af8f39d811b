//! Which pictures, and what tells their classes.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use mobilenet::dataset::{Inputs, Shard};

use super::{FolderOptions, NetworkOptions, OpenedNetwork, Sources};
use crate::cli::{Global, files};

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

    #[command(flatten)]
    folders: FolderOptions,

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

    /// The pictures.
    ///
    /// # Errors
    /// A list of them that can't be opened.
    pub fn inputs(&self) -> Result<Inputs> {
        let inputs = self
            .sources
            .clone()
            .into_inputs(self.folders.selection(), self.one_row)?;
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

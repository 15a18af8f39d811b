//! Which pictures, and what tells their classes.

use std::path::Path;

use anyhow::{Result, ensure};
use clap::Args;

use super::NetworkOptions;
use crate::cli::inputs::{Inputs, Shard, Sources, is_same_file};

/// What a command needs that classifies pictures.
#[derive(Debug, Clone, Args)]
pub struct PictureOptions {
    #[command(flatten)]
    pub sources: Sources,

    /// Only the I-th of N parts of the pictures, for runs side by side (by the SHA-256 of the
    /// path)
    #[arg(long, value_name = "I/N", help_heading = "Pictures")]
    shard: Option<Shard>,

    #[command(flatten)]
    pub network: NetworkOptions,
}

impl PictureOptions {
    /// Refuses an output that would replace what is read.
    ///
    /// # Errors
    /// It is one of the files that are named.
    pub fn protect(&self, output: &Path) -> Result<()> {
        for named in self.sources.files() {
            let same = is_same_file(named, output);
            let (named, output) = (named.display(), output.display());
            ensure!(
                !same,
                "{output}: the answers would replace {named}, which is read"
            );
        }
        self.network.protect(output)
    }

    /// The pictures.
    ///
    /// # Errors
    /// A list of them that can't be opened.
    pub fn inputs(&self) -> Result<Inputs> {
        let inputs = self.sources.clone().into_inputs()?;
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

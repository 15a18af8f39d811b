//! `mobilenet pull`

use std::io::Write;

use anyhow::{Result, bail};
use clap::Args;
use mobilenet::weights::catalogue;

use super::options::ModelOptions;
use super::stdout::Stdout;
use super::{Global, Outcome, note, text_of};

/// Fetch and verify weights now, so that later runs need no network
///
/// Prints the path of each.
#[derive(Debug, Args)]
pub struct Arguments {
    /// All 16 published networks, 140 MB
    #[arg(long, conflicts_with_all = ["alpha", "size", "weights", "repo"])]
    all: bool,

    #[command(flatten)]
    model: ModelOptions,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let mut out = Stdout::new();
    if !arguments.all {
        if arguments.model.weights.is_some() {
            bail!("--weights names a file that is here already; nothing is to be fetched for it");
        }
        let checkpoint = arguments.model.load(global)?;
        writeln!(out, "{}", checkpoint.path().display())?;
        return Ok(Outcome::Complete);
    }
    let mut outcome = Outcome::Complete;
    for variant in &catalogue().variants {
        let model = ModelOptions {
            alpha: Some(variant.alpha),
            size: Some(variant.size),
            ..arguments.model.clone()
        };
        match model.open_published(global) {
            Ok(checkpoint) => writeln!(out, "{}", checkpoint.path().display())?,
            Err(error) => {
                outcome = Outcome::Incomplete;
                note(&text_of(&error));
            }
        }
    }
    Ok(outcome)
}

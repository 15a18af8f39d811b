//! `mobilenet completions` and `mobilenet man`

use std::io::{self, Write};

use anyhow::{Result, bail};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Outcome};

/// Print a shell's completions
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    shell: Shell,
}

/// Print the man page
#[derive(Debug, Args)]
pub struct ManArguments {
    /// The page of a subcommand
    subcommand: Option<String>,
}

pub fn completions(arguments: &CompletionsArguments) -> Result<Outcome> {
    // Into memory first: the generator panics where it can't write.
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "mobilenet", &mut text);
    io::stdout().write_all(&text)?;
    Ok(Outcome::Complete)
}

pub fn man(arguments: &ManArguments) -> Result<Outcome> {
    let mut command = Cli::command();
    command.build();
    let command = match &arguments.subcommand {
        None => command,
        Some(name) => match command.find_subcommand(name) {
            Some(subcommand) => subcommand.clone(),
            None => bail!("there is no subcommand {name:?}"),
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    io::stdout().write_all(&text)?;
    Ok(Outcome::Complete)
}

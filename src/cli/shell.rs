//! `mobilenet completions` and `mobilenet man`

use std::io::Write;

use anyhow::{Result, bail};
use clap::builder::Resettable;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};

use super::stdout::Stdout;
use super::{Cli, Outcome, environment};

/// The end of `mobilenet --help`; the man page has it at more length.
pub const AFTER_HELP: &str = "\
Examples:
  mobilenet classify photo.jpg
  mobilenet grep 'beach|seashore' ~/Pictures
  mobilenet learn flowers/ -o flowers.safetensors

Exit codes: 0, everything was answered (grep: something matched); 1, grep: nothing matched; 2, \
anything went wrong, a single unreadable picture included. A run that was stopped ends by the signal, \
which a shell shows as 130 (Ctrl-C) or 143 (kill). `mobilenet man` tells of environment variables.

A file that is written replaces one of the same name, but no picture that this program did not \
draw, and nothing that it reads (but for `convert FILE -o FILE`).";

const EXIT_CODES: [(&str, &str); 4] = [
    ("0", "Everything was answered; grep: something matched."),
    ("1", "grep: nothing matched."),
    (
        "2",
        "Anything went wrong, a single picture that can't be read included; the others are answered \
         all the same. grep -q ends with 0 on a match whatever else went wrong.",
    ),
    (
        "130, 143",
        "It was stopped by Ctrl-C (SIGINT) or kill (SIGTERM; SIGHUP is 129). It ends what it has \
         begun, and then by the same signal, which a shell shows as 128 and its number.",
    ),
];

const EXAMPLES: [(&str, &str); 6] = [
    (
        "mobilenet classify photo.jpg",
        "The five most probable labels of a picture.",
    ),
    (
        "mobilenet classify ~/Pictures -o labels.csv --resume",
        "A table of all pictures of a folder; the same again after Ctrl-C for what is missing.",
    ),
    (
        "curl -s https://example.com/photo.jpg | mobilenet classify --json -",
        "The bytes of a picture in a pipe, to JSON.",
    ),
    (
        "mobilenet grep -0 --is dog ~/Pictures | xargs -0 cp -t ~/dogs",
        "Copies what shows a dog of any breed.",
    ),
    (
        "mobilenet learn flowers/ -o flowers.safetensors",
        "Learns classes from a folder of pictures for each,",
    ),
    (
        "mobilenet classify --weights flowers.safetensors garden.jpg",
        "and tells them.",
    ),
];

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
    Stdout::new().write_all(&text)?;
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
    let is_whole = arguments.subcommand.is_none();
    // Said below, in sections of their own.
    let command = if is_whole {
        command.after_help(Resettable::Reset)
    } else {
        command
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    more_sections(is_whole).to_writer(&mut text)?;
    Stdout::new().write_all(&text)?;
    Ok(Outcome::Complete)
}

/// What the arguments do not tell.
fn more_sections(is_whole: bool) -> Roff {
    let mut roff = Roff::new();
    let mut section = |title: &str, entries: &[(&str, &str)]| {
        roff.control("SH", [title]);
        for (term, text) in entries {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*text)]);
        }
    };
    section("EXIT STATUS", &EXIT_CODES);
    if is_whole {
        section("ENVIRONMENT", &environment::VARIABLES);
        section("EXAMPLES", &EXAMPLES);
    } else {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([
            bold("mobilenet"),
            roman("(1), for environment variables and examples"),
        ]);
    }
    roff
}

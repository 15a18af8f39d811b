//! The command line: arguments in, exit code out.
//!
//! One file a subcommand, holding its arguments and its execution. `options` are the arguments
//! that several share, `files` what they write, `environment` is the only reader of environment
//! variables, `advice` the only place that knows what to recommend after an error.

mod advice;
mod album_network;
mod bench;
mod bundle;
mod classify;
mod convert;
mod doctor;
mod embed;
mod environment;
mod eval;
mod explain;
mod file_id;
mod files;
mod grep;
mod interrupt;
mod learn;
mod learned;
mod matcher;
mod models;
mod near_duplicates;
mod options;
mod output;
mod peak;
mod program;
mod progress;
mod pull;
mod quantize;
mod run_facts;
mod run_record;
mod saved_checkpoint;
#[cfg(feature = "serve")]
mod serve;
mod session;
mod shell;
mod similar;
mod sorted;
mod stdout;
mod stored_embeddings;
mod summary;
mod terminal;
mod timing;
mod train;
mod transparency;
mod words;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use mobilenet::error::ImageError;
use stdout::Stdout;

/// Nothing matched.
const NO_MATCH: u8 = 1;
/// Anything went wrong, a single unreadable input included.
const FAILURE: u8 = 2;

/// Tells what pictures show, with Google's MobileNet V1.
#[derive(Debug, Parser)]
#[command(
    name = "mobilenet",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = shell::AFTER_HELP,
    args_override_self = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    global: Global,
}

/// Options of every subcommand.
#[derive(Debug, Clone, Copy, Args)]
struct Global {
    /// Say on stderr what was chosen and why
    #[arg(long, global = true)]
    verbose: bool,

    /// No progress and no warnings
    #[arg(long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Classify(classify::Arguments),
    Grep(grep::Arguments),
    Explain(explain::Arguments),
    Embed(embed::Arguments),
    Similar(similar::Arguments),
    Learn(learn::Arguments),
    Train(train::Arguments),
    Eval(eval::Arguments),
    Summary(summary::Arguments),
    Pull(pull::Arguments),
    Models(models::Arguments),
    Convert(convert::Arguments),
    Quantize(quantize::Arguments),
    Bundle(bundle::Arguments),
    #[cfg(feature = "serve")]
    Serve(serve::Arguments),
    Bench(bench::Arguments),
    Doctor(doctor::Arguments),
    Completions(shell::CompletionsArguments),
    Man(shell::ManArguments),
}

/// How a subcommand that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Everything was answered.
    Complete,
    /// Some inputs failed, each of them reported; the others were answered.
    Incomplete,
    /// Everything was answered, and nothing was found.
    NoMatch,
    /// It was asked to stop, and did.
    Interrupted,
}

/// Parses, runs, reports.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return tell(&told),
    };
    // What is left in the buffer of stdout would be lost without a word.
    let outcome = run(cli).and_then(|outcome| {
        Stdout::new().flush()?;
        Ok(outcome)
    });
    match outcome {
        Ok(Outcome::Complete) => ExitCode::SUCCESS,
        Ok(Outcome::Incomplete) => ExitCode::from(FAILURE),
        Ok(Outcome::NoMatch) => ExitCode::from(NO_MATCH),
        Ok(Outcome::Interrupted) => {
            interrupt::end_by_signal();
            ExitCode::from(FAILURE)
        }
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let text = text_of(&error);
            // Names of files and tensors may carry anything.
            let lines: Vec<_> = text.lines().map(terminal::printable).collect();
            note(&lines.join("\n"));
            for line in advice::after(&error) {
                try_this(line);
            }
            ExitCode::from(FAILURE)
        }
    }
}

/// Prints help or the version, or what is wrong with the arguments.
fn tell(told: &clap::Error) -> ExitCode {
    let text = told.render().ansi().to_string();
    let text = program::with_its_name(&text);
    let printed = if told.use_stderr() {
        anstream::stderr().write_all(text.as_bytes())
    } else {
        let mut stdout = anstream::stdout();
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
    };
    if let Some(line) = advice::after_arguments(told) {
        try_this(&line);
    }
    match printed {
        Err(error) if !told.use_stderr() && error.kind() != io::ErrorKind::BrokenPipe => {
            note(&stdout::named(error).to_string());
            ExitCode::from(FAILURE)
        }
        _ if told.use_stderr() => ExitCode::from(FAILURE),
        _ => ExitCode::SUCCESS,
    }
}

/// Says what may help.
fn try_this(line: &str) {
    let line = program::with_its_name(line);
    let _ = writeln!(io::stderr(), "  try: {line}");
}

fn run(cli: Cli) -> Result<Outcome> {
    let global = cli.global;
    match cli.command {
        Command::Classify(arguments) => classify::run(&arguments, global),
        Command::Grep(arguments) => grep::run(&arguments, global),
        Command::Explain(arguments) => explain::run(&arguments, global),
        Command::Embed(arguments) => embed::run(&arguments, global),
        Command::Similar(arguments) => similar::run(&arguments, global),
        Command::Learn(arguments) => learn::run(&arguments, global),
        Command::Summary(arguments) => summary::run(&arguments, global),
        Command::Pull(arguments) => pull::run(&arguments, global),
        Command::Models(arguments) => models::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments, global),
        Command::Quantize(arguments) => quantize::run(&arguments, global),
        Command::Bundle(arguments) => bundle::run(&arguments, global),
        Command::Eval(arguments) => eval::run(&arguments, global),
        Command::Train(arguments) => train::run(&arguments, global),
        #[cfg(feature = "serve")]
        Command::Serve(arguments) => serve::run(&arguments, global),
        Command::Bench(arguments) => bench::run(&arguments, global),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Completions(arguments) => shell::completions(&arguments),
        Command::Man(arguments) => shell::man(&arguments),
    }
}

/// Says something on stderr. Where that can't be written to there is nowhere to say so.
fn note(text: &str) {
    let (name, text) = (program::name(), program::with_its_name(text));
    let _ = writeln!(io::stderr(), "{name}: {text}");
}

/// An error and what it comes from. The library's errors say all that their own sources do.
fn text_of(error: &anyhow::Error) -> String {
    let mut parts = Vec::new();
    for cause in error.chain() {
        parts.push(match cause.downcast_ref::<io::Error>() {
            Some(error) => words::of(error),
            None => words::plain(&cause.to_string()),
        });
        if cause.is::<mobilenet::Error>() || cause.is::<ImageError>() {
            break;
        }
    }
    parts.join(": ")
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }

    /// Which the above looks at in debug builds alone, and which one then takes for the other.
    #[test]
    fn no_two_arguments_of_a_command_have_the_same_id() {
        for command in super::Cli::command().get_subcommands() {
            let mut ids: Vec<_> = command.get_arguments().map(|arg| arg.get_id()).collect();
            let count = ids.len();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), count, "{}", command.get_name());
        }
    }
}

//! `mobilenet grep`

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

use anyhow::{Context, Result, bail};
use clap::Args;
use mobilenet::labels::Labels;

use super::matcher::{Matcher, Reading};
use super::options::{PictureOptions, parse_probability};
use super::session::Session;
use super::terminal::{Terminal, printable};
use super::{Global, Outcome};

/// Print the paths of pictures whose labels match, with grep's manners
#[derive(Debug, Args)]
#[command(override_usage = "mobilenet grep [OPTIONS] PATTERN PATH...\n       \
                            mobilenet grep [OPTIONS] -e PATTERN... PATH...")]
pub struct Arguments {
    /// A regular expression over labels, in place of the first argument; may be repeated
    #[arg(
        short = 'e',
        long = "regexp",
        value_name = "PATTERN",
        help_heading = "Matching"
    )]
    patterns: Vec<String>,

    /// Ignore case [default: unless the pattern has a capital]
    #[arg(
        short,
        long,
        help_heading = "Matching",
        overrides_with = "case_sensitive"
    )]
    ignore_case: bool,

    /// Do not ignore case
    #[arg(
        short = 's',
        long,
        help_heading = "Matching",
        overrides_with = "ignore_case"
    )]
    case_sensitive: bool,

    /// Match whole words only
    #[arg(short, long, help_heading = "Matching")]
    word_regexp: bool,

    /// Print what does not match; a picture that can't be read never does
    #[arg(short = 'v', long, help_heading = "Matching")]
    invert_match: bool,

    /// How many of a picture's labels count
    #[arg(
        short = 'k',
        long,
        default_value = "5",
        value_name = "N",
        help_heading = "Matching"
    )]
    top_k: usize,

    /// The score that a label needs at least [default: 0.1]
    #[arg(long, value_name = "P", value_parser = parse_probability, help_heading = "Matching")]
    threshold: Option<f32>,

    /// Print only how many pictures match
    #[arg(short, long, help_heading = "Output")]
    count: bool,

    /// End each path with NUL, for `xargs -0`
    #[arg(short = '0', long, help_heading = "Output")]
    null: bool,

    /// Print nothing, and stop at the first match
    #[arg(short = 'q', long, help_heading = "Output")]
    silent: bool,

    #[command(flatten)]
    pictures: PictureOptions,
}

/// The score that a label needs at least.
const THRESHOLD: f32 = 0.1;

impl Arguments {
    fn matcher(&self, labels: &Labels, patterns: &[String]) -> Result<Matcher> {
        let reading = Reading {
            ignore_case: match (self.ignore_case, self.case_sensitive) {
                (false, false) => None,
                (ignore, _) => Some(ignore),
            },
            whole_words: self.word_regexp,
        };
        let threshold = self.threshold.unwrap_or(THRESHOLD);
        Matcher::labels(labels, patterns, reading, (self.top_k, threshold))
    }
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let mut pictures = arguments.pictures.clone();
    let mut patterns = arguments.patterns.clone();
    if patterns.is_empty() {
        let first = pictures.sources.take_first_path();
        let Some(pattern) = first else {
            bail!("no pattern: mobilenet grep PATTERN PATH...");
        };
        let pattern = pattern.into_string();
        patterns.push(pattern.ok().context("the pattern is not UTF-8")?);
    }
    if pictures.sources.is_empty() {
        bail!("no pictures: mobilenet grep PATTERN PATH...");
    }
    let session = Session::new(&pictures, global)?;
    let matcher = arguments.matcher(session.classifier().labels(), &patterns)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let end: &[u8] = if arguments.null { b"\0" } else { b"\n" };
    // Only a person reads a terminal.
    let readable = Terminal::of_stdout().width.is_some() && !arguments.null;
    let mut matched = 0u64;
    let tally = session.run(|answer| {
        let Ok(scores) = &answer.scores else {
            return Ok(ControlFlow::Continue(()));
        };
        if matcher.matches(scores) == arguments.invert_match {
            return Ok(ControlFlow::Continue(()));
        }
        matched += 1;
        if arguments.silent {
            return Ok(ControlFlow::Break(()));
        }
        if !arguments.count {
            match readable {
                true => out.write_all(printable(&answer.name.to_string_lossy()).as_bytes())?,
                false => out.write_all(answer.name.as_encoded_bytes())?,
            }
            out.write_all(end)?;
            out.flush()?;
        }
        Ok(ControlFlow::Continue(()))
    });
    if arguments.count && !arguments.silent {
        writeln!(out, "{matched}")?;
        out.flush()?;
    }
    if arguments.silent && matched > 0 {
        return Ok(Outcome::Complete);
    }
    Ok(match tally? {
        tally if tally.interrupted => Outcome::Interrupted,
        tally if tally.failed > 0 => Outcome::Incomplete,
        _ if matched == 0 => Outcome::NoMatch,
        _ => Outcome::Complete,
    })
}

//! `mobilenet grep`

use std::io::{self, BufWriter, IsTerminal, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::{ArgAction, Args};
use mobilenet::Classifier;
use mobilenet::labels::Labels;
use mobilenet::labels::wordnet::{Group, Hierarchy};

use super::matcher::{Matcher, Reading, unmatched};
use super::options::{LabelOptions, PictureOptions, Sources, check_shares, parse_probability};
use super::session::Session;
use super::stdout::Stdout;
use super::terminal::{Terminal, printable, printable_name};
use super::{Global, Outcome, note};

/// Print the paths of pictures whose labels match, with grep's manners
#[derive(Debug, Args)]
#[command(override_usage = "mobilenet grep [OPTIONS] PATTERN PATH...\n       \
                            mobilenet grep [OPTIONS] -e PATTERN... PATH...\n       \
                            mobilenet grep [OPTIONS] --is GROUP[,GROUP] PATH...")]
pub struct Arguments {
    /// A regular expression over labels, instead of the first argument; may be repeated
    #[arg(
        short = 'e',
        allow_hyphen_values = true,
        long = "regexp",
        value_name = "PATTERN",
        help_heading = "Matching"
    )]
    patterns: Vec<String>,

    /// Match by meaning instead of a pattern: WordNet groups such as `dog` or `vehicle`, whose score
    /// is the sum over their classes
    #[arg(long = "is", value_name = "GROUP", value_delimiter = ',', help_heading = "Matching",
          conflicts_with_all = ["patterns", "ignore_case", "case_sensitive", "word_regexp", "top_k"])]
    groups: Vec<String>,

    /// Ignore case [default: only if the pattern has no capital letter]
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

    /// Print the pictures that do not match; one that can't be read is never printed
    #[arg(short = 'v', long, help_heading = "Matching")]
    invert_match: bool,

    /// Look only at the N most probable labels of a picture
    #[arg(
        short = 'k',
        long,
        default_value = "5",
        value_name = "N",
        help_heading = "Matching"
    )]
    top_k: usize,

    /// The least score that a label or a group must have [default: 0.1; 0.5 for groups and
    /// for a sigmoid of each class]
    #[arg(long, value_name = "P", value_parser = parse_probability, help_heading = "Matching")]
    threshold: Option<f32>,

    /// Print only the number of pictures that match
    #[arg(short, long, help_heading = "Output")]
    count: bool,

    /// End each path with NUL, for `xargs -0`
    #[arg(short = '0', long, help_heading = "Output")]
    null: bool,

    /// Print nothing, and stop at the first match
    #[arg(short = 'q', long, help_heading = "Output")]
    silent: bool,

    /// Search folders too, print paths, read patterns as extended expressions: all always so,
    /// and taken from whoever is used to typing it
    #[arg(short = 'r', short_aliases = ['R', 'l', 'E'], hide = true, action = ArgAction::Count)]
    habits: u8,

    #[command(flatten)]
    labels: LabelOptions,

    #[command(flatten)]
    pictures: PictureOptions,
}

/// The score that a group needs at least.
const GROUP_THRESHOLD: f32 = 0.5;

/// What is looked for.
enum LabelQuery {
    Patterns(Vec<String>),
    Groups(Vec<&'static Group>),
}

impl Arguments {
    /// What the arguments look for; where no option says so, the first path is the pattern.
    fn wanted(&self, sources: &mut Sources, global: Global) -> Result<LabelQuery> {
        if !self.groups.is_empty() {
            let groups = self.groups.iter().map(|name| group(name, global));
            return Ok(LabelQuery::Groups(groups.collect::<Result<_>>()?));
        }
        if !self.patterns.is_empty() {
            return Ok(LabelQuery::Patterns(self.patterns.clone()));
        }
        let first = sources.take_first_path();
        let pattern = first.context("no pattern: mobilenet grep PATTERN PATH...")?;
        let pattern = pattern.into_string();
        let pattern = pattern.ok().context("the pattern is not UTF-8")?;
        Ok(LabelQuery::Patterns(vec![pattern]))
    }

    fn matcher(&self, wanted: &LabelQuery, classifier: &Arc<Classifier>) -> Result<Matcher> {
        let patterns = match wanted {
            LabelQuery::Patterns(patterns) => patterns,
            LabelQuery::Groups(groups) => {
                check_shares(classifier, "--is")?;
                let threshold = self.threshold.unwrap_or(GROUP_THRESHOLD);
                return Matcher::groups(classifier.labels(), groups, threshold);
            }
        };
        let least = (self.top_k, self.threshold);
        Matcher::labels(classifier, patterns, self.reading(), least)
    }

    fn reading(&self) -> Reading {
        Reading {
            ignore_case: match (self.ignore_case, self.case_sensitive) {
                (false, false) => None,
                (ignore, _) => Some(ignore),
            },
            whole_words: self.word_regexp,
        }
    }
}

/// A group by its name, in the word's first sense.
fn group(name: &str, global: Global) -> Result<&'static Group> {
    let (group, others) = Hierarchy::wordnet().senses(name)?;
    if global.verbose || (io::stderr().is_terminal() && !global.quiet) {
        let describe = |group: &Group| {
            let classes = group.classes().len();
            format!("{} ({}), classes: {classes}", group.wnid(), group.label())
        };
        note(&format!("{name} is {}", describe(group)));
        for other in others {
            note(&format!("  not {}", describe(other)));
        }
    }
    Ok(group)
}

/// What is said of a pattern that no label matches: names that look like it, and groups that are called so.
fn nothing_matches(labels: &Labels, pattern: &str) -> String {
    let lookup = labels.lookup();
    let words = pattern.split('|');
    let words = words.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let near: Vec<String> = words.iter().flat_map(|word| lookup.near(word)).collect();
    let groups = words.iter().filter(|word| {
        let senses = Hierarchy::wordnet().senses(word);
        senses.is_ok_and(|(group, _)| !group.members(labels).is_empty())
    });
    let groups: Vec<String> = groups.map(|word| format!("--is {word}")).collect();
    let mut text = format!("no label of this network matches {pattern:?}");
    if !near.is_empty() {
        text += &format!("; near names: {}", near.join("; "));
    }
    if !groups.is_empty() {
        text += &format!("; by meaning: {}", groups.join(", "));
    }
    text
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let mut pictures = arguments.pictures.clone();
    let wanted = arguments.wanted(&mut pictures.sources, global)?;
    ensure!(
        !pictures.sources.is_empty(),
        "no pictures: mobilenet grep PATTERN PATH..."
    );
    let inputs = pictures.inputs()?;
    let network = pictures.open(&[], global)?;
    let classifier = Arc::new(network.classifier(&arguments.labels)?);
    let matcher = arguments.matcher(&wanted, &classifier)?;
    if let LabelQuery::Patterns(patterns) = &wanted
        && (global.verbose || io::stderr().is_terminal() && !global.quiet)
    {
        for pattern in unmatched(classifier.labels(), patterns, arguments.reading())? {
            note(&printable(&nothing_matches(classifier.labels(), pattern)));
        }
    }
    let pipeline = network.pipeline(classifier.clone());
    let session = Session::new(inputs, pictures.sources.is_single(), pipeline, global);
    let mut out = BufWriter::new(Stdout::new());
    let end: &[u8] = if arguments.null { b"\0" } else { b"\n" };
    // Only a person reads a terminal.
    let readable = Terminal::of_stdout().width.is_some() && !arguments.null;
    let mut matched = 0u64;
    let tally = session.run(|answer| {
        let Ok(scores) = &answer.values else {
            return Ok(ControlFlow::Continue(()));
        };
        if matcher.matches(scores, &answer.order) == arguments.invert_match {
            return Ok(ControlFlow::Continue(()));
        }
        matched += 1;
        if arguments.silent {
            return Ok(ControlFlow::Break(()));
        }
        if !arguments.count {
            if readable {
                out.write_all(printable_name(&answer.name).as_bytes())?;
            } else {
                out.write_all(answer.name.as_encoded_bytes())?;
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
    pictures.tell_left_for_later(global);
    if arguments.silent && matched > 0 {
        return Ok(Outcome::Complete);
    }
    Ok(match tally?.outcome() {
        Outcome::Complete if matched == 0 => Outcome::NoMatch,
        outcome => outcome,
    })
}

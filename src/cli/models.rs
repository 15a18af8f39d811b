//! `mobilenet models`

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use mobilenet::model::{Config, Summary};
use mobilenet::weights::{Checkpoint, LoadOptions, OtherTraining, Store, Variant, catalogue};
use serde::Serialize;

use super::options::ReportOptions;
use super::output::write_report;
use super::stdout::Stdout;
use super::{Outcome, environment};

/// List the published networks: what they cost, how good they are, where they are
///
/// With JSON also the SHA-256 of the files that are on this machine.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Remove the weights that are kept here and print their paths; Hugging Face's cache is left to its
    /// own tools
    #[arg(long, conflicts_with_all = ["format", "json"])]
    prune: bool,

    #[command(flatten)]
    report: ReportOptions,
}

#[derive(Serialize)]
struct ModelsReport<'a> {
    variants: Vec<ModelRow>,
    /// What `--repo` can load; never used unless it is named.
    other_trainings: Vec<Other<'a>>,
}

#[derive(Serialize)]
struct ModelRow {
    alpha: f64,
    size: usize,
    parameters: u64,
    multiply_adds: u64,
    /// Percent.
    top1: f64,
    /// Where it is fetched from.
    source: String,
    /// Null where it is not on this machine.
    cached: Option<Cached>,
}

#[derive(Serialize)]
struct Cached {
    path: PathBuf,
    bytes: u64,
    sha256: Option<String>,
}

#[derive(Serialize)]
struct Other<'a> {
    repo: &'a str,
    alpha: f64,
    size: usize,
    top1: Option<f64>,
}

pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let store = environment::store(true)?;
    if arguments.prune {
        let mut out = Stdout::new();
        for path in store.remove_conversions()? {
            writeln!(out, "{}", path.display())?;
        }
        return Ok(Outcome::Complete);
    }
    let json = arguments.report.is_json();
    let variants = catalogue().variants.iter();
    let variants: Result<Vec<_>> = variants.map(|v| row(v, &store, json)).collect();
    let others = catalogue().other_trainings.iter();
    let report = ModelsReport {
        variants: variants?,
        other_trainings: others.map(Other::from).collect(),
    };
    let mut out = Stdout::new();
    if json {
        write_report(&mut out, &report)?;
    } else {
        write_text(&mut out, &report)?;
    }
    Ok(Outcome::Complete)
}

impl<'a> From<&'a OtherTraining> for Other<'a> {
    fn from(other: &'a OtherTraining) -> Self {
        let OtherTraining {
            repo,
            alpha,
            size,
            top1,
        } = other;
        Self {
            repo,
            alpha: *alpha,
            size: *size,
            top1: *top1,
        }
    }
}

fn row(variant: &Variant, store: &Store, with_digest: bool) -> Result<ModelRow> {
    let summary = Summary::new(&Config::with_alpha(variant.alpha), variant.size)?;
    let cached = store.cached(variant).and_then(|path| {
        Some(Cached {
            bytes: path.metadata().ok()?.len(),
            sha256: with_digest.then(|| sha256(&path)).flatten(),
            path,
        })
    });
    Ok(ModelRow {
        alpha: variant.alpha,
        size: variant.size,
        parameters: summary.parameters,
        multiply_adds: summary.multiply_adds,
        top1: variant.top1,
        source: store.release_address(variant),
        cached,
    })
}

/// `None` for a file that is no checkpoint any more.
fn sha256(path: &Path) -> Option<String> {
    let checkpoint = Checkpoint::open(path, &LoadOptions::default()).ok()?;
    checkpoint.sha256()
}

fn write_text(out: &mut impl Write, report: &ModelsReport) -> io::Result<()> {
    writeln!(out, "alpha  size  parameters  multiply-adds  top-1   here")?;
    for row in &report.variants {
        let here = match &row.cached {
            Some(cached) => format!("{:.1} MB", cached.bytes as f64 / 1e6),
            None => "-".into(),
        };
        writeln!(
            out,
            "{:<5}  {:<4}  {:>8.2} M  {:>11.1} M  {:.1} %  {here}",
            format!("{:?}", row.alpha),
            row.size,
            row.parameters as f64 / 1e6,
            row.multiply_adds as f64 / 1e6,
            row.top1,
        )?;
    }
    writeln!(out, "\nOther trainings, for --repo:")?;
    for other in &report.other_trainings {
        let top1 = other
            .top1
            .map_or_else(String::new, |p| format!(", {p:.1} %"));
        let Other {
            repo, alpha, size, ..
        } = other;
        writeln!(out, "  {repo}\n    alpha {alpha:?}, {size}x{size}{top1}")?;
    }
    Ok(())
}

//! `mobilenet bench`

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use candle_core::DType;
use candle_nn::VarBuilder;
use clap::Args;
use mobilenet::Isa;
use mobilenet::model::{Config, MobileNet, Precision, Summary, random_tensors, validate_size};
use mobilenet::weights::Checkpoint;
use serde::Serialize;

use super::options::{ModelOptions, ReportOptions, RunOptions, Running, computes_in};
use super::output::write_report;
use super::peak::PeakReport;
use super::stdout::Stdout;
use super::timing::{faster_than_f32, measure, pixels};
use super::{Global, Outcome};

/// Measure latency and throughput of the network on this machine
///
/// A run is one batch from pixels on the device to logits, without decoding and resizing. With another
/// --dtype than f32, f32 is measured beside it; with f32, on a CPU, what is faster. On a CPU each is
/// also put beside a loop that multiplies and adds in registers alone, on as many threads: the most that
/// the machine does with the same instructions.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Number of measured runs
    #[arg(long, default_value = "50", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    num_runs: u32,

    /// Number of runs before those
    #[arg(long, default_value = "5", value_name = "N")]
    warmup_runs: u32,

    /// Random weights, which need no download and are as fast
    #[arg(long, help_heading = "Model", conflicts_with_all = ["weights", "repo"])]
    random_weights: bool,

    /// The paper's shallow variant, with random weights
    // Each by itself: clap forgets a requirement that conflicts with what is given.
    #[arg(long, help_heading = "Model", requires = "random_weights", conflicts_with_all = ["weights", "repo"])]
    shallow: bool,

    /// Instruction set of the CPU's kernels: portable, avx2, avx512; for int8 portable, avx2, avxvnni,
    /// avx512vnni; for bf16 avx512bf16 [default: the fastest here]
    #[arg(long, value_name = "NAME", help_heading = "Running")]
    isa: Option<Isa>,

    #[command(flatten)]
    report: ReportOptions,

    #[command(flatten)]
    model: ModelOptions,

    #[command(flatten)]
    run: RunOptions,
}

#[derive(Serialize)]
struct BenchReport {
    version: &'static str,
    device: String,
    /// The devices that `auto` could not have, and why.
    passed_over: BTreeMap<String, String>,
    dtype: &'static str,
    /// The same in words.
    computes_in: String,
    /// Null where the network does not run on the CPU's kernels.
    isa: Option<&'static str>,
    alpha: f64,
    shallow: bool,
    size: usize,
    batch_size: usize,
    threads: usize,
    runs: u32,
    /// Milliseconds a batch.
    min_ms: f64,
    median_ms: f64,
    p90_ms: f64,
    /// From the median.
    images_per_second: f64,
    /// Operations that a pass gives the device; null where it has no kernels of ours.
    device_operations: Option<usize>,
    /// The device was given them all at one call, recorded before.
    replayed: bool,
    /// The median in f32, in turns with the other type; null where that is f32.
    f32_median_ms: Option<f64>,
    /// Of the types that were measured in turns with it.
    beside_median_ms: BTreeMap<&'static str, f64>,
    /// For each type, beside what a loop in registers does; empty where none runs on the CPU's kernels.
    peaks: BTreeMap<&'static str, PeakReport>,
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let running = arguments.run.start(global)?;
    let subject = Subject::open(arguments, global)?;
    let precision = running.precision(subject.checkpoint.as_ref());
    let network = subject.network(&running, precision, true)?;
    let beside = subject.beside(&running, precision)?;
    let Subject { config, size, .. } = &subject;
    let batch_size = running.batch_size.unwrap_or(1);
    let pixels = pixels(batch_size, *size, &running.device.device)?;
    let networks: Vec<&MobileNet> = std::iter::once(&network).chain(&beside).collect();
    let (warmup_runs, runs) = (arguments.warmup_runs, arguments.num_runs);
    let mut measured = measure(&networks, &pixels, warmup_runs, runs)?.into_iter();
    let times = measured.next().context("no network was measured")?;
    let medians: BTreeMap<&str, f64> = beside
        .iter()
        .zip(measured)
        .map(|(network, times)| (network.precision().name(), times.median()))
        .collect();
    let operations = 2 * Summary::new(config, *size)?.multiply_adds * batch_size as u64;
    let peaks = networks.iter().filter_map(|network| {
        let name = network.precision().name();
        let median = if network.precision() == precision {
            times.median()
        } else {
            *medians.get(name)?
        };
        let report = PeakReport::of(network, running.threads, operations, median)?;
        Some((name, report))
    });
    let passed_over = running.device.passed_over.iter();
    let report = BenchReport {
        version: env!("CARGO_PKG_VERSION"),
        device: running.device.name.to_string(),
        passed_over: passed_over
            .map(|(name, reason)| (name.to_string(), reason.clone()))
            .collect(),
        dtype: precision.name(),
        computes_in: match &subject.checkpoint {
            Some(checkpoint) if precision.is_integer() => computes_in(checkpoint, precision),
            _ => precision.to_string(),
        },
        isa: network.isa().map(Isa::name),
        alpha: config.alpha,
        shallow: config.shallow,
        size: *size,
        batch_size,
        threads: running.threads,
        runs: arguments.num_runs,
        min_ms: times.at(0.0),
        median_ms: times.median(),
        p90_ms: times.at(0.9),
        images_per_second: batch_size as f64 / (times.median() / 1e3),
        device_operations: network.device_operations(),
        replayed: network.is_replayed(),
        f32_median_ms: medians.get("f32").copied(),
        peaks: peaks.collect(),
        beside_median_ms: medians,
    };
    let mut out = Stdout::new();
    if arguments.report.is_json() {
        write_report(&mut out, &report)?;
    } else {
        write_text(&mut out, &report)?;
    }
    Ok(Outcome::Complete)
}

/// What is measured: a network that can be built in several types.
struct Subject {
    config: Config,
    size: usize,
    /// As it was asked for.
    isa: Option<Isa>,
    /// `None` for random weights.
    checkpoint: Option<Checkpoint>,
}

impl Subject {
    fn open(arguments: &Arguments, global: Global) -> Result<Self> {
        let isa = arguments.isa;
        if arguments.random_weights {
            let size = arguments.model.size_or_default();
            validate_size(size)?;
            return Ok(Self {
                config: arguments.model.config(arguments.shallow),
                size,
                isa,
                checkpoint: None,
            });
        }
        let checkpoint = arguments.model.load(global)?;
        Ok(Self {
            config: checkpoint.config().clone(),
            size: checkpoint.preprocessing().size,
            isa,
            checkpoint: Some(checkpoint),
        })
    }

    /// The same network in what else is worth knowing: f32, and beside that what the CPU computes in
    /// faster.
    fn beside(&self, running: &Running, precision: Precision) -> Result<Vec<MobileNet>> {
        let in_f32 = precision == DType::F32.into();
        let others = match (in_f32, running.device.device.is_cpu(), self.isa) {
            (false, ..) => vec![DType::F32.into()],
            // Who asks for instructions asks for one network.
            (true, true, None) => faster_than_f32(),
            (true, ..) => Vec::new(),
        };
        let networks = others.into_iter();
        // What can't be computed in integers is nothing to compare.
        let networks = networks.map(|other| self.network(running, other, false));
        match in_f32 {
            true => Ok(networks.filter_map(Result::ok).collect()),
            false => networks.collect(),
        }
    }

    /// The network in a type: the one that was asked for, or the one beside it.
    fn network(
        &self,
        running: &Running,
        precision: Precision,
        is_asked: bool,
    ) -> Result<MobileNet> {
        let device = &running.device.device;
        let available = Isa::available_for(precision);
        let isa = match self.isa {
            Some(isa) if available.contains(&isa) => Some(isa),
            Some(isa) if is_asked => {
                let names: Vec<_> = available.into_iter().map(Isa::name).collect();
                let names = names.join(", ");
                bail!("--isa {isa} has no kernels for {precision}; this machine has {names}");
            }
            _ => None,
        };
        let network = match &self.checkpoint {
            Some(checkpoint) => checkpoint.network_in(device, precision, isa)?,
            None => {
                let dtype = match precision {
                    Precision::Float(dtype) => dtype,
                    _ => DType::F32,
                };
                let tensors = random_tensors(&self.config, 0)?;
                let weights = VarBuilder::from_tensors(tensors, dtype, device);
                let builder = MobileNet::builder(&self.config, &weights).with_precision(precision);
                match isa {
                    Some(isa) => builder.with_isa(isa).build()?,
                    None => builder.build()?,
                }
            }
        };
        Ok(network.with_threads(running.threads))
    }
}

fn write_text(out: &mut impl Write, report: &BenchReport) -> io::Result<()> {
    let BenchReport {
        device,
        computes_in,
        alpha,
        size,
        batch_size,
        threads,
        runs,
        ..
    } = report;
    let shallow = if report.shallow { "shallow, " } else { "" };
    let isa = report
        .isa
        .map_or_else(String::new, |isa| format!(" ({isa})"));
    writeln!(
        out,
        "{shallow}alpha {alpha:?}, {size}x{size}, batch of {batch_size}, {computes_in} on {device}{isa}, \
         threads {threads}, runs {runs}"
    )?;
    writeln!(out, "  min     {:10.3} ms", report.min_ms)?;
    writeln!(out, "  median  {:10.3} ms", report.median_ms)?;
    writeln!(out, "  p90     {:10.3} ms", report.p90_ms)?;
    writeln!(out, "  {:.1} images per second", report.images_per_second)?;
    for (dtype, median) in &report.beside_median_ms {
        let line = match *dtype {
            "f32" => {
                let ratio = report.median_ms / median;
                let verdict = if ratio < 1.0 { "" } else { ": not faster here" };
                format!("{ratio:.2} times the {median:.3} ms of f32{verdict}")
            }
            _ => {
                let ratio = median / report.median_ms;
                format!("{median:.3} ms with --dtype {dtype}, {ratio:.2} times that")
            }
        };
        writeln!(out, "  {line}")?;
    }
    let mut peaks: Vec<_> = report.peaks.iter().collect();
    // What was asked for comes first.
    peaks.sort_by_key(|(dtype, _)| **dtype != report.dtype);
    for (dtype, peak) in peaks {
        writeln!(out, "  {dtype} does {peak}")?;
    }
    Ok(())
}

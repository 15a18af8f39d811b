//! `mobilenet bench`

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use candle_core::Tensor;
use candle_nn::VarBuilder;
use clap::Args;
use mobilenet::Isa;
use mobilenet::model::{Config, MobileNet, random_tensors, validate_size};
use serde::Serialize;

use super::options::{ModelOptions, ReportOptions, RunOptions, Running};
use super::{Global, Outcome};

/// Measure latency and throughput of the network on this machine
///
/// A run is one batch from scaled pixels to logits; decoding and resizing are not in it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Runs that are measured
    #[arg(long, default_value = "50", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    num_runs: u32,

    /// Runs before those
    #[arg(long, default_value = "5", value_name = "N")]
    warmup_runs: u32,

    /// Random weights, which need no download and are as fast
    #[arg(long, help_heading = "Model", conflicts_with_all = ["weights", "repo"])]
    random_weights: bool,

    /// The paper's shallow variant, with random weights
    #[arg(long, help_heading = "Model", requires = "random_weights")]
    shallow: bool,

    /// Instruction set of the CPU's kernels: portable, avx2, avx512 [default: the fastest here]
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
struct Report {
    version: &'static str,
    device: String,
    /// The devices that `auto` could not have, and why.
    passed_over: BTreeMap<String, String>,
    dtype: &'static str,
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
}

pub fn run(arguments: &Arguments, global: Global) -> Result<Outcome> {
    let running = arguments.run.start(global)?;
    let (network, config, size) = network(arguments, &running, global)?;
    let batch_size = running.batch_size.unwrap_or(1);
    let shape = (batch_size, 3, size, size);
    let pixels = Tensor::rand(-1f32, 1f32, shape, &running.device.device)?;
    for _ in 0..arguments.warmup_runs {
        once(&network, &pixels)?;
    }
    let mut times = Vec::new();
    for _ in 0..arguments.num_runs {
        times.push(once(&network, &pixels)?);
    }
    times.sort_unstable();
    let at = |part: f64| {
        let index = ((times.len() - 1) as f64 * part).round() as usize;
        times[index].as_secs_f64() * 1e3
    };
    // Of an even number of runs, halfway between the two in the middle.
    let middle = times.len() / 2;
    let median = (times[middle] + times[(times.len() - 1) / 2]).as_secs_f64() * 1e3 / 2.0;
    let passed_over = running.device.passed_over.iter();
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        device: running.device.name.to_string(),
        passed_over: passed_over
            .map(|(name, reason)| (name.to_string(), reason.clone()))
            .collect(),
        dtype: running.dtype.as_str(),
        isa: network.isa().map(Isa::name),
        alpha: config.alpha,
        shallow: config.shallow,
        size,
        batch_size,
        threads: running.threads,
        runs: arguments.num_runs,
        min_ms: at(0.0),
        median_ms: median,
        p90_ms: at(0.9),
        images_per_second: batch_size as f64 / (median / 1e3),
    };
    let mut out = io::stdout().lock();
    if arguments.report.is_json() {
        serde_json::to_writer_pretty(&mut out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        write_text(&mut out, &report)?;
    }
    Ok(Outcome::Complete)
}

fn network(
    arguments: &Arguments,
    running: &Running,
    global: Global,
) -> Result<(MobileNet, Config, usize)> {
    let (device, dtype) = (&running.device.device, running.dtype);
    let isa = arguments.isa.unwrap_or_else(Isa::detect);
    if arguments.random_weights {
        let config = arguments.model.config(arguments.shallow);
        let size = arguments.model.size_or_default();
        validate_size(size)?;
        let tensors = random_tensors(&config, 0)?;
        let weights = VarBuilder::from_tensors(tensors, dtype, device);
        return Ok((MobileNet::with_isa(&config, &weights, isa)?, config, size));
    }
    let checkpoint = arguments.model.load(global)?;
    let weights = checkpoint.weights(device, dtype)?;
    let network = MobileNet::with_isa(checkpoint.config(), &weights, isa)?;
    let size = checkpoint.preprocessing().size;
    Ok((network, checkpoint.config().clone(), size))
}

/// One batch, until its logits are on the CPU.
fn once(network: &MobileNet, pixels: &Tensor) -> Result<Duration> {
    let start = Instant::now();
    let logits: Vec<Vec<f32>> = network.forward(pixels)?.to_vec2()?;
    std::hint::black_box(logits);
    Ok(start.elapsed())
}

fn write_text(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let Report {
        device,
        dtype,
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
        "{shallow}alpha {alpha:?}, {size}x{size}, batch of {batch_size}, {dtype} on {device}{isa}, \
         threads {threads}, runs {runs}"
    )?;
    writeln!(out, "  min     {:10.3} ms", report.min_ms)?;
    writeln!(out, "  median  {:10.3} ms", report.median_ms)?;
    writeln!(out, "  p90     {:10.3} ms", report.p90_ms)?;
    writeln!(out, "  {:.1} images per second", report.images_per_second)
}

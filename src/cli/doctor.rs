//! `mobilenet doctor`

use std::collections::BTreeMap;
use std::env::consts::{ARCH, OS};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use clap::Args;
use mobilenet::device::{self, DeviceChoice};
use mobilenet::model::{Config, MobileNet, PUBLISHED_SIZES, Precision, random_tensors};
use mobilenet::weights::{LoadOptions, Store, catalogue, without_credentials};
use mobilenet::{Isa, PassedOver, processor_features};
use serde::Serialize;

use super::environment;
use super::options::{ModelOptions, ReportOptions, computes_in, default_threads};
use super::output::write_report;
use super::stdout::Stdout;
use super::terminal::printable;
use super::timing::{Times, faster_than_f32, measure, pixels};
use super::{Outcome, text_of};

/// Show what this build and this machine can do
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    report: ReportOptions,
}

#[derive(Serialize)]
struct DoctorReport {
    version: &'static str,
    target: String,
    features: Vec<&'static str>,
    threads: usize,
    instruction_sets: Vec<&'static str>,
    kernels: KernelsReport,
    devices: Vec<DeviceReport>,
    /// What `--device auto` takes.
    auto: String,
    /// The network inside of this program, if it is a bundle.
    bundled: Option<String>,
    /// Null where the environment says something impossible; then `problem` says what.
    weights: Option<WeightsReport>,
    problem: Option<String>,
    environment: Vec<(String, String)>,
}

/// The instruction sets that the CPU's kernels use here.
#[derive(Serialize)]
struct KernelsReport {
    f32: &'static str,
    int8: &'static str,
    /// Null where the processor has no instructions for it.
    bf16: Option<&'static str>,
    /// For each of the three, faster ones and what this processor lacks for them.
    passed_over: BTreeMap<&'static str, Vec<PassedOver>>,
    /// How long a pass takes here, of alpha 0.25, in parts of what f32 takes.
    times_f32: BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
struct DeviceReport {
    name: String,
    available: bool,
    reason: Option<String>,
}

#[derive(Serialize)]
struct WeightsReport {
    cache: FolderReport,
    hub_cache: FolderReport,
    hub_endpoint: String,
    hub_repo: Option<String>,
    release_url: String,
    offline: bool,
    cached_variants: Vec<String>,
}

#[derive(Serialize)]
struct FolderReport {
    path: String,
    exists: bool,
}

impl FolderReport {
    fn new(path: &Path) -> Self {
        Self {
            path: path.display().to_string(),
            exists: path.is_dir(),
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let report = examine()?;
    let mut out = io::BufWriter::new(Stdout::new());
    if arguments.report.is_json() {
        write_report(&mut out, &report)?;
    } else {
        write_text(&mut out, &report)?;
    }
    out.flush()?;
    Ok(Outcome::Complete)
}

fn examine() -> Result<DoctorReport> {
    let devices = device::probe().into_iter();
    let devices = devices.map(|(name, result)| DeviceReport {
        name: name.to_string(),
        available: result.is_ok(),
        reason: result.err(),
    });
    let (weights, problem) = match environment::store(false) {
        Ok(store) => (Some(weights(&store)), None),
        Err(error) => (None, Some(text_of(&error))),
    };
    Ok(DoctorReport {
        version: env!("CARGO_PKG_VERSION"),
        target: format!("{ARCH}-{OS}"),
        features: features(),
        threads: default_threads(),
        instruction_sets: processor_features(),
        kernels: KernelsReport {
            f32: Isa::detect().name(),
            int8: Isa::detect_for(Precision::Int8)?.name(),
            bf16: Isa::detect_for(DType::BF16.into()).ok().map(Isa::name),
            passed_over: passed_over(),
            times_f32: times_f32()?,
        },
        devices: devices.collect(),
        auto: device::open(DeviceChoice::Auto)?.name.to_string(),
        bundled: bundled()?,
        weights,
        problem,
        environment: variables(),
    })
}

/// The instruction sets that would be faster, if the processor had them.
fn passed_over() -> BTreeMap<&'static str, Vec<PassedOver>> {
    let all = [DType::F32.into(), Precision::Int8, DType::BF16.into()];
    let one = |precision: Precision| (precision.name(), Isa::passed_over(precision));
    all.into_iter().map(one).collect()
}

/// How long a small network takes in what is faster than f32, beside that.
fn times_f32() -> Result<BTreeMap<&'static str, f64>> {
    let (config, device) = (Config::with_alpha(0.25), Device::Cpu);
    let tensors = random_tensors(&config, 0)?;
    let weights = VarBuilder::from_tensors(tensors, DType::F32, &device);
    let precisions = std::iter::once(DType::F32.into()).chain(faster_than_f32());
    let networks = precisions.map(|precision| {
        let builder = MobileNet::builder(&config, &weights).with_precision(precision);
        Ok(builder.build()?.with_threads(default_threads()))
    });
    let networks: Vec<MobileNet> = networks.collect::<Result<_>>()?;
    let pixels = pixels(1, PUBLISHED_SIZES[0], &device)?;
    let times = measure(&networks.iter().collect::<Vec<_>>(), &pixels, 3, 20)?;
    let medians: Vec<f64> = times.iter().map(Times::median).collect();
    let others = networks.iter().zip(&medians).skip(1);
    Ok(others
        .map(|(network, median)| (network.precision().name(), median / medians[0]))
        .collect())
}

/// The cargo features that this build has.
fn features() -> Vec<&'static str> {
    [
        ("cuda", cfg!(feature = "cuda")),
        ("metal", cfg!(feature = "metal")),
    ]
    .into_iter()
    .filter_map(|(name, has)| has.then_some(name))
    .collect()
}

/// What the weights inside of this program are of.
fn bundled() -> Result<Option<String>> {
    let checkpoint = ModelOptions::bundled(&LoadOptions::default())?;
    Ok(checkpoint.map(|checkpoint| {
        let config = checkpoint.config();
        let size = checkpoint.preprocessing().size;
        let classes = match config.classes {
            Some(classes) => format!("{classes} classes"),
            None => "no classifier".into(),
        };
        let precision = checkpoint.default_precision(&Device::Cpu);
        format!(
            "MobileNet V1, alpha {:?}, {size}x{size}, {classes}, {}",
            config.alpha,
            computes_in(&checkpoint, precision)
        )
    }))
}

fn weights(store: &Store) -> WeightsReport {
    let variants = catalogue().variants.iter();
    let cached = variants.filter(|variant| store.cached(variant).is_some());
    WeightsReport {
        cache: FolderReport::new(&store.cache),
        hub_cache: FolderReport::new(&store.hub.cache),
        hub_endpoint: without_credentials(&store.hub.endpoint),
        hub_repo: store.hub_repo.as_ref().map(ToString::to_string),
        release_url: without_credentials(&store.release_url),
        offline: store.offline,
        cached_variants: cached.map(ToString::to_string).collect(),
    }
}

/// The variables that are set; a token's value is nobody's business.
fn variables() -> Vec<(String, String)> {
    let set = environment::VARIABLES.into_iter().filter_map(|(name, _)| {
        let value = environment::text(name)?;
        let value = match name {
            "HF_TOKEN" => "(set)".into(),
            _ => without_credentials(&value),
        };
        Some((name.to_owned(), value))
    });
    set.collect()
}

fn write_text(out: &mut impl Write, report: &DoctorReport) -> io::Result<()> {
    let mut line = |name: &str, value: &str| {
        let value = printable(value);
        writeln!(out, "{name:<21}  {value}")
    };
    let or_none = |list: &[&str]| match list {
        [] => "none".to_owned(),
        list => list.join(" "),
    };
    line("version", report.version)?;
    line("target", &report.target)?;
    line("features", &or_none(&report.features))?;
    line("threads", &report.threads.to_string())?;
    line("instruction sets", &or_none(&report.instruction_sets))?;
    let KernelsReport {
        f32,
        int8,
        bf16,
        passed_over,
        times_f32,
    } = &report.kernels;
    for (precision, taken) in [("f32", Some(*f32)), ("int8", Some(*int8)), ("bf16", *bf16)] {
        let taken = taken.unwrap_or("none");
        let faster = passed_over.get(precision).map_or(&[][..], Vec::as_slice);
        let reasons: Vec<_> = faster.iter().map(PassedOver::to_string).collect();
        let value = match (taken, reasons.as_slice()) {
            ("none" | "portable", []) => format!("{taken} (there are no others for {ARCH})"),
            (_, []) => taken.to_owned(),
            (_, reasons) => format!("{taken} ({})", reasons.join("; ")),
        };
        line(&format!("kernels for {precision}"), &value)?;
    }
    let times = times_f32.iter();
    let times = times.map(|(dtype, ratio)| format!("{ratio:.2} times f32 with --dtype {dtype}"));
    line("time of a pass", &times.collect::<Vec<_>>().join(", "))?;
    for device in &report.devices {
        let reason = device.reason.as_deref().unwrap_or("available");
        line(&format!("device {}", device.name), reason)?;
    }
    line("device auto", &format!("takes {}", report.auto))?;
    if let Some(bundled) = &report.bundled {
        line("bundled", bundled)?;
    }

    if let Some(problem) = &report.problem {
        line("problem", problem)?;
    }
    for (name, value) in &report.environment {
        line(name, value)?;
    }
    let Some(weights) = &report.weights else {
        return Ok(());
    };
    let folder = |folder: &FolderReport| {
        if folder.exists {
            folder.path.clone()
        } else {
            format!("{} (not there yet)", folder.path)
        }
    };
    line("cache", &folder(&weights.cache))?;
    line("hub cache", &folder(&weights.hub_cache))?;
    line("hub", &weights.hub_endpoint)?;
    let repo = weights.hub_repo.as_deref().unwrap_or("none configured");
    line("hub repository", repo)?;
    line("release", &weights.release_url)?;
    line("offline", if weights.offline { "yes" } else { "no" })?;
    let cached = match weights.cached_variants.as_slice() {
        [] => "no published variant".to_owned(),
        variants => variants.join("; "),
    };
    line("cached", &cached)
}

//! What it runs on.

use anyhow::Result;
use candle_core::DType;
use clap::{Args, ValueEnum};
use mobilenet::device::{self, DeviceChoice, OpenedDevice};
use mobilenet::model::Precision;
use mobilenet::weights::{Checkpoint, Integers};

use crate::cli::{Global, note};

/// What it runs on.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Running")]
pub struct RunOptions {
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceChoice,

    /// Number of threads [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Number of pictures that go through the network together [default: 1 on the CPU, where more
    /// are no faster, and 32 on a GPU; bench: 1]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub batch_size: Option<u16>,

    /// What to compute in [default: f32, and the integers of a quantised file on CPUs]. int8, on CPUs,
    /// is up to three times as fast and changes the first label of 4 (alpha 0.5) to 10 (alpha 0.25)
    /// pictures in 100; of a quantised file it is its own integers, as LiteRT computes them, and
    /// int8-reference what LiteRT's reference kernels make of them. bf16, on CPUs with AVX-512 BF16 or Arm's, is up
    /// to 1.9 times as fast and changes the first label of 2 to 8 in 100. f16 and bf16, on GPUs, change
    /// scores by up to 0.02 and 0.1
    #[arg(long, value_name = "TYPE")]
    pub dtype: Option<DTypeName>,
}

/// `--dtype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DTypeName {
    F32,
    Int8,
    Int8Reference,
    F16,
    Bf16,
}

/// What [`RunOptions`] came to.
pub struct Running {
    pub device: OpenedDevice,
    /// As it was asked for.
    asked: Option<Precision>,
    pub threads: usize,
    /// As it was asked for.
    pub batch_size: Option<usize>,
}

impl RunOptions {
    /// Opens the device and starts the threads.
    pub fn start(&self, global: Global) -> Result<Running> {
        let asked: Option<Precision> = self.dtype.map(|dtype| match dtype {
            DTypeName::F32 => DType::F32.into(),
            DTypeName::F16 => DType::F16.into(),
            DTypeName::Bf16 => DType::BF16.into(),
            DTypeName::Int8 => Precision::Int8,
            DTypeName::Int8Reference => Precision::Int8Reference,
        });
        let device = match (self.device, asked) {
            // The CPU is the only one that can.
            (DeviceChoice::Auto, Some(precision)) if precision.is_integer() => DeviceChoice::Cpu,
            (device, _) => device,
        };
        let device = device::open(device)?;
        if let Some(precision) = asked {
            device::check_precision(&device, precision)?;
        }
        if asked == Some(DType::BF16.into()) && !global.quiet {
            note(match device.name {
                DeviceChoice::Cpu => {
                    "bf16 moves scores by up to 0.3, most by less than 0.01; --dtype f32 does not"
                }
                _ => "bf16 moves scores by up to 0.1; --dtype f16, as small, by 0.02",
            });
        }
        let threads = match self.threads {
            Some(threads) => threads.into(),
            None => default_threads(),
        };
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()?;
        if global.verbose {
            for (name, reason) in &device.passed_over {
                note(&format!("not on {name}: {reason}"));
            }
            note(&format!("on {}, threads {threads}", device.name));
        }
        Ok(Running {
            device,
            asked,
            threads,
            batch_size: self.batch_size.map(usize::from),
        })
    }
}

impl Running {
    /// What to compute in: as it was asked for, else as the checkpoint has it.
    pub fn precision(&self, checkpoint: Option<&Checkpoint>) -> Precision {
        let usual = || match checkpoint {
            Some(checkpoint) => checkpoint.default_precision(&self.device.device),
            None => DType::F32.into(),
        };
        self.asked.unwrap_or_else(usual)
    }

    /// The same for what is to be put into a network of floats.
    pub fn precision_for_floats(&self) -> Precision {
        self.asked.unwrap_or_else(|| DType::F32.into())
    }
}

/// What a checkpoint computes in, in words.
pub fn computes_in(checkpoint: &Checkpoint, precision: Precision) -> String {
    match (checkpoint.integers(), precision.is_integer()) {
        (Integers::Own, true) => format!("{precision}, the file's own"),
        (Integers::NotUnderstood(reason), _) => {
            format!("{precision}: not in the file's own integers, since {reason}")
        }
        _ => precision.to_string(),
    }
}

/// As many threads as the machine, or the container, lets run at once.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

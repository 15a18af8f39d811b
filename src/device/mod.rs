//! The device that a network runs on, chosen at run time.

#[cfg(feature = "cuda")]
pub(crate) mod cuda;
#[cfg(all(
    feature = "cuda",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod lazy;
pub(crate) mod reason;

use std::fmt;
use std::str::FromStr;

use candle_core::{DType, Device};

use crate::cpu::Isa;
#[cfg(feature = "metal")]
use crate::error::without_backtrace;
use crate::error::{DeviceErrorKind, Error, Result};
use crate::model::Precision;

/// A device as a user asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first GPU that this build and this machine have, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA GPU of that number.
    Cuda(usize),
    /// The Apple GPU.
    Metal,
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            other => other
                .strip_prefix("cuda:")
                .and_then(|n| n.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| "expected auto, cpu, cuda, cuda:N or metal".into()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

/// A device that was opened, and how it came to be chosen.
#[derive(Debug, Clone)]
pub struct OpenedDevice {
    /// The device.
    pub device: Device,
    /// Its name: `cpu`, `cuda`, `cuda:1`, `metal`.
    pub name: DeviceChoice,
    /// The devices that `auto` could not have, and why.
    pub passed_over: Vec<(DeviceChoice, String)>,
}

/// Opens a device. One that was asked for by name is that one or an error; `auto` falls back
/// to the CPU.
///
/// On an NVIDIA GPU the process keeps the memory that it has had until it ends, for what comes next.
///
/// # Errors
/// [`Error::Device`] says why the device can't be had.
pub fn open(choice: DeviceChoice) -> Result<OpenedDevice> {
    let mut passed_over = Vec::new();
    let candidates = match choice {
        DeviceChoice::Auto => vec![
            DeviceChoice::Cuda(0),
            DeviceChoice::Metal,
            DeviceChoice::Cpu,
        ],
        named => vec![named],
    };
    for name in candidates {
        match open_one(name) {
            Ok(device) => {
                return Ok(OpenedDevice {
                    device,
                    name,
                    passed_over,
                });
            }
            Err(reason) => passed_over.push((name, reason)),
        }
    }
    let reasons = passed_over
        .iter()
        .map(|(name, reason)| format!("device {name}: {reason}"));
    Err(Error::Device {
        device: choice,
        kind: if is_built_in(choice) {
            DeviceErrorKind::Unavailable
        } else {
            DeviceErrorKind::NotBuilt
        },
        reason: reasons.collect::<Vec<_>>().join("\n"),
    })
}

/// Every device that the program knows, and why it can't be had where it can't.
pub fn probe() -> Vec<(DeviceChoice, std::result::Result<(), String>)> {
    [
        DeviceChoice::Cpu,
        DeviceChoice::Cuda(0),
        DeviceChoice::Metal,
    ]
    .map(|choice| (choice, open_one(choice).map(|_| ())))
    .into()
}

/// Whether this build knows a device.
fn is_built_in(choice: DeviceChoice) -> bool {
    match choice {
        DeviceChoice::Auto | DeviceChoice::Cpu => true,
        DeviceChoice::Cuda(_) => cfg!(feature = "cuda"),
        DeviceChoice::Metal => cfg!(feature = "metal"),
    }
}

fn open_one(choice: DeviceChoice) -> std::result::Result<Device, String> {
    match choice {
        DeviceChoice::Auto | DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(number) => open_cuda(number),
        DeviceChoice::Metal => open_metal(),
    }
}

#[cfg(feature = "cuda")]
fn open_cuda(number: usize) -> std::result::Result<Device, String> {
    cuda::open(number)
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_: usize) -> std::result::Result<Device, String> {
    Err("this build is without CUDA (build it with `--features cuda`)".into())
}

#[cfg(feature = "metal")]
fn open_metal() -> std::result::Result<Device, String> {
    let device = Device::new_metal(0).map_err(without_backtrace)?;
    try_out(&device).map_err(without_backtrace)?;
    Ok(device)
}

#[cfg(not(feature = "metal"))]
fn open_metal() -> std::result::Result<Device, String> {
    Err("this build is without Metal (build it on a Mac with `--features metal`)".into())
}

/// Has a GPU compute something and looks at what comes back, so that what is wrong with it is known
/// before the work begins.
#[cfg(any(feature = "cuda", feature = "metal"))]
fn try_out(device: &Device) -> candle_core::Result<()> {
    let found: Vec<f32> = candle_core::Tensor::new(&[1f32, 2.0], device)?
        .affine(2.0, 1.0)?
        .to_vec1()?;
    match found[..] {
        [3.0, 5.0] => Ok(()),
        _ => candle_core::bail!("the GPU computes {found:?} where it should be [3.0, 5.0]"),
    }
}

/// Checks that a network can compute in `precision` on a device.
///
/// # Errors
/// [`Error::Device`] names what it can compute in.
pub fn check_precision(device: &OpenedDevice, precision: Precision) -> Result<()> {
    use Precision::{Float, Int8, Int8Reference};
    let can = match (device.name, precision) {
        (_, Float(DType::F32)) => return Ok(()),
        (DeviceChoice::Cpu, Int8 | Int8Reference | Float(DType::BF16)) => {
            return Isa::detect_for(precision).map(|_| ());
        }
        (DeviceChoice::Cpu, _) if Isa::available_for(DType::BF16.into()).is_empty() => {
            "f32 and int8"
        }
        (DeviceChoice::Cpu, _) => "f32, bf16 and int8",
        (_, Float(DType::F16 | DType::BF16)) => return Ok(()),
        _ => "f32, f16 and bf16",
    };
    let device = device.name;
    Err(Error::Device {
        device,
        kind: DeviceErrorKind::UnsupportedType,
        reason: format!("device {device} computes in {can}, not in {precision}"),
    })
}

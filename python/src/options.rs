//! Arguments to the library's types, by the words that the program has for them.

use std::path::PathBuf;

use mobilenet::DType;
use mobilenet::device::{self, DeviceChoice, OpenedDevice};
use mobilenet::labels::Labels;
use mobilenet::model::{Precision, validate_size};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::raised;

/// The most threads, or pictures in a batch, that can be asked for.
const MOST: i64 = 1024;

/// The type to compute in that a word means.
pub fn precision(name: &str) -> PyResult<Precision> {
    let all = [
        DType::F32.into(),
        DType::F16.into(),
        DType::BF16.into(),
        Precision::Int8,
        Precision::Int8Reference,
    ];
    let found = all.iter().find(|precision| precision.name() == name);
    found.copied().ok_or_else(|| {
        let names = all.map(Precision::name).join(", ");
        PyValueError::new_err(format!("dtype {name:?}: expected one of {names}"))
    })
}

/// The device that a word means, opened for a network in this type.
pub fn device(name: &str, precision: Option<Precision>) -> PyResult<OpenedDevice> {
    let choice = name.parse();
    let choice =
        choice.map_err(|reason| PyValueError::new_err(format!("device {name:?}: {reason}")))?;
    let choice = match (choice, precision) {
        // The CPU is the only one that can.
        (DeviceChoice::Auto, Some(precision)) if precision.is_integer() => DeviceChoice::Cpu,
        (choice, _) => choice,
    };
    device::open(choice).map_err(|error| raised(&error))
}

/// How many of something, from 1.
pub fn count(argument: &str, number: Option<i64>) -> PyResult<Option<usize>> {
    let Some(number) = number else {
        return Ok(None);
    };
    let count = usize::try_from(number).ok();
    let count = count.filter(|_| (1..=MOST).contains(&number));
    let wrong = || PyValueError::new_err(format!("{argument} {number}: expected 1 to {MOST}"));
    count.map(Some).ok_or_else(wrong)
}

/// The side of a network's input.
pub fn size(pixels: Option<i64>) -> PyResult<Option<usize>> {
    let Some(pixels) = pixels else {
        return Ok(None);
    };
    let size = usize::try_from(pixels)
        .map_err(|_| PyValueError::new_err(format!("size {pixels}: expected pixels")))?;
    validate_size(size).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(Some(size))
}

/// How many labels of each picture.
pub fn top(number: i64) -> PyResult<usize> {
    let wrong = || PyValueError::new_err(format!("top {number}: expected 0 or more"));
    usize::try_from(number).map_err(|_| wrong())
}

/// A probability.
pub fn threshold(number: Option<f32>) -> PyResult<Option<f32>> {
    match number {
        Some(number) if !(0.0..=1.0).contains(&number) => Err(PyValueError::new_err(format!(
            "threshold {number}: expected 0 to 1"
        ))),
        number => Ok(number),
    }
}

/// The names of the classes.
#[derive(FromPyObject)]
pub enum LabelNames {
    /// One a class.
    #[pyo3(transparent, annotation = "list[str]")]
    Names(Vec<String>),
    /// A file of them.
    #[pyo3(transparent, annotation = "str | os.PathLike[str]")]
    File(PathBuf),
}

impl LabelNames {
    /// The labels of a network of so many classes.
    pub fn labels(self, classes: usize) -> mobilenet::Result<Labels> {
        match self {
            Self::Names(names) => Ok(Labels::named(names)),
            Self::File(path) => Labels::open(path, classes),
        }
    }
}

//! Rows as Python's values, by way of the text that the program writes: so they are those of `--jsonl` to
//! the last digit, and the keys are the library's.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;
use serde::Serialize;

use crate::errors::Error;

/// A value's text.
pub fn text(value: &impl Serialize) -> PyResult<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::new_err(error.to_string()))
}

/// What Python reads of it.
pub fn value<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let loads = LOADS.import(py, "json", "loads")?;
    loads.call1((PyBytes::new(py, text),))
}

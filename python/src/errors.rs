//! What goes wrong, as Python's exceptions.

use mobilenet::error::in_words;
use mobilenet::pipeline;
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyOSError};

create_exception!(
    mobilenet,
    Error,
    PyException,
    "A checkpoint, a device or a network that can't be used, and why."
);

/// The exception of a library's error: the system's own (`FileNotFoundError` and its kin) where a file can't
/// be read, else [`Error`].
pub fn raised(error: &mobilenet::Error) -> PyErr {
    if let mobilenet::Error::Io { path, source, .. } = error
        && let Some(number) = source.raw_os_error()
    {
        let path = path.clone().into_os_string();
        return PyOSError::new_err((number, in_words(source), path));
    }
    Error::new_err(error.to_string())
}

/// The exception of what ends a run over pictures.
pub fn ended(error: &pipeline::Error) -> PyErr {
    match error {
        pipeline::Error::Model(error) => raised(error),
        other => Error::new_err(other.to_string()),
    }
}

//! The library for Python: `import mobilenet` ([docs/python.md](../../docs/python.md)).
//!
//! What it hands out is what the library says, in Python's types; `mobilenet/` beside this has the types for
//! checkers. Work goes on without the interpreter's lock, and the threads that do it never take it.

mod arrays;
mod classifier;
mod errors;
mod fork;
mod json;
mod options;
mod rows;
mod run;

use pyo3::prelude::*;

/// What `mobilenet/__init__.py` takes its names from.
#[pymodule]
mod _mobilenet {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::classifier::Classifier;
    #[pymodule_export]
    use super::errors::Error;
    #[pymodule_export]
    use super::rows::Rows;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

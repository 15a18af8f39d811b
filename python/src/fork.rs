//! Processes that were forked from one that had used the library.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::PyResult;

use crate::errors::Error;

/// The process that first used the library; 0 before that.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Refuses to work in the child of a fork: the threads that share a network's work stayed with the parent, and
/// would be waited for without end.
pub fn check() -> PyResult<()> {
    let this = process::id();
    match OWNER.compare_exchange(0, this, Ordering::Relaxed, Ordering::Relaxed) {
        Err(owner) if owner != this => Err(Error::new_err(
            "this process was forked from one that had used mobilenet, whose threads it does not have: use \
             multiprocessing's \"spawn\" or \"forkserver\", or load the network in the children alone",
        )),
        _ => Ok(()),
    }
}

//! The command `atomic-arrow`, which the package carries.

use std::ffi::OsString;

use pyo3::prelude::*;

use crate::work::contained;

/// Runs the command with its arguments, its own name first, and gives its exit code.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, args: Vec<OsString>) -> PyResult<u8> {
    // It listens to the library itself.
    let done = py.detach(|| contained(|| atomic_arrow_cli::run(args)));
    done.map_err(|panicked| panicked.raise(py))
}

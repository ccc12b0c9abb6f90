//! The command `atomic-arrow`, which the package carries.

use std::ffi::OsString;

use pyo3::prelude::*;

use crate::work::detached;

/// Runs the command with its arguments, its own name first, and gives its exit code.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, args: Vec<OsString>) -> PyResult<u8> {
    detached(py, || atomic_arrow_cli::run(args))
}

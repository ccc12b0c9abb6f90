//! Paths as Python gets them, on a disk or in an object store.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use atomic_arrow::is_object_store_url;
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;

/// A path. Python gets it as a `Path`; or, where it is the URL of what is in an object store, which a `Path` would not keep
/// as it is, as a `str`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place(PathBuf);

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Place(path)
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Place(path.to_owned())
    }
}

impl Deref for Place {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl<'py> IntoPyObject<'py> for &Place {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match is_object_store_url(&self.0) {
            true => self.0.as_os_str().into_bound_py_any(py),
            false => self.0.as_path().into_bound_py_any(py),
        }
    }
}

impl<'py> IntoPyObject<'py> for Place {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        (&self).into_pyobject(py)
    }
}

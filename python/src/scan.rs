//! How far a look at what is on disk has come, told to a function of Python.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atomic_arrow::ScanProgress as Counts;
use pyo3::prelude::*;

use crate::settle::Signals;
use crate::table::{bytes, plural};
use crate::work::Meanwhile;

/// How far :func:`verify`, :func:`inspect` or :func:`recover` has come.
#[pyclass(frozen, module = "atomic_arrow")]
pub(crate) struct ScanProgress(Counts);

#[pymethods]
impl ScanProgress {
    /// Files that were looked at; in a recovery the staging files and transactions.
    #[getter]
    fn files(&self) -> u64 {
        self.0.files
    }

    /// The bytes of these files; in a recovery, which does not ask for sizes, 0.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    fn __repr__(&self) -> String {
        let (files, bytes) = (plural(self.0.files, "file"), bytes(self.0.bytes));
        format!("<ScanProgress: {files}, {bytes}>")
    }
}

/// Calls a function of Python, if there is one, with how far it has come.
pub(crate) fn tell(py: Python<'_>, call: Option<&Py<PyAny>>, counts: Counts) -> PyResult<()> {
    match call {
        Some(call) => call.call1(py, (ScanProgress(counts),)).map(drop),
        None => Ok(()),
    }
}

/// The counts of a scan that the calling thread tells Python of while it waits and heeds signals.
pub(crate) struct Told<'a> {
    pub(crate) signals: &'a Signals,
    pub(crate) call: Option<Py<PyAny>>,
    counts: Arc<Mutex<Counts>>,
    heard: Mutex<Counts>,
}

impl<'a> Told<'a> {
    pub(crate) fn new(signals: &'a Signals, call: Option<Py<PyAny>>) -> Self {
        Told {
            signals,
            call,
            counts: Arc::default(),
            heard: Mutex::default(),
        }
    }

    /// The callback by which the library tells.
    pub(crate) fn listener(&self) -> impl Fn(Counts) + Send + Sync + use<> {
        let counts = Arc::clone(&self.counts);
        move |now| *lock(&counts) = now
    }
}

impl Meanwhile for Told<'_> {
    fn tick(&self, py: Python<'_>) -> PyResult<()> {
        self.signals.tick(py)?;
        let counts = *lock(&self.counts);
        match std::mem::replace(&mut *lock(&self.heard), counts) == counts {
            true => Ok(()),
            false => tell(py, self.call.as_ref(), counts),
        }
    }

    fn stop(&self) -> &AtomicBool {
        self.signals.stop()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

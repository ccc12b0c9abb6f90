//! What a writer tells Python while it works: its files, and how far it has come.
//!
//! The library tells it from any thread; it is kept here until the calling thread looks up, which then
//! calls Python's functions. What they raise ends the write.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use atomic_arrow::receipt::FileRecord as Record;
use atomic_arrow::{DatasetWriterBuilder, Progress as Counts, Step};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::receipt::{FileRecord, Progress};
use crate::work::Meanwhile;

/// How long the library waits before it looks again whether Python has heard of all files.
const PATIENCE: Duration = Duration::from_millis(1);

/// What the library has told and Python has not heard.
#[derive(Debug, Default)]
struct Told {
    stop: AtomicBool,
    counts: Mutex<Counts>,
    files: Mutex<Vec<Record>>,
    /// Of how many files Python has not heard, or is just hearing.
    untold: AtomicUsize,
}

/// The functions of Python that are called, and what is to be told them.
pub(crate) struct Calls {
    told: Arc<Told>,
    heard: Mutex<Counts>,
    on_file: Option<Py<PyAny>>,
    on_progress: Option<Py<PyAny>>,
}

impl Calls {
    pub(crate) fn new(on_file: Option<Py<PyAny>>, on_progress: Option<Py<PyAny>>) -> Self {
        Calls {
            told: Arc::default(),
            heard: Mutex::default(),
            on_file,
            on_progress,
        }
    }

    /// Has the builder's writer tell what is wanted, and ask whether to stop.
    pub(crate) fn listen(&self, builder: DatasetWriterBuilder) -> DatasetWriterBuilder {
        let (counting, asking) = (Arc::clone(&self.told), Arc::clone(&self.told));
        let builder = builder
            .interrupt_when(move |step| asking.is_stopped_before(step))
            .on_progress(move |counts| counting.count(counts));
        if self.on_file.is_none() {
            return builder;
        }
        let telling = Arc::clone(&self.told);
        builder.on_file(move |file| {
            telling.untold.fetch_add(1, Ordering::Relaxed);
            lock(&telling.files).push(file.clone());
        })
    }

    /// For the garbage collector: a function may know the writer that calls it.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(self.on_file.as_ref())?;
        visit.call(self.on_progress.as_ref())
    }

    /// How far the write has come.
    pub(crate) fn counts(&self) -> Counts {
        *lock(&self.told.counts)
    }

    /// Calls Python's functions with what they have not heard.
    pub(crate) fn tell(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(call) = &self.on_file {
            let untold = std::mem::take(&mut *lock(&self.told.files));
            let count = untold.len();
            for file in untold {
                call.call1(py, (FileRecord::new(file),))?;
            }
            self.told.untold.fetch_sub(count, Ordering::Relaxed);
        }
        if let Some(call) = &self.on_progress {
            let counts = self.counts();
            if std::mem::replace(&mut *lock(&self.heard), counts) != counts {
                call.call1(py, (Progress::new(counts),))?;
            }
        }
        Ok(())
    }
}

impl Meanwhile for Calls {
    fn tick(&self, py: Python<'_>) -> PyResult<()> {
        py.check_signals()?;
        self.tell(py)
    }

    fn stop(&self) -> &AtomicBool {
        &self.told.stop
    }
}

impl Told {
    /// Whether the write is to stop. Nothing is decided before Python has heard of every file, and could
    /// object.
    fn is_stopped_before(&self, step: Step) -> bool {
        let is_stopped = || self.stop.load(Ordering::Relaxed);
        while step == Step::Decide && !is_stopped() && self.untold.load(Ordering::Relaxed) > 0 {
            thread::sleep(PATIENCE);
        }
        is_stopped()
    }

    /// Threads may tell in another order than they counted.
    fn count(&self, counts: Counts) {
        let mut latest = lock(&self.counts);
        if (counts.rows, counts.files_finished) >= (latest.rows, latest.files_finished) {
            *latest = counts;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

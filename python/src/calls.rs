//! Callbacks of a writer into Python: its files, and its progress.
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
use crate::work::{Meanwhile, heed};

/// The time between two looks of the library whether Python has heard of all files.
const PATIENCE: Duration = Duration::from_millis(1);

/// The files and counts that the library has told and Python has not heard.
#[derive(Debug, Default)]
struct Told {
    stop: Arc<AtomicBool>,
    counts: Mutex<Counts>,
    files: Mutex<Vec<Record>>,
    /// The number of files that Python has not heard of, or is just hearing of.
    untold: AtomicUsize,
}

/// The functions of Python that are called, and what they are still to be told.
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

    /// The flag that is set when a function or a signal's handler has raised something.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.told.stop)
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

    /// Shows the functions to the garbage collector: one may refer to the writer that calls it.
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
        heed(py)?;
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

    fn count(&self, counts: Counts) {
        *lock(&self.counts) = counts;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

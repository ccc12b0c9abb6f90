//! The data-set writer.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::{DatasetWriter as Writer, Error, ObjectStoreOptions, Outcome, StagedWrites};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::calls::Calls;
use crate::errors::{self, outcome_name, raise};
use crate::input::{Batches, Stream, schema_of};
use crate::options;
use crate::owned::Owned;
use crate::receipt::{Progress, Receipt};
use crate::settle::settle;
use crate::staged_writes::StagedWrite;
use crate::store::StoreOptions;
use crate::work::{Meanwhile, Panicked, Worker, detached, run, with_worker};

/// Batches that are on their way to the writer while the next is read.
const AHEAD: usize = 2;

/// Writes Arrow data into a data set, all or nothing; dropping it discards.
#[pyclass(frozen, module = "atomic_arrow._lib")]
pub(crate) struct DatasetWriter {
    root: PathBuf,
    calls: Calls,
    writer: Owned<Writer>,
    store: ObjectStoreOptions,
}

#[pymethods]
impl DatasetWriter {
    #[new]
    #[pyo3(signature = (root, schema, options, on_file=None, on_progress=None))]
    fn new(
        py: Python<'_>,
        root: PathBuf,
        schema: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
        on_file: Option<Py<PyAny>>,
        on_progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let calls = Calls::new(on_file, on_progress);
        let schema = schema_of(schema)?;
        let builder = calls.listen(options::dataset(root.clone(), options, Some(&schema))?);
        let writer = detached(py, || builder.build(schema))?;
        Ok(DatasetWriter {
            store: StoreOptions::among(options)?.of(py, &[&root])?,
            root,
            calls,
            writer: Owned::new("DatasetWriter", writer.map_err(|error| raise(py, &error))?),
        })
    }

    /// Takes all rows of a stream, which are held until the commit.
    fn write(&self, py: Python<'_>, stream: &Stream) -> PyResult<()> {
        let mut batches = stream.read(py, true)?;
        let written = self.writer.lend(py, |writer| {
            let work = |writer: &mut Writer, batch: RecordBatch| writer.write(&batch);
            with_worker(py, &self.calls, writer, work, |worker| {
                feed(py, &self.calls, &mut batches, worker)
            })
        })?;
        written.or_else(|failure| {
            failure.raise(py, &self.root, self.writer.is_elsewhere(), || {
                self.discard(py)
            })
        })
    }

    /// Publishes everything that was written, or nothing.
    fn commit(&self, py: Python<'_>) -> PyResult<Receipt> {
        let writer = self.taken(py)?;
        let (committed, raised) = run(py, &self.calls, move || writer.commit())?;
        let receipt = settle(py, &self.root, committed, raised, |receipt, raised| {
            // For whoever wants to know what was published nevertheless.
            raised.value(py).setattr("receipt", Receipt::new(receipt))
        });
        receipt.map(Receipt::new)
    }

    /// Leaves everything that was written for a commit to come.
    fn stage(&self, py: Python<'_>) -> PyResult<StagedWrite> {
        let writer = self.taken(py)?;
        let (staged, raised) = run(py, &self.calls, move || writer.stage())?;
        match (staged, raised) {
            (Ok(staged), None) => Ok(StagedWrite::new(staged)),
            (Err(error), None) => Err(raise(py, &error)),
            (staged, Some(raised)) => {
                // Nobody is told of it, so nobody would commit it.
                if let Ok(staged) = staged {
                    let staged = StagedWrites::new([staged]).object_store(self.store.clone());
                    let discarded = detached(py, || staged.discard())?;
                    discarded.map_err(|error| raise(py, &error))?;
                }
                Err(not_published(py, raised, &self.root))
            }
        }
    }

    /// Removes everything that was written.
    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        let writer = self.writer.take(py)?;
        self.calls.stop().store(true, Ordering::Relaxed);
        detached(py, || drop(writer))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.calls.traverse(&visit)
    }

    /// How far the write has come.
    #[getter]
    fn progress(&self, py: Python<'_>) -> PyResult<Progress> {
        self.writer.check_process(py)?;
        Ok(Progress::new(self.calls.counts()))
    }
}

impl DatasetWriter {
    /// A writer that has taken rows already.
    pub(crate) fn of(
        root: PathBuf,
        calls: Calls,
        writer: Writer,
        store: ObjectStoreOptions,
    ) -> Self {
        DatasetWriter {
            store,
            root,
            calls,
            writer: Owned::new("DatasetWriter", writer),
        }
    }

    fn taken(&self, py: Python<'_>) -> PyResult<Writer> {
        let closed = || errors::refuse(py, "ClosedError", "this DatasetWriter is closed");
        self.writer.take(py)?.ok_or_else(closed)
    }
}

/// The receipt of the write that the options name, if it was committed.
#[pyfunction]
pub(crate) fn already_committed(
    py: Python<'_>,
    root: PathBuf,
    options: &Bound<'_, PyDict>,
) -> PyResult<Option<Receipt>> {
    let builder = options::dataset(root, options, None)?;
    let found = detached(py, move || builder.already_committed())?;
    let found = found.map_err(|error| raise(py, &error))?;
    Ok(found.map(Receipt::new))
}

/// The reason why rows were not taken.
pub(crate) enum Failure {
    /// An exception was raised by a signal's handler, a callback or the stream.
    Raised(PyErr),
    /// The library refused the rows.
    Refused(Error),
    Panicked(Panicked),
}

impl Failure {
    /// The exception, with nothing published; what was raised meanwhile discards the writer. In a process that the
    /// stream forked the writer `is_elsewhere`, which is its parent's.
    pub(crate) fn raise(
        self,
        py: Python<'_>,
        path: &Path,
        is_elsewhere: bool,
        discard: impl FnOnce() -> PyResult<()>,
    ) -> PyResult<()> {
        Err(match self {
            Failure::Raised(raised) if is_elsewhere => raised,
            Failure::Raised(raised) => {
                discard()?;
                not_published(py, raised, path)
            }
            Failure::Refused(error) => raise(py, &error),
            Failure::Panicked(panicked) => panicked.raise_unpublished(py),
        })
    }
}

pub(crate) fn not_published(py: Python<'_>, raised: PyErr, path: &Path) -> PyErr {
    let outcome = outcome_name(Outcome::NotPublished);
    errors::interrupted(py, raised, outcome, Some(path))
}

/// Reads batches on this thread, where their producer may be at home, and has the worker write them.
pub(crate) fn feed(
    py: Python<'_>,
    meanwhile: &dyn Meanwhile,
    batches: &mut Batches,
    worker: &Worker<'_, RecordBatch, Result<(), Error>>,
) -> Result<(), Failure> {
    let heed = || -> Result<(), Failure> {
        match worker.answer(py) {
            (_, Some(raised)) => Err(Failure::Raised(raised)),
            (Ok(Ok(())), None) => Ok(()),
            (Ok(Err(error)), None) => Err(Failure::Refused(error)),
            (Err(panicked), None) => Err(Failure::Panicked(panicked)),
        }
    };
    let mut given = 0;
    loop {
        meanwhile.tick(py).map_err(Failure::Raised)?;
        let Some(batch) = batches.next(py).map_err(Failure::Raised)? else {
            break;
        };
        worker.give(batch);
        given += 1;
        if given == AHEAD {
            heed()?;
            given -= 1;
        }
    }
    (0..given).try_for_each(|_| heed())?;
    meanwhile.tick(py).map_err(Failure::Raised)
}

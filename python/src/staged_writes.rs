//! Staged writes: what workers stage, and a driver commits or discards.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use atomic_arrow::{
    StagedWrite as Staged, StagedWrites, Step, WaitingWrite, is_object_store_url, staged_at,
    staged_in_store,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::raise;
use crate::options;
use crate::place::Place;
use crate::receipt::{Metrics, Receipt, unusable};
use crate::settle::{Signals, publishing};
use crate::store::StoreOptions;
use crate::table::{bytes, plural};
use crate::work::detached;

/// What one process has staged of a data set that another commits: plain data, which can be pickled.
///
/// Made by :func:`stage` and :meth:`DatasetWriter.stage`, and given to :func:`commit` or
/// :func:`discard`. Sending it, keeping it and losing it change nothing on disk.
#[pyclass(frozen, module = "atomic_arrow", eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct StagedWrite(Staged);

impl StagedWrite {
    pub(crate) fn new(staged: Staged) -> Self {
        StagedWrite(staged)
    }
}

#[pymethods]
impl StagedWrite {
    /// The data set's root, absolute.
    #[getter]
    fn root(&self) -> Place {
        self.0.root().into()
    }

    /// The name of the work that was done, if it has one.
    #[getter]
    fn task(&self) -> Option<&str> {
        self.0.task()
    }

    /// The rows of all files.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.totals().rows
    }

    /// The bytes of all files.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.totals().bytes
    }

    /// How many files there are.
    #[getter]
    fn files(&self) -> u64 {
        self.0.totals().files
    }

    /// The job that it is a part of, or ``None``.
    #[getter]
    fn job(&self) -> Option<&str> {
        self.0.job()
    }

    /// The number of the job in the stream that it is of, or ``None``.
    #[getter]
    fn sequence(&self) -> Option<u64> {
        self.0.sequence()
    }

    /// How many partitions the files are in.
    #[getter]
    fn partitions(&self) -> u64 {
        self.0.totals().partitions
    }

    /// The UUID of the transaction in which it is staged, which is not that of the commit; ``None``
    /// where nothing was staged.
    #[getter]
    fn transaction(&self) -> Option<String> {
        self.0.transaction().map(|id| id.to_string())
    }

    /// What the time of this process was spent on, until it was staged; ``None`` if the JSON that this was read from did not
    /// say.
    #[getter]
    fn metrics(&self) -> Option<Metrics> {
        self.0.metrics().map(Metrics::new)
    }

    /// What the commit is to do with what is there.
    #[getter]
    fn mode(&self) -> &'static str {
        self.0.mode().name()
    }

    /// As JSON.
    fn to_json(&self, py: Python<'_>) -> PyResult<String> {
        self.0.to_json().map_err(|error| unusable(py, &error))
    }

    /// Reads what :meth:`to_json` wrote; nothing else is taken.
    #[staticmethod]
    fn from_json(py: Python<'_>, json: &str) -> PyResult<Self> {
        let staged = Staged::from_json(json);
        staged
            .map(StagedWrite)
            .map_err(|error| unusable(py, &error))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let read = py.get_type::<Self>().getattr("from_json")?;
        Ok((read, (self.to_json(py)?,)))
    }

    fn __repr__(&self) -> String {
        let totals = self.0.totals();
        let task = self
            .0
            .task()
            .map(|task| format!(" {task:?}"))
            .unwrap_or_default();
        format!(
            "<StagedWrite{task} of {}: {} in {}, {}>",
            self.0.root().display(),
            plural(totals.rows, "row"),
            plural(totals.files, "file"),
            bytes(totals.bytes),
        )
    }
}

fn writes(staged: Vec<Bound<'_, StagedWrite>>, root: Option<PathBuf>) -> StagedWrites {
    let writes = StagedWrites::new(staged.iter().map(|staged| staged.get().0.clone()));
    match root {
        Some(root) => writes.expect_root(root),
        None => writes,
    }
}

/// The options of a commit, a dictionary in Python.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct CommitOptions<'py> {
    staging: Bound<'py, PyAny>,
    write_id: Option<String>,
    rewrite_missing: bool,
    success_file: bool,
    schema_check: bool,
    case_sensitive_names: bool,
    job: Option<String>,
    sequence: Option<u64>,
    store: Bound<'py, PyDict>,
}

/// Publishes everything that is staged as one commit.
#[pyfunction]
pub(crate) fn commit(
    py: Python<'_>,
    staged: Vec<Bound<'_, StagedWrite>>,
    root: Option<PathBuf>,
    options: CommitOptions<'_>,
) -> PyResult<Receipt> {
    let mut writes = writes(staged, root)
        .staging(options::staging(&options.staging)?)
        .rewrite_missing(options.rewrite_missing)
        .success_file(options.success_file)
        .schema_check(options.schema_check)
        .case_sensitive_names(options.case_sensitive_names);
    if let Some(write_id) = options.write_id {
        writes = writes.write_id(write_id);
    }
    if let Some(job) = options.job {
        writes = writes.job(job);
    }
    if let Some(sequence) = options.sequence {
        writes = writes.sequence(sequence);
    }
    let place = writes.root().map_err(|error| raise(py, &error))?;
    let writes = writes.object_store(StoreOptions::among(&options.store)?.of(py, &[&place])?);
    let root = place.clone();
    let signals = Signals::default();
    let writes = writes.interrupt_when(signals.asking());
    let commit = move |signals: &Signals| {
        signals.check(Step::Decide, &place)?;
        writes.commit()
    };
    publishing(py, &root, &signals, commit, Receipt::new)
}

/// Removes everything that is staged, and what is staged for a job.
#[pyfunction]
pub(crate) fn discard(
    py: Python<'_>,
    staged: Vec<Bound<'_, StagedWrite>>,
    root: Option<PathBuf>,
    job: Option<String>,
    sequence: Option<u64>,
    staging: &Bound<'_, PyAny>,
    store: &Bound<'_, PyDict>,
) -> PyResult<()> {
    let mut writes = writes(staged, root);
    if let Some(job) = job {
        writes = writes.job(job);
    }
    if let Some(sequence) = sequence {
        writes = writes.sequence(sequence);
    }
    let mut writes = writes.staging(options::staging(staging)?);
    // Where nothing says which data set it is of, there is nothing to discard, or the library says so.
    if let Ok(place) = writes.root() {
        writes = writes.object_store(StoreOptions::among(store)?.of(py, &[&place])?);
    }
    let discarded = detached(py, || writes.discard())?;
    discarded.map_err(|error| raise(py, &error))
}

/// What waits to be committed.
#[pyfunction]
pub(crate) fn staged(
    py: Python<'_>,
    root: PathBuf,
    staging: &Bound<'_, PyAny>,
    store: &Bound<'_, PyDict>,
) -> PyResult<Vec<(StagedWrite, SystemTime, Duration)>> {
    let place = options::staging(staging)?;
    let store = StoreOptions::among(store)?.of(py, &[&root])?;
    let waiting = detached(py, || match is_object_store_url(&root) {
        true => staged_in_store(&root, &store),
        false => staged_at(&root, &place),
    })?;
    let waiting = waiting.map_err(|error| raise(py, &error))?.into_iter();
    let seen = |waiting: WaitingWrite| {
        let write = StagedWrite(waiting.write().clone());
        (write, waiting.since(), waiting.keep())
    };
    Ok(waiting.map(seen).collect())
}

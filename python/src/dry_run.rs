//! Dry runs: what a write would do, found out without writing.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::{DryRun as Run, DryRunReport as Report, Partition};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::calls::Calls;
use crate::dataset::feed;
use crate::errors::{self, raise};
use crate::input::{Stream, schema_of};
use crate::options;
use crate::owned::Owned;
use crate::place::Place;
use crate::receipt::Note;
use crate::table::{self, Table, batch, numbers, plural, texts};
use crate::values::partition_dict;
use crate::work::{Meanwhile as _, detached, with_worker};

/// Takes Arrow data as a data-set writer does, and changes nothing on disk.
#[pyclass(frozen, module = "atomic_arrow._lib")]
pub(crate) struct DryRun {
    root: PathBuf,
    calls: Calls,
    run: Owned<Run>,
}

#[pymethods]
impl DryRun {
    #[new]
    fn new(
        py: Python<'_>,
        root: PathBuf,
        schema: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let schema = schema_of(schema)?;
        let builder = options::dataset(root.clone(), options, Some(&schema))?;
        let run = detached(py, || builder.dry_run(schema))?;
        Ok(DryRun {
            root,
            calls: Calls::new(None, None),
            run: Owned::new("dry run", run.map_err(|error| raise(py, &error))?),
        })
    }

    /// Counts all rows of a stream.
    fn write(&self, py: Python<'_>, stream: &Stream) -> PyResult<()> {
        let mut batches = stream.read(py, true)?;
        let taken = self.run.lend(py, |run| {
            let work = |run: &mut Run, batch: RecordBatch| run.write(&batch);
            with_worker(py, &self.calls, run, work, |worker| {
                feed(py, &self.calls, &mut batches, worker)
            })
        })?;
        taken.or_else(|failure| {
            failure.raise(py, &self.root, self.run.is_elsewhere(), || {
                self.run.take(py)?;
                self.calls.stop().store(true, Ordering::Relaxed);
                Ok(())
            })
        })
    }

    /// Compares what was taken with what is there.
    fn finish(&self, py: Python<'_>) -> PyResult<DryRunReport> {
        let closed = || errors::refuse(py, "ClosedError", "this dry run is closed");
        let run = self.run.take(py)?.ok_or_else(closed)?;
        let report = detached(py, || run.finish())?;
        report.map(DryRunReport).map_err(|error| raise(py, &error))
    }
}

impl DryRun {
    /// A dry run that has taken rows already.
    pub(crate) fn of(root: PathBuf, calls: Calls, run: Run) -> Self {
        DryRun {
            root,
            calls,
            run: Owned::new("dry run", run),
        }
    }
}

/// What :func:`write_dataset` would do, by ``dry_run=True``, which wrote nothing.
///
/// It exports the Arrow stream interface, with a row for each partition: ``path`` and ``rows``.
#[pyclass(frozen, module = "atomic_arrow")]
pub(crate) struct DryRunReport(Report);

impl DryRunReport {
    /// The partitions with rows, in the order of their paths.
    fn planned(&self) -> Vec<PlannedPartition> {
        let partitions = self.0.partitions.iter();
        let mut planned: Vec<_> = partitions
            .map(|(partition, rows)| PlannedPartition {
                path: partition.to_string(),
                rows: *rows,
                partition: partition.clone(),
            })
            .collect();
        planned.sort_by(|a, b| a.path.cmp(&b.path));
        planned
    }

    fn batch(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        let planned = self.planned();
        let paths = planned.iter().map(|one| Some(&one.path));
        let rows = planned.iter().map(|one| Some(one.rows));
        batch(
            py,
            [
                ("path", texts(paths), false),
                ("rows", numbers(rows), false),
            ],
        )
    }
}

#[pymethods]
impl DryRunReport {
    /// The data set's root, absolute, with symbolic links resolved.
    #[getter]
    fn root(&self) -> Place {
        self.0.root.as_path().into()
    }

    /// The rows of all partitions.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    /// The partitions to which rows would go, in the order of their paths.
    #[getter]
    fn partitions(&self, py: Python<'_>) -> PyResult<Table> {
        Table::new(py, self.planned(), self.batch(py)?)
    }

    /// What the receipt would note.
    #[getter]
    fn notes(&self) -> Vec<Note> {
        self.0.notes.iter().map(Note::of).collect()
    }

    /// As JSON, with the same fields as ``atomic-arrow write --dry-run --json`` prints.
    fn to_json(&self) -> String {
        self.0.to_json()
    }

    /// Exports a row for each partition through the Arrow C stream interface.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        table::export(py, &self.batch(py)?, requested_schema)
    }

    fn __str__(&self) -> String {
        format!(
            "{} for {}; nothing was written",
            plural(self.0.rows, "row"),
            plural(self.0.partitions.len() as u64, "partition"),
        )
    }

    fn __repr__(&self) -> String {
        format!("<DryRunReport: {}>", self.__str__())
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let title = table::escape(&self.__str__());
        Ok(format!("<p>{title}</p>{}", table::html(&self.batch(py)?)))
    }
}

/// A partition to which rows would go.
#[pyclass(frozen, module = "atomic_arrow")]
#[derive(Clone)]
pub(crate) struct PlannedPartition {
    /// Its path below the root, with ``/`` between its parts.
    #[pyo3(get)]
    path: String,
    /// How many rows would go there.
    #[pyo3(get)]
    rows: u64,
    partition: Partition,
}

#[pymethods]
impl PlannedPartition {
    /// The keys and their values.
    #[getter]
    fn partition<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        partition_dict(py, &self.partition)
    }

    fn __repr__(&self) -> String {
        let rows = plural(self.rows, "row");
        format!("<PlannedPartition {}: {rows}>", self.path)
    }
}

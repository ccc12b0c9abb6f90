//! Receipts: what a commit published, the files, and the progress of a write.

use std::time::Duration;

use atomic_arrow::Progress as Counts;
use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::receipt::{
    self, FileRecord as Record, Metrics as Times, Receipt as Published, ReceiptError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCapsule, PyDict};

use crate::errors;
use crate::place::Place;
use crate::schema::RowSchema;
use crate::table::{self, Table, bytes, plural};
use crate::values::{partition_dict, statistics_dict};

/// One file of a commit: where it is below the root, and what is known of its content.
#[pyclass(frozen, module = "atomic_arrow")]
#[derive(Clone)]
pub(crate) struct FileRecord(Record);

impl FileRecord {
    pub(crate) fn new(record: Record) -> Self {
        FileRecord(record)
    }
}

#[pymethods]
impl FileRecord {
    /// The path below the root, with ``/`` between its parts.
    #[getter]
    fn path(&self) -> &str {
        self.0.path()
    }

    /// The partition's keys and values: ``None``, ``bool``, ``int``, ``float`` or ``str``.
    #[getter]
    fn partition<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        partition_dict(py, self.0.partition())
    }

    /// How many rows it holds.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows()
    }

    /// Its length.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    /// The length of a Parquet file's footer.
    #[getter]
    fn footer_bytes(&self) -> Option<u64> {
        self.0.footer_bytes()
    }

    /// The number of row groups of a Parquet file, or of record batches of an Arrow IPC file.
    #[getter]
    fn row_groups(&self) -> Option<u64> {
        self.0.row_groups()
    }

    /// The XXH3 hash (128 bits) of all bytes in hexadecimal digits, where they were hashed.
    #[getter]
    fn content_hash(&self) -> Option<String> {
        self.0.content_hash().map(|hash| format!("{hash:032x}"))
    }

    /// What the footer of a Parquet file says of its columns: dicts of ``column``, ``min``, ``max``
    /// and ``null_count``.
    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let columns = self.0.columns().iter();
        columns.map(|column| statistics_dict(py, column)).collect()
    }

    fn __repr__(&self) -> String {
        let (path, rows, length) = (self.0.path(), self.0.rows(), self.0.bytes());
        format!(
            "<FileRecord {path}: {}, {}>",
            plural(rows, "row"),
            bytes(length)
        )
    }
}

/// What a commit to a data set published and removed.
///
/// It exports the Arrow stream interface, with a row for each file, as its :attr:`files` do.
#[pyclass(frozen, module = "atomic_arrow", eq)]
pub(crate) struct Receipt {
    receipt: Published,
    /// The table of the files, made when it is asked for.
    files: PyOnceLock<Py<Table>>,
}

impl Receipt {
    pub(crate) fn new(receipt: Published) -> Self {
        Receipt {
            receipt,
            files: PyOnceLock::new(),
        }
    }

    fn batch(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        let batch = self.receipt.to_record_batch();
        batch.map_err(|error| unusable(py, &error))
    }
}

impl PartialEq for Receipt {
    fn eq(&self, other: &Self) -> bool {
        self.receipt == other.receipt
    }
}

pub(crate) fn unusable(py: Python<'_>, error: &ReceiptError) -> PyErr {
    let message = errors::with_causes(error, std::error::Error::source(error));
    errors::refuse(py, "InvalidReceiptError", message)
}

#[pymethods]
impl Receipt {
    /// The files that were published.
    #[getter]
    fn files(&self, py: Python<'_>) -> PyResult<Py<Table>> {
        let make = || {
            let records = self.receipt.files().iter().cloned().map(FileRecord);
            Py::new(py, Table::new(py, records, self.batch(py)?)?)
        };
        Ok(self.files.get_or_try_init(py, make)?.clone_ref(py))
    }

    /// The paths, below the root, of the files that were removed.
    #[getter]
    fn removed(&self) -> Vec<String> {
        self.receipt.removed().to_vec()
    }

    /// The rows of all files.
    #[getter]
    fn rows(&self) -> u64 {
        self.receipt.totals().rows
    }

    /// The bytes of all files.
    #[getter]
    fn bytes(&self) -> u64 {
        self.receipt.totals().bytes
    }

    /// How many partitions the files are in.
    #[getter]
    fn partitions(&self) -> u64 {
        self.receipt.totals().partitions
    }

    /// The transaction's UUID.
    #[getter]
    fn transaction(&self) -> String {
        self.receipt.transaction().to_string()
    }

    /// The name of the write, if it has one.
    #[getter]
    fn write_id(&self) -> Option<&str> {
        self.receipt.write_id()
    }

    /// The number of the write in the stream that :attr:`write_id` names, if it has one.
    #[getter]
    fn sequence(&self) -> Option<u64> {
        self.receipt.sequence()
    }

    /// The root of the data set, absolute; ``None`` of a receipt that was read from JSON.
    #[getter]
    fn root(&self) -> Option<Place> {
        self.receipt.root().map(Place::from)
    }

    /// The schema of the rows, with the types that the files have: also of the columns that are partition keys and stand in
    /// no file, but not of keys that are computed. ``None`` where nothing was written, and where the
    /// footers of the files are encrypted.
    #[getter]
    fn schema(&self) -> Option<RowSchema> {
        self.receipt.schema().cloned().map(RowSchema::new)
    }

    /// Whether a write of this name was committed before, and this call published nothing. It is not a part of the
    /// JSON.
    #[getter]
    fn replayed(&self) -> bool {
        self.receipt.replayed()
    }

    /// The paths of those files that are not there any more, where this is the receipt of an earlier
    /// write of the same name; else none.
    #[getter]
    fn missing_files(&self) -> Vec<&str> {
        let missing = self.receipt.missing_files().iter();
        missing.map(String::as_str).collect()
    }

    /// What is to be known of the commit; none in the receipt of an earlier write of the same name. They are
    /// not a part of the JSON.
    #[getter]
    fn notes(&self) -> Vec<Note> {
        self.receipt.notes().iter().map(Note::of).collect()
    }

    /// What the time of the commit was spent on; ``None`` in the receipt of an earlier write of the same name, and of a write
    /// that was ignored. Of staged
    /// writes the work is that of all processes that staged what was committed.
    #[getter]
    fn metrics(&self) -> Option<Metrics> {
        self.receipt.metrics().map(Metrics::new)
    }

    /// What the commit did with what was there: ``"append"``, ``"error_if_exists"``, ``"error_if_any_exists"``,
    /// ``"ignore"``, ``"overwrite_partitions"`` or ``"overwrite"``.
    #[getter]
    fn mode(&self) -> &'static str {
        self.receipt.mode().name()
    }

    /// The receipt as JSON.
    fn to_json(&self, py: Python<'_>) -> PyResult<String> {
        self.receipt.to_json().map_err(|error| unusable(py, &error))
    }

    /// Reads what :meth:`to_json` wrote; nothing else is taken.
    #[staticmethod]
    fn from_json(py: Python<'_>, json: &str) -> PyResult<Self> {
        let receipt = Published::from_json(json).map_err(|error| unusable(py, &error))?;
        Ok(Receipt::new(receipt))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let read = py.get_type::<Self>().getattr("from_json")?;
        Ok((read, (self.to_json(py)?,)))
    }

    /// Exports a row for each file through the Arrow C stream interface.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let batch = self.batch(py)?;
        table::export(py, &batch, requested_schema)
    }

    fn __str__(&self) -> String {
        let totals = self.receipt.totals();
        format!(
            "{} in {} of {}, {}",
            plural(totals.rows, "row"),
            plural(totals.files, "file"),
            plural(totals.partitions, "partition"),
            bytes(totals.bytes),
        )
    }

    fn __repr__(&self) -> String {
        let name = match (self.receipt.write_id(), self.receipt.sequence()) {
            (Some(name), Some(sequence)) => format!(" of {name:?} {sequence}"),
            (Some(name), None) => format!(" of {name:?}"),
            (None, _) => String::new(),
        };
        let replayed = if self.replayed() {
            ", committed before"
        } else {
            ""
        };
        format!(
            "<Receipt{name}, {}{replayed}: {}>",
            self.mode(),
            self.__str__()
        )
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let batch = self.batch(py)?;
        let shown = batch.project(&[0, 2, 3]).unwrap_or(batch);
        let title = table::escape(&self.__str__());
        Ok(format!("<p>{title}</p>{}", table::html(&shown)))
    }
}

/// What the time of a commit was spent on.
///
/// Each part but :attr:`wall` is the sum over all threads that worked on it at once, so that together they may be more than
/// the wall-clock time, or less: waiting for batches is in none of them.
#[pyclass(frozen, module = "atomic_arrow", eq)]
#[derive(Clone, PartialEq)]
pub(crate) struct Metrics(Times);

impl Metrics {
    pub(crate) fn new(times: Times) -> Self {
        Metrics(times)
    }
}

#[pymethods]
impl Metrics {
    /// Taking batches: checking, converting and splitting rows, holding them, and spilling what is beyond the memory limit.
    #[getter]
    fn splitting(&self) -> Duration {
        self.0.splitting
    }

    /// Gathering, sorting, encoding and compressing the rows of files, and writing them to staging files.
    #[getter]
    fn encoding(&self) -> Duration {
        self.0.encoding
    }

    /// Waiting for the medium before the commit is decided.
    #[getter]
    fn syncing(&self) -> Duration {
        self.0.syncing
    }

    /// Re-opening staged files and comparing them with what was written.
    #[getter]
    fn verifying(&self) -> Duration {
        self.0.verifying
    }

    /// From the locks of the commit, which may have to be waited for, to its last sync of a directory.
    #[getter]
    fn publishing(&self) -> Duration {
        self.0.publishing
    }

    /// The wall-clock time from when the writer was made, or the commit of staged writes began, until the commit was done.
    #[getter]
    fn wall(&self) -> Duration {
        self.0.wall
    }

    fn __repr__(&self) -> String {
        format!("<Metrics {}>", self.0)
    }
}

/// Something about a commit that is to be known, although it was done.
#[pyclass(frozen, module = "atomic_arrow", get_all)]
pub(crate) struct Note {
    /// Its kind, such as ``"column-added"``, ``"no-rows"`` or ``"foreign-table"``.
    kind: &'static str,
    /// What it is, and what comes of it.
    message: String,
}

impl Note {
    pub(crate) fn of(note: &receipt::Note) -> Self {
        Note {
            kind: note.kind(),
            message: note.to_string(),
        }
    }
}

#[pymethods]
impl Note {
    fn __repr__(&self) -> String {
        format!("<Note {}: {}>", self.kind, self.message)
    }
}

/// How far a write has come.
#[pyclass(frozen, module = "atomic_arrow")]
#[derive(Clone)]
pub(crate) struct Progress(Counts);

impl Progress {
    pub(crate) fn new(counts: Counts) -> Self {
        Progress(counts)
    }
}

#[pymethods]
impl Progress {
    /// Rows taken.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    /// Partitions seen.
    #[getter]
    fn partitions(&self) -> u64 {
        self.0.partitions
    }

    /// Rows that were put on disk because of the memory limit, to be read back.
    #[getter]
    fn rows_spilled(&self) -> u64 {
        self.0.rows_spilled
    }

    /// Rows in finished files.
    #[getter]
    fn rows_finished(&self) -> u64 {
        self.0.rows_finished
    }

    /// Finished files.
    #[getter]
    fn files_finished(&self) -> u64 {
        self.0.files_finished
    }

    /// Bytes of finished files.
    #[getter]
    fn bytes_finished(&self) -> u64 {
        self.0.bytes_finished
    }

    fn __repr__(&self) -> String {
        let Counts {
            rows,
            files_finished,
            ..
        } = self.0;
        format!(
            "<Progress: {} taken, {} finished>",
            plural(rows, "row"),
            plural(files_finished, "file"),
        )
    }
}

//! What `verify` and `inspect` find; neither changes anything on disk.

use std::path::PathBuf;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use atomic_arrow::arrow::error::ArrowError;
use atomic_arrow::inspect::{self as library, InspectOptions, inspect_with_options};
use atomic_arrow::verify::{self as checks, verify_file};
use atomic_arrow::{Error, Partition, Step};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::errors::{self, raise, with_causes};
use crate::options;
use crate::table::{self, Table, bytes, plural};
use crate::values::partition_dict;
use crate::work::apart;

fn texts<T: AsRef<str>>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn numbers(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(values.collect::<UInt64Array>())
}

fn table_error(py: Python<'_>, error: &ArrowError) -> PyErr {
    errors::refuse(py, "AtomicArrowError", error)
}

/// What came of checking one file.
#[pyclass(frozen, get_all, module = "atomic_arrow")]
#[derive(Clone)]
pub(crate) struct FileReport {
    /// The file.
    path: PathBuf,
    /// The format that it was checked as.
    format: &'static str,
    /// Its length.
    bytes: u64,
    /// Its rows; ``None`` if it is damaged or the format has none.
    rows: Option<u64>,
    /// Its row groups (Parquet) or record batches (Arrow IPC); ``None`` if it is damaged.
    row_groups: Option<u64>,
    /// What is wrong, of several things the first; ``None`` if it is sound.
    damage: Option<String>,
    /// The row group or record batch of the damage, where that is known.
    row_group: Option<u32>,
    /// The column of the damage, where that is known.
    column: Option<String>,
    /// The byte of the damage, where that is known.
    offset: Option<u64>,
}

impl FileReport {
    fn of(report: &checks::FileReport) -> Self {
        let damage = report.damage();
        let location = damage.map(checks::Damage::location).unwrap_or_default();
        FileReport {
            path: report.path().to_owned(),
            format: report.format().name(),
            bytes: report.bytes(),
            rows: report.rows(),
            row_groups: report.row_groups().map(|groups| groups as u64),
            damage: damage.map(|damage| with_causes(damage, std::error::Error::source(damage))),
            row_group: location.row_group,
            column: location.column.map(|column| column.to_string()),
            offset: location.offset,
        }
    }
}

#[pymethods]
impl FileReport {
    /// Whether nothing was found to be wrong.
    #[getter]
    fn is_sound(&self) -> bool {
        self.damage.is_none()
    }

    fn __repr__(&self) -> String {
        let path = self.path.display();
        match &self.damage {
            None => format!("<FileReport {path}: sound>"),
            Some(damage) => format!("<FileReport {path}: damaged: {damage}>"),
        }
    }
}

/// What came of checking files.
///
/// It exports the Arrow stream interface, with a row for each file.
#[pyclass(frozen, module = "atomic_arrow")]
pub(crate) struct Verification {
    reports: Vec<FileReport>,
}

impl Verification {
    fn batch(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        let reports = || self.reports.iter();
        RecordBatch::try_from_iter_with_nullable([
            (
                "path",
                texts(reports().map(|r| Some(r.path.to_string_lossy()))),
                false,
            ),
            ("format", texts(reports().map(|r| Some(r.format))), false),
            ("bytes", numbers(reports().map(|r| Some(r.bytes))), false),
            ("rows", numbers(reports().map(|r| r.rows)), true),
            ("row_groups", numbers(reports().map(|r| r.row_groups)), true),
            ("damage", texts(reports().map(|r| r.damage.as_ref())), true),
        ])
        .map_err(|error| table_error(py, &error))
    }

    fn damaged_count(&self) -> u64 {
        self.reports
            .iter()
            .filter(|report| !report.is_sound())
            .count() as u64
    }
}

#[pymethods]
impl Verification {
    /// A report for each file, in the order of their paths.
    #[getter]
    fn files(&self, py: Python<'_>) -> PyResult<Table> {
        Table::new(py, self.reports.iter().cloned(), self.batch(py)?)
    }

    /// The reports of the files that are damaged.
    #[getter]
    fn damaged(&self) -> Vec<FileReport> {
        let damaged = self.reports.iter().filter(|report| !report.is_sound());
        damaged.cloned().collect()
    }

    /// Whether every file is sound.
    #[getter]
    fn is_sound(&self) -> bool {
        self.damaged_count() == 0
    }

    /// The rows of all sound files.
    #[getter]
    fn rows(&self) -> u64 {
        self.reports.iter().filter_map(|report| report.rows).sum()
    }

    /// The bytes of all files.
    #[getter]
    fn bytes(&self) -> u64 {
        self.reports.iter().map(|report| report.bytes).sum()
    }

    /// Exports a row for each file through the Arrow C stream interface.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        table::export(py, &self.batch(py)?, requested_schema)
    }

    fn __str__(&self) -> String {
        let (files, damaged) = (self.reports.len() as u64, self.damaged_count());
        format!(
            "{} checked: {} sound, {} damaged; {}, {}",
            plural(files, "file"),
            table::count(files - damaged),
            table::count(damaged),
            plural(self.rows(), "row"),
            bytes(self.bytes()),
        )
    }

    fn __repr__(&self) -> String {
        format!("<Verification: {}>", self.__str__())
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "<p>{}</p>{}",
            self.__str__(),
            table::html(&self.batch(py)?)
        ))
    }
}

/// Checks a file, or every data file under a directory.
#[pyfunction]
#[pyo3(signature = (path, level, on_file=None))]
pub(crate) fn verify(
    py: Python<'_>,
    path: PathBuf,
    level: &Bound<'_, PyAny>,
    on_file: Option<Py<PyAny>>,
) -> PyResult<Verification> {
    let level = options::level(level)?;
    let check = move |find: &dyn Fn(FileReport) -> bool| {
        checks::each_file(&path, |file| {
            let report = verify_file(file, level)?;
            match find(FileReport::of(&report)) {
                true => Ok(()),
                false => Err(Error::Interrupted {
                    step: Step::Verify,
                    path: file.to_owned(),
                }),
            }
        })
    };
    let mut reports = Vec::new();
    let checked = apart(py, check, |report: FileReport| {
        reports.push(report.clone());
        match &on_file {
            Some(call) => call.call1(py, (report,)).map(drop),
            None => Ok(()),
        }
    })?;
    checked.map_err(|error| raise(py, &error))?;
    Ok(Verification { reports })
}

/// The data files of one directory.
#[pyclass(frozen, module = "atomic_arrow")]
#[derive(Clone)]
pub(crate) struct PartitionSummary {
    partition: Option<Partition>,
    /// The directory, relative to the root.
    #[pyo3(get)]
    directory: PathBuf,
    /// How many files there are.
    #[pyo3(get)]
    files: u64,
    /// How many of them are small.
    #[pyo3(get)]
    small_files: u64,
    /// The rows, by the footers that could be read.
    #[pyo3(get)]
    rows: u64,
    /// The bytes of all files.
    #[pyo3(get)]
    bytes: u64,
    /// The row groups, by the footers that could be read.
    #[pyo3(get)]
    row_groups: u64,
}

#[pymethods]
impl PartitionSummary {
    /// The keys and values that the directory stands for, all of them texts; ``None`` where it stands
    /// for none.
    #[getter]
    fn partition<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let partition = self.partition.as_ref();
        partition
            .map(|partition| partition_dict(py, partition))
            .transpose()
    }

    fn __repr__(&self) -> String {
        let directory = self.directory.display();
        let (files, rows) = (plural(self.files, "file"), plural(self.rows, "row"));
        format!(
            "<PartitionSummary {directory}: {files}, {rows}, {}>",
            bytes(self.bytes)
        )
    }
}

/// Something in a data set that readers may stumble over.
#[pyclass(frozen, get_all, module = "atomic_arrow")]
#[derive(Clone)]
pub(crate) struct Oddity {
    /// Its kind, such as ``"damaged"`` or ``"leading-zero"``.
    kind: &'static str,
    /// The file or directory, where it is about one.
    path: Option<PathBuf>,
    /// What is odd, and what comes of it.
    message: String,
}

#[pymethods]
impl Oddity {
    fn __repr__(&self) -> String {
        format!("<Oddity {}: {}>", self.kind, self.message)
    }
}

/// What a data set consists of, and what in it readers may stumble over.
#[pyclass(frozen, module = "atomic_arrow")]
pub(crate) struct Inspection {
    totals: library::Totals,
    skew: Option<f64>,
    partitions: Vec<PartitionSummary>,
    oddities: Vec<Oddity>,
    /// The root: absolute, with symbolic links resolved.
    #[pyo3(get)]
    root: PathBuf,
}

impl Inspection {
    fn of(inspection: library::Inspection) -> Self {
        let (totals, skew) = (
            inspection.totals(),
            inspection.skew().map(|skew| skew.ratio),
        );
        let summary = |summary: library::PartitionSummary| PartitionSummary {
            partition: summary.partition,
            directory: summary.directory,
            files: summary.files,
            small_files: summary.small_files,
            rows: summary.rows,
            bytes: summary.bytes,
            row_groups: summary.row_groups,
        };
        let oddity = |oddity: library::Oddity| Oddity {
            kind: oddity.kind(),
            path: oddity.path().map(ToOwned::to_owned),
            message: with_causes(&oddity, oddity.source()),
        };
        Inspection {
            totals,
            skew,
            partitions: inspection.partitions.into_iter().map(summary).collect(),
            oddities: inspection.oddities.into_iter().map(oddity).collect(),
            root: inspection.root,
        }
    }

    fn partition_batch(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        let all = || self.partitions.iter();
        RecordBatch::try_from_iter_with_nullable([
            (
                "directory",
                texts(all().map(|p| Some(p.directory.to_string_lossy()))),
                false,
            ),
            ("files", numbers(all().map(|p| Some(p.files))), false),
            (
                "small_files",
                numbers(all().map(|p| Some(p.small_files))),
                false,
            ),
            (
                "row_groups",
                numbers(all().map(|p| Some(p.row_groups))),
                false,
            ),
            ("rows", numbers(all().map(|p| Some(p.rows))), false),
            ("bytes", numbers(all().map(|p| Some(p.bytes))), false),
        ])
        .map_err(|error| table_error(py, &error))
    }

    fn oddity_batch(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        let all = || self.oddities.iter();
        let paths = all().map(|oddity| oddity.path.as_ref().map(|path| path.to_string_lossy()));
        RecordBatch::try_from_iter_with_nullable([
            ("kind", texts(all().map(|oddity| Some(oddity.kind))), false),
            ("path", texts(paths), true),
            (
                "message",
                texts(all().map(|oddity| Some(&oddity.message))),
                false,
            ),
        ])
        .map_err(|error| table_error(py, &error))
    }
}

#[pymethods]
impl Inspection {
    /// Every directory that holds data files, in the order of their paths.
    #[getter]
    fn partitions(&self, py: Python<'_>) -> PyResult<Table> {
        Table::new(
            py,
            self.partitions.iter().cloned(),
            self.partition_batch(py)?,
        )
    }

    /// What readers may stumble over.
    #[getter]
    fn oddities(&self, py: Python<'_>) -> PyResult<Table> {
        Table::new(py, self.oddities.iter().cloned(), self.oddity_batch(py)?)
    }

    /// How many data files there are.
    #[getter]
    fn files(&self) -> u64 {
        self.totals.files
    }

    /// The rows of all partitions.
    #[getter]
    fn rows(&self) -> u64 {
        self.totals.rows
    }

    /// The bytes of all files.
    #[getter]
    fn bytes(&self) -> u64 {
        self.totals.bytes
    }

    /// The row groups of all files.
    #[getter]
    fn row_groups(&self) -> u64 {
        self.totals.row_groups
    }

    /// The rows of the largest partition by those of the median one; ``None`` where there are no rows.
    #[getter]
    fn skew(&self) -> Option<f64> {
        self.skew
    }

    fn __str__(&self) -> String {
        let totals = self.totals;
        format!(
            "{}: {} in {} of {}, {}, {}",
            self.root.display(),
            plural(totals.rows, "row"),
            plural(totals.files, "file"),
            plural(totals.partitions, "partition"),
            bytes(totals.bytes),
            match self.oddities.len() {
                0 => "nothing odd".to_owned(),
                odd => format!("{odd} odd"),
            },
        )
    }

    fn __repr__(&self) -> String {
        format!("<Inspection {}>", self.__str__())
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let title = table::escape(&self.__str__());
        let partitions = table::html(&self.partition_batch(py)?);
        let oddities = match self.oddities.is_empty() {
            true => String::new(),
            false => table::html(&self.oddity_batch(py)?),
        };
        Ok(format!("<p>{title}</p>{partitions}{oddities}"))
    }
}

/// Looks at a data set: its partitions, rows, bytes, and oddities.
#[pyfunction]
pub(crate) fn inspect(
    py: Python<'_>,
    root: PathBuf,
    small_file: u64,
    staging: &Bound<'_, PyAny>,
) -> PyResult<Inspection> {
    let options = InspectOptions::new()
        .small_file(small_file)
        .staging(options::staging(staging)?);
    let look = move |_: &dyn Fn(()) -> bool| inspect_with_options(&root, &options);
    let inspection = apart(py, look, |()| Ok(()))?;
    Ok(Inspection::of(
        inspection.map_err(|error| raise(py, &error))?,
    ))
}

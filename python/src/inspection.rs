//! The result of `inspect`, which changes nothing on disk.

use std::path::PathBuf;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::inspect::{self as library, InspectOptions, inspect_with_options};
use atomic_arrow::{Partition, ScanProgress};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::{raise, with_causes};
use crate::options::{self, Keys};
use crate::place::Place;
use crate::scan::tell;
use crate::store::StoreOptions;
use crate::table::{self, Table, batch, bytes, numbers, plural, texts};
use crate::values::partition_dict;
use crate::work::{Find, apart};

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
    /// How many of them are not Parquet, and their rows not counted.
    #[pyo3(get)]
    uncounted_files: u64,
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
    path: Option<Place>,
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
    totals: library::InspectionTotals,
    skew: Option<f64>,
    partitions: Vec<PartitionSummary>,
    oddities: Vec<Oddity>,
    /// The root: absolute, with symbolic links resolved.
    #[pyo3(get)]
    root: Place,
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
            uncounted_files: summary.uncounted_files,
            rows: summary.rows,
            bytes: summary.bytes,
            row_groups: summary.row_groups,
        };
        let oddity = |oddity: library::Oddity| Oddity {
            kind: oddity.kind(),
            path: oddity.path().map(Place::from),
            message: with_causes(&oddity, oddity.source()),
        };
        Inspection {
            totals,
            skew,
            partitions: inspection.partitions.into_iter().map(summary).collect(),
            oddities: inspection.oddities.into_iter().map(oddity).collect(),
            root: inspection.root.into(),
        }
    }

    fn partition_batch(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        let all = || self.partitions.iter();
        batch(
            py,
            [
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
                    "uncounted_files",
                    numbers(all().map(|p| Some(p.uncounted_files))),
                    false,
                ),
                (
                    "row_groups",
                    numbers(all().map(|p| Some(p.row_groups))),
                    false,
                ),
                ("rows", numbers(all().map(|p| Some(p.rows))), false),
                ("bytes", numbers(all().map(|p| Some(p.bytes))), false),
            ],
        )
    }

    fn oddity_batch(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        let all = || self.oddities.iter();
        let paths = all().map(|oddity| oddity.path.as_ref().map(|path| path.to_string_lossy()));
        batch(
            py,
            [
                ("kind", texts(all().map(|oddity| Some(oddity.kind))), false),
                ("path", texts(paths), true),
                (
                    "message",
                    texts(all().map(|oddity| Some(&oddity.message))),
                    false,
                ),
            ],
        )
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

    /// How many of the data files are not Parquet, and their rows not counted.
    #[getter]
    fn uncounted_files(&self) -> u64 {
        self.totals.uncounted_files
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
#[pyo3(signature = (root, small_file, cross_mounts, options, staging, on_progress=None))]
pub(crate) fn inspect(
    py: Python<'_>,
    root: PathBuf,
    small_file: u64,
    cross_mounts: bool,
    options: &Bound<'_, PyDict>,
    staging: &Bound<'_, PyAny>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Inspection> {
    let mut inspecting = InspectOptions::new()
        .small_file(small_file)
        .cross_mounts(cross_mounts)
        .staging(options::staging(staging)?)
        .object_store(StoreOptions::among(options)?.of(py, &[&root])?);
    if let Some(keys) = Keys::of(options)? {
        inspecting = inspecting.keys(keys);
    }
    let look = move |find: Find<ScanProgress>| {
        let options = inspecting.on_progress(move |counts| {
            // Where nobody listens any more, it only reads on.
            let _ = find(counts);
        });
        inspect_with_options(&root, &options)
    };
    let inspection = apart(py, look, |counts| tell(py, on_progress.as_ref(), counts))?;
    Ok(Inspection::of(
        inspection.map_err(|error| raise(py, &error))?,
    ))
}

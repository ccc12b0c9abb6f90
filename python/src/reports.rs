//! The result of `verify`, which changes nothing on disk.

use std::path::PathBuf;
use std::sync::Arc;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::verify::{self as checks, VerifyOptions, verify_path_with_options};
use atomic_arrow::{Error, ScanProgress, Step};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::errors::{raise, with_causes};
use crate::options::{self, Keys};
use crate::place::Place;
use crate::scan::tell;
use crate::store::StoreOptions;
use crate::table::{self, Table, batch, bytes, numbers, plural, texts};
use crate::work::{Find, apart};

/// The result of checking one file.
#[pyclass(frozen, get_all, module = "atomic_arrow")]
#[derive(Clone)]
pub(crate) struct FileReport {
    /// The file.
    path: Place,
    /// The format that it was checked as.
    format: &'static str,
    /// Its length.
    bytes: u64,
    /// Its rows; ``None`` if it is damaged or the format has none.
    rows: Option<u64>,
    /// Its row groups (Parquet) or record batches (Arrow IPC); ``None`` if it is damaged.
    row_groups: Option<u64>,
    /// What is wrong, of several things the first, or why that cannot be told; ``None`` if it is sound.
    damage: Option<String>,
    /// Whether it can be told if it is sound; ``False`` for one that is encrypted with keys that are not given.
    is_checkable: bool,
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
            path: report.path().into(),
            format: report.format().name(),
            bytes: report.bytes(),
            rows: report.rows(),
            row_groups: report.row_groups().map(|groups| groups as u64),
            damage: damage.map(|damage| with_causes(damage, std::error::Error::source(damage))),
            is_checkable: !matches!(damage, Some(checks::Damage::NotCheckable { .. })),
            row_group: location.row_group,
            column: location.column.map(|column| column.to_string()),
            offset: location.offset,
        }
    }
}

#[pymethods]
impl FileReport {
    /// Whether it was checked and nothing was found to be wrong.
    #[getter]
    fn is_sound(&self) -> bool {
        self.damage.is_none()
    }

    fn __repr__(&self) -> String {
        let path = self.path.display();
        match &self.damage {
            None => format!("<FileReport {path}: sound>"),
            Some(damage) if self.is_checkable => format!("<FileReport {path}: damaged: {damage}>"),
            Some(reason) => format!("<FileReport {path}: {reason}>"),
        }
    }
}

/// The results of checking files.
///
/// It exports the Arrow stream interface, with a row for each file.
#[pyclass(frozen, module = "atomic_arrow")]
pub(crate) struct Verification {
    reports: Vec<FileReport>,
}

impl Verification {
    fn batch(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        let reports = || self.reports.iter();
        batch(
            py,
            [
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
            ],
        )
    }

    /// The reports of the files that are not sound, checkable ones or others.
    fn unsound(&self, is_checkable: bool) -> impl Iterator<Item = &FileReport> {
        let unsound = self.reports.iter().filter(|report| !report.is_sound());
        unsound.filter(move |report| report.is_checkable == is_checkable)
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
        self.unsound(true).cloned().collect()
    }

    /// The reports of the files that cannot be checked here, such as those encrypted with keys that are not given.
    #[getter]
    fn not_checkable(&self) -> Vec<FileReport> {
        self.unsound(false).cloned().collect()
    }

    /// Whether every file was checked and is sound.
    #[getter]
    fn is_sound(&self) -> bool {
        self.reports.iter().all(FileReport::is_sound)
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
        let files = self.reports.len() as u64;
        let damaged = self.unsound(true).count() as u64;
        let not_checkable = self.unsound(false).count() as u64;
        let unknown = match not_checkable {
            0 => String::new(),
            count => format!(", {} not checkable", table::count(count)),
        };
        format!(
            "{} checked: {} sound, {} damaged{unknown}; {}, {}",
            plural(files, "file"),
            table::count(files - damaged - not_checkable),
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

/// What the calling thread hears of while files are checked.
enum Found {
    Progress(ScanProgress),
    Report(FileReport),
}

/// Checks a file, or every data file under a directory.
#[pyfunction]
#[pyo3(signature = (paths, level, cross_mounts, options, on_file=None, on_progress=None))]
pub(crate) fn verify(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    level: &Bound<'_, PyAny>,
    cross_mounts: bool,
    options: &Bound<'_, PyDict>,
    on_file: Option<Py<PyAny>>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Verification> {
    let mut verifying = VerifyOptions::new()
        .level(options::level(level)?)
        .cross_mounts(cross_mounts)
        .object_store(StoreOptions::among(options)?.of(py, &paths)?);
    if let Some(keys) = Keys::of(options)? {
        verifying = verifying.keys(keys);
    }
    let check = move |find: Find<Found>| {
        let mut before = ScanProgress::default();
        paths.iter().try_for_each(|path| {
            let telling = Arc::clone(&find);
            let options = verifying.clone().on_progress(move |mut counts| {
                counts.files += before.files;
                counts.bytes += before.bytes;
                // The report that follows finds out whether nobody listens.
                let _ = telling(Found::Progress(counts));
            });
            let checked = verify_path_with_options(path, &options, |report| {
                match find(Found::Report(FileReport::of(report))) {
                    true => Ok(()),
                    false => Err(Error::Interrupted {
                        step: Step::Verify,
                        path: report.path().to_owned(),
                    }),
                }
            })?;
            before.files += checked.files;
            before.bytes += checked.bytes;
            Ok(())
        })
    };
    let mut reports = Vec::new();
    let checked = apart(py, check, |found| match found {
        Found::Progress(counts) => tell(py, on_progress.as_ref(), counts),
        Found::Report(report) => {
            reports.push(report.clone());
            match &on_file {
                Some(call) => call.call1(py, (report,)).map(drop),
                None => Ok(()),
            }
        }
    })?;
    checked.map_err(|error| raise(py, &error))?;
    Ok(Verification { reports })
}

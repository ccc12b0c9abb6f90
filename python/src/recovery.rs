//! The result of `recover`: what it did with what dead writers left.

use std::path::PathBuf;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::{RecoverOptions, Recovery as Recovered, recover_with_options};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::errors::raise;
use crate::options;
use crate::place::Place;
use crate::scan::Told;
use crate::settle::Signals;
use crate::store::StoreOptions;
use crate::table::{self, batch, plural, texts};
use crate::work::run;

/// What :func:`recover` found and did.
///
/// It exports the Arrow stream interface, with a row for each path: ``action`` and ``path``.
#[pyclass(frozen, get_all, module = "atomic_arrow")]
pub(crate) struct Recovery {
    /// Whether only what would be done is said.
    dry_run: bool,
    /// Transactions of dead writers that were committed, and are now published as a whole.
    finished: Vec<Place>,
    /// Transactions that were committed, could not be finished, and were given up as was asked for.
    abandoned: Vec<Place>,
    /// Markers of transactions out of reach, removed as was asked for.
    forgotten: Vec<Place>,
    /// Transactions of dead writers that were not committed, and are removed.
    aborted: Vec<Place>,
    /// Staging files of dead writers that were removed.
    removed: Vec<Place>,
    /// What belongs to writers that are alive, or may be; left alone.
    alive: Vec<Place>,
    /// What was staged for a commit to come, and is still to be kept.
    staged: Vec<Place>,
    /// What could not be looked at or removed, and why: exceptions.
    failed: Vec<Py<PyAny>>,
}

impl Recovery {
    fn of(py: Python<'_>, recovered: Recovered, dry_run: bool) -> Self {
        let failed = recovered.failed.iter();
        Recovery {
            dry_run,
            failed: failed
                .map(|error| raise(py, error).into_value(py).into_any())
                .collect(),
            finished: places(recovered.finished),
            abandoned: places(recovered.abandoned),
            forgotten: places(recovered.forgotten),
            aborted: places(recovered.aborted),
            removed: places(recovered.removed),
            alive: places(recovered.alive),
            staged: places(recovered.staged),
        }
    }

    fn batch(&self, py: Python<'_>) -> PyResult<RecordBatch> {
        let groups = [
            ("finished", &self.finished),
            ("abandoned", &self.abandoned),
            ("forgotten", &self.forgotten),
            ("aborted", &self.aborted),
            ("removed", &self.removed),
            ("alive", &self.alive),
            ("staged", &self.staged),
        ];
        let rows = |(action, paths): (&'static str, &Vec<Place>)| {
            let texts = paths.iter().map(|path| path.to_string_lossy().into_owned());
            texts.map(|path| (action, path)).collect::<Vec<_>>()
        };
        let (actions, paths): (Vec<&str>, Vec<String>) = groups.into_iter().flat_map(rows).unzip();
        let columns = [
            ("action", texts(actions.into_iter().map(Some)), false),
            ("path", texts(paths.into_iter().map(Some)), false),
        ];
        batch(py, columns)
    }
}

#[pymethods]
impl Recovery {
    /// Exports a row for each path through the Arrow C stream interface.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        table::export(py, &self.batch(py)?, requested_schema)
    }

    fn __str__(&self) -> String {
        let would = if self.dry_run { "would be " } else { "" };
        let given_up = match self.abandoned.len() {
            0 => String::new(),
            count => format!("{} given up, ", table::count(count as u64)),
        };
        format!(
            "{} {would}finished, {given_up}{} {would}aborted, {} {would}removed; {} left of live writers, {}",
            plural(self.finished.len() as u64, "transaction"),
            table::count(self.aborted.len() as u64),
            plural(self.removed.len() as u64, "staging file"),
            table::count(self.alive.len() as u64),
            plural(self.failed.len() as u64, "failure"),
        )
    }

    fn __repr__(&self) -> String {
        format!("<Recovery: {}>", self.__str__())
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!(
            "<p>{}</p>{}",
            self.__str__(),
            table::html(&self.batch(py)?)
        ))
    }
}

fn places(paths: Vec<PathBuf>) -> Vec<Place> {
    paths.into_iter().map(Place::from).collect()
}

/// Finishes or removes what dead writers left of a data set.
#[pyfunction]
#[pyo3(signature = (root, dry_run, abort_unfinished, staging, store, on_progress=None))]
pub(crate) fn recover(
    py: Python<'_>,
    root: PathBuf,
    dry_run: bool,
    abort_unfinished: bool,
    staging: &Bound<'_, PyAny>,
    store: &Bound<'_, PyDict>,
    on_progress: Option<Py<PyAny>>,
) -> PyResult<Recovery> {
    let options = RecoverOptions::new()
        .dry_run(dry_run)
        .abort_unfinished(abort_unfinished)
        .staging(options::staging(staging)?)
        .object_store(StoreOptions::among(store)?.of(py, &[&root])?);
    let signals = Signals::default();
    let told = Told::new(&signals, on_progress);
    let options = options
        .interrupt_when(signals.asking())
        .on_progress(told.listener());
    let (recovered, raised) = run(py, &told, move || recover_with_options(&root, &options))?;
    if let Some(raised) = raised {
        return Err(raised);
    }
    let recovered = recovered.map_err(|error| raise(py, &error))?;
    Ok(Recovery::of(py, recovered, dry_run))
}

//! The outcome of work that publishes, where an exception was raised meanwhile (promise P5).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use atomic_arrow::{Error, Outcome, Result as Done, Step};
use pyo3::prelude::*;

use crate::errors::{interrupted, outcome_name, raise};
use crate::work::{Meanwhile, run};

/// The result of the work, or the exception that was raised meanwhile, with a note of what is on disk.
///
/// What was published nevertheless is given to `published`, with what is raised.
pub(crate) fn settle<R>(
    py: Python<'_>,
    path: &Path,
    done: Done<R>,
    raised: Option<PyErr>,
    published: impl FnOnce(R, &PyErr) -> PyResult<()>,
) -> PyResult<R> {
    let Some(raised) = raised else {
        return done.map_err(|error| raise(py, &error));
    };
    let told = |outcome| interrupted(py, raised, outcome, Some(path));
    Err(match done {
        Ok(done) => {
            let told = told("published");
            published(done, &told).err().unwrap_or(told)
        }
        Err(Error::Interrupted { .. }) => told(outcome_name(Outcome::NotPublished)),
        Err(error) => {
            let told = told(outcome_name(error.outcome()));
            told.set_cause(py, Some(raise(py, &error)));
            told
        }
    })
}

/// Heeds signals while the library works, and nothing else.
#[derive(Clone, Default)]
pub(crate) struct Signals(Arc<AtomicBool>);

impl Signals {
    /// The callback by which the library asks, while it waits, whether to stop.
    pub(crate) fn asking(&self) -> impl Fn(Step) -> bool + Send + Sync + use<> {
        let raised = Arc::clone(&self.0);
        move |_| raised.load(Ordering::Relaxed)
    }

    /// An error if a signal was raised, so that the step is not begun.
    pub(crate) fn check(&self, step: Step, path: &Path) -> Done<()> {
        match self.0.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(Error::Interrupted {
                step,
                path: path.to_owned(),
            }),
        }
    }
}

impl Meanwhile for Signals {
    fn stop(&self) -> &AtomicBool {
        &self.0
    }
}

/// Runs work that publishes and heeds signals: it may ask for them before it is too late. What is published
/// nevertheless is the `receipt` of what is raised.
pub(crate) fn publishing<'py, R: Send + 'static, T: IntoPyObject<'py>>(
    py: Python<'py>,
    path: &Path,
    signals: &Signals,
    work: impl FnOnce(&Signals) -> Done<R> + Send + 'static,
    receipt: impl Fn(R) -> T,
) -> PyResult<T> {
    let heeded = signals.clone();
    let (done, raised) = run(py, signals, move || work(&heeded))?;
    let done = settle(py, path, done, raised, |done, raised| {
        raised.value(py).setattr("receipt", receipt(done))
    })?;
    Ok(receipt(done))
}

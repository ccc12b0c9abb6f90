//! The writer of one Parquet file.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::{AtomicArrowWriter, Error, Outcome, Partition, PublishedFile as Published};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::dataset::{Failure, feed};
use crate::errors::{self, outcome_name, raise};
use crate::file::PublishedFile;
use crate::input::{Stream, schema_of};
use crate::options;
use crate::owned::Owned;
use crate::values::partition_fields;
use crate::work::{Meanwhile, detached, run, with_worker};

/// Writes one Parquet file into a partition of a data set; dropping it discards.
#[pyclass(frozen, module = "atomic_arrow._lib")]
pub(crate) struct ArrowWriter {
    path: PathBuf,
    writer: Owned<AtomicArrowWriter>,
}

/// Nobody but signals stops one file.
#[derive(Default)]
struct Signals(AtomicBool);

impl Meanwhile for Signals {
    fn stop(&self) -> &AtomicBool {
        &self.0
    }
}

#[pymethods]
impl ArrowWriter {
    #[new]
    fn new(
        py: Python<'_>,
        root: PathBuf,
        partition: &Bound<'_, PyDict>,
        schema: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let partition = Partition::new(partition_fields(partition)?)
            .map_err(|error| raise(py, &error.into()))?;
        let options = options::parquet_file(options)?;
        let schema = schema_of(schema)?;
        let open = || AtomicArrowWriter::create_with_options(&root, &partition, schema, options);
        let writer = detached(py, open)?.map_err(|error| raise(py, &error))?;
        Ok(ArrowWriter {
            path: writer.path().to_owned(),
            writer: Owned::new("AtomicArrowWriter", writer),
        })
    }

    /// Where the file will be published.
    #[getter]
    fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Appends all rows of a stream.
    fn write(&self, py: Python<'_>, stream: &Stream) -> PyResult<()> {
        let mut batches = stream.read(py)?;
        let signals = Signals::default();
        let written = self.writer.with(py, |writer| {
            let work = |batch: RecordBatch| match signals.0.load(Ordering::Relaxed) {
                true => Ok(()),
                false => writer.write(&batch),
            };
            with_worker(py, &signals, work, |worker| {
                Ok(feed(py, &signals, &mut batches, worker))
            })
        })?;
        match written {
            Ok(()) => Ok(()),
            Err(Failure::Raised(raised)) => {
                self.discard(py)?;
                Err(self.not_published(py, raised))
            }
            Err(Failure::Refused(error)) => Err(raise(py, &error)),
            Err(Failure::Panicked(panicked)) => Err(panicked.raise(py)),
        }
    }

    /// Ends, syncs, verifies and publishes the file.
    fn commit(&self, py: Python<'_>) -> PyResult<PublishedFile> {
        let Some(writer) = self.writer.take(py)? else {
            return Err(errors::refuse(
                py,
                "ClosedError",
                "this AtomicArrowWriter is closed",
            ));
        };
        let signals = Signals::default();
        let stopped = || signals.0.load(Ordering::Relaxed);
        let work = || -> Result<Option<Published>, Error> {
            let staged = writer.finish()?;
            // The last moment at which nothing is visible.
            if stopped() {
                Ok(None)
            } else {
                staged.publish().map(Some)
            }
        };
        match run(py, &signals, work)? {
            (Ok(Some(published)), None) => Ok(PublishedFile::parquet(&published)),
            (Ok(Some(_)), Some(raised)) => Err(errors::interrupted(
                py,
                raised,
                "published",
                Some(&self.path),
            )),
            (Err(error), None) => Err(raise(py, &error)),
            (Err(error), Some(raised)) => {
                let outcome = outcome_name(error.outcome());
                let interrupted = errors::interrupted(py, raised, outcome, Some(&self.path));
                interrupted.set_cause(py, Some(raise(py, &error)));
                Err(interrupted)
            }
            (Ok(None), Some(raised)) => Err(self.not_published(py, raised)),
            (Ok(None), None) => Err(errors::internal("stopped, and nobody asked for it")),
        }
    }

    /// Removes what was written.
    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        let writer = self.writer.take(py)?;
        detached(py, || drop(writer))
    }
}

impl ArrowWriter {
    fn not_published(&self, py: Python<'_>, raised: PyErr) -> PyErr {
        let outcome = outcome_name(Outcome::NotPublished);
        errors::interrupted(py, raised, outcome, Some(&self.path))
    }
}

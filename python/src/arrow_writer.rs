//! The writer of one Parquet file.

use std::path::PathBuf;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::{AtomicArrowWriter, Partition, Step};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::dataset::feed;
use crate::errors::{self, raise};
use crate::file::PublishedFile;
use crate::input::{Stream, schema_of};
use crate::options;
use crate::owned::Owned;
use crate::place::Place;
use crate::settle::{Signals, publishing, settle};
use crate::values::partition_fields;
use crate::work::{detached, run, with_worker};

/// Writes one Parquet file into a partition of a data set; dropping it discards.
#[pyclass(frozen, module = "atomic_arrow._lib")]
pub(crate) struct ArrowWriter {
    path: PathBuf,
    writer: Owned<AtomicArrowWriter>,
    signals: Signals,
}

impl ArrowWriter {
    pub(crate) fn new(writer: AtomicArrowWriter, signals: Signals) -> Self {
        ArrowWriter {
            path: writer.path().to_owned(),
            writer: Owned::new("AtomicArrowWriter", writer),
            signals,
        }
    }
}

#[pymethods]
impl ArrowWriter {
    /// A writer of one Parquet file in a partition of a data set.
    #[staticmethod]
    fn create(
        py: Python<'_>,
        root: PathBuf,
        partition: &Bound<'_, PyDict>,
        schema: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let partition = Partition::new(partition_fields(partition)?)
            .map_err(|error| raise(py, &error.into()))?;
        let schema = schema_of(schema)?;
        let signals = Signals::default();
        let options = options::file_of_rows(&root, options)?.interrupt_when(signals.asking());
        let at = root.clone();
        let open = move || AtomicArrowWriter::create_with_options(&at, &partition, schema, options);
        let (writer, raised) = run(py, &signals, open)?;
        let writer = settle(py, &root, writer, raised, |_, _| Ok(()))?;
        Ok(ArrowWriter::new(writer, signals))
    }

    /// A writer of one file at a path.
    #[staticmethod]
    fn at(
        py: Python<'_>,
        path: PathBuf,
        schema: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let schema = schema_of(schema)?;
        let signals = Signals::default();
        let options = options::file_of_rows(&path, options)?.interrupt_when(signals.asking());
        let at = path.clone();
        let open = move || AtomicArrowWriter::at_with_options(&at, schema, options);
        let (writer, raised) = run(py, &signals, open)?;
        let writer = settle(py, &path, writer, raised, |_, _| Ok(()))?;
        Ok(ArrowWriter::new(writer, signals))
    }

    /// Where the file will be published.
    #[getter]
    fn path(&self) -> Place {
        self.path.as_path().into()
    }

    /// Appends all rows of a stream.
    fn write(&self, py: Python<'_>, stream: &Stream) -> PyResult<()> {
        let mut batches = stream.read(py, false)?;
        let signals = Signals::default();
        let written = self.writer.lend(py, |writer| {
            let (asked, path) = (signals.clone(), self.path.clone());
            let work = move |writer: &mut AtomicArrowWriter, batch: RecordBatch| {
                asked.check(Step::WriteRows, &path)?;
                writer.write(&batch)
            };
            with_worker(py, &signals, writer, work, |worker| {
                feed(py, &signals, &mut batches, worker)
            })
        })?;
        written.or_else(|failure| {
            failure.raise(py, &self.path, self.writer.is_elsewhere(), || {
                self.discard(py)
            })
        })
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
        let path = self.path.clone();
        let publish = move |signals: &Signals| {
            let staged = writer.finish()?;
            // The last moment at which nothing is visible.
            signals.check(Step::Publish, &path)?;
            staged.publish()
        };
        publishing(py, &self.path, &self.signals, publish, |published| {
            PublishedFile::parquet(&published)
        })
    }

    /// Removes what was written.
    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        let writer = self.writer.take(py)?;
        detached(py, || drop(writer))
    }
}

//! The update of one file of rows: a lock for reading it, merging, and writing it back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use atomic_arrow::arrow::array::{ArrayRef, RecordBatchReader as _, StructArray};
use atomic_arrow::arrow::datatypes::{DataType, Field, SchemaRef};
use atomic_arrow::arrow::error::ArrowError;
use atomic_arrow::{FileUpdate as Update, RowReader};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};
use pyo3_arrow::ffi::{ArrayIterator, to_stream_pycapsule};

use crate::arrow_writer::ArrowWriter;
use crate::errors::{self, raise};
use crate::input::schema_of;
use crate::options;
use crate::owned::Owned;
use crate::place::Place;
use crate::settle::{Signals, settle};
use crate::table::export_schema;
use crate::work::{contained, detached, run};

/// An update of one file, which holds its lock; dropping it changes nothing.
#[pyclass(frozen, module = "atomic_arrow._lib")]
pub(crate) struct FileUpdate {
    path: PathBuf,
    update: Owned<Update>,
    signals: Signals,
}

#[pymethods]
impl FileUpdate {
    /// Waits for the lock.
    #[new]
    fn new(py: Python<'_>, path: PathBuf, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let signals = Signals::default();
        let options = options::file_of_rows(&path, options)?.interrupt_when(signals.asking());
        let at = path.clone();
        let begin = move || Update::begin_with_options(&at, options);
        let (update, raised) = run(py, &signals, begin)?;
        let update = settle(py, &path, update, raised, |_, _| Ok(()))?;
        Ok(FileUpdate {
            path: update.path().to_owned(),
            update: Owned::new("update", update),
            signals,
        })
    }

    /// The path of the file.
    #[getter]
    fn path(&self) -> Place {
        self.path.as_path().into()
    }

    /// The rows of the file; ``None`` if there is none yet.
    fn read(&self, py: Python<'_>) -> PyResult<Option<RowStream>> {
        let read = self
            .update
            .with(py, |update| detached(py, || update.read()))?;
        let reader = read.map_err(|error| raise(py, &error))?;
        Ok(reader.map(RowStream::new))
    }

    /// Starts the file that replaces it.
    fn write(&self, py: Python<'_>, schema: &Bound<'_, PyAny>) -> PyResult<ArrowWriter> {
        let schema = schema_of(schema)?;
        let Some(update) = self.update.take(py)? else {
            return Err(errors::refuse(py, "ClosedError", "this update is closed"));
        };
        let (writer, raised) = run(py, &self.signals, move || update.write(schema))?;
        let writer = settle(py, &self.path, writer, raised, |_, _| Ok(()))?;
        Ok(ArrowWriter::new(writer, self.signals.clone()))
    }

    /// Gives the lock back.
    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        let update = self.update.take(py)?;
        detached(py, || drop(update))
    }
}

/// The rows of a file, to be read once through the Arrow C stream interface.
#[pyclass(frozen, module = "atomic_arrow._lib")]
pub(crate) struct RowStream {
    schema: SchemaRef,
    reader: Mutex<Option<RowReader>>,
}

impl RowStream {
    fn new(reader: RowReader) -> Self {
        RowStream {
            schema: reader.schema(),
            reader: Mutex::new(Some(reader)),
        }
    }
}

#[pymethods]
impl RowStream {
    /// Exports the schema through the Arrow C schema interface.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        export_schema(py, &self.schema)
    }

    /// Exports the rows through the Arrow C stream interface, once.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut reader = reader
            .ok_or_else(|| errors::refuse(py, "InputError", "these rows were read already"))?;
        let field = Field::new("", DataType::Struct(self.schema.fields().clone()), false);
        let field = field.with_metadata(self.schema.metadata().clone());
        // A panic must not reach whoever reads the stream.
        let rows = std::iter::from_fn(move || {
            let next = contained(|| reader.next());
            let next = next.unwrap_or_else(|panicked| {
                Some(Err(ArrowError::ExternalError(panicked.0.into())))
            })?;
            Some(next.map(|batch| Arc::new(StructArray::from(batch)) as ArrayRef))
        });
        let rows = ArrayIterator::new(rows, Arc::new(field));
        Ok(to_stream_pycapsule(py, Box::new(rows), requested_schema)?)
    }
}

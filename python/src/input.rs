//! Arrow data and schemas from Python, batch by batch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atomic_arrow::arrow::array::{
    Array as _, ArrayRef, RecordBatch, RecordBatchOptions, RecordBatchReader,
};
use atomic_arrow::arrow::buffer::Buffer;
use atomic_arrow::arrow::compute::cast;
use atomic_arrow::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use atomic_arrow::arrow::error::ArrowError;
use atomic_arrow::arrow::ipc::reader::StreamDecoder;
use atomic_arrow::arrow::ipc::writer::StreamWriter;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::input::AnyRecordBatch;
use pyo3_arrow::{PyRecordBatchReader, PySchema};

use crate::errors;
use crate::table::export_schema;
use crate::work::contained;

/// A dictionary's values, where no writer of Parquet takes the type that they have.
fn writable_type(data_type: &DataType) -> DataType {
    let field = |field: &FieldRef| Arc::new(writable_field(field));
    match data_type {
        DataType::Dictionary(keys, values) => {
            let values = match values.as_ref() {
                DataType::Utf8View => DataType::Utf8,
                DataType::BinaryView => DataType::Binary,
                other => writable_type(other),
            };
            DataType::Dictionary(keys.clone(), Box::new(values))
        }
        DataType::List(item) => DataType::List(field(item)),
        DataType::LargeList(item) => DataType::LargeList(field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
        other => other.clone(),
    }
}

fn writable_field(field: &FieldRef) -> Field {
    let data_type = writable_type(field.data_type());
    field.as_ref().clone().with_data_type(data_type)
}

/// The schema in types that can be written: categories of Polars are dictionaries of views, which the
/// encoder of Parquet has no place for.
fn writable(schema: &SchemaRef) -> SchemaRef {
    let fields: Fields = schema.fields().iter().map(writable_field).collect();
    match fields == *schema.fields() {
        true => Arc::clone(schema),
        false => Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())),
    }
}

fn converted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let fields = schema.fields().iter().zip(batch.columns());
    let columns = fields.map(|(field, column)| cast(column, field.data_type()));
    let columns = columns.collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// The most rows that are worked on before a signal is heeded.
const SLICE: usize = 1 << 18;

type Reader = Box<dyn RecordBatchReader + Send>;

/// Arrow data of an object that exports it, to be read once.
#[pyclass(frozen, module = "atomic_arrow._lib")]
pub(crate) struct Stream {
    schema: SchemaRef,
    reader: Mutex<Option<Reader>>,
    /// Whether its producer keeps its memory as it is until the commit.
    lasts: bool,
}

#[pymethods]
impl Stream {
    #[new]
    #[pyo3(signature = (data, *, lasts=false))]
    fn new(py: Python<'_>, data: &Bound<'_, PyAny>, lasts: bool) -> PyResult<Self> {
        // What foreign pointers lead to is not checked everywhere without a panic.
        let opened =
            contained(|| open(data)).map_err(|panicked| panicked.raise_unpublished(py))??;
        Ok(Stream {
            schema: writable(&opened.schema()),
            reader: Mutex::new(Some(opened)),
            lasts,
        })
    }

    /// Exports the schema through the Arrow C schema interface.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        export_schema(py, &self.schema)
    }
}

fn open(data: &Bound<'_, PyAny>) -> PyResult<Reader> {
    // An object that has both, as a record batch of pyarrow, is the same either way.
    match data.hasattr("__arrow_c_stream__")? {
        true => data.extract::<PyRecordBatchReader>()?.into_reader(),
        false => data.extract::<AnyRecordBatch>()?.into_reader(),
    }
}

impl Stream {
    /// Takes the reader, which can be done once; what is held may need memory of its own.
    pub(crate) fn read(&self, py: Python<'_>, held: bool) -> PyResult<Batches> {
        let reader = self.lock().take();
        let reader = reader
            .ok_or_else(|| errors::refuse(py, "InputError", "this stream was read already"))?;
        let converted = (reader.schema() != self.schema).then(|| Arc::clone(&self.schema));
        Ok(Batches {
            reader,
            converted,
            copy: held && !self.lasts,
            rest: None,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Reader>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The batches of a stream, none of them large.
pub(crate) struct Batches {
    reader: Reader,
    /// The schema, where it is not the reader's.
    converted: Option<SchemaRef>,
    /// Whether their memory is the producer's, and must not be kept.
    copy: bool,
    rest: Option<RecordBatch>,
}

impl Batches {
    /// The next batch; `None` at the end.
    pub(crate) fn next(&mut self, py: Python<'_>) -> PyResult<Option<RecordBatch>> {
        let next = py.detach(|| contained(|| self.pull()));
        let next = next.map_err(|panicked| panicked.raise_unpublished(py))?;
        next.transpose().map_err(|error| unreadable(py, error))
    }

    fn pull(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.reader.next()? {
                Ok(batch) => match &self.converted {
                    None => batch,
                    Some(schema) => match converted(&batch, schema) {
                        Ok(batch) => batch,
                        error => return Some(error),
                    },
                },
                error => return Some(error),
            },
        };
        let mut batch = batch;
        if batch.num_rows() > SLICE {
            self.rest = Some(batch.slice(SLICE, batch.num_rows() - SLICE));
            batch = batch.slice(0, SLICE);
        }
        Some(if self.copy { copied(&batch) } else { Ok(batch) })
    }
}

/// The same rows in memory of our own: that of frames of pandas, and of arrays that were made of NumPy's,
/// changes under their owner's hands.
fn copied(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let size = |column: &ArrayRef| column.to_data().get_slice_memory_size();
    let sizes = batch.columns().iter().map(size);
    let bytes = Vec::with_capacity(sizes.sum::<Result<usize, _>>().unwrap_or(0));
    let mut writer = StreamWriter::try_new(bytes, batch.schema_ref())?;
    writer.write(batch)?;
    let mut bytes = writer.into_inner()?;
    bytes.shrink_to_fit();
    let copy = StreamDecoder::new().decode(&mut Buffer::from_vec(bytes))?;
    let columns = copy.map_or_else(Vec::new, |copy| copy.columns().to_vec());
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options)
}

fn unreadable(py: Python<'_>, error: ArrowError) -> PyErr {
    match error {
        // What a producer raised that is Python's own.
        ArrowError::ExternalError(source) => match source.downcast::<PyErr>() {
            Ok(raised) => *raised,
            Err(source) => refuse(py, &source),
        },
        error => refuse(py, &error),
    }
}

fn refuse(py: Python<'_>, reason: impl ToString) -> PyErr {
    let reason = reason.to_string();
    let message = format_args!("the data cannot be read\n  because: {reason}");
    errors::refuse(py, "InputError", message)
}

/// The schema of an object that exports one, or of a table.
pub(crate) fn schema_of(schema: &Bound<'_, PyAny>) -> PyResult<SchemaRef> {
    let py = schema.py();
    let taken = contained(|| match schema.hasattr("__arrow_c_schema__")? {
        true => Ok(schema.extract::<PySchema>()?.into_inner()),
        false => Ok(open(schema)?.schema()),
    });
    let taken = taken.map_err(|panicked| panicked.raise_unpublished(py))?;
    taken.map(|schema| writable(&schema))
}

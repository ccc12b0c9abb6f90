//! Arrow data and schemas from Python, batch by batch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atomic_arrow::arrow::array::{
    Array as _, ArrayData, ArrayRef, AsArray as _, FixedSizeListArray, GenericListArray, MapArray,
    OffsetSizeTrait, RecordBatch, RecordBatchOptions, StructArray, new_null_array,
};
use atomic_arrow::arrow::buffer::Buffer;
use atomic_arrow::arrow::compute::cast;
use atomic_arrow::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use atomic_arrow::arrow::error::ArrowError;
use atomic_arrow::arrow::ipc::reader::StreamDecoder;
use atomic_arrow::arrow::ipc::writer::StreamWriter;
use atomic_arrow::schema::{check_nulls, common_schema, fit, lacking};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use pyo3_arrow::PySchema;
use pyo3_arrow::ffi::ArrayReader;

use crate::errors;
use crate::foreign;
use crate::table::export_schema;
use crate::work::contained;

/// The type in which a dictionary's values are written, where Parquet has no place for the given one.
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
    let columns = fields.map(|(field, column)| convert(column, field.data_type()));
    let columns = columns.collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// The same values in another type. To a type without values everything becomes a null, since only nulls
/// are given in another type in its place.
fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(Arc::clone(array)),
        (_, DataType::Null) if array.logical_null_count() == array.len() => {
            Ok(new_null_array(to, array.len()))
        }
        (DataType::List(_), DataType::List(item)) => lists::<i32>(array, item),
        (DataType::LargeList(_), DataType::LargeList(item)) => lists::<i64>(array, item),
        (DataType::FixedSizeList(..), DataType::FixedSizeList(item, size)) => {
            let list = array.as_fixed_size_list();
            let values = convert(list.values(), item.data_type())?;
            let (item, nulls) = (Arc::clone(item), list.nulls().cloned());
            let list =
                FixedSizeListArray::try_new_with_length(item, *size, values, nulls, list.len())?;
            Ok(Arc::new(list))
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            Ok(Arc::new(structs(array.as_struct(), fields)?))
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let map = array.as_map();
            let DataType::Struct(fields) = entries.data_type() else {
                return cast(array, to);
            };
            let values = structs(map.entries(), fields)?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            let map = MapArray::try_new(Arc::clone(entries), offsets, values, nulls, *sorted)?;
            Ok(Arc::new(map))
        }
        _ => cast(array, to),
    }
}

fn lists<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let list = array.as_list::<O>();
    let values = convert(list.values(), item.data_type())?;
    let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
    let list = GenericListArray::try_new(Arc::clone(item), offsets, values, nulls)?;
    Ok(Arc::new(list))
}

fn structs(array: &StructArray, fields: &Fields) -> Result<StructArray, ArrowError> {
    let columns = array.columns().iter().zip(fields);
    let columns = columns.map(|(column, field)| convert(column, field.data_type()));
    let columns = columns.collect::<Result<_, _>>()?;
    let nulls = array.nulls().cloned();
    StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())
}

/// The field with what is known of it from a later one: where it has no values, the later has some.
fn decided_field(first: &FieldRef, later: &FieldRef) -> FieldRef {
    let has_nothing = match first.data_type() {
        DataType::Dictionary(_, values) => **values == DataType::Null,
        other => *other == DataType::Null,
    };
    if has_nothing {
        return Arc::new(later.as_ref().clone().with_nullable(true));
    }
    let data_type = decided(first.data_type(), later.data_type());
    Arc::new(first.as_ref().clone().with_data_type(data_type))
}

fn decided_fields(first: &Fields, later: &Fields) -> Fields {
    let known = |first: &FieldRef| match later.find(first.name()) {
        Some((_, later)) => decided_field(first, later),
        None => Arc::clone(first),
    };
    first.iter().map(known).collect()
}

fn decided(first: &DataType, later: &DataType) -> DataType {
    match (first, later) {
        (first, later) if is_nothing(first) && (later.is_list() || !is_list(first)) => {
            later.clone()
        }
        (DataType::List(first), DataType::List(later)) => {
            DataType::List(decided_field(first, later))
        }
        (DataType::LargeList(first), DataType::LargeList(later)) => {
            DataType::LargeList(decided_field(first, later))
        }
        (DataType::FixedSizeList(first, size), DataType::FixedSizeList(later, _)) => {
            DataType::FixedSizeList(decided_field(first, later), *size)
        }
        (DataType::Map(first, sorted), DataType::Map(later, _)) => {
            DataType::Map(decided_field(first, later), *sorted)
        }
        (DataType::Struct(first), DataType::Struct(later)) => {
            DataType::Struct(decided_fields(first, later))
        }
        (first, _) => first.clone(),
    }
}

fn is_list(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::LargeList(_))
}

/// Whether a type has no values, or is one of lists or a dictionary of such.
fn is_nothing(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null => true,
        DataType::List(item) | DataType::LargeList(item) => *item.data_type() == DataType::Null,
        DataType::Dictionary(_, values) => **values == DataType::Null,
        _ => false,
    }
}

/// Whether the type, or one within it, is the type `Null`.
fn is_undecided(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null => true,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => is_undecided(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| is_undecided(field.data_type())),
        DataType::Dictionary(_, values) => is_undecided(values),
        _ => false,
    }
}

/// The most rows that are worked on before a signal is heeded.
const SLICE: usize = 1 << 18;

type Reader = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Arrow data of an object that exports it, to be read once.
#[pyclass(frozen, module = "atomic_arrow._lib")]
pub(crate) struct Stream {
    schema: SchemaRef,
    /// Whose schema may have other types in place of those of this one.
    given: SchemaRef,
    reader: Mutex<Option<Reader>>,
    /// Whether its producer keeps its memory as it is until the commit.
    lasts: bool,
}

#[pymethods]
impl Stream {
    /// ``types`` has the types of the columns, where ``data`` has nulls of another in place of that of no
    /// values.
    #[new]
    #[pyo3(signature = (data, *, lasts=false, types=None))]
    fn new(
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        lasts: bool,
        types: Option<&Stream>,
    ) -> PyResult<Self> {
        // What foreign pointers lead to is not checked everywhere without a panic.
        let rows =
            contained(|| open(data)).map_err(|panicked| panicked.raise_unpublished(py))??;
        let given = Arc::clone(&rows.schema);
        Ok(Stream {
            schema: match types {
                Some(types) => Arc::clone(&types.schema),
                None => writable(&given),
            },
            given,
            reader: Mutex::new(Some(Box::new(rows))),
            lasts,
        })
    }

    /// Exports the schema through the Arrow C schema interface.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        export_schema(py, &self.schema)
    }

    /// Whether some columns, or what is in them, are of the type that has no values.
    #[getter]
    fn undecided(&self) -> bool {
        let mut fields = self.schema.fields().iter();
        fields.any(|field| is_undecided(field.data_type()))
    }

    /// The schema with the types of a later stream where this one has no values.
    fn decided(&self, later: &Stream) -> Stream {
        let fields = decided_fields(self.schema.fields(), later.schema.fields());
        let schema = Schema::new_with_metadata(fields, self.schema.metadata().clone());
        Stream {
            schema: Arc::new(schema),
            given: Arc::clone(&self.given),
            reader: Mutex::new(None),
            lasts: true,
        }
    }

    /// The schema that also holds the values of another stream; none where a column has no type for both.
    fn united(&self, other: &Stream) -> Option<Stream> {
        Some(Stream {
            schema: Arc::new(common_schema(&self.schema, &other.schema).ok()?),
            given: Arc::clone(&self.given),
            reader: Mutex::new(None),
            lasts: true,
        })
    }

    /// The columns of a schema that this stream lacks.
    fn lacking(&self, known: &Stream) -> Vec<String> {
        lacking(&known.schema, &self.schema)
    }

    /// The rows with the schema that its own was united into.
    fn fitted(&self, py: Python<'_>, known: &Stream) -> PyResult<Stream> {
        let mut rows = self.read(py, false)?;
        let schema = Arc::clone(&known.schema);
        let rows = std::iter::from_fn(move || rows.pull());
        let mut before = 0;
        let fitted = rows.map(move |batch| {
            let batch = batch?;
            let fitted = fit(&batch, &schema).map_err(|refused| refused.behind(before))?;
            before += batch.num_rows() as u64;
            Ok(fitted)
        });
        Ok(Stream {
            schema: Arc::clone(&known.schema),
            given: Arc::clone(&known.schema),
            reader: Mutex::new(Some(Box::new(fitted))),
            lasts: self.lasts,
        })
    }

    /// Reads the rows into memory of their own, as long as they take no more than ``limit`` bytes. Says how
    /// many they take; none if there are more rows.
    fn hold(&self, py: Python<'_>, limit: usize) -> PyResult<Option<usize>> {
        let Some(mut reader) = self.lock().take() else {
            return Ok(Some(0));
        };
        let (mut held, mut bytes, mut ended) = (Vec::new(), 0, false);
        while bytes <= limit && !ended {
            let next = py.detach(|| contained(|| reader.next()));
            match next.map_err(|panicked| panicked.raise_unpublished(py))? {
                Some(batch) => {
                    let batch = batch.and_then(|batch| copied(&batch));
                    let batch = batch.map_err(|error| unreadable(py, error))?;
                    bytes += batch.get_array_memory_size();
                    held.push(Ok(batch));
                }
                None => ended = true,
            }
        }
        *self.lock() = Some(Box::new(held.into_iter().chain(reader)));
        Ok(ended.then_some(bytes))
    }
}

/// The rows of a stream of arrays whose members are the columns.
struct Rows {
    schema: SchemaRef,
    arrays: Box<dyn ArrayReader + Send>,
    /// How many came so far.
    rows: u64,
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.arrays.next()?.and_then(|array| {
            let rows = array.as_struct_opt().ok_or_else(|| {
                let reason = format!("there are {} among the rows", array.data_type());
                ArrowError::ExternalError(reason.into())
            })?;
            if let Some(nulls) = rows.nulls().filter(|nulls| nulls.null_count() > 0) {
                let row = nulls.iter().position(|is_valid| !is_valid).unwrap_or(0);
                let row = self.rows + row as u64;
                let reason = format!(
                    "row {row} is null as a whole, which a row of a table cannot be: fill it, or leave it out"
                );
                return Err(ArrowError::ExternalError(reason.into()));
            }
            for (field, column) in self.schema.fields().iter().zip(rows.columns()) {
                let data = column.to_data();
                let checked = data.validate().and_then(|()| check_values(&data));
                checked.map_err(|error| {
                    let reason = format!(
                        "column {:?} is not valid Arrow: {error}; mend what made it, which validate(full=True) of \
                         pyarrow may help to find",
                        field.name()
                    );
                    ArrowError::ExternalError(reason.into())
                })?;
            }
            let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
            let columns = rows.columns().to_vec();
            let before = self.rows;
            self.rows += rows.len() as u64;
            let schema = Arc::clone(&self.schema);
            RecordBatch::try_new_with_options(schema, columns, &options).map_err(|error| {
                match check_nulls(self.schema.fields(), rows.columns()) {
                    Err(refused) => refused.behind(before).into(),
                    Ok(()) => error,
                }
            })
        }))
    }
}

/// Checks what nobody has checked of foreign memory, whose layout is valid: that offsets are in order, text is UTF-8 and
/// indices are within their dictionaries. Reading such values would not be safe.
fn check_values(data: &ArrayData) -> Result<(), ArrowError> {
    data.validate_values()?;
    data.child_data().iter().try_for_each(check_values)
}

fn open(data: &Bound<'_, PyAny>) -> PyResult<Rows> {
    // An object that has both, as a record batch of pyarrow, is the same either way.
    let arrays = match data.hasattr("__arrow_c_stream__")? {
        true => foreign::stream(data)?,
        false => foreign::array(data)?,
    };
    let field = arrays.field();
    match field.data_type() {
        DataType::Struct(fields) => {
            let metadata = field.metadata().clone();
            let schema = Arc::new(Schema::new_with_metadata(fields.clone(), metadata));
            Ok(Rows {
                schema,
                arrays,
                rows: 0,
            })
        }
        other => Err(PyTypeError::new_err(format!(
            "it has values of type {other}, and no columns with names; give a table of them"
        ))),
    }
}

impl Stream {
    /// Takes the reader, which can be done once; what is held may need memory of its own.
    pub(crate) fn read(&self, py: Python<'_>, held: bool) -> PyResult<Batches> {
        let reader = self.lock().take();
        let reader = reader
            .ok_or_else(|| errors::refuse(py, "InputError", "this stream was read already"))?;
        let converted = (self.given != self.schema).then(|| Arc::clone(&self.schema));
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
    // Arrow's interface for schemas does not keep that the keys of a map are sorted.
    if let Ok(stream) = schema.cast::<Stream>() {
        return Ok(Arc::clone(&stream.get().schema));
    }
    let taken = contained(|| match schema.hasattr("__arrow_c_schema__")? {
        true => Ok(schema.extract::<PySchema>()?.into_inner()),
        false => Ok(open(schema)?.schema),
    });
    let taken = taken.map_err(|panicked| panicked.raise_unpublished(py))?;
    taken.map(|schema| writable(&schema))
}

//! Stored types: the type of each column in files, where readers would not understand the one that was given.
//!
//! In Parquet:
//!
//! | given | stored |
//! |---|---|
//! | `Timestamp(s)`, with a time zone or without | `Timestamp(ms)` |
//! | `Time32(s)` | `Time32(ms)` |
//! | `Date64` | `Date32`; a value that is no whole day is refused |
//! | a dictionary with indices of 8 or 16 bits | one with indices of 32 bits, since a file unites the values of many batches; an `Enum` of Polars keeps its own |
//! | a dictionary of views | one of `Utf8` or `Binary` |
//! | `ListView`, `LargeListView` | `List`, `LargeList` |
//! | a dictionary of other values than texts, bytes and integers | its values |
//! | runs | their values |
//! | a timestamp whose time zone is an offset that not all readers know, as `+05:30` | the same instant in `UTC` |
//!
//! The same holds within lists, structs, maps and dictionaries. Values are never rounded or cut: what the
//! stored type has no place for is an error that names column and row.
//!
//! In Arrow IPC every type stays as it is, but for indices that turn out to be too narrow for the values of
//! all batches.
//!
//! Column names and time zones are checked here too, for all formats, and values that their type does not have.

mod row_labels;
mod zones;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};

use crate::categories::POLARS_ENUMERATION;
use crate::compatible::{lacks_type, typed_like};
use crate::convert::{Problem, convert};
use crate::error::{Error, Result, Step};
use crate::format::Format;
use crate::geometry::with_geometries_like;
use crate::impossible;
use crate::nested::has_runs_within;
use crate::receipt::Note;
pub(crate) use zones::readable_zones;

/// The schema of the files of a data set whose rows have the given one.
pub(crate) fn schema_in_files(format: Format, given: &SchemaRef) -> SchemaRef {
    row_labels::without_row_labels(readable_zones(format, given))
}

/// The notes on what the files of a data set do not keep of a schema.
pub(crate) fn lost(format: Format, given: &Schema) -> Vec<Note> {
    let mut notes = zones::lost_offsets(format, given);
    notes.extend(row_labels::lost_labels(given));
    notes
}

/// Converts batches from the types that were given to those that are stored.
#[derive(Debug)]
pub(crate) struct StoredTypes {
    schema: SchemaRef,
    unified: SchemaRef,
    changes: bool,
}

impl StoredTypes {
    /// Finds the stored types of those columns that `is_stored` says go into the files.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if two columns, or two members of a struct, have one name.
    pub(crate) fn new(
        format: Format,
        given: &SchemaRef,
        is_stored: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        check_names(given)?;
        let mapped = |map: &dyn Fn(&FieldRef) -> FieldRef| {
            map_fields(given, |field| match is_stored(field.name()) {
                true => map(field),
                false => Arc::clone(field),
            })
        };
        let widened = || mapped(&|field| map_field(field, &wide_indices));
        let (schema, unified) = match format {
            Format::Parquet => (mapped(&stored_column), widened()),
            // Whether all values have room in the given indices is known at the end.
            #[cfg(feature = "ipc")]
            Format::Ipc => (widened(), widened()),
            #[allow(unreachable_patterns)]
            _ => (Arc::clone(given), Arc::clone(given)),
        };
        Ok(StoredTypes {
            changes: !Arc::ptr_eq(&schema, given),
            schema,
            unified,
        })
    }

    /// Gives columns of type `Null` the type that they have in a file of the data set.
    pub(crate) fn knowing(mut self, there: &Schema) -> Self {
        let schema = map_fields(&self.schema, |field| {
            match there.field_with_name(field.name()) {
                Ok(known) if lacks_type(field.data_type()) => typed_like(field, known),
                _ => Arc::clone(field),
            }
        });
        let untyped = self.schema.fields().iter();
        let untyped: Vec<&str> = untyped
            .filter(|field| lacks_type(field.data_type()))
            .map(|field| field.name().as_str())
            .collect();
        let schema = with_geometries_like(schema.as_ref().clone(), &untyped, there);
        self.changes |= schema != *self.schema;
        self.schema = Arc::new(schema);
        self
    }

    /// The schema with the stored types.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The given schema with room for the values of all dictionaries together; for uniting batches.
    pub(crate) fn unified(&self) -> &SchemaRef {
        &self.unified
    }

    /// Converts a batch from the given types to the stored ones. `rows` came before it.
    ///
    /// # Errors
    /// [`Error::Encode`] with column and row if a value has no place in the stored type.
    pub(crate) fn batch(&self, batch: RecordBatch, path: &Path, rows: u64) -> Result<RecordBatch> {
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            impossible::check(column).map_err(|problem| failed(problem, field, path, rows))?;
        }
        if !self.changes {
            return Ok(batch);
        }
        convert_batch(batch, &self.schema, path, rows)
    }
}

/// Converts a batch to the types of a schema that has the same columns. `rows` came before it.
///
/// # Errors
/// [`Error::Encode`] with column and row if a value has no place in its type.
pub(crate) fn convert_batch(
    batch: RecordBatch,
    schema: &SchemaRef,
    path: &Path,
    rows: u64,
) -> Result<RecordBatch> {
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, column)| {
        convert(column, field.data_type()).map_err(|problem| failed(problem, field, path, rows))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    // What lists and maps call their items may differ from batch to batch.
    let options = RecordBatchOptions::new()
        .with_row_count(Some(batch.num_rows()))
        .with_match_field_names(false);
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|source| Error::encode(Step::WriteRows, path, source))
}

fn failed(problem: Problem, field: &Field, path: &Path, rows: u64) -> Error {
    Error::encode(Step::WriteRows, path, problem.into_error(field, rows))
}

/// The deepest nesting of types. pyarrow reads Parquet of 100 levels, of which a list has two, and Arrow IPC of 64
/// types; decoders that call themselves for each level need a stack for it.
const DEEPEST: usize = 32;

/// Refuses names that stand for two columns, of which readers fail or see only one, and types that lie deeper in
/// one another than readers go.
pub(crate) fn check_names(schema: &Schema) -> Result<()> {
    check_fields("", schema.fields(), 0)
}

fn check_fields(parent: &str, fields: &Fields, depth: usize) -> Result<()> {
    let mut names = HashSet::with_capacity(fields.len());
    for field in fields {
        let path = match parent {
            "" => field.name().clone(),
            parent => format!("{parent}.{}", field.name()),
        };
        if !names.insert(field.name()) {
            return Err(Error::InvalidOption {
                option: "schema",
                reason: format!("there are two columns named {path:?}; rename one of them"),
            });
        }
        check_names_within(&path, field.data_type(), depth)?;
    }
    Ok(())
}

fn check_names_within(path: &str, data_type: &DataType, depth: usize) -> Result<()> {
    let below = depth + 1;
    if data_type.is_nested() && depth == DEEPEST {
        let column = path.split('.').next().unwrap_or_default();
        return Err(Error::InvalidOption {
            option: "schema",
            reason: format!(
                "column {column:?} has lists, structs or maps more than {DEEPEST} deep in one another, which \
                 readers do not open; write what lies deeper as text"
            ),
        });
    }
    match data_type {
        DataType::Timestamp(_, Some(zone)) if zone.parse::<Tz>().is_err() => {
            Err(Error::InvalidOption {
                option: "schema",
                reason: format!(
                    "column {path:?} has the time zone {zone:?}, which is none of the IANA database and no offset, \
                     and with which readers do not open the files; cast it to another, such as UTC"
                ),
            })
        }
        DataType::Struct(fields) => check_fields(path, fields, below),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::RunEndEncoded(_, item) => check_names_within(path, item.data_type(), below),
        DataType::Map(entries, _) => match entries.data_type() {
            // What a map calls its keys and values is of no account.
            DataType::Struct(entries) => entries
                .iter()
                .try_for_each(|entry| check_names_within(path, entry.data_type(), below)),
            _ => Ok(()),
        },
        DataType::Dictionary(_, values) => check_names_within(path, values, below),
        _ => Ok(()),
    }
}

fn map_fields(schema: &SchemaRef, map: impl Fn(&FieldRef) -> FieldRef) -> SchemaRef {
    let fields: Fields = schema.fields().iter().map(map).collect();
    match fields == *schema.fields() {
        true => Arc::clone(schema),
        false => Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())),
    }
}

type TypeMap<'a> = &'a dyn Fn(&DataType) -> DataType;

fn map_field(field: &FieldRef, map: TypeMap<'_>) -> FieldRef {
    let is_enumeration = field.metadata().contains_key(POLARS_ENUMERATION);
    let data_type = match (field.data_type(), map(field.data_type())) {
        // All batches have its categories, and Polars opens no list of them with wider indices.
        (DataType::Dictionary(indices, _), DataType::Dictionary(_, values)) if is_enumeration => {
            DataType::Dictionary(indices.clone(), values)
        }
        (_, mapped) => mapped,
    };
    // Without the dictionary, an order would be lost in silence: it is refused later.
    let loses_order =
        field.dict_is_ordered() == Some(true) && !matches!(data_type, DataType::Dictionary(..));
    match loses_order || data_type == *field.data_type() {
        true => Arc::clone(field),
        false => Arc::new(field.as_ref().clone().with_data_type(data_type)),
    }
}

/// The type, with `map` applied to the types within it.
fn map_within(data_type: &DataType, map: TypeMap<'_>) -> DataType {
    match data_type {
        DataType::List(item) => DataType::List(map_field(item, map)),
        DataType::LargeList(item) => DataType::LargeList(map_field(item, map)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(map_field(item, map), *size),
        DataType::Map(entries, sorted) => DataType::Map(map_field(entries, map), *sorted),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| map_field(field, map)).collect())
        }
        // A view of items that change is a list of them.
        DataType::ListView(item) => match map_field(item, map) {
            same if same == *item => data_type.clone(),
            item => DataType::List(item),
        },
        DataType::LargeListView(item) => match map_field(item, map) {
            same if same == *item => data_type.clone(),
            item => DataType::LargeList(item),
        },
        other => other.clone(),
    }
}

/// The field with its stored type. Runs, which come only as a whole column, become their values.
fn stored_column(field: &FieldRef) -> FieldRef {
    match field.data_type() {
        DataType::RunEndEncoded(_, values) if !has_runs_within(field.data_type()) => {
            let is_ordered = values.dict_is_ordered() == Some(true);
            let field = field.as_ref().clone();
            let field = field.with_data_type(values.data_type().clone());
            let field = Arc::new(field.with_dict_is_ordered(is_ordered));
            map_field(&field, &stored_type)
        }
        _ => map_field(field, &stored_type),
    }
}

fn stored_type(given: &DataType) -> DataType {
    match given {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 => DataType::Date32,
        DataType::ListView(item) => DataType::List(map_field(item, &stored_type)),
        DataType::LargeListView(item) => DataType::LargeList(map_field(item, &stored_type)),
        DataType::Dictionary(indices, values) => {
            let values = match values.as_ref() {
                DataType::Utf8View => DataType::Utf8,
                DataType::BinaryView => DataType::Binary,
                other => stored_type(other),
            };
            match has_readable_dictionaries(&values) {
                true => DataType::Dictionary(Box::new(wide(indices)), Box::new(values)),
                false => values,
            }
        }
        other => map_within(other, &stored_type),
    }
}

fn wide_indices(given: &DataType) -> DataType {
    match given {
        DataType::Dictionary(indices, values) => {
            DataType::Dictionary(Box::new(wide(indices)), values.clone())
        }
        other => map_within(other, &wide_indices),
    }
}

/// Whether readers who find dictionaries of such values in the embedded Arrow schema can decode them. Polars,
/// DataFusion and parquet-rs fail on others, such as those of booleans and decimals.
fn has_readable_dictionaries(values: &DataType) -> bool {
    values.is_integer()
        || matches!(
            values,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary
        )
}

/// An index type with room for the values of many batches.
fn wide(indices: &DataType) -> DataType {
    match indices {
        DataType::Int8 | DataType::UInt8 | DataType::Int16 | DataType::UInt16 => DataType::Int32,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;

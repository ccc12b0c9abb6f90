//! The types that columns have in Parquet, where readers would not understand those that were given.
//!
//! | given | stored |
//! |---|---|
//! | `Timestamp(s)`, with a time zone or without | `Timestamp(ms)` |
//! | `Time32(s)` | `Time32(ms)` |
//! | `Date64` | `Date32`; a value that is no whole day is refused |
//! | a dictionary with indices of 8 or 16 bits | one with indices of 32 bits, since a file unites the values of many batches |
//! | a dictionary of views | one of `Utf8` or `Binary` |
//!
//! The same holds within lists, structs, maps and dictionaries. Values are never rounded or cut: what the
//! stored type has no place for is an error that names column and row.
//!
//! Column names are checked here too, for all formats.

use std::collections::HashSet;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeListArray, GenericListArray, MapArray,
    OffsetSizeTrait, PrimitiveArray, RecordBatch, RecordBatchOptions, StructArray, UInt64Array,
    make_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Field, FieldRef, Fields, Schema, SchemaRef,
    Time32MillisecondType, Time32SecondType, TimeUnit, TimestampMillisecondType,
    TimestampSecondType,
};
use arrow::error::ArrowError;

use crate::error::{Error, Result, Step};
use crate::format::Format;

const DAY_MS: i64 = 86_400_000;

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
        let is_stored = |field: &FieldRef| format == Format::Parquet && is_stored(field.name());
        let schema = map_fields(given, |field| match is_stored(field) {
            true => map_field(field, &stored_type),
            false => Arc::clone(field),
        });
        let unified = map_fields(given, |field| match is_stored(field) {
            true => map_field(field, &wide_indices),
            false => Arc::clone(field),
        });
        Ok(StoredTypes {
            changes: !Arc::ptr_eq(&schema, given),
            schema,
            unified,
        })
    }

    /// The schema with the stored types.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The given schema with room for the values of all dictionaries together; for uniting batches.
    pub(crate) fn unified(&self) -> &SchemaRef {
        &self.unified
    }

    /// The batch, whose types are the given ones, in the stored types. `rows` came before it.
    ///
    /// # Errors
    /// [`Error::Encode`] with column and row if a value has no place in the stored type.
    pub(crate) fn batch(&self, batch: RecordBatch, path: &Path, rows: u64) -> Result<RecordBatch> {
        if !self.changes {
            return Ok(batch);
        }
        let columns = self.schema.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, column)| {
            convert(column, field.data_type()).map_err(|problem| {
                let source = problem.into_error(field, column.data_type(), rows);
                Error::encode(Step::WriteRows, path, source)
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        // What lists and maps call their items may differ from batch to batch.
        let options = RecordBatchOptions::new()
            .with_row_count(Some(batch.num_rows()))
            .with_match_field_names(false);
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|source| Error::encode(Step::WriteRows, path, source))
    }
}

/// Refuses names that stand for two columns: readers of such files fail, or see only one of them.
pub(crate) fn check_names(schema: &Schema) -> Result<()> {
    check_fields("", schema.fields())
}

fn check_fields(parent: &str, fields: &Fields) -> Result<()> {
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
        check_names_within(&path, field.data_type())?;
    }
    Ok(())
}

fn check_names_within(path: &str, data_type: &DataType) -> Result<()> {
    match data_type {
        DataType::Struct(fields) => check_fields(path, fields),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => check_names_within(path, item.data_type()),
        DataType::Map(entries, _) => match entries.data_type() {
            // What a map calls its keys and values is of no account.
            DataType::Struct(entries) => entries
                .iter()
                .try_for_each(|entry| check_names_within(path, entry.data_type())),
            _ => Ok(()),
        },
        DataType::Dictionary(_, values) => check_names_within(path, values),
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
    let data_type = map(field.data_type());
    match data_type == *field.data_type() {
        true => Arc::clone(field),
        false => Arc::new(field.as_ref().clone().with_data_type(data_type)),
    }
}

/// The type with those within it mapped.
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

fn stored_type(given: &DataType) -> DataType {
    match given {
        DataType::Timestamp(TimeUnit::Second, zone) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 => DataType::Date32,
        DataType::Dictionary(indices, values) => {
            let values = match values.as_ref() {
                DataType::Utf8View => DataType::Utf8,
                DataType::BinaryView => DataType::Binary,
                other => stored_type(other),
            };
            DataType::Dictionary(Box::new(wide(indices)), Box::new(values))
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

/// An index type with room for the values of many batches.
fn wide(indices: &DataType) -> DataType {
    match indices {
        DataType::Int8 | DataType::UInt8 | DataType::Int16 | DataType::UInt16 => DataType::Int32,
        other => other.clone(),
    }
}

/// Why an array has no place in another type.
enum Problem {
    /// A value, with its row in the array, if it is in any.
    Value {
        row: Option<usize>,
        reason: String,
    },
    Arrow(ArrowError),
}

impl From<ArrowError> for Problem {
    fn from(error: ArrowError) -> Self {
        Problem::Arrow(error)
    }
}

impl Problem {
    /// The same with the row of what contains the array.
    fn in_row(self, outer: impl FnOnce(usize) -> Option<usize>) -> Self {
        match self {
            Problem::Value { row, reason } => Problem::Value {
                row: row.and_then(outer),
                reason,
            },
            other => other,
        }
    }

    fn into_error(self, field: &Field, given: &DataType, rows: u64) -> ArrowError {
        match self {
            Problem::Arrow(error) => error,
            Problem::Value { row, reason } => {
                let name = field.name();
                let place = match row {
                    Some(row) => format!(", row {}", rows + row as u64),
                    None => String::new(),
                };
                ArrowError::CastError(format!("column {name:?} ({given}){place}: {reason}"))
            }
        }
    }
}

type Converted = std::result::Result<ArrayRef, Problem>;

fn convert(array: &ArrayRef, to: &DataType) -> Converted {
    let from = array.data_type();
    if from.equals_datatype(to) {
        return Ok(Arc::clone(array));
    }
    match (from, to) {
        (
            DataType::Timestamp(TimeUnit::Second, _),
            DataType::Timestamp(TimeUnit::Millisecond, zone),
        ) => {
            let millis = each::<TimestampSecondType, TimestampMillisecondType>(
                array,
                |seconds| seconds.checked_mul(1000),
                "seconds since 1970-01-01 are too many for milliseconds, the largest unit of \
                 timestamps that Parquet has",
            )?;
            Ok(Arc::new(millis.with_timezone_opt(zone.clone())))
        }
        (DataType::Time32(TimeUnit::Second), DataType::Time32(TimeUnit::Millisecond)) => {
            let millis = each::<Time32SecondType, Time32MillisecondType>(
                array,
                |seconds| seconds.checked_mul(1000),
                "seconds since midnight are too many for milliseconds",
            )?;
            Ok(Arc::new(millis))
        }
        (DataType::Date64, DataType::Date32) => {
            let whole = |millis: i64| match millis % DAY_MS {
                0 => i32::try_from(millis / DAY_MS).ok(),
                _ => None,
            };
            let days = each::<Date64Type, Date32Type>(
                array,
                whole,
                "milliseconds since 1970-01-01 are no whole day that a date can hold; cast the \
                 column to Timestamp(ms) to keep the time of day",
            )?;
            Ok(Arc::new(days))
        }
        (DataType::Dictionary(..), DataType::Dictionary(indices, values)) => {
            let dictionary = array.as_any_dictionary();
            let converted = convert(dictionary.values(), values);
            let converted = converted.map_err(|problem| {
                let keys = dictionary.normalized_keys();
                let is_at = |row: usize, value| keys[row] == value && dictionary.is_valid(row);
                problem.in_row(|value| (0..keys.len()).find(|row| is_at(*row, value)))
            })?;
            let to = DataType::Dictionary(indices.clone(), values.clone());
            strict_cast(&dictionary.with_values(converted), &to)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => structs(array.as_struct(), fields),
        (DataType::List(_), DataType::List(item)) => lists::<i32>(array, item),
        (DataType::LargeList(_), DataType::LargeList(item)) => lists::<i64>(array, item),
        (DataType::FixedSizeList(..), DataType::FixedSizeList(item, size)) => {
            let list = array.as_fixed_size_list();
            let width = usize::try_from(*size).unwrap_or(0);
            let nulls = list.nulls().map(|nulls| nulls.expand(width));
            let values = masked(list.values(), nulls.as_ref())?;
            let values = convert(&values, item.data_type())
                .map_err(|problem| problem.in_row(|value| value.checked_div(width)))?;
            let nulls = list.nulls().cloned();
            let item = Arc::clone(item);
            let list =
                FixedSizeListArray::try_new_with_length(item, *size, values, nulls, list.len())?;
            Ok(Arc::new(list))
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let array = reachable(array)?;
            let map = array.as_map();
            let all: ArrayRef = Arc::new(map.entries().clone());
            let all = convert(&all, entries.data_type())
                .map_err(|problem| problem.in_row(|value| row_of(map.offsets(), value)))?;
            let map = MapArray::try_new(
                Arc::clone(entries),
                map.offsets().clone(),
                all.as_struct().clone(),
                map.nulls().cloned(),
                *sorted,
            )?;
            Ok(Arc::new(map))
        }
        (DataType::ListView(item), DataType::List(_)) => {
            convert(&strict_cast(array, &DataType::List(Arc::clone(item)))?, to)
        }
        (DataType::LargeListView(item), DataType::LargeList(_)) => convert(
            &strict_cast(array, &DataType::LargeList(Arc::clone(item)))?,
            to,
        ),
        _ => strict_cast(array, to),
    }
}

/// A cast under which a value that does not fit is an error.
fn strict_cast(array: &dyn Array, to: &DataType) -> Converted {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    Ok(cast_with_options(array, to, &options)?)
}

/// Converts each value that is not null; `reason` follows the first that has no counterpart.
fn each<From, To>(
    array: &ArrayRef,
    convert: impl Fn(From::Native) -> Option<To::Native>,
    reason: &str,
) -> std::result::Result<PrimitiveArray<To>, Problem>
where
    From: ArrowPrimitiveType,
    From::Native: Display,
    To: ArrowPrimitiveType,
{
    let array = array.as_primitive::<From>();
    array
        .try_unary(|value| convert(value).ok_or(()))
        .map_err(|()| {
            let misfits =
                |value: Option<From::Native>| value.is_some_and(|value| convert(value).is_none());
            let row = array.iter().position(misfits);
            let value = row.map_or_else(String::new, |row| array.value(row).to_string());
            let reason = format!("{value} {reason}");
            Problem::Value { row, reason }
        })
}

fn structs(array: &StructArray, fields: &Fields) -> Converted {
    let columns = array.columns().iter().zip(fields);
    // What lies beneath a null is nobody's value.
    let columns =
        columns.map(|(column, field)| convert(&masked(column, array.nulls())?, field.data_type()));
    let columns = columns.collect::<std::result::Result<Vec<_>, Problem>>()?;
    let nulls = array.nulls().cloned();
    let converted = StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?;
    Ok(Arc::new(converted))
}

fn lists<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef) -> Converted {
    let array = reachable(array)?;
    let list = array.as_list::<O>();
    let values = convert(list.values(), item.data_type())
        .map_err(|problem| problem.in_row(|value| row_of(list.offsets(), value)))?;
    let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
    let item = Arc::clone(item);
    Ok(Arc::new(GenericListArray::try_new(
        item, offsets, values, nulls,
    )?))
}

/// The row that an item belongs to.
fn row_of<O: OffsetSizeTrait>(offsets: &[O], item: usize) -> Option<usize> {
    offsets
        .partition_point(|offset| offset.as_usize() <= item)
        .checked_sub(1)
}

/// The same rows without items that belong to none of them, or lie beneath a null.
fn reachable(array: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
    let rows: UInt64Array = (0..array.len() as u64).collect();
    take(array, &rows, None)
}

/// The array with more nulls.
fn masked(array: &ArrayRef, nulls: Option<&NullBuffer>) -> std::result::Result<ArrayRef, Problem> {
    let Some(nulls) = nulls.filter(|nulls| nulls.null_count() > 0) else {
        return Ok(Arc::clone(array));
    };
    if array.data_type() == &DataType::Null {
        return Ok(Arc::clone(array));
    }
    let nulls = NullBuffer::union(Some(nulls), array.nulls());
    let data = array.to_data().into_builder().nulls(nulls).build()?;
    Ok(make_array(data))
}

#[cfg(test)]
mod tests;

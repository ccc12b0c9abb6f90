//! The types that a reader sees who does not know the Arrow schema embedded in a file.
//!
//! pyarrow, Polars and DataFusion find the embedded schema; DuckDB, Spark and many others go by Parquet's own
//! annotations, and so do the readers of a whole data set that unite its files. A column whose annotation
//! says less than what was given is an integer to them, though its writer gave times. [`readers_view`] is
//! all that may differ.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, Schema, TimeUnit};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::FileMetaData;
use parquet::schema::types::SchemaDescriptor;

use crate::damage::Location;
use crate::format::contained;

/// The first column that readers see as another type than was given.
#[derive(Debug, PartialEq)]
pub(crate) struct ReadAs {
    pub(crate) column: String,
    pub(crate) given: String,
    pub(crate) read: String,
}

/// The first column whose annotations tell another type than the Arrow schema that is embedded in the file.
/// What makes no schema at all is another's to say.
pub(crate) fn read_as(file: &FileMetaData) -> Option<ReadAs> {
    let embedded = || parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata()).ok();
    let found = || first_difference(&embedded()?, file.schema_descr()).ok()?;
    contained(&Location::file(), found).ok()?
}

/// Compares the types that were given with those that Parquet's annotations alone tell.
///
/// # Errors
/// If the annotations make no schema.
pub(super) fn first_difference(
    given: &Schema,
    stored: &SchemaDescriptor,
) -> Result<Option<ReadAs>, ParquetError> {
    let read = parquet_to_arrow_schema(stored, None)?;
    let found = |column: &str, given: String, read: String| {
        let column = column.to_owned();
        Ok(Some(ReadAs {
            column,
            given,
            read,
        }))
    };
    for (index, field) in given.fields().iter().enumerate() {
        let expected = readers_view(field.data_type());
        match read.fields().get(index) {
            Some(read) if read.name() != field.name() => {
                let read = format!("a column {:?}", read.name());
                return found(field.name(), field.data_type().to_string(), read);
            }
            Some(read) if readers_view(read.data_type()) != expected => {
                let (given, read) = (field.data_type(), read.data_type());
                return found(field.name(), given.to_string(), read.to_string());
            }
            Some(_) => {}
            None => {
                let given = field.data_type().to_string();
                return found(field.name(), given, "no column".to_owned());
            }
        }
    }
    match read.fields().get(given.fields().len()) {
        Some(extra) => found(
            extra.name(),
            "no column".to_owned(),
            extra.data_type().to_string(),
        ),
        None => Ok(None),
    }
}

/// The part of a type that Parquet's annotations keep. Two types with one view are read alike.
///
/// | given | read as |
/// |---|---|
/// | `LargeUtf8`, `Utf8View` | `Utf8` |
/// | `LargeBinary`, `BinaryView` | `Binary` |
/// | decimals of any width | the narrowest of 128 or 256 bits for the precision |
/// | `Timestamp` with any time zone | the same instant in UTC |
/// | times in seconds | times in milliseconds |
/// | `Date64` | `Date32` |
/// | `Duration` | `Int64`, the number of units: Parquet has no durations |
/// | `Interval` of months, or of days and milliseconds | Parquet's interval |
/// | a dictionary, or runs | their values |
/// | lists of any kind | a list |
/// | a map, its keys sorted or not | a map |
fn readers_view(given: &DataType) -> DataType {
    match given {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => match precision {
            ..=38 => DataType::Decimal128(*precision, *scale),
            _ => DataType::Decimal256(*precision, *scale),
        },
        DataType::Timestamp(unit, zone) => {
            let unit = match unit {
                TimeUnit::Second => TimeUnit::Millisecond,
                other => *other,
            };
            DataType::Timestamp(unit, zone.as_ref().map(|_| "UTC".into()))
        }
        DataType::Time32(_) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Date64 => DataType::Date32,
        DataType::Duration(_) => DataType::Int64,
        DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime) => {
            DataType::Interval(IntervalUnit::DayTime)
        }
        DataType::Dictionary(_, values) => readers_view(values),
        DataType::RunEndEncoded(_, values) => readers_view(values.data_type()),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => DataType::List(unnamed(item)),
        DataType::Map(entries, _) => DataType::Map(
            match entries.data_type() {
                DataType::Struct(entries) => {
                    let entries = entries.iter().zip(["key", "value"]);
                    let entries: Fields =
                        entries.map(|(entry, name)| view_of(entry, name)).collect();
                    Arc::new(Field::new("entries", DataType::Struct(entries), false))
                }
                _ => unnamed(entries),
            },
            false,
        ),
        DataType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|field| view_of(field, field.name()))
                .collect(),
        ),
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Time64(_)
        | DataType::Interval(IntervalUnit::MonthDayNano)
        | DataType::Binary
        | DataType::FixedSizeBinary(_)
        | DataType::Utf8
        | DataType::Union(..) => given.clone(),
    }
}

/// The item field of a list under one name, and nullable: neither matters to this comparison.
fn unnamed(item: &FieldRef) -> FieldRef {
    view_of(item, "item")
}

fn view_of(field: &Field, name: &str) -> FieldRef {
    Arc::new(Field::new(name, readers_view(field.data_type()), true))
}

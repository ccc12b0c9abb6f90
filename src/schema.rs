//! The type, and the schema, that holds every value of two others (promise P10).
//!
//! One rule wherever rows of different origin become one column: the inputs of the command, the frames that
//! the Python package is given, and the batches of a writer under
//! [`SchemaPolicy::Unify`](crate::SchemaPolicy::Unify). A type is widened only to one in which every
//! value of both stands as it was:
//!
//! | one is | the other is | both become |
//! |---|---|---|
//! | `Null` | any type | the other, with nulls |
//! | an integer | an integer | the narrower integer that holds both; of `Int64` and `UInt64`, `Decimal128(20, 0)` |
//! | an integer | a decimal | the decimal with as many digits before the point as both need |
//! | an integer of up to 32 bits | a float | the narrower float that holds all these integers |
//! | a float | a float | the wider |
//! | a decimal | a decimal | the one with as many digits before and behind the point as both need |
//! | a timestamp, time or duration | the same in another unit | the finer unit; a value that it has no place for is an error |
//! | a timestamp in UTC | a timestamp in UTC by another name | the first |
//! | `Date32` | `Date64` | `Date64` |
//! | a string, or bytes, or a list | the same in another physical form | the first |
//! | a dictionary, or runs | the same values, plain | the values, plain |
//! | a dictionary | a dictionary | one of the wider indices and values |
//! | an ordered dictionary | an ordered dictionary, or nulls | as a dictionary; the categories have to be in one order, and those of Polars' enumerations the same |
//! | a map with sorted keys | a map without | the map without |
//! | a struct | a struct | the members of both, by name; null where one has none |
//! | columns | columns | the columns of both, by name; null where one has none |
//!
//! Lists, maps, structs and dictionaries unite if what lies within them does. Anything else has no common type:
//! `Int64` and a float, which has no place for all of them; timestamps with a time zone and without; text and
//! numbers; columns of different extension types; geometries of which GeoParquet says different things; an ordered dictionary and values without an order, which would lose
//! it or get one that nobody gave.
//!
//! Whether *readers* take files of two schemas for one data set is another question, which an append asks: they
//! take the types of one file for those of all, and fail on some of the pairs above.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use serde_json::Value;

use crate::convert::convert;
use crate::geometry::with_geometries;
use crate::meaning::{
    MeaningDifference, field_difference, geometry_difference, writers_geometry_difference,
};
use crate::nested::{is_binary, list_item};
pub use crate::nulls::check_nulls;
pub use crate::refused::Refused;

/// The key of a schema's metadata under which pandas notes the types of its columns
/// (<https://pandas.pydata.org/docs/development/developer.html>).
pub(crate) const PANDAS: &str = "pandas";

/// A column for which no type holds the values of two schemas.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column:?} is {}", .difference.as_ref().map_or_else(
    || format!("{first} and {found}, and no type holds the values of both"), ToString::to_string
))]
#[non_exhaustive]
pub struct NoCommonType {
    /// The column.
    pub column: String,
    /// Its type in the first schema.
    pub first: DataType,
    /// Its type in the other.
    pub found: DataType,
    /// What keeps them apart where that is not their types: the order of categories, extension types, geometries. It follows "column … is".
    pub difference: Option<Box<str>>,
}

/// The schema that holds the columns of both: the first one's, with types widened where needed, and then
/// those that only the other has. A column that one of them lacks may be null.
///
/// # Errors
/// The first column that has no common type.
///
/// ```
/// use atomic_arrow::arrow::datatypes::{DataType, Field, Schema};
/// use atomic_arrow::schema::common_schema;
///
/// let schema = |name: &str, data_type| Schema::new(vec![Field::new(name, data_type, false)]);
/// let common = common_schema(&schema("n", DataType::Int32), &schema("n", DataType::Int64))?;
/// assert_eq!(common, schema("n", DataType::Int64));
///
/// let error = common_schema(&schema("n", DataType::Int64), &schema("n", DataType::Utf8)).unwrap_err();
/// let text = "column \"n\" is Int64 and Utf8, and no type holds the values of both";
/// assert_eq!(error.to_string(), text);
/// # Ok::<(), atomic_arrow::schema::NoCommonType>(())
/// ```
pub fn common_schema(first: &Schema, found: &Schema) -> Result<Schema, NoCommonType> {
    let geometry = geometry_difference(first, found);
    let fields = merge_members(first.fields(), found.fields(), |one, other| {
        let of_geometry = geometry
            .as_ref()
            .filter(|difference| difference.path == *one.name());
        let common = match of_geometry {
            None => common_field(one, other),
            Some(_) => None,
        };
        common.ok_or_else(|| NoCommonType {
            column: one.name().clone(),
            first: one.data_type().clone(),
            found: other.data_type().clone(),
            difference: field_difference(one, other)
                .as_ref()
                .or(of_geometry)
                .map(|difference| described(difference, one.name()).into()),
        })
    })?;
    let metadata = common_metadata(first, &fields);
    let schema = Schema::new_with_metadata(fields, metadata);
    Ok(with_geometries(schema, first, found))
}

/// The metadata of the first schema for these fields, of which some may have another type than there: without what pandas
/// notes of those, by which it would turn them back.
#[must_use]
pub fn common_metadata(first: &Schema, fields: &[FieldRef]) -> HashMap<String, String> {
    let mut metadata = first.metadata().clone();
    let is_changed = |field: &&FieldRef| {
        let given = first.field_with_name(field.name());
        given.is_ok_and(|given| given.data_type() != field.data_type())
    };
    let changed = fields.iter().filter(is_changed);
    let changed: Vec<&str> = changed.map(|field| field.name().as_str()).collect();
    let Some(text) = metadata.get(PANDAS).filter(|_| !changed.is_empty()) else {
        return metadata;
    };
    let left = serde_json::from_str(text)
        .ok()
        .and_then(|mut notes: Value| {
            let columns = notes.get_mut("columns")?.as_array_mut()?;
            columns.retain(|column| {
                let name = column.get("field_name").and_then(Value::as_str);
                name.is_none_or(|name| !changed.contains(&name))
            });
            Some(notes.to_string())
        });
    match left {
        Some(left) => metadata.insert(PANDAS.to_owned(), left),
        None => metadata.remove(PANDAS),
    };
    metadata
}

/// The difference between two columns that is not their types, as text that follows "column … is".
fn described(difference: &MeaningDifference, column: &str) -> String {
    let MeaningDifference {
        path,
        first,
        found,
        remedy,
    } = difference;
    let within = match path == column {
        true => String::new(),
        false => format!(" in {path:?}"),
    };
    format!("{first} and {found}{within}: {remedy}")
}

/// The field that holds the values of both, of the first one's name and metadata; `None` if no type does.
#[must_use]
pub fn common_field(first: &FieldRef, found: &Field) -> Option<FieldRef> {
    let is_untyped = |field: &Field| *field.data_type() == DataType::Null;
    if is_untyped(first) && !is_untyped(found) {
        let field = found.clone().with_name(first.name()).with_nullable(true);
        return Some(Arc::new(field));
    }
    if field_difference(first, found).is_some() {
        return None;
    }
    let data_type = common_type(first.data_type(), found.data_type())?;
    let is_null = |field: &Field| field.is_nullable() || is_untyped(field);
    let nullable = is_null(first) || is_null(found);
    if data_type == *first.data_type() && nullable == first.is_nullable() {
        return Some(Arc::clone(first));
    }
    let common = first.as_ref().clone().with_data_type(data_type);
    Some(Arc::new(common.with_nullable(nullable)))
}

/// The type that holds every value of both, the first one where it does; `None` if there is none. The table is
/// in the [module's description](self).
#[must_use]
pub fn common_type(first: &DataType, found: &DataType) -> Option<DataType> {
    use DataType::{
        Date32, Date64, Dictionary, Duration, FixedSizeList, LargeList, LargeListView, List,
        ListView, Map, Null, RunEndEncoded, Struct, Time32, Time64, Timestamp,
    };
    if first == found || *found == Null {
        return Some(first.clone());
    }
    if let Some(number) = common_number(first, found) {
        return Some(number);
    }
    match (first, found) {
        (Null, _) => Some(found.clone()),
        (Dictionary(keys, first), Dictionary(other, found)) => {
            let (keys, values) = (common_type(keys, other)?, common_type(first, found)?);
            // An index is an integer, whatever holds both.
            let keys = if keys.is_integer() {
                keys
            } else {
                DataType::Int64
            };
            Some(Dictionary(Box::new(keys), Box::new(values)))
        }
        // A dictionary's indices may be too narrow for values that are in none.
        (Dictionary(_, first), found) => common_type(first, found),
        (first, Dictionary(_, found)) => common_type(first, found),
        (RunEndEncoded(_, first), RunEndEncoded(_, found)) => {
            common_type(first.data_type(), found.data_type())
        }
        (RunEndEncoded(_, first), found) => common_type(first.data_type(), found),
        (first, RunEndEncoded(_, found)) => common_type(first, found.data_type()),
        (first, found) if first.is_string() && found.is_string() => Some(first.clone()),
        (first, found) if is_binary(first) && is_binary(found) => Some(first.clone()),
        (Date32 | Date64, Date32 | Date64) => Some(Date64),
        (Time32(unit) | Time64(unit), Time32(other) | Time64(other)) => {
            Some(match finer(*unit, *other) {
                unit @ (TimeUnit::Second | TimeUnit::Millisecond) => Time32(unit),
                unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond) => Time64(unit),
            })
        }
        (Duration(unit), Duration(other)) => Some(Duration(finer(*unit, *other))),
        (Timestamp(unit, None), Timestamp(other, None)) => {
            Some(Timestamp(finer(*unit, *other), None))
        }
        (Timestamp(unit, Some(zone)), Timestamp(other, Some(found))) => {
            let alike = zone == found || (is_utc(zone) && is_utc(found));
            alike.then(|| Timestamp(finer(*unit, *other), Some(Arc::clone(zone))))
        }
        (Struct(first), Struct(found)) => {
            let fields = merge_members(first, found, |one, other| {
                common_field(one, other).ok_or(())
            });
            fields.ok().map(Struct)
        }
        (Map(first, sorted), Map(found, other)) => {
            let (Struct(entry), Struct(others)) = (first.data_type(), found.data_type()) else {
                return None;
            };
            // The names of entries, keys and values are of no account.
            let fields = entry.iter().zip(others).map(|(a, b)| common_field(a, b));
            let fields = Struct(fields.collect::<Option<Fields>>()?);
            let entries = first.as_ref().clone().with_data_type(fields);
            Some(Map(Arc::new(entries), *sorted && *other))
        }
        (FixedSizeList(first, size), FixedSizeList(found, other)) if size == other => {
            Some(FixedSizeList(common_field(first, found)?, *size))
        }
        (first, found) => {
            let item = common_field(list_item(first)?, list_item(found)?)?;
            Some(match first {
                LargeList(_) => LargeList(item),
                ListView(_) => ListView(item),
                LargeListView(_) => LargeListView(item),
                _ => List(item),
            })
        }
    }
}

/// The members of two structs, by name, in the order of the first; one that only one of them has may be null.
fn merge_members<E>(
    first: &Fields,
    found: &Fields,
    mut merge: impl FnMut(&FieldRef, &FieldRef) -> Result<FieldRef, E>,
) -> Result<Fields, E> {
    let alone = |field: &FieldRef| match field.is_nullable() {
        true => Arc::clone(field),
        false => Arc::new(field.as_ref().clone().with_nullable(true)),
    };
    let mut fields = Vec::with_capacity(first.len());
    for field in first {
        fields.push(match found.find(field.name()) {
            Some((_, other)) => merge(field, other)?,
            None => alone(field),
        });
    }
    let new = found
        .iter()
        .filter(|field| first.find(field.name()).is_none());
    fields.extend(new.map(alone));
    Ok(fields.into())
}

/// The number type that holds the values of two others.
fn common_number(first: &DataType, found: &DataType) -> Option<DataType> {
    if first.is_integer() && found.is_integer() {
        return common_integer(first, found);
    }
    if first.is_floating() || found.is_floating() {
        let mantissa = mantissa(first)?.max(mantissa(found)?);
        let floats = [DataType::Float16, DataType::Float32, DataType::Float64];
        let is_float = |field: &&DataType| field.is_floating();
        let widest = [first, found].into_iter().filter(is_float);
        let least = widest.filter_map(DataType::primitive_width).max()?;
        return floats.into_iter().find(|float| {
            float.primitive_width() >= Some(least)
                && self::mantissa(float).is_some_and(|bits| bits >= mantissa)
        });
    }
    let (one, other) = (Digits::of(first)?, Digits::of(found)?);
    let whole = one.whole.max(other.whole);
    let scale = one.scale.max(other.scale);
    let precision = u8::try_from(whole + i16::from(scale)).ok()?;
    let bits = one.bits.max(other.bits);
    match (precision, bits) {
        (..=9, ..=32) => Some(DataType::Decimal32(precision, scale)),
        (..=18, ..=64) => Some(DataType::Decimal64(precision, scale)),
        (..=38, ..=128) => Some(DataType::Decimal128(precision, scale)),
        (..=76, 256) => Some(DataType::Decimal256(precision, scale)),
        _ => None,
    }
}

fn common_integer(first: &DataType, found: &DataType) -> Option<DataType> {
    use DataType::{Decimal128, Int8, Int16, Int32, Int64, UInt64};
    let width = |t: &DataType| t.primitive_width().unwrap_or_default();
    let (signed, unsigned) = match (first.is_signed_integer(), found.is_signed_integer()) {
        (true, false) => (first, found),
        (false, true) => (found, first),
        _ => {
            let wider = width(first) >= width(found);
            return Some(if wider { first } else { found }.clone());
        }
    };
    if *unsigned == UInt64 {
        return Some(Decimal128(20, 0));
    }
    let holds = |t: &DataType| width(t) >= width(signed) && width(t) > width(unsigned);
    [Int8, Int16, Int32, Int64].into_iter().find(holds)
}

/// The bits of a whole number that a float has place for, or that an integer may need.
fn mantissa(data_type: &DataType) -> Option<u8> {
    use DataType::{Float16, Float32, Float64, Int8, Int16, Int32, UInt8, UInt16, UInt32};
    match data_type {
        Float16 => Some(11),
        Float32 => Some(24),
        Float64 => Some(53),
        Int8 | UInt8 => Some(8),
        Int16 | UInt16 => Some(16),
        Int32 | UInt32 => Some(32),
        _ => None,
    }
}

/// The digits that a decimal type has, or that an integer type may need.
struct Digits {
    /// The digits before the point.
    whole: i16,
    /// The digits behind the point.
    scale: i8,
    /// The width of the decimal in bits; an integer goes with any.
    bits: u16,
}

impl Digits {
    fn of(data_type: &DataType) -> Option<Digits> {
        use DataType::{
            Decimal32, Decimal64, Decimal128, Decimal256, Int8, Int16, Int32, Int64, UInt8, UInt16,
            UInt32, UInt64,
        };
        let decimal = |precision: u8, scale: i8, bits| Digits {
            whole: i16::from(precision) - i16::from(scale),
            scale,
            bits,
        };
        Some(match data_type {
            Decimal32(precision, scale) => decimal(*precision, *scale, 32),
            Decimal64(precision, scale) => decimal(*precision, *scale, 64),
            Decimal128(precision, scale) => decimal(*precision, *scale, 128),
            Decimal256(precision, scale) => decimal(*precision, *scale, 256),
            Int8 | UInt8 => decimal(3, 0, 32),
            Int16 | UInt16 => decimal(5, 0, 32),
            Int32 | UInt32 => decimal(10, 0, 32),
            Int64 => decimal(19, 0, 32),
            UInt64 => decimal(20, 0, 32),
            _ => return None,
        })
    }
}

fn finer(one: TimeUnit, other: TimeUnit) -> TimeUnit {
    one.max(other)
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Etc/UTC" | "Z" | "+00:00" | "+00" | "+0000")
}

/// The columns that a schema has and another lacks, and the members of structs, by their paths: `station.name`.
/// They are null where [`fit`] gives a batch of the other the schema.
#[must_use]
pub fn lacking(schema: &Schema, found: &Schema) -> Vec<String> {
    let mut all = Vec::new();
    find_lacking("", schema.fields(), found.fields(), &mut all);
    all
}

fn find_lacking(above: &str, fields: &Fields, found: &Fields, all: &mut Vec<String>) {
    for field in fields {
        let path = format!("{above}{}", field.name());
        match found.find(field.name()) {
            None => all.push(path),
            Some((_, other)) => {
                if let (Some(fields), Some(found)) = (members(field), members(other)) {
                    find_lacking(&format!("{path}."), fields, found, all);
                }
            }
        }
    }
}

/// The members of a struct, or of the structs in a list.
fn members(field: &Field) -> Option<&Fields> {
    match field.data_type() {
        DataType::Struct(members) => Some(members),
        DataType::FixedSizeList(item, _) => members(item),
        other => members(list_item(other)?),
    }
}

/// Converts a batch to a schema that [`common_schema`] merged its own into: columns by their names, and nulls where
/// it has none.
///
/// # Errors
/// A value that has no place in its new type, with its column, and its row within the batch; a column that the
/// schema does not have, or whose type it does not hold; nulls where the schema has none.
///
/// ```
/// use std::sync::Arc;
/// use atomic_arrow::arrow::array::{ArrayRef, Int32Array, RecordBatch};
/// use atomic_arrow::arrow::datatypes::{DataType, Field, Schema};
/// use atomic_arrow::schema::fit;
///
/// let n: ArrayRef = Arc::new(Int32Array::from(vec![1]));
/// let batch = RecordBatch::try_from_iter([("n", n)])?;
/// let wide = Arc::new(Schema::new(vec![
///     Field::new("n", DataType::Int64, false),
///     Field::new("note", DataType::Utf8, true),
/// ]));
/// assert_eq!(fit(&batch, &wide)?.schema(), wide);
/// # Ok::<(), atomic_arrow::arrow::error::ArrowError>(())
/// ```
pub fn fit(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Refused> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let found = batch.schema_ref().fields();
    if let Some(extra) = found
        .iter()
        .find(|field| schema.column_with_name(field.name()).is_none())
    {
        let reason = "it is not in the schema: leave it out, or write with a schema that has it";
        return Err(Refused::new(extra.name(), reason));
    }
    if let Some(difference) = writers_geometry_difference(schema, batch.schema_ref()) {
        let reason = format!("it is {}", described(&difference, &difference.path));
        return Err(Refused::new(&difference.path, reason));
    }
    let columns = schema.fields().iter().enumerate().map(|(index, field)| {
        let in_place = found.get(index).filter(|at| at.name() == field.name());
        let at = match in_place {
            Some(_) => Some(index),
            None => found.find(field.name()).map(|(at, _)| at),
        };
        match at {
            Some(at) => fit_column(batch.column(at), field),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    check_nulls(schema.fields(), &columns)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| Refused::new("", error.to_string()))
}

fn fit_column(column: &ArrayRef, field: &Field) -> Result<ArrayRef, Refused> {
    let (is, wanted) = (column.data_type(), field.data_type());
    if is == wanted {
        return Ok(Arc::clone(column));
    }
    // Without this a cast would be taken for one that keeps every value.
    if common_type(wanted, is).is_none_or(|common| !common.equals_datatype(wanted)) {
        let reason = format!("it is {is}, which {wanted} does not hold: cast it");
        return Err(Refused::new(field.name(), reason));
    }
    convert(column, wanted).map_err(|problem| problem.into_error(field, 0))
}

#[cfg(test)]
mod tests;

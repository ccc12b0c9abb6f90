//! Converting arrays to another type of the same values, and never changing one.
//!
//! Coarser units are made finer, types of a whole that hold no value become any other, the members of structs are
//! found by their names, and what lists, maps and their items are called is made the same, at any depth. What has no place in the new type is
//! an error that tells the row.

use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeListArray, GenericListArray, MapArray,
    OffsetSizeTrait, PrimitiveArray, StructArray, UInt64Array, make_array, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Field, FieldRef, Fields, Int64Type, Time32MillisecondType,
    Time32SecondType, TimeUnit, TimestampMillisecondType, TimestampSecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

use crate::nested::list_item;
use crate::refused::{Refused, plain};

/// The milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Why an array cannot be converted to another type.
pub(crate) enum Problem {
    /// A value, with its row in the array, if it is in any, and its path below it.
    Value {
        below: String,
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
    /// The problem with its row number replaced by that of the array that contains this one.
    pub(crate) fn in_row(self, outer: impl FnOnce(usize) -> Option<usize>) -> Self {
        match self {
            Problem::Value { below, row, reason } => Problem::Value {
                below,
                row: row.and_then(outer),
                reason,
            },
            other => other,
        }
    }

    /// The problem with `path` put before its path: the array lies there within another.
    pub(crate) fn at(self, path: &str) -> Self {
        match self {
            Problem::Value { below, row, reason } => Problem::Value {
                below: format!("{path}{below}"),
                row,
                reason,
            },
            other => other,
        }
    }

    /// The problem as an error of a column; `rows` rows came before the array.
    pub(crate) fn into_error(self, field: &Field, rows: u64) -> Refused {
        match self {
            Problem::Arrow(error) => Refused::new(field.name(), plain(&error)),
            Problem::Value { below, row, reason } => {
                let refused = Refused::new(format!("{}{below}", field.name()), reason);
                match row {
                    Some(row) => refused.in_row(row as u64).behind(rows),
                    None => refused,
                }
            }
        }
    }
}

pub(crate) type Converted = std::result::Result<ArrayRef, Problem>;

/// Converts an array to another type of the same values; the names
pub(crate) fn convert(array: &ArrayRef, to: &DataType) -> Converted {
    let from = array.data_type();
    if from == to {
        return Ok(Arc::clone(array));
    }
    match (from, to) {
        (DataType::Null, to) => Ok(new_null_array(to, array.len())),
        (
            DataType::Timestamp(TimeUnit::Second, _),
            DataType::Timestamp(TimeUnit::Millisecond, zone),
        ) => {
            let millis = each::<TimestampSecondType, TimestampMillisecondType>(
                array,
                |seconds| seconds.checked_mul(1000),
                "seconds since 1970-01-01 are too many for milliseconds, the largest unit of \
                 timestamps that Parquet has: write Arrow IPC, or leave the value out",
            )?;
            Ok(Arc::new(millis.with_timezone_opt(zone.clone())))
        }
        (DataType::Timestamp(from, _), DataType::Timestamp(unit, _))
        | (DataType::Duration(from), DataType::Duration(unit))
            if from < unit =>
        {
            let factor = per_second(*unit) / per_second(*from);
            let reason = format!("has no place in {to}: {HOLDING}");
            let values = strict_cast(array, &DataType::Int64)?;
            let values =
                each::<Int64Type, Int64Type>(&values, |value| value.checked_mul(factor), &reason)?;
            strict_cast(&values, to)
        }
        (DataType::Time32(TimeUnit::Second), DataType::Time32(TimeUnit::Millisecond)) => {
            let millis = each::<Time32SecondType, Time32MillisecondType>(
                array,
                |seconds| seconds.checked_mul(1000),
                "seconds since midnight are too many for milliseconds: leave the value out",
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
        (DataType::Dictionary(_, values), to) if values.as_ref() != to => {
            convert(&strict_cast(array, values)?, to)
        }
        (DataType::RunEndEncoded(_, values), to) if !matches!(to, DataType::RunEndEncoded(..)) => {
            let values = strict_cast(array, values.data_type())?;
            convert(&values, to)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            structs(&by_name(array.as_struct(), fields)?, fields)
        }
        (DataType::List(_), DataType::List(item)) => lists::<i32>(array, item),
        (DataType::LargeList(_), DataType::LargeList(item)) => lists::<i64>(array, item),
        (DataType::FixedSizeList(..), DataType::FixedSizeList(item, size)) => {
            let list = array.as_fixed_size_list();
            let width = usize::try_from(*size).unwrap_or(0);
            let nulls = list.nulls().map(|nulls| nulls.expand(width));
            let values = masked(list.values(), nulls.as_ref())?;
            let values = convert(&values, item.data_type())
                .map_err(|problem| problem.at("[]").in_row(|value| value.checked_div(width)))?;
            let nulls = list.nulls().cloned();
            let item = Arc::clone(item);
            let list =
                FixedSizeListArray::try_new_with_length(item, *size, values, nulls, list.len())?;
            Ok(Arc::new(list))
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let array = reachable(array)?;
            let map = array.as_map();
            let all = match entries.data_type() {
                // What a map calls its keys and values is of no account.
                DataType::Struct(fields) => structs(map.entries(), fields),
                other => strict_cast(map.entries(), other),
            };
            let all =
                all.map_err(|problem| problem.in_row(|value| row_of(map.offsets(), value)))?;
            let map = MapArray::try_new(
                Arc::clone(entries),
                map.offsets().clone(),
                all.as_struct().clone(),
                map.nulls().cloned(),
                *sorted,
            )?;
            Ok(Arc::new(map))
        }
        (DataType::ListView(item), _) if list_item(to).is_some() => {
            convert(&strict_cast(array, &DataType::List(Arc::clone(item)))?, to)
        }
        (DataType::LargeListView(item), _) if list_item(to).is_some() => convert(
            &strict_cast(array, &DataType::LargeList(Arc::clone(item)))?,
            to,
        ),
        // The items first, as above, and then what holds them.
        (DataType::List(_), _) if list_item(to).is_some() => relisted(array, to, DataType::List),
        (DataType::LargeList(_), _) if list_item(to).is_some() => {
            relisted(array, to, DataType::LargeList)
        }
        (from, to) if from.equals_datatype(to) => Ok(Arc::clone(array)),
        _ => strict_cast(array, to),
    }
}

/// A cast under which a value that does not fit is an error.
pub(crate) fn strict_cast(array: &dyn Array, to: &DataType) -> Converted {
    let options = |safe| CastOptions {
        safe,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options(false)).map_err(|error| match error {
        ArrowError::DictionaryKeyOverflowError => Problem::Value {
            below: String::new(),
            row: None,
            reason: "it has more values than its indices can count: give them more bits, or cast it to its values"
                .to_owned(),
        },
        // The value that it failed at is one of those that a cast without errors makes null.
        error => match cast_with_options(array, to, &options(true)) {
            Ok(cast) => misfit(array, &cast, to).unwrap_or(Problem::Arrow(error)),
            Err(_) => Problem::Arrow(error),
        },
    })
}

/// The first value that a cast has made null.
fn misfit(array: &dyn Array, cast: &ArrayRef, to: &DataType) -> Option<Problem> {
    let (given, cast) = (array.logical_nulls(), cast.logical_nulls()?);
    let is_valid = |row: &usize| given.as_ref().is_none_or(|given| given.is_valid(*row));
    let row = (0..array.len()).find(|row| is_valid(row) && cast.is_null(*row))?;
    let value = array_value_to_string(array, row).unwrap_or_default();
    let value: String = value.chars().take(60).collect();
    Some(Problem::Value {
        below: String::new(),
        row: Some(row),
        reason: format!("{value} has no place in {to}: {HOLDING}"),
    })
}

/// What can be done about a value that has no place in a type.
const HOLDING: &str = "write the column in a type that holds it";

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
            Problem::Value {
                below: String::new(),
                row,
                reason: format!("{value} {reason}"),
            }
        })
}

/// The number of units in a second.
fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The members of a struct in the order of `fields`; a missing one is null.
fn by_name(array: &StructArray, fields: &Fields) -> std::result::Result<StructArray, ArrowError> {
    let found = array.fields();
    let names = || found.iter().map(|field| field.name());
    if names().eq(fields.iter().map(|field| field.name())) {
        return Ok(array.clone());
    }
    if let Some(extra) = names().find(|name| fields.find(name).is_none()) {
        let what =
            format!("a struct has the member {extra:?}, and its new type has not: leave it out");
        return Err(ArrowError::SchemaError(what));
    }
    let members = fields.iter().map(|field| match found.find(field.name()) {
        Some((at, member)) => (Arc::clone(member), Arc::clone(array.column(at))),
        None => {
            let nulls = new_null_array(field.data_type(), array.len());
            (Arc::clone(field), nulls)
        }
    });
    let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = members.unzip();
    let nulls = array.nulls().cloned();
    StructArray::try_new_with_length(fields.into(), columns, nulls, array.len())
}

fn structs(array: &StructArray, fields: &Fields) -> Converted {
    let columns = array.columns().iter().zip(fields);
    // What lies beneath a null is nobody's value.
    let columns = columns.map(|(column, field)| {
        convert(&masked(column, array.nulls())?, field.data_type())
            .map_err(|problem| problem.at(&format!(".{}", field.name())))
    });
    let columns = columns.collect::<std::result::Result<Vec<_>, Problem>>()?;
    let nulls = array.nulls().cloned();
    let converted = StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?;
    Ok(Arc::new(converted))
}

fn lists<O: OffsetSizeTrait>(array: &ArrayRef, item: &FieldRef) -> Converted {
    let array = reachable(array)?;
    let list = array.as_list::<O>();
    let values = convert(list.values(), item.data_type()).map_err(|problem| {
        problem
            .at("[]")
            .in_row(|value| row_of(list.offsets(), value))
    })?;
    let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
    let item = Arc::clone(item);
    Ok(Arc::new(GenericListArray::try_new(
        item, offsets, values, nulls,
    )?))
}

/// Converts a list to another kind of list: its items first, then the list itself.
fn relisted(array: &ArrayRef, to: &DataType, kind: fn(FieldRef) -> DataType) -> Converted {
    match list_item(to) {
        Some(item) => strict_cast(&convert(array, &kind(Arc::clone(item)))?, to),
        None => strict_cast(array, to),
    }
}

/// The row that an item belongs to.
pub(crate) fn row_of<O: OffsetSizeTrait>(offsets: &[O], item: usize) -> Option<usize> {
    offsets
        .partition_point(|offset| offset.as_usize() <= item)
        .checked_sub(1)
}

/// The same rows without unreachable items: those that belong to no row, or to a null.
pub(crate) fn reachable(array: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
    let rows: UInt64Array = (0..array.len() as u64).collect();
    take(array, &rows, None)
}

/// The array, in which those rows are null too that are null in `nulls`.
pub(crate) fn masked(
    array: &ArrayRef,
    nulls: Option<&NullBuffer>,
) -> std::result::Result<ArrayRef, Problem> {
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

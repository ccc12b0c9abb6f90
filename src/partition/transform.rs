//! Transforms: a partition key is the value of its column, or a part of a date or time.
//!
//! It works on whole columns, with Arrow's kernels, in the time zone of the column: the local hour
//! and date, also where clocks are changed. It names no keys; that is for
//! [`PartitionBy`](super::PartitionBy).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::temporal_conversions::{as_datetime, as_datetime_with_timezone};
use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, Date32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::{DatePart, date_part};
use arrow::datatypes::{
    ArrowTimestampType, DataType, Date32Type, Date64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::error::ArrowError;

use super::read::value_at;
use super::value::leaf_type;
use super::{PartitionError, PartitionValue};

/// How a partition key is derived from its column.
///
/// Timestamps are taken in the time zone of their column, and as they stand where it has none.
///
/// ```
/// use atomic_arrow::{PartitionBy, Transform};
///
/// let by: PartitionBy = "year(time_hour)".parse()?;
/// assert_eq!(by.keys()[0].transform(), Transform::Year);
/// # Ok::<(), atomic_arrow::PartitionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transform {
    /// The value itself, of any type that can be a partition key.
    Identity,
    /// The year of a date or timestamp: `2013`, with at least four digits, `-0001` before year 0.
    Year,
    /// The month of a date or timestamp: `1` to `12`, without leading zeros.
    ///
    /// Without them every reader takes the value for the same number, whether it reads numbers or
    /// texts.
    Month,
    /// The day of the month of a date or timestamp: `1` to `31`, without leading zeros.
    Day,
    /// The hour of a timestamp: `0` to `23`, without leading zeros.
    Hour,
    /// The date of a date or timestamp: `2013-01-31`.
    Date,
}

impl Transform {
    /// The transforms that have a name in text.
    pub(super) const NAMED: [Self; 5] =
        [Self::Year, Self::Month, Self::Day, Self::Hour, Self::Date];

    /// The name, as it stands before the parenthesis in `year(time)`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Year => "year",
            Self::Month => "month",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Date => "date",
        }
    }

    /// Whether the transform accepts a type that can be a partition key.
    pub(super) fn fits(self, data_type: &DataType) -> bool {
        match (self, leaf_type(data_type)) {
            (Self::Identity, _) | (_, DataType::Timestamp(_, _)) => true,
            // A date has no hour to partition by: every row would be in hour 0.
            (Self::Hour, _) => false,
            (_, leaf) => matches!(leaf, DataType::Date32 | DataType::Date64),
        }
    }

    /// The types that the transform accepts, in words.
    pub(super) fn needed_type(self) -> &'static str {
        match self {
            Self::Identity => "text, a number, a date or a timestamp",
            Self::Hour => "a timestamp",
            Self::Year | Self::Month | Self::Day | Self::Date => "a date or a timestamp",
        }
    }

    /// Applies the transform to a column of a type that it accepts.
    pub(super) fn apply(self, column: &str, array: &ArrayRef) -> Result<ArrayRef, PartitionError> {
        let taken = match self {
            Self::Identity => return Ok(Arc::clone(array)),
            Self::Year => date_part(array, DatePart::Year),
            Self::Month => date_part(array, DatePart::Month),
            Self::Day => date_part(array, DatePart::Day),
            Self::Hour => date_part(array, DatePart::Hour),
            Self::Date => dates(array),
        }
        .map_err(PartitionError::arrow)?;
        // The kernels give null for what they find outside of the calendar.
        match first_new_null(array, &taken) {
            None => Ok(taken),
            Some(row) => Err(PartitionError::OutOfRange {
                key: column.to_owned(),
                value: value_at(array, row)
                    .map(|value| value.to_string())
                    .unwrap_or_default(),
                row: Some(row),
            }),
        }
    }

    /// The value of the key, from what [`apply`](Self::apply) took of the column.
    pub(super) fn value(self, taken: PartitionValue) -> PartitionValue {
        match (self, taken) {
            (Self::Year, PartitionValue::Int(year)) if year < 0 => {
                PartitionValue::String(format!("-{:04}", year.unsigned_abs()))
            }
            (Self::Year, PartitionValue::Int(year)) if year < 1000 => {
                PartitionValue::String(format!("{year:04}"))
            }
            (_, taken) => taken,
        }
    }
}

/// Takes the name, in any case.
impl FromStr for Transform {
    type Err = UnknownTransform;

    fn from_str(name: &str) -> Result<Self, UnknownTransform> {
        let mut known = std::iter::once(Self::Identity).chain(Self::NAMED);
        let found = known.find(|known| known.name().eq_ignore_ascii_case(name.trim()));
        found.ok_or_else(|| UnknownTransform(name.to_owned()))
    }
}

/// A name that is no [`Transform`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no transform: known are identity, year, month, day, hour and date")]
pub struct UnknownTransform(String);

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn first_new_null(before: &ArrayRef, after: &ArrayRef) -> Option<usize> {
    let after = after.logical_nulls()?;
    let before = before.logical_nulls();
    if before.as_ref().map_or(0, NullBuffer::null_count) == after.null_count() {
        return None;
    }
    let was_valid = |row| before.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    (0..after.len()).find(|row| after.is_null(*row) && was_valid(*row))
}

/// The dates of dates or timestamps, null where one is outside of the calendar.
fn dates(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        DataType::Date64 => Arc::new(
            array
                .as_primitive::<Date64Type>()
                .unary_opt::<_, Date32Type>(|milliseconds| {
                    i32::try_from(milliseconds.div_euclid(86_400_000)).ok()
                }),
        ),
        DataType::Timestamp(TimeUnit::Second, zone) => {
            timestamp_dates::<TimestampSecondType>(array, zone.as_deref())?
        }
        DataType::Timestamp(TimeUnit::Millisecond, zone) => {
            timestamp_dates::<TimestampMillisecondType>(array, zone.as_deref())?
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            timestamp_dates::<TimestampMicrosecondType>(array, zone.as_deref())?
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            timestamp_dates::<TimestampNanosecondType>(array, zone.as_deref())?
        }
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            dictionary.with_values(dates(dictionary.values())?)
        }
        _ => Arc::clone(array),
    })
}

fn timestamp_dates<T: ArrowTimestampType>(
    array: &ArrayRef,
    zone: Option<&str>,
) -> Result<ArrayRef, ArrowError> {
    // The local time of the calendar's very last day may be beyond it, and asking for it panics.
    const LATEST_SECOND: i64 = 8_200_000_000_000;
    let array = array.as_primitive::<T>();
    let dates: Date32Array = match zone {
        None => array.unary_opt(|value| {
            as_datetime::<T>(value).map(|time| Date32Type::from_naive_date(time.date()))
        }),
        Some(zone) => {
            let tz: Tz = zone.parse()?;
            array.unary_opt(|value| {
                as_datetime_with_timezone::<T>(value, tz)
                    .filter(|time| time.timestamp().abs() <= LATEST_SECOND)
                    .map(|time| Date32Type::from_naive_date(time.date_naive()))
            })
        }
    };
    Ok(Arc::new(dates))
}

#[cfg(test)]
mod tests;

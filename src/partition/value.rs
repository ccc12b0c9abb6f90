//! The typed value of a partition key and the one text it has.
//!
//! The text decides which directory a row belongs to, so it is fixed here for every type. It does
//! not decide whether a value is allowed in a path (the parent module does) nor how it is escaped
//! ([`hive`](super::hive) does).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::array::temporal_conversions::{as_datetime, as_datetime_with_timezone};
use arrow::array::timezone::Tz;
use arrow::datatypes::{
    DataType, Date32Type, Decimal256Type, DecimalType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, i256,
};
use arrow::error::ArrowError;

use super::{PartitionError, hive};

/// The value of one partition key.
///
/// `Display` gives its text, not escaped. Two values name the same directory when their texts are
/// equal, whatever their types are: [`Partition`](super::Partition)s are compared so, while `==` here
/// compares types too.
///
/// | value | text |
/// |---|---|
/// | null | `__HIVE_DEFAULT_PARTITION__` |
/// | boolean | `true`, `false` |
/// | integer | `-7`, with no leading zeros |
/// | float | the shortest that reads back as the same: `0.1`, `2.0`, `1e16`; both zeros are `0.0` |
/// | decimal | with all digits of its scale: `12.30` |
/// | date | `2013-01-31` |
/// | timestamp | `2013-01-31 05:00:00`, and `.250`, `.250001` or `.250001002` where there is a fraction |
/// | timestamp with a time zone | in that zone, with its offset: `2013-01-31 05:00:00-05:00` |
///
/// Years have at least four digits; before year 0 they start with `-`, after 9999 with `+`.
///
/// ```
/// use atomic_arrow::PartitionValue;
///
/// assert_eq!(PartitionValue::from(7).to_string(), "7");
/// assert_eq!(PartitionValue::from("07").to_string(), "07");
/// assert_eq!(PartitionValue::Date(15_736).to_string(), "2013-01-31");
/// assert!(PartitionValue::from(None::<i64>).is_null());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PartitionValue {
    /// No value.
    Null,
    /// A boolean.
    Boolean(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// A number with a fraction, which has to be finite.
    Float(f64),
    /// A decimal: `unscaled / 10^scale`.
    Decimal {
        /// The digits as an integer.
        unscaled: i256,
        /// How many of the digits are behind the point.
        scale: i8,
    },
    /// A text, which may not be empty.
    String(String),
    /// The days since 1970-01-01.
    Date(i32),
    /// A point in time, or without a time zone the reading of some clock.
    Timestamp {
        /// The time since 1970-01-01 00:00:00 (UTC where there is a time zone).
        value: i64,
        /// The unit of `value`.
        unit: TimeUnit,
        /// The time zone in which the text is given.
        time_zone: Option<Arc<str>>,
    },
}

/// Why a value has no text that could stand in a path.
pub(super) enum NoText {
    NonFinite(f64),
    OutOfRange(String),
    TimeZone(String, ArrowError),
}

impl NoText {
    pub(super) fn into_error(self, key: &str, row: Option<usize>) -> PartitionError {
        let key = key.to_owned();
        match self {
            Self::NonFinite(value) => PartitionError::NonFinite { key, value, row },
            Self::OutOfRange(value) => PartitionError::OutOfRange { key, value, row },
            Self::TimeZone(time_zone, source) => PartitionError::InvalidTimeZone {
                key,
                time_zone,
                source,
            },
        }
    }
}

impl PartitionValue {
    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, not escaped, or `None` for null.
    pub(super) fn text(&self) -> Result<Option<Cow<'_, str>>, NoText> {
        let text = match self {
            Self::Null => return Ok(None),
            Self::String(text) => return Ok(Some(Cow::Borrowed(text))),
            Self::Boolean(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::UInt(value) => value.to_string(),
            Self::Float(value) if !value.is_finite() => return Err(NoText::NonFinite(*value)),
            // Adding zero makes the negative zero the positive one: they are equal.
            Self::Float(value) => format!("{:?}", value + 0.0),
            Self::Decimal { unscaled, scale } => decimal_text(*unscaled, *scale),
            Self::Date(days) => date_text(*days)?,
            Self::Timestamp {
                value,
                unit,
                time_zone: None,
            } => naive_text(*value, *unit)?,
            Self::Timestamp {
                value,
                unit,
                time_zone: Some(zone),
            } => zoned_text(*value, *unit, zone)?,
        };
        Ok(Some(Cow::Owned(text)))
    }
}

/// The text, as it is before escaping; a value that can be in no partition is shown as it is stored.
impl fmt::Display for PartitionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Ok(None) => f.write_str(hive::NULL),
            Ok(Some(text)) => f.write_str(&text),
            Err(NoText::NonFinite(value)) => write!(f, "{value}"),
            Err(NoText::OutOfRange(value)) => f.write_str(&value),
            Err(NoText::TimeZone(zone, _)) => match self {
                Self::Timestamp { value, unit, .. } => {
                    write!(f, "{} {zone}", stored(*value, *unit))
                }
                _ => f.write_str(&zone),
            },
        }
    }
}

fn decimal_text(unscaled: i256, scale: i8) -> String {
    // Zeros in front of the last one would be added for a negative scale.
    if scale < 0 && unscaled == i256::ZERO {
        return "0".to_owned();
    }
    // No precision to keep to: a greater one than any number has keeps every digit.
    Decimal256Type::format_decimal(unscaled, u8::MAX, scale)
}

fn date_text(days: i32) -> Result<String, NoText> {
    Date32Type::to_naive_date_opt(days)
        .map(|date| date.to_string())
        .ok_or_else(|| NoText::OutOfRange(format!("{days} days since 1970-01-01")))
}

fn naive_text(value: i64, unit: TimeUnit) -> Result<String, NoText> {
    match unit {
        TimeUnit::Second => as_datetime::<TimestampSecondType>(value),
        TimeUnit::Millisecond => as_datetime::<TimestampMillisecondType>(value),
        TimeUnit::Microsecond => as_datetime::<TimestampMicrosecondType>(value),
        TimeUnit::Nanosecond => as_datetime::<TimestampNanosecondType>(value),
    }
    .map(|time| time.to_string())
    .ok_or_else(|| NoText::OutOfRange(stored(value, unit)))
}

fn zoned_text(value: i64, unit: TimeUnit, zone: &str) -> Result<String, NoText> {
    let tz: Tz = zone
        .parse()
        .map_err(|error| NoText::TimeZone(zone.to_owned(), error))?;
    let time = match unit {
        TimeUnit::Second => as_datetime_with_timezone::<TimestampSecondType>(value, tz),
        TimeUnit::Millisecond => as_datetime_with_timezone::<TimestampMillisecondType>(value, tz),
        TimeUnit::Microsecond => as_datetime_with_timezone::<TimestampMicrosecondType>(value, tz),
        TimeUnit::Nanosecond => as_datetime_with_timezone::<TimestampNanosecondType>(value, tz),
    }
    .ok_or_else(|| NoText::OutOfRange(stored(value, unit)))?;
    // It is shown as date, time and offset, with a space before each of the last two.
    let text = time.to_string();
    Ok(match text.rsplit_once(' ') {
        Some((local, offset)) => format!("{local}{offset}"),
        None => text,
    })
}

fn stored(value: i64, unit: TimeUnit) -> String {
    let unit = match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "µs",
        TimeUnit::Nanosecond => "ns",
    };
    format!("{value} {unit} since 1970-01-01")
}

/// Whether columns of a type can be partition keys; the time zone, too, has to be known.
pub(super) fn check_type(column: &str, data_type: &DataType) -> Result<(), PartitionError> {
    let leaf = leaf_type(data_type);
    if let DataType::Timestamp(_, Some(zone)) = leaf {
        zone.parse::<Tz>()
            .map_err(|source| PartitionError::InvalidTimeZone {
                key: column.to_owned(),
                time_zone: zone.to_string(),
                source,
            })?;
    }
    let supported = leaf.is_integer()
        || leaf.is_floating()
        || leaf.is_decimal()
        || leaf.is_string()
        || matches!(
            leaf,
            DataType::Boolean | DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _)
        );
    if supported {
        return Ok(());
    }
    Err(PartitionError::UnsupportedType {
        column: column.to_owned(),
        data_type: data_type.clone(),
    })
}

/// The type of a column's values, where it is a dictionary of them.
pub(super) fn leaf_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

macro_rules! from_number {
    ($($from:ty => $variant:ident),+) => {$(
        impl From<$from> for PartitionValue {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )+};
}

from_number!(
    bool => Boolean, i8 => Int, i16 => Int, i32 => Int, i64 => Int, u8 => UInt, u16 => UInt,
    u32 => UInt, u64 => UInt, f64 => Float, String => String, &str => String, &String => String
);

/// Converts `None` to [`PartitionValue::Null`].
impl<T: Into<PartitionValue>> From<Option<T>> for PartitionValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests;

//! Transforms: a partition key is the value of its column, a part of a date or time, or a bucket.
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

use super::bucket::Hashing;
use super::read::value_at;
use super::value::{check_type, leaf_type};
use super::{PartitionError, PartitionValue};

/// The most buckets, as Iceberg and Spark count them.
const MOST_BUCKETS: u32 = i32::MAX as u32;

/// How a partition key is derived from its column.
///
/// Timestamps are taken in the time zone of their column, and as they stand where it has none. The column of a key that is
/// more than its value stays in the files.
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
    /// The bucket of a value among so many, from 0 on, as Apache Iceberg's transform `bucket[N]` has it: the hash of its
    /// specification (appendix B), without its sign, modulo the number. Null stays null.
    ///
    /// Of whole numbers, decimals of at most 38 digits, dates, times, timestamps, text and bytes; not of `UInt64`. Equal
    /// numbers of all widths, and times of all units, have one bucket.
    Bucket(u32),
    /// The bucket of a value among so many, from 0 on, as Apache Spark's `bucketBy` and `pmod(hash(column), N)` have it.
    /// Null has the bucket of the number 42.
    ///
    /// Of signed whole numbers, floating-point numbers, decimals of at most 38 digits, truth values, dates, timestamps of
    /// at most microseconds, text and bytes. The width of a number counts: 34 of 32 bits and 34 of 64 bits have buckets of
    /// their own.
    SparkBucket(u32),
}

/// Reads a number of buckets; what is none is told when the key is used.
pub(super) fn bucket_count(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}

impl Transform {
    /// The transforms whose name alone is before the column in text.
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
            Self::Bucket(_) => "bucket",
            Self::SparkBucket(_) => "spark_bucket",
        }
    }

    /// The bucket transform of this name, among so many buckets.
    pub(super) fn bucket_named(name: &str, buckets: u32) -> Option<Self> {
        let known = [Self::Bucket(buckets), Self::SparkBucket(buckets)];
        known
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(name))
    }

    /// The name that a key of this column has if it is given none: `year`, `id_bucket`, or that of the column itself.
    pub(super) fn default_key(self, column: &str) -> String {
        match self {
            Self::Identity => column.to_owned(),
            Self::Year | Self::Month | Self::Day | Self::Hour | Self::Date => {
                self.name().to_owned()
            }
            Self::Bucket(_) | Self::SparkBucket(_) => format!("{column}_bucket"),
        }
    }

    /// Whose buckets it makes, and how many; `None` if it makes none.
    fn buckets(self) -> Option<(Hashing, u32)> {
        match self {
            Self::Bucket(buckets) => Some((Hashing::Iceberg, buckets)),
            Self::SparkBucket(buckets) => Some((Hashing::Spark, buckets)),
            Self::Identity | Self::Year | Self::Month | Self::Day | Self::Hour | Self::Date => None,
        }
    }

    /// Checks that a column of this type can be taken.
    pub(super) fn check(self, column: &str, data_type: &DataType) -> Result<(), PartitionError> {
        match self.buckets() {
            // What is hashed need not have a text.
            Some((_, buckets)) if !(1..=MOST_BUCKETS).contains(&buckets) => {
                return Err(PartitionError::BucketCount {
                    column: column.to_owned(),
                    buckets,
                });
            }
            Some(_) => {}
            None => check_type(column, data_type)?,
        }
        match self.fits(data_type) {
            true => Ok(()),
            false => Err(PartitionError::TransformMismatch {
                column: column.to_owned(),
                transform: self,
                data_type: data_type.clone(),
            }),
        }
    }

    /// Whether the transform accepts a type; but for buckets, one that can be a partition key.
    fn fits(self, data_type: &DataType) -> bool {
        if let Some((hashing, _)) = self.buckets() {
            return hashing.fits(data_type);
        }
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
            Self::Bucket(_) => Hashing::Iceberg.needed_type(),
            Self::SparkBucket(_) => Hashing::Spark.needed_type(),
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
            Self::Bucket(buckets) => return bucketed(Hashing::Iceberg, column, array, buckets),
            Self::SparkBucket(buckets) => return bucketed(Hashing::Spark, column, array, buckets),
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

fn bucketed(
    hashing: Hashing,
    column: &str,
    array: &ArrayRef,
    buckets: u32,
) -> Result<ArrayRef, PartitionError> {
    // Which was checked when the key was bound.
    let buckets = i32::try_from(buckets).unwrap_or(i32::MAX).max(1);
    hashing.buckets(column, array, buckets)
}

/// Takes the name, in any case; of buckets with their number, as in `bucket[16]`.
impl FromStr for Transform {
    type Err = UnknownTransform;

    fn from_str(name: &str) -> Result<Self, UnknownTransform> {
        let mut known = std::iter::once(Self::Identity).chain(Self::NAMED);
        let found = known.find(|known| known.name().eq_ignore_ascii_case(name.trim()));
        let buckets = || {
            let (name, buckets) = name.trim().strip_suffix(']')?.split_once('[')?;
            Self::bucket_named(name, bucket_count(buckets)?)
        };
        found
            .or_else(buckets)
            .ok_or_else(|| UnknownTransform(name.to_owned()))
    }
}

/// A name that is no [`Transform`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no transform: known are identity, year, month, day, hour, date, and bucket[16] and spark_bucket[16] of any \
     number"
)]
pub struct UnknownTransform(String);

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.buckets() {
            Some((_, buckets)) => write!(f, "{}[{buckets}]", self.name()),
            None => f.write_str(self.name()),
        }
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

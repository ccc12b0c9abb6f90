//! Buckets: which of a number of buckets a value belongs to, by the hash that others have for it.
//!
//! Both hashes are the 32-bit Murmur3. That of Iceberg is of its specification, appendix B ("32-bit Hash Requirements"), where
//! equal numbers of all widths have one hash. That of Spark is what its `hash` and `bucketBy` have: the seed is 42, the width
//! of a number counts, and the last bytes of a text that do not fill four are mixed in one by one.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Int32Array};
use arrow::compute::take;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
};

use super::PartitionError;
use super::read::value_at;
use super::value::leaf_type;

const MICROSECONDS_A_SECOND: i64 = 1_000_000;
const MILLISECONDS_A_DAY: i64 = 86_400_000;
/// The most digits of a decimal that Spark keeps in 64 bits.
const SPARK_LONG_DIGITS: u8 = 18;

/// Whose buckets they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hashing {
    Iceberg,
    Spark,
}

impl Hashing {
    /// Whether values of the type have buckets.
    pub(super) fn fits(self, data_type: &DataType) -> bool {
        use DataType::{
            Binary, BinaryView, Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128,
            FixedSizeBinary, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary, LargeUtf8,
            Time32, Time64, Timestamp, UInt8, UInt16, UInt32, Utf8, Utf8View,
        };
        match leaf_type(data_type) {
            Int8
            | Int16
            | Int32
            | Int64
            | Date32
            | Date64
            | Utf8
            | LargeUtf8
            | Utf8View
            | Binary
            | LargeBinary
            | BinaryView
            | Decimal32(_, _)
            | Decimal64(_, _)
            | Decimal128(_, _) => true,
            // Spark has no such types, or reads them as others.
            Time32(_)
            | Time64(_)
            | FixedSizeBinary(_)
            | UInt8
            | UInt16
            | UInt32
            | Timestamp(TimeUnit::Nanosecond, _) => self == Self::Iceberg,
            Timestamp(_, _) => true,
            // Iceberg has no buckets of these.
            Boolean | Float32 | Float64 => self == Self::Spark,
            _ => false,
        }
    }

    /// The types of which there are buckets, in words.
    pub(super) fn needed_type(self) -> &'static str {
        match self {
            Self::Iceberg => {
                "a whole number of at most 63 bits, a decimal of at most 38 digits, a date, time or timestamp, text or bytes"
            }
            Self::Spark => {
                "a signed whole number, a floating-point number, a decimal of at most 38 digits, a truth value, a date, a \
                 timestamp of at most microseconds, text or bytes"
            }
        }
    }

    /// The bucket of each value, of a type that [fits](Self::fits).
    ///
    /// # Errors
    /// [`PartitionError::OutOfRange`] if a time is too far away to be counted in microseconds, or a date in days.
    pub(super) fn buckets(
        self,
        column: &str,
        array: &ArrayRef,
        buckets: i32,
    ) -> Result<ArrayRef, PartitionError> {
        let hashes = self.hashes(array).map_err(|fault| match fault {
            Fault::OutOfRange(row) => PartitionError::OutOfRange {
                key: column.to_owned(),
                value: value_at(array, row)
                    .map(|value| value.to_string())
                    .unwrap_or_default(),
                row: Some(row),
            },
            Fault::Unfit => PartitionError::UnsupportedType {
                column: column.to_owned(),
                data_type: array.data_type().clone(),
            },
            Fault::Arrow(error) => PartitionError::arrow(error),
        })?;
        let bucket = |hash: Option<i32>| match self {
            Self::Iceberg => hash.map(|hash| (hash & i32::MAX) % buckets),
            // The hash of null is the seed.
            Self::Spark => Some(hash.unwrap_or(SPARK_SEED as i32).rem_euclid(buckets)),
        };
        let buckets: Int32Array = hashes.iter().map(bucket).collect();
        Ok(Arc::new(buckets))
    }

    fn hashes(self, array: &ArrayRef) -> Result<Int32Array, Fault> {
        use DataType as Type;
        Ok(match array.data_type() {
            Type::Int8 => primitive::<Int8Type>(array, |value| Some(self.int(value.into())))?,
            Type::Int16 => primitive::<Int16Type>(array, |value| Some(self.int(value.into())))?,
            Type::Int32 => primitive::<Int32Type>(array, |value| Some(self.int(value)))?,
            Type::Int64 => primitive::<Int64Type>(array, |value| Some(self.long(value)))?,
            Type::UInt8 => primitive::<UInt8Type>(array, |value| Some(self.long(value.into())))?,
            Type::UInt16 => primitive::<UInt16Type>(array, |value| Some(self.long(value.into())))?,
            Type::UInt32 => primitive::<UInt32Type>(array, |value| Some(self.long(value.into())))?,
            Type::Float32 => primitive::<Float32Type>(array, |value| {
                Some(self.int(match value {
                    // Both zeros, and all that are no numbers, are one.
                    0.0 => 0,
                    value if value.is_nan() => f32::NAN.to_bits() as i32,
                    value => value.to_bits() as i32,
                }))
            })?,
            Type::Float64 => primitive::<Float64Type>(array, |value| {
                Some(self.long(match value {
                    0.0 => 0,
                    value if value.is_nan() => f64::NAN.to_bits() as i64,
                    value => value.to_bits() as i64,
                }))
            })?,
            Type::Boolean => {
                let values = array.as_boolean().iter();
                let hash = |value: Option<bool>| value.map(|value| self.int(value.into()));
                values.map(hash).collect()
            }
            Type::Decimal32(digits, _) => primitive::<Decimal32Type>(array, |value| {
                Some(self.decimal(value.into(), *digits))
            })?,
            Type::Decimal64(digits, _) => primitive::<Decimal64Type>(array, |value| {
                Some(self.decimal(value.into(), *digits))
            })?,
            Type::Decimal128(digits, _) => {
                primitive::<Decimal128Type>(array, |value| Some(self.decimal(value, *digits)))?
            }
            Type::Date32 => primitive::<Date32Type>(array, |days| Some(self.int(days)))?,
            Type::Date64 => primitive::<Date64Type>(array, |milliseconds| {
                let days = i32::try_from(milliseconds.div_euclid(MILLISECONDS_A_DAY));
                days.ok().map(|days| self.int(days))
            })?,
            Type::Time32(TimeUnit::Second) => primitive::<Time32SecondType>(array, |value| {
                self.larger(value.into(), MICROSECONDS_A_SECOND)
            })?,
            Type::Time32(_) => {
                primitive::<Time32MillisecondType>(array, |value| self.larger(value.into(), 1000))?
            }
            Type::Time64(TimeUnit::Nanosecond) => {
                primitive::<Time64NanosecondType>(array, |value| self.smaller(value))?
            }
            Type::Time64(_) => {
                primitive::<Time64MicrosecondType>(array, |value| Some(self.long(value)))?
            }
            Type::Timestamp(TimeUnit::Second, _) => {
                primitive::<TimestampSecondType>(array, |value| {
                    self.larger(value, MICROSECONDS_A_SECOND)
                })?
            }
            Type::Timestamp(TimeUnit::Millisecond, _) => {
                primitive::<TimestampMillisecondType>(array, |value| self.larger(value, 1000))?
            }
            Type::Timestamp(TimeUnit::Microsecond, _) => {
                primitive::<TimestampMicrosecondType>(array, |value| Some(self.long(value)))?
            }
            Type::Timestamp(TimeUnit::Nanosecond, _) => {
                primitive::<TimestampNanosecondType>(array, |value| self.smaller(value))?
            }
            Type::Utf8 => self.strings(array.as_string::<i32>().iter()),
            Type::LargeUtf8 => self.strings(array.as_string::<i64>().iter()),
            Type::Utf8View => self.strings(array.as_string_view().iter()),
            Type::Binary => self.strings(array.as_binary::<i32>().iter()),
            Type::LargeBinary => self.strings(array.as_binary::<i64>().iter()),
            Type::BinaryView => self.strings(array.as_binary_view().iter()),
            Type::FixedSizeBinary(_) => self.strings(array.as_fixed_size_binary().iter()),
            Type::Dictionary(_, _) => {
                let dictionary = array.as_any_dictionary();
                let hashes: ArrayRef = Arc::new(self.hashes(dictionary.values())?);
                let taken = take(&hashes, dictionary.keys(), None).map_err(Fault::Arrow)?;
                taken.as_primitive::<Int32Type>().clone()
            }
            _ => return Err(Fault::Unfit),
        })
    }

    /// The hash of a number of at most 32 bits.
    fn int(self, value: i32) -> i32 {
        match self {
            Self::Iceberg => self.long(value.into()),
            Self::Spark => finish(mix(SPARK_SEED, value as u32), 4),
        }
    }

    fn long(self, value: i64) -> i32 {
        let seed = match self {
            Self::Iceberg => 0,
            Self::Spark => SPARK_SEED,
        };
        finish(mix(mix(seed, value as u32), (value >> 32) as u32), 8)
    }

    /// The hash of a time in a unit of so many microseconds.
    fn larger(self, value: i64, microseconds: i64) -> Option<i32> {
        Some(self.long(value.checked_mul(microseconds)?))
    }

    /// The hash of a time in nanoseconds: that of the microsecond that it is in.
    fn smaller(self, value: i64) -> Option<i32> {
        Some(self.long(value.div_euclid(1000)))
    }

    fn decimal(self, unscaled: i128, digits: u8) -> i32 {
        match i64::try_from(unscaled) {
            Ok(value) if self == Self::Spark && digits <= SPARK_LONG_DIGITS => self.long(value),
            _ => {
                let bytes = unscaled.to_be_bytes();
                // The fewest that keep the sign.
                let spare = bytes.windows(2).take_while(|pair| {
                    let sign = if pair[1] & 0x80 == 0 { 0 } else { 0xFF };
                    pair[0] == sign
                });
                self.bytes(&bytes[spare.count()..])
            }
        }
    }

    /// The hash of each text or byte string.
    fn strings<'a, S: AsRef<[u8]> + ?Sized + 'a>(
        self,
        values: impl Iterator<Item = Option<&'a S>>,
    ) -> Int32Array {
        values
            .map(|value| value.map(|value| self.bytes(value.as_ref())))
            .collect()
    }

    fn bytes(self, bytes: &[u8]) -> i32 {
        let (words, rest) = bytes.as_chunks::<4>();
        let mix_words = |seed| {
            let words = words.iter().map(|word| u32::from_le_bytes(*word));
            words.fold(seed, mix)
        };
        let hash = match self {
            Self::Iceberg => {
                let rest = rest.iter().rev();
                let last = rest.fold(0, |word: u32, byte| (word << 8) | u32::from(*byte));
                mix_words(0) ^ scramble(last)
            }
            Self::Spark => {
                let rest = rest.iter().map(|byte| i32::from(*byte as i8) as u32);
                rest.fold(mix_words(SPARK_SEED), mix)
            }
        };
        finish(hash, bytes.len() as u32)
    }
}

/// Why a column has no hashes.
enum Fault {
    /// The value of this row is too large.
    OutOfRange(usize),
    /// The type has none.
    Unfit,
    Arrow(arrow::error::ArrowError),
}

/// The hash of each value; none of one is a fault.
fn primitive<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    hash: impl Fn(T::Native) -> Option<i32>,
) -> Result<Int32Array, Fault> {
    let values = array.as_primitive::<T>().iter().enumerate();
    let hash = |(row, value): (usize, Option<T::Native>)| {
        let hash = value.map(|value| hash(value).ok_or(Fault::OutOfRange(row)));
        hash.transpose()
    };
    values.map(hash).collect()
}

const SPARK_SEED: u32 = 42;

fn scramble(word: u32) -> u32 {
    word.wrapping_mul(0xCC9E_2D51)
        .rotate_left(15)
        .wrapping_mul(0x1B87_3593)
}

fn mix(hash: u32, word: u32) -> u32 {
    (hash ^ scramble(word))
        .rotate_left(13)
        .wrapping_mul(5)
        .wrapping_add(0xE654_6B64)
}

fn finish(hash: u32, length: u32) -> i32 {
    let mut hash = hash ^ length;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
    (hash ^ (hash >> 16)) as i32
}

#[cfg(test)]
mod tests;

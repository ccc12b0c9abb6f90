//! Reading one value out of a column.
//!
//! It is for one row of each group of equal rows, not for every row of a batch.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type,
    Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    i256,
};

use super::PartitionValue;

const MILLISECONDS_IN_DAY: i64 = 86_400_000;

/// Reads a row of a column, or gives `None` where the column's type cannot be a partition key.
pub(super) fn value_at(array: &dyn Array, row: usize) -> Option<PartitionValue> {
    if array.is_null(row) {
        return Some(PartitionValue::Null);
    }
    Some(match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => native::<Int8Type>(array, row).into(),
        DataType::Int16 => native::<Int16Type>(array, row).into(),
        DataType::Int32 => native::<Int32Type>(array, row).into(),
        DataType::Int64 => native::<Int64Type>(array, row).into(),
        DataType::UInt8 => native::<UInt8Type>(array, row).into(),
        DataType::UInt16 => native::<UInt16Type>(array, row).into(),
        DataType::UInt32 => native::<UInt32Type>(array, row).into(),
        DataType::UInt64 => native::<UInt64Type>(array, row).into(),
        DataType::Float16 => widened(native::<Float16Type>(array, row).to_f32()),
        DataType::Float32 => widened(native::<Float32Type>(array, row)),
        DataType::Float64 => native::<Float64Type>(array, row).into(),
        DataType::Decimal32(_, scale) => decimal(native::<Decimal32Type>(array, row), *scale),
        DataType::Decimal64(_, scale) => decimal(native::<Decimal64Type>(array, row), *scale),
        DataType::Decimal128(_, scale) => {
            let unscaled = i256::from_i128(native::<Decimal128Type>(array, row));
            PartitionValue::Decimal {
                unscaled,
                scale: *scale,
            }
        }
        DataType::Decimal256(_, scale) => PartitionValue::Decimal {
            unscaled: native::<Decimal256Type>(array, row),
            scale: *scale,
        },
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Date32 => PartitionValue::Date(native::<Date32Type>(array, row)),
        DataType::Date64 => date64(native::<Date64Type>(array, row)),
        DataType::Timestamp(unit, time_zone) => PartitionValue::Timestamp {
            value: match unit {
                TimeUnit::Second => native::<TimestampSecondType>(array, row),
                TimeUnit::Millisecond => native::<TimestampMillisecondType>(array, row),
                TimeUnit::Microsecond => native::<TimestampMicrosecondType>(array, row),
                TimeUnit::Nanosecond => native::<TimestampNanosecondType>(array, row),
            },
            unit: *unit,
            time_zone: time_zone.clone(),
        },
        DataType::Dictionary(_, _) => return dictionary_value_at(array, row),
        _ => return None,
    })
}

fn native<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

/// Reads the value of a dictionary row that is not null.
fn dictionary_value_at(array: &dyn Array, row: usize) -> Option<PartitionValue> {
    let one = array.slice(row, 1);
    let dictionary = one.as_any_dictionary();
    // A key that is not null has a value, so there is at least one.
    let key = dictionary.normalized_keys().first().copied()?;
    value_at(dictionary.values(), key)
}

fn decimal(unscaled: impl Into<i64>, scale: i8) -> PartitionValue {
    PartitionValue::Decimal {
        unscaled: i256::from_i128(unscaled.into().into()),
        scale,
    }
}

/// Widens a float so that its text stays the short one: 0.1, and not 0.10000000149011612.
fn widened(value: f32) -> PartitionValue {
    PartitionValue::Float(value.to_string().parse().unwrap_or_else(|_| value.into()))
}

/// The day of milliseconds since 1970; a part of a day, which the type does not allow, is cut off.
fn date64(milliseconds: i64) -> PartitionValue {
    let days = milliseconds.div_euclid(MILLISECONDS_IN_DAY);
    i32::try_from(days).map_or(
        PartitionValue::Timestamp {
            value: milliseconds,
            unit: TimeUnit::Millisecond,
            time_zone: None,
        },
        PartitionValue::Date,
    )
}

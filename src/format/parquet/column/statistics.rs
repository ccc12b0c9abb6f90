//! The statistics of a column chunk in its footer.

use parquet::basic::Type;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::{ParquetError, Result};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescriptor;

use super::bounds::{Bounds, cut_least, cut_most};

/// The statistics of a chunk's values, their bounds [cut off](cut_least) after so many bytes.
pub(super) fn statistics(
    column: &ColumnDescriptor,
    (bounds, nulls): (Option<&Bounds>, u64),
    (cut_at, is_text): (Option<usize>, bool),
) -> Result<Statistics> {
    let least = bounds.map(|bounds| cut_least(&bounds.least, cut_at, is_text));
    let most = bounds.map(|bounds| cut_most(&bounds.most, cut_at, is_text));
    let is_exact = (
        least.as_ref().is_none_or(|(_, is_cut)| !is_cut),
        most.as_ref().is_none_or(|(_, is_cut)| !is_cut),
    );
    let least = least.map(|(least, _)| least);
    let most = most.map(|(most, _)| most);
    Ok(match column.physical_type() {
        Type::BOOLEAN => {
            let boolean = |bytes: Vec<u8>| bytes.first() == Some(&1);
            let bounds = (least.map(boolean), most.map(boolean));
            Statistics::Boolean(of_bounds(bounds, is_exact, nulls))
        }
        Type::INT32 => {
            let number = |bytes| number(bytes, i32::from_le_bytes);
            let bounds = (number(least)?, number(most)?);
            Statistics::Int32(of_bounds(bounds, is_exact, nulls))
        }
        Type::INT64 => {
            let number = |bytes| number(bytes, i64::from_le_bytes);
            let bounds = (number(least)?, number(most)?);
            Statistics::Int64(of_bounds(bounds, is_exact, nulls))
        }
        Type::FLOAT => {
            let number = |bytes| number(bytes, f32::from_le_bytes);
            let bounds = (number(least)?, number(most)?);
            Statistics::Float(of_bounds(bounds, is_exact, nulls))
        }
        Type::DOUBLE => {
            let number = |bytes| number(bytes, f64::from_le_bytes);
            let bounds = (number(least)?, number(most)?);
            Statistics::Double(of_bounds(bounds, is_exact, nulls))
        }
        Type::BYTE_ARRAY => {
            let bounds = (least.map(ByteArray::from), most.map(ByteArray::from));
            Statistics::ByteArray(of_bounds(bounds, is_exact, nulls))
        }
        Type::FIXED_LEN_BYTE_ARRAY => {
            let fixed = |bytes: Vec<u8>| FixedLenByteArray::from(bytes);
            let bounds = (least.map(fixed), most.map(fixed));
            Statistics::FixedLenByteArray(of_bounds(bounds, is_exact, nulls))
        }
        Type::INT96 => return Err(ParquetError::NYI("statistics of INT96".to_owned())),
    })
}

fn number<T, const WIDTH: usize>(
    bytes: Option<Vec<u8>>,
    of_bytes: impl Fn([u8; WIDTH]) -> T,
) -> Result<Option<T>> {
    let whole = |bytes: Vec<u8>| {
        <[u8; WIDTH]>::try_from(bytes)
            .map_err(|_| ParquetError::General("a bound is not as long as its type".to_owned()))
    };
    Ok(bytes.map(whole).transpose()?.map(of_bytes))
}

fn of_bounds<T>(
    (least, most): (Option<T>, Option<T>),
    (least_is_exact, most_is_exact): (bool, bool),
    nulls: u64,
) -> ValueStatistics<T> {
    ValueStatistics::new(least, most, None, Some(nulls), false)
        .with_min_is_exact(least_is_exact)
        .with_max_is_exact(most_is_exact)
}

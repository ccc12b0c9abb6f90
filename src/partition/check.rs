//! Checking that the rows of a column carry a partition's value.
//!
//! It guards against silently wrong directories: a file without its partition columns says nothing
//! of them, so a row in the wrong directory would change its value for good.

use arrow::array::{Array, ArrayRef, Scalar};
use arrow::compute::kernels::cmp::distinct;

use super::read::value_at;
use super::value::check_type;
use super::{Partition, PartitionError, PartitionValue};

/// A row that does not carry the value of the partition it was to be written to.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow::array::{ArrayRef, StringArray};
/// use atomic_arrow::Partition;
///
/// let partition = Partition::new([("station_id", "KSEA")])?;
/// let column: ArrayRef = Arc::new(StringArray::from(vec!["KSEA", "KSEA", "KPDX"]));
/// let stray = partition.check_column("station_id", &column)?.unwrap();
/// assert_eq!((stray.row, stray.value), (2, "KPDX".into()));
/// # Ok::<(), atomic_arrow::PartitionError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StrayRow {
    /// Its place in the column, from zero.
    pub row: usize,
    /// The value it has.
    pub value: PartitionValue,
}

impl Partition {
    /// Finds the first row of a column that does not carry this partition's value of a key.
    ///
    /// A row carries the value when its text is the same, to the letter: in the partition
    /// `month=07`, the integer 7 is a stray row, since its directory is `month=7`. Null rows belong to
    /// null alone.
    ///
    /// # Errors
    ///
    /// Nothing was touched. The partition has no such key, or the column's type cannot be one.
    pub fn check_column(
        &self,
        key: &str,
        column: &ArrayRef,
    ) -> Result<Option<StrayRow>, PartitionError> {
        let Some(expected) = self.get(key) else {
            return Err(PartitionError::UnknownKey {
                key: key.to_owned(),
            });
        };
        check_type(key, column.data_type())?;
        if column.is_empty() {
            return Ok(None);
        }
        let expected = expected
            .text()
            .map_err(|no_text| no_text.into_error(key, None))?;
        let stray = |row| {
            let value = value_at(column, row)?;
            let same = value.text().is_ok_and(|text| text == expected);
            (!same).then_some(StrayRow { row, value })
        };
        if let Some(stray) = stray(0) {
            return Ok(Some(stray));
        }
        // The first row is right, so that whatever equals it is; only others are looked at by text.
        let first = Scalar::new(column.slice(0, 1));
        let others = distinct(column, &first).map_err(PartitionError::arrow)?;
        Ok(others.values().set_indices().find_map(stray))
    }
}

#[cfg(test)]
mod tests;

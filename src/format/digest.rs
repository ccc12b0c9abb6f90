//! A digest of the logical values of each column, to compare the rows written with the rows read back.
//!
//! Each top-level column has one, fed in row order. It is the same whatever the batches' bounds, and
//! whether values are plain, dictionary- or run-end-encoded, sliced, or of the view types; what lies
//! masked under a null does not matter. It differs with any value, null, order or number of rows, up
//! to a collision of XXH3 with 128 bits. NaNs of different bits differ, and so do 0.0 and -0.0.
//!
//! The row format of `arrow::row` gives the bytes: equal rows have equal bytes there, whatever their
//! encoding, but for runs, which are expanded first and refused within other types, and dictionaries of
//! nested types, which are expanded too. Every other type that Parquet can store has rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use twox_hash::XxHash3_128;

use crate::nested::has_runs;
use crate::size::{size_of_rows, varies};
use crate::unify::plain_type;

/// The most rows that are converted at once; limits the memory taken.
const ROWS_AT_ONCE: usize = 1024;
const CONVERTED_AT_ONCE: usize = 1 << 20;
/// The number of bytes that are buffered before they are hashed, since each call of the hash costs time.
const BYTES_AT_ONCE: usize = 64 << 10;

/// A column whose values cannot be digested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column:?}: values of type {data_type} cannot be digested")]
pub(crate) struct CannotDigest {
    pub(crate) column: String,
    pub(crate) data_type: DataType,
}

/// A running digest of every top-level column of a schema.
#[derive(Debug)]
pub(crate) struct ColumnDigests {
    columns: Vec<ColumnDigest>,
}

struct ColumnDigest {
    converter: RowConverter,
    rows: Rows,
    bytes: Vec<u8>,
    hash: XxHash3_128,
}

impl std::fmt::Debug for ColumnDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ColumnDigest").finish_non_exhaustive()
    }
}

impl ColumnDigests {
    /// Digests of no rows yet.
    ///
    /// # Errors
    /// A column has a type that the row format does not have, which Parquet cannot store either, or
    /// run-end-encoded values within another type.
    pub(crate) fn new(schema: &Schema) -> Result<Self, CannotDigest> {
        let column = |field: &FieldRef| {
            let cannot = || CannotDigest {
                column: field.name().clone(),
                data_type: field.data_type().clone(),
            };
            let data_type = expanded(field.data_type());
            if has_runs(&data_type) {
                return Err(cannot());
            }
            let sort_field = SortField::new(data_type);
            let converter = RowConverter::new(vec![sort_field]).map_err(|_| cannot())?;
            let rows = converter.empty_rows(0, 0);
            Ok(ColumnDigest {
                converter,
                rows,
                bytes: Vec::new(),
                hash: XxHash3_128::new(),
            })
        };
        let columns = schema
            .fields()
            .iter()
            .map(column)
            .collect::<Result<_, _>>()?;
        Ok(ColumnDigests { columns })
    }

    /// Adds the rows of a batch of the same schema, but that columns of dictionaries may come as their values.
    ///
    /// # Errors
    /// The batch has not the schema's types.
    pub(crate) fn update(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        if batch.num_columns() != self.columns.len() {
            let (found, expected) = (batch.num_columns(), self.columns.len());
            let what = format!("{found} columns, expected {expected}");
            return Err(ArrowError::InvalidArgumentError(what));
        }
        self.update_from(0, batch)
    }

    /// Adds rows of neighbouring columns, which begin with the column `first`.
    ///
    /// # Errors
    /// The columns have not the schema's types.
    pub(crate) fn update_from(
        &mut self,
        first: usize,
        batch: &RecordBatch,
    ) -> Result<(), ArrowError> {
        for (array, column) in batch.columns().iter().zip(&mut self.columns[first..]) {
            let varies = varies(array.data_type()) || array.as_any_dictionary_opt().is_some();
            let mut start = 0;
            while start < array.len() {
                let mut length = ROWS_AT_ONCE.min(array.len() - start);
                while varies
                    && length > 1
                    && size_of_rows(array, start..start + length) > CONVERTED_AT_ONCE
                {
                    length /= 2;
                }
                column.rows.clear();
                column
                    .converter
                    .append(&mut column.rows, &[expand(&array.slice(start, length))?])?;
                start += length;
                for row in &column.rows {
                    // The length keeps neighbours apart, and counts rows that have no bytes.
                    let bytes = row.as_ref();
                    column
                        .bytes
                        .extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                    column.bytes.extend_from_slice(bytes);
                    if column.bytes.len() >= BYTES_AT_ONCE {
                        hash_gathered(&mut column.hash, &mut column.bytes);
                    }
                }
                hash_gathered(&mut column.hash, &mut column.bytes);
            }
        }
        Ok(())
    }

    /// The digests, in the order of the columns.
    pub(crate) fn finish(&self) -> Vec<u128> {
        self.columns
            .iter()
            .map(|column| column.hash.finish_128())
            .collect()
    }
}

fn hash_gathered(hash: &mut XxHash3_128, bytes: &mut Vec<u8>) {
    hash.write(bytes);
    bytes.clear();
}

/// The type in which a column is digested: runs and dictionaries as their values, in a type that arrow's row format
/// has.
fn expanded(data_type: &DataType) -> DataType {
    match data_type {
        DataType::RunEndEncoded(_, values) => values.data_type().clone(),
        // Rows may come with dictionaries or without.
        DataType::Dictionary(_, values) => expanded(values),
        // The row format has no dictionaries of lists, structs or maps.
        other if !RowConverter::supports_fields(&[SortField::new(other.clone())]) => {
            plain_type(other)
        }
        other => other.clone(),
    }
}

fn expand(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let (is, expanded) = (array.data_type(), expanded(array.data_type()));
    match is.equals_datatype(&expanded) {
        true => Ok(Arc::clone(array)),
        false => cast(array, &expanded),
    }
}

#[cfg(test)]
#[path = "digest_tests.rs"]
pub(super) mod tests;

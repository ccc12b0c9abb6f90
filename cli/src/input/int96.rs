//! Timestamps that Hive, Impala and old Spark wrote as INT96, read without loss.
//!
//! INT96 has nanoseconds and more years than 64 bits of them hold; where a value is beyond those, the
//! decoder gives another point in time without an error. So the columns are decoded a second time in
//! milliseconds, which no date of INT96 exceeds, and both are compared.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Fields, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type;
use parquet::errors::ParquetError;

use super::InputError;
use super::leaves::{map_leaves, read_as};

/// A second reading of the columns with INT96.
pub(super) struct Int96Check {
    milliseconds: Again,
    /// The second reading in nanoseconds, where microseconds are read and could lose digits.
    nanoseconds: Option<Again>,
    rows: u64,
}

/// A second reading of the file, whose batches end at other rows.
struct Again {
    batches: ParquetRecordBatchReader,
    rest: Option<RecordBatch>,
}

impl Again {
    /// Some of the next rows, at most `rows`.
    fn take(&mut self, rows: usize) -> Result<Option<RecordBatch>, ArrowError> {
        let next = match self.rest.take() {
            Some(rest) => Some(rest),
            None => self.batches.next().transpose()?,
        };
        Ok(next.map(|batch| {
            let taken = batch.num_rows().min(rows);
            let left = batch.num_rows() - taken;
            self.rest = (left > 0).then(|| batch.slice(taken, left));
            batch.slice(0, taken)
        }))
    }
}

/// The metadata by which INT96 is read in the unit, and the check of it, where the file has such.
pub(super) fn open(
    file: &File,
    metadata: ArrowReaderMetadata,
    batch_rows: usize,
    unit: TimeUnit,
) -> Result<(ArrowReaderMetadata, Option<Int96Check>), ParquetError> {
    let descriptor = metadata.metadata().file_metadata().schema_descr_ptr();
    let columns = descriptor.columns();
    let is_int96: Vec<bool> = columns
        .iter()
        .map(|c| c.physical_type() == Type::INT96)
        .collect();
    let schema = metadata.schema();
    let in_unit = |unit| -> Fields {
        let mut leaves = is_int96.iter();
        let mut map = |leaf: &DataType| match (leaves.next(), leaf) {
            (Some(true), DataType::Timestamp(TimeUnit::Nanosecond, zone)) => {
                DataType::Timestamp(unit, zone.clone())
            }
            _ => leaf.clone(),
        };
        let fields = schema.fields().iter();
        fields.map(|field| map_leaves(field, &mut map)).collect()
    };
    // What the writer itself held in another unit fits that.
    if in_unit(TimeUnit::Millisecond) == *schema.fields() {
        return Ok((metadata, None));
    }
    let read_in = |unit| read_as(metadata.clone(), in_unit(unit));
    let reader = |unit| {
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file.try_clone()?, read_in(unit)?);
        let leaves = (0..is_int96.len()).filter(|&leaf| is_int96[leaf]);
        let roots = leaves.map(|leaf| descriptor.get_column_root_idx(leaf));
        let mask = ProjectionMask::roots(&descriptor, roots);
        let batches = builder
            .with_projection(mask)
            .with_batch_size(batch_rows)
            .build()?;
        Ok::<_, ParquetError>(Again {
            batches,
            rest: None,
        })
    };
    let nanoseconds = (unit != TimeUnit::Nanosecond).then(|| reader(TimeUnit::Nanosecond));
    let check = Int96Check {
        milliseconds: reader(TimeUnit::Millisecond)?,
        nanoseconds: nanoseconds.transpose()?,
        rows: 0,
    };
    Ok((read_in(unit)?, Some(check)))
}

impl Int96Check {
    /// Compares the next batch with the second reading.
    ///
    /// # Errors
    /// The first value that the unit read does not hold.
    pub(super) fn check(&mut self, path: &Path, batch: &RecordBatch) -> Result<(), InputError> {
        compare(path, self.rows, batch, &mut self.milliseconds, beyond)?;
        if let Some(nanoseconds) = &mut self.nanoseconds {
            compare(path, self.rows, batch, nanoseconds, cut)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

/// Whether a value in nano- or microseconds, `scale` of them a millisecond, is another point in time.
fn beyond(value: i64, scale: i64, milliseconds: i64) -> Option<&'static str> {
    (value.div_euclid(scale) != milliseconds).then_some(match scale {
        1_000_000 => "a timestamp is beyond the years that nanoseconds hold",
        _ => "a timestamp is beyond the years that microseconds hold",
    })
}

/// Whether microseconds cut off a part of the nanoseconds.
fn cut(value: i64, _: i64, nanoseconds: i64) -> Option<&'static str> {
    (nanoseconds.div_euclid(1000) == value && nanoseconds.rem_euclid(1000) != 0).then_some(
        "a timestamp has nanoseconds, but others of the column are beyond the years that those hold",
    )
}

fn compare(
    path: &Path,
    rows: u64,
    batch: &RecordBatch,
    again: &mut Again,
    differs: impl Fn(i64, i64, i64) -> Option<&'static str>,
) -> Result<(), InputError> {
    let unread = |source| InputError::Arrow {
        path: path.to_owned(),
        source,
    };
    let mut row = 0;
    while row < batch.num_rows() {
        let left = batch.num_rows() - row;
        let Some(other) = again.take(left).map_err(unread)? else {
            return Ok(());
        };
        let part = batch.slice(row, other.num_rows());
        let found = first_difference(&part, &other, &differs).map_err(unread)?;
        if let Some((at, column, reason)) = found {
            return Err(InputError::Int96 {
                path: path.to_owned(),
                row: rows + (row + at) as u64 + 1,
                column,
                reason,
            });
        }
        row += other.num_rows();
    }
    Ok(())
}

/// The first row of a column in which two readings of the same rows differ, and how.
fn first_difference(
    batch: &RecordBatch,
    again: &RecordBatch,
    differs: &impl Fn(i64, i64, i64) -> Option<&'static str>,
) -> Result<Option<(usize, String, &'static str)>, ArrowError> {
    for (field, other) in again.schema_ref().fields().iter().zip(again.columns()) {
        let Some(column) = batch.column_by_name(field.name()) else {
            continue;
        };
        // A nested value is compared row by row, so that the row is known.
        let found = match column.data_type() {
            DataType::Timestamp(..) => difference(column, other, differs)?,
            _ => {
                let mut rows = (0..column.len()).map(|row| {
                    let pair = (column.slice(row, 1), other.slice(row, 1));
                    let found = difference(&pair.0, &pair.1, differs)?;
                    Ok::<_, ArrowError>(found.map(|(_, reason)| (row, reason)))
                });
                rows.find_map(Result::transpose).transpose()?
            }
        };
        if let Some((row, reason)) = found {
            return Ok(Some((row, field.name().clone(), reason)));
        }
    }
    Ok(None)
}

/// The first difference between two readings of the same values, and where it is.
fn difference(
    one: &ArrayRef,
    other: &ArrayRef,
    differs: &impl Fn(i64, i64, i64) -> Option<&'static str>,
) -> Result<Option<(usize, &'static str)>, ArrowError> {
    let scale = match one.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        _ => {
            for (one, other) in children(one).iter().zip(&children(other)) {
                if let Some(found) = difference(one, other, differs)? {
                    return Ok(Some(found));
                }
            }
            return Ok(None);
        }
    };
    if one.data_type() == other.data_type() {
        return Ok(None);
    }
    let (one, other) = (cast(one, &DataType::Int64)?, cast(other, &DataType::Int64)?);
    let (one, other) = (
        one.as_primitive::<Int64Type>(),
        other.as_primitive::<Int64Type>(),
    );
    let mut pairs = one.iter().zip(other).enumerate();
    Ok(pairs.find_map(|(at, (one, other))| Some((at, differs(one?, scale, other?)?))))
}

/// The values below a nested array, as far as its rows reach them.
fn children(array: &ArrayRef) -> Vec<ArrayRef> {
    match array.data_type() {
        DataType::Struct(_) => array.as_struct().columns().to_vec(),
        DataType::List(_) if array.is_valid(0) => vec![array.as_list::<i32>().value(0)],
        DataType::LargeList(_) if array.is_valid(0) => vec![array.as_list::<i64>().value(0)],
        DataType::ListView(_) if array.is_valid(0) => vec![array.as_list_view::<i32>().value(0)],
        DataType::LargeListView(_) if array.is_valid(0) => {
            vec![array.as_list_view::<i64>().value(0)]
        }
        DataType::FixedSizeList(..) if array.is_valid(0) => {
            vec![array.as_fixed_size_list().value(0)]
        }
        DataType::Map(..) if array.is_valid(0) => vec![Arc::new(array.as_map().value(0))],
        _ => Vec::new(),
    }
}

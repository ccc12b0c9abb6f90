//! Taking batches of rows apart by partition.
//!
//! Everything that can be known of a schema is checked when keys are bound to it; a batch can then
//! be wrong in its values alone, and if one is, nothing of the batch is given out.
//!
//! Rows are numbered by partition once, and moved once: not at all where each partition's rows stand together,
//! else with one gather per column. Values are rendered and checked once per partition.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::ids::{Assignment, PartitionIds};
use super::read::value_at;
use super::{Partition, PartitionBy, PartitionError, PartitionKey, PartitionValue, Transform};

/// Takes record batches of one schema apart by partition.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use atomic_arrow::PartitionBy;
///
/// let station: ArrayRef = Arc::new(StringArray::from(vec!["KSEA", "KPDX", "KSEA"]));
/// let wind: ArrayRef = Arc::new(Int64Array::from(vec![5, 6, 7]));
/// let batch = RecordBatch::try_from_iter([("station_id", station), ("wind", wind)])?;
///
/// let splitter = PartitionBy::column("station_id").bind(&batch.schema(), false)?;
/// let parts = splitter.split(&batch)?;
/// assert_eq!(parts[0].0.to_string(), "station_id=KSEA");
/// assert_eq!((parts[0].1.num_rows(), parts[1].1.num_rows()), (2, 1));
/// assert_eq!(parts[0].1.schema().fields().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PartitionSplitter {
    keys: Vec<BoundKey>,
    schema: SchemaRef,
    file_schema: SchemaRef,
    /// The indices in `schema` of the fields of `file_schema`.
    kept: Vec<usize>,
}

#[derive(Debug, Clone)]
struct BoundKey {
    name: Arc<str>,
    column: usize,
    transform: Transform,
}

impl PartitionBy {
    /// Checks the keys against a schema, and makes what splits batches of it.
    ///
    /// A column whose values are a key is left out of the files, unless `keep_partition_columns`:
    /// its values are in the path. A column that only a part is taken of stays.
    ///
    /// # Errors
    ///
    /// Nothing was touched. A key cannot be one of a [`Partition`]; a column is missing or there
    /// twice, or its type cannot be a key or does not fit the transform; a time zone is not known; a
    /// field that stays has the name of a key with other values; or no column stays.
    pub fn bind(
        &self,
        schema: &Schema,
        keep_partition_columns: bool,
    ) -> Result<PartitionSplitter, PartitionError> {
        self.check_keys()?;
        let keys = self.keys().iter().map(|key| bind_key(key, schema));
        let keys: Vec<BoundKey> = keys.collect::<Result<_, _>>()?;
        let is_key = |column: usize| {
            keys.iter()
                .any(|key| key.column == column && key.transform == Transform::Identity)
        };
        let kept: Vec<usize> = (0..schema.fields().len())
            .filter(|column| keep_partition_columns || !is_key(*column))
            .collect();
        if kept.is_empty() && !keys.is_empty() {
            return Err(PartitionError::NoColumnsLeft);
        }
        let clashes = |key: &BoundKey| {
            kept.iter().any(|column| {
                let same_values = key.transform == Transform::Identity && key.column == *column;
                schema.field(*column).name() == &*key.name && !same_values
            })
        };
        if let Some(key) = keys.iter().find(|key| clashes(key)) {
            return Err(PartitionError::KeyClashesWithField {
                key: key.name.to_string(),
            });
        }
        let file_schema = Arc::new(schema.project(&kept).map_err(PartitionError::arrow)?);
        Ok(PartitionSplitter {
            keys,
            schema: Arc::new(schema.clone()),
            file_schema,
            kept,
        })
    }
}

fn bind_key(key: &PartitionKey, schema: &Schema) -> Result<BoundKey, PartitionError> {
    let named = |field: &Arc<Field>| field.name() == key.column();
    let Some(column) = schema.fields().iter().position(named) else {
        return Err(PartitionError::UnknownColumn {
            column: key.column().to_owned(),
            available: schema
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect(),
        });
    };
    if schema.fields().iter().skip(column + 1).any(named) {
        return Err(PartitionError::AmbiguousColumn {
            column: key.column().to_owned(),
        });
    }
    let data_type = schema.field(column).data_type();
    let transform = key.transform();
    transform.check(key.column(), data_type)?;
    Ok(BoundKey {
        name: key.name().into(),
        column,
        transform,
    })
}

impl PartitionSplitter {
    /// The schema of the batches that [`split`](Self::split) gives, and so of the files.
    pub fn file_schema(&self) -> &SchemaRef {
        &self.file_schema
    }

    /// Takes a batch apart: each of its partitions, in order of first appearance, with its rows in
    /// their order.
    ///
    /// The batches given may share their memory with one another and with the one that came in. Where
    /// the rows of each partition stand together nothing is copied. An empty batch gives no
    /// partitions.
    ///
    /// # Errors
    ///
    /// Nothing was touched, and no row is given out. The batch has another schema than was bound, or
    /// a value cannot be in a path: an empty string, the text that means null, not a finite number,
    /// a time outside of the calendar, or a segment of more than 255 bytes. The error names its row.
    pub fn split(
        &self,
        batch: &RecordBatch,
    ) -> Result<Vec<(Partition, RecordBatch)>, PartitionError> {
        let mut ids = PartitionIds::default();
        let (rows, assignment) = self.assign(batch, &mut ids)?;
        let mut sizes = vec![0; ids.partitions().len()];
        assignment.count(&mut sizes);
        let rows = match assignment.order(&sizes) {
            None => rows,
            Some(order) => take_record_batch(&rows, &UInt32Array::from(order))
                .map_err(PartitionError::arrow)?,
        };
        let mut start = 0;
        let parts = ids.partitions().iter().zip(sizes).map(|(partition, size)| {
            let size = size as usize;
            let part = match size == rows.num_rows() {
                true => rows.clone(),
                false => rows.slice(start, size),
            };
            start += size;
            (partition.clone(), part)
        });
        Ok(parts.collect())
    }

    /// The rows as they go into files, and the partition of each; `ids` knows the partitions of the batches before.
    pub(crate) fn assign(
        &self,
        batch: &RecordBatch,
        ids: &mut PartitionIds,
    ) -> Result<(RecordBatch, Assignment), PartitionError> {
        let (rows, columns) = self.rows_and_keys(batch)?;
        let partition_of = |row| self.partition_of(&columns, row);
        let assignment = ids.assign(&columns, batch.num_rows(), partition_of)?;
        Ok((rows, assignment))
    }

    /// The rows as they go into files, and the key values of each, not yet grouped.
    fn rows_and_keys(
        &self,
        batch: &RecordBatch,
    ) -> Result<(RecordBatch, Vec<ArrayRef>), PartitionError> {
        self.check_schema(batch)?;
        let rows = self.file_rows(batch)?;
        let taken = self.keys.iter().map(|key| {
            let name = self.schema.field(key.column).name();
            key.transform.apply(name, batch.column(key.column))
        });
        Ok((rows, taken.collect::<Result<_, _>>()?))
    }

    /// The partition of a row, from what [`rows_and_keys`](Self::rows_and_keys) gave.
    fn partition_of(&self, columns: &[ArrayRef], row: usize) -> Result<Partition, PartitionError> {
        let fields = self.keys.iter().zip(columns).map(|(key, column)| {
            // The types were checked when the keys were bound: there is a value.
            let value = value_at(column, row).unwrap_or(PartitionValue::Null);
            (Arc::clone(&key.name), key.transform.value(value))
        });
        Partition::with_checked_keys(fields.collect(), Some(row))
    }

    /// The batch as it goes into files.
    fn file_rows(&self, batch: &RecordBatch) -> Result<RecordBatch, PartitionError> {
        let columns = self
            .kept
            .iter()
            .map(|column| Arc::clone(batch.column(*column)))
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.file_schema), columns, &options)
            .map_err(PartitionError::arrow)
    }

    /// Compares names and types; whether nulls are allowed shows in the rows themselves.
    fn check_schema(&self, batch: &RecordBatch) -> Result<(), PartitionError> {
        let (expected, found) = (self.schema.fields(), batch.schema_ref().fields());
        if expected.len() != found.len() {
            let problem = format!("{} columns instead of {}", found.len(), expected.len());
            return Err(PartitionError::SchemaMismatch { problem });
        }
        let same = |(expected, found): &(&Arc<Field>, &Arc<Field>)| {
            expected.name() == found.name() && expected.data_type() == found.data_type()
        };
        match expected.iter().zip(found).find(|fields| !same(fields)) {
            None => Ok(()),
            Some((expected, found)) => Err(PartitionError::SchemaMismatch {
                problem: format!(
                    "column {:?} of type {} instead of {:?} of type {}",
                    found.name(),
                    found.data_type(),
                    expected.name(),
                    expected.data_type()
                ),
            }),
        }
    }
}

#[cfg(test)]
mod tests;

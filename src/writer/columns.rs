//! Which columns of a batch belong into a file, and whether its rows do.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::format::Format;
use crate::partition::Partition;
use crate::stored::{StoredTypes, check_names};

/// Which columns of a batch go where.
pub(super) struct Columns {
    pub(super) schema: SchemaRef,
    pub(super) file_schema: SchemaRef,
    /// Of the columns that are written.
    stored: StoredTypes,
    given_file_schema: SchemaRef,
    partition: Partition,
    /// The positions of the columns that are written.
    kept: Vec<usize>,
    /// The positions of the partition columns, with their keys.
    keys: Vec<(usize, String)>,
}

impl Columns {
    pub(super) fn new(
        partition: &Partition,
        schema: SchemaRef,
        keep_partition_columns: bool,
    ) -> Result<Self> {
        check_names(&schema)?;
        let mut keys = Vec::new();
        for (position, field) in schema.fields().iter().enumerate() {
            if partition.get(field.name()).is_some() {
                // Whether the type can be a key at all is known before anything is touched.
                partition.check_column(field.name(), &new_empty_array(field.data_type()))?;
                keys.push((position, field.name().clone()));
            }
        }
        let kept: Vec<usize> = (0..schema.fields().len())
            .filter(|position| {
                keep_partition_columns || keys.iter().all(|(key, _)| key != position)
            })
            .collect();
        if kept.is_empty() {
            return Err(Error::InvalidOption {
                option: "schema",
                reason: "no column is left beside the partition's; \
                         keep_partition_columns(true) would leave them"
                    .to_owned(),
            });
        }
        let fields: Vec<_> = kept
            .iter()
            .map(|&at| Arc::clone(&schema.fields()[at]))
            .collect();
        let given = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
        let stored = StoredTypes::new(Format::Parquet, &given, |_| true)?;
        Ok(Columns {
            schema,
            file_schema: Arc::clone(stored.schema()),
            stored,
            given_file_schema: given,
            partition: partition.clone(),
            kept,
            keys,
        })
    }

    /// The batch as it goes into the file. `rows` were written before it.
    pub(super) fn file_batch(
        &self,
        batch: &RecordBatch,
        path: &Path,
        rows: u64,
    ) -> Result<RecordBatch> {
        self.check_schema(batch, path)?;
        for (position, key) in &self.keys {
            if let Some(stray) = self.partition.check_column(key, batch.column(*position))? {
                return Err(Error::StrayRow {
                    path: path.to_owned(),
                    row: rows + stray.row as u64,
                    key: key.clone(),
                    expected: self
                        .partition
                        .get(key)
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    found: stray.value.to_string(),
                });
            }
        }
        let columns: Vec<ArrayRef> = self
            .kept
            .iter()
            .map(|&position| Arc::clone(batch.column(position)))
            .collect();
        // What lists and maps call their items, which readers do not go by, may differ.
        let options = RecordBatchOptions::new()
            .with_row_count(Some(batch.num_rows()))
            .with_match_field_names(false);
        let given = Arc::clone(&self.given_file_schema);
        let batch = RecordBatch::try_new_with_options(given, columns, &options);
        let batch = batch.map_err(|error| Error::SchemaMismatch {
            path: path.to_owned(),
            field: String::new(),
            expected: "the writer's schema".to_owned(),
            found: error.to_string(),
        })?;
        self.stored.batch(batch, path, rows)
    }

    /// Compares names, types and order; nulls are a mismatch only where there are some.
    fn check_schema(&self, batch: &RecordBatch, path: &Path) -> Result<()> {
        let mismatch = |field: &str, expected: String, found: String| {
            Err(Error::SchemaMismatch {
                path: path.to_owned(),
                field: field.to_owned(),
                expected,
                found,
            })
        };
        let schema = batch.schema();
        let (expected, found) = (self.schema.fields(), schema.fields());
        if expected.len() != found.len() {
            return mismatch("", expected.len().to_string(), found.len().to_string());
        }
        for (position, (expected, found)) in expected.iter().zip(found).enumerate() {
            if expected.name() != found.name() {
                let (name, other) = (expected.name(), found.name());
                return mismatch(name, format!("{name:?}"), format!("{other:?}"));
            }
            if !is_same_type(expected.data_type(), found.data_type()) {
                return mismatch(
                    expected.name(),
                    expected.data_type().to_string(),
                    found.data_type().to_string(),
                );
            }
            if !expected.is_nullable() && batch.column(position).is_nullable() {
                return mismatch(expected.name(), "no nulls".to_owned(), "nulls".to_owned());
            }
        }
        Ok(())
    }
}

/// Whether values of one type are values of the other, whatever lists and maps call their items. The
/// members of a struct have to have the same names: readers find them by these.
fn is_same_type(expected: &DataType, found: &DataType) -> bool {
    expected.equals_datatype(found) && have_same_members(expected, found)
}

/// Whether all structs within two types, equal but for names, have members of the same names.
fn have_same_members(expected: &DataType, found: &DataType) -> bool {
    use DataType::{
        Dictionary, FixedSizeList, LargeList, LargeListView, List, ListView, Map, Struct,
    };
    let items = |expected: &Field, found: &Field| {
        have_same_members(expected.data_type(), found.data_type())
    };
    match (expected, found) {
        (Struct(expected), Struct(found)) => expected
            .iter()
            .zip(found)
            .all(|(expected, found)| expected.name() == found.name() && items(expected, found)),
        (Map(expected, _), Map(found, _)) => match (expected.data_type(), found.data_type()) {
            (Struct(expected), Struct(found)) => expected
                .iter()
                .zip(found)
                .all(|(expected, found)| items(expected, found)),
            _ => true,
        },
        (List(expected), List(found))
        | (LargeList(expected), LargeList(found))
        | (ListView(expected), ListView(found))
        | (LargeListView(expected), LargeListView(found))
        | (FixedSizeList(expected, _), FixedSizeList(found, _)) => items(expected, found),
        (Dictionary(_, expected), Dictionary(_, found)) => have_same_members(expected, found),
        _ => true,
    }
}

//! The columns of a batch that belong into a file, and whether its rows belong to the partition.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::datatypes::{Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::format::Format;
use crate::options::SchemaPolicy;
use crate::partition::Partition;
use crate::stored::{StoredTypes, check_names, convert_batch, readable_zones};
use crate::unify::{OTHER_COLUMNS, conform};

/// Divides the columns of a batch into those that are written and those that are keys.
pub(super) struct Columns {
    pub(super) schema: SchemaRef,
    pub(super) file_schema: SchemaRef,
    /// Of the columns that are written, with the types that were given.
    #[cfg_attr(not(feature = "ipc"), allow(dead_code))]
    pub(super) given_file_schema: SchemaRef,
    /// The types of all columns: of those that are written as they are stored.
    stored: StoredTypes,
    /// Of the columns that are written, with the stored types.
    stored_file_schema: SchemaRef,
    policy: SchemaPolicy,
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
        format: Format,
        (keep_partition_columns, policy): (bool, SchemaPolicy),
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
        let written = |schema: &SchemaRef| {
            let fields: Vec<_> = kept
                .iter()
                .map(|&at| Arc::clone(&schema.fields()[at]))
                .collect();
            Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
        };
        let is_written = |name: &str| kept.iter().any(|&at| schema.field(at).name() == name);
        let stored = StoredTypes::new(format, &schema, is_written)?;
        let stored_file_schema = written(stored.schema());
        Ok(Columns {
            given_file_schema: written(&schema),
            schema,
            file_schema: readable_zones(format, &stored_file_schema),
            stored,
            stored_file_schema,
            policy,
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
        let schema = match self.policy {
            SchemaPolicy::Exact => &self.schema,
            SchemaPolicy::Unify => self.stored.unified(),
        };
        let batch = conform(batch, schema, self.policy, path, rows)?;
        let batch = self.stored.batch(batch, path, rows)?;
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
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::clone(&self.stored_file_schema);
        let batch = RecordBatch::try_new_with_options(schema, columns, &options);
        let batch = batch.map_err(|error| Error::SchemaMismatch {
            path: path.to_owned(),
            field: Box::from(""),
            row: None,
            expected: Box::from("the writer's schema"),
            found: error.to_string().into(),
            remedy: OTHER_COLUMNS,
        })?;
        match Arc::ptr_eq(&self.file_schema, &self.stored_file_schema) {
            true => Ok(batch),
            false => convert_batch(batch, &self.file_schema, path, rows),
        }
    }
}

//! What all files of a write have in common.

use std::io;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::schema::types::TypePtr;
use uuid::Uuid;

use super::options::EngineOptions;
use crate::error::{Error, Result, Step};
use crate::format::Format;
use crate::options::Verify;

/// Rows are given to encoders in so many mini-batches of theirs at once: where pages end depends on
/// it, so it must not depend on how the rows came.
const MINI_BATCHES: usize = 4;

/// What all files of a write have in common.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) options: EngineOptions,
    /// Of the rows in the files.
    pub(super) schema: SchemaRef,
    /// Where the files are Parquet.
    pub(super) parquet: Option<ParquetTemplate>,
    /// How many rows are encoded at once, counted from the beginning of a row group or, where the
    /// format has none, of the file.
    pub(super) chunk: usize,
    stem: String,
}

/// What all Parquet files of a write have in common besides.
#[derive(Debug)]
pub(super) struct ParquetTemplate {
    pub(super) schema: TypePtr,
    pub(super) properties: WriterPropertiesPtr,
    /// How many leaf columns each field has.
    pub(super) leaves: Vec<usize>,
}

impl Template {
    pub(super) fn new(options: EngineOptions, schema: SchemaRef) -> Result<Self> {
        options.check(&schema)?;
        let parquet = match options.format == Format::Parquet {
            true => Some(ParquetTemplate::new(&options, &schema)?),
            false => None,
        };
        let stem = match &options.file_stem {
            Some(stem) => stem.clone(),
            None => format!("part-{}", Uuid::now_v7()),
        };
        Ok(Template {
            parquet,
            chunk: options.properties.write_batch_size().max(1) * MINI_BATCHES,
            stem,
            schema,
            options,
        })
    }

    /// The name of a partition's file, counted from 0.
    pub(super) fn file_name(&self, number: u32) -> String {
        let suffix = self.options.format.suffixes()[0];
        format!("{}-{number:05}.{suffix}", self.stem)
    }

    pub(super) fn hashing(&self) -> bool {
        self.options.hash_content || self.options.verify >= Verify::Checksum
    }

    /// Whether what is encoded is digested, for the check.
    pub(super) fn digesting(&self) -> bool {
        self.options.verify >= Verify::Decode
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }
}

impl ParquetTemplate {
    fn new(options: &EngineOptions, schema: &SchemaRef) -> Result<Self> {
        let properties = options
            .properties
            .clone()
            .into_builder()
            .set_sorting_columns(options.sorting_columns(schema))
            .build();
        // The writer adds the Arrow schema to the properties: done once, not once a file.
        let writer = ArrowWriter::try_new(io::sink(), Arc::clone(schema), Some(properties))
            .and_then(ArrowWriter::into_serialized_writer);
        let (writer, _) = writer.map_err(|source| Error::Encode {
            step: Step::WriteRows,
            path: options.root.clone(),
            source: Box::new(source),
        })?;
        let description = writer.schema_descr();
        let mut leaves = vec![0; schema.fields().len()];
        for leaf in 0..description.num_columns() {
            leaves[description.get_column_root_idx(leaf)] += 1;
        }
        Ok(ParquetTemplate {
            schema: description.root_schema_ptr(),
            properties: Arc::clone(writer.properties()),
            leaves,
        })
    }
}

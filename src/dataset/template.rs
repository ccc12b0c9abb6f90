//! What all files of a write have in common.

use std::fmt;
use std::io::{self, Sink};
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterPropertiesPtr;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::TypePtr;
use arrow::datatypes::{Schema, SchemaRef};
use uuid::Uuid;

use super::options::EngineOptions;
use crate::error::{Error, Result, Step};
use crate::format::Format;
use crate::format::parquet::{self, PageCompression};
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
pub(super) struct ParquetTemplate {
    pub(super) schema: TypePtr,
    pub(super) properties: WriterPropertiesPtr,
    /// How many leaf columns each field has.
    pub(super) leaves: Vec<usize>,
    /// Where pages are compressed here: how, and a writer of no file with the properties that column
    /// writers have then.
    pub(super) compression: Option<(Arc<PageCompression>, SerializedFileWriter<Sink>)>,
}

impl fmt::Debug for ParquetTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetTemplate")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
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
        let failed = |source| Error::Encode {
            step: Step::WriteRows,
            path: options.root.clone(),
            source: Box::new(source),
        };
        let writer = parquet::check_types(schema)
            .and_then(|()| ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties)))
            .and_then(ArrowWriter::into_serialized_writer);
        let (mut writer, _) = writer.map_err(failed)?;
        writer.finish().map_err(failed)?;
        let description = writer.schema_descr();
        let own = match parquet::encrypts(writer.inner()) {
            true => None,
            false => PageCompression::take_over(writer.properties(), description),
        };
        let compression = own.map(|(compression, properties)| {
            let root = description.root_schema_ptr();
            let writer = SerializedFileWriter::new(io::sink(), root, Arc::new(properties))?;
            Ok((Arc::new(compression), writer))
        });
        let compression = compression.transpose().map_err(failed)?;
        let mut leaves = vec![0; schema.fields().len()];
        for leaf in 0..description.num_columns() {
            leaves[description.get_column_root_idx(leaf)] += 1;
        }
        Ok(ParquetTemplate {
            schema: description.root_schema_ptr(),
            properties: Arc::clone(writer.properties()),
            leaves,
            compression,
        })
    }
}

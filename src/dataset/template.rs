//! What all files of a write have in common.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use uuid::Uuid;

use super::options::EngineOptions;
use super::units::Units;
use crate::error::{Error, Result, Step};
use crate::format::Format;
use crate::format::parquet::{FileTemplate, Keys, PageSpill};
use crate::options::Verify;

/// What all files of a write have in common.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) options: EngineOptions,
    /// Of the rows in the files.
    pub(super) schema: SchemaRef,
    /// Where the files are Parquet.
    pub(super) parquet: Option<FileTemplate>,
    /// Which rows are encoded at once, counted from the beginning of a row group or, where the format has
    /// none, of the file.
    pub(super) units: Units,
    stem: String,
}

impl Template {
    pub(super) fn new(options: EngineOptions, schema: SchemaRef) -> Result<Self> {
        options.check(&schema)?;
        let parquet = match options.format == Format::Parquet {
            true => Some(parquet_template(&options, &schema)?),
            false => None,
        };
        let stem = match &options.file_stem {
            Some(stem) => stem.clone(),
            None => format!("part-{}", Uuid::now_v7()),
        };
        Ok(Template {
            parquet,
            units: Units::new(&schema, options.properties.write_batch_size()),
            stem,
            schema,
            options,
        })
    }

    /// The same, encoded pages going where `spill` says when they are too many for memory.
    pub(super) fn spilling(mut self, spill: Arc<PageSpill>) -> Self {
        self.parquet = self.parquet.map(|parquet| parquet.spilling(spill));
        self
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

    /// What opens the files, if they are encrypted.
    pub(super) fn keys(&self) -> Option<&Keys> {
        self.parquet.as_ref()?.keys()
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }
}

fn parquet_template(options: &EngineOptions, schema: &SchemaRef) -> Result<FileTemplate> {
    let properties = options
        .properties
        .clone()
        .into_builder()
        .set_sorting_columns(options.sorting_columns(schema))
        .build();
    let template = FileTemplate::new(schema, properties, options.page_checksums);
    let template =
        template.map_err(|source| Error::encode(Step::WriteRows, &options.root, source))?;
    template.check()?;
    Ok(template)
}

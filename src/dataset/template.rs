//! The template of all files of a write.

use std::sync::Arc;

use arrow::array::RecordBatch;
#[cfg(feature = "ipc")]
use arrow::datatypes::{FieldRef, Fields};
use arrow::datatypes::{Schema, SchemaRef};

use super::encode::units::Units;
use super::file_name::FileNames;
use super::hold::coded::is_codeable;
use super::options::EngineOptions;
use crate::categories::KnownCategories;
use crate::error::{Error, Result, Step};
use crate::format::Format;
#[cfg(feature = "ipc")]
use crate::format::dictionaries::Dictionaries;
use crate::format::parquet::{FileTemplate, Keys, PageSpill};
use crate::options::Verify;

/// The memory that dictionaries may always take, however low the limit is.
#[cfg(feature = "ipc")]
const LEAST_DICTIONARIES: usize = 1 << 20;

/// The template of all files of a write: options, schema, and the shared parts of their encoders.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) options: EngineOptions,
    /// The schema of the rows in the files.
    pub(super) schema: SchemaRef,
    /// The schema that the files tell, with the field ids that were asked for.
    pub(super) described: SchemaRef,
    /// What Parquet files share; `None` in other formats.
    pub(super) parquet: Option<Arc<FileTemplate>>,
    /// The store for encoded Parquet pages that exceed the memory limit.
    pub(super) spill: Option<Arc<PageSpill>>,
    /// The dictionaries that Arrow IPC files share; `None` in other formats.
    #[cfg(feature = "ipc")]
    pub(super) dictionaries: Option<Arc<Dictionaries>>,
    /// How rows are divided into units that are encoded at once, counted from the beginning of a row group or, where
    /// the format has none, of the file.
    pub(super) units: Units,
    names: FileNames,
}

impl Template {
    pub(super) fn new(options: EngineOptions, schema: SchemaRef) -> Result<Self> {
        options.check(&schema, &schema)?;
        let described = options.field_ids.in_schema(&schema, &schema)?;
        let parquet = match options.format == Format::Parquet {
            true => Some(Arc::new(parquet_template(&options, &described)?)),
            false => None,
        };
        #[cfg(feature = "ipc")]
        let dictionaries = match options.format == Format::Ipc {
            true => Some(Arc::new(dictionaries(&options, &schema)?)),
            false => None,
        };
        Ok(Template {
            parquet,
            spill: None,
            #[cfg(feature = "ipc")]
            dictionaries,
            units: Units::new(&schema, options.properties.write_batch_size()),
            names: FileNames::new(&options)?,
            schema,
            described,
            options,
        })
    }

    /// Sets the store for encoded pages that exceed the memory limit.
    pub(super) fn spilling(mut self, spill: Arc<PageSpill>) -> Self {
        self.spill = Some(spill);
        self
    }

    /// Records what every file has to know of all rows, such as categories and dictionaries.
    pub(super) fn observe(&self, batch: &RecordBatch) -> Result<()> {
        #[cfg(feature = "ipc")]
        if let Some(dictionaries) = &self.dictionaries {
            return dictionaries
                .observe(batch)
                .map_err(|source| Error::encode(Step::WriteRows, &self.options.root, source));
        }
        match &self.parquet {
            Some(parquet) => parquet
                .observe(batch)
                .map_err(|source| Error::encode(Step::WriteRows, &self.options.root, source)),
            None => Ok(()),
        }
    }

    /// The categories of ordered dictionaries in the rows so far.
    pub(super) fn categories(&self) -> KnownCategories {
        let parquet = self.parquet.as_ref();
        parquet.map_or_else(KnownCategories::new, |parquet| parquet.categories())
    }

    /// The columns that may be held as codes of their values: texts and bytes whose encoder takes codes, as long as nothing
    /// else looks at rows.
    pub(super) fn codeable(&self) -> Vec<bool> {
        let is_free = self.options.sort_by.is_empty() && !self.digesting();
        let fields = self.schema.fields().iter().enumerate();
        let takes_codes = |field: usize| {
            let parquet = self.parquet.as_ref();
            parquet.is_some_and(|parquet| parquet.takes_codes(field))
        };
        fields
            .map(|(index, field)| is_free && is_codeable(field.data_type()) && takes_codes(index))
            .collect()
    }

    /// The names of the files.
    pub(super) fn names(&self) -> &FileNames {
        &self.names
    }

    pub(super) fn hashing(&self) -> bool {
        // A receipt may have the hash though verification does not need it.
        self.options.hash_content || self.options.verify >= Verify::Checksum
    }

    /// Whether encoded values are digested, for verification at [`Verify::Decode`].
    pub(super) fn digesting(&self) -> bool {
        self.options.verify >= Verify::Decode
    }

    /// The decryption keys, if the files are encrypted.
    pub(super) fn keys(&self) -> Option<&Keys> {
        self.parquet.as_ref()?.keys()
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }
}

/// The dictionaries of the columns of files, with the types that were given.
#[cfg(feature = "ipc")]
fn dictionaries(options: &EngineOptions, schema: &SchemaRef) -> Result<Dictionaries> {
    let given = |field: &FieldRef| {
        let given = options.given.as_ref()?.fields().find(field.name());
        given.map(|(_, given)| Arc::clone(given))
    };
    let fields = schema.fields().iter();
    let fields: Fields = fields
        .map(|field| given(field).unwrap_or_else(|| Arc::clone(field)))
        .collect();
    let given = Schema::new_with_metadata(fields, schema.metadata().clone());
    let most_bytes = usize::try_from(options.memory_limit / 4).unwrap_or(usize::MAX);
    let most_bytes = most_bytes.max(LEAST_DICTIONARIES);
    Dictionaries::new(&Arc::new(given), most_bytes)
        .map_err(|source| Error::encode(Step::WriteRows, &options.root, source))
}

fn parquet_template(options: &EngineOptions, schema: &SchemaRef) -> Result<FileTemplate> {
    let properties = options
        .properties
        .clone()
        .into_builder()
        .set_sorting_columns(options.sorting_columns(schema))
        .build();
    let features = (options.page_checksums, options.arrow_schema);
    let template = FileTemplate::new(schema, properties, features, options.encodings);
    let template =
        template.map_err(|source| Error::encode(Step::WriteRows, &options.root, source))?;
    template.check()?;
    Ok(template)
}

//! The parts of a commit, which several processes have staged, and what they have in common.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};

use super::null_columns::{known_types, with_types};
use crate::categories::{KnownCategories, take_longer};
use crate::compatible::merge;
use crate::error::Result;
use crate::existing::Beside;
use crate::format::Format;
use crate::meaning::Ordered;
use crate::receipt::Note;
use crate::record::StagedRecord;
use crate::stored::{lost, schema_in_files};

/// What one process has staged, as the commit of all takes it.
pub(super) struct StagedPart<'a> {
    /// Where it was staged.
    pub(super) place: &'a Path,
    pub(super) record: &'a StagedRecord,
    pub(super) format: Option<Format>,
    /// The schema of the files.
    pub(super) schema: SchemaRef,
    /// That of the rows, also with the columns that are in no file, if it is known.
    pub(super) row_schema: Option<Schema>,
    /// What the files do not keep.
    pub(super) lost: Vec<Note>,
    /// The columns that get a type when the files are written again.
    pub(super) typed: Vec<FieldRef>,
}

impl<'a> StagedPart<'a> {
    /// The parts that have files; `places` are where they were staged. If they are to be `compared`, columns that have no
    /// type in one get that of another.
    pub(super) fn all(
        places: &'a [PathBuf],
        records: &'a [StagedRecord],
        compared: bool,
    ) -> Result<Vec<Self>> {
        let with_files = places.iter().zip(records);
        let with_files = with_files.filter(|(_, record)| !record.files.is_empty());
        let parts = with_files.map(|(place, record)| StagedPart::of(place, record));
        let mut parts = parts.collect::<Result<Vec<_>>>()?;
        if compared && parts.iter().any(StagedPart::lacks_a_type) {
            let known = known_types(parts.iter().map(|part| &part.schema));
            parts.iter_mut().for_each(|part| part.take_types(&known));
        }
        Ok(parts)
    }

    fn of(place: &'a Path, record: &'a StagedRecord) -> Result<Self> {
        let format = record.rows.format.parse().ok();
        let given = Arc::new(record.rows.schema(place)?);
        Ok(StagedPart {
            place,
            record,
            format,
            lost: format
                .map(|format| lost(format, &given))
                .unwrap_or_default(),
            schema: match format {
                Some(format) => schema_in_files(format, &given),
                None => given,
            },
            row_schema: record.rows.row_schema(place)?,
            typed: Vec::new(),
        })
    }

    /// Whether a column has no type, since all its values are null.
    fn lacks_a_type(&self) -> bool {
        let mut fields = self.schema.fields().iter();
        fields.any(|field| field.data_type().is_null())
    }

    /// Takes the types that columns have elsewhere which have none here.
    fn take_types(&mut self, known: &[FieldRef]) {
        let schema = Arc::clone(&self.schema);
        let (schema, typed) = with_types(self.format, schema, known);
        self.schema = schema;
        if let Some(row_schema) = self.row_schema.take() {
            let (row_schema, _) = with_types(self.format, Arc::new(row_schema), known);
            self.row_schema = Some(row_schema.as_ref().clone());
        }
        if self.format == Some(Format::Parquet) {
            self.typed = typed;
        }
    }
}

/// The properties that the parts of a commit share.
pub(super) struct Union<'a> {
    pub(super) first: &'a StagedPart<'a>,
    pub(super) schema: SchemaRef,
    pub(super) row_schema: Option<Schema>,
    categories: KnownCategories,
}

impl<'a> Union<'a> {
    pub(super) fn new(first: &'a StagedPart<'a>, categories: KnownCategories) -> Self {
        Union {
            first,
            schema: Arc::clone(&first.schema),
            row_schema: first.row_schema.clone(),
            categories,
        }
    }

    pub(super) fn ordered(&self) -> Ordered<'_> {
        Ordered {
            schema: &self.schema,
            categories: &self.categories,
        }
    }

    /// Compares one more part with those before, and gives the notes about it.
    pub(super) fn add(
        &mut self,
        beside: Beside<'_>,
        part: &StagedPart<'_>,
        categories: KnownCategories,
    ) -> Result<Vec<Note>> {
        let (rows, known) = (&part.record.rows, &self.first.record.rows);
        beside.check_keys(&rows.keys, &known.keys)?;
        beside.check_format(&rows.format, &known.format)?;
        let given = Ordered {
            schema: &part.schema,
            categories: &categories,
        };
        let notes = beside.compare(given, self.ordered())?;
        self.schema = Arc::new(merge(&self.schema, &part.schema));
        let both = self.row_schema.take().zip(part.row_schema.as_ref());
        self.row_schema = both.map(|(known, more)| merge(&known, more));
        take_longer(&mut self.categories, categories);
        Ok(notes)
    }
}

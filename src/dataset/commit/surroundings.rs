//! The surroundings of a write: the existing files of the data set, and notes about them.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};

use crate::categories::KnownCategories;
use crate::compatible::lacks_type;
use crate::disk::Disk;
use crate::error::Result;
use crate::existing::{Existing, Planned};
use crate::format::Format;
use crate::meaning::Ordered;
use crate::partition::Partition;
use crate::receipt::{CommitMode, Note};
use crate::stored::{StoredTypes, lost, schema_in_files};

/// The result of a look at a data set before a commit.
#[derive(Debug, Default)]
pub(in crate::dataset) struct Looked {
    /// Notes for the receipt.
    pub(in crate::dataset) notes: Vec<Note>,
    /// The schema of the rows, for the receipt.
    pub(in crate::dataset) schema: Option<SchemaRef>,
    /// Whether the write is ignored because of what is there.
    pub(in crate::dataset) ignored: bool,
    /// Whether the commit is to write a file although there are no rows.
    pub(in crate::dataset) writes_empty: bool,
    /// The second look, under the lock, where one is needed.
    pub(in crate::dataset) again: Option<LookAgain>,
}

/// A second look at a data set that had no files at the first.
///
/// Of two writers that both begin it, each would find nothing to compare its schema with.
#[derive(Debug)]
pub(in crate::dataset) struct LookAgain {
    surroundings: Surroundings,
    schema: SchemaRef,
    categories: KnownCategories,
    partitions: Vec<Partition>,
}

impl LookAgain {
    /// Notes about files that have come since. Reads one footer if there are any, and else none.
    ///
    /// # Errors
    /// [`Error::Incompatible`](crate::Error::Incompatible).
    pub(in crate::dataset) fn look(&self) -> Result<Vec<Note>> {
        let planned = self.surroundings.planned(Ordered {
            schema: &self.schema,
            categories: &self.categories,
        });
        match planned.existing(&self.partitions)? {
            Some(existing) => planned.check(&existing),
            None => Ok(Vec::new()),
        }
    }
}

/// The target of a write: the data set, the mode, the keys and the format.
#[derive(Debug, Clone)]
pub(in crate::dataset) struct Surroundings {
    pub(in crate::dataset) disk: Arc<dyn Disk>,
    /// Absolute and resolved.
    pub(in crate::dataset) root: PathBuf,
    pub(in crate::dataset) mode: CommitMode,
    /// The names of the partition keys.
    pub(in crate::dataset) keys: Vec<String>,
    pub(in crate::dataset) format: Format,
    /// Whether names of columns may differ by case alone from those that are there.
    pub(in crate::dataset) case_sensitive_names: bool,
    /// Whether existing files are looked at.
    pub(in crate::dataset) schema_check: bool,
}

impl Surroundings {
    fn planned<'a>(&'a self, given: Ordered<'a>) -> Planned<'a> {
        Planned {
            disk: self.disk.as_ref(),
            root: &self.root,
            mode: self.mode,
            keys: &self.keys,
            format: self.format,
            given,
            case_sensitive_names: self.case_sensitive_names,
            replaces: None,
        }
    }

    /// The types that columns get in the files, of which `file_schema` has those that go there; with the file
    /// of the data set that was looked at, if a column has no type of its own.
    pub(in crate::dataset) fn stored(
        &self,
        given: &SchemaRef,
        file_schema: &Schema,
    ) -> Result<(StoredTypes, Option<Existing>)> {
        let is_stored = |name: &str| file_schema.field_with_name(name).is_ok();
        let stored = StoredTypes::new(self.format, given, is_stored)?;
        let mut fields = file_schema.fields().iter();
        if !self.schema_check || !fields.any(|field| lacks_type(field.data_type())) {
            return Ok((stored, None));
        }
        let given = Ordered {
            schema: file_schema,
            categories: &KnownCategories::new(),
        };
        let existing = self.planned(given).existing(&[])?;
        let known = existing.as_ref().and_then(Existing::schema);
        Ok((
            match known {
                Some(known) => stored.knowing(known),
                None => stored,
            },
            existing,
        ))
    }

    /// Looks at what is there, for a commit of rows of these partitions, whose schema is the one that was
    /// given; `existing` is a file that was looked at before.
    ///
    /// # Errors
    /// [`Error::Incompatible`](crate::Error::Incompatible).
    pub(in crate::dataset) fn look(
        &self,
        given: Ordered<'_>,
        partitions: &[Partition],
        existing: Option<Existing>,
    ) -> Result<Looked> {
        let mut notes = lost(self.format, given.schema);
        let schema = &schema_in_files(self.format, &Arc::new(given.schema.clone()));
        let given = Ordered { schema, ..given };
        let again = || {
            let is_compared = self.schema_check
                && match self.mode {
                    CommitMode::Append
                    | CommitMode::ErrorIfExists
                    | CommitMode::OverwritePartitions => true,
                    // Nothing stays beside them.
                    CommitMode::ErrorIfAnyExists | CommitMode::Ignore | CommitMode::Overwrite => {
                        false
                    }
                };
            is_compared.then(|| LookAgain {
                surroundings: self.clone(),
                schema: Arc::clone(schema),
                categories: given.categories.clone(),
                partitions: partitions.to_vec(),
            })
        };
        let planned = self.planned(given);
        let existing = |touched: &[Partition]| match existing {
            // In an overwrite of partitions, the first look did not know which are replaced.
            Some(existing) if self.mode != CommitMode::OverwritePartitions => Ok(Some(existing)),
            _ => planned.existing(touched),
        };
        if partitions.is_empty() {
            let writes_empty = self.has_empty_files(schema)
                && match self.mode {
                    CommitMode::Append | CommitMode::ErrorIfExists => existing(&[])?.is_none(),
                    // Without rows it replaces nothing.
                    CommitMode::OverwritePartitions => false,
                    CommitMode::ErrorIfAnyExists | CommitMode::Ignore | CommitMode::Overwrite => {
                        true
                    }
                };
            let note = match writes_empty {
                true => Note::SchemaOnly,
                false => Note::NoRows,
            };
            notes.push(note);
            return Ok(Looked {
                notes,
                writes_empty,
                again: again().filter(|_| writes_empty),
                ..Looked::default()
            });
        }
        let again = match self.schema_check {
            true => match existing(partitions)? {
                Some(existing) => {
                    notes.extend(planned.check(&existing)?);
                    None
                }
                None => again(),
            },
            false => None,
        };
        notes.extend(planned.table()?);
        let kept = self.keys.iter();
        let kept = kept.filter(|key| schema.field_with_name(key).is_ok());
        notes.extend(kept.cloned().map(|key| Note::KeptKey { key }));
        Ok(Looked {
            notes,
            again,
            ..Looked::default()
        })
    }

    /// Whether an empty write makes a file for its schema. A partitioned data set has no directory for one.
    fn has_empty_files(&self, schema: &Schema) -> bool {
        let has_schema = match self.format {
            #[cfg(feature = "json")]
            Format::Ndjson => false,
            _ => !schema.fields().is_empty(),
        };
        self.keys.is_empty() && has_schema
    }
}

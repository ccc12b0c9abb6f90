//! The record of what one transaction has staged for another.

use std::io;
use std::path::{Path, PathBuf};

use arrow::datatypes::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::{VERSION, invalid, read_json, stays_below};
use crate::error::Result;
use crate::format::Format;
use crate::options::Durability;
use crate::receipt::{CommitMode, Part, SchemaText, StagedFileRecord};

/// What one transaction has staged for another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StagedRecord {
    version: u32,
    /// The data set's root, where the staging area may serve others too.
    pub(crate) root: Option<PathBuf>,
    /// Whether its files need not survive a power cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unsynced: bool,
    /// The job that it is a part of, if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<String>,
    /// The number of the job in the stream that it is named for, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sequence: Option<u64>,
    /// The name of the work that was done, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) task: Option<String>,
    pub(crate) mode: CommitMode,
    /// Whether tables of other formats in what it replaces may be destroyed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) overwrite_table: bool,
    /// The directory that the caller named, below the data set's root.
    pub(crate) scope: PathBuf,
    /// The fingerprints of the directories that are to be replaced, from when the write began.
    pub(crate) before: Vec<Seen>,
    pub(crate) rows: StagedRows,
    pub(crate) files: Vec<StagedFileRecord>,
}

/// What the files of a staged write have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StagedRows {
    /// The names of the partition keys.
    pub(crate) keys: Vec<String>,
    /// The format's name.
    pub(crate) format: String,
    /// Of the columns that the files have.
    schema: SchemaText,
    /// Of all columns of the rows; left out of old records, and where the files hide it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    row_schema: Option<SchemaText>,
}

impl StagedRows {
    pub(crate) fn new(
        keys: Vec<String>,
        format: Format,
        (schema, row_schema): (&SchemaRef, Option<SchemaRef>),
    ) -> Self {
        StagedRows {
            keys,
            format: format.name().to_owned(),
            schema: SchemaText::of(schema),
            row_schema: row_schema.map(|schema| SchemaText::of(&schema)),
        }
    }

    /// The schema of the files; `path` is that of the record.
    pub(crate) fn schema(&self, path: &Path) -> Result<Schema> {
        let read = self.schema.read();
        read.map_err(|error| invalid(path, format!("schema: {error}")))
    }

    /// The schema of the rows, if the record has it; `path` is that of the record.
    pub(crate) fn row_schema(&self, path: &Path) -> Result<Option<Schema>> {
        let read = self.row_schema.as_ref().map(SchemaText::read);
        let read = read.transpose();
        read.map_err(|error| invalid(path, format!("row schema: {error}")))
    }
}

/// The fingerprint of a directory of the data set when a write first looked at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    pub(crate) directory: PathBuf,
    /// As a text: not every reader of JSON has integers of 128 bits.
    pub(crate) fingerprint: String,
}

impl StagedRecord {
    pub(crate) fn new(
        root: Option<PathBuf>,
        durability: Durability,
        (mode, scope, before): (CommitMode, PathBuf, Vec<Seen>),
        part: Part,
        rows: StagedRows,
        files: Vec<StagedFileRecord>,
    ) -> Self {
        StagedRecord {
            version: VERSION,
            root,
            unsynced: durability == Durability::Unsynced,
            job: part.job,
            sequence: part.sequence,
            task: part.task,
            mode,
            overwrite_table: false,
            scope,
            before,
            rows,
            files,
        }
    }

    /// The job and the work that it is a part of.
    pub(crate) fn part(&self) -> Part {
        Part {
            job: self.job.clone(),
            sequence: self.sequence,
            task: self.task.clone(),
        }
    }

    /// Reads the record at `path`.
    pub(crate) fn from_json(record: impl io::Read, path: &Path) -> Result<Self> {
        let record: StagedRecord = read_json(record, path)?;
        if record.version != VERSION {
            let version = record.version;
            return Err(invalid(
                path,
                format!("version {version} is not known here"),
            ));
        }
        if !record.scope.as_os_str().is_empty() && !stays_below(&record.scope) {
            let scope = record.scope.display();
            return Err(invalid(
                path,
                format!("names {scope}, which may lead elsewhere"),
            ));
        }
        Ok(record)
    }
}

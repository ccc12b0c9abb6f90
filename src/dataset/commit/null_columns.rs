//! Columns of one part of a commit that have no type, since all their values are null, get the type that they have in
//! another part.
//!
//! Readers take the type of one file for that of all, and fail where that is none. Each worker knows its own rows alone, so
//! that the type is known when the parts come together: the file is written again then, in the transaction of the commit,
//! and verified as any other.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use crate::backend::{Backend, VerifiedFile};
use crate::disk::{Disk, DiskFile, EntryKind};
use crate::error::{Error, Result};
use crate::format::parquet::{Retyping, WrittenParquet, check, verify_written};
use crate::format::{Fault, Format};
use crate::options::Verify;
use crate::receipt::{FileRecord, StagedFileRecord};
use crate::staged_file::sync_and_verify;
use crate::staging::Workspace;
use crate::transaction::Transaction;

/// The first type that each column has in these schemas, if it is one that a column without a type can get.
pub(super) fn known_types<'a>(schemas: impl IntoIterator<Item = &'a SchemaRef>) -> Vec<FieldRef> {
    let mut known: Vec<FieldRef> = Vec::new();
    for field in schemas.into_iter().flat_map(|schema| schema.fields()) {
        if is_given(field) && known.iter().all(|other| other.name() != field.name()) {
            let mut metadata = field.metadata().clone();
            metadata.remove(PARQUET_FIELD_ID_META_KEY);
            let field = Field::clone(field).with_metadata(metadata);
            known.push(Arc::new(field.with_nullable(true)));
        }
    }
    known
}

/// Whether a field's type is taken by a column without one. The levels of a nested type are not those of a column of
/// nulls, and an ordered dictionary has its categories in each file.
fn is_given(field: &Field) -> bool {
    let is_ordered = field.dict_is_ordered() == Some(true);
    !field.data_type().is_nested() && !field.data_type().is_null() && !is_ordered
}

/// The schema with a type for each column that has none and is known; and these columns.
pub(super) fn with_types(
    format: Option<Format>,
    schema: SchemaRef,
    known: &[FieldRef],
) -> (SchemaRef, Vec<FieldRef>) {
    // Nothing in a file of text says a type.
    let may_get_types = format.is_some_and(|format| format == Format::Parquet || format.is_text());
    let type_of = |field: &FieldRef| match field.data_type() {
        DataType::Null if may_get_types => known.iter().find(|known| known.name() == field.name()),
        _ => None,
    };
    let typed: Vec<FieldRef> = schema
        .fields()
        .iter()
        .filter_map(type_of)
        .cloned()
        .collect();
    if typed.is_empty() {
        return (schema, typed);
    }
    let fields = schema.fields().iter();
    let fields: Vec<FieldRef> = fields
        .map(|field| Arc::clone(type_of(field).unwrap_or(field)))
        .collect();
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    (Arc::new(schema), typed)
}

/// The commit that writes files again.
pub(super) struct Retyper<'a> {
    disk: &'a dyn Disk,
    backend: &'a dyn Backend,
    transaction: &'a Transaction,
    workspace: Workspace,
}

impl<'a> Retyper<'a> {
    pub(super) fn new(
        disk: &'a dyn Disk,
        backend: &'a dyn Backend,
        transaction: &'a Transaction,
    ) -> Result<Self> {
        Ok(Retyper {
            disk,
            backend,
            transaction,
            workspace: backend.workspace(transaction.id())?,
        })
    }

    /// Opens what another process has staged, which is a file of its own and no link to another's.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let found = self.disk.status(path)?;
        let opened = self.disk.open_file(path, false)?;
        let identity = opened.status()?.identity;
        match found {
            Some((EntryKind::File, status)) if status.identity == identity => Ok(opened.into()),
            _ => Err(io::Error::other("is no file of its own")),
        }
    }

    fn incompatible(&self, given: &str, typed: &[FieldRef], beside: PathBuf) -> Error {
        Error::Incompatible {
            path: self.backend.root().into(),
            what: format!("column {:?} is", typed[0].name()).into(),
            given: given.into(),
            there: typed[0].data_type().to_string().into(),
            beside: beside.into(),
        }
    }

    /// Where a file is to be published, below the root of the data set.
    fn destination(&self, record: &FileRecord) -> PathBuf {
        let scope = self.backend.scope();
        match scope.as_os_str().is_empty() {
            true => record.path().into(),
            false => scope.join(record.path()),
        }
    }

    /// Writes a staged file again with these fields in place of those of the same names, syncs and verifies it, and stages
    /// it in this transaction.
    ///
    /// # Errors
    /// [`Error::Incompatible`] if the file has something that cannot be written again; else whatever a step says. The file
    /// stays as it is.
    pub(super) fn retype(
        &self,
        file: &StagedFileRecord,
        typed: &[FieldRef],
    ) -> Result<StagedFileRecord> {
        let (old, record) = (self.transaction.staged_path(file.staged()), file.file());
        let path = self.backend.root().join(record.path());
        let fault = |fault: Fault| match fault {
            Fault::Io(source) => Error::Read {
                path: old.clone(),
                source,
            },
            Fault::Damage(damage) => Error::Damaged {
                path: old.as_path().into(),
                damage,
            },
        };
        let opened = match self.open(&old) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.disk.has_links() => {
                let given = "without a type, in a file that was uploaded in parts and cannot be read before it is \
                             published: give all workers the schema, or a larger part size";
                return Err(self.incompatible(given, typed, old));
            }
            opened => opened.map_err(|source| fault(Fault::Io(source)))?,
        };
        let retyping = Retyping::open(opened, typed).map_err(fault)?;
        let Some(retyping) = retyping else {
            let given = "without a type, in a file that is encrypted or has bloom filters: give all workers the schema";
            return Err(self.incompatible(given, typed, old));
        };
        let draft = self.workspace.create(record.content_hash().is_some())?;
        let encoded = retyping.write(draft, &path)?;
        let mut draft = encoded.draft;
        let len = draft.len();
        let look = |reopened: Arc<dyn DiskFile>| {
            let written = WrittenParquet {
                len,
                metadata: &encoded.metadata,
                rows: record.rows(),
                schema: retyping.schema(),
                digests: None,
                known: None,
                keys: None,
            };
            verify_written(Arc::clone(&reopened), &written, Verify::Footer)?;
            // Pages were copied: that they came through is told by their checksums.
            check(reopened, Verify::Checksum, None).map(drop)
        };
        let durability = self.transaction.durability();
        let level = Verify::Checksum;
        let sums = sync_and_verify(&mut draft, &path, (durability, None), level, Some(look))?;
        // The file now belongs to the transaction, which removes it if it is not published.
        draft.disown();
        let (staged, identity) = (draft.path().to_owned(), draft.identity());
        drop(draft);
        let verified = VerifiedFile {
            path: &staged,
            identity,
            bytes: len,
            hash: sums.checksum,
            destination: &self.destination(record),
        };
        self.backend.stage(self.transaction.id(), verified)?;
        let rows = record.rows();
        let mut renewed = FileRecord::new(record.partition().clone(), record.name(), rows, len)?
            .with_footer_bytes(encoded.footer_bytes)
            .with_columns(record.columns().to_vec());
        if let Some(row_groups) = record.row_groups() {
            renewed = renewed.with_row_groups(row_groups);
        }
        if let Some(hash) = sums.checksum {
            renewed = renewed.with_content_hash(hash);
        }
        let name = self
            .workspace
            .name_of(&staged)
            .to_string_lossy()
            .into_owned();
        Ok(StagedFileRecord::new(name, renewed)?)
    }
}

//! One write of a data set, as the engine and its transaction see it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::jobs::check_open;
use crate::backend::{Backend, VerifiedFile};
use crate::dataset::staging_files::{Finished, StagingFiles};
use crate::disk::{DiskDirectory, DiskFile};
use crate::error::{Error, Result};
use crate::meter::Meter;
use crate::options::StagingPlace;
use crate::partition::Partition;
use crate::receipt::{CommitMode, Metrics, Part, StagedFileRecord, StagedWrite, sum};
use crate::record::{StagedRecord, StagedRows};
use crate::staging::{Draft, Workspace};
use crate::trace;
use crate::transaction::{ConflictCheck, Transaction};

/// The state that the engine and the transaction share.
#[derive(Debug)]
pub(in crate::dataset) struct Session {
    pub(in crate::dataset) backend: Arc<dyn Backend>,
    pub(in crate::dataset) conflicts: ConflictCheck,
    id: Uuid,
    workspace: Workspace,
    pub(in crate::dataset) meter: Arc<Meter>,
    /// The directory that the caller named.
    root: PathBuf,
}

impl Session {
    pub(in crate::dataset) fn new(
        transaction: &Transaction,
        conflicts: ConflictCheck,
        root: &Path,
    ) -> Result<Self> {
        let (id, backend) = (transaction.id(), transaction.backend());
        Ok(Session {
            workspace: backend.workspace(id)?,
            meter: transaction.meter(),
            backend,
            conflicts,
            id,
            root: root.to_owned(),
        })
    }

    /// Shows that we are alive, now and then: where locks are not to be trusted, age is what tells.
    pub(in crate::dataset) fn keep_alive(&self) -> Result<()> {
        self.backend.keep_alive(self.id)
    }

    /// The records of the files, by their names in the transaction.
    pub(in crate::dataset) fn records(
        &self,
        files: Vec<Finished>,
    ) -> Result<Vec<StagedFileRecord>> {
        let staged_record = |file: Finished| {
            let name = self.workspace.name_of(&file.staged);
            let name = name.to_string_lossy().into_owned();
            StagedFileRecord::new(name, file.into_record()?)
        };
        let records = files.into_iter().map(staged_record);
        records
            .collect::<std::result::Result<_, _>>()
            .map_err(Error::from)
    }

    /// Leaves the files for another process to commit.
    pub(in crate::dataset) fn stage(
        &self,
        transaction: Transaction,
        (rows, files): (StagedRows, Vec<StagedFileRecord>),
        part: Part,
        (staging, keep): (StagingPlace, Duration),
    ) -> Result<StagedWrite> {
        let totals = sum(files.iter().map(StagedFileRecord::file))?;
        let mode = self.conflicts.mode();
        // A write without files needs no transaction, but for an overwrite, whose fingerprints the commit compares.
        let keeps = !files.is_empty() || mode == CommitMode::Overwrite;
        let kept = keeps.then_some(self.id);
        if kept.is_some() {
            let (root, durability) = (self.backend.named_root(), transaction.durability());
            let (scope, seen) = (self.conflicts.scope().to_owned(), self.conflicts.seen());
            let place = (mode, scope, seen);
            let mut record = StagedRecord::new(root, durability, place, part.clone(), rows, files);
            record.overwrite_table = self.conflicts.overwrite_table();
            transaction.stage(&record, keep)?;
            // Whoever closes the job lists what is staged after that: he has found this, or this finds the job closed.
            if let Err(closed) = check_open(self.backend.as_ref(), &part) {
                self.backend.discard(self.id)?;
                return Err(closed);
            }
        }
        trace::staged_write(self.id, (totals.files, totals.rows, totals.bytes));
        let staged = StagedWrite::new(self.root.clone(), staging, kept, mode, totals);
        let staged = staged.with_part(part)?;
        Ok(staged.with_metrics(Metrics::of(&self.meter)))
    }
}

impl StagingFiles for Session {
    fn create(&self, hashing: bool) -> Result<Draft> {
        self.keep_alive()?;
        self.workspace.create(hashing)
    }

    fn scratch(&self) -> Result<Box<dyn DiskFile>> {
        self.workspace.scratch()
    }

    fn directory(&self) -> Result<Box<dyn DiskDirectory>> {
        self.workspace.open()
    }

    fn touch(&self, partition: &Partition) -> Result<()> {
        self.conflicts.touch(self.backend.as_ref(), partition)
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn stage(&self, file: &Finished) -> Result<()> {
        let directory = self.conflicts.directory(&file.partition);
        let verified = VerifiedFile {
            path: &file.staged,
            identity: file.identity,
            bytes: file.bytes,
            hash: file.content_hash,
            destination: &directory.join(&file.file_name),
        };
        self.backend.stage(self.id, verified)
    }
}

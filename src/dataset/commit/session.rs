//! One write of a data set, as the engine and its transaction see it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::backend::{Backend as _, LocalBackend};
use crate::dataset::staging_files::{Finished, StagingFiles};
use crate::disk::{DiskDirectory, DiskFile};
use crate::error::{Error, Result};
use crate::options::StagingPlace;
use crate::partition::Partition;
use crate::receipt::{CommitMode, StagedFileRecord, StagedWrite, sum};
use crate::record::{StagedRecord, StagedRows};
use crate::staging::Draft;
use crate::transaction::{ConflictCheck, Transaction};

/// How often a writer shows that it is alive: many times before it would be taken for dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10 * 60);

/// The state that the engine and the transaction share.
#[derive(Debug)]
pub(in crate::dataset) struct Session {
    pub(in crate::dataset) backend: Arc<LocalBackend>,
    pub(in crate::dataset) conflicts: ConflictCheck,
    id: Uuid,
    /// The directory that the caller named.
    root: PathBuf,
    next: AtomicU64,
    /// When we last showed that we are alive.
    alive: Mutex<SystemTime>,
}

impl Session {
    pub(in crate::dataset) fn new(
        transaction: &Transaction,
        backend: Arc<LocalBackend>,
        conflicts: ConflictCheck,
        root: &Path,
    ) -> Self {
        let now = backend.now();
        Session {
            backend,
            conflicts,
            id: transaction.id(),
            root: root.to_owned(),
            next: AtomicU64::new(0),
            alive: Mutex::new(now),
        }
    }

    /// Shows that we are alive, now and then: where locks are not to be trusted, age is what tells.
    pub(in crate::dataset) fn keep_alive(&self) -> Result<()> {
        let now = self.backend.now();
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(*alive).unwrap_or_default() < SIGN_OF_LIFE {
            return Ok(());
        }
        *alive = now;
        self.backend.keep_alive(self.id)
    }

    /// The records of the files, by their names in the transaction's directory.
    pub(in crate::dataset) fn records(
        &self,
        files: Vec<Finished>,
    ) -> Result<Vec<StagedFileRecord>> {
        let place = self.backend.place(self.id);
        let staged_record = |file: Finished| {
            let name = file.staged.strip_prefix(&place).unwrap_or(&file.staged);
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
        staging: StagingPlace,
        keep: Duration,
    ) -> Result<StagedWrite> {
        let totals = sum(files.iter().map(StagedFileRecord::file))?;
        let mode = self.conflicts.mode();
        // Without files there is nothing to be kept, but what a write that empties the data set has seen.
        let keeps = !files.is_empty() || mode == CommitMode::Overwrite;
        let kept = keeps.then_some(self.id);
        if kept.is_some() {
            let (root, durability) = (self.backend.named_root(), transaction.durability());
            let (scope, seen) = (self.conflicts.scope().to_owned(), self.conflicts.seen());
            let record = StagedRecord::new(root, durability, (mode, scope, seen), rows, files);
            transaction.stage(&record, keep)?;
        }
        Ok(StagedWrite::new(
            self.root.clone(),
            staging,
            kept,
            mode,
            totals,
        ))
    }
}

impl StagingFiles for Session {
    fn create(&self, hashing: bool) -> Result<Draft> {
        self.keep_alive()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.backend.create(self.id, number, hashing)
    }

    fn scratch(&self) -> Result<Box<dyn DiskFile>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.backend.scratch(self.id, number)
    }

    fn directory(&self) -> Result<Box<dyn DiskDirectory>> {
        self.backend.directory(self.id)
    }

    fn touch(&self, partition: &Partition) -> Result<()> {
        self.conflicts.touch(self.backend.as_ref(), partition)
    }
}

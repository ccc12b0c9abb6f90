//! One write of a data set, as the engine and its transaction see it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::commit::invalid_receipt;
use super::stage::{Finished, Stage};
use crate::backend::{Backend as _, LocalBackend};
use crate::disk::{DiskDirectory, DiskFile};
use crate::error::Result;
use crate::options::StagingPlace;
use crate::partition::Partition;
use crate::receipt::{ColumnStatistics, CommitMode, StagedFileRecord, StagedWrite, sum};
use crate::record::{StagedRecord, StagedRows};
use crate::staging::Draft;
use crate::transaction::{ConflictCheck, Transaction};

/// How often a writer shows that it is alive: many times before it would be taken for dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10 * 60);

/// The share of the memory limit that the statistics of columns may take until the commit.
const STATISTICS_SHARE: u64 = 8;
/// What the statistics of a column take, if its bounds are no long texts: in memory and in the record.
const STATISTICS_BYTES: u64 = 256;
/// Columns whose statistics are kept however many files there are.
const LEAST_COLUMNS: usize = 32;

/// What the engine and the transaction share.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) backend: Arc<LocalBackend>,
    pub(super) conflicts: ConflictCheck,
    id: Uuid,
    /// The directory that the caller named.
    root: PathBuf,
    next: AtomicU64,
    /// When we last showed that we are alive.
    alive: Mutex<SystemTime>,
    /// What is kept of the statistics of columns, in bytes.
    statistics_limit: u64,
    /// How many partitions have rows.
    partitions: AtomicU64,
    /// By the path of the staging file.
    statistics: Mutex<HashMap<PathBuf, Vec<ColumnStatistics>>>,
}

impl Session {
    pub(super) fn new(
        transaction: &Transaction,
        backend: Arc<LocalBackend>,
        conflicts: ConflictCheck,
        root: &Path,
        memory_limit: u64,
    ) -> Self {
        let now = backend.now();
        Session {
            backend,
            conflicts,
            id: transaction.id(),
            root: root.to_owned(),
            next: AtomicU64::new(0),
            alive: Mutex::new(now),
            statistics_limit: memory_limit / STATISTICS_SHARE,
            partitions: AtomicU64::new(0),
            statistics: Mutex::default(),
        }
    }

    fn statistics(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<ColumnStatistics>>> {
        self.statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows that we are alive, now and then: where locks are not to be trusted, age is what tells.
    pub(super) fn keep_alive(&self) -> Result<()> {
        let now = self.backend.now();
        let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(*alive).unwrap_or_default() < SIGN_OF_LIFE {
            return Ok(());
        }
        *alive = now;
        self.backend.keep_alive(self.id)
    }

    /// Of how many columns of each file statistics are kept. It depends on the number of partitions alone,
    /// all of which are known when the first file is finished.
    pub(super) fn columns_with_statistics(&self) -> usize {
        let partitions = self.partitions.load(Ordering::Relaxed).max(1);
        let columns = self.statistics_limit / STATISTICS_BYTES / partitions;
        usize::try_from(columns)
            .unwrap_or(usize::MAX)
            .max(LEAST_COLUMNS)
    }

    /// Keeps what is known of a file's columns, which takes less memory than its footer.
    pub(super) fn remember(&self, file: &Finished, columns: Vec<ColumnStatistics>) {
        self.statistics().insert(file.staged.clone(), columns);
    }

    /// What is known of the files, by their names in the transaction's directory.
    pub(super) fn records(&self, files: Vec<Finished>) -> Result<Vec<StagedFileRecord>> {
        let place = self.backend.place(self.id);
        let mut statistics = self.statistics();
        let mut staged_record = |file: &Finished| {
            let columns = statistics.remove(&file.staged).unwrap_or_default();
            let name = file.staged.strip_prefix(&place).unwrap_or(&file.staged);
            StagedFileRecord::new(name.to_string_lossy(), file.record(columns)?)
        };
        let records = files.iter().map(&mut staged_record);
        records
            .collect::<std::result::Result<_, _>>()
            .map_err(invalid_receipt)
    }

    /// Leaves the files for another process to commit.
    pub(super) fn stage(
        &self,
        transaction: Transaction,
        (rows, files): (StagedRows, Vec<StagedFileRecord>),
        staging: StagingPlace,
        keep: Duration,
    ) -> Result<StagedWrite> {
        let totals = sum(files.iter().map(StagedFileRecord::file)).map_err(invalid_receipt)?;
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

impl Stage for Session {
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
        self.partitions.fetch_add(1, Ordering::Relaxed);
        self.conflicts.touch(self.backend.as_ref(), partition)
    }
}

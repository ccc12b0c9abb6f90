//! One write of a data set, as the engine and its transaction see it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::commit::invalid_receipt;
use super::{Finished, Stage};
use crate::disk::{DiskDirectory, DiskFile};
use crate::error::{IoContext, Result, Step};
use crate::options::StagingPlace;
use crate::partition::Partition;
use crate::receipt::{ColumnStatistics, StagedFileRecord, StagedWrite, sum};
use crate::staging::Draft;
use crate::target::{LocalTarget, Target as _};
use crate::transaction::{StagedRecord, Transaction, Witnessed};

/// What the engine and the transaction share.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) target: Arc<LocalTarget>,
    pub(super) witnessed: Witnessed,
    id: Uuid,
    /// The directory that the caller named.
    root: PathBuf,
    next: AtomicU64,
    /// By the path of the staging file.
    statistics: Mutex<HashMap<PathBuf, Vec<ColumnStatistics>>>,
}

impl Session {
    pub(super) fn new(
        transaction: &Transaction,
        target: Arc<LocalTarget>,
        witnessed: Witnessed,
        root: &Path,
    ) -> Self {
        Session {
            target,
            witnessed,
            id: transaction.id(),
            root: root.to_owned(),
            next: AtomicU64::new(0),
            statistics: Mutex::default(),
        }
    }

    fn statistics(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<ColumnStatistics>>> {
        self.statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what is known of a file's columns, which takes less memory than its footer.
    pub(super) fn remember(&self, file: &Finished, columns: Vec<ColumnStatistics>) {
        self.statistics().insert(file.staged.clone(), columns);
    }

    /// What is known of the files, by their names in the transaction's directory.
    pub(super) fn records(&self, files: Vec<Finished>) -> Result<Vec<StagedFileRecord>> {
        let place = self.target.place(self.id);
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
        files: Vec<StagedFileRecord>,
        staging: StagingPlace,
        keep: Duration,
    ) -> Result<StagedWrite> {
        let totals = sum(files.iter().map(StagedFileRecord::file)).map_err(invalid_receipt)?;
        let mode = self.witnessed.mode();
        let staged = StagedWrite::new(self.root.clone(), staging, self.id, mode, totals);
        // Without files there is nothing to be kept.
        if !files.is_empty() {
            let record = StagedRecord::new(self.target.named_root(), &self.witnessed, files);
            transaction.stage(&record, keep)?;
        }
        Ok(staged)
    }
}

impl Stage for Session {
    fn create(&self, hashing: bool) -> Result<Draft> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.target.create(self.id, number, hashing)
    }

    fn scratch(&self) -> Result<Box<dyn DiskFile>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.target.scratch(self.id, number)
    }

    fn directory(&self) -> Result<Box<dyn DiskDirectory>> {
        let place = self.target.place(self.id);
        self.target
            .disk()
            .open_directory(&place)
            .at(Step::CreateStaging, &place)
    }

    fn touch(&self, partition: &Partition) -> Result<()> {
        self.witnessed.touch(self.target.as_ref(), partition)
    }
}

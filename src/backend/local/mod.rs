//! A data set on a local disk, as the verbs of [`Backend`].
//!
//! A transaction is a directory of the staging area. Its writer holds a lock on the `lease` in it.

mod adoption;
mod carry_out;
mod check;
mod control;
mod leases;
mod listing;
mod moves;
mod names;
mod record_owners;
mod records;
mod recovery;
mod removal;
mod stage;
mod success_file;
mod writes;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::{
    Adopted, Backend, Decided, Guard, Liveness, Lock, OutOfReach, Published, Survey, Taken,
    VerifiedFile, Waiting,
};
use crate::disk::{Disk, FileStatus, LockKind, nanoseconds};
use crate::error::{Error, Result, Step};
use crate::options::{Durability, SyncPolicy};
use crate::pauses::Pauses;
use crate::pool::threads_for_calls;
use crate::presence::{Counted, holds_files};
use crate::receipt::{Receipt, WriteName};
use crate::record::{Decision, Fingerprint, Layout, Plan, StagedRecord};
use crate::staging::{Area, Swept, Workspace, check_inside};
use crate::table_format::TableFormat;
use crate::trace;
use check::FileState;
use moves::Mover;
use stage::OwnTransaction;

pub(crate) use check::check_descriptors;

const DECISION: &str = "decision.record";
/// The record of a commit that is published, while files that it replaced cannot be removed.
const REPLACED: &str = "replaced.record";
/// The record of what is staged for another transaction.
const STAGED: &str = "staged.record";
/// The suffix of an aborted transaction's directory.
const DEAD: &str = "dead";
/// The suffix of records that are not complete.
const NEW: &str = "new";
/// The suffix of the directory of a transaction whose record is not trusted.
const ASIDE: &str = "aside";
/// The directory within a transaction's in which a receipt that is kept in file names is made.
const RECEIPT: &str = "receipt";
/// The longest record that is kept in names, in bytes.
const LONGEST_NAMED: u64 = 256 << 20;
const ATTEMPTS: usize = 100;

/// A data set on a disk, and its staging area.
#[derive(Debug)]
pub(crate) struct LocalBackend {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    area: Area,
    /// Whether a named write of which no file is there any more counts as not committed.
    rewrite_missing: bool,
    /// How the directories are synced into which much is published.
    sync: SyncPolicy,
    /// In an area that only markers name, the transactions to look for. Nothing else in it is changed.
    announced: Option<BTreeSet<Uuid>>,
    /// The transactions that this process began.
    own: Mutex<HashMap<Uuid, OwnTransaction>>,
}

impl LocalBackend {
    pub(crate) fn new(area: Area) -> Self {
        let disk = Arc::clone(&area.disk);
        let root = area.home().root().to_owned();
        LocalBackend {
            disk,
            root,
            area,
            rewrite_missing: false,
            sync: SyncPolicy::default(),
            announced: None,
            own: Mutex::default(),
        }
    }

    /// Whether to forget a named write of which no file is there any more.
    pub(crate) fn rewrite_missing(mut self, rewrite: bool) -> Self {
        self.rewrite_missing = rewrite;
        self
    }

    pub(crate) fn syncing(mut self, policy: SyncPolicy) -> Self {
        self.sync = policy;
        self
    }

    /// Whether the area is below the root, where readers of the data set see what is in it.
    pub(super) fn is_inside(&self) -> bool {
        self.area.path().starts_with(&self.root)
    }

    fn mover(&self, durability: Durability) -> Mover<'_> {
        Mover {
            disk: self.disk.as_ref(),
            durability,
            policy: self.sync,
            root: &self.root,
            lenient: false,
        }
    }
}

/// What takes more than a few lines is a method of the same name in the files beside this one.
impl Backend for LocalBackend {
    fn root(&self) -> &Path {
        &self.root
    }

    fn scope(&self) -> &Path {
        self.area.home().scope()
    }

    fn named_root(&self) -> Option<PathBuf> {
        self.area.is_shared().then(|| self.root.clone())
    }

    fn place(&self, transaction: Uuid) -> PathBuf {
        self.area.path().join(transaction.to_string())
    }

    fn staged_path(&self, transaction: Uuid, staged: &Path) -> PathBuf {
        self.place(transaction).join(staged)
    }

    fn is_recent(&self, _transaction: Uuid) -> bool {
        false
    }

    fn other_author(&self, transaction: Uuid) -> Option<u32> {
        let (_, status) = self.disk.status(&self.place(transaction)).ok()??;
        let author = status.owner?.user;
        (self.disk.user() != Some(author)).then_some(author)
    }

    fn transactions(&self) -> Result<Vec<Uuid>> {
        self.transactions()
    }

    fn staged_again(&self, seen: &HashSet<Uuid>) -> Result<Vec<Uuid>> {
        let mut found = self.transactions()?;
        found.retain(|id| !seen.contains(id));
        Ok(found)
    }

    fn begin(&self) -> Result<(Uuid, Guard)> {
        self.begin()
    }

    fn liveness(&self, transaction: Uuid) -> Result<Liveness> {
        // A lease that is taken is given back when it is dropped.
        Ok(match self.take(transaction)? {
            Taken::Ours(_) => Liveness::Dead,
            Taken::Alive => Liveness::Alive,
            Taken::Gone => Liveness::Gone,
        })
    }

    fn take(&self, transaction: Uuid) -> Result<Taken> {
        self.take(transaction)
    }

    fn lock(
        &self,
        kind: LockKind,
        _holder: Option<Uuid>,
        _passed_over: &HashSet<Uuid>,
    ) -> Result<Lock> {
        self.lock(kind)
    }

    fn sleep(&self, pauses: &mut Pauses, _other: Option<Uuid>) -> Result<()> {
        self.area
            .home()
            .interrupt()
            .check(Step::Decide, &self.root)?;
        if pauses.wait().is_to_be_told() {
            trace::waiting_long(&self.root, "another writer");
        }
        std::thread::sleep(pauses.longer());
        Ok(())
    }

    fn neighbours(&self) -> Result<Vec<Box<dyn Backend>>> {
        let others = self.other_areas()?.into_iter();
        Ok(others.map(|other| Box::new(other) as _).collect())
    }

    fn announce(&self, transaction: Uuid, durability: Durability) -> Result<Guard> {
        self.announce(transaction, durability)
    }

    fn check_announced(&self, others: &[Box<dyn Backend>], dry_run: bool) -> Result<()> {
        self.check_announced(others, dry_run)
    }

    fn files(&self, directory: &Path) -> Result<Vec<(PathBuf, Fingerprint)>> {
        self.files(directory)
    }

    fn holds_files(&self, directory: &Path, counted: Counted) -> Result<bool> {
        self.check_directory(directory)?;
        holds_files(self.disk.as_ref(), &self.root.join(directory), counted)
    }

    fn table(&self) -> Result<Option<TableFormat>> {
        TableFormat::find(self.disk.as_ref(), &self.root.join(self.scope()))
    }

    fn may_exchange(&self, directory: &Path) -> Result<bool> {
        self.may_exchange(directory)
    }

    fn check_directory(&self, directory: &Path) -> Result<()> {
        check_inside(self.disk.as_ref(), &self.root, &self.root.join(directory))
    }

    fn set_aside(&self, transaction: Uuid) -> Result<PathBuf> {
        self.set_aside(transaction)
    }

    fn check_layout(&self, transaction: Uuid, layout: &Layout) -> Result<()> {
        self.check_layout(transaction, layout)
    }

    fn workspace(&self, transaction: Uuid) -> Result<Workspace> {
        let directory = self.place(transaction);
        Ok(Workspace::new(self.area.clone(), directory))
    }

    fn stage(&self, transaction: Uuid, file: VerifiedFile<'_>) -> Result<()> {
        self.stage(transaction, file);
        Ok(())
    }

    fn sync_staged(
        &self,
        transaction: Uuid,
        files: &[&Path],
        durability: Durability,
    ) -> Result<Vec<Fingerprint>> {
        self.sync_staged(transaction, files, durability)
    }

    fn decision(&self, transaction: Uuid) -> Result<Option<Decision>> {
        self.read_decision(&self.place(transaction).join(DECISION), transaction)
    }

    fn decide(
        &self,
        transaction: Uuid,
        decision: &Decision,
        durability: Durability,
    ) -> Result<Decided> {
        self.decide(transaction, decision, durability)
    }

    fn keep_alive(&self, transaction: Uuid) -> Result<()> {
        self.keep_alive(transaction)
    }

    fn record(&self, transaction: Uuid, record: &StagedRecord) -> Result<()> {
        self.record(transaction, record)
    }

    fn adopt(&self, transaction: Uuid, staged: Uuid) -> Result<Option<Adopted>> {
        self.take_in(&self.place(transaction), staged)
    }

    fn waiting(&self) -> Result<Vec<Waiting>> {
        self.waiting()
    }

    fn discard(&self, staged: Uuid) -> Result<()> {
        self.discard(staged)
    }

    fn is_older(&self, transaction: Uuid, than: Duration) -> Result<bool> {
        self.is_record_older(&self.place(transaction).join(DECISION), than)
    }

    fn publish(&self, plan: &Plan, recovering: bool) -> Result<Published> {
        let guard = self.hand_over(plan)?;
        let left = self.publish_plan(plan, recovering)?;
        Ok(Published { left, guard })
    }

    fn check_whole(&self, plan: &Plan) -> Result<()> {
        self.check_files(plan, FileState::Staged)
    }

    fn remember(&self, plan: &Plan) -> Result<()> {
        self.take_writes_along(plan)?;
        self.remember(plan)
    }

    fn end(&self, plan: &Plan, left: &[Error]) -> Result<Vec<Error>> {
        self.remove_decision(plan, left, false)
    }

    fn abandon(&self, plan: &Plan) -> Result<()> {
        // If the root was exchanged already.
        self.take_writes_along(plan)?;
        let left = self.remove_decision(plan, &[], true)?;
        left.into_iter().next().map_or(Ok(()), Err)
    }

    fn remove(&self, transaction: Uuid) -> Result<()> {
        self.own().remove(&transaction);
        self.unmark_pending(transaction);
        self.remove_directory(&self.place(transaction))?;
        self.area.tidy();
        Ok(())
    }

    fn sweep(&self) -> Vec<Error> {
        // An area that only markers name is swept by the writers that stage in it.
        match self.announced {
            None => self.remove_all_aborted(),
            Some(_) => Vec::new(),
        }
    }

    fn recall(&self, scope: &Path, name: &WriteName) -> Result<Option<Receipt>> {
        self.recall(scope, name)
    }

    fn threads_for(&self, tasks: usize) -> usize {
        threads_for_calls(tasks)
    }

    fn repair(&self, dry_run: bool) -> Vec<Error> {
        self.repair(dry_run)
    }

    fn survey(&self) -> Survey {
        self.survey()
    }

    fn sweep_files(&self, dry_run: bool) -> Swept {
        self.sweep_files(dry_run)
    }

    fn tidy(&self) {
        self.area.tidy();
    }

    fn report_out_of_reach(&self, dry_run: bool, forget: bool) -> OutOfReach {
        self.report_out_of_reach(dry_run, forget)
    }
}

/// Fingerprint (inode, length, modification time) that tells this file from a later one at the same path.
///
/// Records keep it: its layout is described in docs/format.md.
fn fingerprint(status: &FileStatus) -> Fingerprint {
    let mut hasher = XxHash3_128::new();
    hasher.write(&status.identity.file.to_le_bytes());
    hasher.write(&status.len.to_le_bytes());
    hasher.write(&nanoseconds(status.modified).to_le_bytes());
    Fingerprint(hasher.finish_128())
}

/// The error about something staged that cannot be published.
fn no_file(path: PathBuf) -> Error {
    Error::InvalidPath {
        path,
        reason: "is not a regular file, which alone can be published",
    }
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

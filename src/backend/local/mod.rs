//! A data set on a local disk, as the verbs of [`Backend`].
//!
//! A transaction is a directory of the staging area. Its writer holds a lock on the `lease` in it.

mod authors;
mod check;
mod control;
mod leases;
mod moves;
mod names;
mod records;
mod removal;
mod staged;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::{Backend, Decided, Guard, Taken};
use crate::disk::{
    Disk, DiskDirectory, DiskFile, EntryKind, FileStatus, Identity, LockKind, PublishMode,
    nanoseconds,
};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Durability;
use crate::publish::{self, RenameOutcome};
use crate::receipt::Receipt;
use crate::record::{Decision, Layout, Plan, Removal, StagedRecord, staged_name};
use crate::staging::{Area, Draft, check_inside, is_area_name};
use check::FileState;
pub(crate) use check::{DESCRIPTORS, check_descriptors};
use moves::Mover;

const DECISION: &str = "decision.record";
/// The record of a commit that is published, while files that it replaced cannot be removed.
const REPLACED: &str = "replaced.record";
/// The record of what is staged for another transaction.
const STAGED: &str = "staged.record";
/// The suffix of an aborted transaction's directory.
const DEAD: &str = "dead";
/// The suffix of scratch files, which hold what memory has no room for.
const SCRATCH: &str = "scratch";
/// The suffix of records that are not complete.
const NEW: &str = "new";
/// What the name of a transaction's directory ends with whose record is not to be acted upon.
const ASIDE: &str = "aside";
/// The directory of a transaction in which a record is made that is kept in names.
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
    /// Whether a named write whose files are gone is as if it had not been committed.
    rewrite_missing: bool,
    /// The transactions to look for in an area that only their markers name; nothing else there is ours to
    /// touch.
    announced: Option<BTreeSet<Uuid>>,
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
            announced: None,
        }
    }

    /// Whether to forget a named write of which no file is there any more.
    pub(crate) fn rewrite_missing(mut self, rewrite: bool) -> Self {
        self.rewrite_missing = rewrite;
        self
    }

    /// The directory that the caller named, below the data set's root.
    pub(crate) fn scope(&self) -> &Path {
        self.area.home().scope()
    }

    /// A new staging file of a transaction.
    pub(crate) fn create(&self, transaction: Uuid, number: u64, hashing: bool) -> Result<Draft> {
        let path = self.place(transaction).join(staged_name(number));
        let created = self.disk.create_file(&path, false);
        let file = self.unless_aborted(transaction, created, &path)?;
        Draft::within(&self.area, path, file, hashing)
    }

    /// A file of a transaction that is never published, and that nobody else opens.
    pub(crate) fn scratch(&self, transaction: Uuid, number: u64) -> Result<Box<dyn DiskFile>> {
        let path = self
            .place(transaction)
            .join(format!("{number:05}.{SCRATCH}"));
        let created = self.disk.create_file(&path, true);
        self.unless_aborted(transaction, created, &path)
    }

    /// The directory of a transaction.
    pub(crate) fn directory(&self, transaction: Uuid) -> Result<Box<dyn DiskDirectory>> {
        let path = self.place(transaction);
        let opened = self.disk.open_directory(&path);
        self.unless_aborted(transaction, opened, &path)
    }

    /// Whether the staging area may serve other data sets too.
    pub(crate) fn is_in_shared_area(&self) -> bool {
        self.area.is_shared()
    }

    /// Staging areas of transactions of this data set that only their markers tell of.
    pub(crate) fn announced_areas(&self) -> Result<Vec<LocalBackend>> {
        let others = self.other_areas()?.into_iter();
        Ok(others.filter(|other| other.announced.is_some()).collect())
    }

    fn mover(&self, durability: Durability) -> Mover<'_> {
        Mover {
            disk: self.disk.as_ref(),
            durability,
            root: &self.root,
            lenient: false,
        }
    }

    /// The time by the clock of the disk.
    pub(crate) fn now(&self) -> SystemTime {
        self.disk.now()
    }

    /// Makes a decision be forgotten, durably, and removes what is left of its transaction. Gives what cannot be
    /// removed. Where that is so of files that it replaced, a record of them stays.
    fn remove_decision(&self, plan: &Plan, left: &[Error]) -> Result<Vec<Error>> {
        let directory = self.place(plan.transaction);
        self.sync_adopted(&directory, plan)?;
        let decision = directory.join(DECISION);
        let record = directory.join(REPLACED);
        let of_exchanges = self.left_of_exchanges(plan, left)?;
        let removed = match left.is_empty() {
            false if of_exchanges.is_empty() => {
                self.disk.rename(&decision, &record, PublishMode::Replace)
            }
            false => {
                let mut rest = plan.clone();
                rest.removed.extend(of_exchanges);
                let rest = Decision::Committed(Box::new(rest)).to_json(&record)?;
                self.put(plan.transaction, &record, &rest, PublishMode::Replace)?;
                self.disk.remove_file(&decision)
            }
            true => self.disk.remove_file(&decision),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            removed => removed.at(Step::SyncDirectory, &decision)?,
        }
        // If it came back after a crash, it would be carried out again, over what came since: so also
        // where nothing else is synced.
        self.mover(Durability::Synced).sync(&directory)?;
        // By name, since they may be in directories that are more closed than the transaction's.
        for exchange in &plan.exchanges {
            let old = directory.join(&exchange.staged);
            let _ = self
                .mover(Durability::Unsynced)
                .remove_files(&old, &exchange.removed);
        }
        Ok(self.remove(plan.transaction).err().into_iter().collect())
    }

    /// Those of the files that cannot be removed which stood in a directory that was replaced file by file. The plan
    /// has only their names, and from now on others may use these.
    fn left_of_exchanges(&self, plan: &Plan, left: &[Error]) -> Result<Vec<Removal>> {
        let mut removals = Vec::new();
        for error in left {
            let Some(path) = error
                .path()
                .and_then(|path| path.strip_prefix(&self.root).ok())
            else {
                continue;
            };
            let of_exchange = plan.exchanges.iter().any(|exchange| {
                let below = path.strip_prefix(&exchange.path);
                below.is_ok_and(|below| exchange.removed.iter().any(|file| file == below))
            });
            let whole = self.root.join(path);
            if of_exchange
                && let Some((_, status)) = self.disk.status(&whole).at(Step::Publish, &whole)?
            {
                removals.push(Removal::new(path.to_owned(), identity(&status)));
            }
        }
        Ok(removals)
    }

    /// The result of a call within a transaction, which is gone if somebody took its writer for dead.
    fn unless_aborted<T>(&self, id: Uuid, done: io::Result<T>, path: &Path) -> Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Aborted {
                path: self.place(id),
            }),
            done => done.at(Step::CreateStaging, path),
        }
    }
}

/// What takes more than a few lines is a method of the same name in the files beside this one.
impl Backend for LocalBackend {
    fn root(&self) -> &Path {
        &self.root
    }

    fn named_root(&self) -> Option<PathBuf> {
        self.area.is_shared().then(|| self.root.clone())
    }

    fn place(&self, transaction: Uuid) -> PathBuf {
        self.area.path().join(transaction.to_string())
    }

    fn other_author(&self, transaction: Uuid) -> Option<u32> {
        let (_, status) = self.disk.status(&self.place(transaction)).ok()??;
        let author = status.owner?.user;
        (self.disk.user() != Some(author)).then_some(author)
    }

    fn transactions(&self) -> Result<Vec<Uuid>> {
        let path = self.area.path();
        let entries = match self.disk.list(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            })?,
        };
        let directories = entries
            .into_iter()
            .filter(|entry| entry.kind == EntryKind::Directory);
        let name = |path: PathBuf| Uuid::try_parse(path.file_name()?.to_str()?).ok();
        let ids = directories.filter_map(|entry| name(entry.path));
        let is_looked_for = |id: &Uuid| {
            let announced = self.announced.as_ref();
            announced.is_none_or(|announced| announced.contains(id))
        };
        Ok(ids.filter(is_looked_for).collect())
    }

    fn begin(&self) -> Result<(Uuid, Guard)> {
        self.begin()
    }

    fn take(&self, transaction: Uuid) -> Result<Taken> {
        self.take(transaction)
    }

    fn lock(&self, kind: LockKind) -> Result<Option<Guard>> {
        self.lock(kind)
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

    fn hand_over(&self, plan: &Plan) -> Result<Guard> {
        self.hand_over(plan)
    }

    fn files(&self, directory: &Path) -> Result<Vec<(PathBuf, u128)>> {
        let disk = self.disk.as_ref();
        let top = self.root.join(directory);
        self.check_directory(directory)?;
        let mut files = Vec::new();
        let mut pending = vec![top.clone()];
        while let Some(path) = pending.pop() {
            // Its own area, or that of somebody who may write in a partition only.
            if is_area_name(&path) {
                continue;
            }
            let reading = |source| Error::Read {
                path: path.clone(),
                source,
            };
            let entries = match disk.list(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(reading)?,
            };
            for entry in entries {
                if entry.kind == EntryKind::Directory {
                    pending.push(entry.path);
                } else if let Some((_, status)) = disk.status(&entry.path).map_err(reading)? {
                    let below = entry.path.strip_prefix(&top).unwrap_or(&entry.path);
                    files.push((below.to_owned(), identity(&status)));
                }
            }
        }
        files.sort();
        Ok(files)
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

    fn sync_staged(
        &self,
        transaction: Uuid,
        files: &[(&Path, Option<Identity>)],
        durability: Durability,
    ) -> Result<Vec<u128>> {
        let disk = self.disk.as_ref();
        let directory = self.place(transaction);
        let synced = (|| {
            let opened = disk
                .open_directory(&directory)
                .at(Step::Decide, &directory)?;
            let mut identities = Vec::with_capacity(files.len());
            for (file, verified) in files {
                let path = directory.join(file);
                let found = disk.status(&path).at(Step::Decide, &path)?;
                let is_it = |status: &FileStatus| {
                    verified.is_none_or(|verified| verified == status.identity)
                };
                match found.filter(|(_, status)| is_it(status)) {
                    Some((EntryKind::File, status)) => identities.push(identity(&status)),
                    // What is staged by somebody else can be anything.
                    Some(_) => return Err(no_file(path)),
                    None => {
                        let step = Step::Decide;
                        return Err(Error::StagingLost { step, path });
                    }
                }
            }
            if durability == Durability::Unsynced {
                return Ok(identities);
            }
            publish::make_durable(disk, &directory)?;
            opened.sync().at(Step::Decide, &directory)?;
            Ok(identities)
        })();
        match synced {
            // Somebody took us for dead. It must not be made again: its files are gone.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(Error::Aborted { path: directory })
            }
            synced => synced,
        }
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
        let directory = self.place(transaction);
        let path = directory.join(DECISION);
        let bytes = decision.to_json(&path)?;
        let ours = match self.put(transaction, &path, &bytes, PublishMode::CreateNew) {
            Ok(RenameOutcome::Renamed) => true,
            Ok(RenameOutcome::TargetExists) => false,
            Ok(RenameOutcome::SourceMissing) => return Ok(Decided::Gone),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Decided::Gone);
            }
            Err(Error::Unknown { source, .. }) => {
                return Err(Error::Unknown {
                    step: Step::Decide,
                    path: self.root.clone(),
                    source,
                });
            }
            Err(error) => return Err(error),
        };
        // Also where another's stands: it may have died before this. Where all of it is gone, somebody
        // who took us for dead has carried it out.
        match self.mover(durability).sync(&directory) {
            Err(Error::Io { source, .. }) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Unknown {
                    step: Step::Decide,
                    path: self.root.clone(),
                    source,
                });
            }
            _ if ours => return Ok(Decided::Ours),
            _ => {}
        }
        let decision = self.read_decision(&path, transaction)?;
        Ok(decision.map_or(Decided::Gone, Decided::Another))
    }

    fn keep_alive(&self, transaction: Uuid) -> Result<()> {
        self.keep_alive(transaction)
    }

    fn record(&self, transaction: Uuid, record: &StagedRecord) -> Result<()> {
        self.record(transaction, record)
    }

    fn adopt(&self, transaction: Uuid, staged: Uuid) -> Result<Option<StagedRecord>> {
        self.take_in(&self.place(transaction), staged)
    }

    fn staged_bytes(&self, transaction: Uuid, file: &Path) -> Result<Option<u64>> {
        self.file_bytes(&self.place(transaction).join(file))
    }

    fn discard(&self, staged: Uuid) -> Result<()> {
        self.discard(staged)
    }

    fn is_older(&self, transaction: Uuid, than: Duration) -> Result<bool> {
        self.is_record_older(&self.place(transaction).join(DECISION), than)
    }

    fn publish(&self, plan: &Plan, recovering: bool) -> Result<Vec<Error>> {
        let directory = self.place(plan.transaction);
        // A dead writer's record may not have become durable yet; nothing may show before it is.
        let mut mover = self.mover(plan.durability());
        mover.lenient = recovering && plan.durability() == Durability::Unsynced;
        match mover.sync(&directory) {
            // Somebody who took us for dead has done all of this, or else it is lost.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                if !mover.lenient {
                    self.check_files(plan, FileState::Published)?;
                }
                return Ok(Vec::new());
            }
            synced => synced?,
        }
        if !mover.lenient {
            self.check_files(plan, FileState::Staged)?;
        }
        mover.arrange(&directory, &plan.arrangement)?;
        mover.publish_files(&directory, &self.root, &plan.files)?;
        let mut left = Vec::new();
        for exchange in &plan.exchanges {
            left.extend(mover.exchange(&directory, &self.root, exchange)?);
        }
        if !mover.lenient {
            self.check_files(plan, FileState::Published)?;
        }
        left.extend(mover.remove_files(&self.root, &self.unchanged(&plan.removed)?)?);
        Ok(left)
    }

    fn check_whole(&self, plan: &Plan) -> Result<()> {
        self.check_files(plan, FileState::Staged)
    }

    fn forget(&self, plan: &Plan, left: &[Error]) -> Result<Vec<Error>> {
        self.take_writes_along(plan)?;
        self.remember(plan)?;
        self.remove_decision(plan, left)
    }

    fn abandon(&self, plan: &Plan) -> Result<()> {
        // If the root was exchanged already.
        self.take_writes_along(plan)?;
        let left = self.remove_decision(plan, &[])?;
        left.into_iter().next().map_or(Ok(()), Err)
    }

    fn remove(&self, transaction: Uuid) -> Result<()> {
        self.unmark_pending(transaction);
        self.remove_directory(&self.place(transaction))?;
        self.area.tidy();
        Ok(())
    }

    fn sweep(&self) -> Vec<Error> {
        // What has no marker any more is for those who stage there.
        match self.announced {
            None => self.remove_all_aborted(),
            Some(_) => Vec::new(),
        }
    }

    fn recall(&self, scope: &Path, write_id: &str) -> Result<Option<Receipt>> {
        self.recall(scope, write_id)
    }
}

/// Fingerprint (inode, length, modification time) that tells this file from a later one at the same path.
///
/// Records keep it: its layout is described in docs/format.md.
fn identity(status: &FileStatus) -> u128 {
    let mut hasher = XxHash3_128::new();
    hasher.write(&status.identity.file.to_le_bytes());
    hasher.write(&status.len.to_le_bytes());
    hasher.write(&nanoseconds(status.modified).to_le_bytes());
    hasher.finish_128()
}

/// What is said of something staged that cannot be published.
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

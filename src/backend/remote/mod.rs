//! A data set in an object store, as the verbs of [`Backend`].
//!
//! A transaction is an object in the control prefix, `.NAME.atomic/tx/`, beside the data set: it changes only by replacing
//! the version that was read, which is the commit point too. Small files are staged as objects beside it and published by a
//! copy within the store; large ones are uploaded in parts to their paths, and published by putting the parts together.
//! Whether a writer lives tells the age of its object, by the clock of the store. docs/format.md describes the objects.

mod claim;
mod decide;
mod layout;
mod liveness;
mod locks;
mod marks;
mod own;
mod publish;
mod published;
mod recovery;
mod spool;
mod stage;
mod state;
mod writes;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use object_store::ObjectMeta;
use object_store::path::Path as Key;
use serde::Serialize;
use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::{
    Adopted, Backend, Decided, Guard, Liveness, LocalBackend, Lock, OutOfReach, Published, Survey,
    Taken, VerifiedFile, Waiting,
};
use crate::disk::{LockKind, nanoseconds};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::{Durability, Interrupt, StagingPlace};
use crate::pauses::Pauses;
use crate::pool;
use crate::presence::{Counted, holds_files};
use crate::receipt::{Receipt, WriteName};
use crate::record::{Decision, Fingerprint, Layout, Plan, StagedRecord, invalid};
use crate::staging::{Swept, Workspace, home_of_root};
use crate::store::{Found, Object, Store, StoreView, Version};
use crate::table_format::TableFormat;
use crate::trace;
use liveness::Listed;
use own::Own;
use spool::Spooled;
use state::State;

/// The name of the control prefix in a bucket that is a data set as a whole.
const CONTROL: &str = ".atomic";
/// The directory of the objects of transactions, in the control prefix.
const TRANSACTIONS: &str = "tx";
/// The suffix of the directory of what a transaction has staged.
const FILES: &str = "files";
/// The record of what is staged for another transaction, among what is staged.
const RECORD: &str = "staged.record";
/// A writer shows that it lives this many times in the time after which it is taken for dead, and more often where that is long.
const BEATS: u32 = 15;
/// The longest time in which a writer does not show that it lives.
const LONGEST_BEAT: Duration = Duration::from_secs(60);

/// A data set in an object store.
#[derive(Debug)]
pub(crate) struct RemoteBackend {
    store: Arc<Store>,
    view: StoreView,
    root: PathBuf,
    /// The directory that the caller named, below the root.
    scope: PathBuf,
    control: PathBuf,
    /// Where files are encoded and verified, once that is needed.
    spool: Mutex<Option<Arc<LocalBackend>>>,
    interrupt: Interrupt,
    rewrite_missing: bool,
    /// The transactions that this process began here.
    own: Mutex<HashMap<Uuid, Arc<Own>>>,
    /// The objects of transactions when they were last listed.
    listed: Mutex<Listed>,
    /// The versions of the transactions that were judged dead.
    judged: Mutex<HashMap<Uuid, Version>>,
}

/// Whether something is longer ago than this.
fn is_past(now: SystemTime, since: SystemTime, longer_than: Duration) -> bool {
    now.duration_since(since).is_ok_and(|age| age > longer_than)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RemoteBackend {
    /// The data set at, or above, a path in the store.
    pub(crate) fn new(store: &Arc<Store>, named: &Path, interrupt: &Interrupt) -> Result<Self> {
        let view = StoreView::new(Arc::clone(store));
        let home = home_of_root(&view, named, &StagingPlace::Auto)?;
        let (root, scope) = (home.root(), home.scope());
        let control = match (root.file_name(), root.parent()) {
            (Some(name), Some(parent)) if root != store.base() => {
                let mut control = std::ffi::OsString::from(".");
                control.push(name);
                control.push(CONTROL);
                parent.join(control)
            }
            _ => root.join(CONTROL),
        };
        Ok(RemoteBackend {
            view,
            root: root.to_owned(),
            scope: scope.to_owned(),
            control,
            spool: Mutex::default(),
            interrupt: interrupt.clone(),
            rewrite_missing: false,
            own: Mutex::default(),
            listed: Mutex::default(),
            judged: Mutex::default(),
            store: Arc::clone(store),
        })
    }

    /// Whether to forget a named write of which no file is there any more.
    pub(crate) fn rewrite_missing(mut self, rewrite: bool) -> Self {
        self.rewrite_missing = rewrite;
        self
    }

    fn key(&self, path: &Path) -> Result<Key> {
        self.store.key(path)
    }

    fn dead_after(&self) -> Duration {
        self.store.options().dead_after
    }

    /// The time in which whoever works on a transaction shows once that it lives.
    fn beat(&self) -> Duration {
        (self.dead_after() / BEATS).min(LONGEST_BEAT)
    }

    fn transactions_path(&self) -> PathBuf {
        self.control.join(TRANSACTIONS)
    }

    /// The directory of what a transaction has staged.
    fn files_path(&self, transaction: Uuid) -> PathBuf {
        self.transactions_path()
            .join(format!("{transaction}.{FILES}"))
    }

    fn own(&self, transaction: Uuid) -> Option<Arc<Own>> {
        locked(&self.own).get(&transaction).cloned()
    }

    /// A transaction of ours.
    fn expect_own(&self, transaction: Uuid) -> Result<Arc<Own>> {
        let own = self.own(transaction);
        own.ok_or_else(|| Error::Aborted {
            path: self.place(transaction),
        })
    }

    /// The object at a path, or `None` if none is there.
    fn read(&self, path: &Path) -> Result<Option<Object>> {
        let found = self.store.get(&self.key(path)?);
        found.map_err(unread(path))
    }

    /// The object at a path without its content, or `None` if none is there.
    fn look(&self, path: &Path) -> Result<Option<Found>> {
        let found = self.store.head(&self.key(path)?);
        found.map_err(unread(path))
    }

    /// The objects below a path, at any depth.
    fn list(&self, directory: &Path) -> Result<Vec<ObjectMeta>> {
        let listed = self.store.list(&self.key(directory)?);
        listed.map_err(unread(directory))
    }

    /// Puts a record, whatever is there.
    fn put_record<T: Serialize>(&self, path: &Path, record: &T, step: Step) -> Result<()> {
        let put = self.store.put(&self.key(path)?, encoded(record, path)?);
        put.map(drop).at(step, path)
    }

    /// Waits a while for the commit of somebody else, unless it is to be given up.
    fn pause(&self, transaction: Uuid, pauses: &mut Pauses, other: Option<Uuid>) -> Result<()> {
        self.sleep(pauses, other)?;
        self.keep_alive(transaction)
    }

    /// The state of a transaction, with its version; `None` if it is gone.
    fn state(&self, transaction: Uuid) -> Result<Option<(State, Found)>> {
        let place = self.place(transaction);
        let Some(object) = self.read(&place)? else {
            return Ok(None);
        };
        let state = State::read(&object.bytes, &place, transaction)?;
        Ok(Some((state, object.found)))
    }

    /// Runs tasks that each are a few requests, several at a time, and gives their results in order.
    fn map<T: Send + Sync>(
        &self,
        count: usize,
        work: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        pool::map(self.threads_for(count), count, &self.root, work)
    }

    fn delete(&self, paths: impl IntoIterator<Item = PathBuf>, step: Step) -> Result<()> {
        let keys = paths.into_iter().map(|path| self.key(&path));
        let keys: Vec<Key> = keys.collect::<Result<_>>()?;
        self.store.delete_all(keys).at(step, &self.root)
    }
}

/// The error for what cannot be read at a path.
fn unread(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Read {
        path: path.to_owned(),
        source,
    }
}

/// A record as the bytes of its object.
fn encoded<T: Serialize>(record: &T, path: &Path) -> Result<Bytes> {
    let bytes = serde_json::to_vec(record);
    let bytes = bytes.map_err(|error| invalid(path, error.to_string()))?;
    Ok(bytes.into())
}

/// Fingerprint of an object: of its tag, its length, and the second in which it came, all of which a list tells as well as
/// a request for the object itself.
fn fingerprint(found: &Found) -> Fingerprint {
    let mut hasher = XxHash3_128::new();
    hasher.write(found.tag().unwrap_or_default().as_bytes());
    hasher.write(&[0]);
    hasher.write(&found.size.to_le_bytes());
    let seconds = nanoseconds(found.modified).div_euclid(1_000_000_000);
    hasher.write(&seconds.to_le_bytes());
    Fingerprint(hasher.finish_128())
}

/// What takes more than a few lines is a method of the same name in the files beside this one.
impl Backend for RemoteBackend {
    fn root(&self) -> &Path {
        &self.root
    }

    fn scope(&self) -> &Path {
        &self.scope
    }

    fn named_root(&self) -> Option<PathBuf> {
        None
    }

    fn files(&self, directory: &Path) -> Result<Vec<(PathBuf, Fingerprint)>> {
        self.files(directory)
    }

    fn holds_files(&self, directory: &Path, counted: Counted) -> Result<bool> {
        holds_files(&self.view, &self.root.join(directory), counted)
    }

    fn table(&self) -> Result<Option<TableFormat>> {
        TableFormat::find(&self.view, &self.root.join(&self.scope))
    }

    fn may_exchange(&self, _directory: &Path) -> Result<bool> {
        Ok(false)
    }

    fn check_directory(&self, directory: &Path) -> Result<()> {
        self.key(&self.root.join(directory)).map(drop)
    }

    fn lock(
        &self,
        kind: LockKind,
        holder: Option<Uuid>,
        passed_over: &HashSet<Uuid>,
    ) -> Result<Lock> {
        self.lock(kind, holder, passed_over)
    }

    fn sleep(&self, pauses: &mut Pauses, other: Option<Uuid>) -> Result<()> {
        trace::waiting_for_lock(&self.root);
        self.interrupt.check(Step::Decide, &self.root)?;
        if pauses.wait().is_to_be_told() {
            self.tell_of_wait(other);
        }
        std::thread::sleep(pauses.longer());
        Ok(())
    }

    fn recall(&self, scope: &Path, name: &WriteName) -> Result<Option<Receipt>> {
        self.recall(scope, name)
    }

    fn threads_for(&self, tasks: usize) -> usize {
        tasks.min(self.store.parallel_requests())
    }

    fn place(&self, transaction: Uuid) -> PathBuf {
        self.transactions_path().join(transaction.to_string())
    }

    fn staged_path(&self, transaction: Uuid, staged: &Path) -> PathBuf {
        self.staged_path(transaction, staged)
    }

    fn transactions(&self) -> Result<Vec<Uuid>> {
        self.transactions()
    }

    fn staged_again(&self, _seen: &HashSet<Uuid>) -> Result<Vec<Uuid>> {
        Ok(Vec::new())
    }

    fn is_recent(&self, transaction: Uuid) -> bool {
        self.is_recent(transaction)
    }

    fn begin(&self) -> Result<(Uuid, Guard)> {
        let transaction = Uuid::now_v7();
        self.check_conditions(transaction)?;
        let place = self.place(transaction);
        let own = Own::begin(
            Arc::clone(&self.store),
            (self.key(&place)?, place.clone()),
            State::open(transaction, self.dead_after()),
            Spooled::begin(self.spool()?)?,
        )?;
        let alive = own.keep_alive(self.beat());
        locked(&self.own).insert(transaction, own);
        Ok((transaction, alive.at(Step::CreateStaging, &place)?))
    }

    fn keep_alive(&self, transaction: Uuid) -> Result<()> {
        self.expect_own(transaction)?.check()
    }

    fn liveness(&self, transaction: Uuid) -> Result<Liveness> {
        self.liveness(transaction)
    }

    fn take(&self, transaction: Uuid) -> Result<Taken> {
        self.take(transaction)
    }

    fn other_author(&self, _transaction: Uuid) -> Option<u32> {
        None
    }

    fn workspace(&self, transaction: Uuid) -> Result<Workspace> {
        Ok(self.expect_own(transaction)?.workspace.clone())
    }

    fn stage(&self, transaction: Uuid, file: VerifiedFile<'_>) -> Result<()> {
        self.stage(transaction, file)
    }

    fn sync_staged(
        &self,
        transaction: Uuid,
        files: &[&Path],
        _durability: Durability,
    ) -> Result<Vec<Fingerprint>> {
        self.check_staged(transaction, files)
    }

    fn record(&self, transaction: Uuid, record: &StagedRecord) -> Result<()> {
        self.record(transaction, record)
    }

    fn adopt(&self, transaction: Uuid, staged: Uuid) -> Result<Option<Adopted>> {
        self.adopt(transaction, staged)
    }

    fn waiting(&self) -> Result<Vec<Waiting>> {
        self.waiting()
    }

    fn discard(&self, staged: Uuid) -> Result<()> {
        self.discard(staged)
    }

    fn check_layout(&self, transaction: Uuid, layout: &Layout) -> Result<()> {
        self.check_layout(transaction, layout)
    }

    fn announce(&self, _transaction: Uuid, _durability: Durability) -> Result<Guard> {
        Ok(Box::new(()))
    }

    fn decide(
        &self,
        transaction: Uuid,
        decision: &Decision,
        _durability: Durability,
    ) -> Result<Decided> {
        self.decide(transaction, decision)
    }

    fn decision(&self, transaction: Uuid) -> Result<Option<Decision>> {
        match self.state(transaction)? {
            Some((state, _)) => state.decision(&self.place(transaction)),
            None => Ok(None),
        }
    }

    fn is_older(&self, transaction: Uuid, than: Duration) -> Result<bool> {
        self.is_older(transaction, than)
    }

    fn publish(&self, plan: &Plan, recovering: bool) -> Result<Published> {
        // Whoever recovers has claimed it before.
        let guard: Guard = match recovering {
            true => Box::new(()),
            false => Box::new(self.show_publishing(plan.transaction)),
        };
        let left = self.publish(plan, recovering)?;
        Ok(Published { left, guard })
    }

    fn check_whole(&self, plan: &Plan) -> Result<()> {
        self.check_whole(plan)
    }

    fn remember(&self, plan: &Plan) -> Result<()> {
        self.remember(plan)
    }

    fn end(&self, plan: &Plan, left: &[Error]) -> Result<Vec<Error>> {
        self.end(plan, left)
    }

    fn abandon(&self, plan: &Plan) -> Result<()> {
        self.abandon(plan)
    }

    fn remove(&self, transaction: Uuid) -> Result<()> {
        self.remove(transaction)
    }

    fn set_aside(&self, transaction: Uuid) -> Result<PathBuf> {
        self.set_aside(transaction)
    }

    fn sweep(&self) -> Vec<Error> {
        self.sweep()
    }

    // There is one control prefix, which every writer of the data set reaches.

    fn neighbours(&self) -> Result<Vec<Box<dyn Backend>>> {
        Ok(Vec::new())
    }

    fn check_announced(&self, _others: &[Box<dyn Backend>], _dry_run: bool) -> Result<()> {
        Ok(())
    }

    fn repair(&self, _dry_run: bool) -> Vec<Error> {
        Vec::new()
    }

    fn survey(&self) -> Survey {
        let same = Self::new(&self.store, &self.root.join(&self.scope), &self.interrupt);
        let (places, failed) = match same {
            Ok(same) => (vec![Box::new(same) as Box<dyn Backend>], Vec::new()),
            Err(error) => (Vec::new(), vec![error]),
        };
        Survey { places, failed }
    }

    fn sweep_files(&self, dry_run: bool) -> Swept {
        self.sweep_files(dry_run)
    }

    fn tidy(&self) {}

    fn report_out_of_reach(&self, _dry_run: bool, _forget: bool) -> OutOfReach {
        OutOfReach::default()
    }
}

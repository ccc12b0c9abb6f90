//! Where a data set lives: the verbs that the protocol of many files is written over.
//!
//! [`Backend`] is what a place must be able to do; [`LocalBackend`] does it on a local disk. The order
//! of the verbs, and what follows from each answer, is in [`transaction`](crate::transaction).

mod local;

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use crate::disk::{Identity, LockKind};
use crate::error::{Error, Result};
use crate::options::Durability;
use crate::receipt::Receipt;
use crate::record::{Decision, Fingerprint, Layout, Plan, StagedRecord};
use crate::staging::{Swept, Workspace};

pub(crate) use local::{LocalBackend, check_descriptors};

/// Keeps a transaction alive, or a lock held, until it is dropped.
pub(crate) type Guard = Box<dyn Any + Send + Sync>;

/// The result of trying to take over a transaction.
pub(crate) enum Taken {
    /// Its writer is dead, or gone long enough, and the transaction is now ours.
    Ours(Guard),
    /// Its writer is alive.
    Alive,
    /// Nothing is left of it.
    Gone,
}

/// Which decision stands after one was to be recorded.
#[derive(Debug)]
pub(crate) enum Decided {
    /// The one that was to be recorded; perhaps it has been carried out by somebody else.
    Ours,
    /// One that was faster.
    Another(Decision),
    /// None: the transaction is gone.
    Gone,
}

/// A file of a workspace that was verified and is to be staged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VerifiedFile<'a> {
    /// Its path in the workspace.
    pub(crate) path: &'a Path,
    /// Which file was verified, whatever stands at that path later.
    pub(crate) identity: Identity,
}

/// All files of a plan are published.
pub(crate) struct Published {
    /// Files that should go now, and cannot be removed.
    pub(crate) left: Vec<Error>,
    /// Keeps others from the data set as before until the transaction is ended, also where its root was exchanged.
    pub(crate) guard: Guard,
}

/// Every place in which something of a data set may be left.
pub(crate) struct Survey {
    pub(crate) places: Vec<Box<dyn Backend>>,
    /// Places that cannot be looked at, or are not trusted.
    pub(crate) failed: Vec<Error>,
}

/// Transactions that are announced and stand where they cannot be reached from here.
#[derive(Default)]
pub(crate) struct OutOfReach {
    /// The announcements that were removed.
    pub(crate) forgotten: Vec<PathBuf>,
    /// One that keeps others from writing, and those that are not trusted.
    pub(crate) failed: Vec<Error>,
}

/// A place that holds a data set and its staging area, as one writer or one recovery has to do with it.
///
/// A transaction is prepared in a workspace, which is always a directory on a local disk. What is staged, decided
/// and published may be elsewhere. Paths of files are relative to the transaction or to the root of the data
/// set. A place that has only one staging area has no neighbours, and announces nothing.
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    // The data set.

    /// The data set's root, as errors name it.
    fn root(&self) -> &Path;

    /// The directory that the caller named, below the root.
    fn scope(&self) -> &Path;

    /// The root, if transactions of other data sets may stand beside its own.
    fn named_root(&self) -> Option<PathBuf>;

    /// The files below a directory of the data set, without the staging area; none if there is no such directory.
    fn files(&self, directory: &Path) -> Result<Vec<(PathBuf, Fingerprint)>>;

    /// Whether a directory of the data set may be exchanged with a staged one: a reader never meets what
    /// is in the staging area, and nobody holds on to the directory itself.
    fn may_exchange(&self, directory: &Path) -> Result<bool>;

    /// Refuses a directory of the data set that would lead a write out of it.
    fn check_directory(&self, directory: &Path) -> Result<()>;

    /// Keeps others from deciding, or (shared) from exchanging, until it is dropped; `None` where the
    /// place has no locks.
    fn lock(&self, kind: LockKind) -> Result<Option<Guard>>;

    /// The receipt of the write of this name into this directory of the data set, if it was committed and
    /// is still remembered, with those of its files that are not there any more.
    fn recall(&self, scope: &Path, write_id: &str) -> Result<Option<Receipt>>;

    // Transactions, and who works on them.

    /// Where a transaction stands, as errors name it.
    fn place(&self, transaction: Uuid) -> PathBuf;

    /// The transactions of which anything is left.
    fn transactions(&self) -> Result<Vec<Uuid>>;

    /// Makes a transaction, alive as long as what is returned.
    fn begin(&self) -> Result<(Uuid, Guard)>;

    /// Keeps a transaction of ours from being taken for dead where locks are not to be trusted. Called often; does
    /// something now and then.
    fn keep_alive(&self, transaction: Uuid) -> Result<()>;

    /// Takes a transaction over if its writer is dead.
    fn take(&self, transaction: Uuid) -> Result<Taken>;

    /// The user who began a transaction, where that is known and is not the one of this process.
    fn other_author(&self, transaction: Uuid) -> Option<u32>;

    // Staging.

    /// The workspace of a transaction of ours.
    fn workspace(&self, transaction: Uuid) -> Workspace;

    /// Stages a file of the workspace, which stays there no longer than the transaction. May be called by several
    /// threads.
    fn stage(&self, transaction: Uuid, file: VerifiedFile<'_>) -> Result<()>;

    /// Makes what is staged durable, so that a decision may name it: all of these files must be there, and be those
    /// that were [verified](Self::stage). Gives what tells each of them from every other file, in the same order.
    fn sync_staged(
        &self,
        transaction: Uuid,
        files: &[&Path],
        durability: Durability,
    ) -> Result<Vec<Fingerprint>>;

    /// Writes the record of what a transaction has staged for another, before that is decided.
    fn record(&self, transaction: Uuid, record: &StagedRecord) -> Result<()>;

    /// Makes what another transaction has staged part of this one, and gives its record; nothing where
    /// it is not staged, or not any more.
    fn adopt(&self, transaction: Uuid, staged: Uuid) -> Result<Option<StagedRecord>>;

    /// The length of a staged file of this transaction, if it is there.
    fn staged_bytes(&self, transaction: Uuid, file: &Path) -> Result<Option<u64>>;

    /// Removes what a transaction has staged for another, unless it is part of one already.
    fn discard(&self, staged: Uuid) -> Result<()>;

    // Deciding.

    /// Refuses what could not be published once it is decided: for want of permissions, because a
    /// directory is on another file system, or because a name is too long.
    fn check_layout(&self, transaction: Uuid, layout: &Layout) -> Result<()>;

    /// Marks a transaction of ours as pending, where every writer of the data set finds it, also one who does not see
    /// this staging area. As long as what is returned is held, the mark says that the writer lives; afterwards it says
    /// that the transaction has to be recovered by somebody who sees the staging area. The files are synced before.
    fn announce(&self, transaction: Uuid, durability: Durability) -> Result<Guard>;

    /// Records a decision, unless one stands already. The commit point. Whoever finds it after a power
    /// cut finds all of it, also if it need not be found.
    fn decide(
        &self,
        transaction: Uuid,
        decision: &Decision,
        durability: Durability,
    ) -> Result<Decided>;

    /// The decision that stands, durably.
    fn decision(&self, transaction: Uuid) -> Result<Option<Decision>>;

    /// Whether the decision that stands was recorded longer ago than this.
    fn is_older(&self, transaction: Uuid, than: Duration) -> Result<bool>;

    // Carrying a decision out. Every verb is idempotent: whoever recovers a transaction does again what may have been
    // done.

    /// Publishes what is not published yet of a decided plan, as durably as it says. A file that is
    /// neither staged nor published is an error, except in the recovery of a plan that was not synced.
    fn publish(&self, plan: &Plan, recovering: bool) -> Result<Published>;

    /// Whether each file of a decided plan is staged, or published.
    ///
    /// # Errors
    /// [`Error::FilesLost`](crate::Error::FilesLost) if one is neither.
    fn check_whole(&self, plan: &Plan) -> Result<()>;

    /// Ends a transaction whose plan was carried out: keeps its receipt if the write has a name, then removes the
    /// decision, durably; then removes what is left of the transaction as far as it can be, and gives what
    /// cannot. Files that it should have removed and are `left` are kept in mind, and [`sweep`](Self::sweep) tries
    /// again.
    fn end(&self, plan: &Plan, left: &[Error]) -> Result<Vec<Error>>;

    /// Removes a decision, durably, and what is not published of its plan. The receipt is not kept.
    fn abandon(&self, plan: &Plan) -> Result<()>;

    /// Removes an aborted transaction, such that a writer that comes back finds nothing. What it had
    /// adopted is staged again as it was.
    fn remove(&self, transaction: Uuid) -> Result<()>;

    /// Moves a transaction whose record is not trusted, with all that is staged in it, to where it is in nobody's way,
    /// and gives that place. It is ours.
    fn set_aside(&self, transaction: Uuid) -> Result<PathBuf>;

    /// Removes what is left of transactions whose removal was interrupted, as far as it can be, and gives what
    /// cannot.
    fn sweep(&self) -> Vec<Error>;

    // Other staging areas of the same data set.

    /// The backends of the same data set for the other staging areas in which transactions of it may stand.
    fn neighbours(&self) -> Result<Vec<Box<dyn Backend>>>;

    /// Checks that no announced transaction of a dead writer stands where it cannot be seen from here. Unless it is a
    /// dry run, marks of transactions that are gone are removed.
    ///
    /// # Errors
    /// [`Error::OutOfReach`](crate::Error::OutOfReach) names one; other errors are the disk's.
    fn check_announced(&self, others: &[Box<dyn Backend>], dry_run: bool) -> Result<()>;

    // What a recovery does besides, in this order.

    /// Repairs what all writers of the data set share, unless it is a dry run, and tells of it.
    fn repair(&self, dry_run: bool) -> Vec<Error>;

    /// Every place in which something of the data set may be left, this one and those that are announced included.
    fn survey(&self) -> Survey;

    /// Removes what dead writers left here beside transactions, or only lists it; tells of what stands aside.
    fn sweep_files(&self, dry_run: bool) -> Swept;

    /// Removes the staging area if nothing is in it any more.
    fn tidy(&self);

    /// Tells of what is announced and out of reach, or lets it be forgotten.
    fn check_reach(&self, dry_run: bool, forget: bool) -> OutOfReach;
}

//! Where a data set lives: the verbs that the protocol of many files is written over.
//!
//! [`Backend`] is what a place must be able to do; [`LocalBackend`] does it on a local disk. The order
//! of the verbs, and what follows from each answer, is in [`transaction`](crate::transaction).

mod local;
#[cfg(feature = "object_store")]
mod remote;

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use crate::disk::{Identity, LockKind};
use crate::error::{Error, Result};
use crate::options::Durability;
use crate::pauses::Pauses;
use crate::presence::Counted;
use crate::receipt::{Receipt, WriteName};
use crate::record::{Decision, Fingerprint, Layout, Plan, StagedRecord};
use crate::staging::{Swept, Workspace};
use crate::table_format::TableFormat;

pub(crate) use local::{LocalBackend, check_descriptors};
#[cfg(feature = "object_store")]
pub(crate) use remote::RemoteBackend;

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

/// Whether the writer of a transaction lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// The writer is alive, or may be.
    Alive,
    /// The writer is dead, or gone long enough.
    Dead,
    /// Nothing is left of the transaction.
    Gone,
}

/// The result of asking for the lock of a data set.
pub(crate) enum Lock {
    /// It is held until this is dropped, or longer. Empty if this kind is not needed here.
    Held(#[expect(dead_code, reason = "kept until it is dropped")] Guard),
    /// There are no locks here.
    Unsupported,
    /// A dead writer's transaction holds it, which has to be recovered first.
    #[cfg_attr(
        not(feature = "object_store"),
        expect(dead_code, reason = "only object stores have such locks")
    )]
    OfDead(Uuid),
}

/// The decision that stands after [`Backend::decide`].
#[derive(Debug)]
pub(crate) enum Decided {
    /// The one of this call. A recovery may have carried it out already.
    Ours,
    /// A different one, which another process recorded first.
    Another(Decision),
    /// None, because the transaction is gone.
    Gone,
}

/// A file of a workspace that was verified and is to be staged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VerifiedFile<'a> {
    /// Its path in the workspace.
    pub(crate) path: &'a Path,
    /// Which file was verified, whatever stands at that path later.
    pub(crate) identity: Identity,
    /// Its length in bytes.
    #[cfg_attr(
        not(feature = "object_store"),
        expect(dead_code, reason = "only object stores are told of it")
    )]
    pub(crate) bytes: u64,
    /// The XXH3 hash (128 bits) of all bytes as they were written, where they were hashed.
    #[cfg_attr(
        not(feature = "object_store"),
        expect(dead_code, reason = "only object stores are told of it")
    )]
    pub(crate) hash: Option<u128>,
    /// Where it is to be published, below the root of the data set.
    #[cfg_attr(
        not(feature = "object_store"),
        expect(dead_code, reason = "only object stores are told of it")
    )]
    pub(crate) destination: &'a Path,
}

/// What a transaction has staged for another.
pub(crate) struct Waiting {
    pub(crate) transaction: Uuid,
    pub(crate) record: StagedRecord,
    /// When it was staged.
    pub(crate) since: SystemTime,
    /// How long it is kept.
    pub(crate) keep: Duration,
}

/// What another transaction has staged, and this one has taken.
pub(crate) struct Adopted {
    pub(crate) record: StagedRecord,
    /// The length of each file of the record that is there.
    pub(crate) lengths: Vec<Option<u64>>,
}

/// The result of publishing a plan.
pub(crate) struct Published {
    /// Replaced files that could not be removed, one error each.
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

/// A data set and one of its staging areas, as one writer or one recovery uses them.
///
/// A transaction is prepared in a workspace, which is always a directory on a local disk. What is staged, decided
/// and published may be elsewhere. Paths of files are relative to the transaction or to the root of the data
/// set. A backend with one staging area has no neighbours, and announces nothing; one that cannot exchange directories
/// gets layouts of single files and removals alone. What a verb has to remember of a transaction until a later verb, such
/// as the version of its record that was judged dead, the backend keeps itself.
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

    /// Whether any file is below a directory of the data set, beside the staging area.
    fn holds_files(&self, directory: &Path, counted: Counted) -> Result<bool>;

    /// The format of the table that the data set belongs to; `None` if it belongs to none.
    fn table(&self) -> Result<Option<TableFormat>>;

    /// Whether a directory of the data set may be exchanged with a staged one: a reader never meets what
    /// is in the staging area, and nobody holds on to the directory itself.
    fn may_exchange(&self, directory: &Path) -> Result<bool>;

    /// Refuses a directory of the data set that would lead a write out of it.
    fn check_directory(&self, directory: &Path) -> Result<()>;

    /// Takes the lock of the data set for a transaction; for a file by itself there is none. While it is held
    /// exclusively nobody else decides; while it is shared, nobody exchanges directories. What dead writers hold that are
    /// `passed_over` is in nobody's way: nobody could finish their commits, which have nothing in common with this one.
    fn lock(
        &self,
        kind: LockKind,
        holder: Option<Uuid>,
        passed_over: &HashSet<Uuid>,
    ) -> Result<Lock>;

    /// Waits a while for somebody else, `other` if it is known who, and tells of a wait that is long.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted).
    fn sleep(&self, pauses: &mut Pauses, other: Option<Uuid>) -> Result<()>;

    /// The receipt of the write of this name into this directory of the data set, if it was committed and
    /// is still remembered, with those of its files that are not there any more. Of a stream the latest write is
    /// remembered; the receipt of an earlier one has no files.
    fn recall(&self, scope: &Path, name: &WriteName) -> Result<Option<Receipt>>;

    /// The number of threads for so many tasks that each are a few calls of this place.
    fn threads_for(&self, tasks: usize) -> usize;

    // Transactions, and who works on them.

    /// Where a transaction stands, as errors name it.
    fn place(&self, transaction: Uuid) -> PathBuf;

    /// Where a staged file of a transaction stands, by its name in that.
    fn staged_path(&self, transaction: Uuid, staged: &Path) -> PathBuf;

    /// The transactions of which anything is left.
    fn transactions(&self) -> Result<Vec<Uuid>>;

    /// The transactions beside these that dead ones had adopted, and that are staged again by now; none where what is adopted
    /// stays where it is.
    fn staged_again(&self, seen: &HashSet<Uuid>) -> Result<Vec<Uuid>>;

    /// Whether a writer was at work on a transaction a moment ago, as far as [the list](Self::transactions) of them told: nothing
    /// has to be read to know that it needs no recovery. False where a list does not tell.
    fn is_recent(&self, transaction: Uuid) -> bool;

    /// Makes a transaction, alive as long as what is returned.
    fn begin(&self) -> Result<(Uuid, Guard)>;

    /// Renews the sign that the writer of a transaction of ours lives, if the last one is old. Cheap enough to be
    /// called for every batch.
    fn keep_alive(&self, transaction: Uuid) -> Result<()>;

    /// Whether the writer of a transaction lives. Takes nothing over.
    fn liveness(&self, transaction: Uuid) -> Result<Liveness>;

    /// Takes a transaction over if its writer is dead.
    fn take(&self, transaction: Uuid) -> Result<Taken>;

    /// The user who began a transaction, where that is known and is not the one of this process.
    fn other_author(&self, transaction: Uuid) -> Option<u32>;

    // Staging.

    /// The workspace of a transaction of ours.
    fn workspace(&self, transaction: Uuid) -> Result<Workspace>;

    /// Stages a file of the workspace, which stays there no longer than the transaction. May be called by several
    /// threads.
    fn stage(&self, transaction: Uuid, file: VerifiedFile<'_>) -> Result<()>;

    /// Makes the staged files durable, so that a decision may name them. All must be there, and be those that were
    /// [verified](Self::stage). Gives the fingerprint of each, in the order of `files`.
    fn sync_staged(
        &self,
        transaction: Uuid,
        files: &[&Path],
        durability: Durability,
    ) -> Result<Vec<Fingerprint>>;

    /// Writes the record of what a transaction has staged for another, before that is decided.
    fn record(&self, transaction: Uuid, record: &StagedRecord) -> Result<()>;

    /// Makes what another transaction has staged part of this one; nothing where it is not staged, or not any more.
    fn adopt(&self, transaction: Uuid, staged: Uuid) -> Result<Option<Adopted>>;

    /// Everything that waits in any staging area of the data set to become part of another transaction. What cannot be
    /// read or is not trusted is left out: recovery tells of it.
    fn waiting(&self) -> Result<Vec<Waiting>>;

    /// Removes what a transaction has staged for another, unless it is part of one already.
    fn discard(&self, staged: Uuid) -> Result<()>;

    // Deciding.

    /// Refuses what could not be published once it is decided: for want of permissions, because a
    /// directory is on another file system, or because a name is too long.
    fn check_layout(&self, transaction: Uuid, layout: &Layout) -> Result<()>;

    /// Makes a marker of a transaction of ours that every writer of the data set finds, also one that cannot reach this
    /// staging area. While what is returned is held, the marker says that the writer lives; afterwards it says that the
    /// transaction has to be recovered by somebody who reaches the staging area. Called when the files are synced.
    fn announce(&self, transaction: Uuid, durability: Durability) -> Result<Guard>;

    /// Records a decision, unless one stands already. The commit point. After a power cut the record is whole, or, if it
    /// was unsynced, may be missing; it is never torn.
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

    /// Keeps the receipt of a plan that was carried out, if the write has a name: [`recall`](Self::recall) finds it then.
    fn remember(&self, plan: &Plan) -> Result<()>;

    /// Ends a transaction whose plan was carried out and is [remembered](Self::remember): removes the
    /// decision, durably; then removes what is left of the transaction as far as it can be, and gives what
    /// cannot. Files that it should have removed and are `left` are kept in mind, and [`sweep`](Self::sweep) tries
    /// again.
    fn end(&self, plan: &Plan, left: &[Error]) -> Result<Vec<Error>>;

    /// Removes a decision, durably, and what is not published of its plan. The receipt is not kept.
    fn abandon(&self, plan: &Plan) -> Result<()>;

    /// Removes an aborted transaction, such that a writer that comes back finds nothing. What it had
    /// adopted is staged again as it was.
    fn remove(&self, transaction: Uuid) -> Result<()>;

    /// Renames a transaction whose record is not trusted, with all that is staged in it, so that nobody acts on it, and
    /// gives its new place. The caller has taken it.
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

    /// Reports announced transactions that cannot be reached from here; with `forget`, removes their markers.
    fn report_out_of_reach(&self, dry_run: bool, forget: bool) -> OutOfReach;
}

impl dyn Backend + '_ {
    /// The path of a directory below the root; of the root itself without a separator at its end.
    pub(crate) fn path_of(&self, directory: &Path) -> PathBuf {
        match directory.as_os_str().is_empty() {
            true => self.root().to_owned(),
            false => self.root().join(directory),
        }
    }
}

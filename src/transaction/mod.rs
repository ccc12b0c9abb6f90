//! Several files, all or nothing (promise P7): stage, decide, publish, recover.
//!
//! The protocol is written here once, over the verbs of a [`Backend`]. One record, put only if none
//! is there, is the commit point: before it nothing is visible, after it everything will be, also if
//! the writer dies, by whoever opens the data set next. Encoding rows is not done here.

mod adoption;
mod carry_out;
mod conflicts;
mod open;
mod recovery;
mod settle;
#[cfg(test)]
mod tests;
mod waiting;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::Span;
use uuid::Uuid;

use crate::backend::{Backend, Decided, Guard};
use crate::disk::LockKind;
use crate::error::{Error, Outcome, Result};
use crate::meter::{Meter, Work};
use crate::options::Durability;
use crate::receipt::{Receipt, WriteName};
use crate::record::{Decision, Layout, Plan};
use crate::trace;
use carry_out::carry_out;
use settle::{Affected, settle_and_lock};

pub(crate) use carry_out::discard_job;
pub(crate) use conflicts::{ConflictCheck, StagedName};
pub(crate) use open::{Target, lock_for_publishing, open_area};
pub(crate) use recovery::{Recovered, recover_all};

/// A transaction of this process. Dropping it without a decision removes what is staged.
pub(crate) struct Transaction {
    backend: Arc<dyn Backend>,
    id: Uuid,
    _lease: Guard,
    durability: Durability,
    /// The time that its writer has spent so far.
    meter: Arc<Meter>,
    /// What is done outside of its writer's calls, as when that is dropped, is told within this.
    span: Span,
    /// Whether the lock is exclusive although the mode does not need that.
    excludes: bool,
    /// Whether the success file is made anew when all else is published.
    success_file: bool,
    /// Whether a decision stands, or may stand: nothing is removed on drop then.
    decided: bool,
}

impl Transaction {
    pub(crate) fn begin(backend: Arc<dyn Backend>, durability: Durability) -> Result<Self> {
        let (id, lease) = backend.begin()?;
        Ok(Transaction {
            backend,
            id,
            _lease: lease,
            durability,
            meter: Arc::default(),
            span: Span::none(),
            excludes: false,
            success_file: false,
            decided: false,
        })
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn durability(&self) -> Durability {
        self.durability
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Has what is told when it is dropped be of this span.
    pub(crate) fn tell_within(&mut self, span: &Span) {
        self.span = span.clone();
    }

    /// Makes the commit unsynced, because a part of it is.
    pub(crate) fn leave_unsynced(&mut self) {
        self.durability = Durability::Unsynced;
    }

    /// Takes the exclusive lock for the commit, where the place has locks.
    pub(crate) fn exclude_others(&mut self) {
        self.excludes = true;
    }

    /// Lets the commit make the success file when all else is published. It says that a data set is complete, so no other
    /// commit may go on meanwhile.
    pub(crate) fn make_success_file(&mut self) {
        self.success_file = true;
        self.excludes = true;
    }

    /// Where a staged file stands, by its name in the transaction.
    pub(crate) fn staged_path(&self, staged: &str) -> PathBuf {
        self.backend.staged_path(self.id, Path::new(staged))
    }

    pub(crate) fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend)
    }

    /// Commits the staged files: takes the lock, checks for conflicts, records the decision, and publishes.
    ///
    /// Gives the receipt: that of an earlier commit if the write has a name which was committed; `None` where the write
    /// is ignored because of what is there.
    pub(crate) fn commit(
        mut self,
        conflicts: &ConflictCheck,
        staged: Vec<StagedName>,
        name: Option<&WriteName>,
        receipt: impl FnOnce(&Layout) -> Result<Receipt>,
    ) -> Result<Option<Receipt>> {
        let backend = Arc::clone(&self.backend);
        let _lock = {
            let mut directories = conflicts.affected(&staged);
            directories.extend(self.success_file.then_some(conflicts.scope()));
            let affected = Affected { directories, name };
            let needed = conflicts.mode().lock_kind(name);
            let kind = match self.excludes {
                true => LockKind::Exclusive,
                false => needed,
            };
            match settle_and_lock(backend.as_ref(), kind, Some(self.id), &affected) {
                // Where there are no locks, what needs none goes on without.
                Err(Error::Io { source, .. })
                    if kind != needed && source.kind() == io::ErrorKind::Unsupported =>
                {
                    settle_and_lock(backend.as_ref(), needed, Some(self.id), &affected)?
                }
                locked => locked?,
            }
        };
        if let Some(name) = name
            && let Some(receipt) = backend.recall(conflicts.scope(), name)?
        {
            return Ok(Some(receipt));
        }
        let Some(mut layout) = conflicts.layout(backend.as_ref(), &staged)? else {
            return Ok(None);
        };
        // There may be millions of them.
        drop(staged);
        layout.success_file = self.success_file;
        backend.check_layout(self.id, &layout)?;
        let receipt = receipt(&layout)?;
        let durability = self.durability;
        let sync = || backend.sync_staged(self.id, &layout.staged(), durability);
        let fingerprints = self.meter.measure(Work::Sync, sync)?;
        layout.identify(&fingerprints);
        let place = (backend.named_root(), conflicts.scope().to_owned());
        let plan = Plan::new(self.id, place, durability, name, layout, receipt);
        let decision = Decision::Committed(Box::new(plan));
        let _announced = backend.announce(self.id, durability)?;
        // Nothing is removed on drop any more: the record may stand also where this call fails.
        self.decided = true;
        match backend.decide(self.id, &decision, durability) {
            Ok(Decided::Ours) => {}
            Ok(_) => {
                return Err(Error::Aborted {
                    path: backend.place(self.id),
                });
            }
            Err(error) => {
                self.decided = error.outcome() != Outcome::NotPublished;
                return Err(error);
            }
        }
        let Decision::Committed(plan) = decision else {
            return Err(Error::Aborted {
                path: backend.place(self.id),
            });
        };
        trace::decided(
            self.id,
            plan.receipt.files().len(),
            plan.receipt.removed().len(),
        );
        let notes = carry_out(backend.as_ref(), &plan, false)?;
        Ok(Some(plan.receipt.with_notes(notes)))
    }
}

/// Whether a write is ignored because of what is in the data set now. Like a commit it finishes first what dead writers had
/// decided, and removes what they left.
pub(crate) fn is_ignored_now(backend: &dyn Backend, conflicts: &ConflictCheck) -> Result<bool> {
    if !conflicts.is_ignored(backend)? {
        return Ok(false);
    }
    let affected = Affected {
        directories: conflicts.affected(&[]),
        name: None,
    };
    let _lock = settle_and_lock(backend, LockKind::Shared, None, &affected)?;
    conflicts.is_ignored(backend)
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.decided {
            // Whatever is in the way, recovery removes it: the lease goes with us.
            let _inside = self.span.enter();
            let _ = self.backend.remove(self.id);
            trace::discarded(self.id);
        }
    }
}

//! The lock of a data set in an object store: numbered objects, of which the highest counts.
//!
//! A lock is held by the transaction that it names, as long as the object of that is there: nobody gives it back, and it
//! cannot outlive its holder. Locks are removed only when a higher one is there, so that no number is used twice while
//! somebody could take it for free. A lower one counts where its holder is committed: a commit of other partitions, which
//! nobody could finish, was passed over.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RemoteBackend, encoded};
use crate::backend::{Backend as _, Liveness, Lock};
use crate::disk::LockKind;
use crate::error::{IoContext, Result, Step};
use crate::pauses::Pauses;
use crate::record::{Decision, read_json};
use crate::store::{Expected, Swapped};

/// The directory of the locks, in the control prefix.
const LOCKS: &str = "lock";
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Holder {
    transaction: Uuid,
    number: u64,
}

/// Who holds the lock.
enum Holding {
    Ours,
    Nobody {
        /// Lower locks that count.
        kept: Vec<PathBuf>,
    },
    Alive(Uuid),
    Dead(Uuid),
    /// The locks are others by now.
    Changed,
}

impl RemoteBackend {
    /// Only an exclusive lock is needed: an overwrite removes exactly what its plan names, so that whoever appends
    /// meanwhile loses nothing. Who carries out the commit of another does so under the lock of that.
    pub(super) fn lock(
        &self,
        kind: LockKind,
        holder: Option<Uuid>,
        passed_over: &HashSet<Uuid>,
    ) -> Result<Lock> {
        let own = holder.filter(|holder| self.own(*holder).is_some());
        match (kind, own) {
            (LockKind::Exclusive, Some(holder)) => self.lock_for(holder, passed_over),
            (LockKind::Shared | LockKind::Exclusive, _) => Ok(Lock::Held(Box::new(()))),
        }
    }

    fn lock_for(&self, transaction: Uuid, passed_over: &HashSet<Uuid>) -> Result<Lock> {
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        self.keep_alive(transaction)?;
        loop {
            let locks = self.locks()?;
            let number = locks.last().map_or(1, |(highest, _)| highest + 1);
            match self.find_holder(&locks, transaction, passed_over)? {
                Holding::Ours => return Ok(Lock::Held(Box::new(()))),
                Holding::Dead(holder) => return Ok(Lock::OfDead(holder)),
                Holding::Alive(holder) => self.pause(transaction, &mut pauses, Some(holder))?,
                Holding::Changed => {}
                Holding::Nobody { kept } => {
                    if self.make_lock(number, transaction, &kept)? {
                        return Ok(Lock::Held(Box::new(())));
                    }
                }
            }
        }
    }

    /// Who holds one of the locks, the highest last, other than those that are `passed_over`.
    fn find_holder(
        &self,
        locks: &[(u64, PathBuf)],
        transaction: Uuid,
        passed_over: &HashSet<Uuid>,
    ) -> Result<Holding> {
        let mut kept = Vec::new();
        for (below, (_, path)) in locks.iter().rev().enumerate() {
            let is_highest = below == 0;
            match self.holder(path)? {
                // Somebody has a higher one by now.
                None if is_highest => return Ok(Holding::Changed),
                Some(holder) if holder == transaction && is_highest => return Ok(Holding::Ours),
                Some(holder) if passed_over.contains(&holder) => kept.push(path.clone()),
                Some(holder) if is_highest || self.is_committed(holder)? => {
                    match self.liveness_of_holder(holder)? {
                        Liveness::Gone => {}
                        Liveness::Dead => return Ok(Holding::Dead(holder)),
                        Liveness::Alive => return Ok(Holding::Alive(holder)),
                    }
                }
                // Gone, or that of somebody who came too late for it.
                None | Some(_) => {}
            }
        }
        Ok(Holding::Nobody { kept })
    }

    fn is_committed(&self, transaction: Uuid) -> Result<bool> {
        match self.decision(transaction) {
            // Nobody acts on it.
            Err(error) if error.is_about_record() => Ok(false),
            decision => Ok(matches!(decision?, Some(Decision::Committed(_)))),
        }
    }

    /// Makes a lock, unless somebody else was faster. Lower ones are removed, but for those that are `kept`.
    fn make_lock(&self, number: u64, transaction: Uuid, kept: &[PathBuf]) -> Result<bool> {
        let path = self.lock_path(number);
        let holder = Holder {
            transaction,
            number,
        };
        let bytes = encoded(&holder, &path)?;
        let made = self.store.swap(&self.key(&path)?, bytes, Expected::Absent);
        match made.at(Step::Decide, &path)? {
            Swapped::Done(_) => {}
            Swapped::Lost | Swapped::Gone => return Ok(false),
            Swapped::Unknown(error) => return Err(error).at(Step::Decide, &path),
        }
        // Who slept between the look and this may have made one that was used and removed since.
        let locks = self.locks()?;
        if locks.last().is_some_and(|(highest, _)| *highest > number) {
            return Ok(false);
        }
        // What is left of the lower ones is in nobody's way.
        let _ = self.remove_below(locks, kept);
        Ok(true)
    }

    /// Removes the locks that do not count.
    pub(super) fn sweep_locks(&self) -> Result<()> {
        let locks = self.locks()?;
        let mut kept = Vec::new();
        for (_, path) in locks.iter().rev().skip(1) {
            if let Some(holder) = self.holder(path)?
                && self.is_committed(holder)?
            {
                kept.push(path.clone());
            }
        }
        self.remove_below(locks, &kept)
    }

    fn remove_below(&self, mut locks: Vec<(u64, PathBuf)>, kept: &[PathBuf]) -> Result<()> {
        locks.pop();
        let removed = locks.into_iter().map(|(_, path)| path);
        self.delete(removed.filter(|path| !kept.contains(path)), Step::Decide)
    }

    /// The locks, the highest last.
    fn locks(&self) -> Result<Vec<(u64, PathBuf)>> {
        let listed = self.list(&self.control.join(LOCKS))?;
        let numbered = listed.into_iter().filter_map(|object| {
            let number = object.location.filename()?.parse().ok()?;
            Some((number, self.store.path(&object.location)))
        });
        let mut locks: Vec<(u64, PathBuf)> = numbered.collect();
        locks.sort();
        Ok(locks)
    }

    fn lock_path(&self, number: u64) -> PathBuf {
        self.control.join(LOCKS).join(format!("{number:020}"))
    }

    /// The transaction that holds a lock; `None` if the lock is gone.
    fn holder(&self, path: &Path) -> Result<Option<Uuid>> {
        let Some(object) = self.read(path)? else {
            return Ok(None);
        };
        let holder: Holder = read_json(object.bytes.as_ref(), path)?;
        Ok(Some(holder.transaction))
    }
}

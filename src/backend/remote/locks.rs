//! The lock of a data set in an object store: numbered objects, of which the highest counts.
//!
//! A lock is held by the transaction that it names, as long as the object of that is there: nobody gives it back, and it
//! cannot outlive its holder. Locks are removed only when a higher one is there, so that no number is used twice while
//! somebody could take it for free.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RemoteBackend, encoded};
use crate::backend::{Backend as _, Liveness, Lock};
use crate::disk::LockKind;
use crate::error::{IoContext, Result, Step};
use crate::record::read_json;
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

impl RemoteBackend {
    /// Only an exclusive lock is needed: an overwrite removes exactly what its plan names, so that whoever appends
    /// meanwhile loses nothing. Who carries out the commit of another does so under the lock of that.
    pub(super) fn lock(&self, kind: LockKind, holder: Option<Uuid>) -> Result<Lock> {
        let own = holder.filter(|holder| self.own(*holder).is_some());
        match (kind, own) {
            (LockKind::Exclusive, Some(holder)) => self.lock_for(holder),
            (LockKind::Shared | LockKind::Exclusive, _) => Ok(Lock::Held(Box::new(()))),
        }
    }

    fn lock_for(&self, transaction: Uuid) -> Result<Lock> {
        let mut pause = FIRST_PAUSE;
        self.keep_alive(transaction)?;
        loop {
            let highest = self.locks()?.pop();
            let mut number = 1;
            if let Some((highest, path)) = highest {
                number = highest + 1;
                match self.holder(&path)? {
                    Some(holder) if holder == transaction => return Ok(Lock::Held(Box::new(()))),
                    Some(holder) => match self.liveness(holder)? {
                        Liveness::Gone => {}
                        Liveness::Dead => return Ok(Lock::OfDead(holder)),
                        Liveness::Alive => {
                            self.pause(transaction, pause)?;
                            pause = (pause * 2).min(LONGEST_PAUSE);
                            continue;
                        }
                    },
                    // Somebody has a higher one by now.
                    None => continue,
                }
            }
            if self.make_lock(number, transaction)? {
                return Ok(Lock::Held(Box::new(())));
            }
        }
    }

    /// Makes a lock, unless somebody else was faster.
    fn make_lock(&self, number: u64, transaction: Uuid) -> Result<bool> {
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
        let _ = self.remove_below(locks);
        Ok(true)
    }

    /// Removes the locks of which a higher one is there.
    pub(super) fn sweep_locks(&self) -> Result<()> {
        self.remove_below(self.locks()?)
    }

    fn remove_below(&self, mut locks: Vec<(u64, PathBuf)>) -> Result<()> {
        locks.pop();
        self.delete(locks.into_iter().map(|(_, path)| path), Step::Decide)
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

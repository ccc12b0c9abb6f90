//! Transactions of this process: their state in the store, and the sign that their writer lives.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path as Key;
use uuid::Uuid;

use super::marks::RELEASED;
use super::spool::Spooled;
use super::state::State;
use crate::backend::Guard;
use crate::error::{Error, IoContext, Result, Step};
use crate::record::Decision;
use crate::staging::Workspace;
use crate::store::{Expected, Store, Swapped, Version};

/// How long a writer that gives a commit up tries to say so.
const RELEASED_WITHIN: Duration = Duration::from_secs(10);

/// A transaction of this process.
pub(super) struct Own {
    store: Arc<Store>,
    key: Key,
    /// Where it stands, as errors name it.
    place: PathBuf,
    inner: Mutex<Inner>,
    /// Told when the transaction ends.
    ended: Condvar,
    pub(super) workspace: Workspace,
    spooled: Spooled,
}

/// What may be known of it.
pub(super) struct Inner {
    pub(super) state: State,
    /// The version of the object with that state; none if it has to be asked for.
    version: Option<Version>,
    /// Whether somebody took the writer for dead.
    lost: bool,
    /// Whether nothing shows any more that the writer lives.
    quiet: bool,
    /// The staged objects, by their names in the transaction.
    pub(super) staged: HashMap<PathBuf, StagedObject>,
    /// The transactions that it has adopted.
    pub(super) adopted: Vec<Uuid>,
    /// Whether nothing of it is staged any more.
    pub(super) emptied: bool,
    /// Whether a decision was sent, which may stand whatever was answered.
    pub(super) sent: bool,
    /// Whether the transaction is over, and nothing of it is left to do.
    over: bool,
}

/// A staged object, as it was put.
#[derive(Debug, Clone)]
pub(super) struct StagedObject {
    pub(super) bytes: u64,
    /// The tag of its version, if the store has tags.
    pub(super) tag: Option<String>,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Own").field(&self.key).finish()
    }
}

impl Own {
    /// Puts the object of a new transaction.
    pub(super) fn begin(
        store: Arc<Store>,
        (key, place): (Key, PathBuf),
        state: State,
        spooled: Spooled,
    ) -> Result<Arc<Self>> {
        let bytes = state.to_bytes(&place)?;
        let put = store.swap(&key, bytes, Expected::Absent);
        let version = match put.at(Step::CreateStaging, &place)? {
            Swapped::Done(version) => version,
            Swapped::Unknown(error) => return Err(error).at(Step::CreateStaging, &place),
            // Nobody else makes an object of this name.
            Swapped::Lost | Swapped::Gone => return Err(Error::Aborted { path: place }),
        };
        Ok(Arc::new(Own {
            store,
            key,
            place,
            inner: Mutex::new(Inner {
                state,
                version: Some(version),
                lost: false,
                quiet: false,
                staged: HashMap::new(),
                adopted: Vec::new(),
                emptied: false,
                sent: false,
                over: false,
            }),
            ended: Condvar::new(),
            workspace: spooled.workspace()?,
            spooled,
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows that the writer lives, now and then, until the guard is dropped.
    pub(super) fn keep_alive(self: &Arc<Self>, every: Duration) -> std::io::Result<Guard> {
        let own = Arc::clone(self);
        let beat = move || {
            let mut inner = own.lock();
            loop {
                let waited = own.ended.wait_timeout(inner, every);
                let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                inner = guard;
                if inner.quiet || inner.lost || inner.state.is_decided() {
                    return;
                }
                if timeout.timed_out() {
                    // What fails now is tried again.
                    let _ = own.change(&mut inner, |state| Ok(state.next()));
                }
            }
        };
        let thread = std::thread::Builder::new().name("atomic-arrow-alive".to_owned());
        thread.spawn(beat)?;
        Ok(Box::new(Alive(Arc::clone(self))))
    }

    /// Notes that it is over, and removes its workspace.
    pub(super) fn end(&self) {
        self.lock().over = true;
        self.spooled.remove();
    }

    /// Whether it is committed, and not over.
    fn is_unfinished(&self) -> bool {
        let inner = self.lock();
        if inner.over || inner.lost {
            return false;
        }
        let decision = inner.state.decision(&self.place);
        matches!(decision, Ok(Some(Decision::Committed(_))))
    }

    /// Leaves a commit that is not over to others, who need not wait then until its writer is taken for dead.
    fn release(&self) {
        let key = Key::from(format!("{}.{RELEASED}", self.key));
        let mark = Bytes::from_static(b"released");
        // Where the store does not take it in time, they wait.
        let _ = self.store.put_within(&key, mark, RELEASED_WITHIN);
    }

    /// Fails if somebody took the writer for dead.
    pub(super) fn check(&self) -> Result<()> {
        match self.lock().lost {
            true => Err(self.aborted()),
            false => Ok(()),
        }
    }

    fn aborted(&self) -> Error {
        Error::Aborted {
            path: self.place.clone(),
        }
    }

    /// Changes the state in the store.
    ///
    /// # Errors
    /// [`Error::Aborted`] if somebody took the writer for dead; [`Error::Io`]: it may have been changed then.
    pub(super) fn update(&self, inner: &mut Inner, change: impl FnOnce(&mut State)) -> Result<()> {
        let next = |state: &State| {
            let mut next = state.next();
            change(&mut next);
            Ok(next)
        };
        match self.change(inner, next)? {
            Change::Done => Ok(()),
            Change::Lost => Err(self.aborted()),
            Change::Unknown(error) => Err(error).at(Step::CreateStaging, &self.place),
        }
    }

    /// Records a decision.
    pub(super) fn decide(&self, decision: &Decision) -> Result<Change> {
        let mut inner = self.lock();
        inner.sent = true;
        let adopted = inner.adopted.clone();
        self.change(&mut inner, |state| {
            let mut next = state.decided(decision, &self.place)?;
            next.adopted = adopted;
            Ok(next)
        })
    }

    /// Goes on from the state that is in the store, which is ours.
    pub(super) fn go_on_from(&self, state: State, version: Version) {
        let mut inner = self.lock();
        inner.state = state;
        inner.version = Some(version);
        inner.lost = false;
    }

    fn change(
        &self,
        inner: &mut Inner,
        next: impl FnOnce(&State) -> Result<State>,
    ) -> Result<Change> {
        if inner.lost {
            return Ok(Change::Lost);
        }
        let Some(version) = self.version(inner)? else {
            inner.lost = true;
            return Ok(Change::Lost);
        };
        let next = next(&inner.state)?;
        let bytes = next.to_bytes(&self.place)?;
        let expected = Expected::Version(version);
        let swapped = match next.is_decided() {
            true => self.store.swap_patiently(&self.key, bytes, expected),
            false => self.store.swap(&self.key, bytes, expected),
        };
        match swapped.at(Step::Decide, &self.place)? {
            Swapped::Done(version) => {
                inner.version = Some(version);
                inner.state = next;
                Ok(Change::Done)
            }
            Swapped::Lost | Swapped::Gone => {
                inner.lost = true;
                Ok(Change::Lost)
            }
            Swapped::Unknown(error) => {
                inner.version = None;
                Ok(Change::Unknown(error))
            }
        }
    }

    /// The version of the object; none if it is not ours any more.
    fn version(&self, inner: &mut Inner) -> Result<Option<Version>> {
        if let Some(version) = &inner.version {
            return Ok(Some(version.clone()));
        }
        let found = self.store.get(&self.key).at(Step::Decide, &self.place)?;
        let Some(found) = found else {
            return Ok(None);
        };
        let state = State::read(&found.bytes, &self.place, inner.state.transaction())?;
        // What is undecided only its own writer puts.
        if state.is_decided() {
            return Ok(None);
        }
        // What only we know, as the parts of an upload, is not in it yet.
        inner.state.follow(&state);
        inner.version = Some(found.found.version.clone());
        Ok(Some(found.found.version))
    }
}

/// The result of changing the state of a transaction.
#[derive(Debug)]
pub(super) enum Change {
    Done,
    /// Somebody took the writer for dead.
    Lost,
    /// The store does not tell.
    Unknown(std::io::Error),
}

/// Shows that a writer lives, as long as it is not dropped. The writer does nothing more then.
struct Alive(Arc<Own>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.lock().quiet = true;
        self.0.ended.notify_all();
        if self.0.is_unfinished() {
            self.0.release();
        }
    }
}

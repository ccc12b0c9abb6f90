//! The sign that somebody carries a decided transaction out, so that others leave it to that process.
//!
//! It decides nothing: two that carry out the same plan do the same, twice. It is an object beside that of the transaction, which is
//! put again as long as its maker is at work.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use object_store::path::Path as Key;
use uuid::Uuid;

use super::{RemoteBackend, locked};
use crate::backend::Backend as _;
use crate::error::{IoContext, Result, Step};
use crate::store::{Expected, Store, Swapped, Version};

/// The suffix of a claim, beside the object of its transaction.
pub(super) const CLAIM: &str = "claim";

/// A claim, which is put again now and then until this is dropped, and removed then.
pub(super) struct Claim(Arc<Shared>);

struct Shared {
    store: Arc<Store>,
    key: Key,
    claim: Mutex<Inner>,
    /// Told when the claim is given up.
    given_up: Condvar,
}

#[derive(Default)]
struct Inner {
    /// Whether there may be an object.
    is_put: bool,
    is_over: bool,
}

impl Claim {
    /// A claim, of which the object is put the first time after a while, unless it is there.
    fn new(store: &Arc<Store>, key: Key, is_put: bool, every: Duration) -> Self {
        let shared = Arc::new(Shared {
            store: Arc::clone(store),
            key,
            claim: Mutex::new(Inner {
                is_put,
                is_over: false,
            }),
            given_up: Condvar::new(),
        });
        let beating = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("atomic-arrow-claim".to_owned());
        // Without a thread others may do the same work, and no more.
        let _ = thread.spawn(move || beating.beat(every));
        Claim(shared)
    }
}

impl Shared {
    fn beat(&self, every: Duration) {
        let mut claim = locked(&self.claim);
        loop {
            let waited = self.given_up.wait_timeout(claim, every);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            claim = guard;
            if claim.is_over {
                return;
            }
            if timeout.timed_out() {
                claim.is_put = true;
                // What fails now is tried again.
                let _ = self.store.put(&self.key, content().into());
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Waits until a claim that is being put is there, so that none comes after the removal.
        let mut claim = locked(&self.0.claim);
        claim.is_over = true;
        self.0.given_up.notify_all();
        if claim.is_put {
            // One that stays is in nobody's way for long.
            let _ = self.0.store.delete_all(vec![self.0.key.clone()]);
        }
    }
}

/// A content that no other version has: some stores tell versions by that alone.
fn content() -> String {
    Uuid::now_v7().to_string()
}

impl RemoteBackend {
    pub(super) fn claim_path(&self, transaction: Uuid) -> std::path::PathBuf {
        self.place(transaction).with_extension(CLAIM)
    }

    /// Claims the decided transaction of a dead writer, unless somebody else does: `last` is the claim of somebody who died.
    pub(super) fn claim(&self, transaction: Uuid, last: Option<Version>) -> Result<Option<Claim>> {
        let path = self.claim_path(transaction);
        let key = self.key(&path)?;
        let expected = last.map_or(Expected::Absent, Expected::Version);
        let swapped = self.store.swap(&key, content().into(), expected);
        match swapped.at(Step::Decide, &path)? {
            Swapped::Done(_) => Ok(Some(Claim::new(&self.store, key, true, self.beat()))),
            Swapped::Lost | Swapped::Gone => Ok(None),
            Swapped::Unknown(error) => Err(error).at(Step::Decide, &path),
        }
    }

    /// Shows that the writer of a decided transaction publishes it, if that takes long.
    pub(super) fn show_publishing(&self, transaction: Uuid) -> Option<Claim> {
        let key = self.key(&self.claim_path(transaction)).ok()?;
        Some(Claim::new(&self.store, key, false, self.beat()))
    }
}

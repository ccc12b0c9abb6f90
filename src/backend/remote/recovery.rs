//! Aborting dead transactions, and what goes with a transaction that is removed.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use super::own::Change;
use super::state::State;
use super::{FILES, RemoteBackend, locked, unread};
use crate::backend::Backend as _;
use crate::error::{Error, IoContext, Result, Step};
use crate::record::Decision;
use crate::staging::Swept;
use crate::store::{Expected, Found, Store, Swapped, is_refused};

/// The object by which the conditions of a store are tried.
const PROBE: &str = "probe";
/// The directory of the objects of transactions that are not trusted.
const ASIDE: &str = "aside";

impl RemoteBackend {
    /// Records a decision about a transaction of somebody else who was judged dead.
    pub(super) fn decide_for_dead(&self, transaction: Uuid, decision: &Decision) -> Result<Change> {
        let judged = locked(&self.judged).remove(&transaction);
        let (Some(version), Some((state, _))) = (judged, self.state(transaction)?) else {
            return Ok(Change::Lost);
        };
        if state.is_decided() {
            return Ok(Change::Lost);
        }
        let next = state.decided(decision, &self.place(transaction))?;
        self.change_state(transaction, &next, version)
    }

    pub(super) fn is_older(&self, transaction: Uuid, than: Duration) -> Result<bool> {
        let Some((state, found)) = self.state(transaction)? else {
            return Ok(false);
        };
        if let Some(adopter) = state.adopted_by
            && !self.has_no_adopter(adopter)?
        {
            return Ok(false);
        }
        let now = self.store_now();
        let now = now.map_err(unread(&self.place(transaction)))?;
        let age = now.duration_since(found.modified);
        Ok(age.is_ok_and(|age| age >= than))
    }

    /// Removes a transaction that is aborted, or of ours and undecided, or staged and kept long enough.
    pub(super) fn remove(&self, transaction: Uuid) -> Result<()> {
        if let Some(own) = self.own(transaction) {
            self.give_back(&own, transaction);
            let (state, sent) = {
                let inner = own.lock();
                (inner.state.clone(), inner.sent)
            };
            let may_stand = sent && !self.abort_sent(transaction)?;
            let removed = match may_stand {
                // Others may have acted upon it already.
                true => Ok(()),
                false => self.remove_all(transaction, &state),
            };
            self.forget(transaction);
            return removed;
        }
        match self.state(transaction)? {
            None => Ok(()),
            Some((state, _)) => match state.decision(&self.place(transaction))? {
                Some(Decision::Staged { .. }) => self.discard(transaction),
                Some(Decision::Aborted { .. }) | None => self.remove_all(transaction, &state),
                // Somebody has decided it since.
                Some(Decision::Committed(_)) => Ok(()),
            },
        }
    }

    /// Aborts a transaction of ours of which a decision was sent; false if that stands.
    fn abort_sent(&self, transaction: Uuid) -> Result<bool> {
        let Some((state, found)) = self.state(transaction)? else {
            return Ok(true);
        };
        let place = self.place(transaction);
        match state.decision(&place)? {
            Some(Decision::Aborted { .. }) => Ok(true),
            Some(Decision::Committed(_)) => Ok(false),
            // Somebody commits it.
            Some(Decision::Staged { .. }) if state.adopted_by.is_some() => Ok(false),
            Some(Decision::Staged { .. }) | None => {
                let aborted = state.decided(&Decision::aborted(transaction), &place)?;
                self.swap_state(transaction, &aborted, found.version)
            }
        }
    }

    /// Removes the uploads of a transaction, what it has staged, and its object last.
    ///
    /// # Errors
    /// Where an upload cannot be removed. The object stays as long as that may pass; where the store refuses it for good, the
    /// rules of the bucket have to remove the parts.
    pub(super) fn remove_all(&self, transaction: Uuid, state: &State) -> Result<()> {
        let mut refused = Ok(());
        for upload in &state.uploads {
            // One of a transaction that was adopted is not ours to remove.
            if upload
                .staged
                .parent()
                .is_some_and(|above| above.as_os_str().is_empty())
            {
                let path = self.root.join(&upload.path);
                let aborted = self.store.abort_upload(&self.key(&path)?, &upload.id);
                match aborted {
                    Err(error) if is_refused(&error) => {
                        refused = refused.and(Err(error).at(Step::Publish, &path));
                    }
                    aborted => aborted.at(Step::Publish, &path)?,
                }
            }
        }
        self.remove_objects(transaction)?;
        refused
    }

    /// Removes what a transaction has staged, and its object last.
    pub(super) fn remove_objects(&self, transaction: Uuid) -> Result<()> {
        let directory = self.files_path(transaction);
        let staged = self.store.list(&self.key(&directory)?);
        let staged = staged.at(Step::Decide, &directory)?;
        let staged = staged.into_iter().map(|object| object.location).collect();
        self.store.delete_all(staged).at(Step::Decide, &directory)?;
        let is_released = locked(&self.listed).released.contains(&transaction);
        let mark = is_released.then(|| self.released_path(transaction));
        // The mark last: without it, the transaction would be that of a writer who may live.
        self.delete([self.place(transaction)], Step::Decide)?;
        self.delete(mark, Step::Decide)
    }

    /// Forgets a transaction of ours that is over, and removes its workspace.
    pub(super) fn forget(&self, transaction: Uuid) {
        if let Some(own) = locked(&self.own).remove(&transaction) {
            own.end();
        }
    }

    /// Moves the object of a transaction aside, so that nobody acts on it. What it has staged stays.
    pub(super) fn set_aside(&self, transaction: Uuid) -> Result<PathBuf> {
        let place = self.place(transaction);
        let aside = self.control.join(ASIDE).join(transaction.to_string());
        let copies = vec![(self.key(&place)?, self.key(&aside)?)];
        let copied = self.store.copy_all(copies).at(Step::Decide, &place)?;
        copied
            .into_iter()
            .collect::<io::Result<()>>()
            .at(Step::Decide, &place)?;
        self.delete([place], Step::Decide)?;
        Ok(aside)
    }

    /// Removes what is staged without the object of a transaction, which came after the transaction was aborted, and locks
    /// that are not the highest.
    pub(super) fn sweep_files(&self, dry_run: bool) -> Swept {
        let mut swept = Swept::default();
        let strays = self.sweep_strays(dry_run, &mut swept);
        swept.failed.extend(strays.err());
        if !dry_run {
            swept.failed.extend(self.sweep_locks().err());
            self.forget_old_writes();
        }
        swept
    }

    fn sweep_strays(&self, dry_run: bool, swept: &mut Swept) -> Result<()> {
        let directory = self.transactions_path();
        let read = unread(&directory);
        let listed = self.store.list_directory(&self.key(&directory)?);
        let listed = listed.map_err(&read)?;
        let transactions = listed.objects.iter();
        let transactions = transactions.filter_map(|object| object.location.filename());
        let transactions: HashSet<&str> = transactions.collect();
        for prefix in &listed.common_prefixes {
            let name = prefix.filename().and_then(|name| name.strip_suffix(FILES));
            let Some(name) = name.and_then(|name| name.strip_suffix('.')) else {
                continue;
            };
            let aside = self.control.join(ASIDE).join(name);
            if transactions.contains(name)
                || self
                    .store
                    .head(&self.key(&aside)?)
                    .map_err(&read)?
                    .is_some()
            {
                continue;
            }
            for object in self.store.list(prefix).map_err(&read)? {
                let path = self.store.path(&object.location);
                let old = self.is_dead(Found::listed(&object).modified);
                if !old.map_err(&read)? {
                    swept.alive.push(path);
                    continue;
                }
                if !dry_run {
                    let removed = self.store.delete_all(vec![object.location]);
                    removed.at(Step::Decide, &path)?;
                }
                swept.removed.push(path);
            }
        }
        Ok(())
    }

    /// Refuses a store that does not keep conditions, which is found out once in a process, by an object among what a
    /// transaction that begins will stage: whoever dies here leaves it to the sweep.
    pub(super) fn check_conditions(&self, transaction: Uuid) -> Result<()> {
        let key = self.key(&self.files_path(transaction).join(PROBE))?;
        let kept = self.store.once_checked(|store| {
            let kept = keeps_conditions(store, &key);
            let _ = store.delete_all(vec![key.clone()]);
            kept
        });
        match kept {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::InvalidPath {
                path: self.root.clone(),
                reason: "is in an object store that does not put an object only if none, or a certain one, is there \
                         (If-None-Match, If-Match), or does not keep its metadata: without that no commit can be all or \
                         nothing",
            }),
            Err(error) => Err(error).at(Step::CreateStaging, &self.control),
        }
    }
}

/// Whether a store refuses to put what is there already, and to replace another version than it has, and keeps the tokens by
/// which a writer knows its own object again.
fn keeps_conditions(store: &Store, key: &object_store::path::Path) -> io::Result<bool> {
    // What a store does not answer says nothing of its conditions.
    let put = |text: &'static str, expected| match store.swap(key, text.into(), expected)? {
        Swapped::Unknown(error) => Err(error),
        swapped => Ok(swapped),
    };
    let unsupported = |error: &io::Error| error.kind() == io::ErrorKind::Unsupported;
    let first = match put("first", Expected::Absent) {
        Err(error) if unsupported(&error) => return Ok(false),
        put => put?,
    };
    let Swapped::Done(first) = first else {
        return Ok(false);
    };
    if !matches!(put("again", Expected::Absent)?, Swapped::Lost) {
        return Ok(false);
    }
    let second = match put("second", Expected::Version(first.clone())) {
        Err(error) if unsupported(&error) => return Ok(false),
        put => put?,
    };
    let stale = put("stale", Expected::Version(first))?;
    let has_token = store.head(key)?.is_some_and(|found| found.has_any_token());
    Ok(matches!(second, Swapped::Done(_)) && matches!(stale, Swapped::Lost) && has_token)
}

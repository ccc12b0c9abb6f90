//! Marks beside the object of a transaction: what somebody else than its writer published, what was given up, and which commit its
//! writer has left to others. The first two outlive the transaction.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use object_store::ObjectMeta;
use object_store::path::Path as Key;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{RemoteBackend, is_past, locked, unread};
use crate::backend::Backend as _;
use crate::error::{IoContext, Result, Step};
use crate::record::{Plan, read_json};
use crate::store::Found;

/// The suffix of the mark of a commit that somebody else than its writer carried out, beside the object of its transaction.
pub(super) const LATE: &str = "late";
/// The suffix of the mark of a commit that was given up, beside the object of its transaction.
pub(super) const GIVEN_UP: &str = "given-up";
/// The suffix of the mark of a commit that its writer has left to others, beside the object of its transaction.
pub(super) const RELEASED: &str = "released";
/// How long the mark of a commit that was given up is kept: its writer may sleep until then, and would take the commit for done.
const GIVEN_UP_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a copy that was asked for may still be done.
const STILL_COPIED: Duration = Duration::from_secs(15 * 60);

/// Files that somebody else than their writer published.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Late {
    files: Vec<PathBuf>,
}

/// A commit that somebody gave up.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenUp {
    transaction: Uuid,
}

impl RemoteBackend {
    /// The marks of late publications when transactions were last listed: those that are old enough to go, and the others.
    fn marks(&self) -> io::Result<(Vec<ObjectMeta>, Vec<ObjectMeta>)> {
        let marks = locked(&self.listed).late.clone();
        if marks.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let now = self.decisive_now()?;
        let claims = locked(&self.listed).claims.clone();
        let is_old = |mark: &ObjectMeta| {
            let modified = Found::listed(mark).modified;
            // Whoever made it may be at work still.
            let claim = marked(&mark.location).and_then(|id| claims.get(&id).copied());
            let latest = claim.map_or(modified, |claim| claim.max(modified));
            is_past(now, latest, STILL_COPIED)
        };
        Ok(marks.into_iter().partition(is_old))
    }

    /// Removes the marks that are old enough, and claims and releases of transactions that are gone.
    pub(super) fn sweep_marks(&self) -> Result<()> {
        let (old, _) = self.marks().at(Step::Publish, &self.control)?;
        let mut removed: Vec<Key> = old.into_iter().map(|mark| mark.location).collect();
        let given_up = locked(&self.listed).given_up.clone();
        for mark in given_up {
            let made = Found::listed(&mark).modified;
            let is_old = |now: SystemTime| is_past(now, made, GIVEN_UP_KEPT);
            // The clock of the store is asked where it may say so too.
            if is_old(SystemTime::now())
                && is_old(self.decisive_now().at(Step::Publish, &self.control)?)
            {
                removed.push(mark.location);
            }
        }
        let strays: Vec<(Uuid, SystemTime)> = {
            let listed = locked(&self.listed);
            let claims = listed.claims.iter();
            let strays = claims.filter(|(id, _)| !listed.objects.contains_key(id));
            strays.map(|(id, modified)| (*id, *modified)).collect()
        };
        for (id, modified) in strays {
            if self.is_dead(modified).at(Step::Publish, &self.control)? {
                removed.push(self.key(&self.claim_path(id))?);
            }
        }
        let over = {
            let listed = locked(&self.listed);
            let released = listed.released.iter();
            let over = released.filter(|id| !listed.objects.contains_key(id));
            over.copied().collect::<Vec<_>>()
        };
        for id in over {
            removed.push(self.key(&self.released_path(id))?);
        }
        let removed = self.store.delete_all(removed);
        removed.at(Step::Publish, &self.control)
    }

    pub(super) fn released_path(&self, transaction: Uuid) -> PathBuf {
        self.place(transaction).with_extension(RELEASED)
    }

    /// Whether the writer of a transaction has left it to others, who need not wait until it is taken for dead.
    pub(super) fn is_released(&self, transaction: Uuid) -> Result<bool> {
        if locked(&self.listed).released.contains(&transaction) {
            return Ok(true);
        }
        let is_released = self.look(&self.released_path(transaction))?.is_some();
        if is_released {
            locked(&self.listed).released.insert(transaction);
        }
        Ok(is_released)
    }

    /// Whether a copy may still bring back one of these files.
    pub(super) fn may_still_come(&self, removed: &HashSet<&Path>) -> Result<bool> {
        self.transactions()?;
        let (_, young) = self.marks().map_err(unread(&self.transactions_path()))?;
        for mark in young {
            let path = self.store.path(&mark.location);
            let Some(object) = self.read(&path)? else {
                continue;
            };
            let late: Late = read_json(object.bytes.as_ref(), &path)?;
            if late.files.iter().any(|file| removed.contains(&**file)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn given_up_path(&self, transaction: Uuid) -> PathBuf {
        self.place(transaction).with_extension(GIVEN_UP)
    }

    /// Notes that a commit is given up, before anything of it is removed: its writer may live, and must not tell that all of it is
    /// published.
    pub(super) fn mark_given_up(&self, transaction: Uuid) -> Result<()> {
        let mark = GivenUp { transaction };
        self.put_record(&self.given_up_path(transaction), &mark, Step::Publish)
    }

    pub(super) fn is_given_up(&self, transaction: Uuid) -> Result<bool> {
        let found = self.look(&self.given_up_path(transaction))?;
        Ok(found.is_some())
    }

    /// Takes back that a commit is given up, since all of it was published.
    pub(super) fn unmark_given_up(&self, transaction: Uuid) -> Result<()> {
        self.delete([self.given_up_path(transaction)], Step::Publish)
    }

    /// Notes which files somebody else than their writer publishes: a copy that the writer has asked for may be done after
    /// that, and must not bring back what is removed then.
    pub(super) fn mark_late(&self, plan: &Plan) -> Result<()> {
        let path = self.place(plan.transaction).with_extension(LATE);
        let files = plan.files.iter().map(|file| file.path.clone()).collect();
        self.put_record(&path, &Late { files }, Step::Publish)
    }
}

/// The transaction that an object beside that of it is about.
pub(super) fn marked(key: &Key) -> Option<Uuid> {
    let (name, _) = key.filename()?.split_once('.')?;
    Uuid::try_parse(name).ok()
}

//! Taking the lock of a data set after what dead writers had decided is finished.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::recovery::{Recovered, recover_one, set_aside};
use crate::backend::{Backend, Liveness, Lock};
use crate::disk::LockKind;
use crate::error::{Error, Result, Step};
use crate::pauses::Pauses;
use crate::receipt::WriteName;
use crate::record::Decision;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The directories and the write name that a commit affects.
pub(super) struct Affected<'a> {
    /// Below the data set's root.
    pub(super) directories: Vec<&'a Path>,
    pub(super) name: Option<&'a WriteName>,
}

impl Affected<'_> {
    /// Whether a decided plan has a directory in common with this, or the name of the write.
    fn meets(&self, decision: Option<&Decision>) -> bool {
        let Some(Decision::Committed(plan)) = decision else {
            return false;
        };
        let overlap = |one: &Path, other: &Path| one.starts_with(other) || other.starts_with(one);
        let named = self
            .name
            .is_some_and(|name| plan.write_id.as_ref() == Some(&name.id));
        named
            || plan
                .directories()
                .any(|there| self.directories.iter().any(|here| overlap(here, there)))
    }
}

/// Finishes what dead writers had decided, and takes the lock. A commit that cannot be finished blocks this one only
/// if both change the same directory, or have the same name.
pub(super) fn settle_and_lock(
    backend: &dyn Backend,
    kind: LockKind,
    holder: Option<Uuid>,
    affected: &Affected<'_>,
) -> Result<Lock> {
    let mut unfinished = HashSet::new();
    let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let lock = backend.lock(kind, holder, &unfinished)?;
        match &lock {
            Lock::Unsupported if kind == LockKind::Exclusive => {
                return Err(Error::Io {
                    step: Step::Decide,
                    path: backend.root().to_owned(),
                    source: std::io::ErrorKind::Unsupported.into(),
                });
            }
            // Nobody gets the lock while it is there.
            Lock::OfDead(dead) => {
                match finish(backend, *dead, affected, &mut unfinished) {
                    Ok(true) => {}
                    Ok(false) => backend.sleep(&mut pauses, Some(*dead))?,
                    Err(blocked @ Error::Blocked { .. }) => return Err(blocked),
                    // What is aborted and could not be removed holds no lock.
                    Err(_) if is_aborted(backend, *dead) => {}
                    Err(error) => return Err(blocked(backend, *dead, error)),
                }
                continue;
            }
            Lock::Unsupported | Lock::Held(_) => {}
        }
        let is_held = matches!(lock, Lock::Held(_));
        let neighbours = backend.neighbours()?;
        let all = || neighbours.iter().map(Box::as_ref).chain([backend]);
        let mut settled = true;
        for backend in all() {
            settled &= is_settled(backend, &unfinished)?;
        }
        if settled {
            match backend.check_announced(&neighbours, false) {
                // What was alive a moment ago is looked at again when nobody else is at work.
                Err(Error::OutOfReach { .. }) if kind == LockKind::Shared && is_held => {
                    drop(lock);
                    return settle_and_lock(backend, LockKind::Exclusive, holder, affected);
                }
                checked => checked?,
            }
            return Ok(lock);
        }
        drop(lock);
        let mut changed = false;
        for backend in all() {
            for id in backend.transactions()? {
                if unfinished.contains(&id) || backend.is_recent(id) {
                    continue;
                }
                changed |= match finish(backend, id, affected, &mut unfinished) {
                    Err(Error::SetAside { .. }) => true,
                    Err(error) if error.is_about_record() => false,
                    finished => finished.map_err(of_another)?,
                };
            }
        }
        if !changed {
            // Somebody else is at work on it.
            backend.sleep(&mut pauses, None)?;
        }
    }
}

/// Finishes or removes what a dead writer left, or notes that it cannot be finished. False if there is nothing to do, or if
/// somebody else is at work on it.
///
/// # Errors
/// [`Error::Blocked`] if it cannot be finished and has something in common with this commit.
fn finish(
    backend: &dyn Backend,
    id: Uuid,
    affected: &Affected<'_>,
    unfinished: &mut HashSet<Uuid>,
) -> Result<bool> {
    match recover_one(backend, id, false, false) {
        // It is another's commit that is published in part, and not ours.
        Err(
            error @ (Error::Unfinished { .. } | Error::FilesLost { .. } | Error::NotRemoved { .. }),
        ) => {
            if affected.meets(backend.decision(id)?.as_ref()) {
                return Err(blocked(backend, id, error));
            }
            unfinished.insert(id);
            Ok(true)
        }
        recovered => Ok(matches!(
            recovered?,
            Recovered::Finished | Recovered::Abandoned | Recovered::Removed | Recovered::Gone
        )),
    }
}

fn blocked(backend: &dyn Backend, transaction: Uuid, source: Error) -> Error {
    Error::Blocked {
        path: backend.root().to_owned(),
        transaction,
        source: Box::new(source),
    }
}

fn is_aborted(backend: &dyn Backend, id: Uuid) -> bool {
    let decision = backend.decision(id);
    matches!(decision, Ok(Some(Decision::Aborted { .. }) | None))
}

/// Whether an area holds no commit that a dead writer had decided, other than those known to be `unfinished`. A
/// transaction whose record is not trusted is set aside.
fn is_settled(backend: &dyn Backend, unfinished: &HashSet<Uuid>) -> Result<bool> {
    let mut settled = true;
    for id in backend.transactions()? {
        if backend.is_recent(id) {
            continue;
        }
        let decision = match backend.decision(id) {
            // Set aside, so that no later recovery carries it out over this commit.
            Err(error) if error.is_about_record() => {
                drop(set_aside(backend, id, error));
                continue;
            }
            decision => decision?,
        };
        let committed = matches!(&decision,
            Some(Decision::Committed(plan)) if plan.root == backend.named_root());
        if !committed || unfinished.contains(&id) {
            continue;
        }
        match backend.liveness(id) {
            Err(error) if error.is_about_record() => {}
            found => settled &= found? != Liveness::Dead,
        }
    }
    Ok(settled)
}

/// The error for our commit, which is not published, where another's cannot be finished.
fn of_another(error: Error) -> Error {
    match error {
        Error::Unknown { path, source, .. } => Error::Io {
            step: Step::Decide,
            path,
            source,
        },
        // Nor is it our staging file that is not there.
        Error::Io { step, path, source } if source.kind() == io::ErrorKind::NotFound => Error::Io {
            step,
            path,
            source: io::Error::other(source),
        },
        error => error,
    }
}

//! Recovery: what dead writers decided is published, and what they did not decide is removed.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use uuid::Uuid;

use super::carry_out::carry_out;
use crate::backend::{Backend, Decided, Liveness, Taken};
use crate::disk::LockKind;
use crate::error::{Error, Result};
use crate::options::Durability;
use crate::record::Decision;
use crate::trace;

/// Finishes or removes every transaction whose writer is dead, and what is left of earlier ones. `on_each` is called after
/// each transaction.
pub(crate) fn recover_all(
    backend: &dyn Backend,
    (dry_run, abort_unfinished): (bool, bool),
    on_each: &mut dyn FnMut(),
) -> Result<RecoveredAll> {
    recover_unless(backend, (dry_run, abort_unfinished), &|_| false, on_each)
}

/// The same, but for transactions that are to be `passed_over`.
pub(super) fn recover_unless(
    backend: &dyn Backend,
    (dry_run, abort_unfinished): (bool, bool),
    passed_over: &dyn Fn(Uuid) -> bool,
    on_each: &mut dyn FnMut(),
) -> Result<RecoveredAll> {
    let mut recover = |id| {
        let recovered = recover_one(backend, id, dry_run, abort_unfinished);
        on_each();
        (id, recovered)
    };
    let found = backend.transactions()?;
    let seen: HashSet<Uuid> = found.iter().copied().collect();
    let found = found.into_iter().filter(|id| !passed_over(*id));
    let mut transactions: Vec<_> = found.map(&mut recover).collect();
    let mut left = Vec::new();
    if !dry_run {
        left = backend.sweep();
        // What dead transactions had adopted is staged again, and may have been kept long enough.
        let again = backend.staged_again(&seen)?;
        transactions.extend(again.into_iter().map(recover));
    }
    Ok(RecoveredAll { transactions, left })
}

/// The result of recovery in one staging area.
pub(crate) struct RecoveredAll {
    /// Each transaction, and how its recovery ended.
    pub(crate) transactions: Vec<(Uuid, Result<Recovered>)>,
    /// What is left of earlier transactions and cannot be removed.
    pub(crate) left: Vec<Error>,
}

/// How the recovery of one transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// The transaction was committed; now all of it is published.
    Finished,
    /// The transaction was committed and could not be finished: what is not published of it is given up, and the name
    /// of the write is not remembered.
    Abandoned,
    /// The transaction was not committed; nothing of it is left.
    Removed,
    /// Its writer is alive.
    Alive,
    /// It belongs to another data set in the same staging area, whose own writers finish it.
    OfAnotherRoot,
    /// It is staged for another process to commit, and kept so long in all.
    Waiting(Duration),
    /// Another recovery was faster.
    Gone,
}

/// Finishes or removes one transaction whose writer is dead.
pub(super) fn recover_one(
    backend: &dyn Backend,
    id: Uuid,
    dry_run: bool,
    abort_unfinished: bool,
) -> Result<Recovered> {
    let recovered = find_and_recover(backend, id, dry_run, abort_unfinished);
    if !dry_run {
        match recovered {
            Ok(Recovered::Finished) => trace::took_over(id),
            Ok(Recovered::Abandoned) => trace::gave_up(id),
            Ok(Recovered::Removed) => trace::removed(id),
            _ => {}
        }
    }
    recovered
}

fn find_and_recover(
    backend: &dyn Backend,
    id: Uuid,
    dry_run: bool,
    abort_unfinished: bool,
) -> Result<Recovered> {
    loop {
        let decision = match backend.decision(id) {
            Err(error) if error.is_about_record() && !dry_run => {
                return Err(set_aside(backend, id, error));
            }
            decision => decision?,
        };
        let committed = match decision {
            Some(Decision::Committed(plan)) if plan.root != backend.named_root() => {
                return Ok(Recovered::OfAnotherRoot);
            }
            Some(Decision::Committed(_)) => true,
            // It has no writer whose lease would matter.
            Some(Decision::Staged { keep_seconds, .. }) => {
                let keep = Duration::from_secs(keep_seconds);
                if !backend.is_older(id, keep)? {
                    return Ok(Recovered::Waiting(keep));
                }
                if !dry_run {
                    backend.remove(id)?;
                }
                return Ok(Recovered::Removed);
            }
            Some(Decision::Aborted { .. }) | None => false,
        };
        if dry_run {
            return preview(backend, id);
        }
        // The lock comes before the lease: whoever has the lock and finds something decided by a dead
        // writer must be able to take it.
        let _lock = match committed {
            true => Some(backend.lock(LockKind::Exclusive, Some(id), &HashSet::new())?),
            false => None,
        };
        let _lease = match backend.take(id)? {
            Taken::Ours(lease) => lease,
            Taken::Alive => return Ok(Recovered::Alive),
            Taken::Gone => return Ok(Recovered::Gone),
        };
        let decision = backend.decision(id)?;
        let aborted = Decision::aborted(id);
        let decision = match decision {
            Some(decision) => Some(decision),
            // Somebody who was only taken for dead may decide at this moment: one of the two wins.
            None => match backend.decide(id, &aborted, Durability::Synced)? {
                Decided::Ours => Some(aborted),
                Decided::Another(decision) => Some(decision),
                Decided::Gone => None,
            },
        };
        match decision {
            Some(Decision::Committed(plan)) if committed => {
                if let Err(error) = carry_out(backend, &plan, true) {
                    if !abort_unfinished || lacks_room(&error) {
                        return Err(error);
                    }
                    backend.abandon(&plan)?;
                    let is_published = matches!(error, Error::NotRemoved { .. });
                    return Ok(match is_published && plan.write_id.is_none() {
                        true => Recovered::Finished,
                        false => Recovered::Abandoned,
                    });
                }
                return Ok(Recovered::Finished);
            }
            // Decided since we looked: once more.
            Some(Decision::Committed(_) | Decision::Staged { .. }) => {}
            Some(Decision::Aborted { .. }) => {
                backend.remove(id)?;
                return Ok(Recovered::Removed);
            }
            None => return Ok(Recovered::Gone),
        }
    }
}

/// How the recovery of a transaction that is not staged would end.
fn preview(backend: &dyn Backend, id: Uuid) -> Result<Recovered> {
    Ok(match backend.liveness(id)? {
        Liveness::Alive => Recovered::Alive,
        Liveness::Gone => Recovered::Gone,
        Liveness::Dead => match backend.decision(id)? {
            Some(Decision::Committed(_)) => Recovered::Finished,
            Some(Decision::Staged { keep_seconds, .. }) => {
                Recovered::Waiting(Duration::from_secs(keep_seconds))
            }
            Some(Decision::Aborted { .. }) | None => Recovered::Removed,
        },
    })
}

/// Sets a transaction aside whose record is not to be acted upon, unless its writer is alive or may be. Gives the error
/// that says so.
pub(super) fn set_aside(backend: &dyn Backend, id: Uuid, wrong: Error) -> Error {
    match backend.take(id) {
        Ok(Taken::Ours(_lease)) => match backend.set_aside(id) {
            Ok(path) => Error::SetAside {
                path,
                source: Some(Box::new(wrong)),
            },
            Err(_) => wrong,
        },
        _ => wrong,
    }
}

/// Whether the disk or a quota is full: that passes, so that nothing is given up for it.
fn lacks_room(error: &Error) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            )
        {
            return true;
        }
        cause = error.source();
    }
    false
}

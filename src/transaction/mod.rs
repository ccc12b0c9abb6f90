//! Several files, all or nothing (promise P7): stage, decide, publish, recover.
//!
//! The protocol is written here once, over the verbs of a [`Target`]. One record, put only if none
//! is there, is the commit point: before it nothing is visible, after it everything will be, also if
//! the writer dies, by whoever opens the data set next. Encoding rows is not done here.

mod decision;
mod path_text;
mod plan;
mod staged;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::disk::{Disk, LockKind};
use crate::error::{Error, Outcome, Result, Step};
use crate::options::Durability;
use crate::receipt::Receipt;
use crate::staging::{Area, Home};
use crate::target::{Decided, Hold, LocalTarget, Taken, Target};

pub(crate) use decision::{
    Decision, Exchange, LONGEST, LONGEST_OF_OTHERS, Move, Plan, Removal, read_json,
};
pub(crate) use plan::{Layout, StagedName, Witnessed, staged_name};
pub(crate) use staged::{StagedRecord, StagedRows};

/// A transaction of ours, which nobody takes for dead as long as it lives.
pub(crate) struct Transaction {
    target: Arc<dyn Target>,
    id: Uuid,
    _lease: Hold,
    durability: Durability,
    /// Whether nothing of it may be removed by us any more.
    decided: bool,
}

impl Transaction {
    pub(crate) fn begin(target: Arc<dyn Target>, durability: Durability) -> Result<Self> {
        let (id, lease) = target.begin()?;
        Ok(Transaction {
            target,
            id,
            _lease: lease,
            durability,
            decided: false,
        })
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn durability(&self) -> Durability {
        self.durability
    }

    /// Leaves all of it unsynced, because some of it is.
    pub(crate) fn leave_unsynced(&mut self) {
        self.durability = Durability::Unsynced;
    }

    pub(crate) fn target(&self) -> Arc<dyn Target> {
        Arc::clone(&self.target)
    }

    /// Commits what the staged files make of the data set as it is under the lock, and publishes it.
    ///
    /// Gives the receipt: that of an earlier commit if the write has a name which was committed.
    pub(crate) fn commit(
        mut self,
        witnessed: &Witnessed,
        staged: &[StagedName],
        write_id: Option<&str>,
        receipt: impl FnOnce(&Layout) -> Result<Receipt>,
    ) -> Result<Receipt> {
        let target = Arc::clone(&self.target);
        let _lock = {
            let affected = Affected {
                directories: witnessed.affected(staged),
                write_id,
            };
            let kind = witnessed.mode().lock(write_id);
            settle_and_lock(target.as_ref(), kind, &affected)?
        };
        if let Some(write_id) = write_id
            && let Some(receipt) = target.recall(witnessed.scope(), write_id)?
        {
            return Ok(receipt);
        }
        let mut layout = witnessed.layout(target.as_ref(), staged)?;
        target.check_layout(self.id, &layout)?;
        let receipt = receipt(&layout)?;
        let files = staged.iter().map(|file| file.staged.as_path());
        let (files, durability) = (files.collect::<Vec<_>>(), self.durability);
        let identities = target.seal(self.id, &files, durability)?;
        layout.identify(&files.into_iter().zip(identities).collect());
        let place = (target.named_root(), witnessed.scope().to_owned());
        let name = write_id.map(str::to_owned);
        let plan = Plan::new(self.id, place, durability, name, layout, receipt);
        let decision = Decision::Committed(Box::new(plan));
        let _announced = target.announce(self.id, durability)?;
        // From here on the record tells, whatever this call answers.
        self.decided = true;
        match target.decide(self.id, &decision, durability) {
            Ok(Decided::Ours) => {}
            Ok(_) => {
                return Err(Error::Aborted {
                    path: target.place(self.id),
                });
            }
            Err(error) => {
                self.decided = error.outcome() != Outcome::NotPublished;
                return Err(error);
            }
        }
        let Decision::Committed(plan) = decision else {
            return Err(Error::Aborted {
                path: target.place(self.id),
            });
        };
        carry_out(target.as_ref(), &plan, false)?;
        Ok(plan.receipt)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.decided {
            // Whatever is in the way, recovery removes it: the lease goes with us.
            let _ = self.target.remove(self.id);
        }
    }
}

/// Publishes a decided plan and forgets it.
fn carry_out(target: &dyn Target, plan: &Plan, recovering: bool) -> Result<()> {
    let done = target.hand_over(plan).and_then(|_handed_over| {
        target.publish(plan, recovering)?;
        target.forget(plan)
    });
    done.map_err(|source| {
        let power_cut = recovering && plan.durability() == Durability::Unsynced;
        // That files are gone says more than what came of it.
        match (source, target.check_whole(plan)) {
            (lost @ Error::FilesLost { .. }, _) => lost,
            (_, Err(lost @ Error::FilesLost { .. })) if !power_cut => lost,
            (source, _) => Error::Unfinished {
                path: target.root().to_owned(),
                source: Box::new(source),
            },
        }
    })
}

/// Opens the staging area of a data set, or of a lone file, for writing: what dead writers left there
/// is finished or removed first. What cannot be is for the next one, or for
/// [`recover`](crate::recover), which says why.
pub(crate) fn open_area(disk: &Arc<dyn Disk>, home: Home) -> Result<Area> {
    let area = Area::open(disk, home)?;
    if area.home().is_data_set() {
        let target = LocalTarget::new(area.clone());
        let _ = recover_all(&target, false, false);
        for neighbour in target.neighbours().unwrap_or_default() {
            let _ = recover_all(neighbour.as_ref(), false, false);
        }
    }
    Ok(area)
}

/// Keeps a file that is published by itself from getting lost in an exchange of its directory.
pub(crate) fn lock_for_publishing(area: &Area, path: &Path) -> Result<Option<Hold>> {
    if !area.home().is_data_set() {
        return Ok(None);
    }
    let directory = path.parent().unwrap_or(path);
    let below = directory.strip_prefix(area.home().root());
    let affected = Affected {
        directories: vec![below.unwrap_or(Path::new(""))],
        write_id: None,
    };
    let target = LocalTarget::new(area.clone());
    settle_and_lock(&target, LockKind::Shared, &affected)
}

/// What a commit changes.
struct Affected<'a> {
    /// Below the data set's root.
    directories: Vec<&'a Path>,
    write_id: Option<&'a str>,
}

impl Affected<'_> {
    /// Whether a decided plan has a directory in common with this, or the name of the write.
    fn meets(&self, decision: Option<&Decision>) -> bool {
        let Some(Decision::Committed(plan)) = decision else {
            return false;
        };
        let overlap = |one: &Path, other: &Path| one.starts_with(other) || other.starts_with(one);
        let named = self.write_id.is_some() && self.write_id == plan.write_id.as_deref();
        named
            || plan
                .directories()
                .any(|there| self.directories.iter().any(|here| overlap(here, there)))
    }
}

/// Takes the lock when nothing is left that a dead writer had decided of what this commit changes. What cannot
/// be finished elsewhere in the data set keeps nobody waiting.
fn settle_and_lock(
    target: &dyn Target,
    kind: LockKind,
    affected: &Affected<'_>,
) -> Result<Option<Hold>> {
    let mut unfinished = HashSet::new();
    loop {
        let lock = target.lock(kind)?;
        if lock.is_none() && kind == LockKind::Exclusive {
            return Err(Error::Io {
                step: Step::Decide,
                path: target.root().to_owned(),
                source: std::io::ErrorKind::Unsupported.into(),
            });
        }
        let neighbours = target.neighbours()?;
        let all = || neighbours.iter().map(Box::as_ref).chain([target]);
        let mut settled = true;
        for target in all() {
            settled &= is_settled(target, &unfinished)?;
        }
        if settled {
            match target.check_announced(&neighbours, false) {
                // What was alive a moment ago is looked at again when nobody else is at work.
                Err(Error::OutOfReach { .. }) if kind == LockKind::Shared && lock.is_some() => {
                    drop(lock);
                    return settle_and_lock(target, LockKind::Exclusive, affected);
                }
                checked => checked?,
            }
            return Ok(lock);
        }
        drop(lock);
        for target in all() {
            for id in target.transactions()? {
                if unfinished.contains(&id) {
                    continue;
                }
                match recover_one(target, id, false, false) {
                    // It is another's commit that is published in part, and not ours.
                    Err(error @ (Error::Unfinished { .. } | Error::FilesLost { .. })) => {
                        if affected.meets(target.decision(id)?.as_ref()) {
                            return Err(Error::Blocked {
                                path: target.root().to_owned(),
                                transaction: id,
                                source: Box::new(error),
                            });
                        }
                        unfinished.insert(id);
                    }
                    Err(Error::SetAside { .. }) => {}
                    Err(error) if error.is_about_record() => {}
                    recovered => drop(recovered.map_err(of_another)?),
                }
            }
        }
    }
}

/// Whether nothing stands in an area that a dead writer had decided, but these.
fn is_settled(target: &dyn Target, unfinished: &HashSet<Uuid>) -> Result<bool> {
    let mut settled = true;
    for id in target.transactions()? {
        let decision = match target.decision(id) {
            // What is done in the data set from now on must not be undone by it.
            Err(error) if error.is_about_record() => {
                drop(set_aside(target, id, error));
                continue;
            }
            decision => decision?,
        };
        let committed = matches!(&decision,
            Some(Decision::Committed(plan)) if plan.root == target.named_root());
        if committed && !unfinished.contains(&id) && matches!(target.take(id)?, Taken::Ours(_)) {
            settled = false;
        }
    }
    Ok(settled)
}

/// Sets a transaction aside whose record is not to be acted upon, unless its writer is alive, or that cannot be
/// told; what is to be said of it.
fn set_aside(target: &dyn Target, id: Uuid, wrong: Error) -> Error {
    match target.take(id) {
        Ok(Taken::Ours(_lease)) => match target.set_aside(id) {
            Ok(path) => Error::SetAside {
                path,
                source: Some(Box::new(wrong)),
            },
            Err(_) => wrong,
        },
        _ => wrong,
    }
}

/// What keeps another's commit from being finished says nothing of what became of ours: that is not
/// published.
fn of_another(error: Error) -> Error {
    match error {
        Error::Unknown { path, source } => Error::Io {
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

/// Finishes or removes every transaction whose writer is dead, and says what became of each.
pub(crate) fn recover_all(
    target: &dyn Target,
    dry_run: bool,
    abort_unfinished: bool,
) -> Result<Vec<(Uuid, Result<Recovered>)>> {
    let recover = |id| (id, recover_one(target, id, dry_run, abort_unfinished));
    let recovered = target.transactions()?.into_iter().map(recover).collect();
    if !dry_run {
        target.sweep();
    }
    Ok(recovered)
}

/// What recovery did with one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// It was committed; now all of it is published.
    Finished,
    /// It was committed and could not be finished; what is not published of it is given up.
    Abandoned,
    /// It was not; nothing of it is left.
    Removed,
    /// Its writer is alive.
    Alive,
    /// It is staged, for another to commit it.
    Waiting,
    /// Somebody else was faster.
    Gone,
}

/// Finishes or removes one transaction whose writer is dead.
pub(crate) fn recover_one(
    target: &dyn Target,
    id: Uuid,
    dry_run: bool,
    abort_unfinished: bool,
) -> Result<Recovered> {
    loop {
        let decision = match target.decision(id) {
            Err(error) if error.is_about_record() && !dry_run => {
                return Err(set_aside(target, id, error));
            }
            decision => decision?,
        };
        let committed = match decision {
            // Of another data set in the same area: whoever writes that one sees to it.
            Some(Decision::Committed(plan)) if plan.root != target.named_root() => {
                return Ok(Recovered::Alive);
            }
            Some(Decision::Committed(_)) => true,
            // It has no writer whose lease would matter.
            Some(Decision::Staged { keep_seconds, .. }) => {
                if !target.is_older(id, Duration::from_secs(keep_seconds))? {
                    return Ok(Recovered::Waiting);
                }
                if !dry_run {
                    target.remove(id)?;
                }
                return Ok(Recovered::Removed);
            }
            Some(Decision::Aborted { .. }) | None => false,
        };
        // The lock comes before the lease: whoever has the lock and finds something decided by a dead
        // writer must be able to take it.
        let _lock = match committed && !dry_run {
            true => target.lock(LockKind::Exclusive)?,
            false => None,
        };
        let _lease = match target.take(id)? {
            Taken::Ours(lease) => lease,
            Taken::Alive => return Ok(Recovered::Alive),
            Taken::Gone => return Ok(Recovered::Gone),
        };
        let standing = target.decision(id)?;
        if dry_run {
            return Ok(match standing {
                Some(Decision::Committed(_)) => Recovered::Finished,
                Some(Decision::Staged { .. }) => Recovered::Waiting,
                _ => Recovered::Removed,
            });
        }
        let aborted = Decision::aborted(id);
        let standing = match standing {
            Some(standing) => Some(standing),
            // Somebody who was only taken for dead may decide at this moment: one of the two wins.
            None => match target.decide(id, &aborted, Durability::Synced)? {
                Decided::Ours => Some(aborted),
                Decided::Another(standing) => Some(standing),
                Decided::Gone => None,
            },
        };
        match standing {
            Some(Decision::Committed(plan)) if committed => {
                if let Err(error) = carry_out(target, &plan, true) {
                    if !abort_unfinished {
                        return Err(error);
                    }
                    target.abandon(&plan)?;
                    return Ok(Recovered::Abandoned);
                }
                return Ok(Recovered::Finished);
            }
            // Decided since we looked: once more.
            Some(Decision::Committed(_) | Decision::Staged { .. }) => {}
            Some(Decision::Aborted { .. }) => {
                target.remove(id)?;
                return Ok(Recovered::Removed);
            }
            None => return Ok(Recovered::Gone),
        }
    }
}

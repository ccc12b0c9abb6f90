//! Several files, all or nothing (promise P7): stage, decide, publish, recover.
//!
//! The protocol is written here once, over the verbs of a [`Backend`]. One record, put only if none
//! is there, is the commit point: before it nothing is visible, after it everything will be, also if
//! the writer dies, by whoever opens the data set next. Encoding rows is not done here.

mod plan;
mod staged;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::backend::{Backend, Decided, Guard, LocalBackend, Taken};
use crate::disk::{Disk, Identity, LockKind};
use crate::error::{Error, Outcome, Result, Step};
use crate::options::Durability;
use crate::receipt::{Note, Receipt};
use crate::record::{Decision, Layout, Plan};
use crate::staging::{Area, Home};

pub(crate) use plan::{ConflictCheck, StagedName};

/// A transaction of ours, which nobody takes for dead as long as it lives.
pub(crate) struct Transaction {
    backend: Arc<dyn Backend>,
    id: Uuid,
    _lease: Guard,
    durability: Durability,
    /// Whether nobody else may commit meanwhile, where the mode alone would let him.
    excludes: bool,
    /// The files that were verified, by their names in the transaction's directory.
    verified: HashMap<PathBuf, Identity>,
    /// Whether nothing of it may be removed by us any more.
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
            excludes: false,
            verified: HashMap::new(),
            decided: false,
        })
    }

    /// Lets nothing else than this file, which was verified, be published from where it is staged.
    pub(crate) fn expect(&mut self, staged: &Path, identity: Identity) {
        let place = self.backend.place(self.id);
        let name = staged.strip_prefix(&place).unwrap_or(staged);
        self.verified.insert(name.to_owned(), identity);
    }

    /// A staged file, with what is known of it since it was verified.
    fn known<'a>(&self, staged: &'a Path) -> (&'a Path, Option<Identity>) {
        (staged, self.verified.get(staged).copied())
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

    /// Lets nobody else commit meanwhile, as far as there are locks.
    pub(crate) fn exclude_others(&mut self) {
        self.excludes = true;
    }

    pub(crate) fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend)
    }

    /// Commits what the staged files make of the data set as it is under the lock, and publishes it.
    ///
    /// Gives the receipt: that of an earlier commit if the write has a name which was committed.
    pub(crate) fn commit(
        mut self,
        conflicts: &ConflictCheck,
        staged: &[StagedName],
        write_id: Option<&str>,
        receipt: impl FnOnce(&Layout) -> Result<Receipt>,
    ) -> Result<Receipt> {
        let backend = Arc::clone(&self.backend);
        let _lock = {
            let affected = Affected {
                directories: conflicts.affected(staged),
                write_id,
            };
            let needed = conflicts.mode().lock(write_id);
            let kind = match self.excludes {
                true => LockKind::Exclusive,
                false => needed,
            };
            match settle_and_lock(backend.as_ref(), kind, &affected) {
                // Where there are no locks, what needs none goes on without.
                Err(Error::Io { source, .. })
                    if kind != needed && source.kind() == io::ErrorKind::Unsupported =>
                {
                    settle_and_lock(backend.as_ref(), needed, &affected)?
                }
                locked => locked?,
            }
        };
        if let Some(write_id) = write_id
            && let Some(receipt) = backend.recall(conflicts.scope(), write_id)?
        {
            return Ok(receipt);
        }
        let mut layout = conflicts.layout(backend.as_ref(), staged)?;
        backend.check_layout(self.id, &layout)?;
        let receipt = receipt(&layout)?;
        let files = staged.iter().map(|file| self.known(&file.staged));
        let (files, durability) = (files.collect::<Vec<_>>(), self.durability);
        let identities = backend.sync_staged(self.id, &files, durability)?;
        let paths = files.into_iter().map(|(path, _)| path);
        layout.identify(&paths.zip(identities).collect());
        let place = (backend.named_root(), conflicts.scope().to_owned());
        let name = write_id.map(str::to_owned);
        let plan = Plan::new(self.id, place, durability, name, layout, receipt);
        let decision = Decision::Committed(Box::new(plan));
        let _announced = backend.announce(self.id, durability)?;
        // From here on the record tells, whatever this call answers.
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
        let notes = carry_out(backend.as_ref(), &plan, false)?;
        Ok(plan.receipt.with_notes(notes))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.decided {
            // Whatever is in the way, recovery removes it: the lease goes with us.
            let _ = self.backend.remove(self.id);
        }
    }
}

/// Publishes a decided plan and forgets it. What goes wrong after all of it is published is no error of a commit: it
/// is told beside the receipt.
fn carry_out(backend: &dyn Backend, plan: &Plan, recovering: bool) -> Result<Vec<Note>> {
    let unfinished = |source| Error::Unfinished {
        path: backend.root().to_owned(),
        author: backend.other_author(plan.transaction),
        source: Box::new(source),
    };
    let published = backend
        .hand_over(plan)
        .and_then(|handed_over| Ok((handed_over, backend.publish(plan, recovering)?)));
    let (_handed_over, mut left) = published.map_err(|source| {
        let power_cut = recovering && plan.durability() == Durability::Unsynced;
        // That files are gone says more than the error that followed from it.
        match (source, backend.check_whole(plan)) {
            (lost @ Error::FilesLost { .. }, _) => lost,
            (_, Err(lost @ Error::FilesLost { .. })) if !power_cut => lost,
            (source, _) => unfinished(source),
        }
    })?;
    let mut notes = Vec::new();
    match backend.forget(plan, &left) {
        Ok(more) => left.extend(more),
        // All of it is published. Whoever recovers it must know that it is still there.
        Err(error) if recovering => {
            return Err(Error::NotRemoved {
                path: backend.place(plan.transaction),
                source: io::Error::other(error),
            });
        }
        Err(error) => {
            let is_gone = matches!(backend.decision(plan.transaction), Ok(None));
            if let Some(write_id) = plan.write_id.clone().filter(|_| is_gone)
                && matches!(backend.recall(&plan.scope, &write_id), Ok(None))
            {
                notes.push(Note::NameNotKept { write_id });
            }
            left.push(error);
        }
    }
    for note in left.iter().map(Note::leftover) {
        // It was tried twice.
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    Ok(notes)
}

/// Opens the staging area of a data set, or of a lone file, for writing: what dead writers left there
/// is finished or removed first. What cannot be is for the next one, or for
/// [`recover`](crate::recover), which says why.
pub(crate) fn open_area(disk: &Arc<dyn Disk>, home: Home) -> Result<Area> {
    let area = Area::open(disk, home)?;
    if area.home().is_data_set() {
        let backend = LocalBackend::new(area.clone());
        let _ = recover_all(&backend, false, false);
        for neighbour in backend.neighbours().unwrap_or_default() {
            let _ = recover_all(neighbour.as_ref(), false, false);
        }
    }
    Ok(area)
}

/// Keeps a file that is published by itself from getting lost in an exchange of its directory.
pub(crate) fn lock_for_publishing(area: &Area, path: &Path) -> Result<Option<Guard>> {
    if !area.home().is_data_set() {
        return Ok(None);
    }
    let directory = path.parent().unwrap_or(path);
    let below = directory.strip_prefix(area.home().root());
    let affected = Affected {
        directories: vec![below.unwrap_or(Path::new(""))],
        write_id: None,
    };
    let backend = LocalBackend::new(area.clone());
    settle_and_lock(&backend, LockKind::Shared, &affected)
}

/// The directories and the write name that a commit affects.
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
    backend: &dyn Backend,
    kind: LockKind,
    affected: &Affected<'_>,
) -> Result<Option<Guard>> {
    let mut unfinished = HashSet::new();
    loop {
        let lock = backend.lock(kind)?;
        if lock.is_none() && kind == LockKind::Exclusive {
            return Err(Error::Io {
                step: Step::Decide,
                path: backend.root().to_owned(),
                source: std::io::ErrorKind::Unsupported.into(),
            });
        }
        let neighbours = backend.neighbours()?;
        let all = || neighbours.iter().map(Box::as_ref).chain([backend]);
        let mut settled = true;
        for backend in all() {
            settled &= is_settled(backend, &unfinished)?;
        }
        if settled {
            match backend.check_announced(&neighbours, false) {
                // What was alive a moment ago is looked at again when nobody else is at work.
                Err(Error::OutOfReach { .. }) if kind == LockKind::Shared && lock.is_some() => {
                    drop(lock);
                    return settle_and_lock(backend, LockKind::Exclusive, affected);
                }
                checked => checked?,
            }
            return Ok(lock);
        }
        drop(lock);
        for backend in all() {
            for id in backend.transactions()? {
                if unfinished.contains(&id) {
                    continue;
                }
                match recover_one(backend, id, false, false) {
                    // It is another's commit that is published in part, and not ours.
                    Err(
                        error @ (Error::Unfinished { .. }
                        | Error::FilesLost { .. }
                        | Error::NotRemoved { .. }),
                    ) => {
                        if affected.meets(backend.decision(id)?.as_ref()) {
                            return Err(Error::Blocked {
                                path: backend.root().to_owned(),
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
fn is_settled(backend: &dyn Backend, unfinished: &HashSet<Uuid>) -> Result<bool> {
    let mut settled = true;
    for id in backend.transactions()? {
        let decision = match backend.decision(id) {
            // What is done in the data set from now on must not be undone by it.
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
        match backend.take(id) {
            Err(error) if error.is_about_record() => {}
            taken => settled &= !matches!(taken?, Taken::Ours(_)),
        }
    }
    Ok(settled)
}

/// Sets a transaction aside whose record is not to be acted upon, unless its writer is alive, or that cannot be
/// told; what is to be said of it.
fn set_aside(backend: &dyn Backend, id: Uuid, wrong: Error) -> Error {
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

/// What keeps another's commit from being finished says nothing of what became of ours: that is not
/// published.
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

/// Finishes or removes every transaction whose writer is dead, and says what became of each; and what is left of
/// those before that cannot be removed.
pub(crate) fn recover_all(
    backend: &dyn Backend,
    dry_run: bool,
    abort_unfinished: bool,
) -> Result<RecoveredAll> {
    let recover = |id| (id, recover_one(backend, id, dry_run, abort_unfinished));
    let mut transactions: Vec<_> = backend.transactions()?.into_iter().map(recover).collect();
    let mut left = Vec::new();
    if !dry_run {
        left = backend.sweep();
        let seen: HashSet<Uuid> = transactions.iter().map(|(id, _)| *id).collect();
        // What dead transactions had adopted is staged again, and may have been kept long enough.
        let mut given_back = backend.transactions()?;
        given_back.retain(|id| !seen.contains(id));
        transactions.extend(given_back.into_iter().map(recover));
    }
    Ok(RecoveredAll { transactions, left })
}

/// What recovery did in one staging area.
pub(crate) struct RecoveredAll {
    /// With each transaction what became of it.
    pub(crate) transactions: Vec<(Uuid, Result<Recovered>)>,
    /// What is left of those before and cannot be removed.
    pub(crate) left: Vec<Error>,
}

/// How the recovery of one transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// It was committed; now all of it is published.
    Finished,
    /// It was committed and could not be finished; what is not published of it is given up, and the name of the
    /// write is not remembered.
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

/// Finishes or removes one transaction whose writer is dead.
pub(crate) fn recover_one(
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
            // Of another data set in the same area: whoever writes that one sees to it.
            Some(Decision::Committed(plan)) if plan.root != backend.named_root() => {
                return Ok(Recovered::Alive);
            }
            Some(Decision::Committed(_)) => true,
            // It has no writer whose lease would matter.
            Some(Decision::Staged { keep_seconds, .. }) => {
                if !backend.is_older(id, Duration::from_secs(keep_seconds))? {
                    return Ok(Recovered::Waiting);
                }
                if !dry_run {
                    backend.remove(id)?;
                }
                return Ok(Recovered::Removed);
            }
            Some(Decision::Aborted { .. }) | None => false,
        };
        // The lock comes before the lease: whoever has the lock and finds something decided by a dead
        // writer must be able to take it.
        let _lock = match committed && !dry_run {
            true => backend.lock(LockKind::Exclusive)?,
            false => None,
        };
        let _lease = match backend.take(id)? {
            Taken::Ours(lease) => lease,
            Taken::Alive => return Ok(Recovered::Alive),
            Taken::Gone => return Ok(Recovered::Gone),
        };
        let decision = backend.decision(id)?;
        if dry_run {
            return Ok(match decision {
                Some(Decision::Committed(_)) => Recovered::Finished,
                Some(Decision::Staged { .. }) => Recovered::Waiting,
                _ => Recovered::Removed,
            });
        }
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

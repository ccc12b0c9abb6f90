//! Who is dead, by the clock of the store: whoever has not shown for long that he is at work.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::{Duration, Instant, SystemTime};

use object_store::ObjectMeta;
use object_store::path::Path as Key;
use uuid::Uuid;

use super::claim::CLAIM;
use super::marks::{GIVEN_UP, LATE, RELEASED, marked};
use super::publish::LEFT;
use super::{RemoteBackend, is_past, locked, unread};
use crate::backend::{Backend as _, Liveness, Taken};
use crate::error::{IoContext, Result, Step};
use crate::record::Decision;
use crate::store::{Found, Version};
use crate::trace;

/// The object by which the clock of the store is read.
const CLOCK: &str = "clock";
/// How long the clock of the store is taken to go as that of this machine.
const CLOCK_HOLDS: Duration = Duration::from_secs(30);

/// The objects of transactions, and marks beside them, when they were last listed.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) objects: HashMap<Uuid, Found>,
    /// Those that tell of files which commits should have removed.
    pub(super) left: Vec<Key>,
    /// Those of commits that somebody else than their writer carried out.
    pub(super) late: Vec<ObjectMeta>,
    /// Those of commits that were given up.
    pub(super) given_up: Vec<ObjectMeta>,
    /// The transactions that their writers have left to others.
    pub(super) released: HashSet<Uuid>,
    /// When whoever carries a transaction out has last said so.
    pub(super) claims: HashMap<Uuid, SystemTime>,
    /// The time of the store, and when it was asked for.
    clock: Option<(SystemTime, Instant)>,
    /// Whether the machine's clock was asked instead, by which nothing is decided.
    by_machine: bool,
}

/// What is known of a transaction of somebody else.
enum Judged {
    Gone,
    /// Whoever works on it is alive, or may be.
    Alive,
    Dead(Dead),
}

/// A transaction that nobody works on.
struct Dead {
    /// The version that was judged.
    version: Version,
    decision: Option<Decision>,
    /// What is left of somebody who carried it out, and died.
    claim: Option<Version>,
}

impl Dead {
    fn is_committed(&self) -> bool {
        matches!(self.decision, Some(Decision::Committed(_)))
    }

    fn is_aborted(&self) -> bool {
        matches!(self.decision, Some(Decision::Aborted { .. }))
    }
}

impl RemoteBackend {
    /// The time by the clock of the store: that of an object which is put for it.
    pub(super) fn store_now(&self) -> io::Result<SystemTime> {
        if let Some((time, asked)) = locked(&self.listed).clock
            && asked.elapsed() < CLOCK_HOLDS
        {
            return Ok(time + asked.elapsed());
        }
        let path = self.control.join(CLOCK);
        let key = self.key(&path).map_err(io::Error::other)?;
        match self.store.put(&key, Uuid::now_v7().to_string().into()) {
            // Who may only read is told what this machine's clock says; he decides nothing by it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                locked(&self.listed).by_machine = true;
                return Ok(SystemTime::now());
            }
            put => put.map(drop)?,
        }
        let found = self.store.head(&key)?;
        // Not before: the clock may have been put again while this request took its time, which would make everybody older.
        let asked = Instant::now();
        let time = found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut listed = locked(&self.listed);
        listed.clock = Some((time.modified, asked));
        listed.by_machine = false;
        Ok(time.modified)
    }

    /// The time by which something is decided: who cannot read the clock of the store decides nothing.
    pub(super) fn decisive_now(&self) -> io::Result<SystemTime> {
        let now = self.store_now()?;
        self.check_clock()?;
        Ok(now)
    }

    /// Refuses the clock of this machine, if that was asked instead.
    fn check_clock(&self) -> io::Result<()> {
        match locked(&self.listed).by_machine {
            true => Err(io::ErrorKind::PermissionDenied.into()),
            false => Ok(()),
        }
    }

    pub(super) fn transactions(&self) -> Result<Vec<Uuid>> {
        let directory = self.transactions_path();
        let listed = self.store.list_directory(&self.key(&directory)?);
        let listed = listed.map_err(unread(&directory))?;
        let mut now = locked(&self.listed);
        now.objects.clear();
        now.left.clear();
        now.late.clear();
        now.given_up.clear();
        now.released.clear();
        now.claims.clear();
        for object in listed.objects {
            let id = object.location.filename().map(Uuid::try_parse);
            match (id, object.location.extension()) {
                (Some(Ok(id)), _) => {
                    now.objects.insert(id, Found::listed(&object));
                }
                (_, Some(LEFT)) => now.left.push(object.location),
                (_, Some(LATE)) => now.late.push(object),
                (_, Some(GIVEN_UP)) => now.given_up.push(object),
                (_, Some(RELEASED)) => now.released.extend(marked(&object.location)),
                (_, Some(CLAIM)) => {
                    if let Some(id) = marked(&object.location) {
                        now.claims.insert(id, Found::listed(&object).modified);
                    }
                }
                _ => {}
            }
        }
        let mut transactions: Vec<Uuid> = now.objects.keys().copied().collect();
        transactions.sort();
        Ok(transactions)
    }

    /// The object of a transaction as it was last listed.
    pub(super) fn listed(&self, transaction: Uuid) -> Option<Found> {
        locked(&self.listed).objects.get(&transaction).cloned()
    }

    pub(super) fn is_dead(&self, modified: SystemTime) -> io::Result<bool> {
        self.is_silent(modified, self.dead_after())
    }

    /// Whether the last sign of life is longer ago than this.
    fn is_silent(&self, modified: SystemTime, longer_than: Duration) -> io::Result<bool> {
        Ok(is_past(self.store_now()?, modified, longer_than))
    }

    /// Judges a transaction of somebody else. It is read only where its object is old, or its writer has left it to others.
    fn judge(&self, transaction: Uuid) -> Result<Judged> {
        let path = self.place(transaction);
        let Some(found) = self.look(&path)? else {
            return Ok(Judged::Gone);
        };
        let is_old = self.is_dead(found.modified).map_err(unread(&path))?;
        let is_released = !is_old && self.is_released(transaction)?;
        if !is_old && !is_released {
            return Ok(Judged::Alive);
        }
        let (state, found) = match self.state(transaction) {
            Ok(None) => return Ok(Judged::Gone),
            Ok(Some((state, found))) => (Some(state), found),
            Err(error) if error.is_about_record() => (None, found),
            Err(error) => return Err(error),
        };
        let mut dead = Dead {
            version: found.version.clone(),
            decision: None,
            claim: None,
        };
        let mut patience = self.dead_after();
        if let Some(state) = &state {
            patience = patience.max(state.dead_after());
            dead.decision = match state.decision(&path) {
                Err(error) if error.is_about_record() => None,
                decision => decision?,
            };
        }
        let is_silent = |found: &Found| {
            let is_silent = self.is_silent(found.modified, patience);
            is_silent.map_err(unread(&path))
        };
        if !is_released && !is_silent(&found)? {
            return Ok(Judged::Alive);
        }
        if dead.is_committed()
            && let Some(claim) = self.look(&self.claim_path(transaction))?
        {
            if !is_silent(&claim)? {
                return Ok(Judged::Alive);
            }
            dead.claim = Some(claim.version);
        }
        Ok(Judged::Dead(dead))
    }

    pub(super) fn is_recent(&self, transaction: Uuid) -> bool {
        if self.own(transaction).is_some() {
            return true;
        }
        let signs = {
            let listed = locked(&self.listed);
            let object = listed.objects.get(&transaction);
            let claim = listed.claims.get(&transaction).copied();
            let object = object.filter(|_| !listed.released.contains(&transaction));
            [object.map(|found| found.modified), claim]
        };
        let latest = signs.into_iter().flatten().max();
        latest.is_some_and(|latest| matches!(self.is_dead(latest), Ok(false)))
    }

    pub(super) fn liveness(&self, transaction: Uuid) -> Result<Liveness> {
        if self.own(transaction).is_some() {
            return Ok(Liveness::Alive);
        }
        Ok(match self.judge(transaction)? {
            Judged::Gone => Liveness::Gone,
            Judged::Dead(_) => Liveness::Dead,
            Judged::Alive => Liveness::Alive,
        })
    }

    /// Tells that a commit waits for that of `other`, and how long it may have to.
    pub(super) fn tell_of_wait(&self, other: Option<Uuid>) {
        let Some(other) = other else {
            return trace::waiting_long(&self.root, "another writer");
        };
        let silence = || {
            let (state, found) = self.state(other).ok()??;
            let claim = self.look(&self.claim_path(other)).ok()?;
            let last = claim.map_or(found.modified, |claim| claim.modified.max(found.modified));
            let silent = self
                .store_now()
                .ok()?
                .duration_since(last)
                .unwrap_or_default();
            let patience = self.dead_after().max(state.dead_after());
            Some((silent.as_secs(), patience.as_secs()))
        };
        let whom = format!("another writer, that of transaction {other}");
        match silence() {
            None => trace::waiting_long(&self.root, whom),
            Some((silent, patience)) => trace::waiting_long(
                &self.root,
                format_args!(
                    "{whom}: its last sign of life is {silent} s old, and after {patience} s it is taken for dead"
                ),
            ),
        }
    }

    /// Whether the holder of a lock lives. One that is aborted and could not be removed holds none.
    pub(super) fn liveness_of_holder(&self, holder: Uuid) -> Result<Liveness> {
        if self.own(holder).is_some() {
            return Ok(Liveness::Alive);
        }
        Ok(match self.judge(holder)? {
            Judged::Gone => Liveness::Gone,
            Judged::Dead(dead) if dead.is_aborted() => Liveness::Gone,
            Judged::Dead(_) => Liveness::Dead,
            Judged::Alive => Liveness::Alive,
        })
    }

    /// Judges a transaction by the version of its object that is there now: it is aborted only if it is still that one. One that
    /// is committed is claimed.
    pub(super) fn take(&self, transaction: Uuid) -> Result<Taken> {
        if self.own(transaction).is_some() {
            return Ok(Taken::Alive);
        }
        let dead = match self.judge(transaction)? {
            Judged::Gone => return Ok(Taken::Gone),
            Judged::Alive => return Ok(Taken::Alive),
            Judged::Dead(dead) => dead,
        };
        // Nobody is dead by the clock of this machine.
        let by_store = self.check_clock();
        by_store.at(Step::Decide, &self.control.join(CLOCK))?;
        if dead.is_committed() {
            return Ok(match self.claim(transaction, dead.claim)? {
                Some(claim) => Taken::Ours(Box::new(claim)),
                None => Taken::Alive,
            });
        }
        locked(&self.judged).insert(transaction, dead.version);
        Ok(Taken::Ours(Box::new(())))
    }
}

//! The control directory, which all writers of one root share, whichever staging area each has: the lock, the
//! markers of pending transactions, and what becomes of both when the root itself is exchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::slice;

use uuid::Uuid;

use super::LocalBackend;
use crate::backend::{Backend, Guard, Lock};
use crate::disk::{EntryKind, LockKind, LockOutcome, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Durability;
use crate::record::{Decision, Plan};
use crate::staging::{Area, Control, Pending, is_impossible};

impl LocalBackend {
    /// The control directory of the root.
    pub(super) fn control(&self) -> Control {
        Control::of(&self.disk, &self.root)
    }

    /// The control directories that this user may use, the root's first. A user who may only write in a partition has
    /// one there.
    pub(super) fn controls(&self) -> Vec<Control> {
        let named = self.area.home().named();
        let of = |directory: &Path| Control::of(&self.disk, directory);
        match named == self.root {
            true => vec![of(&self.root)],
            false => vec![of(&self.root), of(named)],
        }
    }

    /// Runs `work` in the first control directory in which this user can do it.
    fn in_control<T>(&self, work: impl Fn(&Control) -> Result<T>) -> Result<(Control, T)> {
        let mut controls = self.controls().into_iter().peekable();
        while let Some(control) = controls.next() {
            match work(&control) {
                Err(Error::Io {
                    step: Step::Decide,
                    source,
                    ..
                }) if is_impossible(&source) && controls.peek().is_some() => {}
                Err(Error::ControlDistrusted { .. }) if controls.peek().is_some() => {}
                done => return done.map(|done| (control, done)),
            }
        }
        Err(io::Error::from(io::ErrorKind::NotFound)).at(Step::Decide, &self.root)
    }

    pub(super) fn lock(&self, kind: LockKind) -> Result<Lock> {
        let interrupt = self.area.home().interrupt();
        let (control, lock) = self.in_control(|control| control.lock(kind, interrupt))?;
        // Who sees it as such may not write there, and then nothing is remembered.
        let _ = control.note_mount();
        Ok(match lock.outcome {
            LockOutcome::Held => Lock::Held(Box::new(lock)),
            LockOutcome::Busy | LockOutcome::Unsupported => Lock::Unsupported,
        })
    }

    pub(super) fn announce(&self, transaction: Uuid, durability: Durability) -> Result<Guard> {
        // Inside the root, everybody sees it.
        if self.is_inside() {
            return Ok(Box::new(()));
        }
        let area = self.area.path();
        let (control, marker) = self.in_control(|control| {
            let marked = control.mark_pending(transaction, area);
            marked.at(Step::Decide, control.path())
        })?;
        if durability == Durability::Synced {
            self.mover(durability).sync(control.path())?;
        }
        Ok(Box::new(marker))
    }

    /// Removes the marker of a pending transaction, as far as it can be removed.
    pub(super) fn unmark_pending(&self, transaction: Uuid) {
        if !self.is_inside() {
            for control in self.controls() {
                control.unmark_pending(transaction);
            }
        }
    }

    /// The markers of pending transactions, each with the control directory that it is in.
    fn pending(&self) -> Result<Vec<(Control, Pending)>> {
        let mut all = Vec::new();
        for control in self.controls() {
            let pending = match control.pending() {
                Err(error) if is_impossible(&error) => continue,
                pending => pending.at(Step::Decide, control.path())?,
            };
            for pending in pending {
                // That of somebody who may not write in the data set says nothing.
                if self.is_of_writer(&control, &pending.path)? {
                    all.push((control.clone(), pending));
                }
            }
        }
        Ok(all)
    }

    /// The other staging areas of this data set: those that any writer would choose, and those that markers name.
    pub(super) fn other_areas(&self) -> Result<Vec<LocalBackend>> {
        let mut others = Vec::new();
        let mut seen = BTreeSet::from([self.area.path().to_owned()]);
        for path in self.area.home().all_areas(self.disk.as_ref()) {
            if seen.insert(path.clone()) {
                others.extend(self.at_area(path));
            }
        }
        let mut announced = BTreeMap::new();
        for (control, pending) in self.pending()? {
            if let Some(area) = pending.given_area()
                && !seen.contains(area)
                && self.is_announced(&control, &pending)?
            {
                let transactions: &mut BTreeSet<Uuid> = announced.entry(area.clone()).or_default();
                transactions.insert(pending.transaction);
            }
        }
        for (path, transactions) in announced {
            others.extend(self.at_area(path).map(|other| LocalBackend {
                announced: Some(transactions),
                ..other
            }));
        }
        Ok(others)
    }

    /// This data set with another area. What cannot be looked at, or belongs to somebody who is not trusted, is
    /// as if it were out of sight: the marker of what is decided there stays.
    fn at_area(&self, path: PathBuf) -> Option<LocalBackend> {
        let area = Area::at(&self.disk, self.area.home().clone(), path);
        let there = self.disk.status(area.path());
        let is_there = matches!(there, Ok(Some((EntryKind::Directory, _))));
        let in_sight =
            is_there && area.check_owner().is_ok() && self.disk.list(area.path()).is_ok();
        in_sight.then(|| LocalBackend::new(area))
    }

    /// Whether to look for the transaction of a marker in an area that only the marker names. Every writer of the root
    /// can make a marker: it must not lead others to something that its author could not change himself, nor to
    /// something that is no transaction.
    fn is_announced(&self, control: &Control, pending: &Pending) -> Result<bool> {
        let Some(area) = pending.given_area() else {
            return Ok(false);
        };
        if !control.is_in(pending, slice::from_ref(area)) {
            return Ok(false);
        }
        let Some(other) = self.at_area(area.clone()) else {
            return Ok(false);
        };
        let place = other.place(pending.transaction);
        if !self.is_of_area(&pending.path, area, &place)? {
            return Ok(false);
        }
        let decided = match other.decision(pending.transaction) {
            Ok(decision) => matches!(decision, Some(Decision::Committed(_))),
            Err(error) if error.is_about_record() => true,
            Err(error) => return Err(error),
        };
        let is_it = other.is_transaction(&place, decided);
        is_it.map_err(|source| Error::Read {
            path: place,
            source,
        })
    }

    /// The areas of this root, whatever its markers name, that can be looked at from here, or are known not to
    /// be there.
    fn areas_in_sight(&self) -> Result<Vec<PathBuf>> {
        let others = self.other_areas()?.into_iter();
        let others = others.filter(|other| other.announced.is_none());
        let mut areas: Vec<PathBuf> = others.map(|other| other.area.path().to_owned()).collect();
        if self.disk.list(self.area.path()).is_ok() {
            areas.push(self.area.path().to_owned());
        }
        let all = self.area.home().all_areas(self.disk.as_ref());
        let all = all.into_iter();
        areas.extend(all.filter(|area| matches!(self.disk.status(area), Ok(None))));
        Ok(areas)
    }

    pub(super) fn check_announced(&self, others: &[Box<dyn Backend>], dry_run: bool) -> Result<()> {
        let here: &dyn Backend = self;
        let targets = || others.iter().map(Box::as_ref).chain([here]);
        let areas = self.areas_in_sight()?;
        for (control, pending) in self.pending()? {
            let out_of_reach = Err(Error::OutOfReach {
                path: self.root.clone(),
                transaction: pending.transaction,
                area: pending.area.clone(),
                marker: pending.path.clone(),
            });
            let dead = control.is_dead(&pending).map_err(|source| Error::Read {
                path: pending.path.clone(),
                source,
            })?;
            if !dead {
                continue;
            }
            let mut found = None;
            for backend in targets() {
                if backend.transactions()?.contains(&pending.transaction) {
                    found = Some(backend);
                }
            }
            if let Some(backend) = found {
                match backend.decision(pending.transaction) {
                    // Of this root, but by another path, which alone leads its files there.
                    Ok(Some(Decision::Committed(plan))) if plan.root != backend.named_root() => {
                        return out_of_reach;
                    }
                    // Its lease and its decision tell, or that this cannot be read.
                    _ => continue,
                }
            }
            if control.is_in(&pending, &areas) || self.is_announced(&control, &pending)? {
                if !dry_run {
                    // Another user's stays for him.
                    let _ = control.remove_marker(&pending);
                }
                continue;
            }
            return out_of_reach;
        }
        Ok(())
    }

    /// Whether a directory may be exchanged: readers do not meet the staging area, and nobody holds on to the directory
    /// itself.
    pub(super) fn may_exchange(&self, directory: &Path) -> Result<bool> {
        let path = self.root.join(directory);
        if self.is_inside() || is_working_directory(&path) {
            return Ok(false);
        }
        if directory.as_os_str().is_empty() {
            // Files can be replaced in a root that cannot itself be moved.
            let above = path.parent().unwrap_or(&path);
            let movable = self.disk.check_writable(above);
            if movable
                .and_then(|()| self.disk.check_removable(&path))
                .is_err_and(|error| is_impossible(&error))
            {
                return Ok(false);
            }
            let control = self.control();
            return control.may_be_exchanged().at(Step::Decide, control.path());
        }
        Ok(true)
    }

    /// Gives a new root, which will take the old one's place, a control directory whose lock we hold.
    pub(super) fn hand_over(&self, plan: &Plan) -> Result<Guard> {
        let whole = |path: &Path| path.as_os_str().is_empty();
        let Some(exchange) = plan.exchanges.iter().find(|exchange| whole(&exchange.path)) else {
            return Ok(Box::new(()));
        };
        let is_there = |path: PathBuf| {
            let there = self.disk.status(&path);
            there.at(Step::Publish, &path).map(|there| there.is_some())
        };
        let directory = self.place(plan.transaction);
        let new = directory.join(&exchange.staged);
        let arranged = exchange.staged.join(&exchange.witness);
        let moves = plan.arrangement.iter();
        let staged = moves.filter(|file| file.path == arranged);
        let mut is_staged = is_there(directory.join(&arranged))?;
        for file in staged {
            is_staged |= is_there(directory.join(&file.staged))?;
        }
        // It is exchanged already, or its files are gone.
        if !is_staged || is_there(self.root.join(&exchange.witness))? {
            return Ok(Box::new(()));
        }
        let area = (!self.is_inside()).then(|| self.area.path());
        let pending = area.map(|area| (plan.transaction, area));
        let lock = self.control().prepare_successor(&new, pending)?;
        let mover = self.mover(plan.durability());
        mover.sync(Control::of(&self.disk, &new).path())?;
        mover.sync(&new)?;
        Ok(Box::new(lock))
    }

    /// Moves the names of committed writes from the old root, which was exchanged, into the new one.
    pub(super) fn take_writes_along(&self, plan: &Plan) -> Result<()> {
        let directory = self.place(plan.transaction);
        let new = self.control();
        for exchange in &plan.exchanges {
            let old = Control::of(&self.disk, &directory.join(&exchange.staged));
            if !exchange.path.as_os_str().is_empty() {
                continue;
            }
            let moved = self
                .disk
                .rename(&old.writes(), &new.writes(), PublishMode::CreateNew);
            match moved {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                moved => {
                    moved.at(Step::Publish, &new.writes())?;
                    self.mover(plan.durability()).sync(new.path())?;
                }
            }
        }
        Ok(())
    }
}

/// Whether this process stands in a directory, or below it.
fn is_working_directory(path: &Path) -> bool {
    env::current_dir().is_ok_and(|current| current.starts_with(path))
}

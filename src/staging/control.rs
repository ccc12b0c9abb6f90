//! The control directory `.atomic` in a data set's root: the lock, and markers that every writer of
//! this root finds, whichever path and whichever user he comes by.
//!
//! Only files without content stand in it, since some readers open every file that they find below a
//! root (promise P4). What they say is in their names. docs/format.md describes them.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::marker::{
    Pending, WriteKey, WriteMarker, is_update_lock, parse_pending, parse_write, pending_name,
    update_name, write_name,
};
use super::place::{INSIDE, is_area_name, is_impossible};
use super::sweep::{is_dead, is_older, sweep_file};
use super::{ATTEMPTS, missing};
use crate::disk::{Disk, DiskFile, EntryKind, Identity, LockKind, LockOutcome};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Interrupt;
use crate::pauses::Wait;
use crate::trace;

/// The name of the lock between publishing files and exchanging directories.
pub(super) const LOCK: &str = "lock";
/// The name of the marker that some writer has seen the root as the top of a mount.
pub(super) const MOUNTED: &str = "mounted";
/// The directory with the markers of committed named writes.
pub(crate) const WRITES: &str = "writes";

/// The control directory of a data set's root.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) root: PathBuf,
    pub(super) path: PathBuf,
}

/// A lock of a control directory, while it is held. Dropping it removes a root that was made for it, if nothing else
/// has come to be there, and the lock of an update.
#[derive(Debug)]
pub(crate) struct ControlLock {
    control: Control,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    pub(crate) outcome: LockOutcome,
    /// The directories that were created for the lock: the root, and those above it.
    made: Vec<PathBuf>,
}

impl Control {
    pub(crate) fn of(disk: &Arc<dyn Disk>, root: &Path) -> Self {
        Control {
            disk: Arc::clone(disk),
            root: root.to_owned(),
            path: root.join(INSIDE),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The owner of a file or directory, if he may not write in the root.
    pub(crate) fn stranger_of(&self, path: &Path) -> io::Result<Option<u32>> {
        let found = self.disk.status(path)?;
        let Some(owner) = found.and_then(|(_, found)| found.owner) else {
            return Ok(None);
        };
        let is_writer = self.disk.could_change(owner.user, path, &self.root, None)?;
        Ok((!is_writer).then_some(owner.user))
    }

    /// The directory with the markers of committed named writes.
    pub(crate) fn writes(&self) -> PathBuf {
        self.path.join(WRITES)
    }

    /// Waits for the lock of the root. When this returns, the lock is at the root's path: a root that was exchanged
    /// meanwhile has another.
    ///
    /// # Errors
    /// [`Error::ControlDistrusted`] if others than the root's writers can take it, and that cannot be mended.
    /// [`Step::CreateDirectory`] if what was made for it cannot be synced, else [`Step::Decide`].
    /// [`Error::Interrupted`] if that was asked for while it waited.
    pub(crate) fn lock(&self, kind: LockKind, interrupt: &Interrupt) -> Result<ControlLock> {
        self.lock_file(LOCK, kind, interrupt)
    }

    /// Waits for the lock that all who update the file `name` of the root take. It is removed when it is given back.
    ///
    /// # Errors
    /// Those of [`lock`](Control::lock).
    pub(crate) fn lock_update(&self, name: &OsStr, interrupt: &Interrupt) -> Result<ControlLock> {
        let name = update_name(name);
        let locked = self.lock_file(&name, LockKind::Exclusive, interrupt);
        if locked.is_err() {
            // It may have been made all the same, or be waited for: it goes unless somebody holds it.
            let _ = sweep_file(self.disk.as_ref(), &self.path.join(name), false);
            let _ = self.disk.remove_directory(&self.path);
        }
        locked
    }

    fn lock_file(&self, name: &str, kind: LockKind, interrupt: &Interrupt) -> Result<ControlLock> {
        let path = self.path.join(name);
        let mut made = Vec::new();
        for _ in 0..ATTEMPTS {
            match self.try_to_lock(&path, (kind, interrupt), &mut made) {
                // The root was exchanged, or removed while it was empty.
                Ok(None) => {}
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Ok(Some((_, LockOutcome::Busy))) => {
                    return Err(Error::Interrupted {
                        step: Step::Decide,
                        path: self.root.clone(),
                    });
                }
                Ok(Some((file, outcome))) => {
                    let control = self.clone();
                    return Ok(ControlLock {
                        control,
                        path,
                        file,
                        outcome,
                        made,
                    });
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from(io::ErrorKind::NotFound)).at(Step::Decide, &path)
    }

    fn try_to_lock(
        &self,
        path: &Path,
        (kind, interrupt): (LockKind, &Interrupt),
        made: &mut Vec<PathBuf>,
    ) -> Result<Option<(Box<dyn DiskFile>, LockOutcome)>> {
        let disk = self.disk.as_ref();
        self.renew(interrupt)?;
        let is_new = disk.status(path).at(Step::Decide, path)?.is_none();
        if is_new {
            let first = made.len();
            self.make(made).at(Step::Decide, &self.path)?;
            for directory in &made[first..] {
                sync_parent(disk, directory, true)?;
            }
            // Thus whoever finds the lock knows that the directory is durable.
            sync_parent(disk, &self.path, made.contains(&self.root))?;
        }
        let lock = || {
            let file = match disk.open_or_create_file(path) {
                // Its maker was killed before he shared it; nothing is in it.
                Err(error)
                    if error.kind() == io::ErrorKind::PermissionDenied
                        && disk.remove_directory(&self.path).is_ok() =>
                {
                    return Ok(None);
                }
                opened => opened?,
            };
            if is_new {
                // Root makes it for the owner.
                let _ = disk.copy_group_and_mode(path, &self.root);
            }
            let (told, wait) = (Cell::new(false), Wait::begin());
            let give_up = || {
                if !told.replace(true) {
                    trace::waiting_for_lock(path);
                }
                if wait.is_to_be_told() {
                    trace::waiting_long(&self.root, "the lock that another writer holds");
                }
                interrupt.is_asked_for(Step::Decide)
            };
            let outcome = file.lock(kind, &give_up)?;
            if outcome == LockOutcome::Busy {
                return Ok(Some((file, outcome)));
            }
            let held = file.status()?.identity;
            let there = disk.status(path)?;
            let is_it = there.is_some_and(|(_, status)| status.identity == held);
            Ok((is_it && self.is_trusted()?).then_some((file, outcome)))
        };
        lock().at(Step::Decide, path)
    }

    /// Opens or makes an empty file of the control directory, and the directory where it is missing.
    pub(super) fn open_or_create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        for _ in 0..ATTEMPTS {
            match self.disk.open_or_create_file(&self.path.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match self.make(&mut Vec::new()) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        made => made?,
                    }
                }
                opened => return opened,
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// Creates the control directory, and those above it that are missing, which are added to `made`.
    pub(super) fn make(&self, made: &mut Vec<PathBuf>) -> io::Result<()> {
        for directory in missing(self.disk.as_ref(), &self.path)? {
            match self.disk.create_directory(&directory) {
                // Where the group and permissions cannot be had, the umask's stay.
                Ok(()) if directory == self.path => {
                    drop(self.disk.copy_group_and_mode(&directory, &self.root));
                }
                Ok(()) => made.push(directory),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Marks a transaction as pending in `area`, and holds the marker's lock.
    pub(crate) fn mark_pending(
        &self,
        transaction: Uuid,
        area: &Path,
    ) -> io::Result<Box<dyn DiskFile>> {
        let anchor = anchor_of_area(self.disk.as_ref(), area)?;
        let marker = self.open_or_create(&pending_name(transaction, &anchor, area))?;
        marker.lock(LockKind::Exclusive, &|| false)?;
        Ok(marker)
    }

    /// The markers of pending transactions.
    pub(crate) fn pending(&self) -> io::Result<Vec<Pending>> {
        let entries = match self.disk.list(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed?,
        };
        let files = entries
            .into_iter()
            .filter(|entry| entry.kind == EntryKind::File);
        Ok(files
            .filter_map(|entry| parse_pending(entry.path))
            .collect())
    }

    /// Removes the marker of a transaction that is no longer pending. One that stays is stale, and is
    /// removed by whoever sees its area next.
    pub(crate) fn unmark_pending(&self, transaction: Uuid) {
        for pending in self.pending().unwrap_or_default() {
            if pending.transaction == transaction {
                let _ = self.disk.remove_file(&pending.path);
            }
        }
    }

    /// Whether the writer of a pending transaction is dead. A marker that is gone stands for none; of one that cannot
    /// be opened the transaction itself has to tell.
    pub(crate) fn is_dead(&self, pending: &Pending) -> io::Result<bool> {
        match self.disk.open_file(&pending.path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(true),
            opened => is_dead(self.disk.as_ref(), &pending.path, opened?.as_ref()),
        }
    }

    /// Whether a pending transaction is staged in one of these areas.
    pub(crate) fn is_in(&self, pending: &Pending, areas: &[PathBuf]) -> bool {
        areas
            .iter()
            .filter_map(|area| anchor_of_area(self.disk.as_ref(), area).ok())
            .any(|anchor| anchor == pending.anchor)
    }

    pub(crate) fn remove_marker(&self, pending: &Pending) -> io::Result<()> {
        match self.disk.remove_file(&pending.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Marks the root as the top of a mount for some writer: nobody may exchange it then.
    pub(crate) fn note_mount(&self) -> io::Result<()> {
        let mounted = self.disk.place(&self.root)?.mount_root;
        if mounted && self.disk.status(&self.path.join(MOUNTED))?.is_none() {
            self.open_or_create(MOUNTED)?;
        }
        Ok(())
    }

    /// Whether the root may be exchanged with another directory: not where it is the top of a mount for
    /// somebody, nor where a writer stages inside it.
    pub(crate) fn may_be_exchanged(&self) -> io::Result<bool> {
        let entries = match self.disk.list(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            listed => listed?,
        };
        // Who updates a file finds that it is another after the exchange.
        let moves_along = |path: &Path| {
            path.ends_with(LOCK)
                || is_update_lock(path)
                || path.ends_with(WRITES)
                || parse_pending(path.to_owned()).is_some() && self.is_own(path)
        };
        Ok(entries.iter().all(|entry| moves_along(&entry.path)))
    }

    /// Whether a file belongs to this user, so that a copy of it says no more than it did.
    fn is_own(&self, path: &Path) -> bool {
        let found = self.disk.status(path).ok().flatten();
        let owner = found.and_then(|(_, found)| found.owner);
        owner.is_none_or(|owner| self.disk.user().is_none_or(|user| user == owner.user))
    }

    /// Prepares the control directory of a root that is to replace this one: with the marker of the transaction that
    /// replaces it, and the other markers of this user; holds its lock. A copy of another's marker would let it count
    /// as this user's.
    pub(crate) fn prepare_successor(
        &self,
        new: &Path,
        own: Option<(Uuid, &Path)>,
    ) -> Result<Box<dyn DiskFile>> {
        let successor = Control::of(&self.disk, new);
        let lock = successor.open_or_create(LOCK).and_then(|lock| {
            lock.lock(LockKind::Exclusive, &|| false)?;
            Ok(lock)
        });
        let lock = lock.at(Step::Publish, &successor.path)?;
        if let Some((transaction, area)) = own {
            let marked = successor.mark_pending(transaction, area);
            drop(marked.at(Step::Publish, &successor.path)?);
        }
        for pending in self.pending().at(Step::Publish, &self.path)? {
            if self.is_own(&pending.path)
                && let Some(name) = pending.path.file_name().and_then(|name| name.to_str())
            {
                let marker = successor.open_or_create(name);
                drop(marker.at(Step::Publish, &successor.path.join(name))?);
            }
        }
        let _ = self.disk.inherit_permissions(&successor.path, &self.path);
        Ok(lock)
    }

    /// Marks a named write as committed, its receipt being kept in `area`; the directory of these markers
    /// is there. Of a stream it has the number.
    pub(crate) fn mark_write(
        &self,
        key: WriteKey,
        sequence: Option<u64>,
        area: &Path,
    ) -> io::Result<()> {
        let path = self.writes().join(write_name(key, sequence, area));
        self.disk.open_or_create_file(&path).map(drop)
    }

    /// Removes the markers of a stream but that of the highest number.
    pub(crate) fn forget_earlier(&self, key: WriteKey) -> io::Result<()> {
        let markers = self.markers_of(key)?;
        let highest = markers.iter().filter_map(|marker| marker.sequence).max();
        for marker in markers {
            if marker.sequence < highest {
                let _ = self.disk.remove_file(&marker.path);
            }
        }
        Ok(())
    }

    /// The marker of a named write, of a stream that of the highest number.
    pub(crate) fn write_marker(&self, key: WriteKey) -> io::Result<Option<WriteMarker>> {
        let markers = self.markers_of(key)?.into_iter();
        Ok(markers.max_by_key(|marker| marker.sequence))
    }

    fn markers_of(&self, key: WriteKey) -> io::Result<Vec<WriteMarker>> {
        let writes = self.writes();
        let entries = match self.disk.list(&writes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed?,
        };
        let markers = entries.iter().filter_map(|entry| parse_write(&entry.path));
        Ok(markers.filter(|marker| marker.key == key).collect())
    }

    /// Removes the markers of named writes that are older, but for those of streams.
    pub(crate) fn forget_writes(&self, older: Duration) {
        let disk = self.disk.as_ref();
        for entry in disk.list(&self.writes()).unwrap_or_default() {
            let Ok(Some((EntryKind::File, status))) = disk.status(&entry.path) else {
                continue;
            };
            let is_stream = WriteKey::is_of_stream(&entry.path);
            if !is_stream && is_older(disk, &entry.path, status.modified, older) {
                let _ = disk.remove_file(&entry.path);
            }
        }
    }
}

impl Drop for ControlLock {
    fn drop(&mut self) {
        let Control { disk, root, path } = &self.control;
        if is_update_lock(&self.path) {
            // Who waits for it finds that it is not there any more, and makes another.
            let _ = disk.remove_file(&self.path);
            for directory in [path].into_iter().chain(self.made.iter().rev()) {
                if disk.remove_directory(directory).is_err() {
                    break;
                }
            }
            return;
        }
        let holds_only = |directory: &Path, name: &str| {
            let entries = disk.list(directory).unwrap_or_default();
            entries.len() == 1 && entries[0].path == directory.join(name)
        };
        // Who waits for the lock finds that it is not the root's any more.
        if self.made.contains(root)
            && holds_only(root, INSIDE)
            && holds_only(path, LOCK)
            && matches!(
                self.file.try_lock(LockKind::Exclusive),
                Ok(LockOutcome::Held)
            )
            && disk.remove_file(&path.join(LOCK)).is_ok()
        {
            for directory in [path].into_iter().chain(self.made.iter().rev()) {
                if disk.remove_directory(directory).is_err() {
                    break;
                }
            }
        }
    }
}

/// Makes the entry of a directory durable ([`Step::CreateDirectory`]). Where the directory above is another user's
/// and cannot be synced, that is an error only if we made the entry.
fn sync_parent(disk: &dyn Disk, directory: &Path, ours: bool) -> Result<()> {
    let parent = directory.parent().unwrap_or(directory);
    match disk.open_directory(parent).and_then(|parent| parent.sync()) {
        Err(error) if !ours && is_impossible(&error) => Ok(()),
        synced => synced.at(Step::CreateDirectory, parent),
    }
}

/// The anchor of an area: a hash that tells it from every other, on every machine and by every path that leads to it.
/// An area that nobody named comes and goes: it is told by the directory that holds it, and by its name.
fn anchor_of_area(disk: &dyn Disk, area: &Path) -> io::Result<String> {
    let (holder, name) = match (is_area_name(area), area.parent()) {
        (true, Some(holder)) => (holder, area.file_name().unwrap_or_default()),
        _ => (area, OsStr::new("")),
    };
    // Device numbers change when a machine starts again.
    let Identity { file, born, .. } = disk.place(holder)?.identity;
    let mut hasher = XxHash3_128::new();
    hasher.write(&file.to_le_bytes());
    // Zero where it is not known: nothing was born in that nanosecond.
    hasher.write(&born.unwrap_or(0).to_le_bytes());
    hasher.write(name.as_encoded_bytes());
    Ok(format!("{:032x}", hasher.finish_128()))
}

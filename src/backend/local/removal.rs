//! Removing what is left of a transaction. Symbolic links in it are removed, and not followed.

use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{ASIDE, ATTEMPTS, DEAD, DECISION, LocalBackend, REPLACED, fingerprint, unless_gone};
use crate::backend::Backend as _;
use crate::disk::{Disk, Entry, EntryKind, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Durability;
use crate::record::{Decision, Removal};

impl LocalBackend {
    /// The files to remove that are gone, or still are what they were when the removal was decided. What was written
    /// under their names since is not a part of that.
    pub(super) fn unchanged(&self, removals: &[Removal]) -> Result<Vec<PathBuf>> {
        let mut unchanged = Vec::new();
        for removal in removals {
            let path = self.root.join(&removal.path);
            let found = self.disk.status(&path).at(Step::Publish, &path)?;
            if found.is_none_or(|(_, status)| removal.is_of(fingerprint(&status))) {
                unchanged.push(removal.path.clone());
            }
        }
        Ok(unchanged)
    }

    /// Removes the directory of a transaction.
    pub(super) fn remove_directory(&self, directory: &Path) -> Result<()> {
        self.check_removable_whole(directory)?;
        // Under another name first, so that a writer that comes back finds none of it.
        let mut dead = directory.with_extension(DEAD);
        let mut moved = self.disk.rename(directory, &dead, PublishMode::CreateNew);
        if matches!(&moved, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            dead = self.place(Uuid::now_v7()).with_extension(DEAD);
            moved = self.disk.rename(directory, &dead, PublishMode::CreateNew);
        }
        unless_gone(moved).map_err(not_removed(directory))?;
        self.remove_aborted(&dead)
    }

    /// Gives the directory of a transaction a name that is none of a transaction.
    pub(super) fn set_aside(&self, transaction: Uuid) -> Result<PathBuf> {
        let directory = self.place(transaction);
        let mut aside = directory.with_extension(ASIDE);
        let mut number = 1;
        loop {
            match self.disk.rename(&directory, &aside, PublishMode::CreateNew) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < ATTEMPTS => {
                    number += 1;
                    aside = directory.with_extension(format!("{ASIDE}{number}"));
                }
                moved => break moved.at(Step::Decide, &directory)?,
            }
        }
        // If it came back, it could be carried out over what has been written since.
        self.mover(Durability::Synced).sync(self.area.path())?;
        Ok(aside)
    }

    /// What stands aside, and what is wrong with each.
    pub(super) fn aside(&self) -> Vec<Error> {
        let entries = self.disk.list(self.area.path()).unwrap_or_default();
        let aside = |entry: Entry| {
            let path = entry.path;
            let extension = path.extension().and_then(|extension| extension.to_str());
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let transaction = stem.and_then(|stem| Uuid::try_parse(stem).ok())?;
            let announced = self.announced.as_ref();
            if announced.is_some_and(|announced| !announced.contains(&transaction)) {
                return None;
            }
            let number = extension.and_then(|extension| extension.strip_prefix(ASIDE));
            let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let is_it = number.is_some_and(is_number) && entry.kind == EntryKind::Directory;
            let wrong = is_it.then(|| self.read_decision(&path.join(DECISION), transaction))?;
            let source = wrong.err().map(Box::new);
            Some(Error::SetAside { path, source })
        };
        entries.into_iter().filter_map(aside).collect()
    }

    /// Removes what is left of all transactions whose removal was begun, and says what cannot be.
    pub(super) fn remove_all_aborted(&self) -> Vec<Error> {
        let mut failed = Vec::new();
        let entries = self.disk.list(self.area.path()).unwrap_or_default();
        for entry in entries {
            let stem = entry.path.file_stem().and_then(|stem| stem.to_str());
            let dead = entry
                .path
                .extension()
                .is_some_and(|extension| extension == DEAD)
                && stem.is_some_and(|stem| Uuid::try_parse(stem).is_ok());
            if dead && entry.kind == EntryKind::Directory {
                failed.extend(self.remove_aborted(&entry.path).err());
            }
        }
        failed
    }

    /// Removes what is left of a transaction but what it had adopted, which goes back to where it was.
    fn remove_aborted(&self, dead: &Path) -> Result<()> {
        self.give_back(dead)?;
        self.remove_replaced(dead)?;
        self.check_removable_whole(dead)?;
        remove_tree(self.disk.as_ref(), dead).map_err(not_removed(dead))
    }

    /// Removes the files that a commit has replaced and could not remove, where it has left a record of that.
    fn remove_replaced(&self, dead: &Path) -> Result<()> {
        let stem = dead.file_stem().and_then(|stem| stem.to_str());
        let Some(transaction) = stem.and_then(|stem| Uuid::try_parse(stem).ok()) else {
            return Ok(());
        };
        match self.read_decision(&dead.join(REPLACED), transaction)? {
            Some(Decision::Committed(plan)) if plan.root == self.named_root() => {
                let mover = self.mover(plan.durability());
                let left = mover.remove_files(&self.root, &self.unchanged(&plan.removed)?)?;
                left.into_iter().next().map_or(Ok(()), Err)
            }
            // Of another data set in the same area: its own writers finish it.
            Some(Decision::Committed(_)) => Err(Error::NotRemoved {
                path: dead.to_owned(),
                source: io::Error::other("it is of another data set with the same staging area"),
            }),
            _ => Ok(()),
        }
    }
}

/// The error about something that cannot be removed.
pub(super) fn not_removed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::NotRemoved { path, source }
}

/// Removes a directory and what is in it, as others may at the same time. Symbolic links are removed, and
/// not followed; what is mounted below stays, and is an error.
///
/// Somebody who may write in it can have moved a directory of others there, if he may write in that; what is deeper in
/// it and he could not have removed himself stays too.
pub(super) fn remove_tree(disk: &dyn Disk, top: &Path) -> io::Result<()> {
    remove_below(disk, top, top)
}

fn remove_below(disk: &dyn Disk, top: &Path, path: &Path) -> io::Result<()> {
    match unless_gone(disk.place(path))? {
        None => return Ok(()),
        Some(place) if place.mount_root => {
            let reason = format!("{} is a mount, and is not removed", path.display());
            return Err(io::Error::new(io::ErrorKind::CrossesDevices, reason));
        }
        Some(_) => {}
    }
    if !unless_gone(is_like_all(disk, top, path))?.unwrap_or(true) {
        return match unless_gone(disk.remove_directory(path)) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                let reason = format!(
                    "what is in {} stays: not all may remove it who could have moved it there",
                    path.display()
                );
                Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
            }
            removed => removed.map(drop),
        };
    }
    for entry in unless_gone(disk.list(path))?.unwrap_or_default() {
        match entry.kind {
            EntryKind::Directory => remove_below(disk, top, &entry.path)?,
            EntryKind::File | EntryKind::Link | EntryKind::Other => {
                let _gone_already = unless_gone(disk.remove_file(&entry.path))?;
            }
        }
    }
    unless_gone(disk.remove_directory(path)).map(drop)
}

/// Whether all who could have moved a directory into the tree at `top` can remove what is in it.
fn is_like_all(disk: &dyn Disk, top: &Path, path: &Path) -> io::Result<bool> {
    const STICKY: u32 = 0o1000;
    const OF_OTHERS: u32 = 0o022;
    if top == path {
        return Ok(true);
    }
    let (above, here) = (disk.status(top)?, disk.status(path)?);
    let (Some((_, above)), Some((_, here))) = (above, here) else {
        return Ok(true);
    };
    if here.mode & STICKY > 0 {
        let is_owners = above.owner.map(|owner| owner.user) == here.owner.map(|owner| owner.user);
        return Ok(is_owners && (above.mode & STICKY > 0 || above.mode & OF_OTHERS == 0));
    }
    // To move a directory elsewhere takes that one may write in it.
    Ok(path.parent() == Some(top) || disk.only_writers_can_change(top, path)?)
}

//! Removing what is left of a transaction. Symbolic links in it are removed, and not followed.

use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{ASIDE, DEAD, DECISION, LocalBackend, identity, unless_gone};
use crate::backend::Backend as _;
use crate::disk::{Disk, Entry, EntryKind, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Durability;
use crate::record::Removal;

impl LocalBackend {
    /// Those of the files that are gone, or are what they were when it was decided to remove them. What
    /// was written under their names since is not a part of that.
    pub(super) fn unchanged(&self, removals: &[Removal]) -> Result<Vec<PathBuf>> {
        let mut unchanged = Vec::new();
        for removal in removals {
            let path = self.root.join(&removal.path);
            let found = self.disk.status(&path).at(Step::Publish, &path)?;
            if found.is_none_or(|(_, status)| removal.is_of(identity(&status))) {
                unchanged.push(removal.path.clone());
            }
        }
        Ok(unchanged)
    }

    /// Removes the directory of a transaction.
    pub(super) fn remove_directory(&self, directory: &Path) -> Result<()> {
        // Under another name first, so that a writer that comes back finds none of it.
        let dead = directory.with_extension(DEAD);
        match self.disk.rename(directory, &dead, PublishMode::CreateNew) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved.at(Step::Decide, directory)?,
        }
        self.remove_aborted(&dead)
    }

    /// Gives the directory of a transaction a name that is none of a transaction.
    pub(super) fn put_aside(&self, transaction: Uuid) -> Result<PathBuf> {
        let directory = self.place(transaction);
        let aside = directory.with_extension(ASIDE);
        self.disk
            .rename(&directory, &aside, PublishMode::CreateNew)
            .at(Step::Decide, &directory)?;
        // If it came back, it could be carried out over what has been written since.
        self.mover(Durability::Synced).sync(self.area.path())?;
        Ok(aside)
    }

    /// What stands aside, and what is wrong with each.
    pub(crate) fn aside(&self) -> Vec<Error> {
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
            let is_it = extension == Some(ASIDE) && entry.kind == EntryKind::Directory;
            let wrong = is_it.then(|| self.read_decision(&path.join(DECISION), transaction))?;
            let source = wrong.err().map(Box::new);
            Some(Error::SetAside { path, source })
        };
        entries.into_iter().filter_map(aside).collect()
    }

    /// Removes what is left of all transactions whose removal was begun, as far as it can be.
    pub(super) fn remove_all_aborted(&self) {
        let entries = self.disk.list(self.area.path()).unwrap_or_default();
        for entry in entries {
            let stem = entry.path.file_stem().and_then(|stem| stem.to_str());
            let dead = entry
                .path
                .extension()
                .is_some_and(|extension| extension == DEAD)
                && stem.is_some_and(|stem| Uuid::try_parse(stem).is_ok());
            if dead && entry.kind == EntryKind::Directory {
                let _ = self.remove_aborted(&entry.path);
            }
        }
    }

    /// Removes what is left of a transaction but what it had adopted, which goes back to where it was.
    fn remove_aborted(&self, dead: &Path) -> Result<()> {
        self.give_back(dead)?;
        remove_tree(self.disk.as_ref(), dead).at(Step::Decide, dead)
    }
}

/// Removes a directory and what is in it, as others may at the same time. Symbolic links are removed, and
/// not followed; what is mounted below stays, and is an error.
pub(super) fn remove_tree(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match unless_gone(disk.place(path))? {
        None => return Ok(()),
        Some(place) if place.mount_root => {
            let reason = format!("{} is a mount, and is not removed", path.display());
            return Err(io::Error::new(io::ErrorKind::CrossesDevices, reason));
        }
        Some(_) => {}
    }
    for entry in unless_gone(disk.list(path))?.unwrap_or_default() {
        match entry.kind {
            EntryKind::Directory => remove_tree(disk, &entry.path)?,
            EntryKind::File | EntryKind::Link | EntryKind::Other => {
                let _gone_already = unless_gone(disk.remove_file(&entry.path))?;
            }
        }
    }
    unless_gone(disk.remove_directory(path)).map(drop)
}

//! Moving what a transaction staged into its place. All of it is idempotent: whoever recovers a
//! transaction does again what may have been done.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::removal::not_removed;
use super::{ATTEMPTS, no_file, unless_gone};
use crate::disk::{Disk, DiskDirectory, EntryKind, PublishMode, SyncScope};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::{Durability, SyncPolicy};
use crate::pool::map_calls;
use crate::publish::{self, RenameOutcome, Share};
use crate::record::{Exchange, Move};
use crate::staging::check_inside;
use crate::trace;

/// Moves the files of a transaction.
pub(super) struct Mover<'a> {
    pub(super) disk: &'a dyn Disk,
    /// Whether the moves are durable in the end.
    pub(super) durability: Durability,
    /// How many directories are synced.
    pub(super) policy: SyncPolicy,
    /// The data set's root, whose group and permissions new directories get where users share it.
    pub(super) root: &'a Path,
    /// Whether files may be missing: a power cut takes what was not synced.
    pub(super) lenient: bool,
}

impl Mover<'_> {
    /// Syncs a directory, if the moves are to be durable. An error if it is not there.
    pub(super) fn sync(&self, path: &Path) -> Result<()> {
        let opened = self.disk.open_directory(path);
        let synced = opened.and_then(|directory| match self.durability {
            Durability::Synced => directory.sync(),
            Durability::Unsynced => Ok(()),
        });
        synced.at(Step::SyncDirectory, path)
    }

    fn sync_all(&self, paths: &[&Path]) -> Result<()> {
        match self.durability {
            Durability::Synced => publish::sync_all(self.disk, paths, Step::SyncDirectory),
            Durability::Unsynced => Ok(()),
        }
    }

    /// The file system of a directory, if so many directories on it are to be synced with it. It tells of failures from now on.
    fn file_system(&self, path: &Path, count: usize) -> Result<Option<Box<dyn DiskDirectory>>> {
        if self.durability == Durability::Unsynced || !self.policy.is_together(count) {
            return Ok(None);
        }
        let opened = self.disk.open_directory(path);
        let opened = opened.at(Step::SyncDirectory, path)?;
        Ok(Some(opened).filter(|opened| opened.reports_file_system_sync(SyncScope::Names)))
    }

    /// Syncs directories, with their file system if that was opened for it.
    fn sync_with(&self, file_system: Option<&dyn DiskDirectory>, paths: &[&Path]) -> Result<()> {
        match (file_system, paths.first()) {
            (Some(file_system), Some(first)) => {
                let synced = file_system.sync_file_system(SyncScope::Names);
                synced.at(Step::SyncDirectory, first)?;
                trace::synced_directories_together();
                Ok(())
            }
            _ => self.sync_all(paths),
        }
    }

    /// Moves staged files into the directories that will be exchanged, within the transaction. Idempotent.
    pub(super) fn arrange(&self, directory: &Path, arrangement: &[Move]) -> Result<()> {
        let mut pending = Vec::new();
        for file in arrangement {
            let from = directory.join(&file.staged);
            // What is not there any more was moved before, and perhaps exchanged already.
            if self.disk.status(&from).at(Step::Publish, &from)?.is_some() {
                pending.push(file.clone());
            }
        }
        self.move_files(directory, directory, &pending)
    }

    /// Moves files from below one directory to below another.
    pub(super) fn move_files(&self, from: &Path, to: &Path, files: &[Move]) -> Result<()> {
        let disk = self.disk;
        let parent = |file: &Move| to.join(&file.path).parent().unwrap_or(to).to_owned();
        let parents: BTreeSet<_> = files.iter().map(parent).collect();
        let list: Vec<&PathBuf> = parents.iter().collect();
        map_calls(list.len(), to, |number| {
            check_inside(disk, to, list[number])
        })?;
        let staged_in: BTreeSet<_> = files
            .iter()
            .filter_map(|file| file.staged.parent())
            .collect();
        for directory in staged_in {
            check_inside(disk, from, &from.join(directory))?;
        }
        let share = Share {
            top: to,
            model: self.root,
        };
        // Where files are renamed from: there is no other file system to which they could go.
        let file_system = self.file_system(from, parents.len())?;
        publish::prepare(disk, &parents, self.durability, share)?;
        map_calls(files.len(), to, |number| {
            let file = &files[number];
            self.move_file(&from.join(&file.staged), &to.join(&file.path), share)
        })?;
        // Once more: others may have removed one that was still empty, and this made it again.
        publish::prepare(disk, &parents, self.durability, share)?;
        let parents: Vec<&Path> = parents.iter().map(PathBuf::as_path).collect();
        self.sync_with(file_system.as_deref(), &parents)
    }

    fn move_file(&self, from: &Path, to: &Path, share: Share<'_>) -> Result<()> {
        let disk = self.disk;
        for _ in 0..ATTEMPTS {
            let Some((kind, status)) = disk.status(from).at(Step::Publish, from)? else {
                // Published before, by us or by whoever recovered it.
                return Ok(());
            };
            if kind != EntryKind::File {
                return Err(no_file(from.to_owned()));
            }
            match publish::rename(disk, from, status.identity, to, PublishMode::CreateNew) {
                Ok(RenameOutcome::Renamed) => {
                    trace::published(to);
                    return Ok(());
                }
                Ok(RenameOutcome::SourceMissing) => return Ok(()),
                Ok(RenameOutcome::TargetExists) => {
                    return Err(Error::AlreadyExists {
                        path: to.to_owned(),
                    });
                }
                // Somebody tidied the directory away while it was empty.
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    let parent = to.parent().unwrap_or(to).to_owned();
                    publish::prepare(disk, &[parent].into(), self.durability, share)?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from(io::ErrorKind::NotFound)).at(Step::Publish, to)
    }

    /// Puts new directories in the places of old ones, and gives the old files that cannot be removed. Idempotent.
    pub(super) fn exchange_all(
        &self,
        directory: &Path,
        exchanges: &[Exchange],
    ) -> Result<Vec<Error>> {
        let paths = exchanges
            .iter()
            .map(|exchange| self.root.join(&exchange.path));
        let parents = paths.map(|path| path.parent().unwrap_or(&path).to_owned());
        let mut changed: BTreeSet<PathBuf> = parents.collect();
        let file_system = self.file_system(directory, changed.len())?;
        let mut left = Vec::new();
        for exchange in exchanges {
            left.extend(self.exchange(directory, self.root, exchange)?);
        }
        if !exchanges.is_empty() {
            changed.insert(directory.to_owned());
        }
        let changed: Vec<&Path> = changed.iter().map(PathBuf::as_path).collect();
        self.sync_with(file_system.as_deref(), &changed)?;
        Ok(left)
    }

    /// Puts a new directory in the place of an old one, and gives the old files that cannot be removed. Idempotent.
    fn exchange(&self, directory: &Path, root: &Path, exchange: &Exchange) -> Result<Vec<Error>> {
        let disk = self.disk;
        let staged = directory.join(&exchange.staged);
        let path = root.join(&exchange.path);
        let witness = path.join(&exchange.witness);
        let parent = path.parent().unwrap_or(&path);
        check_inside(disk, root, &path)?;
        check_inside(disk, directory, &staged)?;
        let share = Share {
            top: root,
            model: root,
        };
        publish::prepare(disk, &[parent.to_owned()].into(), self.durability, share)?;
        let done = disk.status(&witness).at(Step::Publish, &witness)?.is_some();
        let there = disk.status(&path).at(Step::Publish, &path)?.is_some();
        if !done {
            // What is there must not go before all that replaces it is known to be there.
            self.check_there(&staged, &exchange.files)?;
        }
        let exchanged = match (done, there) {
            // Perhaps only begun, where nothing can be exchanged.
            (true, _) => Err(io::ErrorKind::Unsupported.into()),
            (false, true) => {
                // Whoever shares the old one shares the new one, and nobody else, as far as we may say.
                let _ = disk.inherit_permissions(&staged, &path);
                disk.exchange(&staged, &path)
            }
            (false, false) => disk.rename(&staged, &path, PublishMode::CreateNew),
        };
        let mut left = Vec::new();
        match exchanged {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                left = self.replace_one_by_one(&staged, &path, exchange)?;
            }
            // A power cut took what was not synced, and must not keep others from committing.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && self.durability == Durability::Unsynced
                    && disk.status(&staged).at(Step::Publish, &staged)?.is_none() => {}
            done => {
                done.at(Step::Publish, &path)?;
                trace::exchanged(&path);
            }
        }
        Ok(left)
    }

    /// Publishes the new files, then removes the old ones: a reader may see both for a moment. Idempotent, and
    /// without effect after an exchange.
    fn replace_one_by_one(
        &self,
        staged: &Path,
        path: &Path,
        exchange: &Exchange,
    ) -> Result<Vec<Error>> {
        let stay = |file: &PathBuf| Move {
            staged: file.clone(),
            path: file.clone(),
            identity: String::new(),
        };
        // The witness comes first, durably: whoever goes on after a crash must not exchange any more.
        self.move_files(staged, path, &[stay(&exchange.witness)])?;
        let files: Vec<Move> = exchange.files.iter().map(stay).collect();
        self.move_files(staged, path, &files)?;
        self.check_there(path, &exchange.files)?;
        self.remove_files(path, &exchange.removed)
    }

    /// Whether a directory is reached through another mount than the one above it, or is on another device.
    fn is_of_another_mount(&self, top: &Path, directory: &Path) -> Result<bool> {
        let place = |path: &Path| unless_gone(self.disk.place(path)).at(Step::Publish, path);
        let (Some(above), Some(below)) = (place(top)?, place(directory)?) else {
            return Ok(false);
        };
        let mounts = above.mount.zip(below.mount);
        Ok(above.identity.device != below.identity.device
            || mounts.is_some_and(|(above, below)| above != below))
    }

    fn check_there(&self, top: &Path, files: &[PathBuf]) -> Result<()> {
        if self.lenient {
            return Ok(());
        }
        for file in files {
            let path = top.join(file);
            if self.disk.status(&path).at(Step::Publish, &path)?.is_none() {
                return Err(io::Error::from(io::ErrorKind::NotFound)).at(Step::Publish, &path);
            }
        }
        Ok(())
    }

    /// Removes files below a directory, and the directories that are empty then, as far as
    /// they can be, and says which files cannot be. Idempotent.
    pub(super) fn remove_files(&self, top: &Path, files: &[PathBuf]) -> Result<Vec<Error>> {
        let disk = self.disk;
        let mut left = Vec::new();
        let mut parents = BTreeSet::new();
        let mut mounted = BTreeSet::new();
        for file in files {
            let path = top.join(file);
            let parent = path.parent().unwrap_or(top);
            if parents.insert(parent.to_owned()) {
                check_inside(disk, top, parent)?;
                if self.is_of_another_mount(top, parent)? {
                    mounted.insert(parent.to_owned());
                }
            }
            if mounted.contains(parent) {
                let reason = "it is in a mount below the data set, in which nothing is removed";
                let source = io::Error::new(io::ErrorKind::CrossesDevices, reason);
                left.push(not_removed(&path)(source));
                continue;
            }
            let removed = unless_gone(disk.remove_file(&path));
            left.extend(removed.map_err(not_removed(&path)).err());
        }
        let mut there = Vec::new();
        for parent in &parents {
            if disk.status(parent).at(Step::Publish, parent)?.is_some() {
                there.push(parent.as_path());
            }
        }
        // Also where nothing was to be removed any more: whoever did that may have died before this.
        self.sync_all(&there)?;
        for parent in there.iter().rev() {
            let below_top = parent.ancestors().take_while(|above| *above != top);
            for directory in below_top {
                if disk.remove_directory(directory).is_err() {
                    break;
                }
            }
        }
        Ok(left)
    }
}

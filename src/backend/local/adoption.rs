//! Transactions that are staged for others to commit: recording them, adopting them, giving them back.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use super::record_owners::UntrustedOwners;
use super::{DECISION, LocalBackend, STAGED, unless_gone};
use crate::backend::{Adopted, Backend as _, Waiting};
use crate::disk::{EntryKind, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Durability;
use crate::pool::map_calls;
use crate::publish;
use crate::record::{Decision, Plan, StagedRecord};
use crate::staging::{Area, SCRATCH, is_older};

impl LocalBackend {
    /// Writes the record of what is staged, and removes scratch files, which nobody needs while it waits.
    pub(super) fn record(&self, transaction: Uuid, record: &StagedRecord) -> Result<()> {
        let directory = self.place(transaction);
        for entry in self.disk.list(&directory).unwrap_or_default() {
            let extension = entry.path.extension();
            if extension.is_some_and(|extension| extension == SCRATCH) {
                // If it stays, it goes with the transaction.
                let _ = self.disk.remove_file(&entry.path);
            }
        }
        let path = directory.join(STAGED);
        match self.put(transaction, &path, record, PublishMode::CreateNew) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(Error::Aborted { path: directory })
            }
            put => put.map(drop),
        }
    }

    /// Moves a staged transaction, in whichever area it stands, into a directory, and gives its record.
    pub(super) fn take_in(&self, directory: &Path, staged: Uuid) -> Result<Option<Adopted>> {
        let name = staged.to_string();
        for area in self.area.home().all_areas(self.disk.as_ref()) {
            let from = area.join(&name);
            let owned = Area::at(&self.disk, self.area.home().clone(), area);
            if owned.check_owner().is_err() {
                continue;
            }
            let Some((record, mut owners)) = self.read_staged(&from, staged)? else {
                continue;
            };
            let lengths = self.look_at_files(&from, &record, &mut owners)?;
            if record.root != self.named_root() {
                return Err(Error::InvalidDecision {
                    path: from,
                    reason: "is of another data set".to_owned(),
                });
            }
            self.check_staged(&owners, &record)?;
            let to = directory.join(&name);
            return match self.disk.rename(&from, &to, PublishMode::CreateNew) {
                Ok(()) => Ok(Some(Adopted { record, lengths })),
                // Somebody else has it, or us: we were taken for dead.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error).at(Step::Decide, &from),
            };
        }
        Ok(None)
    }

    /// Everything that is staged for others, in every area.
    pub(super) fn waiting(&self) -> Result<Vec<Waiting>> {
        let mut waiting = Vec::new();
        for backend in [self].into_iter().chain(&self.other_areas()?) {
            for transaction in backend.transactions()? {
                match backend.waiting_one(transaction) {
                    Ok(found) => waiting.extend(found),
                    Err(error) if error.is_about_record() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(waiting)
    }

    fn waiting_one(&self, transaction: Uuid) -> Result<Option<Waiting>> {
        let directory = self.place(transaction);
        // Before its decision is read: that of a commit may name millions of files.
        match self.look(&directory.join(STAGED)) {
            Err(Error::Read { path, source }) => return Err(self.unopened(&path, source)?),
            Ok(None) => return Ok(None),
            found => drop(found?),
        }
        let path = directory.join(DECISION);
        let decision = self.read_decision(&path, transaction)?;
        let Some(Decision::Staged { keep_seconds, .. }) = decision else {
            return Ok(None);
        };
        let found = self.look(&path)?.zip(self.read_staged_record(&directory)?);
        let of_this = found.filter(|(_, (record, _))| record.root == self.named_root());
        Ok(of_this.map(|(status, (record, _))| Waiting {
            transaction,
            record,
            since: status.modified,
            keep: Duration::from_secs(keep_seconds),
        }))
    }

    /// Removes a staged transaction, in whichever area it stands.
    pub(super) fn discard(&self, staged: Uuid) -> Result<()> {
        for area in self.area.home().all_areas(self.disk.as_ref()) {
            let directory = area.join(staged.to_string());
            if self.is_staged(&directory, staged)? {
                self.remove_directory(&directory)?;
            }
        }
        self.area.tidy();
        Ok(())
    }

    /// Moves the transactions that a dead one had adopted back into the area, if they are still whole.
    pub(super) fn give_back(&self, dead: &Path) -> Result<()> {
        for (path, staged) in self.adopted(dead)? {
            if !self.is_whole(&path, staged)? {
                continue;
            }
            let place = self.place(staged);
            match self.disk.rename(&path, &place, PublishMode::CreateNew) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                moved => moved.at(Step::Decide, &place)?,
            }
        }
        Ok(())
    }

    /// The transactions that one in a directory has adopted, and their directories in it.
    fn adopted(&self, directory: &Path) -> Result<Vec<(PathBuf, Uuid)>> {
        let entries = unless_gone(self.disk.list(directory)).at(Step::Decide, directory)?;
        let entries = entries.unwrap_or_default().into_iter();
        let directories = entries.filter(|entry| entry.kind == EntryKind::Directory);
        let named = directories.filter_map(|entry| {
            let name = entry.path.file_name()?.to_str()?;
            let staged = Uuid::try_parse(name).ok()?;
            Some((entry.path, staged))
        });
        Ok(named.collect())
    }

    /// Whether a directory holds a staged transaction of which no file has been published.
    fn is_whole(&self, directory: &Path, staged: Uuid) -> Result<bool> {
        let Some((record, _)) = self.read_staged(directory, staged)? else {
            return Ok(false);
        };
        // Whichever data set it belongs to: the area may serve several.
        for file in &record.files {
            if self.look(&directory.join(file.staged()))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes it durable that the published files of adopted transactions have left their directories: else a power cut
    /// after the decision is removed could bring them back with files that are published already.
    pub(super) fn sync_adopted(&self, directory: &Path, plan: &Plan) -> Result<()> {
        if plan.durability() == Durability::Unsynced {
            return Ok(());
        }
        let adopted = plan.adopted_directories().into_iter();
        self.sync_there(
            &adopted
                .map(|below| directory.join(below))
                .collect::<Vec<_>>(),
        )
    }

    /// Syncs directories of a transaction, unless somebody else has removed it.
    fn sync_there(&self, directories: &[PathBuf]) -> Result<()> {
        let paths: Vec<&Path> = directories.iter().map(PathBuf::as_path).collect();
        match publish::sync_all(self.disk.as_ref(), &paths, Step::SyncDirectory) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced,
        }
    }

    /// Ends what was adopted and has all its files still, since they were written again and those are published: else it
    /// would be given back, and be staged for a second commit. Where the commit is `abandoned`, what has no file at its final
    /// path is left to be given back.
    pub(super) fn end_rewritten(
        &self,
        directory: &Path,
        plan: &Plan,
        abandoned: bool,
    ) -> Result<()> {
        let moved = plan.adopted_directories();
        let mut ended = Vec::new();
        for (path, staged) in self.adopted(directory)? {
            let has_moved = path
                .strip_prefix(directory)
                .is_ok_and(|below| moved.contains(below));
            if has_moved || abandoned && !self.is_published(&path, staged, plan)? {
                continue;
            }
            let decision = path.join(DECISION);
            unless_gone(self.disk.remove_file(&decision)).at(Step::Decide, &decision)?;
            ended.push(path);
        }
        // If one came back after a crash, so would what is staged.
        self.sync_there(&ended)
    }

    /// Whether a file of an adopted transaction, or what was written in its place, is where the plan publishes it.
    fn is_published(&self, directory: &Path, staged: Uuid, plan: &Plan) -> Result<bool> {
        let Some((record, _)) = self.read_staged(directory, staged)? else {
            return Ok(false);
        };
        for file in &record.files {
            let path = plan.scope.join(file.file().path());
            if self.look(&self.root.join(path))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_staged(&self, directory: &Path, transaction: Uuid) -> Result<bool> {
        let decision = self.read_decision(&directory.join(DECISION), transaction)?;
        Ok(matches!(decision, Some(Decision::Staged { .. })))
    }

    /// The record of a staged transaction in a directory, and its owners.
    fn read_staged(
        &self,
        directory: &Path,
        staged: Uuid,
    ) -> Result<Option<(StagedRecord, UntrustedOwners)>> {
        match self.is_staged(directory, staged)? {
            true => self.read_staged_record(directory),
            false => Ok(None),
        }
    }

    /// The record of what is staged in the directory of a transaction, whatever is decided about that, and its owners.
    fn read_staged_record(
        &self,
        directory: &Path,
    ) -> Result<Option<(StagedRecord, UntrustedOwners)>> {
        let path = directory.join(STAGED);
        let opened = self.open_record(&path)?;
        let read = |(record, owners)| Ok((StagedRecord::from_json(record, &path)?, owners));
        opened.map(read).transpose()
    }

    /// Adds the owners of the files of a record, and gives the length of each that is there.
    fn look_at_files(
        &self,
        directory: &Path,
        record: &StagedRecord,
        owners: &mut UntrustedOwners,
    ) -> Result<Vec<Option<u64>>> {
        let files = &record.files;
        let found = map_calls(files.len(), directory, |number| {
            self.look(&directory.join(files[number].staged()))
        })?;
        for (file, found) in files.iter().zip(&found) {
            if let Some(owner) = found.and_then(|found| found.owner) {
                let path = directory.join(file.staged());
                self.add_owners(owners, [(path.as_path(), owner)])?;
            }
        }
        Ok(found
            .iter()
            .map(|found| Some(found.as_ref()?.len))
            .collect())
    }

    pub(super) fn is_record_older(&self, path: &Path, than: Duration) -> Result<bool> {
        let disk = self.disk.as_ref();
        let found = self.look(path)?;
        Ok(found.is_some_and(|status| is_older(disk, path, status.modified, than)))
    }
}

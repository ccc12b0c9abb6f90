//! Carrying out a decided plan in an object store, and ending its transaction.
//!
//! Each publication uses up something that whoever recovers the commit takes away: the copy of a staged object needs its
//! source, and parts can be put together once. So a writer that wakes up late brings back nothing that was removed since.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::{State, Upload};
use super::{RemoteBackend, fingerprint, locked};
use crate::backend::Backend as _;
use crate::error::{Error, IoContext, Result, Step};
use crate::record::{Move, Plan, Removal, read_json};
use crate::store::Found;
use crate::trace;

/// The suffix of the record of files that a commit should have removed and could not, beside the object of its transaction.
pub(super) const LEFT: &str = "left";
/// Files that a commit should have removed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    removed: Vec<Removal>,
}

impl RemoteBackend {
    /// Publishes what is not published yet of a plan, and gives the files that should go and cannot be removed.
    pub(super) fn publish(&self, plan: &Plan, recovering: bool) -> Result<Vec<Error>> {
        let Some(state) = self.decided_state(plan.transaction)? else {
            // Somebody who took us for dead has done all of this.
            return Ok(Vec::new());
        };
        match self.publish_decided(plan, &state, recovering) {
            // And others may have replaced it since.
            Err(_) if self.state(plan.transaction)?.is_none() => Ok(Vec::new()),
            published => published,
        }
    }

    fn publish_decided(&self, plan: &Plan, state: &State, recovering: bool) -> Result<Vec<Error>> {
        if recovering {
            self.mark_late(plan)?;
        }
        let success_file = plan.success_file().map(|path| self.root.join(path));
        if success_file.is_some() {
            // Who slept until somebody ended it must not touch that of a later commit.
            if self.state(plan.transaction)?.is_none() {
                return Ok(Vec::new());
            }
            self.delete(success_file.clone(), Step::Publish)?;
        }
        let uploads = state.uploads_by_name();
        let (in_parts, staged): (Vec<&Move>, Vec<&Move>) = plan
            .files
            .iter()
            .partition(|file| uploads.contains_key(file.staged.as_path()));
        self.copy(plan, &staged)?;
        self.map(in_parts.len(), |number| {
            let file = in_parts[number];
            self.complete(plan, file, uploads[file.staged.as_path()])
        })?;
        let staged = staged
            .iter()
            .map(|file| self.staged_path(plan.transaction, &file.staged));
        // What stays goes with the transaction.
        let emptied = self.delete(staged, Step::Publish).is_ok();
        if let Some(own) = self.own(plan.transaction) {
            let mut own = own.lock();
            own.emptied = emptied && own.staged.len() + in_parts.len() == plan.files.len();
        }
        let left = self.remove_files(&plan.removed)?;
        if let Some(path) = success_file {
            let put = self.store.put(&self.key(&path)?, Bytes::new());
            put.at(Step::Publish, &path)?;
        }
        Ok(left)
    }

    /// The state of a decided transaction; `None` if it is gone.
    fn decided_state(&self, transaction: Uuid) -> Result<Option<State>> {
        if let Some(own) = self.own(transaction) {
            let state = own.lock().state.clone();
            if state.is_decided() {
                return Ok(Some(state));
            }
        }
        Ok(self.state(transaction)?.map(|(state, _)| state))
    }

    /// Copies staged objects to their paths.
    fn copy(&self, plan: &Plan, files: &[&Move]) -> Result<()> {
        let copies = files.iter().map(|file| {
            let from = self.staged_path(plan.transaction, &file.staged);
            let to = self.root.join(&file.path);
            Ok((self.key(&from)?, self.key(&to)?))
        });
        let copied = self.store.copy_all(copies.collect::<Result<_>>()?);
        let copied = copied.at(Step::Publish, &self.root)?;
        let mut failed = None;
        let mut missing = Vec::new();
        for (file, copied) in files.iter().zip(copied) {
            let path = self.root.join(&file.path);
            match copied {
                Ok(()) => trace::published(&path),
                // Its source is gone, or it is there already, which some stores say.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                    ) =>
                {
                    missing.push(*file);
                }
                Err(error) => failed = failed.or(Some((path, error))),
            }
        }
        let looked = match self.store.copies_later() {
            true => files.to_vec(),
            false => missing,
        };
        let lengths = match looked.is_empty() {
            true => HashMap::new(),
            false => lengths(plan),
        };
        if let Some(path) = self.unpublished(&looked, &lengths)?.into_iter().next() {
            // Whether it is lost, a look at what is staged tells.
            failed = failed.or(Some((path, io::ErrorKind::NotFound.into())));
        }
        match failed {
            Some((path, error)) => Err(error).at(Step::Publish, &path),
            None => Ok(()),
        }
    }

    /// Puts the parts of a file together, unless that was done.
    fn complete(&self, plan: &Plan, file: &Move, upload: &Upload) -> Result<()> {
        let path = self.root.join(&file.path);
        let key = self.key(&path)?;
        let bytes = upload.parts.as_ref().map_or(0, |parts| parts.bytes);
        let completed = match &upload.parts {
            Some(parts) if upload.path == file.path => self.store.complete_upload(&key, parts),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let found = self.published(&path)?;
        match (completed, found) {
            (Ok(()), Some(found)) if found.size == bytes => {
                trace::published(&path);
                Ok(())
            }
            // Done by an earlier request.
            (Err(_), Some(found)) if found.size == bytes => Ok(()),
            (Err(error), _) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).at(Step::Publish, &path)
            }
            _ => Err(self.lost(plan, &[path])),
        }
    }

    /// The object that is published at a path, or `None` if none is there.
    fn published(&self, path: &Path) -> Result<Option<Found>> {
        self.store.head(&self.key(path)?).at(Step::Publish, path)
    }

    /// The paths of those of these files that are not there, or not in the length that is known of them.
    fn unpublished(
        &self,
        files: &[&Move],
        lengths: &HashMap<PathBuf, u64>,
    ) -> Result<Vec<PathBuf>> {
        let found = self.map(files.len(), |number| {
            let below = &files[number].path;
            let path = self.root.join(below);
            let found = self.published(&path)?;
            let expected = lengths.get(below);
            let is_whole = found.is_some_and(|found| expected.is_none_or(|len| *len == found.size));
            Ok((!is_whole).then_some(path))
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    fn lost(&self, plan: &Plan, lost: &[PathBuf]) -> Error {
        let total = plan.files.len() as u64;
        Error::FilesLost {
            path: self.root.clone(),
            first: lost.first().cloned().unwrap_or_default(),
            lost: lost.len() as u64,
            published: total - lost.len() as u64,
            total,
            recorded: true,
        }
    }

    /// Whether each file of a decided plan is staged, or published.
    pub(super) fn check_whole(&self, plan: &Plan) -> Result<()> {
        let Some(state) = self.decided_state(plan.transaction)? else {
            return Ok(());
        };
        let uploads = state.uploads_by_name();
        let mut there = HashSet::new();
        for directory in [Path::new("")]
            .into_iter()
            .chain(plan.adopted_directories())
        {
            let transaction = match directory.to_str().map(Uuid::try_parse) {
                Some(Ok(adopted)) => adopted,
                _ => plan.transaction,
            };
            let names = self.staged_objects(transaction)?.into_keys();
            there.extend(names.map(|name| directory.join(name)));
        }
        let gone = plan.files.iter().filter(|file| {
            // Only the store knows whether its parts are there.
            !there.contains(&file.staged) && !uploads.contains_key(&*file.staged)
        });
        let lost = self.unpublished(&gone.collect::<Vec<_>>(), &HashMap::new())?;
        match lost.is_empty() {
            true => Ok(()),
            false => Err(self.lost(plan, &lost)),
        }
    }

    /// Removes files that are still those of the plan, and gives those that cannot be removed.
    fn remove_files(&self, removals: &[Removal]) -> Result<Vec<Error>> {
        let unchanged = self.map(removals.len(), |number| {
            let removal = &removals[number];
            let path = self.root.join(&removal.path);
            let found = self.published(&path)?;
            let is_it = found.is_some_and(|found| removal.is_of(fingerprint(&found)));
            Ok(is_it.then_some(path))
        })?;
        let unchanged: Vec<PathBuf> = unchanged.into_iter().flatten().collect();
        match self.delete(unchanged.clone(), Step::Publish) {
            Ok(()) => Ok(Vec::new()),
            Err(_) => {
                let mut left = Vec::new();
                for path in unchanged {
                    let removed = self.store.delete_all(vec![self.key(&path)?]);
                    let error = |source| Error::NotRemoved { path, source };
                    left.extend(removed.map_err(error).err());
                }
                Ok(left)
            }
        }
    }

    /// Ends a transaction that was carried out.
    pub(super) fn end(&self, plan: &Plan, left: &[Error]) -> Result<Vec<Error>> {
        let mut more = Vec::new();
        if !left.is_empty() {
            let left: HashSet<&Path> = left.iter().filter_map(Error::path).collect();
            let removed = plan.removed.iter().filter(|removal| {
                let path = self.root.join(&removal.path);
                left.contains(path.as_path())
            });
            let removed = removed.cloned().collect();
            let path = self.place(plan.transaction).with_extension(LEFT);
            self.put_record(&path, &Left { removed }, Step::Publish)?;
        }
        // Before the transaction goes: who adopts looks whether it is there.
        if let Some(state) = self.decided_state(plan.transaction)? {
            for adopted in state.adopted {
                self.remove_objects(adopted)?;
            }
        }
        let own = self.own(plan.transaction);
        let removed = match own.filter(|own| own.lock().emptied) {
            Some(_) => self.delete([self.place(plan.transaction)], Step::Decide),
            None => self.remove_objects(plan.transaction),
        };
        more.extend(removed.err());
        self.forget(plan.transaction);
        Ok(more)
    }

    /// Gives up what is not published of a plan.
    pub(super) fn abandon(&self, plan: &Plan) -> Result<()> {
        match self.state(plan.transaction)? {
            Some((state, _)) => {
                for adopted in &state.adopted {
                    self.remove_objects(*adopted)?;
                }
                self.remove_all(plan.transaction, &state)
            }
            None => Ok(()),
        }
    }

    /// Tries again to remove what commits should have removed, as far as the latest list of transactions tells.
    pub(super) fn sweep(&self) -> Vec<Error> {
        let mut failed = Vec::new();
        failed.extend(self.sweep_marks().err());
        let listed = locked(&self.listed).left.clone();
        for key in listed {
            let removed = (|| {
                let path = self.store.path(&key);
                let found = self.store.get(&key).at(Step::Publish, &path)?;
                let Some(found) = found else {
                    return Ok(Vec::new());
                };
                let left: Left = read_json(found.bytes.as_ref(), &path)?;
                let still = self.remove_files(&left.removed)?;
                if still.is_empty() {
                    self.delete([path], Step::Publish)?;
                }
                Ok(still)
            })();
            match removed {
                Ok(still) => failed.extend(still),
                Err(error) => failed.push(error),
            }
        }
        failed
    }
}

/// The length of each file of a plan, by where it is published below the root.
fn lengths(plan: &Plan) -> HashMap<PathBuf, u64> {
    let files = plan.receipt.files().iter();
    files
        .map(|file| (plan.scope.join(file.path()), file.bytes()))
        .collect()
}

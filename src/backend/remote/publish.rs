//! Carrying out a decided plan in an object store, and ending its transaction.
//!
//! Each publication uses up something that whoever recovers the commit takes away: the copy of a staged object needs its
//! source, and parts can be put together once. So a writer that wakes up late brings back nothing that was removed since.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::{State, Upload};
use super::{RemoteBackend, fingerprint, locked};
use crate::backend::{Backend as _, Liveness};
use crate::error::{Error, IoContext, Result, Step};
use crate::pool::map_calls;
use crate::record::{Decision, Fingerprint, Layout, Move, Plan, Removal, invalid, read_json};
use crate::staging::is_area_name;
use crate::store::Found;
use crate::trace;

/// The suffix of the record of files that a commit should have removed and could not, beside the object of its transaction.
pub(super) const LEFT: &str = "left";
/// The suffix of the mark of a commit that somebody else than its writer carried out, beside the object of its transaction.
pub(super) const LATE: &str = "late";
/// How long a copy that was asked for may still be done.
const STILL_COPIED: Duration = Duration::from_secs(15 * 60);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_secs(5);

/// Files that a commit should have removed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    removed: Vec<Removal>,
}

/// Files that somebody else than their writer published.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Late {
    files: Vec<PathBuf>,
}

impl RemoteBackend {
    /// The files below a directory, without what is staged there.
    pub(super) fn files(&self, directory: &Path) -> Result<Vec<(PathBuf, Fingerprint)>> {
        let top = self.root.join(directory);
        let top: PathBuf = match directory.as_os_str().is_empty() {
            true => self.root.clone(),
            false => top,
        };
        let listed = self.store.list(&self.key(&top)?, usize::MAX);
        let listed = listed.map_err(|source| Error::Read {
            path: top.clone(),
            source,
        })?;
        let named = listed.iter().filter_map(|object| {
            let path = self.store.path(&object.location);
            let below = path.strip_prefix(&top).ok()?;
            let staged = below.ancestors().any(is_area_name);
            (!staged).then(|| (below.to_owned(), fingerprint(&Found::listed(object))))
        });
        let mut files: Vec<(PathBuf, Fingerprint)> = named.collect();
        files.sort();
        Ok(files)
    }

    /// Waits until no copy that was asked for by a dead writer can bring back what this commit removes.
    pub(super) fn check_layout(&self, transaction: Uuid, layout: &Layout) -> Result<()> {
        for file in &layout.files {
            self.key(&self.root.join(&file.path))?;
        }
        if layout.removed.is_empty() {
            return Ok(());
        }
        let removed = layout.removed.iter().map(|removal| removal.path.as_path());
        let removed: HashSet<&Path> = removed.collect();
        while self.may_still_come(&removed)? {
            self.keep_alive(transaction)?;
            trace::waiting_for_lock(&self.root);
            if self.interrupt.is_asked_for(Step::Decide) {
                return Err(Error::Interrupted {
                    step: Step::Decide,
                    path: self.root.clone(),
                });
            }
            std::thread::sleep(PAUSE);
        }
        self.wait_for_others(transaction, &removed)?;
        for directory in &layout.replaced {
            self.check_unchanged(directory, layout)?;
        }
        Ok(())
    }

    /// Waits until every commit is over that publishes a file which this one removes: it could be carried out again after
    /// that, and bring the file back.
    fn wait_for_others(&self, transaction: Uuid, removed: &HashSet<&Path>) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut waits = false;
            for other in self.transactions()? {
                if other == transaction || self.own(other).is_some() {
                    continue;
                }
                let Some((state, _)) = self.state(other)? else {
                    continue;
                };
                let decision = state.decision(&self.place(other))?;
                let Some(Decision::Committed(plan)) = decision else {
                    continue;
                };
                if plan.files.iter().any(|file| removed.contains(&*file.path)) {
                    if self.liveness(other)? == Liveness::Dead {
                        return Err(Error::Conflict {
                            path: self.root.clone(),
                            reason: "has files of a commit whose writer died meanwhile: begin the write again, which \
                                     finishes that",
                        });
                    }
                    waits = true;
                }
            }
            if !waits {
                return Ok(());
            }
            self.keep_alive(transaction)?;
            trace::waiting_for_lock(&self.root);
            if self.interrupt.is_asked_for(Step::Decide) {
                return Err(Error::Interrupted {
                    step: Step::Decide,
                    path: self.root.clone(),
                });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSE);
        }
    }

    /// Refuses to replace a directory that another commit has changed since the layout was made: some of its files would stay.
    fn check_unchanged(&self, directory: &Path, layout: &Layout) -> Result<()> {
        let planned = layout.removed.iter();
        let planned = planned.filter(|removal| removal.path.starts_with(directory));
        let planned: HashMap<&Path, &Removal> = planned
            .map(|removal| (removal.path.as_path(), removal))
            .collect();
        let now = self.files(directory)?;
        let same = now.len() == planned.len()
            && now.iter().all(|(below, found)| {
                let removal = planned.get(directory.join(below).as_path());
                removal.is_some_and(|removal| removal.is_of(*found))
            });
        match same {
            true => Ok(()),
            false => Err(Error::Conflict {
                path: self.root.join(directory),
                reason: "was changed by another commit since this write began",
            }),
        }
    }

    /// Removes the marks of late publications that are old enough.
    fn sweep_marks(&self) -> Result<()> {
        let marks = locked(&self.listed).late.clone();
        if marks.is_empty() {
            return Ok(());
        }
        let now = self.store_now().at(Step::Publish, &self.control)?;
        let is_old = |mark: &ObjectMeta| {
            let age = now.duration_since(Found::listed(mark).modified);
            age.is_ok_and(|age| age > STILL_COPIED)
        };
        let old = marks.into_iter().filter(is_old).map(|mark| mark.location);
        let removed = self.store.delete_all(old.collect());
        removed.at(Step::Publish, &self.control)
    }

    fn may_still_come(&self, removed: &HashSet<&Path>) -> Result<bool> {
        self.transactions()?;
        let marks = locked(&self.listed).late.clone();
        let read = |source| Error::Read {
            path: self.transactions_path(),
            source,
        };
        if marks.is_empty() {
            return Ok(false);
        }
        let now = self.store_now().map_err(read)?;
        for mark in marks {
            let age = now.duration_since(Found::listed(&mark).modified);
            if age.is_ok_and(|age| age > STILL_COPIED) {
                let _ = self.store.delete_all(vec![mark.location]);
                continue;
            }
            let Some(object) = self.store.get(&mark.location).map_err(read)? else {
                continue;
            };
            let late: Late = read_json(object.bytes.as_ref(), &self.store.path(&mark.location))?;
            if late.files.iter().any(|file| removed.contains(&**file)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

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
        let uploads: HashMap<&Path, &Upload> = state
            .uploads
            .iter()
            .map(|upload| (upload.staged.as_path(), upload))
            .collect();
        let (in_parts, staged): (Vec<&Move>, Vec<&Move>) = plan
            .files
            .iter()
            .partition(|file| uploads.contains_key(file.staged.as_path()));
        self.copy(plan, &staged)?;
        map_calls(in_parts.len(), &self.root, |number| {
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
        if let Some(path) = self.first_unpublished(plan, &looked)? {
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
        let found = self.store.head(&key).at(Step::Publish, &path)?;
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

    /// The path of the first of these files that is not there in its length.
    fn first_unpublished(&self, plan: &Plan, files: &[&Move]) -> Result<Option<PathBuf>> {
        let lengths: HashMap<PathBuf, u64> = plan
            .receipt
            .files()
            .iter()
            .map(|file| (plan.scope.join(file.path()), file.bytes()))
            .collect();
        let found = map_calls(files.len(), &self.root, |number| {
            let below = &files[number].path;
            let path = self.root.join(below);
            let found = self
                .store
                .head(&self.key(&path)?)
                .at(Step::Publish, &path)?;
            let expected = lengths.get(below);
            let is_whole = found.is_some_and(|found| expected.is_none_or(|len| *len == found.size));
            Ok((!is_whole).then_some(path))
        })?;
        Ok(found.into_iter().flatten().next())
    }

    /// Checks that files whose staged objects are gone are published.
    fn check_published(&self, plan: &Plan, files: &[&Move]) -> Result<()> {
        let found = map_calls(files.len(), &self.root, |number| {
            let path = self.root.join(&files[number].path);
            let found = self
                .store
                .head(&self.key(&path)?)
                .at(Step::Publish, &path)?;
            Ok(found.is_none().then_some(path))
        })?;
        let lost: Vec<PathBuf> = found.into_iter().flatten().collect();
        match lost.is_empty() {
            true => Ok(()),
            false => Err(self.lost(plan, &lost)),
        }
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
            !there.contains(&file.staged) && state.upload_of(&file.staged).is_none()
        });
        self.check_published(plan, &gone.collect::<Vec<_>>())
    }

    /// Removes files that are still those of the plan, and gives those that cannot be removed.
    fn remove_files(&self, removals: &[Removal]) -> Result<Vec<Error>> {
        let unchanged = map_calls(removals.len(), &self.root, |number| {
            let removal = &removals[number];
            let path = self.root.join(&removal.path);
            let found = self
                .store
                .head(&self.key(&path)?)
                .at(Step::Publish, &path)?;
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

    /// Notes which files somebody else than their writer publishes: a copy that the writer has asked for may be done after
    /// that, and must not bring back what is removed then.
    fn mark_late(&self, plan: &Plan) -> Result<()> {
        let path = self.place(plan.transaction).with_extension(LATE);
        let files = plan.files.iter().map(|file| file.path.clone()).collect();
        let bytes = serde_json::to_vec(&Late { files });
        let bytes = bytes.map_err(|error| invalid(&path, error.to_string()))?;
        let put = self.store.put(&self.key(&path)?, bytes.into());
        put.map(drop).at(Step::Publish, &path)
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
            let bytes = serde_json::to_vec(&Left { removed });
            let bytes = bytes.map_err(|error| invalid(&path, error.to_string()))?;
            let put = self.store.put(&self.key(&path)?, bytes.into());
            put.at(Step::Publish, &path)?;
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

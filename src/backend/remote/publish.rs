//! Carrying out a decided plan in an object store, and ending its transaction.
//!
//! Each publication uses up something that whoever recovers the commit takes away: the copy of a staged object needs its
//! source, also that of the success file, and parts can be put together once. So a writer that wakes up late brings back nothing
//! that was removed since. A source goes when what was made of it has been seen.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::published::lengths;
use super::state::{State, Upload};
use super::{RemoteBackend, fingerprint, locked};
use crate::backend::Backend as _;
use crate::error::{Error, IoContext, Result, Step};
use crate::pauses::Pauses;
use crate::record::{Move, Plan, Removal, read_json};
use crate::store::is_refused;
use crate::trace;

/// The suffix of the record of files that a commit should have removed and could not, beside the object of its transaction.
pub(super) const LEFT: &str = "left";
/// The empty object of which the success file is made, among what is staged.
const SUCCESS: &str = "success";

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Files that a commit should have removed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    removed: Vec<Removal>,
}

impl RemoteBackend {
    /// Publishes what is not published yet of a plan, and gives the files that should go and cannot be removed. Its writer, who
    /// has decided it, is as patient with a store that fails as with the decision.
    pub(super) fn publish(&self, plan: &Plan, recovering: bool) -> Result<Vec<Error>> {
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match self.publish_once(plan, recovering) {
                Err(error)
                    if !recovering
                        && may_pass(&error)
                        && !pauses.wait().has_lasted(self.store.patience())
                        && !self.interrupt.is_asked_for(Step::Publish) =>
                {
                    trace::publishes_again(&self.root, &error);
                    std::thread::sleep(pauses.longer());
                }
                published => return published,
            }
        }
    }

    fn publish_once(&self, plan: &Plan, recovering: bool) -> Result<Vec<Error>> {
        let Some(state) = self.decided_state(plan.transaction)? else {
            return self.ended_by_others(plan);
        };
        match self.publish_decided(plan, &state, recovering) {
            Err(_) if self.look(&self.place(plan.transaction))?.is_none() => {
                self.ended_by_others(plan)
            }
            published => published,
        }
    }

    fn publish_decided(&self, plan: &Plan, state: &State, recovering: bool) -> Result<Vec<Error>> {
        if recovering {
            self.mark_late(plan)?;
        }
        let success_file = self.success_file(plan)?;
        if let Some((_, path)) = &success_file {
            self.delete([path.clone()], Step::Publish)?;
        }
        let uploads = state.uploads_by_name();
        let (in_parts, staged): (Vec<&Move>, Vec<&Move>) = plan
            .files
            .iter()
            .partition(|file| uploads.contains_key(file.staged.as_path()));
        self.copy(plan, &staged, recovering)?;
        let lost = self.map(in_parts.len(), |number| {
            let file = in_parts[number];
            self.complete(file, uploads[file.staged.as_path()])
        })?;
        let lost: Vec<PathBuf> = lost.into_iter().flatten().collect();
        if !lost.is_empty() {
            return Err(self.lost(plan, &lost, true));
        }
        let staged = staged
            .iter()
            .map(|file| self.staged_path(plan.transaction, &file.staged));
        // What stays goes with the transaction.
        let mut emptied = self.delete(staged, Step::Publish).is_ok();
        if recovering {
            // A copy that its writer asked for has had its source until now.
            self.mark_late(plan)?;
        }
        let left = self.remove_files(&plan.removed)?;
        if let Some((source, path)) = success_file {
            self.make_success_file(&source, &path)?;
            emptied &= self.delete([source], Step::Publish).is_ok();
        }
        if recovering {
            self.unmark_given_up(plan.transaction)?;
        }
        if let Some(own) = self.own(plan.transaction) {
            let mut own = own.lock();
            own.emptied = emptied && own.staged.len() + in_parts.len() == plan.files.len();
        }
        Ok(left)
    }

    fn success_source(&self, transaction: Uuid) -> PathBuf {
        self.files_path(transaction).join(SUCCESS)
    }

    /// Stages what the success file will be made of.
    pub(super) fn stage_success_file(&self, transaction: Uuid) -> Result<()> {
        let source = self.success_source(transaction);
        let put = self.store.put(&self.key(&source)?, Bytes::new());
        put.map(drop).at(Step::Decide, &source)
    }

    /// What the success file of a plan is made of, and where it stands; `None` if there is to be none, or if it was made: who slept
    /// until then must not touch that of a later commit.
    fn success_file(&self, plan: &Plan) -> Result<Option<(PathBuf, PathBuf)>> {
        let Some(path) = plan.success_file() else {
            return Ok(None);
        };
        let source = self.success_source(plan.transaction);
        let found = self.published(&source)?;
        Ok(found.map(|_| (source, self.root.join(path))))
    }

    fn make_success_file(&self, source: &Path, path: &Path) -> Result<()> {
        let copies = vec![(self.key(source)?, self.key(path)?)];
        let copied = self.store.copy_all(copies).at(Step::Publish, path)?;
        match copied.into_iter().collect::<io::Result<()>>() {
            Err(error) if is_done_before(&error) => {}
            copied => copied.at(Step::Publish, path)?,
        }
        // Where its source is gone, somebody else has made it.
        match self.published(path)?.is_some() || self.published(source)?.is_none() {
            true => Ok(()),
            false => Err(io::ErrorKind::NotFound.into()).at(Step::Publish, path),
        }
    }

    /// The state of a decided transaction; `None` if it is gone.
    pub(super) fn decided_state(&self, transaction: Uuid) -> Result<Option<State>> {
        if let Some(own) = self.own(transaction) {
            let state = own.lock().state.clone();
            if state.is_decided() {
                return Ok(Some(state));
            }
        }
        Ok(self.state(transaction)?.map(|(state, _)| state))
    }

    /// Copies staged objects to their paths, and looks whether they are there: a store may answer that a copy was done that was not.
    fn copy(&self, plan: &Plan, files: &[&Move], recovering: bool) -> Result<()> {
        let lengths = lengths(plan);
        let mut files = files.to_vec();
        if recovering {
            // What is there already need not be copied again.
            let missing = self.unpublished(&files, &lengths)?;
            let missing: HashSet<PathBuf> = missing.into_iter().collect();
            files.retain(|file| missing.contains(&self.root.join(&file.path)));
        }
        let copies = files.iter().map(|file| {
            let from = self.staged_path(plan.transaction, &file.staged);
            let to = self.root.join(&file.path);
            Ok((self.key(&from)?, self.key(&to)?))
        });
        let copied = self.store.copy_all(copies.collect::<Result<_>>()?);
        let copied = copied.at(Step::Publish, &self.root)?;
        let mut failed = None;
        for (file, copied) in files.iter().zip(copied) {
            let path = self.root.join(&file.path);
            match copied {
                Ok(()) => trace::published(&path),
                Err(error) if is_done_before(&error) => {}
                Err(error) => failed = failed.or(Some((path, error))),
            }
        }
        if let Some((path, error)) = failed {
            return Err(error).at(Step::Publish, &path);
        }
        match self.unpublished(&files, &lengths)?.first() {
            // Whether it is lost, a look at what is staged tells.
            Some(path) => Err(io::ErrorKind::NotFound.into()).at(Step::Publish, path),
            None => Ok(()),
        }
    }

    /// Puts the parts of a file together, unless that was done. Gives its path if they are lost.
    fn complete(&self, file: &Move, upload: &Upload) -> Result<Option<PathBuf>> {
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
                Ok(None)
            }
            // Done by an earlier request.
            (Err(_), Some(found)) if found.size == bytes => Ok(None),
            (Err(error), _) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).at(Step::Publish, &path)
            }
            _ => Ok(Some(path)),
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
        let Some((state, _)) = self.state(plan.transaction)? else {
            return Ok(());
        };
        self.mark_given_up(plan.transaction)?;
        for adopted in &state.adopted {
            // Their uploads are in their own states alone.
            match self.state(*adopted)? {
                Some((its, _)) => self.remove_all(*adopted, &its)?,
                None => self.remove_objects(*adopted)?,
            }
        }
        self.remove_all(plan.transaction, &state)
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

/// Whether a publication may succeed when it is tried again: the store has neither refused it nor lost a file.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Io { source, .. } | Error::Read { source, .. } => {
            !is_refused(source) && source.kind() != io::ErrorKind::NotFound
        }
        _ => false,
    }
}

/// Whether a copy may have been done before: its source is gone, or it is there already, which some stores say.
fn is_done_before(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
    )
}

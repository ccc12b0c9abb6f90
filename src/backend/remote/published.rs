//! What of a plan is published, and what is lost.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::RemoteBackend;
use crate::error::{Error, IoContext, Result, Step};
use crate::record::{Move, Plan};
use crate::store::Found;

/// The number of objects that are listed, beside as many as are looked for, to find these by a list.
const LISTED: usize = 1000;

impl RemoteBackend {
    /// What became of a plan whose transaction is gone: somebody who took its writer for dead has carried it out, and others may
    /// have replaced it since; or has given it up.
    pub(super) fn ended_by_others(&self, plan: &Plan) -> Result<Vec<Error>> {
        if !self.is_given_up(plan.transaction)? {
            return Ok(Vec::new());
        }
        let files: Vec<&Move> = plan.files.iter().collect();
        let lost = self.unpublished(&files, &lengths(plan))?;
        match lost.is_empty() {
            true => Ok(Vec::new()),
            false => Err(self.lost(plan, &lost, false)),
        }
    }

    /// The object that is published at a path, or `None` if none is there.
    pub(super) fn published(&self, path: &Path) -> Result<Option<Found>> {
        self.store.head(&self.key(path)?).at(Step::Publish, path)
    }

    /// The paths of those of these files that are not there, or not in the length that is known of them.
    pub(super) fn unpublished(
        &self,
        files: &[&Move],
        lengths: &HashMap<PathBuf, u64>,
    ) -> Result<Vec<PathBuf>> {
        let is_whole = |file: &Move, size: u64| {
            let expected = lengths.get(&file.path);
            expected.is_none_or(|expected| *expected == size)
        };
        let listed = self.list_files(files);
        let is_listed = |file: &Move| {
            let size = listed.get(&self.root.join(&file.path));
            size.is_some_and(|size| is_whole(file, *size))
        };
        let mut others = files.to_vec();
        others.retain(|file| !is_listed(file));
        let keys = others
            .iter()
            .map(|file| self.key(&self.root.join(&file.path)));
        let found = self.store.head_all(keys.collect::<Result<_>>()?);
        let found = found.at(Step::Publish, &self.root)?;
        let looked = others.into_iter().zip(found);
        let missing = looked.filter(|(file, found)| {
            !found
                .as_ref()
                .is_some_and(|found| is_whole(file, found.size))
        });
        Ok(missing
            .map(|(file, _)| self.root.join(&file.path))
            .collect())
    }

    /// The lengths of those of several files that a list of few requests tells of; the others have to be looked at.
    fn list_files(&self, files: &[&Move]) -> HashMap<PathBuf, u64> {
        let paths = files.iter().map(|file| self.root.join(&file.path));
        let common = paths.reduce(|common, path| {
            let above = common.ancestors().find(|above| path.starts_with(above));
            above.map(Path::to_owned).unwrap_or_default()
        });
        let Some(common) = common.filter(|_| files.len() > 1) else {
            return HashMap::new();
        };
        let Ok(key) = self.key(&common) else {
            return HashMap::new();
        };
        // Of what a list does not tell, a look does.
        let listed = self.store.list_some(&key, files.len() + LISTED);
        let listed = listed.unwrap_or_default().into_iter();
        listed
            .map(|object| (self.store.path(&object.location), object.size))
            .collect()
    }

    /// The error for files that are lost. `recorded` says whether the commit keeps its directories from others.
    pub(super) fn lost(&self, plan: &Plan, lost: &[PathBuf], recorded: bool) -> Error {
        let files: Vec<&Move> = plan.files.iter().collect();
        let total = files.len() as u64;
        match self.unpublished(&files, &lengths(plan)) {
            Ok(unpublished) => Error::FilesLost {
                path: self.root.clone(),
                first: lost.first().cloned().unwrap_or_default(),
                lost: lost.len() as u64,
                published: total - unpublished.len() as u64,
                total,
                recorded,
            },
            Err(error) => error,
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
            false => Err(self.lost(plan, &lost, true)),
        }
    }
}

/// The length of each file of a plan, by where it is published below the root.
pub(super) fn lengths(plan: &Plan) -> HashMap<PathBuf, u64> {
    let files = plan.receipt.files().iter();
    files
        .map(|file| (plan.scope.join(file.path()), file.bytes()))
        .collect()
}

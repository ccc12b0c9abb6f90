//! What a commit that removes files waits for, and checks again, before it is decided.
//!
//! Who appends holds no lock. So whoever removes files sees to it that nobody can bring one back, and that it leaves no part of a
//! commit that came between.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use super::{RemoteBackend, fingerprint};
use crate::backend::{Backend, Liveness};
use crate::error::{Error, Result};
use crate::pauses::Pauses;
use crate::record::{Decision, Fingerprint, Layout, Removal};
use crate::staging::is_area_name;
use crate::store::Found;
use crate::trace;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl RemoteBackend {
    /// The files below a directory, without what is staged there.
    pub(super) fn files(&self, directory: &Path) -> Result<Vec<(PathBuf, Fingerprint)>> {
        let top = (self as &dyn Backend).path_of(directory);
        let listed = self.list(&top)?;
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
            self.store.new_key(&self.root.join(&file.path))?;
        }
        if layout.success_file {
            self.stage_success_file(transaction)?;
        }
        if layout.removed.is_empty() {
            return Ok(());
        }
        let removed = layout.removed.iter().map(|removal| removal.path.as_path());
        let removed: HashSet<&Path> = removed.collect();
        let mut pauses = Pauses::new(LONGEST_PAUSE, LONGEST_PAUSE);
        while self.may_still_come(&removed)? {
            if pauses.wait().is_to_be_told() {
                trace::waiting_long(
                    &self.root,
                    "copies that another writer has asked for and that may still be done, for 15 minutes at most",
                );
            }
            self.pause(transaction, &mut pauses, None)?;
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
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        // The versions of other transactions that are in nobody's way.
        let mut passed: HashMap<Uuid, Found> = HashMap::new();
        loop {
            let mut waits_for = None;
            for other in self.transactions()? {
                if other == transaction || self.own(other).is_some() {
                    continue;
                }
                let listed = self.listed(other);
                let known = passed.get(&other).zip(listed.as_ref());
                if known.is_some_and(|(passed, listed)| passed.is_same_version(listed)) {
                    continue;
                }
                let Some((state, _)) = self.state(other)? else {
                    continue;
                };
                let decision = state.decision(&self.place(other))?;
                if !publishes_any(decision.as_ref(), removed) {
                    passed.extend(listed.map(|listed| (other, listed)));
                    continue;
                }
                if self.liveness(other)? == Liveness::Dead {
                    return Err(Error::Conflict {
                        path: self.root.clone(),
                        reason: "has files of a commit whose writer died or gave up meanwhile: begin the write again, which \
                                 finishes that",
                    });
                }
                waits_for = Some(other);
            }
            if waits_for.is_none() {
                return Ok(());
            }
            self.pause(transaction, &mut pauses, waits_for)?;
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
}

/// Whether a decision publishes one of these files.
fn publishes_any(decision: Option<&Decision>, files: &HashSet<&Path>) -> bool {
    match decision {
        Some(Decision::Committed(plan)) => {
            let mut published = plan.files.iter();
            published.any(|file| files.contains(file.path.as_path()))
        }
        Some(Decision::Aborted { .. } | Decision::Staged { .. }) | None => false,
    }
}

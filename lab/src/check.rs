//! The invariants, one set for every section.
//!
//! P1, whole or absent; P2, what was acknowledged survives; P4, no reader meets what is not
//! committed; P5, an error says what is on disk; P6, nothing is left after recovery; P7, all or
//! nothing.

use std::path::{Path, PathBuf};

use atomic_arrow::{Error, Outcome};

use crate::Wrong;
use crate::found::{Found, View};
use crate::scenario::{Ground, Reference, Scenario};

/// The answer that the library had given when the disk was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// Nothing yet.
    Nothing,
    /// That all is done.
    Done,
    /// That it failed, and what is on disk.
    Failed(Outcome),
}

impl Told {
    /// The answer that a result gives.
    #[must_use]
    pub fn of(result: &Result<(), Error>) -> Self {
        match result {
            Ok(()) => Told::Done,
            Err(error) => Told::Failed(error.outcome()),
        }
    }
}

/// The rules of a scenario: what may be found on disk.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The scenario.
    pub scenario: Scenario,
    /// The outcome of the scenario when nothing goes wrong.
    pub reference: Reference,
}

impl Rules {
    /// The rules of a scenario.
    ///
    /// # Errors
    /// If it does not go undisturbed.
    pub fn of(scenario: &Scenario) -> Result<Self, Wrong> {
        Ok(Rules {
            scenario: scenario.clone(),
            reference: Reference::of(scenario)?,
        })
    }

    /// The views that may be there once recovery has run.
    fn settled(&self, told: Told) -> Vec<&View> {
        let reference = &self.reference;
        match told {
            Told::Done => vec![&reference.after],
            Told::Failed(Outcome::NotPublished) => reference.unmoved.iter().collect(),
            _ => reference.unmoved.iter().chain(&reference.moved).collect(),
        }
    }

    /// Checks what a reader finds before anybody recovers: P1, P2, P4.
    ///
    /// # Errors
    /// What is wrong.
    pub fn visible(&self, found: &Found, told: Told) -> Result<(), Wrong> {
        let view = self.scenario.view(found);
        self.no_strays(found)?;
        let mut allowed = self.settled(told);
        if told != Told::Done {
            allowed.push(&self.reference.before);
            allowed.extend(&self.reference.origin);
        }
        if allowed.contains(&&view) {
            return Ok(());
        }
        if told == Told::Done || !self.scenario.many {
            return Err(differs("a reader finds", &view, &allowed));
        }
        // Between two files of a commit: nothing says that it is complete, each is whole, and nothing is gone that stays.
        let is_success_file = |path: &Path| path.ends_with("_SUCCESS");
        if view.0.iter().any(|(path, ..)| is_success_file(path)) {
            return Err(differs(
                "beside the success file a reader finds",
                &view,
                &allowed,
            ));
        }
        let known = |entry| allowed.iter().any(|view| view.0.contains(entry));
        if let Some(entry) = view.0.iter().find(|entry| !known(entry)) {
            return Err(Wrong(format!(
                "a reader finds {entry:?}, which nobody committed"
            )));
        }
        let stays = |entry: &(PathBuf, usize, u64)| {
            !is_success_file(&entry.0) && allowed.iter().all(|view| view.0.contains(entry))
        };
        let gone = |entry: &_| stays(entry) && !view.0.contains(entry);
        match allowed[0].0.iter().find(|entry| gone(entry)) {
            Some(entry) => Err(Wrong(format!("a reader misses {entry:?}"))),
            None => Ok(()),
        }
    }

    /// Checks what is there after recovery: P2, P6, P7.
    ///
    /// # Errors
    /// What is wrong.
    pub fn recovered(&self, found: &Found, told: Told) -> Result<(), Wrong> {
        let view = self.scenario.view(found);
        let allowed = self.settled(told);
        if !allowed.contains(&&view) {
            return Err(differs("after recovery there is", &view, &allowed));
        }
        self.no_strays(found)?;
        match self.left(found).first() {
            Some(path) => Err(Wrong(format!("{} is left", path.display()))),
            None => Ok(()),
        }
    }

    /// Repeats a named write that was acknowledged, which must change nothing.
    ///
    /// # Errors
    /// What is wrong.
    pub fn repeat(&self, ground: &Ground, look: impl Fn() -> Found) -> Result<(), Wrong> {
        let again = self.scenario.act(ground);
        let told = again.map_err(|error| Wrong(format!("repeated: {error:?}")));
        told.and_then(|()| self.recovered(&look(), Told::Done))
            .map_err(|Wrong(what)| Wrong(format!("repeated, {what}")))
    }

    /// Checks that the error of a failed action says truthfully what is on disk now: P5. What is yet to be finished
    /// is looked at by [`recovered`](Rules::recovered).
    ///
    /// # Errors
    /// What is wrong.
    pub fn truthful(&self, found: &Found, told: Told) -> Result<(), Wrong> {
        let view = self.scenario.view(found);
        let Reference {
            before,
            unmoved,
            moved,
            ..
        } = &self.reference;
        let is_old = view == *before || unmoved.contains(&view);
        let is_new = moved.contains(&view);
        let truthful = match told {
            Told::Nothing => true,
            Told::Done | Told::Failed(Outcome::PublishedNotDurable) => is_new,
            // A recovery that is in the way of an action has changed something before that failed.
            Told::Failed(Outcome::NotPublished) => is_old || before != &unmoved[0],
            Told::Failed(Outcome::PublishedInPart) => self.scenario.many,
            Told::Failed(_) => is_old || is_new || self.scenario.many,
        };
        match truthful {
            true => Ok(()),
            false => Err(differs(&format!("told {told:?}, but there is"), &view, &[])),
        }
    }

    /// The paths in a staging area that must not stay there.
    #[must_use]
    pub fn left(&self, found: &Found) -> Vec<PathBuf> {
        let areas = self.areas();
        let receipts = areas.clone().map(|area| area.join("writes"));
        let stays = |path: &PathBuf| {
            // The mark of a root that somebody sees as a mount stays for ever.
            let lock = path
                .file_name()
                .is_some_and(|name| name == "lock" || name == "mounted");
            let receipt = receipts.iter().any(|writes| path.starts_with(writes))
                && path.extension().is_none_or(|suffix| suffix == "record");
            areas.contains(path) || lock || (self.scenario.remembers && receipt)
        };
        let all = found.files.keys().chain(&found.directories);
        all.filter(|path| areas.iter().any(|area| path.starts_with(area)))
            .filter(|path| !stays(path))
            .cloned()
            .collect()
    }

    fn areas(&self) -> [PathBuf; 2] {
        let root = &self.scenario.root;
        let name = root.file_name().unwrap_or_default().to_string_lossy();
        [
            root.with_file_name(format!(".{name}.atomic")),
            root.join(".atomic"),
        ]
    }

    /// Checks for strays: everything is of the data set or of its area, and nothing in an area inside the data set
    /// looks like its files.
    fn no_strays(&self, found: &Found) -> Result<(), Wrong> {
        let areas = self.areas();
        let known = |path: &PathBuf| {
            let ground = path.as_os_str() == "ground";
            ground
                || path.starts_with(&self.scenario.root)
                || areas.iter().any(|area| path.starts_with(area))
        };
        if let Some(path) = found.files.keys().find(|path| !known(path)) {
            return Err(Wrong(format!("{} strays", path.display())));
        }
        // A glob of the data set's files looks into directories of any name.
        let shown = |path: &&PathBuf| {
            path.starts_with(&areas[1]) && path.extension().is_some_and(|end| end == "parquet")
        };
        match found.files.keys().find(shown) {
            Some(path) => Err(Wrong(format!("readers find {}", path.display()))),
            None => Ok(()),
        }
    }
}

fn differs(what: &str, view: &View, allowed: &[&View]) -> Wrong {
    let allowed: Vec<_> = allowed.iter().map(|view| &view.0).collect();
    Wrong(format!("{what} {:?}, of {allowed:?}", view.0))
}

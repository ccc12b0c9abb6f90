//! The racers: programs that work at one data set at the same time.

use std::path::Path;
use std::sync::Arc;

use atomic_arrow::{CommitMode, DatasetWriter, Error, RecoverOptions, recover_with_options};

use super::Ground;
use super::dataset::{LAKE, begun, commit, earlier, marked, named, same, single, within};
use super::single::update;

/// The file that is updated.
const HISTORY: &str = "lake/weather/history.parquet";

/// One of two programs at a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Racer {
    /// Commits files in this mode.
    Append,
    /// Commits files where none may be.
    ErrorIfExists,
    /// Commits files to a data set within the data set, where none may be.
    ErrorIfAnyExists,
    /// Commits files to a data set within the data set, if none are there.
    Ignore,
    /// Overwrites the partitions that it has rows of.
    OverwritePartitions,
    /// Overwrites everything.
    Overwrite,
    /// Commits files under a name that others use as well.
    Named,
    /// Publishes one file.
    File,
    /// Publishes one file under a name that others use as well.
    Same,
    /// Reads one file, and writes it back with one more row.
    Update,
    /// Commits files and a success file.
    Marked,
    /// Commits what it had written before the race.
    Begun,
    /// Recovers what dead writers left.
    Recover,
}

/// All of them.
pub const RACERS: [Racer; 13] = [
    Racer::Append,
    Racer::ErrorIfExists,
    Racer::ErrorIfAnyExists,
    Racer::Ignore,
    Racer::OverwritePartitions,
    Racer::Overwrite,
    Racer::Named,
    Racer::File,
    Racer::Same,
    Racer::Update,
    Racer::Marked,
    Racer::Begun,
    Racer::Recover,
];

impl Racer {
    /// The data set's root, below the ground.
    #[must_use]
    pub fn root() -> &'static Path {
        Path::new(LAKE)
    }

    /// Whether others can be refused because of it.
    #[must_use]
    pub fn writes(self) -> bool {
        self != Racer::Recover
    }

    /// Sets the scene.
    ///
    /// # Errors
    /// The library's.
    pub fn prepare(self, ground: &Ground) -> Result<(), Error> {
        earlier(ground)?;
        // A file that is replaced: of two that make one, the second is refused also without the lock.
        update(ground, HISTORY)
    }

    /// Begins a write before the race, if this racer does so.
    ///
    /// # Errors
    /// The library's.
    pub fn begin(self, ground: &Ground) -> Result<Option<DatasetWriter>, Error> {
        match self {
            Racer::Begun => begun(ground).map(Some),
            _ => Ok(None),
        }
    }

    /// Runs the action of the racer.
    ///
    /// # Errors
    /// The library's.
    pub fn act(self, ground: &Ground) -> Result<(), Error> {
        match self {
            Racer::Append | Racer::Begun => commit(ground, CommitMode::Append, same),
            Racer::ErrorIfExists => super::dataset::into_empty(ground),
            Racer::ErrorIfAnyExists => within(ground, CommitMode::ErrorIfAnyExists),
            Racer::Ignore => within(ground, CommitMode::Ignore),
            Racer::OverwritePartitions => commit(ground, CommitMode::OverwritePartitions, same),
            Racer::Overwrite => commit(ground, CommitMode::Overwrite, same),
            Racer::Named => commit(ground, CommitMode::Append, named),
            Racer::File => single(ground, None),
            Racer::Same => single(ground, Some("same.parquet")),
            Racer::Update => update(ground, HISTORY),
            Racer::Marked => commit(ground, CommitMode::Append, marked),
            Racer::Recover => {
                let options = RecoverOptions::new().disk(Arc::clone(&ground.disk));
                let recovery = recover_with_options(ground.path(LAKE), &options)?;
                recovery.failed.into_iter().next().map_or(Ok(()), Err)
            }
        }
    }
}

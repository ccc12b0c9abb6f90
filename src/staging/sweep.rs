//! Removing what dead writers left, and never a live one's work (promise P6).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{home_of_root, is_staging_file, live, resolve};
use crate::disk::{Disk, EntryKind, LockKind, LockOutcome, OsDisk};
use crate::error::{Error, Result};
use crate::options::StagingPlace;

/// How old a staging file must be, where locks are not to be trusted, before its writer is taken for
/// dead: longer than any writer pauses between two writes.
const DEAD_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What [`recover`] found and did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// Staging files of dead writers that were removed, or would be in a dry run.
    pub removed: Vec<PathBuf>,
    /// Staging files whose writers are alive, or may be; left alone.
    pub alive: Vec<PathBuf>,
    /// What could not be looked at or removed, and why.
    pub failed: Vec<Error>,
}

/// Options of [`recover_with_options`].
#[derive(Debug, Clone)]
pub struct RecoverOptions {
    dry_run: bool,
    staging: StagingPlace,
    disk: Arc<dyn Disk>,
}

impl Default for RecoverOptions {
    fn default() -> Self {
        RecoverOptions {
            dry_run: false,
            staging: StagingPlace::default(),
            disk: Arc::new(OsDisk),
        }
    }
}

impl RecoverOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to say only what would be done; by default it is done.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Where the writers staged their files; by default [`StagingPlace::Auto`], which looks beside
    /// the root and inside it.
    #[must_use]
    pub fn staging(mut self, place: StagingPlace) -> Self {
        self.staging = place;
        self
    }

    /// The disk to recover; by default the operating system's ([`OsDisk`]). Another is for tests.
    #[must_use]
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }
}

/// Removes what dead writers left of the data set at `root`, or of the lone files in that directory.
///
/// Every writer does the same when it opens the data set, so this is needed only where none comes.
/// Safe at any time, beside any number of writers and other recoveries: a file is removed only when
/// its writer is dead, which its lock tells. On file systems whose locks other machines do not see
/// (network and user-space ones) it must also have been untouched for 24 hours.
///
/// ```
/// # let lake = tempfile::tempdir()?;
/// let recovery = atomic_arrow::recover(lake.path())?;
/// assert!(recovery.removed.is_empty() && recovery.failed.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::InvalidPath`] and [`Error::Io`] if the root cannot be resolved. What is in the way of
/// single files is in [`Recovery::failed`]. Published files are never touched.
pub fn recover(root: impl AsRef<Path>) -> Result<Recovery> {
    recover_with_options(root, &RecoverOptions::default())
}

/// [`recover`] with options.
///
/// # Errors
/// Those of [`recover`].
pub fn recover_with_options(root: impl AsRef<Path>, options: &RecoverOptions) -> Result<Recovery> {
    let disk = options.disk.as_ref();
    let home = home_of_root(disk, &resolve(disk, root.as_ref())?, &options.staging)?;
    let mut recovery = Recovery::default();
    for area in home.all_areas() {
        sweep_into(disk, &area, options.dry_run, &|_| false, &mut recovery);
        if !options.dry_run && !home.is_given() {
            // Only an empty directory can be removed this way.
            let _ = disk.remove_directory(&area);
        }
    }
    Ok(recovery)
}

/// The sweep that every writer does: what cannot be removed now is for the next one.
pub(super) fn sweep(disk: &dyn Disk, area: &Path) {
    // With many writers in one process, asking for the lock of each every time would take long.
    let ours = |path: &Path| live().contains(path);
    sweep_into(disk, area, false, &ours, &mut Recovery::default());
}

fn sweep_into(
    disk: &dyn Disk,
    area: &Path,
    dry_run: bool,
    known_live: &dyn Fn(&Path) -> bool,
    recovery: &mut Recovery,
) {
    let entries = match disk.list(area) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(source) => return recovery.failed.push(unreadable(area, source)),
    };
    for entry in entries {
        if entry.kind != EntryKind::File || !is_staging_file(&entry.path) {
            continue;
        }
        if known_live(&entry.path) {
            recovery.alive.push(entry.path);
            continue;
        }
        match sweep_file(disk, &entry.path, dry_run) {
            Ok(Some(true)) => recovery.removed.push(entry.path),
            Ok(Some(false)) => recovery.alive.push(entry.path),
            Ok(None) => {}
            Err(source) => recovery.failed.push(unreadable(&entry.path, source)),
        }
    }
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}

/// Removes one staging file if its writer is dead and says whether it was; `None` if the file went
/// away meanwhile.
fn sweep_file(disk: &dyn Disk, path: &Path, dry_run: bool) -> io::Result<Option<bool>> {
    let opened = match disk.open_file(path, true) {
        // Another user's, or one that will replace a read-only file: reading is enough to lock it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            disk.open_file(path, false)
        }
        opened => opened,
    };
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    // Held until the name is gone, so that a writer which has just made the file sees that it lost it.
    let dead = match file.try_lock(LockKind::Exclusive)? {
        LockOutcome::Busy => false,
        LockOutcome::Held if disk.trusts_locks(path) => true,
        LockOutcome::Held | LockOutcome::Unsupported => {
            let modified = file.status()?.modified;
            disk.now()
                .duration_since(modified)
                .is_ok_and(|age| age > DEAD_AFTER)
        }
    };
    if dead && !dry_run {
        match disk.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(Some(dead))
}

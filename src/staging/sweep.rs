//! The sweep: removes what dead writers left, and never the work of a live one (promise P6).

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::marker::is_update_lock;
use super::{SUFFIX, is_staging_file, live};
use crate::disk::{Disk, DiskFile, EntryKind, LockKind, LockOutcome};
use crate::error::Error;
use crate::trace;

/// The age at which a writer is taken for dead where locks are not to be trusted: longer than any writer pauses
/// between two writes.
const DEAD_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The result of a sweep.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Staging files of dead writers that were removed, or would be in a dry run.
    pub(crate) removed: Vec<PathBuf>,
    /// Staging files whose writers are alive, or may be.
    pub(crate) alive: Vec<PathBuf>,
    /// What could not be looked at or removed.
    pub(crate) failed: Vec<Error>,
}

/// The sweep that every writer does: what cannot be removed now is for the next one.
pub(super) fn sweep(disk: &dyn Disk, area: &Path) {
    // With many writers in one process, asking for the lock of each every time would take long.
    let ours = |path: &Path| live().contains(path);
    let _ = sweep_area(disk, area, false, &ours);
}

/// The sweep that [`recover`](crate::recover) does.
pub(crate) fn sweep_for(disk: &dyn Disk, area: &Path, dry_run: bool) -> Swept {
    sweep_area(disk, area, dry_run, &|_| false)
}

fn sweep_area(
    disk: &dyn Disk,
    area: &Path,
    dry_run: bool,
    known_live: &dyn Fn(&Path) -> bool,
) -> Swept {
    let mut swept = Swept::default();
    let entries = match disk.list(area) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => {
            swept.failed.push(unreadable(area, source));
            Vec::new()
        }
    };
    for entry in entries {
        if entry.kind != EntryKind::File
            || !(is_staging_file(&entry.path) || is_update_lock(&entry.path))
        {
            continue;
        }
        if known_live(&entry.path) {
            swept.alive.push(entry.path);
            continue;
        }
        match sweep_file(disk, &entry.path, dry_run) {
            Ok(Some(true)) => {
                if !dry_run {
                    trace::swept(&entry.path);
                }
                swept.removed.push(entry.path);
            }
            Ok(Some(false)) => swept.alive.push(entry.path),
            Ok(None) => {}
            Err(source) => swept.failed.push(unreadable(&entry.path, source)),
        }
    }
    swept
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}

/// Removes one staging file, or lock of an update, if its writer is dead and says whether it was; `None` if the file went
/// away meanwhile.
pub(super) fn sweep_file(disk: &dyn Disk, path: &Path, dry_run: bool) -> io::Result<Option<bool>> {
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
    let dead = is_dead(disk, path, file.as_ref())?;
    if dead && is_update_lock(path) {
        // Another update may have made it anew since it was opened, and holds that one.
        let held = file.status()?.identity;
        let there = disk.status(path)?;
        if there.is_none_or(|(_, status)| status.identity != held) {
            return Ok(None);
        }
    }
    if dead && !dry_run {
        match disk.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(Some(dead))
}

/// Whether the writer that locks this file is dead; its lock is then ours.
pub(crate) fn is_dead(disk: &dyn Disk, path: &Path, file: &dyn DiskFile) -> io::Result<bool> {
    Ok(match file.try_lock(LockKind::Exclusive)? {
        LockOutcome::Busy => false,
        LockOutcome::Held if disk.trusts_locks(path) => true,
        LockOutcome::Held | LockOutcome::Unsupported => {
            is_older(disk, path, file.status()?.modified, DEAD_AFTER)
        }
    })
}

/// Whether a file at `path` that was last changed at this time is older than a duration. Both this
/// machine's clock and that of the file system must say so: a machine whose clock is wrong must not take
/// for old what is not.
pub(crate) fn is_older(disk: &dyn Disk, path: &Path, modified: SystemTime, than: Duration) -> bool {
    let older = |now: SystemTime| now.duration_since(modified).is_ok_and(|age| age > than);
    older(disk.now()) && file_system_now(disk, path).is_ok_and(older)
}

/// The time by the clock that stamps the files beside `path`: that of a file that is made for it.
fn file_system_now(disk: &dyn Disk, path: &Path) -> io::Result<SystemTime> {
    let directory = path.parent().unwrap_or(path);
    let probe = directory.join(format!("{}.{SUFFIX}", Uuid::now_v7()));
    let made = disk.create_file(&probe, true);
    let modified = made.and_then(|file| Ok(file.status()?.modified));
    let _ = disk.remove_file(&probe);
    modified
}

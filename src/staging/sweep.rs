//! Removing what dead writers left, and never a live one's work (promise P6).

use std::io;
use std::path::Path;
use std::time::Duration;

use super::{is_staging_file, live};
use crate::disk::{Disk, DiskFile, EntryKind, LockKind, LockOutcome};
use crate::error::Error;
use crate::recover::Recovery;

/// How old a staging file must be, where locks are not to be trusted, before its writer is taken for
/// dead: longer than any writer pauses between two writes.
const DEAD_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The sweep that every writer does: what cannot be removed now is for the next one.
pub(super) fn sweep(disk: &dyn Disk, area: &Path) {
    // With many writers in one process, asking for the lock of each every time would take long.
    let ours = |path: &Path| live().contains(path);
    sweep_into(disk, area, false, &ours, &mut Recovery::default());
}

/// The sweep that [`recover`](crate::recover) does, with what it says of it.
pub(crate) fn sweep_for(disk: &dyn Disk, area: &Path, dry_run: bool, recovery: &mut Recovery) {
    sweep_into(disk, area, dry_run, &|_| false, recovery);
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
    let dead = is_dead(disk, path, file.as_ref())?;
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
            let modified = file.status()?.modified;
            let age = disk.now().duration_since(modified);
            age.is_ok_and(|age| age > DEAD_AFTER)
        }
    })
}

//! Control directories, markers, locks and areas of others.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::{CommitMode, StagingPlace};

use super::scene::{
    STRANGER, TRANSACTION, as_usual, commit, died, earlier, failed, is_stopped, make, make_file,
    write,
};
use super::{Taken, disk};

const ROOT: (u32, u32) = (0, 0);

/// A marker of somebody who may not write, of what is nowhere.
pub(super) fn marker(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o755)?;
    earlier(&root)?;
    let marker = format!("pending-{TRANSACTION}@0@%2Fnowhere");
    make_file(&root.join(".atomic").join(marker), STRANGER, "")?;
    Ok(is_stopped(&root, taken))
}

/// A marker of somebody who may write, of another's transaction in a directory that is closed to him.
pub(super) fn area_of_marker(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o777)?;
    earlier(&root)?;
    let closed = make(&top.join("closed"), ROOT, 0o700)?;
    let write = ("B", CommitMode::Append);
    let at = (Verb::OpenOrCreateFile, "pending-*");
    let place = StagingPlace::Directory(closed.clone());
    died(&root, write, at, |builder| builder.staging(place))?;
    for entry in fs::read_dir(root.join(".atomic"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("pending-") {
            chown(&path, Some(STRANGER), Some(STRANGER))?;
        }
    }
    let left = || fs::read_dir(&closed).map(Iterator::count);
    let before = left()?;
    // Whether it is refused is no matter here.
    drop(is_stopped(&root, taken));
    Ok((left()? < before).then(|| "a transaction of others was removed for a stranger".to_owned()))
}

/// A control directory of somebody who may not write.
pub(super) fn directory(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o755)?;
    let control = make(&root.join(".atomic"), (STRANGER, STRANGER), 0o777)?;
    make_file(&control.join("lock"), STRANGER, "")?;
    let write = ("A", CommitMode::Append);
    commit(&root, disk(taken), write, as_usual).map_err(failed)?;
    let theirs = fs::metadata(control)?.uid() == STRANGER;
    Ok(theirs.then(|| "the control directory is a stranger's".to_owned()))
}

/// Somebody who puts another lock in the place of the one that was opened, before it is locked.
#[derive(Debug)]
struct SwapsLock {
    lock: PathBuf,
    swapped: AtomicBool,
    /// Whether another could take the lock at the moment of a decision.
    is_free: AtomicBool,
}

impl Watch for SwapsLock {
    fn before(&self, call: &Call) -> Verdict {
        if call.verb == Verb::Lock
            && call.path == self.lock
            && !self.swapped.swap(true, Ordering::SeqCst)
        {
            let swapped = fs::remove_file(&self.lock).and_then(|()| {
                fs::write(&self.lock, "")?;
                // Else others than writers could take it, which is noticed by itself.
                fs::set_permissions(&self.lock, Permissions::from_mode(0o600))
            });
            self.swapped.store(swapped.is_ok(), Ordering::SeqCst);
        }
        if call.verb == Verb::Rename && call.path.ends_with("decision.record") {
            let free = File::open(&self.lock).is_ok_and(|lock| lock.try_lock().is_ok());
            self.is_free.store(free, Ordering::SeqCst);
        }
        Verdict::Pass
    }
}

/// The lock is another file by the time that it is held.
pub(super) fn lock(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o755)?;
    earlier(&root)?;
    let swaps = Arc::new(SwapsLock {
        lock: root.join(".atomic/lock"),
        swapped: AtomicBool::new(false),
        is_free: AtomicBool::new(false),
    });
    let disk = Tap::on(disk(taken), Arc::clone(&swaps) as _);
    commit(&root, disk, ("B", CommitMode::Overwrite), as_usual).map_err(failed)?;
    if !swaps.swapped.load(Ordering::SeqCst) {
        return Err(io::Error::other("no lock was exchanged"));
    }
    let free = swaps.is_free.load(Ordering::SeqCst);
    Ok(free.then(|| "another could decide at the same time".to_owned()))
}

/// Keeps in mind what is staged.
#[derive(Debug, Default)]
struct Staged(Mutex<Vec<PathBuf>>);

impl Watch for Staged {
    fn after(&self, call: &Call) -> Option<i32> {
        if call.verb == Verb::CreateFile
            && let Ok(mut paths) = self.0.lock()
        {
            paths.push(call.path.clone());
        }
        None
    }
}

/// Writes a file, and says whether it was staged in this area.
fn is_staged_in(area: &Path, path: &Path, taken: Taken) -> io::Result<bool> {
    let staged = Arc::<Staged>::default();
    write(path, Tap::on(disk(taken), Arc::clone(&staged) as _)).map_err(failed)?;
    let paths = staged.0.lock().map(|paths| paths.clone());
    let paths = paths.unwrap_or_default();
    Ok(paths.iter().any(|path| path.starts_with(area)))
}

/// An area of a stranger, where everybody may make files.
pub(super) fn area_of_stranger(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("all"), ROOT, 0o1777)?;
    make(&root.join("k=A"), ROOT, 0o1777)?;
    let theirs = make(&top.join(".all.atomic"), (STRANGER, STRANGER), 0o1777)?;
    let there = is_staged_in(&theirs, &root.join("k=A/file"), taken)?;
    Ok(there.then(|| "something is staged where a stranger can exchange it".to_owned()))
}

/// An area of somebody who may not write in the data set.
pub(super) fn area_of_reader(top: &Path, taken: Taken) -> io::Result<Option<String>> {
    let root = make(&top.join("lake"), ROOT, 0o755)?;
    make(&root.join("k=A"), ROOT, 0o755)?;
    let theirs = make(&top.join(".lake.atomic"), (STRANGER, STRANGER), 0o777)?;
    let there = is_staged_in(&theirs, &root.join("k=A/file"), taken)?;
    Ok(there.then(|| "something is staged where who may not write can exchange it".to_owned()))
}

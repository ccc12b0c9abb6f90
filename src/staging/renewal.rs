//! Renewal: replaces a control directory that others than the writers of the data set can change or lock.
//!
//! Users who may not write in the root (any more), but can change its control directory or take the lock in it, could
//! keep the root's writers out.
//!
//! A new directory is created beside the old one, what is to be kept is moved there, and the two are exchanged in one
//! step. After a crash the next writer goes on with that: nobody works with the old directory, since it is not trusted.
//! If several writers do so at the same time, the lock of the new directory lets one of them go on.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::ATTEMPTS;
use super::control::{Control, LOCK, MOUNTED, WRITES};
use super::place::is_impossible;
use crate::disk::{DiskFile, Entry, EntryKind, LockKind, LockOutcome, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Interrupt;

/// The name of the new control directory until it takes the place of the old one, and of the old one for a moment
/// afterwards.
const NEXT: &str = ".control.atomic";
/// The prefix and suffix of the names of replaced control directories.
const REPLACED: (&str, &str) = (".control-", ".atomic");
/// The time to wait for the lock of the old directory: by then another who replaces it has done so, and few commits
/// take longer.
const PATIENCE: Duration = Duration::from_secs(5);

const NOT_ALLOWED: &str = "this user cannot replace it: let the data set's owner write or recover, or give it and \
                           what is in it to the owner (`chown -R`) while nobody writes";
const HELD: &str = "it is not replaced while a process holds the lock in it: end that process (`fuser` tells which), \
                    or remove the lock while nobody writes";

impl Control {
    /// Whether only the writers of the root can change the directory, and take the lock in it. What is not there
    /// harms nobody.
    pub(super) fn is_trusted(&self) -> io::Result<bool> {
        for path in [self.path.clone(), self.path.join(LOCK)] {
            match self.disk.only_writers_can_change(&path, &self.root) {
                Ok(true) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                trusted => return trusted,
            }
        }
        Ok(true)
    }

    /// Replaces the directory if it is not trusted, or finishes a replacement that another process began.
    ///
    /// # Errors
    /// [`Error::ControlDistrusted`] if it cannot be replaced; then all is as it was, or the next one goes on.
    pub(crate) fn renew(&self, interrupt: &Interrupt) -> Result<()> {
        let next = self.next();
        for _ in 0..ATTEMPTS {
            // Whom the root was closed to must not go on holding the lock.
            let _ = self.disk.copy_group_and_mode(&self.path, &self.root);
            let _ = self
                .disk
                .copy_group_and_mode(&self.path.join(LOCK), &self.root);
            // In this order: when the two have changed places, the other one is not trusted.
            let trusted = self.is_trusted().at(Step::Decide, &self.path)?;
            let begun = self.is_begun().at(Step::Decide, &next)?;
            let done = match (trusted, begun) {
                (true, false) => return Ok(()),
                (true, true) => self.take_back(interrupt),
                (false, _) => self.replace(interrupt),
            };
            match done {
                // Somebody else has done it meanwhile.
                Err(
                    Error::Io { source, .. }
                    | Error::ControlDistrusted {
                        source: Some(source),
                        ..
                    },
                ) if source.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
        Err(io::Error::from(io::ErrorKind::ResourceBusy)).at(Step::Decide, &self.path)
    }

    /// The replaced control directories that still hold files of others. Those that do not are removed.
    pub(crate) fn replaced(&self, dry_run: bool) -> Vec<PathBuf> {
        let entries = self.disk.list(&self.root).unwrap_or_default();
        let is_it = |entry: &Entry| {
            let name = entry.path.file_name().and_then(OsStr::to_str);
            let (begin, end) = REPLACED;
            let id = name.and_then(|name| name.strip_prefix(begin)?.strip_suffix(end));
            id.is_some_and(|id| Uuid::try_parse(id).is_ok()) || entry.path == self.next()
        };
        let found = entries.into_iter().filter(is_it);
        found
            .map(|entry| entry.path)
            .filter(|path| dry_run || !self.tidy(path))
            .collect()
    }

    fn next(&self) -> PathBuf {
        self.root.join(NEXT)
    }

    /// Whether a replacement has begun: a trusted new directory exists under its first name.
    fn is_begun(&self) -> io::Result<bool> {
        let next = self.next();
        let there = self.disk.status(&next)?;
        let is_directory = matches!(there, Some((EntryKind::Directory, _)));
        Ok(is_directory && self.disk.only_writers_can_change(&next, &self.root)?)
    }

    fn replace(&self, interrupt: &Interrupt) -> Result<()> {
        let disk = self.disk.as_ref();
        let refused = |source| self.distrusted(NOT_ALLOWED, Some(source));
        disk.check_writable(&self.root).map_err(refused)?;
        disk.check_removable(&self.path).map_err(refused)?;
        // A writer who still works by the old directory holds it: what he decides must not be moved under his hands.
        let _lock_of_old = self.lock_of_old(interrupt)?;
        let next = self.next();
        if !self.is_begun().at(Step::Decide, &next)? {
            self.put_away(&next).map_err(refused)?;
            match disk.create_directory(&next) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(refused(error));
                }
                _ => drop(disk.copy_group_and_mode(&next, &self.root)),
            }
        }
        let Some(_lock) = self.lock_of_next(interrupt)? else {
            return Ok(());
        };
        if self.is_trusted().at(Step::Decide, &self.path)? {
            return Ok(());
        }
        // What is moved must not be lost with the name of the directory.
        self.sync(&[&self.root]).map_err(refused)?;
        self.move_all(&self.path, &next).map_err(refused)?;
        self.sync(&[&next]).map_err(refused)?;
        disk.exchange(&next, &self.path).map_err(refused)?;
        self.sync(&[&self.root]).map_err(refused)?;
        // What is in the way leaves it where it is until the next time.
        let _ = self.put_away(&next);
        Ok(())
    }

    /// Takes the lock of the new directory, which only writers of the root can take: of several who replace the old
    /// one, it lets one go on. `None` if the new one has taken the place of the old one meanwhile.
    fn lock_of_next(&self, interrupt: &Interrupt) -> Result<Option<Box<dyn DiskFile>>> {
        let (disk, path) = (self.disk.as_ref(), self.next().join(LOCK));
        let asked = || interrupt.is_asked_for(Step::Decide);
        let lock = disk.open_or_create_file(&path).at(Step::Decide, &path)?;
        if lock
            .lock(LockKind::Exclusive, &asked)
            .at(Step::Decide, &path)?
            == LockOutcome::Busy
        {
            interrupt.check(Step::Decide, &self.root)?;
            return Ok(None);
        }
        let held = lock.status().at(Step::Decide, &path)?.identity;
        let there = disk.status(&path).at(Step::Decide, &path)?;
        let is_it = there.is_some_and(|(_, there)| there.identity == held)
            && self.is_begun().at(Step::Decide, &path)?;
        Ok(is_it.then_some(lock))
    }

    /// Takes the lock of the old directory, if it can be opened. A writer who was trusted when he took it must have
    /// ended; a lock that cannot be opened is held by nobody who writes.
    fn lock_of_old(&self, interrupt: &Interrupt) -> Result<Option<Box<dyn DiskFile>>> {
        let path = self.path.join(LOCK);
        let opened = match self.disk.open_file(&path, true) {
            Err(error) if is_impossible(&error) => self.disk.open_file(&path, false),
            opened => opened,
        };
        let Ok(lock) = opened else {
            return Ok(None);
        };
        let begun = Instant::now();
        let asked = || interrupt.is_asked_for(Step::Decide);
        let locked = lock.lock(LockKind::Exclusive, &|| {
            asked() || begun.elapsed() > PATIENCE
        });
        match locked.at(Step::Decide, &path)? {
            LockOutcome::Held | LockOutcome::Unsupported => Ok(Some(lock)),
            LockOutcome::Busy => {
                interrupt.check(Step::Decide, &self.root)?;
                Err(self.distrusted(HELD, None))
            }
        }
    }

    /// Moves what belongs to writers of the root from one directory to another: markers, those of named writes too,
    /// and transactions and files that are staged in it. The lock stays.
    fn move_all(&self, from: &Path, into: &Path) -> io::Result<()> {
        let disk = self.disk.as_ref();
        for entry in disk.list(from)? {
            let name = entry.path.file_name().unwrap_or_default();
            if name == LOCK {
                continue;
            }
            let to = into.join(name);
            if name != WRITES {
                self.move_one(&entry, &to)?;
                continue;
            }
            if entry.kind != EntryKind::Directory {
                continue;
            }
            match disk.create_directory(&to) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => drop(disk.copy_group_and_mode(&to, &self.root)),
            }
            // As above.
            self.sync(&[into])?;
            for entry in disk.list(&entry.path)? {
                let name = entry.path.file_name().unwrap_or_default();
                self.move_one(&entry, &to.join(name))?;
            }
            self.sync(&[&to])?;
        }
        Ok(())
    }

    fn move_one(&self, entry: &Entry, to: &Path) -> io::Result<()> {
        let disk = self.disk.as_ref();
        let is_writers = |path: &Path| -> io::Result<bool> {
            match disk.status(path)? {
                Some((EntryKind::File | EntryKind::Directory, _)) => {
                    Ok(self.stranger_of(path)?.is_none())
                }
                _ => Ok(false),
            }
        };
        if !is_writers(&entry.path)? {
            return Ok(());
        }
        match disk.rename(&entry.path, to, PublishMode::CreateNew) {
            // It was exchanged for something else since.
            Ok(()) if !is_writers(to)? => disk.rename(to, &entry.path, PublishMode::CreateNew),
            // Moved by somebody else, or before a crash that left both names.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                ) =>
            {
                Ok(())
            }
            // A copy of these says no more than they do.
            Err(error) if is_impossible(&error) && is_plain(entry) => {
                disk.open_or_create_file(to).map(drop)
            }
            moved => moved,
        }
    }

    /// Undoes a replacement that is not needed any more, because the old directory is trusted by now: moves
    /// everything back.
    fn take_back(&self, interrupt: &Interrupt) -> Result<()> {
        let next = self.next();
        let Some(_lock) = self.lock_of_next(interrupt)? else {
            return Ok(());
        };
        if !self.is_trusted().at(Step::Decide, &self.path)? {
            return Ok(());
        }
        let back = || {
            self.make(&mut Vec::new())?;
            self.move_all(&next, &self.path)?;
            self.sync(&[&self.path, &self.root])
        };
        back().at(Step::Decide, &next)?;
        match self.tidy(&next) {
            true => Ok(()),
            false => self.put_away(&next).at(Step::Decide, &next),
        }
    }

    /// Removes a replaced control directory, or renames it if it holds files of others.
    fn put_away(&self, path: &Path) -> io::Result<()> {
        if self.tidy(path) {
            return Ok(());
        }
        let (begin, end) = REPLACED;
        let name = format!("{begin}{}{end}", Uuid::now_v7());
        match self
            .disk
            .rename(path, &self.root.join(name), PublishMode::CreateNew)
        {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            moved => moved,
        }
    }

    /// Removes a control directory that holds nothing but its lock; answers whether it is gone.
    fn tidy(&self, path: &Path) -> bool {
        let disk = self.disk.as_ref();
        let entries = match disk.list(path) {
            Err(error) => return error.kind() == io::ErrorKind::NotFound,
            Ok(entries) => entries,
        };
        let writes = path.join(WRITES);
        let of_others = |entry: &Entry| !entry.path.ends_with(LOCK) && entry.path != writes;
        if entries.iter().any(of_others) || !disk.list(&writes).unwrap_or_default().is_empty() {
            return false;
        }
        let _ = disk.remove_directory(&writes);
        let _ = disk.remove_file(&path.join(LOCK));
        disk.remove_directory(path).is_ok()
    }

    fn sync(&self, paths: &[&Path]) -> io::Result<()> {
        for path in paths {
            self.disk.open_directory(path)?.sync()?;
        }
        Ok(())
    }

    fn distrusted(&self, reason: &'static str, source: Option<io::Error>) -> Error {
        Error::ControlDistrusted {
            path: self.path.clone(),
            reason,
            source,
        }
    }
}

/// Whether an entry is a marker whose name says everything, whoever owns it: that a root is mounted, or a named write
/// committed.
fn is_plain(entry: &Entry) -> bool {
    let above = entry.path.parent().and_then(Path::file_name);
    let is_name = above == Some(OsStr::new(WRITES)) || entry.path.ends_with(MOUNTED);
    is_name && entry.kind == EntryKind::File
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::disk::Disk;
    use crate::disk::sim::SimDisk;

    const ROOT: &str = "/lake/weather";
    const KEPT: [&str; 4] = [
        "mounted",
        "pending-01a22718-9e0d-7655-8f69-8f5e5d0b3de4@0@",
        "writes/0123@%2Fa",
        "01a22718-9e0d-7655-8f69-8f5e5d0b3dff/lease",
    ];
    const STRANGERS: [&str; 2] = [
        "pending-01a22718-9e0d-7655-8f69-8f5e5d0b3d00@0@",
        "writes/4567@%2Fb",
    ];

    /// A root whose control directory a stranger has made, with files of his and of writers in it.
    fn scene() -> SimDisk {
        let disk = SimDisk::new();
        disk.set_journaled(true);
        for name in KEPT.iter().chain(&STRANGERS).chain(&[LOCK]) {
            disk.put(format!("{ROOT}/.atomic/{name}"), b"").unwrap();
        }
        let strangers = STRANGERS.iter().chain(&[LOCK, ""]);
        for name in strangers {
            let path = Path::new(ROOT).join(".atomic").join(name);
            disk.give_to_stranger(path.components().collect::<PathBuf>())
                .unwrap();
        }
        disk
    }

    fn control(disk: &SimDisk) -> Control {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        Control::of(&disk, Path::new(ROOT))
    }

    fn lock(disk: &SimDisk) {
        let lock = control(disk).lock(LockKind::Exclusive, &Interrupt::default());
        assert_eq!(lock.unwrap().outcome, LockOutcome::Held);
    }

    /// What there is in the control directory.
    fn names(disk: &SimDisk) -> BTreeSet<String> {
        let top = Path::new(ROOT).join(".atomic");
        let files = disk.files().into_iter();
        let names = files.filter_map(|path| Some(path.strip_prefix(&top).ok()?.to_owned()));
        names.map(|name| name.display().to_string()).collect()
    }

    #[track_caller]
    fn assert_renewed(disk: &SimDisk) {
        assert!(control(disk).is_trusted().unwrap());
        let kept = KEPT.iter().chain(&[LOCK]).map(|name| (*name).to_owned());
        assert_eq!(names(disk), kept.collect());
        let replaced = control(disk).replaced(false);
        assert_eq!(replaced.len(), 1, "{replaced:?}");
        let left: Vec<PathBuf> = disk.files();
        for name in STRANGERS {
            assert!(left.contains(&replaced[0].join(name)), "{left:?}");
        }
    }

    #[test]
    fn what_belongs_to_writers_is_kept_and_what_does_not_is_set_aside() {
        let disk = scene();
        lock(&disk);
        assert_renewed(&disk);
        lock(&disk);
        assert_renewed(&disk);
    }

    #[test]
    fn after_a_crash_at_any_moment_the_next_one_goes_on() {
        let disk = scene();
        lock(&disk);
        let mut seen = 0;
        for moment in disk.moments() {
            for found in moment.after_power_loss() {
                seen += 1;
                lock(&found);
                assert_renewed(&found);
            }
        }
        assert!(seen > 20, "{seen} states");
    }

    #[test]
    fn after_a_crash_nothing_is_lost_if_the_old_one_is_made_trusted() {
        let disk = scene();
        lock(&disk);
        for moment in disk.moments() {
            for found in moment.after_power_loss() {
                // The owner gives it to himself.
                found.give_to_writer(format!("{ROOT}/.atomic")).unwrap();
                found
                    .give_to_writer(format!("{ROOT}/.atomic/{LOCK}"))
                    .unwrap();
                lock(&found);
                let names = names(&found);
                for name in KEPT {
                    assert!(names.contains(name), "{} {names:?}", moment.call);
                }
            }
        }
    }

    #[test]
    fn while_its_lock_is_held_it_is_not_replaced_and_that_is_told() {
        let disk = scene();
        let path = Path::new(ROOT).join(".atomic").join(LOCK);
        let held = disk.open_file(&path, true).unwrap();
        held.try_lock(LockKind::Shared).unwrap();
        let refused = control(&disk).lock(LockKind::Shared, &Interrupt::when(|_| true));
        assert!(matches!(refused, Err(Error::Interrupted { .. })));
        let refused = control(&disk).lock(LockKind::Shared, &Interrupt::default());
        assert!(matches!(
            refused,
            Err(Error::ControlDistrusted { reason: HELD, .. })
        ));
        drop(held);
        lock(&disk);
        assert_renewed(&disk);
    }

    #[test]
    fn who_replaces_it_while_another_does_undoes_nothing() {
        for call in ["create_directory", "rename", "exchange"] {
            let disk = scene();
            // Without a lock in the old one nothing but that of the new one keeps them from each other.
            disk.remove_file(&Path::new(ROOT).join(".atomic").join(LOCK))
                .unwrap();
            let other = disk.clone();
            let (started, wait) = std::sync::mpsc::channel();
            disk.before_call(call, move || {
                let thread = std::thread::spawn(move || lock(&other));
                started.send(thread).unwrap();
            });
            lock(&disk);
            wait.try_recv().unwrap().join().unwrap();
            assert_renewed(&disk);
        }
    }
}

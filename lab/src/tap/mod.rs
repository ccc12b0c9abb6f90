//! A disk that lets somebody watch each call, and meddle with it.
//!
//! [`Tap`] stands between the library and any [`Disk`], simulated or real. A [`Watch`] is told of
//! every call before it happens and may let it pass, make it fail, or let it answer without being
//! done; afterwards it may lose the answer. Faults, mutations, power cuts and other processes are all
//! watches. What a call does when it passes is the disk's behind it.

mod handles;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use atomic_arrow::disk::{
    Disk, DiskDirectory, DiskFile, Entry, EntryKind, FileStatus, Place, Project, PublishMode,
};

use handles::{TapDirectory, TapFile};

/// What kind of call it is.
#[allow(missing_docs)] // Each is the method of `Disk`, `DiskFile` or `DiskDirectory` of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    CreateFile,
    OpenFile,
    OpenOrCreateFile,
    CreateDirectory,
    OpenDirectory,
    Publish,
    Exchange,
    RemoveFile,
    RemoveDirectory,
    List,
    Status,
    Place,
    Canonicalize,
    CheckWritable,
    CheckRemovable,
    ShareLike,
    Write,
    Read,
    FileStatus,
    SetMode,
    SyncFile,
    CheckClose,
    DropCache,
    TryLock,
    Lock,
    Identity,
    SyncDirectory,
    SyncFileSystem,
}

impl Verb {
    /// Whether the call can change what a power cut leaves.
    #[must_use]
    pub fn changes(self) -> bool {
        use Verb::{
            CreateDirectory, CreateFile, Exchange, OpenOrCreateFile, Publish, RemoveDirectory,
            RemoveFile, SetMode, ShareLike, SyncDirectory, SyncFile, SyncFileSystem, Write,
        };
        matches!(
            self,
            CreateFile
                | OpenOrCreateFile
                | CreateDirectory
                | Publish
                | Exchange
                | RemoveFile
                | RemoveDirectory
                | Write
                | SetMode
                | ShareLike
                | SyncFile
                | SyncDirectory
                | SyncFileSystem
        )
    }

    /// Whether the call makes something durable.
    #[must_use]
    pub fn syncs(self) -> bool {
        matches!(
            self,
            Verb::SyncFile | Verb::SyncDirectory | Verb::SyncFileSystem
        )
    }
}

/// One call, before or after it is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    /// What is asked for.
    pub verb: Verb,
    /// What it is about: the new name of a move; of an open file, the name that it was opened by.
    pub path: PathBuf,
    /// The old name of a move.
    pub from: Option<PathBuf>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.verb, self.path.display())
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is made.
    Pass,
    /// It is not made, and answered as if it had been. Only syncs and locks can be; others pass.
    Pretend,
    /// It is not made, and fails with this error number.
    Fail(i32),
}

/// Somebody who is told of every call.
pub trait Watch: fmt::Debug + Send + Sync {
    /// Decides what becomes of a call.
    fn before(&self, _call: &Call) -> Verdict {
        Verdict::Pass
    }

    /// Told of a call that was made and went well; an error number is given to the caller instead of
    /// the answer.
    fn after(&self, _call: &Call) -> Option<i32> {
        None
    }

    /// What is answered instead of what a listing gave.
    fn listed(&self, _path: &Path, entries: Vec<Entry>) -> Vec<Entry> {
        entries
    }

    /// What reaches a file of what is written to it from `offset` on; what is missing at the end is said to
    /// be written all the same.
    fn written<'a>(&self, _path: &Path, _offset: u64, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        Cow::Borrowed(bytes)
    }

    /// How a file is published that was to be published in this mode.
    fn mode(&self, _to: &Path, mode: PublishMode) -> PublishMode {
        mode
    }

    /// Whether statuses do not tell whom things belong to.
    fn hides_owners(&self) -> bool {
        false
    }

    /// Whether the disk answers that every user is trusted, and could do everything.
    fn trusts_everybody(&self) -> bool {
        false
    }

    /// Asked instead of waiting for a lock that somebody else has: returns when asking again makes
    /// sense. `false` leaves the waiting to the disk.
    fn waits_for_lock(&self, _call: &Call) -> bool {
        false
    }
}

/// A disk with a [`Watch`] on it.
#[derive(Debug, Clone)]
pub struct Tap {
    disk: Arc<dyn Disk>,
    watch: Arc<dyn Watch>,
}

impl Tap {
    /// Puts a watch on a disk.
    #[must_use]
    pub fn on(disk: Arc<dyn Disk>, watch: Arc<dyn Watch>) -> Arc<dyn Disk> {
        Arc::new(Tap { disk, watch })
    }

    fn file(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(TapFile {
            file,
            path: path.to_owned(),
            written: 0,
            watch: Arc::clone(&self.watch),
        })
    }
}

fn watched<T>(
    watch: &dyn Watch,
    verb: Verb,
    path: &Path,
    from: Option<&Path>,
    pretended: Option<T>,
    make: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let call = Call {
        verb,
        path: path.to_owned(),
        from: from.map(Path::to_owned),
    };
    match (watch.before(&call), pretended) {
        (Verdict::Fail(errno), _) => return Err(io::Error::from_raw_os_error(errno)),
        (Verdict::Pretend, Some(answer)) => return Ok(answer),
        _ => {}
    }
    let answer = make()?;
    match watch.after(&call) {
        Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        None => Ok(answer),
    }
}

impl Tap {
    fn call<T>(
        &self,
        verb: Verb,
        path: &Path,
        make: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        watched(self.watch.as_ref(), verb, path, None, None, make)
    }
}

impl Disk for Tap {
    fn create_file(&self, path: &Path, private: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = self.call(Verb::CreateFile, path, || {
            self.disk.create_file(path, private)
        })?;
        Ok(self.file(path, file))
    }

    fn open_file(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = self.call(Verb::OpenFile, path, || self.disk.open_file(path, write))?;
        Ok(self.file(path, file))
    }

    fn open_or_create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.call(Verb::OpenOrCreateFile, path, || {
            self.disk.open_or_create_file(path)
        })?;
        Ok(self.file(path, file))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.call(Verb::CreateDirectory, path, || {
            self.disk.create_directory(path)
        })
    }

    fn open_directory(&self, path: &Path) -> io::Result<Box<dyn DiskDirectory>> {
        let directory = self.call(Verb::OpenDirectory, path, || self.disk.open_directory(path))?;
        Ok(Box::new(TapDirectory {
            directory,
            path: path.to_owned(),
            watch: Arc::clone(&self.watch),
        }))
    }

    fn rename(&self, from: &Path, to: &Path, mode: PublishMode) -> io::Result<()> {
        let watch = self.watch.as_ref();
        watched(watch, Verb::Publish, to, Some(from), None, || {
            self.disk.rename(from, to, watch.mode(to, mode))
        })
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let watch = self.watch.as_ref();
        watched(watch, Verb::Exchange, other, Some(one), None, || {
            self.disk.exchange(one, other)
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.call(Verb::RemoveFile, path, || self.disk.remove_file(path))
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.call(Verb::RemoveDirectory, path, || {
            self.disk.remove_directory(path)
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let entries = self.call(Verb::List, path, || self.disk.list(path))?;
        Ok(self.watch.listed(path, entries))
    }

    fn status(&self, path: &Path) -> io::Result<Option<(EntryKind, FileStatus)>> {
        let mut found = self.call(Verb::Status, path, || self.disk.status(path))?;
        if let Some((_, status)) = found.as_mut().filter(|_| self.watch.hides_owners()) {
            status.owner = None;
        }
        Ok(found)
    }

    fn place(&self, path: &Path) -> io::Result<Place> {
        self.call(Verb::Place, path, || self.disk.place(path))
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.call(Verb::Canonicalize, path, || self.disk.canonicalize(path))
    }

    fn trusts_locks(&self, path: &Path) -> bool {
        self.disk.trusts_locks(path)
    }

    fn check_writable(&self, directory: &Path) -> io::Result<()> {
        self.call(Verb::CheckWritable, directory, || {
            self.disk.check_writable(directory)
        })
    }

    fn copy_group_and_read_mode(&self, path: &Path, model: &Path) -> io::Result<()> {
        self.call(Verb::ShareLike, path, || {
            self.disk.copy_group_and_read_mode(path, model)
        })
    }

    fn check_removable(&self, path: &Path) -> io::Result<()> {
        self.call(Verb::CheckRemovable, path, || {
            self.disk.check_removable(path)
        })
    }

    fn project(&self, directory: &Path) -> io::Result<Project> {
        self.call(Verb::Place, directory, || self.disk.project(directory))
    }

    fn free_inodes(&self, path: &Path) -> io::Result<Option<u64>> {
        self.call(Verb::Place, path, || self.disk.free_inodes(path))
    }

    fn free_descriptors(&self) -> Option<u64> {
        self.disk.free_descriptors()
    }

    fn copy_group_and_mode(&self, path: &Path, model: &Path) -> io::Result<()> {
        self.call(Verb::ShareLike, path, || {
            self.disk.copy_group_and_mode(path, model)
        })
    }

    fn owner_is_trusted(&self, path: &Path, model: &Path) -> io::Result<bool> {
        Ok(self.watch.trusts_everybody() || self.disk.owner_is_trusted(path, model)?)
    }

    fn only_writers_can_change(&self, path: &Path, model: &Path) -> io::Result<bool> {
        Ok(self.watch.trusts_everybody() || self.disk.only_writers_can_change(path, model)?)
    }

    fn user(&self) -> Option<u32> {
        self.disk.user()
    }

    fn could_change(
        &self,
        user: u32,
        group: Option<u32>,
        directory: &Path,
        name: Option<&OsStr>,
    ) -> io::Result<bool> {
        let could = self.watch.trusts_everybody();
        Ok(could || self.disk.could_change(user, group, directory, name)?)
    }

    fn now(&self) -> SystemTime {
        self.disk.now()
    }
}

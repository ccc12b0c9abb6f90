//! The operating system's disk, with the time that it spends on syncing taken.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use atomic_arrow::PublishMode;
use atomic_arrow::disk::{
    Disk, DiskDirectory, DiskFile, Entry, EntryKind, FileStatus, Identity, LockKind, LockOutcome,
    OsDisk, Place, Project,
};

/// Adds up how long syncs took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stopwatch(Arc<AtomicU64>);

impl Stopwatch {
    pub(crate) fn time(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let start = Instant::now();
        let done = sync();
        self.0
            .fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        done
    }

    pub(crate) fn total(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// [`OsDisk`], whose syncs are timed.
#[derive(Debug)]
pub(crate) struct TimedDisk(pub(crate) Stopwatch);

#[derive(Debug)]
struct Timed<T: ?Sized>(Box<T>, Stopwatch);

impl TimedDisk {
    fn file(&self, opened: io::Result<Box<dyn DiskFile>>) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Timed(opened?, self.0.clone())))
    }
}

impl Disk for TimedDisk {
    fn create_file(&self, path: &Path, private: bool) -> io::Result<Box<dyn DiskFile>> {
        self.file(OsDisk.create_file(path, private))
    }

    fn open_file(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>> {
        self.file(OsDisk.open_file(path, write))
    }

    fn open_or_create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.file(OsDisk.open_or_create_file(path))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_directory(path)
    }

    fn open_directory(&self, path: &Path) -> io::Result<Box<dyn DiskDirectory>> {
        Ok(Box::new(Timed(
            OsDisk.open_directory(path)?,
            self.0.clone(),
        )))
    }

    fn rename(&self, from: &Path, to: &Path, mode: PublishMode) -> io::Result<()> {
        OsDisk.rename(from, to, mode)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        OsDisk.list(path)
    }

    fn status(&self, path: &Path) -> io::Result<Option<(EntryKind, FileStatus)>> {
        OsDisk.status(path)
    }

    fn place(&self, path: &Path) -> io::Result<Place> {
        OsDisk.place(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        OsDisk.canonicalize(path)
    }

    fn trusts_locks(&self, path: &Path) -> bool {
        OsDisk.trusts_locks(path)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        OsDisk.exchange(one, other)
    }

    fn check_writable(&self, directory: &Path) -> io::Result<()> {
        OsDisk.check_writable(directory)
    }

    fn copy_group_and_read_mode(&self, path: &Path, model: &Path) -> io::Result<()> {
        OsDisk.copy_group_and_read_mode(path, model)
    }

    fn check_removable(&self, path: &Path) -> io::Result<()> {
        OsDisk.check_removable(path)
    }

    fn project(&self, directory: &Path) -> io::Result<Project> {
        OsDisk.project(directory)
    }

    fn free_inodes(&self, path: &Path) -> io::Result<Option<u64>> {
        OsDisk.free_inodes(path)
    }

    fn free_descriptors(&self) -> Option<u64> {
        OsDisk.free_descriptors()
    }

    fn copy_group_and_mode(&self, directory: &Path, model: &Path) -> io::Result<()> {
        OsDisk.copy_group_and_mode(directory, model)
    }

    fn succeed(&self, path: &Path, old: &Path) -> io::Result<()> {
        OsDisk.succeed(path, old)
    }

    fn owner_is_trusted(&self, path: &Path, model: &Path) -> io::Result<bool> {
        OsDisk.owner_is_trusted(path, model)
    }

    fn only_writers_can_change(&self, path: &Path, model: &Path) -> io::Result<bool> {
        OsDisk.only_writers_can_change(path, model)
    }

    fn user(&self) -> Option<u32> {
        OsDisk.user()
    }

    fn could_change(
        &self,
        user: u32,
        by: &Path,
        directory: &Path,
        name: Option<&OsStr>,
    ) -> io::Result<bool> {
        OsDisk.could_change(user, by, directory, name)
    }

    fn now(&self) -> SystemTime {
        OsDisk.now()
    }
}

impl DiskFile for Timed<dyn DiskFile> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn status(&self) -> io::Result<FileStatus> {
        self.0.status()
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.0.set_mode(mode)
    }

    fn sync(&self) -> io::Result<()> {
        self.1.time(|| self.0.sync())
    }

    fn check_close(&self) -> io::Result<()> {
        self.0.check_close()
    }

    fn drop_cache(&self) -> io::Result<()> {
        self.0.drop_cache()
    }

    fn try_lock(&self, kind: LockKind) -> io::Result<LockOutcome> {
        self.0.try_lock(kind)
    }

    fn lock(&self, kind: LockKind, give_up: &dyn Fn() -> bool) -> io::Result<LockOutcome> {
        self.0.lock(kind, give_up)
    }
}

impl DiskDirectory for Timed<dyn DiskDirectory> {
    fn identity(&self) -> io::Result<Identity> {
        self.0.identity()
    }

    fn sync(&self) -> io::Result<()> {
        self.1.time(|| self.0.sync())
    }

    fn reports_file_system_sync(&self) -> bool {
        self.0.reports_file_system_sync()
    }

    fn sync_file_system(&self) -> io::Result<()> {
        self.1.time(|| self.0.sync_file_system())
    }
}

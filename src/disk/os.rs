//! The operating system's disk.
//!
//! What the systems have in common is done here through the standard library; what differs, and every
//! call that names a file, is in `sys`. Linux is tested; the code for macOS and Windows is written and untested.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

use super::sys;
use super::{
    Disk, DiskDirectory, DiskFile, Entry, EntryKind, FileStatus, Identity, LockKind, LockOutcome,
    Place, Project, PublishMode, SyncScope,
};

/// The time between two questions whether to give up waiting for a lock.
const PATIENCE: Duration = Duration::from_millis(20);

/// The disk of the operating system: real files.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

impl OsDisk {
    /// Wraps an open file of the standard library.
    pub(crate) fn file(file: File) -> Box<dyn DiskFile> {
        Box::new(OsFile::new(file))
    }
}

impl Disk for OsDisk {
    fn create_file(&self, path: &Path, private: bool) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OsFile::new(sys::create_file(path, private)?)))
    }

    fn open_file(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = sys::open_file(path, write)?;
        let kind = file.metadata()?.file_type();
        if kind.is_file() {
            Ok(Box::new(OsFile::new(file)))
        } else if kind.is_dir() {
            Err(io::ErrorKind::IsADirectory.into())
        } else {
            let reason = "not a regular file";
            Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
        }
    }

    fn open_or_create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        loop {
            let file = match self.open_file(path, true) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match sys::create_shared(path) {
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                        created => return Ok(Box::new(OsFile::new(created?))),
                    }
                }
                opened => opened?,
            };
            // Whatever our umask is, and also where the directory's permissions were changed since. Of another
            // user's file they stay as they are.
            if let Some(directory) = path.parent() {
                let _ = self.copy_group_and_mode(path, directory);
            }
            return Ok(file);
        }
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        sys::create_directory(path)
    }

    fn open_directory(&self, path: &Path) -> io::Result<Box<dyn DiskDirectory>> {
        Ok(Box::new(OsDirectory(sys::open_directory(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path, mode: PublishMode) -> io::Result<()> {
        sys::rename(from, to, mode)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        sys::exchange(one, other)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        sys::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        sys::remove_directory(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        sys::list(path)
    }

    fn status(&self, path: &Path) -> io::Result<Option<(EntryKind, FileStatus)>> {
        sys::status(path)
    }

    fn place(&self, path: &Path) -> io::Result<Place> {
        sys::place(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn has_links(&self) -> bool {
        true
    }

    fn trusts_locks(&self, path: &Path) -> bool {
        sys::trusts_locks(path)
    }

    fn check_writable(&self, directory: &Path) -> io::Result<()> {
        sys::check_writable(directory)
    }

    fn copy_group_and_read_mode(&self, path: &Path, model: &Path) -> io::Result<()> {
        sys::copy_group_and_read_mode(path, model)
    }

    fn check_removable(&self, path: &Path) -> io::Result<()> {
        sys::check_removable(path)
    }

    fn project(&self, directory: &Path) -> io::Result<Project> {
        sys::project(directory)
    }

    fn free_inodes(&self, path: &Path) -> io::Result<Option<u64>> {
        sys::free_inodes(path)
    }

    fn free_descriptors(&self) -> Option<u64> {
        sys::free_descriptors()
    }

    fn copy_group_and_mode(&self, path: &Path, model: &Path) -> io::Result<()> {
        sys::copy_group_and_mode(path, model)
    }

    fn inherit_permissions(&self, path: &Path, old: &Path) -> io::Result<()> {
        sys::inherit_permissions(path, old)
    }

    fn owner_is_trusted(&self, path: &Path, model: &Path) -> io::Result<bool> {
        sys::owner_is_trusted(path, model)
    }

    fn only_writers_can_change(&self, path: &Path, model: &Path) -> io::Result<bool> {
        sys::only_writers_can_change(path, model)
    }

    fn user(&self) -> Option<u32> {
        sys::user()
    }

    fn could_change(
        &self,
        user: u32,
        by: &Path,
        directory: &Path,
        name: Option<&OsStr>,
    ) -> io::Result<bool> {
        sys::could_change(user, by, directory, name)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

#[derive(Debug)]
struct OsFile {
    file: File,
    /// The process that holds a lock through this file; 0 if none does.
    holder: AtomicU32,
}

impl OsFile {
    fn new(file: File) -> Self {
        let holder = AtomicU32::new(0);
        OsFile { file, holder }
    }

    fn locked(&self, outcome: io::Result<LockOutcome>) -> io::Result<LockOutcome> {
        if matches!(outcome, Ok(LockOutcome::Held)) {
            self.holder.store(process::id(), Ordering::Relaxed);
        }
        outcome
    }
}

impl Drop for OsFile {
    /// Closing would not give the lock back while a process that was forked meanwhile has the file open,
    /// and in such a process it is not ours to give.
    fn drop(&mut self) {
        if *self.holder.get_mut() == process::id() {
            let _ = self.file.unlock();
        }
    }
}

fn status(metadata: &fs::Metadata, identity: Identity) -> io::Result<FileStatus> {
    Ok(FileStatus {
        identity,
        len: metadata.len(),
        mode: sys::mode(metadata),
        owner: sys::owner(metadata),
        modified: metadata.modified()?,
    })
}

impl DiskFile for OsFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match sys::read_at(&self.file, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn status(&self) -> io::Result<FileStatus> {
        let metadata = self.file.metadata()?;
        let identity = sys::identity(&self.file, &metadata)?;
        status(&metadata, identity)
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        sys::set_mode(&self.file, mode)
    }

    fn sync(&self) -> io::Result<()> {
        // On macOS the standard library issues F_FULLFSYNC, on Windows FlushFileBuffers.
        self.file.sync_all()
    }

    fn check_close(&self) -> io::Result<()> {
        sys::check_close(&self.file)
    }

    fn drop_cache(&self) -> io::Result<()> {
        sys::drop_cache(&self.file)
    }

    fn try_lock(&self, kind: LockKind) -> io::Result<LockOutcome> {
        self.locked(sys::try_lock(&self.file, kind))
    }

    fn lock(&self, kind: LockKind, give_up: &dyn Fn() -> bool) -> io::Result<LockOutcome> {
        match self.try_lock(kind)? {
            LockOutcome::Busy => {}
            outcome => return Ok(outcome),
        }
        // The system does not wait and ask at the same time, and who only looks again and again may miss
        // each moment at which the lock is free. The lock is that of the description that both handles
        // share: it goes with the last of them.
        let waiting = self.file.try_clone()?;
        let (telling, told) = mpsc::channel();
        let wait = move || {
            let outcome = loop {
                match sys::lock(&waiting, kind) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    locked => break locked,
                }
            };
            // Nobody listens if it was given up.
            let _ = telling.send(outcome);
        };
        let named = thread::Builder::new().name("atomic-arrow-lock".to_owned());
        drop(named.spawn(wait)?);
        loop {
            match told.recv_timeout(PATIENCE) {
                Ok(outcome) => return self.locked(outcome),
                Err(RecvTimeoutError::Timeout) if give_up() => return Ok(LockOutcome::Busy),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the thread that waits for a lock is gone"));
                }
            }
        }
    }
}

#[derive(Debug)]
struct OsDirectory(File);

impl DiskDirectory for OsDirectory {
    fn identity(&self) -> io::Result<Identity> {
        sys::identity(&self.0, &self.0.metadata()?)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn reports_file_system_sync(&self, scope: SyncScope) -> bool {
        sys::reports_file_system_sync(&self.0, scope)
    }

    fn sync_file_system(&self, _scope: SyncScope) -> io::Result<()> {
        sys::sync_file_system(&self.0)
    }
}

//! Open files and directories of a [`Tap`](super::Tap).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Call, Verb, Watch, watched};
use crate::disk::{DiskDirectory, DiskFile, FileStatus, Identity, LockKind, LockOutcome};

#[derive(Debug)]
pub(super) struct TapFile {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) path: PathBuf,
    /// How many bytes were written to it by this handle.
    pub(super) written: u64,
    pub(super) watch: Arc<dyn Watch>,
}

impl TapFile {
    fn call<T>(
        &self,
        verb: Verb,
        pretended: Option<T>,
        make: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        watched(self.watch.as_ref(), verb, &self.path, None, pretended, make)
    }
}

impl DiskFile for TapFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (file, watch) = (&mut self.file, self.watch.as_ref());
        let reaching = watch.written(&self.path, self.written, bytes);
        let count = watched(watch, Verb::Write, &self.path, None, None, || {
            let count = file.write(&reaching)?;
            Ok(match count == reaching.len() {
                true => bytes.len(),
                false => count,
            })
        })?;
        self.written += count as u64;
        Ok(count)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call(Verb::Read, None, || self.file.read_at(buffer, offset))
    }

    fn status(&self) -> io::Result<FileStatus> {
        let status = self.call(Verb::FileStatus, None, || self.file.status())?;
        Ok(self.watch.known(&self.path, status))
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.call(Verb::SetMode, None, || self.file.set_mode(mode))
    }

    fn sync(&self) -> io::Result<()> {
        self.call(Verb::SyncFile, Some(()), || self.file.sync())
    }

    fn check_close(&self) -> io::Result<()> {
        self.call(Verb::CheckClose, None, || self.file.check_close())
    }

    fn drop_cache(&self) -> io::Result<()> {
        self.call(Verb::DropCache, None, || self.file.drop_cache())
    }

    fn try_lock(&self, kind: LockKind) -> io::Result<LockOutcome> {
        let pretended = Some(LockOutcome::Held);
        self.call(Verb::TryLock, pretended, || self.file.try_lock(kind))
    }

    fn lock(&self, kind: LockKind, give_up: &dyn Fn() -> bool) -> io::Result<LockOutcome> {
        let pretended = Some(LockOutcome::Held);
        self.call(Verb::Lock, pretended, || {
            let call = Call {
                verb: Verb::Lock,
                path: self.path.clone(),
                from: None,
            };
            loop {
                match self.file.try_lock(kind)? {
                    LockOutcome::Busy => {}
                    got => return Ok(got),
                }
                if !self.watch.waits_for_lock(&call) {
                    return self.file.lock(kind, give_up);
                }
            }
        })
    }
}

#[derive(Debug)]
pub(super) struct TapDirectory {
    pub(super) directory: Box<dyn DiskDirectory>,
    pub(super) path: PathBuf,
    pub(super) watch: Arc<dyn Watch>,
}

impl TapDirectory {
    fn call<T>(
        &self,
        verb: Verb,
        pretended: Option<T>,
        make: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        watched(self.watch.as_ref(), verb, &self.path, None, pretended, make)
    }
}

impl DiskDirectory for TapDirectory {
    fn identity(&self) -> io::Result<Identity> {
        self.call(Verb::Identity, None, || self.directory.identity())
    }

    fn sync(&self) -> io::Result<()> {
        self.call(Verb::SyncDirectory, Some(()), || self.directory.sync())
    }

    fn reports_file_system_sync(&self) -> bool {
        self.directory.reports_file_system_sync()
    }

    fn sync_file_system(&self) -> io::Result<()> {
        self.call(Verb::SyncFileSystem, Some(()), || {
            self.directory.sync_file_system()
        })
    }
}

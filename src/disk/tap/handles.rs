//! Open files and directories of a [`Tap`](super::Tap).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Call, Verb, Watch, watched};
use crate::disk::{
    DiskDirectory, DiskFile, FileStatus, Identity, LockKind, LockOutcome, SyncScope,
};

/// The path of an open file or directory, and who watches the calls of it.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) path: PathBuf,
    pub(super) watch: Arc<dyn Watch>,
}

impl Watched {
    fn call<T>(
        &self,
        verb: Verb,
        pretended: Option<T>,
        make: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        watched(self.watch.as_ref(), verb, &self.path, None, pretended, make)
    }
}

#[derive(Debug)]
pub(super) struct TapFile {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) watched: Watched,
    /// How many bytes were written to it by this handle.
    pub(super) written: u64,
}

impl DiskFile for TapFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (file, watch) = (&mut self.file, self.watched.watch.as_ref());
        let reaching = watch.written(&self.watched.path, self.written, bytes);
        let count = watched(watch, Verb::Write, &self.watched.path, None, None, || {
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
        self.watched
            .call(Verb::Read, None, || self.file.read_at(buffer, offset))
    }

    fn status(&self) -> io::Result<FileStatus> {
        let status = self
            .watched
            .call(Verb::FileStatus, None, || self.file.status())?;
        Ok(self.watched.watch.known(&self.watched.path, status))
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.watched
            .call(Verb::SetMode, None, || self.file.set_mode(mode))
    }

    fn sync(&self) -> io::Result<()> {
        self.watched
            .call(Verb::SyncFile, Some(()), || self.file.sync())
    }

    fn check_close(&self) -> io::Result<()> {
        self.watched
            .call(Verb::CheckClose, None, || self.file.check_close())
    }

    fn drop_cache(&self) -> io::Result<()> {
        self.watched
            .call(Verb::DropCache, None, || self.file.drop_cache())
    }

    fn try_lock(&self, kind: LockKind) -> io::Result<LockOutcome> {
        let pretended = Some(LockOutcome::Held);
        self.watched
            .call(Verb::TryLock, pretended, || self.file.try_lock(kind))
    }

    fn lock(&self, kind: LockKind, give_up: &dyn Fn() -> bool) -> io::Result<LockOutcome> {
        let pretended = Some(LockOutcome::Held);
        self.watched.call(Verb::Lock, pretended, || {
            let call = Call {
                verb: Verb::Lock,
                path: self.watched.path.clone(),
                from: None,
            };
            loop {
                match self.file.try_lock(kind)? {
                    LockOutcome::Busy => {}
                    got => return Ok(got),
                }
                if !self.watched.watch.waits_for_lock(&call) {
                    return self.file.lock(kind, give_up);
                }
            }
        })
    }
}

#[derive(Debug)]
pub(super) struct TapDirectory {
    pub(super) directory: Box<dyn DiskDirectory>,
    pub(super) watched: Watched,
}

impl DiskDirectory for TapDirectory {
    fn identity(&self) -> io::Result<Identity> {
        self.watched
            .call(Verb::Identity, None, || self.directory.identity())
    }

    fn sync(&self) -> io::Result<()> {
        self.watched
            .call(Verb::SyncDirectory, Some(()), || self.directory.sync())
    }

    fn reports_file_system_sync(&self, scope: SyncScope) -> bool {
        self.directory.reports_file_system_sync(scope)
    }

    fn sync_file_system(&self, scope: SyncScope) -> io::Result<()> {
        let verb = match scope {
            SyncScope::Contents => Verb::SyncContents,
            SyncScope::Names => Verb::SyncNames,
        };
        self.watched
            .call(verb, Some(()), || self.directory.sync_file_system(scope))
    }
}

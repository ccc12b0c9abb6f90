//! Open files and directories of the simulated disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Lie, Shared, State};
use crate::disk::{
    DiskDirectory, DiskFile, FileStatus, Identity, LockKind, LockOutcome, SyncScope,
};

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) shared: Arc<Shared>,
    pub(super) node: u64,
    pub(super) handle: u64,
}

impl SimFile {
    fn call<T>(&self, name: &str, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let path = PathBuf::from(format!("file {}", self.node));
        self.shared.call(name, &path, work)
    }

    fn take_lock(&self, state: &mut State, kind: LockKind) -> LockOutcome {
        let lied = state.lies(&Lie::Locks);
        let holders = state.locks.entry(self.node).or_default();
        let free = holders.iter().all(|&(handle, held)| {
            handle == self.handle || (held == LockKind::Shared && kind == LockKind::Shared)
        });
        if !free && !lied {
            return LockOutcome::Busy;
        }
        holders.retain(|&(handle, _)| handle != self.handle);
        holders.push((self.handle, kind));
        LockOutcome::Held
    }
}

impl DiskFile for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let node = self.node;
        self.call("write", |state| {
            let now = state.now();
            let offset = state.tree.file(node)?.content.len() as u64;
            let mut written = bytes.to_vec();
            for lie in &state.lies {
                match *lie {
                    Lie::FlippedByte(at) if at >= offset && at < offset + bytes.len() as u64 => {
                        written[(at - offset) as usize] ^= 0x40;
                    }
                    Lie::ShortWrite => {
                        written.pop();
                    }
                    _ => {}
                }
            }
            state.tree.append(node, &written, now)?;
            Ok(bytes.len())
        })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call("read_at", |state| {
            let content = &state.tree.file(self.node)?.content;
            let rest = content.get(offset as usize..).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn status(&self) -> io::Result<FileStatus> {
        let device = self.shared.device;
        self.call("status_of_file", |state| {
            Ok(state.tree.status(device, self.node)?.1)
        })
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        self.call("set_mode", |state| state.tree.set_mode(self.node, mode))
    }

    fn sync(&self) -> io::Result<()> {
        self.call("sync_file", |state| {
            if state.lies(&Lie::FileSync) {
                Ok(())
            } else {
                state.tree.sync_file(self.node)
            }
        })
    }

    fn check_close(&self) -> io::Result<()> {
        self.call("check_close", |_| Ok(()))
    }

    fn drop_cache(&self) -> io::Result<()> {
        self.call("drop_cache", |_| Ok(()))
    }

    fn try_lock(&self, kind: LockKind) -> io::Result<LockOutcome> {
        self.call("try_lock", |state| Ok(self.take_lock(state, kind)))
    }

    fn lock(&self, kind: LockKind, give_up: &dyn Fn() -> bool) -> io::Result<LockOutcome> {
        const PATIENCE: Duration = Duration::from_millis(20);
        self.call("lock", |_| Ok(()))?;
        let mut state = self.shared.state();
        while self.take_lock(&mut state, kind) == LockOutcome::Busy {
            if give_up() {
                return Ok(LockOutcome::Busy);
            }
            let waited = self.shared.released.wait_timeout(state, PATIENCE);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        Ok(LockOutcome::Held)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if let Some(holders) = state.locks.get_mut(&self.node) {
            holders.retain(|&(handle, _)| handle != self.handle);
        }
        self.shared.released.notify_all();
    }
}

#[derive(Debug)]
pub(super) struct SimDirectory {
    pub(super) shared: Arc<Shared>,
    pub(super) node: u64,
    pub(super) path: PathBuf,
}

impl DiskDirectory for SimDirectory {
    fn identity(&self) -> io::Result<Identity> {
        let device = self.shared.device;
        self.shared
            .call("identity", Path::new(&self.path), |state| {
                Ok(state.tree.status(device, self.node)?.1.identity)
            })
    }

    fn sync(&self) -> io::Result<()> {
        self.shared.call("sync_directory", &self.path, |state| {
            if state.lies(&Lie::DirectorySync(self.path.clone())) {
                Ok(())
            } else {
                state.tree.sync_directory(self.node)
            }
        })
    }

    fn reports_file_system_sync(&self, _scope: SyncScope) -> bool {
        true
    }

    fn sync_file_system(&self, scope: SyncScope) -> io::Result<()> {
        self.shared
            .call("sync_file_system", &self.path, |state| match scope {
                SyncScope::Contents if state.lies(&Lie::FileSync) => Ok(()),
                SyncScope::Contents => {
                    state.tree.sync_all_files();
                    Ok(())
                }
                SyncScope::Names => state.tree.sync_all_directories(),
            })
    }
}

//! A file in memory, for tests: it can refuse to read.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use crate::disk::{DiskFile, FileStatus, Identity, LockKind, LockOutcome};

/// Bytes in memory as a file. A read that touches a byte from `refuse_from` on fails as a broken medium does.
#[derive(Debug)]
pub(crate) struct MemoryFile {
    bytes: Vec<u8>,
    refuse_from: u64,
}

impl MemoryFile {
    pub(crate) fn open(bytes: impl Into<Vec<u8>>) -> Arc<dyn DiskFile> {
        Arc::new(MemoryFile {
            bytes: bytes.into(),
            refuse_from: u64::MAX,
        })
    }

    pub(crate) fn refusing_from(bytes: impl Into<Vec<u8>>, offset: u64) -> Arc<dyn DiskFile> {
        Arc::new(MemoryFile {
            bytes: bytes.into(),
            refuse_from: offset,
        })
    }
}

impl DiskFile for MemoryFile {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|start| self.bytes.get(start..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if count > 0 && offset + count as u64 > self.refuse_from {
            return Err(io::Error::other("the medium is broken"));
        }
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn status(&self) -> io::Result<FileStatus> {
        Ok(FileStatus {
            identity: Identity {
                device: 0,
                file: 0,
                born: None,
            },
            len: self.bytes.len() as u64,
            mode: 0,
            owner: None,
            modified: SystemTime::UNIX_EPOCH,
        })
    }

    fn set_mode(&self, _: u32) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn check_close(&self) -> io::Result<()> {
        Ok(())
    }

    fn drop_cache(&self) -> io::Result<()> {
        Ok(())
    }

    fn try_lock(&self, _: LockKind) -> io::Result<LockOutcome> {
        Ok(LockOutcome::Unsupported)
    }

    fn lock(&self, _: LockKind, _: &dyn Fn() -> bool) -> io::Result<LockOutcome> {
        Ok(LockOutcome::Unsupported)
    }
}

//! A staging file while it is written: counted, hashed, and removed unless it is published.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use twox_hash::XxHash3_128;

use super::{Area, StagingFile};
use crate::disk::{Disk, DiskFile, Identity};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Durability;
use crate::trace;

/// A staging file that takes bytes, and that dropping removes.
pub(crate) struct Draft {
    area: Area,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    identity: Identity,
    /// The permissions that the file gets at the end, if not those of a file that it replaces.
    mode: Option<u32>,
    len: u64,
    hasher: Option<Box<XxHash3_128>>,
    /// The offset from which on bytes are hashed apart, and their hash so far.
    end: Option<(u64, Box<XxHash3_128>)>,
    /// The first error of the disk, kept because an encoder may wrap it beyond recognition.
    fault: Option<io::Error>,
    /// Whether the name in the area is ours to remove.
    owned: bool,
}

/// Length and checksums of a draft, by our own count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DraftSums {
    pub(crate) len: u64,
    /// The XXH3 hash (128 bits) of all bytes, if it was asked for.
    pub(crate) checksum: Option<u128>,
    /// The offset of the end of the file and the XXH3 hash (128 bits) of that, if it was hashed apart.
    pub(crate) end: Option<(u64, u128)>,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("path", &self.path)
            .field("len", &self.len)
            .finish()
    }
}

impl Draft {
    /// Creates the staging file of a lone file ([`Step::CreateStaging`]).
    pub(crate) fn create(mut area: Area, private: bool, hashing: bool) -> Result<Self> {
        let file = area.create(private)?;
        Ok(Self::of(area, file, hashing))
    }

    /// A staging file of a transaction, whose lease stands for its lock.
    pub(crate) fn within(
        area: &Area,
        path: PathBuf,
        file: Box<dyn DiskFile>,
        hashing: bool,
    ) -> Result<Self> {
        let identity = file.status().at(Step::CreateStaging, &path)?.identity;
        let file = StagingFile {
            path,
            file,
            identity,
            mode: None,
        };
        Ok(Self::of(area.clone(), file, hashing))
    }

    fn of(area: Area, file: StagingFile, hashing: bool) -> Self {
        Draft {
            area,
            path: file.path,
            file: file.file,
            identity: file.identity,
            mode: file.mode,
            len: 0,
            hasher: hashing.then(|| Box::new(XxHash3_128::new())),
            end: None,
            fault: None,
            owned: true,
        }
    }

    pub(crate) fn area(&self) -> &Area {
        &self.area
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        self.area.disk.as_ref()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The first error of the disk so far, which is then forgotten.
    pub(crate) fn take_fault(&mut self) -> Option<io::Error> {
        self.fault.take()
    }

    /// Marks `start`, which is not written yet, as the beginning of the file's end: bytes from there on are compared
    /// at every level of verification.
    pub(crate) fn ends_from(&mut self, start: u64) {
        self.end = Some((start, Box::new(XxHash3_128::new())));
    }

    /// The identity of the file, whatever its name.
    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Syncs the file ([`Step::SyncFile`]); nothing is written after it.
    ///
    /// `mode`, if given, becomes the file's permissions, so that they are durable with it.
    pub(crate) fn sync(&mut self, durability: Durability, mode: Option<u32>) -> Result<DraftSums> {
        // Permissions come before the sync, which makes them durable with the content.
        let synced = mode
            .or(self.mode)
            .map_or(Ok(()), |mode| self.file.set_mode(mode))
            .and_then(|()| {
                if durability == Durability::Synced {
                    self.file.sync()?;
                }
                // Network file systems and quotas report some failed writes on close only.
                self.file.check_close()
            });
        synced.at(Step::SyncFile, &self.path)?;
        if durability == Durability::Synced {
            trace::synced(&self.path, self.len);
        }
        let checksum = self.hasher.take().map(|hasher| hasher.finish_128());
        let end = self.end.take();
        Ok(DraftSums {
            len: self.len,
            checksum,
            end: end.map(|(start, hasher)| (start, hasher.finish_128())),
        })
    }

    /// Opens the file anew for [`Step::Verify`], by the name that will be published.
    pub(crate) fn reopen(&self) -> Result<Arc<dyn DiskFile>> {
        let file = match self.disk().open_file(&self.path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.lost(Step::Verify));
            }
            opened => opened.at(Step::Verify, &self.path)?,
        };
        // The name is what will be renamed, so another file at that name must not pass for this one.
        let found = file.status().at(Step::Verify, &self.path)?.identity;
        if found == self.identity {
            Ok(Arc::from(file))
        } else {
            Err(self.lost(Step::Verify))
        }
    }

    pub(crate) fn lost(&self, step: Step) -> Error {
        Error::StagingLost {
            step,
            path: self.path.clone(),
        }
    }

    /// Stops removing the file on drop, because it is published or may be.
    pub(crate) fn disown(&mut self) {
        self.owned = false;
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.file.write(bytes) {
            Ok(0) if !bytes.is_empty() => self.fail(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                if let Some(hasher) = &mut self.hasher {
                    hasher.write(&bytes[..count]);
                }
                if let Some((start, hasher)) = &mut self.end {
                    let before = start.saturating_sub(self.len).min(count as u64);
                    hasher.write(&bytes[before as usize..count]);
                }
                self.len += count as u64;
                Ok(count)
            }
            Err(error) => self.fail(error),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Draft {
    fn fail(&mut self, error: io::Error) -> io::Result<usize> {
        if self.fault.is_none() {
            self.fault = Some(match error.raw_os_error() {
                Some(errno) => io::Error::from_raw_os_error(errno),
                None => error.kind().into(),
            });
        }
        Err(error)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.owned {
            // Whatever is in the way, the next sweep removes the file: its lock goes with us.
            self.area.give_back(&self.path);
            trace::discarded_file(&self.path);
        } else {
            self.area.let_go(&self.path);
        }
        // The area of a transaction's file has the transaction in it, which is not for us to remove.
        if self.path.parent() == Some(self.area.path()) {
            self.area.tidy();
        }
    }
}

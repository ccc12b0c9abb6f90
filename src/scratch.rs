//! The scratch file: bytes that memory has no room for, in a file that only grows.
//!
//! Each extent has a checksum, so that what comes back is what left.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use twox_hash::XxHash3_128;

use crate::disk::DiskFile;
use crate::error::{Error, IoContext, Result, Step};

type Create = Box<dyn Fn() -> Result<Box<dyn DiskFile>> + Send + Sync>;

/// A scratch file, which several threads may use. It is made when it is needed.
pub(crate) struct Scratch {
    create: Create,
    file: RwLock<Option<Growing>>,
    /// The data set's root; for messages.
    root: PathBuf,
}

struct Growing {
    file: Box<dyn DiskFile>,
    len: u64,
}

/// Bytes in a scratch file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    offset: u64,
    len: usize,
    hash: u128,
}

#[derive(Debug, thiserror::Error)]
#[error("what was spilled came back changed")]
struct Changed;

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Scratch {
    pub(crate) fn new(
        root: &Path,
        create: impl Fn() -> Result<Box<dyn DiskFile>> + Send + Sync + 'static,
    ) -> Self {
        Scratch {
            create: Box::new(create),
            file: RwLock::default(),
            root: root.to_owned(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// What creating the file says, or [`Error::Io`] of [`Step::WriteRows`]: nothing is published.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<Extent> {
        let hash = XxHash3_128::oneshot(bytes);
        let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        let file = match file.as_mut() {
            Some(file) => file,
            None => file.insert(Growing {
                file: (self.create)()?,
                len: 0,
            }),
        };
        let extent = Extent {
            offset: file.len,
            len: bytes.len(),
            hash,
        };
        file.append(bytes).at(Step::WriteRows, &self.root)?;
        Ok(extent)
    }

    /// The bytes as they were added.
    ///
    /// # Errors
    /// [`Error::Io`] of [`Step::WriteRows`], or [`Error::Encode`] if they changed: nothing is published.
    pub(crate) fn read(&self, extent: &Extent) -> Result<Vec<u8>> {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file.as_ref() else {
            return Err(self.changed());
        };
        let mut bytes = vec![0; extent.len];
        file.fill(&mut bytes, extent.offset)
            .at(Step::WriteRows, &self.root)?;
        match XxHash3_128::oneshot(&bytes) == extent.hash {
            true => Ok(bytes),
            false => Err(self.changed()),
        }
    }

    /// The error that other bytes were read back than were written.
    pub(crate) fn changed(&self) -> Error {
        Error::encode(Step::WriteRows, &self.root, Changed)
    }
}

impl Growing {
    fn append(&mut self, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes)? {
                0 => return Err(std::io::ErrorKind::WriteZero.into()),
                written => {
                    self.len += written as u64;
                    bytes = &bytes[written..];
                }
            }
        }
        Ok(())
    }

    fn fill(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self
                .file
                .read_at(&mut bytes[filled..], offset + filled as u64)?
            {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
        Ok(())
    }
}

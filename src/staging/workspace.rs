//! The directory in which the files of one transaction are written and verified before they are staged.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Area, Draft, SUFFIX};
use crate::disk::{DiskDirectory, DiskFile};
use crate::error::{Error, IoContext, Result, Step};

/// The suffix of scratch files, which hold what memory has no room for.
pub(crate) const SCRATCH: &str = "scratch";

/// A directory of a staging area that belongs to one transaction.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    area: Area,
    directory: PathBuf,
    /// The number of the next file, of either kind.
    next: Arc<AtomicU64>,
    /// Whether every file is hashed, also where its writer does not ask for that.
    hashes_all: bool,
}

impl Workspace {
    /// The workspace in a directory of the area. Whoever makes the directory also removes it.
    pub(crate) fn new(area: Area, directory: PathBuf) -> Self {
        Workspace {
            area,
            directory,
            next: Arc::default(),
            hashes_all: false,
        }
    }

    /// Hashes every file, so that whoever reads it again can compare what he reads.
    #[cfg(feature = "object_store")]
    pub(crate) fn hashing_all(mut self) -> Self {
        self.hashes_all = true;
        self
    }

    /// A new staging file.
    ///
    /// # Errors
    /// [`Error::Aborted`] if the directory is gone, because its writer was taken for dead; [`Error::Io`].
    pub(crate) fn create(&self, hashing: bool) -> Result<Draft> {
        let path = self.directory.join(staged_name(self.number()));
        let created = self.area.disk.create_file(&path, false);
        let file = self.unless_gone(created, &path)?;
        Draft::within(&self.area, path, file, hashing || self.hashes_all)
    }

    /// A new file that is never published, and that nobody else opens.
    ///
    /// # Errors
    /// Those of [`create`](Self::create).
    pub(crate) fn scratch(&self) -> Result<Box<dyn DiskFile>> {
        let name = format!("{:05}.{SCRATCH}", self.number());
        let path = self.directory.join(name);
        let created = self.area.disk.create_file(&path, true);
        self.unless_gone(created, &path)
    }

    /// The directory, to sync what is in it.
    ///
    /// # Errors
    /// Those of [`create`](Self::create).
    pub(crate) fn open(&self) -> Result<Box<dyn DiskDirectory>> {
        let opened = self.area.disk.open_directory(&self.directory);
        self.unless_gone(opened, &self.directory)
    }

    /// The name of a file in it.
    pub(crate) fn name_of<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.directory).unwrap_or(path)
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn unless_gone<T>(&self, done: io::Result<T>, path: &Path) -> Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Aborted {
                path: self.directory.clone(),
            }),
            done => done.at(Step::CreateStaging, path),
        }
    }
}

/// The name of a transaction's staging file: in the order in which they were made.
pub(crate) fn staged_name(number: u64) -> PathBuf {
    PathBuf::from(format!("{number:05}.{SUFFIX}"))
}

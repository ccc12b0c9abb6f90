//! Where something is that a caller names by a path or a URL: on a disk, or in an object store.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "object_store")]
use crate::disk::OsDisk;
use crate::disk::{Disk, FileStatus};
use crate::error::{Error, Result};
use crate::local_path::local_path;
#[cfg(feature = "object_store")]
use crate::local_path::store_url;
use crate::options::{Durability, FileOptions, StagingPlace};
#[cfg(feature = "object_store")]
use crate::staging::home_of_file;
use crate::staging::{Home, check_inside, is_area_name, resolve};
use crate::store::{ObjectStoreOptions, Store, Version};
#[cfg(feature = "object_store")]
use crate::store::{StoreView, status_of};

/// A path, and how it is reached.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    /// Reads what is there; of an object store it can do nothing else.
    pub(crate) disk: Arc<dyn Disk>,
    /// The object store, if it is in one.
    pub(crate) store: Option<Arc<Store>>,
    /// The absolute path with all symbolic links resolved, or the URL.
    pub(crate) path: PathBuf,
}

impl Location {
    /// The directory that a caller names, which may not exist yet.
    ///
    /// # Errors
    /// [`Error::InvalidPath`](crate::Error::InvalidPath) and [`Error::Io`](crate::Error::Io) if it cannot be resolved;
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) if the options do not say how to reach the store.
    pub(crate) fn of_directory(
        disk: &Arc<dyn Disk>,
        path: &Path,
        options: &ObjectStoreOptions,
    ) -> Result<Self> {
        match Self::in_store(path, options)? {
            Some(location) => Ok(location),
            None => Ok(Location {
                path: resolve(disk.as_ref(), path)?,
                disk: Arc::clone(disk),
                store: None,
            }),
        }
    }

    /// The number of requests at a time, if it is in an object store.
    pub(crate) fn parallel_requests(&self) -> Option<usize> {
        self.store.as_ref().map(|store| store.parallel_requests())
    }

    /// The file or directory that a caller names, which a reader looks at. A path on a disk is as it was given.
    ///
    /// # Errors
    /// [`Error::InvalidPath`](crate::Error::InvalidPath); [`Error::InvalidOption`](crate::Error::InvalidOption) if the
    /// options do not say how to reach the store.
    pub(crate) fn to_read(
        disk: &Arc<dyn Disk>,
        path: &Path,
        options: &ObjectStoreOptions,
    ) -> Result<Self> {
        match Self::in_store(path, options)? {
            Some(location) => location.for_walk(),
            None => Ok(Location {
                path: local_path(path)?.into_owned(),
                disk: Arc::clone(disk),
                store: None,
            }),
        }
    }

    /// The directory of a file that a caller names, and the name of the file.
    ///
    /// # Errors
    /// [`Error::InvalidPath`](crate::Error::InvalidPath) if it names no file; else those of
    /// [`of_directory`](Self::of_directory).
    pub(crate) fn of_file(
        disk: &Arc<dyn Disk>,
        path: &Path,
        options: &ObjectStoreOptions,
    ) -> Result<(Self, OsString)> {
        let given = path;
        let invalid = |reason| Error::InvalidPath {
            path: given.to_owned(),
            reason,
        };
        // `Path` ignores a slash at the end, so that `lake/` would name a file.
        let names_directory = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if let Some(mut location) = Self::in_store(path, options)? {
            let name = location.name_in_bucket();
            let name = name.ok_or_else(|| invalid("names no object in the bucket"))?;
            if names_directory {
                return Err(invalid("names a directory"));
            }
            location.path.pop();
            return Ok((location, name));
        }
        let path = &*local_path(path)?;
        if names_directory {
            return Err(invalid("names a directory"));
        }
        let name = path.file_name().ok_or_else(|| invalid("names no file"))?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = Self::of_directory(disk, parent, options)?;
        Ok((directory, name.to_owned()))
    }

    /// A directory below this one, which may not exist yet.
    ///
    /// # Errors
    /// [`Error::InvalidPath`](crate::Error::InvalidPath) if a part of it is a symbolic link, or no object can have its name;
    /// [`Error::Io`](crate::Error::Io) if it cannot be resolved.
    pub(crate) fn below(&self, relative: &Path) -> Result<Self> {
        let directory = self.path.join(relative);
        check_inside(self.disk.as_ref(), &self.path, &directory)?;
        Ok(Location {
            path: match self.store {
                Some(_) => directory,
                None => resolve(self.disk.as_ref(), &directory)?,
            },
            disk: Arc::clone(&self.disk),
            store: self.store.clone(),
        })
    }

    /// The local disk on which what goes here is staged, and where: beside it, or for an object store in the spool.
    ///
    /// # Errors
    /// Those of the options that cannot be kept here, and of `home`, which is asked about a directory on a disk.
    pub(crate) fn home(
        &self,
        options: &FileOptions,
        home: fn(&dyn Disk, &Path, &StagingPlace) -> Result<Home>,
    ) -> Result<(Arc<dyn Disk>, Home)> {
        let (disk, home) = match &self.store {
            None => {
                let home = home(self.disk.as_ref(), &self.path, &options.staging)?;
                (Arc::clone(&self.disk), home)
            }
            Some(store) => {
                check_kept(options)?;
                if store.reads_back() {
                    return Err(Error::InvalidOption {
                        option: "read_back",
                        reason: "an object by itself is uploaded to its path, where it is visible at once".to_owned(),
                    });
                }
                if self.path.ancestors().any(is_area_name) {
                    return Err(Error::InvalidPath {
                        path: self.path.clone(),
                        reason: "is, or lies in, the staging area of a data set",
                    });
                }
                spool(store)?
            }
        };
        Ok((disk, home.interrupted_by(options.interrupt.clone())))
    }

    /// The last name in the bucket; `None` if this is the bucket itself.
    #[cfg(feature = "object_store")]
    fn name_in_bucket(&self) -> Option<OsString> {
        let key = self.store.as_ref()?.key(&self.path).ok()?;
        key.filename().map(OsString::from)
    }

    /// The last name in the bucket, of which there is none.
    #[cfg(not(feature = "object_store"))]
    fn name_in_bucket(&self) -> Option<OsString> {
        None
    }

    /// The object here, and its version; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Read`](crate::Error::Read) if the store does not tell.
    #[cfg(feature = "object_store")]
    pub(crate) fn object(&self, store: &Store) -> Result<Option<(FileStatus, Version)>> {
        let found = store.head(&store.key(&self.path)?);
        let found = found.map_err(|source| Error::Read {
            path: self.path.clone(),
            source,
        })?;
        let key = store.key(&self.path)?;
        Ok(found.map(|found| (status_of(&key, &found), found.version)))
    }

    /// The object here, and its version.
    #[cfg(not(feature = "object_store"))]
    pub(crate) fn object(&self, store: &Store) -> Result<Option<(FileStatus, Version)>> {
        match *store {}
    }

    /// The same for one walk over what is below it: a store lists that once, and what comes later is not seen.
    #[cfg(feature = "object_store")]
    pub(crate) fn for_walk(mut self) -> Result<Self> {
        if let Some(store) = &self.store {
            self.disk = Arc::new(StoreView::for_walk(Arc::clone(store), &self.path)?);
        }
        Ok(self)
    }

    /// The same for one walk over what is below it.
    #[cfg(not(feature = "object_store"))]
    pub(crate) fn for_walk(self) -> Result<Self> {
        Ok(self)
    }

    /// The location of a URL of an object store; `None` for any other path.
    #[cfg(feature = "object_store")]
    pub(crate) fn in_store(path: &Path, options: &ObjectStoreOptions) -> Result<Option<Self>> {
        if store_url(path).is_none() {
            return Ok(None);
        }
        let (store, path) = Store::open(path, options)?;
        Ok(Some(Location {
            disk: Arc::new(StoreView::new(Arc::clone(&store))),
            store: Some(store),
            path,
        }))
    }

    /// The location of a URL of an object store, of which this build knows none.
    #[cfg(not(feature = "object_store"))]
    pub(crate) fn in_store(_: &Path, _: &ObjectStoreOptions) -> Result<Option<Self>> {
        Ok(None)
    }
}

/// Refuses what only a disk can keep.
fn check_kept(options: &FileOptions) -> Result<()> {
    let refused = |option, reason: &str| {
        Err(Error::InvalidOption {
            option,
            reason: reason.to_owned(),
        })
    };
    if options.durability == Durability::Unsynced {
        return refused(
            "durability",
            "an object store keeps what it has acknowledged: nothing can be left unsynced",
        );
    }
    if options.staging != StagingPlace::Auto {
        return refused(
            "staging",
            "is chosen on a disk alone: what goes to an object store is staged in its spool",
        );
    }
    Ok(())
}

/// The local directory in which files are encoded and verified before they are uploaded.
#[cfg(feature = "object_store")]
pub(crate) fn spool(store: &Store) -> Result<(Arc<dyn Disk>, Home)> {
    let given = store.options().spool.clone();
    let directory = given.unwrap_or_else(std::env::temp_dir);
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let directory = resolve(disk.as_ref(), &directory)?;
    let home = home_of_file(disk.as_ref(), &directory, &StagingPlace::Inside)?;
    Ok((disk, home))
}

#[cfg(not(feature = "object_store"))]
fn spool(store: &Store) -> Result<(Arc<dyn Disk>, Home)> {
    match *store {}
}

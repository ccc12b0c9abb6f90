//! An object store as whoever reads files sees it.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use object_store::path::Path as Key;

use super::listing::Listing;
use super::object::{StoreFile, identity, status_of, unsupported};
use super::{Found, Store};
use crate::disk::{
    Disk, DiskDirectory, DiskFile, Entry, EntryKind, FileStatus, Place, Project, PublishMode,
};
use crate::error::Result;

/// The objects of a store as files, for reading alone: what would change something is
/// [unsupported](io::ErrorKind::Unsupported).
///
/// A directory is there if an object is below it.
#[derive(Debug, Clone)]
pub(crate) struct StoreView {
    store: Arc<Store>,
    /// What is below a directory that is walked over.
    listing: Option<Arc<Listing>>,
}

impl StoreView {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        StoreView {
            store,
            listing: None,
        }
    }

    /// A view for one walk over what is below a path, which is listed once: what comes later is not seen.
    pub(crate) fn for_walk(store: Arc<Store>, path: &Path) -> Result<Self> {
        let listing = Listing::new(Arc::clone(&store), store.key(path)?);
        Ok(StoreView {
            store,
            listing: Some(Arc::new(listing)),
        })
    }

    /// The object of a key, as far as the list of a walk or else the store tells.
    fn object(&self, key: &Key) -> io::Result<Option<Found>> {
        match &self.listing {
            Some(listing) if listing.covers(key) => listing.object(key),
            Some(listing) if listing.is_top(key) => listing.top(),
            _ => self.store.head(key),
        }
    }

    fn is_directory(&self, key: &Key) -> io::Result<bool> {
        match &self.listing {
            Some(listing) if listing.covers(key) || listing.is_top(key) => {
                listing.is_directory(key)
            }
            _ => self.store.holds_any(key),
        }
    }

    fn entries(&self, key: &Key) -> io::Result<Vec<Entry>> {
        if let Some(listing) = &self.listing
            && (listing.covers(key) || listing.is_top(key))
        {
            return listing.entries(key);
        }
        let listed = self.store.list_directory(key)?;
        let directories = listed.common_prefixes.iter().map(|key| Entry {
            path: self.store.path(key),
            kind: EntryKind::Directory,
        });
        let files = listed.objects.iter().map(|object| Entry {
            path: self.store.path(&object.location),
            kind: EntryKind::File,
        });
        Ok(directories.chain(files).collect())
    }

    fn key(&self, path: &Path) -> io::Result<Key> {
        let key = self.store.key(path);
        key.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

fn nothing_there() -> io::Error {
    let text = "no object is there, nor any below it";
    io::Error::new(io::ErrorKind::NotFound, text)
}

impl Disk for StoreView {
    fn open_file(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>> {
        if write {
            return unsupported();
        }
        let key = self.key(path)?;
        let found = self.object(&key)?;
        let found = found.ok_or_else(nothing_there)?;
        let listing = self.listing.clone().filter(|listing| listing.covers(&key));
        let store = Arc::clone(&self.store);
        Ok(Box::new(StoreFile::new(store, key, found, listing)))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let entries = self.entries(&self.key(path)?)?;
        match entries.is_empty() && path != self.store.base() {
            true => Err(nothing_there()),
            false => Ok(entries),
        }
    }

    fn status(&self, path: &Path) -> io::Result<Option<(EntryKind, FileStatus)>> {
        // Above the bucket is nothing.
        if !path.starts_with(self.store.base()) {
            return Ok(None);
        }
        let key = self.key(path)?;
        let directory = || FileStatus {
            identity: identity(&key, ""),
            len: 0,
            mode: 0,
            owner: None,
            modified: SystemTime::UNIX_EPOCH,
        };
        if key.as_ref().is_empty() {
            return Ok(Some((EntryKind::Directory, directory())));
        }
        if let Some(found) = self.object(&key)? {
            return Ok(Some((EntryKind::File, status_of(&key, &found))));
        }
        Ok(self
            .is_directory(&key)?
            .then(|| (EntryKind::Directory, directory())))
    }

    fn place(&self, path: &Path) -> io::Result<Place> {
        Ok(Place {
            identity: identity(&self.key(path)?, ""),
            mount_root: false,
            mount: None,
        })
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.key(path)?;
        Ok(path.to_owned())
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn create_file(&self, _: &Path, _: bool) -> io::Result<Box<dyn DiskFile>> {
        unsupported()
    }

    fn open_or_create_file(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        unsupported()
    }

    fn create_directory(&self, _: &Path) -> io::Result<()> {
        unsupported()
    }

    fn open_directory(&self, _: &Path) -> io::Result<Box<dyn DiskDirectory>> {
        unsupported()
    }

    fn rename(&self, _: &Path, _: &Path, _: PublishMode) -> io::Result<()> {
        unsupported()
    }

    fn exchange(&self, _: &Path, _: &Path) -> io::Result<()> {
        unsupported()
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        unsupported()
    }

    fn remove_directory(&self, _: &Path) -> io::Result<()> {
        unsupported()
    }

    fn has_links(&self) -> bool {
        false
    }

    fn trusts_locks(&self, _: &Path) -> bool {
        false
    }

    fn check_writable(&self, _: &Path) -> io::Result<()> {
        unsupported()
    }

    fn check_removable(&self, _: &Path) -> io::Result<()> {
        unsupported()
    }

    fn project(&self, _: &Path) -> io::Result<Project> {
        Ok(Project::default())
    }

    fn free_inodes(&self, _: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn free_descriptors(&self) -> Option<u64> {
        None
    }

    fn copy_group_and_mode(&self, _: &Path, _: &Path) -> io::Result<()> {
        unsupported()
    }

    fn inherit_permissions(&self, _: &Path, _: &Path) -> io::Result<()> {
        unsupported()
    }

    fn copy_group_and_read_mode(&self, _: &Path, _: &Path) -> io::Result<()> {
        unsupported()
    }

    fn owner_is_trusted(&self, _: &Path, _: &Path) -> io::Result<bool> {
        unsupported()
    }

    fn only_writers_can_change(&self, _: &Path, _: &Path) -> io::Result<bool> {
        unsupported()
    }

    fn user(&self) -> Option<u32> {
        None
    }

    fn could_change(&self, _: u32, _: &Path, _: &Path, _: Option<&OsStr>) -> io::Result<bool> {
        unsupported()
    }
}

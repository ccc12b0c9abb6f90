//! Object stores: their addresses, their options, and the requests that the protocol makes.
//!
//! Owns the client of a store (S3, Google Cloud Storage, Azure Blob, or one that a caller gives), the threads on which its
//! requests run, and what a doubtful answer is taken for. [`StoreView`] reads a store as a [`Disk`](crate::disk::Disk), so
//! that whoever reads files reads objects too. The order of requests is the backend's.

mod checked;
mod error;
mod hint;
mod listing;
mod object;
mod options;
mod parts;
mod payload;
mod permits;
mod publication;
mod ranges;
mod request;
mod requests;
mod runtime;
mod swap;
mod url;
mod view;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::UpdateVersion;
use object_store::path::Path as Key;

use crate::error::{Error, Result};

use options::Clients;
use permits::Permits;

pub(crate) use error::is_refused;
pub use hint::object_store_hint;
pub(crate) use object::status_of;
pub use options::ObjectStoreOptions;
pub(crate) use parts::UploadedParts;
pub(crate) use payload::Payload;
pub(crate) use requests::{Found, Object, tag_of};
pub(crate) use runtime::wait;
pub(crate) use swap::{Expected, Swapped};
pub(crate) use view::StoreView;

/// The longest key that S3 and Google Cloud Storage take, in bytes. Azure takes as many characters.
const LONGEST_KEY: usize = 1024;

/// The client of one bucket or container.
pub(crate) struct Store {
    clients: Clients,
    /// The URL of the bucket or container, without a slash at its end.
    base: PathBuf,
    options: ObjectStoreOptions,
    permits: Permits,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.base).finish()
    }
}

impl Store {
    /// The client of the store that a URL names, and the URL without what does not matter.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] if it is no URL of a store, or no path in one; [`Error::InvalidOption`] if the options do not
    /// say how to reach it. No request is made.
    pub(crate) fn open(path: &Path, options: &ObjectStoreOptions) -> Result<(Arc<Self>, PathBuf)> {
        let address = url::Address::parse(path)?;
        let store = Store {
            clients: options.clients(&address)?,
            base: address.base.into(),
            permits: Permits::new(options.parallel_requests),
            options: options.clone(),
        };
        let path = match address.key.is_empty() {
            true => store.base.clone(),
            false => store.base.join(address.key),
        };
        Ok((Arc::new(store), path))
    }

    /// What `check` says of this store, which is asked until it is true, and then not again in this process.
    pub(crate) fn once_checked(
        &self,
        check: impl FnOnce(&Self) -> io::Result<bool>,
    ) -> io::Result<bool> {
        let client = self.options.client(&self.base);
        if client.is_checked() {
            return Ok(true);
        }
        let kept = check(self)?;
        if kept {
            client.set_checked();
        }
        Ok(kept)
    }

    pub(crate) fn options(&self) -> &ObjectStoreOptions {
        &self.options
    }

    /// The number of requests at a time.
    pub(crate) fn parallel_requests(&self) -> usize {
        self.options.parallel_requests
    }

    /// How long what commits is tried again.
    pub(crate) fn patience(&self) -> Duration {
        self.options.patience
    }

    /// Whether what was uploaded is read back before it is visible.
    pub(crate) fn reads_back(&self) -> bool {
        self.options.read_back
    }

    /// The URL of the bucket or container.
    pub(crate) fn base(&self) -> &Path {
        &self.base
    }

    /// The key of the object at a path, which is a URL of this store.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] if it is none, or has a name that no object can have.
    pub(crate) fn key(&self, path: &Path) -> Result<Key> {
        let invalid = |reason| Error::InvalidPath {
            path: path.to_owned(),
            reason,
        };
        let below = path
            .strip_prefix(&self.base)
            .map_err(|_| invalid("is not in the object store of the data set"))?;
        let mut key = String::new();
        for part in below.components() {
            let part = part.as_os_str().to_str();
            let part = part.ok_or_else(|| invalid("is not UTF-8, as keys of objects are"))?;
            if !key.is_empty() {
                key.push('/');
            }
            key.push_str(part);
        }
        Key::parse(&key).map_err(|_| {
            invalid("has a name that no object can have: control characters, or `.` or `..`")
        })
    }

    /// The key of an object that is to be made at a path.
    ///
    /// # Errors
    /// Those of [`key`](Self::key); [`Error::InvalidPath`] if it is longer than keys may be.
    pub(crate) fn new_key(&self, path: &Path) -> Result<Key> {
        let key = self.key(path)?;
        match key.as_ref().len() > LONGEST_KEY {
            true => Err(Error::InvalidPath {
                path: path.to_owned(),
                reason: "has a key of more than 1024 bytes, which object stores do not take: partition by shorter values, \
                         or choose a shorter root",
            }),
            false => Ok(key),
        }
    }

    /// The path of a key: its URL.
    pub(crate) fn path(&self, key: &Key) -> PathBuf {
        match key.as_ref() {
            "" => self.base.clone(),
            key => self.base.join(key),
        }
    }
}

/// What tells one version of an object from another.
pub(crate) type Version = UpdateVersion;

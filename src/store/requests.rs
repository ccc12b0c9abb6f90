//! The requests to an object store, and what their answers mean.
//!
//! A request that only one of several writers may succeed with is a [swap](Store::swap). Its reply may be lost, or be that
//! of a repetition of it: what it wrote carries a token, by which its writer finds out what happened.

use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Key;
use object_store::{
    Attribute, Attributes, CopyOptions, GetOptions, GetResult, ListResult, ObjectMeta, PutMode,
    PutOptions, PutPayload,
};
use uuid::Uuid;

use super::{Store, Version, wait};

/// The name of the metadata that tells which request wrote an object. Azure takes no hyphens in it.
const TOKEN: &str = "atomic_arrow_token";
/// The number of times that a doubtful request is made.
const ATTEMPTS: u32 = 5;

/// What has to be at a key for a swap.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// No object.
    Absent,
    /// This version of it.
    Version(Version),
    /// Whatever is there, also nothing.
    Any,
}

/// The result of a swap.
#[derive(Debug)]
pub(crate) enum Swapped {
    /// The object is the new one, of this version.
    Done(Version),
    /// Something else was there.
    Lost,
    /// Nothing was there, where a version was expected.
    Gone,
    /// The store does not tell whether it was done.
    Unknown(io::Error),
}

/// An object without its content.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) size: u64,
    pub(crate) version: Version,
    /// By the clock of the store.
    pub(crate) modified: SystemTime,
    token: Option<String>,
}

/// An object with its content.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) found: Found,
}

impl Found {
    pub(super) fn of(answer: &GetResult) -> Self {
        let token = answer.attributes.get(&token_attribute());
        Found {
            token: token.map(|token| token.as_ref().to_owned()),
            ..Found::listed(&answer.meta)
        }
    }

    /// The tag of its version, if the store has tags. Azure's lists have it without quotes.
    pub(crate) fn tag(&self) -> Option<&str> {
        self.version.e_tag.as_deref().map(unquoted)
    }

    /// Whether this is the object that a request wrote.
    pub(super) fn has_token(&self, token: &str) -> bool {
        self.token.as_deref() == Some(token)
    }

    /// Whether this is a certain version of the object.
    pub(crate) fn has_version(&self, version: &Version) -> bool {
        is_same(&self.version, version)
    }

    /// Whether two objects of one key are one version of it.
    pub(super) fn is_same_version(&self, other: &Found) -> bool {
        let has_version =
            |found: &Found| found.version.e_tag.is_some() || found.version.version.is_some();
        match has_version(self) && has_version(other) {
            true => is_same(&self.version, &other.version),
            false => (self.size, self.modified) == (other.size, other.modified),
        }
    }

    /// An object as a list tells of it.
    pub(crate) fn listed(meta: &ObjectMeta) -> Self {
        Found {
            size: meta.size,
            version: Version {
                e_tag: meta.e_tag.clone(),
                version: meta.version.clone(),
            },
            modified: meta.last_modified.into(),
            token: None,
        }
    }
}

/// The tag of a version, as [`Found::tag`] tells it.
pub(crate) fn tag_of(version: &Version) -> Option<String> {
    version.e_tag.as_deref().map(unquoted).map(str::to_owned)
}

/// A tag without its quotes.
fn unquoted(tag: &str) -> &str {
    tag.trim_matches('"')
}

/// Whether two versions are one. A list may tell less of it than a reply to a write.
fn is_same(one: &Version, other: &Version) -> bool {
    match (&one.e_tag, &other.e_tag) {
        (Some(one), Some(other)) => unquoted(one) == unquoted(other),
        _ => one.version.is_some() && one.version == other.version,
    }
}

impl Store {
    /// An object, or `None` if none is there.
    pub(crate) fn get(&self, key: &Key) -> io::Result<Option<Object>> {
        let (store, key) = (self.clients.repeating.clone(), key.clone());
        wait(async move {
            let Some(answer) = unless_absent(store.get_opts(&key, GetOptions::default()).await)?
            else {
                return Ok(None);
            };
            let found = Found::of(&answer);
            let bytes = answer.bytes().await.map_err(io_error)?;
            Ok(Some(Object { bytes, found }))
        })
    }

    /// An object without its content, or `None` if none is there.
    pub(crate) fn head(&self, key: &Key) -> io::Result<Option<Found>> {
        let (store, key) = (self.clients.repeating.clone(), key.clone());
        wait(async move { head(store.as_ref(), &key).await })
    }

    /// Puts an object, whatever is there. Doing it twice is the same.
    pub(crate) fn put(&self, key: &Key, bytes: Bytes) -> io::Result<Version> {
        let (store, key) = (self.clients.repeating.clone(), key.clone());
        wait(async move {
            let put = store.put_opts(&key, bytes.into(), PutOptions::default());
            Ok(put.await.map_err(io_error)?.into())
        })
    }

    /// Puts an object if what is there is what is expected, and finds out whether it did.
    ///
    /// # Errors
    /// What is certain to have changed nothing.
    pub(crate) fn swap(&self, key: &Key, bytes: Bytes, expected: Expected) -> io::Result<Swapped> {
        let (repeating, once) = (&self.clients.repeating, &self.clients.once);
        let repeats = once.is_none();
        let store = once.as_ref().unwrap_or(repeating).clone();
        let key = key.clone();
        let pause = self.options.first_pause;
        wait(async move { swap((store.as_ref(), repeats), pause, &key, bytes, &expected).await })
    }

    /// Copies objects within the store, several at a time, and gives the result of each, in order. Doing it twice is the
    /// same.
    pub(crate) fn copy_all(&self, copies: Vec<(Key, Key)>) -> io::Result<Vec<io::Result<()>>> {
        let (store, at_once) = (
            self.clients.repeating.clone(),
            self.options.parallel_requests,
        );
        wait(async move {
            let copy = |(from, to): (Key, Key)| {
                let store = store.clone();
                async move {
                    let copied = store.copy_opts(&from, &to, CopyOptions::default()).await;
                    copied.map_err(io_error)
                }
            };
            let copies = stream::iter(copies).map(copy);
            Ok(copies.buffered(at_once).collect().await)
        })
    }

    /// Removes objects, and does not mind those that are not there.
    ///
    /// # Errors
    /// The first; the others are removed all the same.
    pub(crate) fn delete_all(&self, keys: Vec<Key>) -> io::Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let store = self.clients.repeating.clone();
        wait(async move {
            let keys = stream::iter(keys).map(Ok).boxed();
            let mut removed = store.delete_stream(keys);
            let mut result = Ok(());
            while let Some(one) = removed.next().await {
                match one {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => result = result.and(Err(io_error(error))),
                }
            }
            result
        })
    }

    /// The objects below a key, at any depth, of which `most` are enough.
    pub(crate) fn list(&self, below: &Key, most: usize) -> io::Result<Vec<ObjectMeta>> {
        let (store, below) = (self.clients.repeating.clone(), below.clone());
        wait(async move {
            let prefix = (!below.as_ref().is_empty()).then_some(&below);
            let listed = store.list(prefix).take(most).try_collect();
            listed.await.map_err(io_error)
        })
    }

    /// The objects and directories right below a key.
    pub(crate) fn list_directory(&self, directory: &Key) -> io::Result<ListResult> {
        let (store, directory) = (self.clients.repeating.clone(), directory.clone());
        wait(async move {
            let prefix = (!directory.as_ref().is_empty()).then_some(&directory);
            store.list_with_delimiter(prefix).await.map_err(io_error)
        })
    }
}

pub(super) async fn head(
    store: &dyn object_store::ObjectStore,
    key: &Key,
) -> io::Result<Option<Found>> {
    let options = GetOptions {
        head: true,
        ..GetOptions::default()
    };
    let answer = unless_absent(store.get_opts(key, options).await)?;
    Ok(answer.as_ref().map(Found::of))
}

/// `repeats` says that the store may make a request more than once.
async fn swap(
    (store, repeats): (&dyn object_store::ObjectStore, bool),
    mut pause: Duration,
    key: &Key,
    bytes: Bytes,
    expected: &Expected,
) -> io::Result<Swapped> {
    let token = Uuid::now_v7().to_string();
    let options = PutOptions {
        mode: match expected {
            Expected::Absent => PutMode::Create,
            Expected::Version(version) => PutMode::Update(version.clone()),
            Expected::Any => PutMode::Overwrite,
        },
        attributes: tokens(&token),
        ..PutOptions::default()
    };
    let payload = PutPayload::from(bytes);
    let mut attempt = 1;
    loop {
        let error = match store.put_opts(key, payload.clone(), options.clone()).await {
            Ok(put) => return Ok(Swapped::Done(put.into())),
            Err(error) => error,
        };
        // Only then nothing can have been done yet.
        let is_first = attempt == 1 && !repeats;
        let is_certain = is_first && is_condition(&error);
        let is_taken = matches!(error, object_store::Error::AlreadyExists { .. });
        let is_lost = attempt == 1 && (is_condition(&error) || is_taken);
        let error = io_error(error);
        if is_refused(&error) {
            let unsupported = error.kind() != io::ErrorKind::PermissionDenied;
            if is_first || attempt == 1 && unsupported {
                return Err(error);
            }
            return match head(store, key).await {
                Ok(Some(found)) if found.has_token(&token) => Ok(Swapped::Done(found.version)),
                // An attempt inside the client, if there was one, has not done it either.
                Ok(_) if attempt == 1 => Err(error),
                _ => Ok(Swapped::Unknown(error)),
            };
        }
        match (head(store, key).await, expected) {
            (Ok(Some(found)), _) if found.has_token(&token) => {
                return Ok(Swapped::Done(found.version));
            }
            (Ok(Some(found)), Expected::Version(version)) if is_same(&found.version, version) => {}
            (Ok(_), Expected::Any) => {}
            (Ok(Some(_)), _) if is_lost => return Ok(Swapped::Lost),
            // It may have been done, and somebody has replaced the object since.
            (Ok(Some(_)), _) => return Ok(Swapped::Unknown(error)),
            (Ok(None), Expected::Version(_)) if is_certain => return Ok(Swapped::Gone),
            // It may have been done, and somebody has removed the object since.
            (Ok(None), Expected::Version(_)) => return Ok(Swapped::Unknown(error)),
            // Not done yet, or not known.
            (Ok(None), Expected::Absent) | (Err(_), _) => {}
        }
        if attempt == ATTEMPTS {
            return Ok(Swapped::Unknown(error));
        }
        attempt += 1;
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// The attributes by which the writer of an object knows it again.
pub(super) fn tokens(token: &str) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(token_attribute(), token.to_owned().into());
    attributes
}

fn token_attribute() -> Attribute {
    Attribute::Metadata(TOKEN.into())
}

/// Whether the store refused the request whatever is there, so that nothing was done.
pub(super) fn is_refused(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::Unsupported
            | io::ErrorKind::InvalidFilename
    )
}

/// Whether the store says that something else is there than was expected, or nothing. A conflict (409) says less: it is also
/// the answer to two requests at a time, of which one may have been done.
fn is_condition(error: &object_store::Error) -> bool {
    matches!(
        error,
        object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. }
    )
}

fn unless_absent<T>(answer: object_store::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(io_error(error)),
    }
}

/// An error of a store as one of the system: something else than was expected is
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists).
pub(crate) fn io_error(error: object_store::Error) -> io::Error {
    use object_store::Error as Store;
    let kind = match &error {
        Store::NotFound { .. } => io::ErrorKind::NotFound,
        Store::AlreadyExists { .. } | Store::Precondition { .. } | Store::NotModified { .. } => {
            io::ErrorKind::AlreadyExists
        }
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => {
            io::ErrorKind::PermissionDenied
        }
        Store::NotSupported { .. } | Store::NotImplemented { .. } => io::ErrorKind::Unsupported,
        Store::InvalidPath { .. } => io::ErrorKind::InvalidFilename,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

//! The requests to an object store whatever is there; those on a condition are [swaps](Store::swap).

use std::collections::HashSet;
use std::future::ready;
use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Key;
use object_store::{
    Attribute, Attributes, CopyOptions, GetOptions, GetResult, ListResult, ObjectMeta, PutOptions,
};

use super::error::io_error;
use super::request::{Request, made};
use super::{Store, Version, wait};

/// The name of the metadata that tells which request wrote an object. Azure takes no hyphens in it.
const TOKEN: &str = "atomic_arrow_token";

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

    /// Whether a swap wrote it, as far as the store has kept its metadata.
    pub(crate) fn has_any_token(&self) -> bool {
        self.token.is_some()
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
    pub(crate) fn is_same_version(&self, other: &Found) -> bool {
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
pub(super) fn is_same(one: &Version, other: &Version) -> bool {
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
            let get = async {
                let answer = store.get_opts(&key, GetOptions::default()).await?;
                let found = Found::of(&answer);
                let bytes = answer.bytes().await?;
                Ok::<_, object_store::Error>(Object { bytes, found })
            };
            unless_absent(made(Request::Get, &key, get).await)
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
            let put = made(Request::Put, &key, put).await;
            Ok(put.map_err(io_error)?.into())
        })
    }

    /// Puts an object as [`put`](Self::put) does, unless that takes longer.
    pub(crate) fn put_within(&self, key: &Key, bytes: Bytes, time: Duration) -> io::Result<()> {
        let (store, key) = (self.clients.repeating.clone(), key.clone());
        wait(async move {
            let put = store.put_opts(&key, bytes.into(), PutOptions::default());
            let put = tokio::time::timeout(time, made(Request::Put, &key, put)).await;
            put?.map(drop).map_err(io_error)
        })
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
                    let copied = store.copy_opts(&from, &to, CopyOptions::default());
                    made(Request::Copy, &to, copied).await.map_err(io_error)
                }
            };
            let copies = stream::iter(copies).map(copy);
            Ok(copies.buffered(at_once).collect().await)
        })
    }

    /// Objects without their content, several at a time, in order; `None` for each that is not there.
    pub(crate) fn head_all(&self, keys: Vec<Key>) -> io::Result<Vec<Option<Found>>> {
        let (store, at_once) = (
            self.clients.repeating.clone(),
            self.options.parallel_requests,
        );
        wait(async move {
            let look = |key: Key| {
                let store = store.clone();
                async move { head(store.as_ref(), &key).await }
            };
            let looks = stream::iter(keys).map(look);
            looks.buffered(at_once).try_collect().await
        })
    }

    /// Removes objects, and does not mind those that are not there.
    ///
    /// # Errors
    /// The first; the others are removed all the same.
    pub(crate) fn delete_all(&self, keys: Vec<Key>) -> io::Result<()> {
        let Some(first) = keys.first().cloned() else {
            return Ok(());
        };
        let store = self.clients.repeating.clone();
        wait(async move {
            let keys = stream::iter(keys).map(Ok).boxed();
            let removed = async {
                let mut removed = store.delete_stream(keys);
                let mut result = Ok(());
                while let Some(one) = removed.next().await {
                    match one {
                        Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                        Err(error) => result = result.and(Err(error)),
                    }
                }
                result
            };
            let removed = made(Request::Delete, &first, removed).await;
            removed.map_err(io_error)
        })
    }

    /// The objects below a key, at any depth, without [markers](is_marker) of directories.
    pub(crate) fn list(&self, below: &Key) -> io::Result<Vec<ObjectMeta>> {
        let mut listed = self.list_some(below, usize::MAX)?;
        let empty = listed.iter().filter(|object| object.size == 0);
        let empty: HashSet<&str> = empty.map(|object| object.location.as_ref()).collect();
        let above = listed
            .iter()
            .flat_map(|object| directories(object.location.as_ref()));
        let markers: HashSet<String> = above
            .filter(|key| empty.contains(key))
            .map(str::to_owned)
            .collect();
        listed.retain(|object| !is_marker(object, |key| markers.contains(key)));
        Ok(listed)
    }

    /// Whether any object is below a key.
    pub(crate) fn holds_any(&self, below: &Key) -> io::Result<bool> {
        Ok(!self.list_some(below, 1)?.is_empty())
    }

    /// The first objects below a key, at any depth, in the order of their keys.
    pub(crate) fn list_some(&self, below: &Key, most: usize) -> io::Result<Vec<ObjectMeta>> {
        let (store, below) = (self.clients.repeating.clone(), below.clone());
        wait(async move {
            let prefix = (!below.as_ref().is_empty()).then_some(&below);
            // Clients give the key `lake/weather/` as `lake/weather`.
            let is_itself = |object: &ObjectMeta| object.location == below;
            let listed = store.list(prefix);
            let listed = listed.try_filter(|object| ready(!is_itself(object)));
            let listed = listed.take(most).try_collect();
            made(Request::List, &below, listed).await.map_err(io_error)
        })
    }

    /// The objects and directories right below a key, without [markers](is_marker) of directories.
    pub(crate) fn list_directory(&self, directory: &Key) -> io::Result<ListResult> {
        let (store, directory) = (self.clients.repeating.clone(), directory.clone());
        wait(async move {
            let prefix = (!directory.as_ref().is_empty()).then_some(&directory);
            let listed = store.list_with_delimiter(prefix);
            let listed = made(Request::List, &directory, listed).await;
            let mut listed = listed.map_err(io_error)?;
            let directories = listed.common_prefixes.iter();
            let directories: HashSet<&str> = directories.map(AsRef::as_ref).collect();
            listed.objects.retain(|object| {
                object.location != directory && !is_marker(object, |key| directories.contains(key))
            });
            Ok(listed)
        })
    }
}

/// Whether an object is one that consoles and tools of Hadoop put for a directory: empty, with the key of the directory, whose
/// slash at the end clients do not tell.
fn is_marker(object: &ObjectMeta, is_directory: impl Fn(&str) -> bool) -> bool {
    object.size == 0 && is_directory(object.location.as_ref())
}

/// The keys of the directories above a key.
fn directories(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').map(|(end, _)| &key[..end])
}

pub(super) async fn head(
    store: &dyn object_store::ObjectStore,
    key: &Key,
) -> io::Result<Option<Found>> {
    let options = GetOptions {
        head: true,
        ..GetOptions::default()
    };
    let answer = made(Request::Head, key, store.get_opts(key, options)).await;
    Ok(unless_absent(answer)?.as_ref().map(Found::of))
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

fn unless_absent<T>(answer: object_store::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(io_error(error)),
    }
}

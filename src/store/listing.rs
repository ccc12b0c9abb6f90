//! All objects below one key, listed once: for whoever walks over a data set.
//!
//! A walk over directories would ask the store once for each of them, and once more for each file. A list of everything
//! tells the sizes too, in one request for a thousand objects. The ends of files, which hold their footers, are read ahead
//! of the walk, several at a time.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use object_store::path::Path as Key;

use super::{Found, Store};
use crate::disk::{Entry, EntryKind};

/// The end of a file that is read at once, in bytes: the footer of most files.
pub(super) const FOOTER: u64 = 64 << 10;
/// The beginning of a file that is read with its end: room for any format's magic number.
pub(super) const MAGIC: u64 = 64;

/// Bytes of an object, and their offset.
pub(super) type Piece = (u64, Bytes);

/// The objects below a key, and what was read ahead of them.
#[derive(Debug)]
pub(super) struct Listing {
    store: Arc<Store>,
    below: Key,
    /// What is at that key itself, once that is known.
    top: Mutex<Option<Option<Found>>>,
    /// By their keys; none until they are asked for.
    objects: Mutex<Option<Arc<Objects>>>,
    /// What was read ahead of objects that were not opened yet.
    ahead: Mutex<HashMap<Key, Vec<Piece>>>,
}

type Objects = BTreeMap<String, Found>;

impl Listing {
    pub(super) fn new(store: Arc<Store>, below: Key) -> Self {
        Listing {
            store,
            below,
            top: Mutex::default(),
            objects: Mutex::default(),
            ahead: Mutex::default(),
        }
    }

    /// Whether a key is one that is listed here, if an object has it.
    pub(super) fn covers(&self, key: &Key) -> bool {
        *key != self.below && key.prefix_matches(&self.below)
    }

    /// Whether a key is that of the directory which is listed.
    pub(super) fn is_top(&self, key: &Key) -> bool {
        *key == self.below
    }

    /// The object at the key itself, where that is no directory. It is asked for once.
    pub(super) fn top(&self) -> io::Result<Option<Found>> {
        let mut top = locked(&self.top);
        if let Some(found) = &*top {
            return Ok(found.clone());
        }
        let found = self.store.head(&self.below)?;
        *top = Some(found.clone());
        Ok(found)
    }

    fn objects(&self) -> io::Result<Arc<Objects>> {
        let mut objects = locked(&self.objects);
        if let Some(objects) = &*objects {
            return Ok(Arc::clone(objects));
        }
        let listed = self.store.list(&self.below)?;
        let listed = listed.iter();
        let listed = listed.map(|meta| (meta.location.to_string(), Found::listed(meta)));
        let listed: Arc<Objects> = Arc::new(listed.collect());
        *objects = Some(Arc::clone(&listed));
        Ok(listed)
    }

    /// The object of a key.
    pub(super) fn object(&self, key: &Key) -> io::Result<Option<Found>> {
        Ok(self.objects()?.get(key.as_ref()).cloned())
    }

    /// Whether objects are below a key.
    pub(super) fn is_directory(&self, key: &Key) -> io::Result<bool> {
        Ok(is_directory(self.objects()?.as_ref(), &directory(key)))
    }

    /// The names right below a key.
    pub(super) fn entries(&self, key: &Key) -> io::Result<Vec<Entry>> {
        let prefix = directory(key);
        let objects = self.objects()?;
        let entry = |name: &str, kind| Entry {
            path: self.store.path(key).join(name),
            kind,
        };
        let mut entries = Vec::new();
        let mut from = Bound::Included(prefix.clone());
        while let Some((next, _)) = objects.range((from, Bound::Unbounded)).next() {
            let Some(below) = next.strip_prefix(&prefix) else {
                break;
            };
            from = match below.split_once('/') {
                Some((name, _)) => {
                    entries.push(entry(name, EntryKind::Directory));
                    // What is below the directory is passed over: `0` comes right after the slash.
                    Bound::Included(format!("{prefix}{name}0"))
                }
                None => {
                    entries.push(entry(below, EntryKind::File));
                    Bound::Excluded(next.clone())
                }
            };
        }
        Ok(entries)
    }

    /// What was read ahead of an object; with it, those of the next objects with the same suffix are read. Of each object
    /// that is done once.
    ///
    /// # Errors
    /// Those of reading this object; what cannot be read ahead is read in its turn.
    pub(super) fn ends(&self, key: &Key) -> io::Result<Option<Vec<Piece>>> {
        if let Some(pieces) = locked(&self.ahead).remove(key) {
            return Ok(Some(pieces));
        }
        let objects = self.objects()?;
        let suffix = |key: &str| Path::new(key).extension().map(ToOwned::to_owned);
        let wanted = suffix(key.as_ref());
        let next = objects.range::<str, _>((Bound::Included(key.as_ref()), Bound::Unbounded));
        let next = next.filter(|(key, found)| suffix(key) == wanted && found.size > 0);
        let next = next.filter_map(|(key, found)| Some((Key::parse(key).ok()?, found)));
        let mut ranges = Vec::new();
        for (key, found) in next.take(self.store.options().parallel_requests) {
            let start = found.size.saturating_sub(FOOTER);
            if start > 0 {
                ranges.push((key.clone(), 0, MAGIC.min(start)));
            }
            ranges.push((key, start, found.size - start));
        }
        let mut ahead: HashMap<Key, Vec<Piece>> = HashMap::new();
        let answers = self.store.get_ranges(ranges.clone())?;
        for ((of, start, _), answer) in ranges.into_iter().zip(answers) {
            let known = objects.get(of.as_ref());
            match answer {
                Ok((bytes, found)) if known.is_some_and(|known| found.is_same_version(known)) => {
                    ahead.entry(of).or_default().push((start, bytes));
                }
                Err(error) if of == *key => return Err(error),
                // Whoever reads it finds out what it is now.
                Ok(_) | Err(_) => {}
            }
        }
        let own = ahead.remove(key);
        // Whoever walks in another order than that of keys may never ask for them.
        *locked(&self.ahead) = ahead;
        Ok(own)
    }
}

fn is_directory(objects: &Objects, prefix: &str) -> bool {
    let mut below = objects.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
    below.next().is_some_and(|(key, _)| key.starts_with(prefix))
}

/// What the keys below a directory begin with.
fn directory(key: &Key) -> String {
    match key.as_ref() {
        "" => String::new(),
        key => format!("{key}/"),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! An object as an open file, which is read by ranges.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::path::Path as Key;
use twox_hash::XxHash3_64;

use super::listing::{FOOTER, Listing, MAGIC, Piece};
use super::{Found, Store};
use crate::disk::{DiskFile, FileStatus, Identity, LockKind, LockOutcome};

/// The bytes that are read ahead of who reads a file from one end to the other, and the most that one request gets.
const SEQUENTIAL: u64 = 8 << 20;
/// The bytes that may be passed over by who reads a file from one end to the other: a page.
const GAP: u64 = 1 << 20;
/// The most bytes that one call gets, by several requests at a time, and what is read ahead of who has read on for long.
const AT_ONCE: u64 = 4 * SEQUENTIAL;
/// The number of ranges that are kept: what one call gets, the beginning, and the end.
const KEPT: usize = 6;

/// An object that is read by ranges, all of which are of one version of it.
pub(super) struct StoreFile {
    store: Arc<Store>,
    key: Key,
    found: Found,
    status: FileStatus,
    /// Where it is one of many that are read.
    listing: Option<Arc<Listing>>,
    /// What was read, latest first.
    kept: Mutex<VecDeque<Piece>>,
}

impl fmt::Debug for StoreFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreFile").field(&self.key).finish()
    }
}

impl StoreFile {
    pub(super) fn new(
        store: Arc<Store>,
        key: Key,
        found: Found,
        listing: Option<Arc<Listing>>,
    ) -> Self {
        StoreFile {
            store,
            status: status_of(&key, &found),
            key,
            found,
            listing,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Piece>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, pieces: impl IntoIterator<Item = Piece>) {
        let mut kept = self.kept();
        for piece in pieces {
            kept.push_front(piece);
        }
        kept.truncate(KEPT);
    }

    /// Copies what is kept of the bytes at `offset`; 0 if none are.
    fn copy_kept(&self, buffer: &mut [u8], offset: u64) -> usize {
        let mut kept = self.kept();
        let found = kept.iter().position(|piece| contains(piece, offset));
        let Some(piece) = found.and_then(|at| kept.remove(at)) else {
            return 0;
        };
        let available = &piece.1[(offset - piece.0) as usize..];
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        kept.push_front(piece);
        count
    }

    /// The range to read for `wanted` bytes at `offset`: its start and length.
    fn range(&self, offset: u64, wanted: u64) -> (u64, u64) {
        let len = self.status.len;
        // Of a short file all is wanted, sooner or later.
        if len <= FOOTER {
            return (0, len);
        }
        if offset == 0 && wanted <= MAGIC {
            return (0, MAGIC);
        }
        // Who goes on where he ended reads the file from one end to the other.
        if let Some((_, bytes)) = self.kept().iter().find(|piece| goes_on(piece, offset)) {
            let ahead = match (bytes.len() as u64) < SEQUENTIAL {
                true => SEQUENTIAL,
                false => AT_ONCE,
            };
            return (offset, wanted.max(ahead).min(len - offset));
        }
        // At the end, what is before it is wanted next.
        let wanted = wanted.max(FOOTER);
        let start = offset.min(len - wanted.min(len));
        (start, (offset - start).max(wanted).min(len - start))
    }

    /// Reads a range, by several requests at once if it is long.
    fn read_range(&self, start: u64, length: u64) -> io::Result<Vec<Piece>> {
        let mut ranges = Vec::new();
        let mut at = start;
        while at < start + length {
            let part = SEQUENTIAL.min(start + length - at);
            ranges.push((self.key.clone(), at, part));
            at += part;
        }
        let answers = self.store.get_ranges(ranges.clone())?;
        let mut pieces = Vec::new();
        for ((_, start, length), answer) in ranges.into_iter().zip(answers) {
            let (bytes, found) = answer?;
            if !found.is_same_version(&self.found) {
                return Err(replaced());
            }
            if bytes.len() as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            pieces.push((start, bytes));
        }
        Ok(pieces)
    }
}

pub(super) fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "an object store has no such call",
    ))
}

pub(super) fn identity(key: &Key, version: &str) -> Identity {
    Identity {
        device: XxHash3_64::oneshot(key.as_ref().as_bytes()),
        file: XxHash3_64::oneshot(version.as_bytes()),
        born: None,
    }
}

pub(crate) fn status_of(key: &Key, found: &Found) -> FileStatus {
    let version = &found.version;
    let version = version.e_tag.as_ref().or(version.version.as_ref());
    FileStatus {
        identity: identity(key, version.map_or("", String::as_str)),
        len: found.size,
        mode: 0,
        owner: None,
        modified: found.modified,
    }
}

fn contains((start, bytes): &Piece, offset: u64) -> bool {
    *start <= offset && offset < start + bytes.len() as u64
}

/// Whether whoever has read a piece goes on at `offset`, perhaps over a page.
fn goes_on((start, bytes): &Piece, offset: u64) -> bool {
    let end = start + bytes.len() as u64;
    // The beginning alone is read by who wants the magic number.
    bytes.len() as u64 > MAGIC && end <= offset && offset - end <= GAP
}

fn replaced() -> io::Error {
    io::Error::new(
        io::ErrorKind::StaleNetworkFileHandle,
        "the object was replaced while it was read",
    )
}

impl DiskFile for StoreFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = self.status.len.saturating_sub(offset);
        let wanted = left.min(buffer.len() as u64).min(AT_ONCE);
        if wanted == 0 {
            return Ok(0);
        }
        let buffer = &mut buffer[..wanted as usize];
        let count = self.copy_kept(buffer, offset);
        if count > 0 {
            return Ok(count);
        }
        if left <= FOOTER
            && let Some(listing) = &self.listing
            && let Some(pieces) = listing.ends(&self.key)?
        {
            self.keep(pieces);
            let count = self.copy_kept(buffer, offset);
            if count > 0 {
                return Ok(count);
            }
        }
        let (start, length) = self.range(offset, wanted);
        let pieces = self.read_range(start, length)?;
        let mut filled = 0;
        for piece in &pieces {
            let at = offset + filled as u64;
            if contains(piece, at) {
                let available = &piece.1[(at - piece.0) as usize..];
                let count = available.len().min(buffer.len() - filled);
                buffer[filled..filled + count].copy_from_slice(&available[..count]);
                filled += count;
            }
        }
        // What the caller has in his buffer need not be kept but for its end, from which he may go on.
        let read = offset + filled as u64;
        let is_ahead = |(start, bytes): &Piece| start + bytes.len() as u64 >= read;
        self.keep(pieces.into_iter().filter(is_ahead));
        Ok(filled)
    }

    fn status(&self) -> io::Result<FileStatus> {
        Ok(self.status)
    }

    fn drop_cache(&self) -> io::Result<()> {
        self.kept().clear();
        Ok(())
    }

    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        unsupported()
    }

    fn set_mode(&self, _: u32) -> io::Result<()> {
        unsupported()
    }

    fn sync(&self) -> io::Result<()> {
        unsupported()
    }

    fn check_close(&self) -> io::Result<()> {
        unsupported()
    }

    fn try_lock(&self, _: LockKind) -> io::Result<LockOutcome> {
        Ok(LockOutcome::Unsupported)
    }

    fn lock(&self, _: LockKind, _: &dyn Fn() -> bool) -> io::Result<LockOutcome> {
        Ok(LockOutcome::Unsupported)
    }
}

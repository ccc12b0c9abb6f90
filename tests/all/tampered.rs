//! The operating system's disk, with somebody in the way: bytes that come back changed, calls that are
//! refused, and what others do right before or after a call.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::disk::{Disk, OsDisk};
use rustix::io::Errno;

/// What is done right before some calls, or right after them; its error becomes the call's.
pub(crate) struct Tampered<F> {
    verbs: &'static [Verb],
    afterwards: bool,
    hook: F,
}

impl Tampered<()> {
    /// Does something to a file that exists, right before it is opened.
    pub(crate) fn before_open(hook: impl Hook) -> Arc<dyn Disk> {
        on(&[Verb::OpenFile], false, hook)
    }

    /// Does something right before a file is moved to a path, or refuses that.
    pub(crate) fn before_publish(hook: impl Hook) -> Arc<dyn Disk> {
        on(&[Verb::Rename, Verb::Exchange], false, hook)
    }

    /// Does something right before a file is removed, or refuses that.
    pub(crate) fn before_remove(hook: impl Hook) -> Arc<dyn Disk> {
        on(&[Verb::RemoveFile], false, hook)
    }

    /// Does something right before a lock is waited for, or refuses it.
    pub(crate) fn before_lock(hook: impl Hook) -> Arc<dyn Disk> {
        on(&[Verb::Lock], false, hook)
    }

    /// Does something right after a directory is listed.
    pub(crate) fn after_list(hook: impl Hook) -> Arc<dyn Disk> {
        on(&[Verb::List], true, hook)
    }

    /// A file system that takes names for one which differ in upper and lower case only.
    pub(crate) fn folding_case() -> Arc<dyn Disk> {
        Tap::on(Arc::new(OsDisk), Arc::new(FoldingCase))
    }
}

pub(crate) trait Hook: Fn(&Path) -> io::Result<()> + Send + Sync + 'static {}

impl<F: Fn(&Path) -> io::Result<()> + Send + Sync + 'static> Hook for F {}

fn on(verbs: &'static [Verb], afterwards: bool, hook: impl Hook) -> Arc<dyn Disk> {
    let watch = Tampered {
        verbs,
        afterwards,
        hook,
    };
    Tap::on(Arc::new(OsDisk), Arc::new(watch))
}

impl<F> fmt::Debug for Tampered<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tampered")
    }
}

impl<F: Hook> Tampered<F> {
    /// The error number that the hook gives a call.
    fn errno(&self, call: &Call) -> Option<i32> {
        let done = match self.verbs.contains(&call.verb) {
            true => (self.hook)(&call.path),
            false => Ok(()),
        };
        done.err().map(|error| {
            let errno = match error.kind() {
                io::ErrorKind::PermissionDenied => Errno::ACCESS,
                io::ErrorKind::StorageFull => Errno::NOSPC,
                io::ErrorKind::QuotaExceeded => Errno::DQUOT,
                _ => Errno::from_io_error(&error).unwrap(),
            };
            errno.raw_os_error()
        })
    }
}

impl<F: Hook> Watch for Tampered<F> {
    fn before(&self, call: &Call) -> Verdict {
        let errno = (!self.afterwards).then(|| self.errno(call)).flatten();
        errno.map_or(Verdict::Pass, Verdict::Fail)
    }

    fn after(&self, call: &Call) -> Option<i32> {
        self.afterwards.then(|| self.errno(call)).flatten()
    }
}

#[derive(Debug)]
struct FoldingCase;

impl Watch for FoldingCase {
    fn leads(&self, _verb: Verb, path: &Path) -> PathBuf {
        as_it_is_there(path)
    }
}

/// A path as the names on it are spelled that are there.
fn as_it_is_there(path: &Path) -> PathBuf {
    let mut spelled = PathBuf::new();
    for part in path.components() {
        let name = part.as_os_str();
        let entries = std::fs::read_dir(&spelled).into_iter().flatten().flatten();
        let same = |other: &OsString| other.eq_ignore_ascii_case(name);
        let there = entries.map(|entry| entry.file_name()).find(same);
        spelled.push(there.unwrap_or_else(|| name.to_owned()));
    }
    spelled
}

//! One directory of a walk over a data set, without leaving it.
//!
//! Owns what is entered and what is passed over: symbolic links are never followed, pipes, devices and
//! sockets never opened, and mounts crossed only if asked for. What is done with files is the caller's.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, EntryKind};

/// What [`inspect`](crate::inspect()) and [`verify`](mod@crate::verify) neither open nor follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PassedOver {
    /// A symbolic link.
    Link,
    /// A pipe, a device, a socket: reading it may wait for ever.
    SpecialFile,
    /// A file or directory on which something else is mounted.
    Mount,
}

impl PassedOver {
    /// The name of the kind, as in `special-file`, for machines.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            PassedOver::Link => "link",
            PassedOver::SpecialFile => "special-file",
            PassedOver::Mount => "mount",
        }
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PassedOver::Link => "is a symbolic link, which is not followed",
            PassedOver::SpecialFile => "is a pipe, device or socket, which is not opened",
            PassedOver::Mount => "is a mount, which is crossed only if asked for",
        })
    }
}

/// An entry that a walk meets: something to look at, or to pass over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    File,
    Directory,
    PassedOver(PassedOver),
}

/// The names in a directory and what they stand for, in the order of names.
pub(crate) fn entries(
    disk: &dyn Disk,
    directory: &Path,
    cross_mounts: bool,
) -> io::Result<Vec<(PathBuf, Met)>> {
    let mut entries = disk.list(directory)?;
    entries.sort_by(|a, b| a.path.file_name().cmp(&b.path.file_name()));
    let met = |entry: crate::disk::Entry| {
        let met = match entry.kind {
            EntryKind::Link => Met::PassedOver(PassedOver::Link),
            EntryKind::Other => Met::PassedOver(PassedOver::SpecialFile),
            kind if !cross_mounts && disk.place(&entry.path)?.mount_root => {
                debug_assert!(matches!(kind, EntryKind::File | EntryKind::Directory));
                Met::PassedOver(PassedOver::Mount)
            }
            EntryKind::File => Met::File,
            EntryKind::Directory => Met::Directory,
        };
        Ok((entry.path, met))
    };
    entries.into_iter().map(met).collect()
}

/// Whether readers of data sets pass the name over. They enter a directory such as `_key=value`.
pub(crate) fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    (name.starts_with(b".") || name.starts_with(b"_")) && !name.contains(&b'=')
}

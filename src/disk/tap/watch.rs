//! The calls of a disk as a watch sees them, and what it may answer to each.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, Entry, EntryKind, FileStatus, Place, Project, PublishMode};

/// The kind of a call.
#[allow(missing_docs)] // Each is the method of `Disk`, `DiskFile` or `DiskDirectory` of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    CreateFile,
    OpenFile,
    OpenOrCreateFile,
    CreateDirectory,
    OpenDirectory,
    Rename,
    Exchange,
    RemoveFile,
    RemoveDirectory,
    List,
    Status,
    Place,
    Canonicalize,
    CheckWritable,
    CheckRemovable,
    /// `copy_group_and_mode`, `copy_group_and_read_mode` and `inherit_permissions`.
    CopyPermissions,
    Write,
    Read,
    FileStatus,
    SetMode,
    SyncFile,
    CheckClose,
    DropCache,
    TryLock,
    Lock,
    Identity,
    SyncDirectory,
    /// `sync_file_system` of the content of files.
    SyncContents,
    /// `sync_file_system` of names.
    SyncNames,
}

impl Verb {
    /// Whether the call can change what a power cut leaves.
    #[must_use]
    pub fn changes(self) -> bool {
        use Verb::{
            CopyPermissions, CreateDirectory, CreateFile, Exchange, OpenOrCreateFile,
            RemoveDirectory, RemoveFile, Rename, SetMode, SyncContents, SyncDirectory, SyncFile,
            SyncNames, Write,
        };
        matches!(
            self,
            CreateFile
                | OpenOrCreateFile
                | CreateDirectory
                | Rename
                | Exchange
                | RemoveFile
                | RemoveDirectory
                | Write
                | SetMode
                | CopyPermissions
                | SyncFile
                | SyncDirectory
                | SyncContents
                | SyncNames
        )
    }

    /// Whether the call makes something durable.
    #[must_use]
    pub fn syncs(self) -> bool {
        matches!(
            self,
            Verb::SyncFile | Verb::SyncDirectory | Verb::SyncContents | Verb::SyncNames
        )
    }
}

/// One call, before or after it is made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Call {
    /// The kind of the call.
    pub verb: Verb,
    /// The path of the call: the new name of a rename; for an open file, the name by which it was opened.
    pub path: PathBuf,
    /// The old name of a rename.
    pub from: Option<PathBuf>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.verb, self.path.display())
    }
}

/// How a call goes on: it is made, pretended or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The call is made.
    Pass,
    /// The call is not made, and is answered as if it had been. Only syncs, locks and the questions whether something
    /// may be written or removed can be; others pass.
    Pretend,
    /// The call is not made, and fails with this error number.
    Fail(i32),
}

/// A question whether other users are trusted: a method of [`Disk`] of the same name.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// [`Disk::owner_is_trusted`].
    OwnerIsTrusted(&'a Path, &'a Path),
    /// [`Disk::only_writers_can_change`].
    OnlyWritersCanChange(&'a Path, &'a Path),
    /// [`Disk::could_change`].
    CouldChange {
        /// The user.
        user: u32,
        /// A file or directory of the user.
        by: &'a Path,
        /// The directory that he could change.
        directory: &'a Path,
        /// The entry of the directory, if the question is about one.
        name: Option<&'a OsStr>,
    },
}

impl Trust<'_> {
    /// Asks a disk the question, and gives its answer.
    ///
    /// # Errors
    /// The disk's.
    pub fn ask(self, disk: &dyn Disk) -> io::Result<bool> {
        match self {
            Trust::OwnerIsTrusted(path, model) => disk.owner_is_trusted(path, model),
            Trust::OnlyWritersCanChange(path, model) => disk.only_writers_can_change(path, model),
            Trust::CouldChange {
                user,
                by,
                directory,
                name,
            } => disk.could_change(user, by, directory, name),
        }
    }
}

/// A watch on the calls of a disk. Each method has a default that changes nothing.
pub trait Watch: fmt::Debug + Send + Sync {
    /// Decides how a call goes on, before it is made.
    fn before(&self, _call: &Call) -> Verdict {
        Verdict::Pass
    }

    /// Told of a call that was made and went well; an error number is given to the caller instead of
    /// the answer.
    fn after(&self, _call: &Call) -> Option<i32> {
        None
    }

    /// Replaces the entries of a listed directory.
    fn listed(&self, _path: &Path, entries: Vec<Entry>) -> Vec<Entry> {
        entries
    }

    /// Replaces the bytes that are written to a file at `offset`; if they are fewer, the caller is still told that
    /// all were written.
    fn written<'a>(&self, _path: &Path, _offset: u64, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        Cow::Borrowed(bytes)
    }

    /// Replaces the mode of a rename.
    fn mode(&self, _to: &Path, mode: PublishMode) -> PublishMode {
        mode
    }

    /// Replaces the path that a call works on.
    fn leads(&self, _verb: Verb, path: &Path) -> PathBuf {
        path.to_owned()
    }

    /// Replaces the status of a file.
    fn known(&self, _path: &Path, status: FileStatus) -> FileStatus {
        status
    }

    /// Replaces the place of a path.
    fn placed(&self, _path: &Path, place: Place) -> Place {
        place
    }

    /// Replaces the quota project of a directory.
    fn project(&self, _path: &Path, project: Project) -> Project {
        project
    }

    /// Replaces the number of files that can still be created.
    fn free_inodes(&self, free: Option<u64>) -> Option<u64> {
        free
    }

    /// Replaces the number of files that can still be opened.
    fn free_descriptors(&self, free: Option<u64>) -> Option<u64> {
        free
    }

    /// Replaces the kind of what is at a path.
    fn kind(&self, _path: &Path, kind: EntryKind) -> EntryKind {
        kind
    }

    /// Answers whether users are trusted; by default as the disk does.
    ///
    /// # Errors
    /// The disk's.
    fn trusts(&self, question: Trust<'_>, disk: &dyn Disk) -> io::Result<bool> {
        question.ask(disk)
    }

    /// Asked instead of waiting for a lock that somebody else has: returns when asking again makes
    /// sense. `false` leaves the waiting to the disk.
    fn waits_for_lock(&self, _call: &Call) -> bool {
        false
    }
}

//! The disk layer: every system call that the crate makes.
//!
//! The protocol calls the traits [`Disk`] and [`DiskFile`]; [`OsDisk`] implements them by the kernel. With the
//! feature `sim` there are two more disks, for tests: `SimDisk`, which is in memory and can lose power, and `Tap`,
//! which lets a test watch and change each call of another disk. Nothing here knows formats, partitions or the
//! order of the steps.

mod os;
#[cfg(feature = "sim")]
pub mod sim;
mod sys;
#[cfg(feature = "sim")]
pub mod tap;

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use os::OsDisk;

/// The identity of a file or directory, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The device or volume.
    pub device: u64,
    /// The number of the file on its device: its inode on Unix.
    pub file: u64,
    /// The time of creation in nanoseconds since 1970, where the file system tells: file numbers are used again,
    /// times of creation are not.
    pub born: Option<i128>,
}

/// A time in nanoseconds since 1970.
pub(crate) fn nanoseconds(time: SystemTime) -> i128 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

/// The owner of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The number of the user.
    pub user: u32,
    /// The number of the group.
    pub group: u32,
}

/// The status of an open file.
#[derive(Debug, Clone, Copy)]
pub struct FileStatus {
    /// Which file it is.
    pub identity: Identity,
    /// Its length in bytes.
    pub len: u64,
    /// Its permission bits (0 where there are none).
    pub mode: u32,
    /// The owner, where files have owners.
    pub owner: Option<Owner>,
    /// When its content last changed.
    pub modified: SystemTime,
}

/// The kind of a directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Anything else: a pipe, a device, a socket.
    Other,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The directory's path joined with the name.
    pub path: PathBuf,
    /// The kind of the entry; a symbolic link is not followed.
    pub kind: EntryKind,
}

/// The answer to a request for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockOutcome {
    /// The lock is held until the file is dropped.
    Held,
    /// Somebody alive holds it.
    Busy,
    /// The file system has no locks.
    Unsupported,
}

/// Whether a lock is shared with others of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// Held by any number, but not beside an exclusive one.
    Shared,
    /// Held by one.
    Exclusive,
}

/// What may stand at the target of a rename, such as the final path when a file is published there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PublishMode {
    /// Nothing: a taken name is an error, and of several racing writers one wins. The default.
    #[default]
    CreateNew,
    /// A regular file, which is replaced in one step. Writers refuse to replace directories, pipes, devices
    /// and sockets, and symbolic links, which are neither followed nor replaced.
    Replace,
}

/// The file system position of a path: what decides whether a rename can reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which file or directory it is.
    pub identity: Identity,
    /// Whether it is the root of a mount, so that its parent belongs to another.
    pub mount_root: bool,
    /// The mount that it is reached through, where the system tells: a rename does not cross mounts, not
    /// even those of one device.
    pub mount: Option<u64>,
}

/// The project of a directory, by which some file systems count quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Project {
    /// Its number; 0 for none.
    pub id: u32,
    /// Whether new entries of the directory belong to the project; nothing of another project can then be moved in.
    pub inherited: bool,
}

impl Project {
    /// Whether files made in a directory of this project can be moved into one of `other`.
    #[must_use]
    pub fn reaches(self, other: Project) -> bool {
        let own = if self.inherited { self.id } else { 0 };
        !other.inherited || other.id == own
    }
}

/// An open file.
///
/// Dropping it closes it and gives back its lock.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Appends some of `bytes` and returns how many.
    ///
    /// # Errors
    /// The system's. How much of `bytes` reached the file is then unknown.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Reads at `offset` and returns the number of bytes read, 0 at the end of the file. The position of the next
    /// write stays.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// The status of the open file, whatever its name is by now.
    ///
    /// # Errors
    /// The system's.
    fn status(&self) -> io::Result<FileStatus>;

    /// Sets the permission bits; does nothing where there are none.
    ///
    /// # Errors
    /// The system's.
    fn set_mode(&self, mode: u32) -> io::Result<()>;

    /// Syncs content and metadata to the medium. Called once: after a failure the kernel may have
    /// dropped the pages, so that a second call would lie.
    ///
    /// # Errors
    /// The system's. The content is then not to be trusted.
    fn sync(&self) -> io::Result<()>;

    /// Reports what only closing a descriptor would report (NFS and disk quotas), and keeps the file
    /// and its lock.
    ///
    /// # Errors
    /// The system's. The content is then not to be trusted.
    fn check_close(&self) -> io::Result<()>;

    /// Asks the system to forget the cached, already synced content, so that the next read comes
    /// from the medium. Advice only: the system may ignore it.
    ///
    /// # Errors
    /// The system's.
    fn drop_cache(&self) -> io::Result<()>;

    /// Tries to take the lock, and does not wait.
    ///
    /// # Errors
    /// The system's; a lock held by another or not supported is no error.
    fn try_lock(&self, kind: LockKind) -> io::Result<LockOutcome>;

    /// Waits for the lock, and asks again and again whether to give up. Answers [`LockOutcome::Busy`] only
    /// if it is to.
    ///
    /// # Errors
    /// The system's.
    fn lock(&self, kind: LockKind, give_up: &dyn Fn() -> bool) -> io::Result<LockOutcome>;
}

/// What a sync of a file system is to make durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncScope {
    /// The content of files.
    Contents,
    /// The entries of directories.
    Names,
}

/// An open directory, held so that it can be synced whatever happens to its name.
pub trait DiskDirectory: fmt::Debug + Send + Sync {
    /// Which directory it is.
    ///
    /// # Errors
    /// The system's.
    fn identity(&self) -> io::Result<Identity>;

    /// Syncs the directory's entries to the medium.
    ///
    /// # Errors
    /// The system's. The latest entries are then maybe not durable.
    fn sync(&self) -> io::Result<()>;

    /// Whether [`sync_file_system`](DiskDirectory::sync_file_system) is available and reports every failure since the
    /// directory was opened, of what is asked for.
    fn reports_file_system_sync(&self, scope: SyncScope) -> bool;

    /// Syncs everything that anybody has written to the file system of the directory; what `scope` does not name may be
    /// left.
    ///
    /// It tells of failures since the directory was opened, so it must be opened before what is to be
    /// synced is written.
    ///
    /// # Errors
    /// The system's, or that there is no such call. What was written is then not to be trusted.
    fn sync_file_system(&self, scope: SyncScope) -> io::Result<()>;
}

/// The system calls of the protocol, as one trait, so that tests can replace the operating system.
///
/// Paths are absolute. Implementations retry what a signal interrupted and nothing else.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Creates a file that does not exist ([`Step::CreateStaging`](crate::Step::CreateStaging)), open for reading and
    /// writing, with the permissions 0666 less the umask, or, if it is private, 0600. Does not follow a symbolic link
    /// at the last component.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if the name is taken, else the system's.
    fn create_file(&self, path: &Path, private: bool) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing regular file by name, for reading or for reading and writing. Does not follow
    /// a symbolic link at the last component where `write` is asked for, and never waits for the other
    /// end of a pipe.
    ///
    /// # Errors
    /// The system's, or that it is something else than a regular file.
    fn open_file(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>>;

    /// Opens the file at `path` for writing, and creates it if it is missing: accessible to those who may write in
    /// the directory above it, and to nobody else.
    ///
    /// # Errors
    /// The system's.
    fn open_or_create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Creates one directory ([`Step::CreateDirectory`](crate::Step::CreateDirectory)) with the permissions 0777 less
    /// the umask.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if the name is taken, else the system's.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Opens a directory, to sync it later ([`Step::SyncDirectory`](crate::Step::SyncDirectory)).
    ///
    /// # Errors
    /// The system's.
    fn open_directory(&self, path: &Path) -> io::Result<Box<dyn DiskDirectory>>;

    /// Renames `from` to `to` in one step ([`Step::Publish`](crate::Step::Publish)).
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if `to` is taken and `mode` is [`PublishMode::CreateNew`],
    /// else the system's. On network file systems the move may have happened nevertheless.
    fn rename(&self, from: &Path, to: &Path, mode: PublishMode) -> io::Result<()>;

    /// Exchanges two directories in one step.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] if the file system cannot, else the system's.
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()>;

    /// Removes the name of a file.
    ///
    /// # Errors
    /// The system's.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// The system's, among them that it is not empty.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;

    /// Lists a directory, in no order.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// The kind and status of what is at `path`, without following a symbolic link there; `None` if nothing is there.
    ///
    /// # Errors
    /// The system's.
    fn status(&self, path: &Path) -> io::Result<Option<(EntryKind, FileStatus)>>;

    /// The device, mount and identity of `path`; symbolic links are followed.
    ///
    /// # Errors
    /// The system's.
    fn place(&self, path: &Path) -> io::Result<Place>;

    /// The absolute path of an existing file or directory, all symbolic links resolved.
    ///
    /// # Errors
    /// The system's.
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf>;

    /// Whether there can be symbolic links at all.
    fn has_links(&self) -> bool;

    /// Whether a lock taken at `path` by another machine would be seen here. Where not (network and
    /// user-space file systems), the age of a staging file decides too whether its writer is dead.
    fn trusts_locks(&self, path: &Path) -> bool;

    /// Checks that this user may create, rename and remove entries of a directory, by whatever right he has it: also
    /// one that the permission bits do not show. A read-only file system forbids it, and so does an immutable or
    /// append-only directory.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] or [`io::ErrorKind::ReadOnlyFilesystem`] if he may not; others are the
    /// system's.
    fn check_writable(&self, directory: &Path) -> io::Result<()>;

    /// Checks that this user may move or remove what is at `path`, in a directory that can be written: by the sticky
    /// bit of the directory, and the flags of what is there. Nothing there is no error.
    ///
    /// # Errors
    /// What forbids it; [`io::ErrorKind::PermissionDenied`] where it is the user.
    fn check_removable(&self, path: &Path) -> io::Result<()>;

    /// The project of a directory; none where the system does not tell.
    ///
    /// # Errors
    /// The system's.
    fn project(&self, directory: &Path) -> io::Result<Project>;

    /// The number of files and directories that can still be created on the file system of a path; `None` where it
    /// has no fixed number of them.
    ///
    /// # Errors
    /// The system's.
    fn free_inodes(&self, path: &Path) -> io::Result<Option<u64>>;

    /// The number of files that this process may still open; `None` where that is not known.
    fn free_descriptors(&self) -> Option<u64>;

    /// Shares a file or directory with the writers of `model`: gives it the group and the permissions of that
    /// directory, as far as this user may. Does nothing where there are no permissions. A file can then be read by
    /// nobody else, since who can read a file can lock it. What root has just made for another user becomes his.
    ///
    /// A file or directory that is not empty, and belongs to another user than the owner of `model`, gets no more
    /// permissions than it has: somebody may have moved it there.
    ///
    /// # Errors
    /// The system's.
    fn copy_group_and_mode(&self, path: &Path, model: &Path) -> io::Result<()>;

    /// Gives a directory that is to replace `old` the group and the permissions of that, as far as this user may.
    /// Does nothing where there are no permissions.
    ///
    /// # Errors
    /// The system's.
    fn inherit_permissions(&self, path: &Path, old: &Path) -> io::Result<()>;

    /// Shares a new file or directory with the readers of `model`: gives it the group of that directory, and lets
    /// those read it who may read `model`, as far as this user may, and nobody else write. Does nothing where there
    /// are no permissions.
    ///
    /// # Errors
    /// The system's.
    fn copy_group_and_read_mode(&self, path: &Path, model: &Path) -> io::Result<()>;

    /// Whether the owner of the directory at `path` is trusted with what is done to `model`: he is the caller, root,
    /// or somebody who may write in `model` too. Where `model` is not there yet, the directory that it will be made
    /// in counts.
    ///
    /// # Errors
    /// The system's.
    fn owner_is_trusted(&self, path: &Path, model: &Path) -> io::Result<bool>;

    /// Whether only those can change the directory, or lock the file, at `path` who may write in the directory
    /// `model`, as far as owners and permissions tell.
    ///
    /// # Errors
    /// The system's.
    fn only_writers_can_change(&self, path: &Path, model: &Path) -> io::Result<bool>;

    /// The number of the user that this process acts as, where files have owners.
    fn user(&self) -> Option<u32>;

    /// Whether another user has the permissions, as they are now, to create an entry in a directory, or to remove,
    /// replace or rename the one called `name`. Where the directory is not there, that above it counts, in which it
    /// would be made.
    ///
    /// `by` is something of his: where it stands shows which group he is in, if it shows one. What cannot be known of
    /// him counts as a no.
    ///
    /// # Errors
    /// The system's.
    fn could_change(
        &self,
        user: u32,
        by: &Path,
        directory: &Path,
        name: Option<&OsStr>,
    ) -> io::Result<bool>;

    /// The time by the clock that stamps files.
    fn now(&self) -> SystemTime;
}

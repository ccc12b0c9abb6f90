//! Calls that name files, none of which follows a symbolic link on the way. Tested on Linux only.
//!
//! The directory that holds the name is opened first, with all links on the way to it refused, and the call
//! goes by that descriptor and the last name: a directory that somebody exchanges for a link between a check
//! and a call leads nowhere. Callers give canonical paths, in which no link was when they were resolved.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::disk::{Entry, EntryKind, FileStatus, Identity, Owner, Place, PublishMode};

/// The flags for opening a directory of which only the names matter.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ENTER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ENTER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

/// The flags for opening a file, beside the access mode: a pipe that somebody put in its place has no other end to wait for.
const OPEN: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// The last name of a path, in the directory that holds it.
pub(super) struct Named<'a> {
    directory: OwnedFd,
    pub(super) name: &'a OsStr,
}

impl<'a> Named<'a> {
    pub(super) fn new(path: &'a Path) -> io::Result<Self> {
        let (directory, name) = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if parent.as_os_str().is_empty() => (Path::new("."), name),
            (Some(parent), Some(name)) => (parent, name),
            // The top itself.
            (None, _) => (path, OsStr::new(".")),
            (Some(_), None) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let directory = enter(directory)?;
        Ok(Named { directory, name })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    fn open(&self, flags: OFlags, mode: Mode) -> io::Result<File> {
        let opened = retry_on_intr(|| rustix::fs::openat(self.fd(), self.name, flags | OPEN, mode));
        match opened {
            Err(Errno::LOOP | Errno::NOTDIR) if self.is_link() => Err(link_on_the_way()),
            opened => Ok(File::from(opened?)),
        }
    }

    fn is_link(&self) -> bool {
        rustix::fs::statat(self.fd(), self.name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
    }
}

/// The error where a symbolic link stands in the place of a file or directory.
fn link_on_the_way() -> io::Error {
    let reason = "a symbolic link stands in the place of a file or directory, and is not followed";
    io::Error::new(io::ErrorKind::NotADirectory, reason)
}

/// Opens a directory to work in it, following no symbolic link on the way.
fn enter(directory: &Path) -> io::Result<OwnedFd> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::ResolveFlags;
        /// Whether the kernel has `openat2`: since Linux 5.6, and not under every sandbox.
        static OPENAT2: AtomicBool = AtomicBool::new(true);
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        while OPENAT2.load(Ordering::Relaxed) {
            match rustix::fs::openat2(CWD, directory, ENTER, Mode::empty(), resolve) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                // EPERM is what old sandboxes answer to a call that they do not know.
                Err(Errno::NOSYS | Errno::PERM) => OPENAT2.store(false, Ordering::Relaxed),
                Err(Errno::LOOP) => return Err(link_on_the_way()),
                entered => return Ok(entered?),
            }
        }
    }
    enter_by_steps(directory)
}

/// [`enter`] where the kernel cannot refuse links by itself: one component after another.
fn enter_by_steps(directory: &Path) -> io::Result<OwnedFd> {
    let start = match directory.is_absolute() {
        true => "/",
        false => ".",
    };
    let mut entered = retry_on_intr(|| rustix::fs::openat(CWD, start, ENTER, Mode::empty()))?;
    for component in directory.components() {
        let name = match component {
            Component::Normal(name) => name,
            Component::ParentDir => OsStr::new(".."),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => continue,
        };
        let next = Named {
            directory: entered,
            name,
        };
        let flags = ENTER | OFlags::NOFOLLOW;
        match retry_on_intr(|| rustix::fs::openat(next.fd(), name, flags, Mode::empty())) {
            Err(Errno::LOOP | Errno::NOTDIR) if next.is_link() => return Err(link_on_the_way()),
            opened => entered = opened?,
        }
    }
    Ok(entered)
}

pub(in crate::disk) fn create_file(path: &Path, private: bool) -> io::Result<File> {
    let mode = Mode::from_raw_mode(if private { 0o600 } else { 0o666 });
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    Named::new(path)?.open(flags, mode)
}

/// Creates a file that has no name yet, if the system and the file system can.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn create_nameless(directory: &Path) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let entered = enter(directory).ok()?;
    let mode = Mode::from_raw_mode(0o600);
    retry_on_intr(|| rustix::fs::openat(&entered, ".", flags, mode))
        .ok()
        .map(File::from)
}

/// Gives a file without a name the name `path`, unless that is taken.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn give_name(file: &File, path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let new = Named::new(path)?;
    // `AT_EMPTY_PATH` would need a capability; the link in /proc does not.
    let old = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = AtFlags::SYMLINK_FOLLOW;
    Ok(retry_on_intr(|| {
        rustix::fs::linkat(CWD, &old, new.fd(), new.name, flags)
    })?)
}

pub(in crate::disk) fn open_file(path: &Path, write: bool) -> io::Result<File> {
    let flags = if write { OFlags::RDWR } else { OFlags::RDONLY };
    Named::new(path)?.open(flags, Mode::empty())
}

pub(in crate::disk) fn open_directory(path: &Path) -> io::Result<File> {
    Named::new(path)?.open(OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
}

pub(in crate::disk) fn create_directory(path: &Path) -> io::Result<()> {
    let new = Named::new(path)?;
    let mode = Mode::from_raw_mode(0o777);
    Ok(retry_on_intr(|| {
        rustix::fs::mkdirat(new.fd(), new.name, mode)
    })?)
}

pub(in crate::disk) fn remove_file(path: &Path) -> io::Result<()> {
    remove(path, AtFlags::empty())
}

pub(in crate::disk) fn remove_directory(path: &Path) -> io::Result<()> {
    remove(path, AtFlags::REMOVEDIR)
}

fn remove(path: &Path, flags: AtFlags) -> io::Result<()> {
    let old = Named::new(path)?;
    Ok(retry_on_intr(|| {
        rustix::fs::unlinkat(old.fd(), old.name, flags)
    })?)
}

pub(in crate::disk) fn rename(from: &Path, to: &Path, mode: PublishMode) -> io::Result<()> {
    let (from, to) = (Named::new(from)?, Named::new(to)?);
    match mode {
        PublishMode::CreateNew => rename_no_replace(&from, &to),
        PublishMode::Replace => rename_replace(&from, &to),
    }
}

fn rename_replace(from: &Named<'_>, to: &Named<'_>) -> io::Result<()> {
    Ok(retry_on_intr(|| {
        rustix::fs::renameat(from.fd(), from.name, to.fd(), to.name)
    })?)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_no_replace(from: &Named<'_>, to: &Named<'_>) -> io::Result<()> {
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    let renamed =
        retry_on_intr(|| rustix::fs::renameat_with(from.fd(), from.name, to.fd(), to.name, flags));
    match renamed {
        Ok(()) => Ok(()),
        // EPERM is what old sandboxes answer to a call that they do not know.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
            link_and_unlink(from, to)
        }
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_no_replace(from: &Named<'_>, to: &Named<'_>) -> io::Result<()> {
    link_and_unlink(from, to)
}

/// Renames without replacing, by a link and an unlink, on file systems that have no such rename.
fn link_and_unlink(from: &Named<'_>, to: &Named<'_>) -> io::Result<()> {
    let flags = AtFlags::empty();
    let linked =
        retry_on_intr(|| rustix::fs::linkat(from.fd(), from.name, to.fd(), to.name, flags));
    match linked {
        // A directory has one name only, and replaces nothing but an empty directory.
        Err(Errno::PERM | Errno::ISDIR) if kind_of(from)? == EntryKind::Directory => {
            let renamed = rename_replace(from, to);
            return renamed.map_err(|error| match error.kind() {
                io::ErrorKind::DirectoryNotEmpty => io::ErrorKind::AlreadyExists.into(),
                _ => error,
            });
        }
        linked => linked?,
    }
    // The file has its final name. If the old one cannot be removed now, the sweep will do it.
    let _ = rustix::fs::unlinkat(from.fd(), from.name, flags);
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(in crate::disk) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let (one, other) = (Named::new(one)?, Named::new(other)?);
    let flags = rustix::fs::RenameFlags::EXCHANGE;
    // Not retried: done twice, it would be undone.
    match rustix::fs::renameat_with(one.fd(), one.name, other.fd(), other.name, flags) {
        // EPERM as above; EXDEV is what overlayfs answers where a directory has a lower layer.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM | Errno::XDEV) => {
            Err(io::ErrorKind::Unsupported.into())
        }
        done => Ok(done?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(in crate::disk) fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(in crate::disk) fn list(path: &Path) -> io::Result<Vec<Entry>> {
    let directory = open_directory(path)?;
    let mut entries = Vec::new();
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Not every file system says so in its listing.
            FileType::Unknown => {
                match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => continue,
                    found => FileType::from_raw_mode(found?.st_mode),
                }
            }
            known => known,
        };
        entries.push(Entry {
            path: path.join(name),
            kind: kind_from(kind),
        });
    }
    Ok(entries)
}

fn kind_from(file_type: FileType) -> EntryKind {
    match file_type {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Link,
        _ => EntryKind::Other,
    }
}

fn kind_of(named: &Named<'_>) -> io::Result<EntryKind> {
    let found = rustix::fs::statat(named.fd(), named.name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(kind_from(FileType::from_raw_mode(found.st_mode)))
}

pub(in crate::disk) fn status(path: &Path) -> io::Result<Option<(EntryKind, FileStatus)>> {
    let found = Named::new(path).and_then(|named| look_at(&named));
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => {
            let found = found?;
            Ok(Some((found.kind, found.status)))
        }
    }
}

pub(in crate::disk) fn place(path: &Path) -> io::Result<Place> {
    let named = Named::new(path)?;
    let Looked { status, mount, .. } = look_at(&named)?;
    let mount_root = match (mount.root, path.parent()) {
        (Some(known), _) => known,
        (None, Some(_)) => {
            let above = rustix::fs::fstat(named.fd())?;
            let own = rustix::fs::statat(named.fd(), named.name, AtFlags::SYMLINK_NOFOLLOW)?;
            above.st_dev != own.st_dev
        }
        (None, None) => true,
    };
    Ok(Place {
        identity: status.identity,
        mount_root,
        mount: mount.id,
    })
}

/// The kind of a directory entry.
struct Looked {
    kind: EntryKind,
    status: FileStatus,
    mount: Mount,
}

/// Where a file or directory is mounted, as far as the system tells.
#[derive(Default)]
struct Mount {
    /// Whether it is the root of a mount.
    root: Option<bool>,
    id: Option<u64>,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn look_at(named: &Named<'_>) -> io::Result<Looked> {
    use rustix::fs::{StatxAttributes, StatxFlags, makedev};
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    let found = match rustix::fs::statx(named.fd(), named.name, flags, wanted) {
        // Before Linux 4.11, and under some sandboxes.
        Err(Errno::NOSYS) => return look_at_old(named),
        found => found?,
    };
    let told = StatxFlags::from_bits_retain(found.stx_mask);
    let born = told.contains(StatxFlags::BTIME).then(|| {
        i128::from(found.stx_btime.tv_sec) * 1_000_000_000 + i128::from(found.stx_btime.tv_nsec)
    });
    let identity = Identity {
        device: makedev(found.stx_dev_major, found.stx_dev_minor),
        file: found.stx_ino,
        born,
    };
    let status = FileStatus {
        identity,
        len: found.stx_size,
        mode: u32::from(found.stx_mode) & 0o7777,
        owner: Some(Owner {
            user: found.stx_uid,
            group: found.stx_gid,
        }),
        modified: time(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
    };
    let kind = kind_from(FileType::from_raw_mode(u32::from(found.stx_mode)));
    let known = StatxAttributes::MOUNT_ROOT;
    let root = found
        .stx_attributes_mask
        .contains(known)
        .then(|| found.stx_attributes.contains(known));
    // Since Linux 5.8.
    let id = told
        .contains(StatxFlags::MNT_ID)
        .then_some(found.stx_mnt_id);
    Ok(Looked {
        kind,
        status,
        mount: Mount { root, id },
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn look_at(named: &Named<'_>) -> io::Result<Looked> {
    look_at_old(named)
}

/// [`look_at`] by the call that every system has, which tells neither births nor mounts.
fn look_at_old(named: &Named<'_>) -> io::Result<Looked> {
    let found = rustix::fs::statat(named.fd(), named.name, AtFlags::SYMLINK_NOFOLLOW)?;
    let identity = Identity {
        device: found.st_dev as u64,
        file: found.st_ino as u64,
        born: None,
    };
    let status = FileStatus {
        identity,
        len: found.st_size as u64,
        mode: found.st_mode as u32 & 0o7777,
        owner: Some(Owner {
            user: found.st_uid,
            group: found.st_gid,
        }),
        modified: time(found.st_mtime as i64, found.st_mtime_nsec as u32),
    };
    let kind = kind_from(FileType::from_raw_mode(found.st_mode));
    Ok(Looked {
        kind,
        status,
        mount: Mount::default(),
    })
}

fn time(seconds: i64, nanoseconds: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let start = match seconds < 0 {
        true => SystemTime::UNIX_EPOCH - whole,
        false => SystemTime::UNIX_EPOCH + whole,
    };
    start + Duration::from_nanos(u64::from(nanoseconds))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    type Enter = fn(&Path) -> io::Result<OwnedFd>;
    /// By the kernel's help, and without it.
    const WAYS: [Enter; 2] = [enter, enter_by_steps];

    fn top() -> (tempfile::TempDir, std::path::PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let top = scratch.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("real/below")).unwrap();
        fs::write(top.join("real/below/file"), "x").unwrap();
        symlink("real", top.join("link")).unwrap();
        symlink("below", top.join("real/inner")).unwrap();
        (scratch, top)
    }

    #[test]
    fn directories_are_entered_and_links_refused_wherever_they_stand() {
        let (_scratch, top) = top();
        for enter in WAYS {
            for path in ["", "real", "real/below", "real/../real"] {
                enter(&top.join(path)).unwrap();
            }
            enter(Path::new("/")).unwrap();
            for path in ["link", "link/below", "real/inner", "link/../real"] {
                let error = enter(&top.join(path)).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::NotADirectory, "{path}");
                assert!(
                    error.to_string().contains("symbolic link"),
                    "{path}: {error}"
                );
            }
            let error = enter(&top.join("real/below/file")).unwrap_err();
            assert!(!error.to_string().contains("symbolic link"), "{error}");
            let error = enter(&top.join("missing/below")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn no_call_follows_a_link_on_the_way_or_at_the_end() {
        let (_scratch, top) = top();
        fs::write(top.join("free"), "y").unwrap();
        symlink("free", top.join("to-file")).unwrap();
        let through = top.join("link/below/file");
        let new = top.join("link/below/new");
        let free = top.join("free");
        type Call<'a> = Box<dyn Fn() -> io::Result<()> + 'a>;
        let calls: Vec<(&str, Call<'_>)> = vec![
            ("create", Box::new(|| create_file(&new, false).map(drop))),
            ("open", Box::new(|| open_file(&through, false).map(drop))),
            (
                "open to write",
                Box::new(|| open_file(&through, true).map(drop)),
            ),
            (
                "open a link",
                Box::new(|| open_file(&top.join("to-file"), false).map(drop)),
            ),
            (
                "open directory",
                Box::new(|| open_directory(&top.join("link")).map(drop)),
            ),
            ("create directory", Box::new(|| create_directory(&new))),
            ("remove", Box::new(|| remove_file(&through))),
            (
                "remove directory",
                Box::new(|| remove_directory(&top.join("link/below"))),
            ),
            (
                "rename from",
                Box::new(|| rename(&through, &top.join("a"), PublishMode::CreateNew)),
            ),
            (
                "rename to",
                Box::new(|| rename(&free, &new, PublishMode::CreateNew)),
            ),
            (
                "replace",
                Box::new(|| rename(&free, &through, PublishMode::Replace)),
            ),
            ("exchange", Box::new(|| exchange(&free, &through))),
            ("list", Box::new(|| list(&top.join("link")).map(drop))),
            (
                "list below",
                Box::new(|| list(&top.join("link/below")).map(drop)),
            ),
            ("status", Box::new(|| status(&through).map(drop))),
            ("place", Box::new(|| place(&through).map(drop))),
        ];
        for (name, call) in calls {
            let error = call().expect_err(name);
            assert!(
                error.to_string().contains("symbolic link"),
                "{name}: {error}"
            );
        }
        assert_eq!(
            fs::read_to_string(top.join("real/below/file")).unwrap(),
            "x"
        );
        assert_eq!(fs::read_dir(top.join("real/below")).unwrap().count(), 1);
        let (kind, _) = status(&top.join("link")).unwrap().unwrap();
        assert_eq!(kind, EntryKind::Link);
    }

    #[test]
    fn a_file_has_one_identity_by_its_name_and_by_its_descriptor() {
        let (_scratch, top) = top();
        let path = top.join("real/below/file");
        let (_, by_name) = status(&path).unwrap().unwrap();
        let file = open_file(&path, false).unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(
            by_name.identity,
            super::super::identity(&file, &metadata).unwrap()
        );
        assert_eq!(by_name.modified, metadata.modified().unwrap());
        assert_eq!(
            (by_name.len, by_name.mode),
            (1, super::super::mode(&metadata))
        );
        let named = Named::new(&path).unwrap();
        let old = look_at_old(&named).unwrap().status;
        assert_eq!(old.identity.file, by_name.identity.file);
        assert_eq!(old.identity.device, by_name.identity.device);
        assert_eq!(old.modified, by_name.modified);
    }

    #[test]
    fn the_time_before_1970_is_told() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1_500);
        assert_eq!(time(-2, 500_000_000), before);
    }
}

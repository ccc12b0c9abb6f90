//! Windows. Written from the documentation of its system calls, and untested.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_sys::Win32::Foundation::{ERROR_IO_PENDING, ERROR_LOCK_VIOLATION, GENERIC_WRITE};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    GetFileInformationByHandle, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx,
    MOVEFILE_REPLACE_EXISTING, MOVEFILE_WRITE_THROUGH, MoveFileExW,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::born;
use crate::disk::{
    Entry, EntryKind, FileStatus, Identity, LockKind, LockOutcome, Owner, Place, Project,
    PublishMode, SyncScope,
};

/// Access lists are inherited from the directory above.
pub(in crate::disk) fn create_file(path: &Path, _private: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
}

pub(in crate::disk) fn create_shared(path: &Path) -> io::Result<File> {
    create_file(path, true)
}

pub(in crate::disk) fn open_file(path: &Path, write: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

pub(in crate::disk) fn create_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

pub(in crate::disk) fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

pub(in crate::disk) fn remove_directory(path: &Path) -> io::Result<()> {
    fs::remove_dir(path)
}

pub(in crate::disk) fn list(path: &Path) -> io::Result<Vec<Entry>> {
    fs::read_dir(path)?
        .map(|entry| {
            let entry = entry?;
            Ok(Entry {
                kind: kind(entry.file_type()?),
                path: entry.path(),
            })
        })
        .collect()
}

pub(in crate::disk) fn status(path: &Path) -> io::Result<Option<(EntryKind, FileStatus)>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => {
            let status = FileStatus {
                identity: identity_of_path(path, &metadata)?,
                len: metadata.len(),
                mode: 0,
                owner: None,
                modified: metadata.modified()?,
            };
            Ok(Some((kind(metadata.file_type()), status)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn kind(file_type: fs::FileType) -> EntryKind {
    if file_type.is_file() {
        EntryKind::File
    } else if file_type.is_dir() {
        EntryKind::Directory
    } else if file_type.is_symlink() {
        EntryKind::Link
    } else {
        EntryKind::Other
    }
}

/// Checks nothing: access control lists are not looked at.
pub(in crate::disk) fn check_writable(_directory: &Path) -> io::Result<()> {
    Ok(())
}

/// Checks nothing: access control lists are not looked at.
pub(in crate::disk) fn check_removable(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// The quota project of a directory: Windows has none.
pub(in crate::disk) fn project(_directory: &Path) -> io::Result<Project> {
    Ok(Project::default())
}

/// The number of files that can still be created: there is no fixed number.
pub(in crate::disk) fn free_inodes(_path: &Path) -> io::Result<Option<u64>> {
    Ok(None)
}

pub(in crate::disk) fn free_descriptors() -> Option<u64> {
    None
}

/// Flushing a directory takes a handle that may write to it.
pub(in crate::disk) fn open_directory(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(GENERIC_WRITE)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)
}

pub(in crate::disk) fn identity(file: &File, metadata: &Metadata) -> io::Result<Identity> {
    let mut information = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open as long as `file` is borrowed, and `information` outlives the call.
    #[allow(unsafe_code)]
    let answered = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut information) };
    if answered == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Identity {
        device: u64::from(information.dwVolumeSerialNumber),
        file: u64::from(information.nFileIndexHigh) << 32 | u64::from(information.nFileIndexLow),
        born: born(metadata),
    })
}

fn identity_of_path(path: &Path, metadata: &Metadata) -> io::Result<Identity> {
    let file = OpenOptions::new()
        .access_mode(0)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    identity(&file, metadata)
}

pub(in crate::disk) fn mode(_metadata: &Metadata) -> u32 {
    0
}

pub(in crate::disk) fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

pub(in crate::disk) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.seek_read(buffer, offset)
}

/// Closing a handle reports nothing on Windows.
pub(in crate::disk) fn check_close(_file: &File) -> io::Result<()> {
    Ok(())
}

/// There is no advice to drop cached pages of an open file.
pub(in crate::disk) fn drop_cache(_file: &File) -> io::Result<()> {
    Ok(())
}

pub(in crate::disk) fn rename(from: &Path, to: &Path, mode: PublishMode) -> io::Result<()> {
    match mode {
        PublishMode::CreateNew => move_file(from, to, MOVEFILE_WRITE_THROUGH),
        PublishMode::Replace => {
            move_file(from, to, MOVEFILE_WRITE_THROUGH | MOVEFILE_REPLACE_EXISTING)
        }
    }
}

/// Exchanges nothing: Windows has no such call.
pub(in crate::disk) fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn move_file(from: &Path, to: &Path, flags: u32) -> io::Result<()> {
    let wide = |path: &Path| {
        path.as_os_str()
            .encode_wide()
            .chain([0])
            .collect::<Vec<u16>>()
    };
    let (from, to) = (wide(from), wide(to));
    // SAFETY: both are zero-terminated and outlive the call.
    #[allow(unsafe_code)]
    let moved = unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) };
    if moved == 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

pub(in crate::disk) fn place(path: &Path) -> io::Result<Place> {
    let own = identity_of_path(path, &fs::metadata(path)?)?;
    let mount_root = match path.parent() {
        Some(parent) => identity_of_path(parent, &fs::metadata(parent)?)?.device != own.device,
        None => true,
    };
    Ok(Place {
        identity: own,
        mount_root,
        mount: None,
    })
}

/// Access lists are inherited from the directory above.
pub(in crate::disk) fn copy_group_and_mode(_path: &Path, _model: &Path) -> io::Result<()> {
    Ok(())
}

/// Access lists are inherited from the directory above.
pub(in crate::disk) fn copy_group_and_read_mode(_path: &Path, _model: &Path) -> io::Result<()> {
    Ok(())
}

/// Access lists are inherited from the directory above.
pub(in crate::disk) fn inherit_permissions(_path: &Path, _old: &Path) -> io::Result<()> {
    Ok(())
}

pub(in crate::disk) fn owner_is_trusted(_path: &Path, _model: &Path) -> io::Result<bool> {
    Ok(true)
}

pub(in crate::disk) fn only_writers_can_change(_path: &Path, _model: &Path) -> io::Result<bool> {
    Ok(true)
}

pub(in crate::disk) fn user() -> Option<u32> {
    None
}

pub(in crate::disk) fn could_change(
    _user: u32,
    _by: &Path,
    _directory: &Path,
    _name: Option<&OsStr>,
) -> io::Result<bool> {
    Ok(true)
}

pub(in crate::disk) fn owner(_metadata: &Metadata) -> Option<Owner> {
    None
}

/// A path of the form `\\server\share` is remote.
pub(in crate::disk) fn trusts_locks(path: &Path) -> bool {
    use std::path::{Component, Prefix};
    !matches!(
        path.components().next(),
        Some(Component::Prefix(prefix))
            if matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..))
    )
}

pub(in crate::disk) fn try_lock(file: &File, kind: LockKind) -> io::Result<LockOutcome> {
    lock_far_beyond_the_end(file, kind, LOCKFILE_FAIL_IMMEDIATELY)
}

pub(in crate::disk) fn lock(file: &File, kind: LockKind) -> io::Result<LockOutcome> {
    lock_far_beyond_the_end(file, kind, 0)
}

/// Locks are mandatory on Windows: one over the content would keep the file from being verified.
fn lock_far_beyond_the_end(file: &File, kind: LockKind, flags: u32) -> io::Result<LockOutcome> {
    let exclusive = match kind {
        LockKind::Shared => 0,
        LockKind::Exclusive => LOCKFILE_EXCLUSIVE_LOCK,
    };
    let mut place = OVERLAPPED::default();
    place.Anonymous.Anonymous.OffsetHigh = 0x7fff_ffff;
    // SAFETY: the handle is open as long as `file` is borrowed and was opened without overlapped
    // input and output, so that the call is over, and `place` unused, when it returns.
    #[allow(unsafe_code)]
    let locked =
        unsafe { LockFileEx(file.as_raw_handle(), exclusive | flags, 0, 1, 0, &mut place) };
    if locked != 0 {
        return Ok(LockOutcome::Held);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_LOCK_VIOLATION | ERROR_IO_PENDING) => Ok(LockOutcome::Busy),
        _ => Err(error),
    }
}

pub(in crate::disk) fn reports_file_system_sync(_directory: &File, _scope: SyncScope) -> bool {
    false
}

pub(in crate::disk) fn sync_file_system(_directory: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

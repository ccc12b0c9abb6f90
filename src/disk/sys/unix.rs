//! Linux, macOS and other Unixes. Tested on Linux only.

use std::fs::{File, Metadata, Permissions, TryLockError};
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::io::Errno;

use super::born;
use crate::disk::{Identity, LockKind, LockOutcome, Owner, SyncScope};

pub(in crate::disk) fn identity(_file: &File, metadata: &Metadata) -> io::Result<Identity> {
    Ok(Identity {
        device: metadata.dev(),
        file: metadata.ino(),
        born: born(metadata),
    })
}

pub(in crate::disk) fn mode(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}

pub(in crate::disk) fn owner(metadata: &Metadata) -> Option<Owner> {
    Some(Owner {
        user: metadata.uid(),
        group: metadata.gid(),
    })
}

pub(in crate::disk) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

pub(in crate::disk) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// Reports what closing the file would report, by closing a duplicate of the descriptor: the kernel flushes on every
/// close, but the lock belongs to the descriptor that stays.
pub(in crate::disk) fn check_close(file: &File) -> io::Result<()> {
    let descriptor = file.try_clone()?.into_raw_fd();
    // SAFETY: the descriptor was made on the line above, nothing else holds it, and it is not used
    // again, whatever close answers.
    #[allow(unsafe_code)]
    let closed = unsafe { rustix::io::try_close(descriptor) };
    match closed {
        // On Linux the descriptor is closed even so, and trying again could close another's.
        Ok(()) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(in crate::disk) fn drop_cache(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fadvise(
        file,
        0,
        None,
        rustix::fs::Advice::DontNeed,
    )?)
}

#[cfg(target_vendor = "apple")]
pub(in crate::disk) fn drop_cache(file: &File) -> io::Result<()> {
    Ok(rustix::fs::fcntl_nocache(file, true)?)
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
)))]
pub(in crate::disk) fn drop_cache(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Whether `syncfs` reports failed writes: of the content of files since Linux 5.8, on the file systems that record them; since
/// 5.17 also the failure of the file system to write what it keeps of names. The magic numbers are those of linux/magic.h.
#[cfg(target_os = "linux")]
pub(in crate::disk) fn reports_file_system_sync(directory: &File, scope: SyncScope) -> bool {
    const REPORTING: [u32; 5] = [
        0x0000_ef53, // ext2, ext3, ext4
        0x5846_5342, // XFS
        0x9123_683e, // Btrfs
        0xf2f5_2010, // F2FS
        0x0102_1994, // tmpfs
    ];
    let release = rustix::system::uname();
    let mut numbers = release
        .release()
        .to_str()
        .unwrap_or_default()
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let reporting = match scope {
        SyncScope::Contents => (5, 8),
        SyncScope::Names => (5, 17),
    };
    version >= reporting
        && rustix::fs::fstatfs(directory)
            .is_ok_and(|answer| REPORTING.contains(&(answer.f_type as u32)))
}

#[cfg(target_os = "linux")]
pub(in crate::disk) fn sync_file_system(directory: &File) -> io::Result<()> {
    Ok(rustix::fs::syncfs(directory)?)
}

#[cfg(not(target_os = "linux"))]
pub(in crate::disk) fn reports_file_system_sync(_directory: &File, _scope: SyncScope) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(in crate::disk) fn sync_file_system(_directory: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the file system is known to be local to this machine: on others, locks of other machines may not be seen
/// here. The magic numbers are those of statfs(2) and linux/magic.h.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(in crate::disk) fn trusts_locks(path: &Path) -> bool {
    const LOCAL: [u32; 16] = [
        0x0000_ef53, // ext2, ext3, ext4
        0x5846_5342, // XFS
        0x9123_683e, // btrfs
        0xf2f5_2010, // F2FS
        0xca45_1a4e, // bcachefs
        0x2fc1_2fc1, // ZFS
        0x3153_464a, // JFS
        0x5265_4973, // ReiserFS
        0x0000_3434, // NILFS
        0x0102_1994, // tmpfs
        0x8584_58f6, // ramfs
        0x794c_7630, // overlayfs
        0x0000_4d44, // FAT
        0x2011_bab0, // exFAT
        0x7366_746e, // NTFS3
        0x2405_1905, // UBIFS
    ];
    match rustix::fs::statfs(path) {
        Ok(answer) => LOCAL.contains(&(answer.f_type as u32)),
        Err(_) => false,
    }
}

#[cfg(target_vendor = "apple")]
pub(in crate::disk) fn trusts_locks(path: &Path) -> bool {
    /// From sys/mount.h: the file system is stored locally.
    const MNT_LOCAL: u32 = 0x1000;
    rustix::fs::statfs(path).is_ok_and(|answer| answer.f_flags as u32 & MNT_LOCAL != 0)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(in crate::disk) fn trusts_locks(_path: &Path) -> bool {
    false
}

pub(in crate::disk) fn try_lock(file: &File, kind: LockKind) -> io::Result<LockOutcome> {
    let locked = match kind {
        LockKind::Shared => file.try_lock_shared(),
        LockKind::Exclusive => file.try_lock(),
    };
    match locked {
        Ok(()) => Ok(LockOutcome::Held),
        Err(TryLockError::WouldBlock) => Ok(LockOutcome::Busy),
        Err(TryLockError::Error(error)) => unsupported_or(error),
    }
}

pub(in crate::disk) fn lock(file: &File, kind: LockKind) -> io::Result<LockOutcome> {
    let locked = match kind {
        LockKind::Shared => file.lock_shared(),
        LockKind::Exclusive => file.lock(),
    };
    match locked {
        Ok(()) => Ok(LockOutcome::Held),
        Err(error) => unsupported_or(error),
    }
}

fn unsupported_or(error: io::Error) -> io::Result<LockOutcome> {
    match Errno::from_io_error(&error) {
        Some(Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOLCK) => Ok(LockOutcome::Unsupported),
        _ if error.kind() == io::ErrorKind::Unsupported => Ok(LockOutcome::Unsupported),
        _ => Err(error),
    }
}

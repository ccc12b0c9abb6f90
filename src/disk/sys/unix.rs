//! Linux, macOS and other Unixes. Tested on Linux only.

use std::fs::{File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use crate::disk::os::born;
use crate::disk::{Identity, LockKind, LockOutcome, Place};

pub(in crate::disk) fn do_not_follow(options: &mut OpenOptions) {
    options.custom_flags(OFlags::NOFOLLOW.bits() as i32);
}

pub(in crate::disk) fn open_directory(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::DIRECTORY.bits() as i32)
        .open(path)
}

pub(in crate::disk) fn identity(_file: &File, metadata: &Metadata) -> io::Result<Identity> {
    Ok(Identity {
        device: metadata.dev(),
        file: metadata.ino(),
        born: born(metadata),
    })
}

pub(in crate::disk) fn identity_of_path(_path: &Path, metadata: &Metadata) -> io::Result<Identity> {
    Ok(Identity {
        device: metadata.dev(),
        file: metadata.ino(),
        born: born(metadata),
    })
}

pub(in crate::disk) fn mode(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}

pub(in crate::disk) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

pub(in crate::disk) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

/// Closes a duplicate of the descriptor: the kernel flushes on every close, and only closing tells
/// what NFS and quotas have to say, but the lock belongs to the descriptor that stays.
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

pub(in crate::disk) fn rename_replace(from: &Path, to: &Path) -> io::Result<()> {
    Ok(rustix::io::retry_on_intr(|| rustix::fs::rename(from, to))?)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(in crate::disk) fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    let renamed = rustix::io::retry_on_intr(|| {
        rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)
    });
    match renamed {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_and_unlink(from, to),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(in crate::disk) fn rename_no_replace(from: &Path, to: &Path) -> io::Result<()> {
    link_and_unlink(from, to)
}

/// What stands in for a rename that does not replace, where the file system has none.
fn link_and_unlink(from: &Path, to: &Path) -> io::Result<()> {
    rustix::io::retry_on_intr(|| rustix::fs::link(from, to))?;
    // The file has its final name. If the old one cannot be removed now, the sweep will do it.
    let _ = rustix::fs::unlink(from);
    Ok(())
}

#[cfg(target_os = "linux")]
pub(in crate::disk) fn place(path: &Path) -> io::Result<Place> {
    use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, makedev};
    match rustix::fs::statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS) {
        Ok(answer) => Ok(Place {
            device: makedev(answer.stx_dev_major, answer.stx_dev_minor),
            mount_root: answer.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        }),
        // Before Linux 4.11, and under some sandboxes.
        Err(Errno::NOSYS) => place_by_device(path),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(in crate::disk) fn place(path: &Path) -> io::Result<Place> {
    place_by_device(path)
}

/// A mount is told by its parent being on another device.
fn place_by_device(path: &Path) -> io::Result<Place> {
    let device = std::fs::metadata(path)?.dev();
    let mount_root = match path.parent() {
        Some(parent) => std::fs::metadata(parent)?.dev() != device,
        None => true,
    };
    Ok(Place { device, mount_root })
}

/// The magic numbers are those of statfs(2) and linux/magic.h.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(in crate::disk) fn trusts_locks(path: &Path) -> bool {
    const REMOTE: [u32; 11] = [
        0x0000_6969, // NFS
        0xff53_4d42, // CIFS
        0xfe53_4d42, // SMB2
        0x0000_517b, // SMB
        0x6573_5546, // FUSE
        0x00c3_6400, // Ceph
        0x0102_1997, // 9P
        0x5346_414f, // AFS
        0x6b41_4653, // kAFS
        0x0bd0_0bd0, // Lustre
        0x4750_4653, // GPFS
    ];
    match rustix::fs::statfs(path) {
        Ok(answer) => !REMOTE.contains(&(answer.f_type as u32)),
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

//! Access checks: what this user may do to a directory and to the names in it. Tested on Linux only.

use std::io;
use std::path::Path;

use rustix::fs::{Access, AtFlags};
use rustix::io::Errno;

use super::paths::Named;

/// The flag to check access as the effective user, by whom the later calls are judged.
#[cfg(not(target_os = "android"))]
const EFFECTIVE: AtFlags = AtFlags::EACCESS;
#[cfg(target_os = "android")]
const EFFECTIVE: AtFlags = AtFlags::empty();

pub(in crate::disk) fn check_writable(directory: &Path) -> io::Result<()> {
    let named = Named::new(directory)?;
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    match rustix::fs::accessat(named.fd(), named.name, wanted, EFFECTIVE) {
        // Nothing here can tell; publishing will.
        Ok(()) | Err(Errno::NOSYS | Errno::OPNOTSUPP) => {}
        Err(Errno::ACCESS | Errno::PERM) => {
            return Err(denied(
                "this user may not write in this directory: change its permissions or its group, or write as its owner",
            ));
        }
        Err(errno) => return Err(errno.into()),
    }
    if is_frozen(&named)? {
        return Err(denied(
            "the directory is immutable or append-only: take the flag away (chattr -i -a)",
        ));
    }
    Ok(())
}

pub(in crate::disk) fn check_removable(path: &Path) -> io::Result<()> {
    const STICKY: u32 = 0o1000;
    let named = match Named::new(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        named => named?,
    };
    let found = match rustix::fs::statat(named.fd(), named.name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        found => found?,
    };
    if is_frozen(&named)? {
        return Err(denied(
            "it is immutable or append-only and cannot be replaced: take the flag away (chattr -i -a)",
        ));
    }
    let above = rustix::fs::fstat(named.fd())?;
    let user = rustix::process::geteuid().as_raw();
    let sticky = above.st_mode as u32 & STICKY > 0;
    if sticky && ![found.st_uid, above.st_uid, 0].contains(&user) {
        return Err(denied(
            "it belongs to another user and is in a sticky directory, where only its owner can replace it",
        ));
    }
    Ok(())
}

fn denied(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, reason)
}

/// Whether a file or directory has a flag that keeps everybody from changing it.
#[cfg(target_os = "linux")]
fn is_frozen(named: &Named<'_>) -> io::Result<bool> {
    use rustix::fs::{StatxAttributes, StatxFlags};
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    match rustix::fs::statx(named.fd(), named.name, flags, StatxFlags::TYPE) {
        Ok(found) => Ok(found
            .stx_attributes
            .intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND)),
        // Before Linux 4.11, and under some sandboxes.
        Err(Errno::NOSYS) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn is_frozen(_named: &Named<'_>) -> io::Result<bool> {
    Ok(false)
}

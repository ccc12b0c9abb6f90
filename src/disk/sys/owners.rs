//! Users who share a data set: who owns what, and what each may do. Tested on Linux only.

use std::fs::{Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::paths::open_file;

/// The group and the permissions, also that new files get the group, and that each is its owner's. A file can be
/// read by those alone who may write: reading is enough to lock it.
pub(in crate::disk) fn share_like(path: &Path, model: &Path) -> io::Result<()> {
    let wanted = std::fs::metadata(model)?;
    // Whoever may write above it may have put a link to somebody else's directory in its place.
    let opened = open_file(path, false)?;
    let found = opened.metadata()?;
    let mut bits = match found.is_dir() {
        true => wanted.mode() & 0o3777,
        false => 0o600 | wanted.mode() & 0o222 | (wanted.mode() & 0o222) << 1,
    };
    if found.gid() != wanted.gid()
        && std::os::unix::fs::fchown(&opened, None, Some(wanted.gid())).is_err()
    {
        // Another group may do no more than everybody.
        bits = bits & 0o1707 | (bits & 0o7) << 3;
    }
    if found.mode() & 0o7777 != bits {
        opened.set_permissions(Permissions::from_mode(bits))?;
    }
    Ok(())
}

/// Whether the effective user may make files in a directory, as the kernel has it: access control lists,
/// capabilities and read-only file systems count.
pub(in crate::disk) fn may_write(directory: &Path) -> io::Result<bool> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    use rustix::io::Errno;
    let access = Access::WRITE_OK | Access::EXEC_OK;
    match accessat(CWD, directory, access, AtFlags::EACCESS) {
        Ok(()) => Ok(true),
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether the owner of a directory may write in `model` as well, so that nobody gains by what is in it.
pub(in crate::disk) fn is_shared_fairly(path: &Path, model: &Path) -> io::Result<bool> {
    const STICKY: u32 = 0o1000;
    let found = std::fs::symlink_metadata(path)?;
    let (model, is_there) = nearest(model)?;
    let owner = found.uid();
    let known = [0, rustix::process::geteuid().as_raw(), model.uid()];
    if known.contains(&owner) {
        return Ok(true);
    }
    // Where everybody may make files but not remove those of others, it is who makes the model that has it.
    let mode = model.mode();
    let open = is_there || mode & STICKY == 0;
    Ok(open && (mode & 0o002 > 0 || mode & 0o020 > 0 && found.gid() == model.gid()))
}

/// A directory, or the nearest one above it that is there, and whether it is there itself.
fn nearest(path: &Path) -> io::Result<(Metadata, bool)> {
    for directory in path.ancestors() {
        match std::fs::metadata(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return Ok((found?, directory == path)),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

//! Standard input as a file, for all who read it.

use std::fs::File;
use std::io;

/// Standard input without the standard library's buffer, which would hide bytes from `poll`.
///
/// # Errors
/// The system's, and a standard input that was closed before the process began, which is not one without
/// bytes.
#[cfg(unix)]
pub(crate) fn stdin() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    if is_stand_in(&file)? {
        let reason =
            "it is closed, or /dev/null opened for writing too; give `< /dev/null` for no bytes";
        return Err(io::Error::new(io::ErrorKind::NotConnected, reason));
    }
    Ok(file)
}

#[cfg(windows)]
pub(crate) fn stdin() -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    Ok(File::from(io::stdin().as_handle().try_clone_to_owned()?))
}

/// Whether this is what the standard library opens in the place of a descriptor that was closed: the null
/// device, for reading and writing.
#[cfg(unix)]
fn is_stand_in(file: &File) -> io::Result<bool> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::MetadataExt as _;
    let device = file.metadata()?.rdev();
    let is_null = std::fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == device);
    let access = rustix::fs::fcntl_getfl(file)? & OFlags::RWMODE;
    Ok(is_null && access == OFlags::RDWR)
}

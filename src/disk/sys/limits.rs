//! Limits of this process and the file system: descriptors, inodes, quota projects. Tested on Linux only.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::paths::open_directory;
use crate::disk::Project;

pub(in crate::disk) fn free_inodes(path: &Path) -> io::Result<Option<u64>> {
    let directory = open_directory(path)?;
    let found = rustix::fs::fstatvfs(&directory)?;
    // Where there is no table of them, their number is 0 or without meaning.
    Ok((found.f_files > 0).then_some(found.f_favail))
}

pub(in crate::disk) fn free_descriptors() -> Option<u64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    // Each is a file here, and the listing has one more.
    let open = std::fs::read_dir("/dev/fd").ok()?.count();
    Some(limit.current?.saturating_sub(open.saturating_sub(1) as u64))
}

/// The quota project of a directory, by the ioctl `FS_IOC_FSGETXATTR` of `linux/fs.h`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(in crate::disk) fn project(directory: &Path) -> io::Result<Project> {
    use rustix::ioctl::{Getter, Opcode, ioctl, opcode};

    #[repr(C)]
    struct Attributes {
        flags: u32,
        _extent_size: u32,
        _extents: u32,
        project: u32,
        _copy_extent_size: u32,
        _padding: [u8; 8],
    }
    const GET_ATTRIBUTES: Opcode = opcode::read::<Attributes>(b'X', 31);
    const PROJECT_INHERITED: u32 = 0x200;
    let opened = match open_directory(directory) {
        // Who may write in it and not read it cannot be told.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Ok(Project::default());
        }
        opened => opened?,
    };
    // SAFETY: the kernel fills in a `struct fsxattr`, which `Attributes` is.
    #[allow(unsafe_code)]
    let found = unsafe { ioctl(&opened, Getter::<GET_ATTRIBUTES, Attributes>::new()) };
    match found {
        Ok(found) => Ok(Project {
            id: found.project,
            inherited: found.flags & PROJECT_INHERITED > 0,
        }),
        Err(Errno::NOTTY | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::PERM) => {
            Ok(Project::default())
        }
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(in crate::disk) fn project(_directory: &Path) -> io::Result<Project> {
    Ok(Project::default())
}

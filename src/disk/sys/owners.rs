//! Users who share a data set: who owns what, and what each may do. Tested on Linux only.
//!
//! What is asked here is asked of descriptors, or of names in directories that no symbolic link leads to.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::paths::{open_file, status};
use crate::disk::{EntryKind, FileStatus, Owner};

/// Only the owner of a name, or of the directory, removes it.
const STICKY: u32 = 0o1000;
/// The permission bits for making names in a directory: to write in it, and to enter it.
const CHANGE: u32 = 0o3;

/// The group and the permissions, also that new files get the group, and that each is its owner's. A file can be
/// read by those alone who may write: reading is enough to lock it.
pub(in crate::disk) fn copy_group_and_mode(path: &Path, model: &Path) -> io::Result<()> {
    let wanted = there(model)?;
    give(path, &wanted, |is_directory| {
        shared_bits(&wanted, is_directory)
    })
}

fn shared_bits(wanted: &FileStatus, is_directory: bool) -> u32 {
    match is_directory {
        true => wanted.mode & 0o3777,
        false => 0o600 | wanted.mode & 0o222 | (wanted.mode & 0o222) << 1,
    }
}

/// Creates a file that is shared like the directory that it is in from the moment it has a name: whoever is
/// killed in between leaves none that others could not open. Where the system has no files without names, it
/// is shared right after.
pub(in crate::disk) fn create_shared(path: &Path) -> io::Result<File> {
    let directory = path.parent().unwrap_or(path);
    let wanted = there(directory)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(file) = super::paths::create_nameless(directory) {
        // Where the group and permissions cannot be had, it is the user's own.
        let _ = give_to(&file, &wanted, |is_directory| {
            shared_bits(&wanted, is_directory)
        });
        match super::paths::give_name(&file, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {}
            named => return named.map(|()| file),
        }
    }
    let file = super::paths::create_file(path, true)?;
    let _ = give_to(&file, &wanted, |is_directory| {
        shared_bits(&wanted, is_directory)
    });
    Ok(file)
}

/// The group, and that those may read a file or directory who may read the model.
pub(in crate::disk) fn copy_group_and_read_mode(path: &Path, model: &Path) -> io::Result<()> {
    let wanted = nearest(model)?;
    give(path, &wanted, |is_directory| match is_directory {
        true => 0o700 | wanted.mode & 0o055,
        false => 0o600 | wanted.mode & 0o044,
    })
}

/// Gives what is at `path` the group of `wanted` and permissions.
fn give(path: &Path, wanted: &FileStatus, bits: impl Fn(bool) -> u32) -> io::Result<()> {
    // Whoever may write above it may have put a link to somebody else's directory in its place.
    give_to(&open_file(path, false)?, wanted, bits)
}

fn give_to(opened: &File, wanted: &FileStatus, bits: impl Fn(bool) -> u32) -> io::Result<()> {
    let found = opened.metadata()?;
    if !found.is_dir() && found.nlink() > 1 {
        let reason = "the file has another name, perhaps of another user, and stays as it is";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    let mut bits = bits(found.is_dir());
    let group = wanted.owner.map_or(found.gid(), |owner| owner.group);
    if found.gid() != group && std::os::unix::fs::fchown(opened, None, Some(group)).is_err() {
        // Another group may do no more than everybody.
        bits = bits & 0o1707 | (bits & 0o7) << 3;
    }
    if found.mode() & 0o7777 != bits {
        opened.set_permissions(Permissions::from_mode(bits))?;
    }
    Ok(())
}

/// Whether the owner of a directory may write in `model` as well, so that nobody gains by what is in it.
pub(in crate::disk) fn owner_is_trusted(path: &Path, model: &Path) -> io::Result<bool> {
    let found = there(path)?;
    let (nearest, whole) = nearest_path(model)?;
    let (Some(own), Some(owner)) = (found.owner, whole.owner) else {
        return Ok(true);
    };
    if acts_as(own.user) || own.user == owner.user {
        return Ok(true);
    }
    // Where everybody may make files but not remove those of others, it is who makes the model that has it.
    let open = nearest == model || whole.mode & STICKY == 0;
    let group = whole.mode & 0o020 > 0 && own.group == owner.group;
    Ok(open && (whole.mode & 0o002 > 0 || group))
}

/// What access control lists say of groups cannot be asked for, and counts for the owner.
pub(in crate::disk) fn only_writers_can_change(path: &Path, model: &Path) -> io::Result<bool> {
    let Some((kind, found)) = status(path)? else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let whole = there(model)?;
    let (Some(own), Some(owner)) = (found.owner, whole.owner) else {
        return Ok(true);
    };
    let by_group = || access_list(model).is_some_and(|list| list.lets_groups_write());
    let is_writer = could_change(own.user, Some(own.group), model, None)? || by_group();
    // Reading a file is enough to lock it.
    let bits = match kind {
        EntryKind::Directory => 0o022,
        EntryKind::File => 0o066,
        // It is no lock, whoever has it.
        EntryKind::Link | EntryKind::Other => 0,
    };
    let (group, others) = (found.mode & bits & 0o070, found.mode & bits & 0o007);
    let all_may = whole.mode & 0o002 > 0;
    let group_may = all_may || own.group == owner.group && whole.mode & 0o020 > 0;
    Ok(is_writer && (group == 0 || group_may) && (others == 0 || all_may))
}

pub(in crate::disk) fn user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

/// Whether a user is this one, or root.
fn acts_as(other: u32) -> bool {
    other == 0 || user() == Some(other)
}

pub(in crate::disk) fn could_change(
    user: u32,
    group: Option<u32>,
    directory: &Path,
    name: Option<&OsStr>,
) -> io::Result<bool> {
    if acts_as(user) {
        return Ok(true);
    }
    let (nearest, found) = nearest_path(directory)?;
    let is_there = nearest == directory;
    let Some(owner) = found.owner else {
        return Ok(true);
    };
    // He may change the permissions as he likes.
    if owner.user == user {
        return Ok(true);
    }
    let allowed = match access_list(nearest) {
        Some(list) => list.allows(user, group, owner),
        None if group == Some(owner.group) => found.mode >> 3 & CHANGE == CHANGE,
        None => found.mode & CHANGE == CHANGE,
    };
    let Some(name) = name.filter(|_| allowed && is_there && found.mode & STICKY > 0) else {
        return Ok(allowed);
    };
    let entry = status(&directory.join(name))?.and_then(|(_, entry)| entry.owner);
    Ok(entry.is_none_or(|entry| entry.user == user))
}

/// A POSIX access control list, as the kernel keeps it (acl(5), and linux/posix_acl_xattr.h).
struct AccessList(Vec<(u16, u32, u32)>);

impl AccessList {
    const USER: u16 = 0x02;
    const OWNING_GROUP: u16 = 0x04;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    const OTHERS: u16 = 0x20;

    fn parse(bytes: &[u8]) -> Option<Self> {
        const VERSION: u32 = 2;
        let (version, entries) = bytes.split_first_chunk::<4>()?;
        let (entries, rest) = entries.as_chunks::<8>();
        let is_known = u32::from_le_bytes(*version) == VERSION && rest.is_empty();
        let parse = |&[a, b, c, d, e, f, g, h]: &[u8; 8]| {
            let permissions = u16::from_le_bytes([c, d]);
            let id = u32::from_le_bytes([e, f, g, h]);
            (u16::from_le_bytes([a, b]), u32::from(permissions), id)
        };
        is_known.then(|| AccessList(entries.iter().map(parse).collect()))
    }

    /// Whether a group that is named may write.
    fn lets_groups_write(&self) -> bool {
        let mask = self.0.iter().find(|entry| entry.0 == Self::MASK);
        let mask = mask.map_or(CHANGE, |entry| entry.1);
        let mut groups = self.0.iter().filter(|entry| entry.0 == Self::GROUP);
        groups.any(|entry| entry.1 & mask & CHANGE == CHANGE)
    }

    /// Whether somebody else than the owner may change the directory.
    fn allows(&self, user: u32, group: Option<u32>, owner: Owner) -> bool {
        let of = |tag, id: Option<u32>| {
            let mut entries = self.0.iter();
            let found = entries.find(|entry| entry.0 == tag && id.is_none_or(|id| id == entry.2));
            found.map(|entry| entry.1)
        };
        let mask = of(Self::MASK, None).unwrap_or(CHANGE);
        let own_group = (group == Some(owner.group)).then(|| of(Self::OWNING_GROUP, None));
        let named_group = group.map(|group| of(Self::GROUP, Some(group)));
        let groups = [own_group.flatten(), named_group.flatten()];
        if let Some(permissions) = of(Self::USER, Some(user)) {
            return permissions & mask & CHANGE == CHANGE;
        }
        let mut groups = groups.into_iter().flatten().peekable();
        match groups.peek() {
            Some(_) => groups.any(|permissions| permissions & mask & CHANGE == CHANGE),
            None => of(Self::OTHERS, None).is_some_and(|bits| bits & CHANGE == CHANGE),
        }
    }
}

/// The access control list of a directory, if it has one that can be read.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn access_list(directory: &Path) -> Option<AccessList> {
    const MOST: usize = 64 << 10;
    let opened: File = super::paths::open_directory(directory).ok()?;
    let mut list = vec![0; MOST];
    let len = rustix::fs::fgetxattr(&opened, "system.posix_acl_access", &mut list[..]).ok()?;
    AccessList::parse(&list[..len])
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn access_list(_directory: &Path) -> Option<AccessList> {
    None
}

fn there(path: &Path) -> io::Result<FileStatus> {
    match status(path)? {
        Some((_, found)) => Ok(found),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Owner and mode of a directory, or of the nearest one above it that is there.
fn nearest(path: &Path) -> io::Result<FileStatus> {
    Ok(nearest_path(path)?.1)
}

/// A directory, or the nearest one above it that is there.
fn nearest_path(path: &Path) -> io::Result<(&Path, FileStatus)> {
    for directory in path.ancestors() {
        match status(directory)? {
            Some((EntryKind::Directory, found)) => return Ok((directory, found)),
            Some(_) => return Err(io::ErrorKind::NotADirectory.into()),
            None => {}
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { user: 1, group: 10 };

    fn list(entries: &[(u16, u16, u32)]) -> AccessList {
        let mut bytes = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        AccessList::parse(&bytes).unwrap()
    }

    #[test]
    fn an_access_list_grants_what_the_kernel_grants_by_it() {
        const NOBODY: u32 = u32::MAX;
        // The owner, user 2, the owning group, group 20, the mask, others.
        let of = |user, owning, group, mask, others| {
            list(&[
                (0x01, 7, NOBODY),
                (0x02, user, 2),
                (0x04, owning, NOBODY),
                (0x08, group, 20),
                (0x10, mask, NOBODY),
                (0x20, others, NOBODY),
            ])
        };
        let all = of(7, 7, 7, 7, 7);
        for (user, group) in [(2, None), (3, Some(10)), (3, Some(20)), (3, None)] {
            assert!(all.allows(user, group, OWNER), "{user} {group:?}");
        }
        assert!(of(7, 0, 0, 7, 0).allows(2, Some(10), OWNER));
        assert!(!of(5, 7, 7, 7, 7).allows(2, Some(10), OWNER));
        assert!(!of(7, 7, 7, 5, 0).allows(2, Some(10), OWNER));
        assert!(of(0, 7, 0, 7, 0).allows(3, Some(10), OWNER));
        assert!(!of(0, 5, 0, 7, 7).allows(3, Some(10), OWNER));
        assert!(of(0, 0, 7, 7, 0).allows(3, Some(20), OWNER));
        assert!(of(0, 0, 7, 7, 0).lets_groups_write());
        assert!(!of(7, 7, 7, 5, 7).lets_groups_write());
        assert!(!of(7, 7, 5, 7, 7).lets_groups_write());
        assert!(!of(7, 7, 7, 7, 5).allows(3, None, OWNER));
    }

    #[test]
    fn what_is_no_access_list_is_not_taken_for_one() {
        for bytes in [&b""[..], b"\x02", b"\x03\0\0\0", b"\x02\0\0\0\x01\0\x07"] {
            assert!(AccessList::parse(bytes).is_none(), "{bytes:?}");
        }
    }
}

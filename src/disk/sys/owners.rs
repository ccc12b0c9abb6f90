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
    let wanted = Wanted::of(model)?;
    give(path, &wanted, Limit::Foreign, |is_directory, mode| {
        shared_bits(mode, is_directory)
    })
}

/// The group and the permissions of a directory, for another that is to take its place.
pub(in crate::disk) fn succeed(path: &Path, old: &Path) -> io::Result<()> {
    let wanted = Wanted::of(old)?;
    give(path, &wanted, Limit::None, |_, mode| mode & 0o3777)
}

fn shared_bits(mode: u32, is_directory: bool) -> u32 {
    match is_directory {
        true => mode & 0o3777,
        false => 0o600 | mode & 0o222 | (mode & 0o222) << 1,
    }
}

/// What a file or directory is to get of a directory.
struct Wanted {
    owner: Option<Owner>,
    /// The permission bits. Where there is an access control list, those of the group are its mask.
    bits: u32,
    list: Option<AccessList>,
    /// What the owning group and others may do by an access control list, without those whom it names.
    unlisted: u32,
}

impl Wanted {
    fn of(model: &Path) -> io::Result<Self> {
        Ok(Self::of_found(model, &there(model)?))
    }

    /// Of the nearest directory above that is there.
    fn of_nearest(model: &Path) -> io::Result<Self> {
        let (path, found) = nearest_path(model)?;
        Ok(Self::of_found(path, &found))
    }

    fn of_found(path: &Path, found: &FileStatus) -> Self {
        Wanted {
            owner: found.owner,
            bits: found.mode,
            list: access_list(path),
            unlisted: unlisted(path, found.mode),
        }
    }
}

/// The permission bits of a directory, those of the group being what the owning group may do, and those of others
/// what all of them may do: where there is an access control list, the former are its mask, and some of the latter
/// may be named in it to do less.
fn unlisted(path: &Path, mode: u32) -> u32 {
    match access_list(path) {
        None => mode,
        Some(list) => mode & !0o077 | list.owning_group() << 3 | list.all_others(),
    }
}

/// What must not be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// More permissions than it has, on what holds something and belongs to another than the owner of the model.
    Foreign,
    /// That, and a new owner.
    ForeignAndOwner,
    None,
}

/// Creates a file that is shared like the directory that it is in from the moment it has a name: whoever is
/// killed in between leaves none that others could not open. Where the system has no files without names, it
/// is shared right after.
pub(in crate::disk) fn create_shared(path: &Path) -> io::Result<File> {
    let directory = path.parent().unwrap_or(path);
    let wanted = Wanted::of(directory)?;
    let share = |file: &File| {
        give_to(
            file,
            &wanted,
            Limit::ForeignAndOwner,
            |is_directory, mode| shared_bits(mode, is_directory),
        )
    };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(file) = super::paths::create_nameless(directory) {
        // Where the group and permissions cannot be had, it is the user's own.
        let _ = share(&file);
        match super::paths::give_name(&file, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {}
            named => return named.map(|()| file),
        }
    }
    let file = super::paths::create_file(path, true)?;
    let _ = share(&file);
    Ok(file)
}

/// The group, and that those may read a file or directory who may read the model.
pub(in crate::disk) fn copy_group_and_read_mode(path: &Path, model: &Path) -> io::Result<()> {
    let mut wanted = Wanted::of_nearest(model)?;
    // Whom it names to do more goes without.
    wanted.list = None;
    give(
        path,
        &wanted,
        Limit::Foreign,
        |is_directory, mode| match is_directory {
            true => 0o700 | mode & 0o055,
            false => 0o600 | mode & 0o044,
        },
    )
}

/// Gives what is at `path` the group of `wanted` and permissions.
fn give(
    path: &Path,
    wanted: &Wanted,
    limit: Limit,
    bits: impl Fn(bool, u32) -> u32,
) -> io::Result<()> {
    // Whoever may write above it may have put a link to somebody else's directory in its place.
    give_to(&open_file(path, false)?, wanted, limit, bits)
}

fn give_to(
    opened: &File,
    wanted: &Wanted,
    limit: Limit,
    bits: impl Fn(bool, u32) -> u32,
) -> io::Result<()> {
    use std::os::unix::fs::fchown;
    let found = opened.metadata()?;
    if !found.is_dir() && found.nlink() > 1 {
        let reason = "the file has another name, perhaps of another user, and stays as it is";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    let (user, group) = wanted.owner.map_or((found.uid(), found.gid()), |owner| {
        (owner.user, owner.group)
    });
    let is_limited = limit != Limit::None && user != found.uid() && !is_empty(opened, &found)?;
    let list = match access_list_of(opened) {
        None if is_limited => None,
        // Whoever is named there is named here.
        None => wanted.list.clone(),
        // What it names was passed on to it by the directory above.
        own => own,
    };
    let is_listed = list.is_some();
    if let Some(list) = list {
        set_access_list(
            opened,
            &if found.is_dir() {
                list
            } else {
                list.of_writers()
            },
        )?;
    }
    // Where there is a list, the bits of the group are its mask.
    let mode = match is_listed {
        true => wanted.bits,
        false => wanted.unlisted,
    };
    let mut bits = bits(found.is_dir(), mode);
    if is_limited {
        if found.gid() != group {
            bits = bits & 0o1707 | (bits & 0o7) << 3;
        }
        bits &= found.mode();
    } else {
        // Root makes it for the owner, whom it would keep out.
        if user != found.uid() && found.uid() == 0 && limit == Limit::Foreign && is_root() {
            fchown(opened, Some(user), None)?;
        }
        if found.gid() != group && fchown(opened, None, Some(group)).is_err() {
            // Another group may do no more than everybody.
            bits = bits & 0o1707 | (bits & 0o7) << 3;
        }
    }
    if found.mode() & 0o7777 != bits {
        opened.set_permissions(Permissions::from_mode(bits))?;
    }
    Ok(())
}

fn is_root() -> bool {
    user() == Some(0)
}

/// Whether an open file or directory holds nothing.
fn is_empty(opened: &File, found: &std::fs::Metadata) -> io::Result<bool> {
    if !found.is_dir() {
        return Ok(found.len() == 0);
    }
    for entry in rustix::fs::Dir::read_from(opened)? {
        if ![&b"."[..], b".."].contains(&entry?.file_name().to_bytes()) {
            return Ok(false);
        }
    }
    Ok(true)
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
    Ok(open && could_change(own.user, path, nearest, None)?)
}

/// The group that a user is seen to be in, since something of his stands where only its members can make names.
///
/// The group of the thing itself says nothing: whoever makes something in a directory that is set-group-id gives
/// it the group of that.
fn shown_group(user: u32, path: &Path) -> Option<u32> {
    for above in path.ancestors().skip(1) {
        let (_, found) = status(above).ok()??;
        let owner = found.owner?;
        // His own: what it stands in may show more.
        if owner.user == user {
            continue;
        }
        if access_list(above).is_some_and(|list| list.lets_others_in(user)) {
            return None;
        }
        let mode = unlisted(above, found.mode);
        return (mode >> 3 & CHANGE == CHANGE && mode & CHANGE != CHANGE).then_some(owner.group);
    }
    None
}

/// Whom an access control list names, and what of that the owner's writers may, is asked for one by one. Of groups
/// that it names it counts for the owner that they may write in the model.
pub(in crate::disk) fn only_writers_can_change(path: &Path, model: &Path) -> io::Result<bool> {
    let Some((kind, found)) = status(path)? else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let whole = there(model)?;
    let (Some(own), Some(owner)) = (found.owner, whole.owner) else {
        return Ok(true);
    };
    let by_group = || access_list(model).is_some_and(|list| list.lets_groups_write());
    let is_writer = could_change(own.user, path, model, None)? || by_group();
    // Reading a file is enough to lock it.
    let bits = match kind {
        EntryKind::Directory => 0o022,
        EntryKind::File => 0o066,
        // It is no lock, whoever has it.
        EntryKind::Link | EntryKind::Other => return Ok(is_writer),
    };
    let mut mode = found.mode;
    if let Some(list) = access_list(path) {
        mode = unlisted(path, found.mode);
        for (user, permissions) in list.named_users() {
            if permissions & bits & 0o7 > 0 && !could_change(user, path, model, None)? {
                return Ok(false);
            }
        }
        let mut groups = list.named_groups();
        if groups.any(|permissions| permissions & bits & 0o7 > 0) && !by_group() {
            return Ok(false);
        }
    }
    let (group, others) = (mode & bits & 0o070, mode & bits & 0o007);
    let all_may = whole.mode & 0o002 > 0;
    let group_may = all_may || own.group == owner.group && unlisted(model, whole.mode) & 0o020 > 0;
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
    by: &Path,
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
    let group = shown_group(user, by);
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
#[derive(Clone, PartialEq, Eq)]
struct AccessList(Vec<(u16, u32, u32)>);

impl AccessList {
    const USER: u16 = 0x02;
    const OWNING_GROUP: u16 = 0x04;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    const OTHERS: u16 = 0x20;
    const VERSION: u32 = 2;

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (version, entries) = bytes.split_first_chunk::<4>()?;
        let (entries, rest) = entries.as_chunks::<8>();
        let is_known = u32::from_le_bytes(*version) == Self::VERSION && rest.is_empty();
        let parse = |&[a, b, c, d, e, f, g, h]: &[u8; 8]| {
            let permissions = u16::from_le_bytes([c, d]);
            let id = u32::from_le_bytes([e, f, g, h]);
            (u16::from_le_bytes([a, b]), u32::from(permissions), id)
        };
        is_known.then(|| AccessList(entries.iter().map(parse).collect()))
    }

    /// The list as the kernel keeps it.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Self::VERSION.to_le_bytes().to_vec();
        for (tag, permissions, id) in &self.0 {
            bytes.extend(tag.to_le_bytes());
            bytes.extend((*permissions as u16).to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    fn mask(&self) -> u32 {
        let mask = self.0.iter().find(|entry| entry.0 == Self::MASK);
        mask.map_or(0o7, |entry| entry.1)
    }

    /// What the owning group may do.
    fn owning_group(&self) -> u32 {
        let entry = self.0.iter().find(|entry| entry.0 == Self::OWNING_GROUP);
        entry.map_or(0, |entry| entry.1 & self.mask())
    }

    /// What everybody may do who is neither the owner nor in the owning group, also those who are named.
    fn all_others(&self) -> u32 {
        let others = self.0.iter().find(|entry| entry.0 == Self::OTHERS);
        let others = others.map_or(0, |entry| entry.1);
        let named = self.named_users().map(|(_, permissions)| permissions);
        named
            .chain(self.named_groups())
            .fold(others, |all, permissions| all & permissions)
    }

    fn named_users(&self) -> impl Iterator<Item = (u32, u32)> {
        let users = self.0.iter().filter(|entry| entry.0 == Self::USER);
        users.map(|entry| (entry.2, entry.1 & self.mask()))
    }

    fn named_groups(&self) -> impl Iterator<Item = u32> {
        let groups = self.0.iter().filter(|entry| entry.0 == Self::GROUP);
        groups.map(|entry| entry.1 & self.mask())
    }

    /// Whether a user, or a group which he may be in, can make names by being named.
    fn lets_others_in(&self, user: u32) -> bool {
        let mut users = self.named_users();
        users.any(|(named, bits)| named == user && bits & CHANGE == CHANGE)
            || self.named_groups().any(|bits| bits & CHANGE == CHANGE)
    }

    /// The list in which those may do nothing who may not write.
    fn of_writers(&self) -> Self {
        const WRITE: u32 = 0o2;
        let of_writer = |&(tag, permissions, id): &(u16, u32, u32)| {
            let stays = !matches!(tag, Self::USER | Self::GROUP | Self::OWNING_GROUP)
                || permissions & WRITE > 0;
            (tag, if stays { permissions } else { 0 }, id)
        };
        AccessList(self.0.iter().map(of_writer).collect())
    }

    /// Whether a group that is named may write.
    fn lets_groups_write(&self) -> bool {
        self.named_groups().any(|bits| bits & CHANGE == CHANGE)
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

#[cfg(any(target_os = "linux", target_os = "android"))]
const ACCESS_LIST: &str = "system.posix_acl_access";

/// The access control list of a file or directory, if it has one that can be read.
fn access_list(path: &Path) -> Option<AccessList> {
    // A pipe that somebody put there is not waited for.
    access_list_of(&open_file(path, false).ok()?)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn access_list_of(opened: &File) -> Option<AccessList> {
    const MOST: usize = 64 << 10;
    let mut list = vec![0; MOST];
    let len = rustix::fs::fgetxattr(opened, ACCESS_LIST, &mut list[..]).ok()?;
    AccessList::parse(&list[..len])
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn access_list_of(_opened: &File) -> Option<AccessList> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_access_list(opened: &File, list: &AccessList) -> io::Result<()> {
    if access_list_of(opened).as_ref() == Some(list) {
        return Ok(());
    }
    let flags = rustix::fs::XattrFlags::empty();
    Ok(rustix::fs::fsetxattr(
        opened,
        ACCESS_LIST,
        &list.to_bytes(),
        flags,
    )?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_access_list(_opened: &File, _list: &AccessList) -> io::Result<()> {
    Ok(())
}

fn there(path: &Path) -> io::Result<FileStatus> {
    match status(path)? {
        Some((_, found)) => Ok(found),
        None => Err(io::ErrorKind::NotFound.into()),
    }
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

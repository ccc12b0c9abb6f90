//! Users who share a data set: who owns what, and what each may do. Tested on Linux only.
//!
//! What is asked here is asked of descriptors, or of names in directories that no symbolic link leads to.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::access_list::{AccessList, CHANGE, access_list, access_list_of, set_access_list};
use super::paths::{open_file, status};
use crate::disk::{EntryKind, FileStatus, Owner};

/// The sticky bit of a directory: only the owner of an entry, or of the directory, removes it.
const STICKY: u32 = 0o1000;

/// Gives `path` the group and the permissions of `model`, set-group-ID and sticky bits among them. A file can be read
/// by those alone who may write: reading is enough to lock it.
pub(in crate::disk) fn copy_group_and_mode(path: &Path, model: &Path) -> io::Result<()> {
    let wanted = Wanted::of(model)?;
    give(path, &wanted, Limit::Foreign, |is_directory, mode| {
        shared_bits(mode, is_directory)
    })
}

/// Gives `path` the group and the permissions of `old`, which it is to replace.
pub(in crate::disk) fn inherit_permissions(path: &Path, old: &Path) -> io::Result<()> {
    let wanted = Wanted::of(old)?;
    give(path, &wanted, Limit::None, |_, mode| mode & 0o3777)
}

fn shared_bits(mode: u32, is_directory: bool) -> u32 {
    match is_directory {
        true => mode & 0o3777,
        false => 0o600 | mode & 0o222 | (mode & 0o222) << 1,
    }
}

/// The owner, permissions and access control list that a file or directory is to get of a model.
struct Wanted {
    owner: Option<Owner>,
    /// The permission bits. Where there is an access control list, those of the group are its mask.
    bits: u32,
    list: Option<AccessList>,
    /// The permission bits as they would be without the users and groups that the access control list names.
    unlisted: u32,
}

impl Wanted {
    fn of(model: &Path) -> io::Result<Self> {
        Ok(Self::of_found(model, &there(model)?))
    }

    /// What is wanted of `model` or, where it is missing, of the nearest directory above it.
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

/// The permission bits of a directory as if its access control list named nobody. With a list, the bits of the group
/// are its mask, and some of the others may be named in it to do less.
fn unlisted(path: &Path, mode: u32) -> u32 {
    match access_list(path) {
        None => mode,
        Some(list) => mode & !0o077 | list.owning_group() << 3 | list.all_others(),
    }
}

/// What a file or directory must not get of its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// More permissions than it has, if it is not empty and belongs to another than the owner of the model.
    Foreign,
    /// As `Foreign`, and no new owner either.
    ForeignAndOwner,
    None,
}

/// Creates a file that already has the group and permissions of its directory when it gets its name: whoever is
/// killed in between leaves none that others cannot open. Where the system has no files without names, it is shared
/// right after.
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

/// Gives `path` the group of `model`, and lets those read it who may read the model.
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

/// Gives what is at `path` the group of `wanted`, and the permissions that `bits` makes of its bits.
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
    // By its other name the file may be one that must not be opened to others, such as a hard link to a secret.
    if !found.is_dir() && found.nlink() > 1 {
        let reason = "the file has another name, perhaps of another user, and stays as it is";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    let (user, group) = wanted.owner.map_or((found.uid(), found.gid()), |owner| {
        (owner.user, owner.group)
    });
    // Something that another user filled may have been moved here by him: it must not become more open by us.
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

/// The group that a user is known to be in, because something of his is in a directory where only its members can
/// make names.
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

/// Whether only writers of `model` can change `path`. Each user whom an access control list names is checked. Which
/// users a named group has is not known: it counts as one of writers if the list of the model lets a named group
/// write.
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

fn there(path: &Path) -> io::Result<FileStatus> {
    match status(path)? {
        Some((_, found)) => Ok(found),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// The directory at `path`, or the nearest one above it that exists.
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

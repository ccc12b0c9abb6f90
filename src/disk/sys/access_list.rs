//! POSIX access control lists: reading and setting them, and whom they permit what.
//!
//! Linux and Android keep them in an extended attribute. Elsewhere no file has one.

use std::fs::File;
use std::io;
use std::path::Path;

use super::paths::open_file;
use crate::disk::Owner;

/// The permission bits for making names in a directory: to write in it, and to enter it.
pub(super) const CHANGE: u32 = 0o3;

/// A POSIX access control list, as the kernel keeps it (acl(5), and linux/posix_acl_xattr.h).
#[derive(Clone, PartialEq, Eq)]
pub(super) struct AccessList(Vec<(u16, u32, u32)>);

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

    /// The bytes of the list, as the kernel keeps them.
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

    /// The permissions of the owning group.
    pub(super) fn owning_group(&self) -> u32 {
        let entry = self.0.iter().find(|entry| entry.0 == Self::OWNING_GROUP);
        entry.map_or(0, |entry| entry.1 & self.mask())
    }

    /// The permissions that all users have who are neither the owner nor in the owning group, also those who are
    /// named.
    pub(super) fn all_others(&self) -> u32 {
        let others = self.0.iter().find(|entry| entry.0 == Self::OTHERS);
        let others = others.map_or(0, |entry| entry.1);
        let named = self.named_users().map(|(_, permissions)| permissions);
        named
            .chain(self.named_groups())
            .fold(others, |all, permissions| all & permissions)
    }

    pub(super) fn named_users(&self) -> impl Iterator<Item = (u32, u32)> {
        let users = self.0.iter().filter(|entry| entry.0 == Self::USER);
        users.map(|entry| (entry.2, entry.1 & self.mask()))
    }

    pub(super) fn named_groups(&self) -> impl Iterator<Item = u32> {
        let groups = self.0.iter().filter(|entry| entry.0 == Self::GROUP);
        groups.map(|entry| entry.1 & self.mask())
    }

    /// Whether the list names `user`, or any group, with the permission to make names in the directory: he may be in
    /// that group.
    pub(super) fn lets_others_in(&self, user: u32) -> bool {
        let mut users = self.named_users();
        users.any(|(named, bits)| named == user && bits & CHANGE == CHANGE)
            || self.named_groups().any(|bits| bits & CHANGE == CHANGE)
    }

    /// The list without the permissions of those who may not write.
    pub(super) fn of_writers(&self) -> Self {
        const WRITE: u32 = 0o2;
        let of_writer = |&(tag, permissions, id): &(u16, u32, u32)| {
            let stays = !matches!(tag, Self::USER | Self::GROUP | Self::OWNING_GROUP)
                || permissions & WRITE > 0;
            (tag, if stays { permissions } else { 0 }, id)
        };
        AccessList(self.0.iter().map(of_writer).collect())
    }

    /// Whether the list lets a named group make names in the directory.
    pub(super) fn lets_groups_write(&self) -> bool {
        self.named_groups().any(|bits| bits & CHANGE == CHANGE)
    }

    /// Whether a user, who is not the owner, may make names in the directory; `group` is the one group that he is
    /// known to be in.
    pub(super) fn allows(&self, user: u32, group: Option<u32>, owner: Owner) -> bool {
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
pub(super) fn access_list(path: &Path) -> Option<AccessList> {
    // A pipe that somebody put there is not waited for.
    access_list_of(&open_file(path, false).ok()?)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn access_list_of(opened: &File) -> Option<AccessList> {
    const MOST: usize = 64 << 10;
    let mut list = vec![0; MOST];
    let len = rustix::fs::fgetxattr(opened, ACCESS_LIST, &mut list[..]).ok()?;
    AccessList::parse(&list[..len])
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn access_list_of(_opened: &File) -> Option<AccessList> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn set_access_list(opened: &File, list: &AccessList) -> io::Result<()> {
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
pub(super) fn set_access_list(_opened: &File, _list: &AccessList) -> io::Result<()> {
    Ok(())
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

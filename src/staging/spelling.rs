//! Refuses names that a file system takes for one: ext4 and F2FS with case folding, XFS with `version=ci`, FAT, and
//! those of macOS and Windows ignore case.
//!
//! There `k=A` and `k=a` are one directory: rows of both would be read as of one of them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::place::INSIDE;
use crate::disk::{Disk, Identity};
use crate::error::{Error, IoContext, Result, Step};

/// Refuses directories below `root` that the file system takes for one another, or for an existing one of another
/// name, unless they are below a directory that is exchanged. The root has its control directory.
///
/// What one directory alone folds otherwise than the root is not looked for.
///
/// # Errors
/// [`Error::Conflict`] names one of the two.
pub(crate) fn check_spelling(
    disk: &dyn Disk,
    root: &Path,
    directories: &BTreeSet<PathBuf>,
    exchanged: &[&Path],
) -> Result<()> {
    if !folds_case(disk, root)? {
        return Ok(());
    }
    let conflict = |path: &Path, reason| Error::Conflict {
        path: root.join(path),
        reason,
    };
    let mut folded: BTreeMap<String, &Path> = BTreeMap::new();
    let mut listed: BTreeMap<&Path, BTreeSet<OsString>> = BTreeMap::new();
    for directory in directories {
        for path in directory.ancestors() {
            let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
                break;
            };
            match folded.entry(fold(path.as_os_str())) {
                Entry::Occupied(taken) if *taken.get() == path => break,
                Entry::Occupied(_) => {
                    return Err(conflict(
                        path,
                        "is, on this file system, the directory of another partition, whose name differs in upper \
                         and lower case: write it to one that tells them apart",
                    ));
                }
                Entry::Vacant(free) => drop(free.insert(path)),
            }
            let goes = |top: &&Path| path != *top && path.starts_with(top);
            let whole = root.join(path);
            if exchanged.iter().any(goes) || disk.status(&whole).at(Step::Decide, &whole)?.is_none()
            {
                continue;
            }
            if !listed.contains_key(above) {
                let entries = disk.list(&root.join(above)).at(Step::Decide, &whole)?;
                let names = entries.iter().filter_map(|entry| entry.path.file_name());
                listed.insert(above, names.map(OsStr::to_owned).collect());
            }
            if listed.get(above).is_some_and(|names| !names.contains(name)) {
                return Err(conflict(
                    path,
                    "is there with another name, which differs in upper and lower case, and which this file system \
                     takes for the same: write it to one that tells them apart, or rename that",
                ));
            }
        }
    }
    Ok(())
}

/// Whether the file system of the root ignores case in names.
fn folds_case(disk: &dyn Disk, root: &Path) -> Result<bool> {
    let identity = |name: &str| -> Result<Option<Identity>> {
        let path = root.join(name);
        let found = disk.status(&path).at(Step::Decide, &path)?;
        Ok(found.map(|(_, status)| status.identity))
    };
    let other = identity(&INSIDE.to_uppercase())?;
    Ok(other.is_some() && other == identity(INSIDE)?)
}

/// A form of the name that is the same for all names that differ by case alone.
fn fold(name: &OsStr) -> String {
    name.to_string_lossy().to_uppercase().to_lowercase()
}

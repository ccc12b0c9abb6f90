//! The walk over the data files of a directory, as readers of data sets see them.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, EntryKind};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::walk::{Met, PassedOver, entries, is_hidden};

/// A file of a walk.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    /// The path below the one that the caller named.
    pub(super) path: &'a Path,
    /// The path with the symbolic links resolved that are in the path that the caller named.
    pub(super) real: &'a Path,
}

/// Calls `on_file` with `path` itself if it is a file, else with every data file under it, in the
/// order of paths, and with what is passed over in the place of one.
pub(super) fn each_file(
    disk: &dyn Disk,
    path: &Path,
    cross_mounts: bool,
    on_file: &mut dyn FnMut(Found<'_>, Option<PassedOver>) -> Result<()>,
) -> Result<()> {
    let real = resolved(disk, path)?;
    if !is_directory(disk, &real)? {
        return on_file(Found { path, real: &real }, None);
    }
    let shown = |found: &Path| match found.strip_prefix(&real) {
        Ok(below) => path.join(below),
        Err(_) => found.to_owned(),
    };
    let list = |directory: &Path| -> Result<_> {
        let mut entries = entries(disk, directory, cross_mounts)
            .map_err(|source| unread(&shown(directory), source))?;
        entries.retain(|(path, _)| !is_hidden(path));
        Ok(entries.into_iter())
    };
    let mut open = vec![list(&real)?];
    while let Some(directory) = open.last_mut() {
        let Some((found, met)) = directory.next() else {
            open.pop();
            continue;
        };
        let known = Format::from_path(&found).is_some();
        let passed_over = match met {
            Met::Directory => {
                open.push(list(&found)?);
                continue;
            }
            Met::File if known => None,
            // A link and a mount may lead to a directory of data, whatever they are called.
            Met::PassedOver(what) if known || what != PassedOver::SpecialFile => Some(what),
            Met::File | Met::PassedOver(_) => continue,
        };
        let path = &*shown(&found);
        on_file(Found { path, real: &found }, passed_over)?;
    }
    Ok(())
}

/// The path of what the caller named; symbolic links in it are his own.
pub(super) fn resolved(disk: &dyn Disk, path: &Path) -> Result<PathBuf> {
    disk.canonicalize(path)
        .map_err(|source| unread(path, source))
}

fn is_directory(disk: &dyn Disk, path: &Path) -> Result<bool> {
    match disk.status(path).map_err(|source| unread(path, source))? {
        Some((kind, _)) => Ok(kind == EntryKind::Directory),
        None => Err(unread(path, io::ErrorKind::NotFound.into())),
    }
}

fn unread(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}

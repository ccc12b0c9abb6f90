//! Which files of a directory are data, as readers of data sets see it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;

use crate::disk::{Disk, Entry, EntryKind, Identity};
use crate::error::{Error, Result};
use crate::format::Format;

/// Calls `on_file` with `path` itself if it is a file, else with every data file under it, in the
/// order of paths.
pub(super) fn each_file(
    disk: &dyn Disk,
    path: &Path,
    on_file: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<()> {
    match target(disk, path)? {
        (EntryKind::Directory, identity) => {
            visit(disk, path, &mut HashSet::from([identity]), on_file)
        }
        _ => on_file(path),
    }
}

fn visit(
    disk: &dyn Disk,
    directory: &Path,
    seen: &mut HashSet<Identity>,
    on_file: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<()> {
    let mut entries = disk
        .list(directory)
        .map_err(|source| unread(directory, source))?;
    entries.retain(|entry| entry.path.file_name().is_some_and(is_data));
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    for Entry { path, kind } in entries {
        let known = Format::from_path(&path).is_some();
        match kind {
            EntryKind::File if known => on_file(&path)?,
            EntryKind::File => {}
            EntryKind::Directory | EntryKind::Other => match target(disk, &path) {
                Ok((EntryKind::Directory, identity)) => {
                    if seen.insert(identity) {
                        visit(disk, &path, seen, on_file)?;
                    }
                }
                Ok((EntryKind::File, _)) if known => on_file(&path)?,
                Ok(_) => {}
                // A link to nothing is no data, unless a reader would open it as such.
                Err(error) if known || kind == EntryKind::Directory => return Err(error),
                Err(_) => {}
            },
        }
    }
    Ok(())
}

/// Whether readers of data sets look at the name.
fn is_data(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    !name.starts_with(b".") && !name.starts_with(b"_") || name.contains(&b'=')
}

/// What a path leads to, all symbolic links followed.
fn target(disk: &dyn Disk, path: &Path) -> Result<(EntryKind, Identity)> {
    let found = disk.canonicalize(path).and_then(|real| disk.status(&real));
    match found.map_err(|source| unread(path, source))? {
        Some((kind, status)) => Ok((kind, status.identity)),
        None => Err(unread(path, io::ErrorKind::NotFound.into())),
    }
}

fn unread(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}

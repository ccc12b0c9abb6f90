//! Which files of a directory are data, as readers of data sets see it.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use crate::disk::{Disk, EntryKind};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::walk::{Met, PassedOver, entries};

/// Calls `on_file` with `path` itself if it is a file, else with every data file under it, in the
/// order of paths, and with what is passed over in the place of one.
pub(super) fn each_file(
    disk: &dyn Disk,
    path: &Path,
    cross_mounts: bool,
    on_file: &mut dyn FnMut(&Path, Option<PassedOver>) -> Result<()>,
) -> Result<()> {
    if !is_directory(disk, path)? {
        return on_file(path, None);
    }
    let list = |directory: &Path| -> Result<_> {
        let mut entries =
            entries(disk, directory, cross_mounts).map_err(|source| unread(directory, source))?;
        entries.retain(|(path, _)| path.file_name().is_some_and(is_data));
        Ok(entries.into_iter())
    };
    let mut open = vec![list(path)?];
    while let Some(directory) = open.last_mut() {
        let Some((path, met)) = directory.next() else {
            open.pop();
            continue;
        };
        let known = Format::from_path(&path).is_some();
        match met {
            Met::Directory => open.push(list(&path)?),
            Met::File if known => on_file(&path, None)?,
            // A link and a mount may lead to a directory of data, whatever they are called.
            Met::PassedOver(what) if known || what != PassedOver::SpecialFile => {
                on_file(&path, Some(what))?;
            }
            Met::File | Met::PassedOver(_) => {}
        }
    }
    Ok(())
}

/// Whether readers of data sets look at the name.
fn is_data(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    !name.starts_with(b".") && !name.starts_with(b"_") || name.contains(&b'=')
}

/// Whether what the caller named is a directory; symbolic links to it are the caller's own.
fn is_directory(disk: &dyn Disk, path: &Path) -> Result<bool> {
    let found = disk.canonicalize(path).and_then(|real| disk.status(&real));
    match found.map_err(|source| unread(path, source))? {
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

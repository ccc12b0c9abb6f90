//! Whether a directory of a data set holds any file.
//!
//! Nothing is opened, and no more is listed than the answer needs.

use std::io;
use std::path::Path;

use crate::disk::{Disk, EntryKind};
use crate::error::{Error, Result};
use crate::staging::is_area_name;
use crate::walk::is_hidden;

/// The files that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Files of any name.
    All,
    /// Files that readers of data sets do not pass over by their names.
    Visible,
}

/// Whether there is a file below the directory, at any depth, beside what is staged; no directory has none. Symbolic
/// links count as files.
///
/// # Errors
/// [`Error::Read`] if a directory cannot be listed.
pub(crate) fn holds_files(disk: &dyn Disk, directory: &Path, counted: Counted) -> Result<bool> {
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        if is_area_name(&path) {
            continue;
        }
        let entries = match disk.list(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?,
        };
        for entry in entries {
            if counted == Counted::Visible && is_hidden(&entry.path) {
                continue;
            }
            match entry.kind {
                EntryKind::Directory => pending.push(entry.path),
                EntryKind::File | EntryKind::Link | EntryKind::Other => return Ok(true),
            }
        }
    }
    Ok(false)
}

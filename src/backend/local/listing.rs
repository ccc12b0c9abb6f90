//! Listing the files of the data set, and the transactions of the staging area.

use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{LocalBackend, fingerprint};
use crate::backend::Backend as _;
use crate::disk::EntryKind;
use crate::error::{Error, Result};
use crate::record::Fingerprint;
use crate::staging::is_area_name;

impl LocalBackend {
    pub(super) fn files(&self, directory: &Path) -> Result<Vec<(PathBuf, Fingerprint)>> {
        let disk = self.disk.as_ref();
        let top = self.root.join(directory);
        self.check_directory(directory)?;
        let mut files = Vec::new();
        let mut pending = vec![top.clone()];
        while let Some(path) = pending.pop() {
            // Its own area, or that of somebody who may write in a partition only.
            if is_area_name(&path) {
                continue;
            }
            let reading = |source| Error::Read {
                path: path.clone(),
                source,
            };
            let entries = match disk.list(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(reading)?,
            };
            for entry in entries {
                if entry.kind == EntryKind::Directory {
                    pending.push(entry.path);
                } else if let Some((_, status)) = disk.status(&entry.path).map_err(reading)? {
                    let below = entry.path.strip_prefix(&top).unwrap_or(&entry.path);
                    files.push((below.to_owned(), fingerprint(&status)));
                }
            }
        }
        files.sort();
        Ok(files)
    }

    pub(super) fn transactions(&self) -> Result<Vec<Uuid>> {
        let path = self.area.path();
        let entries = match self.disk.list(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            })?,
        };
        let directories = entries
            .into_iter()
            .filter(|entry| entry.kind == EntryKind::Directory);
        let name = |path: PathBuf| Uuid::try_parse(path.file_name()?.to_str()?).ok();
        let ids = directories.filter_map(|entry| name(entry.path));
        let is_looked_for = |id: &Uuid| {
            let announced = self.announced.as_ref();
            announced.is_none_or(|announced| announced.contains(id))
        };
        Ok(ids.filter(is_looked_for).collect())
    }
}

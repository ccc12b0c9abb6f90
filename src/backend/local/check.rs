//! The checks of a commit: before it is decided, whether all of it can be published; while it is carried out, whether
//! all files that it names are there. Nothing is changed here.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{DECISION, LocalBackend, fingerprint};
use crate::backend::Backend as _;
use crate::disk::{Disk, EntryKind, Place, Project};
use crate::error::{Error, IoContext, Result, Step};
use crate::pool::map_calls;
use crate::record::{Layout, Plan, SUCCESS_FILE};
use crate::staging::{check_project, check_spelling};

/// The longest name of a file or directory, in bytes: NAME_MAX of the common file systems.
const LONGEST_NAME: usize = 255;
/// The longest path that a system call takes, in bytes: PATH_MAX of Linux, less the final zero.
const LONGEST_PATH: usize = 4095;

/// Files that a commit makes beside its data: records, receipts and markers.
const RECORDS: u64 = 8;
/// Files that are open at once at most while a commit is staged and published: what is held, and a directory with the one
/// above it for each thread that syncs.
pub(super) const DESCRIPTORS: u64 = 24;

/// The directories that were looked at so far.
#[derive(Default)]
struct CheckedDirectories {
    checked: BTreeSet<PathBuf>,
    missing: BTreeSet<PathBuf>,
}

/// Refuses to begin a write that would run out of file descriptors.
///
/// # Errors
/// [`Error::Io`] says how many are needed.
pub(crate) fn check_descriptors(disk: &dyn Disk, root: &Path, needed: u64) -> Result<()> {
    match disk.free_descriptors() {
        Some(free) if free < needed => {
            let more = needed - free;
            let reason = format!(
                "this process may open {free} more files, and {needed} are needed: raise its limit (`ulimit -n`) by {more}"
            );
            Err(io::Error::other(reason)).at(Step::CreateStaging, root)
        }
        _ => Ok(()),
    }
}

/// The state that a file of a plan must have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileState {
    /// It is in the staging area, or published.
    Staged,
    /// It is at its final path.
    Published,
}

impl LocalBackend {
    /// Refuses a layout that could not be published after the decision.
    pub(super) fn check_layout(&self, transaction: Uuid, layout: &Layout) -> Result<()> {
        let disk = self.disk.as_ref();
        let directory = self.place(transaction);
        let found = disk
            .place(&directory)
            .and_then(|place| Ok((place, disk.project(&directory)?)));
        let staging = match found {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Aborted { path: directory });
            }
            found => found.at(Step::Decide, &directory)?,
        };
        self.check_names(layout)?;
        let mut directories = BTreeSet::new();
        let mut replaced = Vec::new();
        for file in &layout.files {
            let path = self.root.join(&file.path);
            check_length(&path)?;
            directories.extend(path.parent().map(Path::to_owned));
        }
        for file in &layout.arrangement {
            check_length(&directory.join(&file.path))?;
        }
        for exchange in &layout.exchanges {
            let path = self.root.join(&exchange.path);
            for file in &exchange.files {
                check_length(&path.join(file))?;
            }
            let removed = exchange.removed.iter().map(|file| path.join(file));
            for file in removed {
                directories.extend(file.parent().map(Path::to_owned));
                replaced.push(file);
            }
            directories.extend(path.parent().map(Path::to_owned));
            replaced.push(path.clone());
            // Whoever moves a directory elsewhere must be allowed to write in it.
            directories.insert(path);
        }
        for removal in &layout.removed {
            let path = self.root.join(&removal.path);
            directories.extend(path.parent().map(Path::to_owned));
            replaced.push(path);
        }
        if layout.success_file {
            let directory = self.root.join(self.scope());
            let path = directory.join(SUCCESS_FILE);
            check_length(&path)?;
            match disk.status(&path).at(Step::Decide, &path)? {
                None => {}
                Some((EntryKind::File, _)) => replaced.push(path),
                Some(_) => {
                    return Err(Error::InvalidPath {
                        path,
                        reason: "is not a file, and the success file belongs there: move it away",
                    });
                }
            }
            directories.insert(directory.components().collect());
        }
        let mut seen = CheckedDirectories::default();
        for path in &directories {
            self.check_directory_to_write(path, &staging, &mut seen)?;
        }
        let arranged = layout
            .arrangement
            .iter()
            .flat_map(|file| file.path.ancestors().skip(1));
        let arranged: BTreeSet<&Path> = arranged.collect();
        let needed = (seen.missing.len() + arranged.len()) as u64 + RECORDS;
        let free = disk.free_inodes(&directory).at(Step::Decide, &directory)?;
        if let Some(free) = free.filter(|free| *free < needed) {
            let reason = format!(
                "{needed} files and directories are to be made, and the file system has room for {free}"
            );
            return Err(io::Error::new(io::ErrorKind::StorageFull, reason))
                .at(Step::Decide, &directory);
        }
        check_descriptors(disk, &self.root, DESCRIPTORS)?;
        for path in &replaced {
            disk.check_removable(path).at(Step::Decide, path)?;
        }
        Ok(())
    }

    /// Refuses partitions with different names that are one directory on this file system.
    fn check_names(&self, layout: &Layout) -> Result<()> {
        let parent = |path: &Path| path.parent().map(Path::to_owned);
        let single = layout.files.iter().filter_map(|file| parent(&file.path));
        let exchanged = layout.exchanges.iter().flat_map(|exchange| {
            let files = exchange.files.iter();
            files.filter_map(|file| parent(&exchange.path.join(file)))
        });
        let directories = single.chain(exchanged).collect();
        let tops = layout.exchanges.iter();
        let tops: Vec<&Path> = tops.map(|exchange| exchange.path.as_path()).collect();
        check_spelling(self.disk.as_ref(), &self.root, &directories, &tops)
    }

    /// Checks the directory, or the nearest one above it that is there, unless that was checked before.
    fn check_directory_to_write(
        &self,
        path: &Path,
        staging: &(Place, Project),
        seen: &mut CheckedDirectories,
    ) -> Result<()> {
        let disk = self.disk.as_ref();
        for above in path.ancestors() {
            match disk.status(above) {
                Ok(Some((EntryKind::Directory, _))) => {}
                Ok(Some(_)) => {
                    return Err(Error::InvalidPath {
                        path: above.to_owned(),
                        reason: "is not a directory, and one of the data set belongs there: move it away",
                    });
                }
                Ok(None) => {
                    seen.missing.insert(above.to_owned());
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => continue,
                Err(error) => return Err(error).at(Step::Decide, above),
            }
            if !seen.checked.insert(above.to_owned()) {
                return Ok(());
            }
            match self.check_there_to_write(above, staging) {
                // Somebody tidied it away while it was empty: it will be made again.
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    seen.checked.remove(above);
                    seen.missing.insert(above.to_owned());
                }
                checked => return checked,
            }
        }
        Ok(())
    }

    /// Checks a directory that is there.
    fn check_there_to_write(
        &self,
        path: &Path,
        (staging, project): &(Place, Project),
    ) -> Result<()> {
        let disk = self.disk.as_ref();
        disk.check_writable(path).at(Step::Decide, path)?;
        let found = disk.place(path).at(Step::Decide, path)?;
        let mounts = found.mount.zip(staging.mount);
        if found.identity.device != staging.identity.device
            || mounts.is_some_and(|(there, here)| there != here)
        {
            return Err(Error::InvalidPath {
                path: path.to_owned(),
                reason: "is on another file system or mount than the staging area, so that nothing can \
                         be moved there in one step: make it a data set of its own, or unmount it",
            });
        }
        check_project(disk, *project, path)
    }

    /// Whether each file of a plan is at its final path, or at least still staged.
    ///
    /// # Errors
    /// [`Error::FilesLost`] if one is not; [`Error::Unknown`] if another process took this writer for dead and may have
    /// published the files.
    pub(super) fn check_files(&self, plan: &Plan, wanted: FileState) -> Result<()> {
        let directory = self.place(plan.transaction);
        let files: Vec<_> = plan.planned_files().collect();
        let found = map_calls(files.len(), &self.root, |number| {
            let file = &files[number];
            // In the order in which somebody who took us for dead would move it meanwhile.
            if wanted == FileState::Staged {
                for place in [Some(file.staged), file.arranged].into_iter().flatten() {
                    if self.is_file(&directory.join(place), file.identity)? {
                        return Ok(Some(FileState::Staged));
                    }
                }
            }
            let published = self.is_file(&self.root.join(&file.path), file.identity)?;
            Ok(published.then_some(FileState::Published))
        })?;
        let first = files.iter().zip(&found).find(|(_, found)| found.is_none());
        let first = first.map(|(file, _)| self.root.join(&file.path));
        let count = |state| found.iter().filter(|found| **found == state).count() as u64;
        let (lost, published) = (count(None), count(Some(FileState::Published)));
        let total = found.len() as u64;
        let Some(first) = first else {
            return Ok(());
        };
        let record = directory.join(DECISION);
        let recorded = self.disk.status(&record).at(Step::Publish, &record)?;
        if recorded.is_none() && !self.disk.trusts_locks(&self.root) {
            return Err(Error::Unknown {
                step: Step::Publish,
                path: self.root.clone(),
                source: io::ErrorKind::NotFound.into(),
            });
        }
        Err(Error::FilesLost {
            path: self.root.clone(),
            first,
            lost,
            published,
            total,
            recorded: recorded.is_some(),
        })
    }

    fn is_file(&self, path: &Path, expected: &str) -> Result<bool> {
        match self.disk.status(path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
            found => Ok(found
                .at(Step::Publish, path)?
                .is_some_and(|(_, status)| fingerprint(&status).to_string() == expected)),
        }
    }
}

fn check_length(path: &Path) -> Result<()> {
    let name = path.iter().map(|name| name.as_encoded_bytes().len()).max();
    let reason = if name.unwrap_or_default() > LONGEST_NAME {
        "has a name of more than 255 bytes: shorten the partition's value"
    } else if path.as_os_str().as_encoded_bytes().len() > LONGEST_PATH {
        "is longer than 4095 bytes: shorten the partition's values, or the path of the data set"
    } else {
        return Ok(());
    };
    Err(Error::InvalidPath {
        path: path.to_owned(),
        reason,
    })
}

//! The staging area: where files stand until they are complete, and how leftovers are told from work.
//!
//! Promises P4 (readers undisturbed) and P6 (nothing leaks). A staging file is locked by its writer
//! as long as it lives; whoever can take the lock knows the writer to be dead and removes the file.
//! Publishing is not done here.

mod draft;
mod place;
mod sweep;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use crate::disk::{Disk, DiskFile, EntryKind, LockKind, LockOutcome};
use crate::error::{Error, IoContext, Result, Step};

pub(crate) use draft::{Draft, Written};
pub(crate) use place::{Home, home_of_file, home_of_root, resolve};
pub use sweep::{RecoverOptions, Recovery, recover, recover_with_options};

/// What the name of every staging file ends with.
const SUFFIX: &str = "staged";
/// The name of the lock between publishing files and exchanging directories.
const LOCK: &str = "lock";
/// How often a staging file or its area may vanish under our hands before we give up.
const ATTEMPTS: usize = 100;

/// A staging area on its way to hold, or holding, a staging file.
#[derive(Debug, Clone)]
pub(crate) struct Area {
    pub(crate) disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Directories above the area that were made for it and are removed with it.
    made: Vec<PathBuf>,
    /// Whether files of a data set are published from here, so that the lock matters.
    locked: bool,
}

/// A new staging file, locked by us.
pub(crate) struct StagingFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Box<dyn DiskFile>,
}

impl Area {
    /// Finds or makes the area of `home` and removes what dead writers left in it.
    pub(crate) fn open(disk: &Arc<dyn Disk>, home: &Home) -> Result<Self> {
        let mut refused = None;
        for path in home.areas(disk.as_ref()) {
            let locked = home.is_data_set();
            let mut area = Area {
                disk: Arc::clone(disk),
                path,
                made: Vec::new(),
                locked,
            };
            match area.make() {
                Ok(()) => {
                    for leftover in home.all_areas() {
                        sweep::sweep(disk.as_ref(), &leftover);
                    }
                    return Ok(area);
                }
                Err(error) => {
                    area.tidy();
                    let impossible = place::is_impossible(&error);
                    refused = Some(Err(error).at(Step::CreateStaging, &area.path));
                    if !impossible {
                        break;
                    }
                }
            }
        }
        match refused {
            Some(error) => error,
            None => {
                Err(io::Error::from(io::ErrorKind::NotFound)).at(Step::CreateStaging, home.root())
            }
        }
    }

    /// Makes the area's directory and those above it that are missing.
    fn make(&mut self) -> io::Result<()> {
        for _ in 0..ATTEMPTS {
            match self.try_to_make() {
                // Somebody tidied a directory above it away while it was empty.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                made => return made,
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    fn try_to_make(&mut self) -> io::Result<()> {
        for directory in missing(self.disk.as_ref(), &self.path)? {
            match self.disk.create_directory(&directory) {
                Ok(()) if directory != self.path => self.made.push(directory),
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        match self.disk.status(&self.path)? {
            Some((EntryKind::Directory, _)) | None => Ok(()),
            Some(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// [`Step::CreateStaging`]: a new file that nobody else has and no sweep will take.
    pub(crate) fn create(&mut self) -> Result<StagingFile> {
        let mut path = self.path.clone();
        for _ in 0..ATTEMPTS {
            path = self.path.join(format!("{}.{SUFFIX}", Uuid::now_v7()));
            match self.disk.create_file(&path) {
                Ok(file) => match claim(self.disk.as_ref(), &path, file.as_ref()) {
                    Ok(true) => return Ok(StagingFile { path, file }),
                    Ok(false) => {}
                    Err(error) => {
                        let _ = self.disk.remove_file(&path);
                        self.tidy();
                        return Err(error).at(Step::CreateStaging, &path);
                    }
                },
                // The area was empty for a moment, and somebody tidied it away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.make().at(Step::CreateStaging, &self.path)?;
                }
                Err(error) => {
                    // On network file systems it may be there nevertheless.
                    let _ = self.disk.remove_file(&path);
                    self.tidy();
                    return Err(error).at(Step::CreateStaging, &path);
                }
            }
        }
        Err(Error::StagingLost {
            step: Step::CreateStaging,
            path,
        })
    }

    /// Waits until no exchange of directories is going on, and keeps it so until the lock is dropped.
    pub(crate) fn lock_for_publishing(&self) -> io::Result<Option<Box<dyn DiskFile>>> {
        if !self.locked {
            return Ok(None);
        }
        let lock = self.disk.open_or_create_file(&self.path.join(LOCK))?;
        lock.lock(LockKind::Shared)?;
        Ok(Some(lock))
    }

    /// Removes the area, and what was made for it, as far as nothing is in it.
    pub(crate) fn tidy(&self) {
        let above = self.made.iter().rev();
        for directory in std::iter::once(&self.path).chain(above) {
            if self.disk.remove_directory(directory).is_err() {
                return;
            }
        }
    }
}

/// Locks a staging file that was just created; false if a sweep was faster.
fn claim(disk: &dyn Disk, path: &Path, file: &dyn DiskFile) -> io::Result<bool> {
    if file.try_lock(LockKind::Exclusive)? == LockOutcome::Busy {
        return Ok(false);
    }
    let identity = file.status()?.identity;
    Ok(disk
        .status(path)?
        .is_some_and(|(_, there)| there.identity == identity))
}

/// Those of `path` and the directories above it that do not exist, from the top down.
pub(crate) fn missing(disk: &dyn Disk, path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut missing = Vec::new();
    for directory in path.ancestors() {
        if disk.status(directory)?.is_some() {
            break;
        }
        missing.push(directory.to_owned());
    }
    missing.reverse();
    Ok(missing)
}

/// Whether a path names a staging file, as the area makes them.
fn is_staging_file(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == SUFFIX)
        && path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .is_some_and(|stem| Uuid::try_parse(stem).is_ok())
}

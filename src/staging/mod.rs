//! Staging areas: where files stand until they are complete, and how leftovers are told from work in progress.
//!
//! Promises P4 (readers undisturbed) and P6 (nothing leaks). A staging file is locked by its writer
//! as long as it lives; whoever can take the lock knows the writer to be dead and removes the file.
//! Publishing is not done here.

mod control;
mod draft;
mod marker;
mod place;
mod renewal;
mod spelling;
mod sweep;
mod workspace;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::disk::{Disk, DiskFile, EntryKind, Identity, LockKind, LockOutcome};
use crate::error::{Error, IoContext, Result, Step};

pub(crate) use control::{Control, ControlLock, WRITES};
pub(crate) use draft::{Draft, DraftSums};
pub(crate) use marker::{Pending, WriteKey};
pub(crate) use place::{
    Home, check_inside, check_project, check_reach, home_of_file, home_of_root, is_area_name,
    is_impossible, resolve,
};
pub(crate) use spelling::check_spelling;
pub(crate) use sweep::{Swept, is_dead, is_older, sweep_for};
#[cfg(test)]
pub(crate) use workspace::staged_name;
pub(crate) use workspace::{SCRATCH, Workspace};

/// The suffix of every staging file.
const SUFFIX: &str = "staged";
/// The number of times that a staging file or its area may be removed by others before creating it fails.
const ATTEMPTS: usize = 100;

/// The staging files that this process is writing: a sweep need not ask for their locks.
static LIVE: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

fn live() -> MutexGuard<'static, HashSet<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A staging area: the directory for staging files of one home, which is created when it is needed.
#[derive(Debug, Clone)]
pub(crate) struct Area {
    pub(crate) disk: Arc<dyn Disk>,
    home: Home,
    path: PathBuf,
    /// The other places for the area, if nothing can be created here; the best is the last.
    elsewhere: Vec<PathBuf>,
    /// The directories above the area that were created for it, and are removed with it.
    made: Vec<PathBuf>,
}

/// A new staging file, whose lock this process holds.
pub(crate) struct StagingFile {
    pub(crate) path: PathBuf,
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) identity: Identity,
    /// The permissions that the file gets at the end, if not those that it has.
    pub(crate) mode: Option<u32>,
}

impl Area {
    /// Finds or creates the area of `home`, and removes what dead writers left in it.
    pub(crate) fn open(disk: &Arc<dyn Disk>, home: Home) -> Result<Self> {
        let mut places = home.areas(disk.as_ref())?;
        places.reverse();
        let mut area = Area {
            disk: Arc::clone(disk),
            path: places.pop().unwrap_or_else(|| home.root().to_owned()),
            home,
            elsewhere: places,
            made: Vec::new(),
        };
        loop {
            let renewed = area.renew_control();
            let Err(error) = area.make() else {
                break;
            };
            area.tidy();
            if !area.go_elsewhere(&error) {
                renewed?;
                return Err(error).at(Step::CreateStaging, &area.path);
            }
        }
        for leftover in area.home.all_areas(disk.as_ref()) {
            sweep::sweep(disk.as_ref(), &leftover);
        }
        Ok(area)
    }

    /// Replaces the control directory if it is not trusted, where the area is that directory.
    fn renew_control(&self) -> Result<()> {
        let control = Control::of(&self.disk, self.home.root());
        match self.home.is_data_set() && control.path() == self.path {
            true => control.renew(self.home.interrupt()),
            false => Ok(()),
        }
    }

    /// The area at `path`, whether it exists or not.
    pub(crate) fn at(disk: &Arc<dyn Disk>, home: Home, path: PathBuf) -> Self {
        let disk = Arc::clone(disk);
        Area {
            disk,
            home,
            path,
            elsewhere: Vec::new(),
            made: Vec::new(),
        }
    }

    /// Moves on to the next place if the error means that the area cannot stand here.
    fn go_elsewhere(&mut self, error: &io::Error) -> bool {
        if !place::is_impossible(error) {
            return false;
        }
        match self.elsewhere.pop() {
            Some(path) => {
                self.path = path;
                true
            }
            None => false,
        }
    }

    /// Creates the area again after another process removed it because it was empty.
    pub(crate) fn make_again(&self) -> Result<()> {
        self.clone().make().at(Step::CreateStaging, &self.path)
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the area's directory is one that the caller named.
    pub(crate) fn is_given(&self) -> bool {
        self.home.given() == Some(&self.path)
    }

    /// Whether transactions of other data sets may stand in the area.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_given() || !self.home.has_area(&self.path)
    }

    /// The directories that were created for the area, some of which may lie above the data set too.
    pub(crate) fn made(&self) -> &[PathBuf] {
        &self.made
    }

    /// Creates the directory of the area, and those above it that are missing.
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
                // Where the group and permissions cannot be had, the umask's stay.
                Ok(()) => self.follow_root(),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        match self.disk.status(&self.path)? {
            Some((EntryKind::Directory, _)) => {
                self.check_usable()?;
                // Whom the root was closed to since has nothing to do here either.
                self.follow_root();
                self.disk.check_writable(&self.path)
            }
            None => Ok(()),
            Some(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Refuses an area whose owner could exchange what is staged in it though he may not remove the files of others
    /// in the data set, because that is sticky; and what [`check_owner`](Self::check_owner) refuses.
    pub(crate) fn check_usable(&self) -> io::Result<()> {
        const STICKY: u32 = 0o1000;
        self.check_owner()?;
        let root = self.disk.status(self.home.root())?;
        let Some((_, root)) = root.filter(|(_, root)| root.mode & STICKY > 0) else {
            return Ok(());
        };
        let area = self.disk.status(&self.path)?;
        let owner = area.and_then(|(_, area)| area.owner.map(|owner| owner.user));
        let own = [
            Some(0),
            self.disk.user(),
            root.owner.map(|owner| owner.user),
        ];
        if self.is_given() || owner.is_none() || own.contains(&owner) {
            return Ok(());
        }
        let reason = "its owner could exchange what others stage in it";
        Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
    }

    /// Shares the area with the writers of the data set, as far as this user may; an area of one user only with its
    /// readers.
    fn follow_root(&self) {
        let root = self.home.root();
        let _ = match self.home.user_of(&self.path) {
            _ if self.is_given() => Ok(()),
            Some(_) => self.disk.copy_group_and_read_mode(&self.path, root),
            None => self.disk.copy_group_and_mode(&self.path, root),
        };
    }

    /// Refuses an area whose owner could do by it what he may not do to the data set: records in it name files that
    /// are published and removed. An area that the caller named is taken as it is.
    pub(crate) fn check_owner(&self) -> io::Result<()> {
        if self.is_given() {
            return Ok(());
        }
        let trusted = match self.home.user_of(&self.path) {
            Some(user) => self.disk.status(&self.path).map(|found| {
                let owner = found.and_then(|(_, found)| found.owner);
                owner.is_none_or(|owner| owner.user == user)
            }),
            None => self.disk.owner_is_trusted(&self.path, self.home.root()),
        };
        match trusted {
            Ok(false) => {
                let reason = "its owner is not trusted with what is staged for the data set";
                Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            // Nothing is there, or not any more.
            _ => Ok(()),
        }
    }

    /// Creates and locks a staging file that nobody else has and no sweep will take ([`Step::CreateStaging`]).
    pub(crate) fn create(&mut self, private: bool) -> Result<StagingFile> {
        let mut path = self.path.clone();
        for _ in 0..ATTEMPTS {
            path = self.path.join(format!("{}.{SUFFIX}", Uuid::now_v7()));
            let created = self.disk.create_file(&path, private).and_then(|file| {
                // Before it is locked: a sweep of this process that comes in between leaves it alone.
                live().insert(path.clone());
                let mode = match private {
                    true => None,
                    false => self.close(file.as_ref())?,
                };
                let identity = claim(self.disk.as_ref(), &path, file.as_ref())?;
                // Somebody may have made an area of his own in the place of one that was tidied away; now that
                // something is in it, nobody can any more.
                self.check_usable()?;
                Ok((file, identity, mode))
            });
            match created {
                Ok((file, Some(identity), mode)) => {
                    return Ok(StagingFile {
                        path,
                        file,
                        identity,
                        mode,
                    });
                }
                // A sweep has it, and may be one that only looks.
                Ok((_, None, _)) => self.give_back(&path),
                // The area was empty for a moment, and somebody tidied it away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.make().at(Step::CreateStaging, &self.path)?;
                }
                Err(error) => {
                    // On network file systems it may be there nevertheless.
                    self.give_back(&path);
                    self.tidy();
                    if !self.go_elsewhere(&error) {
                        return Err(error).at(Step::CreateStaging, &path);
                    }
                    self.make().at(Step::CreateStaging, &self.path)?;
                }
            }
        }
        Err(Error::StagingLost {
            step: Step::CreateStaging,
            path,
        })
    }

    /// Closes a staging file to all who may not remove it: who can read it can lock it, and so keep it for ever if
    /// its writer dies. Returns the permissions that it had, if they changed.
    fn close(&self, file: &dyn DiskFile) -> io::Result<Option<u32>> {
        const READERS: u32 = 0o044;
        let found = file.status()?;
        let area = self.disk.status(&self.path)?;
        let (writers, group) = area.map_or((0, None), |(_, area)| {
            (
                (area.mode & 0o022) << 1,
                area.owner.map(|owner| owner.group),
            )
        });
        let mut readers = found.mode & READERS & writers;
        if found.owner.map(|owner| owner.group) != group {
            readers &= 0o004;
        }
        let closed = found.mode & !0o077 | readers;
        if closed == found.mode {
            return Ok(None);
        }
        file.set_mode(closed)?;
        Ok(Some(found.mode))
    }

    /// Removes a staging file of ours. What is in the way is for the sweep.
    pub(crate) fn give_back(&self, path: &Path) {
        let _ = self.disk.remove_file(path);
        live().remove(path);
    }

    /// Forgets a staging file of this process, because it is published or may be.
    pub(crate) fn let_go(&self, path: &Path) {
        live().remove(path);
    }

    /// Removes the area, and the directories created for it, as far as they are empty. A directory that somebody
    /// named as the area is left to him.
    pub(crate) fn tidy(&self) {
        let own = Some(&self.path).filter(|_| !self.is_shared());
        for directory in own.into_iter().chain(self.made.iter().rev()) {
            match self.disk.remove_directory(directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return,
                _ => {}
            }
        }
    }
}

/// Locks a staging file that was just created; `None` if a sweep was faster.
pub(crate) fn claim(
    disk: &dyn Disk,
    path: &Path,
    file: &dyn DiskFile,
) -> io::Result<Option<Identity>> {
    if file.try_lock(LockKind::Exclusive)? == LockOutcome::Busy {
        return Ok(None);
    }
    let identity = file.status()?.identity;
    let there = disk.status(path)?;
    Ok(there
        .is_some_and(|(_, there)| there.identity == identity)
        .then_some(identity))
}

/// The directories that do not exist of `path` and those above it, from the top down.
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

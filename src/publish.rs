//! The end of the protocol: creating directories, the rename, and syncs (promises P1, P2, P8).
//!
//! Nothing is written or checked here; a [`Draft`] that comes here is complete and verified.

#[cfg(feature = "object_store")]
mod object;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::disk::{Disk, DiskDirectory, Identity, Place, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Durability;
use crate::pool::{for_each, map_calls};
use crate::staging::{Draft, missing};

#[cfg(feature = "object_store")]
pub(crate) use object::publish_object;

/// Publishes a finished draft in an object store, of which this build knows none.
#[cfg(not(feature = "object_store"))]
pub(crate) fn publish_object(
    _: Draft,
    store: &crate::store::Store,
    _: &Path,
    _: crate::staging::DraftSums,
    _: crate::store::Expected,
) -> Result<()> {
    match *store {}
}

/// The number of times that the directory may be removed by others before publishing gives up.
const ATTEMPTS: usize = 100;

/// Publishes a finished draft at `path`. Whatever comes of it, the draft is used up: published, discarded, or, if
/// that cannot be told, left for the sweep.
pub(crate) fn publish(
    mut draft: Draft,
    path: &Path,
    mode: PublishMode,
    durability: Durability,
) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let identity = draft.identity();
    let mut made = draft.area().made().to_vec();
    let root = draft.area().home().root().to_owned();
    let share = Share {
        top: &root,
        model: &root,
    };
    for _ in 0..ATTEMPTS {
        let disk = draft.disk();
        let published =
            make_and_open(disk, directory, durability, share, &mut made).and_then(|handle| {
                let outcome = rename(disk, draft.path(), identity, path, mode)?;
                Ok((handle, outcome))
            });
        match published {
            Ok((handle, RenameOutcome::Renamed)) => {
                // The file is visible from here on: whatever fails now, dropping the draft must not remove it.
                draft.disown();
                let synced = match durability {
                    Durability::Synced => sync(draft.disk(), directory, handle, share, &mut made),
                    Durability::Unsynced => Ok(()),
                };
                return synced.map_err(|source| Error::NotDurable {
                    path: path.to_owned(),
                    source,
                });
            }
            Ok((_, outcome)) => {
                remove_empty(draft.disk(), &made);
                return Err(match outcome {
                    RenameOutcome::TargetExists => Error::AlreadyExists {
                        path: path.to_owned(),
                    },
                    RenameOutcome::Renamed | RenameOutcome::SourceMissing => {
                        draft.lost(Step::Publish)
                    }
                });
            }
            Err(error @ Error::Unknown { .. }) => {
                // It may be the published file, under its only name: the sweep decides later.
                draft.disown();
                return Err(error);
            }
            // Somebody tidied the directory, or one above it, away while it was empty.
            Err(Error::Io {
                step: Step::CreateDirectory | Step::Publish,
                source,
                ..
            }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                remove_empty(draft.disk(), &made);
                return Err(error);
            }
        }
    }
    remove_empty(draft.disk(), &made);
    Err(io::Error::from(io::ErrorKind::NotFound)).at(Step::CreateDirectory, directory)
}

/// Syncs the directory that the rename went to ([`Step::SyncDirectory`]): another may have been made in the place of
/// the one that was opened before.
fn sync(
    disk: &dyn Disk,
    path: &Path,
    opened: Box<dyn DiskDirectory>,
    share: Share<'_>,
    made: &mut Vec<PathBuf>,
) -> io::Result<()> {
    if disk.place(path)?.identity == opened.identity()? {
        return opened.sync();
    }
    match make_and_open(disk, path, Durability::Synced, share, made) {
        Ok(directory) => directory.sync(),
        Err(Error::Io { source, .. }) => Err(source),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// The outcome of a rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RenameOutcome {
    /// The file is at its final path.
    Renamed,
    /// Another file is there, and nothing was moved.
    TargetExists,
    /// Nothing is at the staged path, and the file is not at its final path.
    SourceMissing,
}

/// Renames a staged file to its final path ([`Step::Publish`]), and finds out how that ended: on network file systems
/// a rename that failed may have happened.
pub(crate) fn rename(
    disk: &dyn Disk,
    from: &Path,
    identity: Identity,
    to: &Path,
    mode: PublishMode,
) -> Result<RenameOutcome> {
    let Err(source) = disk.rename(from, to, mode) else {
        return is_what_was_staged(disk, identity, to).map(|()| RenameOutcome::Renamed);
    };
    let is_ours = |name: &Path| {
        disk.status(name)
            .map(|there| there.is_some_and(|(_, status)| status.identity == identity))
    };
    // The error does not tell whether the rename happened (NFS repeats requests): where the file is now does.
    match (is_ours(to), is_ours(from)) {
        (Ok(true), _) => {
            // With both names there, the one in the area is the spare.
            let _ = disk.remove_file(from);
            Ok(RenameOutcome::Renamed)
        }
        (Ok(false), Ok(true)) if source.kind() == io::ErrorKind::AlreadyExists => {
            Ok(RenameOutcome::TargetExists)
        }
        (Ok(false), Ok(true)) => Err(source).at(Step::Publish, to),
        (Ok(false), Ok(false)) if source.kind() == io::ErrorKind::NotFound => {
            Ok(RenameOutcome::SourceMissing)
        }
        _ => Err(Error::Unknown {
            step: Step::Publish,
            path: to.to_owned(),
            source,
        }),
    }
}

/// Checks that the file at the final path is the one that was verified, and not one that another user put in its
/// place in the staging area. A file of this user that has taken the name since is no error.
fn is_what_was_staged(disk: &dyn Disk, identity: Identity, to: &Path) -> Result<()> {
    let Ok(Some((_, found))) = disk.status(to) else {
        return Ok(());
    };
    let owner = found.owner.map(|owner| owner.user);
    if found.identity == identity || owner.is_none() || owner == disk.user() {
        return Ok(());
    }
    let reason = "what is there belongs to another user, and is not what was verified";
    Err(Error::Unknown {
        step: Step::Publish,
        path: to.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, reason),
    })
}

/// Makes the entry of an existing directory durable, and those of the directories above it.
pub(crate) fn make_durable(disk: &dyn Disk, path: &Path) -> Result<()> {
    make_all_durable(disk, [path], &[])
}

/// How new directories below `top` are shared with other users.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share<'a> {
    /// Only what is made below this directory is shared.
    pub(crate) top: &'a Path,
    /// The directory whose group and permissions count, if it is one that several users write in.
    pub(crate) model: &'a Path,
}

impl Share<'_> {
    /// Gives a new directory the permissions of the model, also where our umask would let the group only read it.
    fn apply(self, disk: &dyn Disk, directory: &Path) {
        const SET_GROUP_ID_OR_GROUP_WRITABLE: u32 = 0o2020;
        const GROUP: u32 = 0o070;
        if directory == self.top || !directory.starts_with(self.top) {
            return;
        }
        let (Ok(Some((_, model))), Ok(Some((_, made)))) =
            (disk.status(self.model), disk.status(directory))
        else {
            return;
        };
        // A umask without rights of the group is deliberate, and stays.
        if model.mode & SET_GROUP_ID_OR_GROUP_WRITABLE > 0 && made.mode & GROUP > 0 {
            // Where it cannot be done, the next user is refused before anything is decided.
            let _ = disk.copy_group_and_mode(directory, self.model);
        }
    }
}

/// Creates directories with those above them; a directory that holds several of them is synced once.
pub(crate) fn prepare(
    disk: &dyn Disk,
    paths: &BTreeSet<PathBuf>,
    durability: Durability,
    share: Share<'_>,
) -> Result<()> {
    let mut made = Vec::new();
    let mut attempt = || {
        make_all(disk, paths, share, &mut made)?;
        match durability {
            Durability::Synced => make_all_durable(disk, paths, &made),
            Durability::Unsynced => Ok(()),
        }
    };
    for _ in 1..ATTEMPTS {
        match attempt() {
            // Somebody tidied one of them, or one above it, away while it was empty.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
    }
    attempt()
}

/// Syncs directories, many of them at the same time: file systems join what is asked for together.
pub(crate) fn sync_all(disk: &dyn Disk, paths: &[&Path], step: Step) -> Result<()> {
    sync_each(paths, |number| {
        sync_directory(disk, paths[number]).at(step, paths[number])
    })
}

/// Calls `sync` with the number of each path, on several threads where there are many.
fn sync_each(paths: &[&Path], sync: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    const MANY: usize = 16;
    const THREADS: usize = 8;
    let threads = if paths.len() < MANY { 1 } else { THREADS };
    let top = paths.first().copied().unwrap_or(Path::new("/"));
    for_each(threads, paths.len(), top, sync)
}

fn sync_directory(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    disk.open_directory(path)?.sync()
}

/// Creates the directory and those above it that are missing ([`Step::CreateDirectory`]), adds them to `made`, and
/// makes their entries durable. Opens the directory already now, so that one which cannot be synced afterwards is
/// found out before anything is published.
fn make_and_open(
    disk: &dyn Disk,
    path: &Path,
    durability: Durability,
    share: Share<'_>,
    made: &mut Vec<PathBuf>,
) -> Result<Box<dyn DiskDirectory>> {
    make(disk, path, share, made)?;
    let handle = disk.open_directory(path).at(Step::CreateDirectory, path)?;
    if durability == Durability::Synced {
        make_all_durable(disk, [path], made)?;
    }
    Ok(handle)
}

fn make(disk: &dyn Disk, path: &Path, share: Share<'_>, made: &mut Vec<PathBuf>) -> Result<()> {
    for directory in missing(disk, path).at(Step::CreateDirectory, path)? {
        if make_one(disk, &directory, share)? {
            made.push(directory);
        }
    }
    Ok(())
}

/// The same for many directories: those that are as far from the top are created at the same time.
fn make_all(
    disk: &dyn Disk,
    paths: &BTreeSet<PathBuf>,
    share: Share<'_>,
    made: &mut Vec<PathBuf>,
) -> Result<()> {
    let list: Vec<&PathBuf> = paths.iter().collect();
    let absent = map_calls(list.len(), share.top, |number| {
        missing(disk, list[number]).at(Step::CreateDirectory, list[number])
    })?;
    let mut levels: BTreeMap<usize, BTreeSet<PathBuf>> = BTreeMap::new();
    for directory in absent.into_iter().flatten() {
        let level = directory.components().count();
        levels.entry(level).or_default().insert(directory);
    }
    // Also what was made before another failed.
    let made = Mutex::new(made);
    for level in levels.into_values() {
        let level: Vec<PathBuf> = level.into_iter().collect();
        map_calls(level.len(), share.top, |number| {
            if make_one(disk, &level[number], share)? {
                let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
                made.push(level[number].clone());
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Creates a directory, and says whether it was not there yet.
fn make_one(disk: &dyn Disk, directory: &Path, share: Share<'_>) -> Result<bool> {
    match disk.create_directory(directory) {
        Ok(()) => {
            share.apply(disk, directory);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).at(Step::CreateDirectory, directory),
    }
}

/// The entry of a directory in the one above it, which this process knows to be durable.
type DurableName = (Identity, Identity, OsString);

static DURABLE: LazyLock<Mutex<HashSet<DurableName>>> = LazyLock::new(Mutex::default);
/// The least age of a directory that is remembered: more than the grain of any file system's clock.
const SETTLED: Duration = Duration::from_secs(3);
/// The number of entries that are remembered; forgetting one costs a sync.
const REMEMBERED: usize = 1 << 16;

/// Syncs the parent of each path, and of each directory above it up to the top of the file system,
/// unless all names that this makes durable are known to be.
///
/// A directory that was there before is treated like one of ours: whoever made it may have died, or
/// may be about to, before its sync.
fn make_all_durable(
    disk: &dyn Disk,
    paths: impl IntoIterator<Item = impl AsRef<Path>>,
    made: &[PathBuf],
) -> Result<()> {
    let made: HashSet<&Path> = made.iter().map(PathBuf::as_path).collect();
    let mut walk = Walk::default();
    let paths: Vec<_> = paths.into_iter().collect();
    let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    let top = paths.first().copied().unwrap_or(Path::new("/"));
    let places = map_calls(paths.len(), top, |number| {
        let path = paths[number];
        disk.place(path).at(Step::CreateDirectory, path)
    })?;
    for (path, place) in paths.into_iter().zip(places) {
        walk.add(disk, path, place, &made)?;
    }
    // What is deepest first.
    let (holders, names): (Vec<_>, Vec<_>) = walk.names.into_iter().rev().unzip();
    let paths: Vec<&Path> = holders.iter().map(PathBuf::as_path).collect();
    let synced = Mutex::new(Vec::new());
    sync_each(&paths, |number| {
        let (path, names) = (paths[number], &names[number]);
        match sync_directory(disk, path) {
            Err(error) if !names.ours && is_not_ours_to_sync(&error) => {}
            done => {
                done.at(Step::CreateDirectory, path)?;
                let mut synced = synced.lock().unwrap_or_else(PoisonError::into_inner);
                synced.extend_from_slice(&names.names);
            }
        }
        Ok(())
    })?;
    let synced = synced.into_inner().unwrap_or_else(PoisonError::into_inner);
    remember_durable(disk, synced);
    Ok(())
}

/// The entries of a directory that one sync of it makes durable.
#[derive(Default)]
struct Names {
    names: Vec<DurableName>,
    /// Whether we made one of them.
    ours: bool,
}

/// Directories on the way up from several, each visited once.
#[derive(Default)]
struct Walk {
    visited: HashMap<PathBuf, Place>,
    /// By the directory that the names are in.
    names: BTreeMap<PathBuf, Names>,
}

impl Walk {
    fn add(
        &mut self,
        disk: &dyn Disk,
        path: &Path,
        place: Place,
        made: &HashSet<&Path>,
    ) -> Result<()> {
        if self.visited.contains_key(path) {
            return Ok(());
        }
        let mut child = place;
        self.visited.insert(path.to_owned(), child);
        for (directory, above) in path.ancestors().zip(path.ancestors().skip(1)) {
            let ours = made.contains(directory);
            let known = self.visited.get(above).copied();
            let parent = match known.map_or_else(|| disk.place(above), Ok) {
                Err(error) if !ours && is_not_ours_to_sync(&error) => break,
                found => found.at(Step::CreateDirectory, above)?,
            };
            // The top of a mounted file system has no name that could be lost.
            if child.mount_root || parent.identity.device != child.identity.device {
                break;
            }
            let name = directory.file_name().unwrap_or_default().to_owned();
            let name = (child.identity, parent.identity, name);
            if ours || !known_durable(&name) {
                let names = self.names.entry(above.to_owned()).or_default();
                names.names.push(name);
                names.ours |= ours;
            }
            if known.is_some() {
                break;
            }
            self.visited.insert(above.to_owned(), parent);
            child = parent;
        }
        Ok(())
    }
}

fn known_durable(name: &DurableName) -> bool {
    DURABLE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .contains(name)
}

fn remember_durable(disk: &dyn Disk, names: Vec<DurableName>) {
    // A directory made in its place later must differ: by its birth time, if the clock that gives
    // it has moved on meanwhile.
    let now = disk.now().duration_since(SystemTime::UNIX_EPOCH);
    let settled = now.unwrap_or_default().saturating_sub(SETTLED).as_nanos() as i128;
    let settled = |(identity, ..): &DurableName| identity.born.is_some_and(|born| born < settled);
    let mut durable = DURABLE.lock().unwrap_or_else(PoisonError::into_inner);
    if durable.len() + names.len() > REMEMBERED {
        durable.clear();
    }
    durable.extend(names.into_iter().filter(settled));
}

/// Whether a directory that we did not make cannot be synced because it is another user's, or of a
/// file system that cannot be written.
fn is_not_ours_to_sync(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::InvalidInput
    )
}

/// Removes directories that were created for a file that was not published, if they are still empty.
fn remove_empty(disk: &dyn Disk, made: &[PathBuf]) {
    for directory in made.iter().rev() {
        let _ = disk.remove_directory(directory);
    }
}

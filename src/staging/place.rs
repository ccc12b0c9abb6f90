//! Places: where the staging area of a data set or lone file stands.
//!
//! A data set's area is a sibling of its root, so that no reader of the root meets it: every reader
//! that scans the root trips over some kind of leftover inside it. Where the sibling is impossible,
//! and for lone files, the area is the hidden directory `.atomic`.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::disk::{Disk, EntryKind, Project};
use crate::error::{Error, IoContext, Result, Step};
use crate::local_path::local_path;
use crate::options::{Interrupt, StagingPlace};

/// The area's name inside a root.
pub(super) const INSIDE: &str = ".atomic";
/// Longest name of a file or directory in bytes, on every file system in use.
const NAME_MAX: usize = 255;

/// The home of staging areas: a data set, or the directory of a lone file.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    /// The data set's root, or the directory of a lone file; absolute, links resolved.
    root: PathBuf,
    /// The directory that the caller named: the root, or a partition of the data set.
    named: PathBuf,
    kind: HomeKind,
    /// The callback that is asked whether to give up waiting for a lock.
    interrupt: Interrupt,
}

#[derive(Debug, Clone)]
enum HomeKind {
    DataSet,
    DataSetInside,
    LoneFile,
    Given(PathBuf),
}

/// The home of a data set's files. A root that lies in a partition of a larger data set belongs to
/// that one.
pub(crate) fn home_of_root(disk: &dyn Disk, root: &Path, place: &StagingPlace) -> Result<Home> {
    home(disk, root, HomeKind::DataSet, place)
}

/// The home of a file that is named by itself: its data set if it stands in a partition directory,
/// else the directory that holds it.
pub(crate) fn home_of_file(disk: &dyn Disk, holder: &Path, place: &StagingPlace) -> Result<Home> {
    let lone = data_set_of(disk, holder) == holder;
    let kind = if lone {
        HomeKind::LoneFile
    } else {
        HomeKind::DataSet
    };
    home(disk, holder, kind, place)
}

fn home(disk: &dyn Disk, named: &Path, kind: HomeKind, place: &StagingPlace) -> Result<Home> {
    let kind = match (place, kind) {
        (StagingPlace::Auto, kind) => kind,
        (StagingPlace::Beside, _) => HomeKind::DataSet,
        (StagingPlace::Inside, HomeKind::LoneFile) => HomeKind::LoneFile,
        (StagingPlace::Inside, _) => HomeKind::DataSetInside,
        (StagingPlace::Directory(directory), _) => HomeKind::Given(resolve(disk, directory)?),
    };
    if named.ancestors().any(is_area_name) {
        return Err(Error::InvalidPath {
            path: named.to_owned(),
            reason: "is, or lies in, the staging area of a data set",
        });
    }
    let (root, named) = (data_set_of(disk, named).to_owned(), named.to_owned());
    Ok(Home {
        root,
        named,
        kind,
        interrupt: Interrupt::default(),
    })
}

/// Whether a path has the name of an area that no user has chosen: `.atomic`, `.NAME.atomic`, and either of one
/// user, `.atomic-UID`.
pub(crate) fn is_area_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let Some(name) = name.strip_prefix(b".") else {
        return false;
    };
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit());
    let digits = digits.count();
    let name = match name[..name.len() - digits].strip_suffix(b"-") {
        Some(shared) if digits > 0 => shared,
        _ => name,
    };
    name == b"atomic" || name.ends_with(INSIDE.as_bytes())
}

/// The directory above all trailing `key=value` segments, on the same file system.
fn data_set_of<'a>(disk: &dyn Disk, path: &'a Path) -> &'a Path {
    let mut root = path;
    while let (Some(name), Some(parent)) = (root.file_name(), root.parent()) {
        let mounted = || disk.place(root).is_ok_and(|place| place.mount_root);
        if !name.as_encoded_bytes().contains(&b'=') || mounted() {
            break;
        }
        root = parent;
    }
    root
}

impl Home {
    pub(crate) fn interrupted_by(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory that the caller named, below the root.
    pub(crate) fn scope(&self) -> &Path {
        self.named.strip_prefix(&self.root).unwrap_or(Path::new(""))
    }

    pub(crate) fn is_data_set(&self) -> bool {
        !matches!(self.kind, HomeKind::LoneFile)
    }

    /// The directory that the caller named.
    pub(crate) fn named(&self) -> &Path {
        &self.named
    }

    /// The paths at which to try to create the area, best first.
    pub(crate) fn areas(&self, disk: &dyn Disk) -> Result<Vec<PathBuf>> {
        if let Some(given) = self.given() {
            return Ok(vec![given.to_owned()]);
        }
        let beside = match self.kind {
            HomeKind::DataSet if renames_reach(disk, &self.root)? => sibling(&self.root),
            _ => None,
        };
        let mut areas = Vec::new();
        for area in beside.into_iter().chain(self.inside()) {
            let own = disk
                .user()
                .filter(|_| self.is_for_one_user_each(disk, &area));
            let own = own.and_then(|user| area_of_user(&area, user));
            // The others of a data set share the area with its owner; lone files have nothing in common.
            areas.extend(Some(area).filter(|_| self.is_data_set() || own.is_none()));
            areas.extend(own);
        }
        Ok(areas)
    }

    /// Every place where an area of this home may have been made, by this caller or by others.
    pub(crate) fn all_areas(&self, disk: &dyn Disk) -> Vec<PathBuf> {
        let mut areas: Vec<PathBuf> = self.given().map(Path::to_owned).into_iter().collect();
        for area in self.shared_areas() {
            let of_users = match self.is_for_one_user_each(disk, &area) {
                true => areas_of_users(disk, &area),
                false => Vec::new(),
            };
            areas.push(area);
            areas.extend(of_users);
        }
        areas
    }

    /// The paths of areas that nobody named, without those of single users.
    fn shared_areas(&self) -> impl Iterator<Item = PathBuf> {
        let beside = sibling(&self.root).filter(|_| self.is_data_set());
        beside.into_iter().chain(self.inside())
    }

    /// Whether the area must be one of a single user: everybody may create files where it stands, or in the data set,
    /// but not remove those of others, so that nobody can trust the area of another.
    fn is_for_one_user_each(&self, disk: &dyn Disk, area: &Path) -> bool {
        const STICKY: u32 = 0o1000;
        let is_sticky = |path: &Path| {
            let found = disk.status(path);
            matches!(found, Ok(Some((_, status))) if status.mode & STICKY > 0)
        };
        area.parent().is_some_and(is_sticky) || is_sticky(&self.root)
    }

    /// Whether an area at this path can only belong to this home.
    pub(crate) fn has_area(&self, path: &Path) -> bool {
        let is_it = |area: &PathBuf| area == path || user_of_area(area, path).is_some();
        self.given() != Some(path) && self.shared_areas().any(|area| is_it(&area))
    }

    /// The user to whom the area at this path belongs, if it is one of a single user.
    pub(crate) fn user_of(&self, path: &Path) -> Option<u32> {
        let mut areas = self.shared_areas();
        areas.find_map(|area| user_of_area(&area, path))
    }

    /// The directory that the caller named as the area.
    pub(crate) fn given(&self) -> Option<&Path> {
        match &self.kind {
            HomeKind::Given(directory) => Some(directory),
            _ => None,
        }
    }

    /// The paths inside: in the root, and in the directory that the caller named, where he cannot write in the root.
    fn inside(&self) -> impl Iterator<Item = PathBuf> {
        let named = Some(&self.named).filter(|named| **named != self.root);
        [Some(&self.root), named]
            .into_iter()
            .flatten()
            .map(|directory| directory.join(INSIDE))
    }
}

/// The area of one user, `….atomic-UID`, unless there is no room for the name.
fn area_of_user(area: &Path, user: u32) -> Option<PathBuf> {
    let mut name = area.file_name()?.to_owned();
    name.push(format!("-{user}"));
    let fits = name.len() <= NAME_MAX;
    fits.then(|| area.with_file_name(name))
}

/// The user of a single-user area at `path` that stands instead of `area`.
fn user_of_area(area: &Path, path: &Path) -> Option<u32> {
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    let (name, shared) = (name(path)?, name(area)?);
    let user = name.strip_prefix(&shared)?.strip_prefix('-')?;
    let user: u32 = user.parse().ok()?;
    (area_of_user(area, user).as_deref() == Some(path)).then_some(user)
}

/// The existing single-user areas that stand instead of `area`.
fn areas_of_users(disk: &dyn Disk, area: &Path) -> Vec<PathBuf> {
    let entries = area.parent().and_then(|holder| disk.list(holder).ok());
    let paths = entries.into_iter().flatten().map(|entry| entry.path);
    paths
        .filter(|path| user_of_area(area, path).is_some())
        .collect()
}

/// `<parent>/.NAME.atomic`, unless there is no parent or no room for the name.
fn sibling(root: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(".");
    name.push(root.file_name()?);
    name.push(INSIDE);
    let fits = name.as_encoded_bytes().len() <= NAME_MAX;
    root.parent()
        .filter(|_| fits)
        .map(|parent| parent.join(name))
}

/// Whether a file can be renamed from beside the root into it. A root that is not there yet will be
/// made on its parent's file system.
fn renames_reach(disk: &dyn Disk, root: &Path) -> Result<bool> {
    let place = |path: &Path| match disk.place(path) {
        Ok(place) => Ok(Some(place)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // A transient error must not lead this writer to another area than the others use.
        Err(error) => Err(error).at(Step::CreateStaging, path),
    };
    let Some(own) = place(root)? else {
        return Ok(true);
    };
    let parent = root.parent().map(place).transpose()?.flatten();
    let near = !own.mount_root
        && parent.is_some_and(|parent| parent.identity.device == own.identity.device);
    let Some(above) = root.parent().filter(|_| near) else {
        return Ok(false);
    };
    let from = disk.project(above).at(Step::CreateStaging, above)?;
    match disk.project(root) {
        // Somebody tidied it away while it was empty.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        into => Ok(from.reaches(into.at(Step::CreateStaging, root)?)),
    }
}

/// Refuses, before anything is written, a directory that no rename from the area can reach.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] only if the area is gone.
pub(crate) fn check_reach(disk: &dyn Disk, path: &Path, directory: &Path) -> Result<()> {
    let area = disk.place(path).at(Step::CreateStaging, path)?;
    let project = disk.project(path).at(Step::CreateStaging, path)?;
    for existing in directory.ancestors() {
        let Ok(place) = disk.place(existing) else {
            continue;
        };
        if place.identity.device != area.identity.device {
            return Err(Error::InvalidPath {
                path: directory.to_owned(),
                reason: "is on another file system than its staging area",
            });
        }
        match check_project(disk, project, existing) {
            // Somebody tidied it away while it was empty: it will be made in what is above it.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            checked => return checked,
        }
    }
    Ok(())
}

/// Refuses a directory that takes nothing from another project than its own; `staging` is the project from which
/// something is to be moved there.
pub(crate) fn check_project(disk: &dyn Disk, staging: Project, directory: &Path) -> Result<()> {
    let project = disk.project(directory).at(Step::CreateStaging, directory)?;
    match staging.reaches(project) {
        true => Ok(()),
        false => Err(Error::InvalidPath {
            path: directory.to_owned(),
            reason: "belongs to another quota project than its staging area, so that nothing can be moved there: \
                     stage in a directory of the same project",
        }),
    }
}

/// Refuses, before anything is done, a path of which any part below `top` is a symbolic link: whoever may
/// write in one of the directories could lead a write elsewhere by it. The calls that come after follow no
/// link either ([`OsDisk`](crate::disk::OsDisk)).
pub(crate) fn check_inside(disk: &dyn Disk, top: &Path, path: &Path) -> Result<()> {
    let outside = || Error::InvalidPath {
        path: path.to_owned(),
        reason: "is not below the directory that it belongs to",
    };
    let below = path.strip_prefix(top).map_err(|_| outside())?;
    let mut directory = top.to_owned();
    for part in below.components() {
        let Component::Normal(part) = part else {
            return Err(outside());
        };
        if !disk.has_links() {
            continue;
        }
        directory.push(part);
        match disk
            .status(&directory)
            .at(Step::CreateDirectory, &directory)?
        {
            Some((EntryKind::Directory, _)) => {}
            Some((EntryKind::Link, _)) => {
                return Err(Error::InvalidPath {
                    path: directory,
                    reason: "is a symbolic link, where a directory of the data set belongs",
                });
            }
            // What is made below a file fails by itself.
            Some((EntryKind::File | EntryKind::Other, _)) | None => break,
        }
    }
    Ok(())
}

/// Whether an error means that an area cannot stand here, but perhaps elsewhere.
pub(crate) fn is_impossible(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::InvalidFilename
    )
}

/// The status of a path that may have symbolic links above its last name.
fn status_of_unresolved(disk: &dyn Disk, path: &Path) -> io::Result<Option<EntryKind>> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(None);
    };
    let found = disk
        .canonicalize(above)
        .and_then(|above| disk.status(&above.join(name)));
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => Ok(found?.map(|(kind, _)| kind)),
    }
}

/// The absolute path of a directory that may not exist yet and that the caller named, with every symbolic
/// link resolved.
pub(crate) fn resolve(disk: &dyn Disk, path: &Path) -> Result<PathBuf> {
    let path = &*local_path(path)?;
    let invalid = |reason| Error::InvalidPath {
        path: path.to_owned(),
        reason,
    };
    if path.as_os_str().is_empty() {
        return Err(invalid("is empty"));
    }
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(invalid("contains a NUL byte"));
    }
    let absolute = std::path::absolute(path).at(Step::CreateStaging, path)?;
    for existing in absolute.ancestors() {
        match disk.canonicalize(existing) {
            Ok(real) => {
                let rest = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
                if rest
                    .components()
                    .any(|part| !matches!(part, Component::Normal(_)))
                {
                    return Err(invalid("leaves a directory that does not exist by `..`"));
                }
                match disk.status(&real) {
                    Ok(Some((EntryKind::Directory, _))) => {}
                    // Another writer's, who has just tidied it away.
                    Ok(None) => continue,
                    Ok(Some((EntryKind::File | EntryKind::Link | EntryKind::Other, _))) => {
                        return Err(invalid("is not a directory, or lies below a file"));
                    }
                    Err(error) => return Err(error).at(Step::CreateStaging, &real),
                }
                return Ok(if rest.as_os_str().is_empty() {
                    real
                } else {
                    real.join(rest)
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let there =
                    status_of_unresolved(disk, existing).at(Step::CreateStaging, existing)?;
                // A directory has been made since by another writer, and will be made by this one too
                // if it goes away again.
                if there == Some(EntryKind::Link) {
                    return Err(invalid("is, or lies below, a symbolic link to nothing"));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(invalid("lies below a file"));
            }
            Err(error) => return Err(error).at(Step::CreateStaging, existing),
        }
    }
    Err(invalid("has no existing directory above it"))
}

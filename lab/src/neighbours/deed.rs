//! Deeds of a hostile neighbour, on a real file system.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use atomic_arrow::disk::tap::{Call, Verb};

use super::is_hidden;

/// The user to whom belongs what a neighbour puts somewhere.
const STRANGER: u32 = 20_001;
/// What is in all files that a neighbour puts somewhere.
pub(super) const THEIRS: &[u8] = b"theirs";

/// A hostile deed, done to the path of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Deed {
    /// Moves the directory away and puts a link there, to a stranger's directory with the same names in it.
    LinkForDirectory,
    /// Moves the directory away and puts a stranger's there.
    OtherDirectory,
    /// Gives the file another name, elsewhere.
    LinkFile,
    /// Removes it.
    Delete,
    /// Puts a stranger's file in its place.
    Replace,
    /// Locks it.
    Lock,
    /// Makes a file of that name first.
    FirstFile,
    /// Makes a directory of that name first.
    FirstDirectory,
    /// Makes a link of that name first, to a stranger's file.
    FirstLink,
    /// Gives a stranger's file that name first.
    FirstName,
}

impl Deed {
    pub(super) const ALL: [Deed; 10] = [
        Deed::LinkForDirectory,
        Deed::OtherDirectory,
        Deed::LinkFile,
        Deed::Delete,
        Deed::Replace,
        Deed::Lock,
        Deed::FirstFile,
        Deed::FirstDirectory,
        Deed::FirstLink,
        Deed::FirstName,
    ];

    /// Whether it is about what is there already.
    fn is_of_what_is_there(self) -> bool {
        !matches!(
            self,
            Deed::FirstFile | Deed::FirstDirectory | Deed::FirstLink | Deed::FirstName
        )
    }
}

/// A neighbour: where he works, and what he has done.
#[derive(Debug)]
pub(super) struct Neighbour {
    /// The ground of the scenario.
    top: PathBuf,
    /// A directory of others: it must stay as it is.
    strangers: PathBuf,
    /// The paths that he moved away: from where, and to where.
    pub(super) away: Vec<(PathBuf, PathBuf)>,
    /// Files that he removed: where they were, and what they held.
    pub(super) gone: Vec<(PathBuf, Vec<u8>)>,
    /// The lock that he holds.
    pub(super) lock: Option<File>,
    /// Whether he held a lock.
    locked: bool,
    /// What belonged to others right after the deed.
    others: Vec<Property>,
    /// The deed, in words.
    pub(super) did: Option<String>,
}

/// A file or directory of others.
#[derive(Debug, PartialEq, Eq)]
struct Property {
    path: PathBuf,
    mode: u32,
    owner: (u32, u32),
    content: Vec<u8>,
}

impl Neighbour {
    pub(super) fn new(top: &Path) -> io::Result<Self> {
        let strangers = top.with_file_name("strangers");
        fs::create_dir(&strangers)?;
        let file = strangers.join("file");
        fs::write(&file, THEIRS)?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        chown(&file, Some(STRANGER), Some(STRANGER))?;
        Ok(Neighbour {
            top: top.to_owned(),
            strangers,
            away: Vec::new(),
            gone: Vec::new(),
            lock: None,
            locked: false,
            others: Vec::new(),
            did: None,
        })
    }

    /// Does the deed, if there is something to do it to.
    pub(super) fn does(&mut self, deed: Deed, call: &Call) {
        let of_source = deed.is_of_what_is_there() && call.verb == Verb::Rename;
        let path = match &call.from {
            Some(from) if of_source => from.clone(),
            _ => call.path.clone(),
        };
        if deed == Deed::LinkForDirectory && call.verb == Verb::Canonicalize {
            // What the user's path leads to is found out here: nobody has said yet where that is.
            return;
        }
        let path = match deed {
            Deed::LinkForDirectory | Deed::OtherDirectory if !path.is_dir() => {
                path.parent().unwrap_or(&path).to_owned()
            }
            _ => path,
        };
        if path == self.top || !path.starts_with(&self.top) {
            return;
        }
        // What cannot be done is not done: nobody is harmed by it.
        if let Ok(true) = self.try_to(deed, &path) {
            self.locked = deed == Deed::Lock;
            self.did = Some(format!("{deed:?} {} before {call}", path.display()));
            self.others = self.of_strangers().unwrap_or_default();
        }
    }

    /// Whether he took something away that is not in a data set, but in its staging area, or looked like a living
    /// writer by its lock.
    pub(super) fn robbed(&self, root: &Path) -> bool {
        let moved = self.away.iter().map(|(was, _)| was);
        let gone = self.gone.iter().map(|(was, _)| was);
        self.locked
            || moved
                .chain(gone)
                .any(|path| path.strip_prefix(root).map_or(true, is_hidden))
    }

    /// The first property of others that is not as it was, if there is one.
    pub(super) fn harm(&self) -> io::Result<Option<String>> {
        let now = self.of_strangers()?;
        let changed = now.iter().find(|found| !self.others.contains(found));
        let gone = self
            .others
            .iter()
            .find(|was| !now.iter().any(|found| found.path == was.path));
        Ok(changed.or(gone).map(|found| {
            let was = self.others.iter().find(|was| was.path == found.path);
            format!("{found:?} of a stranger, which was {was:?}, is changed or gone")
        }))
    }

    fn try_to(&mut self, deed: Deed, path: &Path) -> io::Result<bool> {
        let found = fs::symlink_metadata(path).ok();
        let is_file = found.as_ref().is_some_and(fs::Metadata::is_file);
        let is_directory = found.as_ref().is_some_and(fs::Metadata::is_dir);
        match deed {
            Deed::LinkForDirectory if is_directory => {
                let copy = self.strangers.join("directory");
                copy_names(path, &copy)?;
                self.move_away(path)?;
                symlink(&copy, path)?;
                lchown(path, Some(STRANGER), None)?;
            }
            Deed::OtherDirectory if is_directory => {
                self.move_away(path)?;
                fs::create_dir(path)?;
                fs::set_permissions(path, Permissions::from_mode(0o777))?;
                chown(path, Some(STRANGER), None)?;
            }
            Deed::LinkFile if is_file => {
                fs::hard_link(path, self.top.with_file_name("another name"))?;
            }
            Deed::Delete if is_file => self.remove(path)?,
            Deed::Delete if is_directory => {
                for file in files_below(path)? {
                    self.remove(&file)?;
                }
                fs::remove_dir_all(path)?;
            }
            Deed::Replace if is_file => {
                self.remove(path)?;
                put_theirs(path)?;
            }
            Deed::Lock if is_file => {
                let file = File::open(path)?;
                if file.try_lock().is_err() {
                    return Ok(false);
                }
                self.lock = Some(file);
            }
            Deed::FirstFile if found.is_none() => put_theirs(path)?,
            Deed::FirstDirectory if found.is_none() => {
                fs::create_dir(path)?;
                chown(path, Some(STRANGER), None)?;
            }
            Deed::FirstLink if found.is_none() => {
                symlink(self.strangers.join("file"), path)?;
                lchown(path, Some(STRANGER), None)?;
            }
            Deed::FirstName if found.is_none() => {
                fs::hard_link(self.strangers.join("file"), path)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let content = fs::read(path)?;
        fs::remove_file(path)?;
        self.gone.push((path.to_owned(), content));
        Ok(())
    }

    fn move_away(&mut self, path: &Path) -> io::Result<()> {
        let to = self.top.with_file_name("away");
        fs::rename(path, &to)?;
        self.away.push((path.to_owned(), to));
        Ok(())
    }

    /// Everything that belongs to others.
    fn of_strangers(&self) -> io::Result<Vec<Property>> {
        let mut all = Vec::new();
        let mut pending = vec![self.strangers.clone()];
        while let Some(path) = pending.pop() {
            let found = fs::symlink_metadata(&path)?;
            let content = match found.is_dir() {
                true => {
                    for entry in fs::read_dir(&path)? {
                        pending.push(entry?.path());
                    }
                    Vec::new()
                }
                false => fs::read(&path)?,
            };
            all.push(Property {
                path,
                mode: found.mode(),
                owner: (found.uid(), found.gid()),
                content,
            });
        }
        Ok(all)
    }
}

fn put_theirs(path: &Path) -> io::Result<()> {
    fs::write(path, THEIRS)?;
    chown(path, Some(STRANGER), Some(STRANGER))
}

/// A directory with the same names, of a stranger.
fn copy_names(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    put_theirs(&to.join("their own"))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_names(&entry.path(), &to)?,
            false => put_theirs(&to)?,
        }
    }
    chown(to, Some(STRANGER), Some(STRANGER))
}

fn files_below(top: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut pending) = (Vec::new(), vec![top.to_owned()]);
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

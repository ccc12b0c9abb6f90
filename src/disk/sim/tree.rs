//! The tree of the simulated disk: files and directories as they are now, and as far as they are durable.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::disk::{Entry, EntryKind, FileStatus, Identity, Owner, nanoseconds};

/// The number of the directory `/`.
pub(super) const TOP: u64 = 1;
/// The number of the user who may not write in the directories of others.
pub(super) const STRANGER: u32 = 65_534;

/// A change of names that is not known to be durable.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// The directory, the name in it, and what that stands for from then on: all of them or none.
    pub(super) names: Vec<(u64, OsString, Option<u64>)>,
}

impl Change {
    /// Whether both change the same name, so that the later cannot be durable without the earlier.
    pub(super) fn touches(&self, other: &Change) -> bool {
        let same = |(a, name, _): &(u64, OsString, Option<u64>)| {
            other
                .names
                .iter()
                .any(|(b, other, _)| a == b && name == other)
        };
        self.names.iter().any(same)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) nodes: BTreeMap<u64, Node>,
    next_node: u64,
    pub(super) changed: bool,
    /// The changes of names since the last syncs of their directories, in order.
    pub(super) pending: Vec<Change>,
    /// Whether a rename is one change, as with a journal, or one of each directory.
    pub(super) journaled: bool,
    /// The last file that each path stood for, removed or not.
    pub(super) last_named: BTreeMap<PathBuf, u64>,
    /// The files and directories that belong to the stranger.
    strangers: BTreeSet<u64>,
}

#[derive(Debug, Clone)]
pub(super) enum Node {
    File(File),
    Directory(Directory),
}

#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) content: Arc<Vec<u8>>,
    /// What the last sync made durable: nothing before the first.
    pub(super) durable: Arc<Vec<u8>>,
    mode: u32,
    modified: SystemTime,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    pub(super) entries: BTreeMap<OsString, u64>,
    pub(super) durable: BTreeMap<OsString, u64>,
    /// The file number that the disk reports, and the time of creation.
    pub(super) identity: (u64, i128),
}

pub(super) fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

pub(super) fn parent_and_name(path: &Path) -> io::Result<(&Path, &OsStr)> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        let top = Directory {
            identity: (TOP, 0),
            ..Directory::default()
        };
        let nodes = BTreeMap::from([(TOP, Node::Directory(top))]);
        Tree {
            nodes,
            next_node: TOP + 1,
            changed: false,
            pending: Vec::new(),
            journaled: false,
            last_named: BTreeMap::new(),
            strangers: BTreeSet::new(),
        }
    }

    /// A tree after a power loss: all of it is durable, and `before` is what it was.
    pub(super) fn durable(nodes: BTreeMap<u64, Node>, before: &Tree) -> Self {
        Tree {
            nodes,
            next_node: before.next_node,
            journaled: before.journaled,
            strangers: before.strangers.clone(),
            ..Tree::new()
        }
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<u64> {
        let mut node = TOP;
        for component in path.components() {
            match component {
                Component::RootDir | Component::CurDir => {}
                Component::Normal(name) => {
                    node = *self
                        .directory(node)?
                        .entries
                        .get(name)
                        .ok_or_else(not_found)?;
                }
                _ => return Err(io::ErrorKind::InvalidInput.into()),
            }
        }
        Ok(node)
    }

    pub(super) fn last_named(&self, path: &Path) -> Option<u64> {
        self.last_named.get(path).copied()
    }

    pub(super) fn file(&self, node: u64) -> io::Result<&File> {
        match self.nodes.get(&node) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Directory(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(not_found()),
        }
    }

    fn file_mut(&mut self, node: u64) -> io::Result<&mut File> {
        match self.nodes.get_mut(&node) {
            Some(Node::File(file)) => Ok(file),
            _ => Err(not_found()),
        }
    }

    pub(super) fn directory(&self, node: u64) -> io::Result<&Directory> {
        match self.nodes.get(&node) {
            Some(Node::Directory(directory)) => Ok(directory),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(not_found()),
        }
    }

    pub(super) fn directory_mut(&mut self, node: u64) -> io::Result<&mut Directory> {
        match self.nodes.get_mut(&node) {
            Some(Node::Directory(directory)) => Ok(directory),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<u64> {
        let (parent, name) = parent_and_name(path)?;
        let parent = self.find(parent)?;
        if self.directory(parent)?.entries.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = self.next_node;
        self.next_node += 1;
        self.nodes.insert(number, node);
        self.set_entry(parent, name, Some(number))?;
        self.last_named.insert(path.to_owned(), number);
        Ok(number)
    }

    pub(super) fn create_file(&mut self, path: &Path, now: SystemTime) -> io::Result<u64> {
        let empty = Arc::new(Vec::new());
        let durable = Arc::clone(&empty);
        self.add(
            path,
            Node::File(File {
                content: empty,
                durable,
                mode: 0o644,
                modified: now,
            }),
        )
    }

    /// Makes a directory, which cannot be told from the last one of that name if it is a `double`.
    pub(super) fn create_directory(
        &mut self,
        path: &Path,
        now: SystemTime,
        double: bool,
    ) -> io::Result<()> {
        let last = self.last_named(path).filter(|_| double);
        let last = last.and_then(|last| Some(self.directory(last).ok()?.identity));
        let node = self.add(path, Node::Directory(Directory::default()))?;
        self.directory_mut(node)?.identity = last.unwrap_or((node, nanoseconds(now)));
        Ok(())
    }

    pub(super) fn append(&mut self, node: u64, bytes: &[u8], now: SystemTime) -> io::Result<()> {
        let file = self.file_mut(node)?;
        Arc::make_mut(&mut file.content).extend_from_slice(bytes);
        file.modified = now;
        self.changed = true;
        Ok(())
    }

    pub(super) fn set_mode(&mut self, node: u64, mode: u32) -> io::Result<()> {
        self.file_mut(node)?.mode = mode;
        Ok(())
    }

    pub(super) fn sync_file(&mut self, node: u64) -> io::Result<()> {
        let file = self.file_mut(node)?;
        file.durable = Arc::clone(&file.content);
        self.changed = true;
        Ok(())
    }

    /// Makes the content of every file durable, but no name, so that nobody relies on names.
    pub(super) fn sync_all_files(&mut self) {
        for node in self.nodes.values_mut() {
            if let Node::File(file) = node {
                file.durable = Arc::clone(&file.content);
            }
        }
        self.changed = true;
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.file(self.find(path)?)?;
        let (parent, name) = parent_and_name(path)?;
        self.set_entry(self.find(parent)?, name, None)
    }

    pub(super) fn remove_directory(&mut self, path: &Path) -> io::Result<()> {
        if !self.directory(self.find(path)?)?.entries.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let (parent, name) = parent_and_name(path)?;
        self.set_entry(self.find(parent)?, name, None)
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let directory = self.directory(self.find(path)?)?;
        let entry = |(name, node): (&OsString, &u64)| Entry {
            path: path.join(name),
            kind: match self.nodes.get(node) {
                Some(Node::Directory(_)) => EntryKind::Directory,
                _ => EntryKind::File,
            },
        };
        Ok(directory.entries.iter().map(entry).collect())
    }

    /// Gives what is at a path to the stranger, or takes it from him.
    pub(super) fn give(&mut self, path: &Path, to_stranger: bool) -> io::Result<()> {
        let node = self.find(path)?;
        match to_stranger {
            true => self.strangers.insert(node),
            false => self.strangers.remove(&node),
        };
        Ok(())
    }

    pub(super) fn is_strangers(&self, node: u64) -> bool {
        self.strangers.contains(&node)
    }

    pub(super) fn status(&self, device: u64, node: u64) -> io::Result<(EntryKind, FileStatus)> {
        let owner = self.is_strangers(node).then_some(Owner {
            user: STRANGER,
            group: STRANGER,
        });
        let identity = |(file, born)| Identity {
            device,
            file,
            born: Some(born),
        };
        Ok(match self.nodes.get(&node).ok_or_else(not_found)? {
            Node::File(file) => (
                EntryKind::File,
                FileStatus {
                    identity: identity((node, i128::from(node))),
                    len: file.content.len() as u64,
                    mode: file.mode,
                    owner,
                    modified: file.modified,
                },
            ),
            Node::Directory(directory) => (
                EntryKind::Directory,
                FileStatus {
                    identity: identity(directory.identity),
                    len: 0,
                    mode: 0o755,
                    owner,
                    // Names that come and go later do not count.
                    modified: SystemTime::UNIX_EPOCH
                        + Duration::from_nanos(directory.identity.1 as u64),
                },
            ),
        })
    }

    pub(super) fn put_durable(
        &mut self,
        path: &Path,
        content: &[u8],
        now: SystemTime,
    ) -> io::Result<()> {
        for directory in path
            .ancestors()
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            if directory.parent().is_some() && self.find(directory).is_err() {
                self.create_directory(directory, now, false)?;
            }
        }
        let node = self.create_file(path, now)?;
        self.append(node, content, now)?;
        self.sync_file(node)?;
        for directory in path.ancestors().skip(1) {
            self.sync_directory(self.find(directory)?)?;
        }
        self.changed = false;
        Ok(())
    }

    /// The paths of all files, and of all directories but the top.
    pub(super) fn walk(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        let mut pending = vec![(PathBuf::from("/"), TOP)];
        while let Some((path, node)) = pending.pop() {
            let Ok(directory) = self.directory(node) else {
                files.push(path);
                continue;
            };
            pending.extend(
                directory
                    .entries
                    .iter()
                    .map(|(name, node)| (path.join(name), *node)),
            );
            if node != TOP {
                directories.push(path);
            }
        }
        files.sort();
        directories.sort();
        (files, directories)
    }
}

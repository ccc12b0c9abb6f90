//! The system calls of the simulated disk.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::handles::SimDirectory;
use super::tree::STRANGER;
use super::{Lie, SimDisk};
use crate::disk::{
    Disk, DiskDirectory, DiskFile, Entry, EntryKind, FileStatus, Place, Project, PublishMode,
};

impl Disk for SimDisk {
    fn create_file(&self, path: &Path, _private: bool) -> io::Result<Box<dyn DiskFile>> {
        self.shared.call("create_file", path, |state| {
            let now = state.now();
            let node = state.tree.create_file(path, now)?;
            Ok(self.open(state, node))
        })
    }

    fn open_file(&self, path: &Path, _write: bool) -> io::Result<Box<dyn DiskFile>> {
        self.shared.call("open_file", path, |state| {
            let node = state.tree.find(path)?;
            state.tree.file(node)?;
            Ok(self.open(state, node))
        })
    }

    fn open_or_create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.shared.call("open_or_create_file", path, |state| {
            let now = state.now();
            let node = match state.tree.create_file(path, now) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    state.tree.find(path)?
                }
                created => created?,
            };
            Ok(self.open(state, node))
        })
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.shared.call("create_directory", path, |state| {
            let now = state.now();
            let double = state.lies(&Lie::SameDirectory);
            state.tree.create_directory(path, now, double)
        })
    }

    fn open_directory(&self, path: &Path) -> io::Result<Box<dyn DiskDirectory>> {
        self.shared.call("open_directory", path, |state| {
            let node = state.tree.find(path)?;
            state.tree.directory(node)?;
            let shared = Arc::clone(&self.shared);
            Ok(Box::new(SimDirectory {
                shared,
                node,
                path: path.to_owned(),
            }) as Box<dyn DiskDirectory>)
        })
    }

    fn rename(&self, from: &Path, to: &Path, mode: PublishMode) -> io::Result<()> {
        self.shared.call("rename", to, |state| {
            let replace = mode == PublishMode::Replace || state.lies(&Lie::Clobber);
            state.tree.rename(from, to, replace)
        })
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.shared.call("exchange", other, |state| {
            if state.exchanges {
                state.tree.exchange(one, other)
            } else {
                Err(io::ErrorKind::Unsupported.into())
            }
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.shared
            .call("remove_file", path, |state| state.tree.remove_file(path))
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.shared.call("remove_directory", path, |state| {
            state.tree.remove_directory(path)
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.shared.call("list", path, |state| {
            let entries = state.tree.list(path)?;
            Ok(if state.lies(&Lie::List(path.to_owned())) {
                Vec::new()
            } else {
                entries
            })
        })
    }

    fn status(&self, path: &Path) -> io::Result<Option<(EntryKind, FileStatus)>> {
        let device = self.shared.device;
        self.shared.call("status", path, |state| {
            let node = match state.tree.find(path) {
                Ok(node) => Some(node),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Err(_) if state.lies(&Lie::GhostStatus) => state.tree.last_named(path),
                Err(_) => None,
            };
            node.map(|node| state.tree.status(device, node)).transpose()
        })
    }

    fn place(&self, path: &Path) -> io::Result<Place> {
        self.shared.call("place", path, |state| {
            let node = state.tree.find(path)?;
            let (_, status) = state.tree.status(self.shared.device, node)?;
            Ok(Place {
                identity: status.identity,
                mount_root: path.parent().is_none(),
                mount: None,
            })
        })
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.shared.call("canonicalize", path, |state| {
            state.tree.find(path)?;
            Ok(path.components().collect())
        })
    }

    fn has_links(&self) -> bool {
        true
    }

    fn trusts_locks(&self, _path: &Path) -> bool {
        self.shared.state().trusts_locks
    }

    fn check_writable(&self, directory: &Path) -> io::Result<()> {
        self.shared.call("check_writable", directory, |state| {
            let node = state.tree.find(directory)?;
            state.tree.directory(node).map(drop)
        })
    }

    fn copy_group_and_read_mode(&self, _path: &Path, _model: &Path) -> io::Result<()> {
        Ok(())
    }

    fn check_removable(&self, path: &Path) -> io::Result<()> {
        // Its one user may remove everything.
        self.shared.call("check_removable", path, |_| Ok(()))
    }

    fn project(&self, directory: &Path) -> io::Result<Project> {
        self.shared.call("project", directory, |state| {
            state.tree.find(directory)?;
            Ok(Project::default())
        })
    }

    fn free_inodes(&self, path: &Path) -> io::Result<Option<u64>> {
        self.shared.call("free_inodes", path, |_| Ok(None))
    }

    fn free_descriptors(&self) -> Option<u64> {
        None
    }

    fn copy_group_and_mode(&self, _path: &Path, _model: &Path) -> io::Result<()> {
        Ok(())
    }

    fn inherit_permissions(&self, _path: &Path, _old: &Path) -> io::Result<()> {
        Ok(())
    }

    fn owner_is_trusted(&self, _path: &Path, _model: &Path) -> io::Result<bool> {
        Ok(true)
    }

    fn only_writers_can_change(&self, path: &Path, _model: &Path) -> io::Result<bool> {
        let state = self.shared.state();
        Ok(!state.tree.is_strangers(state.tree.find(path)?))
    }

    fn user(&self) -> Option<u32> {
        None
    }

    fn could_change(
        &self,
        user: u32,
        _by: &Path,
        _directory: &Path,
        _name: Option<&OsStr>,
    ) -> io::Result<bool> {
        Ok(user != STRANGER)
    }

    fn now(&self) -> SystemTime {
        self.shared.state().now()
    }
}

//! The operating system's disk, with somebody in the way: bytes that come back changed, calls that are
//! refused, and what others do right before or after a call.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use atomic_arrow::disk::{
    Disk, DiskDirectory, DiskFile, Entry, EntryKind, FileStatus, OsDisk, Place, Project,
    PublishMode,
};

type Hook = Arc<dyn Fn(&Path) -> io::Result<()> + Send + Sync>;

/// [`OsDisk`], and what is done right before some of its calls.
#[derive(Clone)]
pub(crate) struct Tampered {
    before_open: Hook,
    before_publish: Hook,
    before_remove: Hook,
    after_list: Hook,
    spelled: Arc<dyn Fn(&Path) -> PathBuf + Send + Sync>,
}

impl std::fmt::Debug for Tampered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tampered")
    }
}

impl Tampered {
    /// Does something to a file that exists, right before it is opened for reading.
    pub(crate) fn before_open(
        hook: impl Fn(&Path) -> io::Result<()> + Send + Sync + 'static,
    ) -> Arc<dyn Disk> {
        Arc::new(Tampered {
            before_open: Arc::new(hook),
            ..Tampered::idle()
        })
    }

    /// Does something right before a file is moved to a path, or refuses that.
    pub(crate) fn before_publish(
        hook: impl Fn(&Path) -> io::Result<()> + Send + Sync + 'static,
    ) -> Arc<dyn Disk> {
        Arc::new(Tampered {
            before_publish: Arc::new(hook),
            ..Tampered::idle()
        })
    }

    /// Does something right before a file is removed, or refuses that.
    pub(crate) fn before_remove(
        hook: impl Fn(&Path) -> io::Result<()> + Send + Sync + 'static,
    ) -> Arc<dyn Disk> {
        Arc::new(Tampered {
            before_remove: Arc::new(hook),
            ..Tampered::idle()
        })
    }

    /// Does something right after a directory is listed.
    pub(crate) fn after_list(
        hook: impl Fn(&Path) -> io::Result<()> + Send + Sync + 'static,
    ) -> Arc<dyn Disk> {
        Arc::new(Tampered {
            after_list: Arc::new(hook),
            ..Tampered::idle()
        })
    }

    /// A file system that takes names for one which differ in upper and lower case only.
    pub(crate) fn folding_case() -> Arc<dyn Disk> {
        Arc::new(Tampered {
            spelled: Arc::new(as_it_is_there),
            ..Tampered::idle()
        })
    }

    fn idle() -> Self {
        Tampered {
            before_open: Arc::new(|_| Ok(())),
            before_publish: Arc::new(|_| Ok(())),
            before_remove: Arc::new(|_| Ok(())),
            after_list: Arc::new(|_| Ok(())),
            spelled: Arc::new(Path::to_owned),
        }
    }
}

impl Disk for Tampered {
    fn create_file(&self, path: &Path, private: bool) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.create_file(&(self.spelled)(path), private)
    }

    fn open_file(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>> {
        if !write {
            (self.before_open)(path)?;
        }
        OsDisk.open_file(&(self.spelled)(path), write)
    }

    fn open_or_create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.open_or_create_file(&(self.spelled)(path))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_directory(&(self.spelled)(path))
    }

    fn open_directory(&self, path: &Path) -> io::Result<Box<dyn DiskDirectory>> {
        OsDisk.open_directory(&(self.spelled)(path))
    }

    fn rename(&self, from: &Path, to: &Path, mode: PublishMode) -> io::Result<()> {
        (self.before_publish)(to)?;
        OsDisk.rename(&(self.spelled)(from), &(self.spelled)(to), mode)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        (self.before_publish)(other)?;
        OsDisk.exchange(&(self.spelled)(one), &(self.spelled)(other))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        (self.before_remove)(path)?;
        OsDisk.remove_file(&(self.spelled)(path))
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove_directory(&(self.spelled)(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let entries = OsDisk.list(&(self.spelled)(path))?;
        (self.after_list)(path)?;
        Ok(entries)
    }

    fn status(&self, path: &Path) -> io::Result<Option<(EntryKind, FileStatus)>> {
        OsDisk.status(&(self.spelled)(path))
    }

    fn place(&self, path: &Path) -> io::Result<Place> {
        OsDisk.place(&(self.spelled)(path))
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let real = OsDisk.canonicalize(&(self.spelled)(path))?;
        // Names are left as they are given, as Linux does.
        let is_path = real.as_os_str().eq_ignore_ascii_case(path.as_os_str());
        Ok(if is_path { path.to_owned() } else { real })
    }

    fn trusts_locks(&self, path: &Path) -> bool {
        OsDisk.trusts_locks(&(self.spelled)(path))
    }

    fn copy_group_and_read_mode(&self, path: &Path, model: &Path) -> io::Result<()> {
        OsDisk.copy_group_and_read_mode(&(self.spelled)(path), &(self.spelled)(model))
    }

    fn check_writable(&self, directory: &Path) -> io::Result<()> {
        OsDisk.check_writable(&(self.spelled)(directory))
    }

    fn check_removable(&self, path: &Path) -> io::Result<()> {
        OsDisk.check_removable(&(self.spelled)(path))
    }

    fn project(&self, directory: &Path) -> io::Result<Project> {
        OsDisk.project(&(self.spelled)(directory))
    }

    fn free_inodes(&self, path: &Path) -> io::Result<Option<u64>> {
        OsDisk.free_inodes(&(self.spelled)(path))
    }

    fn free_descriptors(&self) -> Option<u64> {
        OsDisk.free_descriptors()
    }

    fn copy_group_and_mode(&self, path: &Path, model: &Path) -> io::Result<()> {
        OsDisk.copy_group_and_mode(&(self.spelled)(path), &(self.spelled)(model))
    }

    fn succeed(&self, path: &Path, old: &Path) -> io::Result<()> {
        OsDisk.succeed(&(self.spelled)(path), &(self.spelled)(old))
    }

    fn owner_is_trusted(&self, path: &Path, model: &Path) -> io::Result<bool> {
        OsDisk.owner_is_trusted(&(self.spelled)(path), &(self.spelled)(model))
    }

    fn only_writers_can_change(&self, path: &Path, model: &Path) -> io::Result<bool> {
        OsDisk.only_writers_can_change(&(self.spelled)(path), &(self.spelled)(model))
    }

    fn user(&self) -> Option<u32> {
        OsDisk.user()
    }

    fn could_change(
        &self,
        user: u32,
        by: &Path,
        directory: &Path,
        name: Option<&OsStr>,
    ) -> io::Result<bool> {
        OsDisk.could_change(user, by, directory, name)
    }

    fn now(&self) -> SystemTime {
        OsDisk.now()
    }
}

/// A path as the names on it are spelled that are there.
fn as_it_is_there(path: &Path) -> PathBuf {
    let mut spelled = PathBuf::new();
    for part in path.components() {
        let name = part.as_os_str();
        let entries = std::fs::read_dir(&spelled).into_iter().flatten().flatten();
        let same = |other: &OsString| other.eq_ignore_ascii_case(name);
        let there = entries.map(|entry| entry.file_name()).find(same);
        spelled.push(there.unwrap_or_else(|| name.to_owned()));
    }
    spelled
}

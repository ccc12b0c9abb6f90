//! A disk wrapper with which a test watches and changes each call.
//!
//! [`Tap`] stands between the library and any [`Disk`], simulated or real. A [`Watch`] is told of
//! every call before it is made and may let it pass, make it fail, or let it be answered without being
//! done; afterwards it may lose the answer. Faults, mutations, power cuts, clocks and other processes are all
//! watches. What a call does when it passes is the disk's behind it.

mod handles;
mod watch;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::{
    Disk, DiskDirectory, DiskFile, Entry, EntryKind, FileStatus, Place, Project, PublishMode,
};
use handles::{TapDirectory, TapFile, Watched};
pub use watch::{Call, Trust, Verb, Verdict, Watch};

/// A disk with a [`Watch`] on it.
///
/// ```
/// use std::io::Write as _;
/// use std::sync::Arc;
/// use atomic_arrow::disk::OsDisk;
/// use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
/// use atomic_arrow::{AtomicFile, FileOptions, Outcome};
///
/// /// No file can be synced.
/// #[derive(Debug)]
/// struct Broken;
///
/// impl Watch for Broken {
///     fn before(&self, call: &Call) -> Verdict {
///         match call.verb {
///             Verb::SyncFile => Verdict::Fail(5), // EIO
///             _ => Verdict::Pass,
///         }
///     }
/// }
///
/// let lake = tempfile::tempdir()?;
/// let path = lake.path().join("data.json");
/// let options = FileOptions::new().disk(Tap::on(Arc::new(OsDisk), Arc::new(Broken)));
/// let mut file = AtomicFile::create_with_options(&path, options)?;
/// file.write_all(b"{}")?;
/// assert_eq!(file.commit().unwrap_err().outcome(), Outcome::NotPublished);
/// assert!(!path.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tap {
    disk: Arc<dyn Disk>,
    watch: Arc<dyn Watch>,
}

impl Tap {
    /// Puts a watch on a disk.
    #[must_use]
    pub fn on(disk: Arc<dyn Disk>, watch: Arc<dyn Watch>) -> Arc<dyn Disk> {
        Arc::new(Tap { disk, watch })
    }

    fn watched(&self, path: &Path) -> Watched {
        Watched {
            path: path.to_owned(),
            watch: Arc::clone(&self.watch),
        }
    }

    fn file(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(TapFile {
            file,
            watched: self.watched(path),
            written: 0,
        })
    }
}

fn watched<T>(
    watch: &dyn Watch,
    verb: Verb,
    path: &Path,
    from: Option<&Path>,
    pretended: Option<T>,
    make: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let call = Call {
        verb,
        path: path.to_owned(),
        from: from.map(Path::to_owned),
    };
    match (watch.before(&call), pretended) {
        (Verdict::Fail(errno), _) => return Err(io::Error::from_raw_os_error(errno)),
        (Verdict::Pretend, Some(answer)) => return Ok(answer),
        _ => {}
    }
    let answer = make()?;
    match watch.after(&call) {
        Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        None => Ok(answer),
    }
}

impl Tap {
    fn leads(&self, verb: Verb, path: &Path) -> PathBuf {
        self.watch.leads(verb, path)
    }

    fn call<T>(
        &self,
        verb: Verb,
        path: &Path,
        make: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        watched(self.watch.as_ref(), verb, path, None, None, make)
    }
}

impl Disk for Tap {
    fn create_file(&self, path: &Path, private: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = self.call(Verb::CreateFile, path, || {
            self.disk
                .create_file(&self.leads(Verb::CreateFile, path), private)
        })?;
        Ok(self.file(path, file))
    }

    fn open_file(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = self.call(Verb::OpenFile, path, || {
            self.disk
                .open_file(&self.leads(Verb::OpenFile, path), write)
        })?;
        Ok(self.file(path, file))
    }

    fn open_or_create_file(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.call(Verb::OpenOrCreateFile, path, || {
            self.disk
                .open_or_create_file(&self.leads(Verb::OpenOrCreateFile, path))
        })?;
        Ok(self.file(path, file))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.call(Verb::CreateDirectory, path, || {
            self.disk
                .create_directory(&self.leads(Verb::CreateDirectory, path))
        })
    }

    fn open_directory(&self, path: &Path) -> io::Result<Box<dyn DiskDirectory>> {
        let directory = self.call(Verb::OpenDirectory, path, || {
            self.disk
                .open_directory(&self.leads(Verb::OpenDirectory, path))
        })?;
        Ok(Box::new(TapDirectory {
            directory,
            watched: self.watched(path),
        }))
    }

    fn rename(&self, from: &Path, to: &Path, mode: PublishMode) -> io::Result<()> {
        let watch = self.watch.as_ref();
        watched(watch, Verb::Rename, to, Some(from), None, || {
            let (from, at) = (self.leads(Verb::Rename, from), self.leads(Verb::Rename, to));
            self.disk.rename(&from, &at, watch.mode(to, mode))
        })
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        let watch = self.watch.as_ref();
        watched(watch, Verb::Exchange, other, Some(one), None, || {
            let (one, other) = (
                self.leads(Verb::Exchange, one),
                self.leads(Verb::Exchange, other),
            );
            self.disk.exchange(&one, &other)
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.call(Verb::RemoveFile, path, || {
            self.disk.remove_file(&self.leads(Verb::RemoveFile, path))
        })
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.call(Verb::RemoveDirectory, path, || {
            self.disk
                .remove_directory(&self.leads(Verb::RemoveDirectory, path))
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let leads = self.leads(Verb::List, path);
        let mut entries = self.call(Verb::List, path, || self.disk.list(&leads))?;
        for entry in &mut entries {
            entry.path = path.join(entry.path.file_name().unwrap_or_default());
        }
        Ok(self.watch.listed(path, entries))
    }

    fn status(&self, path: &Path) -> io::Result<Option<(EntryKind, FileStatus)>> {
        let leads = self.leads(Verb::Status, path);
        let found = self.call(Verb::Status, path, || self.disk.status(&leads))?;
        let answer = |(kind, status)| {
            let kind = self.watch.kind(path, kind);
            (kind, self.watch.known(path, status))
        };
        Ok(found.map(answer))
    }

    fn place(&self, path: &Path) -> io::Result<Place> {
        let leads = self.leads(Verb::Place, path);
        let place = self.call(Verb::Place, path, || self.disk.place(&leads))?;
        Ok(self.watch.placed(path, place))
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let leads = self.leads(Verb::Canonicalize, path);
        let found = self.call(Verb::Canonicalize, path, || self.disk.canonicalize(&leads))?;
        Ok(match leads == path {
            true => found,
            // Of another path to the same place.
            false => path.components().collect(),
        })
    }

    fn has_links(&self) -> bool {
        self.disk.has_links()
    }

    fn trusts_locks(&self, path: &Path) -> bool {
        self.disk.trusts_locks(&self.leads(Verb::Place, path))
    }

    fn check_writable(&self, directory: &Path) -> io::Result<()> {
        let leads = self.leads(Verb::CheckWritable, directory);
        let watch = self.watch.as_ref();
        watched(
            watch,
            Verb::CheckWritable,
            directory,
            None,
            Some(()),
            || self.disk.check_writable(&leads),
        )
    }

    fn copy_group_and_read_mode(&self, path: &Path, model: &Path) -> io::Result<()> {
        self.call(Verb::CopyPermissions, path, || {
            let (path, model) = (
                self.leads(Verb::CopyPermissions, path),
                self.leads(Verb::CopyPermissions, model),
            );
            self.disk.copy_group_and_read_mode(&path, &model)
        })
    }

    fn check_removable(&self, path: &Path) -> io::Result<()> {
        let leads = self.leads(Verb::CheckRemovable, path);
        let watch = self.watch.as_ref();
        watched(watch, Verb::CheckRemovable, path, None, Some(()), || {
            self.disk.check_removable(&leads)
        })
    }

    fn project(&self, directory: &Path) -> io::Result<Project> {
        let leads = self.leads(Verb::Place, directory);
        let project = self.call(Verb::Place, directory, || self.disk.project(&leads))?;
        Ok(self.watch.project(directory, project))
    }

    fn free_inodes(&self, path: &Path) -> io::Result<Option<u64>> {
        let leads = self.leads(Verb::Place, path);
        let free = self.call(Verb::Place, path, || self.disk.free_inodes(&leads))?;
        Ok(self.watch.free_inodes(free))
    }

    fn free_descriptors(&self) -> Option<u64> {
        self.watch.free_descriptors(self.disk.free_descriptors())
    }

    fn copy_group_and_mode(&self, path: &Path, model: &Path) -> io::Result<()> {
        self.call(Verb::CopyPermissions, path, || {
            let (path, model) = (
                self.leads(Verb::CopyPermissions, path),
                self.leads(Verb::CopyPermissions, model),
            );
            self.disk.copy_group_and_mode(&path, &model)
        })
    }

    fn inherit_permissions(&self, path: &Path, old: &Path) -> io::Result<()> {
        self.call(Verb::CopyPermissions, path, || {
            let (path, old) = (
                self.leads(Verb::CopyPermissions, path),
                self.leads(Verb::CopyPermissions, old),
            );
            self.disk.inherit_permissions(&path, &old)
        })
    }

    fn owner_is_trusted(&self, path: &Path, model: &Path) -> io::Result<bool> {
        let (path, model) = (
            self.leads(Verb::Status, path),
            self.leads(Verb::Status, model),
        );
        let question = Trust::OwnerIsTrusted(&path, &model);
        self.watch.trusts(question, self.disk.as_ref())
    }

    fn only_writers_can_change(&self, path: &Path, model: &Path) -> io::Result<bool> {
        let (path, model) = (
            self.leads(Verb::Status, path),
            self.leads(Verb::Status, model),
        );
        let question = Trust::OnlyWritersCanChange(&path, &model);
        self.watch.trusts(question, self.disk.as_ref())
    }

    fn user(&self) -> Option<u32> {
        self.disk.user()
    }

    fn could_change(
        &self,
        user: u32,
        by: &Path,
        directory: &Path,
        name: Option<&OsStr>,
    ) -> io::Result<bool> {
        let leads = self.leads(Verb::Status, directory);
        let question = Trust::CouldChange {
            user,
            by,
            directory: &leads,
            name,
        };
        self.watch.trusts(question, self.disk.as_ref())
    }

    fn now(&self) -> SystemTime {
        self.disk.now()
    }
}

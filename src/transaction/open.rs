//! Opening a data set: which backend it has, and what dead writers left there.
//!
//! No other file of the protocol names an implementation of [`Backend`].

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::recovery::{Recovered, recover_unless};
use super::settle::{Affected, settle_and_lock};
use super::waiting;
#[cfg(feature = "object_store")]
use crate::backend::RemoteBackend;
use crate::backend::{Backend, LocalBackend, Lock};
use crate::disk::{Disk, LockKind};
#[cfg(feature = "object_store")]
use crate::error::Error;
use crate::error::Result;
use crate::location::Location;
use crate::options::{Interrupt, StagingPlace, SyncPolicy};
use crate::staging::{Area, Home, home_of_root};
use crate::store::Store;

/// A data set as a caller names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// Its root, or a partition of it.
    pub(crate) root: &'a Location,
    pub(crate) staging: &'a StagingPlace,
    /// Asked while a lock is waited for.
    pub(crate) interrupt: &'a Interrupt,
    /// Whether a named write of which no file is there any more counts as not committed.
    pub(crate) rewrite_missing: bool,
    /// How the directories are synced into which much is published.
    pub(crate) sync: SyncPolicy,
}

impl Target<'_> {
    /// Opens the data set for writing: makes its staging area, and finishes or removes what dead writers left there, as
    /// far as that can be done. The rest is for the next writer, or for [`recover`](crate::recover), which says why.
    pub(crate) fn open(&self) -> Result<Arc<dyn Backend>> {
        if let Some(store) = &self.root.store {
            let backend = self.in_store(store)?;
            recover_rest(backend.as_ref(), SystemTime::now());
            return Ok(backend);
        }
        let area = open_area(&self.root.disk, self.home()?)?;
        Ok(Arc::new(self.backend(area)))
    }

    /// The data set as it is: nothing is made, changed or recovered.
    pub(crate) fn find(&self) -> Result<Arc<dyn Backend>> {
        if let Some(store) = &self.root.store {
            return self.in_store(store);
        }
        let (home, disk) = (self.home()?, &self.root.disk);
        let first = home.all_areas(disk.as_ref()).into_iter().next();
        let path = first.unwrap_or_else(|| home.root().to_owned());
        Ok(Arc::new(self.backend(Area::at(disk, home, path))))
    }

    /// The data set in an object store, where there is one place to stage.
    #[cfg(feature = "object_store")]
    fn in_store(&self, store: &Arc<Store>) -> Result<Arc<dyn Backend>> {
        if *self.staging != StagingPlace::Auto {
            return Err(Error::InvalidOption {
                option: "staging",
                reason: "is chosen on a disk alone: in an object store files are staged beside the data set".to_owned(),
            });
        }
        let backend = RemoteBackend::new(store, &self.root.path, self.interrupt)?;
        Ok(Arc::new(backend.rewrite_missing(self.rewrite_missing)))
    }

    #[cfg(not(feature = "object_store"))]
    fn in_store(&self, store: &Arc<Store>) -> Result<Arc<dyn Backend>> {
        match **store {}
    }

    fn home(&self) -> Result<Home> {
        let home = home_of_root(self.root.disk.as_ref(), &self.root.path, self.staging)?;
        Ok(home.interrupted_by(self.interrupt.clone()))
    }

    fn backend(&self, area: Area) -> LocalBackend {
        let backend = LocalBackend::new(area).rewrite_missing(self.rewrite_missing);
        backend.syncing(self.sync)
    }
}

/// Opens the staging area of a data set, or of a lone file, for writing: what dead writers left there
/// is finished or removed first. What cannot be is for the next one, or for
/// [`recover`](crate::recover), which says why.
pub(crate) fn open_area(disk: &Arc<dyn Disk>, home: Home) -> Result<Area> {
    let area = Area::open(disk, home)?;
    if area.home().is_data_set() {
        let (backend, now) = (LocalBackend::new(area.clone()), disk.now());
        recover_rest(&backend, now);
        for neighbour in backend.neighbours().unwrap_or_default() {
            recover_rest(neighbour.as_ref(), now);
        }
    }
    Ok(area)
}

/// Recovers what can be, but for what was found waiting for another process a moment ago.
fn recover_rest(backend: &dyn Backend, now: SystemTime) {
    let passed_over = |id| waiting::is_known(id, now) || backend.is_recent(id);
    let recovered = recover_unless(backend, (false, false), &passed_over, &mut || {});
    let Ok(recovered) = recovered else {
        return;
    };
    for (id, recovered) in recovered.transactions {
        if let Ok(Recovered::Waiting(keep)) = recovered {
            waiting::remember(id, now, keep);
        }
    }
}

/// Keeps a file that is published by itself from getting lost in an exchange of its directory.
pub(crate) fn lock_for_publishing(area: &Area, path: &Path) -> Result<Option<Lock>> {
    if !area.home().is_data_set() {
        return Ok(None);
    }
    let directory = path.parent().unwrap_or(path);
    let below = directory.strip_prefix(area.home().root());
    let affected = Affected {
        directories: vec![below.unwrap_or(Path::new(""))],
        name: None,
    };
    let backend = LocalBackend::new(area.clone());
    settle_and_lock(&backend, LockKind::Shared, None, &affected).map(Some)
}

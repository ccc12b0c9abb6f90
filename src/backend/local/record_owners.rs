//! Trust in records (promise P12): a record never does more than the users who own it could do themselves.
//!
//! The process's own user, root and the owner of the data set's root are trusted with all of it. Others are
//! asked for, directory by directory, by the permissions at the time of use. The groups of another
//! user are known only from where his files stand: in a directory in which only members of a group can make names.
//!
//! Whether the control directory is trusted is another question, which `staging/renewal.rs` asks: its lock and its
//! markers stand for all writers of a root, so everybody who can change it must be one of them, whoever owns it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::LocalBackend;
use crate::backend::Backend as _;
use crate::disk::{EntryKind, FileStatus, Owner};
use crate::error::{Error, Result};
use crate::receipt::CommitMode;
use crate::record::{Plan, StagedRecord};
use crate::staging::{Control, is_area_name};

/// Mode bit of a directory in which only the owner of a name, or of the directory, removes it.
const STICKY: u32 = 0o1000;

/// The users who own a record or its directory, without those who are trusted with everything.
#[derive(Debug, Default)]
pub(super) struct UntrustedOwners(Vec<RecordOwner>);

#[derive(Debug)]
struct RecordOwner {
    /// A file or directory that the user owns.
    path: PathBuf,
    user: u32,
}

/// A change that acting upon a record makes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// New names appear in a directory, or in the one above it if it is missing.
    In(PathBuf),
    /// A name is removed, or replaced by something else.
    Of(PathBuf),
    /// A directory is removed with all that is in it.
    Whole(PathBuf),
}

impl UntrustedOwners {
    /// Whether there are none: all owners are trusted.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether another user is this one, or root.
fn acts_as(user: Option<u32>, other: u32) -> bool {
    other == 0 || user.is_none_or(|user| user == other)
}

impl LocalBackend {
    /// Adds the owners of these files or directories.
    pub(super) fn owners_of(&self, owners: &mut UntrustedOwners, paths: &[&Path]) -> Result<()> {
        let mut owned = Vec::new();
        for &path in paths {
            let found = self.look(path)?;
            owned.extend(found.and_then(|found| Some((path, found.owner?))));
        }
        self.add_owners(owners, owned)
    }

    /// Adds owners of files or directories. The first path of each user is kept: where it stands shows his groups.
    pub(super) fn add_owners<'a>(
        &self,
        owners: &mut UntrustedOwners,
        owned: impl IntoIterator<Item = (&'a Path, Owner)>,
    ) -> Result<()> {
        let mut trusted = None;
        for (path, owner) in owned {
            let is_known = || owners.0.iter().any(|known| known.user == owner.user);
            if acts_as(self.disk.user(), owner.user) || trusted == Some(owner.user) || is_known() {
                continue;
            }
            let root = self.look(&self.root)?.and_then(|root| root.owner);
            if root.is_some_and(|root| root.user == owner.user) {
                trusted = Some(owner.user);
                continue;
            }
            let (path, user) = (path.to_owned(), owner.user);
            owners.0.push(RecordOwner { path, user });
        }
        Ok(())
    }

    /// Whether the owner of a marker could himself change an area that is not the data set's, and remove a transaction
    /// in it. The owner of the data set's root is trusted with the data set only.
    pub(super) fn is_of_area(&self, marker: &Path, area: &Path, place: &Path) -> Result<bool> {
        let Some(owner) = self.look(marker)?.and_then(|found| found.owner) else {
            return Ok(true);
        };
        if acts_as(self.disk.user(), owner.user) {
            return Ok(true);
        }
        let (path, user) = (marker.to_owned(), owner.user);
        let owners = UntrustedOwners(vec![RecordOwner { path, user }]);
        let changes = [Change::In(area.to_owned()), Change::Whole(place.to_owned())];
        match self.check_owners(&owners, || changes.into()) {
            Err(Error::Distrusted { .. }) => Ok(false),
            checked => checked.map(|()| true),
        }
    }

    pub(super) fn look(&self, path: &Path) -> Result<Option<FileStatus>> {
        let found = self.disk.status(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(found.map(|(_, found)| found))
    }

    /// Whether a file in a control directory belongs to somebody who may write there.
    pub(super) fn is_of_writer(&self, control: &Control, path: &Path) -> Result<bool> {
        match self.check_writer(control, path) {
            Err(Error::Distrusted { .. }) => Ok(false),
            checked => checked.map(|()| true),
        }
    }

    /// Refuses a file in a control directory that belongs to somebody else.
    pub(super) fn check_writer(&self, control: &Control, path: &Path) -> Result<()> {
        let stranger = control.stranger_of(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        match stranger {
            None => Ok(()),
            Some(user) => Err(Error::Distrusted {
                path: path.to_owned(),
                user,
                target: control.root().to_owned(),
            }),
        }
    }

    /// Refuses changes that one of the owners could not make himself.
    ///
    /// # Errors
    /// [`Error::Distrusted`] names him, and what he may not change.
    pub(super) fn check_owners(
        &self,
        owners: &UntrustedOwners,
        changes: impl FnOnce() -> BTreeSet<Change>,
    ) -> Result<()> {
        if owners.is_empty() {
            return Ok(());
        }
        let changes = changes();
        for record_owner in &owners.0 {
            for change in &changes {
                let refused = match change {
                    Change::In(directory) => self.refused(record_owner, directory, None)?,
                    Change::Of(path) => self.refused(record_owner, path, Some(path))?,
                    Change::Whole(directory) => self.refused_below(record_owner, directory)?,
                };
                if let Some(target) = refused {
                    return Err(Error::Distrusted {
                        path: record_owner.path.clone(),
                        user: record_owner.user,
                        target,
                    });
                }
            }
        }
        Ok(())
    }

    /// The target itself, if the record_owner may not change it.
    fn refused(
        &self,
        record_owner: &RecordOwner,
        target: &Path,
        entry: Option<&Path>,
    ) -> Result<Option<PathBuf>> {
        let (directory, name) = match entry {
            Some(entry) => (entry.parent().unwrap_or(entry), entry.file_name()),
            None => (target, None),
        };
        let could = self
            .disk
            .could_change(record_owner.user, &record_owner.path, directory, name);
        match could {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(target.to_owned())),
            // A link or a file is in the way of him too.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Ok(Some(target.to_owned()))
            }
            Err(source) => Err(Error::Read {
                path: directory.to_owned(),
                source,
            }),
        }
    }

    /// The first directory or name below a directory, itself among them, that the record_owner may not change.
    fn refused_below(&self, record_owner: &RecordOwner, top: &Path) -> Result<Option<PathBuf>> {
        if let Some(refused) = self.refused(record_owner, top, Some(top))? {
            return Ok(Some(refused));
        }
        // What is kept in an area moves along, or is for whoever may write in the root.
        self.refused_within(record_owner, top, is_area_name)
    }

    /// The first directory or name in a directory that the record_owner may not change, or the directory itself.
    fn refused_within(
        &self,
        record_owner: &RecordOwner,
        top: &Path,
        is_left_out: fn(&Path) -> bool,
    ) -> Result<Option<PathBuf>> {
        let mut pending = vec![top.to_owned()];
        while let Some(directory) = pending.pop() {
            let reading = |source| Error::Read {
                path: directory.clone(),
                source,
            };
            let entries = match self.disk.list(&directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(reading)?,
            };
            if let Some(refused) = self.refused(record_owner, &directory, None)? {
                return Ok(Some(refused));
            }
            let found = self.look(&directory)?;
            let sticky = found.is_some_and(|found| found.mode & STICKY > 0);
            for entry in entries {
                if is_left_out(&entry.path) {
                    continue;
                }
                if sticky
                    && let Some(refused) =
                        self.refused(record_owner, &entry.path, Some(&entry.path))?
                {
                    return Ok(Some(refused));
                }
                if entry.kind == EntryKind::Directory {
                    pending.push(entry.path);
                }
            }
        }
        Ok(None)
    }

    /// Refuses to remove the directory of a transaction if its owner has moved something into it that he could not
    /// remove himself.
    ///
    /// # Errors
    /// [`Error::NotRemoved`] names it.
    pub(super) fn check_removable_whole(&self, directory: &Path) -> Result<()> {
        // The owner of the root is trusted with the data set, and this may be from elsewhere.
        let owner = self.look(directory)?.and_then(|found| found.owner);
        let Some(owner) = owner.filter(|owner| !acts_as(self.disk.user(), owner.user)) else {
            return Ok(());
        };
        let (path, user) = (directory.to_owned(), owner.user);
        match self.refused_within(&RecordOwner { path, user }, directory, |_| false)? {
            None => Ok(()),
            Some(path) => {
                let reason = format!(
                    "user {user} has put it into the directory of a transaction, and may not remove it"
                );
                let source = io::Error::new(io::ErrorKind::PermissionDenied, reason);
                Err(Error::NotRemoved { path, source })
            }
        }
    }

    /// Refuses a decided plan that one of its owners could not carry out himself.
    pub(super) fn check_plan(&self, owners: &UntrustedOwners, plan: &Plan) -> Result<()> {
        self.check_owners(owners, || {
            let above = |path: &Path| path.parent().unwrap_or(path).to_owned();
            let root = &self.root;
            let mut changes = BTreeSet::new();
            let files = plan.files.iter();
            changes.extend(files.map(|file| Change::In(above(&root.join(&file.path)))));
            for exchange in &plan.exchanges {
                // Also where the path is empty, no separator is at its end.
                let path: PathBuf = root.join(&exchange.path).components().collect();
                changes.insert(Change::In(above(&path)));
                changes.insert(Change::Whole(path));
                // What was there before is removed from here.
                let old = self.place(plan.transaction).join(&exchange.staged);
                changes.insert(Change::Whole(old));
            }
            let removed = plan.removed.iter();
            changes.extend(removed.map(|removal| Change::Of(root.join(&removal.path))));
            if let Some(success_file) = plan.success_file() {
                let path = root.join(success_file);
                changes.insert(Change::In(above(&path)));
                changes.insert(Change::Of(path));
            }
            if let Some(name) = plan.name() {
                let (receipt, markers) = self.receipt_and_markers(&plan.scope, &name);
                changes.insert(Change::Of(receipt));
                changes.insert(Change::In(markers));
            }
            changes
        })
    }

    /// Refuses what is staged for another to commit if one of its owners could not commit it himself.
    pub(super) fn check_staged(
        &self,
        owners: &UntrustedOwners,
        record: &StagedRecord,
    ) -> Result<()> {
        self.check_owners(owners, || {
            let scope: PathBuf = self.root.join(&record.scope).components().collect();
            let partitions = record.files.iter();
            let mut directories: BTreeSet<PathBuf> = partitions
                .map(|file| scope.join(file.file().partition().path()))
                .collect();
            if record.mode == CommitMode::Overwrite {
                directories = [scope].into();
            }
            let change = |directory| match record.mode {
                CommitMode::Append
                | CommitMode::ErrorIfExists
                | CommitMode::ErrorIfAnyExists
                | CommitMode::Ignore => Change::In(directory),
                CommitMode::OverwritePartitions | CommitMode::Overwrite => Change::Whole(directory),
            };
            directories.into_iter().map(change).collect()
        })
    }
}

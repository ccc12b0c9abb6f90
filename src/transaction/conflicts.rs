//! The check for conflicting commits, and the layout that a commit's mode makes of staged files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use twox_hash::XxHash3_128;

use crate::backend::Backend;
use crate::disk::LockKind;
use crate::error::{Error, Result};
use crate::partition::Partition;
use crate::presence::Counted;
use crate::receipt::{CommitMode, WriteName};
use crate::record::{Exchange, Fingerprint, Layout, Move, Removal, Seen, StagedRecord};
use crate::table_format::TableFormat;

impl CommitMode {
    /// The lock under which a commit looks and decides: exclusive where what is there may not change between the two.
    pub(crate) fn lock_kind(self, name: Option<&WriteName>) -> LockKind {
        match self {
            CommitMode::Append if name.is_none() => LockKind::Shared,
            _ => LockKind::Exclusive,
        }
    }
}

/// One staged file: its name in the transaction, its directory in the data set, its final name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StagedName {
    pub(crate) staged: PathBuf,
    pub(crate) directory: PathBuf,
    pub(crate) name: String,
}

/// Finds conflicts: the files that stood in each directory when a write first looked, to compare with those
/// that stand there when it commits.
#[derive(Debug)]
pub(crate) struct ConflictCheck {
    mode: CommitMode,
    /// The directory that the caller named, below the data set's root.
    scope: PathBuf,
    /// Whether tables of other formats in what is replaced may be destroyed.
    overwrite_table: bool,
    before: Mutex<HashMap<PathBuf, String>>,
}

impl ConflictCheck {
    /// Looks at the data set as the write begins.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a table of another format would be overwritten, and may not be.
    pub(crate) fn begin(
        backend: &dyn Backend,
        mode: CommitMode,
        scope: &Path,
        overwrite_table: bool,
    ) -> Result<Self> {
        let conflicts = ConflictCheck {
            mode,
            scope: scope.to_owned(),
            overwrite_table,
            before: Mutex::default(),
        };
        if mode == CommitMode::Overwrite {
            conflicts.look(backend, scope)?;
        }
        Ok(conflicts)
    }

    /// What several writes that are committed together have seen.
    pub(crate) fn joined(backend: &dyn Backend, records: &[StagedRecord]) -> Result<Option<Self>> {
        let Some(first) = records.first() else {
            return Ok(None);
        };
        let mut before = HashMap::new();
        for seen in records.iter().flat_map(|record| &record.before) {
            let fingerprint = &seen.fingerprint;
            match before.insert(seen.directory.clone(), fingerprint.clone()) {
                Some(other) if other != *fingerprint => {
                    return Err(changed(backend, &seen.directory));
                }
                _ => {}
            }
        }
        Ok(Some(ConflictCheck {
            mode: first.mode,
            scope: first.scope.clone(),
            overwrite_table: records.iter().all(|record| record.overwrite_table),
            before: Mutex::new(before),
        }))
    }

    /// The fingerprints that it has seen, in order of directories.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = before.iter().map(|(directory, fingerprint)| Seen {
            directory: directory.clone(),
            fingerprint: fingerprint.clone(),
        });
        let mut seen: Vec<Seen> = seen.collect();
        seen.sort_by(|a, b| a.directory.cmp(&b.directory));
        seen
    }

    pub(crate) fn mode(&self) -> CommitMode {
        self.mode
    }

    pub(crate) fn scope(&self) -> &Path {
        &self.scope
    }

    /// Whether tables of other formats in what is replaced may be destroyed.
    pub(crate) fn overwrite_table(&self) -> bool {
        self.overwrite_table
    }

    /// Where a partition's files go, below the data set's root.
    pub(crate) fn directory(&self, partition: &Partition) -> PathBuf {
        match self.scope.as_os_str().is_empty() {
            true => partition.path(),
            false => self.scope.join(partition.path()),
        }
    }

    /// The directories that a commit of these files changes, below the data set's root.
    pub(super) fn affected<'a>(&'a self, staged: &'a [StagedName]) -> Vec<&'a Path> {
        match self.mode {
            CommitMode::ErrorIfAnyExists | CommitMode::Ignore | CommitMode::Overwrite => {
                vec![&self.scope]
            }
            CommitMode::Append | CommitMode::ErrorIfExists | CommitMode::OverwritePartitions => {
                let directories: BTreeSet<&Path> =
                    staged.iter().map(|file| file.directory.as_path()).collect();
                directories.into_iter().collect()
            }
        }
    }

    /// Looks at a partition's directory as the write gets its first row.
    pub(crate) fn touch(&self, backend: &dyn Backend, partition: &Partition) -> Result<()> {
        match self.mode {
            CommitMode::OverwritePartitions => self.look(backend, &self.directory(partition)),
            _ => Ok(()),
        }
    }

    /// Refuses a data set that has files, if the mode is to refuse it.
    pub(crate) fn check_new(&self, backend: &dyn Backend) -> Result<()> {
        match self.mode {
            CommitMode::ErrorIfAnyExists => check_empty(backend, &self.scope),
            CommitMode::Append
            | CommitMode::ErrorIfExists
            | CommitMode::Ignore
            | CommitMode::OverwritePartitions
            | CommitMode::Overwrite => Ok(()),
        }
    }

    /// Whether the write is to be ignored because of what is in the data set now.
    pub(crate) fn is_ignored(&self, backend: &dyn Backend) -> Result<bool> {
        Ok(
            self.mode == CommitMode::Ignore
                && backend.holds_files(&self.scope, Counted::Visible)?,
        )
    }

    fn look(&self, backend: &dyn Backend, directory: &Path) -> Result<()> {
        let files = backend.files(directory)?;
        if !self.overwrite_table
            && let Some((format, at)) =
                TableFormat::among(files.iter().map(|(path, _)| path.as_path()))
        {
            return Err(Error::Conflict {
                path: backend.root().join(directory).join(at),
                reason: format.refusal(),
            });
        }
        let found = fingerprint(&files);
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.entry(directory.to_owned()).or_insert(found);
        Ok(())
    }

    /// Refuses to replace files that a table has in its log, which may have come since the write began.
    fn check_table(&self, backend: &dyn Backend) -> Result<()> {
        match self.mode {
            CommitMode::Overwrite | CommitMode::OverwritePartitions if !self.overwrite_table => {}
            CommitMode::Append
            | CommitMode::ErrorIfExists
            | CommitMode::ErrorIfAnyExists
            | CommitMode::Ignore
            | CommitMode::OverwritePartitions
            | CommitMode::Overwrite => return Ok(()),
        }
        match backend.table()? {
            None => Ok(()),
            Some(format) => Err(Error::Conflict {
                path: backend.path_of(&self.scope),
                reason: format.refusal(),
            }),
        }
    }

    fn check(
        &self,
        backend: &dyn Backend,
        directory: &Path,
        now: &[(PathBuf, Fingerprint)],
    ) -> Result<()> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        match before.get(directory) {
            Some(before) if *before != fingerprint(now) => Err(changed(backend, directory)),
            _ => Ok(()),
        }
    }

    /// Computes the layout of the commit from the staged files and the files that are in the data set now; `None` where
    /// the write is ignored because of those. The caller holds the lock.
    pub(crate) fn layout(
        &self,
        backend: &dyn Backend,
        staged: &[StagedName],
    ) -> Result<Option<Layout>> {
        let mut directories: BTreeMap<&Path, Vec<&StagedName>> = BTreeMap::new();
        for file in staged {
            directories.entry(&file.directory).or_default().push(file);
        }
        for directory in directories.keys() {
            backend.check_directory(directory)?;
        }
        self.check_table(backend)?;
        match self.mode {
            CommitMode::Append => Ok(Some(one_by_one(staged))),
            CommitMode::ErrorIfExists => {
                for directory in directories.keys() {
                    check_empty(backend, directory)?;
                }
                Ok(Some(one_by_one(staged)))
            }
            CommitMode::ErrorIfAnyExists => {
                self.check_new(backend)?;
                Ok(Some(one_by_one(staged)))
            }
            CommitMode::Ignore => match self.is_ignored(backend)? {
                true => Ok(None),
                false => Ok(Some(one_by_one(staged))),
            },
            CommitMode::OverwritePartitions => {
                let mut layout = Layout::default();
                for (number, (directory, files)) in directories.into_iter().enumerate() {
                    let new = PathBuf::from(format!("new-{number:05}"));
                    let files = files
                        .into_iter()
                        .map(|file| (file, PathBuf::from(&file.name)));
                    self.replace(backend, directory, new, files.collect(), &mut layout)?;
                }
                Ok(Some(layout))
            }
            CommitMode::Overwrite => {
                let mut layout = Layout::default();
                let below = |file: &StagedName| {
                    let directory = file.directory.strip_prefix(&self.scope);
                    directory.unwrap_or(&file.directory).join(&file.name)
                };
                let files = staged.iter().map(|file| (file, below(file))).collect();
                self.replace(backend, &self.scope, "new".into(), files, &mut layout)?;
                Ok(Some(layout))
            }
        }
    }

    /// Replaces what is in a directory: by exchanging it where there are new files and readers do not
    /// meet the old ones in the staging area, else by publishing the new and then removing the old.
    fn replace(
        &self,
        backend: &dyn Backend,
        directory: &Path,
        new: PathBuf,
        files: Vec<(&StagedName, PathBuf)>,
        layout: &mut Layout,
    ) -> Result<()> {
        let old = backend.files(directory)?;
        self.check(backend, directory, &old)?;
        layout.replaced.push(directory.to_owned());
        let witness = files.first().map(|(_, below)| below.clone());
        // Without a file nobody could tell whether an exchange has happened.
        let exchanges = witness.is_some() && backend.may_exchange(directory)?;
        let Some(witness) = witness.filter(|_| exchanges) else {
            layout.files.extend(files.iter().map(|(file, below)| Move {
                staged: file.staged.clone(),
                path: directory.join(below),
                identity: String::new(),
            }));
            let removal =
                |(path, fingerprint)| Removal::new(directory.join::<PathBuf>(path), fingerprint);
            layout.removed.extend(old.into_iter().map(removal));
            return Ok(());
        };
        layout
            .arrangement
            .extend(files.iter().map(|(file, below)| Move {
                staged: file.staged.clone(),
                path: new.join(below),
                identity: String::new(),
            }));
        layout.exchanges.push(Exchange {
            staged: new,
            path: directory.to_owned(),
            witness,
            files: files.into_iter().map(|(_, below)| below).collect(),
            removed: old.into_iter().map(|(path, _)| path).collect(),
        });
        Ok(())
    }
}

/// Refuses a directory that holds a file of any name.
fn check_empty(backend: &dyn Backend, directory: &Path) -> Result<()> {
    match backend.holds_files(directory, Counted::All)? {
        false => Ok(()),
        true => Err(Error::Conflict {
            path: backend.path_of(directory),
            reason: "has files already",
        }),
    }
}

fn one_by_one(staged: &[StagedName]) -> Layout {
    let files = staged.iter().map(|file| Move {
        staged: file.staged.clone(),
        path: file.directory.join(&file.name),
        identity: String::new(),
    });
    Layout {
        files: files.collect(),
        ..Layout::default()
    }
}

fn changed(backend: &dyn Backend, directory: &Path) -> Error {
    Error::Conflict {
        path: backend.root().join(directory),
        reason: "was changed by another commit since this write began",
    }
}

/// Fingerprint of a directory: of the names and the fingerprints of its files.
fn fingerprint(files: &[(PathBuf, Fingerprint)]) -> String {
    let mut hash = XxHash3_128::new();
    for (path, fingerprint) in files {
        hash.write(path.as_os_str().as_encoded_bytes());
        hash.write(&[0]);
        hash.write(&fingerprint.0.to_le_bytes());
    }
    Fingerprint(hash.finish_128()).to_string()
}

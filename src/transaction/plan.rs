//! What a write makes of the data set, by its mode, and whether somebody else was there meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use twox_hash::XxHash3_128;

use super::{Exchange, Move};
use crate::disk::LockKind;
use crate::error::{Error, Result};
use crate::receipt::CommitMode;
use crate::target::Target;

impl CommitMode {
    /// Whether what is there may not change between looking and deciding.
    pub(crate) fn lock(self, write_id: Option<&str>) -> LockKind {
        match self {
            CommitMode::Append if write_id.is_none() => LockKind::Shared,
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

/// What there was when a write first looked, by directory.
#[derive(Debug)]
pub(crate) struct Witnessed {
    mode: CommitMode,
    /// The directory that the caller named, below the data set's root.
    scope: PathBuf,
    before: Mutex<HashMap<PathBuf, u128>>,
}

/// What is published, and what has to be moved within the transaction before.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) arrangement: Vec<Move>,
    pub(crate) files: Vec<Move>,
    pub(crate) exchanges: Vec<Exchange>,
}

impl Witnessed {
    /// Looks at the data set as the write begins.
    pub(crate) fn begin(target: &dyn Target, mode: CommitMode, scope: &Path) -> Result<Self> {
        let witnessed = Witnessed {
            mode,
            scope: scope.to_owned(),
            before: Mutex::default(),
        };
        if mode == CommitMode::Overwrite {
            witnessed.look(target, scope)?;
        }
        Ok(witnessed)
    }

    pub(crate) fn mode(&self) -> CommitMode {
        self.mode
    }

    /// Looks at a partition's directory as the write gets its first row.
    pub(crate) fn touch(&self, target: &dyn Target, directory: &Path) -> Result<()> {
        match self.mode {
            CommitMode::OverwritePartitions => self.look(target, directory),
            _ => Ok(()),
        }
    }

    fn look(&self, target: &dyn Target, directory: &Path) -> Result<()> {
        let found = fingerprint(&target.files(directory)?);
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.entry(directory.to_owned()).or_insert(found);
        Ok(())
    }

    fn check(&self, target: &dyn Target, directory: &Path, now: &[(PathBuf, u128)]) -> Result<()> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        match before.get(directory) {
            Some(before) if *before != fingerprint(now) => Err(Error::Conflict {
                path: target.root().join(directory),
                reason: "was changed by another commit since this write began",
            }),
            _ => Ok(()),
        }
    }

    /// What publishing these files comes to, with what is there now, under the lock.
    pub(crate) fn layout(&self, target: &dyn Target, staged: &[StagedName]) -> Result<Layout> {
        let mut directories: BTreeMap<&Path, Vec<&StagedName>> = BTreeMap::new();
        for file in staged {
            directories.entry(&file.directory).or_default().push(file);
        }
        match self.mode {
            CommitMode::Append => Ok(one_by_one(staged)),
            CommitMode::ErrorIfExists => {
                for directory in directories.keys() {
                    if !target.files(directory)?.is_empty() {
                        return Err(Error::Conflict {
                            path: target.root().join(directory),
                            reason: "has files already",
                        });
                    }
                }
                Ok(one_by_one(staged))
            }
            CommitMode::OverwritePartitions => {
                let mut layout = Layout::default();
                for (number, (directory, files)) in directories.into_iter().enumerate() {
                    let new = PathBuf::from(format!("new-{number:05}"));
                    let files = files
                        .into_iter()
                        .map(|file| (file, PathBuf::from(&file.name)));
                    self.exchange(target, directory, new, files.collect(), &mut layout)?;
                }
                Ok(layout)
            }
            CommitMode::Overwrite => {
                let mut layout = Layout::default();
                let below = |file: &StagedName| {
                    let directory = file.directory.strip_prefix(&self.scope);
                    directory.unwrap_or(&file.directory).join(&file.name)
                };
                let files = staged.iter().map(|file| (file, below(file))).collect();
                self.exchange(target, &self.scope, "new".into(), files, &mut layout)?;
                Ok(layout)
            }
        }
    }

    fn exchange(
        &self,
        target: &dyn Target,
        directory: &Path,
        new: PathBuf,
        files: Vec<(&StagedName, PathBuf)>,
        layout: &mut Layout,
    ) -> Result<()> {
        let old = target.files(directory)?;
        self.check(target, directory, &old)?;
        let Some((_, witness)) = files.first() else {
            return Ok(());
        };
        let witness = witness.clone();
        layout
            .arrangement
            .extend(files.iter().map(|(file, below)| Move {
                staged: file.staged.clone(),
                path: new.join(below),
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

fn one_by_one(staged: &[StagedName]) -> Layout {
    let files = staged.iter().map(|file| Move {
        staged: file.staged.clone(),
        path: file.directory.join(&file.name),
    });
    Layout {
        files: files.collect(),
        ..Layout::default()
    }
}

fn fingerprint(files: &[(PathBuf, u128)]) -> u128 {
    let mut hash = XxHash3_128::new();
    for (path, identity) in files {
        hash.write(path.as_os_str().as_encoded_bytes());
        hash.write(&[0]);
        hash.write(&identity.to_le_bytes());
    }
    hash.finish_128()
}

/// The name of a transaction's files: fixed in length, in the order in which they were made.
pub(crate) fn staged_name(number: u64) -> PathBuf {
    PathBuf::from(format!("{number:05}.staged"))
}

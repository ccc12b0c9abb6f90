//! Staging files of a transaction of this process.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};
use std::time::SystemTime;

use uuid::Uuid;

use super::{LocalBackend, fingerprint, no_file};
use crate::backend::{Backend as _, VerifiedFile};
use crate::disk::{EntryKind, FileStatus, Identity};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Durability;
use crate::pool::map_calls;
use crate::publish;
use crate::record::Fingerprint;

/// What this process knows of a transaction that it began.
#[derive(Debug)]
pub(super) struct OwnTransaction {
    /// When it was last shown that its writer lives.
    pub(super) alive: SystemTime,
    /// The files that were verified, by their names in the transaction's directory.
    verified: HashMap<PathBuf, Identity>,
}

impl LocalBackend {
    pub(super) fn own(&self) -> MutexGuard<'_, HashMap<Uuid, OwnTransaction>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a transaction is of this process.
    pub(super) fn note_own(&self, transaction: Uuid) {
        let own = OwnTransaction {
            alive: self.disk.now(),
            verified: HashMap::new(),
        };
        self.own().insert(transaction, own);
    }

    /// Remembers the identity of a verified file, which is in the transaction's directory already: another file at its
    /// path is refused by [`sync_staged`](Self::sync_staged).
    pub(super) fn stage(&self, transaction: Uuid, file: VerifiedFile<'_>) {
        let place = self.place(transaction);
        let name = file.path.strip_prefix(&place).unwrap_or(file.path);
        if let Some(own) = self.own().get_mut(&transaction) {
            own.verified.insert(name.to_owned(), file.identity);
        }
    }

    fn verified(&self, transaction: Uuid, name: &Path) -> Option<Identity> {
        self.own().get(&transaction)?.verified.get(name).copied()
    }

    pub(super) fn sync_staged(
        &self,
        transaction: Uuid,
        files: &[&Path],
        durability: Durability,
    ) -> Result<Vec<Fingerprint>> {
        let disk = self.disk.as_ref();
        let directory = self.place(transaction);
        let synced = (|| {
            let opened = disk
                .open_directory(&directory)
                .at(Step::Decide, &directory)?;
            let fingerprints = map_calls(files.len(), &directory, |number| {
                let file = files[number];
                let path = directory.join(file);
                let found = disk.status(&path).at(Step::Decide, &path)?;
                // What another process has staged is known by its path alone.
                let verified = self.verified(transaction, file);
                let is_it = |status: &FileStatus| {
                    verified.is_none_or(|verified| verified == status.identity)
                };
                match found.filter(|(_, status)| is_it(status)) {
                    Some((EntryKind::File, status)) => Ok(fingerprint(&status)),
                    // What is staged by somebody else can be anything.
                    Some(_) => Err(no_file(path)),
                    None => Err(Error::StagingLost {
                        step: Step::Decide,
                        path,
                    }),
                }
            })?;
            if durability == Durability::Unsynced {
                return Ok(fingerprints);
            }
            publish::make_durable(disk, &directory)?;
            opened.sync().at(Step::Decide, &directory)?;
            Ok(fingerprints)
        })();
        match synced {
            // Somebody took us for dead. It must not be made again: its files are gone.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(Error::Aborted { path: directory })
            }
            synced => synced,
        }
    }
}

//! Staging for another transaction, which adopts what is staged and commits it.
//!
//! Such a transaction has no writer any more and is kept for a while. Whoever commits moves its
//! directory into that of his own transaction, so that only one of two adopters succeeds. Recovery of an
//! aborted adopter moves it back.

use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

use super::Transaction;
use crate::backend::{Adopted, Decided};
use crate::damage::Damage;
use crate::error::{Error, Result, Step};
use crate::meter::Work;
use crate::receipt::StagedFileRecord;
use crate::record::{Decision, StagedRecord, invalid};

impl Transaction {
    /// Records that this transaction is staged for another process, which may adopt it until `keep` has passed.
    ///
    /// After an error nothing of it is left, unless that is [unknown](Error::Unknown).
    pub(crate) fn stage(mut self, record: &StagedRecord, keep: Duration) -> Result<()> {
        let files = record.files.iter();
        let files: Vec<&Path> = files.map(|file| file.staged().as_ref()).collect();
        let sync = || self.backend.sync_staged(self.id, &files, self.durability);
        self.meter.measure(Work::Sync, sync)?;
        self.backend.record(self.id, record)?;
        let staged = Decision::staged(self.id, keep);
        match self.backend.decide(self.id, &staged, self.durability) {
            Ok(Decided::Ours) => {
                self.decided = true;
                Ok(())
            }
            Ok(_) => Err(Error::Aborted {
                path: self.backend.place(self.id),
            }),
            Err(unknown @ Error::Unknown { .. }) => Err(self.withdraw(unknown)),
            Err(error) => Err(error),
        }
    }

    /// Removes what may be staged or not, so that nobody commits it beside a repetition of the write.
    fn withdraw(&mut self, unknown: Error) -> Error {
        let removed = self.backend.remove(self.id);
        // Else it is tried once more on drop.
        self.decided = removed.is_ok();
        let left = self.backend.decision(self.id);
        match (removed, left, unknown) {
            (
                Ok(()),
                Ok(None | Some(Decision::Aborted { .. })),
                Error::Unknown { path, source, .. },
            ) => Error::Io {
                step: Step::Decide,
                path,
                source,
            },
            (_, _, unknown) => unknown,
        }
    }

    /// Takes what another transaction has staged, and gives the record of it, with names as they are
    /// in this one. All of it must still be there.
    pub(crate) fn adopt(&self, staged: Uuid) -> Result<StagedRecord> {
        let gone = || Error::StagedWriteGone {
            path: self.backend.place(staged),
        };
        let adopted = self.backend.adopt(self.id, staged)?.ok_or_else(gone)?;
        let Adopted {
            mut record,
            lengths,
        } = adopted;
        let directory = staged.to_string();
        let within = |file: StagedFileRecord| file.within(&directory);
        let files = std::mem::take(&mut record.files).into_iter().map(within);
        let files = files.collect::<Result<Vec<_>, _>>();
        let place = self.backend.place(self.id).join(&directory);
        record.files = files.map_err(|error| invalid(&place, error.to_string()))?;
        for (file, length) in record.files.iter().zip(lengths) {
            let expected = file.file().bytes();
            match length {
                Some(found) if found == expected => {}
                Some(found) => {
                    return Err(Error::Damaged {
                        path: self.staged_path(file.staged()).into(),
                        damage: Damage::Length { expected, found },
                    });
                }
                None => return Err(gone()),
            }
        }
        Ok(record)
    }
}

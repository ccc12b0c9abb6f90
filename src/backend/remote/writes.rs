//! The named writes that are remembered in an object store: the receipt of each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;

use super::{RemoteBackend, encoded, is_past};
use crate::error::{IoContext, Result, Step};
use crate::receipt::{Receipt, WriteName};
use crate::record::{Plan, read_json};
use crate::store::{Expected, Found, Swapped, Version};

/// The directory of the receipts, in the control prefix.
const WRITES: &str = "writes";
/// The suffix of the receipt of the latest write of a stream.
const STREAM: &str = "stream";
/// How long a receipt is kept at least.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// One of so many named writes removes receipts that were kept long enough, and every recovery that is asked for.
const SWEPT_ONCE_IN: u8 = 64;

/// The record of a named write.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedWrite<P, R> {
    /// The directory that the caller named, below the data set's root.
    scope: P,
    receipt: R,
}

impl RemoteBackend {
    fn receipt_path(&self, scope: &Path, name: &WriteName) -> PathBuf {
        let mut hasher = XxHash3_128::new();
        hasher.write(scope.as_os_str().as_encoded_bytes());
        hasher.write(&[0]);
        hasher.write(name.id.as_bytes());
        let hash = hasher.finish_128();
        let file = match name.sequence {
            Some(_) => format!("{hash:032x}.{STREAM}"),
            None => format!("{hash:032x}"),
        };
        self.control.join(WRITES).join(file)
    }

    fn read_receipt(&self, scope: &Path, name: &WriteName) -> Result<Option<(Receipt, Version)>> {
        let path = self.receipt_path(scope, name);
        let Some(object) = self.read(&path)? else {
            return Ok(None);
        };
        let written: NamedWrite<PathBuf, Receipt> = read_json(object.bytes.as_ref(), &path)?;
        // Another could have the same hash.
        let is_it = written.scope == scope
            && written.receipt.write_id() == Some(&name.id)
            && written.receipt.sequence().is_some() == name.sequence.is_some();
        Ok(is_it.then_some((written.receipt, object.found.version)))
    }

    pub(super) fn recall(&self, scope: &Path, name: &WriteName) -> Result<Option<Receipt>> {
        let Some((receipt, _)) = self.read_receipt(scope, name)? else {
            return Ok(None);
        };
        if let (Some(sequence), Some(highest)) = (name.sequence, receipt.sequence())
            && highest != sequence
        {
            return match highest < sequence {
                true => Ok(None),
                false => Ok(Some(Receipt::superseded(name, highest)?)),
            };
        }
        let missing = self.missing_files(scope, &receipt)?;
        let all = !missing.is_empty() && missing.len() == receipt.files().len();
        let again = all && self.rewrite_missing;
        Ok((!again).then(|| receipt.with_missing(missing).into_replayed()))
    }

    /// The paths of the files of a receipt that are not there any more.
    fn missing_files(&self, scope: &Path, receipt: &Receipt) -> Result<Vec<String>> {
        let (top, files) = (self.root.join(scope), receipt.files());
        let there = self.map(files.len(), |number| {
            let found = self.look(&top.join(files[number].path()))?;
            Ok(found.is_some())
        })?;
        let missing = files.iter().zip(there).filter(|(_, there)| !there);
        Ok(missing.map(|(file, _)| file.path().to_owned()).collect())
    }

    /// Keeps the receipt of a named write. Who was slow to finish one of a stream must not make a later one be forgotten.
    pub(super) fn remember(&self, plan: &Plan) -> Result<()> {
        let Some(name) = plan.name() else {
            return Ok(());
        };
        let path = self.receipt_path(&plan.scope, &name);
        let written = NamedWrite {
            scope: plan.scope.as_path(),
            receipt: &plan.receipt,
        };
        let bytes = encoded(&written, &path)?;
        loop {
            let expected = match self.read_receipt(&plan.scope, &name)? {
                None => Expected::Absent,
                Some((kept, _))
                    if kept.sequence() > name.sequence
                        || kept.transaction() == plan.transaction =>
                {
                    return Ok(());
                }
                // Who slept until somebody ended it must not make a later one be forgotten.
                Some(_) if self.state(plan.transaction)?.is_none() => return Ok(()),
                // An earlier one of the stream, or one whose files are gone.
                Some((_, version)) => Expected::Version(version),
            };
            let put = self.store.swap(&self.key(&path)?, bytes.clone(), expected);
            match put.at(Step::Decide, &path)? {
                Swapped::Done(_) => break,
                Swapped::Lost | Swapped::Gone => {}
                Swapped::Unknown(error) => return Err(error).at(Step::Decide, &path),
            }
        }
        // The list of all of them takes a request for a thousand, so that not every write makes it: the last bits are random.
        if plan.transaction.as_bytes()[15].is_multiple_of(SWEPT_ONCE_IN) {
            self.forget_old_writes();
        }
        Ok(())
    }

    /// Removes the receipts that were kept long enough, as far as they can be.
    pub(super) fn forget_old_writes(&self) {
        let listed = self.list(&self.control.join(WRITES));
        let (Ok(listed), Ok(now)) = (listed, self.store_now()) else {
            return;
        };
        let old = listed.into_iter().filter(|object| {
            let is_stream = object.location.extension() == Some(STREAM);
            !is_stream && is_past(now, Found::listed(object).modified, REMEMBERED)
        });
        let _ = self
            .store
            .delete_all(old.map(|object| object.location).collect());
    }
}

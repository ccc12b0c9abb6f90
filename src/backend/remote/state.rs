//! The object of a transaction: its whole state, which changes by replacing exactly the version that was read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::encoded;
use crate::error::Result;
use crate::record::{Decision, invalid, stays_below};
use crate::store::UploadedParts;

const VERSION: u32 = 1;

/// The state of a transaction.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    version: u32,
    transaction: Uuid,
    /// Counts the versions of the object, so that no two have the same content: some stores tell versions by that alone.
    beat: u64,
    /// The silence after which its writer is dead. Whoever has more patience waits longer.
    dead_after_seconds: u64,
    /// The uploads in parts that were begun, to the paths where their files are to be published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) uploads: Vec<Upload>,
    /// Which transaction has adopted what this one has staged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) adopted_by: Option<Uuid>,
    /// The transactions that this one has adopted, once it is decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) adopted: Vec<Uuid>,
    /// As in the record of a transaction on a disk; none as long as the writer is at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision: Option<Box<RawValue>>,
}

/// An upload in parts of a staged file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Upload {
    /// The name of the staged file in the transaction.
    pub(super) staged: PathBuf,
    /// Where it is published, below the root of the data set.
    pub(super) path: PathBuf,
    /// The store's name of the upload.
    pub(super) id: String,
    /// Its parts, when all are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) parts: Option<UploadedParts>,
}

impl State {
    /// The state of a transaction that begins.
    pub(super) fn open(transaction: Uuid, dead_after: Duration) -> Self {
        let rounded_up = dead_after.as_millis().div_ceil(1000);
        State {
            version: VERSION,
            transaction,
            beat: 0,
            dead_after_seconds: u64::try_from(rounded_up).unwrap_or(u64::MAX),
            uploads: Vec::new(),
            adopted_by: None,
            adopted: Vec::new(),
            decision: None,
        }
    }

    /// Reads the object of a transaction.
    ///
    /// # Errors
    /// [`Error::InvalidDecision`] if it is none.
    pub(super) fn read(bytes: &[u8], place: &Path, transaction: Uuid) -> Result<Self> {
        let state: State =
            serde_json::from_slice(bytes).map_err(|error| invalid(place, error.to_string()))?;
        if state.version != VERSION {
            let version = state.version;
            return Err(invalid(
                place,
                format!("version {version} is not known here"),
            ));
        }
        if state.transaction != transaction {
            let named = state.transaction;
            return Err(invalid(
                place,
                format!("is of another transaction, {named}"),
            ));
        }
        let uploads = state.uploads.iter();
        let stray = uploads
            .flat_map(|upload| [&upload.staged, &upload.path])
            .find(|path| !stays_below(path));
        if let Some(stray) = stray {
            let stray = stray.display();
            return Err(invalid(
                place,
                format!("names {stray}, which may lead elsewhere"),
            ));
        }
        Ok(state)
    }

    pub(super) fn transaction(&self) -> Uuid {
        self.transaction
    }

    /// The silence after which its writer is dead.
    pub(super) fn dead_after(&self) -> Duration {
        Duration::from_secs(self.dead_after_seconds)
    }

    /// Counts on from another version of this state.
    pub(super) fn follow(&mut self, other: &State) {
        self.beat = self.beat.max(other.beat);
    }

    /// The state after this one.
    pub(super) fn next(&self) -> Self {
        let mut next = self.clone();
        next.beat += 1;
        next
    }

    /// The state after this one, with a decision.
    pub(super) fn decided(&self, decision: &Decision, place: &Path) -> Result<Self> {
        let text = serde_json::value::to_raw_value(decision);
        let mut next = self.next();
        next.decision = Some(text.map_err(|error| invalid(place, error.to_string()))?);
        Ok(next)
    }

    pub(super) fn is_decided(&self) -> bool {
        self.decision.is_some()
    }

    /// Whether the decision about the transaction is this one, as it was sent.
    pub(super) fn has_decision(&self, decision: &Decision) -> bool {
        let sent = serde_json::to_string(decision);
        let found = self.decision.as_ref();
        found.is_some_and(|found| sent.is_ok_and(|sent| sent == found.get()))
    }

    /// The decision about the transaction, if there is one.
    pub(super) fn decision(&self, place: &Path) -> Result<Option<Decision>> {
        let Some(text) = &self.decision else {
            return Ok(None);
        };
        Decision::from_json(text.get().as_bytes(), place, self.transaction).map(Some)
    }

    /// The uploads of the staged files that were uploaded in parts, by the names of these.
    pub(super) fn uploads_by_name(&self) -> HashMap<&Path, &Upload> {
        let uploads = self.uploads.iter();
        uploads
            .map(|upload| (upload.staged.as_path(), upload))
            .collect()
    }

    pub(super) fn to_bytes(&self, place: &Path) -> Result<Bytes> {
        encoded(self, place)
    }
}

//! The named writes that are remembered: the receipt of each, and the marker that says it is committed.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::record_owners::{Change, UntrustedOwners};
use super::records::{open, record_of};
use super::removal::remove_tree;
use super::{DEAD, LONGEST_NAMED, LocalBackend, RECEIPT, names};
use crate::backend::Backend as _;
use crate::disk::{EntryKind, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::publish::{self, RenameOutcome, Share};
use crate::receipt::{Receipt, WriteName};
use crate::record::{LONGEST_OF_OTHERS, Plan, invalid, read_json};
use crate::staging::{WRITES, WriteKey, check_inside, is_impossible, is_older};

/// How long a receipt is kept at least.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The record of a named write.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedWrite<P, R> {
    /// The data set's root, where the staging area may serve others too.
    root: Option<P>,
    /// The directory that the caller named, below the data set's root.
    scope: P,
    receipt: R,
}

impl LocalBackend {
    /// Hash of root, scope and name of a write: what its record is called.
    fn key(root: &Path, scope: &Path, name: &WriteName) -> WriteKey {
        let mut hasher = XxHash3_128::new();
        for part in [root.as_os_str(), scope.as_os_str()] {
            hasher.write(part.as_encoded_bytes());
            // No path holds it.
            hasher.write(&[0]);
        }
        hasher.write(name.id.as_bytes());
        WriteKey {
            hash: hasher.finish_128(),
            is_stream: name.sequence.is_some(),
        }
    }

    /// Where the receipt of a named write into a directory of the data set is kept: a file, or inside the
    /// root a directory of names.
    pub(super) fn receipt_path(&self, scope: &Path, name: &WriteName) -> PathBuf {
        let root = self.named_root().unwrap_or_default();
        let key = Self::key(&root, scope, name);
        self.writes().join(match self.is_inside() {
            true => key.to_string(),
            false => format!("{key}.record"),
        })
    }

    /// Where the receipt of a named write is kept, and the directory with its marker.
    pub(super) fn receipt_and_markers(&self, scope: &Path, name: &WriteName) -> (PathBuf, PathBuf) {
        (self.receipt_path(scope, name), self.control().writes())
    }

    fn writes(&self) -> PathBuf {
        self.area.path().join(WRITES)
    }

    /// Keeps the receipt of a named write, and lets everybody know that it is committed.
    pub(super) fn remember(&self, plan: &Plan) -> Result<()> {
        let Some(name) = plan.name() else {
            return Ok(());
        };
        let path = self.receipt_path(&plan.scope, &name);
        if name.sequence.is_some()
            && let Ok(Some(kept)) = self.read_receipt(&plan.scope, &name)
            && kept.sequence() > name.sequence
        {
            // Who was slow to finish this one must not make a later one be forgotten.
            return Ok(());
        }
        check_inside(self.disk.as_ref(), self.area.path(), &self.writes())?;
        let writes = [self.writes()].into();
        let share = Share {
            top: self.area.path(),
            model: &self.root,
        };
        publish::prepare(self.disk.as_ref(), &writes, plan.durability(), share)?;
        let written = NamedWrite {
            root: plan.root.as_deref(),
            scope: plan.scope.as_path(),
            receipt: &plan.receipt,
        };
        if self.is_inside() {
            let record = serde_json::to_vec(&written);
            let record = record.map_err(|error| invalid(&path, error.to_string()))?;
            self.put_in_names(plan, &path, &record)?;
        } else {
            let kept = self.put(plan.transaction, &path, &written, PublishMode::Replace);
            let is_lost = match &kept {
                Ok(outcome) => *outcome == RenameOutcome::SourceMissing,
                Err(Error::Io { source, .. }) => source.kind() == io::ErrorKind::NotFound,
                Err(_) => false,
            };
            if kept.is_ok() || is_lost {
                // Also where the area is gone: that it is committed says the marker alone.
                self.mark_write(plan, &name)?;
            }
            if is_lost {
                let step = Step::Decide;
                return Err(Error::StagingLost { step, path });
            }
            kept?;
        }
        self.mover(plan.durability()).sync(&self.writes())?;
        self.forget_old_writes();
        Ok(())
    }

    /// Keeps a record in the names of files, complete and durable when their directory gets its own.
    fn put_in_names(&self, plan: &Plan, path: &Path, record: &[u8]) -> Result<()> {
        let disk = self.disk.as_ref();
        if names::hold(disk, path, record) {
            return Ok(());
        }
        let made = self.place(plan.transaction).join(RECEIPT);
        remove_tree(disk, &made).at(Step::Decide, &made)?;
        let written = names::write(disk, &made, record);
        written.at(Step::Decide, &made)?;
        self.mover(plan.durability()).sync(&made)?;
        self.remove_names(path)?;
        disk.rename(&made, path, PublishMode::CreateNew)
            .at(Step::Decide, path)
    }

    /// Removes a record that is kept in names: under another name first, so that nobody reads a part.
    fn remove_names(&self, path: &Path) -> Result<()> {
        let dead = self.place(Uuid::now_v7()).with_extension(DEAD);
        match self.disk.rename(path, &dead, PublishMode::CreateNew) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            moved => moved.at(Step::Decide, path)?,
        }
        remove_tree(self.disk.as_ref(), &dead).at(Step::Decide, &dead)
    }

    /// Lets everybody know who writes this root that a named write is committed.
    fn mark_write(&self, plan: &Plan, name: &WriteName) -> Result<()> {
        let control = self.control();
        let writes = control.writes();
        publish::prepare(
            self.disk.as_ref(),
            &[writes.clone()].into(),
            plan.durability(),
            Share {
                top: &self.root,
                model: &self.root,
            },
        )?;
        let key = Self::key(Path::new(""), &plan.scope, name);
        let marked = control.mark_write(key, name.sequence, self.area.path());
        marked.at(Step::Decide, &writes)?;
        control.forget_writes(REMEMBERED);
        self.mover(plan.durability()).sync(&writes)?;
        match name.sequence {
            // The one that says more is durable by now.
            Some(_) => control.forget_earlier(key).at(Step::Decide, &writes),
            None => Ok(()),
        }
    }

    /// Removes the receipts that were kept long enough, as far as they can be.
    fn forget_old_writes(&self) {
        let disk = self.disk.as_ref();
        for entry in disk.list(&self.writes()).unwrap_or_default() {
            let Ok(Some((kind, status))) = disk.status(&entry.path) else {
                continue;
            };
            if WriteKey::is_of_stream(&entry.path)
                || !is_older(disk, &entry.path, status.modified, REMEMBERED)
            {
                continue;
            }
            match kind {
                EntryKind::File => drop(disk.remove_file(&entry.path)),
                EntryKind::Directory => drop(self.remove_names(&entry.path)),
                EntryKind::Link | EntryKind::Other => {}
            }
        }
    }

    /// The receipt of a named write into a directory of the data set, from whichever area.
    pub(super) fn recall(&self, scope: &Path, name: &WriteName) -> Result<Option<Receipt>> {
        // Before the receipts: each is kept before its marker, perhaps at this moment.
        let control = self.control();
        let key = Self::key(Path::new(""), scope, name);
        let marker = control.write_marker(key).map_err(|source| Error::Read {
            path: control.writes(),
            source,
        })?;
        let others = self.other_areas()?;
        let mut latest: Option<Receipt> = None;
        for backend in [self].into_iter().chain(&others) {
            match backend.read_receipt(scope, name) {
                // Of somebody who keeps it to himself.
                Err(Error::Read { source, .. }) if is_impossible(&source) => {}
                Ok(Some(receipt)) if backend.area.check_owner().is_ok() => {
                    let known = latest.as_ref().map(Receipt::sequence);
                    if known.is_none_or(|known| known < receipt.sequence()) {
                        latest = Some(receipt);
                    }
                }
                read => drop(read?),
            }
        }
        let marked = marker.as_ref().and_then(|marker| marker.sequence);
        let known = latest.as_ref().and_then(Receipt::sequence);
        if let (Some(sequence), Some(highest)) = (name.sequence, marked.max(known)) {
            if highest < sequence {
                return Ok(None);
            }
            if highest > sequence {
                return Ok(Some(Receipt::superseded(name, highest)?));
            }
        }
        if let Some(receipt) = latest.filter(|receipt| receipt.sequence() == name.sequence) {
            let missing = self.missing_files(scope, &receipt)?;
            let all = !missing.is_empty() && missing.len() == receipt.files().len();
            let again = all && self.rewrite_missing;
            return Ok((!again).then(|| receipt.with_missing(missing).into_replayed()));
        }
        match marker {
            Some(marker) => Err(Error::AlreadyCommitted {
                path: self.root.clone(),
                write_id: name.id.clone(),
                area: marker.area,
            }),
            None => Ok(None),
        }
    }

    /// The paths of the files of a receipt that are not there any more.
    fn missing_files(&self, scope: &Path, receipt: &Receipt) -> Result<Vec<String>> {
        let top = self.root.join(scope);
        let mut missing = Vec::new();
        for file in receipt.files() {
            let path = top.join(file.path());
            let there = self.disk.status(&path);
            if there
                .map_err(|source| Error::Read { path, source })?
                .is_none()
            {
                missing.push(file.path().to_owned());
            }
        }
        Ok(missing)
    }

    /// The receipt of a named write that is kept in this area, of a stream that of the latest write.
    fn read_receipt(&self, scope: &Path, name: &WriteName) -> Result<Option<Receipt>> {
        let path = self.receipt_path(scope, name);
        let disk = self.disk.as_ref();
        let mut owners = UntrustedOwners::default();
        let written: NamedWrite<PathBuf, Receipt> = match self.is_inside() {
            true => {
                let Some(named) = unless_none(names::open(disk, &path), &path)? else {
                    return Ok(None);
                };
                let owned = named.owned.iter().map(|(path, owner)| (&**path, *owner));
                self.add_owners(&mut owners, owned)?;
                let longest = match owners.is_empty() {
                    true => LONGEST_NAMED,
                    false => LONGEST_OF_OTHERS,
                };
                read_json(named.record.take(longest), &path)?
            }
            false => {
                let Some((file, status)) = open(disk, &path)? else {
                    return Ok(None);
                };
                let owned = status.owner.map(|owner| (&*path, owner));
                self.add_owners(&mut owners, owned)?;
                read_json(record_of(file, &status, &path, &owners)?, &path)?
            }
        };
        // Another could have the same hash.
        let is_it = written.root == self.named_root()
            && written.scope == scope
            && written.receipt.write_id() == Some(&name.id)
            && written.receipt.sequence().is_some() == name.sequence.is_some();
        if !is_it {
            return Ok(None);
        }
        // Who could not have committed it has not.
        let changed = Change::In(self.root.join(scope));
        self.check_owners(&owners, || [changed].into())?;
        Ok(Some(written.receipt))
    }
}

fn unless_none<T>(read: io::Result<Option<T>>, path: &Path) -> Result<Option<T>> {
    read.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

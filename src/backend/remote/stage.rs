//! Staging in an object store, for this transaction or for another.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::own::{Change, Own, StagedObject};
use super::state::{State, Upload};
use super::{FILES, RECORD, RemoteBackend};
use crate::backend::{Adopted, Backend as _, VerifiedFile, Waiting};
use crate::disk::{Disk as _, DiskFile, OsDisk};
use crate::error::{Error, IoContext, Result, Step};
use crate::format::Fault;
use crate::record::{Decision, Fingerprint, StagedRecord};
use crate::store::{Expected, Found, Payload, Swapped, Version, tag_of};
use crate::verify::{content_hash, verify_content};

/// The longest object that S3 copies, in bytes.
const LONGEST_COPIED: u64 = 5 << 30;

impl RemoteBackend {
    /// Where a staged file stands: of this transaction, or in the directory of one that it has adopted.
    pub(super) fn staged_path(&self, transaction: Uuid, staged: &Path) -> PathBuf {
        match staged
            .parent()
            .filter(|above| !above.as_os_str().is_empty())
        {
            None => self.files_path(transaction).join(staged),
            Some(above) => {
                let mut directory = above.as_os_str().to_owned();
                directory.push(".");
                directory.push(FILES);
                let name = staged.file_name().unwrap_or_default();
                self.transactions_path().join(directory).join(name)
            }
        }
    }

    /// Uploads a file of the workspace and removes it there. A large one is uploaded in parts to its path, which nobody
    /// sees; the store's name of the upload is recorded before the first part, so that it can be removed whatever happens.
    pub(super) fn stage(&self, transaction: Uuid, file: VerifiedFile<'_>) -> Result<()> {
        let own = self.expect_own(transaction)?;
        own.check()?;
        // A staged object has a short key, and would be found to have too long a one when it is decided.
        self.store.new_key(&self.root.join(file.destination))?;
        let name = own.workspace.name_of(file.path).to_owned();
        let opened = open(&file)?;
        let options = self.store.options();
        let in_parts =
            self.store.has_parts() && !self.store.reads_back() && file.bytes > options.part_size;
        if !in_parts && file.bytes > LONGEST_COPIED {
            let reason = "is longer than 5 GiB, which no store copies: set a target file size, or let it be uploaded in parts";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason))
                .at(Step::Publish, &self.root.join(file.destination));
        }
        if in_parts {
            self.upload_parts(&own, &name, &file, opened.as_ref())?;
        } else {
            let path = self.staged_path(transaction, &name);
            let put = self
                .store
                .put_file(&self.key(&path)?, &payload(&file, opened.as_ref()));
            let object = StagedObject {
                bytes: file.bytes,
                tag: tag_of(&put.at(Step::Publish, &path)?),
            };
            if self.store.reads_back() {
                self.read_back(&path, opened.as_ref(), file.bytes)?;
            }
            own.lock().staged.insert(name, object);
        }
        drop(opened);
        // If it stays, it goes with the workspace.
        let _ = OsDisk.remove_file(file.path);
        Ok(())
    }

    /// Compares a staged object with the file that was uploaded.
    fn read_back(&self, path: &Path, file: &dyn DiskFile, bytes: u64) -> Result<()> {
        let compare = || -> Result<(), Fault> {
            let written = content_hash(file)?;
            let stored = self.view.open_file(path, false)?;
            verify_content(stored.as_ref(), bytes, written)
        };
        compare().map_err(|fault| match fault {
            Fault::Io(source) => Error::Io {
                step: Step::Verify,
                path: path.to_owned(),
                source,
            },
            Fault::Damage(damage) => Error::Damaged {
                path: path.into(),
                damage,
            },
        })
    }

    fn upload_parts(
        &self,
        own: &Own,
        name: &Path,
        file: &VerifiedFile<'_>,
        opened: &dyn DiskFile,
    ) -> Result<()> {
        let path = self.root.join(file.destination);
        let key = self.key(&path)?;
        let id = self.store.begin_upload(&key).at(Step::Publish, &path)?;
        let upload = Upload {
            staged: name.to_owned(),
            path: file.destination.to_owned(),
            id: id.clone(),
            parts: None,
        };
        let recorded = own.update(&mut own.lock(), |state| state.uploads.push(upload));
        if let Err(error) = recorded {
            let _ = self.store.abort_upload(&key, &id);
            return Err(error);
        }
        let parts = self.store.upload_parts(&key, &id, &payload(file, opened));
        let parts = parts.at(Step::Publish, &path)?;
        let mut inner = own.lock();
        let mut uploads = inner.state.uploads.iter_mut();
        if let Some(upload) = uploads.find(|upload| upload.staged == name) {
            // It gets into the store with the decision.
            upload.parts = Some(parts);
        }
        Ok(())
    }

    /// Checks that what was staged is there as it was put, and gives the fingerprint of each file.
    pub(super) fn check_staged(
        &self,
        transaction: Uuid,
        files: &[&Path],
    ) -> Result<Vec<Fingerprint>> {
        let own = self.expect_own(transaction)?;
        own.check()?;
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let there = self.staged_objects(transaction)?;
        let inner = own.lock();
        let uploads = inner.state.uploads_by_name();
        let fingerprints = files.iter().map(|file| {
            let lost = || Error::StagingLost {
                step: Step::Decide,
                path: self.staged_path(transaction, file),
            };
            if let Some(upload) = uploads.get(file) {
                let parts = upload.parts.as_ref().ok_or_else(lost)?;
                return Ok(identity(&upload.id, parts.bytes));
            }
            let adopted = file.parent().is_some_and(|above| above != Path::new(""));
            let known = inner.staged.get(*file).ok_or_else(lost)?;
            if !adopted {
                let found = there.get(*file).ok_or_else(lost)?;
                let tags = known.tag.as_deref().zip(found.tag());
                if found.size != known.bytes || tags.is_some_and(|(known, found)| known != found) {
                    return Err(lost());
                }
            }
            Ok(identity(
                known.tag.as_deref().unwrap_or_default(),
                known.bytes,
            ))
        });
        fingerprints.collect()
    }

    /// The staged objects of a transaction, by their names.
    pub(super) fn staged_objects(&self, transaction: Uuid) -> Result<HashMap<PathBuf, Found>> {
        let listed = self.list(&self.files_path(transaction))?;
        let named = listed.iter().filter_map(|object| {
            let name = object.location.filename()?;
            Some((PathBuf::from(name), Found::listed(object)))
        });
        Ok(named.collect())
    }

    fn record_path(&self, transaction: Uuid) -> PathBuf {
        self.files_path(transaction).join(RECORD)
    }

    pub(super) fn record(&self, transaction: Uuid, record: &StagedRecord) -> Result<()> {
        self.put_record(&self.record_path(transaction), record, Step::Decide)
    }

    fn read_record(&self, staged: Uuid) -> Result<Option<StagedRecord>> {
        let path = self.record_path(staged);
        let record = self
            .read(&path)?
            .map(|object| StagedRecord::from_json(object.bytes.as_ref(), &path));
        record.transpose()
    }

    /// Makes what is staged part of a transaction: of two that try, one succeeds, since each replaces the version that
    /// says that nobody has it.
    pub(super) fn adopt(&self, transaction: Uuid, staged: Uuid) -> Result<Option<Adopted>> {
        let own = self.expect_own(transaction)?;
        let Some((state, version)) = self.given_back(staged)? else {
            return Ok(None);
        };
        if state.adopted_by != Some(transaction) {
            if state.adopted_by.is_some() || !self.is_staged(&state, staged)? {
                return Ok(None);
            }
            let mut next = state.next();
            next.adopted_by = Some(transaction);
            if !self.swap_state(staged, &next, version)? {
                return Ok(None);
            }
        }
        own.lock().adopted.push(staged);
        let Some(record) = self.read_record(staged)? else {
            return Ok(None);
        };
        let (there, uploads) = (self.staged_objects(staged)?, state.uploads_by_name());
        let mut inner = own.lock();
        let lengths = record.files.iter().map(|file| {
            let name = Path::new(file.staged());
            let within = Path::new(&staged.to_string()).join(name);
            match (uploads.get(name), there.get(name)) {
                (Some(upload), _) => {
                    inner.state.uploads.push(Upload {
                        staged: within,
                        ..Upload::clone(upload)
                    });
                    upload.parts.as_ref().map(|parts| parts.bytes)
                }
                (None, Some(found)) => {
                    let object = StagedObject {
                        bytes: found.size,
                        tag: found.tag().map(str::to_owned),
                    };
                    inner.staged.insert(within, object);
                    Some(found.size)
                }
                (None, None) => None,
            }
        });
        let lengths = lengths.collect();
        Ok(Some(Adopted { record, lengths }))
    }

    /// Whether a transaction waits for another to adopt it.
    fn is_staged(&self, state: &State, transaction: Uuid) -> Result<bool> {
        let decision = state.decision(&self.place(transaction))?;
        Ok(matches!(decision, Some(Decision::Staged { .. })))
    }

    /// The state of a transaction; one that was adopted by a transaction that is gone or aborted is given back before.
    pub(super) fn given_back(&self, staged: Uuid) -> Result<Option<(State, Version)>> {
        let Some((state, found)) = self.state(staged)? else {
            return Ok(None);
        };
        match state.adopted_by {
            Some(adopter) if self.has_no_adopter(adopter)? => {}
            _ => return Ok(Some((state, found.version))),
        }
        let mut next = state.next();
        next.adopted_by = None;
        self.swap_state(staged, &next, found.version)?;
        Ok(self
            .state(staged)?
            .map(|(state, found)| (state, found.version)))
    }

    /// Whether a transaction that has adopted another is gone or aborted.
    pub(super) fn has_no_adopter(&self, adopter: Uuid) -> Result<bool> {
        if self.own(adopter).is_some() {
            return Ok(false);
        }
        let Some((state, _)) = self.state(adopter)? else {
            return Ok(true);
        };
        let decision = state.decision(&self.place(adopter))?;
        Ok(matches!(decision, Some(Decision::Aborted { .. })))
    }

    /// Replaces the state of a transaction; false if somebody else changed it.
    pub(super) fn swap_state(
        &self,
        transaction: Uuid,
        next: &State,
        version: Version,
    ) -> Result<bool> {
        match self.change_state(transaction, next, version)? {
            Change::Done => Ok(true),
            Change::Lost => Ok(false),
            Change::Unknown(error) => Err(error).at(Step::Decide, &self.place(transaction)),
        }
    }

    pub(super) fn change_state(
        &self,
        transaction: Uuid,
        next: &State,
        version: Version,
    ) -> Result<Change> {
        let place = self.place(transaction);
        let bytes = next.to_bytes(&place)?;
        let expected = Expected::Version(version);
        let swapped = self.store.swap(&self.key(&place)?, bytes, expected);
        Ok(match swapped.at(Step::Decide, &place)? {
            Swapped::Done(_) => Change::Done,
            Swapped::Lost | Swapped::Gone => Change::Lost,
            Swapped::Unknown(error) => Change::Unknown(error),
        })
    }

    /// Everything that is staged for others.
    pub(super) fn waiting(&self) -> Result<Vec<Waiting>> {
        let mut waiting = Vec::new();
        for transaction in self.transactions()? {
            match self.waiting_one(transaction) {
                Ok(found) => waiting.extend(found),
                Err(error) if error.is_about_record() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(waiting)
    }

    fn waiting_one(&self, transaction: Uuid) -> Result<Option<Waiting>> {
        let Some((state, found)) = self.state(transaction)? else {
            return Ok(None);
        };
        let decision = state.decision(&self.place(transaction))?;
        let Some(Decision::Staged { keep_seconds, .. }) = decision else {
            return Ok(None);
        };
        if state.adopted_by.is_some() {
            return Ok(None);
        }
        let record = self.read_record(transaction)?;
        Ok(record.map(|record| Waiting {
            transaction,
            record,
            since: found.modified,
            keep: Duration::from_secs(keep_seconds),
        }))
    }

    /// Removes what is staged, unless it is part of another transaction.
    pub(super) fn discard(&self, staged: Uuid) -> Result<()> {
        let Some((state, version)) = self.given_back(staged)? else {
            return Ok(());
        };
        if state.adopted_by.is_some() || !self.is_staged(&state, staged)? {
            return Ok(());
        }
        let aborted = state.decided(&Decision::aborted(staged), &self.place(staged))?;
        match self.swap_state(staged, &aborted, version)? {
            true => self.remove_all(staged, &state),
            // Somebody has adopted it since.
            false => Ok(()),
        }
    }

    /// Lets others adopt again what a transaction of ours had adopted.
    pub(super) fn give_back(&self, own: &Arc<Own>, transaction: Uuid) {
        let adopted = own.lock().adopted.clone();
        for staged in adopted {
            let Ok(Some((state, found))) = self.state(staged) else {
                continue;
            };
            if state.adopted_by == Some(transaction) {
                let mut next = state.next();
                next.adopted_by = None;
                // If it fails, whoever needs it finds us gone.
                let _ = self.swap_state(staged, &next, found.version);
            }
        }
    }
}

/// Opens the file that was verified.
fn open(file: &VerifiedFile<'_>) -> Result<Box<dyn DiskFile>> {
    let opened = OsDisk
        .open_file(file.path, false)
        .at(Step::Publish, file.path)?;
    let found = opened.status().at(Step::Publish, file.path)?;
    match found.identity == file.identity && found.len == file.bytes {
        true => Ok(opened),
        false => Err(Error::StagingLost {
            step: Step::Publish,
            path: file.path.to_owned(),
        }),
    }
}

/// What is uploaded of a file that was verified.
fn payload<'a>(file: &VerifiedFile<'_>, opened: &'a dyn DiskFile) -> Payload<'a> {
    Payload {
        file: opened,
        bytes: file.bytes,
        hash: file.hash,
    }
}

/// Fingerprint of a staged file: of what the store calls it, and its length.
fn identity(name: &str, bytes: u64) -> Fingerprint {
    let mut hasher = XxHash3_128::new();
    hasher.write(name.as_bytes());
    hasher.write(&bytes.to_le_bytes());
    Fingerprint(hasher.finish_128())
}

//! The records of a transaction: its decision, and the receipt of a named write.

use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::authors::{Authors, Change};
use super::removal::remove_tree;
use super::{DEAD, LONGEST_NAMED, LocalBackend, NEW, RECEIPT, names};
use crate::backend::Backend as _;
use crate::disk::{Disk, DiskFile, EntryKind, FileStatus, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::publish::{self, RenameOutcome, Share};
use crate::receipt::Receipt;
use crate::record::{Decision, LONGEST, LONGEST_OF_OTHERS, Plan, read_json};
use crate::staging::{WRITES, check_inside, is_impossible, is_older};

/// How much of a record is read at once.
const PIECE: usize = 64 << 10;
/// How long they are kept at least.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The record of a named write.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedWrite {
    /// The data set's root, where the staging area may serve others too.
    root: Option<PathBuf>,
    /// The directory that the caller named, below the data set's root.
    scope: PathBuf,
    receipt: Receipt,
}

impl LocalBackend {
    /// The decision in the directory of a transaction, if it may be acted upon.
    ///
    /// # Errors
    /// [`Error::InvalidDecision`] if it is none, [`Error::Distrusted`] if its authors could not carry it out
    /// themselves, [`Error::Read`] if the disk would not read it.
    pub(super) fn read_decision(&self, path: &Path, transaction: Uuid) -> Result<Option<Decision>> {
        let Some((record, authors)) = self.open_record(path)? else {
            return Ok(None);
        };
        let decision = Decision::from_json(record, path, transaction)?;
        match &decision {
            // That of another data set is not carried out here.
            Decision::Committed(plan) if plan.root == self.named_root() => {
                self.check_plan(&authors, plan)?;
            }
            _ => {}
        }
        Ok(Some(decision))
    }

    /// Opens a record in the directory of a transaction, and says whose it is.
    ///
    /// # Errors
    /// [`Error::InvalidDecision`] if it is too long, [`Error::Read`] if the disk would not open it or it is
    /// no file; if the permissions forbid that, and it belongs to somebody who may not write in the data set,
    /// [`Error::Distrusted`].
    pub(super) fn open_record(&self, path: &Path) -> Result<Option<(Record, Authors)>> {
        let directory = path.parent().unwrap_or(path);
        let (file, status) = match open(self.disk.as_ref(), path) {
            Err(Error::Read { path, source })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                return Err(self.unopened(&path, source)?);
            }
            opened => match opened? {
                Some(opened) => opened,
                None => return Ok(None),
            },
        };
        let mut authors = Authors::default();
        self.owners_of(&mut authors, &[directory])?;
        self.add_owners(&mut authors, status.owner.map(|owner| (path, owner)))?;
        record_of(file, &status, path, &authors).map(|record| Some((record, authors)))
    }

    /// The error where something in the directory of a transaction cannot be opened. What a writer of the data set
    /// leaves can be opened by each other: whoever closes it means to be in the way of others.
    pub(super) fn unopened(&self, path: &Path, source: io::Error) -> Result<Error> {
        let directory = path.parent().unwrap_or(path);
        let mut authors = Authors::default();
        if source.kind() == io::ErrorKind::PermissionDenied {
            self.owners_of(&mut authors, &[directory])?;
        }
        self.check_authors(&authors, || [Change::In(self.root.clone())].into())?;
        let path = path.to_owned();
        Ok(match authors.are_trusted() {
            false if self.disk.check_writable(&self.root).is_ok() => Error::InvalidDecision {
                path,
                reason: "is closed to others who may write in the data set".to_owned(),
            },
            _ => Error::Read { path, source },
        })
    }

    /// Writes a file that is complete, and durable in itself, when it gets its name: one that is torn
    /// would be in the way of everybody who comes after a power cut.
    ///
    /// It is staged in its transaction, with which it goes if its writer dies.
    pub(super) fn put(
        &self,
        transaction: Uuid,
        path: &Path,
        bytes: &[u8],
        mode: PublishMode,
    ) -> Result<RenameOutcome> {
        if bytes.len() as u64 > LONGEST {
            return Err(Error::InvalidDecision {
                path: path.to_owned(),
                reason: format!("would be longer than {LONGEST} bytes"),
            });
        }
        let name = format!("{}.{NEW}", Uuid::now_v7());
        let staged = self.place(transaction).join(name);
        let mut file = self
            .disk
            .create_file(&staged, true)
            .at(Step::Decide, &staged)?;
        // It shows values of the data.
        let _ = self.disk.copy_group_and_read_mode(&staged, &self.root);
        let written = write_all(file.as_mut(), bytes).and_then(|()| {
            file.sync()?;
            file.check_close()?;
            file.status()
        });
        let renamed = match written {
            Ok(status) => publish::rename(self.disk.as_ref(), &staged, status.identity, path, mode),
            Err(error) => Err(error).at(Step::Decide, &staged),
        };
        if !matches!(renamed, Ok(RenameOutcome::Renamed)) {
            let _ = self.disk.remove_file(&staged);
        }
        renamed
    }

    /// Tells a named write into a directory of the data set from all others, whose records stand in an
    /// area that serves these data sets.
    fn key(root: &Path, scope: &Path, write_id: &str) -> u128 {
        let mut hasher = XxHash3_128::new();
        for part in [root.as_os_str(), scope.as_os_str()] {
            hasher.write(part.as_encoded_bytes());
            // No path holds it.
            hasher.write(&[0]);
        }
        hasher.write(write_id.as_bytes());
        hasher.finish_128()
    }

    /// Where the receipt of a named write into a directory of the data set is kept: a file, or inside the
    /// root a directory of names.
    pub(super) fn memory(&self, scope: &Path, write_id: &str) -> PathBuf {
        let root = self.named_root().unwrap_or_default();
        let key = Self::key(&root, scope, write_id);
        self.writes().join(match self.is_inside() {
            true => format!("{key:032x}"),
            false => format!("{key:032x}.record"),
        })
    }

    /// Where the receipt of a named write is kept, and the directory with its marker.
    pub(super) fn kept(&self, scope: &Path, write_id: &str) -> (PathBuf, PathBuf) {
        (self.memory(scope, write_id), self.control().writes())
    }

    fn writes(&self) -> PathBuf {
        self.area.path().join(WRITES)
    }

    /// Whether the area is below the root, where readers of the data set see what is in it.
    pub(super) fn is_inside(&self) -> bool {
        self.area.path().starts_with(&self.root)
    }

    /// Keeps the receipt of a named write, and lets everybody know that it is committed.
    pub(super) fn remember(&self, plan: &Plan) -> Result<()> {
        let Some(write_id) = &plan.write_id else {
            return Ok(());
        };
        let path = self.memory(&plan.scope, write_id);
        check_inside(self.disk.as_ref(), self.area.path(), &self.writes())?;
        let writes = [self.writes()].into();
        let share = Share {
            top: self.area.path(),
            model: &self.root,
        };
        publish::prepare(self.disk.as_ref(), &writes, plan.durability(), share)?;
        let written = NamedWrite {
            root: plan.root.clone(),
            scope: plan.scope.clone(),
            receipt: plan.receipt.clone(),
        };
        let record = serde_json::to_vec(&written).map_err(|error| Error::InvalidDecision {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        if self.is_inside() {
            self.put_in_names(plan, &path, &record)?;
        } else {
            let kept = self.put(plan.transaction, &path, &record, PublishMode::Replace);
            let is_lost = match &kept {
                Ok(outcome) => *outcome == RenameOutcome::SourceMissing,
                Err(Error::Io { source, .. }) => source.kind() == io::ErrorKind::NotFound,
                Err(_) => false,
            };
            if kept.is_ok() || is_lost {
                // Also where the area is gone: that it is committed says the marker alone.
                self.mark_write(plan, write_id)?;
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
    fn mark_write(&self, plan: &Plan, write_id: &str) -> Result<()> {
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
        let key = Self::key(Path::new(""), &plan.scope, write_id);
        let marked = control.mark_write(key, self.area.path());
        marked.at(Step::Decide, &writes)?;
        control.forget_writes(REMEMBERED);
        self.mover(plan.durability()).sync(&writes)
    }

    /// Removes the receipts that were kept long enough, as far as they can be.
    fn forget_old_writes(&self) {
        let disk = self.disk.as_ref();
        for entry in disk.list(&self.writes()).unwrap_or_default() {
            let Ok(Some((kind, status))) = disk.status(&entry.path) else {
                continue;
            };
            if !is_older(disk, &entry.path, status.modified, REMEMBERED) {
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
    pub(super) fn recall(&self, scope: &Path, write_id: &str) -> Result<Option<Receipt>> {
        // Before the receipts: each is kept before its marker, perhaps at this moment.
        let control = self.control();
        let key = Self::key(Path::new(""), scope, write_id);
        let marker = control.write_marker(key).map_err(|source| Error::Read {
            path: control.writes(),
            source,
        })?;
        let others = self.other_areas()?;
        for backend in [self].into_iter().chain(&others) {
            match backend.read_receipt(scope, write_id) {
                // Of somebody who keeps it to himself.
                Err(Error::Read { source, .. }) if is_impossible(&source) => {}
                Ok(Some(receipt)) if backend.area.check_owner().is_ok() => {
                    let missing = self.missing_files(scope, &receipt)?;
                    let all = !missing.is_empty() && missing.len() == receipt.files().len();
                    let again = all && self.rewrite_missing;
                    return Ok((!again).then(|| receipt.with_missing(missing)));
                }
                read => drop(read?),
            }
        }
        match marker {
            Some(marker) => Err(Error::AlreadyCommitted {
                path: self.root.clone(),
                write_id: write_id.to_owned(),
                area: marker.area,
            }),
            None => Ok(None),
        }
    }

    /// Those of the files of a receipt that are not there any more.
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

    /// The receipt of a named write that is kept in this area.
    fn read_receipt(&self, scope: &Path, write_id: &str) -> Result<Option<Receipt>> {
        let path = self.memory(scope, write_id);
        let disk = self.disk.as_ref();
        let mut authors = Authors::default();
        let written: NamedWrite = match self.is_inside() {
            true => {
                let Some(named) = unless_none(names::open(disk, &path), &path)? else {
                    return Ok(None);
                };
                let owned = named.owned.iter().map(|(path, owner)| (&**path, *owner));
                self.add_owners(&mut authors, owned)?;
                let longest = match authors.are_trusted() {
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
                self.add_owners(&mut authors, owned)?;
                read_json(record_of(file, &status, &path, &authors)?, &path)?
            }
        };
        // Another could have the same hash.
        let is_it = written.root == self.named_root()
            && written.scope == scope
            && written.receipt.write_id() == Some(write_id);
        if !is_it {
            return Ok(None);
        }
        // Who could not have committed it has not.
        let changed = Change::In(self.root.join(scope));
        self.check_authors(&authors, || [changed].into())?;
        Ok(Some(written.receipt))
    }
}

/// The bytes of a record that are to be read, of limited length.
fn record_of(
    file: Arc<dyn DiskFile>,
    status: &FileStatus,
    path: &Path,
    authors: &Authors,
) -> Result<Record> {
    let longest = match authors.are_trusted() {
        true => LONGEST,
        false => LONGEST_OF_OTHERS,
    };
    if status.len > longest {
        let len = status.len;
        return Err(Error::InvalidDecision {
            path: path.to_owned(),
            reason: format!("is {len} bytes long, of which no more than {longest} are read"),
        });
    }
    let contents = Contents { file, offset: 0 };
    Ok(BufReader::with_capacity(PIECE, contents.take(longest)))
}

fn unless_none<T>(read: io::Result<Option<T>>, path: &Path) -> Result<Option<T>> {
    read.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

fn write_all(file: &mut dyn DiskFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => bytes = &bytes[count..],
        }
    }
    Ok(())
}

/// A record that is read piece by piece.
pub(super) type Record = BufReader<io::Take<Contents>>;

/// The content of a file, from its beginning.
#[derive(Debug)]
pub(super) struct Contents {
    file: Arc<dyn DiskFile>,
    offset: u64,
}

impl io::Read for Contents {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Opens a record, with its status; nothing if there is none.
///
/// # Errors
/// [`Error::Read`] if the disk would not open it, or if it is no file.
fn open(disk: &dyn Disk, path: &Path) -> Result<Option<(Arc<dyn DiskFile>, FileStatus)>> {
    let unread = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    match disk.status(path).map_err(unread)? {
        Some((EntryKind::File, _)) => {}
        None => return Ok(None),
        Some(_) => {
            let reason = "not a regular file";
            return Err(unread(io::Error::new(io::ErrorKind::InvalidData, reason)));
        }
    }
    match disk.open_file(path, false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => {
            let file = file.map_err(unread)?;
            let status = file.status().map_err(unread)?;
            Ok(Some((file.into(), status)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::memory::MemoryFile;

    fn of(bytes: Vec<u8>, broken_from: u64) -> Result<serde_json::Value> {
        let path = Path::new("decision.record");
        let file = MemoryFile::refusing_from(bytes, broken_from);
        let status = file.status().unwrap();
        read_json(record_of(file, &status, path, &Authors::default())?, path)
    }

    #[test]
    fn a_record_is_read_whole() {
        for len in [0, 1, PIECE - 2, PIECE - 1, PIECE, 3 * PIECE] {
            let text = " ".repeat(len);
            let record = format!("{text:?}").into_bytes();
            assert_eq!(of(record, u64::MAX).unwrap(), text);
        }
    }

    #[test]
    fn of_a_long_file_with_nothing_in_it_no_more_is_read_than_shows_that() {
        let mut hollow = vec![b' '; PIECE];
        hollow.resize(8 * PIECE, 0);
        // What is read too much is refused by the disk.
        let error = of(hollow, 2 * PIECE as u64).unwrap_err();
        assert!(matches!(error, Error::InvalidDecision { .. }), "{error:?}");
    }

    #[test]
    fn what_the_disk_does_not_read_is_told_from_what_is_no_record() {
        let error = of(vec![b' '; 8 * PIECE], PIECE as u64).unwrap_err();
        assert!(matches!(error, Error::Read { .. }), "{error:?}");
    }
}

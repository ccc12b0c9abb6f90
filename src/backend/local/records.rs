//! The records of a transaction: how they are written and read.

use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use uuid::Uuid;

use super::record_owners::{Change, UntrustedOwners};
use super::{DECISION, LocalBackend, NEW};
use crate::backend::{Backend as _, Decided};
use crate::disk::{Disk, DiskFile, EntryKind, FileStatus, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::options::Durability;
use crate::publish::{self, RenameOutcome};
use crate::record::{Decision, LONGEST, LONGEST_OF_OTHERS, invalid};

/// How much of a record is read at once.
const PIECE: usize = 64 << 10;

impl LocalBackend {
    /// The decision in the directory of a transaction, if it may be acted upon.
    ///
    /// # Errors
    /// [`Error::InvalidDecision`] if it is none, [`Error::Distrusted`] if its owners could not carry it out
    /// themselves, [`Error::Read`] if the disk would not read it.
    pub(super) fn read_decision(&self, path: &Path, transaction: Uuid) -> Result<Option<Decision>> {
        let Some((record, owners)) = self.open_record(path)? else {
            return Ok(None);
        };
        let decision = Decision::from_json(record, path, transaction)?;
        match &decision {
            // That of another data set is not carried out here.
            Decision::Committed(plan) if plan.root == self.named_root() => {
                self.check_plan(&owners, plan)?;
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
    pub(super) fn open_record(
        &self,
        path: &Path,
    ) -> Result<Option<(RecordReader, UntrustedOwners)>> {
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
        let mut owners = UntrustedOwners::default();
        self.owners_of(&mut owners, &[directory])?;
        self.add_owners(&mut owners, status.owner.map(|owner| (path, owner)))?;
        record_of(file, &status, path, &owners).map(|record| Some((record, owners)))
    }

    /// The error where something in the directory of a transaction cannot be opened. What a writer of the data set
    /// leaves can be opened by each other: whoever closes it means to be in the way of others.
    pub(super) fn unopened(&self, path: &Path, source: io::Error) -> Result<Error> {
        let directory = path.parent().unwrap_or(path);
        let mut owners = UntrustedOwners::default();
        if source.kind() == io::ErrorKind::PermissionDenied {
            self.owners_of(&mut owners, &[directory])?;
        }
        self.check_owners(&owners, || [Change::In(self.root.clone())].into())?;
        let path = path.to_owned();
        Ok(match owners.is_empty() {
            false if self.disk.check_writable(&self.root).is_ok() => Error::InvalidDecision {
                path,
                reason: "is closed to others who may write in the data set".to_owned(),
            },
            _ => Error::Read { path, source },
        })
    }

    /// Puts the record of a decision, unless one is there.
    pub(super) fn decide(
        &self,
        transaction: Uuid,
        decision: &Decision,
        durability: Durability,
    ) -> Result<Decided> {
        let directory = self.place(transaction);
        let path = directory.join(DECISION);
        let ours = match self.put(transaction, &path, decision, PublishMode::CreateNew) {
            Ok(RenameOutcome::Renamed) => true,
            Ok(RenameOutcome::TargetExists) => false,
            Ok(RenameOutcome::SourceMissing) => return Ok(Decided::Gone),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Decided::Gone);
            }
            Err(Error::Unknown { source, .. }) => {
                return Err(Error::Unknown {
                    step: Step::Decide,
                    path: self.root.clone(),
                    source,
                });
            }
            Err(error) => return Err(error),
        };
        // Also where another's stands: it may have died before this. Where all of it is gone, somebody
        // who took us for dead has carried it out.
        match self.mover(durability).sync(&directory) {
            Err(Error::Io { source, .. }) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Unknown {
                    step: Step::Decide,
                    path: self.root.clone(),
                    source,
                });
            }
            _ if ours => return Ok(Decided::Ours),
            _ => {}
        }
        let decision = self.read_decision(&path, transaction)?;
        Ok(decision.map_or(Decided::Gone, Decided::Another))
    }

    /// Writes a record that is complete, and durable in itself, when it gets its name: a torn one would
    /// block every later writer.
    ///
    /// It is staged in its transaction, with which it goes if its writer dies.
    pub(super) fn put(
        &self,
        transaction: Uuid,
        path: &Path,
        record: &impl Serialize,
        mode: PublishMode,
    ) -> Result<RenameOutcome> {
        let name = format!("{}.{NEW}", Uuid::now_v7());
        let staged = self.place(transaction).join(name);
        let mut file = self
            .disk
            .create_file(&staged, true)
            .at(Step::Decide, &staged)?;
        // It shows values of the data.
        let _ = self.disk.copy_group_and_read_mode(&staged, &self.root);
        let written = write_json(file.as_mut(), record, path, &staged).and_then(|()| {
            let finished = file.sync().and_then(|()| file.check_close());
            finished
                .and_then(|()| file.status())
                .at(Step::Decide, &staged)
        });
        let renamed = written.and_then(|status| {
            publish::rename(self.disk.as_ref(), &staged, status.identity, path, mode)
        });
        if !matches!(renamed, Ok(RenameOutcome::Renamed)) {
            let _ = self.disk.remove_file(&staged);
        }
        renamed
    }
}

/// Reader of a record that belongs to these owners, whose length is limited by whether they are trusted.
pub(super) fn record_of(
    file: Arc<dyn DiskFile>,
    status: &FileStatus,
    path: &Path,
    owners: &UntrustedOwners,
) -> Result<RecordReader> {
    let longest = match owners.is_empty() {
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

/// Writes the record that `path` is to hold into the file at `staged`, piece by piece: that of a large commit is longer than
/// what else is known of it.
fn write_json(
    file: &mut dyn DiskFile,
    record: &impl Serialize,
    path: &Path,
    staged: &Path,
) -> Result<()> {
    let mut pieces = BufWriter::with_capacity(PIECE, Pieces { file, len: 0 });
    match serde_json::to_writer(&mut pieces, record) {
        Err(error) if error.is_io() => Err(error.into()).at(Step::Decide, staged)?,
        written => written.map_err(|error| invalid(path, error.to_string()))?,
    }
    pieces.flush().at(Step::Decide, staged)?;
    match pieces.get_ref().len > LONGEST {
        true => Err(invalid(
            path,
            format!("would be longer than {LONGEST} bytes"),
        )),
        false => Ok(()),
    }
}

/// The pieces of a record that go to a file; none once it is longer than any may be.
struct Pieces<'a> {
    file: &'a mut dyn DiskFile,
    len: u64,
}

impl io::Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match self.len > LONGEST {
            true => bytes.len(),
            false => self.file.write(bytes)?,
        };
        self.len += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reader of a record, piece by piece and no further than it may be long.
pub(super) type RecordReader = BufReader<io::Take<Contents>>;

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
pub(super) fn open(
    disk: &dyn Disk,
    path: &Path,
) -> Result<Option<(Arc<dyn DiskFile>, FileStatus)>> {
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
    use crate::record::read_json;

    fn of(bytes: Vec<u8>, broken_from: u64) -> Result<serde_json::Value> {
        let path = Path::new("decision.record");
        let file = MemoryFile::refusing_from(bytes, broken_from);
        let status = file.status().unwrap();
        read_json(
            record_of(file, &status, path, &UntrustedOwners::default())?,
            path,
        )
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

//! The records of a transaction: its decision, and the receipt of a named write.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::{LocalTarget, NEW};
use crate::disk::{Disk, DiskFile, EntryKind, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::publish::{self, Standing};
use crate::receipt::Receipt;
use crate::staging::check_inside;
use crate::target::Target as _;
use crate::transaction::{Decision, LONGEST, Plan};

/// Where the receipts of named writes are kept, in the area.
const WRITES: &str = "writes";
/// How much of a record is read at once.
const PIECE: u64 = 64 << 10;
/// How long they are kept at least.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What is kept of a named write.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedWrite {
    /// The data set's root, where the staging area may serve others too.
    root: Option<PathBuf>,
    /// The directory that the caller named, below the data set's root.
    scope: PathBuf,
    receipt: Receipt,
}

impl LocalTarget {
    pub(super) fn read_decision(&self, path: &Path, transaction: Uuid) -> Result<Option<Decision>> {
        read(self.disk.as_ref(), path)?
            .map(|bytes| Decision::from_json(&bytes, path, transaction))
            .transpose()
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
    ) -> Result<Standing> {
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
            .create_file(&staged, false)
            .at(Step::Decide, &staged)?;
        let written = write_all(file.as_mut(), bytes).and_then(|()| {
            file.sync()?;
            file.check_close()?;
            file.status()
        });
        let renamed = match written {
            Ok(status) => publish::rename(self.disk.as_ref(), &staged, status.identity, path, mode),
            Err(error) => Err(error).at(Step::Decide, &staged),
        };
        if !matches!(renamed, Ok(Standing::Published)) {
            let _ = self.disk.remove_file(&staged);
        }
        renamed
    }

    /// Where the receipt of a named write into a directory of the data set is kept.
    fn memory(&self, scope: &Path, write_id: &str) -> PathBuf {
        let root = self.named_root().unwrap_or_default();
        let mut hasher = XxHash3_128::new();
        for part in [root.as_os_str(), scope.as_os_str()] {
            hasher.write(part.as_encoded_bytes());
            // No path holds it.
            hasher.write(&[0]);
        }
        hasher.write(write_id.as_bytes());
        let hash = hasher.finish_128();
        self.writes().join(format!("{hash:032x}.record"))
    }

    fn writes(&self) -> PathBuf {
        self.area.path().join(WRITES)
    }

    /// Keeps the receipt of a named write.
    pub(super) fn remember(&self, plan: &Plan) -> Result<()> {
        let Some(write_id) = &plan.write_id else {
            return Ok(());
        };
        let path = self.memory(&plan.scope, write_id);
        check_inside(self.disk.as_ref(), self.area.path(), &self.writes())?;
        let writes = [self.writes()].into();
        publish::prepare(self.disk.as_ref(), &writes, plan.durability())?;
        let written = NamedWrite {
            root: plan.root.clone(),
            scope: plan.scope.clone(),
            receipt: plan.receipt.clone(),
        };
        let record = serde_json::to_vec(&written).map_err(|error| Error::InvalidDecision {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        self.put(plan.transaction, &path, &record, PublishMode::Replace)?;
        self.mover(plan.durability()).sync(&self.writes())?;
        self.forget_old_writes();
        Ok(())
    }

    /// Removes the receipts that were kept long enough, as far as they can be.
    fn forget_old_writes(&self) {
        for entry in self.disk.list(&self.writes()).unwrap_or_default() {
            let is_old = self.age_of(&entry.path).is_ok_and(|age| age > REMEMBERED);
            if entry.kind == EntryKind::File && is_old {
                let _ = self.disk.remove_file(&entry.path);
            }
        }
    }

    /// The receipt of a named write into a directory of the data set.
    pub(super) fn read_receipt(&self, scope: &Path, write_id: &str) -> Result<Option<Receipt>> {
        let path = self.memory(scope, write_id);
        let Some(bytes) = read(self.disk.as_ref(), &path)? else {
            return Ok(None);
        };
        let written: NamedWrite =
            serde_json::from_slice(&bytes).map_err(|error| Error::InvalidDecision {
                path,
                reason: error.to_string(),
            })?;
        // Another could have the same hash.
        let is_it = written.root == self.named_root()
            && written.scope == scope
            && written.receipt.write_id() == Some(write_id);
        Ok(is_it.then_some(written.receipt))
    }
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

/// Reads a record, if there is one: none that is longer than any is written, and of what is no text no
/// more than a piece, since a file can be long and take nothing on the disk.
///
/// # Errors
/// [`Error::InvalidDecision`] if it is too long, or no text; [`Error::Read`] if the disk would not read
/// it, or if it is no file.
pub(super) fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>> {
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
        file => read_text(file.map_err(unread)?.as_ref(), path).map(Some),
    }
}

fn read_text(file: &dyn DiskFile, path: &Path) -> Result<Vec<u8>> {
    let unread = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let invalid = |reason| Error::InvalidDecision {
        path: path.to_owned(),
        reason,
    };
    let len = file.status().map_err(unread)?.len;
    if len > LONGEST {
        return Err(invalid(format!(
            "is {len} bytes long, and no record is longer than {LONGEST}"
        )));
    }
    let mut bytes = Vec::new();
    loop {
        let filled = bytes.len();
        let piece = (len - filled as u64).min(PIECE) as usize;
        bytes.resize(filled + piece, 0);
        let count = file.read_at(&mut bytes[filled..], filled as u64);
        let count = count.map_err(unread)?;
        bytes.truncate(filled + count);
        if count == 0 {
            return Ok(bytes);
        }
        if let Some(at) = bytes[filled..].iter().position(|byte| *byte == 0) {
            return Err(invalid(format!("byte {} is 0: not a record", filled + at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::memory::MemoryFile;

    const PIECE: usize = super::PIECE as usize;

    fn of(bytes: Vec<u8>, broken_from: u64) -> Result<Vec<u8>> {
        let file = MemoryFile::refusing_from(bytes, broken_from);
        read_text(file.as_ref(), Path::new("decision.record"))
    }

    #[test]
    fn a_record_is_read_whole() {
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let text = vec![b' '; len];
            assert_eq!(of(text.clone(), u64::MAX).unwrap(), text);
        }
    }

    #[test]
    fn of_a_long_file_with_nothing_in_it_no_more_is_read_than_shows_that() {
        let mut hollow = vec![b' '; PIECE];
        hollow.resize(8 * PIECE, 0);
        // What is read too much is refused by the disk.
        let error = of(hollow, 2 * PIECE as u64).unwrap_err();
        assert!(
            matches!(&error, Error::InvalidDecision { reason, .. } if reason.contains("byte 65536 is 0")),
            "{error:?}"
        );
    }
}

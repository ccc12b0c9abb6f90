//! The records of a transaction: its decision, and the receipt of a named write.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
/// How long they are kept at least.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl LocalTarget {
    pub(super) fn read_decision(&self, path: &Path, transaction: Uuid) -> Result<Option<Decision>> {
        match read(self.disk.as_ref(), path) {
            Ok(bytes) => Decision::from_json(&bytes, path, transaction).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read {
                path: path.to_owned(),
                source,
            }),
        }
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

    fn memory(&self, write_id: &str) -> PathBuf {
        let hash = XxHash3_128::oneshot(write_id.as_bytes());
        self.writes().join(format!("{hash:032x}.json"))
    }

    fn writes(&self) -> PathBuf {
        self.area.path().join(WRITES)
    }

    /// Keeps the receipt of a named write.
    pub(super) fn remember(&self, plan: &Plan) -> Result<()> {
        let Some(write_id) = &plan.write_id else {
            return Ok(());
        };
        let path = self.memory(write_id);
        check_inside(self.disk.as_ref(), self.area.path(), &self.writes())?;
        let writes = [self.writes()].into();
        publish::prepare(self.disk.as_ref(), &writes, plan.durability())?;
        let record = serde_json::to_vec(&plan.receipt).map_err(|error| Error::InvalidDecision {
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

    /// The receipt of a named write.
    pub(super) fn read_receipt(&self, write_id: &str) -> Result<Option<Receipt>> {
        let path = self.memory(write_id);
        let bytes = match read(self.disk.as_ref(), &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?,
        };
        let receipt: Receipt =
            serde_json::from_slice(&bytes).map_err(|error| Error::InvalidDecision {
                path,
                reason: error.to_string(),
            })?;
        // Another name could have the same hash.
        Ok(Some(receipt).filter(|receipt| receipt.write_id() == Some(write_id)))
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

pub(super) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    match disk.status(path)? {
        Some((EntryKind::File, _)) => {}
        None => return Err(io::ErrorKind::NotFound.into()),
        Some(_) => {
            let reason = "not a regular file";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
    }
    let file = disk.open_file(path, false)?;
    let len = file.status()?.len;
    if len > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; len as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

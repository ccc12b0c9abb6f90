//! The records of a transaction: its decision, and the receipt of a named write.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;
use uuid::Uuid;

use super::removal::remove_tree;
use super::{DEAD, LocalTarget, NEW, RECEIPT, names};
use crate::disk::{Disk, DiskFile, EntryKind, PublishMode};
use crate::error::{Error, IoContext, Result, Step};
use crate::publish::{self, Standing};
use crate::receipt::Receipt;
use crate::staging::{WRITES, check_inside, is_impossible, is_older};
use crate::target::Target as _;
use crate::transaction::{Decision, LONGEST, Plan};

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
    fn memory(&self, scope: &Path, write_id: &str) -> PathBuf {
        let root = self.named_root().unwrap_or_default();
        let key = Self::key(&root, scope, write_id);
        self.writes().join(match self.is_inside() {
            true => format!("{key:032x}"),
            false => format!("{key:032x}.record"),
        })
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
        if self.is_inside() {
            self.put_in_names(plan, &path, &record)?;
        } else {
            self.put(plan.transaction, &path, &record, PublishMode::Replace)?;
            self.mark_write(plan, write_id)?;
        }
        self.mover(plan.durability()).sync(&self.writes())?;
        self.forget_old_writes();
        Ok(())
    }

    /// Keeps a record in the names of files, complete and durable when their directory gets its own.
    fn put_in_names(&self, plan: &Plan, path: &Path, record: &[u8]) -> Result<()> {
        let disk = self.disk.as_ref();
        if let Some(found) = names::read(disk, path).ok().flatten()
            && found == record
        {
            return Ok(());
        }
        let made = self.place(plan.transaction).join(RECEIPT);
        remove_tree(disk, &made).at(Step::Decide, &made)?;
        let written = names::write(disk, &made, record);
        written.at(Step::Decide, &made)?;
        self.mover(plan.durability()).sync(&made)?;
        self.bury_names(path)?;
        disk.publish(&made, path, PublishMode::CreateNew)
            .at(Step::Decide, path)
    }

    /// Removes a record that is kept in names: under another name first, so that nobody reads a part.
    fn bury_names(&self, path: &Path) -> Result<()> {
        let dead = self.place(Uuid::now_v7()).with_extension(DEAD);
        match self.disk.publish(path, &dead, PublishMode::CreateNew) {
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
                EntryKind::Directory => drop(self.bury_names(&entry.path)),
                EntryKind::Link | EntryKind::Other => {}
            }
        }
    }

    /// The receipt of a named write into a directory of the data set, from whichever area.
    pub(super) fn recall_receipt(&self, scope: &Path, write_id: &str) -> Result<Option<Receipt>> {
        let others = self.other_areas()?;
        for target in [self].into_iter().chain(&others) {
            match target.read_receipt(scope, write_id) {
                // Of somebody who keeps it to himself.
                Err(Error::Read { source, .. }) if is_impossible(&source) => {}
                Ok(Some(receipt)) if target.area.check_owner().is_ok() => {
                    let missing = self.missing_files(scope, &receipt)?;
                    let all = !missing.is_empty() && missing.len() == receipt.files().len();
                    let again = all && self.rewrite_missing;
                    return Ok((!again).then(|| receipt.with_missing(missing)));
                }
                read => drop(read?),
            }
        }
        let control = self.control();
        let key = Self::key(Path::new(""), scope, write_id);
        let marker = control.write_marker(key).map_err(|source| Error::Read {
            path: control.writes(),
            source,
        })?;
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
        let record = match self.is_inside() {
            true => names::read(disk, &path).map_err(|source| Error::Read {
                path: path.clone(),
                source,
            })?,
            false => read(disk, &path)?,
        };
        let Some(bytes) = record else {
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

//! Scenes: directories and files of other users, and what writers have left.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use atomic_arrow::disk::tap::{Tap, Verb};
use atomic_arrow::disk::{Disk, OsDisk};
use atomic_arrow::{
    AtomicFile, CommitMode, DatasetWriter, DatasetWriterBuilder, Error, FileOptions, PartitionBy,
    RecoverOptions, Recovery, StagedWrite, recover_with_options,
};
use serde_json::{Value, json};

use super::{Taken, disk};
use crate::scenario::Dead;

/// A user who has nothing to do with the data set but by its permissions; his group has the same number.
pub(super) const STRANGER: u32 = 20_001;
/// A user whom an access control list keeps out.
pub(super) const READER: u32 = 20_005;
/// The group of a data set.
pub(super) const GROUP: u32 = 30_000;
/// Another group.
pub(super) const OTHER_GROUP: u32 = 30_001;
/// A transaction that somebody left.
pub(super) const TRANSACTION: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
/// A file that is there before.
pub(super) const OLD: &str = "old.parquet";
/// The extended attribute with the access control list.
pub(super) const ACCESS_LIST: &str = "system.posix_acl_access";

/// A directory of this user and group with these permissions.
pub(super) fn make(path: &Path, (user, group): (u32, u32), bits: u32) -> io::Result<PathBuf> {
    fs::create_dir_all(path)?;
    chown(path, Some(user), Some(group))?;
    fs::set_permissions(path, Permissions::from_mode(bits))?;
    Ok(path.to_owned())
}

pub(super) fn make_file(path: &Path, user: u32, content: &str) -> io::Result<()> {
    fs::write(path, content)?;
    chown(path, Some(user), Some(user))
}

/// Sets the access control list of a directory: of the owning group, of one user, and the mask; the owner may do
/// everything and others may read.
pub(super) fn set_list(path: &Path, group: u16, (user, of_user): (u32, u16)) -> io::Result<()> {
    const NOBODY: u32 = u32::MAX;
    const ENTRIES: usize = 5;
    let entries: [(u16, u16, u32); ENTRIES] = [
        (0x01, 7, NOBODY),
        (0x02, of_user, user),
        (0x04, group, NOBODY),
        (0x10, 7, NOBODY),
        (0x20, 5, NOBODY),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    let flags = rustix::fs::XattrFlags::empty();
    Ok(rustix::fs::setxattr(path, ACCESS_LIST, &bytes, flags)?)
}

/// What somebody leaves who died, or wants to look so: the directory of a transaction with a lease.
pub(super) fn leave(area: &Path, (user, group): (u32, u32), bits: u32) -> io::Result<PathBuf> {
    let transaction = make(&area.join(TRANSACTION), (user, group), bits)?;
    make_file(&transaction.join("lease"), user, "")?;
    Ok(transaction)
}

/// A decision to publish no file, and to let a directory of the transaction take the place of one of the data set, if
/// both are given.
pub(super) fn decision(exchanged: Option<(&str, &str)>) -> String {
    let exchanges: Vec<Value> = exchanged
        .map(|(staged, path)| {
            json!({"staged": staged, "path": path, "witness": "evil.parquet",
                "files": ["evil.parquet"], "removed": [OLD]})
        })
        .into_iter()
        .collect();
    let totals = json!({"files": 0, "partitions": 0, "rows": 0, "bytes": 0, "removed": 0});
    json!({
        "decision": "committed", "version": 1, "transaction": TRANSACTION, "root": null, "scope": "",
        "write_id": null, "arrangement": [], "files": [], "exchanges": exchanges,
        "receipt": {"version": 1, "transaction": TRANSACTION, "write_id": null, "mode": "append",
            "totals": totals, "files": [], "removed": []},
    })
    .to_string()
}

/// A writer with one row of a partition.
fn writer(
    root: &Path,
    disk: Arc<dyn Disk>,
    (key, mode): (&str, CommitMode),
    tune: impl FnOnce(DatasetWriterBuilder) -> DatasetWriterBuilder,
) -> Result<DatasetWriter, Error> {
    let columns: [(&str, ArrayRef); 2] = [
        ("k", Arc::new(StringArray::from(vec![key]))),
        ("v", Arc::new(Int64Array::from(vec![1]))),
    ];
    let rows = RecordBatch::try_from_iter(columns).map_err(|source| Error::Encode {
        step: atomic_arrow::Step::WriteRows,
        path: "rows of a scenario".into(),
        source: Box::new(source),
    })?;
    let builder = DatasetWriter::builder(root)
        .partition_by(PartitionBy::column("k"))
        .mode(mode)
        .threads(1)
        .disk(disk);
    let mut writer = tune(builder).build(rows.schema())?;
    writer.write(&rows)?;
    Ok(writer)
}

/// Commits one row into a partition.
pub(super) fn commit(
    root: &Path,
    disk: Arc<dyn Disk>,
    write: (&str, CommitMode),
    tune: impl FnOnce(DatasetWriterBuilder) -> DatasetWriterBuilder,
) -> Result<(), Error> {
    writer(root, disk, write, tune)?.commit().map(drop)
}

/// What a stranger has staged in a partition, for others to commit, and where.
pub(super) fn staged(root: &Path) -> io::Result<(StagedWrite, PathBuf)> {
    let write = ("A", CommitMode::Append);
    let staged = writer(root, Arc::new(OsDisk), write, as_usual).and_then(DatasetWriter::stage);
    let staged = staged.map_err(failed)?;
    let id = staged.transaction().unwrap_or_default().to_string();
    let transaction = root.with_file_name(".lake.atomic").join(id);
    for entry in fs::read_dir(&transaction)? {
        chown(entry?.path(), Some(STRANGER), Some(STRANGER))?;
    }
    chown(&transaction, Some(STRANGER), Some(STRANGER))?;
    Ok((staged, transaction))
}

pub(super) fn as_usual(builder: DatasetWriterBuilder) -> DatasetWriterBuilder {
    builder
}

/// An earlier commit, of root.
pub(super) fn earlier(root: &Path) -> io::Result<()> {
    let done = commit(root, Arc::new(OsDisk), ("A", CommitMode::Append), as_usual);
    done.map_err(failed)
}

/// An earlier commit, of a writer who dies after such a call.
pub(super) fn died(
    root: &Path,
    write: (&str, CommitMode),
    (verb, name): (Verb, &'static str),
    tune: impl FnOnce(DatasetWriterBuilder) -> DatasetWriterBuilder,
) -> io::Result<()> {
    let dead = Tap::on(Arc::new(OsDisk), Arc::new(Dead::after(1, verb, name)));
    match commit(root, dead, write, tune) {
        Err(_) => Ok(()),
        Ok(()) => Err(io::Error::other("the writer lived on")),
    }
}

/// Commits a row as root, with something taken away; what is wrong if that is refused.
pub(super) fn is_stopped(root: &Path, taken: Taken) -> Option<String> {
    let write = ("B", CommitMode::Append);
    let told = commit(root, disk(taken), write, as_usual);
    told.err()
        .map(|error| format!("a writer is stopped: {error:?}"))
}

/// Recovers a data set as root, with something taken away.
pub(super) fn recover(root: &Path, taken: Taken) -> io::Result<Recovery> {
    let options = RecoverOptions::new().disk(disk(taken));
    recover_with_options(root, &options).map_err(failed)
}

/// Writes one file.
pub(super) fn write(path: &Path, disk: Arc<dyn Disk>) -> Result<(), Error> {
    let mut file = AtomicFile::create_with_options(path, FileOptions::new().disk(disk))?;
    let written = io::Write::write_all(&mut file, b"good");
    written.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    file.commit().map(drop)
}

pub(super) fn failed(error: Error) -> io::Error {
    io::Error::other(format!("{error:?}"))
}

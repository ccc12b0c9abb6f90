//! Records as version 1 wrote them are read and acted upon, for as long as there are such records.
//!
//! The texts in `records/` are golden: they are not changed, and a new version gets new ones. What depends on
//! the file system stands for itself (`IDENTITY`), and is made here as docs/format.md describes it.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use atomic_arrow::{DatasetWriter, Error, Receipt, StagedWrite, StagedWrites, recover};
use twox_hash::XxHash3_128;

const TRANSACTION: &str = "01a227ee-9f4f-73af-9392-84f620a232d4";

/// A data set beside whose root a dead writer left a transaction.
struct Lake {
    directory: tempfile::TempDir,
}

impl Lake {
    /// One with a staged file of the text `new`, and in the partition `k=1` a file of the text `old`.
    fn new() -> Self {
        let lake = Lake {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(lake.transaction()).unwrap();
        fs::create_dir_all(lake.root().join("k=1")).unwrap();
        fs::write(lake.root().join("k=1/old.parquet"), "old").unwrap();
        fs::write(lake.transaction().join("lease"), "").unwrap();
        fs::write(lake.transaction().join("00000.staged"), "new").unwrap();
        lake
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("lake")
    }

    fn area(&self) -> PathBuf {
        self.directory.path().join(".lake.atomic")
    }

    fn transaction(&self) -> PathBuf {
        self.area().join(TRANSACTION)
    }

    /// Puts a record into the transaction.
    fn record(&self, name: &str, text: &str) {
        let staged = identity(&self.transaction().join("00000.staged"));
        let text = text.trim_end().replace("IDENTITY", &staged);
        fs::write(self.transaction().join(name), text).unwrap();
    }

    /// The files of the data set, with what is in them.
    fn files(&self) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.root().join("k=1")).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            files.push((path.strip_prefix(self.root()).unwrap().to_owned(), text));
        }
        files.sort();
        files
    }

    /// The receipt of a named write.
    fn committed(&self, write_id: &str) -> Option<Receipt> {
        let builder = DatasetWriter::builder(self.root()).write_id(write_id);
        builder.already_committed().unwrap()
    }
}

/// The `identity` of a file in records.
fn identity(path: &Path) -> String {
    let metadata = fs::metadata(path).unwrap();
    let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    let mut bytes = Vec::new();
    bytes.extend(metadata.ino().to_le_bytes());
    bytes.extend(metadata.len().to_le_bytes());
    bytes.extend(modified.to_le_bytes());
    format!("{:032x}", XxHash3_128::oneshot(&bytes))
}

fn file(path: impl AsRef<OsStr>, text: &str) -> (PathBuf, String) {
    (path.as_ref().into(), text.to_owned())
}

#[test]
fn a_committed_append_is_published_and_its_receipt_kept() {
    let lake = Lake::new();
    lake.record("decision.record", include_str!("records/append.json"));
    let recovery = recover(lake.root()).unwrap();
    assert_eq!(recovery.finished, [lake.transaction()]);
    assert!(recovery.failed.is_empty(), "{:?}", recovery.failed);
    let published = [
        file("k=1/old.parquet", "old"),
        file("k=1/part-00000.parquet", "new"),
    ];
    assert_eq!(lake.files(), published);
    assert!(!lake.transaction().exists());
    let receipt = lake.committed("monday").unwrap();
    assert_eq!(
        (
            receipt.totals().rows,
            receipt.transaction().to_string().as_str()
        ),
        (1, TRANSACTION)
    );
    assert_eq!(lake.committed("tuesday"), None);
}

#[test]
fn a_committed_exchange_of_a_partition_is_carried_out() {
    let lake = Lake::new();
    lake.record("decision.record", include_str!("records/exchange.json"));
    assert_eq!(recover(lake.root()).unwrap().finished, [lake.transaction()]);
    assert_eq!(lake.files(), [file("k=1/part-00000.parquet", "new")]);
}

#[test]
fn committed_removals_take_what_was_there_and_nothing_that_came_later() {
    let lake = Lake::new();
    let odd = lake.root().join(OsStr::from_bytes(b"k=1/\xff"));
    fs::write(&odd, "odd").unwrap();
    fs::write(lake.root().join("k=1/changed.parquet"), "later").unwrap();
    let old = identity(&lake.root().join("k=1/old.parquet"));
    let text = include_str!("records/removal.json").replace("OLD", &old);
    lake.record("decision.record", &text.replace("ODD", &identity(&odd)));
    assert_eq!(recover(lake.root()).unwrap().finished, [lake.transaction()]);
    let left = [
        file("k=1/changed.parquet", "later"),
        file("k=1/part-00000.parquet", "new"),
    ];
    assert_eq!(lake.files(), left);
}

#[test]
fn a_committed_success_file_is_made() {
    let lake = Lake::new();
    let record = include_str!("records/success_file.json");
    lake.record("decision.record", record);
    assert_eq!(recover(lake.root()).unwrap().finished, [lake.transaction()]);
    assert_eq!(lake.files().len(), 2);
    assert_eq!(
        fs::read_to_string(lake.root().join("_SUCCESS")).unwrap(),
        ""
    );
}

#[test]
fn an_aborted_transaction_is_removed() {
    let lake = Lake::new();
    lake.record("decision.record", include_str!("records/aborted.json"));
    assert_eq!(recover(lake.root()).unwrap().aborted, [lake.transaction()]);
    assert_eq!(lake.files(), [file("k=1/old.parquet", "old")]);
    assert!(!lake.transaction().exists());
}

#[test]
fn what_is_staged_waits_and_is_committed_by_its_message() {
    let lake = Lake::new();
    fs::remove_dir_all(lake.root().join("k=1")).unwrap();
    lake.record(
        "decision.record",
        include_str!("records/staged_decision.json"),
    );
    lake.record("staged.record", include_str!("records/staged.json"));
    assert_eq!(recover(lake.root()).unwrap().staged, [lake.transaction()]);
    let message = include_str!("records/message.json");
    let message = message
        .trim_end()
        .replace("ROOT", lake.root().to_str().unwrap());
    let staged = StagedWrite::from_json(message).unwrap();
    assert_eq!(staged.task(), Some("part 0"));
    let receipt = StagedWrites::new([staged]).commit().unwrap();
    assert_eq!(receipt.totals().rows, 1000);
    let published = lake.root().join("part-00000.parquet");
    assert_eq!(fs::read_to_string(published).unwrap(), "new");
}

#[test]
fn a_named_write_that_is_remembered_is_known() {
    let lake = Lake::new();
    fs::remove_dir_all(lake.transaction()).unwrap();
    fs::create_dir(lake.area().join("writes")).unwrap();
    // Of no root, no scope and this name.
    let key = format!("{:032x}", XxHash3_128::oneshot(b"\0\0tuesday"));
    let record = lake.area().join("writes").join(format!("{key}.record"));
    fs::write(record, include_str!("records/write.json").trim_end()).unwrap();
    assert_eq!(lake.committed("tuesday").unwrap().totals().rows, 1);
    assert_eq!(lake.committed("monday"), None);
}

/// Whoever meets a record of a later version sets it aside, and neither carries it out nor removes it.
#[test]
fn a_record_of_a_later_version_is_set_aside_with_all_that_is_staged() {
    let lake = Lake::new();
    let later = include_str!("records/append.json").replacen(r#""version":1"#, r#""version":2"#, 1);
    lake.record("decision.record", &later);
    let recovery = recover(lake.root()).unwrap();
    assert!(recovery.finished.is_empty() && recovery.aborted.is_empty());
    assert!(
        matches!(recovery.failed.as_slice(), [Error::SetAside { .. }]),
        "{recovery:?}"
    );
    let aside = lake.area().join(format!("{TRANSACTION}.aside"));
    assert_eq!(
        fs::read_to_string(aside.join("00000.staged")).unwrap(),
        "new"
    );
    assert_eq!(lake.files(), [file("k=1/old.parquet", "old")]);
}

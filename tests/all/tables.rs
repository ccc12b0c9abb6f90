//! Tables of other formats: what would take files away that their logs have is refused, whenever the table comes.

use std::fs;
use std::path::{Path, PathBuf};

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::receipt::StagedWrite;
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, CommitMode, DatasetWriter, DatasetWriterBuilder, Error,
    FileOptions, FileUpdate, PartitionBy, PublishMode, StagedWrites,
};

use crate::ground::{directory, weather};

const OVERWRITES: [CommitMode; 2] = [CommitMode::Overwrite, CommitMode::OverwritePartitions];

/// A data set of one station, its root and its only file.
fn data_set() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let (guard, root) = directory();
    let mut writer = by_station(&root, CommitMode::Append)
        .build(weather("KSEA", 1).schema())
        .unwrap();
    writer.write(&weather("KSEA", 1)).unwrap();
    let receipt = writer.commit().unwrap();
    let file = root.join(receipt.files()[0].path());
    (guard, root, file)
}

fn by_station(root: &Path, mode: CommitMode) -> DatasetWriterBuilder {
    let keys: PartitionBy = "station_id".parse().unwrap();
    DatasetWriter::builder(root).partition_by(keys).mode(mode)
}

/// A writer that has taken rows of the station, before there is a table.
fn written(builder: DatasetWriterBuilder) -> DatasetWriter {
    let rows = weather("KSEA", 2);
    let mut writer = builder.build(rows.schema()).unwrap();
    writer.write(&rows).unwrap();
    writer
}

fn make_table(root: &Path) -> PathBuf {
    let log = root.join("_delta_log");
    fs::create_dir(&log).unwrap();
    fs::write(log.join("0.json"), "{}").unwrap();
    log
}

fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, Error>, place: &Path) {
    match outcome {
        Err(Error::Conflict { path, reason }) => {
            assert_eq!(path, place);
            assert!(reason.contains("table"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_that_comes_while_a_write_goes_on_is_not_overwritten() {
    for mode in OVERWRITES {
        let (_guard, root, file) = data_set();
        let refused = written(by_station(&root, mode));
        let log = make_table(&root);
        assert_refused(refused.commit(), &root);
        assert!(file.exists() && log.exists(), "{mode:?}");
        fs::remove_dir_all(&log).unwrap();
        let allowed = written(by_station(&root, mode).overwrite_table(true));
        if mode == CommitMode::OverwritePartitions {
            make_table(&root);
        }
        allowed.commit().unwrap();
        assert!(!file.exists(), "{mode:?}");
    }
}

#[test]
fn a_table_that_comes_after_the_staging_is_not_overwritten() {
    for mode in OVERWRITES {
        let (_guard, root, file) = data_set();
        let staged = written(by_station(&root, mode)).stage().unwrap();
        let commit = |parts: &[&StagedWrite]| {
            StagedWrites::new(parts.iter().map(|part| (*part).clone())).commit()
        };
        let log = make_table(&root);
        assert_refused(commit(&[&staged]), &root);
        if mode == CommitMode::OverwritePartitions {
            let builder = by_station(&root, mode).overwrite_table(true);
            let allowed = written(builder).stage().unwrap();
            assert_refused(commit(&[&allowed, &staged]), &root);
            assert!(file.exists(), "{mode:?}");
            commit(&[&allowed]).unwrap();
            assert!(!file.exists() && log.exists(), "{mode:?}");
            continue;
        }
        assert!(file.exists() && log.exists(), "{mode:?}");
        // What was refused stays staged.
        fs::remove_dir_all(&log).unwrap();
        commit(&[&staged]).unwrap();
        assert!(!file.exists(), "{mode:?}");
    }
}

/// Publishes one file at a path, in each way that there is.
fn publish(path: &Path, rows: &RecordBatch) -> [Result<(), Error>; 3] {
    let alone = || {
        let mut writer = AtomicArrowWriter::at(path, rows.schema())?;
        writer.write(rows)?;
        writer.commit().map(drop)
    };
    let updated = || {
        let mut writer = FileUpdate::begin(path)?.write(rows.schema())?;
        writer.write(rows)?;
        writer.commit().map(drop)
    };
    [alone(), updated(), put(path)]
}

/// Replaces a file by one without bytes.
fn put(path: &Path) -> Result<(), Error> {
    let options = FileOptions::new().mode(PublishMode::Replace);
    AtomicFile::create_with_options(path, options)?
        .commit()
        .map(drop)
}

#[test]
fn a_data_file_of_a_table_is_not_replaced() {
    let (_guard, root, file) = data_set();
    let (rows, before) = (weather("KSEA", 3), fs::read(&file).unwrap());
    let mut begun = AtomicArrowWriter::at(&file, rows.schema()).unwrap();
    begun.write(&rows).unwrap();
    let log = make_table(&root);
    assert_refused(begun.commit(), &file);
    for outcome in publish(&file, &rows) {
        assert_refused(outcome, &file);
    }
    assert_eq!(fs::read(&file).unwrap(), before);
    // What the log does not have is nobody's, and who writes the log is not stopped.
    fs::write(root.join("notes.md"), "").unwrap();
    put(&root.join("notes.md")).unwrap();
    put(&log.join("0.json")).unwrap();
    AtomicArrowWriter::at(root.join("new.parquet"), rows.schema())
        .unwrap()
        .commit()
        .unwrap();
    // As the error says.
    fs::remove_file(&file).unwrap();
    put(&file).unwrap();
}

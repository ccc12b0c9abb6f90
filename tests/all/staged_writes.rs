//! What several processes stage and one commits: all of it or none, and each piece of work once.
//!
//! Promises P6 and P7.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, NullArray, RecordBatch, StringArray};
use atomic_arrow::disk::Disk as _;
use atomic_arrow::disk::sim::{FaultTime, Lie, Moment, SimDisk};
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, Durability, Error, Outcome, PartitionBy,
    PublishMode, RecoverOptions, Recovery, StagedWrite, StagedWrites, StagingPlace, SyncPolicy,
    recover, recover_with_options,
};

use crate::child::{Child, Part, ROWS, STATIONS};
use crate::ground::{count_rows, directory, published, tree};

const ROOT: &str = "/lake/weather";
const CONTROL: &str = "/lake/weather/.atomic";
const NONE: [i64; 0] = [];
const AREA: &str = "/lake/.weather.atomic";

/// Rows of these stations, numbered from `first`.
fn batch(stations: &[&str], first: i64) -> RecordBatch {
    let numbers = Int64Array::from_iter_values(first..first + stations.len() as i64);
    let stations: ArrayRef = Arc::new(StringArray::from(stations.to_vec()));
    let numbers: ArrayRef = Arc::new(numbers);
    RecordBatch::try_from_iter([("station_id", stations), ("number", numbers)]).unwrap()
}

fn builder(disk: &SimDisk, mode: CommitMode) -> DatasetWriterBuilder {
    DatasetWriter::builder(ROOT)
        .partition_by(PartitionBy::column("station_id"))
        .threads(1)
        .sync(SyncPolicy::EachFile)
        .mode(mode)
        .disk(Arc::new(disk.clone()))
}

fn write(builder: DatasetWriterBuilder, batch: &RecordBatch) -> DatasetWriter {
    let mut writer = builder.build(batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer
}

fn stage(disk: &SimDisk, mode: CommitMode, stations: &[&str], first: i64) -> StagedWrite {
    let writer = write(builder(disk, mode), &batch(stations, first));
    writer.stage().unwrap()
}

fn all(disk: &SimDisk, writes: &[StagedWrite]) -> StagedWrites {
    StagedWrites::new(writes.iter().cloned()).disk(Arc::new(disk.clone()))
}

fn recover_disk(disk: &SimDisk) -> Recovery {
    let options = RecoverOptions::new().disk(Arc::new(disk.clone()));
    let recovery = recover_with_options(ROOT, &options).unwrap();
    assert!(recovery.failed.is_empty(), "{:?}", recovery.failed);
    assert!(recovery.alive.is_empty(), "{:?}", recovery.alive);
    recovery
}

/// The numbers of all rows that a reader of the data set finds, sorted.
fn rows(disk: &SimDisk) -> Vec<i64> {
    let mut rows = Vec::new();
    for file in disk.files() {
        if !file.starts_with(ROOT) || file.starts_with(CONTROL) {
            continue;
        }
        let bytes = bytes::Bytes::from(disk.read(&file).unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let numbers = batch.column(0).as_any().downcast_ref::<Int64Array>();
            rows.extend(numbers.unwrap().values());
        }
    }
    rows.sort();
    rows
}

/// What is left in the staging area but its lock and the names of writes.
fn left(disk: &SimDisk) -> Vec<PathBuf> {
    let in_area = |file: &PathBuf| {
        file.starts_with(AREA)
            && !file.ends_with("lock")
            && !file.starts_with(format!("{AREA}/writes"))
    };
    disk.files().into_iter().filter(in_area).collect()
}

#[test]
fn what_several_writers_stage_is_invisible_until_one_commit_publishes_it_all() {
    let disk = SimDisk::new();
    let first = stage(&disk, CommitMode::Append, &["KSEA", "KJFK"], 0);
    let second = stage(&disk, CommitMode::Append, &["KSEA"], 10);
    assert_eq!((first.totals().files, first.totals().rows), (2, 2));
    assert_eq!(rows(&disk), NONE);
    // Other writers come and go.
    write(builder(&disk, CommitMode::Append), &batch(&["KLGA"], 20))
        .commit()
        .unwrap();
    assert_eq!(recover_disk(&disk).staged.len(), 2);

    let receipt = all(&disk, &[first.clone(), second]).commit().unwrap();
    assert_eq!((receipt.totals().files, receipt.totals().rows), (3, 3));
    assert_ne!(Some(receipt.transaction()), first.transaction());
    assert_eq!(rows(&disk), [0, 1, 10, 20]);
    assert_eq!(left(&disk), Vec::<PathBuf>::new());
}

#[test]
fn a_piece_of_work_that_was_done_twice_counts_once() {
    let disk = SimDisk::new();
    let attempt = |task: &str, first| {
        let builder = builder(&disk, CommitMode::Append).task(task);
        write(builder, &batch(&["KSEA"], first)).stage().unwrap()
    };
    let (one, again, two) = (attempt("one", 0), attempt("one", 10), attempt("two", 20));
    let writes = [one.clone(), two.clone(), again, one, two];
    assert_eq!(all(&disk, &writes).commit().unwrap().totals().rows, 2);
    assert_eq!(rows(&disk), [0, 20]);
    assert_eq!(left(&disk), Vec::<PathBuf>::new());
}

#[test]
fn what_is_discarded_is_gone_and_cannot_be_committed() {
    let disk = SimDisk::new();
    let writes = [0, 10].map(|first| stage(&disk, CommitMode::Append, &["KSEA"], first));
    all(&disk, &writes[..1]).discard().unwrap();
    let error = all(&disk, &writes).commit().unwrap_err();
    assert!(matches!(error, Error::StagedWriteGone { .. }), "{error:?}");
    // The other one waits as before.
    assert_eq!(rows(&disk), NONE);
    all(&disk, &writes[1..]).commit().unwrap();
    assert_eq!(rows(&disk), [10]);
    all(&disk, &writes).discard().unwrap();
    assert_eq!((rows(&disk), left(&disk)), (vec![10], Vec::new()));
    let again = all(&disk, &writes[1..]).commit().unwrap_err();
    assert!(matches!(again, Error::StagedWriteGone { .. }), "{again:?}");
    assert_eq!(rows(&disk), [10]);
}

#[test]
fn what_the_writers_of_different_data_sets_or_modes_stage_is_not_mixed() {
    let disk = SimDisk::new();
    let one = stage(&disk, CommitMode::Append, &["KSEA"], 0);
    let other_mode = stage(&disk, CommitMode::Overwrite, &["KSEA"], 0);
    let elsewhere = DatasetWriter::builder("/lake/other").disk(Arc::new(disk.clone()));
    let elsewhere = write(elsewhere, &batch(&["KSEA"], 0)).stage().unwrap();
    for other in [other_mode, elsewhere] {
        let both = all(&disk, &[one.clone(), other.clone()]);
        for result in [both.commit().map(drop), both.discard()] {
            let error = result.unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::InvalidOption {
                        option: "staged writes",
                        ..
                    }
                ),
                "{error:?}"
            );
        }
        // What is said of it does not make it another's.
        let told = other.to_json().unwrap().replace("/lake/other", ROOT);
        let told = StagedWrite::from_json(told.replace("\"overwrite\"", "\"append\"")).unwrap();
        let error = all(&disk, &[one.clone(), told]).commit().unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotPublished, "{error:?}");
        assert_eq!(rows(&disk), NONE);
    }
    let none = all(&disk, &[]);
    assert!(matches!(none.commit(), Err(Error::InvalidOption { .. })));
    none.discard().unwrap();
    all(&disk, &[one]).commit().unwrap();
    assert_eq!(rows(&disk), [0]);
}

#[test]
fn what_is_staged_says_of_which_data_set_it_is_and_is_of_no_other() {
    let disk = SimDisk::new();
    let staged = stage(&disk, CommitMode::Append, &["KSEA"], 0);
    let elsewhere = DatasetWriter::builder("/lake/other").disk(Arc::new(disk.clone()));
    let elsewhere = write(elsewhere, &batch(&["KSEA"], 0)).stage().unwrap();
    let writes = all(&disk, std::slice::from_ref(&staged));
    assert_eq!(writes.root().unwrap(), Path::new(ROOT));
    for (writes, reason) in [
        (all(&disk, &[]), "nothing is staged"),
        (all(&disk, &[staged, elsewhere]), "more than one data set"),
        (
            writes.clone().expect_root("/lake/other"),
            "they belong to /lake/weather, and not to /lake/other",
        ),
    ] {
        let error = writes.root().unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(writes.commit().unwrap_err().to_string(), error.to_string());
    }
    assert_eq!(rows(&disk), NONE);
    let wrong = writes.clone().expect_root("/lake/other").discard();
    assert!(matches!(wrong, Err(Error::InvalidOption { .. })));
    writes.expect_root(ROOT).commit().unwrap();
    assert_eq!(rows(&disk), [0]);
}

#[test]
fn a_writer_that_is_still_at_work_is_not_committed_by_others() {
    let disk = SimDisk::new();
    let staged = stage(&disk, CommitMode::Append, &["KSEA"], 0);
    let writer = write(builder(&disk, CommitMode::Append), &batch(&["KJFK"], 10));
    let area = disk.directories().into_iter();
    let live = area
        .filter(|path| path.parent() == Some(Path::new(AREA)))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .find(|name| *name != staged.transaction().unwrap().to_string())
        .unwrap();
    let told = staged.to_json().unwrap();
    let told = told.replace(&staged.transaction().unwrap().to_string(), &live);
    let stolen = StagedWrite::from_json(told).unwrap();
    let error = all(&disk, std::slice::from_ref(&stolen))
        .commit()
        .unwrap_err();
    assert!(matches!(error, Error::StagedWriteGone { .. }), "{error:?}");
    all(&disk, &[stolen]).discard().unwrap();
    writer.commit().unwrap();
    assert_eq!(rows(&disk), [10]);
}

#[test]
fn a_write_without_rows_is_staged_as_nothing_and_committed_as_nothing() {
    let disk = SimDisk::new();
    let empty = stage(&disk, CommitMode::Append, &[], 0);
    assert_eq!(left(&disk), Vec::<PathBuf>::new());
    let receipt = all(&disk, std::slice::from_ref(&empty)).commit().unwrap();
    assert_eq!(receipt.totals().files, 0);
    let full = stage(&disk, CommitMode::Append, &["KSEA"], 0);
    all(&disk, &[empty, full]).commit().unwrap();
    assert_eq!(rows(&disk), [0]);
}

#[test]
fn an_overwrite_staged_without_rows_removes_what_its_writer_saw_and_nothing_else() {
    let disk = SimDisk::new();
    let append = |first| {
        let rows = batch(&["KSEA"], first);
        write(builder(&disk, CommitMode::Append), &rows)
            .commit()
            .unwrap();
    };
    let empty = || [stage(&disk, CommitMode::Overwrite, &[], 0)];
    append(0);
    let writes = empty();
    append(10);
    let error = all(&disk, &writes).commit().unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
    assert_eq!(rows(&disk), [0, 10]);
    all(&disk, &writes).discard().unwrap();

    let writes = empty();
    let receipt = all(&disk, &writes).commit().unwrap();
    assert_eq!((receipt.totals().removed, rows(&disk)), (2, NONE.to_vec()));
    assert_eq!(left(&disk), Vec::<PathBuf>::new());
    append(20);
    let error = all(&disk, &writes).commit().unwrap_err();
    assert!(matches!(error, Error::StagedWriteGone { .. }), "{error:?}");
    assert_eq!(rows(&disk), [20]);
}

#[test]
fn a_write_that_is_not_synced_has_no_name_that_would_outlive_its_rows() {
    let disk = SimDisk::new();
    let unsynced = || {
        let builder = builder(&disk, CommitMode::Append).sync(SyncPolicy::Auto);
        builder.durability(Durability::Unsynced)
    };
    let rows = batch(&["KSEA"], 0);
    let refused = |error: Error| {
        let named = |option| option == "write_id";
        assert!(
            matches!(error, Error::InvalidOption { option, .. } if named(option)),
            "{error:?}"
        );
    };
    let named = || unsynced().write_id("monday");
    refused(named().build(rows.schema()).unwrap_err());
    refused(named().already_committed().unwrap_err());
    let staged = [write(unsynced(), &rows).stage().unwrap()];
    refused(all(&disk, &staged).write_id("monday").commit().unwrap_err());
    all(&disk, &staged).commit().unwrap();
}

#[test]
fn an_id_belongs_to_the_commit_and_makes_repeating_it_harmless() {
    let disk = SimDisk::new();
    let named = builder(&disk, CommitMode::Append).write_id("monday");
    let error = write(named, &batch(&["KSEA"], 0)).stage().unwrap_err();
    assert!(
        matches!(
            error,
            Error::InvalidOption {
                option: "write_id",
                ..
            }
        ),
        "{error:?}"
    );

    let commit = |writes: &[StagedWrite]| all(&disk, writes).write_id("monday").commit().unwrap();
    let writes = [0, 10].map(|first| stage(&disk, CommitMode::Append, &["KSEA"], first));
    let first = commit(&writes);
    assert_eq!(commit(&writes), first);
    // The job was run once more from its beginning.
    let again = [0, 10].map(|first| stage(&disk, CommitMode::Append, &["KSEA"], first));
    assert_eq!(commit(&again), first);
    assert_eq!((rows(&disk), left(&disk)), (vec![0, 10], Vec::new()));
}

#[test]
fn an_overwrite_replaces_what_all_of_its_writers_touch() {
    let disk = SimDisk::new();
    let old = batch(&["KSEA", "KJFK", "KLGA"], 0);
    write(builder(&disk, CommitMode::Append), &old)
        .commit()
        .unwrap();
    let mode = CommitMode::OverwritePartitions;
    let writes = [
        stage(&disk, mode, &["KSEA"], 10),
        stage(&disk, mode, &["KSEA", "KJFK"], 20),
    ];
    let receipt = all(&disk, &writes).commit().unwrap();
    assert_eq!(receipt.totals().removed, 2);
    assert_eq!(rows(&disk), [2, 10, 20, 21]);

    let writes = [30, 40].map(|first| stage(&disk, CommitMode::Overwrite, &["KEWR"], first));
    assert_eq!(all(&disk, &writes).commit().unwrap().totals().removed, 4);
    assert_eq!((rows(&disk), left(&disk)), (vec![30, 40], Vec::new()));
}

#[test]
fn an_overwrite_that_met_another_commit_publishes_nothing_and_stays_staged() {
    for mode in [CommitMode::OverwritePartitions, CommitMode::Overwrite] {
        let disk = SimDisk::new();
        let first = stage(&disk, mode, &["KSEA"], 10);
        write(builder(&disk, CommitMode::Append), &batch(&["KSEA"], 0))
            .commit()
            .unwrap();
        // Looks at the data set after the other commit, as the first did not.
        let second = stage(&disk, mode, &["KSEA"], 20);
        for writes in [&[first.clone()][..], &[first.clone(), second.clone()]] {
            let error = all(&disk, writes).commit().unwrap_err();
            assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
            assert_eq!(rows(&disk), [0]);
        }
        assert_eq!(recover_disk(&disk).staged.len(), 2);
        all(&disk, &[second]).commit().unwrap();
        assert_eq!(rows(&disk), [20]);
        all(&disk, &[first]).discard().unwrap();
        assert_eq!(left(&disk), Vec::<PathBuf>::new());
    }
}

#[test]
fn what_nobody_commits_is_removed_when_its_time_is_over() {
    let hour = Duration::from_secs(60 * 60);
    let disk = SimDisk::new();
    let short = builder(&disk, CommitMode::Append).keep_staged(hour);
    let short = write(short, &batch(&["KSEA"], 0)).stage().unwrap();
    let long = stage(&disk, CommitMode::Append, &["KSEA"], 10);
    let staged = |recovery: &Recovery| (recovery.staged.len(), recovery.aborted.len());
    disk.advance(hour / 2);
    assert_eq!(staged(&recover_disk(&disk)), (2, 0));
    disk.advance(hour);
    assert_eq!(staged(&recover_disk(&disk)), (1, 1));
    let error = all(&disk, &[short]).commit().unwrap_err();
    assert!(matches!(error, Error::StagedWriteGone { .. }), "{error:?}");
    disk.advance(21 * hour);
    all(&disk, &[long]).commit().unwrap();
    stage(&disk, CommitMode::Append, &["KSEA"], 20);
    disk.advance(25 * hour);
    assert_eq!(staged(&recover_disk(&disk)), (0, 1));
    assert_eq!((rows(&disk), left(&disk)), (vec![10], Vec::new()));
}

/// A driver dies at any moment of a commit, and nobody comes before the time of what he had is over.
#[test]
fn one_recovery_removes_what_a_dead_driver_had_and_nobody_may_commit_any_more() {
    let disk = SimDisk::new();
    disk.set_journaled(true);
    let writes = [0, 10].map(|first| stage(&disk, CommitMode::Append, &["KSEA"], first));
    let begin = disk.moments().len();
    all(&disk, &writes).commit().unwrap();
    for moment in disk.moments().split_off(begin) {
        for found in moment.after_power_loss() {
            found.advance(Duration::from_secs(25 * 60 * 60));
            recover_disk(&found);
            assert_eq!(left(&found), Vec::<PathBuf>::new(), "{}", moment.call);
            let again = recover_disk(&found);
            assert!(again.staged.is_empty(), "{}: {again:?}", moment.call);
            assert!(again.aborted.is_empty(), "{}: {again:?}", moment.call);
        }
    }
}

#[test]
fn a_staged_file_that_is_missing_or_cut_off_is_found_before_anything_is_decided() {
    for cut_off in [false, true] {
        let disk = SimDisk::new();
        let writes = [0, 10].map(|first| stage(&disk, CommitMode::Append, &["KSEA"], first));
        let victim = writes[1].transaction().unwrap().to_string();
        let is_victim = |path: &PathBuf| {
            path.parent()
                .is_some_and(|parent| parent.ends_with(&victim))
                && path
                    .extension()
                    .is_some_and(|extension| extension == "staged")
        };
        let victim = disk.files().into_iter().find(is_victim).unwrap();
        let bytes = disk.read(&victim).unwrap();
        disk.remove_file(&victim).unwrap();
        if cut_off {
            disk.put(&victim, &bytes[..bytes.len() - 1]).unwrap();
        }
        let error = all(&disk, &writes).commit().unwrap_err();
        match cut_off {
            true => assert!(matches!(error, Error::Damaged { .. }), "{error:?}"),
            false => assert!(matches!(error, Error::StagedWriteGone { .. }), "{error:?}"),
        }
        assert_eq!(error.outcome(), Outcome::NotPublished);
        assert_eq!(rows(&disk), NONE);
        all(&disk, &writes[..1]).commit().unwrap();
        assert_eq!(rows(&disk), [0]);
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A disk whose locks other machines do not see.
fn shared_disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.set_trusts_locks(false);
    disk.lie(Lie::Locks);
    disk
}

#[test]
fn a_writer_or_driver_that_was_taken_for_dead_never_acknowledges_what_is_not_there() {
    let mut aborted = 0;
    for (call, times) in [
        ("sync_directory", 12),
        ("status", 40),
        ("create_file", 6),
        ("rename", 12),
    ] {
        for (time, staged) in (0..times).flat_map(|time| [(time, false), (time, true)]) {
            let disk = shared_disk();
            let builder = builder(&disk, CommitMode::Append).keep_staged(100 * DAY);
            let writer = write(builder, &batch(&["KSEA"], 0));
            let (mut writer, mut write) = (Some(writer), None);
            if staged {
                write = writer.take().map(|writer| writer.stage().unwrap());
            }
            let other = disk.clone();
            (0..time).for_each(|_| disk.before_call(call, || {}));
            // Another machine finds it a day later, in the middle of its work.
            disk.before_call(call, move || {
                other.advance(DAY + DAY / 24);
                recover_disk(&other);
            });
            let place = format!("before {call} {time}, staged: {staged}");
            let committed = match writer {
                Some(writer) => writer.commit(),
                None => all(&disk, write.as_slice()).commit(),
            };
            let rows_then = rows(&disk);
            recover_disk(&disk);
            match &committed {
                Ok(_) => assert_eq!(rows(&disk), [0], "{place}"),
                Err(error) => {
                    assert_eq!(rows_then, NONE, "{place}: {error:?}");
                    assert_eq!(error.outcome(), Outcome::NotPublished, "{place}: {error:?}");
                    assert_eq!(rows(&disk), NONE, "{place}: {error:?}");
                    aborted += 1;
                }
            }
            if let (Some(write), Err(_)) = (&write, &committed) {
                all(&disk, std::slice::from_ref(write)).commit().unwrap();
                assert_eq!(rows(&disk), [0], "{place}");
            }
        }
    }
    assert!(aborted > 10, "{aborted}");
}

#[test]
fn other_machines_do_not_take_a_slow_writer_for_dead_nor_keep_what_is_staged_too_long() {
    let hour = DAY / 24;
    let disk = shared_disk();
    let short = builder(&disk, CommitMode::Append).keep_staged(hour);
    let short = write(short, &batch(&["KSEA"], 100)).stage().unwrap();
    let mut writer = write(builder(&disk, CommitMode::Append), &batch(&["KSEA"], 0));
    let options = RecoverOptions::new().disk(Arc::new(disk.clone()));
    for round in 1..=30 {
        disk.advance(hour + hour / 60);
        let recovery = recover_with_options(ROOT, &options).unwrap();
        assert!(recovery.failed.is_empty(), "{recovery:?}");
        assert_eq!(
            (recovery.alive.len(), recovery.staged.len()),
            (1, 0),
            "{round}"
        );
        writer.write(&batch(&["KSEA"], round)).unwrap();
    }
    assert!(matches!(
        all(&disk, &[short]).commit(),
        Err(Error::StagedWriteGone { .. })
    ));
    writer.commit().unwrap();
    assert_eq!(rows(&disk).len(), 31);
}

#[test]
fn data_sets_that_share_a_staging_directory_leave_each_others_work_alone() {
    let place = || StagingPlace::Directory("/stage".into());
    let disk = SimDisk::new();
    disk.set_journaled(true);
    let ours = builder(&disk, CommitMode::Append).staging(place());
    let staged = write(ours, &batch(&["KSEA"], 0)).stage().unwrap();
    let begin = disk.moments().len();
    all(&disk, std::slice::from_ref(&staged)).commit().unwrap();
    // The driver dies after each of its calls, and it is the other data set's writer who comes next.
    for moment in disk.moments().into_iter().skip(begin) {
        for found in moment.after_power_loss() {
            let other = DatasetWriter::builder("/lake/other")
                .staging(place())
                .disk(Arc::new(found.clone()));
            write(other, &batch(&["KJFK"], 5)).commit().unwrap();
            let again = all(&found, std::slice::from_ref(&staged)).commit();
            assert_eq!(rows(&found), [0], "after {}: {again:?}", moment.call);
        }
    }
}

#[test]
fn a_message_that_names_a_strangers_directory_removes_nothing_of_it() {
    let disk = SimDisk::new();
    let id = "019ab3c4-0000-7000-8000-000000000000";
    let photo = format!("/srv/uploads/{id}/photo.jpg");
    let json = format!("/srv/uploads/{id}/data.json");
    for file in [&photo, &json] {
        disk.put(file, b"a stranger's").unwrap();
    }
    let staged = stage(&disk, CommitMode::Append, &["KSEA"], 0);
    let mut told: serde_json::Value = serde_json::from_str(&staged.to_json().unwrap()).unwrap();
    told["staging"] = serde_json::json!({"directory": "/srv/uploads"});
    told["transaction"] = serde_json::json!(id);
    let told = [StagedWrite::from_json(told.to_string()).unwrap()];
    all(&disk, &told).discard().unwrap();
    assert!(all(&disk, &told).commit().is_err());
    for file in [&photo, &json] {
        assert_eq!(disk.read(file).unwrap(), b"a stranger's");
    }
}

/// Recovery looks at a transaction without a decision, which was staged only a moment before: a driver
/// had it, and gave it back.
#[test]
fn what_is_given_back_while_recovery_looks_is_not_removed() {
    for looks in 0..12 {
        for call in [
            "create_file",
            "write",
            "sync_file",
            "open_file",
            "rename",
            "status",
        ] {
            let disk = SimDisk::new();
            let staged = stage(&disk, CommitMode::Append, &["KSEA"], 0);
            let name = staged.transaction().unwrap().to_string();
            disk.put(format!("{AREA}/hold/x"), b"").unwrap();
            let (from, to) = (
                Path::new(AREA).join(&name),
                Path::new(AREA).join("hold").join(&name),
            );
            let (other, another) = (disk.clone(), disk.clone());
            (0..looks).for_each(|_| disk.before_call("open_file", || {}));
            disk.before_call("open_file", move || {
                other.rename(&from, &to, PublishMode::CreateNew).unwrap();
                another.before_call(call, move || {
                    let _ = other.rename(&to, &from, PublishMode::CreateNew);
                });
            });
            recover_disk(&disk);
            let file = |path: &PathBuf| path.ends_with("00000.staged");
            assert!(disk.files().iter().any(file), "{looks} {call}");
        }
    }
}

/// Every call of a commit by a driver fails, and what it does then fails too.
#[test]
fn whatever_fails_in_a_commit_its_error_is_true_and_nothing_staged_is_lost() {
    const EIO: i32 = 5;
    let mut runs = 0;
    for mode in [CommitMode::Append, CommitMode::OverwritePartitions] {
        let scene = || {
            let disk = SimDisk::new();
            let writes = [0, 10].map(|first| stage(&disk, mode, &["KSEA"], first));
            (disk, writes)
        };
        let (disk, writes) = scene();
        let begin = disk.calls().len();
        all(&disk, &writes).commit().unwrap();
        let end = disk.calls().len();
        for call in begin..end {
            let second = [0, 1, 2, 3, 5, 9].map(|second| (second, FaultTime::Before));
            for (second, when) in second.into_iter().chain([(0, FaultTime::After)]) {
                runs += 1;
                let (disk, writes) = scene();
                disk.fail_call(call, EIO, when);
                if second > 0 {
                    disk.fail_call(call + second, EIO, when);
                }
                let committed = all(&disk, &writes).commit();
                let name = &disk.calls()[call];
                let place = format!("{mode:?}, {when:?} {name} and {second} later: {committed:?}");
                // What could not be cleaned up is by who comes next; he may be who meets the second fault.
                let options = RecoverOptions::new().disk(Arc::new(disk.clone()));
                for _ in 0..2 {
                    let _ = recover_with_options(ROOT, &options);
                }
                recover_disk(&disk);
                let there = rows(&disk);
                assert!(there == NONE || there == [0, 10], "{place}: {there:?}");
                match committed.map_err(|error| error.outcome()) {
                    Ok(_) | Err(Outcome::PublishedInPart) => assert_eq!(there, [0, 10], "{place}"),
                    Err(Outcome::NotPublished) => assert_eq!(there, NONE, "{place}"),
                    Err(_) => {}
                }
                let again = all(&disk, &writes).commit();
                assert_eq!(rows(&disk), [0, 10], "{place}, then {again:?}");
                all(&disk, &writes).discard().unwrap();
                recover_disk(&disk);
                assert_eq!(left(&disk), Vec::<PathBuf>::new(), "{place}");
            }
        }
    }
    println!("{runs} runs");
}

/// Two writers stage one after the other, and a driver commits: the power fails after each call, and in
/// recovery again. Then somebody commits once more.
#[test]
fn a_power_loss_at_any_moment_leaves_all_that_was_staged_or_none_and_never_twice() {
    let mut states = 0;
    for mode in [
        CommitMode::Append,
        CommitMode::OverwritePartitions,
        CommitMode::Overwrite,
    ] {
        let disk = SimDisk::new();
        disk.set_journaled(true);
        let old = batch(&["KSEA", "KLGA"], 100);
        write(builder(&disk, CommitMode::Append), &old)
            .commit()
            .unwrap();
        // As it is long after: what may be found of the marker's removal would multiply all else.
        disk.open_directory(CONTROL.as_ref())
            .and_then(|control| control.sync())
            .unwrap();
        let before = rows(&disk);
        let mut writes = Vec::new();
        // How many moments there were when each call returned.
        let mut returned = Vec::new();
        for first in [0, 10] {
            writes.push(stage(&disk, mode, &["KSEA"], first));
            returned.push(disk.moments().len());
        }
        all(&disk, &writes).commit().unwrap();
        let after = rows(&disk);
        let mut moments = disk.moments();
        // As the old root is removed, all is done that matters; each of its names would multiply what
        // may be found.
        let removes = |moment: &Moment| moment.call.contains(".dead/new/");
        let end = moments.iter().position(removes);
        moments.truncate(end.unwrap_or(moments.len()));
        assert_ne!(before, after);
        let mut known = HashSet::new();
        for (number, moment) in moments.iter().enumerate().skip(returned[0]) {
            for found in moment.after_power_loss() {
                states += 1;
                let durable = number + 1 >= returned[1];
                let files = found.files().into_iter();
                let contents: Vec<_> = files.map(|file| (found.read(&file).ok(), file)).collect();
                if !known.insert((durable, number + 1 == moments.len(), contents)) {
                    continue;
                }
                let place = || format!("{mode:?}, after {:?}", moment.call);
                recover_disk(&found);
                let first = rows(&found);
                let committed = number + 1 == moments.len();
                assert!(
                    first == after || (first == before && !committed),
                    "{}: {first:?}",
                    place()
                );
                if first == after {
                    assert_eq!(left(&found), Vec::<PathBuf>::new(), "{}", place());
                }
                if !durable {
                    continue;
                }
                // What was staged is either committed, and that once, or still there to be committed.
                match all(&found, &writes).commit() {
                    Ok(_) => assert_eq!(first, before, "{}", place()),
                    Err(Error::StagedWriteGone { .. }) => assert_eq!(first, after, "{}", place()),
                    Err(error) => panic!("{}: {error:?}", place()),
                }
                assert_eq!(rows(&found), after, "{}", place());
                all(&found, &writes).discard().unwrap();
                recover_disk(&found);
                assert_eq!(left(&found), Vec::<PathBuf>::new(), "{}", place());
            }
        }
    }
    println!("{states} states");
}

/// A part whose column of nulls gets the type of another part is written again, so that none of its own files is published.
#[test]
fn a_power_loss_at_any_moment_does_not_stage_again_what_was_written_again_and_published() {
    let disk = SimDisk::new();
    disk.set_journaled(true);
    let typed = stage(&disk, CommitMode::Append, &["KSEA"], 0);
    let columns: [(&str, ArrayRef, bool); 2] = [
        (
            "station_id",
            Arc::new(StringArray::from(vec!["KJFK"])),
            false,
        ),
        ("number", Arc::new(NullArray::new(1)), true),
    ];
    let nulls = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let untyped = write(builder(&disk, CommitMode::Append), &nulls);
    let writes = [typed, untyped.stage().unwrap()];
    let begin = disk.moments().len();
    all(&disk, &writes).commit().unwrap();
    assert_eq!(left(&disk), Vec::<PathBuf>::new());
    let mut committed = 0;
    for moment in disk.moments().iter().skip(begin) {
        for found in moment.after_power_loss() {
            recover_disk(&found);
            let staged = recover_disk(&found).staged.len();
            let is_data = |file: &PathBuf| file.starts_with(ROOT) && !file.starts_with(CONTROL);
            let there = found.files().into_iter().filter(is_data).count();
            let place = format!("after {:?}", moment.call);
            assert!(
                (there, staged) == (0, 2) || (there, staged) == (2, 0),
                "{place}: {there} files, {staged} staged"
            );
            committed += usize::from(there == 2);
        }
    }
    assert_ne!(committed, 0);
}

#[test]
fn of_two_drivers_that_commit_the_same_one_wins_and_the_rows_are_there_once() {
    for _ in 0..20 {
        let disk = SimDisk::new();
        let writes = [0, 10, 20].map(|first| stage(&disk, CommitMode::Append, &["KSEA"], first));
        let barrier = Barrier::new(2);
        let commit = || {
            barrier.wait();
            all(&disk, &writes).commit().map(drop)
        };
        let results = thread::scope(|scope| {
            let drivers = [scope.spawn(commit), scope.spawn(commit)];
            drivers.map(|driver| driver.join().unwrap())
        });
        for result in &results {
            assert!(
                matches!(result, Ok(()) | Err(Error::StagedWriteGone { .. })),
                "{result:?}"
            );
        }
        // Each may have taken what the other missed, and given it back.
        if results.iter().all(Result::is_err) {
            all(&disk, &writes).commit().unwrap();
        } else {
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        }
        assert_eq!(rows(&disk), [0, 10, 20]);
        assert_eq!(left(&disk), Vec::<PathBuf>::new());
    }
}

#[test]
fn workers_stage_in_processes_of_their_own_and_one_that_is_killed_is_done_again() {
    let (_guard, lake) = directory();
    let root = lake.join("weather");
    let begin = |task: &str| {
        let mut worker = Child::start(Part::Stage, &root);
        worker.tell(task);
        assert_eq!(worker.says().as_deref(), Some("ready"));
        worker
    };
    let end = |mut worker: Child| {
        worker.go_on();
        let staged = StagedWrite::from_json(worker.says().unwrap()).unwrap();
        worker.finish();
        staged
    };
    let (first, killed, slow) = (begin("first"), begin("second"), begin("third"));
    let mut staged = vec![end(first)];
    killed.kill();
    // The scheduler has the work of the dead one done again, and by mistake that of a slow one too.
    staged.push(end(begin("second")));
    staged.push(end(begin("third")));
    staged.push(end(slow));
    assert!(!root.exists());
    let waiting = recover(&root).unwrap();
    assert_eq!(waiting.staged.len(), 4, "{waiting:?}");

    let receipt = StagedWrites::new(staged.clone()).commit().unwrap();
    assert_eq!(receipt.totals().rows, 3 * ROWS as u64);
    let files = published(&root);
    assert_eq!(files.len(), 3 * STATIONS);
    assert_eq!(
        files.iter().map(|file| count_rows(file)).sum::<usize>(),
        3 * ROWS
    );
    let area = lake.join(".weather.atomic");
    assert!(
        tree(&area).iter().all(|name| name == "lock"),
        "{:?}",
        tree(&area)
    );
    let again = StagedWrites::new(staged).commit().unwrap_err();
    assert!(matches!(again, Error::StagedWriteGone { .. }), "{again:?}");
}

#[test]
fn a_data_set_within_a_partition_of_another_notices_other_commits_too() {
    let disk = SimDisk::new();
    let within = |mode| {
        DatasetWriter::builder("/lake/weather/country=US")
            .partition_by(PartitionBy::column("station_id"))
            .mode(mode)
            .disk(Arc::new(disk.clone()))
    };
    write(within(CommitMode::Append), &batch(&["KSEA"], 0))
        .commit()
        .unwrap();
    for mode in [CommitMode::OverwritePartitions, CommitMode::Overwrite] {
        let late = write(within(mode), &batch(&["KSEA"], 10));
        write(within(CommitMode::Append), &batch(&["KSEA"], 20))
            .commit()
            .unwrap();
        let error = late.commit().unwrap_err();
        assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
        let receipt = write(within(mode), &batch(&["KSEA"], 30)).commit().unwrap();
        // Below the root that was named, as the new files are.
        assert!(receipt.totals().removed > 0);
        let paths = receipt.removed().iter().map(String::as_str);
        for path in paths.chain(receipt.files().iter().map(|file| file.path())) {
            assert!(path.starts_with("station_id=KSEA/"), "{path}");
        }
        assert_eq!(rows(&disk), [30]);
    }
}

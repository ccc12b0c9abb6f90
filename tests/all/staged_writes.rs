//! What several processes stage and one commits: all of it or none, and each piece of work once.
//!
//! Promises P6 and P7.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use atomic_arrow::disk::sim::SimDisk;
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, Error, Outcome, PartitionBy, RecoverOptions,
    Recovery, StagedWrite, StagedWrites, SyncPolicy, recover, recover_with_options,
};

use crate::child::{Child, Part, ROWS, STATIONS};
use crate::ground::{count_rows, directory, published, tree};

const ROOT: &str = "/lake/weather";
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
        if !file.starts_with(ROOT) {
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
    assert_ne!(receipt.transaction(), first.transaction());
    assert_eq!(rows(&disk), [0, 1, 10, 20]);
    assert_eq!(left(&disk), Vec::<PathBuf>::new());
}

#[test]
fn a_piece_of_work_that_was_done_twice_counts_once() {
    let disk = SimDisk::new();
    let attempt = |task: &str, first| {
        let staged = stage(&disk, CommitMode::Append, &["KSEA"], first);
        staged.with_task(task).unwrap()
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
                        option: "writes",
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
fn a_writer_that_is_still_at_work_is_not_committed_by_others() {
    let disk = SimDisk::new();
    let staged = stage(&disk, CommitMode::Append, &["KSEA"], 0);
    let writer = write(builder(&disk, CommitMode::Append), &batch(&["KJFK"], 10));
    let area = disk.directories().into_iter();
    let live = area
        .filter(|path| path.parent() == Some(Path::new(AREA)))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .find(|name| *name != staged.transaction().to_string())
        .unwrap();
    let told = staged.to_json().unwrap();
    let told = told.replace(&staged.transaction().to_string(), &live);
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

#[test]
fn a_staged_file_that_is_missing_or_cut_off_is_found_before_anything_is_decided() {
    for cut_off in [false, true] {
        let disk = SimDisk::new();
        let writes = [0, 10].map(|first| stage(&disk, CommitMode::Append, &["KSEA"], first));
        let victim = writes[1].transaction().to_string();
        let is_victim = |path: &PathBuf| {
            path.parent()
                .is_some_and(|parent| parent.ends_with(&victim))
                && path
                    .extension()
                    .is_some_and(|extension| extension == "staged")
        };
        let victim = disk.files().into_iter().find(is_victim).unwrap();
        let bytes = disk.read(&victim).unwrap();
        atomic_arrow::disk::Disk::remove_file(&disk, &victim).unwrap();
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
        let moments = disk.moments();
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
                let again = all(&found, &writes).commit();
                match &again {
                    Ok(_) => assert_eq!(rows(&found), after, "{}", place()),
                    Err(Error::StagedWriteGone { .. }) => {
                        assert_eq!(rows(&found), first, "{}", place());
                    }
                    Err(error) => panic!("{}: {error:?}", place()),
                }
                // Whatever was done to it, what is committed is committed once.
                assert!(first == before || again.is_err(), "{}", place());
                all(&found, &writes).discard().unwrap();
                recover_disk(&found);
                assert_eq!(left(&found), Vec::<PathBuf>::new(), "{}", place());
            }
        }
    }
    println!("{states} states");
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
    let begin = || {
        let mut worker = Child::start(Part::Stage, &root);
        assert_eq!(worker.says().as_deref(), Some("ready"));
        worker
    };
    let end = |mut worker: Child, task: &str| {
        worker.go_on();
        let staged = StagedWrite::from_json(worker.says().unwrap()).unwrap();
        worker.finish();
        staged.with_task(task).unwrap()
    };
    let (first, killed, slow) = (begin(), begin(), begin());
    let mut staged = vec![end(first, "first")];
    killed.kill();
    // The scheduler has the work of the dead one done again, and by mistake that of a slow one too.
    staged.push(end(begin(), "second"));
    staged.push(end(begin(), "third"));
    staged.push(end(slow, "third"));
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

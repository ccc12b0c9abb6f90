//! Whole data sets: all files of a commit or none of them, whatever crashes and whenever.
//!
//! Promises P7 and P9.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use atomic_arrow::disk::sim::SimDisk;
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use atomic_arrow::receipt::{FileRecord, Note};
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, Error, Outcome, PartitionBy, RecoverOptions,
    StagedWrites, StagingPlace, Step, SyncPolicy, recover, recover_with_options,
};

use crate::child::{Child, Part, STATIONS};
use crate::ground::{Mount, directory, published, staged};
use crate::support::skip;

const ROOT: &str = "/lake/weather";
const MODES: [CommitMode; 3] = [
    CommitMode::Append,
    CommitMode::OverwritePartitions,
    CommitMode::Overwrite,
];

/// Rows of some stations, numbered from `first`.
fn batch(stations: &[&str], first: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(
        first..first + stations.len() as i64,
    ));
    let stations: ArrayRef = Arc::new(StringArray::from(stations.to_vec()));
    RecordBatch::try_from_iter([("station_id", stations), ("number", numbers)]).unwrap()
}

fn builder(root: impl AsRef<Path>) -> DatasetWriterBuilder {
    DatasetWriter::builder(root)
        .partition_by(PartitionBy::column("station_id"))
        .threads(1)
}

fn on(disk: &SimDisk, mode: CommitMode) -> DatasetWriterBuilder {
    builder(ROOT)
        .disk(Arc::new(disk.clone()))
        .mode(mode)
        .sync(SyncPolicy::EachFile)
}

fn write(builder: DatasetWriterBuilder, batches: &[RecordBatch]) -> Result<(), Error> {
    let mut writer = builder.build(batches[0].schema())?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.commit().map(drop)
}

/// The numbers of the rows in each partition of a disk, as a reader of the whole root finds them.
fn rows(disk: &SimDisk) -> BTreeMap<PathBuf, Vec<i64>> {
    let mut rows: BTreeMap<PathBuf, Vec<i64>> = BTreeMap::new();
    for file in disk
        .files()
        .into_iter()
        .filter(|file| file.starts_with(ROOT) && !file.to_string_lossy().contains("/.atomic/"))
    {
        let bytes = disk.read(&file).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            let numbers = batch
                .column(0)
                .as_any()
                .downcast_ref::<Int64Array>()
                .unwrap();
            let partition = rows.entry(file.parent().unwrap().to_owned()).or_default();
            partition.extend(numbers.values());
            partition.sort();
        }
    }
    rows
}

#[test]
fn the_directories_of_many_partitions_are_synced_together_and_those_of_few_by_themselves() {
    use CommitMode::{Append, OverwritePartitions};
    for (sync, partitions, together) in [
        (SyncPolicy::Auto, 64, true),
        (SyncPolicy::Auto, 63, false),
        (SyncPolicy::EachFile, 64, false),
        (SyncPolicy::FileSystem, 2, true),
    ] {
        let stations: Vec<String> = (0..partitions)
            .map(|number| format!("K{number:03}"))
            .collect();
        let stations: Vec<&str> = stations.iter().map(String::as_str).collect();
        let disk = SimDisk::new();
        for (mode, first) in [(Append, 0), (OverwritePartitions, 1_000)] {
            let before = disk.calls().len();
            write(on(&disk, mode).sync(sync), &[batch(&stations, first)]).unwrap();
            let calls = disk.calls().split_off(before);
            let count = |what: &str, where_: &str| {
                let of_it = |call: &&String| call.starts_with(what) && call.contains(where_);
                calls.iter().filter(of_it).count()
            };
            let about = format!("{sync:?}, {partitions} partitions, {mode:?}");
            let names = count("sync_file_system", "") - usize::from(together);
            assert_eq!(names > 0, together, "{about}");
            // Those of an overwrite are arranged under other names, and exchanged then.
            let each = count("sync_directory", "station_id=") + count("sync_directory", "/new-");
            assert_eq!(each == 0, together, "{about}");
            if partitions == 2 {
                // What is committed is durable, whatever the power cut leaves.
                for left in disk.moments().pop().unwrap().after_power_loss() {
                    assert_eq!(rows(&left), rows(&disk), "{about}");
                }
            }
        }
    }
}

fn old_disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.set_journaled(true);
    write(
        on(&disk, CommitMode::Append),
        &[batch(&["KSEA", "KJFK"], 0)],
    )
    .unwrap();
    // As it is found long after.
    disk.moments()
        .last()
        .unwrap()
        .after_power_loss()
        .pop()
        .unwrap()
}

fn recover_disk(disk: &SimDisk) {
    let options = RecoverOptions::new().disk(Arc::new(disk.clone()));
    let recovery = recover_with_options(ROOT, &options).unwrap();
    assert!(
        recovery.failed.is_empty() && recovery.alive.is_empty(),
        "{recovery:?}"
    );
}

#[test]
fn a_power_loss_at_any_moment_of_a_commit_leaves_all_of_its_rows_or_none() {
    for mode in MODES {
        let disk = old_disk();
        let before = rows(&disk);
        write(on(&disk, mode), &[batch(&["KSEA", "KLGA", "KSEA"], 10)]).unwrap();
        let after = rows(&disk);
        assert_ne!(before, after);
        let moments = disk.moments();
        for (number, moment) in moments.iter().enumerate() {
            for found in moment.after_power_loss() {
                recover_disk(&found);
                let rows = rows(&found);
                let returned = number + 1 == moments.len();
                let whole = rows == after || (!returned && rows == before);
                assert!(
                    whole,
                    "{mode:?}, power lost after {:?}: {rows:?}",
                    moment.call
                );
            }
        }
    }
}

/// The numbers of the rows at each station.
type Expected = &'static [(&'static str, &'static [i64])];

#[test]
fn each_mode_keeps_or_replaces_what_it_says() {
    let expected: [(CommitMode, Expected); 3] = [
        (
            CommitMode::Append,
            &[("KJFK", &[1]), ("KLGA", &[11]), ("KSEA", &[0, 10, 12])],
        ),
        (
            CommitMode::OverwritePartitions,
            &[("KJFK", &[1]), ("KLGA", &[11]), ("KSEA", &[10, 12])],
        ),
        (
            CommitMode::Overwrite,
            &[("KLGA", &[11]), ("KSEA", &[10, 12])],
        ),
    ];
    for exchanges in [true, false] {
        for (mode, expected) in expected {
            let disk = old_disk();
            disk.set_exchanges(exchanges);
            write(on(&disk, mode), &[batch(&["KSEA", "KLGA", "KSEA"], 10)]).unwrap();
            let found: Vec<(String, Vec<i64>)> = rows(&disk)
                .into_iter()
                .map(|(path, rows)| (path.file_name().unwrap().to_str().unwrap().to_owned(), rows))
                .collect();
            let expected: Vec<(String, Vec<i64>)> = expected
                .iter()
                .map(|(station, rows)| (format!("station_id={station}"), rows.to_vec()))
                .collect();
            assert_eq!(found, expected, "{mode:?}, exchanges: {exchanges}");
        }
    }
}

#[test]
fn a_failed_call_leaves_what_its_error_says() {
    for mode in MODES {
        let clean = old_disk();
        let start = clean.calls().len();
        let before = rows(&clean);
        let new = [batch(&["KSEA", "KLGA", "KSEA"], 10)];
        write(on(&clean, mode), &new).unwrap();
        let after = rows(&clean);
        for call in start..clean.calls().len() {
            for when in [
                atomic_arrow::disk::sim::FaultTime::Before,
                atomic_arrow::disk::sim::FaultTime::After,
            ] {
                let disk = old_disk();
                disk.fail_call(call, 5, when);
                let result = write(on(&disk, mode), &new);
                let place = format!(
                    "{mode:?}, {:?} fails {when:?}: {result:?}",
                    clean.calls()[call]
                );
                let outcome = result.as_ref().err().map(Error::outcome);
                if outcome == Some(Outcome::NotPublished) {
                    assert_eq!(rows(&disk), before, "{place}");
                }
                recover_disk(&disk);
                let found = rows(&disk);
                match outcome {
                    None | Some(Outcome::PublishedInPart) => assert_eq!(found, after, "{place}"),
                    Some(Outcome::NotPublished) => assert_eq!(found, before, "{place}"),
                    _ => assert!(found == before || found == after, "{place}"),
                }
            }
        }
    }
}

#[test]
fn a_commit_that_others_tidy_up_after_is_a_commit() {
    let disk = old_disk();
    let other = disk.clone();
    // The first is of the decision, which is carried out then.
    let options = RecoverOptions::new().disk(Arc::new(other));
    disk.before_call("remove_file", || {});
    disk.before_call("remove_file", move || {
        let recovery = recover_with_options(ROOT, &options).unwrap();
        assert!(recovery.failed.is_empty(), "{recovery:?}");
    });
    write(on(&disk, CommitMode::Append), &[batch(&["KLGA"], 10)]).unwrap();
    assert!(rows(&disk).contains_key(Path::new("/lake/weather/station_id=KLGA")));
}

#[test]
fn the_receipt_has_every_file_and_the_same_write_is_not_committed_twice() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let batches = [batch(&["KSEA", "KJFK", "KSEA"], 0)];
    let commit = || {
        let mut writer = builder(&root)
            .write_id("monday")
            .build(batches[0].schema())
            .unwrap();
        writer.write(&batches[0]).unwrap();
        writer.commit().unwrap()
    };
    let receipt = commit();
    assert_eq!((receipt.totals().files, receipt.totals().rows), (2, 3));
    for file in receipt.files() {
        let path = root.join(file.path());
        assert_eq!(std::fs::metadata(&path).unwrap().len(), file.bytes());
        assert_eq!(file.columns().len(), 1);
    }
    assert_eq!(commit(), receipt);
    let files = |root: &Path| published(root).len();
    assert_eq!(files(&root), 2);
    assert!(recover(&root).unwrap().failed.is_empty());
}

/// Somebody who took its writer for dead has removed it, after its last file was written.
#[test]
fn a_commit_whose_transaction_is_gone_publishes_nothing_and_says_so() {
    for mode in MODES {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        let area = parent.join(".weather.atomic");
        let swept = move |_: &FileRecord| {
            for entry in std::fs::read_dir(&area).unwrap() {
                let _ = std::fs::remove_dir_all(entry.unwrap().path());
            }
        };
        let committed = write(
            builder(&root).mode(mode).on_file(swept),
            &[batch(&["KSEA"], 0)],
        );
        assert!(
            matches!(committed, Err(Error::Aborted { .. })),
            "{mode:?}: {committed:?}"
        );
        assert_eq!(published(&parent), Vec::<PathBuf>::new());
    }
}

/// A container's image is such a layer: its directories cannot be exchanged or moved.
#[cfg(target_os = "linux")]
#[test]
fn what_a_lower_layer_of_a_file_system_has_is_overwritten_file_by_file() {
    for mode in [CommitMode::OverwritePartitions, CommitMode::Overwrite] {
        let (_guard, parent) = directory();
        let lake = parent.join("lake");
        let root = lake.join("weather");
        write(builder(&root), &[batch(&["KSEA", "KJFK"], 0)]).unwrap();
        let _mount = match Mount::overlay(&parent, &lake) {
            Ok(mount) => mount,
            Err(reason) => return skip(reason),
        };
        let new = [batch(&["KSEA", "KLGA"], 10)];
        write(builder(&root).mode(mode), &new).unwrap();
        let stations: Vec<String> = published(&root)
            .iter()
            .map(|file| {
                file.parent()
                    .unwrap()
                    .file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        let expected: &[&str] = match mode {
            CommitMode::Overwrite => &["station_id=KLGA", "station_id=KSEA"],
            _ => &["station_id=KJFK", "station_id=KLGA", "station_id=KSEA"],
        };
        assert_eq!(stations, expected, "{mode:?}");
        assert_eq!(staged(&lake), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_root_below_a_data_set_s_is_replaced_and_guarded_as_any_other() {
    let (_guard, parent) = directory();
    std::fs::create_dir(parent.join("weather")).unwrap();
    let (outer, inner) = (parent.join("weather"), parent.join("weather/region=west"));
    let rows = |first| batch(&["KSEA", "KJFK"], first);
    let begin = |root: &Path, mode| {
        let mut writer = builder(root).mode(mode).build(rows(0).schema()).unwrap();
        writer.write(&rows(0)).unwrap();
        writer
    };
    let paths = |files: &[FileRecord]| -> Vec<String> {
        let mut paths: Vec<_> = files.iter().map(|file| file.path().to_owned()).collect();
        paths.sort();
        paths
    };
    begin(&outer, CommitMode::Append).commit().unwrap();
    for mode in [CommitMode::OverwritePartitions, CommitMode::Overwrite] {
        let old = begin(&inner, CommitMode::Append).commit().unwrap();
        // What is removed is named as what is written is: below the root that was asked for.
        let late = begin(&inner, mode);
        let receipt = begin(&inner, mode).commit().unwrap();
        let mut removed = receipt.removed().to_vec();
        removed.sort();
        assert!(
            paths(old.files()).iter().all(|path| removed.contains(path)),
            "{removed:?}"
        );
        let error = late.commit().unwrap_err();
        assert!(
            matches!(error, Error::Conflict { .. }),
            "{mode:?}: {error:?}"
        );
        assert_eq!(published(&inner).len(), 2);
        assert_eq!(published(&outer).len(), 4);
    }
}

#[test]
fn many_partitions_in_any_order_stay_within_the_memory_limit() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let names: Vec<String> = (0..3000)
        .map(|number| format!("K{:04}", number % 1000))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut writer = builder(&root)
        .memory_limit(1 << 20)
        .build(batch(&["K"], 0).schema())
        .unwrap();
    for first in 0..20 {
        writer.write(&batch(&names, first * 3000)).unwrap();
    }
    let spilled = writer.progress().rows_spilled;
    let receipt = writer.commit().unwrap();
    assert_eq!(
        (receipt.totals().files, receipt.totals().rows),
        (1000, 60_000)
    );
    assert!(spilled > 0);
}

#[test]
fn bad_input_in_the_middle_leaves_nothing() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let mut writer = builder(&root).build(batch(&["K"], 0).schema()).unwrap();
    writer.write(&batch(&["KSEA"], 0)).unwrap();
    assert!(matches!(
        writer.write(&batch(&["KSEA", ""], 1)),
        Err(Error::Partition(_))
    ));
    assert!(matches!(writer.commit(), Err(Error::Poisoned { .. })));
    assert!(!root.exists());
    assert_eq!(staged(&parent), Vec::<PathBuf>::new());
}

#[test]
fn a_write_can_be_interrupted_at_every_step_until_it_is_decided() {
    let batches: Vec<RecordBatch> = (0..40)
        .map(|number| batch(&["KSEA", "KJFK"].repeat(1000), number * 2000))
        .collect();
    // Gives up when it is asked before this step for this time, counted from 0, and says what was asked.
    let write = |parent: &Path, give_up: Option<(Step, usize)>| {
        let asked: Arc<Mutex<Vec<Step>>> = Arc::default();
        let asking = Arc::clone(&asked);
        let builder = builder(parent.join("weather"))
            .memory_limit(1 << 20)
            .interrupt_when(move |step| {
                let mut asked = asking.lock().unwrap();
                asked.push(step);
                give_up.is_some_and(|(last, times)| last == step && count(&asked, step) > times)
            });
        let done = write(builder, &batches);
        let asked = asked.lock().unwrap().clone();
        (done, asked)
    };
    let (_guard, parent) = directory();
    let (done, asked) = write(&parent, None);
    done.unwrap();
    assert_eq!(published(&parent.join("weather")).len(), 2);
    // Each batch, each spilled run, each file; and that it is decided is the last thing asked.
    let rows = count(&asked, Step::WriteRows);
    assert!(rows > 42, "{asked:?}");
    assert_eq!(count(&asked, Step::SyncFile), 2, "{asked:?}");
    assert_eq!(count(&asked, Step::Decide), 1, "{asked:?}");
    assert_eq!(asked.last(), Some(&Step::Decide));
    // Files are synced by threads of their own, so that the order of all questions may vary.
    let chances = [
        (Step::WriteRows, rows),
        (Step::SyncFile, 2),
        (Step::Decide, 1),
    ];
    let chances = chances.map(|(step, times)| (0..times).map(move |time| (step, time)));
    for chance in chances.into_iter().flatten() {
        let (_guard, parent) = directory();
        let error = write(&parent, Some(chance)).0.unwrap_err();
        assert!(
            matches!(error, Error::Interrupted { step, .. } if step == chance.0),
            "{chance:?}: {error:?}"
        );
        assert_eq!(error.outcome(), Outcome::NotPublished);
        assert!(!parent.join("weather").exists());
        assert_eq!(staged(&parent), Vec::<PathBuf>::new());
    }
}

fn count(asked: &[Step], step: Step) -> usize {
    asked.iter().filter(|asked| **asked == step).count()
}

/// How many files of each transaction there are, by the number in their names.
fn files_of_transactions(root: &Path) -> BTreeMap<String, usize> {
    let mut files = BTreeMap::new();
    for path in published(root) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let transaction = &name["part-".len().."part-".len() + 36];
        *files.entry(transaction.to_owned()).or_default() += 1;
    }
    files
}

#[test]
fn a_writer_killed_at_any_moment_leaves_all_files_of_a_commit_or_none() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let mut acknowledged = Vec::new();
    for round in 0..40u32 {
        let mut child = Child::start(Part::DataSets, &root);
        acknowledged.extend(child.says());
        // Somewhere in the next commit, or the one after it.
        std::thread::sleep(std::time::Duration::from_micros(u64::from(
            round * 7919 % 23_000,
        )));
        acknowledged.extend(child.kill_and_listen());
        let recovery = recover(&root).unwrap();
        assert!(
            recovery.failed.is_empty() && recovery.alive.is_empty(),
            "{recovery:?}"
        );
        let files = files_of_transactions(&root);
        assert!(files.values().all(|count| *count == STATIONS), "{files:?}");
        let lost = acknowledged
            .iter()
            .find(|transaction| !files.contains_key(*transaction));
        assert_eq!(lost, None);
    }
    assert!(acknowledged.len() >= 40);
    assert_eq!(staged(&parent), Vec::<PathBuf>::new());
}

#[test]
fn an_overwrite_without_rows_leaves_nothing_and_the_other_modes_leave_everything() {
    for mode in MODES.into_iter().chain([CommitMode::ErrorIfExists]) {
        for place in [StagingPlace::Auto, StagingPlace::Inside] {
            let disk = old_disk();
            let (before, first) = (rows(&disk), disk.moments().len());
            let nothing = batch(&[], 0);
            let writer = on(&disk, mode)
                .staging(place.clone())
                .build(nothing.schema());
            let mut writer = writer.unwrap();
            writer.write(&nothing).unwrap();
            let receipt = writer.commit().unwrap();
            let emptied = mode == CommitMode::Overwrite;
            let after = if emptied {
                BTreeMap::new()
            } else {
                before.clone()
            };
            assert_eq!(rows(&disk), after, "{mode:?}");
            assert_eq!(
                receipt.removed().len(),
                if emptied { 2 } else { 0 },
                "{mode:?}"
            );
            let partitions = disk.directories().into_iter();
            let partitions = partitions.filter(|path| path.to_string_lossy().contains('='));
            assert_eq!(partitions.count(), after.len(), "{mode:?}");
            let moments = disk.moments().split_off(first);
            for (number, moment) in moments.iter().enumerate() {
                for found in moment.after_power_loss() {
                    recover_disk(&found);
                    let last = number + 1 == moments.len();
                    let found = rows(&found);
                    let whole = found == after || (found == before && !last);
                    assert!(whole, "{mode:?}, {}: {found:?}", moment.call);
                }
            }
        }
    }
}

/// A write of one station whose rows are taken, into what is there now.
fn begun(disk: &SimDisk, mode: CommitMode, station: &str) -> Result<DatasetWriter, Error> {
    let rows = batch(&[station], 70);
    let mut writer = on(disk, mode).build(rows.schema())?;
    writer.write(&rows)?;
    Ok(writer)
}

#[test]
fn a_data_set_that_has_any_file_is_refused_or_left_as_it_is() {
    let disk = old_disk();
    let (before, left) = (rows(&disk), disk.files());
    // No row goes to a partition that is there.
    let error = begun(&disk, CommitMode::ErrorIfAnyExists, "KLGA").unwrap_err();
    assert!(matches!(&error, Error::Conflict { path, .. } if path == Path::new(ROOT)));
    assert_eq!(error.outcome(), Outcome::NotPublished);

    let ignored = begun(&disk, CommitMode::Ignore, "KLGA").unwrap();
    let transaction = ignored.transaction();
    let receipt = ignored.commit().unwrap();
    assert_eq!(receipt.notes(), [Note::Ignored]);
    assert_eq!(receipt.mode(), CommitMode::Ignore);
    assert_eq!((receipt.files().len(), receipt.totals().rows), (0, 0));
    assert_eq!(receipt.transaction(), transaction);
    assert_eq!(receipt.root(), Some(Path::new(ROOT)));
    assert_eq!((rows(&disk), disk.files()), (before, left));
}

#[test]
fn a_data_set_without_files_is_written_by_the_first_and_by_no_other() {
    for mode in [CommitMode::ErrorIfAnyExists, CommitMode::Ignore] {
        let disk = SimDisk::new();
        // All of them find nothing as they begin.
        let [first, second, third] =
            ["KSEA", "KJFK", "KSEA"].map(|station| begun(&disk, mode, station).unwrap());
        assert_eq!(first.commit().unwrap().notes(), []);
        let after = rows(&disk);
        assert_eq!(after.len(), 1);
        for later in [second, third] {
            match (mode, later.commit()) {
                (CommitMode::Ignore, Ok(receipt)) => assert_eq!(receipt.notes(), [Note::Ignored]),
                (CommitMode::ErrorIfAnyExists, Err(Error::Conflict { path, .. })) => {
                    assert_eq!(path, Path::new(ROOT));
                }
                (_, other) => panic!("{mode:?}: {other:?}"),
            }
            assert_eq!(rows(&disk), after, "{mode:?}");
        }
    }
}

#[test]
fn files_of_names_that_readers_pass_over_are_refused_and_not_ignored() {
    let put = || {
        let disk = SimDisk::new();
        disk.put("/lake/weather/_SUCCESS", b"").unwrap();
        disk.put("/lake/weather/_log/0.json", b"{}").unwrap();
        disk
    };
    let disk = put();
    let receipt = begun(&disk, CommitMode::Ignore, "KSEA").unwrap().commit();
    assert_eq!(receipt.unwrap().totals().files, 1);
    let error = begun(&put(), CommitMode::ErrorIfAnyExists, "KSEA").unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
}

#[test]
fn a_named_write_finds_its_own_commit_before_it_is_refused_or_ignored() {
    for mode in [CommitMode::ErrorIfAnyExists, CommitMode::Ignore] {
        let disk = SimDisk::new();
        let write = |name: &str| {
            let rows = batch(&["KSEA"], 70);
            let mut writer = on(&disk, mode).write_id(name).build(rows.schema())?;
            writer.write(&rows)?;
            writer.commit()
        };
        let first = write("monday").unwrap();
        assert_eq!(write("monday").unwrap(), first, "{mode:?}");
        match write("tuesday") {
            Ok(receipt) => assert_eq!(
                (mode, receipt.notes()),
                (CommitMode::Ignore, &[Note::Ignored][..])
            ),
            Err(Error::Conflict { .. }) => assert_eq!(mode, CommitMode::ErrorIfAnyExists),
            Err(other) => panic!("{other:?}"),
        }
        // What was ignored has no name, and is written where nothing is in the way.
        let overwrite = on(&disk, CommitMode::Overwrite);
        write_rows_of_nobody(overwrite);
        assert_eq!(write("tuesday").unwrap().totals().files, 1, "{mode:?}");
    }
}

fn write_rows_of_nobody(builder: DatasetWriterBuilder) {
    let nothing = batch(&[], 0);
    builder.build(nothing.schema()).unwrap().commit().unwrap();
}

#[test]
fn what_several_have_staged_is_refused_or_ignored_as_one() {
    for mode in [CommitMode::ErrorIfAnyExists, CommitMode::Ignore] {
        let disk = SimDisk::new();
        let stage = |station| begun(&disk, mode, station).unwrap().stage().unwrap();
        let commit = |parts: [_; 2]| {
            let disk = Arc::new(disk.clone());
            StagedWrites::new(parts).disk(disk).commit()
        };
        let [first, later] = [0, 1].map(|_| ["KSEA", "KJFK"].map(stage));
        assert_eq!(commit(first).unwrap().totals().files, 2, "{mode:?}");
        let after = rows(&disk);
        match commit(later) {
            Ok(receipt) => assert_eq!(
                (mode, receipt.notes()),
                (CommitMode::Ignore, &[Note::Ignored][..])
            ),
            Err(Error::Conflict { .. }) => assert_eq!(mode, CommitMode::ErrorIfAnyExists),
            Err(other) => panic!("{other:?}"),
        }
        assert_eq!(rows(&disk), after, "{mode:?}");
    }
}

/// The paths of the files of a receipt, with the id of the write as `UUID`.
fn named(receipt: &atomic_arrow::Receipt) -> Vec<String> {
    let uuid = receipt.transaction().to_string();
    let files = receipt.files().iter();
    files
        .map(|file| file.path().replace(&uuid, "UUID"))
        .collect()
}

#[test]
fn files_have_the_names_that_the_template_gives() {
    let write = |mode, template: &str, rolled| {
        let disk = SimDisk::new();
        let rows = batch(&["KSEA", "KJFK", "KSEA"], 0);
        let mut builder = on(&disk, mode).file_name(template);
        if rolled {
            builder = builder.target_file_rows(1);
        }
        let mut writer = builder.build(rows.schema())?;
        writer.write(&rows)?;
        let receipt = writer.commit()?;
        let found = disk
            .files()
            .into_iter()
            .filter(|file| file.starts_with(ROOT) && !file.to_string_lossy().contains("/.atomic/"));
        let found: Vec<PathBuf> = found.collect();
        let mut told: Vec<PathBuf> = receipt
            .files()
            .iter()
            .map(|file| Path::new(ROOT).join(file.path()))
            .collect();
        told.sort();
        assert_eq!(told, found);
        Ok::<_, Error>(named(&receipt))
    };
    for mode in MODES {
        let expected = [
            "station_id=KSEA/daily KSEA UUID.parquet",
            "station_id=KJFK/daily KJFK UUID.parquet",
        ];
        let mut found = write(mode, "daily {partition} {uuid}", false).unwrap();
        found.sort_by(|a, b| b.cmp(a));
        assert_eq!(found, expected, "{mode:?}");
        let error = write(mode, "part-{number}", false).unwrap_err();
        assert!(
            matches!(&error, Error::InvalidOption { option: "file_name", reason }
                if reason.contains(&format!("{{uuid}} is needed in the mode {mode}"))),
            "{error:?}"
        );
    }
    for mode in [
        CommitMode::ErrorIfExists,
        CommitMode::ErrorIfAnyExists,
        CommitMode::Ignore,
    ] {
        let mut found = write(mode, "part-{number}.parquet", true).unwrap();
        found.sort();
        let expected = [
            "station_id=KJFK/part-00000.parquet",
            "station_id=KSEA/part-00000.parquet",
            "station_id=KSEA/part-00001.parquet",
        ];
        assert_eq!(found, expected, "{mode:?}");
        assert_eq!(write(mode, "data", false).unwrap().len(), 2);
        let error = write(mode, "data-{uuid}", true).unwrap_err();
        assert!(error.to_string().contains("{number} is needed"), "{error}");
    }
}

#[test]
fn a_name_that_a_partition_makes_too_long_is_refused_with_its_first_row() {
    let disk = SimDisk::new();
    let given = batch(&["KSEA", &"x".repeat(220)], 0);
    let builder = || on(&disk, CommitMode::Append).file_name("of {partition} {uuid}");
    let mut writer = builder().build(given.schema()).unwrap();
    writer.write(&given.slice(0, 1)).unwrap();
    let error = writer.write(&given.slice(1, 1)).unwrap_err();
    assert!(error.to_string().contains("bytes long"), "{error}");
    let mut dry_run = builder().dry_run(given.schema()).unwrap();
    let error = dry_run.write(&given).unwrap_err();
    assert!(error.to_string().contains("bytes long"), "{error}");
    drop(writer);
    assert!(rows(&disk).is_empty());
}

#[test]
fn what_is_staged_by_several_needs_names_of_its_own() {
    let disk = SimDisk::new();
    let rows = batch(&["KSEA"], 0);
    let stage = |template: &str| {
        let builder = on(&disk, CommitMode::ErrorIfExists).file_name(template);
        let mut writer = builder.build(rows.schema()).unwrap();
        writer.write(&rows).unwrap();
        writer.stage()
    };
    let error = stage("part-{number}").unwrap_err();
    assert!(
        error.to_string().contains("several processes stage"),
        "{error}"
    );
    let parts = [(); 2].map(|()| stage("part-{uuid}").unwrap());
    let receipt = StagedWrites::new(parts)
        .disk(Arc::new(disk.clone()))
        .commit();
    assert_eq!(receipt.unwrap().totals().files, 2);
}

#[test]
fn a_template_with_keys_of_nothing_is_refused() {
    let disk = SimDisk::new();
    let rows = batch(&["KSEA"], 0);
    let builder = on(&disk, CommitMode::Append).partition_by(PartitionBy::none());
    let built = builder
        .file_name("of-{partition}-{uuid}")
        .build(rows.schema());
    let error = built.unwrap_err().to_string();
    assert!(error.contains("without partition keys"), "{error}");
    assert_eq!(disk.files(), Vec::<PathBuf>::new());
}

#[test]
fn a_staged_overwrite_without_rows_empties_the_directory_that_was_named_alone() {
    let disk = old_disk();
    let nothing = batch(&[], 0);
    let partition = Path::new(ROOT).join("station_id=KSEA");
    let writer = DatasetWriter::builder(&partition)
        .mode(CommitMode::Overwrite)
        .disk(Arc::new(disk.clone()))
        .build(nothing.schema())
        .unwrap();
    let staged = writer.stage().unwrap();
    assert_eq!(rows(&disk).len(), 2);
    let all = StagedWrites::new([staged]).disk(Arc::new(disk.clone()));
    assert_eq!(all.commit().unwrap().removed().len(), 1);
    let left: Vec<_> = rows(&disk).into_keys().collect();
    assert_eq!(left, [Path::new(ROOT).join("station_id=KJFK")]);
}

#[test]
fn a_name_is_known_to_be_committed_before_any_row_is_written() {
    let disk = old_disk();
    let named = || on(&disk, CommitMode::Append).write_id("monday");
    assert_eq!(named().already_committed().unwrap(), None);
    let rows = batch(&["KSEA"], 2);
    let mut writer = named().build(rows.schema()).unwrap();
    writer.write(&rows).unwrap();
    let receipt = writer.commit().unwrap();
    assert_eq!(named().already_committed().unwrap(), Some(receipt));
    let tuesday = on(&disk, CommitMode::Append).write_id("tuesday");
    assert_eq!(tuesday.already_committed().unwrap(), None);
    assert_eq!(
        on(&disk, CommitMode::Append).already_committed().unwrap(),
        None
    );
    let nameless = on(&disk, CommitMode::Append).write_id("");
    let error = nameless.already_committed().unwrap_err();
    assert!(matches!(error, Error::InvalidOption { .. }), "{error:?}");
}

#[test]
fn a_name_is_known_to_be_committed_where_its_writer_died_right_after_deciding() {
    let disk = old_disk();
    let first = disk.moments().len();
    let rows = batch(&["KSEA", "KORD"], 2);
    let named = |disk: &SimDisk| on(disk, CommitMode::Append).write_id("monday");
    write(named(&disk), &[rows]).unwrap();
    let moments = disk.moments().split_off(first);
    let decided = |call: &str| call.starts_with("sync_directory") && call.contains(".atomic/");
    let at = moments.iter().rposition(|moment| {
        moment.call.starts_with("rename") && moment.call.ends_with("decision.record")
    });
    let after = &moments[at.unwrap() + 1];
    assert!(decided(&after.call), "{}", after.call);
    for found in after.after_power_loss() {
        let known = named(&found).already_committed().unwrap();
        assert_eq!(known.map(|receipt| receipt.totals().rows), Some(2));
        assert_eq!(self::rows(&found).len(), 3);
    }
}

#[test]
fn a_name_counts_for_one_root_alone() {
    let given = StagingPlace::Directory("/lake/staging".into());
    for (place, roots) in [
        (StagingPlace::Auto, ["/lake/runs/run=1", "/lake/runs/run=2"]),
        (given, ["/lake/first", "/lake/runs/run=2"]),
    ] {
        let disk = old_disk();
        let first = disk.moments().len();
        let data = batch(&["KSEA", "KORD"], 2);
        let named = |disk: &SimDisk, root: &str| {
            let place = place.clone();
            let builder = builder(root).disk(Arc::new(disk.clone())).staging(place);
            builder.write_id("monday").sync(SyncPolicy::EachFile)
        };
        let known = |disk: &SimDisk, root| named(disk, root).already_committed().unwrap().is_some();
        let files = |disk: &SimDisk, root: &str| {
            let files = disk.files().into_iter();
            let control = Path::new(root).join(".atomic");
            files
                .filter(|file| file.starts_with(root) && !file.starts_with(&control))
                .count()
        };
        for root in roots {
            assert!(!known(&disk, root));
            for _ in 0..2 {
                write(named(&disk, root), std::slice::from_ref(&data)).unwrap();
                assert_eq!(files(&disk, root), 2);
                assert!(known(&disk, root));
            }
        }
        // Also where it is the other's writer that finishes what the one had decided.
        let moments = disk.moments().split_off(first);
        let decided = moments.iter().position(|moment| {
            moment.call.starts_with("rename") && moment.call.ends_with("decision.record")
        });
        for found in moments[decided.unwrap() + 1].after_power_loss() {
            assert!(!known(&found, roots[1]));
            assert!(known(&found, roots[0]));
            assert_eq!([2, 0], roots.map(|root| files(&found, root)));
        }
    }
}

//! Streams: commits with a name and a number, of which the highest is remembered.

use std::fs;
use std::path::{Path, PathBuf};

use atomic_arrow::receipt::Note;
use atomic_arrow::{
    CommitMode, DatasetWriterBuilder, Error, Receipt, StagedWrite, StagedWrites, StagingPlace,
    staged,
};

use crate::ground::{builder, commit, directory, published, stations};

fn root() -> (tempfile::TempDir, PathBuf) {
    let (guard, parent) = directory();
    (guard, parent.join("weather"))
}

fn numbered(root: &Path, sequence: u64) -> DatasetWriterBuilder {
    let builder = builder(root, CommitMode::Append);
    builder.write_id("orders").sequence(sequence)
}

fn committed(root: &Path, sequence: u64) -> Receipt {
    commit(numbered(root, sequence), &["A"]).unwrap()
}

/// The names of what is remembered of writes, in the data set's staging area and its control directory.
fn remembered(root: &Path) -> Vec<String> {
    let area = root.with_file_name(".weather.atomic");
    let directories = [area.join("writes"), root.join(".atomic/writes")];
    let mut names = Vec::new();
    for entry in directories
        .iter()
        .filter_map(|path| fs::read_dir(path).ok())
        .flatten()
    {
        names.push(entry.unwrap().file_name().into_string().unwrap());
    }
    names.sort();
    names
}

#[track_caller]
fn is_superseded(receipt: &Receipt, sequence: u64, highest: u64) {
    assert!(receipt.replayed());
    assert!(receipt.files().is_empty());
    let name = (receipt.write_id(), receipt.sequence());
    assert_eq!(name, (Some("orders"), Some(sequence)));
    assert_eq!(receipt.notes(), [Note::Superseded { highest }]);
}

#[test]
fn each_number_is_committed_once() {
    let (_guard, root) = root();
    let receipts: Vec<Receipt> = [0, 1, 5].map(|number| committed(&root, number)).into();
    assert!(receipts.iter().all(|receipt| !receipt.replayed()));
    assert_eq!(receipts[2].sequence(), Some(5));

    let again = committed(&root, 5);
    assert_eq!((&again, again.replayed()), (&receipts[2], true));
    is_superseded(&committed(&root, 0), 0, 5);
    // One that was left out is too late.
    is_superseded(&committed(&root, 3), 3, 5);
    assert_eq!(published(&root).len(), 3);
    let known = |number| numbered(&root, number).already_committed().unwrap();
    assert_eq!(known(6), None);
    assert_eq!(known(5).as_ref(), Some(&again));
    is_superseded(&known(4).unwrap(), 4, 5);
    assert!(!committed(&root, u64::MAX).replayed());
}

#[test]
fn one_record_and_one_marker_are_kept_of_however_many() {
    let (_guard, root) = root();
    for number in 0..40 {
        committed(&root, number);
    }
    let names = remembered(&root);
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names.iter().all(|name| name.starts_with("stream-")),
        "{names:?}"
    );
}

#[test]
fn a_name_with_numbers_is_another_than_the_same_name_without() {
    let (_guard, root) = root();
    let plain = || {
        commit(
            builder(&root, CommitMode::Append).write_id("orders"),
            &["A"],
        )
        .unwrap()
    };
    committed(&root, 7);
    assert!(!plain().replayed());
    assert!(plain().replayed());
    assert!(committed(&root, 7).replayed());
    assert_eq!(published(&root).len(), 2);
}

#[test]
fn it_goes_on_whatever_place_the_writers_stage_in() {
    let (guard, root) = root();
    let places = [
        StagingPlace::Auto,
        StagingPlace::Inside,
        StagingPlace::Directory(guard.path().join("elsewhere")),
        StagingPlace::Auto,
    ];
    for (number, place) in (1..).zip(places.clone()) {
        for place in &places {
            let builder = numbered(&root, number).staging(place.clone());
            let known = builder.already_committed().unwrap();
            assert_eq!(known, None, "{number} {place:?}");
        }
        let write = |staging| commit(numbered(&root, number).staging(staging), &["A"]);
        assert!(!write(place.clone()).unwrap().replayed());
        for other in &places {
            let is_seen = *other == place || !matches!(place, StagingPlace::Directory(_));
            match write(other.clone()) {
                Ok(again) => assert!(again.replayed() && is_seen, "{number} {other:?}"),
                Err(Error::AlreadyCommitted { .. }) => assert!(!is_seen, "{number} {other:?}"),
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert_eq!(published(&root).len(), 4);
}

#[test]
fn where_the_latest_receipt_is_out_of_reach_its_number_is_known_all_the_same() {
    let (_guard, root) = root();
    committed(&root, 1);
    committed(&root, 2);
    let area = root.with_file_name(".weather.atomic");
    fs::remove_dir_all(area).unwrap();
    is_superseded(&committed(&root, 1), 1, 2);
    let error = commit(numbered(&root, 2), &["A"]).unwrap_err();
    assert!(matches!(error, Error::AlreadyCommitted { .. }), "{error:?}");
    assert!(!committed(&root, 3).replayed());
}

fn stage(root: &Path, sequence: u64, task: &str) -> StagedWrite {
    let builder = builder(root, CommitMode::Append);
    let builder = builder.job("orders").sequence(sequence).task(task);
    let batch = stations(&["A"]);
    let mut writer = builder.build(batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.stage().unwrap()
}

#[test]
fn jobs_that_follow_one_another_are_closed_up_to_the_one_that_is_committed() {
    let (_guard, root) = root();
    let lost = stage(&root, 1, "a");
    let job = stage(&root, 2, "a");
    let overtaken = stage(&root, 2, "a");
    let next = stage(&root, 3, "a");
    assert_eq!(next.sequence(), Some(3));
    let other = StagedWrites::new([job.clone(), next.clone()]).commit();
    assert!(
        matches!(other, Err(Error::InvalidOption { .. })),
        "{other:?}"
    );

    let receipt = StagedWrites::new([job.clone()]).commit().unwrap();
    let name = (receipt.write_id(), receipt.sequence());
    assert_eq!(name, (Some("job:orders"), Some(2)));
    let waiting = staged(&root).unwrap();
    let waiting: Vec<_> = waiting
        .iter()
        .map(|waiting| waiting.write().sequence())
        .collect();
    assert_eq!(waiting, [Some(3)]);
    for number in [1, 2] {
        let late = builder(&root, CommitMode::Append)
            .job("orders")
            .sequence(number);
        let error = late.build(stations(&["A"]).schema()).unwrap_err();
        let closed =
            matches!(&error, Error::JobClosed { sequence, .. } if *sequence == Some(number));
        assert!(closed, "{error:?}");
        assert!(
            error
                .to_string()
                .contains(&format!("\"orders\", number {number},"))
        );
    }
    for writes in [vec![overtaken], vec![job]] {
        let again = StagedWrites::new(writes).commit().unwrap();
        assert!(again.replayed());
        assert_eq!(again.sequence(), Some(2));
    }
    // It may have been committed, or not.
    let lost = StagedWrites::new([lost]).commit();
    assert!(matches!(lost, Err(Error::JobClosed { .. })), "{lost:?}");
    StagedWrites::new([next]).commit().unwrap();
    assert_eq!(published(&root).len(), 2);
    assert_eq!(staged(&root).unwrap().len(), 0);
}

#[test]
fn discarding_a_job_of_a_stream_closes_those_before_it_too() {
    let (_guard, root) = root();
    let writes = [stage(&root, 4, "a"), stage(&root, 5, "a")];
    let next = stage(&root, 6, "a");
    let job = StagedWrites::new([])
        .expect_root(&root)
        .job("orders")
        .sequence(5);
    job.discard().unwrap();
    assert_eq!(staged(&root).unwrap().len(), 1);
    for write in writes {
        let error = StagedWrites::new([write]).commit().unwrap_err();
        assert!(matches!(error, Error::JobClosed { .. }), "{error:?}");
    }
    assert_eq!(StagedWrites::new([next]).commit().unwrap().totals().rows, 1);
    assert_eq!(published(&root).len(), 1);
}

#[test]
fn a_number_without_a_name_is_refused() {
    let (_guard, root) = root();
    let nameless = || builder(&root, CommitMode::Append).sequence(1);
    let staged = StagedWrites::new([]).expect_root(&root).sequence(1);
    for error in [
        nameless().build(stations(&["A"]).schema()).unwrap_err(),
        staged.commit().unwrap_err(),
        staged.discard().unwrap_err(),
    ] {
        let named = matches!(
            &error,
            Error::InvalidOption {
                option: "sequence",
                ..
            }
        );
        assert!(named, "{error:?}");
    }
    assert!(!root.exists());
}

#[test]
fn the_receipt_has_the_schema_of_the_rows_and_says_if_it_is_a_replay() {
    let (_guard, root) = root();
    let receipt = committed(&root, 1);
    let rows = stations(&["A"]);
    assert_eq!(receipt.schema(), Some(&rows.schema()));
    let again = committed(&root, 1);
    assert_eq!((again.schema(), again.replayed()), (receipt.schema(), true));
    let read = Receipt::from_json(receipt.to_json().unwrap()).unwrap();
    assert_eq!((&read, read.schema()), (&receipt, receipt.schema()));
    let parts = StagedWrites::new([stage(&root, 1, "a"), stage(&root, 1, "b")]);
    assert_eq!(parts.commit().unwrap().schema(), receipt.schema());
}

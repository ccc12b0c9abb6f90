//! Each mode, named writes and staged writes do in an object store what they do on a disk.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use atomic_arrow::inspect::{InspectOptions, inspect_with_options};
use atomic_arrow::{
    CommitMode, DatasetWriter, Durability, Error, Outcome, StagedWrites, StagingPlace,
    staged_in_store,
};

use crate::lake::{Lake, batch, owned, schema, write};

#[test]
fn each_mode_does_in_a_store_what_it_does_on_a_disk() {
    let lake = Lake::in_memory();
    let receipt = lake
        .write(CommitMode::Append, &[("KJFK", 1.0), ("KSEA", 2.0)])
        .unwrap();
    assert_eq!((receipt.totals().files, receipt.totals().rows), (2, 2));
    assert_eq!(lake.rows(), owned(&[("KJFK", 1.0), ("KSEA", 2.0)]));

    lake.write(CommitMode::Append, &[("KSEA", 3.0)]).unwrap();
    assert_eq!(
        lake.rows(),
        owned(&[("KJFK", 1.0), ("KSEA", 2.0), ("KSEA", 3.0)])
    );

    let error = lake.write(CommitMode::ErrorIfExists, &[("KSEA", 4.0)]);
    assert!(matches!(error, Err(Error::Conflict { .. })), "{error:?}");
    lake.write(CommitMode::ErrorIfExists, &[("KLAX", 4.0)])
        .unwrap();

    let receipt = lake
        .write(CommitMode::OverwritePartitions, &[("KSEA", 5.0)])
        .unwrap();
    assert_eq!(receipt.totals().removed, 2);
    assert_eq!(
        lake.rows(),
        owned(&[("KJFK", 1.0), ("KLAX", 4.0), ("KSEA", 5.0)])
    );

    lake.write(CommitMode::Overwrite, &[("KORD", 6.0)]).unwrap();
    assert_eq!(lake.rows(), owned(&[("KORD", 6.0)]));

    let ignored = lake.write(CommitMode::Ignore, &[("KORD", 7.0)]).unwrap();
    assert_eq!(ignored.totals().files, 0);
    assert_eq!(lake.rows(), owned(&[("KORD", 6.0)]));

    assert_eq!(lake.leftovers(), Vec::<String>::new());
    let left = std::fs::read_dir(lake.spool.path()).unwrap().count();
    assert!(left <= 1, "the spool is empty but for its area");
}

#[test]
fn a_discarded_write_leaves_nothing() {
    let lake = Lake::in_memory();
    let mut writer = lake.builder().build(schema()).unwrap();
    writer.write(&batch(&[("KSEA", 1.0)])).unwrap();
    drop(writer);
    assert_eq!(lake.keys(), Vec::<String>::new());
}

#[test]
fn a_named_write_is_committed_once() {
    let lake = Lake::in_memory();
    let monday = || write(lake.builder().write_id("monday"), &[("KSEA", 1.0)]);
    let first = monday().unwrap();
    let again = monday().unwrap();
    assert_eq!(first.transaction(), again.transaction());
    assert!(again.replayed());
    assert_eq!(lake.rows(), owned(&[("KSEA", 1.0)]));

    for sequence in [1, 2, 1, 2, 3] {
        let builder = lake.builder().write_id("stream").sequence(sequence);
        write(builder, &[("KJFK", sequence as f64)]).unwrap();
    }
    assert_eq!(
        lake.rows(),
        owned(&[("KJFK", 1.0), ("KJFK", 2.0), ("KJFK", 3.0), ("KSEA", 1.0)])
    );
}

#[test]
fn what_several_stage_is_committed_as_one() {
    let lake = Lake::in_memory();
    let stage = |rows: &[(&str, f64)]| {
        let mut writer = lake.builder().job("monday").build(schema()).unwrap();
        writer.write(&batch(rows)).unwrap();
        writer.stage().unwrap()
    };
    let staged = [
        stage(&[("KSEA", 1.0)]),
        stage(&[("KJFK", 2.0), ("KSEA", 3.0)]),
    ];
    assert_eq!(lake.rows(), owned(&[]));
    let texts: Vec<String> = staged
        .iter()
        .map(|staged| serde_json::to_string(staged).unwrap())
        .collect();
    let waiting = staged_in_store(lake.root(), &lake.options()).unwrap();
    assert_eq!(waiting.len(), 2);

    let read = texts.iter().map(|text| serde_json::from_str(text).unwrap());
    let writes = StagedWrites::new(read.collect::<Vec<_>>()).object_store(lake.options());
    let receipt = writes.commit().unwrap();
    assert_eq!(receipt.totals().rows, 3);
    assert_eq!(
        lake.rows(),
        owned(&[("KJFK", 2.0), ("KSEA", 1.0), ("KSEA", 3.0)])
    );
    let again = writes.commit().unwrap();
    assert_eq!(again.transaction(), receipt.transaction());
    assert_eq!(lake.rows().len(), 3);
    let closed = lake.builder().job("monday").build(schema());
    assert!(matches!(closed, Err(Error::JobClosed { .. })));
    let keys = lake.keys();
    assert!(!keys.iter().any(|key| key.contains("/tx/")), "{keys:?}");
}

#[test]
fn recovery_of_a_store_at_rest_finds_nothing() {
    let lake = Lake::in_memory();
    lake.write(CommitMode::Append, &[("KSEA", 1.0)]).unwrap();
    let recovery = lake.recover().unwrap();
    assert!(recovery.failed.is_empty(), "{recovery:?}");
    assert!(recovery.finished.is_empty() && recovery.aborted.is_empty());
}

#[test]
fn an_empty_object_that_stands_for_a_directory_is_no_file() {
    for mode in [
        CommitMode::Append,
        CommitMode::ErrorIfExists,
        CommitMode::ErrorIfAnyExists,
        CommitMode::Ignore,
        CommitMode::OverwritePartitions,
        CommitMode::Overwrite,
    ] {
        let (lake, store) = Lake::faulty();
        store.mark_directory("weather");
        let receipt = lake.write(mode, &[("KSEA", 1.0)]).unwrap();
        let totals = receipt.totals();
        assert_eq!((totals.files, totals.removed), (1, 0), "{mode:?}");
        store.mark_directory("weather/station_id=KSEA");
        let again = lake.write(CommitMode::Overwrite, &[("KSEA", 2.0)]).unwrap();
        assert_eq!(again.totals().removed, 1, "{mode:?}");
        let inspection = InspectOptions::new().object_store(lake.options());
        let inspection = inspect_with_options(lake.root(), &inspection).unwrap();
        assert_eq!(inspection.totals().files, 1, "{mode:?}");
        assert!(inspection.oddities.is_empty(), "{:?}", inspection.oddities);
    }
}

#[test]
fn a_key_that_no_store_takes_is_refused_before_the_commit() {
    let lake = Lake::in_memory();
    let value = "x".repeat(220);
    let value: ArrayRef = Arc::new(StringArray::from(vec![value.as_str()]));
    let temp: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let keys = ["a", "b", "c", "d", "e"].map(|key| (key, Arc::clone(&value)));
    let columns = keys.into_iter().chain([("temp", temp)]);
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let builder = DatasetWriter::builder(lake.root()).partition_by("a,b,c,d,e");
    let builder = builder.object_store(lake.options());
    let mut writer = builder.build(batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    let error = writer.commit().unwrap_err();
    assert!(matches!(error, Error::InvalidPath { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::NotPublished);
    assert_eq!(lake.keys(), Vec::<String>::new());
}

#[test]
fn what_no_object_store_can_keep_is_refused() {
    let lake = Lake::in_memory();
    for builder in [
        lake.builder().durability(Durability::Unsynced),
        lake.builder().staging(StagingPlace::Inside),
        lake.builder().file_name("part-{i}"),
    ] {
        let error = builder.build(schema()).unwrap_err();
        assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
    }
    assert_eq!(lake.keys(), Vec::<String>::new());
}

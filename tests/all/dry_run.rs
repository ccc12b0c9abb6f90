//! A dry run takes rows, says what their commit would do, and changes nothing.

use atomic_arrow::arrow::datatypes::DataType;
use atomic_arrow::parquet::basic::Compression;
use atomic_arrow::receipt::Note;
use atomic_arrow::{CommitMode, DatasetWriter, Error, Partition};

use crate::ground::{builder, commit, directory, station, stations, tree, weather};

#[test]
fn rows_are_counted_by_partition_and_nothing_is_made() {
    let (_guard, root) = directory();
    let lake = root.join("lake");
    let batch = stations(&["KSEA", "KPDX", "KSEA"]);
    let mut dry_run = builder(&lake, CommitMode::Overwrite)
        .dry_run(batch.schema())
        .unwrap();
    dry_run.write(&batch).unwrap();
    dry_run.write(&batch).unwrap();
    let planned = dry_run.finish().unwrap();
    assert_eq!(planned.rows, 6);
    let expected: Vec<(Partition, u64)> = vec![(station("KSEA"), 4), (station("KPDX"), 2)];
    assert_eq!(planned.partitions, expected);
    assert_eq!(planned.notes, []);
    assert_eq!(planned.root, lake);
    let json: serde_json::Value = serde_json::from_str(&planned.to_json()).unwrap();
    let partition = |station: &str, rows: u64| {
        serde_json::json!({
            "path": format!("station_id={station}"),
            "partition": {"station_id": station},
            "rows": rows,
        })
    };
    assert_eq!(
        json,
        serde_json::json!({
            "dry_run": true,
            "root": lake.to_str().unwrap(),
            "partitions": [partition("KPDX", 2), partition("KSEA", 4)],
            "totals": {"partitions": 2, "rows": 6},
            "notes": [],
        })
    );
    assert_eq!(tree(&root), Vec::<String>::new());
}

#[test]
fn files_that_are_there_are_refused_or_make_it_ignored_as_the_mode_says() {
    let (_guard, root) = directory();
    let lake = root.join("lake");
    let run = |mode, station: &str| {
        let batch = stations(&[station]);
        let mut dry_run = builder(&lake, mode).dry_run(batch.schema())?;
        dry_run.write(&batch)?;
        dry_run.finish()
    };
    for mode in [CommitMode::ErrorIfAnyExists, CommitMode::Ignore] {
        assert_eq!(run(mode, "KSEA").unwrap().notes, [], "{mode:?}");
    }
    commit(builder(&lake, CommitMode::Append), &["KSEA"]).unwrap();
    let before = tree(&root);
    let refused = |mode, station| matches!(run(mode, station), Err(Error::Conflict { .. }));
    assert!(refused(CommitMode::ErrorIfExists, "KSEA"));
    assert!(!refused(CommitMode::ErrorIfExists, "KPDX"));
    assert!(refused(CommitMode::ErrorIfAnyExists, "KPDX"));
    let planned = run(CommitMode::Ignore, "KPDX").unwrap();
    assert_eq!(planned.notes, [Note::Ignored]);
    assert_eq!(tree(&root), before);
}

#[test]
fn it_says_what_the_commit_would_say_or_be_refused_for() {
    let (_guard, root) = directory();
    let lake = root.join("lake");
    commit(builder(&lake, CommitMode::Append), &["KSEA"]).unwrap();
    let before = tree(&root);
    let run = |mode, batch: &atomic_arrow::arrow::array::RecordBatch| {
        let mut dry_run = builder(&lake, mode).dry_run(batch.schema())?;
        dry_run.write(batch)?;
        dry_run.finish()
    };
    assert_eq!(
        run(CommitMode::Append, &stations(&["KSEA"])).unwrap().notes,
        []
    );
    let renamed = {
        let batch = stations(&["KSEA"]);
        let columns = [
            ("station_id", batch.column(0).clone()),
            ("wind", batch.column(1).clone()),
        ];
        atomic_arrow::arrow::array::RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    };
    let notes = run(CommitMode::Append, &renamed).unwrap().notes;
    assert!(
        notes.contains(&Note::ColumnAdded {
            column: "wind".to_owned()
        }),
        "{notes:?}"
    );
    let text =
        atomic_arrow::arrow::compute::cast(stations(&["KSEA"]).column(1), &DataType::Utf8).unwrap();
    let retyped = atomic_arrow::arrow::array::RecordBatch::try_from_iter_with_nullable([
        ("station_id", stations(&["KSEA"]).column(0).clone(), true),
        ("temp", text, true),
    ])
    .unwrap();
    let error = run(CommitMode::Append, &retyped).unwrap_err();
    assert!(matches!(error, Error::Incompatible { .. }), "{error:?}");
    assert_eq!(tree(&root), before);
}

#[test]
fn files_in_a_partition_are_a_conflict_where_the_mode_refuses_them() {
    let (_guard, root) = directory();
    let lake = root.join("lake");
    commit(builder(&lake, CommitMode::Append), &["KSEA"]).unwrap();
    let run = |station: &str| {
        let batch = stations(&[station]);
        let mut dry_run = builder(&lake, CommitMode::ErrorIfExists)
            .dry_run(batch.schema())
            .unwrap();
        dry_run.write(&batch).unwrap();
        dry_run.finish()
    };
    let error = run("KSEA").unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    assert_eq!(
        error.path(),
        Some(lake.join("station_id=KSEA").as_path()),
        "{error}"
    );
    assert_eq!(run("KPDX").unwrap().rows, 1);
}

#[test]
fn what_cannot_be_begun_or_taken_is_refused_as_by_the_writer() {
    let (_guard, root) = directory();
    let lake = root.join("lake");
    let schema = weather("KSEA", 1).schema();
    let begin =
        |builder: atomic_arrow::DatasetWriterBuilder| builder.dry_run(schema.clone()).unwrap_err();
    let error = begin(DatasetWriter::builder(&lake).partition_by("year(temp)"));
    assert!(matches!(error, Error::Partition(_)), "{error:?}");
    let error = begin(builder(&lake, CommitMode::Append).compression(Compression::LZO));
    assert!(
        matches!(
            error,
            Error::InvalidOption {
                option: "properties",
                ..
            }
        ),
        "{error:?}"
    );
    let error = begin(builder(&lake, CommitMode::Append).sort_by(["wind"]));
    assert!(
        matches!(
            error,
            Error::InvalidOption {
                option: "sort_by",
                ..
            }
        ),
        "{error:?}"
    );

    let mut dry_run = builder(&lake, CommitMode::Append)
        .dry_run(schema.clone())
        .unwrap();
    let error = dry_run.write(&stations(&[""])).unwrap_err();
    assert!(matches!(error, Error::Partition(_)), "{error:?}");
    assert!(matches!(
        dry_run.write(&weather("KSEA", 1)),
        Err(Error::Poisoned { .. })
    ));
    assert!(matches!(dry_run.finish(), Err(Error::Poisoned { .. })));
    assert_eq!(tree(&root), Vec::<String>::new());
}

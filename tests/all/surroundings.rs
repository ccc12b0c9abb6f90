//! What a write finds in a data set already: what it is refused for, and what it says (promise P10).

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use atomic_arrow::arrow::array::*;
use atomic_arrow::arrow::datatypes::{
    DataType, Field, Schema, SchemaRef, TimestampMicrosecondType,
};
use atomic_arrow::format::Format;
use atomic_arrow::receipt::Note;
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, Error, PartitionBy, Receipt, StagedWrite,
    StagedWrites, Step, TableFormat,
};

use crate::ground::{directory, tree};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn integers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// One row of a key and a value.
fn row(key: &str, value: ArrayRef) -> RecordBatch {
    batch(vec![("k", texts(&[key])), ("v", value)])
}

fn by(root: &Path, keys: &str) -> DatasetWriterBuilder {
    DatasetWriter::builder(root).partition_by(keys.parse::<PartitionBy>().unwrap())
}

fn write(builder: DatasetWriterBuilder, batch: &RecordBatch) -> Result<Receipt, Error> {
    let mut writer = builder.build(batch.schema())?;
    writer.write(batch)?;
    writer.commit()
}

fn dry_run(builder: DatasetWriterBuilder, batch: &RecordBatch) -> Result<Vec<Note>, Error> {
    let mut run = builder.dry_run(batch.schema())?;
    run.write(batch)?;
    Ok(run.finish()?.notes)
}

fn stage(builder: DatasetWriterBuilder, batch: &RecordBatch) -> StagedWrite {
    let mut writer = builder.build(batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.stage().unwrap()
}

/// What differs, what it is in the write, and what it is beside it.
#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> (String, String, String) {
    match outcome {
        Err(Error::Incompatible {
            what, given, there, ..
        }) => three(&what, &given, &there),
        other => panic!("{other:?}"),
    }
}

fn three(one: &str, two: &str, three: &str) -> (String, String, String) {
    (one.to_owned(), two.to_owned(), three.to_owned())
}

/// Commits another write while the one that is built here is encoded: it has looked by then.
fn meanwhile(builder: DatasetWriterBuilder, other: DatasetWriter) -> DatasetWriterBuilder {
    let other = Mutex::new(Some(other));
    builder.interrupt_when(move |step| {
        if step == Step::SyncFile
            && let Some(other) = other.lock().unwrap().take()
        {
            other.commit().unwrap();
        }
        false
    })
}

#[test]
fn of_two_writers_who_both_begin_a_data_set_the_second_looks_again() {
    for check in [true, false] {
        let (_guard, root) = directory();
        let (one, other) = (row("a", integers(&[1])), row("b", texts(&["x"])));
        let mut first = by(&root, "k").build(one.schema()).unwrap();
        first.write(&one).unwrap();
        let second = meanwhile(by(&root, "k").schema_check(check), first);
        let outcome = write(second, &other);
        match check {
            true => assert_eq!(refused(outcome), three("column \"v\" is", "Utf8", "Int64")),
            false => drop(outcome.unwrap()),
        }
    }
    // What goes together is said, also of a first file without rows.
    let (_guard, root) = directory();
    let (one, more) = (
        batch(vec![("v", integers(&[1]))]),
        batch(vec![("v", integers(&[])), ("w", integers(&[]))]),
    );
    let mut first = DatasetWriter::builder(&root).build(one.schema()).unwrap();
    first.write(&one).unwrap();
    let receipt = write(meanwhile(DatasetWriter::builder(&root), first), &more).unwrap();
    let column = "w".to_owned();
    assert!(receipt.notes().contains(&Note::ColumnAdded { column }));
}

#[test]
fn another_type_is_refused_unless_the_check_is_off() {
    let (_guard, root) = directory();
    write(by(&root, "k"), &row("a", integers(&[1]))).unwrap();
    let before = tree(&root);
    for key in ["a", "b"] {
        let text = row(key, texts(&["x"]));
        let outcome = write(by(&root, "k"), &text);
        let message = outcome.as_ref().unwrap_err().to_string();
        assert_eq!(refused(outcome), three("column \"v\" is", "Utf8", "Int64"));
        assert!(message.contains("k=a/part-"), "{message}");
        assert_eq!(tree(&root), before);
    }
    let text = row("a", texts(&["x"]));
    let receipt = write(by(&root, "k").schema_check(false), &text).unwrap();
    assert_eq!(receipt.notes(), []);
}

#[test]
fn other_keys_and_another_order_of_keys_are_refused() {
    let (_guard, root) = directory();
    let rows = batch(vec![
        ("k", texts(&["a"])),
        ("j", integers(&[1])),
        ("v", integers(&[1])),
    ]);
    write(by(&root, "k,j"), &rows).unwrap();
    for (keys, given) in [("j", "j"), ("k", "k"), ("j,k", "j/k"), ("", "none")] {
        let outcome = write(by(&root, keys), &rows);
        assert_eq!(
            refused(outcome),
            three("the partition keys are", given, "k/j"),
            "{keys}"
        );
    }
    write(by(&root, "k,j"), &rows).unwrap();
    // More keys than there are, and keys where there are none.
    let (_guard, root) = directory();
    write(by(&root, "k"), &rows).unwrap();
    let outcome = write(by(&root, "k,j"), &rows);
    assert_eq!(
        refused(outcome),
        three("the partition keys are", "k/j", "k")
    );
    let (_guard, root) = directory();
    write(by(&root, ""), &rows).unwrap();
    let outcome = write(by(&root, "k"), &rows);
    assert_eq!(
        refused(outcome),
        three("the partition keys are", "k", "none")
    );
}

#[test]
fn other_columns_and_wider_integers_are_said() {
    let (_guard, root) = directory();
    write(by(&root, "k"), &row("a", integers(&[1]))).unwrap();
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![2]));
    let rows = batch(vec![
        ("k", texts(&["b"])),
        ("new", texts(&["x"])),
        ("v", narrow),
    ]);
    let receipt = write(by(&root, "k"), &rows).unwrap();
    let expected = [
        Note::ColumnAdded {
            column: "new".to_owned(),
        },
        Note::TypeDiffers {
            column: "v".to_owned(),
            written: "Int32".to_owned(),
            there: "Int64".to_owned(),
        },
    ];
    assert_eq!(receipt.notes(), expected);
    // The file that stands for all is one of the partition that is written to.
    let receipt = write(by(&root, "k"), &rows).unwrap();
    assert_eq!(receipt.notes(), []);
    let receipt = write(by(&root, "k"), &row("c", integers(&[1]))).unwrap();
    let missing = Note::ColumnMissing {
        column: "new".to_owned(),
    };
    assert!(receipt.notes().contains(&missing), "{:?}", receipt.notes());
}

#[test]
fn a_column_that_may_not_be_null_has_to_be_in_all_files() {
    let (_guard, root) = directory();
    write(by(&root, ""), &batch(vec![("v", integers(&[1]))])).unwrap();
    let columns = [("v", integers(&[1]), true), ("new", integers(&[1]), false)];
    let rows = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let outcome = write(by(&root, ""), &rows);
    let expected = three("column \"new\" is", "Int64 without nulls", "missing");
    assert_eq!(refused(outcome), expected);
}

#[test]
fn strings_in_any_form_and_a_column_of_nulls_are_what_is_there() {
    let (_guard, root) = directory();
    write(by(&root, "k"), &row("a", texts(&["x"]))).unwrap();
    let large: ArrayRef = Arc::new(LargeStringArray::from(vec!["y"]));
    let receipt = write(by(&root, "k"), &row("a", large)).unwrap();
    assert_eq!(receipt.notes(), []);
    for key in ["a", "b"] {
        let nulls: ArrayRef = Arc::new(NullArray::new(1));
        let receipt = write(by(&root, "k"), &row(key, nulls)).unwrap();
        assert_eq!(receipt.notes(), []);
        let file = root.join(receipt.files()[0].path());
        let batches = crate::ground::read(&file);
        let data_type = batches[0].schema().field(0).data_type().clone();
        assert!(data_type.is_string(), "{data_type}");
        assert_eq!(batches[0].column(0).null_count(), 1);
    }
}

#[test]
fn what_is_replaced_is_not_compared() {
    let (_guard, root) = directory();
    write(by(&root, "k"), &row("a", integers(&[1]))).unwrap();
    let text = row("a", texts(&["x"]));
    let partitions = || by(&root, "k").mode(CommitMode::OverwritePartitions);
    write(partitions(), &text).unwrap();
    write(
        by(&root, "k").mode(CommitMode::Overwrite),
        &row("a", integers(&[1])),
    )
    .unwrap();
    write(by(&root, "k"), &row("b", integers(&[1]))).unwrap();
    // The other partition stays.
    let outcome = write(partitions(), &text);
    assert_eq!(refused(outcome), three("column \"v\" is", "Utf8", "Int64"));
    let outcome = write(by(&root, "v").mode(CommitMode::OverwritePartitions), &text);
    assert_eq!(refused(outcome), three("the partition keys are", "v", "k"));
}

#[test]
fn files_where_none_may_be_are_a_conflict_first() {
    let (_guard, root) = directory();
    write(by(&root, "k"), &row("a", integers(&[1]))).unwrap();
    let text = row("a", texts(&["x"]));
    for keys in ["k", ""] {
        let outcome = write(by(&root, keys).mode(CommitMode::ErrorIfExists), &text);
        assert!(
            matches!(outcome, Err(Error::Conflict { .. })),
            "{outcome:?}"
        );
    }
    let other = row("b", texts(&["x"]));
    let outcome = write(by(&root, "k").mode(CommitMode::ErrorIfExists), &other);
    assert_eq!(refused(outcome), three("column \"v\" is", "Utf8", "Int64"));
}

#[test]
fn another_format_is_refused_and_ipc_has_a_schema_too() {
    let (_guard, root) = directory();
    let ipc = || by(&root, "k").format(Format::Ipc);
    write(ipc(), &row("a", integers(&[1]))).unwrap();
    let outcome = write(by(&root, "k"), &row("a", integers(&[1])));
    assert_eq!(refused(outcome), three("the format is", "parquet", "ipc"));
    let outcome = write(ipc(), &row("a", texts(&["x"])));
    assert_eq!(refused(outcome), three("column \"v\" is", "Utf8", "Int64"));
}

#[test]
fn damaged_files_and_hidden_ones_stand_for_nothing() {
    let (_guard, root) = directory();
    fs::create_dir_all(root.join("k=a")).unwrap();
    fs::create_dir_all(root.join("_other=1")).unwrap();
    fs::write(root.join("k=a/z.parquet"), "no Parquet").unwrap();
    fs::write(root.join("k=a/_z.csv"), "x").unwrap();
    fs::write(root.join(".z.csv"), "x").unwrap();
    write(by(&root, "k"), &row("a", integers(&[1]))).unwrap();
}

#[test]
fn a_repeated_write_gives_its_receipt_whatever_is_there_since() {
    let (_guard, root) = directory();
    let named = || by(&root, "k").write_id("day 1");
    let first = write(named(), &row("a", integers(&[1]))).unwrap();
    write(by(&root, "k").schema_check(false), &row("a", texts(&["x"]))).unwrap();
    let again = write(named(), &row("a", integers(&[1]))).unwrap();
    assert_eq!(again.transaction(), first.transaction());
}

#[test]
fn a_dry_run_says_what_a_commit_would() {
    let (_guard, root) = directory();
    let rows = row("a", integers(&[1]));
    write(by(&root, "k"), &rows).unwrap();
    assert_eq!(dry_run(by(&root, "k"), &rows).unwrap(), []);
    let outcome = dry_run(by(&root, "k"), &row("a", texts(&["x"])));
    assert_eq!(refused(outcome), three("column \"v\" is", "Utf8", "Int64"));
    fs::create_dir(root.join("_delta_log")).unwrap();
    let format = TableFormat::DeltaLake;
    let expected = [Note::ForeignTable { format }];
    assert_eq!(dry_run(by(&root, "k"), &rows).unwrap(), expected);
    let outcome = dry_run(by(&root, "k").mode(CommitMode::Overwrite), &rows);
    assert!(
        matches!(outcome, Err(Error::Conflict { .. })),
        "{outcome:?}"
    );
    assert_eq!(write(by(&root, "k"), &rows).unwrap().notes(), expected);
}

#[test]
fn parts_of_one_commit_are_compared() {
    let (_guard, root) = directory();
    let integer = stage(by(&root, "k"), &row("a", integers(&[1])));
    let text = stage(by(&root, "k"), &row("b", texts(&["x"])));
    let unkeyed = stage(by(&root, ""), &row("b", integers(&[1])));
    let nulls = Arc::new(NullArray::new(1));
    let nulls = stage(by(&root, "k").format(Format::Ipc), &row("c", nulls));
    let ipc = stage(
        by(&root, "k").format(Format::Ipc),
        &row("c", integers(&[1])),
    );
    let commit = |parts: &[&StagedWrite]| {
        StagedWrites::new(parts.iter().map(|part| (*part).clone())).commit()
    };
    let outcome = commit(&[&integer, &text]);
    assert_eq!(refused(outcome), three("column \"v\" is", "Utf8", "Int64"));
    let outcome = commit(&[&integer, &unkeyed]);
    assert_eq!(
        refused(outcome),
        three("the partition keys are", "none", "k")
    );
    let outcome = commit(&[&ipc, &nulls]);
    assert_eq!(refused(outcome), three("column \"v\" is", "Null", "Int64"));
    // What is refused stays staged.
    commit(&[&integer]).unwrap();
    let outcome = commit(&[&text]);
    assert_eq!(refused(outcome), three("column \"v\" is", "Utf8", "Int64"));
    let unchecked = StagedWrites::new([text, nulls]).schema_check(false);
    assert_eq!(unchecked.commit().unwrap().totals().rows, 2);
}

#[test]
fn parts_may_have_columns_widths_and_zones_of_their_own() {
    let (_guard, root) = directory();
    let at = |zone: &str| -> ArrayRef {
        let times = PrimitiveArray::<TimestampMicrosecondType>::from(vec![0]);
        Arc::new(times.with_timezone(zone))
    };
    let part = |key: &str, value: ArrayRef, zone: &str| {
        let rows = batch(vec![("k", texts(&[key])), ("v", value), ("at", at(zone))]);
        stage(by(&root, "k"), &rows)
    };
    let narrow: ArrayRef = Arc::new(Int32Array::from(vec![2]));
    let parts = [
        part("a", narrow, "UTC"),
        part("b", integers(&[1]), "Etc/UTC"),
        stage(by(&root, "k"), &row("c", integers(&[1]))),
    ];
    let receipt = StagedWrites::new(parts).commit().unwrap();
    let kinds: Vec<_> = receipt.notes().iter().map(Note::kind).collect();
    assert_eq!(kinds, ["type-differs", "type-differs", "column-missing"]);
    // All of them together are compared with what is there.
    let receipt = write(by(&root, "k"), &row("a", integers(&[1]))).unwrap();
    let kinds: Vec<_> = receipt.notes().iter().map(Note::kind).collect();
    assert_eq!(kinds, ["type-differs", "column-missing"]);
}

#[test]
fn a_table_below_what_is_overwritten_is_not_destroyed_unless_that_is_allowed() {
    for log in [
        "_delta_log/0.json",
        ".hoodie/hoodie.properties",
        "_spark_metadata/0",
        "metadata/v1.metadata.json",
    ] {
        let (_guard, root) = directory();
        let file = root.join("k=a/table").join(log);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "{}").unwrap();
        let [a, b] = ["a", "b"].map(|key| row(key, integers(&[1])));
        let partitions = || by(&root, "k").mode(CommitMode::OverwritePartitions);
        let whole = || by(&root, "k").mode(CommitMode::Overwrite);
        let at = |outcome: Result<(), Error>| match outcome {
            Err(Error::Conflict { path, .. }) => assert_eq!(path, root.join("k=a/table")),
            other => panic!("{other:?}"),
        };
        at(write(whole(), &a).map(drop));
        at(write(partitions(), &a).map(drop));
        let mut part = partitions().build(a.schema()).unwrap();
        at(part.write(&a));
        drop(part);
        at(dry_run(whole(), &a).map(drop));
        at(dry_run(partitions(), &a).map(drop));
        // What stays is nobody's concern.
        write(partitions(), &b).unwrap();
        write(by(&root, "k"), &a).unwrap();
        assert!(file.exists());
        dry_run(partitions().overwrite_table(true), &a).unwrap();
        write(partitions().overwrite_table(true), &a).unwrap();
        assert!(!file.exists());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "{}").unwrap();
        let staged = stage(whole().overwrite_table(true), &a);
        StagedWrites::new([staged]).commit().unwrap();
        assert!(!file.exists());
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Utf8, true),
        Field::new("v", DataType::Int64, true),
    ]))
}

fn write_nothing(builder: DatasetWriterBuilder) -> Receipt {
    builder.build(schema()).unwrap().commit().unwrap()
}

#[test]
fn a_data_set_without_rows_and_partitions_gets_a_file_with_the_schema() {
    for format in [Format::Parquet, Format::Ipc, Format::Csv] {
        let (_guard, root) = directory();
        let builder = || by(&root, "").format(format);
        let receipt = write_nothing(builder());
        assert_eq!(receipt.notes(), [Note::SchemaOnly]);
        assert_eq!((receipt.totals().files, receipt.totals().rows), (1, 0));
        let file = root.join(receipt.files()[0].path());
        match format {
            Format::Csv => assert_eq!(fs::read_to_string(file).unwrap(), "k,v\n"),
            _ => assert!(fs::metadata(file).unwrap().len() > 0),
        }
        // One is enough.
        assert_eq!(write_nothing(builder()).notes(), [Note::NoRows]);
        assert_eq!(write_nothing(builder()).totals().files, 0);
        let receipt = write_nothing(builder().mode(CommitMode::Overwrite));
        assert_eq!((receipt.totals().files, receipt.totals().removed), (1, 1));
    }
    let (_guard, root) = directory();
    let receipt = write_nothing(by(&root, ""));
    let file = root.join(receipt.files()[0].path());
    assert_eq!(crate::ground::count_rows(&file), 0);
}

#[test]
fn without_rows_a_partitioned_data_set_gets_no_file_and_the_receipt_says_so() {
    let (_guard, root) = directory();
    for builder in [by(&root, "k"), by(&root, "").format(Format::Ndjson)] {
        let receipt = write_nothing(builder);
        assert_eq!(receipt.notes(), [Note::NoRows]);
        assert_eq!(receipt.totals().files, 0);
    }
    write(by(&root, "k"), &row("a", integers(&[1]))).unwrap();
    let receipt = write_nothing(by(&root, "k").mode(CommitMode::OverwritePartitions));
    assert_eq!(
        (receipt.totals().removed, receipt.notes()),
        (0, &[Note::NoRows][..])
    );
}

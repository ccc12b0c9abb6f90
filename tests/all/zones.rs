//! Instants whose time zone is an offset are stored so that every reader of Parquet opens them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::arrow::array::*;
use atomic_arrow::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use atomic_arrow::format::Format;
use atomic_arrow::receipt::Note;
use atomic_arrow::{
    AtomicArrowWriter, DatasetWriter, DatasetWriterBuilder, Partition, PartitionBy, StagedWrites,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::ground::directory;

/// New Year in India, and two hours before in UTC.
const NEW_YEAR: i64 = 1_577_836_800_000_000 - 2 * 3_600_000_000;

fn instants(zone: &str) -> ArrayRef {
    let array = TimestampMicrosecondArray::from(vec![Some(NEW_YEAR), None]);
    Arc::new(array.with_timezone(zone))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn in_list(array: &ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new_list_field(array.data_type().clone(), true));
    let offsets = atomic_arrow::arrow::buffer::OffsetBuffer::from_repeated_length(1, array.len());
    Arc::new(ListArray::new(item, offsets, Arc::clone(array), None))
}

fn read(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().next().unwrap().unwrap()
}

fn zone_of(schema: &Schema, column: &str) -> String {
    match schema.field_with_name(column).unwrap().data_type() {
        DataType::Timestamp(_, Some(zone)) => zone.to_string(),
        other => panic!("{other}"),
    }
}

fn note(column: &str, offset: &str) -> Note {
    Note::OffsetNotKept {
        column: column.to_owned(),
        offset: offset.to_owned(),
    }
}

fn write(builder: DatasetWriterBuilder, rows: &RecordBatch) -> (Vec<PathBuf>, Vec<Note>) {
    let mut writer = builder.build(rows.schema()).unwrap();
    writer.write(rows).unwrap();
    let receipt = writer.commit().unwrap();
    let paths = receipt.files().iter().map(|file| file.path().into());
    (paths.collect(), receipt.notes().to_vec())
}

#[test]
fn an_offset_that_polars_does_not_open_becomes_utc_and_is_said() {
    for (given, stored, is_said) in [
        ("+05:30", "UTC", true),
        ("-0930", "UTC", true),
        ("-13:00", "UTC", true),
        ("+14:00", "+14:00", false),
        ("-08", "-08:00", false),
        ("+00:00", "+00:00", false),
        ("Asia/Kolkata", "Asia/Kolkata", false),
    ] {
        let (_guard, root) = directory();
        let rows = batch(vec![("at", instants(given))]);
        let (paths, notes) = write(DatasetWriter::builder(&root), &rows);
        let found = read(&root.join(&paths[0]));
        assert_eq!(zone_of(&found.schema(), "at"), stored, "{given}");
        assert_eq!(found.column(0).as_ref(), instants(stored).as_ref());
        let expected = is_said.then(|| note("at", given));
        assert_eq!(notes, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn it_does_so_within_other_types_and_in_a_file_by_itself() {
    let (_guard, root) = directory();
    let at = instants("+05:30");
    let named = Field::new("at", at.data_type().clone(), true);
    let members = vec![(Arc::new(named), Arc::clone(&at))];
    let rows = batch(vec![
        ("l", in_list(&at)),
        ("s", Arc::new(StructArray::from(members))),
    ]);
    let (paths, notes) = write(DatasetWriter::builder(&root), &rows);
    assert_eq!(notes, [note("l[]", "+05:30"), note("s.at", "+05:30")]);
    let found = read(&root.join(&paths[0]));
    assert_eq!(found.column(0).as_ref(), in_list(&instants("UTC")).as_ref());
    assert_eq!(
        found.column(1).as_struct().column(0).as_ref(),
        instants("UTC").as_ref()
    );
    let alone = root.join("alone");
    let mut writer = AtomicArrowWriter::create(&alone, &Partition::none(), rows.schema()).unwrap();
    writer.write(&rows).unwrap();
    let file = writer.commit().unwrap();
    assert_eq!(read(file.path()), found);
}

#[test]
fn rows_are_divided_by_the_clock_that_was_given() {
    let (_guard, root) = directory();
    let rows = batch(vec![("at", instants("+05:30"))]).slice(0, 1);
    let keys: PartitionBy = "year(at)".parse().unwrap();
    let (paths, _) = write(DatasetWriter::builder(&root).partition_by(keys), &rows);
    assert!(paths[0].starts_with("year=2020"), "{paths:?}");
    let keys = PartitionBy::column("at");
    let kept = DatasetWriter::builder(root.join("kept"))
        .partition_by(keys)
        .keep_partition_columns(true);
    let (paths, _) = write(kept, &rows);
    let path = paths[0].display().to_string();
    assert!(path.contains("03%3A30%3A00+05%3A30"), "{path}");
    let found = read(&root.join("kept").join(path));
    assert_eq!(zone_of(&found.schema(), "at"), "UTC");
}

#[test]
fn the_parts_of_a_commit_say_so_and_go_together_with_utc() {
    let (_guard, root) = directory();
    let staged = ["+05:30", "UTC"].map(|zone| {
        let rows = batch(vec![("at", instants(zone))]);
        let mut writer = DatasetWriter::builder(&root).build(rows.schema()).unwrap();
        writer.write(&rows).unwrap();
        writer.stage().unwrap()
    });
    let receipt = StagedWrites::new(staged).commit().unwrap();
    assert_eq!(receipt.notes(), [note("at", "+05:30")]);
}

#[test]
fn files_of_others_that_have_the_offset_stay_and_it_is_said() {
    let (_guard, root) = directory();
    let rows = batch(vec![("at", instants("+05:30"))]);
    fs::create_dir_all(&root).unwrap();
    let file = File::create(root.join("theirs.parquet")).unwrap();
    let mut theirs = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    theirs.write(&rows).unwrap();
    theirs.close().unwrap();
    let builder = || DatasetWriter::builder(&root);
    let mut dry_run = builder().dry_run(rows.schema()).unwrap();
    dry_run.write(&rows).unwrap();
    let told = dry_run.finish().unwrap().notes;
    let (_, notes) = write(builder(), &rows);
    assert_eq!(told, notes);
    assert_eq!(notes[0], note("at", "+05:30"));
    assert!(matches!(
        &notes[1],
        Note::TypeDiffers { column, written, there }
            if column == "at" && written.contains("UTC") && there.contains("+05:30")
    ));
}

#[test]
fn other_formats_keep_the_offset() {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new(
        "at",
        DataType::Timestamp(TimeUnit::Microsecond, Some("+05:30".into())),
        true,
    )]));
    for format in [Format::Ipc, Format::Csv, Format::Ndjson] {
        let (_guard, root) = directory();
        let rows = RecordBatch::try_new(Arc::clone(&schema), vec![instants("+05:30")]).unwrap();
        let rows = rows.slice(0, 1);
        let (_, notes) = write(DatasetWriter::builder(&root).format(format), &rows);
        assert_eq!(notes, []);
    }
}

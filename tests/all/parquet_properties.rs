//! Options of Parquet by their names: what is then in the files, and what is refused.

use std::fs::File;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use atomic_arrow::arrow::datatypes::{DataType, Field};
use atomic_arrow::format::Format;
use atomic_arrow::parquet::basic::Compression;
use atomic_arrow::parquet::file::metadata::ParquetMetaData;
use atomic_arrow::parquet::file::reader::{FileReader as _, SerializedFileReader};
use atomic_arrow::{
    AtomicArrowWriter, DatasetWriter, Durability, Encodings, Error, ParquetProperties, Partition,
    PartitionBy, SyncPolicy, WriterOptions,
};

fn rows() -> RecordBatch {
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values((0..4000).map(|_| "k")));
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4000));
    let texts = (0..4000).map(|n| format!("a long text, so that it may be cut: {n}"));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let name = Arc::new(Field::new("name", DataType::Utf8, true));
    let names = (0..4000).map(|n| format!("station {}", ((n * n * 2_654_435_761_u64) >> 16) % 50));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
    let place: ArrayRef = Arc::new(StructArray::from(vec![(name, names)]));
    RecordBatch::try_from_iter([("k", keys), ("id", ids), ("note", texts), ("place", place)])
        .unwrap()
}

fn properties(settings: &[(&str, Option<&str>, &str)]) -> ParquetProperties {
    let mut properties = ParquetProperties::new();
    for (option, of, value) in settings {
        properties.set(option, *of, value).unwrap();
    }
    properties
}

const SETTINGS: &[(&str, Option<&str>, &str)] = &[
    ("compression", None, "zstd(3)"),
    ("compression", Some("note"), "uncompressed"),
    ("dictionary", None, "off"),
    ("dictionary", Some("place"), "on"),
    ("statistics", None, "chunk"),
    ("statistics", Some("id"), "none"),
    ("statistics_truncate", None, "8"),
    ("bloom_filters", Some("place.name"), "fpp=0.01 ndv=100"),
    ("row_group_size", None, "1600"),
    ("data_page_version", None, "2"),
    ("metadata", Some("origin"), "a test"),
];

#[track_caller]
fn assert_as_set(metadata: &ParquetMetaData) {
    let rows: Vec<i64> = metadata
        .row_groups()
        .iter()
        .map(|group| group.num_rows())
        .collect();
    assert_eq!(rows, [1600, 1600, 800]);
    let column = |path: &str| {
        let mut columns = metadata.row_group(0).columns().iter();
        columns
            .find(|column| column.column_path().string() == path)
            .unwrap()
    };
    assert!(matches!(column("id").compression(), Compression::ZSTD(_)));
    assert_eq!(column("note").compression(), Compression::UNCOMPRESSED);
    let has_dictionary = |path| column(path).dictionary_page_offset().is_some();
    assert!(!has_dictionary("note"));
    let place = column("place.name");
    assert!(has_dictionary("place.name"), "{place:?}");
    assert!(column("id").statistics().is_none());
    let note = column("note").statistics().unwrap();
    assert_eq!(note.min_bytes_opt(), Some(&b"a long t"[..]));
    assert!(column("place.name").bloom_filter_offset().is_some());
    assert!(column("note").bloom_filter_offset().is_none());
    assert_eq!(metadata.file_metadata().version(), 2);
    let pairs = metadata.file_metadata().key_value_metadata().unwrap();
    let pair = pairs.iter().find(|pair| pair.key == "origin").unwrap();
    assert_eq!(pair.value.as_deref(), Some("a test"));
}

#[test]
fn named_options_are_in_the_files_of_both_writers() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().join("set");
    let mut writer = DatasetWriter::builder(&root)
        .partition_by(PartitionBy::column("k"))
        .parquet(properties(SETTINGS))
        .encodings(Encodings::Compatible)
        .build(rows().schema())
        .unwrap();
    writer.write(&rows()).unwrap();
    let receipt = writer.commit().unwrap();
    let path = root.join(receipt.files()[0].path());
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    assert_as_set(reader.metadata());

    let partition = Partition::new([("k", "k")]).unwrap();
    let options = WriterOptions::new()
        .parquet(properties(SETTINGS))
        .encodings(Encodings::Compatible);
    let root = lake.path().join("one");
    let mut writer =
        AtomicArrowWriter::create_with_options(root, &partition, rows().schema(), options).unwrap();
    writer.write(&rows()).unwrap();
    let file = writer.commit().unwrap();
    let reader = SerializedFileReader::new(File::open(file.path()).unwrap()).unwrap();
    assert_as_set(reader.metadata());
}

#[test]
fn values_that_an_option_does_not_have_are_refused() {
    for (option, of, value, says) in [
        ("colour", None, "red", "none of compression, dictionary"),
        ("compression", None, "rar", "none of zstd"),
        ("dictionary", None, "maybe", "none of on, off"),
        ("statistics", None, "all", "none of page, chunk, none"),
        ("row_group_size", None, "0", "at least 1"),
        ("row_group_size", None, "many", "no number"),
        ("row_group_size", Some("id"), "10", "of whole files"),
        ("row_group_bytes", None, "0", "at least 1 byte"),
        ("page_size", None, "big", "no size"),
        ("data_page_version", None, "3", "none of 1, 2"),
        ("bloom_filters", None, "on", "no column is named for \"on\""),
        ("bloom_filters", Some("id"), "fpp=2", "between 0 and 1"),
        ("bloom_filters", Some("id"), "ndv=0", "from 1 on"),
        (
            "bloom_filters",
            Some("id"),
            "size=1",
            "neither fpp= nor ndv=",
        ),
        ("metadata", None, "x", "no key is named for \"x\""),
    ] {
        match ParquetProperties::new().set(option, of, value) {
            Err(Error::InvalidOption { reason, .. }) => {
                assert!(reason.contains(says), "{option} {value}: {reason}");
            }
            other => panic!("{option} {value}: {other:?}"),
        }
    }
}

#[track_caller]
fn assert_refused(
    settings: &[(&str, Option<&str>, &str)],
    set_up: impl FnOnce(atomic_arrow::DatasetWriterBuilder) -> atomic_arrow::DatasetWriterBuilder,
    (names, says): (&str, &str),
) {
    let lake = tempfile::tempdir().unwrap();
    let builder = DatasetWriter::builder(lake.path().join("set"))
        .partition_by(PartitionBy::column("k"))
        .parquet(properties(settings));
    match set_up(builder).build(rows().schema()) {
        Err(Error::InvalidOption { option, reason }) => {
            assert_eq!(option, names, "{reason}");
            assert!(reason.contains(says), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read_dir(lake.path()).unwrap().count(), 0);
}

#[test]
fn options_without_effect_are_refused() {
    for (option, of, value) in [
        ("row_group_size", None, "10"),
        ("bloom_filters", Some("id"), "on"),
        ("dictionary", None, "off"),
        ("metadata", Some("a"), "b"),
        ("compression", Some("id"), "zstd"),
    ] {
        for format in [Format::Csv, Format::Ndjson, Format::Ipc] {
            let says = (option, "is an option of Parquet, without effect in");
            assert_refused(&[(option, of, value)], |it| it.format(format), says);
        }
    }
    let keys = (
        "bloom_filters",
        "is a partition key, which is in the paths alone",
    );
    assert_refused(&[("bloom_filters", Some("k"), "on")], |it| it, keys);
    let unknown = (
        "compression",
        "which have \"id\", \"note\", \"place.name\"; did you mean \"place.name\"?",
    );
    assert_refused(
        &[("compression", Some("place.nam"), "zstd")],
        |it| it,
        unknown,
    );
    let checksums = ("page_checksums", "has no pages");
    let set_up = |it: atomic_arrow::DatasetWriterBuilder| it.page_checksums(false);
    assert_refused(&[], |it| set_up(it).format(Format::Csv), checksums);
    let sync = ("sync", "is not synced");
    let unsynced = |it: atomic_arrow::DatasetWriterBuilder| it.durability(Durability::Unsynced);
    assert_refused(&[], |it| unsynced(it).sync(SyncPolicy::EachFile), sync);
    let meant = ("sort_by", "did you mean \"note\"?");
    assert_refused(&[], |it| it.sort_by(["nte desc"]), meant);
    let key = ("sort_by", "column \"k\" is a partition key");
    assert_refused(&[], |it| it.sort_by(["k"]), key);
    let key = ("field_ids", "column \"k\" is a partition key");
    assert_refused(&[("field_ids", Some("k"), "1")], |it| it, key);
    let memory = ("memory_limit", "at least 1");
    assert_refused(&[], |it| it.memory_limit(0), memory);
    let threads = ("threads", "at least 1");
    assert_refused(&[], |it| it.threads(0), threads);
}

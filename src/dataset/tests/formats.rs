//! Data sets of every format: what is in the files, where they end, and what is refused.

use std::io::BufReader;

use arrow::array::{BinaryArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::reader::FileReader;

use super::*;
use crate::disk::sim::Lie;
use crate::format::Format;
use crate::partition::PartitionBy;
use crate::receipt::Receipt;

const FORMATS: [Format; 4] = [Format::Parquet, Format::Ipc, Format::Ndjson, Format::Csv];
const LEVELS: [Verify; 4] = [
    Verify::Skip,
    Verify::Footer,
    Verify::Checksum,
    Verify::Decode,
];

/// As [`rows`], without the list, which CSV has no place for.
fn flat(numbers: std::ops::Range<i64>, key: impl Fn(i64) -> Option<i64>) -> RecordBatch {
    rows(numbers, key).project(&[0, 1, 3, 4]).unwrap()
}

/// What is in a file, its words as text.
fn read_as(format: Format, path: &Path) -> Vec<RecordBatch> {
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("word", DataType::Utf8, true),
        Field::new("text", DataType::Utf8, true),
    ]);
    let schema = Arc::new(schema);
    let file = File::open(path).unwrap();
    match format {
        Format::Parquet => vec![read(path)],
        Format::Ipc => FileReader::try_new(file, None)
            .unwrap()
            .map(|batch| batch.unwrap())
            .collect(),
        Format::Ndjson => arrow::json::ReaderBuilder::new(schema)
            .build(BufReader::new(file))
            .unwrap()
            .map(|batch| batch.unwrap())
            .collect(),
        Format::Csv => arrow::csv::ReaderBuilder::new(schema)
            .with_header(true)
            .build(file)
            .unwrap()
            .map(|batch| batch.unwrap())
            .collect(),
        other => panic!("{other}"),
    }
}

type Row = (i64, Option<String>, Option<String>);

fn rows_of(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        let text = |name: &str| cast(batch.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
        let numbers = batch.column_by_name("n").unwrap();
        let (words, texts) = (text("word"), text("text"));
        let values = numbers.as_primitive::<Int64Type>().values().iter();
        let (words, texts) = (words.as_string::<i32>(), texts.as_string::<i32>());
        let texts = words.iter().zip(texts);
        rows.extend(values.zip(texts).map(|(number, (word, text))| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            (*number, owned(word), owned(text))
        }));
    }
    rows.sort();
    rows
}

/// The rows of the files that a receipt names, by their directories.
fn rows_read(root: &Path, format: Format, receipt: &Receipt) -> BTreeMap<String, Vec<Row>> {
    let mut found: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for file in receipt.files() {
        let path = root.join(file.path());
        assert_eq!(path.extension().unwrap(), format.suffixes()[0]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), file.bytes());
        let rows = rows_of(&read_as(format, &path));
        assert_eq!(rows.len() as u64, file.rows());
        found
            .entry(file.partition().to_string())
            .or_default()
            .extend(rows);
    }
    found.values_mut().for_each(|rows| rows.sort());
    found
}

#[test]
fn every_format_holds_the_rows_of_each_partition_at_every_level_spilled_or_not() {
    let key = scattered(9);
    let all = flat(0..3_000, &key);
    let mut expected: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for row in rows_of(std::slice::from_ref(&all)) {
        let value = PartitionValue::from(key(row.0));
        let partition = Partition::new([("key", value)]).unwrap();
        expected.entry(partition.to_string()).or_default().push(row);
    }
    for format in FORMATS {
        for (verify, memory_limit) in LEVELS.into_iter().flat_map(|l| [(l, 1 << 30), (l, 40_000)]) {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path().join("lake");
            let mut writer = DatasetWriter::builder(&root)
                .partition_by(PartitionBy::column("key"))
                .format(format)
                .verify(verify)
                .memory_limit(memory_limit)
                .threads(2)
                .build(all.schema())
                .unwrap();
            for batch in cut(&all, 250) {
                writer.write(&batch).unwrap();
            }
            let spills = memory_limit < 1 << 30;
            assert_eq!(writer.progress().rows_spilled > 0, spills);
            let receipt = writer.commit().unwrap();
            assert_eq!(receipt.totals().rows, 3_000);
            assert_eq!(rows_read(&root, format, &receipt), expected, "{format}");
            for file in receipt.files() {
                let is_parquet = format == Format::Parquet;
                assert_eq!(file.footer_bytes().is_some(), is_parquet);
                let has_groups = is_parquet || format == Format::Ipc;
                assert_eq!(file.row_groups(), has_groups.then_some(1));
            }
        }
    }
}

#[test]
fn files_of_every_format_are_the_same_bytes_whatever_the_batches_threads_and_memory() {
    let all = flat(0..5_000, scattered(30));
    let large = flat(5_000..9_000, |_| Some(7));
    let all = concat_batches(&all.schema(), [&all, &large]).unwrap();
    for format in [Format::Ipc, Format::Ndjson, Format::Csv] {
        let write = |size: usize, threads: usize, memory_limit: u64| {
            let options = EngineOptions {
                format,
                threads,
                memory_limit,
                properties: small_groups().build(),
                verify: Verify::Decode,
                target_file_size: Some(8_000),
                ..options()
            };
            contents(&written(&Place::new(), "key", options, &cut(&all, size)).unwrap())
        };
        let reference = write(9_000, 1, 1 << 30);
        assert!(reference.len() > 30);
        for (size, threads, memory_limit) in [
            (9_000, 4, 1 << 30),
            (700, 3, 1 << 30),
            (64, 1, 1),
            (333, 4, 300_000),
        ] {
            let same = reference == write(size, threads, memory_limit);
            assert!(same, "{format} {size} {threads} {memory_limit}");
        }
    }
}

/// Values under nulls and behind views, and bits behind the last one, are nobody's.
#[test]
fn what_no_row_has_is_not_in_the_files() {
    let write = |masked: i64, long: &str, slices: usize| {
        let numbers =
            Int64Array::from_iter_values((0..100).map(|n| if n == 3 { masked } else { n }));
        let nulls = (0..100).map(|n| n != 3).collect::<Vec<bool>>().into();
        let numbers = Int64Array::new(numbers.values().clone(), Some(nulls));
        let texts = (0..100).map(|n| format!("{n} is longer than a view"));
        let texts = texts.chain([format!("{long} is longer than a view, too")]);
        let texts: StringViewArray = texts.map(Some).collect();
        let columns: [(&str, ArrayRef); 3] = [
            ("key", Arc::new(Int64Array::from(vec![1; 100]))),
            ("n", Arc::new(numbers)),
            ("text", Arc::new(texts.slice(0, 100))),
        ];
        let columns = columns.map(|(name, column)| (name, column, true));
        let all = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let options = EngineOptions {
            format: Format::Ipc,
            ..options()
        };
        let batches = (0..100)
            .step_by(slices)
            .map(|start| all.slice(start, slices));
        let batches: Vec<RecordBatch> = batches.collect();
        contents(&written(&Place::new(), "key", options, &batches).unwrap())
    };
    let reference = write(0, "this", 100);
    assert!(reference == write(77, "this", 100));
    assert!(reference == write(0, "that one", 100));
    assert!(reference == write(0, "this", 20));
}

#[test]
fn formats_without_row_groups_roll_at_rows_and_at_bytes() {
    let all = flat(0..6_000, |n| Some(n % 2 + 1));
    for format in [Format::Ipc, Format::Ndjson, Format::Csv] {
        let write = |rows, bytes| {
            let options = EngineOptions {
                format,
                target_file_rows: rows,
                target_file_size: bytes,
                properties: small_groups().build(),
                verify: Verify::Decode,
                ..options()
            };
            let place = Place::new();
            let files = written(&place, "key", options, &cut(&all, 512)).unwrap();
            let of = |file: &Finished| rows_of(&read_as(format, &file.staged));
            let mut rows: Vec<Row> = files.iter().flat_map(of).collect();
            rows.sort();
            assert!(rows == rows_of(std::slice::from_ref(&all)));
            files
        };
        let rows: Vec<u64> = write(Some(1_000), None).iter().map(|f| f.rows).collect();
        assert_eq!(rows, [1_000; 6], "{format}");
        let whole = write(None, None);
        assert_eq!(whole.len(), 2);
        let files = write(None, Some(whole[0].bytes / 3));
        assert!(files.len() >= 6, "{format}");
        let at_most = whole[0].bytes / 2;
        assert!(files.iter().all(|file| file.bytes < at_most), "{format}");
    }
}

#[test]
fn what_a_format_has_no_place_for_is_refused_before_any_row() {
    let refused = |format, batch: &RecordBatch| {
        let directory = tempfile::tempdir().unwrap();
        let builder = DatasetWriter::builder(directory.path().join("lake")).format(format);
        let error = builder.build(batch.schema()).unwrap_err();
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        error
    };
    for format in [Format::Json, Format::IpcStream] {
        let error = refused(format, &flat(0..1, Some));
        let option = match error {
            Error::InvalidOption { option, .. } => option,
            other => panic!("{other:?}"),
        };
        assert_eq!(option, "format");
    }
    let error = refused(Format::Csv, &rows(0..1, Some));
    assert!(matches!(error, Error::Encode { .. }), "{error:?}");
}

#[test]
fn a_damaged_staged_file_is_refused_in_every_format() {
    for format in FORMATS {
        for (lie, refuses) in [(None, false), (Some(Lie::FlippedByte(30)), true)] {
            let disk = SimDisk::new();
            let batch = flat(0..100, |n| Some(n % 3));
            let mut writer = DatasetWriter::builder("/lake")
                .disk(Arc::new(disk.clone()))
                .partition_by(PartitionBy::column("key"))
                .format(format)
                .verify(Verify::Checksum)
                .build(batch.schema())
                .unwrap();
            writer.write(&batch).unwrap();
            lie.into_iter().for_each(|lie| disk.lie(lie));
            let outcome = writer.commit();
            let data = format.suffixes()[0];
            let files = disk.files();
            let published = files
                .iter()
                .filter(|f| f.extension().is_some_and(|is| is == data));
            match (outcome, refuses) {
                (Ok(_), false) => assert_eq!(published.count(), 3),
                (Err(Error::Damaged { path, .. }), true) => {
                    assert_eq!(path.extension().unwrap(), data);
                    assert_eq!(published.count(), 0);
                }
                (outcome, _) => panic!("{format}: {outcome:?}"),
            }
        }
    }
}

#[test]
fn files_of_large_rows_are_the_same_bytes_whatever_the_memory() {
    let sizes = (0..90).map(|row: usize| (row * 7_919) % 13 * 80_000);
    let blobs: Vec<Vec<u8>> = sizes.map(|size| vec![size as u8; size]).collect();
    let columns: [(&str, ArrayRef); 2] = [
        (
            "key",
            Arc::new(Int64Array::from_iter_values((0..90).map(|row| row % 2))),
        ),
        ("blob", Arc::new(BinaryArray::from_iter_values(blobs))),
    ];
    let all = RecordBatch::try_from_iter(columns).unwrap();
    for (format, target) in [
        (Format::Parquet, None),
        (Format::Parquet, Some(4 << 20)),
        (Format::Ipc, None),
        (Format::Ipc, Some(9 << 20)),
    ] {
        let write = |size: usize, threads: usize, memory_limit: u64| {
            let options = EngineOptions {
                format,
                threads,
                memory_limit,
                target_file_size: target,
                properties: WriterProperties::builder().build(),
                ..options()
            };
            contents(&written(&Place::new(), "key", options, &cut(&all, size)).unwrap())
        };
        let reference = write(90, 1, 1 << 30);
        assert_eq!(
            reference.len() > 2,
            target.is_some(),
            "{format:?} {}",
            reference.len()
        );
        for (size, threads, memory_limit) in [(90, 2, 1 << 30), (7, 1, 1), (1, 3, 4 << 20)] {
            let same = reference == write(size, threads, memory_limit);
            assert!(same, "{format:?} {size} {threads} {memory_limit}");
        }
    }
}

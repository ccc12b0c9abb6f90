use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use tempfile::TempDir;

use super::*;
use crate::{AtomicArrowWriter, AtomicFile, Error, WriterOptions};

struct Lake(TempDir);

impl Lake {
    fn new() -> Self {
        Lake(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap().join("weather")
    }

    /// Writes a file of `rows` rows into a partition, given by its path.
    fn write(&self, partition: &str, rows: i64) {
        let wind: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        self.write_batch(
            partition,
            &RecordBatch::try_from_iter([("wind", wind)]).unwrap(),
        );
    }

    fn write_batch(&self, partition: &str, batch: &RecordBatch) {
        let partition = Partition::parse(partition).unwrap();
        let options = WriterOptions::new()
            .durability(crate::Durability::Unsynced)
            .schema_check(false);
        let mut writer = AtomicArrowWriter::create_with_options(
            self.root(),
            &partition,
            batch.schema(),
            options,
        )
        .unwrap();
        writer.write(batch).unwrap();
        writer.commit().unwrap();
    }

    /// Writes a file that is a path below the root.
    fn put(&self, path: &str, bytes: &[u8]) -> PathBuf {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn inspect(&self) -> Inspection {
        inspect(self.root()).unwrap()
    }

    /// The kind and the last part of the path of every oddity.
    fn oddities(&self) -> Vec<(&'static str, String)> {
        let name = |oddity: &Oddity| {
            let name = oddity.path().and_then(Path::file_name).unwrap_or_default();
            name.to_str().unwrap().to_owned()
        };
        self.inspect()
            .oddities
            .iter()
            .map(|oddity| (oddity.kind(), name(oddity)))
            .collect()
    }
}

#[test]
fn files_rows_and_bytes_are_counted_by_partition() {
    let lake = Lake::new();
    lake.write("station=EWR/year=2013", 5);
    lake.write("station=EWR/year=2013", 6);
    lake.write("station=JFK/year=2013", 7);
    let inspection = lake.inspect();
    assert_eq!(inspection.root, lake.root());
    let counts: Vec<_> = inspection
        .partitions
        .iter()
        .map(|p| {
            (
                p.directory.to_str().unwrap(),
                p.files,
                p.small_files,
                p.rows,
                p.row_groups,
            )
        })
        .collect();
    assert_eq!(
        counts,
        [
            ("station=EWR/year=2013", 2, 2, 11, 2),
            ("station=JFK/year=2013", 1, 1, 7, 1)
        ]
    );
    let jfk = Partition::new([("station", "JFK"), ("year", "2013")]).unwrap();
    assert_eq!(inspection.partitions[1].partition, Some(jfk));
    let totals = inspection.totals();
    assert_eq!(
        (
            totals.partitions,
            totals.files,
            totals.rows,
            totals.row_groups
        ),
        (2, 3, 18, 3)
    );
    let on_disk: u64 = fs::read_dir(lake.root().join("station=JFK/year=2013"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(inspection.partitions[1].bytes, on_disk);
    assert!(totals.bytes > on_disk);
}

#[test]
fn a_data_set_without_keys_has_its_files_in_the_root() {
    let lake = Lake::new();
    lake.write("", 5);
    let inspection = lake.inspect();
    assert_eq!(inspection.partitions[0].directory, Path::new(""));
    assert_eq!(inspection.partitions[0].partition, Some(Partition::none()));
    assert!(inspection.oddities.is_empty(), "{:?}", inspection.oddities);
}

#[test]
fn skew_is_the_largest_partition_by_the_median() {
    let lake = Lake::new();
    for (month, rows) in [(1, 10), (2, 20), (3, 80)] {
        lake.write(&format!("month={month}"), rows);
    }
    let skew = lake.inspect().skew().unwrap();
    assert_eq!((skew.largest, skew.median, skew.ratio), (80, 20, 4.0));
    assert_eq!(Inspection::default().skew(), None);
}

#[test]
fn values_that_some_reader_gives_back_as_others_are_odd() {
    const NULL: &str = "__HIVE_DEFAULT_PARTITION__";
    // What the readers named in `Misreading` were seen to do with a key of these values.
    let cases: &[(&[&str], &[&str])] = &[
        (&["7", "12"], &[]),
        (&["-7", "0"], &[]),
        (&["010010", "720534"], &["leading-zero"]),
        (&["-0"], &["leading-zero"]),
        (&["00"], &["leading-zero"]),
        (&["010010", NULL], &["leading-zero", "null"]),
        (&["08", "7.5"], &["leading-zero"]),
        // One value that is no number keeps all of them texts.
        (&["010010", "KSEA"], &[]),
        (&["+7"], &[]),
        (&["0x10"], &["hexadecimal"]),
        (&["0x10", "7"], &["hexadecimal"]),
        (&["0x10", "KSEA"], &[]),
        (&["1.50"], &["number"]),
        (&["1e3"], &["number"]),
        (&["1.5"], &[]),
        (&["1.50", "x"], &[]),
        (&["2024-01-05"], &[]),
        (&["2024-1-5"], &["date"]),
        (&["2024-1-5", "x"], &[]),
        (&["2024-13-01", "2024-1"], &[]),
        (&["true", "nan", "NULL"], &[]),
    ];
    for (values, expected) in cases {
        let lake = Lake::new();
        for value in *values {
            lake.write(&format!("key={value}"), 1);
        }
        let mut kinds: Vec<_> = lake.inspect().oddities.iter().map(Oddity::kind).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, *expected, "{values:?}");
    }
}

#[test]
fn a_misread_key_is_one_oddity_however_many_partitions_have_such_values() {
    let lake = Lake::new();
    for station in ["010010", "010020", "720534"] {
        lake.write(&format!("station={station}"), 1);
    }
    let oddities = lake.inspect().oddities;
    assert_eq!(oddities.len(), 1);
    assert_eq!(
        oddities[0].to_string(),
        "station=010010 (and 1 more like it): pyarrow, pandas and Polars read it as an integer, \
         without the leading zero, unless given a schema"
    );
}

#[test]
fn leftovers_and_files_that_are_no_data_are_odd() {
    let lake = Lake::new();
    lake.write("month=1", 3);
    lake.put("month=1/x.parquet.tmp", b"x");
    lake.put("month=1/x.parquet#1", b"x");
    lake.put("month=1/.x.parquet", b"x");
    lake.put("_SUCCESS", b"");
    lake.put("month=1/_SUCCESS", b"{}");
    lake.put("_stage/y.parquet", b"y");
    fs::create_dir_all(lake.root().join("month=2/day=3")).unwrap();
    let mut oddities = lake.oddities();
    oddities.sort();
    let expected = [
        ("empty-directory", "day=3"),
        ("foreign-file", "x.parquet#1"),
        ("foreign-file", "x.parquet.tmp"),
        ("hidden", ".x.parquet"),
        ("hidden", "_SUCCESS"),
        ("hidden", "_stage"),
    ];
    assert_eq!(
        oddities,
        expected.map(|(kind, name)| (kind, name.to_owned()))
    );
}

#[test]
fn files_of_the_other_formats_are_counted_without_their_rows() {
    let lake = Lake::new();
    lake.put("month=1/part-0.csv", b"wind\n5\n");
    lake.put("month=1/part-1.csv", b"wind\n6\n");
    lake.put("month=2/part-0.csv", b"");
    let inspection = lake.inspect();
    let totals = inspection.totals();
    assert_eq!(
        (totals.files, totals.uncounted_files, totals.rows),
        (3, 3, 0)
    );
    assert_eq!((totals.partitions, totals.bytes), (2, 14));
    assert_eq!(inspection.skew(), None);
    let kinds: Vec<_> = inspection.oddities.iter().map(Oddity::kind).collect();
    assert_eq!(kinds, ["empty-file", "small-files"]);

    lake.write("month=3", 3);
    lake.put("month=3/part-0.arrow", b"ARROW1");
    lake.put("month=3/part-0.ndjson", b"{}");
    lake.put("month=3/part-1.jsonl", b"{}");
    let inspection = lake.inspect();
    let totals = inspection.totals();
    assert_eq!(
        (totals.files, totals.uncounted_files, totals.rows),
        (7, 6, 3)
    );
    let said: Vec<_> = inspection
        .oddities
        .iter()
        .map(ToString::to_string)
        .collect();
    let mixed = "there are files of Arrow IPC and CSV and NDJSON and Parquet: a reader of one format \
                 fails on those of another, or passes them over";
    assert!(said.iter().any(|said| said == mixed), "{said:?}");
}

#[test]
fn data_files_that_are_damaged_or_empty_are_odd_and_counted() {
    let lake = Lake::new();
    lake.write("month=1", 3);
    lake.write("month=2", 0);
    lake.put("month=1/cut.parquet", b"PAR1 and not much more");
    lake.put("month=1/none.parquet", b"");
    let inspection = lake.inspect();
    assert_eq!(
        (inspection.totals().files, inspection.totals().rows),
        (4, 3)
    );
    let kinds: Vec<_> = inspection.oddities.iter().map(Oddity::kind).collect();
    assert_eq!(kinds, ["damaged", "empty-file", "no-rows", "small-files"]);
}

#[cfg(unix)]
#[test]
fn links_and_special_files_are_odd_and_nothing_behind_them_is_counted() {
    use std::os::unix::{fs::symlink, net::UnixListener};

    let lake = Lake::new();
    lake.write("month=1", 3);
    let elsewhere = Lake::new();
    elsewhere.write("month=2", 4);
    symlink(
        elsewhere.root().join("month=2"),
        lake.root().join("month=2"),
    )
    .unwrap();
    symlink("nowhere", lake.root().join("month=1/link.parquet")).unwrap();
    symlink(lake.root(), lake.root().join("round")).unwrap();
    let _listener = UnixListener::bind(lake.root().join("socket.parquet")).unwrap();
    let pipe = lake.root().join("month=1/pipe.parquet");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    let mut oddities = lake.oddities();
    oddities.sort();
    let expected = [
        ("link", "link.parquet"),
        ("link", "month=2"),
        ("link", "round"),
        ("special-file", "pipe.parquet"),
        ("special-file", "socket.parquet"),
    ];
    assert_eq!(
        oddities,
        expected.map(|(kind, name)| (kind, name.to_owned()))
    );
    assert_eq!(lake.inspect().totals().rows, 3);
}

#[test]
fn files_whose_columns_differ_from_most_are_odd() {
    let lake = Lake::new();
    for month in [1, 2, 3] {
        lake.write(&format!("month={month}"), 1);
    }
    let float: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    let int: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let other = RecordBatch::try_from_iter([("wind", float)]).unwrap();
    let more = RecordBatch::try_from_iter([("wind", Arc::clone(&int)), ("gust", int)]).unwrap();
    lake.write_batch("month=4", &other);
    lake.write_batch("month=5", &other);
    lake.write_batch("month=6", &more);
    let oddities = lake.inspect().oddities;
    let texts: Vec<_> = oddities.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("/month=4/"), "{texts:?}");
    assert!(
        texts[0]
            .ends_with("column \"wind\" is DOUBLE, but INT64 in most files (2 in all like this)"),
        "{texts:?}"
    );
    assert!(
        texts[1].contains("has a column \"gust\", which most files lack"),
        "{texts:?}"
    );
}

/// A file as parquet-rs writes it by itself.
fn foreign(batch: &RecordBatch) -> Vec<u8> {
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn times_that_are_integers_to_other_readers_are_odd() {
    let lake = Lake::new();
    let seconds: ArrayRef = Arc::new(arrow::array::TimestampSecondArray::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("at", seconds)]).unwrap();
    for name in ["a.parquet", "b.parquet"] {
        lake.put(name, &foreign(&batch));
    }
    let oddities = lake.inspect().oddities;
    let oddity = oddities
        .iter()
        .find(|oddity| oddity.kind() == "read-as")
        .unwrap();
    let text = oddity.to_string();
    assert!(text.contains("column \"at\" is Timestamp(s)"), "{text}");
    assert!(
        text.contains("but Int64") && text.contains("(2 in all"),
        "{text}"
    );
}

#[test]
fn names_that_readers_take_for_others_are_odd() {
    let lake = Lake::new();
    let number = |name| {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        RecordBatch::try_from_iter([(name, Arc::clone(&column)), ("n", column)]).unwrap()
    };
    lake.put("Station%20ID=A/year=1/a.parquet", &foreign(&number("year")));
    lake.put("Station%20ID=A/year=2/a.parquet", &foreign(&number("Year")));
    lake.put("Station%20ID=B/year=2/a.parquet", &foreign(&number("N")));
    let oddities = lake.inspect().oddities;
    let of_kind = |kind: &str| -> Vec<String> {
        let alike = oddities.iter().filter(|oddity| oddity.kind() == kind);
        alike.map(ToString::to_string).collect()
    };
    let escaped = of_kind("escaped-key");
    assert_eq!(escaped.len(), 1, "{escaped:?}");
    assert!(
        escaped[0].contains("\"Station ID\" is \"Station%20ID\""),
        "{escaped:?}"
    );
    let kept = of_kind("kept-key");
    assert!(kept.len() == 1 && kept[0].contains("\"year\""), "{kept:?}");
    let ambiguous = of_kind("ambiguous-names");
    assert_eq!(ambiguous.len(), 2, "{ambiguous:?}");
    assert!(
        ambiguous[0].contains("\"Year\" and \"year\""),
        "{ambiguous:?}"
    );
    assert!(ambiguous[1].contains("\"N\" and \"n\""), "{ambiguous:?}");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_are_odd() {
    use std::os::unix::ffi::OsStrExt;
    let lake = Lake::new();
    lake.write("month=1", 1);
    let name = std::ffi::OsStr::from_bytes(b"month=1/\xff.parquet");
    fs::write(lake.root().join(name), b"x").unwrap();
    let oddities = lake.inspect().oddities;
    assert!(
        oddities.iter().any(|oddity| oddity.kind() == "not-utf8"),
        "{oddities:?}"
    );
}

#[test]
fn partitions_of_other_keys_or_depth_than_most_are_odd() {
    let lake = Lake::new();
    lake.write("station=EWR/year=2013", 1);
    lake.write("station=JFK/year=2013", 1);
    lake.write("station=LGA", 1);
    lake.write("year=2013/station=LGA", 1);
    let oddities = lake.inspect().oddities;
    let texts: Vec<_> = oddities.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "station=LGA: has the keys station, as have 1 in all, but most partitions have \
             station/year",
            "year=2013/station=LGA: has the keys year/station, as have 1 in all, but most \
             partitions have station/year",
        ]
    );
}

#[test]
fn data_files_in_a_directory_that_is_no_partition_are_odd_and_counted() {
    let lake = Lake::new();
    lake.write("month=1", 3);
    let file = fs::read_dir(lake.root().join("month=1"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    lake.put("archive/a.parquet", &fs::read(file.path()).unwrap());
    let inspection = lake.inspect();
    assert_eq!(inspection.oddities[0].kind(), "not-a-partition");
    assert_eq!(inspection.partitions[0].directory, Path::new("archive"));
    assert_eq!(inspection.partitions[0].partition, None);
    assert_eq!(inspection.totals().rows, 6);
}

#[test]
fn several_small_files_in_one_partition_are_odd() {
    let lake = Lake::new();
    lake.write("month=1", 3);
    lake.write("month=2", 3);
    lake.write("month=2", 3);
    assert_eq!(lake.oddities(), [("small-files", "month=2".to_owned())]);
    let options = InspectOptions::new().small_file(1);
    assert!(
        inspect_with_options(lake.root(), &options)
            .unwrap()
            .oddities
            .is_empty()
    );
}

#[test]
fn what_a_dead_writer_left_is_odd_and_a_live_one_s_work_is_not() {
    let lake = Lake::new();
    lake.write("month=1", 3);
    let live = AtomicFile::create(lake.root().join("month=1/live.json")).unwrap();
    let area = lake.root().with_file_name(".weather.atomic");
    let dead = "0199a000-0000-7000-8000-000000000000.staged";
    fs::write(area.join(dead), b"x").unwrap();
    assert_eq!(lake.oddities(), [("staging-leftover", dead.to_owned())]);
    assert!(area.join(dead).exists(), "inspecting changes nothing");
    drop(live);
}

#[test]
fn a_root_that_is_no_directory_is_an_error() {
    let lake = Lake::new();
    assert!(matches!(inspect(lake.root()), Err(Error::Read { .. })));
    fs::write(lake.root(), b"x").unwrap();
    assert!(matches!(
        inspect(lake.root()),
        Err(Error::InvalidPath { .. })
    ));
}

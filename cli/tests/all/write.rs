//! `write`: the main job, its options and its receipts.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray as _, Int8Array, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use atomic_arrow::Receipt;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::run::{KEYS, Place, testdata};

/// Two inputs whose rows are of the same two partitions.
fn two_inputs(place: &Place) {
    place.file("one.csv", "k,v\na,1\nb,2\n");
    place.file("two.csv", "k,v\na,3\nb,4\n");
}

fn footer(place: &Place, file: &str) -> parquet::file::metadata::ParquetMetaData {
    let file = File::open(place.path("lake/weather").join(file)).unwrap();
    SerializedFileReader::new(file).unwrap().metadata().clone()
}

#[test]
fn the_weather_becomes_36_partitions_of_26115_rows() {
    let place = Place::new();
    let ran = place.write_weather(&[]).exits(0);
    let (head, tail) = ran.stdout.trim().split_once(" KiB, ").unwrap();
    assert!(
        head.starts_with("lake/weather: 26,115 rows in 36 files of 36 partitions, "),
        "{head}"
    );
    assert_eq!(tail, "verified, synced");
    assert_eq!(ran.stderr, "", "no progress where there is no terminal");
    let files = place.files("lake/weather");
    assert_eq!(files.len(), 36);
    let directories: BTreeSet<_> = files
        .iter()
        .map(|f| f.rsplit_once('/').unwrap().0)
        .collect();
    assert_eq!(directories.len(), 36);
    assert!(directories.contains("station_id=JFK/year=2013/month=12"));
    let rows = files
        .iter()
        .map(|file| footer(&place, file).file_metadata().num_rows());
    assert_eq!(rows.sum::<i64>(), 26_115);
    assert!(place.staged().is_empty());
}

#[test]
fn partition_columns_are_in_the_files_only_if_asked_for() {
    let place = Place::new();
    place.write_weather(&[]).exits(0);
    let columns = |place: &Place| {
        let footer = footer(place, &place.files("lake/weather")[0]);
        footer
            .file_metadata()
            .schema_descr()
            .columns()
            .iter()
            .map(|c| c.name().to_owned())
            .collect()
    };
    let without: Vec<String> = columns(&place);
    assert_eq!(without.len(), 12);
    assert!(!without.contains(&"origin".to_owned()));
    let place = Place::new();
    place.write_weather(&["--keep-partition-columns"]).exits(0);
    let with: Vec<String> = columns(&place);
    assert_eq!(with.len(), 15);
    assert_eq!(with[..3], ["origin", "year", "month"]);
}

#[test]
fn a_data_set_whose_keys_are_in_its_files_too_is_warned_of() {
    let place = Place::new();
    place
        .write_weather(&["--keep-partition-columns"])
        .exits(0)
        .says("partitioning=None");
    place
        .run(["inspect", "lake/weather"])
        .exits(0)
        .prints("odd [kept-key]");
}

#[test]
fn names_that_differ_by_case_alone_are_refused_unless_allowed() {
    let place = Place::new();
    place.file("a.csv", "n,N\n1,2\n");
    let write = ["write", "a.csv", "--to", "out"];
    place.run(write).exits(2).says("differ by case alone");
    assert!(place.files("out").is_empty());
    place
        .run(write.into_iter().chain(["--case-sensitive-names"]))
        .exits(0);
    place
        .run(["inspect", "out"])
        .exits(0)
        .prints("odd [ambiguous-names]");
}

#[test]
fn without_keys_the_file_is_in_the_root() {
    let place = Place::new();
    let args = ["write", &testdata("weather.csv"), "--to", "lake/weather"];
    place
        .run(args)
        .exits(0)
        .prints("26,115 rows in 1 file of 1 partition");
    let files = place.files("lake/weather");
    assert_eq!(files.len(), 1);
    assert!(
        files[0].starts_with("part-") && files[0].ends_with(".parquet"),
        "{files:?}"
    );
}

#[test]
fn keys_can_be_taken_of_a_timestamp() {
    let place = Place::new();
    let keys = "year=year(time_hour2),month(time_hour2),date=date(time_hour2)";
    place.file(
        "in.csv",
        "time_hour2,v\n2013-01-31T23:00:00Z,1\n2013-02-01T00:00:00Z,2\n",
    );
    place
        .run([
            "write",
            "in.csv",
            "--to",
            "lake/weather",
            "--partition-by",
            keys,
        ])
        .exits(0);
    let files = place.files("lake/weather");
    assert!(
        files[0].starts_with("year=2013/month=1/date=2013-01-31/"),
        "{files:?}"
    );
    assert!(
        files[1].starts_with("year=2013/month=2/date=2013-02-01/"),
        "{files:?}"
    );
}

#[test]
fn the_json_receipt_lists_every_file() {
    let place = Place::new();
    let receipt = place.write_weather(&["--json"]).exits(0).json();
    let totals = &receipt["totals"];
    assert_eq!(
        (&receipt["version"], &receipt["mode"]),
        (&1.into(), &"append".into())
    );
    assert_eq!(
        (&totals["rows"], &totals["removed"]),
        (&26_115.into(), &0.into())
    );
    assert_eq!(
        (&totals["partitions"], &totals["files"]),
        (&36.into(), &36.into())
    );
    let files = receipt["files"].as_array().unwrap();
    let mut listed: Vec<_> = files.iter().map(|f| f["path"].as_str().unwrap()).collect();
    listed.sort();
    assert_eq!(listed, place.files("lake/weather"));
    for file in files {
        let path = place
            .path("lake/weather")
            .join(file["path"].as_str().unwrap());
        assert_eq!(file["bytes"], path.metadata().unwrap().len());
        assert_eq!(file["row_groups"], 1);
        assert_eq!(file["columns"].as_array().unwrap().len(), 12);
    }
    let key = &files[0]["partition"][0];
    assert_eq!(
        (&key["key"], &key["value"]["string"]),
        (&"station_id".into(), &"EWR".into())
    );
    let read = Receipt::from_json(receipt.to_string()).unwrap();
    assert!(read.metrics().unwrap().encoding > Duration::ZERO);
}

#[test]
fn verbose_names_files_and_columns_and_quiet_nothing() {
    let place = Place::new();
    let ran = place
        .write_weather(&["-v"])
        .exits(0)
        .says("columns: origin Utf8, year Int64");
    assert_eq!(ran.stdout.lines().count(), 38);
    let last = ran.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("time: ") && last.contains(" s, encoding "),
        "{last}"
    );
    for file in place.files("lake/weather") {
        assert!(ran.stdout.contains(&file));
    }
    let ran = place.write_weather(&["-q"]).exits(0);
    assert_eq!((ran.stdout, ran.stderr), (String::new(), String::new()));
}

#[test]
fn a_second_write_appends_unless_told_otherwise() {
    let place = Place::new();
    place.write_weather(&[]).exits(0);
    place.write_weather(&[]).exits(0);
    let files = place.files("lake/weather");
    assert_eq!(files.len(), 72);
    place
        .write_weather(&["--mode", "error-if-exists"])
        .exits(5)
        .says("station_id=EWR/year=2013/month=1: has files already");
    assert_eq!(place.files("lake/weather"), files);
    assert!(place.staged().is_empty());
}

#[test]
fn error_if_exists_minds_only_the_partitions_that_rows_go_to() {
    let place = Place::new();
    two_inputs(&place);
    place.file("other.csv", "k,v\nc,1\n");
    place.file("both.csv", "k,v\nd,1\na,1\n");
    let write = |input: &str| {
        let args = [
            "write",
            input,
            "--to",
            "lake/weather",
            "--partition-by",
            "k",
        ];
        place.run(args.iter().chain(&["--mode", "error-if-exists"]))
    };
    write("one.csv").exits(0);
    write("other.csv").exits(0);
    write("both.csv").exits(5).says("k=a: has files already");
    assert!(
        !place.path("lake/weather/k=d").exists(),
        "one conflict, and nothing is published"
    );
}

#[test]
fn a_data_set_that_has_files_is_refused_or_ignored_whatever_partitions_rows_go_to() {
    let place = Place::new();
    two_inputs(&place);
    place.file("other.csv", "k,v\nc,1\n");
    let write = |input: &str, mode: &str, more: &[&str]| {
        let args = [
            "write",
            input,
            "--to",
            "lake/weather",
            "--partition-by",
            "k",
            "--mode",
            mode,
        ];
        place.run(args.iter().chain(more))
    };
    write("one.csv", "ignore", &[]).exits(0);
    let files = place.files("lake/weather");
    assert!(!files.is_empty());
    for more in [&[][..], &["--dry-run"]] {
        write("other.csv", "error-if-any-exists", more)
            .exits(5)
            .says("lake/weather: has files already");
        write("other.csv", "ignore", more)
            .exits(0)
            .says("lake/weather: the data set has files already: nothing was written");
    }
    let receipt = write("other.csv", "ignore", &["--json"]).exits(0).json();
    assert_eq!(
        (&receipt["mode"], &receipt["files"]),
        (&"ignore".into(), &serde_json::json!([]))
    );
    assert_eq!(place.files("lake/weather"), files);
    assert!(place.staged().is_empty());
    for mode in ["ignore", "error-if-any-exists"] {
        let args = ["write", "one.csv", "--to", "one.parquet", "--mode", mode];
        place.run(args).exits(2).says("--mode");
    }
}

#[test]
fn a_file_says_that_a_write_is_complete_if_asked_for() {
    let place = Place::new();
    two_inputs(&place);
    let args = ["write", "one.csv", "--to", "lake", "--success-file"];
    place.run(args).exits(0);
    assert_eq!(fs::read(place.path("lake/_SUCCESS")).unwrap(), b"");
    place.run(["verify", "lake"]).exits(0);
    place.run(["inspect", "lake"]).exits(0);
    let args = ["write", "one.csv", "--to", "lake", "--mode", "overwrite"];
    place.run(args).exits(0);
    assert!(!place.path("lake/_SUCCESS").exists());
    let args = ["write", "one.csv", "--to", "one.parquet", "--success-file"];
    place
        .run(args)
        .exits(2)
        .says("--success-file: is for data sets");
}

#[test]
fn files_have_names_by_a_template() {
    let place = Place::new();
    two_inputs(&place);
    let write = |template: &str, more: &[&str]| {
        let args = [
            "write",
            "one.csv",
            "--to",
            "lake/weather",
            "--partition-by",
            "k",
        ];
        place.run(args.iter().chain(&["--file-name", template]).chain(more))
    };
    let mode = ["--mode", "error-if-any-exists"];
    write("daily-{number}", &mode).exits(0);
    let files = place.files("lake/weather");
    assert!(
        files
            .iter()
            .all(|file| file.ends_with("/daily-00000.parquet")),
        "{files:?}"
    );
    for (template, more, reason) in [
        (
            "daily-{number}",
            &[][..],
            "--file-name: {uuid} is needed in the mode append",
        ),
        (
            "{uuid}",
            &["--sort-by", "v"][..],
            "--file-name: {number} is needed",
        ),
        (
            "{uid}",
            &[][..],
            "--file-name: \"{uid}\" has {uid}, which is none of",
        ),
    ] {
        write(template, more).exits(2).says(reason);
        let more: Vec<&str> = more.iter().copied().chain(["--dry-run"]).collect();
        write(template, &more).exits(2).says(reason);
    }
    let args = [
        "write",
        "one.csv",
        "--to",
        "one.parquet",
        "--file-name",
        "x",
    ];
    place
        .run(args)
        .exits(2)
        .says("--file-name: is for data sets");
    assert_eq!(place.files("lake/weather"), files);
}

#[test]
fn rows_are_divided_into_buckets() {
    let place = Place::new();
    place.file("ids.csv", "id,name\n34,iceberg\n-1,a\n0,ab\n");
    let directories = |root: &str, keys: &str| {
        let args = ["write", "ids.csv", "--to", root, "--partition-by", keys];
        place.run(args).exits(0);
        let files = place.files(root);
        let directories = files
            .iter()
            .map(|file| file.split_once('/').unwrap().0.to_owned());
        directories.collect::<Vec<_>>()
    };
    // The hashes that the specification of Iceberg has, or is the reference of, and those of Spark's `hash`.
    assert_eq!(
        directories("iceberg", "bucket(16, id)"),
        ["id_bucket=12", "id_bucket=3", "id_bucket=8"]
    );
    assert_eq!(
        directories("spark", "b=spark_bucket(16, id)"),
        ["b=12", "b=13", "b=9"]
    );
    assert_eq!(
        directories("text", "spark_bucket(16, name)"),
        ["name_bucket=11", "name_bucket=13", "name_bucket=2"]
    );
    for (keys, reason) in [
        ("bucket(id)", "expected a number of buckets, found \"id\""),
        ("bucket(0, id)", "expected a number of buckets, found \"0\""),
        (
            "buckets(2, id)",
            "is none of year, month, day, hour, date, bucket, spark_bucket",
        ),
    ] {
        let args = ["write", "ids.csv", "--to", "none", "--partition-by", keys];
        place.run(args).exits(2).says(reason);
    }
}

#[test]
fn a_dry_run_reports_and_writes_nothing_at_all() {
    let place = Place::new();
    place
        .write_weather(&["--dry-run"])
        .exits(0)
        .prints("lake/weather/station_id=EWR/year=2013/month=1: 742 rows\n")
        .prints("lake/weather: 26,115 rows for 36 partitions; dry run, nothing was written\n");
    let report = place
        .write_weather(&["--dry-run", "--json"])
        .exits(0)
        .json();
    assert_eq!(report["totals"]["rows"], 26_115);
    assert_eq!(report["partitions"].as_array().unwrap().len(), 36);
    assert_eq!(
        report["partitions"][0]["path"],
        "station_id=EWR/year=2013/month=1"
    );
    assert!(!place.path("lake").exists());
    place.write_weather(&["-q"]).exits(0);
    place
        .write_weather(&["--dry-run", "--mode", "error-if-exists"])
        .exits(5);
}

#[test]
fn overwriting_partitions_leaves_those_without_rows() {
    let place = Place::new();
    two_inputs(&place);
    place.file("b.csv", "k,v\nb,9\n");
    let write = |input: &str, mode: &str| {
        let args = [
            "write",
            input,
            "--to",
            "lake/weather",
            "--partition-by",
            "k",
        ];
        place
            .run(args.iter().chain(&["-v", "--mode", mode]))
            .exits(0)
    };
    write("one.csv", "append");
    let before = place.files("lake/weather");
    write("b.csv", "overwrite-partitions")
        .prints("1 row in 1 file of 1 partition")
        .prints("verified, synced, 1 file removed\n")
        .prints(&format!("lake/weather/{}: removed\n", before[1]));
    let after = place.files("lake/weather");
    assert_eq!((after.len(), &after[0]), (2, &before[0]));
    assert_ne!(after[1], before[1]);
    assert_eq!(footer(&place, &after[1]).file_metadata().num_rows(), 1);
}

#[test]
fn overwriting_leaves_only_what_was_written() {
    let place = Place::new();
    two_inputs(&place);
    place.write_weather(&[]).exits(0);
    let args = "write one.csv --to lake/weather --partition-by k --mode overwrite";
    place
        .run(args.split_whitespace())
        .exits(0)
        .prints("verified, synced, 36 files removed\n");
    assert_eq!(place.files("lake/weather").len(), 2);
    assert!(!place.path("lake/weather/station_id=EWR").exists());
}

#[test]
fn a_write_of_a_name_is_committed_once() {
    let place = Place::new();
    let first = place
        .write_weather(&["--write-id", "monday", "--json"])
        .exits(0);
    assert_eq!(first.stderr, "");
    place
        .write_weather(&["--write-id", "monday"])
        .exits(0)
        .prints("lake/weather: 26,115 rows in 36 files of 36 partitions, ")
        .prints(" KiB, already committed\n");
    let again = place
        .write_weather(&["--write-id", "monday", "--json"])
        .exits(0)
        .says("already committed: this is the receipt of the earlier write of this name");
    let mut committed = first.json();
    let metrics = committed.as_object_mut().unwrap().remove("metrics");
    assert!(metrics.is_some());
    assert_eq!(again.json(), committed);
    assert_eq!(first.json()["write_id"], "monday");
    assert_eq!(place.files("lake/weather").len(), 36);
    // Its input is gone by now, and not asked for.
    place
        .run("write gone.csv --to lake/weather --write-id monday".split_whitespace())
        .exits(0)
        .prints("already committed\n");
    place.write_weather(&["--write-id", "tuesday"]).exits(0);
    assert_eq!(place.files("lake/weather").len(), 72);
}

#[test]
fn a_write_of_a_stream_is_known_by_its_number() {
    let place = Place::new();
    let write = |number: &str| {
        place.write_weather(&["--write-id", "months", "--sequence", number, "--json"])
    };
    let second = write("2").exits(0).json();
    assert_eq!(
        (&second["write_id"], &second["sequence"]),
        (&serde_json::json!("months"), &serde_json::json!(2))
    );
    assert!(second["schema"].is_string());
    let again = write("2").exits(0).json();
    assert_eq!(again["transaction"], second["transaction"]);
    let first = write("1")
        .exits(0)
        .says("number 2 of its stream is committed")
        .json();
    assert_eq!(first["totals"]["rows"], 0);
    assert_eq!(place.files("lake/weather").len(), 36);
    write("3").exits(0);
    assert_eq!(place.files("lake/weather").len(), 72);
    place
        .write_weather(&["--sequence", "4"])
        .exits(2)
        .says("--sequence: is the number in a stream, which write_id or job names");
}

/// All rows of a file of one column of integers.
fn integers(place: &Place, file: &str) -> Vec<Option<i64>> {
    let file = File::open(place.path("lake/weather").join(file)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let batches = reader.build().unwrap().map(|batch| batch.unwrap());
    batches
        .flat_map(|batch| {
            batch
                .column(0)
                .as_primitive::<Int64Type>()
                .iter()
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn files_are_sorted_as_asked_for_and_say_so() {
    let place = Place::new();
    place.file("in.csv", "k,v\na,2\na,\na,3\na,1\n");
    for (sort, expected) in [
        ("v", [Some(1), Some(2), Some(3), None]),
        ("v desc", [Some(3), Some(2), Some(1), None]),
        ("v nulls first", [None, Some(1), Some(2), Some(3)]),
        ("v desc nulls first", [None, Some(3), Some(2), Some(1)]),
    ] {
        let args = [
            "write",
            "in.csv",
            "--to",
            "lake/weather",
            "--partition-by",
            "k",
        ];
        let more = ["--mode", "overwrite", "--sort-by", sort];
        place.run(args.iter().chain(&more)).exits(0);
        let file = &place.files("lake/weather")[0];
        assert_eq!(integers(&place, file), expected, "{sort}");
        let footer = footer(&place, file);
        let said = footer.row_group(0).sorting_columns().unwrap();
        assert_eq!(said[0].descending, sort.contains("desc"));
        assert_eq!(said[0].nulls_first, sort.contains("nulls first"));
    }
}

#[test]
fn files_end_at_the_rows_or_the_size_asked_for() {
    let place = Place::new();
    let write = |option: &str, value: &str| {
        let args = ["write", &testdata("weather.csv"), "--to", "lake/weather"];
        place
            .run(args.iter().chain(&["--mode", "overwrite", option, value]))
            .exits(0)
    };
    write("--target-file-rows", "10000").prints("26,115 rows in 3 files of 1 partition");
    for (file, rows) in place
        .files("lake/weather")
        .iter()
        .zip([10_000, 10_000, 6_115])
    {
        assert_eq!(footer(&place, file).file_metadata().num_rows(), rows);
    }
    write("--target-file-size", "100KB");
    let files = place.files("lake/weather");
    assert!(files.len() > 1, "{files:?}");
}

#[test]
fn little_memory_and_one_thread_write_the_same_as_much_and_several() {
    let contents = |more: &[&str]| {
        let place = Place::new();
        let ran = place.write_weather(more).exits(0);
        assert_eq!(ran.stdout.contains(" rows spilled"), more[1] == "1MiB");
        let files = place.files("lake/weather");
        let content = |file: &String| {
            let bytes = std::fs::read(place.path("lake/weather").join(file)).unwrap();
            (file.split_once("/part-").unwrap().0.to_owned(), bytes)
        };
        files.iter().map(content).collect::<Vec<_>>()
    };
    let little = contents(&["--memory-limit", "1MiB", "--threads", "1"]);
    assert!(little == contents(&["--memory-limit", "1GB", "--threads", "4"]));
}

#[test]
fn every_format_is_written_verified_and_read_again() {
    for (format, suffix) in [
        ("parquet", "parquet"),
        ("ipc", "arrow"),
        ("ndjson", "ndjson"),
        ("csv", "csv"),
    ] {
        let place = Place::new();
        place
            .write_weather(&["--format", format, "--verify", "decode"])
            .exits(0)
            .prints("26,115 rows in 36 files of 36 partitions");
        let files = place.files("lake/weather");
        let suffix = format!("-00000.{suffix}");
        assert!(
            files.iter().all(|file| file.ends_with(&suffix)),
            "{files:?}"
        );
        place
            .run(["verify", "lake/weather", "--level", "decode"])
            .exits(0)
            .prints("36 sound, 0 damaged; 26,115 rows");
        let input = format!("lake/weather/station_id=EWR/*/*/*{suffix}");
        place
            .run(["write", &input, "--to", "again"])
            .exits(0)
            .prints("again: 8,703 rows in 1 file");
    }
}

#[test]
fn every_codec_is_written_as_named() {
    for (codec, name) in [
        ("zstd", "ZSTD(ZstdLevel(1))"),
        ("zstd(3)", "ZSTD"),
        ("gzip(9)", "GZIP"),
        ("brotli", "BROTLI"),
        ("snappy", "SNAPPY"),
        ("lz4", "LZ4_RAW"),
        ("none", "UNCOMPRESSED"),
    ] {
        let place = Place::new();
        two_inputs(&place);
        place
            .run([
                "write",
                "one.csv",
                "--to",
                "lake/weather",
                "--compression",
                codec,
            ])
            .exits(0);
        let footer = footer(&place, &place.files("lake/weather")[0]);
        let compression = format!("{:?}", footer.row_group(0).column(0).compression());
        let family = name.split('(').next().unwrap();
        assert!(compression.starts_with(family), "{codec}: {compression}");
    }
}

#[test]
fn row_groups_have_the_rows_asked_for() {
    let place = Place::new();
    place.write_weather(&["--row-group-size", "100"]).exits(0);
    for file in place.files("lake/weather") {
        let footer = footer(&place, &file);
        let last = footer.num_row_groups() - 1;
        assert!(
            footer.row_groups()[..last]
                .iter()
                .all(|group| group.num_rows() == 100)
        );
        assert!(footer.row_group(last).num_rows() <= 100);
    }
}

#[test]
fn every_level_of_verification_and_durability_writes_the_same() {
    for verify in ["footer", "checksum", "decode", "skip"] {
        for (durability, sync) in [
            ("synced", "auto"),
            ("synced", "each-file"),
            ("synced", "file-system"),
            ("unsynced", "auto"),
        ] {
            let place = Place::new();
            let options = [
                "--verify",
                verify,
                "--durability",
                durability,
                "--sync",
                sync,
            ];
            let ran = place
                .write_weather(&options)
                .exits(0)
                .prints("26,115 rows in 36 files");
            assert_eq!(ran.stdout.contains("not verified"), verify == "skip");
            assert_eq!(ran.stdout.contains("not synced"), durability == "unsynced");
        }
    }
}

#[test]
fn a_partition_gets_one_file_of_all_inputs() {
    let place = Place::new();
    two_inputs(&place);
    let args = "write one.csv two.csv --to lake/weather --partition-by k --memory-limit 1";
    place
        .run(args.split_whitespace())
        .exits(0)
        .prints("4 rows in 2 files of 2 partitions")
        .prints("verified, synced, 4 rows spilled\n");
}

#[test]
fn values_are_escaped_and_null_has_its_own_directory() {
    let place = Place::new();
    place.file("in.csv", "city,v\nNew York,1\n\u{e9}/\u{e8},2\n,3\n");
    place
        .run([
            "write",
            "in.csv",
            "--to",
            "lake/weather",
            "--partition-by",
            "city",
        ])
        .exits(0);
    let files = place.files("lake/weather");
    let directories: Vec<_> = files.iter().map(|f| f.split_once('/').unwrap().0).collect();
    let expected = [
        "city=New%20York",
        "city=__HIVE_DEFAULT_PARTITION__",
        "city=\u{e9}%2F\u{e8}",
    ];
    assert_eq!(directories, expected);
}

#[test]
fn a_value_that_no_path_can_hold_publishes_nothing_and_its_row_is_named() {
    let place = Place::new();
    let rows = "a,1\n".repeat(20_000);
    place.file("good.csv", "k,v\na,1\n");
    place.file("bad.csv", format!("k,v\n{rows}{},2\n", "x".repeat(300)));
    for memory in ["1GiB", "64KiB"] {
        let args = "write good.csv bad.csv --to lake/weather --partition-by k --memory-limit";
        place
            .run(args.split_whitespace().chain([memory]))
            .exits(1)
            .says("error: bad.csv: ")
            .says("takes 302 bytes (row 20000)");
        assert!(place.files("lake").is_empty());
    }
}

#[test]
fn a_root_that_is_a_file_is_an_error_and_stays_as_it_is() {
    let place = Place::new();
    place.file("lake/weather", "mine");
    place
        .write_weather(&[])
        .exits(1)
        .says("lake/weather: is not a directory");
    place.write_weather(&["--dry-run"]).exits(1);
    assert_eq!(std::fs::read(place.path("lake/weather")).unwrap(), b"mine");
    assert_eq!(place.files("lake"), ["weather"]);
    let below = [
        "write",
        &testdata("weather.csv"),
        "--to",
        "lake/weather/below",
    ];
    place
        .run(below.iter().chain(&["--partition-by", KEYS]))
        .exits(1)
        .says("lies below a file");
}

#[test]
fn an_overwrite_by_input_without_rows_empties_the_data_set_and_counts_what_it_removed() {
    let place = Place::new();
    place.file("in.csv", "k,v\na,1\nb,2\n");
    place.file("header.csv", "k,v\n");
    let write = |input: &str, mode: &str| {
        let args = format!("write {input} --to lake/weather --partition-by k --mode {mode}");
        place.run(args.split_whitespace())
    };
    write("in.csv", "append").exits(0);
    let partitions = write("header.csv", "overwrite-partitions").exits(0);
    assert_eq!(partitions.stdout, "");
    assert_eq!(place.files("lake/weather").len(), 2);
    write("header.csv", "overwrite")
        .exits(0)
        .says("there were no rows: ")
        .prints("lake/weather: 0 rows in 0 files of 0 partitions, ")
        .prints(", 2 files removed\n");
    assert!(place.files("lake/weather").is_empty());
}

#[test]
fn a_write_of_a_name_whose_files_are_gone_says_so_and_is_written_again_if_asked_to() {
    let place = Place::new();
    let named = ["--write-id", "monday"];
    place.write_weather(&named).exits(0);
    fs::remove_dir_all(place.path("lake/weather/station_id=EWR")).unwrap();
    place
        .write_weather(&named)
        .exits(0)
        .says("warning: 12 of the 36 files that the write of this name published are not there any more")
        .prints("already committed");
    // Some of its rows are there, and would be there twice.
    let again = ["--write-id", "monday", "--rewrite-missing"];
    place
        .write_weather(&again)
        .exits(0)
        .prints("already committed");
    fs::remove_dir_all(place.path("lake/weather")).unwrap();
    place
        .write_weather(&named)
        .exits(0)
        .says("warning: none of the files that the write of this name published is there any more")
        .prints("already committed");
    assert!(place.files("lake/weather").is_empty());
    place
        .write_weather(&again)
        .exits(0)
        .prints("verified, synced");
    assert_eq!(place.files("lake/weather").len(), 36);
    let ran = place
        .write_weather(&again)
        .exits(0)
        .prints("already committed");
    assert_eq!(ran.stderr, "");
}

#[test]
fn an_overwrite_of_the_working_directory_leaves_it_where_it_is() {
    let place = Place::new();
    place.write_weather(&[]).exits(0);
    let root = place.path("lake/weather");
    let before = fs::metadata(&root).unwrap();
    let weather = testdata("weather.csv");
    let mut command = crate::run::binary();
    command.args(["write", &weather, "--to", ".", "--partition-by", KEYS]);
    command.args(["--mode", "overwrite"]).current_dir(&root);
    let ran: crate::run::Ran = command.output().unwrap().into();
    ran.exits(0);
    let after = fs::metadata(&root).unwrap();
    assert_eq!(before.ino(), after.ino());
    assert_eq!(place.files("lake/weather").len(), 36);
    // From elsewhere it is one step.
    place.write_weather(&["--mode", "overwrite"]).exits(0);
    assert_ne!(fs::metadata(&root).unwrap().ino(), before.ino());
    assert_eq!(place.files("lake/weather").len(), 36);
}

#[test]
fn a_root_in_a_staging_area_is_refused() {
    let place = Place::new();
    for root in [
        "lake/.weather.atomic",
        "lake/.atomic/below",
        "lake/.x.atomic-1000/k=1",
    ] {
        let args = ["write", &testdata("weather.csv"), "--to", root];
        let ran = place
            .run(args)
            .says("is, or lies in, the staging area of a data set");
        assert_ne!(ran.code, Some(0));
        assert!(!place.path("lake").exists());
    }
}

#[test]
fn an_append_with_another_header_is_refused_unless_the_check_is_off() {
    let place = Place::new();
    place.file("one.csv", "id,v\n1,2\n");
    place.file("other.csv", "v,id\n2,1\n");
    let append = |input| ["write", input, "--to", "lake", "--format", "csv"];
    place.run(append("one.csv")).exits(0);
    let before = place.files("lake");
    let ran = place.run(append("other.csv"));
    assert!(
        ran.stderr.contains("column 1 of the header is \"v\""),
        "{}",
        ran.stderr
    );
    assert_ne!(ran.code, Some(0));
    assert_eq!(place.files("lake"), before);
    let unchecked = [&append("other.csv")[..], &["--schema-check", "off"]].concat();
    place.run(&unchecked).exits(0);
}

#[test]
fn a_table_of_another_format_is_overwritten_only_if_allowed() {
    let place = Place::new();
    place.file("in.csv", "k,v\na,1\n");
    place.file("lake/table/_delta_log/0.json", "{}");
    let write = ["write", "in.csv", "--to", "lake/table"];
    let ran = place.run(write).exits(0);
    assert!(ran.stderr.contains("table of Delta Lake"), "{}", ran.stderr);
    let overwrite = [&write[..], &["--mode", "overwrite"]].concat();
    let ran = place.run(&overwrite).exits(5);
    assert!(ran.stderr.contains("Delta Lake table"), "{}", ran.stderr);
    assert!(place.path("lake/table/_delta_log/0.json").exists());
    let allowed = [&overwrite[..], &["--overwrite-table"]].concat();
    place.run(&allowed).exits(0);
    assert!(!place.path("lake/table/_delta_log").exists());
    // One that is below what is overwritten, too.
    place.file("lake/table/below/_delta_log/0.json", "{}");
    for dry in [&[][..], &["--dry-run"]] {
        let ran = place.run([&overwrite[..], dry].concat()).exits(5);
        assert!(ran.stderr.contains("lake/table/below: "), "{}", ran.stderr);
    }
    place.run(&allowed).exits(0);
    assert!(!place.path("lake/table/below").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn files_whose_names_are_no_text_are_overwritten_like_others() {
    use std::os::unix::ffi::OsStrExt as _;
    for (mode, more) in [
        ("overwrite-partitions", &[][..]),
        ("overwrite", &[]),
        ("overwrite-partitions", &["--staging", "inside"]),
        ("overwrite", &["--staging", "inside"]),
    ] {
        let place = Place::new();
        let csv = place.file("in.csv", "k,v\nA,1\n");
        let csv = csv.to_str().unwrap();
        let write = |more: &[&str]| {
            let args = ["write", csv, "--to", "lake", "--partition-by", "k"];
            place.run(args.iter().chain(more))
        };
        write(&[]).exits(0);
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9.bin");
        let strange = place.path("lake/k=A").join(name);
        std::fs::write(&strange, "x").unwrap();
        let all: Vec<&str> = ["--mode", mode, "--json"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let receipt = write(&all).exits(0).json();
        assert!(!strange.exists(), "{mode} {more:?}");
        assert_eq!(receipt["totals"]["removed"], 2, "{mode} {more:?}");
        let removed = receipt["removed"].to_string();
        assert!(removed.contains("k=A/caf\u{fffd}.bin"), "{removed}");
        place.run(["verify", "lake"]).exits(0).prints("1 row");
    }
}

#[test]
fn what_pandas_notes_of_a_column_that_is_widened_is_left_out() {
    let place = Place::new();
    let noted = |name: &str, column: ArrayRef, kind: &str| {
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let notes = format!(
            r#"{{"index_columns":[],"columns":[{{"name":"x","field_name":"x","numpy_type":"{kind}"}}]}}"#
        );
        let schema = batch.schema().as_ref().clone();
        let schema = schema.with_metadata([("pandas".to_owned(), notes)].into());
        let batch = batch.with_schema(Arc::new(schema)).unwrap();
        let file = File::create(place.path(name)).unwrap();
        let pairs = batch.schema().metadata().clone().into_iter();
        let pairs = pairs
            .map(|(key, value)| KeyValue::new(key, value))
            .collect();
        let properties = WriterProperties::builder().set_key_value_metadata(Some(pairs));
        let properties = Some(properties.build());
        let mut writer = ArrowWriter::try_new(file, batch.schema(), properties).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    };
    noted("narrow.parquet", Arc::new(Int8Array::from(vec![1])), "Int8");
    noted(
        "wide.parquet",
        Arc::new(Int64Array::from(vec![1 << 40])),
        "Int64",
    );
    for inputs in [
        ["narrow.parquet", "wide.parquet"],
        ["wide.parquet", "narrow.parquet"],
    ] {
        let [first, second] = inputs;
        // Not by its whole name, which would be that of a file.
        let lake = format!("lake-{}", first.trim_end_matches(".parquet"));
        place.run(["write", first, second, "--to", &lake]).exits(0);
        let files = fs::read_dir(place.path(&lake)).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        let file = files.find(|file| file.extension().is_some_and(|end| end == "parquet"));
        let read = footer(&place, file.unwrap().to_str().unwrap());
        let pairs = read.file_metadata().key_value_metadata().unwrap().iter();
        let told: String = pairs.filter_map(|pair| pair.value.clone()).collect();
        assert!(!told.contains(r#""Int8""#), "{told}");
    }
}

#[test]
fn files_go_without_the_schema_of_arrow_where_that_is_asked_for() {
    let place = Place::new();
    place.file("in.csv", "at,n\n2026-01-01T00:00:00Z,1\n");
    for (switch, has) in [("on", true), ("off", false)] {
        let out = format!("{switch}.parquet");
        place
            .run(["write", "in.csv", "--to", &out, "--arrow-schema", switch])
            .exits(0);
        let bytes = fs::read(place.path(&out)).unwrap();
        let found = bytes.windows(12).any(|text| text == b"ARROW:schema");
        assert_eq!(found, has, "{switch}");
        place.run(["verify", &out, "--level", "decode"]).exits(0);
    }
    place.file(
        "odd.ndjson",
        "{\"at\": \"2026-01-01T00:00:00\", \"n\": 1}\n",
    );
    let zoned = ["--schema", "at=Timestamp(µs, \"Asia/Tokyo\")"];
    let args = [
        "write",
        "odd.ndjson",
        "--to",
        "odd.parquet",
        "--arrow-schema",
        "off",
    ];
    let refused = place.run(args.iter().chain(&zoned)).exits(2);
    assert!(
        refused.stderr.contains("--arrow-schema: column \"at\""),
        "{}",
        refused.stderr
    );
    assert!(!place.path("odd.parquet").exists());
}

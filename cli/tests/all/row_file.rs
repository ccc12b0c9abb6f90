//! `write` to one file.

use atomic_arrow::parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::run::{Place, testdata};

/// The rows of a Parquet file.
fn rows(path: &std::path::Path) -> i64 {
    let file = std::fs::File::open(path).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    reader.metadata().file_metadata().num_rows()
}

#[test]
fn a_path_with_the_suffix_of_a_format_is_one_file() {
    let place = Place::new();
    let weather = testdata("weather.csv");
    place
        .run(["write", &weather, "--to", "cache/weather.parquet"])
        .exits(0)
        .prints("cache/weather.parquet: one file of 26,115 rows, ");
    assert_eq!(place.files("cache"), ["weather.parquet"]);
    assert_eq!(rows(&place.path("cache/weather.parquet")), 26_115);
    place.file("two.csv", "a,b\n1,x\n2,y\n");
    place
        .run(["write", "two.csv", "--to", "two.ndjson", "-q"])
        .exits(0);
    let text = std::fs::read_to_string(place.path("two.ndjson")).unwrap();
    assert_eq!(text, "{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":\"y\"}\n");
    let json = place
        .run(["write", "two.csv", "--to", "two.arrow", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["rows"], 2);
    assert!(json["bytes"].as_u64() > Some(0));
}

#[test]
fn with_keys_a_slash_or_a_directory_there_it_is_a_data_set() {
    let place = Place::new();
    place.file("two.csv", "a,b\n1,x\n2,y\n");
    for (to, keys) in [("one.parquet", true), ("two.parquet/", false)] {
        let mut args = vec!["write", "two.csv", "--to", to];
        if keys {
            args.extend(["--partition-by", "a"]);
        }
        place.run(&args).exits(0).prints("2 rows in ");
        assert!(place.path(to).is_dir(), "{to}");
    }
    place
        .run(["write", "two.csv", "--to", "two.parquet"])
        .exits(0)
        .prints("2 rows in 1 file of");
    assert_eq!(place.files("two.parquet").len(), 2);
}

#[test]
fn a_file_that_is_there_is_replaced_unless_the_mode_refuses() {
    let place = Place::new();
    place.file("two.csv", "a,b\n1,x\n2,y\n");
    place.file("one.csv", "a,b\n1,x\n");
    place
        .run(["write", "two.csv", "--to", "rows.parquet"])
        .exits(0);
    place
        .run([
            "write",
            "one.csv",
            "--to",
            "rows.parquet",
            "--mode",
            "error-if-exists",
        ])
        .exits(5)
        .says("rows.parquet");
    assert_eq!(rows(&place.path("rows.parquet")), 2);
    place.file("torn.ndjson", "{\"a\": 1}\n{\"a\":");
    place
        .run(["write", "torn.ndjson", "--to", "rows.parquet"])
        .exits(1);
    assert_eq!(rows(&place.path("rows.parquet")), 2);
    place
        .run(["write", "one.csv", "--to", "rows.parquet"])
        .exits(0);
    assert_eq!(rows(&place.path("rows.parquet")), 1);
}

#[test]
fn what_is_for_data_sets_is_refused() {
    let place = Place::new();
    place.file("two.csv", "a,b\n1,x\n2,y\n");
    for more in [
        "--mode append",
        "--mode overwrite-partitions",
        "--write-id x",
        "--overwrite-table",
        "--schema-check off",
        "--sync each-file",
        "--dry-run",
        "--target-file-size 1M",
        "--target-file-rows 10",
        "--sort-by a",
        "--keep-partition-columns",
        "--memory-limit 1GB",
        "--threads 2",
        "--max-open-files 9",
    ] {
        let option = more.split(' ').next().unwrap();
        let args = ["write", "two.csv", "--to", "rows.parquet"];
        place
            .run(args.into_iter().chain(more.split(' ')))
            .exits(2)
            .says(option);
    }
    place
        .run([
            "write", "two.csv", "--to", "rows.csv", "--format", "parquet",
        ])
        .exits(1)
        .says("rows.csv");
    assert_eq!(place.files(""), ["two.csv"]);
}

#[test]
fn types_that_turn_out_wrong_are_taken_back() {
    let place = Place::new();
    place.file("rows.csv", "a\n1\n2\nx\n");
    place
        .run([
            "write",
            "rows.csv",
            "--to",
            "rows.csv.gz",
            "--infer-rows",
            "2",
        ])
        .exits(0)
        .prints("3 rows");
}

/// The ids of the columns of a file.
fn field_ids(path: &std::path::Path) -> Vec<Option<i32>> {
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema();
    let fields = schema
        .get_fields()
        .iter()
        .map(|field| field.get_basic_info());
    fields
        .map(|info| info.has_id().then(|| info.id()))
        .collect()
}

#[test]
fn field_ids_are_given_or_kept_from_parquet_input() {
    let place = Place::new();
    place.file("two.csv", "a,b\n1,x\n2,y\n");
    let write = [
        "write",
        "two.csv",
        "--to",
        "two.parquet",
        "--field-ids",
        "a=7,b=8",
    ];
    place.run(write).exits(0);
    assert_eq!(field_ids(&place.path("two.parquet")), [Some(7), Some(8)]);
    place
        .run(["write", "two.parquet", "--to", "copy.parquet"])
        .exits(0);
    assert_eq!(field_ids(&place.path("copy.parquet")), [Some(7), Some(8)]);
    place
        .run([
            "write",
            "two.parquet",
            "--to",
            "other.parquet",
            "--field-ids",
            "a=8",
        ])
        .exits(2)
        .says("--field-ids: 8 is the id of the columns \"a\" and \"b\"");
    assert!(!place.path("other.parquet").exists());
}

//! Bad input publishes nothing, and the message says where it is bad.

use std::fs;
use std::io::Write as _;

use crate::run::{KEYS, Place, testdata};

/// Asserts that a failed write left nothing, staged or published.
#[track_caller]
fn nothing_left(place: &Place) {
    assert!(place.files("lake").is_empty(), "{:?}", place.files("lake"));
}

/// The first `lines` lines of the weather, and five fields of the next.
fn cut_weather(lines: usize) -> Vec<u8> {
    let weather = std::fs::read_to_string(testdata("weather.csv")).unwrap();
    let whole: String = weather.split_inclusive('\n').take(lines).collect();
    let next: Vec<_> = weather
        .lines()
        .nth(lines)
        .unwrap()
        .split(',')
        .take(5)
        .collect();
    (whole + &next.join(",")).into_bytes()
}

#[test]
fn a_missing_input_is_named() {
    let place = Place::new();
    place
        .run(["write", "no.csv", "--to", "lake/weather"])
        .exits(1)
        .says("no.csv: no such file");
    nothing_left(&place);
}

#[test]
fn a_missing_column_is_named_with_those_there_are() {
    let place = Place::new();
    let weather = testdata("weather.csv");
    place
        .run([
            "write",
            &weather,
            "--to",
            "lake/weather",
            "--partition-by",
            "station_id",
        ])
        .exits(1)
        .says("weather.csv")
        .says("station_id")
        .says("\"origin\"");
    nothing_left(&place);
}

#[test]
fn a_column_that_does_not_fit_its_transform_is_named() {
    let place = Place::new();
    let weather = testdata("weather.csv");
    place
        .run([
            "write",
            &weather,
            "--to",
            "lake/weather",
            "--partition-by",
            "year=year(origin)",
        ])
        .exits(1)
        .says("\"origin\"");
    nothing_left(&place);
}

#[test]
fn an_input_cut_in_the_middle_of_a_line_publishes_nothing() {
    let place = Place::new();
    place.file("cut.csv", cut_weather(20_000));
    place
        .run([
            "write",
            "cut.csv",
            "--to",
            "lake/weather",
            "--partition-by",
            KEYS,
        ])
        .exits(1)
        .says("cut.csv, line 20001: 5 fields, where the first row has 15");
    nothing_left(&place);
}

#[test]
fn every_damaged_text_of_the_test_data_publishes_nothing() {
    let index = std::fs::read_to_string(testdata("odd/index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let mut met = 0;
    for file in index.as_array().or(index["files"].as_array()).unwrap() {
        let name = file["file"].as_str().unwrap();
        let is_text = name.ends_with(".csv") || name.ends_with(".ndjson");
        if is_text && file["expect"]["parse"] == "damaged" {
            met += 1;
            let place = Place::new();
            let input = testdata(&format!("odd/{name}"));
            place
                .run(["write", &input, "--to", "lake/weather"])
                .exits(1)
                .says(name);
            nothing_left(&place);
        }
    }
    assert!(met > 3);
}

#[test]
fn a_standard_input_that_closes_early_publishes_nothing() {
    let weather = std::fs::read(testdata("weather.csv")).unwrap();
    let place = Place::new();
    let args = [
        "write",
        "-",
        "--input-format",
        "csv",
        "--to",
        "lake/weather",
        "--partition-by",
        KEYS,
    ];
    place
        .run_with(&cut_weather(20_000), args)
        .exits(1)
        .says("standard input, line 20001");
    place
        .run_with(b"", args)
        .exits(1)
        .says("standard input: is empty");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&weather).unwrap();
    let gzip = gzip.finish().unwrap();
    place
        .run_with(&gzip[..gzip.len() - 100], args)
        .exits(1)
        .says("cut short");
    nothing_left(&place);
    place.run_with(&gzip, args).exits(0).prints("26,115 rows");
}

#[test]
fn an_input_without_rows_gives_the_schema_to_a_data_set_without_partitions() {
    let place = Place::new();
    let input = testdata("odd/header-only.csv");
    let args = ["write", &input, "--to", "lake/weather"];
    place
        .run(args)
        .exits(0)
        .says("note: lake/weather: there were no rows: one file was written, which has the schema")
        .prints("lake/weather: 0 rows in 1 file of 1 partition");
    assert_eq!(place.files("lake/weather").len(), 1);

    let place = Place::new();
    let key = fs::read_to_string(&input).unwrap();
    let key = key.split(',').next().unwrap().to_owned();
    let args = [&args[..], &["--partition-by", &key]].concat();
    place
        .run(&args)
        .exits(0)
        .says("there were no rows: no file was written");
    let receipt = place.run(args.iter().chain(&["--json"])).exits(0).json();
    assert_eq!(receipt["files"].as_array().unwrap().len(), 0);
    assert_eq!(place.files("lake"), [""; 0]);
}

#[test]
fn inputs_of_several_formats_and_patterns_are_one_run_of_rows() {
    let place = Place::new();
    place.file("in/a.csv", "k,v\nx,1\n");
    place.file("in/b.csv", "k,v\nx,2\n");
    place.file("c.ndjson", "{\"k\":\"x\",\"v\":3}\n");
    place.run(["write", "in/a.csv", "--to", "d"]).exits(0);
    place
        .run([
            "write",
            "in/*.csv",
            "c.ndjson",
            "d/*.parquet",
            "--to",
            "lake/weather",
        ])
        .exits(0)
        .prints("4 rows in 1 file");
}

#[test]
fn csv_can_be_told_apart_by_every_option() {
    let place = Place::new();
    place.file("in.txt", "a;-;007\nb;2;008\n");
    let args = "write in.txt --to lake/weather --input-format csv --delimiter ; --no-header --null - \
                --infer-rows 1 --schema column_2=Int64;column_3=Utf8 --partition-by column_3 -v";
    place
        .run(args.split_whitespace())
        .exits(0)
        .says("columns: column_1 Utf8, column_2 Int64, column_3 Utf8");
    assert!(place.path("lake/weather/column_3=007").is_dir());
}

#[test]
fn a_later_input_of_other_columns_publishes_nothing() {
    let place = Place::new();
    place.file("a.csv", "k,v\nx,1\n");
    place.file("b.csv", "j,w\nx,1\n");
    place
        .run(["write", "a.csv", "b.csv", "--to", "lake/weather"])
        .exits(1)
        .says("b.csv: has none of the columns of the inputs before it");
    nothing_left(&place);
}

#[cfg(unix)]
#[test]
fn standard_input_is_read_also_where_the_directory_for_temporary_files_is_missing() {
    let place = Place::new();
    let run = |input: &[u8], format: &str, to: &str| {
        let mut command = place.command(["write", "-", "--input-format", format, "--to", to]);
        command.env("TMPDIR", place.path("missing"));
        command.stdin(std::fs::File::open(place.file("input", input)).unwrap());
        command.output().unwrap()
    };
    let csv = run(b"k,v\nA,1\n", "csv", "one");
    assert!(csv.status.success(), "{csv:?}");
    place.run(["verify", "one"]).exits(0).prints("1 row");
    // A format that has to be sought is copied.
    let files = place.files("one");
    let parquet = std::fs::read(place.path("one").join(&files[0])).unwrap();
    let copied = run(&parquet, "parquet", "two");
    assert!(copied.status.success(), "{copied:?}");
    place.run(["verify", "two"]).exits(0).prints("1 row");
}

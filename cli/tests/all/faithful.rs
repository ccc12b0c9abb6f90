//! What is read is what the input says, whatever was guessed of it at first.

use std::fs;

use crate::run::{Place, Ran};

/// Writes the inputs as NDJSON to `out`, and gives its lines.
#[track_caller]
fn rows(place: &Place, args: &str) -> Vec<String> {
    lines(place, place.run(arguments(args)))
}

/// The rows in whatever order they are read.
#[track_caller]
fn sorted_rows(place: &Place, args: &str) -> Vec<String> {
    let mut read = rows(place, args);
    read.sort();
    read
}

fn arguments(args: &str) -> Vec<String> {
    let all =
        format!("write {args} --to out --format ndjson --mode overwrite --durability unsynced");
    all.split_whitespace().map(str::to_owned).collect()
}

#[track_caller]
fn lines(place: &Place, ran: Ran) -> Vec<String> {
    ran.exits(0);
    let mut lines = Vec::new();
    for file in place.files("out") {
        let text = fs::read_to_string(place.path("out").join(file)).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

#[test]
fn a_later_value_widens_the_type_that_was_guessed() {
    let place = Place::new();
    let zips: String = (0..10_000)
        .map(|i| format!("{},{i}\n", 90_000 - i))
        .collect();
    place.file("zip.csv", format!("zip,n\n{zips}00501,1\n"));
    let read = rows(&place, "zip.csv");
    assert_eq!(read.len(), 10_001);
    assert_eq!(read[10_000], r#"{"zip":"00501","n":1}"#);

    place.file("ca.csv", "zip,n\n90210,1\n");
    place.file("nj.csv", "zip,n\n07001,2\n");
    let read = rows(&place, "ca.csv nj.csv");
    assert_eq!(
        read,
        [r#"{"zip":"90210","n":1}"#, r#"{"zip":"07001","n":2}"#]
    );
    let args = "write ca.csv nj.csv --to lake --partition-by zip --verify decode";
    place.run(args.split_whitespace()).exits(0);
    let files = place.files("lake");
    assert!(files[0].starts_with("zip=07001/"), "{files:?}");

    place.file("day.csv", "day\n2013-01-01\n");
    place.file("time.csv", "day\n2013-01-06T10:30:00\n");
    let read = rows(&place, "day.csv time.csv");
    assert_eq!(
        read,
        [
            r#"{"day":"2013-01-01T00:00:00"}"#,
            r#"{"day":"2013-01-06T10:30:00"}"#
        ]
    );
    place
        .run(arguments("day.csv time.csv --schema day=date"))
        .exits(1)
        .says("time.csv, line 2, column `day`: `2013-01-06T10:30:00` cannot be kept as Date32");

    place.file("sha.csv", "sha,n\n1234567,1\n12e4567,2\n7654321,3\n");
    assert_eq!(rows(&place, "sha.csv")[1], r#"{"sha":"12e4567","n":2}"#);
}

#[test]
fn standard_input_is_read_again_too() {
    let place = Place::new();
    let args = arguments("- --input-format csv --infer-rows 1 -v");
    let ran = place.run_with(b"a,b\n1,x\n2.5,y\n", args);
    assert!(
        ran.stderr.contains("columns: a Int64, b Utf8"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("columns: a Float64, b Utf8"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        lines(&place, ran),
        [r#"{"a":1.0,"b":"x"}"#, r#"{"a":2.5,"b":"y"}"#]
    );
}

#[test]
fn seconds_and_dates_that_are_asked_for_are_times_for_every_reader() {
    let place = Place::new();
    place.file("in.csv", "t,c,d\n2013-01-01T00:00:00,12:34:56,2013-01-01\n");
    let schema = "t=timestamp[s];c=Time32(Second);d=Date64";
    place
        .run(["write", "in.csv", "--to", "lake", "--schema", schema])
        .exits(0);
    let file = place.path("lake").join(&place.files("lake")[0]);
    let file = fs::File::open(file).unwrap();
    let reader = parquet::file::reader::SerializedFileReader::new(file).unwrap();
    let metadata = parquet::file::reader::FileReader::metadata(&reader);
    let columns = metadata.file_metadata().schema_descr().columns().iter();
    let types = columns.map(|column| format!("{:?}", column.logical_type_ref().unwrap()));
    let types: Vec<String> = types.collect();
    assert!(
        types[0].contains("Timestamp") && types[0].contains("MILLIS"),
        "{types:?}"
    );
    assert!(
        types[1].contains("Time") && types[1].contains("MILLIS"),
        "{types:?}"
    );
    assert_eq!(types[2], "Date");
}

#[test]
fn a_union_is_refused_with_its_column() {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, UnionArray};
    use arrow::datatypes::{DataType, Field, UnionFields};
    let place = Place::new();
    let numbers: ArrayRef = std::sync::Arc::new(Int64Array::from(vec![1]));
    let fields = UnionFields::from_fields(vec![Field::new("n", DataType::Int64, true)]);
    let union = UnionArray::try_new(fields, vec![0].into(), None, vec![numbers]).unwrap();
    let union: ArrayRef = std::sync::Arc::new(union);
    let batch = RecordBatch::try_from_iter([("x", union)]).unwrap();
    let file = fs::File::create(place.path("in.arrows")).unwrap();
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    place
        .run(["write", "in.arrows", "--to", "lake"])
        .exits(1)
        .says("column \"x\": it is a union");
    assert_eq!(place.files("lake"), [""; 0]);
}

#[test]
fn a_dry_run_sees_the_same_types() {
    let place = Place::new();
    place.file("in.csv", "zip,n\n90210,1\n07001,2\n");
    let args = "write in.csv --to lake --partition-by zip --infer-rows 1 --dry-run";
    place
        .run(args.split_whitespace())
        .exits(0)
        .prints("zip=07001: 1 row")
        .prints("zip=90210: 1 row");
}

#[test]
fn ndjson_keeps_integers_keys_and_objects() {
    let place = Place::new();
    place.file(
        "ids.ndjson",
        "{\"id\":9223372036854775808}\n{\"id\":18446744073709551615}\n",
    );
    let read = rows(&place, "ids.ndjson");
    assert_eq!(
        read,
        [
            "{\"id\":9223372036854775808}",
            "{\"id\":18446744073709551615}"
        ]
    );
    place.file("twice.ndjson", "{\"a\":1,\"a\":2}\n");
    place
        .run(arguments("twice.ndjson"))
        .exits(1)
        .says("twice.ndjson, line 1")
        .says("the key `a` twice");
    place.file("empty.ndjson", "{\"x\":1,\"meta\":{}}\n");
    for (more, is_said) in [("", true), (" --schema meta=string", false)] {
        let ran = place.run(arguments(&format!("empty.ndjson{more}")));
        let note = "column `meta` has only objects without keys";
        assert_eq!(ran.stderr.contains(note), is_said, "{}", ran.stderr);
        assert_eq!(lines(&place, ran), [r#"{"x":1,"meta":"{}"}"#]);
    }
    place.file("array.json", "[\n {\"x\": 1},\n {\"x\": 2}\n]\n");
    assert_eq!(rows(&place, "array.json"), ["{\"x\":1}", "{\"x\":2}"]);
    place.file("mixed.ndjson", "{\"a\":1}\n{\"a\":\"x\"}\n");
    place
        .run(arguments("mixed.ndjson"))
        .exits(0)
        .says("note: mixed.ndjson: column `a` has");
}

#[test]
fn json_that_lies_too_deep_in_itself_is_an_error_or_text() {
    let place = Place::new();
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!("{{\"a\":{open}1{close}}}\n")
    };
    place.file("deep.ndjson", nested(100));
    let ran = place.run(arguments("deep.ndjson"));
    ran.exits(2).says("32 deep");
    let read = rows(&place, "deep.ndjson --schema a=string");
    assert!(read[0].contains("[[[["), "{read:?}");
    for depth in [128, 100_000] {
        place.file("deeper.ndjson", nested(depth));
        let ran = place.run(arguments("deeper.ndjson"));
        ran.exits(1).says("128 deep");
    }
}

#[test]
fn csv_has_encodings_escapes_comments_and_date_formats() {
    let place = Place::new();
    let utf16: Vec<u8> = "\u{feff}a,b\né,1\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    place.file("utf16.csv", utf16);
    assert_eq!(rows(&place, "utf16.csv"), [r#"{"a":"é","b":1}"#]);
    place.file("latin1.csv", b"a,b\n\xe9,1\n");
    assert_eq!(
        rows(&place, "latin1.csv --encoding latin1"),
        [r#"{"a":"é","b":1}"#]
    );
    place.run(arguments("latin1.csv")).exits(1).says(
        "latin1.csv, line 2, column `a`: not valid UTF-8; name another encoding with --encoding",
    );
    place.file("latin1.ndjson", b"{\"a\":\"\xe9\"}\n");
    place
        .run(arguments("latin1.ndjson"))
        .exits(1)
        .says("--encoding, such as latin1");
    for (encoding, to_bytes) in [
        ("utf-16le", u16::to_le_bytes as fn(u16) -> [u8; 2]),
        ("utf-16be", u16::to_be_bytes),
    ] {
        let text: Vec<u8> = "a,b\né,1\n".encode_utf16().flat_map(to_bytes).collect();
        place.file("unmarked.csv", text);
        let ran = place.run(arguments("unmarked.csv"));
        ran.exits(1).says(&format!("--encoding {encoding}"));
        let read = rows(&place, &format!("unmarked.csv --encoding {encoding}"));
        assert_eq!(read, [r#"{"a":"é","b":1}"#]);
    }
    place.file("nul.csv", b"a\0b\0\n1\n");
    place.run(arguments("nul.csv --encoding utf-8")).exits(0);
    place.file(
        "odd.csv",
        "# made by hand\na,b\n\"x \\\"y\\\"\",31/12/2013\n# more\nz,1/2/2014\n",
    );
    let read = rows(
        &place,
        "odd.csv --comment # --escape \\ --date-format %d/%m/%Y",
    );
    assert_eq!(
        read,
        [
            r#"{"a":"x \"y\"","b":"2013-12-31"}"#,
            r#"{"a":"z","b":"2014-02-01"}"#
        ]
    );
    for wrong in ["--encoding klingon", "--date-format %H", "--comment ab"] {
        place.run(arguments(&format!("odd.csv {wrong}"))).exits(2);
    }
}

#[test]
fn every_column_of_a_date_format_has_dates() {
    let place = Place::new();
    place.file("digits.csv", "d,n\n20240101,5\n20240229,6\n");
    let read = rows(&place, "digits.csv --date-format %Y%m%d");
    assert_eq!(
        read,
        [r#"{"d":"2024-01-01","n":5}"#, r#"{"d":"2024-02-29","n":6}"#]
    );
    place.file("times.csv", "t\n202401011230\n");
    let read = rows(&place, "times.csv --date-format %Y%m%d%H%M");
    assert_eq!(read, [r#"{"t":"2024-01-01T12:30:00"}"#]);
}

#[test]
fn what_is_not_of_a_date_format_is_said() {
    let place = Place::new();
    for (file, text, format, note) in [
        (
            "other.csv",
            "n,d\n1,13/02/2024\n",
            "%m/%d/%Y",
            "other.csv, line 2: column `d` has no dates: `13/02/2024`",
        ),
        (
            "late.csv",
            "d\n20240101\n20240231\n",
            "%Y%m%d",
            "late.csv, line 3: column `d` has no dates: `20240231`",
        ),
        (
            "none.csv",
            "d\n5\n",
            "%Y%m%d",
            "none.csv: no column is of --date-format %Y%m%d",
        ),
    ] {
        place.file(file, text);
        for sampled in [1, 100] {
            let ran = place.run(arguments(&format!(
                "{file} --date-format {format} --infer-rows {sampled}"
            )));
            ran.exits(0).says(note);
        }
    }
    place.file("told.csv", "d\n20240101\n");
    let ran = place.run(arguments("told.csv --date-format %Y%m%d --schema d=date"));
    assert!(!ran.exits(0).stderr.contains("--date-format"));
}

#[test]
fn csv_and_json_become_the_same_in_either_order() {
    let place = Place::new();
    for (text, value, read, is_noted) in [
        ("1", "4.5", ["1.0", "4.5"], false),
        ("1", "4", ["1", "4"], false),
        ("1", "null", ["1", "null"], false),
        ("x", "4.5", ["\"x\"", "\"4.5\""], true),
        ("1", "\"x\"", ["\"1\"", "\"x\""], true),
        ("x", "\"y\"", ["\"x\"", "\"y\""], false),
    ] {
        place.file("a.csv", format!("id\n{text}\n"));
        place.file("b.ndjson", format!("{{\"id\":{value}}}\n"));
        for inputs in ["a.csv b.ndjson", "b.ndjson a.csv"] {
            let ran = place.run(arguments(inputs));
            let said = ran.stderr.clone();
            let mut expected = read.map(|value| format!(r#"{{"id":{value}}}"#));
            let mut found = lines(&place, ran);
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{inputs}");
            assert_eq!(said.contains("kept as text"), is_noted, "{inputs}: {said}");
        }
    }
}

#[test]
fn rows_without_keys_and_the_first_feather_are_told_from_damage() {
    let place = Place::new();
    place.file("keyless.ndjson", "{}\n{}\n");
    let ran = place.run(arguments("keyless.ndjson"));
    ran.exits(1).says("none of its first 2 rows has a key");
    place.file("old.feather", b"FEA1 and what follows FEA1");
    let ran = place.run(arguments("old.feather"));
    ran.exits(1).says("version 1 of Feather");
    let ran = place.run(["verify", "old.feather"]);
    let said = "cannot be checked: it is of version 1 of Feather";
    assert!(ran.stdout.contains(said), "{}", ran.stdout);
}

#[test]
fn one_column_full_of_semicolons_is_said() {
    let place = Place::new();
    place.file("in.csv", "a;b;c\n1;2;3\n");
    place
        .run(arguments("in.csv"))
        .exits(0)
        .says("if ';' divides its fields, say so with --delimiter");
    let ran = place.run(arguments("in.csv --delimiter ;"));
    assert!(!ran.stderr.contains("note"), "{}", ran.stderr);
}

#[test]
fn a_data_set_gives_its_keys_back_and_can_be_rewritten_onto_itself() {
    let place = Place::new();
    place.file(
        "in.csv",
        "station,day,v\nNew York,2013-01-01,1\n,2013-01-02,2\n",
    );
    for _ in 0..2 {
        place
            .run([
                "write",
                "in.csv",
                "--to",
                "lake",
                "--partition-by",
                "station,day",
            ])
            .exits(0);
    }
    let expected = [
        r#"{"v":1,"station":"New York","day":"2013-01-01"}"#,
        r#"{"v":1,"station":"New York","day":"2013-01-01"}"#,
        r#"{"v":2,"station":null,"day":"2013-01-02"}"#,
        r#"{"v":2,"station":null,"day":"2013-01-02"}"#,
    ];
    for input in ["lake", "lake/", "lake/**/*.parquet", "lake/*/*/*"] {
        assert_eq!(sorted_rows(&place, input), expected, "{input}");
    }
    place
        .run([
            "write",
            "lake",
            "--to",
            "lake",
            "--mode",
            "overwrite",
            "--partition-by",
            "station,day",
        ])
        .exits(0)
        .prints("4 rows in 2 files of 2 partitions");
    place
        .run(["write", "lake", "--to", "lake", "--mode", "overwrite"])
        .exits(0);
    assert_eq!(sorted_rows(&place, "lake"), expected);
}

#[test]
fn a_directory_between_key_and_file_hides_no_key() {
    let place = Place::new();
    for key in [1, 2] {
        let union = format!("lake/k={key}/HIVE_UNION_SUBDIR_1");
        place.file(&format!("{union}/a.csv"), format!("v\n{key}\n"));
    }
    let expected = [r#"{"v":1,"k":1}"#, r#"{"v":2,"k":2}"#];
    for input in [
        "lake",
        "./lake/",
        "lake/**/*.csv",
        "./lake/*/*/*",
        "lake/k=*/*/a.csv",
    ] {
        assert_eq!(sorted_rows(&place, input), expected, "{input}");
    }
    for input in [
        "lake/k=1",
        "./lake/k=1/*/a.csv",
        "lake/../lake/k=1/*/*",
        "lake/k=1/HIVE_UNION_SUBDIR_1/a.csv",
        "./lake/k=1/HIVE_UNION_SUBDIR_1/a.csv",
    ] {
        assert_eq!(rows(&place, input), expected[..1], "{input}");
    }
    let absolute = place.path("lake/k=2/HIVE_UNION_SUBDIR_1/a.csv");
    let read = rows(&place, absolute.to_str().unwrap());
    assert_eq!(read, expected[1..]);
    place
        .run(["write", "lake", "--to", "lake", "--mode", "overwrite"])
        .exits(0);
    assert_eq!(sorted_rows(&place, "lake"), expected);
}

#[test]
fn keys_are_typed_as_their_values_allow_or_as_told() {
    let place = Place::new();
    place.file("in/k=1/a.csv", "v\n1\n");
    place.file("in/k=02/a.csv", "v\n2\n");
    place.file("in/_SUCCESS", "");
    assert_eq!(
        rows(&place, "in"),
        [r#"{"v":2,"k":"02"}"#, r#"{"v":1,"k":"1"}"#]
    );
    let told = rows(&place, "in --hive-types k=int32");
    assert_eq!(told, [r#"{"v":2,"k":2}"#, r#"{"v":1,"k":1}"#]);
    assert_eq!(rows(&place, "in --no-hive"), [r#"{"v":2}"#, r#"{"v":1}"#]);
    place
        .run(arguments("in --hive-types k=date"))
        .exits(1)
        .says("the value `02` of the key `k` is not a Date32")
        .says("--hive-types");
    place
        .run(arguments("in --hive-types q=date"))
        .exits(1)
        .says("no directory of the inputs has the key `q`");
    place.file("in/b.csv", "v\n3\n");
    place
        .run(arguments("in"))
        .exits(0)
        .says("b.csv: lacks columns that other inputs have, which are null in its rows: `k`");
}

#[test]
fn a_key_that_the_file_has_too_must_agree() {
    let place = Place::new();
    place.file("in/k=1/a.csv", "k,v\n1,1\n");
    place.file("in/k=1/b.ndjson", "{\"k\":1,\"v\":2}\n");
    assert_eq!(rows(&place, "in"), [r#"{"k":1,"v":1}"#, r#"{"k":1,"v":2}"#]);
    place.file("in/k=1/b.ndjson", "{\"k\":3,\"v\":2}\n");
    place
        .run(arguments("in"))
        .exits(1)
        .says("b.ndjson: column `k` is not everywhere `1`, which its directory says")
        .says("--no-hive");
}

#[test]
fn an_append_that_readers_cannot_take_with_what_is_there_is_refused() {
    let place = Place::new();
    place.file("in.csv", "k,j,v\na,b,1\n");
    place.file("text.csv", "k,j,v\na,b,x\n");
    place.file("more.csv", "k,j,v,w\na,b,1,2\n");
    let write = |args: &str| place.run(format!("write --to lake {args}").split_whitespace());
    write("in.csv --partition-by k,j").exits(0);
    for dry in ["", "--dry-run"] {
        write(&format!("text.csv --partition-by k,j {dry}"))
            .exits(5)
            .says("column \"v\" is Utf8 in this write, but Int64 in");
        write(&format!("in.csv --partition-by j,k {dry}"))
            .exits(5)
            .says("the partition keys are j/k in this write, but k/j in");
    }
    assert_eq!(place.files("lake").len(), 1);
    write("more.csv --partition-by k,j --dry-run")
        .exits(0)
        .says("note: lake: column \"w\" is new in the data set");
    write("more.csv --partition-by k,j")
        .exits(0)
        .says("note: lake: column \"w\" is new in the data set");
    write("text.csv --partition-by k,j --schema-check off").exits(0);
    assert_eq!(place.files("lake").len(), 3);
}

#[test]
fn a_dry_run_says_what_becomes_of_a_table_of_another_format() {
    let place = Place::new();
    place.file("in.csv", "k,v\na,1\n");
    place.file("lake/_delta_log/0.json", "{}");
    let write = |args: &str| {
        place.run(format!("write in.csv --to lake --dry-run {args}").split_whitespace())
    };
    write("")
        .exits(0)
        .says("belongs to a table of Delta Lake, which does not know the files");
    write("--mode overwrite").exits(5).says("Delta Lake table");
    write("--mode overwrite --overwrite-table").exits(0);
}

#[test]
fn text_output_keeps_nulls_numbers_and_can_be_compressed() {
    let place = Place::new();
    place.file("in.ndjson", "{\"s\":\"\",\"n\":1}\n{\"s\":null,\"n\":2}\n");
    let write = |args: &str| {
        let all = format!("write in.ndjson --mode overwrite --verify decode --to {args}");
        place.run(all.split_whitespace())
    };
    let csv = |root: &str| {
        let file = &place.files(root)[0];
        fs::read_to_string(place.path(root).join(file)).unwrap()
    };
    write("csv --format csv").exits(0);
    assert_eq!(csv("csv"), "s,n\n\"\",1\n,2\n");
    write("csv --format csv --csv-null NULL").exits(0);
    assert_eq!(csv("csv"), "s,n\n\"\",1\nNULL,2\n");
    write("csv --format csv --csv-null 2")
        .exits(1)
        .says("column \"n\", row 1: \"2\" is the text that stands for null");

    // What is compressed is checked, looked at, and read again.
    for (codec, ending) in [("gzip", "gz"), ("zstd(5)", "zst")] {
        write(&format!("packed --format csv --compression {codec}")).exits(0);
        let file = &place.files("packed")[0];
        assert!(file.ends_with(&format!(".csv.{ending}")), "{file}");
        place
            .run(["verify", "packed"])
            .exits(0)
            .prints("1 sound, 0 damaged; 2 rows");
        place
            .run(["inspect", "packed"])
            .exits(0)
            .prints("nothing odd");
        let read = rows(&place, "packed");
        assert_eq!(read[1], "{\"s\":null,\"n\":2}");
    }

    place.file("nan.csv", "f\nNaN\n1.5\n");
    let write = |more: &str| {
        let all = format!("write nan.csv --to json --format ndjson {more}");
        place.run(all.split_whitespace())
    };
    write("")
        .exits(1)
        .says("column \"f\", row 0: NaN is no number of JSON");
    lines_of(&place, write("--json-non-finite null"), "{\"f\":null}");
    lines_of(
        &place,
        write("--mode overwrite --json-non-finite string"),
        "{\"f\":\"NaN\"}",
    );
}

/// Asserts the first line of the only file in `json`.
#[track_caller]
fn lines_of(place: &Place, ran: Ran, first: &str) {
    ran.exits(0);
    let file = &place.files("json")[0];
    let text = fs::read_to_string(place.path("json").join(file)).unwrap();
    assert_eq!(text.lines().next(), Some(first));
}

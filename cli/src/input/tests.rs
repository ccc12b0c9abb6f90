//! How inputs are read, seen through `open` as the command uses it.

use std::error::Error;
use std::fs::File;
use std::io::Write;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int16Array, Int32Array, Int64Array, NullArray,
    StringArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    UInt64Array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, TimeUnit};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow::util::display::array_value_to_string;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::*;

/// A directory of inputs.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn open(&self, names: &[&str], options: &InputOptions) -> Result<Input, InputError> {
        let names: Vec<String> = names.iter().map(|name| self.path(name)).collect();
        open(&names, options, Arc::default())
    }

    fn read(&self, names: &[&str], options: &InputOptions) -> Result<RecordBatch, InputError> {
        let mut input = self.open(names, options)?;
        let batches = loop {
            match input.by_ref().collect::<Result<Vec<_>, _>>() {
                Err(InputError::Guessed { .. }) => input.restart()?,
                batches => break batches?,
            }
        };
        let schema = input.schema();
        for batch in &batches {
            assert_eq!(batch.schema(), schema);
        }
        Ok(concat_batches(&schema, &batches).unwrap())
    }

    /// The error of reading these files, its path cut to the file's name.
    fn error(&self, names: &[&str], options: &InputOptions) -> String {
        let error = self.read(names, options).unwrap_err();
        let directory = format!("{}/", self.0.path().display());
        error.to_string().replace(&directory, "")
    }
}

fn csv(content: &str) -> Result<RecordBatch, InputError> {
    Files::new(&[("a.csv", content.as_bytes())]).read(&["a.csv"], &InputOptions::default())
}

fn csv_error(content: &str) -> String {
    Files::new(&[("a.csv", content.as_bytes())]).error(&["a.csv"], &InputOptions::default())
}

fn json(content: &str) -> Result<RecordBatch, InputError> {
    Files::new(&[("a.json", content.as_bytes())]).read(&["a.json"], &InputOptions::default())
}

fn json_error(content: &str) -> String {
    Files::new(&[("a.json", content.as_bytes())]).error(&["a.json"], &InputOptions::default())
}

/// Each row as its values joined by `|`, null as `-`.
fn rows(batch: &RecordBatch) -> Vec<String> {
    let cell = |column: &Arc<dyn Array>, row| match column.is_null(row) {
        true => "-".to_owned(),
        false => array_value_to_string(column, row).unwrap(),
    };
    (0..batch.num_rows())
        .map(|row| {
            let cells: Vec<String> = batch.columns().iter().map(|c| cell(c, row)).collect();
            cells.join("|")
        })
        .collect()
}

fn types(batch: &RecordBatch) -> Vec<DataType> {
    let schema = batch.schema();
    schema
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect()
}

fn options(change: impl FnOnce(&mut InputOptions)) -> InputOptions {
    let mut options = InputOptions::default();
    change(&mut options);
    options
}

const WEATHER: &str = "\
origin,year,temp,wind_dir,wind_gust,time_hour
EWR,2013,39.02,270,NA,2013-01-01T06:00:00Z
JFK,2013,NA,NA,23.0156,2013-01-01T07:00:00Z
NA,2013,39,0,,2013-01-01T08:00:00Z
";

#[test]
fn csv_of_weather_is_typed_with_its_nulls() {
    let batch = csv(WEATHER).unwrap();
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    use DataType::{Float64, Int64, Utf8};
    assert_eq!(types(&batch), [Utf8, Int64, Float64, Int64, Float64, utc]);
    assert_eq!(
        rows(&batch),
        [
            "EWR|2013|39.02|270|-|2013-01-01T06:00:00Z",
            "JFK|2013|-|-|23.0156|2013-01-01T07:00:00Z",
            "NA|2013|39.0|0|-|2013-01-01T08:00:00Z",
        ]
    );
}

#[test]
fn csv_null_values_are_added_to() {
    let files = Files::new(&[("a.csv", b"a,b\nNA,-\nx,1\n,\n")]);
    let options = options(|o| o.null_values = vec!["NA".into(), "-".into()]);
    let batch = files.read(&["a.csv"], &options).unwrap();
    assert_eq!(rows(&batch), ["-|-", "x|1", "-|-"]);
    assert_eq!(types(&batch)[1], DataType::Int64);
}

#[test]
fn csv_line_ends_marks_and_quotes_are_understood() {
    for text in [
        "a,b\n1,x\n2,\"y, z\"\n",
        "a,b\r\n1,x\r\n2,\"y, z\"\r\n",
        "\u{feff}a,b\n\n1,x\n2,\"y, z\"",
        "a,b\r\n1,x\r\n\r\n2,\"y, z\"\r\n\n\n",
    ] {
        let batch = csv(text).unwrap();
        assert_eq!(batch.schema().field(0).name(), "a", "{text:?}");
        assert_eq!(rows(&batch), ["1|x", "2|y, z"], "{text:?}");
    }
    let batch = csv("a,b\n1,\"two\nlines\n\"\n2,\"say \"\"so\"\"\"").unwrap();
    assert_eq!(rows(&batch), ["1|two\nlines\n", "2|say \"so\""]);
}

#[test]
fn csv_delimiter_and_header_can_be_set() {
    let files = Files::new(&[("a.tsv", b"a\tb\n1\t2,5\n"), ("b.csv", b"1;x\n2;y\n")]);
    let batch = files.read(&["a.tsv"], &InputOptions::default()).unwrap();
    assert_eq!(rows(&batch), ["1|2,5"]);
    let options = options(|o| {
        o.delimiter = Some(b';');
        o.header = false;
    });
    let batch = files.read(&["b.csv"], &options).unwrap();
    assert_eq!(batch.schema().field(1).name(), "column_2");
    assert_eq!(rows(&batch), ["1|x", "2|y"]);
}

#[test]
fn csv_of_a_header_alone_has_no_rows_and_text_columns() {
    for text in ["a,b\n", "a,b"] {
        let batch = csv(text).unwrap();
        assert_eq!(batch.num_rows(), 0);
        assert_eq!(types(&batch), [DataType::Utf8, DataType::Utf8]);
    }
}

#[test]
fn csv_that_is_empty_says_so() {
    for text in ["", "\n\n", "\u{feff}"] {
        assert_eq!(csv_error(text), "a.csv: is empty: it has no header");
    }
}

#[test]
fn csv_rows_of_another_length_are_refused_with_their_line() {
    for (text, line, found) in [
        ("a,b\n1,2\n3\n", 3, "one field"),
        ("a,b\n1,2\n3,4,5\n", 3, "3 fields"),
        // Cut in the middle of the last line.
        ("a,b\n1,2\n3", 3, "one field"),
        ("a,b\r\n1,2\r\n3\r\n", 3, "one field"),
        ("a,b\r\n1,2\r\n3", 3, "one field"),
        ("a,b\n\n1,\"x\ny\"\n3", 5, "one field"),
        ("a,b\n1,2\n\n\n3\n", 5, "one field"),
    ] {
        let expected = format!(
            "a.csv, line {line}: {found}, where the first row has 2; \
             mend the line, or say what divides fields with --delimiter"
        );
        assert_eq!(csv_error(text), expected, "{text:?}");
    }
}

#[test]
fn csv_cut_within_quotes_is_refused() {
    for (text, line) in [
        ("a,b\n1,x\n2,\"y", 3),
        ("a,b\n1,x\n2,\"y\n", 3),
        ("a,b\n1,x\n2,\"y, \"\"z\n4,x\n", 3),
        ("a,b\r\n1,x\r\n2,\"y", 3),
        ("a,b\n1,x\n\"2", 3),
        ("a,\"b", 1),
    ] {
        let expected =
            format!("a.csv, line {line}: a quoted field is never closed: the input is cut short");
        assert_eq!(csv_error(text), expected, "{text:?}");
    }
}

#[test]
fn csv_values_of_another_type_than_told_are_named_with_line_and_column() {
    let files = Files::new(&[("a.csv", b"a,b\n1,2\n\n3,\"x\"\n")]);
    let told = options(|o| o.schema = "b=int64".parse().unwrap());
    assert_eq!(
        files.error(&["a.csv"], &told),
        "a.csv, line 4, column `b`: `x` cannot be kept as Int64; set another type with --schema"
    );
}

#[test]
fn a_type_guessed_from_a_sample_gives_way_to_later_values() {
    use DataType::{Float64, Int64, Timestamp, UInt64, Utf8};
    let micros = Timestamp(TimeUnit::Microsecond, None);
    let short = options(|o| o.infer_rows = 1);
    for (first, later, data_type) in [
        ("90210", "00501", Utf8),
        ("1", "2.5", Float64),
        ("1", "9007199254740993", Int64),
        ("0.5", "9007199254740993", Utf8),
        ("0.5", "1e400", Utf8),
        ("0.5", "3.14159265358979323846", Utf8),
        ("1", "18446744073709551615", UInt64),
        ("1234567", "12e4567", Utf8),
        ("2013-01-01", "2013-01-06T10:30:00", micros),
        ("2013-01-01T00:00:00", "2013-01-06T10:30:00Z", Utf8),
        ("true", "1", Utf8),
        ("", "1", Int64),
        ("NA", "2.5", Float64),
    ] {
        let (one, two) = (format!("a,b\n{first},x\n"), format!("a,b\n{later},x\n"));
        let both = format!("{one}{later},x\n");
        let files = Files::new(&[
            ("1.csv", one.as_bytes()),
            ("2.csv", two.as_bytes()),
            ("both.csv", both.as_bytes()),
            ("both.csv.gz", &gzip(both.as_bytes())),
        ]);
        for names in [&["1.csv", "2.csv"][..], &["both.csv"], &["both.csv.gz"]] {
            let batch = files.read(names, &short).unwrap();
            assert_eq!(types(&batch)[0], data_type, "{first}, {later} of {names:?}");
            let whole = files.read(names, &InputOptions::default()).unwrap();
            assert_eq!(batch, whole, "{first}, {later} of {names:?}");
            if data_type == Utf8 {
                let null = |text: &str| text.is_empty();
                assert!(null(first) || rows(&batch)[0].starts_with(first));
                assert!(rows(&batch)[1].starts_with(later));
            }
        }
    }
}

#[test]
fn a_pipe_is_read_again_as_far_as_it_is_kept() {
    use std::os::fd::AsRawFd as _;
    for (rows_between, expected) in [(10, Ok(DataType::Float64)), (50_000, Err(()))] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let text = format!("a\n{}2.5\n", "1\n".repeat(rows_between));
        let writing = std::thread::spawn(move || {
            // The reader stops early where the pipe cannot be read again.
            let _ = writer.write_all(text.as_bytes());
        });
        let name = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let options = options(|o| {
            o.infer_rows = 1;
            o.format = Some(InputFormat::Csv);
        });
        let mut input = open(&[name], &options, Arc::default()).unwrap();
        let error = input.by_ref().find_map(Result::err).unwrap();
        match expected {
            Ok(data_type) => {
                assert!(matches!(error, InputError::Guessed { .. }), "{error}");
                input.restart().unwrap();
                assert_eq!(*input.schema().field(0).data_type(), data_type);
                let read: usize = input.map(|batch| batch.unwrap().num_rows()).sum();
                assert_eq!(read, rows_between + 1);
            }
            Err(()) => {
                let error = error.to_string();
                let place = format!("line {}, column `a`: `2.5`", rows_between + 2);
                assert!(
                    error.contains(&place) && error.contains("--schema"),
                    "{error}"
                );
            }
        }
        drop(reader);
        writing.join().unwrap();
    }
}

#[test]
fn csv_that_is_not_utf8_is_refused_with_its_line() {
    let options = InputOptions::default();
    for text in [&b"a,b\n1,x\n2,\xff\n"[..], b"a,b\n1,x\n2,\xc3"] {
        let files = Files::new(&[("a.csv", text)]);
        let expected = "a.csv, line 3, column `b`: not valid UTF-8; name another encoding with --encoding, such as latin1";
        assert_eq!(files.error(&["a.csv"], &options), expected);
    }
    let files = Files::new(&[("a.csv", b"a,b\xff\n1,2\n")]);
    let expected = "a.csv, line 1, column `column_2`: not valid UTF-8; name another encoding with --encoding, such as latin1";
    assert_eq!(files.error(&["a.csv"], &options), expected);
}

#[test]
fn csv_headers_do_not_repeat_a_name() {
    assert_eq!(
        csv_error("\na,b,a\n1,2,3\n"),
        "a.csv, line 2: two columns are named `a`; rename one of them, or name columns by their number \
         with --no-header and take the line out"
    );
}

#[test]
fn csv_columns_can_be_typed_and_must_exist() {
    let files = Files::new(&[("a.csv", b"id,at\n007,2013-01-01T06:00:00\n")]);
    let typed = options(|o| o.schema = "id=int32;at=timestamp[ms, UTC]".parse().unwrap());
    let batch = files.read(&["a.csv"], &typed).unwrap();
    assert_eq!(rows(&batch), ["7|2013-01-01T06:00:00Z"]);
    let missing = options(|o| o.schema = "di=int32".parse().unwrap());
    let expected = "a.csv: has no column `di`, which --schema names";
    assert_eq!(files.error(&["a.csv"], &missing), expected);
    let list = options(|o| o.schema = "id=Struct(\"x\": Int64)".parse().unwrap());
    let error = files.error(&["a.csv"], &list);
    assert!(
        error.contains("column `id`: text cannot be read as Struct"),
        "{error}"
    );
}

#[test]
fn csv_escapes_and_quotes_lose_nothing() {
    let files = Files::new(&[
        (
            "escaped.csv",
            br#"p,q
"C:\new\table","say \"no\""
"#,
        ),
        ("behind.csv", b"p,q\n\"x\"y,1\n"),
        ("behind.csv.gz", &gzip(b"p,q\n\"x\"y,1\n")),
    ]);
    let escaped = options(|o| o.escape = Some(b'\\'));
    let batch = files.read(&["escaped.csv"], &escaped).unwrap();
    assert_eq!(rows(&batch), [r#"C:\new\table|say "no""#]);
    for name in ["behind.csv", "behind.csv.gz"] {
        let error = files.error(&[name], &InputOptions::default());
        assert!(
            error.starts_with(name) && error.contains("line 2: "),
            "{error}"
        );
    }
}

#[test]
fn csv_bytes_are_hexadecimal() {
    let files = Files::new(&[("a.csv", b"id,b\n1,00fF\n2,\n"), ("b.csv", b"id,b\n1,0\n")]);
    let typed = options(|o| o.schema = "b=binary".parse().unwrap());
    let batch = files.read(&["a.csv"], &typed).unwrap();
    assert_eq!(rows(&batch), ["1|00ff", "2|-"]);
    let error = files.error(&["b.csv"], &typed);
    assert!(error.contains("line 2") && error.contains("`b`"), "{error}");
}

#[test]
fn csv_dates_of_a_format_are_typed_by_what_they_say() {
    let read = |format: &str, text: &str| {
        let files = Files::new(&[("a.csv", format!("at\n{text}\n").as_bytes())]);
        let dates = options(|o| o.dates = Some(format.parse().unwrap()));
        let batch = files.read(&["a.csv"], &dates).unwrap();
        (types(&batch)[0].clone(), rows(&batch)[0].clone())
    };
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
    for (format, text, data_type, value) in [
        ("%d/%m/%Y", "01/02/2020", DataType::Date32, "2020-02-01"),
        ("%d/%m/%Y", "01/02/20", DataType::Utf8, "01/02/20"),
        (
            "%d/%m/%Y %H:%M:%S.%f",
            "01/02/2020 10:30:00.5",
            micros,
            "2020-02-01T10:30:00.500",
        ),
        (
            "%d/%m/%Y %H:%M:%S.%f",
            "01/02/2020 10:30:00.123456789",
            nanos,
            "2020-02-01T10:30:00.123456789",
        ),
        (
            "%d/%m/%Y %H:%M:%S",
            "31/12/2016 23:59:60",
            DataType::Utf8,
            "31/12/2016 23:59:60",
        ),
    ] {
        assert_eq!(
            read(format, text),
            (data_type, value.to_owned()),
            "{format}: {text}"
        );
    }
}

#[test]
fn batches_are_as_long_as_asked_and_the_sample_is_not_read_twice() {
    let text: String = (0..1000).map(|n| format!("{n},{}\n", n % 7)).collect();
    let json: String = (0..1000)
        .map(|n| format!("{{\"a\":{n},\"b\":{}}}\n", n % 7))
        .collect();
    let files = Files::new(&[
        ("a.csv", format!("a,b\n{text}").as_bytes()),
        ("a.json", json.as_bytes()),
    ]);
    let options = options(|o| {
        o.infer_rows = 130;
        o.batch_size = 64;
    });
    for name in ["a.csv", "a.json"] {
        let input = files.open(&[name], &options).unwrap();
        let batches: Vec<RecordBatch> = input.map(Result::unwrap).collect();
        assert_eq!(batches.len(), 16);
        assert!(batches[..15].iter().all(|batch| batch.num_rows() == 64));
        let all = concat_batches(&batches[0].schema(), &batches).unwrap();
        let numbers = all.column(0).as_primitive::<Int64Type>();
        assert!(numbers.values().iter().copied().eq(0..1000), "{name}");
    }
}

#[test]
fn json_is_typed_with_its_nulls() {
    let batch = json(
        "\u{feff}{\"s\":\"x\",\"i\":1,\"f\":1.5,\"n\":null,\"l\":[1],\"o\":{\"k\":null}}\n\n\
         {\"i\":null,\"s\":\"y\"}\r\n{\"f\":2,\"n\":null}",
    )
    .unwrap();
    assert_eq!(
        rows(&batch),
        ["x|1|1.5|-|[1]|{k: }", "y|-|-|-|-|-", "-|-|2.0|-|-|-"]
    );
    use DataType::{Float64, Int64, Utf8};
    assert_eq!(types(&batch)[..4], [Utf8, Int64, Float64, Utf8]);
    assert_eq!(
        types(&batch)[4],
        DataType::List(Arc::new(Field::new_list_field(Int64, true)))
    );
    let inner = vec![Field::new("k", Utf8, true)];
    assert_eq!(types(&batch)[5], DataType::Struct(inner.into()));
}

#[test]
fn json_numbers_stay_exact() {
    let batch = json("{\"a\":9007199254740993,\"b\":10.357019999999999}\n").unwrap();
    assert_eq!(
        batch.column(0).as_primitive::<Int64Type>().value(0),
        9_007_199_254_740_993
    );
    assert_eq!(
        batch.column(1).as_primitive::<Float64Type>().value(0),
        10.357019999999999
    );
    let batch = json("{\"a\":\"x\"}\n{\"a\":1.50}\n").unwrap();
    assert_eq!(rows(&batch), ["x", "1.50"]);
}

#[test]
fn json_numbers_that_the_type_told_does_not_hold_are_refused() {
    for (told, value) in [
        ("int64", "1.5"),
        ("decimal(10, 1)", "1.55"),
        ("float64", "9007199254740993"),
        ("float64", "1e400"),
        ("date", "\"2013-01-06T10:30:00\""),
        ("timestamp[ms]", "\"2013-01-06T10:30:00.0001\""),
        ("timestamp", "\"2013-01-06T10:30:00Z\""),
        ("List(Int64)", "[1.5]"),
    ] {
        let text = format!("{{\"a\":null}}\n\n{{\"a\":{value}}}\n");
        let files = Files::new(&[("a.json", text.as_bytes())]);
        let told = options(|o| o.schema = format!("a={told}").parse().unwrap());
        let error = files.read(&["a.json"], &told).unwrap_err();
        assert!(
            matches!(&error, InputError::Value { at, column, .. } if at.line == 3 && column.starts_with('a')),
            "{value}: {error}"
        );
    }
}

#[test]
fn json_types_give_way_to_later_values() {
    use DataType::{Float64, Int64, UInt64, Utf8};
    let short = options(|o| o.infer_rows = 1);
    for (values, data_type, expected) in [
        (&["1", "1.5"][..], Float64, ["1.0", "1.5"]),
        (
            &["9223372036854775808", "18446744073709551615"],
            UInt64,
            ["9223372036854775808", "18446744073709551615"],
        ),
        (
            &["1", "18446744073709551617"],
            Utf8,
            ["1", "18446744073709551617"],
        ),
        (
            &["-1", "18446744073709551615"],
            Utf8,
            ["-1", "18446744073709551615"],
        ),
        (&["1.5", "1e400"], Utf8, ["1.5", "1e400"]),
        (&["1", "\"x\""], Utf8, ["1", "x"]),
        (&["null", "5"], Int64, ["-", "5"]),
        (
            &["{}", "{\"k\":1}"],
            DataType::Struct(vec![Field::new("k", Int64, true)].into()),
            ["{k: }", "{k: 1}"],
        ),
    ] {
        let text: String = values
            .iter()
            .map(|value| format!("{{\"a\":{value}}}\n"))
            .collect();
        let files = Files::new(&[("a.json", text.as_bytes())]);
        for options in [&short, &InputOptions::default()] {
            let batch = files.read(&["a.json"], options).unwrap();
            assert_eq!(
                types(&batch),
                std::slice::from_ref(&data_type),
                "{values:?}"
            );
            assert_eq!(rows(&batch), expected, "{values:?}");
        }
    }
}

#[test]
fn nulls_below_a_json_column_give_way_to_values() {
    use DataType::{Int64, List, Struct};
    let text = "{\"o\":{\"k\":null},\"l\":[null]}\n{\"o\":{\"k\":5},\"l\":[]}\n{\"l\":[7]}\n";
    let files = Files::new(&[("a.json", text.as_bytes())]);
    let batch = files
        .read(&["a.json"], &options(|o| o.infer_rows = 1))
        .unwrap();
    let object = Struct(vec![Field::new("k", Int64, true)].into());
    let list = List(Arc::new(Field::new_list_field(Int64, true)));
    assert_eq!(types(&batch), [object, list]);
    assert_eq!(rows(&batch), ["{k: }|[]", "{k: 5}|[]", "-|[7]"]);
}

#[test]
fn a_told_column_that_no_row_has_is_missed_also_after_a_second_reading() {
    let files = Files::new(&[("a.json", b"{\"a\":1}\n{\"a\":2.5}\n")]);
    let told = options(|o| {
        o.infer_rows = 1;
        o.schema = "c=int64".parse().unwrap();
    });
    let expected = "a.json: has no column `c`, which --schema names";
    assert_eq!(files.error(&["a.json"], &told), expected);
}

#[test]
fn json_that_becomes_text_is_said() {
    let files = Files::new(&[(
        "a.json",
        b"{\"a\":1,\"b\":\"x\"}\n{\"a\":18446744073709551617}\n",
    )]);
    let mut input = files.open(&["a.json"], &InputOptions::default()).unwrap();
    let notes = input.take_notes();
    assert!(
        notes.len() == 1 && notes[0].contains("column `a`"),
        "{notes:?}"
    );
    assert!(input.take_notes().is_empty());
}

#[test]
fn json_keys_are_in_an_object_once() {
    for (good, twice) in [
        ("{\"a\":1}", "{\"a\":1,\"a\":2}"),
        ("{\"a\":[{\"b\":1}]}", "{\"a\":[{\"b\":1,\"b\":2}]}"),
        (
            "{\"a\":{\"b\":1,\"c\":1}}",
            "{\"a\":{\"b\":1,\"c\":1,\"b\":null}}",
        ),
        ("{\"b\":1,\"a\":2}", "{\"b\":1,\"a\":3,\"\\u0061\":2}"),
    ] {
        // Within the sample, and behind it.
        for text in [format!("{twice}\n"), format!("{good}\n{twice}\n")] {
            let files = Files::new(&[("a.json", text.as_bytes())]);
            let short = options(|o| o.infer_rows = 1);
            let error = files.read(&["a.json"], &short).unwrap_err();
            let line = format!("line {}", text.lines().count());
            assert!(error.to_string().contains(&line), "{error}");
            let cause = error.source().unwrap().to_string();
            assert!(cause.contains("twice"), "{text}: {cause}");
        }
    }
}

#[test]
fn json_objects_without_keys_are_text_and_objects_are_where_told() {
    let text = "{\"x\":1,\"m\":{},\"l\":[{}]}\n{\"x\":2,\"m\":null,\"l\":[]}\n";
    let batch = json(text).unwrap();
    assert_eq!(rows(&batch), ["1|{}|[{}]", "2|-|[]"]);
    let files = Files::new(&[(
        "a.json",
        b"{\"m\":{\"k\":[1, 1e400]}}\n{\"m\":\"x\"}\n{\"m\":5}\n",
    )]);
    let told = options(|o| o.schema = "m=string".parse().unwrap());
    let batch = files.read(&["a.json"], &told).unwrap();
    assert_eq!(rows(&batch), ["{\"k\":[1, 1e400]}", "x", "5"]);
    let error = files.error(&["a.json"], &InputOptions::default());
    assert!(
        error.contains("column `m`") && error.contains("--schema"),
        "{error}"
    );
}

#[test]
fn json_that_is_one_array_is_read_element_by_element() {
    for text in [
        "[{\"a\":1,\"b\":\"],\\\"[\"},{\"a\":2,\"b\":\"x\"}]",
        " \n[\n  {\n \"a\": 1, \"b\": \"],\\\"[\"\n  },\r\n {\"a\":2,\n\"b\":\"x\"}\n]\n\n",
    ] {
        for options in [InputOptions::default(), options(|o| o.infer_rows = 1)] {
            let files = Files::new(&[("a.json", text.as_bytes())]);
            let batch = files.read(&["a.json"], &options).unwrap();
            assert_eq!(rows(&batch), ["1|],\"[", "2|x"], "{text}");
        }
    }
    for (text, message) in [
        (
            "[{\"a\":1}",
            "a.json, line 1: the array is cut short: its closing bracket is missing",
        ),
        (
            "[{\"a\":1},\n",
            "a.json, line 2: the array is cut short: its closing bracket is missing",
        ),
        (
            "[{\"a\":1}\n]\n{}",
            "a.json, line 3: the array is followed by something else",
        ),
        (
            "[{\"a\":1}}",
            "a.json, line 1: the array lacks a comma between two elements",
        ),
        (
            "[{\"a\":1},\n5]",
            "a.json, line 2, element 2: not one valid JSON object; mend it, or take it out",
        ),
        (
            "[{\"a\":1},]",
            "a.json, line 1, element 2: not one valid JSON object; mend it, or take it out",
        ),
        (
            "[{\"a\":{\"b\":[1]}},\n\n{\"a\":{\"b\":[\"x\"]}}]",
            "a.json, line 3, element 2, column `a.b[]`: `x` cannot be kept as Int64; set another type with --schema",
        ),
        (
            "[{\"a\":{\"b\":[1]}},{\"a\":{\"c\":2}}]",
            "a.json, line 1, element 2: the key `a.c` is not among the columns; name it in --schema, or take it out",
        ),
        (
            "[]",
            "a.json: is empty: no row says which columns there are",
        ),
    ] {
        let mut options = InputOptions::default();
        if text.contains("[1]") {
            options.schema = "a=Struct(\"b\": List(Int64))".parse().unwrap();
        }
        let files = Files::new(&[("a.json", text.as_bytes())]);
        assert_eq!(files.error(&["a.json"], &options), message, "{text}");
    }
}

#[test]
fn what_is_wrong_in_a_row_of_json_is_told_with_its_path() {
    for (text, cause) in [
        (
            r#"[{"a":1},{"a":{"b":[1,{"c":1,"c":2}]}}]"#,
            "`a.b[]`: an object has the key `c` twice",
        ),
        (
            r#"{"a":{"b":1,"b":2}}"#,
            "`a`: an object has the key `b` twice",
        ),
        (
            r#"{"a":1,"a":2}"#,
            "an object has the key `a` twice (byte 13 of the row)",
        ),
        (r#"[{"a":tru}]"#, "expected ident (byte 9 of the row)"),
    ] {
        let error = json(text).unwrap_err();
        let told = error.source().unwrap().to_string();
        assert_eq!(told, cause, "{text}");
    }
}

#[test]
fn json_that_is_not_one_object_a_line_is_refused_with_its_line() {
    for (text, line) in [
        ("{\"a\":1}\n{\"a\":", 2),
        ("{\"a\":1}\n\n{\"a\":1", 3),
        ("{\"a\":1}\n5\n", 2),
        ("{\"a\":1}{\"a\":2}\n", 1),
        ("{\n\"a\":1\n}\n", 1),
    ] {
        let expected = format!(
            "a.json, line {line}: not one valid JSON object a line; mend it, or take it out"
        );
        assert_eq!(json_error(text), expected, "{text:?}");
        // The same where the line comes after the sample.
        let padded = format!("{{\"a\":0}}\n{text}");
        let files = Files::new(&[("a.json", padded.as_bytes())]);
        let expected = format!(
            "a.json, line {}: not one valid JSON object a line; mend it, or take it out",
            line + 1
        );
        let options = options(|o| o.infer_rows = 1);
        assert_eq!(files.error(&["a.json"], &options), expected, "{text:?}");
    }
}

#[test]
fn json_keys_that_are_no_columns_are_not_dropped() {
    let files = Files::new(&[("a.json", b"{\"a\":1}\n{\"a\":2,\"b\":3}\n")]);
    let short = options(|o| o.infer_rows = 1);
    let batch = files.read(&["a.json"], &short).unwrap();
    assert_eq!(rows(&batch), ["1|-", "2|3"]);
    let named = options(|o| {
        o.infer_rows = 1;
        o.schema = "b=int64".parse().unwrap();
    });
    assert_eq!(
        rows(&files.read(&["a.json"], &named).unwrap()),
        ["1|-", "2|3"]
    );
    let missing = options(|o| o.schema = "c=int64".parse().unwrap());
    let expected = "a.json: has no column `c`, which --schema names";
    assert_eq!(files.error(&["a.json"], &missing), expected);
}

#[test]
fn json_without_rows_says_so() {
    assert_eq!(
        json_error("\n"),
        "a.json: is empty: no row says which columns there are"
    );
}

#[test]
fn json_that_is_not_utf8_is_refused_with_its_line() {
    let files = Files::new(&[("a.json", b"{\"a\":\"x\"}\n{\"a\":\"\xff\"}\n")]);
    let error = files.error(&["a.json"], &options(|o| o.infer_rows = 1));
    assert_eq!(
        error,
        "a.json, line 2: not valid UTF-8; name another encoding with --encoding, such as latin1"
    );
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn ipc_file(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn ipc_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn parquet_and_ipc_are_read_as_they_are_also_compressed() {
    let batch = csv(WEATHER).unwrap();
    let twice = concat_batches(&batch.schema(), [&batch, &batch]).unwrap();
    for (name, bytes, expected) in [
        ("a.parquet", parquet(&batch), &batch),
        ("a.arrow", ipc_file(&batch), &batch),
        ("a.arrows", ipc_stream(&batch), &twice),
    ] {
        let gz = format!("{name}.gz");
        let files = Files::new(&[(name, &bytes), (&gz, &gzip(&bytes))]);
        for name in [name, &gz] {
            let read = files.read(&[name], &InputOptions::default()).unwrap();
            assert_eq!(&read, expected, "{name}");
        }
    }
}

#[test]
fn dictionaries_that_the_decoder_does_not_know_are_read_as_their_values() {
    use parquet::arrow::arrow_writer::ArrowWriterOptions;
    use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema};
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    let batch = csv("a\ntrue\nfalse\ntrue\n").unwrap();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Boolean));
    let embedded = encode_arrow_schema(&Schema::new(vec![Field::new("a", dictionary, true)]));
    let embedded = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), embedded);
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![embedded]));
    let options = ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    let files = Files::new(&[("a.parquet", &writer.into_inner().unwrap())]);
    let read = files
        .read(&["a.parquet"], &InputOptions::default())
        .unwrap();
    assert_eq!(types(&read), [DataType::Boolean]);
    assert_eq!(rows(&read), rows(&batch));
}

#[test]
fn parquet_and_ipc_cut_anywhere_are_errors() {
    let batch = csv(WEATHER).unwrap();
    for (name, bytes) in [
        ("a.parquet", parquet(&batch)),
        ("a.arrow", ipc_file(&batch)),
        ("a.arrows", ipc_stream(&batch)),
    ] {
        for len in 0..bytes.len() {
            let files = Files::new(&[(name, &bytes[..len])]);
            let read = files.read(&[name], &InputOptions::default());
            // The last four bytes of a stream's mark are its length, zero, in part at hand.
            assert!(read.is_err(), "{name} cut to {len} of {}", bytes.len());
        }
    }
}

#[test]
fn text_is_no_arrow_stream() {
    let files = Files::new(&[("a.arrows", b"a,b\n1,2\n")]);
    let expected = "a.arrows: cannot be decoded as Arrow data";
    assert_eq!(
        files.error(&["a.arrows"], &InputOptions::default()),
        expected
    );
}

#[test]
fn integers_of_a_width_that_arrow_has_not_are_named_with_their_column() {
    let v: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("v", v)]).unwrap();
    let stream = ipc_stream(&batch);
    let widened = |at: usize| {
        let mut stream = stream.clone();
        stream[at] = 128;
        stream
    };
    let is_width = |at: &usize| {
        stream[*at..].starts_with(&64i32.to_le_bytes())
            && integers::unknown_of_message(&widened(*at)).is_some()
    };
    let wide = widened((0..stream.len()).find(is_width).unwrap());
    let schema = KeyValue::new("ARROW:schema".to_owned(), BASE64_STANDARD.encode(&wide));
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![schema]));
    let options = ArrowWriterOptions::new()
        .with_skip_arrow_metadata(true)
        .with_properties(properties.build());
    let mut parquet = Vec::new();
    let mut writer =
        ArrowWriter::try_new_with_options(&mut parquet, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let files = Files::new(&[("a.arrows", &wide), ("a.parquet", &parquet)]);
    for name in ["a.arrows", "a.parquet"] {
        let error = files.error(&[name], &InputOptions::default());
        let expected = format!("{name}: column `v` has integers of 128 bits");
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains("cast it to Int64"), "{error}");
    }
}

#[test]
fn a_time_beyond_the_unit_of_another_input_comes_with_what_can_be_done() {
    let file = |times: ArrayRef| parquet(&RecordBatch::try_from_iter([("t", times)]).unwrap());
    let files = Files::new(&[
        (
            "n.parquet",
            &file(Arc::new(TimestampNanosecondArray::from(vec![1]))),
        ),
        (
            "u.parquet",
            &file(Arc::new(TimestampMicrosecondArray::from(vec![
                253_370_764_800_000_000,
            ]))),
        ),
    ]);
    for inputs in [["n.parquet", "u.parquet"], ["u.parquet", "n.parquet"]] {
        let error = files.error(&inputs, &InputOptions::default());
        assert!(
            error.starts_with("u.parquet: column \"t\", row 0"),
            "{error}"
        );
        assert!(
            error.ends_with(
                "; or cast it in the other inputs, or write them to different data sets"
            ),
            "{error}"
        );
    }
}

#[test]
fn columns_that_bring_their_types_must_be_as_the_schema_says() {
    let batch = csv(WEATHER).unwrap();
    let files = Files::new(&[
        ("a.parquet", &parquet(&batch)),
        ("a.arrows", &ipc_stream(&batch)),
    ]);
    for name in ["a.parquet", "a.arrows"] {
        let same = options(|o| o.schema = "temp=float64".parse().unwrap());
        files.read(&[name], &same).unwrap();
        let other = options(|o| o.schema = "temp=int64".parse().unwrap());
        assert_eq!(
            files.error(&[name], &other),
            format!(
                "{name}: column `temp` is Float64 in the file, but --schema sets Int64, which does not hold all of its \
                 values: cast it in the file, or set a type that does"
            )
        );
        let missing = options(|o| o.schema = "tmep=int64".parse().unwrap());
        let expected = format!("{name}: has no column `tmep`, which --schema names");
        assert_eq!(files.error(&[name], &missing), expected);
    }
}

#[test]
fn columns_that_bring_their_types_do_not_repeat_a_name() {
    let one = csv("a\n1\n").unwrap();
    let fields = vec![one.schema().field(0).clone(); 2];
    let columns = vec![one.column(0).clone(); 2];
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let options = InputOptions::default();
    let files = Files::new(&[
        ("a.arrow", &ipc_file(&batch)),
        ("a.arrows", &ipc_stream(&batch)),
    ]);
    for name in ["a.arrow", "a.arrows"] {
        let expected = format!("{name}: two columns are named `a`; rename one of them in the file");
        assert_eq!(files.error(&[name], &options), expected);
    }
}

#[test]
fn several_inputs_of_mixed_formats_are_one() {
    let batch = csv(WEATHER).unwrap();
    let line = "{\"year\":2014,\"time_hour\":\"2014-01-01T00:00:00Z\",\"temp\":-1}\n";
    let files = Files::new(&[
        ("1.csv", WEATHER.as_bytes()),
        ("2.parquet", &parquet(&batch)),
        ("3.arrow", &ipc_file(&batch)),
        ("4.json", line.as_bytes()),
        // Another order, and texts that alone would be inferred as integers.
        (
            "5.csv",
            b"temp,origin,year,wind_dir,wind_gust,time_hour\n4,5,6,7,8,2013-01-01T06:00:00Z\n",
        ),
        ("6.csv", b"origin,year,temp,wind_dir,wind_gust,time_hour\n"),
    ]);
    let all = files.read(&["*"], &InputOptions::default()).unwrap();
    assert_eq!(all.num_rows(), 11);
    assert_eq!(all.schema(), batch.schema());
    assert_eq!(
        rows(&all)[9..],
        [
            "-|2014|-1.0|-|-|2014-01-01T00:00:00Z",
            "5|6|4.0|7|8.0|2013-01-01T06:00:00Z"
        ]
    );
    let fourth = files
        .read(&["2.parquet", "1.csv"], &InputOptions::default())
        .unwrap();
    assert_eq!(fourth.num_rows(), 6);
}

#[test]
fn a_quoted_empty_field_is_the_empty_text_unless_told() {
    let text = "\"\",n,s,all\n1,\"\",\"\",\"\"\n,2,,\"\"\n\"\",,x,\"\"\n";
    let batch = csv(text).unwrap();
    assert_eq!(batch.schema().field(0).name(), "");
    assert_eq!(
        types(&batch)[1..],
        [DataType::Int64, DataType::Utf8, DataType::Utf8]
    );
    assert_eq!(rows(&batch), ["1|-||", "-|2|-|", "-|-|x|"]);
    let files = Files::new(&[("a.csv", text.as_bytes())]);
    let told = options(|o| o.null_values = vec![String::new()]);
    let batch = files.read(&["a.csv"], &told).unwrap();
    assert_eq!(rows(&batch), ["1|-|-|-", "-|2|-|-", "-|-|x|-"]);
}

#[test]
fn later_inputs_that_disagree_are_named_with_the_column() {
    let files = Files::new(&[
        ("a.csv", b"a,b\n1,2\n"),
        ("other.csv", b"c,d\n1,2\n"),
        ("type.parquet", &parquet(&csv("a,b\n1,true\n").unwrap())),
        ("type.json", b"{\"a\":1,\"b\":[2]}\n"),
        ("empty.csv", b""),
    ]);
    for (name, message) in [
        (
            "other.csv",
            "other.csv: has none of the columns of the inputs before it; \
             write what is another table to another data set",
        ),
        (
            "type.parquet",
            "a.csv, line 2, column `b`: `2` cannot be kept as Boolean; set another type with --schema",
        ),
        (
            "type.json",
            "type.json, line 1, column `b`: `[2]` cannot be kept as Utf8; set another type with --schema",
        ),
        ("empty.csv", "empty.csv: is empty: it has no header"),
    ] {
        assert_eq!(
            files.error(&["a.csv", name], &InputOptions::default()),
            message
        );
    }
    let headless = options(|o| o.header = false);
    let files = Files::new(&[
        ("a.csv", b"1,2\n"),
        ("b.csv", b"3\n"),
        ("c.csv", b"4,5,6\n"),
    ]);
    for (name, message) in [
        (
            "b.csv",
            "b.csv: column `column_2` is missing; other inputs have it",
        ),
        (
            "c.csv",
            "c.csv: column `column_3` is not in the inputs before it",
        ),
    ] {
        assert_eq!(files.error(&["a.csv", name], &headless), message);
    }
}

#[test]
fn a_column_that_some_inputs_lack_is_null_there_and_said() {
    let batch = |names: &[&str]| {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let columns = names.iter().map(|name| (*name, Arc::clone(&column)));
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let files = Files::new(&[
        ("1.parquet", &parquet(&batch(&["a", "b"]))),
        ("2.arrow", &ipc_file(&batch(&["c", "a"]))),
        ("3.csv", b"a,d\n3,x\n"),
        ("4.json", b"{\"a\":4}\n"),
    ]);
    let inputs = ["1.parquet", "2.arrow", "3.csv", "4.json"];
    let mut input = files.open(&inputs, &InputOptions::default()).unwrap();
    let mut notes = Vec::new();
    while let Some(batch) = input.next() {
        match batch {
            Ok(_) => {}
            Err(_) => input.restart().unwrap(),
        }
    }
    notes.extend(input.take_notes());
    let note = |file: &str, names: &str| {
        format!(
            "{}: lacks columns that other inputs have, which are null in its rows: {names}",
            files.path(file)
        )
    };
    let expected = [
        note("1.parquet", "`c`, `d`"),
        note("2.arrow", "`b`, `d`"),
        note("3.csv", "`b`, `c`"),
    ];
    assert_eq!(notes, expected);
    let all = files.read(&inputs, &InputOptions::default()).unwrap();
    let expected = ["1|1|-|-", "1|-|1|-", "3|-|-|x", "4|-|-|-"];
    assert_eq!(rows(&all), expected);
    assert!(
        all.schema()
            .fields()
            .iter()
            .skip(1)
            .all(|field| field.is_nullable())
    );
}

#[test]
fn types_of_inputs_widen_exactly_or_both_files_are_named() {
    let one = |column: ArrayRef| parquet(&RecordBatch::try_from_iter([("a", column)]).unwrap());
    let files = Files::new(&[
        ("int64.parquet", &one(Arc::new(Int64Array::from(vec![-1])))),
        (
            "uint64.parquet",
            &one(Arc::new(UInt64Array::from(vec![u64::MAX]))),
        ),
        ("int32.parquet", &one(Arc::new(Int32Array::from(vec![7])))),
        (
            "float64.parquet",
            &one(Arc::new(Float64Array::from(vec![0.5]))),
        ),
        (
            "ms.parquet",
            &one(Arc::new(TimestampMillisecondArray::from(vec![1]))),
        ),
        (
            "us.parquet",
            &one(Arc::new(TimestampMicrosecondArray::from(vec![1]))),
        ),
        ("text.parquet", &one(Arc::new(StringArray::from(vec!["x"])))),
        ("whole.csv", b"a\n7\n"),
    ]);
    for (inputs, data_type, expected) in [
        (
            ["int64.parquet", "uint64.parquet"],
            "Decimal128(20, 0)",
            ["-1", "18446744073709551615"],
        ),
        (
            ["uint64.parquet", "int64.parquet"],
            "Decimal128(20, 0)",
            ["18446744073709551615", "-1"],
        ),
        (
            ["int32.parquet", "float64.parquet"],
            "Float64",
            ["7.0", "0.5"],
        ),
        (
            ["us.parquet", "ms.parquet"],
            "Timestamp(µs)",
            ["1970-01-01T00:00:00.000001", "1970-01-01T00:00:00.001"],
        ),
        (["float64.parquet", "whole.csv"], "Float64", ["0.5", "7.0"]),
    ] {
        let batch = files.read(&inputs, &InputOptions::default()).unwrap();
        assert_eq!(types(&batch)[0].to_string(), data_type);
        assert_eq!(rows(&batch), expected);
    }
    for (inputs, is, was) in [
        (["int64.parquet", "float64.parquet"], "Float64", "Int64"),
        (["text.parquet", "ms.parquet"], "Timestamp(ms)", "Utf8"),
    ] {
        let expected = format!(
            "{}: column `a` is {is}, but {was} in {}, and no type holds the values of both; \
             cast it in one of the files, or write them to different data sets",
            inputs[1], inputs[0]
        );
        assert_eq!(files.error(&inputs, &InputOptions::default()), expected);
    }
}

#[test]
fn after_an_error_there_is_nothing_more() {
    let files = Files::new(&[("a.csv", b"a\n1\n2\nx\n"), ("b.csv", b"a\n1\n")]);
    let options = options(|o| {
        o.infer_rows = 1;
        o.batch_size = 2;
    });
    let mut input = files.open(&["a.csv", "b.csv"], &options).unwrap();
    assert!(input.next().unwrap().is_ok());
    assert!(input.next().unwrap().is_err());
    assert!(input.next().is_none());
    assert!(input.current_path().ends_with("a.csv"));
}

#[test]
fn progress_reaches_the_total() {
    let batch = csv(WEATHER).unwrap();
    let files = Files::new(&[
        ("1.csv", WEATHER.as_bytes()),
        ("2.csv.gz", &gzip(WEATHER.as_bytes())),
        ("3.parquet", &parquet(&batch)),
        ("4.parquet.gz", &gzip(&parquet(&batch))),
        ("5.arrow", &ipc_file(&batch)),
        ("6.arrows", &ipc_stream(&batch)),
    ]);
    let options = options(|o| o.batch_size = 2);
    let mut input = files.open(&["*"], &options).unwrap();
    let total = input.bytes_total().unwrap();
    let lengths = std::fs::read_dir(files.0.path()).unwrap();
    assert_eq!(
        total,
        lengths
            .map(|e| e.unwrap().metadata().unwrap().len())
            .sum::<u64>()
    );
    let mut read = 0;
    while let Some(batch) = input.next() {
        batch.unwrap();
        assert!(input.bytes_read() >= read);
        read = input.bytes_read();
    }
    assert_eq!(input.bytes_read(), total);
}

#[test]
fn progress_moves_within_a_file() {
    let batch = csv(WEATHER).unwrap();
    let files = Files::new(&[("a.parquet", &parquet(&batch))]);
    let options = options(|o| o.batch_size = 1);
    let mut input = files.open(&["a.parquet"], &options).unwrap();
    let total = input.bytes_total().unwrap();
    assert_eq!(input.bytes_read(), 0);
    for rows in 1..=3 {
        input.next().unwrap().unwrap();
        assert_eq!(input.bytes_read(), total * rows / 3);
    }
}

#[test]
fn the_interrupt_flag_ends_reading() {
    let files = Files::new(&[("a.csv", WEATHER.as_bytes())]);
    let options = options(|o| o.batch_size = 1);
    let interrupt = Arc::new(AtomicBool::new(false));
    let mut input = open(&[files.path("a.csv")], &options, interrupt.clone()).unwrap();
    assert!(input.next().unwrap().is_ok());
    interrupt.store(true, Ordering::Relaxed);
    let error = input.next().unwrap().unwrap_err();
    assert!(matches!(error, InputError::Interrupted { .. }), "{error}");
    assert!(input.next().is_none());
    let error = open(&[files.path("a.csv")], &options, interrupt)
        .err()
        .unwrap();
    assert!(matches!(error, InputError::Interrupted { .. }), "{error}");
}

#[cfg(unix)]
fn named_pipe(path: &str) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_read_like_a_file() {
    let files = Files::new(&[]);
    let path = files.path("a.csv");
    named_pipe(&path);
    let writer = std::thread::spawn(move || {
        let mut pipe = File::options().write(true).open(&path).unwrap();
        for byte in "\u{feff}a\n1\n".bytes() {
            pipe.write_all(&[byte]).unwrap();
        }
    });
    let input = files.open(&["a.csv"], &InputOptions::default()).unwrap();
    assert_eq!(input.bytes_total(), None);
    let batches: Vec<RecordBatch> = input.map(Result::unwrap).collect();
    assert_eq!(rows(&batches[0]), ["1"]);
    assert_eq!(batches[0].schema().field(0).name(), "a");
    writer.join().unwrap();
}

#[cfg(unix)]
#[test]
fn waiting_for_a_pipe_can_be_interrupted_in_every_format() {
    for (name, head) in [
        ("a.csv", &b"a\n1\n"[..]),
        ("a.json", b"{\"a\":1}\n"),
        ("a.csv.gz", b"\x1f\x8b\x08"),
        ("a.csv.zst", b"\x28\xb5\x2f\xfd"),
        ("a.arrows", b"\xff\xff\xff\xff"),
        ("a.parquet", b"PAR1"),
    ] {
        let files = Files::new(&[]);
        let path = files.path(name);
        named_pipe(&path);
        let interrupt = Arc::new(AtomicBool::new(false));
        let flag = interrupt.clone();
        let reader = std::thread::spawn({
            let path = path.clone();
            move || open(&[path], &InputOptions::default(), flag).err().unwrap()
        });
        let mut pipe = File::options().write(true).open(&path).unwrap();
        pipe.write_all(head).unwrap();
        interrupt.store(true, Ordering::Relaxed);
        let error = reader.join().unwrap();
        assert!(
            matches!(error, InputError::Interrupted { .. }),
            "{name}: {error}"
        );
        drop(pipe);
    }
}

#[test]
fn a_row_without_end_is_refused_before_it_fills_the_memory() {
    let long = "x".repeat(ROW_BYTES as usize + 1_000_000);
    let text = format!("a,b\n1,\"{long}\"\n");
    assert_eq!(
        csv_error(&text),
        format!("a.csv, line 2: a row of more than {ROW_BYTES} bytes; is a quote left open?")
    );
    let error = json_error(&format!("{{\"a\":1}}\n{{\"a\":\"{long}\"}}\n"));
    assert!(
        error.starts_with("a.json, line 2: a row of more than"),
        "{error}"
    );
}

#[test]
fn a_flipped_byte_is_an_error_or_harmless_and_never_a_panic() {
    let batch = csv(WEATHER).unwrap();
    let mut damaged = 0;
    for (name, bytes) in [
        ("a.parquet", parquet(&batch)),
        ("a.arrow", ipc_file(&batch)),
        ("a.arrows", ipc_stream(&batch)),
    ] {
        for at in (0..bytes.len()).step_by(3) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x80;
            let files = Files::new(&[(name, &bytes)]);
            let read = files.read(&[name], &InputOptions::default());
            damaged += u32::from(matches!(read, Err(InputError::Damaged { .. })));
        }
    }
    assert!(damaged > 0, "no decoder panics any more: the guard can go");
}

/// A Parquet file of one column `t` of INT96: nanoseconds of the day and the Julian day of each value.
fn int96(values: &[(u64, u32)]) -> Vec<u8> {
    use parquet::data_type::{Int96, Int96Type};
    use parquet::file::writer::SerializedFileWriter;
    let schema = "message schema { optional int96 t; }";
    let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let values: Vec<Int96> = values
        .iter()
        .map(|(nanoseconds, day)| {
            let mut value = Int96::new();
            let low = (nanoseconds & 0xffff_ffff) as u32;
            value.set_data(low, (nanoseconds >> 32) as u32, *day);
            value
        })
        .collect();
    let levels = vec![1; values.len()];
    let typed = column.typed::<Int96Type>();
    typed.write_batch(&values, Some(&levels), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn int96_is_read_in_the_unit_that_holds_all_its_values() {
    let (in_2024, in_9999, in_300000) = ((1_500, 2_460_311), (2_000, 5_373_484), (0, 110_000_000));
    let nanoseconds = int96(&[in_2024]);
    let files = Files::new(&[
        ("1.parquet", &nanoseconds),
        ("2.parquet", &int96(&[in_9999])),
        ("both.parquet", &int96(&[(0, 2_460_311), in_9999])),
        ("cut.parquet", &int96(&[in_9999, in_2024])),
        ("beyond.parquet", &int96(&[in_9999, in_300000])),
        ("whole.parquet", &int96(&[(0, 2_460_311)])),
    ]);
    let unit = |unit| DataType::Timestamp(unit, None);
    let options = InputOptions::default();
    let batch = files.read(&["1.parquet"], &options).unwrap();
    assert_eq!(types(&batch), [unit(TimeUnit::Nanosecond)]);
    assert_eq!(rows(&batch), ["2024-01-01T00:00:00.000001500"]);
    for names in [&["both.parquet"][..], &["whole.parquet", "2.parquet"]] {
        let batch = files.read(names, &options).unwrap();
        assert_eq!(types(&batch), [unit(TimeUnit::Microsecond)]);
        assert_eq!(
            rows(&batch),
            ["2024-01-01T00:00:00", "9999-12-31T00:00:00.000002"]
        );
    }
    for (names, message) in [
        (
            &["cut.parquet"][..],
            "cut.parquet, row 2: column `t`: a timestamp has nanoseconds, but others of the column are beyond the years that those hold; cast it to a timestamp or a text in the file",
        ),
        (
            &["1.parquet", "2.parquet"],
            "1.parquet, row 1: column `t`: a timestamp has nanoseconds, but others of the column are beyond the years that those hold; cast it to a timestamp or a text in the file",
        ),
        (
            &["beyond.parquet"],
            "beyond.parquet, row 2: column `t`: a timestamp is beyond the years that microseconds hold; cast it to a timestamp or a text in the file",
        ),
    ] {
        assert_eq!(files.error(names, &options), message);
    }
}

#[test]
fn parquet_whose_footer_contradicts_its_row_groups_is_refused() {
    for name in ["rows-disagree.parquet", "rows-negative.parquet"] {
        let path = format!("{}/../testdata/odd/{name}", env!("CARGO_MANIFEST_DIR"));
        let error = open(&[path], &InputOptions::default(), Arc::default())
            .err()
            .unwrap();
        // A negative number may have stopped the decoder before.
        let damaged = matches!(
            error,
            InputError::RowCount { .. } | InputError::Damaged { .. }
        );
        assert!(damaged, "{name}: {error}");
    }
}

#[test]
fn inputs_with_types_are_united() {
    let batch = |columns: Vec<(&str, Arc<dyn Array>)>| {
        parquet(&RecordBatch::try_from_iter(columns).unwrap())
    };
    let int64 = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as Arc<dyn Array>;
    let texts = |text: &str| Arc::new(StringArray::from(vec![text])) as Arc<dyn Array>;
    let in_form =
        |text: &str, data_type: &DataType| arrow::compute::cast(&texts(text), data_type).unwrap();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let files = Files::new(&[
        (
            "1.parquet",
            &batch(vec![("a", int64(&[1])), ("s", texts("x"))]),
        ),
        (
            "order.parquet",
            &batch(vec![("s", texts("y")), ("a", int64(&[2]))]),
        ),
        (
            "large.parquet",
            &batch(vec![
                ("a", int64(&[2])),
                ("s", in_form("y", &DataType::LargeUtf8)),
            ]),
        ),
        (
            "view.parquet",
            &batch(vec![
                ("a", int64(&[2])),
                ("s", in_form("y", &DataType::Utf8View)),
            ]),
        ),
        (
            "dictionary.parquet",
            &batch(vec![("a", int64(&[2])), ("s", in_form("y", &dictionary))]),
        ),
        (
            "null.parquet",
            &batch(vec![("a", int64(&[2])), ("s", Arc::new(NullArray::new(1)))]),
        ),
        (
            "narrow.parquet",
            &batch(vec![
                ("a", Arc::new(Int16Array::from(vec![2]))),
                ("s", texts("y")),
            ]),
        ),
        ("text.csv", b"s,a\ny,2\n"),
    ]);
    for name in [
        "order.parquet",
        "large.parquet",
        "view.parquet",
        "dictionary.parquet",
        "null.parquet",
        "narrow.parquet",
        "text.csv",
    ] {
        let other = if name == "null.parquet" { "2|-" } else { "2|y" };
        let batch = files
            .read(&["1.parquet", name], &InputOptions::default())
            .unwrap();
        assert_eq!(rows(&batch), ["1|x", other], "{name}");
        assert_eq!(types(&batch), [DataType::Int64, DataType::Utf8], "{name}");
        let batch = files
            .read(&[name, "1.parquet"], &InputOptions::default())
            .unwrap();
        assert_eq!(
            batch.column_by_name("a").unwrap().data_type(),
            &DataType::Int64
        );
        assert_eq!(batch.num_rows(), 2, "{name}");
        assert_ne!(
            batch.column_by_name("s").unwrap().data_type(),
            &DataType::Null
        );
    }
}

#[test]
fn nulls_below_a_column_are_taken_where_the_first_input_has_none() {
    let list = |nullable, value: Option<i64>| {
        let item = Arc::new(Field::new_list_field(DataType::Int64, nullable));
        let values = Arc::new(Int64Array::from(vec![value]));
        let offsets = arrow::buffer::OffsetBuffer::from_lengths([1]);
        let list = arrow::array::ListArray::new(item, offsets, values, None);
        let field = Field::new("l", list.data_type().clone(), false);
        RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::new(list)]).unwrap()
    };
    let files = Files::new(&[
        ("1.arrow", &ipc_file(&list(false, Some(1)))),
        ("2.arrow", &ipc_file(&list(true, None))),
    ]);
    let batch = files
        .read(&["1.arrow", "2.arrow"], &InputOptions::default())
        .unwrap();
    assert_eq!(rows(&batch), ["[1]", "[]"]);
    let DataType::List(item) = &types(&batch)[0] else {
        panic!("not a list");
    };
    assert!(item.is_nullable());
}

#[test]
fn an_arrow_stream_of_before_the_mark_is_read() {
    use arrow::ipc::MetadataVersion;
    use arrow::ipc::writer::IpcWriteOptions;
    let batch = csv("a,b\n1,x\n2,y\n").unwrap();
    let legacy = IpcWriteOptions::try_new(8, true, MetadataVersion::V4).unwrap();
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), legacy).unwrap();
    writer.write(&batch).unwrap();
    let stream = writer.into_inner().unwrap();
    assert!(!stream.starts_with(&[0xff; 4]));
    let files = Files::new(&[
        ("a.arrows", &stream),
        ("cut.arrows", &stream[..stream.len() - 8]),
    ]);
    assert_eq!(
        files.read(&["a.arrows"], &InputOptions::default()).unwrap(),
        batch
    );
    let error = files.error(&["cut.arrows"], &InputOptions::default());
    assert!(error.contains("cut short"), "{error}");
}

#[test]
fn an_arrow_stream_of_another_byte_order_is_refused() {
    use arrow::ipc::{Endianness, MessageBuilder, MessageHeader, MetadataVersion, SchemaBuilder};
    let mut builder = flatbuffers::FlatBufferBuilder::new();
    let fields = builder.create_vector::<flatbuffers::ForwardsUOffset<arrow::ipc::Field<'_>>>(&[]);
    let mut schema = SchemaBuilder::new(&mut builder);
    schema.add_endianness(Endianness::Big);
    schema.add_fields(fields);
    let schema = schema.finish().as_union_value();
    let mut message = MessageBuilder::new(&mut builder);
    message.add_version(MetadataVersion::V5);
    message.add_header_type(MessageHeader::Schema);
    message.add_header(schema);
    let message = message.finish();
    builder.finish(message, None);
    let message = builder.finished_data();
    let len = u32::try_from(message.len()).unwrap().to_le_bytes();
    let end = [&[0xff; 4][..], &[0; 4]].concat();
    for mark in [&[0xff; 4][..], &[]] {
        let stream = [mark, &len, message, &end].concat();
        let files = Files::new(&[("a.arrows", &stream)]);
        let error = files
            .read(&["a.arrows"], &InputOptions::default())
            .unwrap_err();
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains("byte order"), "{cause}");
    }
}

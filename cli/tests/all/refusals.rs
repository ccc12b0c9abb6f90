//! What cannot be kept is refused: every message names the column, the row or line, the value, and what to do.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array,
    ListArray, RecordBatch, StringArray, StructArray, Time32SecondArray, Time64NanosecondArray,
    TimestampSecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Int8Type, Schema};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use atomic_arrow::{Face, Remedy};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::run::Place;

/// Text that is refused: its name, what is in it, options, and what the message has, of which the last is what to do.
fn texts() -> Vec<(&'static str, String, &'static str, Vec<&'static str>)> {
    let many = |row: fn(usize) -> String| (0..200).map(row).collect::<String>();
    let set = "set another type with --schema";
    let lines = |first: &str, second: &str| format!("{first}\n{second}\n");
    vec![
        (
            "n.csv",
            lines("a", "1\nx"),
            "a=int64",
            vec!["line 3", "column `a`", "`x`", set],
        ),
        (
            "o.csv",
            format!("a\n{}", many(|n| format!("x{n}\n"))),
            "a=Dictionary(Int8, Utf8)",
            vec!["line 130", "column `a`", "`x128`", set],
        ),
        (
            "b.csv",
            lines("a", &format!("x{}", "y".repeat(500))),
            "a=int64",
            vec!["line 2", "column `a`", "… (501 bytes)", set],
        ),
        (
            "d.csv",
            lines("a", "100"),
            "a=Decimal128(5, -2)",
            vec![
                "column \"a\"",
                "negative scale",
                "cast it to a decimal of 7 digits and scale 0",
            ],
        ),
        (
            "i.csv",
            lines("a", "1 day"),
            "a=Interval(DayTime)",
            vec!["column \"a\"", "an interval", "or as text"],
        ),
        (
            "u.csv",
            lines("a", "1"),
            "a=Duration(s)",
            vec!["column `a`", "Duration(s)", "read it as string"],
        ),
        (
            "a.ndjson",
            lines(r#"{"a":1}"#, r#"{"a":2.5}"#),
            "a=int64",
            vec!["line 2", "column `a`", "`2.5`", set],
        ),
        (
            "b.ndjson",
            lines(r#"{"a":1}"#, r#"{"a":{"b":1}}"#),
            "a=int64",
            vec!["line 2", "column `a`", r#"`{"b":1}`"#, set],
        ),
        (
            "c.ndjson",
            lines(r#"{"a":true}"#, r#"{"a":"yes"}"#),
            "a=bool",
            vec![
                "line 2",
                "column `a`",
                "`\"yes\"` cannot be kept as Boolean",
                set,
            ],
        ),
        (
            "d.ndjson",
            lines(r#"{"a":[{"b":1}]}"#, r#"{"a":[{"b":1},{"b":"x"}]}"#),
            r#"a=List(Struct("b": Int64))"#,
            vec!["line 2", "column `a[].b`", "`x`", set],
        ),
        (
            "e.ndjson",
            lines(r#"{"a":{"b":1}}"#, r#"{"a":{"c":1}}"#),
            r#"a=Struct("b": Int64)"#,
            vec![
                "line 2",
                "the key `a.c`",
                "name it in --schema, or take it out",
            ],
        ),
        (
            "f.ndjson",
            lines(r#"{"a":"2020-01-01"}"#, r#"{"a":"2020-01-01T10:00:00"}"#),
            "a=date",
            vec!["line 2", "column `a`", "`2020-01-01T10:00:00`", set],
        ),
        (
            "g.ndjson",
            many(|n| format!("{{\"a\":\"x{n}\"}}\n")),
            "a=Dictionary(Int8, Utf8)",
            vec!["line 129", "column `a`", "`x128`", set],
        ),
        (
            "h.ndjson",
            lines(r#"{"a":{"b":["x"]}}"#, r#"{"a":{"b":["\ud800"]}}"#),
            "",
            vec![
                "line 2",
                r"`\ud800`",
                "write the whole pair, or take it out",
            ],
        ),
        (
            "i.ndjson",
            lines(r#"{"a":1}"#, r#"{"\udc00":1}"#),
            "",
            vec![
                "line 2",
                r"`\udc00`",
                "write the whole pair, or take it out",
            ],
        ),
        (
            "j.ndjson",
            lines(r#"{"a":1}"#, "17"),
            "",
            vec!["line 2", "mend it, or take it out"],
        ),
    ]
}

#[test]
fn text_is_refused_with_column_line_value_and_remedy() {
    for (name, text, schema, says) in texts() {
        let place = Place::new();
        place.file(name, text);
        let mut args = vec!["write", name, "--to", "lake"];
        if !schema.is_empty() {
            args.extend(["--schema", schema]);
        }
        let mut ran = place.run(args).exits(1);
        for said in &says {
            ran = ran.says(said);
        }
        assert!(
            !ran.stderr.contains("NYI") && !ran.stderr.contains(" error: "),
            "{name}: {}",
            ran.stderr
        );
        assert_eq!(place.files("lake"), [""; 0], "{name}");
    }
}

#[test]
fn whole_surrogate_pairs_and_escaped_backslashes_are_text() {
    let place = Place::new();
    place.file(
        "in.ndjson",
        "{\"a\":\"\\ud83d\\ude00\"}\n{\"a\":\"\\\\ud800\"}\n",
    );
    place.run(["write", "in.ndjson", "--to", "lake"]).exits(0);
}

fn required(data_type: DataType) -> Field {
    Field::new("x", data_type, false)
}

/// Columns that are refused, with the options, and what the message has.
fn columns() -> Vec<(ArrayRef, &'static str, Vec<&'static str>)> {
    let holes: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]));
    let far = TimestampSecondArray::from(vec![0, i64::MAX]);
    let zone = TimestampSecondArray::from(vec![0]).with_timezone("Mars/Base");
    let nan: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN]));
    let list = |values: ArrayRef| -> ArrayRef {
        let item = Arc::new(Field::new("item", values.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths([1, values.len() - 1]);
        Arc::new(ListArray::new(item, offsets, values, None))
    };
    let nested: ArrayRef = Arc::new(StructArray::new(
        vec![Field::new("x", list(nan.clone()).data_type().clone(), true)].into(),
        vec![list(nan.clone())],
        Some(NullBuffer::from(vec![true, true])),
    ));
    let numbers =
        DictionaryArray::<Int8Type>::new(vec![0].into(), Arc::new(Int32Array::from(vec![1])));
    let decimals = Decimal128Array::from(vec![1])
        .with_precision_and_scale(5, -2)
        .unwrap();
    let json = "--format ndjson";
    let csv = "--format csv";
    vec![
        (
            Arc::new(decimals),
            "",
            vec!["\"c\"", "negative scale", "7 digits and scale 0"],
        ),
        (
            Arc::new(far.clone()),
            "",
            vec![
                "\"c\", row 1",
                "9223372036854775807",
                "write Arrow IPC, or leave the value out",
            ],
        ),
        (
            list(Arc::new(far.clone())),
            "",
            vec![
                "\"c[]\", row 1",
                "9223372036854775807",
                "leave the value out",
            ],
        ),
        (
            Arc::new(far.clone()),
            csv,
            vec![
                "\"c\", row 1",
                "9223372036854775807",
                "write Parquet or Arrow IPC",
            ],
        ),
        (
            Arc::new(far),
            json,
            vec![
                "\"c\", row 1",
                "9223372036854775807",
                "write Parquet or Arrow IPC",
            ],
        ),
        (
            list(holes.clone()),
            csv,
            vec!["\"c\"", "List(Int64)", "or give it as text"],
        ),
        (
            nan,
            json,
            vec![
                "\"c\", row 1",
                "NaN",
                "have it written as null or as a text",
            ],
        ),
        (
            nested,
            json,
            vec![
                "\"c.x[]\", row 1",
                "NaN",
                "have it written as null or as a text",
            ],
        ),
        (
            list(holes.clone()),
            "--partition-by c",
            vec!["\"c\"", "List(Int64)", "cast it to text"],
        ),
        (
            Arc::new(numbers),
            "--partition-by c --format csv",
            vec!["every column is a partition key"],
        ),
        (
            Arc::new(zone),
            "--partition-by c",
            vec!["\"c\"", "Mars/Base", "IANA"],
        ),
    ]
}

#[test]
fn columns_are_refused_with_path_row_value_and_remedy() {
    for (column, args, says) in columns() {
        let place = Place::new();
        let field = Field::new("c", column.data_type().clone(), true);
        let mut fields = vec![field];
        let mut all = vec![column];
        if args.contains("-by c") && !args.contains("csv") {
            fields.push(Field::new("v", DataType::Int64, true));
            all.push(Arc::new(Int64Array::from(vec![1; all[0].len()])));
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), all).unwrap();
        let file = File::create(place.path("in.arrow")).unwrap();
        let mut writer = FileWriter::try_new(file, &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        let args = format!("write in.arrow --to lake {args}");
        let mut ran = place.run(args.split_whitespace()).exits(1);
        for said in &says {
            ran = ran.says(said);
        }
        let foreign = ["NYI", "Json error", "Csv error", "Cast error", "External"];
        assert!(
            !foreign.iter().any(|word| ran.stderr.contains(word)),
            "{}",
            ran.stderr
        );
        assert_eq!(place.files("lake"), [""; 0]);
    }
}

/// A null where the schema has none cannot be made with checked arrays, and other writers make it.
#[test]
fn nulls_where_the_schema_has_none_are_refused_with_their_row() {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let within = |nullable: bool| -> (Field, ArrayRef) {
        let field = required(DataType::Int64).with_nullable(nullable);
        let array = StructArray::new(
            vec![Field::new("x", DataType::Int64, true)].into(),
            vec![values.clone()],
            None,
        );
        (Field::new_struct("c", vec![field], true), Arc::new(array))
    };
    let cases = [
        ((required(DataType::Int64), values.clone()), "\"x\", row 3"),
        (within(false), "\"c.x\", row 3"),
    ];
    for ((field, column), said) in cases {
        for stream in [true, false] {
            let place = Place::new();
            // The schema that the file says is not that of its batches.
            let said_schema = Schema::new(vec![field.clone()]);
            let open = Schema::new(vec![Field::new(
                field.name(),
                column.data_type().clone(),
                true,
            )]);
            let good: ArrayRef = column.slice(0, 1);
            let good = arrow::compute::concat(&[good.as_ref(), good.as_ref()]).unwrap();
            let batches = [good, column.clone()]
                .map(|column| RecordBatch::try_new(Arc::new(open.clone()), vec![column]).unwrap());
            let name = if stream { "in.arrows" } else { "in.arrow" };
            let file = File::create(place.path(name)).unwrap();
            if stream {
                let mut writer = StreamWriter::try_new(file, &said_schema).unwrap();
                batches
                    .iter()
                    .for_each(|batch| writer.write(batch).unwrap());
                writer.finish().unwrap();
            } else {
                let mut writer = FileWriter::try_new(file, &said_schema).unwrap();
                batches
                    .iter()
                    .for_each(|batch| writer.write(batch).unwrap());
                writer.finish().unwrap();
            }
            place
                .run(["write", name, "--to", "lake"])
                .exits(1)
                .says(said)
                .says("fill it, or make the column nullable in the schema");
            assert_eq!(place.files("lake"), [""; 0]);
        }
    }
}

#[test]
fn a_remedy_is_named_as_the_command_has_it_and_helps() {
    let cases = [
        ("--csv-null", " NULL", "null.ndjson", "--format csv"),
        ("--json-non-finite", " null", "nan.csv", "--format ndjson"),
        ("--case-sensitive-names", "", "case.csv", ""),
        ("--schema-check off", "", "text.csv", ""),
        ("--overwrite-table", "", "text.csv", "--mode overwrite"),
    ];
    for (remedy, value, input, args) in cases {
        let place = Place::new();
        place.file("null.ndjson", "{\"c\":null}\n");
        place.file("nan.csv", "c\nNaN\n1.5\n");
        place.file("case.csv", "c,C\n1,2\n");
        place.file("text.csv", "c\nx\n");
        place.file("number.csv", "c\n1\n");
        let write = |args: &str| place.run(format!("write --to lake {args}").split_whitespace());
        match remedy {
            "--schema-check off" => drop(write("number.csv").exits(0)),
            "--overwrite-table" => drop(place.file("lake/_delta_log/0.json", "{}")),
            _ => {}
        }
        let ran = write(&format!("{input} {args}"));
        assert!(!matches!(ran.code, Some(0)), "{remedy}");
        let ran = ran.says(&format!("`{remedy}`"));
        for told in Remedy::ALL {
            for face in [Face::Library, Face::Python] {
                let elsewhere = told.spelled(face);
                assert!(
                    !ran.stderr.contains(elsewhere),
                    "{elsewhere}: {}",
                    ran.stderr
                );
            }
        }
        assert!(
            Remedy::ALL
                .iter()
                .any(|told| told.spelled(Face::Command) == remedy)
        );
        write(&format!("{input} {args} {remedy}{value}")).exits(0);
    }
    // Giving a commit up is a remedy of errors that are tested where users share a data set.
    assert_eq!(cases.len() + 1, Remedy::ALL.len());
}

/// Makes an Arrow IPC file of one column `c`.
fn arrow_file(place: &Place, name: &str, field: Field, column: ArrayRef) {
    let schema = Arc::new(Schema::new(vec![field.with_name("c")]));
    let batch = RecordBatch::try_new(schema, vec![column]).unwrap();
    let file = File::create(place.path(name)).unwrap();
    let mut writer = FileWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
}

#[test]
fn categories_in_another_order_are_refused_within_a_write_and_by_an_append() {
    let place = Place::new();
    let words = |name: &str, categories: &[&str], ordered: bool| {
        let categories: ArrayRef = Arc::new(StringArray::from(categories.to_vec()));
        let column = DictionaryArray::<Int8Type>::new(vec![0].into(), categories);
        let column: ArrayRef = Arc::new(column);
        let field = Field::new("", column.data_type().clone(), true);
        arrow_file(&place, name, field.with_dict_is_ordered(ordered), column);
    };
    words("up.arrow", &["small", "medium", "large"], true);
    words("more.arrow", &["small", "medium", "large", "huge"], true);
    words("down.arrow", &["large", "medium", "small"], true);
    words("none.arrow", &["small"], false);
    place.file("plain.csv", "c\nsmall\n");
    for format in ["parquet", "ipc"] {
        let write = |args: &str| {
            let all = format!("write --to {format} --format {format} {args}");
            place.run(all.split_whitespace())
        };
        write("up.arrow").exits(0);
        for other in ["down.arrow", "none.arrow", "plain.csv"] {
            // Of Arrow IPC the order is compared with what a file has of it in its metadata.
            if format == "ipc" && other == "down.arrow" {
                continue;
            }
            write(other)
                .exits(5)
                .says("column \"c\" is")
                .says("cast it to its values")
                .says("`--schema-check off`");
        }
        write("more.arrow").exits(0);
        let other = format!("up.arrow down.arrow --to {format}2");
        place
            .run(format!("write --format {format} {other}").split_whitespace())
            .exits(1)
            .says("column \"c\"");
    }
}

#[test]
fn values_that_their_type_does_not_have_are_refused_in_every_format() {
    let decimals = Decimal128Array::from(vec![99_999, 100_000]);
    let columns: [(ArrayRef, &str); 3] = [
        (
            Arc::new(decimals.with_precision_and_scale(5, 2).unwrap()),
            "1000.00",
        ),
        (Arc::new(Time32SecondArray::from(vec![0, 86_400])), "86400"),
        (Arc::new(Time64NanosecondArray::from(vec![0, -1])), "-1"),
    ];
    for (column, value) in columns {
        let place = Place::new();
        let field = Field::new("", column.data_type().clone(), true);
        arrow_file(&place, "in.arrow", field, column);
        for format in ["parquet", "ipc", "ndjson", "csv"] {
            place
                .run(["write", "in.arrow", "--to", "lake", "--format", format])
                .exits(1)
                .says("column \"c\", row 1: ")
                .says(value);
            assert_eq!(place.files("lake"), [""; 0]);
        }
    }
}

#[test]
fn geometries_of_two_coordinate_systems_are_refused_and_a_box_of_some_rows_is_left_out() {
    let place = Place::new();
    let points = |name: &str, geo: Option<&str>| {
        let metadata = geo.map(|geo| ("geo".to_owned(), geo.to_owned()));
        let field = Field::new("c", DataType::Binary, true);
        let schema = Schema::new_with_metadata(vec![field], metadata.into_iter().collect());
        let points: ArrayRef = Arc::new(BinaryArray::from(vec![&[1_u8, 1][..]]));
        let batch = RecordBatch::try_new(Arc::new(schema), vec![points]).unwrap();
        let file = File::create(place.path(name)).unwrap();
        let mut writer = FileWriter::try_new(file, batch.schema_ref()).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    };
    let geo = |code: u32, bbox: &str| {
        format!(
            r#"{{"version":"1.1.0","primary_column":"c","columns":{{"c":{{"encoding":"WKB","geometry_types":["Point"],
            "crs":{{"id":{{"authority":"EPSG","code":{code}}}}},"bbox":{bbox}}}}}}}"#
        )
    };
    points("swiss.arrow", Some(&geo(2056, "[0,0,1,1]")));
    points("east.arrow", Some(&geo(2056, "[5,5,6,6]")));
    points("world.arrow", Some(&geo(4326, "[0,0,1,1]")));
    points("plain.arrow", None);
    for other in ["world.arrow", "plain.arrow"] {
        let (one, two) = (["swiss.arrow", other], [other, "swiss.arrow"]);
        for [first, then] in [one, two] {
            place
                .run(["write", first, then, "--to", "both"])
                .exits(1)
                .says(then)
                .says("column `c` is, in ")
                .says("EPSG:2056")
                .says("reproject the geometries to one CRS");
            assert_eq!(place.files("both"), [""; 0]);
        }
    }
    let written = ["write", "swiss.arrow", "east.arrow", "--to", "lake"];
    place.run(written).exits(0);
    let files = place.files("lake");
    let file = File::open(place.path("lake").join(&files[0])).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let stored = &reader.schema().metadata()["geo"];
    assert!(
        stored.contains("2056") && !stored.contains("bbox"),
        "{stored}"
    );
    for other in ["world.arrow", "plain.arrow"] {
        place
            .run(["write", other, "--to", "lake"])
            .exits(5)
            .says("column \"c\" is")
            .says("EPSG:2056")
            .says("reproject the geometries to one CRS");
    }
    place.run(["write", "east.arrow", "--to", "lake"]).exits(0);
}

#[test]
fn values_of_another_extension_type_are_refused_by_an_append() {
    let place = Place::new();
    let periods = |name: &str, frequency: &str| {
        let metadata = [
            ("ARROW:extension:name", "pandas.period".to_owned()),
            (
                "ARROW:extension:metadata",
                format!("{{\"freq\": \"{frequency}\"}}"),
            ),
        ];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
        let field = Field::new("", DataType::Int64, true).with_metadata(metadata.into());
        arrow_file(&place, name, field, Arc::new(Int64Array::from(vec![1])));
    };
    periods("days.arrow", "D");
    periods("months.arrow", "M");
    place.run(["write", "days.arrow", "--to", "lake"]).exits(0);
    place.run(["write", "days.arrow", "--to", "lake"]).exits(0);
    place
        .run(["write", "months.arrow", "--to", "lake"])
        .exits(5)
        .says("column \"c\" is")
        .says("pandas.period")
        .says("convert it to one storage type");
    assert_eq!(place.files("lake").len(), 2);
}

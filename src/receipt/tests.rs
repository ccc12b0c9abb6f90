//! What receipts say, that they come back from JSON as they were, and what is not taken for one.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Int8Type, Schema, TimeUnit, i256};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::StagingPlace;
use crate::partition::{Partition, PartitionValue};

fn every_value() -> Vec<PartitionValue> {
    vec![
        PartitionValue::Null,
        true.into(),
        (-7).into(),
        7_u64.into(),
        u64::MAX.into(),
        0.1.into(),
        PartitionValue::Float(2.0),
        PartitionValue::Decimal {
            unscaled: i256::MIN,
            scale: -3,
        },
        "07".into(),
        "New York/../%2F\u{e9}".into(),
        PartitionValue::Date(-1),
        PartitionValue::Timestamp {
            value: 1,
            unit: TimeUnit::Nanosecond,
            time_zone: None,
        },
        PartitionValue::Timestamp {
            value: 1_357_034_400,
            unit: TimeUnit::Second,
            time_zone: Some("America/New_York".into()),
        },
    ]
}

fn typed(partition: &Partition) -> Vec<(String, PartitionValue)> {
    let pairs = partition.iter();
    pairs
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect()
}

fn file(partition: Partition, name: &str) -> FileRecord {
    FileRecord::new(partition, name, 744, 9_120).unwrap()
}

#[test]
fn receipts_and_staged_writes_are_plain_data() {
    fn plain<T: Clone + PartialEq + Send + Sync + 'static>() {}
    plain::<Receipt>();
    plain::<StagedWrite>();
}

fn columns() -> Vec<ColumnStatistics> {
    let bound = |value: StatisticsValue, exact| Some(Bound { value, exact });
    let mut temp = ColumnStatistics::unknown("temp");
    temp.min = bound((-1.5).into(), true);
    temp.max = bound(f64::INFINITY.into(), true);
    temp.null_count = Some(2);
    let mut name = ColumnStatistics::unknown("name");
    name.min = bound(StatisticsValue::Text("a".into()), false);
    name.max = bound(StatisticsValue::Text("b".into()), true);
    let mut count = ColumnStatistics::unknown("count");
    count.min = bound(StatisticsValue::Boolean(false), true);
    count.max = bound(u64::MAX.into(), true);
    vec![temp, name, count]
}

fn receipt() -> Receipt {
    let by_year = |year: i64| Partition::new([("year", year)]).unwrap();
    let whole = file(by_year(2013), "part-0.parquet")
        .with_columns(columns())
        .with_content_hash(0xfe)
        .with_footer_bytes(812)
        .with_row_groups(1);
    let files = vec![
        whole,
        file(by_year(2013), "part-1.parquet"),
        file(by_year(2014), "part-2.csv"),
    ];
    Receipt::new(Uuid::from_u128(7), CommitMode::OverwritePartitions, files)
        .unwrap()
        .with_write_id("hourly 2013-01-31")
        .unwrap()
        .with_removed(["year=2013/part-old.parquet", "odd directory/x"])
        .unwrap()
}

fn json() -> Value {
    serde_json::from_str(&receipt().to_json().unwrap()).unwrap()
}

/// What is wrong with a text, the cause included.
fn refusal(json: &Value) -> String {
    let error = Receipt::from_json(json.to_string()).unwrap_err();
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[test]
fn totals_are_the_sums_over_the_files() {
    let totals = receipt().totals();
    assert_eq!(
        (totals.files, totals.partitions, totals.rows),
        (3, 2, 3 * 744)
    );
    assert_eq!((totals.bytes, totals.removed), (3 * 9_120, 2));
    let none = Receipt::new(Uuid::nil(), CommitMode::Append, vec![]).unwrap();
    assert_eq!(none.totals(), Totals::default());
}

#[test]
fn a_receipt_is_the_documented_json_and_comes_back_from_it() {
    let expected = json!({
        "version": 1,
        "transaction": "00000000-0000-0000-0000-000000000007",
        "write_id": "hourly 2013-01-31",
        "mode": "overwrite_partitions",
        "totals": {"files": 3, "partitions": 2, "rows": 2232, "bytes": 27360, "removed": 2},
        "removed": ["year=2013/part-old.parquet", "odd directory/x"],
    });
    let mut found = json();
    let files = found.as_object_mut().unwrap().remove("files").unwrap();
    assert_eq!(found, expected);
    assert_eq!(
        files[0],
        json!({
            "path": "year=2013/part-0.parquet",
            "partition": [{"key": "year", "value": {"int": 2013}}],
            "rows": 744, "bytes": 9120, "footer_bytes": 812, "row_groups": 1,
            "content_hash": "000000000000000000000000000000fe",
            "columns": [
                {"column": "temp", "min": -1.5, "max": "inf", "null_count": 2},
                {"column": "name", "min": "a", "min_inexact": true, "max": "b"},
                {"column": "count", "min": false, "max": u64::MAX},
            ],
        })
    );
    assert_eq!(
        Receipt::from_json(receipt().to_json().unwrap()).unwrap(),
        receipt()
    );
    let value = serde_json::to_value(receipt()).unwrap();
    assert_eq!(serde_json::from_value::<Receipt>(value).unwrap(), receipt());
}

#[test]
fn every_mode_and_every_type_of_a_key_comes_back() {
    for mode in [
        CommitMode::Append,
        CommitMode::ErrorIfExists,
        CommitMode::ErrorIfAnyExists,
        CommitMode::Ignore,
        CommitMode::OverwritePartitions,
        CommitMode::Overwrite,
    ] {
        let keys = every_value().into_iter().enumerate();
        let partition =
            Partition::new(keys.map(|(at, value)| (format!("key {at}"), value))).unwrap();
        let receipt = Receipt::new(Uuid::max(), mode, vec![file(partition, "x")]).unwrap();
        let back = Receipt::from_json(receipt.to_json().unwrap()).unwrap();
        assert_eq!(back, receipt);
        let (back, given) = (back.files()[0].partition(), receipt.files()[0].partition());
        assert_eq!(typed(back), typed(given));
    }
}

#[test]
fn paths_that_may_lead_elsewhere_are_refused() {
    for path in [
        "", "/", "..", ".", "../x", "a/../x", "a/./x", "./x", "a//x", "/x", "a/", "a/\0", "\0",
    ] {
        let mut hostile = json();
        hostile["removed"][0] = json!(path);
        assert!(refusal(&hostile).contains("path"), "{path:?}");
    }
    for path in [
        "",
        "..",
        "../part-0.parquet",
        "year=2013/../part-0.parquet",
        "/year=2013/part-0.parquet",
        "year=2013//part-0.parquet",
        "./year=2013/part-0.parquet",
        "year=2014/part-0.parquet",
        "part-0.parquet",
        "year=2013/",
        "year=2013/..",
        "year=2013/.hidden",
        "year=2013/_hidden",
        "year=2013/a\\b",
        "year=2013/a\nb",
        "year=2013/month=1/part-0.parquet",
        "year=2013",
    ] {
        let mut hostile = json();
        hostile["files"][0]["path"] = json!(path);
        let told = refusal(&hostile);
        assert!(
            told.contains("path") || told.contains("file name"),
            "{path:?}: {told}"
        );
    }
    let long = format!("year=2013/{}", "x".repeat(256));
    let mut hostile = json();
    hostile["files"][0]["path"] = json!(long);
    assert!(refusal(&hostile).contains("longer than 255 bytes"));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let changed = |pointer: &str, value: Value| {
        let mut hostile = json();
        *hostile.pointer_mut(pointer).unwrap() = value;
        refusal(&hostile)
    };
    let told = changed("/version", json!(2));
    assert!(told.contains("version \"2\": is not known here"), "{told}");
    assert!(changed("/mode", json!("merge")).contains("merge"));
    assert!(changed("/totals/rows", json!(1)).contains("are not those of the files"));
    assert!(changed("/files/1/path", json!("year=2013/part-0.parquet")).contains("twice"));
    assert!(changed("/files/0/rows", json!(-1)).contains("-1"));
    assert!(changed("/files/0/rows", json!(u64::MAX)).contains("beyond 2^63"));
    assert!(changed("/files/0/rows", json!(i64::MAX)).contains("beyond 2^63"));
    assert!(changed("/files/0/content_hash", json!("fe")).contains("hexadecimal"));
    assert!(changed("/files/0/content_hash", json!("+".repeat(32))).contains("hexadecimal"));
    assert!(changed("/files/0/partition/0/key", json!("_x")).contains("partition"));
    assert!(changed("/files/0/partition/0/value", json!({"float": null})).contains("receipt"));
    assert!(
        changed("/files/0/partition/0/value", json!({"int": 1, "uint": 1})).contains("receipt")
    );
    let many: Vec<Value> = (0..1000)
        .map(|at| json!({"key": at.to_string(), "value": null}))
        .collect();
    assert!(changed("/files/0/partition", json!(many)).contains("too many"));
    assert!(changed("/files/0/columns/0/min", json!("x".repeat(5000))).contains("4096"));
    assert!(changed("/files/0/columns/1/min", json!(null)).contains("lacks a bound"));
    assert!(changed("/write_id", json!("")).contains("is empty"));
    assert!(changed("/write_id", json!("a\u{1b}[31m")).contains("control"));
    assert!(changed("/transaction", json!("../..")).contains("receipt"));
}

#[test]
fn fields_that_are_missing_or_unknown_are_refused() {
    for field in [
        "version",
        "transaction",
        "mode",
        "totals",
        "files",
        "removed",
    ] {
        let mut hostile = json();
        hostile.as_object_mut().unwrap().remove(field);
        assert!(refusal(&hostile).contains(field));
    }
    for pointer in [
        "",
        "/totals",
        "/files/0",
        "/files/0/columns/0",
        "/files/0/partition/0",
    ] {
        let mut hostile = json();
        hostile.pointer_mut(pointer).unwrap()["colour"] = json!("blue");
        assert!(refusal(&hostile).contains("colour"), "{pointer}");
    }
    let mut hostile = json();
    hostile["files"][0]["partition"][0]
        .as_object_mut()
        .unwrap()
        .remove("value");
    assert!(refusal(&hostile).contains("value"));
}

#[test]
fn a_text_that_is_cut_or_nested_without_end_is_refused() {
    let whole = receipt().to_json().unwrap();
    for end in 0..whole.len() {
        assert!(Receipt::from_json(&whole.as_bytes()[..end]).is_err());
    }
    assert!(Receipt::from_json("[".repeat(1_000_000)).is_err());
    assert!(Receipt::from_json(format!("{whole}{whole}")).is_err());
}

#[test]
fn what_cannot_be_in_a_receipt_is_refused_when_it_is_made() {
    for name in ["", ".", "..", "a/b", "../a", ".a", "_a", "a\0", "a\u{7f}"] {
        assert!(
            FileRecord::new(Partition::none(), name, 1, 1).is_err(),
            "{name:?}"
        );
    }
    let twice = vec![file(Partition::none(), "a"), file(Partition::none(), "a")];
    assert!(Receipt::new(Uuid::nil(), CommitMode::Append, twice).is_err());
    assert!(FileRecord::new(Partition::none(), "a", u64::MAX, 1).is_err());
    assert!(receipt().with_removed(["/etc/passwd"]).is_err());
    assert!(receipt().with_write_id("x".repeat(5000)).is_err());
    let shown = FileRecord::new(Partition::none(), &"/".repeat(4000), 1, 1).unwrap_err();
    assert!(shown.to_string().len() < 300);
}

#[test]
fn staged_files_come_back_and_stay_in_the_staging_area() {
    let whole = receipt().files()[0].clone();
    for name in [
        "00000.staged",
        "019ab3c4-0000-7000-8000-000000000000/00017.staged",
    ] {
        let staged = StagedFileRecord::new(name, whole.clone()).unwrap();
        let text = serde_json::to_string(&staged).unwrap();
        let back: StagedFileRecord = serde_json::from_str(&text).unwrap();
        assert_eq!((back.staged(), back.file()), (name, &whole));
    }
    let staged = StagedFileRecord::new("00000.staged", whole.clone()).unwrap();
    for name in [
        "",
        ".staged",
        "../0.staged",
        "a/../0.staged",
        "/0.staged",
        "a/b/0.staged",
        "a//0.staged",
        "0.parquet",
        "0.staged/..",
        "a\\0.staged",
        "0\0.staged",
        "a/.staged",
        "0.staged/",
    ] {
        assert!(
            StagedFileRecord::new(name, whole.clone()).is_err(),
            "{name:?}"
        );
        let mut hostile = serde_json::to_value(&staged).unwrap();
        hostile["staged"] = json!(name);
        assert!(
            serde_json::from_value::<StagedFileRecord>(hostile).is_err(),
            "{name:?}"
        );
    }
}

#[test]
fn a_staged_write_comes_back_from_json_and_nothing_else_is_taken_for_one() {
    for place in [
        StagingPlace::Auto,
        StagingPlace::Beside,
        StagingPlace::Inside,
        StagingPlace::Directory("/stage".into()),
    ] {
        let totals = receipt().totals();
        let mode = CommitMode::OverwritePartitions;
        let staged = StagedWrite::new(
            "/lake/weather".into(),
            place,
            Some(Uuid::now_v7()),
            mode,
            totals,
        );
        assert_eq!(
            StagedWrite::from_json(staged.to_json().unwrap()).unwrap(),
            staged
        );
        let part = Part {
            job: Some("monday".to_owned()),
            sequence: Some(u64::MAX),
            task: Some("part 7 of 9".to_owned()),
        };
        let staged = staged.with_part(part).unwrap();
        let timed = staged.clone().with_metrics(metrics());
        assert_eq!(
            StagedWrite::from_json(timed.to_json().unwrap()).unwrap(),
            timed
        );
        let json = staged.to_json().unwrap();
        assert_eq!(StagedWrite::from_json(&json).unwrap(), staged);
        for (field, value) in [
            ("version", json!(2)),
            ("root", json!("lake/weather")),
            ("staging", json!("nowhere")),
            ("staging", json!({"directory": "stage"})),
            ("transaction", json!("../..")),
            ("mode", json!("upsert")),
            ("task", json!("")),
            ("totals", json!(null)),
            ("metrics", json!({"wall_seconds": 1.0})),
            ("more", json!(1)),
        ] {
            let mut hostile: Value = serde_json::from_str(&json).unwrap();
            hostile[field] = value;
            let text = hostile.to_string();
            assert!(StagedWrite::from_json(&text).is_err(), "{text}");
        }
    }
    assert!(StagedWrite::from_json("{}").is_err());
}

fn metrics() -> Metrics {
    Metrics {
        splitting: Duration::from_micros(121),
        encoding: Duration::from_micros(1_842),
        syncing: Duration::ZERO,
        verifying: Duration::from_micros(4_000_000_000_000_001),
        publishing: Duration::from_secs(1),
        wall: Duration::from_millis(2_500),
    }
}

#[test]
fn metrics_are_seconds_in_json_and_come_back_from_it() {
    let timed = receipt().with_metrics(metrics());
    let json = timed.to_json().unwrap();
    let found: Value = serde_json::from_str(&json).unwrap();
    let seconds = json!({
        "splitting_seconds": 0.000121,
        "encoding_seconds": 0.001842,
        "syncing_seconds": 0.0,
        "verifying_seconds": 4_000_000_000.000_001,
        "publishing_seconds": 1.0,
        "wall_seconds": 2.5,
    });
    assert_eq!(found["metrics"], seconds);
    assert_eq!(
        Receipt::from_json(&json).unwrap().metrics(),
        Some(metrics())
    );
    // Nothing is said of a receipt without them, and how long it took makes no other receipt of it.
    assert!(!receipt().to_json().unwrap().contains("metrics"));
    assert_eq!(timed, receipt());
    for (part, value) in [
        ("encoding_seconds", json!(-1.0)),
        ("encoding_seconds", json!(1e300)),
        ("encoding_seconds", json!("1.0")),
        ("encoding_seconds", Value::Null),
        ("more_seconds", json!(1.0)),
    ] {
        let mut hostile = found.clone();
        hostile["metrics"][part] = value;
        assert!(
            Receipt::from_json(hostile.to_string()).is_err(),
            "{hostile}"
        );
    }
}

#[test]
fn a_table_has_a_row_for_each_file() {
    let batch = receipt().to_record_batch().unwrap();
    let names: Vec<String> = batch
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    let documented = [
        "path",
        "partition",
        "rows",
        "bytes",
        "footer_bytes",
        "row_groups",
        "content_hash",
        "columns",
        "transaction",
    ];
    assert_eq!(names, documented);
    assert_eq!(batch.num_rows(), 3);
    let shown = arrow::util::display::ArrayFormatter::try_new(batch.column(7), &Default::default());
    let text = shown.unwrap().value(0).to_string();
    let first =
        "{column: temp, min: -1.5, min_exact: true, max: inf, max_exact: true, null_count: 2}";
    assert!(text.contains(first), "{text}");
    assert_eq!(
        batch
            .column(1)
            .as_map()
            .value(0)
            .column(1)
            .as_string::<i32>()
            .value(0),
        "2013"
    );
    assert_eq!(
        batch.column(6).as_string::<i32>().value(0),
        "000000000000000000000000000000fe"
    );
    assert!(batch.column(6).is_null(1) && batch.column(4).is_null(1));
    let none = Receipt::new(Uuid::nil(), CommitMode::Append, vec![]).unwrap();
    let empty = none.to_record_batch().unwrap();
    assert_eq!((empty.num_rows(), empty.schema()), (0, batch.schema()));
}

fn footer(batch: &RecordBatch, properties: WriterPropertiesBuilder) -> ParquetMetaData {
    let properties = properties.set_max_row_group_row_count(Some(3)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap()
}

fn statistics(column: ArrayRef, properties: WriterPropertiesBuilder) -> ColumnStatistics {
    let batch = RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap();
    let metadata = footer(&batch, properties);
    let mut read = StatisticsReader::new(&batch.schema()).read(&metadata);
    assert_eq!(read.len(), 1);
    assert_eq!(&*read[0].column, "x");
    read.swap_remove(0)
}

fn bounds(
    column: ArrayRef,
) -> (
    Option<StatisticsValue>,
    Option<StatisticsValue>,
    Option<u64>,
) {
    let read = statistics(column, WriterProperties::builder());
    let value = |bound: Option<Bound>| {
        bound.map(|bound| {
            assert!(bound.exact);
            bound.value
        })
    };
    (value(read.min), value(read.max), read.null_count)
}

#[test]
fn bounds_are_those_of_all_row_groups() {
    use StatisticsValue::{Boolean, Float, Int, Text, UInt};
    let text = |text: &str| Some(Text(text.into()));
    let integers = Int16Array::from(vec![Some(5), None, Some(-3), Some(9), Some(0), None, None]);
    assert_eq!(
        bounds(Arc::new(integers)),
        (Some(Int(-3)), Some(Int(9)), Some(3))
    );
    let unsigned = UInt64Array::from(vec![u64::MAX, 1, 2, 3]);
    assert_eq!(
        bounds(Arc::new(unsigned)),
        (Some(Int(1)), Some(UInt(u64::MAX)), Some(0))
    );
    let floats = Float32Array::from(vec![Some(0.5), Some(f32::NEG_INFINITY), None, Some(7.25)]);
    assert_eq!(
        bounds(Arc::new(floats)),
        (text("-inf"), Some(Float(7.25)), Some(1))
    );
    let booleans = BooleanArray::from(vec![true, true, true, false]);
    assert_eq!(
        bounds(Arc::new(booleans)),
        (Some(Boolean(false)), Some(Boolean(true)), Some(0))
    );
    let names = ["b", "a", "c", "\u{e4}"].into_iter();
    let views = StringViewArray::from_iter_values(names.clone());
    assert_eq!(
        bounds(Arc::new(views)),
        (text("a"), text("\u{e4}"), Some(0))
    );
    let dictionary: DictionaryArray<Int8Type> = names.collect();
    assert_eq!(
        bounds(Arc::new(dictionary)),
        (text("a"), text("\u{e4}"), Some(0))
    );
    let dates = Date32Array::from(vec![15_736, 0, 1, 2]);
    assert_eq!(
        bounds(Arc::new(dates)),
        (text("1970-01-01"), text("2013-01-31"), Some(0))
    );
    let decimals = Decimal128Array::from(vec![1230, -5])
        .with_precision_and_scale(10, 2)
        .unwrap();
    assert_eq!(
        bounds(Arc::new(decimals)),
        (text("-0.05"), text("12.30"), Some(0))
    );
    let times = TimestampMillisecondArray::from(vec![250, 0]).with_timezone("UTC");
    let expected = (
        text("1970-01-01T00:00:00Z"),
        text("1970-01-01T00:00:00.250Z"),
        Some(0),
    );
    assert_eq!(bounds(Arc::new(times)), expected);
}

#[test]
fn what_the_footer_does_not_say_is_not_known() {
    let nulls = Int32Array::from(vec![None, None, None, None]);
    assert_eq!(bounds(Arc::new(nulls)), (None, None, Some(4)));
    let without_type = NullArray::new(4);
    assert_eq!(bounds(Arc::new(without_type)), (None, None, Some(4)));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let none = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None);
    assert_eq!(
        statistics(Arc::clone(&numbers), none),
        ColumnStatistics::unknown("x")
    );
    // A row group of NaN has no bounds, and so the file has none.
    let floats = Float64Array::from(vec![f64::NAN, f64::NAN, f64::NAN, 1.0]);
    assert_eq!(bounds(Arc::new(floats)).0, None);
}

#[test]
fn bounds_that_were_cut_are_not_exact() {
    let long = "x".repeat(100);
    let texts: ArrayRef = Arc::new(StringArray::from(vec![long.as_str(), "y"]));
    let read = statistics(Arc::clone(&texts), WriterProperties::builder());
    let (min, max) = (read.min.unwrap(), read.max.unwrap());
    assert_eq!((min.exact, max.exact), (false, true));
    assert_eq!(min.value, StatisticsValue::Text(long[..64].into()));

    // The value that was cut in one row group is another's own.
    let cut = &long[..64];
    let texts: ArrayRef = Arc::new(StringArray::from(vec![&long, &long, &long, cut]));
    let min = statistics(texts, WriterProperties::builder()).min.unwrap();
    assert_eq!(
        min,
        Bound {
            value: StatisticsValue::Text(cut.into()),
            exact: true
        }
    );

    let longer: ArrayRef = Arc::new(StringArray::from(vec!["\u{e4}".repeat(4000)]));
    let whole = WriterProperties::builder().set_statistics_truncate_length(None);
    let read = statistics(longer, whole);
    let min = read.min.unwrap();
    assert_eq!(
        min.value,
        StatisticsValue::Text("\u{e4}".repeat(2048).into())
    );
    assert!(!min.exact && read.max.is_none());
}

#[test]
fn nested_columns_are_left_out_and_do_not_shift_the_others() {
    let inner = vec![
        Field::new("a", DataType::Int32, true),
        Field::new("b", DataType::Int32, true),
    ];
    let nested = StructArray::new_null(inner.into(), 1);
    let fields = vec![
        Field::new("n", nested.data_type().clone(), true),
        Field::new("x", DataType::Int32, true),
    ];
    let numbers = Int32Array::from(vec![7]);
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema, vec![Arc::new(nested), Arc::new(numbers)]).unwrap();
    let read =
        StatisticsReader::new(&batch.schema()).read(&footer(&batch, WriterProperties::builder()));
    assert_eq!(read.len(), 1);
    assert_eq!(
        (&*read[0].column, read[0].min.as_ref().unwrap().exact),
        ("x", true)
    );
    assert_eq!(read[0].max.as_ref().unwrap().value, StatisticsValue::Int(7));
}

fn any_value() -> impl Strategy<Value = PartitionValue> {
    prop_oneof![
        Just(PartitionValue::Null),
        any::<bool>().prop_map(PartitionValue::from),
        any::<i64>().prop_map(PartitionValue::from),
        any::<u64>().prop_map(PartitionValue::from),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(PartitionValue::from),
        ".{1,12}".prop_map(PartitionValue::from),
        (any::<i128>(), -5..30_i8).prop_map(|(value, scale)| PartitionValue::Decimal {
            unscaled: i256::from_i128(value),
            scale
        }),
    ]
}

fn any_statistic() -> impl Strategy<Value = StatisticsValue> {
    prop_oneof![
        any::<bool>().prop_map(StatisticsValue::Boolean),
        any::<i64>().prop_map(StatisticsValue::Int),
        any::<u64>().prop_map(StatisticsValue::from),
        any::<f64>().prop_map(StatisticsValue::from),
        ".{0,12}".prop_map(|text| StatisticsValue::Text(text.into())),
    ]
}

prop_compose! {
    fn any_column()(
        column in ".{0,12}",
        min in prop::option::of((any_statistic(), any::<bool>())),
        max in prop::option::of((any_statistic(), any::<bool>())),
        null_count in any::<Option<u64>>(),
    ) -> ColumnStatistics {
        let bound = |(value, exact)| Bound { value, exact };
        ColumnStatistics {
            min: min.map(bound),
            max: max.map(bound),
            null_count,
            ..ColumnStatistics::unknown(column)
        }
    }
}

prop_compose! {
    fn any_file()(
        values in prop::collection::vec(any_value(), 0..3),
        number in any::<u128>(),
        rows in 0..1_u64 << 40,
        footer_bytes in any::<Option<u64>>(),
        hash in any::<Option<u128>>(),
        columns in prop::collection::vec(any_column(), 0..3),
    ) -> FileRecord {
        let keys = values.into_iter().enumerate();
        let partition = Partition::new(keys.map(|(at, value)| (format!("k{at}"), value))).unwrap();
        let mut file = FileRecord::new(partition, &format!("part-{number}"), rows, rows / 3).unwrap();
        file.footer_bytes = footer_bytes;
        file.content_hash = hash;
        file.with_columns(columns)
    }
}

proptest! {
    #[test]
    fn every_receipt_comes_back_from_json(
        files in prop::collection::vec(any_file(), 0..5),
        write_id in prop::option::of("[a-z \u{e4}]{1,20}"),
        removed in prop::collection::vec("[a-z=%. ]{0,9}[a-z]", 0..3),
    ) {
        let mut receipt = Receipt::new(Uuid::now_v7(), CommitMode::Append, files).unwrap();
        if let Some(write_id) = write_id {
            receipt = receipt.with_write_id(write_id).unwrap();
        }
        let receipt = receipt.with_removed(removed).unwrap();
        let back = Receipt::from_json(receipt.to_json().unwrap()).unwrap();
        prop_assert_eq!(&back, &receipt);
        for (back, given) in back.files().iter().zip(receipt.files()) {
            prop_assert_eq!(typed(back.partition()), typed(given.partition()));
        }
        receipt.to_record_batch().unwrap();
    }

    #[test]
    fn a_changed_byte_is_refused_or_makes_another_sound_receipt(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = receipt().to_json().unwrap().into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        if let Ok(taken) = Receipt::from_json(&json) {
            let again = Receipt::from_json(taken.to_json().unwrap()).unwrap();
            prop_assert_eq!(again, taken);
        }
    }

    #[test]
    fn no_path_that_is_taken_leads_out_of_the_root(path in "[./a=\\\\]{0,8}") {
        if let Ok(receipt) = receipt().with_removed([&path]) {
            for path in receipt.removed() {
                let joined = std::path::Path::new("root").join(path);
                prop_assert!(joined.components().all(|part| part != std::path::Component::ParentDir));
                prop_assert!(joined.starts_with("root") && joined != std::path::Path::new("root"));
            }
        }
    }
}

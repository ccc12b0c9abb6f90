use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal32Array,
    Decimal64Array, Decimal128Array, Decimal256Array, DictionaryArray, Float16Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray, NullArray,
    StringArray, StringViewArray, TimestampMillisecondArray, TimestampSecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int8Type, Int64Type, TimeUnit, i256};
use proptest::prelude::*;

use super::*;

/// A batch of the given columns and one more, `row`, which numbers the rows.
fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let rows = columns[0].1.len() as i64;
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns.chain([("row", numbers, false)])).unwrap()
}

fn strings(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn split(by: &str, batch: &RecordBatch) -> Result<Vec<(Partition, RecordBatch)>, PartitionError> {
    by.parse::<PartitionBy>()
        .unwrap()
        .bind(&batch.schema(), false)?
        .split(batch)
}

fn numbers(part: &RecordBatch) -> Vec<i64> {
    part.column_by_name("row")
        .unwrap()
        .as_primitive::<Int64Type>()
        .values()
        .to_vec()
}

/// The paths of a split, each with the numbers of its rows.
fn paths(by: &str, batch: &RecordBatch) -> Vec<(String, Vec<i64>)> {
    let parts = split(by, batch).unwrap();
    parts
        .iter()
        .map(|(partition, part)| (partition.to_string(), numbers(part)))
        .collect()
}

fn owned(paths: &[(&str, &[i64])]) -> Vec<(String, Vec<i64>)> {
    paths
        .iter()
        .map(|(path, rows)| ((*path).to_owned(), rows.to_vec()))
        .collect()
}

fn bind_error(by: &str, schema: &Schema) -> PartitionError {
    by.parse::<PartitionBy>()
        .unwrap()
        .bind(schema, false)
        .unwrap_err()
}

/// Whether two batches have the values of their last column at the same address.
fn shares(a: &RecordBatch, row: usize, b: &RecordBatch) -> bool {
    let values = |batch: &RecordBatch| {
        batch
            .column_by_name("row")
            .unwrap()
            .as_primitive::<Int64Type>()
            .values()
            .clone()
    };
    values(a)[row..].as_ptr() == values(b).as_ptr()
}

#[test]
fn partitions_come_in_order_of_appearance_and_rows_in_their_order() {
    let batch = batch(vec![("s", strings(&["b", "a", "b", "c", "a", "a"]))]);
    let expected: [(&str, &[i64]); 3] = [("s=b", &[0, 2]), ("s=a", &[1, 4, 5]), ("s=c", &[3])];
    assert_eq!(paths("s", &batch), owned(&expected));
}

#[test]
fn several_keys_make_nested_directories_in_the_order_of_the_keys() {
    let year: ArrayRef = Arc::new(Int32Array::from(vec![2013, 2013, 2014]));
    let batch = batch(vec![("year", year), ("s", strings(&["a", "b", "a"]))]);
    let expected: [(&str, &[i64]); 3] = [
        ("s=a/year=2013", &[0]),
        ("s=b/year=2013", &[1]),
        ("s=a/year=2014", &[2]),
    ];
    assert_eq!(paths("s,year", &batch), owned(&expected));
}

#[test]
fn a_batch_of_one_partition_is_not_copied() {
    let batch = batch(vec![("s", strings(&["a", "a", "a"]))]);
    let parts = split("s", &batch).unwrap();
    assert_eq!(parts.len(), 1);
    assert!(shares(&batch, 0, &parts[0].1));
}

#[test]
fn runs_that_come_once_are_slices() {
    let batch = batch(vec![("s", strings(&["b", "b", "a", "c", "c"]))]);
    let parts = split("s", &batch).unwrap();
    assert_eq!(parts.len(), 3);
    for ((_, part), start) in parts.iter().zip([0, 2, 3]) {
        assert!(shares(&batch, start, part));
    }
}

#[test]
fn without_keys_the_batch_is_one_partition_as_it_is() {
    let batch = batch(vec![("s", strings(&["a", "b"]))]);
    let parts = split("", &batch).unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!((&parts[0].0, &parts[0].1), (&Partition::none(), &batch));
}

#[test]
fn an_empty_batch_has_no_partitions() {
    let batch = batch(vec![("s", strings(&["a"]))]).slice(0, 0);
    assert!(split("s", &batch).unwrap().is_empty());
    assert!(split("", &batch).unwrap().is_empty());
}

#[test]
fn a_slice_of_a_batch_is_split_by_its_own_rows() {
    let whole = batch(vec![("s", strings(&["x", "a", "b", "a", "y"]))]);
    let expected: [(&str, &[i64]); 2] = [("s=a", &[1, 3]), ("s=b", &[2])];
    assert_eq!(paths("s", &whole.slice(1, 3)), owned(&expected));
}

#[test]
fn key_columns_are_left_out_of_the_files_unless_kept() {
    let time: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0]));
    let batch = batch(vec![("origin", strings(&["a"])), ("time", time)]);
    let by: PartitionBy = "station_id=origin,year(time)".parse().unwrap();
    let names = |keep| {
        let splitter = by.bind(&batch.schema(), keep).unwrap();
        let (_, part) = splitter.split(&batch).unwrap().remove(0);
        assert_eq!(&part.schema(), splitter.file_schema());
        let fields = part.schema_ref().fields().iter();
        fields.map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(false), ["time", "row"]);
    assert_eq!(names(true), ["origin", "time", "row"]);
}

#[test]
fn a_field_that_stays_may_not_have_the_name_of_a_key_with_other_values() {
    let time: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0]));
    let year: ArrayRef = Arc::new(Int32Array::from(vec![1970]));
    let batch = batch(vec![("year", year), ("a", strings(&["x"])), ("time", time)]);
    let schema = batch.schema();
    let clash = |by: &str, keep| match by.parse::<PartitionBy>().unwrap().bind(&schema, keep) {
        Ok(_) => None,
        Err(PartitionError::KeyClashesWithField { key }) => Some(key),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(clash("year(time)", false).as_deref(), Some("year"));
    assert_eq!(clash("year=a", false).as_deref(), Some("year"));
    assert_eq!(clash("year", true), None);
    // Both columns go, or with them kept, both keys clash.
    assert_eq!(clash("year=a,a=year", false), None);
    assert_eq!(clash("year=a,a=year", true).as_deref(), Some("year"));
    // A column of which a key takes a part stays, under its own name.
    assert_eq!(clash("time=date(time)", false).as_deref(), Some("time"));
}

#[test]
fn rows_go_to_the_buckets_of_their_values_and_the_column_stays() {
    let ids: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![
        Some(34),
        None,
        Some(0),
    ]));
    let bytes: ArrayRef = Arc::new(arrow::array::BinaryArray::from(vec![&b"a"[..], b"b", b"a"]));
    let batch = batch(vec![("id", ids), ("bytes", bytes)]);
    let paths = |by: &str| {
        let by: PartitionBy = by.parse().unwrap();
        let splitter = by.bind(&batch.schema(), false).unwrap();
        assert_eq!(splitter.file_schema(), &batch.schema());
        let parts = splitter.split(&batch).unwrap();
        let paths = parts.iter().map(|(partition, _)| partition.to_string());
        paths.collect::<Vec<_>>()
    };
    assert_eq!(
        paths("bucket(16, id)"),
        [
            "id_bucket=3",
            "id_bucket=__HIVE_DEFAULT_PARTITION__",
            "id_bucket=12"
        ]
    );
    assert_eq!(paths("b=spark_bucket(16, id)"), ["b=12", "b=10", "b=13"]);
    // Also of what cannot be a key by itself.
    assert_eq!(paths("bucket(1, bytes)"), ["bytes_bucket=0"]);
    let error = "bucket(4, row)".parse::<PartitionBy>().unwrap();
    let floats: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![1.5]));
    let schema = RecordBatch::try_from_iter([("row", floats)])
        .unwrap()
        .schema();
    let error = error.bind(&schema, false).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "bucket[4] cannot be taken of column \"row\" of type Float64: cast it to a whole number"
        ),
        "{error}"
    );
}

#[test]
fn columns_are_checked_when_keys_are_bound() {
    let schema = batch(vec![("s", strings(&["a"]))]).schema();
    let error = bind_error("t", &schema);
    let message = "there is no column \"t\": there are \"s\", \"row\"";
    assert_eq!(error.to_string(), message);
    assert!(matches!(
        bind_error("year(s)", &schema),
        PartitionError::TransformMismatch {
            transform: Transform::Year,
            ..
        }
    ));
    assert!(matches!(
        bind_error("s,row", &schema),
        PartitionError::NoColumnsLeft
    ));
    for buckets in [0, 1 << 31] {
        let by = PartitionBy::none().bucket("b", buckets, "s");
        let error = by.bind(&schema, false).unwrap_err();
        assert!(
            matches!(error, PartitionError::BucketCount { buckets: told, .. } if told == buckets)
        );
    }

    let field = |name: &str, data_type| Field::new(name, data_type, true);
    let twice = Schema::new(vec![field("s", DataType::Utf8), field("s", DataType::Utf8)]);
    assert!(matches!(
        bind_error("s", &twice),
        PartitionError::AmbiguousColumn { .. }
    ));
    let zone = DataType::Timestamp(TimeUnit::Second, Some("Mars/Olympus".into()));
    let zoned = Schema::new(vec![field("t", zone), field("s", DataType::Utf8)]);
    for by in ["t", "hour(t)"] {
        assert!(matches!(
            bind_error(by, &zoned),
            PartitionError::InvalidTimeZone { .. }
        ));
    }
    let bad = PartitionBy::none()
        .column_as("_s", "s")
        .bind(&schema, false);
    assert!(matches!(bad, Err(PartitionError::HiddenKey { .. })));
}

#[test]
fn types_that_have_no_text_are_refused_when_keys_are_bound() {
    let columns: [ArrayRef; 4] = [
        Arc::new(BinaryArray::from(vec![b"a".as_slice()])),
        Arc::new(NullArray::new(1)),
        Arc::new(arrow::array::Time32SecondArray::from(vec![1])),
        cast(
            &BinaryArray::from(vec![b"a".as_slice()]),
            &dictionary_of(DataType::Binary),
        )
        .unwrap(),
    ];
    for column in columns {
        let schema = batch(vec![("k", column)]).schema();
        assert!(matches!(
            bind_error("k", &schema),
            PartitionError::UnsupportedType { .. }
        ));
    }
}

#[test]
fn a_batch_of_another_schema_is_refused() {
    let bound = batch(vec![("s", strings(&["a"]))]);
    let splitter = PartitionBy::column("s")
        .bind(&bound.schema(), false)
        .unwrap();
    let problem = |other: RecordBatch| match splitter.split(&other).unwrap_err() {
        PartitionError::SchemaMismatch { problem } => problem,
        other => panic!("{other}"),
    };
    let other = batch(vec![("t", strings(&["a"]))]);
    assert_eq!(
        problem(other),
        "column \"t\" of type Utf8 instead of \"s\" of type Utf8"
    );
    let other = batch(vec![("s", Arc::new(Int8Array::from(vec![1])) as ArrayRef)]);
    assert_eq!(
        problem(other),
        "column \"s\" of type Int8 instead of \"s\" of type Utf8"
    );
    let other = batch(vec![("s", strings(&["a"])), ("t", strings(&["a"]))]);
    assert_eq!(problem(other), "3 columns instead of 2");
}

fn dictionary_of(values: DataType) -> DataType {
    DataType::Dictionary(Box::new(DataType::Int8), Box::new(values))
}

#[test]
fn every_supported_type_works_as_a_key() {
    let text = |data_type: &DataType| cast(&strings(&["x", "y", "x"]), data_type).unwrap();
    let decimal = |array: Decimal128Array| array.with_precision_and_scale(9, 2).unwrap();
    let half = |value: f32| cast(&Float32Array::from(vec![value]), &DataType::Float16).unwrap();
    let halves: Float16Array = [1.5, 2.5, 1.5]
        .iter()
        .map(|value| {
            Some(
                half(*value)
                    .as_primitive::<arrow::datatypes::Float16Type>()
                    .value(0),
            )
        })
        .collect();
    let small = Decimal32Array::from(vec![1, 2, 1])
        .with_precision_and_scale(9, 2)
        .unwrap();
    let medium = Decimal64Array::from(vec![1, 2, 1])
        .with_precision_and_scale(9, 2)
        .unwrap();
    let wide = Decimal256Array::from(vec![i256::ONE, i256::from_i128(2), i256::ONE]);
    let wide = wide.with_precision_and_scale(50, 2).unwrap();
    let columns: Vec<(ArrayRef, &str, &str)> = vec![
        (
            Arc::new(BooleanArray::from(vec![true, false, true])),
            "true",
            "false",
        ),
        (Arc::new(Int8Array::from(vec![-7, 8, -7])), "-7", "8"),
        (Arc::new(Int16Array::from(vec![-7, 8, -7])), "-7", "8"),
        (Arc::new(Int32Array::from(vec![-7, 8, -7])), "-7", "8"),
        (Arc::new(Int64Array::from(vec![-7, 8, -7])), "-7", "8"),
        (Arc::new(UInt8Array::from(vec![7, 8, 7])), "7", "8"),
        (Arc::new(UInt16Array::from(vec![7, 8, 7])), "7", "8"),
        (Arc::new(UInt32Array::from(vec![7, 8, 7])), "7", "8"),
        (
            Arc::new(UInt64Array::from(vec![u64::MAX, 8, u64::MAX])),
            "18446744073709551615",
            "8",
        ),
        (Arc::new(halves), "1.5", "2.5"),
        (
            Arc::new(Float32Array::from(vec![0.1, 2.0, 0.1])),
            "0.1",
            "2.0",
        ),
        (
            Arc::new(Float64Array::from(vec![0.1, 1e300, 0.1])),
            "0.1",
            "1e300",
        ),
        (Arc::new(small), "0.01", "0.02"),
        (Arc::new(medium), "0.01", "0.02"),
        (
            Arc::new(decimal(Decimal128Array::from(vec![1230, -5, 1230]))),
            "12.30",
            "-0.05",
        ),
        (Arc::new(wide), "0.01", "0.02"),
        (strings(&["x", "y", "x"]), "x", "y"),
        (
            Arc::new(LargeStringArray::from(vec!["x", "y", "x"])),
            "x",
            "y",
        ),
        (
            Arc::new(StringViewArray::from(vec!["x", "y", "x"])),
            "x",
            "y",
        ),
        (text(&dictionary_of(DataType::Utf8)), "x", "y"),
        (text(&dictionary_of(DataType::LargeUtf8)), "x", "y"),
        (text(&dictionary_of(DataType::Utf8View)), "x", "y"),
        (
            Arc::new(Date32Array::from(vec![0, 1, 0])),
            "1970-01-01",
            "1970-01-02",
        ),
        (
            Arc::new(Date64Array::from(vec![0, 86_400_000, 0])),
            "1970-01-01",
            "1970-01-02",
        ),
        (
            Arc::new(TimestampMillisecondArray::from(vec![0, 1, 0])),
            "1970-01-01 00%3A00%3A00",
            "1970-01-01 00%3A00%3A00.001",
        ),
    ];
    for (column, first, second) in columns {
        let name = format!("{}", column.data_type());
        let null = arrow::array::new_null_array(column.data_type(), 1);
        let column = arrow::compute::concat(&[&column, &null]).unwrap();
        let path = |value: &str| format!("k={}", value.replace(' ', "%20"));
        let expected = vec![
            (path(first), vec![0, 2]),
            (path(second), vec![1]),
            ("k=__HIVE_DEFAULT_PARTITION__".to_owned(), vec![3]),
        ];
        assert_eq!(paths("k", &batch(vec![("k", column)])), expected, "{name}");
    }
}

#[test]
fn derived_keys_are_split_in_the_zone_of_their_column() {
    let seconds = vec![
        Some(1_356_998_399),
        Some(1_356_998_400),
        None,
        Some(1_357_016_400),
    ];
    let time: ArrayRef =
        Arc::new(TimestampSecondArray::from(seconds).with_timezone("America/New_York"));
    let batch = batch(vec![("time", time)]);
    let null = "__HIVE_DEFAULT_PARTITION__";
    let nulls = format!("year={null}/month={null}/hour={null}/d={null}");
    let expected: [(&str, &[i64]); 4] = [
        ("year=2012/month=12/hour=18/d=2012-12-31", &[0]),
        ("year=2012/month=12/hour=19/d=2012-12-31", &[1]),
        (&nulls, &[2]),
        ("year=2013/month=1/hour=0/d=2013-01-01", &[3]),
    ];
    let by = "year(time),month(time),hour(time),d=date(time)";
    assert_eq!(paths(by, &batch), owned(&expected));
}

#[test]
fn years_of_few_digits_are_padded_in_directories() {
    let days: ArrayRef = Arc::new(Date32Array::from(vec![-717_000, 0]));
    let expected: [(&str, &[i64]); 2] = [("y=0006", &[0]), ("y=1970", &[1])];
    assert_eq!(
        paths("y=year(k)", &batch(vec![("k", days)])),
        owned(&expected)
    );
}

#[test]
fn values_with_one_text_are_one_partition() {
    let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0, 1.0, -0.0]));
    let expected: [(&str, &[i64]); 2] = [("k=0.0", &[0, 2]), ("k=1.0", &[1])];
    assert_eq!(paths("k", &batch(vec![("k", zeros)])), owned(&expected));
    let neighbours: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0]));
    assert_eq!(
        paths("k", &batch(vec![("k", neighbours)])),
        owned(&[("k=0.0", &[0, 1])])
    );
    let times: ArrayRef = Arc::new(Date64Array::from(vec![5, -1, 7]));
    let expected: [(&str, &[i64]); 2] = [("k=1970-01-01", &[0, 2]), ("k=1969-12-31", &[1])];
    assert_eq!(paths("k", &batch(vec![("k", times)])), owned(&expected));
}

#[test]
fn equal_values_of_a_dictionary_are_one_partition_and_its_nulls_are_null() {
    let values = StringArray::from(vec![Some("a"), None, Some("a"), Some("")]);
    let keys = Int8Array::from(vec![Some(0), Some(1), Some(2), None]);
    let column: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(keys, Arc::new(values)));
    let expected: [(&str, &[i64]); 2] =
        [("k=a", &[0, 2]), ("k=__HIVE_DEFAULT_PARTITION__", &[1, 3])];
    assert_eq!(paths("k", &batch(vec![("k", column)])), owned(&expected));
}

#[test]
fn a_bad_value_is_an_error_with_its_first_row() {
    let error = |by: &str, column: ArrayRef| split(by, &batch(vec![("k", column)])).unwrap_err();
    let long = "x".repeat(254);
    assert!(matches!(
        error("k", strings(&["a", "b", "", "a", ""])),
        PartitionError::EmptyString { row: Some(2), .. }
    ));
    assert!(matches!(
        error("k", strings(&["a", "__HIVE_DEFAULT_PARTITION__"])),
        PartitionError::ReservedValue { row: Some(1), .. }
    ));
    assert!(matches!(
        error("k", strings(&["a", "a", &long])),
        PartitionError::SegmentTooLong {
            row: Some(2),
            length: 256,
            ..
        }
    ));
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(matches!(
            error("k", Arc::new(Float64Array::from(vec![1.0, 2.0, 2.0, bad]))),
            PartitionError::NonFinite { row: Some(3), .. }
        ));
    }
    let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0, 0, i64::MAX]));
    for by in ["k", "year(k)", "d=date(k)"] {
        let error = error(by, Arc::clone(&times));
        assert!(
            matches!(error, PartitionError::OutOfRange { row: Some(2), .. }),
            "{error}"
        );
    }
}

#[test]
fn a_null_in_a_column_that_may_have_none_is_an_error() {
    let schema = Schema::new(vec![
        Field::new("s", DataType::Utf8, false),
        Field::new("row", DataType::Int64, false),
    ]);
    let splitter = PartitionBy::column("s").bind(&schema, false).unwrap();
    let columns: [(&str, ArrayRef); 2] = [
        ("s", strings(&["a"])),
        ("row", Arc::new(Int64Array::from(vec![None]))),
    ];
    let nulls = RecordBatch::try_from_iter(columns).unwrap();
    assert!(matches!(
        splitter.split(&nulls),
        Err(PartitionError::Arrow { .. })
    ));
}

fn column(rows: usize) -> impl Strategy<Value = ArrayRef> {
    let texts = proptest::collection::vec(proptest::option::of("[ab%/ ]{1,2}"), rows);
    let small = proptest::collection::vec(proptest::option::of(-2..3_i64), rows);
    let floats = proptest::collection::vec(prop_oneof![Just(0.0), Just(-0.0), -1e3..1e3], rows);
    let days = proptest::collection::vec(proptest::option::of(-3..3_i32), rows);
    let dictionary = dictionary_of(DataType::Utf8);
    prop_oneof![
        texts
            .clone()
            .prop_map(|values| Arc::new(StringArray::from(values)) as ArrayRef),
        texts
            .clone()
            .prop_map(|values| Arc::new(StringViewArray::from(values)) as ArrayRef),
        texts.prop_map(move |values| cast(&StringArray::from(values), &dictionary).unwrap()),
        small.prop_map(|values| Arc::new(Int64Array::from(values)) as ArrayRef),
        floats.prop_map(|values| Arc::new(Float64Array::from(values)) as ArrayRef),
        days.prop_map(|values| Arc::new(Date32Array::from(values)) as ArrayRef),
    ]
}

fn two_columns() -> impl Strategy<Value = (ArrayRef, ArrayRef)> {
    (1..40_usize).prop_flat_map(|rows| (column(rows), column(rows)))
}

proptest! {
    #[test]
    fn splitting_keeps_every_row_once_in_the_partition_of_its_values(
        (a, b) in two_columns(),
        sorted in any::<bool>(),
    ) {
        let mut batch = batch(vec![("a", a), ("b", b)]);
        if sorted {
            let order = arrow::compute::sort_to_indices(batch.column(0), None, None).unwrap();
            batch = take_record_batch(&batch, &order).unwrap();
        }
        let splitter = PartitionBy::column("a").then_column("b").bind(&batch.schema(), true).unwrap();
        let parts = splitter.split(&batch).unwrap();

        let order = numbers(&batch);
        let place = |row: &i64| order.iter().position(|number| number == row).unwrap();
        let mut firsts = Vec::new();
        let mut rows = Vec::new();
        for (partition, part) in &parts {
            for key in ["a", "b"] {
                let column = part.column_by_name(key).unwrap();
                prop_assert_eq!(partition.check_column(key, column).unwrap(), None);
            }
            let places: Vec<_> = numbers(part).iter().map(place).collect();
            prop_assert!(places.is_sorted() && !places.is_empty());
            // All columns of a row move together.
            for (index, place) in places.iter().enumerate() {
                prop_assert_eq!(part.slice(index, 1), batch.slice(*place, 1));
            }
            firsts.push(places[0]);
            rows.extend(places);
        }
        prop_assert!(firsts.is_sorted());
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..batch.num_rows()).collect::<Vec<_>>());
        let distinct: std::collections::HashSet<_> = parts.iter().map(|(partition, _)| partition).collect();
        prop_assert_eq!(distinct.len(), parts.len());
    }
}

fn expanded(assignment: &Assignment) -> Vec<u32> {
    match assignment {
        Assignment::Rows(ids) => ids.clone(),
        Assignment::Runs(runs) => {
            let mut ids = Vec::new();
            for (id, end) in runs {
                ids.resize(*end as usize, *id);
            }
            ids
        }
    }
}

#[test]
fn rows_are_numbered_alike_whether_those_of_a_partition_stand_together_or_not() {
    // Alone at first and together later, the other way round, and always the one or the other.
    let keys: [fn(usize) -> usize; 4] = [
        |row| if row < 1500 { row % 7 } else { row / 1000 },
        |row| if row < 1500 { row / 500 } else { row % 7 },
        |row| row * 31 % 7,
        |row| row / 900,
    ];
    for key in keys {
        let keys = (0..5000).map(|row| format!("K{}", key(row)));
        let keys: ArrayRef = Arc::new(StringArray::from_iter_values(keys));
        let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5000));
        let batch = RecordBatch::try_from_iter([("key", keys), ("row", rows)]).unwrap();
        let by: PartitionBy = "key".parse().unwrap();
        let splitter = by.bind(&batch.schema(), false).unwrap();
        let whole = splitter.assign(&batch, &mut PartitionIds::default());
        let whole = expanded(&whole.unwrap().1);
        let mut ids = PartitionIds::default();
        let in_pieces: Vec<u32> = (0..5000)
            .step_by(100)
            .flat_map(|start| {
                expanded(
                    &splitter
                        .assign(&batch.slice(start, 100), &mut ids)
                        .unwrap()
                        .1,
                )
            })
            .collect();
        assert_eq!(whole, in_pieces);
        let names = (0..5000).map(|row| format!("key=K{}", key(row)));
        let found = whole
            .iter()
            .map(|id| ids.partitions()[*id as usize].to_string());
        assert!(names.eq(found));
    }
}

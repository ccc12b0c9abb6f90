use std::sync::Arc;

use arrow::array::{
    BooleanArray, Date32Array, Date64Array, Decimal32Array, Decimal64Array, Decimal128Array,
    Decimal256Array, DictionaryArray, Float32Array, Float64Array, Int8Array, Int32Array,
    LargeStringArray, StringArray, StringViewArray, Time32SecondArray, TimestampSecondArray,
    UInt64Array,
};
use arrow::datatypes::{Int8Type, i256};

use super::*;

fn check(value: &str, column: impl Array + 'static) -> Option<(usize, String)> {
    let partition = Partition::new([("key", value)]).unwrap();
    let column: ArrayRef = Arc::new(column);
    let stray = partition.check_column("key", &column).unwrap();
    stray.map(|stray| (stray.row, stray.value.to_string()))
}

fn stray(row: usize, value: &str) -> Option<(usize, String)> {
    Some((row, value.to_owned()))
}

#[test]
fn a_column_of_the_one_value_has_no_stray_row() {
    assert_eq!(check("KSEA", StringArray::from(vec!["KSEA"; 3])), None);
    assert_eq!(check("7", Int32Array::from(vec![7; 3])), None);
    assert_eq!(check("7", Int32Array::from(Vec::<i32>::new())), None);
}

#[test]
fn the_first_stray_row_is_found_in_every_type() {
    let scale = |array: Decimal128Array| array.with_precision_and_scale(10, 2).unwrap();
    assert_eq!(
        check("a", StringArray::from(vec!["a", "a", "b", "c"])),
        stray(2, "b")
    );
    assert_eq!(
        check("a", LargeStringArray::from(vec!["a", "b"])),
        stray(1, "b")
    );
    assert_eq!(
        check("a", StringViewArray::from(vec!["a", "b"])),
        stray(1, "b")
    );
    assert_eq!(check("7", Int8Array::from(vec![7, 7, -7])), stray(2, "-7"));
    assert_eq!(
        check("7", UInt64Array::from(vec![7, u64::MAX])),
        stray(1, "18446744073709551615")
    );
    assert_eq!(
        check("true", BooleanArray::from(vec![true, false])),
        stray(1, "false")
    );
    assert_eq!(
        check("0.1", Float32Array::from(vec![0.1, 0.2])),
        stray(1, "0.2")
    );
    assert_eq!(
        check("0.1", Float64Array::from(vec![0.1, f64::NAN])),
        stray(1, "NaN")
    );
    assert_eq!(
        check("1.50", scale(Decimal128Array::from(vec![150, 151]))),
        stray(1, "1.51")
    );
    let decimals = Decimal32Array::from(vec![150, 151])
        .with_precision_and_scale(9, 2)
        .unwrap();
    assert_eq!(check("1.50", decimals), stray(1, "1.51"));
    let decimals = Decimal64Array::from(vec![150, 151])
        .with_precision_and_scale(9, 2)
        .unwrap();
    assert_eq!(check("1.50", decimals), stray(1, "1.51"));
    let wide = Decimal256Array::from(vec![i256::from_i128(150), i256::from_i128(151)]);
    assert_eq!(
        check("1.50", wide.with_precision_and_scale(9, 2).unwrap()),
        stray(1, "1.51")
    );
    assert_eq!(
        check("1970-01-01", Date32Array::from(vec![0, 1])),
        stray(1, "1970-01-02")
    );
    let zoned = TimestampSecondArray::from(vec![1_383_456_600, 1_383_460_200]);
    let zoned = zoned.with_timezone("America/New_York");
    let (first, second) = ("2013-11-03 01:30:00-04:00", "2013-11-03 01:30:00-05:00");
    assert_eq!(check(first, zoned), stray(1, second));
}

#[test]
fn a_value_matches_by_its_text_to_the_letter() {
    assert_eq!(check("07", Int32Array::from(vec![7])), stray(0, "7"));
    assert_eq!(check("1.5", Float64Array::from(vec![1.5])), None);
    assert_eq!(
        check("1.50", Float64Array::from(vec![1.5])),
        stray(0, "1.5")
    );
    assert_eq!(
        check("07", StringArray::from(vec!["07", "7"])),
        stray(1, "7")
    );
}

#[test]
fn a_typed_value_matches_a_column_of_another_type_with_its_text() {
    let partition = Partition::new([("key", 7)]).unwrap();
    let column: ArrayRef = Arc::new(StringArray::from(vec!["7", "07"]));
    assert_eq!(
        partition.check_column("key", &column).unwrap().unwrap().row,
        1
    );
}

#[test]
fn null_rows_belong_to_null_alone() {
    assert_eq!(
        check("a", StringArray::from(vec![Some("a"), None])),
        stray(1, "__HIVE_DEFAULT_PARTITION__")
    );
    let null = Partition::new([("key", PartitionValue::Null)]).unwrap();
    let row = |column: ArrayRef| {
        null.check_column("key", &column)
            .unwrap()
            .map(|stray| stray.row)
    };
    assert_eq!(row(Arc::new(Int32Array::from(vec![None, None]))), None);
    assert_eq!(
        row(Arc::new(Int32Array::from(vec![None, Some(0), None]))),
        Some(1)
    );
    assert_eq!(
        row(Arc::new(StringArray::from(vec![
            "__HIVE_DEFAULT_PARTITION__"
        ]))),
        Some(0)
    );
}

#[test]
fn rows_of_a_dictionary_are_compared_by_value() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![
        Some("a"),
        Some("b"),
        None,
        Some("a"),
    ]));
    let dictionary = |keys: Vec<Option<i8>>| {
        DictionaryArray::<Int8Type>::new(Int8Array::from(keys), Arc::clone(&values))
    };
    assert_eq!(
        check("a", dictionary(vec![Some(0), Some(3), Some(0)])),
        None
    );
    assert_eq!(
        check("a", dictionary(vec![Some(0), Some(3), Some(1)])),
        stray(2, "b")
    );
    for null in [None, Some(2)] {
        let strays = check("a", dictionary(vec![Some(0), null]));
        assert_eq!(strays, stray(1, "__HIVE_DEFAULT_PARTITION__"));
    }
}

#[test]
fn values_that_differ_with_one_text_are_no_strays() {
    assert_eq!(
        check("0.0", Float64Array::from(vec![-0.0, 0.0, -0.0])),
        None
    );
    assert_eq!(
        check("0.0", Float64Array::from(vec![-0.0, 0.0, 1.0])),
        stray(2, "1.0")
    );
    assert_eq!(
        check("1970-01-01", Date64Array::from(vec![0, 1, 86_399_999])),
        None
    );
}

#[test]
fn values_that_can_be_in_no_partition_are_strays() {
    assert_eq!(check("a", StringArray::from(vec!["a", ""])), stray(1, ""));
    let outside = TimestampSecondArray::from(vec![0, i64::MAX]);
    let found = check("1970-01-01 00:00:00", outside).unwrap();
    assert_eq!(
        found,
        (1, "9223372036854775807 s since 1970-01-01".to_owned())
    );
}

#[test]
fn a_slice_counts_its_own_rows() {
    let column = StringArray::from(vec!["x", "a", "a", "b"]);
    assert_eq!(check("a", column.slice(1, 3)), stray(2, "b"));
}

#[test]
fn what_cannot_be_checked_is_an_error() {
    let partition = Partition::new([("key", "a")]).unwrap();
    let strings: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let error = partition.check_column("other", &strings).unwrap_err();
    assert!(matches!(error, PartitionError::UnknownKey { key } if key == "other"));
    let times: ArrayRef = Arc::new(Time32SecondArray::from(vec![0]));
    let error = partition.check_column("key", &times).unwrap_err();
    assert!(matches!(error, PartitionError::UnsupportedType { column, .. } if column == "key"));
}

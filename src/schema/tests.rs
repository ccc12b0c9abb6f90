//! Which types have one that holds both, and that no value is lost on the way there.

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{Int8Type, Int32Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;

fn item(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("item", data_type, true))
}

fn list(of: DataType) -> DataType {
    DataType::List(item(of))
}

fn structure(members: &[(&str, DataType)]) -> DataType {
    let member = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    DataType::Struct(members.iter().map(member).collect())
}

fn map(values: DataType, sorted: bool) -> DataType {
    let entries = vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", values, true),
    ];
    let entries = Field::new("entries", DataType::Struct(entries.into()), false);
    DataType::Map(Arc::new(entries), sorted)
}

fn dictionary(keys: DataType, values: DataType) -> DataType {
    DataType::Dictionary(Box::new(keys), Box::new(values))
}

#[test]
fn two_types_become_one_that_holds_both_or_none() {
    use DataType::{
        Boolean, Date32, Date64, Decimal32, Decimal128, Decimal256, Duration, Float16, Float32,
        Float64, Int8, Int16, Int32, Int64, LargeUtf8, Null, Time32, Time64, Timestamp, UInt8,
        UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let zoned = |unit, zone: &str| Timestamp(unit, Some(zone.into()));
    let cases = [
        (Int8, Int64, Some(Int64)),
        (UInt8, Int8, Some(Int16)),
        (UInt32, Int32, Some(Int64)),
        (UInt16, UInt64, Some(UInt64)),
        (UInt64, Int8, Some(Decimal128(20, 0))),
        (UInt64, Int64, Some(Decimal128(20, 0))),
        (Int32, Float64, Some(Float64)),
        (Int32, Float32, Some(Float64)),
        (UInt16, Float32, Some(Float32)),
        (Int8, Float16, Some(Float16)),
        (Int16, Float16, Some(Float32)),
        (Float16, Float64, Some(Float64)),
        (Int64, Float64, None),
        (UInt64, Float64, None),
        (Decimal128(10, 2), Float64, None),
        (Decimal128(5, 2), Decimal128(6, 1), Some(Decimal128(7, 2))),
        (Decimal32(9, 2), Int8, Some(Decimal32(9, 2))),
        (Decimal128(5, 2), Int64, Some(Decimal128(21, 2))),
        (Decimal128(38, 0), Decimal128(38, 10), None),
        (
            Decimal128(38, 0),
            Decimal256(38, 10),
            Some(Decimal256(48, 10)),
        ),
        (
            Timestamp(Millisecond, None),
            Timestamp(Microsecond, None),
            Some(Timestamp(Microsecond, None)),
        ),
        (Timestamp(Second, None), zoned(Second, "UTC"), None),
        (
            zoned(Second, "Etc/UTC"),
            zoned(Nanosecond, "Etc/UTC"),
            Some(zoned(Nanosecond, "Etc/UTC")),
        ),
        (zoned(Second, "UTC"), zoned(Second, "Europe/Berlin"), None),
        (
            Time32(Second),
            Time32(Millisecond),
            Some(Time32(Millisecond)),
        ),
        (
            Time32(Second),
            Time64(Microsecond),
            Some(Time64(Microsecond)),
        ),
        (
            Duration(Second),
            Duration(Nanosecond),
            Some(Duration(Nanosecond)),
        ),
        (Date32, Date64, Some(Date64)),
        (Date32, Timestamp(Second, None), None),
        (Null, list(Int8), Some(list(Int8))),
        (Boolean, Int8, None),
        (Utf8, Int64, None),
        (dictionary(Int8, Utf8), Utf8, Some(Utf8)),
        (
            dictionary(Int8, Utf8),
            dictionary(Int32, Utf8),
            Some(dictionary(Int32, Utf8)),
        ),
        (
            dictionary(Int64, Utf8),
            dictionary(UInt64, Utf8),
            Some(dictionary(Int64, Utf8)),
        ),
        (list(Int32), list(Int64), Some(list(Int64))),
        (
            list(dictionary(Int8, Int32)),
            list(Int64),
            Some(list(Int64)),
        ),
        (map(Int32, true), map(Int64, false), Some(map(Int64, false))),
        (map(Int32, true), map(Int32, true), Some(map(Int32, true))),
        (structure(&[("a", Int32)]), structure(&[("a", Utf8)]), None),
    ];
    for (one, other, expected) in cases {
        assert_eq!(common_type(&one, &other), expected, "{one} and {other}");
        assert_eq!(common_type(&other, &one), expected, "{other} and {one}");
    }
    // The first of several physical forms.
    assert_eq!(common_type(&Utf8, &LargeUtf8), Some(Utf8));
    assert_eq!(common_type(&Utf8View, &Utf8), Some(Utf8View));
    let utc = (zoned(Second, "UTC"), zoned(Second, "+00:00"));
    assert_eq!(common_type(&utc.0, &utc.1), Some(utc.0));
}

#[test]
fn members_and_columns_are_united_by_name() {
    let one = structure(&[("a", DataType::Int32), ("b", DataType::Utf8)]);
    let other = structure(&[("c", DataType::Utf8), ("a", DataType::Int64)]);
    let both = [
        ("a", DataType::Int64),
        ("b", DataType::Utf8),
        ("c", DataType::Utf8),
    ];
    assert_eq!(common_type(&one, &other), Some(structure(&both)));
    let schema = |name: &str| Schema::new(vec![Field::new(name, DataType::Utf8, false)]);
    let common = common_schema(&schema("a"), &schema("b")).unwrap();
    let nullable = |name: &str| Field::new(name, DataType::Utf8, true);
    assert_eq!(common, Schema::new(vec![nullable("a"), nullable("b")]));
}

#[test]
fn what_is_lacking_is_named_by_its_path() {
    let schema =
        |item: &[(&str, DataType)]| Schema::new(vec![Field::new("l", list(structure(item)), true)]);
    let (x, y) = (("x", DataType::Utf8), ("y", DataType::Utf8));
    let both = schema(&[x.clone(), y]);
    assert_eq!(lacking(&both, &schema(&[x])), ["l.y"]);
    assert_eq!(lacking(&both, &Schema::empty()), ["l"]);
    assert_eq!(lacking(&Schema::empty(), &both), [""; 0]);
}

#[test]
fn columns_of_other_extension_types_do_not_unite() {
    let plain = Arc::new(Field::new("j", DataType::Utf8, true));
    let extension = [("ARROW:extension:name".to_owned(), "arrow.json".to_owned())];
    let json = Field::new("j", DataType::Utf8, true).with_metadata(extension.into());
    let nulls = Arc::new(Field::new("j", DataType::Null, true));
    assert_eq!(common_field(&plain, &json), None);
    assert_eq!(common_field(&nulls, &json), Some(Arc::new(json.clone())));
    let json = Arc::new(json);
    assert_eq!(common_field(&json, &nulls), Some(json));
}

fn text(column: &dyn Array) -> Vec<String> {
    let options = FormatOptions::new().with_null("null");
    let formatter = ArrayFormatter::try_new(column, &options).unwrap();
    (0..column.len())
        .map(|row| formatter.value(row).to_string())
        .collect()
}

fn fitted(column: ArrayRef, to: &DataType) -> Result<ArrayRef, Refused> {
    let batch = RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("c", to.clone(), true)]));
    fit(&batch, &schema).map(|batch| Arc::clone(batch.column(0)))
}

#[test]
fn values_are_the_same_in_the_type_that_holds_both() {
    let ints: ArrayRef = Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)]));
    for to in [DataType::Int64, DataType::Decimal128(20, 0)] {
        assert_eq!(text(&fitted(Arc::clone(&ints), &to).unwrap()), text(&ints));
    }
    let floats = fitted(Arc::clone(&ints), &DataType::Float64).unwrap();
    assert_eq!(text(&floats), ["-2147483648.0", "null", "2147483647.0"]);
    let largest: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
    let wide = fitted(Arc::clone(&largest), &DataType::Decimal128(20, 0)).unwrap();
    assert_eq!(text(&wide), text(&largest));

    let lists: ArrayRef = Arc::new(ListArray::new(
        item(DataType::Int32),
        OffsetBuffer::from_lengths([2, 1]),
        Arc::clone(&ints),
        None,
    ));
    let expected = ["[-2147483648, null]", "[2147483647]"];
    for to in [
        list(DataType::Int64),
        DataType::LargeList(item(DataType::Int64)),
        DataType::ListView(item(DataType::Int64)),
        DataType::LargeListView(item(DataType::Int64)),
    ] {
        let fitted = fitted(Arc::clone(&lists), &to).unwrap();
        assert_eq!(fitted.data_type(), &to);
        assert_eq!(text(&fitted), expected, "{to}");
    }

    let words: DictionaryArray<Int8Type> = [Some("a"), None].into_iter().collect();
    let views = fitted(Arc::new(words), &DataType::Utf8View).unwrap();
    assert_eq!(
        (text(&views), views.null_count()),
        (vec!["a".into(), "null".into()], 1)
    );
    let runs: RunArray<Int32Type> = ["x", "x"].into_iter().collect();
    assert_eq!(
        text(&fitted(Arc::new(runs), &DataType::Utf8).unwrap()),
        ["x", "x"]
    );
}

#[test]
fn members_are_found_by_name_also_within_lists_and_maps_of_other_names() {
    let members = StructArray::from(vec![
        (
            item(DataType::Utf8),
            Arc::new(StringArray::from(vec!["x"])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("a", DataType::Int32, true)),
            Arc::new(Int32Array::from(vec![1])),
        ),
    ]);
    let wanted = structure(&[
        ("a", DataType::Int64),
        ("item", DataType::Utf8),
        ("new", DataType::Utf8),
    ]);
    let expected = "{a: 1, item: x, new: null}";
    assert_eq!(
        text(&fitted(Arc::new(members.clone()), &wanted).unwrap()),
        [expected]
    );
    let lists = ListArray::new(
        item(members.data_type().clone()),
        OffsetBuffer::from_lengths([1]),
        Arc::new(members),
        None,
    );
    let large = DataType::LargeList(item(wanted));
    assert_eq!(
        text(&fitted(Arc::new(lists), &large).unwrap()),
        [format!("[{expected}]")]
    );

    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    maps.keys().append_value("k");
    maps.values().append_value(7);
    maps.append(true).unwrap();
    let fitted = fitted(Arc::new(maps.finish()), &map(DataType::Int64, false)).unwrap();
    assert_eq!(text(&fitted), ["{k: 7}"]);
}

#[test]
fn a_value_that_the_finer_unit_has_no_place_for_is_an_error_with_its_row() {
    let millis = TimestampMillisecondArray::from(vec![Some(0), None, Some(253_402_300_799_000)]);
    let wanted = |unit| DataType::Timestamp(unit, None);
    let micros = fitted(Arc::new(millis.clone()), &wanted(TimeUnit::Microsecond)).unwrap();
    assert_eq!(text(&micros)[2], "9999-12-31T23:59:59");
    let error = fitted(Arc::new(millis), &wanted(TimeUnit::Nanosecond)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column \"c\", row 2: 253402300799000 has no place in Timestamp(ns): write the column in a type that holds it"
    );
}

#[test]
fn what_the_schema_does_not_hold_is_not_cast() {
    let large: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    for to in [DataType::Int32, DataType::Float64, DataType::Utf8] {
        assert!(fitted(Arc::clone(&large), &to).is_err(), "{to}");
        assert!(cast(&large, &to).is_ok());
    }
    let batch = RecordBatch::try_from_iter([("c", large)]).unwrap();
    assert!(fit(&batch, &Arc::new(Schema::empty())).is_err());
}

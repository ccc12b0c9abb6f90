//! Which differences between two schemas are nothing, which are said, and which are refused.

use std::sync::Arc;

use arrow::datatypes::TimeUnit;

use super::*;

fn schema(fields: &[(&str, DataType)]) -> Schema {
    let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    Schema::new(fields.iter().map(field).collect::<Vec<_>>())
}

fn dictionary(values: DataType) -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(values))
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn large_list(item: DataType) -> DataType {
    DataType::LargeList(Arc::new(Field::new("element", item, true)))
}

fn structure(names: &[&str]) -> DataType {
    let field = |name: &&str| Field::new(*name, DataType::Int64, true);
    DataType::Struct(names.iter().map(field).collect())
}

fn timestamp(unit: TimeUnit, zone: Option<&str>) -> DataType {
    DataType::Timestamp(unit, zone.map(Into::into))
}

#[test]
fn types_are_the_same_are_said_or_are_refused_in_either_order() {
    use DataType::{
        Binary, BinaryView, Date32, Decimal128, Decimal256, Float32, Float64, Int32, Int64,
        LargeUtf8, Null, UInt8, UInt64, Utf8, Utf8View,
    };
    let (us, ns) = (TimeUnit::Microsecond, TimeUnit::Nanosecond);
    let cases = [
        (Utf8, Utf8View, Some(Unity::Same)),
        (LargeUtf8, Utf8, Some(Unity::Same)),
        (Binary, BinaryView, Some(Unity::Same)),
        (Decimal128(10, 2), Decimal256(10, 2), Some(Unity::Same)),
        (list(Utf8), large_list(LargeUtf8), Some(Unity::Same)),
        (structure(&["a"]), structure(&["a"]), Some(Unity::Same)),
        (Null, Null, Some(Unity::Same)),
        (
            timestamp(us, Some("UTC")),
            timestamp(us, Some("UTC")),
            Some(Unity::Same),
        ),
        (Int32, Int64, Some(Unity::Said)),
        (UInt8, Int64, Some(Unity::Said)),
        (list(Int32), list(Int64), Some(Unity::Said)),
        (Utf8, dictionary(Utf8), Some(Unity::Said)),
        (dictionary(Utf8), dictionary(LargeUtf8), Some(Unity::Same)),
        (
            timestamp(us, Some("UTC")),
            timestamp(us, Some("Etc/UTC")),
            Some(Unity::Said),
        ),
        (UInt64, Int64, None),
        (Int64, Utf8, None),
        (Int64, Float64, None),
        (Float32, Float64, None),
        (Utf8, Binary, None),
        (Date32, timestamp(us, None), None),
        (timestamp(us, None), timestamp(ns, None), None),
        (timestamp(us, None), timestamp(us, Some("UTC")), None),
        (Decimal128(10, 2), Decimal128(12, 2), None),
        (Null, Utf8, None),
        (structure(&["a"]), structure(&["a", "b"]), None),
        (structure(&["a"]), structure(&["b"]), None),
        (list(Int64), Int64, None),
        (dictionary(Utf8), Int64, None),
    ];
    for (one, other, expected) in cases {
        assert_eq!(unite(&one, &other), expected, "{one} and {other}");
        assert_eq!(unite(&other, &one), expected, "{other} and {one}");
    }
}

#[test]
fn columns_in_one_of_the_schemas_may_be_null() {
    let there = schema(&[("a", DataType::Int64), ("old", DataType::Utf8)]);
    let given = schema(&[("new", DataType::Utf8), ("a", DataType::Int64)]);
    let column = |column: &str| column.to_owned();
    let notes = [
        Note::ColumnAdded {
            column: column("new"),
        },
        Note::ColumnMissing {
            column: column("old"),
        },
    ];
    assert_eq!(compare(&given, &there).unwrap(), notes);
    let required = Schema::new(vec![Field::new("new", DataType::Utf8, false)]);
    let empty = Schema::empty();
    let difference = compare(&required, &empty).unwrap_err();
    assert_eq!(
        (&*difference.given, &*difference.there),
        ("Utf8 without nulls", "missing")
    );
    let difference = compare(&empty, &required).unwrap_err();
    assert_eq!(
        (&*difference.given, &*difference.there),
        ("missing", "Utf8 without nulls")
    );
}

#[test]
fn an_extension_type_beside_plain_values_is_told_of_as_such() {
    let plain = schema(&[("x", DataType::Int8)]);
    let extension = [("ARROW:extension:name".to_owned(), "arrow.bool8".to_owned())];
    let field = plain.field(0).clone().with_metadata(extension.into());
    let extended = Schema::new(vec![field]);
    for (given, there) in [(&plain, &extended), (&extended, &plain)] {
        let notes = compare(given, there).unwrap();
        assert!(
            matches!(notes.as_slice(), [note @ Note::ExtensionDiffers { .. }] if note.to_string().contains("arrow.bool8")),
            "{notes:?}"
        );
    }
    assert_eq!(compare(&extended, &extended).unwrap(), []);
}

#[test]
fn a_difference_names_the_column_and_both_types() {
    let there = schema(&[("v", DataType::Int64)]);
    let difference = compare(&schema(&[("v", DataType::Utf8)]), &there).unwrap_err();
    let expected = Difference {
        column: "v".to_owned(),
        given: "Utf8".to_owned(),
        there: "Int64".to_owned(),
    };
    assert_eq!(difference, expected);
}

#[test]
fn merged_schemas_have_all_columns_and_the_wider_integers() {
    let merged = merge(
        &schema(&[("a", DataType::Int32), ("b", DataType::Int64)]),
        &schema(&[
            ("b", DataType::Int8),
            ("a", DataType::Int64),
            ("c", DataType::Utf8),
        ]),
    );
    let expected = [
        ("a", DataType::Int64),
        ("b", DataType::Int64),
        ("c", DataType::Utf8),
    ];
    assert_eq!(merged, schema(&expected));
}

#[test]
fn what_has_no_type_gets_the_one_that_is_there() {
    assert!(lacks_type(&list(DataType::Null)));
    assert!(!lacks_type(&list(DataType::Utf8)));
    assert_eq!(
        with_types_of(&DataType::Null, &DataType::Utf8),
        DataType::Utf8
    );
    let filled = with_types_of(&list(DataType::Null), &large_list(DataType::Utf8));
    assert_eq!(filled, list(DataType::Utf8));
    assert_eq!(
        with_types_of(&DataType::Int64, &DataType::Utf8),
        DataType::Int64
    );
}

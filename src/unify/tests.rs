//! Which batches are taken, what they become, and what is told of those that are not.

use std::collections::HashMap;

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{Int8Type, Int32Type, Schema, TimeUnit};
use proptest::prelude::*;

use super::*;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    Arc::new(Schema::new(fields.iter().map(field).collect::<Vec<_>>()))
}

fn take(batch: &RecordBatch, schema: &SchemaRef, policy: SchemaPolicy) -> Result<RecordBatch> {
    conform(batch, schema, policy, "lake/weather".as_ref(), 0)
}

/// Field, what was expected and what was found.
fn mismatch(
    batch: &RecordBatch,
    schema: &SchemaRef,
    policy: SchemaPolicy,
) -> (String, String, String) {
    match take(batch, schema, policy) {
        Err(Error::SchemaMismatch {
            path,
            field,
            expected,
            found,
            ..
        }) => {
            assert_eq!(path.as_path(), Path::new("lake/weather"));
            (field.into(), expected.into(), found.into())
        }
        other => panic!("{other:?}"),
    }
}

fn dictionary(index: DataType, values: DataType) -> DataType {
    DataType::Dictionary(Box::new(index), Box::new(values))
}

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, true))
}

fn names() -> ArrayRef {
    Arc::new(StringArray::from(vec![
        Some("KSEA"),
        None,
        Some(""),
        Some("KSEA"),
        Some("ä long name, not inlined"),
    ]))
}

fn lists(of: &ArrayRef) -> ArrayRef {
    let offsets = OffsetBuffer::from_lengths([2, 0, 3]);
    let nulls = vec![true, false, true].into();
    let list = ListArray::new(
        item(of.data_type().clone()),
        offsets,
        Arc::clone(of),
        Some(nulls),
    );
    Arc::new(list)
}

/// Groups of types, within each of which all hold the same values.
fn families() -> Vec<Vec<ArrayRef>> {
    let all = |column: ArrayRef, types: Vec<DataType>| -> Vec<ArrayRef> {
        types.iter().map(|to| cast(&column, to).unwrap()).collect()
    };
    let strings = vec![
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        dictionary(DataType::Int32, DataType::Utf8),
        dictionary(DataType::UInt8, DataType::LargeUtf8),
        dictionary(DataType::Int64, DataType::Utf8View),
    ];
    let binaries = vec![
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        dictionary(DataType::Int16, DataType::Binary),
    ];
    let numbers = vec![DataType::Int64, dictionary(DataType::Int8, DataType::Int64)];
    let list_types = vec![
        DataType::List(item(DataType::Utf8)),
        DataType::LargeList(item(DataType::Utf8View)),
        DataType::ListView(item(DataType::LargeUtf8)),
        DataType::LargeListView(item(DataType::Utf8)),
    ];
    let numbers_column: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None, Some(i64::MIN)]));
    let names_as_bytes = cast(&names(), &DataType::Binary).unwrap();
    vec![
        all(names(), strings),
        all(names_as_bytes, binaries),
        all(numbers_column, numbers),
        all(lists(&names()), list_types),
    ]
}

/// The values without regard to how they are held.
fn plain(column: &ArrayRef) -> Vec<Option<String>> {
    let options = arrow::util::display::FormatOptions::new().with_null("\0");
    let formatter = arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap();
    (0..column.len())
        .map(|row| (!column.is_null(row)).then(|| formatter.value(row).to_string()))
        .collect()
}

#[test]
fn every_way_of_holding_a_type_becomes_every_other_with_the_same_values() {
    for family in families() {
        for from in &family {
            for to in &family {
                let given = batch(vec![("x", Arc::clone(from))]);
                let wanted = schema(&[("x", to.data_type().clone())]);
                let taken = take(&given, &wanted, SchemaPolicy::Unify).unwrap();
                assert_eq!(taken.schema_ref(), &wanted);
                assert_eq!(
                    plain(taken.column(0)),
                    plain(from),
                    "{} to {}",
                    from.data_type(),
                    to.data_type()
                );
                let is_same = from.data_type() == to.data_type();
                assert_eq!(take(&given, &wanted, SchemaPolicy::Exact).is_ok(), is_same);
            }
        }
    }
}

#[test]
fn what_is_another_type_is_never_converted() {
    let in_zone = |zone: &str| DataType::Timestamp(TimeUnit::Millisecond, Some(zone.into()));
    let types = [
        DataType::Int32,
        DataType::Int64,
        DataType::UInt32,
        DataType::Float32,
        DataType::Float64,
        DataType::Boolean,
        DataType::Utf8,
        DataType::Binary,
        DataType::FixedSizeBinary(4),
        DataType::Date32,
        DataType::Date64,
        DataType::Timestamp(TimeUnit::Second, None),
        DataType::Timestamp(TimeUnit::Millisecond, None),
        in_zone("UTC"),
        in_zone("+00:00"),
        in_zone("Europe/Berlin"),
        DataType::Decimal128(10, 2),
        DataType::Decimal128(12, 2),
        DataType::Decimal128(10, 3),
        DataType::List(item(DataType::Int32)),
        DataType::List(item(DataType::Int64)),
        DataType::FixedSizeList(item(DataType::Int32), 2),
        dictionary(DataType::Int8, DataType::Int16),
        DataType::Null,
    ];
    // What the type that is wanted holds all values of.
    let widened = [
        (DataType::Int32, DataType::Int64),
        (DataType::UInt32, DataType::Int64),
        (DataType::Int32, DataType::Float64),
        (DataType::UInt32, DataType::Float64),
        (DataType::Float32, DataType::Float64),
        (DataType::Int32, DataType::Decimal128(12, 2)),
        (DataType::UInt32, DataType::Decimal128(12, 2)),
        (DataType::Decimal128(10, 2), DataType::Decimal128(12, 2)),
        (DataType::Date32, DataType::Date64),
        (in_zone("UTC"), in_zone("+00:00")),
        (in_zone("+00:00"), in_zone("UTC")),
        (
            DataType::Timestamp(TimeUnit::Second, None),
            DataType::Timestamp(TimeUnit::Millisecond, None),
        ),
        (
            DataType::List(item(DataType::Int32)),
            DataType::List(item(DataType::Int64)),
        ),
    ];
    let shorts = dictionary(DataType::Int8, DataType::Int16);
    let holds_shorts = [
        DataType::Int32,
        DataType::Int64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(10, 2),
        DataType::Decimal128(12, 2),
        DataType::Decimal128(10, 3),
    ];
    let holds_shorts = holds_shorts.map(|wide| (shorts.clone(), wide));
    let widened = [&widened[..], &holds_shorts].concat();
    // Columns of `Null` have no values to convert.
    for from in types.iter().filter(|from| **from != DataType::Null) {
        for to in types.iter().filter(|to| *to != from) {
            let given = batch(vec![("x", new_null_array(from, 2))]);
            let wanted = schema(&[("x", to.clone())]);
            let refuses = |policy| {
                let (field, ..) = mismatch(&given, &wanted, policy);
                assert!(field.starts_with('x'), "{from} to {to}: {field:?}");
            };
            refuses(SchemaPolicy::Exact);
            match widened.contains(&(from.clone(), to.clone())) {
                false => refuses(SchemaPolicy::Unify),
                true => {
                    let taken = take(&given, &wanted, SchemaPolicy::Unify).unwrap();
                    assert_eq!(taken.schema_ref(), &wanted);
                }
            }
        }
    }
}

#[test]
fn a_mismatch_names_the_field_and_both_types() {
    let given = batch(vec![(
        "temp",
        Arc::new(Int64Array::from(vec![1])) as ArrayRef,
    )]);
    let wanted = schema(&[("temp", DataType::Float64)]);
    let error = take(&given, &wanted, SchemaPolicy::Unify).unwrap_err();
    let text = "lake/weather: column \"temp\": expected Float64, found Int64; cast it, or write with a schema that holds both";
    assert_eq!(error.to_string(), text);

    let inner = |data_type| {
        let fields: Fields = vec![
            Field::new("name", DataType::Utf8, true),
            Field::new("height", data_type, true),
        ]
        .into();
        DataType::List(item(DataType::Struct(fields)))
    };
    let given = batch(vec![(
        "station",
        new_null_array(&inner(DataType::Int64), 1),
    )]);
    let wanted = schema(&[("station", inner(DataType::Int32))]);
    let (field, expected, found) = mismatch(&given, &wanted, SchemaPolicy::Unify);
    assert_eq!(
        (field.as_str(), expected.as_str(), found.as_str()),
        ("station[].height", "Int32", "Int64")
    );
}

fn two(first: &str, second: &str) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    batch(vec![(first, numbers), (second, texts)])
}

#[test]
fn another_order_of_columns_is_mended_only_if_asked() {
    let wanted = schema(&[("b", DataType::Utf8), ("a", DataType::Int32)]);
    let taken = take(&two("a", "b"), &wanted, SchemaPolicy::Unify).unwrap();
    assert_eq!(taken.column(0).as_string::<i32>().value(0), "a");
    assert_eq!(taken.column(1).as_primitive::<Int32Type>().value(0), 1);
    let (field, expected, found) = mismatch(&two("a", "b"), &wanted, SchemaPolicy::Exact);
    assert_eq!(
        (field.as_str(), expected.as_str(), found.as_str()),
        ("b", "\"b\"", "\"a\"")
    );
}

#[test]
fn a_column_too_many_or_too_few_is_named() {
    let wanted = schema(&[("a", DataType::Int32), ("c", DataType::Utf8)]);
    let (field, expected, found) = mismatch(&two("a", "b"), &wanted, SchemaPolicy::Unify);
    assert_eq!(
        (field.as_str(), expected.as_str(), found.as_str()),
        ("c", "Utf8", "no such column")
    );

    let wanted = schema(&[("a", DataType::Int32)]);
    let (field, expected, found) = mismatch(&two("a", "b"), &wanted, SchemaPolicy::Unify);
    assert_eq!(
        (field.as_str(), expected.as_str(), found.as_str()),
        ("b", "no such column", "Utf8")
    );
    let (field, expected, found) = mismatch(&two("a", "b"), &wanted, SchemaPolicy::Exact);
    assert_eq!(
        (field.as_str(), expected.as_str(), found.as_str()),
        ("", "1", "2")
    );
}

#[test]
fn columns_of_one_name_keep_their_order() {
    let wanted = schema(&[("a", DataType::Int32), ("a", DataType::Utf8)]);
    take(&two("a", "a"), &wanted, SchemaPolicy::Exact).unwrap();
    take(&two("a", "a"), &wanted, SchemaPolicy::Unify).unwrap();
    let swapped = schema(&[("a", DataType::Utf8), ("a", DataType::Int32)]);
    mismatch(&two("a", "a"), &swapped, SchemaPolicy::Unify);

    let number = |number| Arc::new(Int32Array::from(vec![number])) as ArrayRef;
    let given = batch(vec![("a", number(1)), ("a", number(2)), ("b", number(3))]);
    let wanted = schema(&[
        ("b", DataType::Int32),
        ("a", DataType::Int32),
        ("a", DataType::Int32),
    ]);
    let taken = take(&given, &wanted, SchemaPolicy::Unify).unwrap();
    let numbers: Vec<i32> = taken
        .columns()
        .iter()
        .map(|column| column.as_primitive::<Int32Type>().value(0))
        .collect();
    assert_eq!(numbers, [3, 1, 2]);
}

#[test]
fn nulls_are_a_mismatch_only_where_there_are_some() {
    let wanted = Arc::new(Schema::new(vec![Field::new(
        "x",
        DataType::Utf8View,
        false,
    )]));
    for policy in [SchemaPolicy::Exact, SchemaPolicy::Unify] {
        let views = |values: Vec<Option<&str>>| {
            batch(vec![(
                "x",
                Arc::new(StringViewArray::from(values)) as ArrayRef,
            )])
        };
        take(&views(vec![Some("a")]), &wanted, policy).unwrap();
        let (field, expected, found) = mismatch(&views(vec![Some("a"), None]), &wanted, policy);
        assert_eq!(
            (field.as_str(), expected.as_str(), found.as_str()),
            ("x", "no nulls", "a null")
        );
    }
    // A null among a dictionary's values is a null.
    let values = StringArray::from(vec![Some("a"), None]);
    let keys = Int8Array::from(vec![0, 1]);
    let hidden = DictionaryArray::<Int8Type>::new(keys, Arc::new(values));
    let given = batch(vec![("x", Arc::new(hidden) as ArrayRef)]);
    assert_eq!(mismatch(&given, &wanted, SchemaPolicy::Unify).2, "a null");
    let type_of_both = given.schema().field(0).data_type().clone();
    let wanted = Arc::new(Schema::new(vec![Field::new("x", type_of_both, false)]));
    for policy in [SchemaPolicy::Exact, SchemaPolicy::Unify] {
        assert_eq!(mismatch(&given, &wanted, policy).2, "a null");
    }
}

#[test]
fn more_values_than_the_indices_can_count_are_a_mismatch() {
    let texts = StringArray::from_iter_values((0..300).map(|number| number.to_string()));
    let given = batch(vec![("x", Arc::new(texts) as ArrayRef)]);
    let wanted = schema(&[("x", dictionary(DataType::Int8, DataType::Utf8))]);
    let (field, expected, _) = mismatch(&given, &wanted, SchemaPolicy::Unify);
    assert_eq!(
        (field.as_str(), expected.as_str()),
        ("x", "Dictionary(Int8, Utf8)")
    );
}

#[test]
fn metadata_is_the_writers_and_the_rows_of_no_columns_are_kept() {
    let metadata = HashMap::from([("source".to_owned(), "airports".to_owned())]);
    let wanted = Arc::new(
        schema(&[("a", DataType::Int32), ("b", DataType::Utf8)])
            .as_ref()
            .clone()
            .with_metadata(metadata),
    );
    for policy in [SchemaPolicy::Exact, SchemaPolicy::Unify] {
        let taken = take(&two("a", "b"), &wanted, policy).unwrap();
        assert_eq!(taken.schema_ref(), &wanted);
        let options = RecordBatchOptions::new().with_row_count(Some(7));
        let none =
            RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
        assert_eq!(
            take(&none, &Arc::new(Schema::empty()), policy)
                .unwrap()
                .num_rows(),
            7
        );
    }
}

proptest! {
    #[test]
    fn values_survive_whatever_their_holders_are(
        values in prop::collection::vec(prop::option::of(".{0,20}"), 0..50),
        from in 0..6_usize,
        to in 0..6_usize,
        start in 0..10_usize,
    ) {
        let types = families().swap_remove(0);
        let column: ArrayRef = Arc::new(StringArray::from(values));
        let column = cast(&column, types[from].data_type()).unwrap();
        let start = start.min(column.len());
        let column = column.slice(start, column.len() - start);
        let wanted = schema(&[("x", types[to].data_type().clone())]);
        let given = batch(vec![("x", Arc::clone(&column))]);
        let taken = take(&given, &wanted, SchemaPolicy::Unify).unwrap();
        prop_assert_eq!(plain(taken.column(0)), plain(&column));
    }
}

fn structs(name: &str, data_type: DataType) -> DataType {
    DataType::Struct(vec![Field::new(name, data_type, true)].into())
}

fn map(values: DataType, sorted: bool) -> DataType {
    let fields = vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", values, true),
    ];
    let entries = Field::new("entries", DataType::Struct(fields.into()), false);
    DataType::Map(Arc::new(entries), sorted)
}

/// Columns of no values of types within which one is `Null`, and those types with another in its place.
fn of_nothing() -> Vec<(DataType, DataType)> {
    use DataType::{FixedSizeList, LargeList, List, Null, Utf8};
    vec![
        (Null, Utf8),
        (Null, List(item(DataType::Int32))),
        (Null, dictionary(DataType::Int8, Utf8)),
        (List(item(Null)), List(item(Utf8))),
        (LargeList(item(Null)), LargeList(item(structs("a", Utf8)))),
        (FixedSizeList(item(Null), 2), FixedSizeList(item(Utf8), 2)),
        (structs("a", Null), structs("a", Utf8)),
        (map(Null, false), map(Utf8, false)),
        (map(Null, true), map(Utf8, false)),
        (
            dictionary(DataType::Int8, Null),
            dictionary(DataType::Int8, Utf8),
        ),
        (
            List(item(structs("a", Null))),
            List(item(structs("a", Utf8))),
        ),
    ]
}

#[test]
fn columns_of_no_values_are_of_every_type() {
    for policy in [SchemaPolicy::Exact, SchemaPolicy::Unify] {
        for (found, expected) in of_nothing() {
            let column = new_null_array(&found, 3);
            let batch = batch(vec![("a", column)]);
            let schema = schema(&[("a", expected.clone())]);
            let taken = take(&batch, &schema, policy).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(taken.schema(), schema);
            assert_eq!(taken.column(0).data_type(), &expected);
            assert_eq!(taken.column(0).logical_null_count(), 3);
        }
    }
    // A list of nothing that is none: it is empty, and stays so.
    let empty = ListArray::new(
        item(DataType::Null),
        OffsetBuffer::from_lengths([0, 0]),
        new_null_array(&DataType::Null, 0),
        None,
    );
    let batch = batch(vec![("a", Arc::new(empty))]);
    let schema = schema(&[("a", DataType::List(item(DataType::Int64)))]);
    let taken = take(&batch, &schema, SchemaPolicy::Exact).unwrap();
    assert_eq!(taken.column(0).null_count(), 0);
    assert_eq!(taken.column(0).as_list::<i32>().value_length(1), 0);
}

#[test]
fn values_are_not_of_the_type_of_no_values() {
    let batch = batch(vec![("a", Arc::new(Int32Array::from(vec![1])))]);
    let schema = schema(&[("a", DataType::Null)]);
    for policy in [SchemaPolicy::Exact, SchemaPolicy::Unify] {
        let (field, expected, found) = mismatch(&batch, &schema, policy);
        assert_eq!(
            (field.as_str(), expected.as_str(), found.as_str()),
            ("a", "Null", "Int32")
        );
    }
}

#[test]
fn a_map_with_sorted_keys_is_a_map_but_not_the_reverse() {
    let column = |sorted| {
        let mut builder = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        builder.keys().append_value("a");
        builder.values().append_value(1);
        builder.append(true).unwrap();
        let (_, offsets, entries, nulls, _) = builder.finish().into_parts();
        let DataType::Map(field, _) = map(DataType::Int32, sorted) else {
            panic!("no map");
        };
        let entries = StructArray::new(
            match field.data_type() {
                DataType::Struct(fields) => fields.clone(),
                other => panic!("{other}"),
            },
            entries.columns().to_vec(),
            None,
        );
        let map: ArrayRef = Arc::new(MapArray::new(field, offsets, entries, nulls, sorted));
        map
    };
    let plain = schema(&[("a", map(DataType::Int32, false))]);
    let sorted = schema(&[("a", map(DataType::Int32, true))]);
    let wide = schema(&[("a", structs("m", map(DataType::Int32, false)))]);
    for policy in [SchemaPolicy::Exact, SchemaPolicy::Unify] {
        let taken = take(&batch(vec![("a", column(true))]), &plain, policy).unwrap();
        assert_eq!(taken.column(0), &column(false));
        let kept = take(&batch(vec![("a", column(true))]), &sorted, policy).unwrap();
        assert_eq!(kept.column(0), &column(true));
        assert!(take(&batch(vec![("a", column(false))]), &sorted, policy).is_err());
        let member = Arc::new(Field::new("m", map(DataType::Int32, true), true));
        let within: ArrayRef = Arc::new(StructArray::from(vec![(member, column(true))]));
        assert!(take(&batch(vec![("a", within)]), &wide, policy).is_ok());
    }
}

#[test]
fn structs_whose_members_have_other_names_never_unite() {
    let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]));
    let member = |name: &str| Arc::new(Field::new(name, DataType::Int32, true));
    let one: ArrayRef = Arc::new(StructArray::from(vec![(member("lat"), values)]));
    let lists = lists(&one);
    let of = |name: &str| structs(name, DataType::Int32);
    for policy in [SchemaPolicy::Exact, SchemaPolicy::Unify] {
        for (column, expected, other) in [
            (&one, of("lat"), of("lon")),
            (
                &lists,
                DataType::List(item(of("lat"))),
                DataType::List(item(of("lon"))),
            ),
        ] {
            let batch = batch(vec![("a", Arc::clone(column))]);
            assert!(take(&batch, &schema(&[("a", expected)]), policy).is_ok());
            assert!(take(&batch, &schema(&[("a", other)]), policy).is_err());
        }
    }
}

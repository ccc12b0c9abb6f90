//! Digests of every Arrow type that Parquet stores: equal after a round trip, and only then.

use std::sync::Arc;

use ::arrow::array::*;
use ::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use ::arrow::compute::{cast, concat_batches, take};
use ::arrow::datatypes::*;
use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

fn digest(column: &ArrayRef) -> u128 {
    let field = Field::new("x", column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(column)]).unwrap();
    let mut digests = ColumnDigests::new(&schema).unwrap();
    digests.update(&batch).unwrap();
    digests.finish()[0]
}

fn round_trip(column: &ArrayRef) -> ArrayRef {
    let field = Field::new("x", column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(column)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    let bytes = bytes::Bytes::from(writer.into_inner().unwrap());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<_> = reader
        .with_batch_size(3)
        .build()
        .unwrap()
        .map(Result::unwrap)
        .collect();
    Arc::clone(concat_batches(&schema, &batches).unwrap().column(0))
}

/// Integers with a null, and neighbours that differ, for casting to every type of that kind.
fn integers() -> ArrayRef {
    let values = [
        Some(1),
        None,
        Some(2),
        Some(3),
        Some(3),
        None,
        Some(0),
        Some(7),
        Some(9),
    ];
    Arc::new(Int64Array::from_iter(values))
}

fn strings() -> ArrayRef {
    let long = "longer than what fits into a view";
    let values = [
        Some("a"),
        None,
        Some(""),
        Some("ä"),
        Some(long),
        None,
        Some("a"),
        Some("b"),
    ];
    Arc::new(StringArray::from_iter(values))
}

fn nested() -> Vec<ArrayRef> {
    let integers = cast(&integers(), &DataType::Int32).unwrap();
    let item = Arc::new(Field::new_list_field(DataType::Int32, true));
    let nulls = NullBuffer::from(vec![true, false, true, true]);
    // The second list is null over values that are there.
    let offsets = OffsetBuffer::new(vec![0, 2, 4, 4, 9].into());
    let list = ListArray::new(
        Arc::clone(&item),
        offsets,
        Arc::clone(&integers),
        Some(nulls.clone()),
    );
    let list: ArrayRef = Arc::new(list);
    let fixed = FixedSizeListArray::new(
        Arc::clone(&item),
        2,
        integers.slice(0, 8),
        Some(nulls.clone()),
    );
    let (offsets, sizes) = (
        ScalarBuffer::from(vec![4, 0, 2, 0]),
        ScalarBuffer::from(vec![3, 2, 0, 2]),
    );
    let view = ListViewArray::new(
        item,
        offsets,
        sizes,
        Arc::clone(&integers),
        Some(nulls.clone()),
    );
    let fields = Fields::from(vec![
        Field::new("number", DataType::Int32, true),
        Field::new("text", DataType::Utf8, true),
    ]);
    let children = vec![integers.slice(0, 4), strings().slice(0, 4)];
    let structure: ArrayRef = Arc::new(StructArray::new(fields, children, Some(nulls.clone())));
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in 0..4 {
        for entry in 0..row {
            map.keys().append_value(format!("key {entry}"));
            map.values().append_option((entry != 1).then_some(entry));
        }
        map.append(row != 2).unwrap();
    }
    let item = Arc::new(Field::new_list_field(structure.data_type().clone(), true));
    let offsets = OffsetBuffer::new(vec![0, 1, 1, 4].into());
    let of_structures = ListArray::new(item, offsets, Arc::clone(&structure), None);
    let large = DataType::LargeList(Arc::new(Field::new_list_field(DataType::Int32, true)));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let item = Arc::new(Field::new_list_field(dictionary.clone(), true));
    let offsets = OffsetBuffer::new(vec![0, 1, 3, 3, 8].into());
    let of_dictionaries =
        ListArray::new(item, offsets, cast(&strings(), &dictionary).unwrap(), None);
    let runs = RunArray::try_new(&Int32Array::from(vec![1, 3, 6]), &strings().slice(0, 3)).unwrap();
    vec![
        cast(&list, &large).unwrap(),
        list,
        Arc::new(fixed),
        Arc::new(view),
        structure,
        Arc::new(map.finish()),
        Arc::new(of_structures),
        Arc::new(of_dictionaries),
        Arc::new(runs),
    ]
}

pub(crate) fn every_type() -> Vec<ArrayRef> {
    use DataType::*;
    let zone = |unit| Timestamp(unit, Some("Europe/Berlin".into()));
    let number_types = [
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Decimal32(5, 2),
        Decimal64(15, 2),
        Decimal128(30, 3),
        Decimal256(60, 3),
        Date32,
        Date64,
        Time32(TimeUnit::Second),
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
        Timestamp(TimeUnit::Second, None),
        Timestamp(TimeUnit::Millisecond, None),
        Timestamp(TimeUnit::Microsecond, None),
        Timestamp(TimeUnit::Nanosecond, None),
        zone(TimeUnit::Second),
        zone(TimeUnit::Nanosecond),
        Duration(TimeUnit::Second),
        Duration(TimeUnit::Nanosecond),
        Boolean,
        Dictionary(Box::new(Int32), Box::new(Int64)),
    ];
    let through = |to: &DataType| match to {
        Date32 | Time32(_) => cast(&integers(), &Int32).unwrap(),
        _ => integers(),
    };
    let numbers = number_types.iter().map(|to| match to {
        // Parquet stores whole days.
        Date64 => cast(&cast(&through(&Date32), &Date32).unwrap(), to).unwrap(),
        to => cast(&through(to), to).unwrap(),
    });
    let text = |value| Dictionary(Box::new(Int8), Box::new(value));
    let string_types = [
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
        text(Utf8),
        text(LargeUtf8),
        text(Binary),
    ];
    let texts = string_types.iter().map(|to| cast(&strings(), to).unwrap());
    let bytes = [Some([1_u8, 2]), None, Some([1, 3]), Some([0, 0])];
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes.iter().copied(), 2);
    let months = IntervalYearMonthArray::from(vec![Some(1), None, Some(2), Some(3)]);
    let days = [(1, 2), (3, 4), (5, 6)].map(|(days, ms)| IntervalDayTime::new(days, ms));
    let others: [ArrayRef; 4] = [
        Arc::new(fixed.unwrap()),
        Arc::new(NullArray::new(5)),
        Arc::new(months),
        Arc::new(IntervalDayTimeArray::from(days.to_vec())),
    ];
    numbers.chain(texts).chain(others).chain(nested()).collect()
}

#[test]
fn what_comes_back_has_the_digest_of_what_went_in() {
    for column in every_type() {
        let back = round_trip(&column);
        assert_eq!(
            digest(&back),
            digest(&column),
            "{} as {}",
            column.data_type(),
            back.data_type()
        );
    }
}

#[test]
fn a_digest_does_not_depend_on_how_batches_are_cut_or_sliced() {
    for column in every_type() {
        let schema = Schema::new(vec![Field::new("x", column.data_type().clone(), true)]);
        let schema = Arc::new(schema);
        let mut digests = ColumnDigests::new(&schema).unwrap();
        for row in 0..column.len() {
            let slices = vec![column.slice(row, 1)];
            let batch = RecordBatch::try_new(Arc::clone(&schema), slices).unwrap();
            digests.update(&batch).unwrap();
        }
        assert_eq!(
            digests.finish()[0],
            digest(&column),
            "{}",
            column.data_type()
        );
    }
}

#[test]
fn a_digest_changes_with_every_value_order_and_row() {
    for column in every_type()
        .into_iter()
        .filter(|column| *column.data_type() != DataType::Null)
    {
        let name = column.data_type().clone();
        let whole = digest(&column);
        let rows = column.len() as u32;
        assert_ne!(
            digest(&column.slice(1, column.len() - 1)),
            whole,
            "{name}: a row less"
        );
        let pick = |rows: Vec<Option<u32>>| {
            digest(&take(&column, &UInt32Array::from(rows), None).unwrap())
        };
        let all = || (0..rows).map(Some).collect::<Vec<_>>();
        assert_eq!(pick(all()), whole, "{name}");
        let mut swapped = all();
        swapped.swap(0, 1);
        assert_ne!(pick(swapped), whole, "{name}: two rows swapped");
        let mut twice = all();
        twice.push(Some(rows - 1));
        assert_ne!(pick(twice), whole, "{name}: a row more");
        if matches!(name, DataType::RunEndEncoded(..)) {
            continue; // Arrow's take makes no nulls of runs.
        }
        let mut null = all();
        null[0] = None;
        assert_ne!(pick(null), whole, "{name}: a value made null");
    }
}

#[test]
fn what_lies_under_a_null_does_not_matter() {
    let nulls = || Some(NullBuffer::from(vec![true, false, true]));
    let of = |values: [i32; 3]| -> ArrayRef {
        Arc::new(Int32Array::new(values.to_vec().into(), nulls()))
    };
    assert_eq!(digest(&of([1, 2, 3])), digest(&of([1, 9, 3])));
    let in_structure = |values| -> ArrayRef {
        let fields = Fields::from(vec![Field::new("n", DataType::Int32, true)]);
        let child: ArrayRef = Arc::new(Int32Array::from(Vec::from(values)));
        Arc::new(StructArray::new(fields, vec![child], nulls()))
    };
    assert_eq!(
        digest(&in_structure([1, 2, 3])),
        digest(&in_structure([1, 9, 3]))
    );
    assert_ne!(
        digest(&in_structure([1, 2, 3])),
        digest(&in_structure([1, 2, 4]))
    );
}

#[test]
fn encodings_of_equal_values_have_one_digest() {
    let plain = digest(&strings());
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    for to in [DataType::LargeUtf8, DataType::Utf8View, dictionary] {
        assert_eq!(digest(&cast(&strings(), &to).unwrap()), plain, "{to}");
    }
}

#[test]
fn zeros_of_either_sign_and_every_nan_differ() {
    let of = |value: f64| digest(&(Arc::new(Float64Array::from(vec![value])) as ArrayRef));
    assert_ne!(of(0.0), of(-0.0));
    assert_ne!(of(f64::NAN), of(-f64::NAN));
}

#[test]
fn a_type_that_cannot_be_digested_is_an_error_with_its_column() {
    let runs = nested().pop().unwrap();
    let in_list = DataType::new_list(runs.data_type().clone(), true);
    let schema = Schema::new(vec![Field::new("odd", in_list, true)]);
    let error = ColumnDigests::new(&schema).unwrap_err();
    assert_eq!(error.column, "odd");
}

#[test]
fn a_dictionary_of_lists_has_the_digest_of_its_values() {
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let keys = Int8Array::from(vec![Some(2), Some(0), None, Some(0)]);
    let plain = take(&lists, &keys, None).unwrap();
    let dictionary: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::new(lists)));
    assert_eq!(digest(&dictionary), digest(&plain));
}

#[test]
fn a_column_of_dictionaries_may_come_as_its_values() {
    let schema = |column: &ArrayRef| {
        let field = Field::new("x", column.data_type().clone(), true);
        Arc::new(Schema::new(vec![field]))
    };
    let batch = |column: &ArrayRef| RecordBatch::try_new(schema(column), vec![Arc::clone(column)]);
    let plain = strings();
    let keyed: ArrayRef = cast(
        &plain,
        &DataType::Dictionary(
            Box::new(DataType::Int8),
            Box::new(plain.data_type().clone()),
        ),
    )
    .unwrap();
    let mut digests = ColumnDigests::new(&schema(&keyed)).unwrap();
    for column in [&keyed, &plain] {
        digests.update(&batch(column).unwrap()).unwrap();
    }
    let twice: Vec<&dyn Array> = vec![plain.as_ref(), plain.as_ref()];
    let twice = ::arrow::compute::concat(&twice).unwrap();
    assert_eq!(digests.finish(), [digest(&twice)]);
}

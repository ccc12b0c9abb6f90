use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Date64Array, DictionaryArray, Int8Array,
    Int32Array, ListArray, StringArray, StructArray, Time32MillisecondArray, Time32SecondArray,
    TimestampMillisecondArray, TimestampSecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{Field, Int8Type};

use super::*;
use crate::convert::DAY_MS;

fn stored(columns: &[(&str, ArrayRef)]) -> Result<RecordBatch> {
    let columns = columns
        .iter()
        .map(|(name, column)| (*name, Arc::clone(column), true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let types = StoredTypes::new(Format::Parquet, &batch.schema(), |_| true)?;
    types.batch(batch, Path::new("root"), 100)
}

fn reason(error: &Error) -> String {
    std::error::Error::source(error).unwrap().to_string()
}

#[test]
fn seconds_become_milliseconds_and_days_dates() {
    let seconds = TimestampSecondArray::from(vec![Some(1), None, Some(-2)]);
    let zoned = seconds.clone().with_timezone("Asia/Tokyo");
    let batch = stored(&[
        ("t", Arc::new(seconds)),
        ("z", Arc::new(zoned)),
        ("c", Arc::new(Time32SecondArray::from(vec![0, 1, 86_399]))),
        ("d", Arc::new(Date64Array::from(vec![0, DAY_MS, -DAY_MS]))),
    ])
    .unwrap();
    let millis = TimestampMillisecondArray::from(vec![Some(1000), None, Some(-2000)]);
    let zoned = millis.clone().with_timezone("Asia/Tokyo");
    let clock = Time32MillisecondArray::from(vec![0, 1000, 86_399_000]);
    assert_eq!(batch.column(0).as_ref(), &millis as &dyn Array);
    assert_eq!(batch.column(1).as_ref(), &zoned as &dyn Array);
    assert_eq!(batch.column(2).as_ref(), &clock as &dyn Array);
    assert_eq!(
        batch.column(3).as_ref(),
        &Date32Array::from(vec![0, 1, -1]) as &dyn Array
    );
}

#[test]
fn a_value_that_has_no_place_is_refused_with_its_row() {
    let far = TimestampSecondArray::from(vec![Some(0), Some(i64::MAX)]);
    let error = stored(&[("t", Arc::new(far))]).unwrap_err();
    let said = reason(&error);
    assert!(
        said.contains("column \"t\", row 101: 9223372036854775807"),
        "{said}"
    );
    let noon = Date64Array::from(vec![Some(0), None, Some(DAY_MS / 2)]);
    let said = reason(&stored(&[("d", Arc::new(noon))]).unwrap_err());
    assert!(said.contains("row 102: 43200000"), "{said}");
    assert!(said.contains("Timestamp(ms)"), "{said}");
}

/// Seconds in a list, in a struct, in a large list, in a dictionary, in a map: as they are stored.
#[test]
fn seconds_are_found_wherever_they_are() {
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1, 2, i64::MAX, 3]));
    let item = Arc::new(Field::new("item", seconds.data_type().clone(), true));
    // The third lies beneath a null, and is nobody's value.
    let lists = ListArray::new(
        item,
        OffsetBuffer::from_lengths([2, 1, 1]),
        Arc::clone(&seconds),
        Some(vec![true, false, true].into()),
    );
    let lists: ArrayRef = Arc::new(lists);
    let large = DataType::new_large_list(seconds.data_type().clone(), true);
    let large = cast(&lists, &large).unwrap();
    let member = Arc::new(Field::new("at", lists.data_type().clone(), true));
    let structs: ArrayRef = Arc::new(StructArray::from(vec![(member, Arc::clone(&lists))]));
    let keys = Int8Array::from(vec![Some(1), None, Some(0)]);
    let values: ArrayRef = Arc::new(TimestampSecondArray::from(vec![7, 8]));
    let dictionary: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
    let batch = stored(&[
        ("lists", Arc::clone(&lists)),
        ("large", large),
        ("structs", structs),
        ("dictionary", dictionary),
    ])
    .unwrap();
    let millis = TimestampMillisecondArray::from(vec![1000, 2000, 3000]);
    let found = batch.column(0).as_list::<i32>();
    assert_eq!(found.values().as_ref(), &millis as &dyn Array);
    assert!(found.is_null(1));
    let found = batch.column(1).as_list::<i64>();
    assert_eq!(found.values().as_ref(), &millis as &dyn Array);
    let found = batch.column(2).as_struct().column(0).as_list::<i32>();
    assert_eq!(found.values().as_ref(), &millis as &dyn Array);
    let plain = DataType::Timestamp(TimeUnit::Millisecond, None);
    let found = cast(batch.column(3), &plain).unwrap();
    let millis = TimestampMillisecondArray::from(vec![Some(8000), None, Some(7000)]);
    assert_eq!(found.as_ref(), &millis as &dyn Array);
}

#[test]
fn a_value_within_a_list_is_refused_with_the_row_of_the_list() {
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1, 2, i64::MAX]));
    let item = Arc::new(Field::new("item", seconds.data_type().clone(), true));
    let lists = ListArray::new(item, OffsetBuffer::from_lengths([2, 0, 1]), seconds, None);
    let said = reason(&stored(&[("lists", Arc::new(lists))]).unwrap_err());
    assert!(said.contains("row 102"), "{said}");
}

#[test]
fn a_dictionary_gets_indices_for_the_values_of_many_batches() {
    let few: DictionaryArray<Int8Type> = vec!["a", "b", "a"].into_iter().collect();
    let batch = stored(&[("few", Arc::new(few))]).unwrap();
    let wide = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    assert_eq!(batch.column(0).data_type(), &wide);
    let texts = cast(batch.column(0), &DataType::Utf8).unwrap();
    assert_eq!(
        texts.as_ref(),
        &StringArray::from(vec!["a", "b", "a"]) as &dyn Array
    );
}

/// Readers fail on them where they find them in the embedded Arrow schema.
#[test]
fn views_of_lists_and_odd_dictionaries_are_stored_as_lists_and_values() {
    let integers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let lists = ListArray::new(item, OffsetBuffer::from_lengths([2, 1]), integers, None);
    let lists: ArrayRef = Arc::new(lists);
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
    let keys = Int8Array::from(vec![Some(1), None]);
    let odd: ArrayRef = Arc::new(DictionaryArray::new(keys, flags));
    for (to, plain) in [
        (
            DataType::ListView(Arc::new(Field::new_list_field(DataType::Int32, true))),
            lists.data_type().clone(),
        ),
        (
            DataType::LargeListView(Arc::new(Field::new_list_field(DataType::Int32, true))),
            DataType::new_large_list(DataType::Int32, true),
        ),
    ] {
        let batch = stored(&[("l", cast(&lists, &to).unwrap())]).unwrap();
        assert_eq!(batch.column(0), &cast(&lists, &plain).unwrap());
    }
    let batch = stored(&[("d", odd)]).unwrap();
    let values = BooleanArray::from(vec![Some(false), None]);
    assert_eq!(batch.column(0).as_ref(), &values as &dyn Array);
}

#[test]
fn two_columns_of_one_name_are_refused_wherever_they_are() {
    let field = |name: &str| Field::new(name, DataType::Int32, true);
    let twice = Fields::from(vec![field("a"), field("a")]);
    let within = Field::new("s", DataType::Struct(twice.clone()), true);
    let list = Field::new("l", DataType::List(Arc::new(within.clone())), true);
    for (fields, named) in [
        (twice, "\"a\""),
        (vec![within].into(), "\"s.a\""),
        (vec![list].into(), "\"l.a\""),
    ] {
        let error = check_names(&Schema::new(fields)).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
    assert!(check_names(&Schema::new(vec![field("a"), field("A")])).is_ok());
}

#[test]
fn what_readers_understand_stays_as_it_is() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
    let types = StoredTypes::new(Format::Parquet, &schema, |_| true).unwrap();
    assert!(Arc::ptr_eq(types.schema(), &schema));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![numbers]).unwrap();
    let same = types.batch(batch.clone(), Path::new("root"), 0).unwrap();
    assert_eq!(same, batch);
}

#[test]
fn an_enumeration_of_polars_keeps_its_indices_also_within_a_list() {
    let narrow = DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8View));
    let metadata = [("_PL_ENUM_VALUES2".to_owned(), "4;KJFK".to_owned())].into();
    let item = Field::new("item", narrow.clone(), true).with_metadata(metadata);
    let other = Field::new("item", narrow, true);
    let stored = |item: Field| {
        let list = DataType::List(Arc::new(item));
        let given = Arc::new(Schema::new(vec![Field::new("list", list, true)]));
        let stored = StoredTypes::new(Format::Parquet, &given, |_| true).unwrap();
        match stored.schema().field(0).data_type() {
            DataType::List(item) => item.data_type().clone(),
            other => other.clone(),
        }
    };
    let dictionary = |indices| DataType::Dictionary(Box::new(indices), Box::new(DataType::Utf8));
    assert_eq!(stored(item), dictionary(DataType::UInt8));
    assert_eq!(stored(other), dictionary(DataType::Int32));
}

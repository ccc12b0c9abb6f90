use arrow::array::{
    DictionaryArray, Int32Array, ListArray, StringArray, StructArray, UInt8Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{Fields, Int32Type, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};

use super::super::rows::tests::file_of;
use super::*;
use crate::categories::POLARS_ENUMERATION;
use crate::error::Error;

fn ordered(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true).with_dict_is_ordered(true)
}

fn categories(count: usize) -> Vec<String> {
    // Neither sorted nor in the order of rows.
    (0..count)
        .map(|n| format!("{} category", (n * 7 + 3) % count))
        .collect()
}

/// Numbers that come in runs and by themselves, and nulls.
fn words(rows: usize, categories: &[String]) -> DictionaryArray<Int32Type> {
    let used = categories.len() as i32 - categories.len() as i32 / 4;
    let key = |row: usize| match row % 1000 {
        0..300 => Some((row / 1000) as i32 % used),
        n if n % 11 == 0 => None,
        _ => Some((row * 13 + row / 7) as i32 % used),
    };
    let keys: Int32Array = (0..rows).rev().map(key).collect();
    DictionaryArray::new(keys, Arc::new(StringArray::from_iter_values(categories)))
}

/// A column, a column of lists, and a member of a struct.
fn rows(rows: usize, categories: &[String]) -> RecordBatch {
    let words = words(rows, categories);
    let item = Arc::new(ordered("item", words.data_type().clone()));
    let offsets = (0..rows).map(|row| match row % 3 {
        0 => 1,
        1 => 0,
        _ => 2,
    });
    let offsets = OffsetBuffer::from_lengths(offsets);
    let items = words.slice(0, *offsets.last().unwrap() as usize);
    let valid: NullBuffer = (0..rows).map(|row| row % 5 != 1).collect();
    let lists = ListArray::new(item, offsets, Arc::new(items), Some(valid));
    let member = Fields::from(vec![
        Field::new("n", DataType::Int32, false),
        ordered("size", words.data_type().clone()),
    ]);
    let numbers = Arc::new(Int32Array::from_iter_values(0..rows as i32));
    let within = StructArray::new(member, vec![numbers, Arc::new(words.clone())], None);
    let schema = Schema::new(vec![
        ordered("size", words.data_type().clone()),
        Field::new("sizes", lists.data_type().clone(), true),
        Field::new("s", within.data_type().clone(), true),
    ]);
    let columns: Vec<ArrayRef> = vec![Arc::new(words), Arc::new(lists), Arc::new(within)];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// The bytes of a file, or why there is none.
fn file(
    batches: &[RecordBatch],
    properties: &WriterProperties,
) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    file_of(batches, (properties.clone(), true), None).map_err(|error| match error {
        Error::Encode { source, .. } => source,
        other => other.into(),
    })
}

fn dictionaries(batch: &RecordBatch) -> [ArrayRef; 3] {
    let lists = batch.column(1).as_list::<i32>();
    let within = batch.column(2).as_struct();
    [batch.column(0), lists.values(), within.column(1)]
        .map(|column| Arc::clone(column.as_any_dictionary().values()))
}

fn properties() -> WriterPropertiesBuilder {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(3).unwrap());
    WriterProperties::builder().set_compression(zstd)
}

#[test]
fn categories_keep_their_order_and_those_that_no_row_has() {
    let one = [
        properties(),
        properties().set_compression(Compression::SNAPPY),
        properties().set_writer_version(WriterVersion::PARQUET_2_0),
        properties()
            .set_max_row_group_row_count(Some(3_001))
            .set_data_page_row_count_limit(500)
            .set_write_batch_size(100),
        properties().set_dictionary_enabled(false),
        properties().set_dictionary_page_size_limit(100),
    ];
    for count in [1, 2, 3, 200, 3_000] {
        let categories = categories(count);
        let given = rows(10_000, &categories);
        for properties in one.clone() {
            let bytes = file(
                &[given.slice(0, 7), given.slice(7, 9_993)],
                &properties.build(),
            );
            let bytes = Bytes::from(bytes.unwrap());
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
            let mut from = 0;
            for batch in reader.with_batch_size(1_000_000).build().unwrap() {
                let batch = batch.unwrap();
                assert_eq!(batch.schema().field(0).dict_is_ordered(), Some(true));
                for (column, given) in batch.columns().iter().zip(given.columns()) {
                    let given = given.slice(from, batch.num_rows());
                    assert_eq!(&plain(column), &plain(&given));
                }
                from += batch.num_rows();
            }
            assert_eq!(from, given.num_rows());
        }
        // One row group, and so one dictionary.
        let bytes = Bytes::from(file(&[given], &properties().build()).unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
        let batch = reader.build().unwrap().next().unwrap().unwrap();
        for found in dictionaries(&batch) {
            assert_eq!(
                found.as_string::<i32>(),
                &StringArray::from_iter_values(&categories)
            );
        }
    }
}

fn plain(array: &ArrayRef) -> ArrayRef {
    let plain = crate::unify::plain_type(array.data_type());
    cast(array, &plain).unwrap()
}

#[test]
fn a_chunk_of_nulls_has_all_categories() {
    let categories = categories(5);
    let words = words(3, &categories);
    let nulls = Int32Array::from(vec![None, None]);
    let array = DictionaryArray::new(nulls, Arc::clone(words.values()));
    let schema = Arc::new(Schema::new(vec![ordered("x", array.data_type().clone())]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(array)]).unwrap();
    let none = new_null_array(schema.field(0).data_type(), 2);
    let none = RecordBatch::try_new(schema, vec![none]).unwrap();
    let bytes = Bytes::from(file(&[none.clone(), batch, none], &properties().build()).unwrap());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let found = reader.build().unwrap().next().unwrap().unwrap();
    assert_eq!(found.column(0).null_count(), 6);
    let found = found.column(0).as_any_dictionary().values();
    assert_eq!(
        found.as_string::<i32>(),
        &StringArray::from_iter_values(&categories)
    );
}

fn of(values: &[&str]) -> RecordBatch {
    let keys = UInt8Array::from(vec![0; 3]);
    let array = DictionaryArray::new(keys, Arc::new(StringArray::from(values.to_vec())));
    let schema = Schema::new(vec![ordered("x", array.data_type().clone())]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(array)]).unwrap()
}

#[test]
fn batches_whose_categories_contradict_each_other_are_refused() {
    let properties = properties().build();
    for fits in [
        [of(&["b", "a", "c"]), of(&["b", "c"])],
        [of(&["b", "a"]), of(&["b", "a", "c"])],
        [of(&["b", "a"]), of(&["a"])],
    ] {
        file(&fits, &properties).unwrap();
    }
    for contradicts in [
        [of(&["b", "a"]), of(&["a", "b"])],
        [of(&["b"]), of(&["a", "b"])],
        [of(&["a"]), of(&["b"])],
    ] {
        let said = file(&contradicts, &properties).unwrap_err().to_string();
        assert!(
            said.contains("\"x\"") && said.contains("one dictionary"),
            "{said}"
        );
    }
}

/// Polars has the categories in the metadata, whatever dictionary a batch has.
#[test]
fn categories_of_an_enumeration_of_polars_are_those_of_its_metadata() {
    let of_polars = |batch: RecordBatch| {
        let metadata = [(POLARS_ENUMERATION.to_owned(), "1;c3;x;y2;ä1;a".to_owned())];
        let field = batch
            .schema()
            .field(0)
            .clone()
            .with_metadata(metadata.into());
        let schema = Arc::new(Schema::new(vec![field]));
        RecordBatch::try_new(schema, batch.columns().to_vec()).unwrap()
    };
    let properties = properties().build();
    let batches = [
        of_polars(of(&["a", "x;y"])),
        of_polars(of(&["x;y", "a", "c"])),
    ];
    let bytes = Bytes::from(file(&batches, &properties).unwrap());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let found = reader.build().unwrap().next().unwrap().unwrap();
    let found = found.column(0).as_any_dictionary();
    assert_eq!(
        found.values().as_string::<i32>(),
        &StringArray::from(vec!["c", "x;y", "ä", "a"])
    );
    let said = file(&[of_polars(of(&["b"]))], &properties)
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("\"x\"") && said.contains("does not have"),
        "{said}"
    );
    for broken in ["1", "9;a", "a;b", "-1;a"] {
        assert!(Categories::of_enumeration(broken).is_none(), "{broken}");
    }
}

//! What files of chosen encodings have in them, read by parquet-rs.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StringViewArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::super::row_group::FileTemplate;
use super::super::rows::tests::file_of_encodings;
use crate::options::Encodings;

/// Numbers without a pattern.
pub(super) fn noise(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()))
}

/// The encodings of the pages of a column in a file of its own, and what is read back.
fn encoded(
    column: ArrayRef,
    properties: WriterPropertiesBuilder,
    encodings: Encodings,
) -> Vec<Encoding> {
    let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
    let batches = [batch.clone()];
    let file = file_of_encodings(&batches, (properties.build(), true), None, encodings).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
    let metadata = Arc::clone(reader.metadata());
    let read: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let read = concat_batches(read[0].schema_ref(), &read).unwrap();
    assert_eq!(read, batch);
    let mut encodings: Vec<Encoding> = metadata.row_group(0).column(0).encodings().collect();
    // That of levels, which is there for columns without any, too.
    encodings.retain(|encoding| {
        *encoding != Encoding::RLE || batch.column(0).data_type().is_null() || is_boolean(&batch)
    });
    encodings
}

fn is_boolean(batch: &RecordBatch) -> bool {
    batch.column(0).data_type() == &arrow::datatypes::DataType::Boolean
}

const ROWS: usize = 10_000;

/// Texts of which each begins as the one before.
fn paths() -> StringArray {
    let paths = (0..ROWS).map(|row| Some(format!("/lake/events/year=2026/part-{row:08}.parquet")));
    paths.collect()
}

#[test]
fn each_column_is_encoded_as_suits_its_values() {
    let steps = noise(1).scan(1_700_000_000_000_000, |time, step| {
        *time += (step % 1_000_000) as i64;
        Some(*time)
    });
    let times: TimestampMicrosecondArray = steps.take(ROWS).map(Some).collect();
    let few: Int64Array = noise(2)
        .take(ROWS)
        .map(|value| Some((value % 9) as i64 * 1_000_003))
        .collect();
    let any: Int64Array = noise(3)
        .take(ROWS)
        .map(|value| Some(value.cast_signed()))
        .collect();
    let names = ["JFK", "EWR", "LGA"];
    let airports: StringArray = noise(4)
        .take(ROWS)
        .map(|value| Some(names[(value % 3) as usize]))
        .collect();
    let sensor = noise(5).take(ROWS).enumerate().map(|(row, noise)| {
        Some((row as f64 / 700.0).sin() * 30.0 + (noise % 1_000_000) as f64 / 1e8)
    });
    let sensor: Float64Array = sensor.collect();
    let one = Int32Array::from(vec![7; ROWS]);
    let days: Date32Array = (0..ROWS as i32).map(|row| Some(20_000 + row / 3)).collect();
    let cases: [(&str, ArrayRef, &[Encoding]); 7] = [
        (
            "times that rise",
            Arc::new(times),
            &[Encoding::DELTA_BINARY_PACKED],
        ),
        (
            "few numbers",
            Arc::new(few),
            &[Encoding::PLAIN, Encoding::RLE_DICTIONARY],
        ),
        (
            "numbers without a pattern",
            Arc::new(any),
            &[Encoding::PLAIN],
        ),
        (
            "few texts",
            Arc::new(airports),
            &[Encoding::PLAIN, Encoding::RLE_DICTIONARY],
        ),
        (
            "measurements",
            Arc::new(sensor),
            &[Encoding::BYTE_STREAM_SPLIT],
        ),
        (
            "one number",
            Arc::new(one),
            &[Encoding::PLAIN, Encoding::RLE_DICTIONARY],
        ),
        (
            "days that rise",
            Arc::new(days),
            &[Encoding::DELTA_BINARY_PACKED],
        ),
    ];
    for (name, column, expected) in cases {
        assert_eq!(
            encoded(column, properties(), Encodings::Auto),
            expected,
            "{name}"
        );
    }
    assert_eq!(
        encoded(Arc::new(paths()), properties(), Encodings::Auto),
        [Encoding::DELTA_BYTE_ARRAY]
    );
    let halves: BooleanArray = (0..ROWS).map(|row| Some(row > ROWS / 2)).collect();
    assert_eq!(
        encoded(Arc::new(halves), properties(), Encodings::Auto),
        [Encoding::RLE]
    );
}

#[test]
fn compatible_files_have_dictionaries_and_plain_values_alone() {
    assert_eq!(
        encoded(Arc::new(paths()), properties(), Encodings::Compatible),
        [Encoding::PLAIN]
    );
    let few: Int64Array = (0..ROWS as i64).map(|row| Some(row % 3)).collect();
    assert_eq!(
        encoded(Arc::new(few), properties(), Encodings::Compatible),
        [Encoding::PLAIN, Encoding::RLE_DICTIONARY]
    );
}

#[test]
fn what_the_properties_name_is_kept() {
    let few: ArrayRef = Arc::new(
        (0..ROWS as i64)
            .map(|row| Some(row % 3))
            .collect::<Int64Array>(),
    );
    let split = properties()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::BYTE_STREAM_SPLIT);
    assert_eq!(
        encoded(Arc::clone(&few), split, Encodings::Auto),
        [Encoding::BYTE_STREAM_SPLIT]
    );
    let without = properties().set_dictionary_enabled(false);
    let encodings = encoded(few, without, Encodings::Auto);
    assert!(
        !encodings.contains(&Encoding::RLE_DICTIONARY),
        "{encodings:?}"
    );
}

/// Values that are dictionaries in Arrow are encoded as the same values by themselves.
#[test]
fn the_form_of_a_column_in_arrow_does_not_matter() {
    let keys = noise(6).take(ROWS).map(|value| (value % 50) as i32);
    let texts = StringArray::from_iter_values((0..60).rev().map(|name| format!("name {name}")));
    let dictionary =
        DictionaryArray::<Int32Type>::new(keys.collect::<Int32Array>(), Arc::new(texts));
    let of = |column: ArrayRef| {
        let batch = [RecordBatch::try_from_iter([("c", column)]).unwrap()];
        let properties = (properties().build(), true);
        let file = file_of_encodings(&batch, properties, None, Encodings::Auto).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
        let chunk = reader.metadata().row_group(0).column(0).clone();
        (
            chunk.compressed_size(),
            chunk.encodings().collect::<Vec<_>>(),
        )
    };
    let values = arrow::compute::cast(&dictionary, &arrow::datatypes::DataType::Utf8).unwrap();
    assert_eq!(of(Arc::new(dictionary)), of(values));
}

/// The bytes of the only column of a file in its row groups, written batch by batch.
fn chunks(batches: &[ArrayRef], properties: WriterPropertiesBuilder) -> Vec<Vec<u8>> {
    let batch = |column: &ArrayRef| {
        let columns = [("c", Arc::clone(column), true)];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    };
    let batches: Vec<RecordBatch> = batches.iter().map(batch).collect();
    let properties = (properties.build(), true);
    let file = file_of_encodings(&batches, properties, None, Encodings::Compatible).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file.clone())).unwrap();
    let groups = reader.metadata().row_groups().iter();
    let ranges = groups.map(|group| group.column(0).byte_range());
    ranges
        .map(|(start, length)| file[start as usize..(start + length) as usize].to_vec())
        .collect()
}

#[test]
fn codes_of_dictionaries_make_the_pages_that_their_values_make() {
    let few: ArrayRef = Arc::new(StringArray::from_iter_values(
        // One of them twice.
        (0..40).map(|name| format!("name {}", name % 39)),
    ));
    let many: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..4000).map(|name| format!("{name:x} and more")),
    ));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..300).map(|n| n * n - 900)));
    let fixed: ArrayRef = {
        let decimals = Decimal128Array::from_iter_values((0..300).map(|n| n * 1_000_003 - 900));
        Arc::new(decimals.with_precision_and_scale(30, 2).unwrap())
    };
    let with_null: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
    let coded = |values: &ArrayRef, rows: usize, seed: u64, nulls: u64| -> ArrayRef {
        let keys = noise(seed).take(rows).map(|noise| {
            let key = (noise >> 8) % values.len() as u64;
            (noise % 10 >= nulls).then_some(key as i32)
        });
        let keys: Int32Array = keys.collect();
        Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::clone(values)))
    };
    for nulls in [0, 3, 10] {
        for batches in [
            vec![coded(&few, 5000, 1, nulls)],
            // Other dictionaries, and one that is larger than its rows.
            vec![
                coded(&few, 3000, 2, nulls),
                coded(&many, 500, 3, nulls),
                coded(&few, 3000, 4, 0),
                coded(&many, 9000, 5, nulls),
            ],
            vec![coded(&many, 70_000, 6, nulls), coded(&few, 200, 7, nulls)],
            vec![coded(&numbers, 4000, 8, nulls)],
            vec![coded(&fixed, 4000, 9, nulls)],
            vec![
                coded(&few, 100, 10, nulls),
                coded(&with_null, 2000, 11, nulls),
            ],
        ] {
            let type_ = match batches[0].data_type() {
                arrow::datatypes::DataType::Dictionary(_, values) => values.as_ref().clone(),
                other => panic!("{other}"),
            };
            let values = batches.iter();
            let values = values.map(|batch| arrow::compute::cast(batch, &type_).unwrap());
            let values: Vec<ArrayRef> = values.collect();
            let mut mixed = batches.clone();
            for (at, batch) in mixed.iter_mut().enumerate().filter(|(at, _)| at % 2 == 1) {
                *batch = Arc::clone(&values[at]);
            }
            for properties in [
                properties(),
                properties().set_data_page_row_count_limit(700),
                properties().set_dictionary_page_size_limit(300),
                properties().set_data_page_size_limit(100),
                properties().set_max_row_group_row_count(Some(2500)),
                properties().set_bloom_filter_enabled(true),
            ] {
                let of_values = chunks(&values, properties.clone());
                assert!(of_values == chunks(&batches, properties.clone()), "{type_}");
                assert!(of_values == chunks(&mixed, properties), "{type_}");
            }
        }
    }
}

/// The rows of a column, the values that each of them is written as, and as codes of a dictionary.
fn coded_and_plain(numbers: impl Iterator<Item = i32>, values: ArrayRef) -> [ArrayRef; 2] {
    let keys: Int32Array = numbers.map(Some).collect();
    let coded: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(keys, values));
    let plain = arrow::compute::cast(&coded, &DataType::Utf8).unwrap();
    [coded, plain]
}

/// The length of each page of the only column of a file before it was compressed.
fn page_lengths(column: &ArrayRef, properties: WriterPropertiesBuilder) -> Vec<usize> {
    let batch = RecordBatch::try_from_iter([("c", Arc::clone(column))]).unwrap();
    let properties = (properties.build(), true);
    let file = file_of_encodings(&[batch], properties, None, Encodings::Auto).unwrap();
    let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
    let group = reader.get_row_group(0).unwrap();
    let pages = group.get_column_page_reader(0).unwrap();
    pages.map(|page| page.unwrap().buffer().len()).collect()
}

#[test]
fn pages_of_numbers_end_before_their_values_are_too_many_bytes() {
    let most = 16 << 20;
    let words = |count: i32, length: usize| -> ArrayRef {
        let words = (0..count).map(|word| format!("{word:0length$}"));
        Arc::new(StringArray::from_iter_values(words))
    };
    let columns = coded_and_plain((0..3_000).map(|row| row % 40), words(40, 20_000));
    let lengths = columns
        .clone()
        .map(|column| page_lengths(&column, properties()));
    // 60 MB in values; in numbers, a page of 20,000 rows would be there for all.
    assert_eq!(lengths[0].len(), 1 + 4, "{:?}", lengths[0]);
    assert_eq!(lengths[0], lengths[1]);
    // Where the dictionary is given up, what was to be numbers is written as values.
    let empty = std::iter::repeat_n(String::new(), 1 << 16);
    let texts = noise(7).take(5_000).map(|noise| format!("{noise:05000}"));
    let late: ArrayRef = Arc::new(StringArray::from_iter_values(empty.chain(texts)));
    let lengths = page_lengths(&late, properties());
    assert!(
        lengths.iter().all(|length| *length < most + 5_004),
        "{lengths:?}"
    );
    assert!(lengths.iter().sum::<usize>() > 25_000_000);
}

#[test]
fn few_long_values_are_enough_to_choose_by() {
    let texts = noise(8).take(6_000).map(|noise| format!("{noise:02000}"));
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let batches = |rows: usize| -> Vec<ArrayRef> {
        let starts = (0..column.len()).step_by(rows);
        starts
            .map(|start| column.slice(start, rows.min(column.len() - start)))
            .collect()
    };
    let whole = chunks(&batches(6_000), properties());
    for rows in [7, 1_000, 1_024, 5_000] {
        assert!(whole == chunks(&batches(rows), properties()), "{rows}");
    }
}

/// Where row groups and files end because of their size would depend on the memory limit otherwise, which says whether rows
/// are held as codes.
#[test]
fn the_size_of_a_chunk_is_the_same_whether_rows_come_as_codes_or_as_values() {
    let values: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..2_000).map(|value| format!("{value:040}")),
    ));
    // Some of the values are in the first rows, and others come later.
    let numbers = (0..90_000).map(|row| (row / 60) + row % 7);
    let estimates = coded_and_plain(numbers, values).map(|column| {
        let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
        let schema = match batch.column(0).data_type() {
            DataType::Dictionary(_, _) => {
                let field = Field::new("c", DataType::Utf8, false);
                Arc::new(Schema::new(vec![field]))
            }
            _ => batch.schema(),
        };
        let embedded = (true, Some(true));
        let template =
            FileTemplate::new(&schema, properties().build(), embedded, Encodings::Auto).unwrap();
        let file = template.file(std::io::sink()).unwrap();
        let group = template
            .row_group(&file, 0, None, template.unchosen())
            .unwrap();
        let mut estimates = Vec::new();
        for start in (0..batch.num_rows()).step_by(3_000) {
            let range = start..(start + 3_000).min(batch.num_rows());
            group
                .encode(0, &batch, std::slice::from_ref(&range))
                .unwrap();
            estimates.push(group.estimate());
        }
        estimates
    });
    assert_eq!(estimates[0], estimates[1]);
    // Values that are written as numbers do not count as if they were not.
    let last = *estimates[0].last().unwrap();
    assert!(last < 400_000, "{last}");
}

/// pyarrow reads them into dictionaries, which it can from no other encoding.
#[test]
fn dictionaries_are_encoded_as_the_first_version_of_the_format_can() {
    let numbers: Int32Array = (0..ROWS as i32).map(Some).collect();
    let dictionary: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(
        numbers.clone(),
        Arc::new(paths()),
    ));
    let columns: [(&str, ArrayRef); 3] = [
        ("number", Arc::new(numbers)),
        ("path", Arc::clone(&dictionary)),
        ("text", Arc::new(paths())),
    ];
    let columns = columns.map(|(name, column)| {
        let field = Field::new(name, column.data_type().clone(), true);
        (Arc::new(field), column)
    });
    let columns = StructArray::from(columns.to_vec());
    let batch = [RecordBatch::try_from_iter([("c", Arc::new(columns) as ArrayRef)]).unwrap()];
    let file = file_of_encodings(&batch, (properties().build(), true), None, Encodings::Auto);
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file.unwrap())).unwrap();
    let leaf = |number| {
        let chunk = reader.metadata().row_group(0).column(number);
        chunk
            .encodings()
            .filter(|encoding| *encoding != Encoding::RLE)
            .collect::<Vec<_>>()
    };
    assert_eq!(leaf(0), [Encoding::DELTA_BINARY_PACKED]);
    assert_eq!(leaf(1), [Encoding::PLAIN]);
    assert_eq!(leaf(2), [Encoding::DELTA_BYTE_ARRAY]);
    assert_eq!(
        encoded(dictionary, properties(), Encodings::Auto),
        [Encoding::PLAIN]
    );
}

#[test]
fn values_within_lists_are_looked_at_too() {
    let rows = (0..ROWS as i64).map(|row| match row % 4 {
        0 => None,
        count => Some(
            (0..count)
                .map(move |at| Some(row * 1000 + at))
                .collect::<Vec<_>>(),
        ),
    });
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(rows);
    assert_eq!(
        encoded(Arc::new(lists), properties(), Encodings::Auto),
        [Encoding::DELTA_BINARY_PACKED]
    );
}

#[test]
fn a_column_of_nulls_or_of_nothing_is_encoded() {
    let nulls: ArrayRef = Arc::new(StringViewArray::new_null(ROWS));
    assert_eq!(
        encoded(nulls, properties(), Encodings::Auto),
        [Encoding::PLAIN]
    );
    let decimals = Decimal128Array::from(vec![None, Some(12_345)]).with_precision_and_scale(30, 3);
    encoded(Arc::new(decimals.unwrap()), properties(), Encodings::Auto);
}

//! Chunks that are encoded here have the values, statistics and indexes that parquet-rs gives the same rows.

use std::sync::Arc;

use arrow::array::*;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::*;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::statistics::Statistics;

use super::super::rows::tests::file_of_encodings;
use super::tests::noise;
use crate::options::Encodings;

/// How values follow one another.
const SHAPES: [fn(usize, u64) -> i64; 6] = [
    |_, _| -7,
    |row, _| (row / 40) as i64 - 5,
    |_, noise| (noise % 5) as i64 - 2,
    |row, noise| row as i64 * 1_000 + (noise % 900) as i64,
    |_, noise| noise.cast_signed(),
    |row, noise| {
        if row % 50 < 25 {
            3
        } else {
            noise.cast_signed()
        }
    },
];

/// Which rows have a value.
const PRESENT: [fn(usize, u64) -> bool; 5] = [
    |_, _| true,
    |_, _| false,
    |row, _| row % 3 != 0,
    |row, _| row / 70 % 2 == 0,
    |_, noise| noise % 20 != 0,
];

fn values(rows: usize, shape: usize, present: usize) -> Vec<Option<i64>> {
    let seed = (shape * 10 + present) as u64 + 1;
    let numbers = noise(seed).zip(noise(seed + 1000)).take(rows).enumerate();
    let value = |(row, (one, other)): (usize, (u64, u64))| {
        PRESENT[present](row, other).then(|| SHAPES[shape](row, one))
    };
    numbers.map(value).collect()
}

fn primitive<T: ArrowPrimitiveType>(
    values: &[Option<i64>],
    convert: impl Fn(i64) -> T::Native,
) -> PrimitiveArray<T> {
    let values = values.iter();
    values.map(|value| value.map(&convert)).collect()
}

/// The values as each type that is encoded here.
fn columns(values: &[Option<i64>]) -> Vec<ArrayRef> {
    let text = |value: i64| match value.rem_euclid(4) {
        0 => format!("{value}"),
        1 => format!("grüße {}", value % 7),
        2 => "é".repeat(60) + &value.to_string(),
        _ => String::new(),
    };
    let texts = values.iter().map(|value| value.map(text));
    let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
    let float = |value: i64| match value.rem_euclid(11) {
        0 => f64::NAN,
        1 => -0.0,
        2 => 0.0,
        3 => f64::INFINITY,
        _ => value as f64 / 3.0,
    };
    let double: Float64Array = primitive(values, float);
    let nan: Float64Array = primitive(values, |_| f64::NAN);
    let fixed = values
        .iter()
        .map(|value| value.map(|value| value.to_be_bytes()));
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 8).unwrap();
    let to = |column: &ArrayRef, data_type: DataType| cast(column, &data_type).unwrap();
    let within = |bound: i64| move |value: i64| value % bound;
    let decimal = |precision: u8, bound: i64| -> ArrayRef {
        let decimals: Decimal128Array = primitive(values, |value| i128::from(value % bound));
        Arc::new(decimals.with_precision_and_scale(precision, 2).unwrap())
    };
    let wide: Decimal256Array = primitive(values, |value| i256::from_i128(i128::from(value) * 77));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let narrow: Int64Array = primitive(values, within(100));
    let narrow: ArrayRef = Arc::new(narrow);
    let numbers = DataType::Dictionary(Box::new(DataType::Int16), Box::new(DataType::Int64));
    let booleans = values.iter().map(|value| value.map(|value| value % 2 == 0));
    vec![
        Arc::new(booleans.collect::<BooleanArray>()),
        Arc::new(primitive::<Int8Type>(values, |value| value as i8)),
        Arc::new(primitive::<Int16Type>(values, |value| value as i16)),
        Arc::new(primitive::<Int32Type>(values, |value| value as i32)),
        Arc::new(primitive::<Int64Type>(values, |value| value)),
        Arc::new(primitive::<UInt8Type>(values, |value| value as u8)),
        Arc::new(primitive::<UInt16Type>(values, |value| value as u16)),
        Arc::new(primitive::<UInt32Type>(values, |value| value as u32)),
        Arc::new(primitive::<UInt64Type>(values, |value| value as u64)),
        to(&(Arc::new(double.clone()) as ArrayRef), DataType::Float16),
        to(&(Arc::new(double.clone()) as ArrayRef), DataType::Float32),
        Arc::new(double),
        Arc::new(nan),
        Arc::new(primitive::<Date32Type>(values, |value| value as i32)),
        Arc::new(primitive::<Date64Type>(values, |value| {
            value % 100_000 * 86_400_000
        })),
        Arc::new(primitive::<Time32SecondType>(values, |value| {
            (value % 86_400) as i32
        })),
        Arc::new(primitive::<Time32MillisecondType>(values, |value| {
            (value % 86_400) as i32
        })),
        Arc::new(primitive::<Time64MicrosecondType>(values, within(86_400))),
        Arc::new(primitive::<Time64NanosecondType>(values, within(86_400))),
        Arc::new(primitive::<TimestampSecondType>(values, within(1 << 40))),
        Arc::new(primitive::<TimestampMillisecondType>(values, |value| value)),
        Arc::new(primitive::<TimestampMicrosecondType>(values, |value| value)),
        Arc::new(primitive::<TimestampNanosecondType>(values, |value| value)),
        Arc::new(primitive::<DurationMicrosecondType>(values, |value| value)),
        decimal(9, 999_999_999),
        decimal(18, 999_999_999_999_999_999),
        decimal(38, i64::MAX),
        Arc::new(wide.with_precision_and_scale(38, 3).unwrap()),
        Arc::new(fixed),
        to(&texts, DataType::LargeUtf8),
        to(&texts, DataType::Utf8View),
        to(&texts, DataType::Binary),
        to(&texts, DataType::BinaryView),
        to(&texts, dictionary),
        to(&narrow, numbers),
        texts,
    ]
}

fn batch(rows: usize, shape: usize, present: usize, is_nullable: bool) -> RecordBatch {
    let columns = columns(&values(rows, shape, present))
        .into_iter()
        .enumerate();
    let columns = columns.map(|(number, column)| (format!("c{number}"), column, is_nullable));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn properties(page_rows: usize) -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_data_page_row_count_limit(page_rows)
        // As often parquet-rs asks whether a page ends.
        .set_write_batch_size(page_rows)
}

fn theirs(batch: &RecordBatch, properties: &WriterProperties) -> Vec<u8> {
    let properties = Some(properties.clone());
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), properties).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn read(file: Vec<u8>) -> (RecordBatch, Arc<ParquetMetaData>) {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    let file = Bytes::from(file);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let metadata = Arc::clone(reader.metadata());
    let read: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    (
        concat_batches(read[0].schema_ref(), &read).unwrap(),
        metadata,
    )
}

/// As debugging shows them: a NaN does not equal itself.
fn index_of(metadata: &ParquetMetaData, group: usize, column: usize) -> String {
    match metadata.column_index().map(|index| &index[group][column]) {
        None | Some(ColumnIndexMetaData::NONE) => String::new(),
        Some(index) => format!("{index:?}"),
    }
}

/// Whether a NaN is among floats, which have no bounds then, other than in parquet-rs.
fn has_nan(column: &ArrayRef) -> bool {
    let floats = cast(column, &DataType::Float64).ok();
    column.data_type().is_floating()
        && floats.is_some_and(|floats| {
            let floats: &Float64Array = floats.as_primitive();
            floats.iter().flatten().any(f64::is_nan)
        })
}

fn compare(batch: &RecordBatch, properties: &WriterProperties, what: &str) {
    let batches = [batch.slice(0, 7), batch.slice(7, batch.num_rows() - 7)];
    let ours = file_of_encodings(&batches, (properties.clone(), true), None, Encodings::Auto);
    let (ours, theirs) = (ours.unwrap(), theirs(batch, properties));
    let ((rows, ours), (expected, theirs)) = (read(ours), read(theirs));
    assert!(rows == expected && rows == *batch, "{what}");
    assert_eq!(ours.num_row_groups(), theirs.num_row_groups(), "{what}");
    let has_one_page_each = |metadata: &ParquetMetaData| {
        let index = metadata.offset_index();
        let chunks = index.map(|index| index.iter().flatten());
        metadata.num_row_groups() == 1
            && chunks.is_some_and(|mut chunks| chunks.all(|it| it.page_locations().len() == 1))
    };
    let is_indexed = !has_one_page_each(&theirs);
    assert!(is_indexed || ours.offset_index().is_none() && ours.column_index().is_none());
    let mut first_row = 0;
    for (number, (group, expected)) in ours
        .row_groups()
        .iter()
        .zip(theirs.row_groups())
        .enumerate()
    {
        assert_eq!(group.num_rows(), expected.num_rows());
        let of_group = batch.slice(first_row, group.num_rows() as usize);
        first_row += of_group.num_rows();
        for (at, (chunk, expected)) in group.columns().iter().zip(expected.columns()).enumerate() {
            let what = format!("{what}, {}", batch.column(at).data_type());
            let (found, said) = (chunk.statistics(), expected.statistics());
            let has_nan = has_nan(of_group.column(at));
            if has_nan && let Some(found) = found {
                assert!(found.min_bytes_opt().is_none(), "{what}");
                assert!(found.max_bytes_opt().is_none(), "{what}");
                let nulls = said.and_then(Statistics::null_count_opt);
                assert_eq!(found.null_count_opt(), nulls, "{what}");
                assert_eq!(index_of(&ours, number, at), "", "{what}");
            } else {
                assert_eq!(format!("{found:?}"), format!("{said:?}"), "{what}");
            }
            assert_eq!(chunk.num_values(), expected.num_values(), "{what}");
            assert_eq!(
                chunk.unencoded_byte_array_data_bytes(),
                expected.unencoded_byte_array_data_bytes(),
                "{what}"
            );
            assert_eq!(
                chunk.definition_level_histogram(),
                expected.definition_level_histogram(),
                "{what}"
            );
            if !is_indexed {
                continue;
            }
            if !has_nan {
                assert_eq!(
                    index_of(&ours, number, at),
                    index_of(&theirs, number, at),
                    "{what}"
                );
            }
            let places = |metadata: &ParquetMetaData| {
                let index = metadata.offset_index().map(|index| &index[number][at]);
                index.map(|index| {
                    let rows = index
                        .page_locations()
                        .iter()
                        .map(|page| page.first_row_index);
                    let bytes = index.unencoded_byte_array_data_bytes().cloned();
                    (rows.collect::<Vec<_>>(), bytes)
                })
            };
            assert_eq!(places(&ours), places(&theirs), "{what}");
        }
    }
}

#[test]
fn values_statistics_and_indexes_are_those_of_parquet_rs() {
    for shape in 0..SHAPES.len() {
        for present in 0..PRESENT.len() {
            for (rows, page_rows) in [(500, 130), (257, 1_000), (128, 128)] {
                let what = format!("shape {shape}, nulls {present}, {rows} rows in {page_rows}");
                let batch = batch(rows, shape, present, true);
                compare(&batch, &properties(page_rows).build(), &what);
            }
        }
        let whole = batch(400, shape, 0, false);
        compare(
            &whole,
            &properties(150).build(),
            &format!("shape {shape}, no nulls"),
        );
    }
}

#[test]
fn levels_of_statistics_and_row_groups_are_kept() {
    let batch = batch(500, 3, 2, true);
    for kind in [
        properties(100).set_statistics_enabled(EnabledStatistics::None),
        properties(100).set_statistics_enabled(EnabledStatistics::Chunk),
        properties(100).set_offset_index_disabled(true),
        properties(100).set_statistics_truncate_length(Some(3)),
        properties(100).set_column_index_truncate_length(Some(2)),
        properties(100)
            .set_statistics_truncate_length(None)
            .set_column_index_truncate_length(None),
        properties(100).set_max_row_group_row_count(Some(200)),
        properties(100).set_dictionary_enabled(false),
    ] {
        let properties = kind.build();
        compare(&batch, &properties, &format!("{properties:?}"));
    }
}

/// Every kind of pages with every type that it may have.
#[test]
fn values_come_back_however_pages_end_and_dictionaries_do() {
    for shape in 0..SHAPES.len() {
        let batch = batch(700, shape, 4, true);
        for (page_bytes, dictionary_bytes) in
            [(64, 1 << 20), (1, 1 << 20), (1 << 20, 40), (300, 500)]
        {
            let properties = WriterProperties::builder()
                .set_data_page_size_limit(page_bytes)
                .set_dictionary_page_size_limit(dictionary_bytes)
                .build();
            for encodings in [Encodings::Auto, Encodings::Compatible] {
                let batches = [batch.clone()];
                let file = file_of_encodings(&batches, (properties.clone(), true), None, encodings);
                let (rows, _) = read(file.unwrap());
                assert!(rows == batch, "shape {shape} {page_bytes} {encodings}");
            }
        }
    }
}

#[test]
fn a_dictionary_that_becomes_too_large_is_given_up() {
    // Few values as long as they are looked at, then many.
    let values = (0..200_000_i64).map(|row| {
        if row < 70_000 {
            row % 50 * 1_000_003
        } else {
            row * row
        }
    });
    let column: ArrayRef = Arc::new(values.map(Some).collect::<Int64Array>());
    let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_page_size_limit(100_000)
        .build();
    let file = file_of_encodings(
        std::slice::from_ref(&batch),
        (properties, true),
        None,
        Encodings::Auto,
    );
    let (rows, metadata) = read(file.unwrap());
    assert_eq!(rows, batch);
    let chunk = metadata.row_group(0).column(0);
    let pages = chunk.page_encoding_stats_mask().unwrap();
    assert!(pages.is_set(Encoding::RLE_DICTIONARY) && !pages.is_only(Encoding::RLE_DICTIONARY));
}

/// Decimals take more memory than space in the file, so that a row group which ends by its size gets more rows after its
/// encodings were chosen by what it took in memory.
#[test]
fn rows_that_come_after_the_choice_are_encoded_too() {
    let few = noise(8).take(20_000).map(|value| (value % 7).into());
    let decimals = Decimal128Array::from_iter_values(few).with_precision_and_scale(9, 0);
    let column: ArrayRef = Arc::new(decimals.unwrap());
    let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
    let batches: Vec<_> = (0..20).map(|part| batch.slice(part * 1000, 1000)).collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_bytes(Some(9_000))
        .build();
    let file = file_of_encodings(&batches, (properties, true), None, Encodings::Auto);
    let (rows, metadata) = read(file.unwrap());
    assert!(metadata.row_group(0).num_rows() > 2000);
    assert!(rows == batch);
}

#[test]
fn bloom_filters_have_every_value_and_few_others() {
    let values: Int64Array = (0..3_000_i64).map(|row| Some(row * 7)).collect();
    let texts: StringArray = (0..3_000).map(|row| Some(format!("name {row}"))).collect();
    let batch = RecordBatch::try_from_iter([
        ("n", Arc::new(values) as ArrayRef),
        ("text", Arc::new(texts)),
    ]);
    let batch = batch.unwrap();
    let properties = properties(1_000).set_bloom_filter_enabled(true).build();
    let file = file_of_encodings(&[batch], (properties, true), None, Encodings::Auto).unwrap();
    let file = Bytes::from(file);
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
    let group = reader.metadata().row_group(0);
    let filter = |column: usize| {
        Sbbf::read_from_column_chunk(group.column(column), &file)
            .unwrap()
            .unwrap()
    };
    let (numbers, texts) = (filter(0), filter(1));
    for row in 0..3_000_i64 {
        assert!(numbers.check(&(row * 7)));
        assert!(texts.check(format!("name {row}").as_str()));
    }
    let false_ones = (0..3_000_i64)
        .filter(|row| numbers.check(&(row * 7 + 1)))
        .count();
    assert!(false_ones < 300, "{false_ones}");
}

/// parquet-rs gives byte strings of one length no dictionary in files of version 1.
#[test]
fn byte_strings_of_one_length_may_be_in_a_dictionary() {
    let values =
        (0..5_000_u64).map(|row| Some((row * row % 13 * 0x0123_4567_89ab_cdef).to_be_bytes()));
    let column = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, 8).unwrap();
    let batch = RecordBatch::try_from_iter([("c", Arc::new(column) as ArrayRef)]).unwrap();
    let file = file_of_encodings(
        std::slice::from_ref(&batch),
        (properties(1_000).build(), true),
        None,
        Encodings::Auto,
    );
    let (rows, metadata) = read(file.unwrap());
    assert_eq!(rows, batch);
    let mut encodings = metadata.row_group(0).column(0).encodings();
    assert!(encodings.any(|encoding| encoding == Encoding::RLE_DICTIONARY));
}

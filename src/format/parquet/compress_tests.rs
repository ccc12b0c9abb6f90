//! What is compressed here is byte for byte what parquet-rs compresses itself.

use std::io;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder,
};
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::*;

/// Repeating and unique texts, numbers, nulls, lists: columns that keep their dictionary, give it up in
/// the middle, or have none.
fn rows(count: usize) -> RecordBatch {
    let numbers = || 0..count as i32;
    let mut lists = ListBuilder::new(StringBuilder::new());
    for number in numbers() {
        for item in 0..number % 4 {
            lists
                .values()
                .append_option((item != 2).then(|| format!("item {number} {item}")));
        }
        lists.append(number % 7 != 0);
    }
    let columns: [(&str, ArrayRef); 6] = [
        (
            "few",
            Arc::new(StringArray::from_iter(
                numbers().map(|n| (n % 5 > 0).then(|| format!("{}", n % 9))),
            )),
        ),
        (
            "unique",
            Arc::new(StringArray::from_iter_values(
                numbers().map(|n| format!("{n} of many, {}", n * 7)),
            )),
        ),
        (
            "float",
            Arc::new(Float64Array::from_iter(
                numbers().map(|n| (n % 11 > 0).then_some(f64::from(n) / 3.0)),
            )),
        ),
        ("nulls", Arc::new(Int32Array::from(vec![None; count]))),
        (
            "flag",
            Arc::new(BooleanArray::from_iter(numbers().map(|n| Some(n % 3 == 0)))),
        ),
        ("lists", Arc::new(lists.finish())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .set_data_page_size_limit(8 << 10)
        .set_dictionary_page_size_limit(16 << 10)
        .set_write_batch_size(100)
}

/// A file of two row groups, its pages compressed by `compression` or by parquet-rs.
fn file(
    batch: &RecordBatch,
    properties: &WriterProperties,
    compression: Option<(PageCompression, WriterProperties)>,
) -> Vec<u8> {
    let schema = ArrowSchemaConverter::new()
        .convert(&batch.schema())
        .unwrap();
    let root = schema.root_schema_ptr();
    let mut file =
        SerializedFileWriter::new(Vec::new(), Arc::clone(&root), Arc::new(properties.clone()))
            .unwrap();
    let compression = compression.map(|(compression, properties)| {
        let properties = Arc::new(properties);
        let none = SerializedFileWriter::new(io::sink(), root, properties).unwrap();
        (Arc::new(compression), none)
    });
    for number in 0..2 {
        let chunks = compression
            .as_ref()
            .map(|(compression, _)| Arc::new(Chunks::new(compression)));
        let factory = match (&chunks, &compression) {
            (Some(chunks), Some((_, none))) => {
                ArrowRowGroupWriterFactory::new(none, batch.schema())
                    .with_page_store_factory(Arc::clone(chunks) as Arc<dyn PageStoreFactory>)
            }
            _ => ArrowRowGroupWriterFactory::new(&file, batch.schema()),
        };
        let mut writers = factory.create_column_writers(number).unwrap();
        for (at, writer) in writers.iter_mut().enumerate() {
            let schema = batch.schema();
            let leaves = compute_leaves(schema.field(at), batch.column(at)).unwrap();
            writer.write(&leaves[0]).unwrap();
        }
        let mut group = file.next_row_group().unwrap();
        for (leaf, writer) in writers.into_iter().enumerate() {
            let chunk = writer.close().unwrap();
            match &chunks {
                Some(chunks) => {
                    let (bytes, close) = chunks.take(leaf, chunk.close().clone()).unwrap();
                    group.append_column(&bytes, close).unwrap();
                }
                None => chunk.append_to_row_group(&mut group).unwrap(),
            }
        }
        group.close().unwrap();
    }
    file.into_inner().unwrap()
}

fn taken_over(
    batch: &RecordBatch,
    properties: &WriterProperties,
) -> Option<(PageCompression, WriterProperties)> {
    let schema = ArrowSchemaConverter::new()
        .convert(&batch.schema())
        .unwrap();
    PageCompression::take_over(properties, &schema)
}

#[test]
fn a_file_is_byte_for_byte_what_parquet_rs_writes() {
    let plain = || properties().set_dictionary_enabled(false);
    let kinds = [
        properties(),
        plain(),
        properties().set_statistics_enabled(EnabledStatistics::None),
        properties()
            .set_offset_index_disabled(true)
            .set_statistics_enabled(EnabledStatistics::Chunk),
        properties().set_write_page_header_statistics(true),
        properties().set_bloom_filter_enabled(true),
        properties()
            .set_column_compression(
                ColumnPath::from("unique"),
                Compression::GZIP(GzipLevel::default()),
            )
            .set_column_compression(ColumnPath::from("float"), Compression::UNCOMPRESSED)
            .set_column_compression(
                ColumnPath::from("few"),
                Compression::ZSTD(ZstdLevel::try_new(9).unwrap()),
            ),
    ];
    for batch in [rows(20_000), rows(3), rows(0)] {
        for kind in kinds.clone() {
            let properties = kind.build();
            let ours = taken_over(&batch, &properties);
            assert!(ours.is_some(), "{properties:?}");
            let (ours, theirs) = (
                file(&batch, &properties, ours),
                file(&batch, &properties, None),
            );
            assert!(ours == theirs, "{} rows, {properties:?}", batch.num_rows());
        }
    }
}

#[test]
fn other_codecs_and_pages_of_version_2_are_left_to_parquet_rs() {
    let batch = rows(3);
    let version_2 = properties()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .build();
    assert!(taken_over(&batch, &version_2).is_none());
    let uncompressed = WriterProperties::builder().build();
    assert!(taken_over(&batch, &uncompressed).is_none());
}

#[test]
fn a_plain_file_is_known_to_have_nothing_encrypted_and_anything_else_is_not() {
    let batch = rows(3);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let file = writer.into_inner().unwrap();
    let encrypts = crate::format::parquet::encrypts;
    assert!(!encrypts(&file));
    let mut other = file.clone();
    other.truncate(file.len() - 1);
    other.push(b'E');
    assert!(encrypts(&other) && encrypts(&[]) && encrypts(&file[..file.len() - 1]));
}

#[test]
fn what_encoders_take_in_the_file_is_estimated_as_parquet_rs_does() {
    let batch = rows(20_000);
    let properties = properties().build();
    let estimates = |ours: bool| -> Vec<usize> {
        let schema = ArrowSchemaConverter::new()
            .convert(&batch.schema())
            .unwrap();
        let (compression, without) = taken_over(&batch, &properties).unwrap();
        let chunks = Arc::new(Chunks::new(&Arc::new(compression)));
        let properties = if ours { without } else { properties.clone() };
        let file =
            SerializedFileWriter::new(io::sink(), schema.root_schema_ptr(), Arc::new(properties))
                .unwrap();
        let mut factory = ArrowRowGroupWriterFactory::new(&file, batch.schema());
        if ours {
            factory =
                factory.with_page_store_factory(Arc::clone(&chunks) as Arc<dyn PageStoreFactory>);
        }
        let mut writers = factory.create_column_writers(0).unwrap();
        let estimate =
            |(at, writer): (usize, &mut parquet::arrow::arrow_writer::ArrowColumnWriter)| {
                let leaves = compute_leaves(batch.schema().field(at), batch.column(at)).unwrap();
                writer.write(&leaves[0]).unwrap();
                let bytes = writer.get_estimated_total_bytes();
                if ours {
                    chunks.estimate(at, bytes)
                } else {
                    bytes
                }
            };
        writers.iter_mut().enumerate().map(estimate).collect()
    };
    assert_eq!(estimates(true), estimates(false));
}

//! What is finished here is byte for byte what parquet-rs writes itself, but for the checksums, and for what the footer need
//! not say.

use std::collections::HashMap;
use std::ops::Range;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, ListBuilder, RecordBatch, StringArray,
    StringBuilder,
};
use arrow::compute::concat_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::basic::{Encoding, GzipLevel, ZstdLevel};
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::properties::{EnabledStatistics, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::super::check;
use super::super::rows::tests::file_of;
use super::super::thrift::{I32, Thrift};
use super::*;
use crate::format::memory::MemoryFile;
use crate::options::Verify;

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
        // What is named is not chosen.
        .set_encoding(Encoding::PLAIN)
        .set_write_batch_size(100)
}

/// A file of several row groups, by our writer, with checksums or without.
fn ours(batch: &RecordBatch, properties: &WriterProperties, checksums: bool) -> Vec<u8> {
    let mut pieces = Vec::new();
    in_pieces(batch, |piece| {
        pieces.push(piece);
        Ok(())
    });
    file_of(&pieces, (properties.clone(), checksums), None).unwrap()
}

fn theirs(batch: &RecordBatch, properties: &WriterProperties) -> Vec<u8> {
    let properties = Some(properties.clone());
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), properties).unwrap();
    in_pieces(batch, |piece| writer.write(&piece));
    writer.into_inner().unwrap()
}

/// Batches that neither row groups nor pages end with.
fn in_pieces(batch: &RecordBatch, mut write: impl FnMut(RecordBatch) -> Result<()>) {
    let mut start = 0;
    for rows in [0, 7, 7_000, usize::MAX] {
        let rows = rows.min(batch.num_rows() - start);
        write(batch.slice(start, rows)).unwrap();
        start += rows;
    }
}

fn kinds() -> Vec<WriterPropertiesBuilder> {
    let version_2 = WriterVersion::PARQUET_2_0;
    vec![
        properties(),
        properties().set_max_row_group_row_count(Some(3_001)),
        properties().set_max_row_group_bytes(Some(100 << 10)),
        properties()
            .set_max_row_group_bytes(Some(50 << 10))
            .set_max_row_group_row_count(Some(2_000)),
        properties().set_max_row_group_bytes(Some(1)),
        properties().set_dictionary_enabled(false),
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
        properties().set_writer_version(version_2),
        properties().set_compression(Compression::UNCOMPRESSED),
        properties()
            .set_writer_version(version_2)
            .set_compression(Compression::SNAPPY),
    ]
}

/// The row groups of a file, with bloom filters.
fn row_groups(file: &[u8]) -> &[u8] {
    let metadata = ParquetMetaDataReader::new()
        .parse_and_finish(&Bytes::copy_from_slice(file))
        .unwrap();
    let groups = metadata.row_groups().iter();
    let ends = groups.flat_map(|group| group.columns()).map(|chunk| {
        let (start, length) = chunk.byte_range();
        let filter = chunk.bloom_filter_offset().zip(chunk.bloom_filter_length());
        let filter = filter.map_or(0, |(start, length)| start as u64 + length as u64);
        filter.max(start + length)
    });
    &file[..ends.max().unwrap_or(4) as usize]
}

#[test]
fn row_groups_are_byte_for_byte_those_that_parquet_rs_writes() {
    for batch in [rows(20_000), rows(3), rows(0)] {
        for kind in kinds() {
            // A name of our own would come with the hashes of the file.
            let properties = kind.set_created_by("somebody".to_owned()).build();
            // A row group of each few rows takes its time.
            let batch = match properties.max_row_group_bytes() {
                Some(1) => batch.slice(0, batch.num_rows().min(30)),
                _ => batch.clone(),
            };
            let (ours, theirs) = (
                ours(&batch, &properties, false),
                theirs(&batch, &properties),
            );
            assert!(
                row_groups(&ours) == row_groups(&theirs),
                "{} rows, {properties:?}",
                batch.num_rows()
            );
            assert!(ours.len() <= theirs.len(), "{properties:?}");
        }
    }
}

/// The pages of a file: each header as it would be without a checksum, the checksum, and where the
/// content is.
type Pages = Vec<(Vec<u8>, Option<u32>, Range<usize>)>;

fn pages(file: &[u8]) -> Pages {
    let reader = ParquetMetaDataReader::new();
    let metadata = reader
        .parse_and_finish(&Bytes::copy_from_slice(file))
        .unwrap();
    let mut pages = Pages::new();
    for chunk in metadata
        .row_groups()
        .iter()
        .flat_map(|group| group.columns())
    {
        let (start, length) = chunk.byte_range();
        let (mut at, end) = (start as usize, (start + length) as usize);
        while at < end {
            let header = &file[at..at + Thrift::measure(&file[at..]).unwrap()];
            let (size, crc) = size_and_crc(header);
            let mut without = Vec::new();
            let parsed = Header::parse(header).unwrap();
            parsed.write(size, None, &mut without);
            at += header.len() + size;
            pages.push((without, crc, at - size..at));
        }
    }
    pages
}

fn size_and_crc(header: &[u8]) -> (usize, Option<u32>) {
    let mut walk = Thrift::new(header);
    let (mut last, mut fields) = (0, HashMap::new());
    while let Some((number, kind)) = walk.field(&mut last).unwrap() {
        match kind {
            I32 => drop(fields.insert(number, walk.integer().unwrap())),
            kind => walk.skip(kind).unwrap(),
        }
    }
    let crc = fields.get(&4).map(|crc| *crc as i32 as u32);
    (fields[&3] as usize, crc)
}

#[test]
fn checksums_are_all_that_differs_and_row_groups_end_where_they_would_without() {
    for batch in [rows(20_000), rows(3)] {
        for kind in kinds() {
            let properties = kind.build();
            let batch = match properties.max_row_group_bytes() {
                Some(1) => batch.slice(0, batch.num_rows().min(30)),
                _ => batch.clone(),
            };
            let (ours, theirs) = (ours(&batch, &properties, true), theirs(&batch, &properties));
            let (with, without) = (pages(&ours), pages(&theirs));
            assert_eq!(with.len(), without.len(), "{properties:?}");
            for ((header, crc, place), (header_without, none, place_without)) in
                with.into_iter().zip(without)
            {
                let page = &ours[place];
                assert!(header == header_without && *page == theirs[place_without]);
                assert_eq!((crc, none), (Some(crc32fast::hash(page)), None));
            }
        }
    }
}

#[test]
fn a_file_with_checksums_is_sound_and_comes_back() {
    for kind in kinds() {
        let properties = kind.build();
        let batch = rows(300);
        let file = ours(&batch, &properties, true);
        let contents = check(MemoryFile::open(file.as_slice()), Verify::Decode, None).unwrap();
        let pages = contents.pages.unwrap();
        assert_eq!(pages.all, pages.with_crc, "{properties:?}");
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
        let batches: Vec<_> = reader
            .build()
            .unwrap()
            .map(|batch| batch.unwrap())
            .collect();
        assert_eq!(concat_batches(&batch.schema(), &batches).unwrap(), batch);
    }
}

fn is_read(file: &[u8]) -> bool {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(file)).unwrap();
    reader.build().unwrap().all(|batch| batch.is_ok())
}

#[test]
fn no_flipped_bit_of_a_page_is_read_or_passes() {
    let version_2 = properties().set_writer_version(WriterVersion::PARQUET_2_0);
    let plain = properties().set_compression(Compression::UNCOMPRESSED);
    for kind in [properties(), version_2, plain] {
        let mut file = ours(&rows(20), &kind.build(), true);
        assert!(is_read(&file));
        for at in pages(&file).into_iter().flat_map(|(_, _, place)| place) {
            for bit in 0..8 {
                file[at] ^= 1 << bit;
                assert!(!is_read(&file), "bit {bit} of {at}");
                let checked = check(MemoryFile::open(file.as_slice()), Verify::Checksum, None);
                assert!(checked.is_err(), "bit {bit} of {at}");
                file[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn nothing_is_done_to_pages_where_nothing_is_asked_for() {
    let batch = rows(3);
    let none = OrderedColumns::new(&batch.schema()).unwrap();
    let taken_over = |properties: WriterPropertiesBuilder, checksums| {
        let schema = ArrowSchemaConverter::new()
            .convert(&batch.schema())
            .unwrap();
        PageFinish::take_over(
            &properties.build(),
            &schema,
            checksums,
            &none,
            &Arc::default(),
        )
        .is_some()
    };
    let version_2 = || properties().set_writer_version(WriterVersion::PARQUET_2_0);
    assert!(!taken_over(version_2(), false));
    assert!(!taken_over(WriterProperties::builder(), false));
    assert!(taken_over(properties(), false));
    assert!(taken_over(version_2(), true));
}

#[test]
fn a_plain_file_is_known_to_have_nothing_encrypted_and_anything_else_is_not() {
    let batch = rows(3);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let file = writer.into_inner().unwrap();
    let encrypts = crate::format::parquet::footer::encrypts;
    assert!(!encrypts(&file));
    let mut other = file.clone();
    other.truncate(file.len() - 1);
    other.push(b'E');
    assert!(encrypts(&other) && encrypts(&[]) && encrypts(&file[..file.len() - 1]));
}

#[test]
fn a_page_whose_length_its_header_cannot_say_is_refused() {
    assert!(check_length(i64::from(i32::MAX)).is_ok());
    let error = check_length(i64::from(i32::MAX) + 1).unwrap_err();
    assert!(error.to_string().contains("2147483648 bytes"), "{error}");
    let mut bytes = vec![0x15, 0, 0x15];
    // 2^31, in zigzag.
    bytes.extend([0x80, 0x80, 0x80, 0x80, 0x10]);
    bytes.extend([0x15, 2, 0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0]);
    let header = Header::parse(&bytes).unwrap();
    assert_eq!(header.uncompressed_size(), 1 << 31);
    let pushed = Chunk::default().push(&header, &[0], true);
    assert!(pushed.unwrap_err().to_string().contains("2147483648 bytes"));
}

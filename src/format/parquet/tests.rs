//! What a check finds in sound, odd and damaged Parquet files.

use std::sync::Arc;

use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowWriter, encode_arrow_schema};
use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::file::metadata::{
    ColumnChunkMetaData, ColumnChunkMetaDataBuilder, FileMetaData, KeyValue, ParquetMetaData,
    ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData, SortingColumn,
};
use ::parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use arrow::array::*;
use arrow::datatypes::{DataType, Field, Schema};

use super::*;
use crate::format::Format;
use crate::format::digest::ColumnDigests;
use crate::format::memory::MemoryFile;
use crate::stored::StoredTypes;

/// Two columns, one of strings that repeat and with nulls, one of lists; `rows` rows.
pub(super) fn sample(rows: usize) -> RecordBatch {
    let names = StringArray::from_iter(
        (0..rows).map(|row| (row % 5 != 0).then(|| format!("name {}", row % 7))),
    );
    let mut lists = ListBuilder::new(Int64Builder::new());
    for row in 0..rows {
        for value in 0..row % 4 {
            lists.values().append_value(value as i64);
        }
        lists.append(row % 3 != 0);
    }
    let temperatures = Float64Array::from_iter((0..rows).map(|row| Some(row as f64 / 3.0)));
    RecordBatch::try_from_iter([
        ("name", Arc::new(names) as ArrayRef),
        ("values", Arc::new(lists.finish()) as ArrayRef),
        ("temperature", Arc::new(temperatures) as ArrayRef),
    ])
    .unwrap()
}

fn small() -> WriterProperties {
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(20))
        .set_data_page_row_count_limit(8)
        .set_write_batch_size(8)
        .set_bloom_filter_enabled(true)
        .set_bloom_filter_max_ndv(8)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build()
}

pub(super) fn write(
    batch: &RecordBatch,
    properties: WriterProperties,
) -> (Vec<u8>, ParquetMetaData) {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    let metadata = writer.finish().unwrap();
    (writer.inner().clone(), metadata)
}

fn sorting(column_idx: i32) -> SortingColumn {
    SortingColumn {
        column_idx,
        descending: true,
        nulls_first: true,
    }
}

fn digests(batch: &RecordBatch) -> Vec<u128> {
    let mut digests = ColumnDigests::new(&batch.schema()).unwrap();
    digests.update(batch).unwrap();
    digests.finish()
}

fn damage_of(bytes: &[u8], level: Verify) -> Option<Damage> {
    match check(MemoryFile::open(bytes), level, None) {
        Ok(_) => None,
        Err(Fault::Damage(damage)) => Some(damage),
        Err(Fault::Io(error)) => panic!("{error}"),
    }
}

/// Checks the file of `batch` against what was written, with changes to either.
fn verify(bytes: &[u8], batch: &RecordBatch, metadata: &ParquetMetaData) -> Result<(), Damage> {
    let digests = digests(batch);
    let written = WrittenParquet {
        len: bytes.len() as u64,
        metadata,
        rows: batch.num_rows() as u64,
        schema: &batch.schema(),
        digests: Some(&digests),
        known: None,
        keys: None,
    };
    match verify_written(MemoryFile::open(bytes), &written, Verify::Decode) {
        Ok(_) => Ok(()),
        Err(Fault::Damage(damage)) => Err(damage),
        Err(Fault::Io(error)) => panic!("{error}"),
    }
}

/// The sample with another footer over the same pages.
fn with_footer(change: impl FnOnce(ParquetMetaDataBuilder) -> ParquetMetaDataBuilder) -> Vec<u8> {
    let (bytes, _) = write(&sample(50), small());
    let metadata = ::parquet::file::metadata::ParquetMetaDataReader::new()
        .parse_and_finish(&bytes::Bytes::from(bytes.clone()))
        .unwrap();
    let changed = change(metadata.into_builder()).build();
    let footer = u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    let mut bytes = bytes[..bytes.len() - 8 - footer].to_vec();
    ParquetMetaDataWriter::new(&mut bytes, &changed)
        .finish()
        .unwrap();
    bytes
}

/// The sample with another first column chunk in the second row group.
fn with_chunk(
    change: impl FnOnce(ColumnChunkMetaDataBuilder) -> ColumnChunkMetaDataBuilder,
) -> Vec<u8> {
    with_footer(|mut builder| {
        let mut groups = builder.take_row_groups();
        let mut group = groups[1].clone().into_builder();
        let mut columns = group.take_columns();
        columns[0] = change(columns[0].clone().into_builder()).build().unwrap();
        groups[1] = group.set_column_metadata(columns).build().unwrap();
        builder.set_row_groups(groups)
    })
}

#[test]
fn a_sound_file_passes_every_level_and_says_what_it_holds() {
    let (bytes, _) = write(&sample(50), small());
    for level in [Verify::Footer, Verify::Checksum, Verify::Decode] {
        let contents = check(MemoryFile::open(bytes.as_slice()), level, None).unwrap();
        assert_eq!(
            (contents.rows, contents.row_groups),
            (Some(50), Some(3)),
            "{level:?}"
        );
        assert!(contents.parquet.unwrap().offset_index().is_some());
    }
    let pages = check(MemoryFile::open(bytes), Verify::Checksum, None)
        .unwrap()
        .pages
        .unwrap();
    assert!(pages.all > 20);
    assert_eq!(pages.with_crc, 0, "parquet-rs writes no checksums");
}

#[test]
fn what_was_written_passes_whatever_the_writer_s_properties() {
    let base = WriterProperties::builder;
    let all = [
        base().build(),
        small(),
        base()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .build(),
        base()
            .set_statistics_enabled(EnabledStatistics::None)
            .build(),
        base()
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .build(),
        base().set_offset_index_disabled(true).build(),
        base()
            .set_dictionary_enabled(false)
            .set_compression(Compression::SNAPPY)
            .build(),
        base()
            .set_bloom_filter_enabled(true)
            .set_created_by("somebody".to_owned())
            .build(),
        base()
            .set_coerce_types(true)
            .set_write_page_header_statistics(true)
            .build(),
        base().set_sorting_columns(Some(vec![sorting(0)])).build(),
    ];
    for rows in [0, 1, 50] {
        for (index, properties) in all.iter().enumerate() {
            let (bytes, metadata) = write(&sample(rows), properties.clone());
            let outcome = verify(&bytes, &sample(rows), &metadata);
            assert!(
                outcome.is_ok(),
                "properties {index}, {rows} rows: {outcome:?}"
            );
        }
    }
}

/// What verification says of a column that parquet-rs wrote as it is, with the Arrow schema embedded or not.
fn outcome_of(column: &ArrayRef, embedded: bool) -> std::result::Result<(), Damage> {
    let field = Field::new("x", column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(schema, vec![Arc::clone(column)]).unwrap();
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(!embedded);
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    let metadata = writer.finish().unwrap();
    verify(writer.inner(), &batch, &metadata)
}

/// The column in a list of one item per row.
fn in_lists(column: &ArrayRef) -> ArrayRef {
    let item = Arc::new(Field::new_list_field(column.data_type().clone(), true));
    let offsets = arrow::buffer::OffsetBuffer::from_repeated_length(1, column.len());
    Arc::new(ListArray::new(item, offsets, Arc::clone(column), None))
}

/// Parquet has no annotation for times in seconds and dates in milliseconds.
#[test]
fn a_column_passes_if_readers_without_the_embedded_schema_see_its_type() {
    let has_no_annotation = |column: &ArrayRef| {
        let name = column.data_type().to_string();
        ["Timestamp(s", "Time32(s", "Date64"]
            .iter()
            .any(|odd| name.contains(odd))
    };
    let flat = crate::format::digest::tests::every_type();
    let lists = flat
        .iter()
        .filter(|column| {
            let odd = column.data_type();
            !odd.is_nested() && !matches!(odd, DataType::RunEndEncoded(..))
        })
        .map(in_lists);
    for column in flat.iter().cloned().chain(lists) {
        let schema = Schema::new(vec![Field::new("x", column.data_type().clone(), true)]);
        let stored = StoredTypes::new(Format::Parquet, &Arc::new(schema), |_| true).unwrap();
        let batch = RecordBatch::try_from_iter_with_nullable([("x", Arc::clone(&column), true)]);
        let batch = stored.batch(batch.unwrap(), "x".as_ref(), 0).unwrap();
        for embedded in [true, false] {
            let name = column.data_type();
            let stored = outcome_of(batch.column(0), embedded);
            assert!(
                stored.is_ok(),
                "{name}, schema embedded {embedded}: {stored:?}"
            );
            match outcome_of(&column, embedded) {
                Ok(()) => assert!(
                    !has_no_annotation(&column),
                    "{name} is read as something else"
                ),
                Err(Damage::ReadAs {
                    column: at, given, ..
                }) => {
                    assert!(has_no_annotation(&column), "{name}");
                    assert_eq!((at.as_str(), given), ("x", name.to_string()));
                }
                Err(other) => panic!("{name}, schema embedded {embedded}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_file_of_nans_passes() {
    let nans = Float32Array::from_iter_values([f32::NAN, 1.0, -f32::NAN, -0.0]);
    let batch = RecordBatch::try_from_iter([("x", Arc::new(nans) as ArrayRef)]).unwrap();
    let (bytes, metadata) = write(&batch, small());
    verify(&bytes, &batch, &metadata).unwrap();
}

#[test]
fn another_batch_than_the_one_written_is_told_by_its_digest() {
    let batch = sample(50);
    let (bytes, metadata) = write(&batch, small());
    let order: UInt64Array = (0..50)
        .map(|row| if row < 2 { 1 - row } else { row })
        .collect();
    let swapped = arrow::compute::take_record_batch(&batch, &order).unwrap();
    let damage = verify(&bytes, &swapped, &metadata).unwrap_err();
    assert!(
        matches!(damage, Damage::Values { ref column } if column == "name"),
        "{damage:?}"
    );
}

#[test]
fn other_rows_schema_length_and_footer_than_those_written_are_told() {
    let batch = sample(50);
    let (bytes, metadata) = write(&batch, small());
    let other_schema = Schema::new(vec![Field::new("name", DataType::Utf8, false)]);
    let (_, other) = write(&sample(50), WriterProperties::new());
    let right = WrittenParquet {
        len: bytes.len() as u64,
        metadata: &metadata,
        rows: 50,
        schema: &batch.schema(),
        digests: None,
        known: None,
        keys: None,
    };
    let of = |written: WrittenParquet<'_>| match verify_written(
        MemoryFile::open(bytes.as_slice()),
        &written,
        Verify::Footer,
    ) {
        Err(Fault::Damage(damage)) => damage,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        of(WrittenParquet { len: 7, ..right }),
        Damage::Length { expected: 7, .. }
    ));
    assert!(matches!(
        of(WrittenParquet { rows: 49, ..right }),
        Damage::Count { expected: 49, .. }
    ));
    let damage = of(WrittenParquet {
        schema: &other_schema,
        ..right
    });
    assert!(
        matches!(
            damage,
            Damage::Differs {
                field: "the Arrow schema",
                ..
            }
        ),
        "{damage}"
    );
    let damage = of(WrittenParquet {
        metadata: &other,
        ..right
    });
    assert!(
        matches!(
            damage,
            Damage::Differs {
                field: "the number of row groups",
                ..
            }
        ),
        "{damage}"
    );
}

#[test]
fn a_file_of_another_schema_than_the_one_known_of_its_write_is_told() {
    let (whole, part) = (sample(50), sample(50).project(&[0]).unwrap());
    let known = KnownSchema::default();
    let verified = |batch: &RecordBatch| {
        let (bytes, metadata) = write(batch, small());
        let written = WrittenParquet {
            len: bytes.len() as u64,
            metadata: &metadata,
            rows: 50,
            schema: &whole.schema(),
            digests: None,
            known: Some(&known),
            keys: None,
        };
        verify_written(MemoryFile::open(bytes.as_slice()), &written, Verify::Footer).is_ok()
    };
    assert!(verified(&whole) && verified(&whole));
    assert!(!verified(&part));
}

#[test]
fn every_kind_of_contradiction_in_a_footer_is_found() {
    type Change = fn(ColumnChunkMetaDataBuilder) -> ColumnChunkMetaDataBuilder;
    let changes: &[(Change, &str)] = &[
        (|chunk| chunk.set_num_values(-1), "is negative: -1"),
        (
            |chunk| chunk.set_num_values(21),
            "the number of values is 21, expected 20",
        ),
        (
            |chunk| chunk.set_num_values(7),
            "the number of values is 7, expected 20",
        ),
        (
            |chunk| chunk.set_total_compressed_size(-5),
            "the compressed size is negative",
        ),
        (
            |chunk| chunk.set_total_uncompressed_size(-5),
            "the uncompressed size is negative",
        ),
        (
            |chunk| chunk.set_total_compressed_size(1 << 40),
            "the column chunk is at bytes",
        ),
        (
            |chunk| chunk.set_dictionary_page_offset(Some(0)),
            "the column chunk is at bytes 0..",
        ),
        (
            |chunk| chunk.set_dictionary_page_offset(Some(1 << 40)),
            "the column chunk is at bytes",
        ),
        (
            |chunk| chunk.set_data_page_offset(1 << 40),
            "the first data page is at bytes",
        ),
        (
            |chunk| chunk.set_data_page_offset(i64::MIN),
            "but the first data page at -9",
        ),
        (
            |chunk| chunk.set_column_index_length(None),
            "only one of offset and length",
        ),
        (
            |chunk| chunk.set_bloom_filter_offset(Some(1 << 50)),
            "the bloom filter is at bytes",
        ),
        (
            |chunk| chunk.set_bloom_filter_length(Some(-1)),
            "the bloom filter is negative",
        ),
        (|chunk| chunk.set_bloom_filter_offset(Some(5)), "overlaps"),
        (
            |chunk| chunk.set_file_path("other.parquet".to_owned()),
            "in another file",
        ),
        (
            |chunk| chunk.set_index_page_offset(Some(1)),
            "the index page is at bytes 1..1",
        ),
    ];
    assert_eq!(
        damage_of(&with_chunk(|chunk| chunk), Verify::Decode).map(|d| d.to_string()),
        None
    );
    for (change, expected) in changes {
        let damage = damage_of(&with_chunk(change), Verify::Footer).expect(expected);
        let text = damage.to_string();
        assert!(
            text.contains(expected),
            "expected {expected:?}, got {text:?}"
        );
        assert_eq!(damage.location().row_group, Some(1), "{text}");
    }
}

/// What parquet-mr, fastparquet and Arrow C++ write is odd, and sound.
#[test]
fn an_index_page_at_0_is_none() {
    let odd = with_chunk(|chunk| chunk.set_index_page_offset(Some(0)));
    assert!(damage_of(&odd, Verify::Decode).is_none());
}

#[test]
fn a_column_without_values_need_not_have_a_place() {
    let flags: ArrayRef = Arc::new(BooleanArray::from(Vec::<bool>::new()));
    let batch = RecordBatch::try_from_iter([("flag", flags)]).unwrap();
    let (_, metadata) = write(&batch, WriterProperties::new());
    let schema = metadata.file_metadata().schema_descr_ptr();
    let nowhere = ColumnChunkMetaData::builder(schema.column(0))
        .build()
        .unwrap();
    let group = RowGroupMetaData::builder(schema).add_column_metadata(nowhere);
    let metadata = ParquetMetaData::new(
        metadata.file_metadata().clone(),
        vec![group.build().unwrap()],
    );
    structure::check(&metadata, 4).unwrap();
}

#[test]
fn a_dictionary_of_booleans_has_eight_in_a_byte() {
    let columns: [ArrayRef; 2] = [
        Arc::new(BooleanArray::from(vec![true])),
        Arc::new(Int32Array::from(vec![1])),
    ];
    for (column, most) in columns.into_iter().zip([16, 2]) {
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let (_, metadata) = write(&batch, WriterProperties::new());
        let descriptor = metadata.file_metadata().schema_descr().column(0);
        assert_eq!(pages::most_entries(&descriptor, 2), most);
    }
}

/// Other writers embed types that parquet-rs cannot decode to, and their files are sound.
#[test]
fn an_embedded_type_that_cannot_be_decoded_to_is_no_damage() {
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true]));
    let batch = RecordBatch::try_from_iter([("flag", flags)]).unwrap();
    let of_booleans = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Boolean));
    let embedded = Schema::new(vec![Field::new("flag", of_booleans, false)]);
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![KeyValue::new(
        ARROW_SCHEMA_META_KEY.to_owned(),
        encode_arrow_schema(&embedded),
    )]));
    let options = ArrowWriterOptions::new()
        .with_properties(properties.build())
        .with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    let damage = damage_of(&bytes, Verify::Decode);
    assert!(damage.is_none(), "{damage:?}");
}

#[test]
fn row_groups_that_do_not_add_up_are_found() {
    let (_, metadata) = write(&sample(50), small());
    let (file, groups) = (metadata.file_metadata(), metadata.row_groups().to_vec());
    let schema = file.schema_descr_ptr();
    let file = FileMetaData::new(2, 49, None, None, schema, file.column_orders().cloned());
    let damage = structure::check(&ParquetMetaData::new(file, groups), 1 << 20).unwrap_err();
    let text = "file: the number of rows of all row groups is 50, expected 49";
    assert_eq!(damage.to_string(), text);

    let sorted = with_footer(|mut builder| {
        let mut groups = builder.take_row_groups();
        let by = sorting(3);
        groups[2] = groups[2]
            .clone()
            .into_builder()
            .set_sorting_columns(Some(vec![by]))
            .build()
            .unwrap();
        builder.set_row_groups(groups)
    });
    let text = damage_of(&sorted, Verify::Footer).unwrap().to_string();
    assert_eq!(text, "row group 2: sorted by column 3, of 3 columns");
}

#[test]
fn a_column_chunk_of_another_column_is_found() {
    let (bytes, _) = write(&sample(50), small());
    let at = |needle: &[u8]| {
        bytes
            .windows(needle.len())
            .rposition(|part| part == needle)
            .unwrap()
    };
    let mut renamed = bytes.clone();
    renamed[at(b"\x0btemperature") + 1] = b'T';
    let text = damage_of(&renamed, Verify::Footer).unwrap().to_string();
    assert!(text.contains("says it is of \"Temperature\""), "{text}");

    // A double said to be a float: 5 and 4, as field 1.
    let double = bytes[..at(b"\x0btemperature")]
        .windows(2)
        .rposition(|part| part == [0x15, 10]);
    let mut retyped = bytes.clone();
    retyped[double.unwrap() + 1] = 8;
    let text = damage_of(&retyped, Verify::Footer).unwrap().to_string();
    assert!(
        text.contains("says it is of type 4, the schema says DOUBLE"),
        "{text}"
    );
}

#[test]
fn an_encrypted_file_is_said_to_be_that() {
    let (mut bytes, _) = write(&sample(50), small());
    let end = bytes.len() - 1;
    bytes[3] = b'E';
    bytes[end] = b'E';
    let damage = damage_of(&bytes, Verify::Footer).unwrap();
    assert_eq!(
        damage.to_string(),
        "file: cannot be checked: it is encrypted, and no keys are known"
    );
}

#[test]
fn a_disk_that_does_not_read_is_no_damage() {
    let (bytes, _) = write(&sample(50), small());
    // Refusing the footer, the page indexes before it, and, where pages are read, the first page.
    for (from, level) in [
        (bytes.len() as u64 - 4, Verify::Footer),
        (2, Verify::Footer),
        (100, Verify::Checksum),
        (100, Verify::Decode),
    ] {
        let file = MemoryFile::refusing_from(bytes.as_slice(), from);
        let outcome = check(file, level, None);
        assert!(
            matches!(outcome, Err(Fault::Io(_))),
            "{from} {level:?}: {outcome:?}"
        );
    }
}

#[test]
fn every_truncation_is_damage() {
    let (bytes, _) = write(&sample(50), small());
    for len in 0..bytes.len() {
        assert!(
            damage_of(&bytes[..len], Verify::Footer).is_some(),
            "{len} bytes pass"
        );
    }
    assert!(damage_of(&[bytes.as_slice(), b"\n"].concat(), Verify::Footer).is_some());
}

/// Every file that is the sample with one bit flipped, and where.
fn each_flipped_bit(bytes: &[u8], mut check: impl FnMut(usize, &[u8])) {
    let mut flipped = bytes.to_vec();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            flipped[position] ^= 1 << bit;
            check(position, &flipped);
            flipped[position] ^= 1 << bit;
        }
    }
}

#[test]
fn no_flipped_bit_that_changes_what_is_read_escapes() {
    let batch = sample(21);
    let (bytes, metadata) = write(&batch, small());
    let read = |bytes: &[u8]| {
        check(MemoryFile::open(bytes), Verify::Footer, None)
            .ok()
            .and_then(|contents| contents.parquet)
    };
    let right = format!("{:?}", read(&bytes).unwrap());
    let mut escaped = 0;
    each_flipped_bit(&bytes, |position, flipped| {
        if verify(flipped, &batch, &metadata).is_ok() {
            escaped += 1;
            let found = format!("{:?}", read(flipped).unwrap());
            let same = found
                .bytes()
                .zip(right.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            let what = &found[same.saturating_sub(100)..found.len().min(same + 100)];
            assert!(found == right, "byte {position}: …{what}…");
        }
    });
    // What parquet-rs does not look at: deprecated statistics, unused types, bloom filters.
    assert!(
        escaped < bytes.len() * 8 / 5,
        "{escaped} of {}",
        bytes.len() * 8
    );
}

#[test]
fn no_flipped_bit_or_random_byte_makes_a_check_panic() {
    // Another set of encodings than above: no dictionary, deltas, splits, pages of version 2.
    let encodings = |columns: &[(&str, Encoding)]| {
        let base = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_dictionary_enabled(false);
        let set = |builder: WriterPropertiesBuilder, (path, encoding): &(&str, Encoding)| {
            let parts = path.split('.').map(str::to_owned).collect::<Vec<_>>();
            builder.set_column_encoding(parts.into(), *encoding)
        };
        columns.iter().fold(base, set).build()
    };
    let all = [
        encodings(&[
            ("name", Encoding::DELTA_BYTE_ARRAY),
            ("values.list.item", Encoding::DELTA_BINARY_PACKED),
            ("temperature", Encoding::BYTE_STREAM_SPLIT),
        ]),
        encodings(&[("name", Encoding::DELTA_LENGTH_BYTE_ARRAY)]),
    ];
    for properties in all {
        let (bytes, _) = write(&sample(12), properties);
        each_flipped_bit(&bytes, |_, flipped| {
            let _ = damage_of(flipped, Verify::Decode);
        });
    }
    let mut state = 1_u64;
    for length in 0..2000 {
        let mut random: Vec<u8> = (0..length % 200)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        let footer = random.len() as u32;
        random.splice(0..0, *b"PAR1");
        random.extend(footer.to_le_bytes());
        random.extend(b"PAR1");
        assert!(damage_of(&random, Verify::Decode).is_some());
    }
}

#[test]
fn a_list_that_would_not_fit_into_memory_is_refused_before_it_is_made() {
    // A footer whose row groups are two billion, in a few bytes.
    let footer = [
        0x15, 2, 0x19, 0x1c, 0x48, 1, b's', 0x15, 0, 0, 0x16, 0, 0x19, 0xfc,
    ];
    let footer = [footer.as_slice(), &[0xff, 0xff, 0xff, 0xff, 0x07, 0, 0]].concat();
    let length = (footer.len() as u32).to_le_bytes();
    let bytes = [b"PAR1", footer.as_slice(), &length, b"PAR1"].concat();
    assert!(matches!(
        damage_of(&bytes, Verify::Footer),
        Some(Damage::Footer { offset: 4, .. })
    ));
}

#[test]
fn damage_in_a_page_is_told_with_its_place() {
    let properties = WriterProperties::builder().set_compression(Compression::UNCOMPRESSED);
    let (bytes, _) = write(&sample(50), properties.build());
    let metadata = check(MemoryFile::open(bytes.as_slice()), Verify::Footer, None)
        .unwrap()
        .parquet;
    let (start, _) = metadata.unwrap().row_group(0).column(2).byte_range();
    let mut header = bytes.clone();
    header[start as usize] = 0xff;
    assert!(
        damage_of(&header, Verify::Footer).is_none(),
        "a page is not looked at"
    );
    let damage = damage_of(&header, Verify::Checksum).unwrap();
    assert_eq!(
        damage.location(),
        crate::damage::Location::row_group(0)
            .column("temperature")
            .at(start)
    );

    let mut text = bytes.clone();
    let name = bytes.windows(6).position(|part| part == b"name 1").unwrap();
    text[name] = 0xff;
    assert!(
        damage_of(&text, Verify::Checksum).is_none(),
        "values are not looked at"
    );
    let damage = damage_of(&text, Verify::Decode).unwrap();
    assert!(matches!(damage, Damage::Decode { .. }), "{damage:?}");
}

/// The checksum of gzip, a bit at a time.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes
        .iter()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// A file of one page that carries a checksum, which parquet-rs does not write.
fn with_checksum() -> Vec<u8> {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40));
    let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build();
    let (bytes, metadata) = write(&batch, properties);
    let (start, length) = metadata.row_group(0).column(0).byte_range();
    let chunk = &bytes[start as usize..][..length as usize];
    let page = &chunk[thrift::Thrift::measure(chunk).unwrap()..];
    // The header's fields are its type, two sizes, and then, two numbers on, its counts.
    let counts = chunk.iter().position(|byte| *byte == 0x2c).unwrap();
    let crc = i64::from(crc32(page).cast_signed());
    let mut zigzag = ((crc << 1) ^ (crc >> 63)) as u64;
    let mut field = vec![0x15];
    while zigzag >= 0x80 {
        field.push((zigzag & 0x7f) as u8 | 0x80);
        zigzag >>= 7;
    }
    field.extend([zigzag as u8, 0x1c]);
    let chunk = [&chunk[..counts], &field, &chunk[counts + 1..]].concat();
    let longer = |size: i64| size + field.len() as i64 - 1;
    let mut builder = metadata.into_builder();
    let mut group = builder.take_row_groups().remove(0).into_builder();
    let column = group.take_columns().remove(0);
    let (compressed, uncompressed) = (column.compressed_size(), column.uncompressed_size());
    let column = column
        .into_builder()
        .set_total_compressed_size(longer(compressed))
        .set_total_uncompressed_size(longer(uncompressed));
    let group = group
        .set_column_metadata(vec![column.build().unwrap()])
        .build()
        .unwrap();
    let metadata = builder.set_row_groups(vec![group]).build();
    let mut bytes = [b"PAR1", chunk.as_slice()].concat();
    ParquetMetaDataWriter::new(&mut bytes, &metadata)
        .finish()
        .unwrap();
    bytes
}

#[test]
fn a_page_that_carries_a_checksum_is_checked_by_it() {
    let bytes = with_checksum();
    let contents = check(MemoryFile::open(bytes.as_slice()), Verify::Decode, None).unwrap();
    assert_eq!(
        contents.pages,
        Some(crate::format::PageCount {
            all: 1,
            with_crc: 1
        })
    );
    let last_value = bytes
        .windows(8)
        .position(|part| part == 39_i64.to_le_bytes())
        .unwrap();
    let mut flipped = bytes;
    flipped[last_value] ^= 1;
    assert!(damage_of(&flipped, Verify::Footer).is_none());
    let damage = damage_of(&flipped, Verify::Checksum).unwrap();
    assert!(matches!(damage, Damage::Page { .. }), "{damage:?}");
    let cause = std::error::Error::source(&damage).unwrap().to_string();
    assert!(cause.contains("CRC"), "{cause}");
    assert!(
        !damage.to_string().contains("CRC"),
        "the cause is not said twice"
    );
}

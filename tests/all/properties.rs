//! Parquet's properties: what cannot be written, or would be without effect, is refused before there is a row.

use std::sync::Arc;

use atomic_arrow::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use atomic_arrow::parquet::basic::{Compression, Encoding};
use atomic_arrow::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use atomic_arrow::parquet::schema::types::ColumnPath;
use atomic_arrow::{
    AtomicArrowWriter, DatasetWriter, Error, Partition, PartitionBy, WriterOptions,
};

use crate::ground::{directory, tree};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("station_id", DataType::Utf8, false),
        Field::new("temp", DataType::Float64, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("trips", DataType::new_list(DataType::Int64, true), true),
    ]))
}

type Set = fn(WriterPropertiesBuilder) -> WriterPropertiesBuilder;

/// What both writers say of properties as they are made; the same, or nothing.
fn refusal(set: Set) -> Option<String> {
    let (_guard, root) = directory();
    let properties = || set(WriterProperties::builder()).build();
    let options = WriterOptions::new().properties(properties());
    let partition = Partition::new([("station_id", "KSEA")]).unwrap();
    let file =
        AtomicArrowWriter::create_with_options(root.join("file"), &partition, schema(), options);
    let data_set = DatasetWriter::builder(root.join("set"))
        .partition_by(PartitionBy::column("station_id"))
        .properties(properties())
        .build(schema());
    let said = |error: Error| match error {
        Error::InvalidOption { option, reason } => {
            assert_eq!(option, "properties");
            reason
        }
        other => panic!("{other:?}"),
    };
    let (file, data_set) = (file.err().map(said), data_set.err().map(said));
    assert_eq!(file, data_set);
    assert_eq!(tree(&root), Vec::<String>::new());
    file
}

fn path(parts: &[&str]) -> ColumnPath {
    ColumnPath::new(parts.iter().map(|part| (*part).to_owned()).collect())
}

#[test]
fn a_codec_that_nothing_writes_is_refused_before_there_is_a_row() {
    let refused = refusal(|set| set.set_compression(Compression::LZO));
    assert_eq!(
        refused.unwrap(),
        "compression LZO: nothing here writes it; ZSTD and LZ4_RAW are alike"
    );
    for codec in [
        Compression::SNAPPY,
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::UNCOMPRESSED,
    ] {
        let options = WriterOptions::new()
            .properties(WriterProperties::builder().set_compression(codec).build());
        let (_guard, root) = directory();
        let writer =
            AtomicArrowWriter::create_with_options(root, &Partition::none(), schema(), options);
        writer.unwrap().discard();
    }
}

#[test]
fn an_encoding_that_has_no_place_for_a_column_is_refused_before_there_is_a_row() {
    let refused =
        refusal(|set| set.set_column_encoding(path(&["name"]), Encoding::DELTA_BINARY_PACKED));
    assert_eq!(
        refused.unwrap(),
        "encoding DELTA_BINARY_PACKED of column \"name\": is for INT32, INT64, and the column is stored as BYTE_ARRAY"
    );
    let refused =
        refusal(|set| set.set_column_encoding(path(&["temp"]), Encoding::DELTA_BYTE_ARRAY));
    assert!(refused.unwrap().contains("\"temp\""));
    let refused =
        refusal(|set| set.set_column_encoding(path(&["trips", "list", "item"]), Encoding::RLE));
    assert!(refused.unwrap().contains("BOOLEAN"));
    let taken = refusal(|set| {
        set.set_column_encoding(path(&["name"]), Encoding::DELTA_BYTE_ARRAY)
            .set_column_encoding(path(&["temp"]), Encoding::BYTE_STREAM_SPLIT)
            .set_column_encoding(
                path(&["trips", "list", "item"]),
                Encoding::DELTA_BINARY_PACKED,
            )
    });
    assert_eq!(taken, None);
}

#[test]
fn properties_of_a_column_that_is_not_in_the_files_are_refused() {
    let refused = refusal(|set| set.set_column_bloom_filter_enabled(path(&["tmep"]), true));
    let refused = refused.unwrap();
    assert!(
        refused.starts_with("column \"tmep\" has a bloom filter of its own"),
        "{refused}"
    );
    let of_a_key = refusal(|set| set.set_column_bloom_filter_enabled(path(&["station_id"]), true));
    assert!(of_a_key.unwrap().contains("\"station_id\""));
    let compressed =
        refusal(|set| set.set_column_compression(path(&["trips"]), Compression::UNCOMPRESSED));
    assert_eq!(
        compressed.unwrap(),
        "column \"trips\" has properties of its own, and there is no such column in the files: it is stored as \
         \"trips.list.item\""
    );
    let nested = refusal(|set| {
        set.set_column_bloom_filter_enabled(path(&["trips", "list", "item"]), true)
            .set_column_bloom_filter_enabled(path(&["name"]), true)
    });
    assert_eq!(nested, None);
}

//! Parquet without Arrow's own schema in its footer: what is left out, and what is refused because nothing else tells it.

use std::fs::File;
use std::sync::Arc;

use atomic_arrow::arrow::array::*;
use atomic_arrow::arrow::datatypes::{DataType, Field, FieldRef, Int32Type, Schema, TimeUnit};
use atomic_arrow::format::Format;
use atomic_arrow::parquet::arrow::ARROW_SCHEMA_META_KEY;
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use atomic_arrow::parquet::file::properties::WriterProperties;
use atomic_arrow::verify::verify_file;
use atomic_arrow::{
    AtomicArrowWriter, DatasetWriter, Error, ParquetProperties, Verify, WriterOptions,
};

fn properties(arrow_schema: &str) -> ParquetProperties {
    let mut properties = ParquetProperties::new();
    properties.set("arrow_schema", None, arrow_schema).unwrap();
    properties
}

/// Columns that Parquet's own types tell, some in another form.
fn rows() -> RecordBatch {
    let texts: ArrayRef = Arc::new(LargeStringArray::from(vec!["a", "b"]));
    let views: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b"]));
    let words: DictionaryArray<Int32Type> = ["a", "b"].into_iter().collect();
    let at = TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("UTC");
    let plain = TimestampMillisecondArray::from(vec![1, 2]);
    let small: ArrayRef = Arc::new(UInt8Array::from(vec![1, 255]));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("text", texts),
        ("view", views),
        ("word", Arc::new(words)),
        ("at", Arc::new(at)),
        ("plain", Arc::new(plain)),
        ("small", small),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Whether the footer has Arrow's schema, and the types that are read.
fn read(path: impl AsRef<std::path::Path>) -> (bool, Vec<DataType>, usize) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let has = pairs
        .into_iter()
        .flatten()
        .any(|pair| pair.key == ARROW_SCHEMA_META_KEY);
    let fields = reader.schema().fields().iter();
    let types = fields.map(|field| field.data_type().clone()).collect();
    let rows = reader
        .build()
        .unwrap()
        .map(|batch| batch.unwrap().num_rows());
    (has, types, rows.sum())
}

#[test]
fn files_go_without_it_where_that_is_asked_for() {
    let lake = tempfile::tempdir().unwrap();
    let rows = rows();
    for (switch, has) in [("on", true), ("off", false)] {
        let path = lake.path().join(format!("{switch}.parquet"));
        let options = WriterOptions::new()
            .parquet(properties(switch))
            .verify(Verify::Decode);
        let mut writer = AtomicArrowWriter::at_with_options(&path, rows.schema(), options).unwrap();
        writer.write(&rows).unwrap();
        writer.commit().unwrap();
        let root = lake.path().join(switch);
        let builder = DatasetWriter::builder(&root).parquet(properties(switch));
        let mut writer = builder.verify(Verify::Decode).build(rows.schema()).unwrap();
        writer.write(&rows).unwrap();
        let receipt = writer.commit().unwrap();
        for path in [path, root.join(receipt.files()[0].path())] {
            let (found, types, count) = read(&path);
            assert_eq!((found, count), (has, 2), "{path:?}");
            if !has {
                let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
                let plain = DataType::Timestamp(TimeUnit::Millisecond, None);
                let [one, two, three] = [(); 3].map(|()| DataType::Utf8);
                assert_eq!(types, [one, two, three, zoned, plain, DataType::UInt8]);
            }
            assert!(verify_file(&path, Verify::Decode).unwrap().is_sound());
        }
    }
}

#[test]
fn files_have_it_by_default_where_it_tells_more_than_the_types_of_parquet() {
    let lake = tempfile::tempdir().unwrap();
    let item = || Arc::new(Field::new("item", DataType::Int32, true));
    let zoned = |zone: &str| DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
    let column = |data_type: &DataType| Field::new("a", data_type.clone(), true);
    let told = [
        DataType::Int64,
        DataType::UInt8,
        DataType::Utf8,
        DataType::Binary,
        DataType::FixedSizeBinary(3),
        DataType::Float64,
        DataType::Boolean,
        DataType::Date32,
        DataType::Decimal128(20, 3),
        zoned("UTC"),
        DataType::List(item()),
        DataType::Struct(vec![item()].into()),
    ];
    let untold = [
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        zoned("Europe/Oslo"),
        DataType::LargeList(item()),
    ];
    let told = told.iter().map(|data_type| (column(data_type), false));
    let untold = untold.iter().map(|data_type| (column(data_type), true));
    let described = [("unit".to_owned(), "m".to_owned())];
    let described = column(&DataType::Int64).with_metadata(described.into());
    for (number, (field, has)) in told.chain(untold).chain([(described, true)]).enumerate() {
        let schema = Arc::new(Schema::new(vec![field]));
        let path = lake.path().join(format!("{number}.parquet"));
        let options = WriterOptions::new().verify(Verify::Decode);
        let mut writer =
            AtomicArrowWriter::at_with_options(&path, Arc::clone(&schema), options).unwrap();
        writer
            .write(&RecordBatch::new_empty(Arc::clone(&schema)))
            .unwrap();
        writer.commit().unwrap();
        let root = lake.path().join(number.to_string());
        let mut writer = DatasetWriter::builder(&root)
            .build(Arc::clone(&schema))
            .unwrap();
        let nulls = new_null_array(schema.field(0).data_type(), 2);
        let rows = RecordBatch::try_new(Arc::clone(&schema), vec![nulls]).unwrap();
        writer.write(&rows).unwrap();
        let receipt = writer.commit().unwrap();
        for path in [path, root.join(receipt.files()[0].path())] {
            let (found, types, _) = read(&path);
            assert_eq!(found, has, "{schema:?}");
            assert_eq!(types, [schema.field(0).data_type().clone()]);
        }
    }
}

/// As whoever writes a file again does, who gives the metadata of the old one.
#[test]
fn the_schema_of_another_file_is_not_taken_over_with_its_metadata() {
    let lake = tempfile::tempdir().unwrap();
    let written = |rows: &RecordBatch, properties: WriterProperties| {
        let root = lake.path().join(rows.num_columns().to_string());
        let builder = DatasetWriter::builder(&root).properties(properties);
        let mut writer = builder.build(rows.schema()).unwrap();
        writer.write(rows).unwrap();
        let receipt = writer.commit().unwrap();
        root.join(receipt.files()[0].path())
    };
    let old = written(&rows(), WriterProperties::new());
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&old).unwrap()).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let properties = WriterProperties::builder().set_key_value_metadata(pairs.cloned());
    let new = written(&rows().project(&[3]).unwrap(), properties.build());
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert!(read(&old).0);
    assert_eq!(read(&new), (false, vec![zoned], 2));
}

#[test]
fn columns_that_nothing_else_tells_are_refused_by_their_names() {
    let lake = tempfile::tempdir().unwrap();
    let zoned = |zone: &str| DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
    let item = |data_type| -> FieldRef { Arc::new(Field::new("item", data_type, true)) };
    let words = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let period = [(
        "ARROW:extension:name".to_owned(),
        "pandas.period".to_owned(),
    )];
    let in_struct = Field::new("at", zoned("Asia/Tokyo"), true);
    let column = |data_type| Field::new("odd", data_type, true);
    for (field, path, says) in [
        (
            column(zoned("Asia/Tokyo")),
            "odd",
            "its time zone Asia/Tokyo",
        ),
        (column(zoned("+00:00")), "odd", "its time zone +00:00"),
        (
            column(DataType::Duration(TimeUnit::Second)),
            "odd",
            "a duration",
        ),
        (
            column(DataType::FixedSizeList(item(DataType::Int8), 3)),
            "odd",
            "the length 3",
        ),
        (
            column(words.clone()).with_dict_is_ordered(true),
            "odd",
            "the order of its categories",
        ),
        (
            column(DataType::Int64).with_metadata(period.into()),
            "odd",
            "pandas.period",
        ),
        (
            column(DataType::Struct(vec![in_struct].into())),
            "odd.at",
            "Asia/Tokyo",
        ),
        (
            column(DataType::List(item(DataType::Duration(TimeUnit::Second)))),
            "odd[]",
            "a duration",
        ),
    ] {
        let id = Field::new("id", DataType::Int64, true);
        let schema = Arc::new(Schema::new(vec![id, field]));
        let check = |outcome: Result<(), Error>| match outcome {
            Err(Error::InvalidOption { option, reason }) => {
                assert_eq!(option, "arrow_schema", "{reason}");
                assert!(reason.contains(&format!("column {path:?}")), "{reason}");
                assert!(reason.contains(says), "{says}: {reason}");
            }
            other => panic!("{says}: {other:?}"),
        };
        let options = WriterOptions::new().parquet(properties("off"));
        let path = lake.path().join("odd.parquet");
        check(AtomicArrowWriter::at_with_options(path, Arc::clone(&schema), options).map(drop));
        let builder = DatasetWriter::builder(lake.path().join("lake")).parquet(properties("off"));
        check(builder.clone().dry_run(Arc::clone(&schema)).map(drop));
        check(builder.build(Arc::clone(&schema)).map(drop));
        let with = DatasetWriter::builder(lake.path().join("with")).parquet(properties("on"));
        with.build(schema).unwrap().discard();
    }
}

#[test]
fn other_formats_refuse_the_option() {
    let lake = tempfile::tempdir().unwrap();
    for format in [Format::Csv, Format::Ndjson, Format::Ipc] {
        let builder = DatasetWriter::builder(lake.path().join("lake")).format(format);
        let refused = builder.parquet(properties("off")).build(rows().schema());
        assert!(matches!(
            refused,
            Err(Error::InvalidOption {
                option: "arrow_schema",
                ..
            })
        ));
    }
}

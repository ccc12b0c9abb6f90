//! Columns that have no type in one part of a commit, since all their values are null there, and have one in another.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use atomic_arrow::arrow::array::{
    Array, ArrayRef, Int64Array, NullArray, RecordBatch, StringArray, new_null_array,
};
use atomic_arrow::arrow::compute::concat_batches;
use atomic_arrow::arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit,
};
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use atomic_arrow::parquet::encryption::encrypt::FileEncryptionProperties;
use atomic_arrow::parquet::file::properties::WriterProperties;
use atomic_arrow::verify::verify_file;
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, Error, ParquetProperties, PartitionBy,
    StagedWrite, StagedWrites, Verify,
};

use crate::ground::directory;

const ROWS: usize = 2_500;

fn of(root: &Path) -> DatasetWriterBuilder {
    DatasetWriter::builder(root)
        .partition_by(PartitionBy::column("station"))
        .mode(CommitMode::Append)
        .threads(1)
}

/// Rows of a station, with a column of strings beside `v`.
fn rows(station: &str, values: ArrayRef) -> RecordBatch {
    let names = (0..values.len()).map(|row| format!("{station} {row}"));
    let columns: [(&str, ArrayRef, bool); 3] = [
        (
            "station",
            Arc::new(StringArray::from(vec![station; values.len()])),
            false,
        ),
        (
            "name",
            Arc::new(StringArray::from_iter_values(names)),
            false,
        ),
        ("v", values, true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn untyped(station: &str) -> RecordBatch {
    rows(station, Arc::new(NullArray::new(ROWS)))
}

fn stage(builder: DatasetWriterBuilder, batch: &RecordBatch) -> StagedWrite {
    let mut writer = builder.build(batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.stage().unwrap()
}

/// The schema of a file, and its rows.
fn read(path: &Path) -> (SchemaRef, RecordBatch) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    let rows = concat_batches(&schema, &batches).unwrap();
    (schema, rows)
}

fn with(option: &str, column: Option<&str>, value: &str) -> ParquetProperties {
    let mut properties = ParquetProperties::new();
    properties.set(option, column, value).unwrap();
    properties
}

fn types() -> Vec<DataType> {
    let zoned = |zone: &str| DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
    vec![
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt32,
        DataType::Int64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(20, 3),
        DataType::Decimal128(9, 2),
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::FixedSizeBinary(16),
        DataType::Date32,
        DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        zoned("Europe/Berlin"),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    ]
}

/// Commits a part with a type and one without, in this order or the other, and checks that both files have it.
fn check_united(
    builder: &dyn Fn(&Path) -> DatasetWriterBuilder,
    data_type: &DataType,
    first: bool,
) {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let typed = stage(builder(&root), &rows("A", new_null_array(data_type, 3)));
    let given = untyped("B");
    let nulls = stage(builder(&root), &given);
    let parts = if first {
        [nulls, typed]
    } else {
        [typed, nulls]
    };
    let receipt = StagedWrites::new(parts).commit().unwrap();
    assert_eq!(receipt.notes(), [], "{data_type}");
    assert_eq!(receipt.totals().rows as usize, ROWS + 3);
    let v = receipt.schema().unwrap().field_with_name("v").unwrap();
    let files = receipt.files();
    let known = read(&root.join(files[usize::from(first)].path())).0;
    for file in files {
        let path = root.join(file.path());
        assert_eq!(fs::metadata(&path).unwrap().len(), file.bytes());
        let (schema, found) = read(&path);
        assert_eq!(schema, known, "{data_type}");
        let found_v = schema.field_with_name("v").unwrap();
        assert_eq!(found_v.data_type(), v.data_type());
        assert_eq!(found.num_rows() as u64, file.rows());
        assert!(verify_file(&path, Verify::Decode).unwrap().is_sound());
        let values = found.column_by_name("v").unwrap();
        assert_eq!(values.logical_null_count(), found.num_rows());
        if file.rows() as usize == ROWS {
            assert_eq!(found.column_by_name("name"), given.column_by_name("name"));
        }
    }
    let left: Vec<PathBuf> = fs::read_dir(&parent)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(left, [root], "{data_type}");
}

#[test]
fn it_gets_the_type_of_the_other_part_whichever_comes_first() {
    for data_type in types() {
        for first in [false, true] {
            check_united(&|root| of(root), &data_type, first);
        }
    }
}

#[test]
fn what_the_workers_asked_for_is_kept() {
    let properties = || {
        WriterProperties::builder()
            .set_max_row_group_row_count(Some(1_000))
            .set_data_page_row_count_limit(300)
            .build()
    };
    let asked: [&dyn Fn(&Path) -> DatasetWriterBuilder; 4] = [
        &|root| of(root).properties(properties()),
        &|root| of(root).verify(Verify::Checksum).page_checksums(false),
        &|root| of(root).parquet(with("field_ids", Some("v"), "8")),
        &|root| of(root).parquet(with("arrow_schema", None, "off")),
    ];
    for builder in asked {
        for data_type in [DataType::Boolean, DataType::Utf8, DataType::Float64] {
            check_united(builder, &data_type, true);
        }
    }
}

#[test]
fn a_type_that_is_nested_and_what_is_not_copied_is_refused_and_stays_staged() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let item: FieldRef = Arc::new(Field::new("item", DataType::Int64, true));
    let members = Fields::from(vec![Field::new("a", DataType::Int64, true)]);
    let encrypted = |plain_footer: bool| {
        let key = b"0123456789abcdef".to_vec();
        let encryption = FileEncryptionProperties::builder(key.clone())
            .with_plaintext_footer(plain_footer)
            .with_column_key("v", key);
        let properties = WriterProperties::builder();
        let properties = properties.with_file_encryption_properties(encryption.build().unwrap());
        of(&root).properties(properties.build())
    };
    let filtered = || of(&root).parquet(with("bloom_filters", Some("name"), "on"));
    let builders: [(DataType, &dyn Fn() -> DatasetWriterBuilder); 5] = [
        (DataType::List(item), &|| of(&root)),
        (DataType::Struct(members), &|| of(&root)),
        (DataType::Int64, &filtered),
        (DataType::Int64, &|| encrypted(false)),
        (DataType::Int64, &|| encrypted(true)),
    ];
    for (data_type, builder) in builders {
        let typed = stage(builder(), &rows("A", new_null_array(&data_type, 3)));
        let nulls = stage(builder(), &untyped("B"));
        let error = StagedWrites::new([typed.clone(), nulls.clone()])
            .commit()
            .unwrap_err();
        assert!(matches!(error, Error::Incompatible { .. }), "{error:?}");
        assert_eq!(atomic_arrow::staged(&root).unwrap().len(), 2);
        StagedWrites::new([typed, nulls]).discard().unwrap();
    }
}

#[test]
fn of_several_columns_each_gets_its_own_type_and_one_that_none_has_stays_without() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let part = |columns: [&DataType; 3]| {
        let fields = ["a", "b", "c"].iter().zip(columns);
        let fields = fields.map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = columns.map(|data_type| match data_type {
            DataType::Int64 => Arc::new(Int64Array::from(vec![5])) as ArrayRef,
            other => new_null_array(other, 1),
        });
        let batch = RecordBatch::try_new(schema, columns.into()).unwrap();
        stage(DatasetWriter::builder(&root), &batch)
    };
    let null = DataType::Null;
    let parts = [
        part([&DataType::Int64, &null, &null]),
        part([&null, &DataType::Utf8, &null]),
        part([&null, &null, &null]),
    ];
    let receipt = StagedWrites::new(parts).commit().unwrap();
    let expected = [DataType::Int64, DataType::Utf8, DataType::Null];
    for file in receipt.files() {
        let (schema, _) = read(&root.join(file.path()));
        let found: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        assert_eq!(found, expected);
    }
}

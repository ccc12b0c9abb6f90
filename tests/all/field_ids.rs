//! Field ids of Parquet: given by the paths of columns, or kept from the schema.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, RecordBatch, new_null_array};
use atomic_arrow::arrow::datatypes::{DataType, Field, Fields, Schema};
use atomic_arrow::format::Format;
use atomic_arrow::parquet::file::reader::{FileReader as _, SerializedFileReader};
use atomic_arrow::parquet::schema::types::Type;
use atomic_arrow::{
    AtomicArrowWriter, DatasetWriter, Durability, Error, ParquetProperties, PartitionBy, Verify,
    WriterOptions,
};

use crate::ground::{directory, published, tree};

const GIVEN: &[(&str, &str)] = &[
    ("id", "1"),
    ("place", "2"),
    ("place.name", "3"),
    ("tags", "4"),
    ("tags.list.element", "5"),
    ("tags.list.element.tag", "6"),
    ("counts", "7"),
    ("counts.key_value.key", "8"),
    ("counts.key_value.value", "9"),
];

fn rows() -> RecordBatch {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let structure = |field| DataType::Struct(Fields::from(vec![field]));
    let key = Field::new("keys", DataType::Utf8, false);
    let pair = DataType::Struct(Fields::from(vec![
        key,
        Field::new("values", DataType::Int64, true),
    ]));
    let item = Field::new("item", structure(text("tag")), true);
    let fields = vec![
        text("k"),
        Field::new("id", DataType::Int64, true),
        Field::new("place", structure(text("name")), true),
        Field::new("tags", DataType::List(Arc::new(item)), true),
        Field::new(
            "counts",
            DataType::Map(Arc::new(Field::new("entries", pair, false)), false),
            true,
        ),
    ];
    let columns: Vec<ArrayRef> = fields
        .iter()
        .map(|field| new_null_array(field.data_type(), 3))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn ids(given: &[(&str, &str)]) -> ParquetProperties {
    let mut properties = ParquetProperties::new();
    for (column, id) in given {
        properties.set("field_ids", Some(column), id).unwrap();
    }
    properties
}

/// The ids of a file, by the numbers; of lists and maps the paths are those of the file.
fn ids_of(path: &Path) -> BTreeMap<i32, String> {
    fn walk(node: &Type, path: &str, found: &mut BTreeMap<i32, String>) {
        if node.get_basic_info().has_id() {
            found.insert(node.get_basic_info().id(), path.to_owned());
        }
        if node.is_group() {
            for field in node.get_fields() {
                walk(field, &format!("{path}.{}", field.name()), found);
            }
        }
    }
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let mut found = BTreeMap::new();
    for field in reader.metadata().file_metadata().schema().get_fields() {
        walk(field, field.name(), &mut found);
    }
    found
}

fn one_file(path: &Path, batch: &RecordBatch, properties: ParquetProperties) -> Result<(), Error> {
    let options = WriterOptions::new()
        .parquet(properties)
        .verify(Verify::Decode);
    let mut writer = AtomicArrowWriter::at_with_options(path, batch.schema(), options)?;
    writer.write(batch)?;
    writer.commit().map(drop)
}

#[test]
fn ids_are_in_the_files_of_both_writers_at_every_depth() {
    let (_guard, parent) = directory();
    let path = parent.join("rows.parquet");
    one_file(&path, &rows(), ids(GIVEN)).unwrap();
    let found = ids_of(&path);
    let expected = [
        "id",
        "place",
        "place.name",
        "tags",
        "tags.list.item",
        "tags.list.item.tag",
        "counts",
        "counts.entries.keys",
        "counts.entries.values",
    ];
    let expected: BTreeMap<i32, String> = (1..).zip(expected.map(str::to_owned)).collect();
    assert_eq!(found, expected);

    // The path that the file has will do too.
    one_file(&path, &rows(), ids(&[("tags.list.item", "5")])).unwrap();
    assert_eq!(ids_of(&path), [(5, "tags.list.item".to_owned())].into());

    let root = parent.join("lake");
    let builder = DatasetWriter::builder(&root)
        .partition_by(PartitionBy::column("id"))
        .parquet(ids(&GIVEN[1..]))
        .verify(Verify::Decode);
    let mut writer = builder.build(rows().schema()).unwrap();
    writer.write(&rows()).unwrap();
    writer.commit().unwrap();
    let mut expected = expected;
    expected.remove(&1);
    assert_eq!(ids_of(&published(&root)[0]), expected);
}

/// Rows whose column `id` has an id in its metadata.
fn numbered(id: &str) -> RecordBatch {
    let rows = rows();
    let metadata = HashMap::from([("PARQUET:field_id".to_owned(), id.to_owned())]);
    let fields = rows
        .schema()
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
            "id" => Arc::new(Field::clone(field).with_metadata(metadata.clone())),
            _ => Arc::clone(field),
        })
        .collect::<Vec<_>>();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), rows.columns().to_vec()).unwrap()
}

#[test]
fn ids_of_the_schema_are_kept_and_others_go_before_them() {
    let (_guard, parent) = directory();
    let path = parent.join("rows.parquet");
    let id_of = |given| {
        one_file(&path, &numbered("70"), ids(given)).unwrap();
        let found = ids_of(&path);
        found
            .iter()
            .find(|(_, path)| *path == "id")
            .map(|(id, _)| *id)
    };
    assert_eq!(id_of(&[]), Some(70));
    assert_eq!(id_of(&[("k", "1")]), Some(70));
    assert_eq!(id_of(&[("id", "1")]), Some(1));
}

#[test]
fn ids_that_cannot_be_are_refused_and_nothing_is_left() {
    let (_guard, parent) = directory();
    let path = parent.join("rows.parquet");
    let root = parent.join("lake");
    for (given, reason) in [
        (
            ids(&[("nowhere", "1")]),
            "there is no column \"nowhere\" in the files, which have \"k\", \"id\", \"place\", \"place.name\"",
        ),
        (
            ids(&[("k", "1"), ("place.name", "1")]),
            "1 is the id of the columns \"k\" and \"place.name\"",
        ),
        (
            ids(&[("k", "70")]),
            "70 is the id of the columns \"k\" and \"id\"",
        ),
    ] {
        let builder = || {
            DatasetWriter::builder(&root)
                .parquet(given.clone())
                .durability(Durability::Unsynced)
        };
        let errors = [
            one_file(&path, &numbered("70"), given.clone()).unwrap_err(),
            builder().build(numbered("70").schema()).unwrap_err(),
            builder()
                .dry_run(numbered("70").schema())
                .map(drop)
                .unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(
                    error,
                    Error::InvalidOption {
                        option: "field_ids",
                        ..
                    }
                ),
                "{error}"
            );
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
    let key = DatasetWriter::builder(&root)
        .partition_by(PartitionBy::column("k"))
        .parquet(ids(&[("k", "1")]));
    assert!(
        key.build(rows().schema())
            .unwrap_err()
            .to_string()
            .contains("column \"k\" is a partition key")
    );
    let ipc = DatasetWriter::builder(&root)
        .format(Format::Ipc)
        .parquet(ids(&[("id", "1")]));
    assert!(
        ipc.build(rows().schema())
            .unwrap_err()
            .to_string()
            .contains("without effect in")
    );
    for id in ["x", "-1", "2147483648", ""] {
        let error = ParquetProperties::new()
            .set("field_ids", Some("id"), id)
            .unwrap_err();
        assert!(error.to_string().contains("is no number from 0"), "{error}");
    }
    let left = tree(&parent);
    assert!(
        left.iter()
            .all(|name| name.ends_with(['/']) || name.ends_with("lock")),
        "{left:?}"
    );
}

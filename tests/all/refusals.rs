//! What cannot be kept is refused, with its path, its row and what can be done, in every format.

use std::sync::Arc;

use atomic_arrow::arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int32Builder, Int64Array, MapBuilder, RecordBatch,
    StringArray, TimestampSecondArray,
};
use atomic_arrow::arrow::datatypes::{Field, Schema};
use atomic_arrow::format::{Format, NonFinite, TextOptions};
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, Error, Face, Remedy, SchemaPolicy,
};

use crate::ground::directory;

/// What is said of columns that are written one batch after another.
fn refused(format: Format, batches: &[ArrayRef]) -> String {
    let (_guard, root) = directory();
    let schema = |column: &ArrayRef| {
        Arc::new(Schema::new(vec![Field::new(
            "c",
            column.data_type().clone(),
            true,
        )]))
    };
    let builder = DatasetWriter::builder(root.join("lake"))
        .format(format)
        .schema_policy(SchemaPolicy::Unify);
    let written = builder.build(schema(&batches[0])).and_then(|mut writer| {
        for column in batches {
            let batch = RecordBatch::try_new(schema(column), vec![Arc::clone(column)]).unwrap();
            writer.write(&batch)?;
        }
        writer.commit().map(drop)
    });
    let error = written.unwrap_err();
    let mut said = error.to_string();
    if let Error::Encode { source, .. } = &error {
        said = format!("{said}: {source}");
    }
    assert!(
        !root.join("lake").exists()
            || std::fs::read_dir(root.join("lake"))
                .unwrap()
                .next()
                .is_none(),
        "{said}"
    );
    said
}

#[test]
fn every_format_names_path_row_and_remedy() {
    let far: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0, i64::MAX]));
    let mut map = MapBuilder::new(None, Int32Builder::new(), Int32Builder::new());
    map.keys().append_value(1);
    map.values().append_value(1);
    map.append(true).unwrap();
    let map: ArrayRef = Arc::new(map.finish());
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let wide: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    for (format, batches, says) in [
        (
            Format::Parquet,
            vec![far.clone()],
            [
                "column \"c\", row 1: 9223372036854775807",
                "leave the value out",
            ],
        ),
        // Rows of earlier batches count.
        (
            Format::Parquet,
            vec![far.slice(0, 1), far.clone()],
            [
                "column \"c\", row 2: 9223372036854775807",
                "leave the value out",
            ],
        ),
        (
            Format::Csv,
            vec![far.clone()],
            [
                "column \"c\", row 1: it has no text",
                "write Parquet or Arrow IPC",
            ],
        ),
        (
            Format::Ndjson,
            vec![far],
            [
                "column \"c\", row 1: it has no text",
                "write Parquet or Arrow IPC",
            ],
        ),
        (
            Format::Csv,
            vec![map.clone()],
            [
                "column \"c\": CSV has no place for Map",
                "or give it as text",
            ],
        ),
        (
            Format::Ndjson,
            vec![map],
            [
                "column \"c\": keys of objects in JSON are texts, and these are Int32",
                "cast them to text",
            ],
        ),
        (
            Format::Parquet,
            vec![numbers.clone(), wide],
            [
                "column \"c\": expected Int32, found Int64",
                "cast it, or write with a schema that holds both",
            ],
        ),
        (
            Format::Ipc,
            vec![numbers, texts],
            [
                "column \"c\": expected Int32, found Utf8",
                "cast it, or write with a schema that holds both",
            ],
        ),
    ] {
        let said = refused(format, &batches);
        assert!(
            says.iter().all(|text| said.contains(text)),
            "{says:?}: {said}"
        );
        assert!(!said.contains("NYI") && !said.contains("error:"), "{said}");
    }
}

type Columns = Vec<(&'static str, ArrayRef)>;
type Change = fn(DatasetWriterBuilder) -> DatasetWriterBuilder;

/// For each option that is named as a remedy: columns and options that need it, and its use.
fn remedies() -> Vec<(Remedy, Columns, Change, Change)> {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let null: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    let nan: ArrayRef = Arc::new(Float64Array::from(vec![f64::NAN]));
    vec![
        (
            Remedy::CsvNull,
            vec![("c", null)],
            |builder| builder.format(Format::Csv),
            |builder| builder.text(TextOptions::new().csv_null("NULL")),
        ),
        (
            Remedy::JsonNonFinite,
            vec![("c", nan)],
            |builder| builder.format(Format::Ndjson),
            |builder| builder.text(TextOptions::new().json_non_finite(NonFinite::Null)),
        ),
        (
            Remedy::CaseSensitiveNames,
            vec![("c", numbers.clone()), ("C", numbers.clone())],
            |builder| builder,
            |builder| builder.case_sensitive_names(true),
        ),
        (
            Remedy::NoSchemaCheck,
            vec![("v", numbers.clone())],
            |builder| builder.format(Format::Ndjson),
            |builder| builder.schema_check(false),
        ),
        (
            Remedy::OverwriteTable,
            vec![("v", numbers)],
            |builder| builder.mode(CommitMode::Overwrite),
            |builder| builder.overwrite_table(true),
        ),
    ]
}

#[test]
fn a_remedy_is_named_as_the_library_has_it_and_helps() {
    let remedies = remedies();
    // Giving a commit up is a remedy of errors that are tested where commits fail.
    assert_eq!(remedies.len() + 1, Remedy::ALL.len());
    for (remedy, columns, needing, using) in remedies {
        let (_guard, root) = directory();
        let root = root.join("lake");
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let write = |change: &dyn Fn(DatasetWriterBuilder) -> DatasetWriterBuilder| {
            let mut writer = change(DatasetWriter::builder(&root)).build(batch.schema())?;
            writer.write(&batch)?;
            writer.commit()
        };
        if remedy == Remedy::NoSchemaCheck {
            write(&|builder| builder).unwrap();
        }
        if remedy == Remedy::OverwriteTable {
            std::fs::create_dir_all(root.join("_delta_log")).unwrap();
            std::fs::write(root.join("_delta_log/0.json"), "{}").unwrap();
        }
        let error = write(&needing).unwrap_err();
        let source = std::error::Error::source(&error);
        let said = format!(
            "{error} {}",
            source.map(ToString::to_string).unwrap_or_default()
        );
        assert!(said.contains(&remedy.to_string()), "{remedy}: {said}");
        for face in [Face::Command, Face::Python] {
            let told = Remedy::in_words_of(face, &said);
            assert!(
                told.contains(&format!("`{}`", remedy.spelled(face))),
                "{told}"
            );
            assert!(!told.contains(&remedy.to_string()), "{told}");
        }
        write(&|builder| using(needing(builder))).unwrap();
    }
}

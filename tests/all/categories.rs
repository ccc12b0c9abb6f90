//! The order of the categories of ordered dictionaries: kept, or refused (promise P10).

use std::path::Path;
use std::sync::Arc;

use atomic_arrow::arrow::array::*;
use atomic_arrow::arrow::buffer::OffsetBuffer;
use atomic_arrow::arrow::datatypes::{DataType, Field, Fields, Int8Type, Schema};
use atomic_arrow::format::Format;
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use atomic_arrow::{
    AtomicArrowWriter, DatasetWriter, DatasetWriterBuilder, Error, Partition, Receipt,
    SchemaPolicy, StagedWrites, WriterOptions,
};

const POLARS: &str = "_PL_ENUM_VALUES2";

fn words(values: &[&str]) -> DictionaryArray<Int8Type> {
    let keys = Int8Array::from(vec![Some(0), None]);
    DictionaryArray::new(keys, Arc::new(StringArray::from(values.to_vec())))
}

fn field(ordered: bool) -> Field {
    let words = words(&["a"]);
    Field::new("size", words.data_type().clone(), true).with_dict_is_ordered(ordered)
}

fn one(field: Field, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap()
}

fn ordered(values: &[&str]) -> RecordBatch {
    one(field(true), Arc::new(words(values)))
}

fn unordered(values: &[&str]) -> RecordBatch {
    one(field(false), Arc::new(words(values)))
}

fn plain(values: &[&str]) -> RecordBatch {
    let column = StringArray::from(values.to_vec());
    let field = Field::new("size", DataType::Utf8, true);
    one(field, Arc::new(column))
}

/// An enumeration as Polars gives it.
fn enumeration(values: &[&str]) -> RecordBatch {
    let text = values
        .iter()
        .map(|value| format!("{};{value}", value.len()));
    let metadata = [(POLARS.to_owned(), text.collect::<String>())];
    one(
        field(true).with_metadata(metadata.into()),
        Arc::new(words(values)),
    )
}

fn in_struct(batch: &RecordBatch) -> RecordBatch {
    let column: ArrayRef = Arc::new(StructArray::from(batch.clone()));
    one(Field::new("s", column.data_type().clone(), true), column)
}

fn in_list(batch: &RecordBatch) -> RecordBatch {
    let item = batch.schema().field(0).clone().with_name("item");
    let offsets = OffsetBuffer::from_lengths([2, 0]);
    let list = ListArray::new(Arc::new(item), offsets, Arc::clone(batch.column(0)), None);
    one(
        Field::new("l", list.data_type().clone(), true),
        Arc::new(list),
    )
}

fn in_map(batch: &RecordBatch) -> RecordBatch {
    let members = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        batch.schema().field(0).clone().with_name("value"),
    ]);
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let entries = StructArray::new(members, vec![keys, Arc::clone(batch.column(0))], None);
    let entry = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let offsets = OffsetBuffer::from_lengths([2, 0]);
    let map = MapArray::new(entry, offsets, entries, None, false);
    one(
        Field::new("m", map.data_type().clone(), true),
        Arc::new(map),
    )
}

fn builder(root: &Path, format: Format) -> DatasetWriterBuilder {
    DatasetWriter::builder(root).format(format)
}

fn write(builder: DatasetWriterBuilder, batches: &[RecordBatch]) -> Result<Receipt, Error> {
    let mut writer = builder.build(batches[0].schema())?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.commit()
}

/// What the error says, with its causes.
#[track_caller]
fn said<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    let error = outcome.unwrap_err();
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    // In words of this crate.
    assert!(
        !said.contains("Parquet error") && !said.contains("NYI"),
        "{said}"
    );
    said
}

#[test]
fn an_append_keeps_to_the_order_that_is_there() {
    for within in [RecordBatch::clone, in_struct, in_list, in_map] {
        let append = |there: &RecordBatch, given: &RecordBatch, check: bool| {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path().join("lake");
            write(builder(&root, Format::Parquet), &[within(there)]).unwrap();
            let append = builder(&root, Format::Parquet).schema_check(check);
            write(append, &[within(given)])
        };
        let there = ordered(&["small", "large"]);
        for fits in [
            ordered(&["small", "large"]),
            ordered(&["small", "large", "huge"]),
            ordered(&["small"]),
        ] {
            append(&there, &fits, true).unwrap();
        }
        let contradicts = ordered(&["large", "small"]);
        let text = said(append(&there, &contradicts, true));
        for part in [
            "an ordered dictionary of \"large\" < \"small\"",
            "an ordered dictionary of \"small\" < \"large\"",
            "one list of categories",
        ] {
            assert!(text.contains(part), "{text}");
        }
        append(&there, &contradicts, false).unwrap();
        for other in [unordered(&["small", "large"]), plain(&["small", "large"])] {
            let text = said(append(&there, &other, true));
            assert!(text.contains("order"), "{text}");
            let text = said(append(&other, &there, true));
            assert!(text.contains("order"), "{text}");
        }
        let kinds = enumeration(&["b", "a"]);
        append(&kinds, &kinds, true).unwrap();
        for other in [&["a", "b"][..], &["b", "a", "c"], &["b"]] {
            let text = said(append(&kinds, &enumeration(other), true));
            assert!(text.contains("an enumeration of Polars of"), "{text}");
        }
    }
}

#[test]
fn only_nulls_are_of_any_order() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("lake");
    let there = ordered(&["small", "large"]);
    let nulls = one(
        Field::new("size", DataType::Null, true),
        Arc::new(NullArray::new(2)),
    );
    write(builder(&root, Format::Parquet), &[there]).unwrap();
    let receipt = write(builder(&root, Format::Parquet), &[nulls]).unwrap();
    let file = std::fs::File::open(root.join(receipt.files()[0].path())).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    assert_eq!(reader.schema().field(0).dict_is_ordered(), Some(true));
    // What was appended last has no categories.
    write(builder(&root, Format::Parquet), &[ordered(&["small"])]).unwrap();
}

#[test]
fn parts_of_a_commit_keep_to_one_order() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("lake");
    let stage = |batch: RecordBatch| {
        let mut writer = builder(&root, Format::Parquet)
            .build(batch.schema())
            .unwrap();
        writer.write(&batch).unwrap();
        writer.stage().unwrap()
    };
    let first = stage(ordered(&["small", "large"]));
    let other = stage(ordered(&["large", "small"]));
    let none = stage(unordered(&["small", "large"]));
    let longer = stage(ordered(&["small", "large", "huge"]));
    let both = |one, two| StagedWrites::new([one, two]).commit();
    let text = said(both(first.clone(), other));
    assert!(text.contains("\"large\" < \"small\""), "{text}");
    assert!(said(both(first.clone(), none)).contains("without an order"));
    both(first, longer).unwrap();
}

#[test]
fn a_file_by_itself_keeps_to_the_order_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("lake");
    let write = |batch: &RecordBatch, check: bool| {
        let options = WriterOptions::default().schema_check(check);
        let partition = Partition::none();
        let schema = batch.schema();
        let mut writer =
            AtomicArrowWriter::create_with_options(&root, &partition, schema, options)?;
        writer.write(batch)?;
        writer.commit()
    };
    write(&ordered(&["small", "large"]), true).unwrap();
    write(&ordered(&["small", "large", "huge"]), true).unwrap();
    let contradicts = ordered(&["large", "small"]);
    let text = said(write(&contradicts, true));
    assert!(text.contains("\"large\" < \"small\""), "{text}");
    write(&contradicts, false).unwrap();
    assert!(said(write(&unordered(&["a"]), true)).contains("without an order"));
}

#[test]
fn batches_of_one_write_keep_to_one_order_in_every_format() {
    for format in [Format::Parquet, Format::Ipc] {
        let all = |schema: &RecordBatch, batches: &[RecordBatch]| {
            let directory = tempfile::tempdir().unwrap();
            let builder = builder(&directory.path().join("lake"), format);
            let mut writer = builder
                .schema_policy(SchemaPolicy::Unify)
                .build(schema.schema())?;
            for batch in batches {
                writer.write(batch)?;
            }
            writer.commit()
        };
        for within in [RecordBatch::clone, in_struct, in_list, in_map] {
            let (one, other) = (within(&ordered(&["b", "a"])), within(&ordered(&["a", "b"])));
            all(&one, &[one.clone(), within(&ordered(&["b", "a", "c"]))]).unwrap();
            let text = said(all(&one, &[one.clone(), other]));
            assert!(text.contains("the same order"), "{text}");
            for without in [unordered(&["b", "a"]), plain(&["b", "a"])] {
                let without = within(&without);
                let text = said(all(&one, &[one.clone(), without.clone()]));
                assert!(text.contains("order"), "{text}");
                let text = said(all(&without, &[without.clone(), one.clone()]));
                assert!(text.contains("order"), "{text}");
            }
            let kinds = within(&enumeration(&["b", "a"]));
            let text = said(all(&kinds, &[within(&enumeration(&["a", "b"]))]));
            assert!(text.contains("an enumeration of Polars"), "{text}");
            // Its categories are known, whatever has no order.
            all(&kinds, &[within(&plain(&["a", "b"]))]).unwrap();
            assert!(all(&kinds, &[within(&plain(&["a", "z"]))]).is_err());
        }
    }
}

/// Those that no row has among them, at any depth.
#[test]
fn files_have_all_categories_also_within_types() {
    let values = ["small", "large", "huge"];
    for within in [RecordBatch::clone, in_struct, in_list, in_map] {
        for format in [Format::Parquet, Format::Ipc] {
            for (memory_limit, policy) in [
                (1 << 30, SchemaPolicy::Exact),
                (1_000, SchemaPolicy::Exact),
                (1 << 30, SchemaPolicy::Unify),
            ] {
                let directory = tempfile::tempdir().unwrap();
                let root = directory.path().join("lake");
                let batch = within(&ordered(&values));
                let batches = [batch.slice(1, 1), batch.slice(0, 1), batch.clone()];
                let builder = builder(&root, format).memory_limit(memory_limit);
                let receipt = write(builder.schema_policy(policy), &batches).unwrap();
                let path = root.join(receipt.files()[0].path());
                let file = std::fs::File::open(path).unwrap();
                let found = match format {
                    Format::Parquet => {
                        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
                        reader.build().unwrap().next().unwrap().unwrap()
                    }
                    _ => {
                        let reader =
                            atomic_arrow::arrow::ipc::reader::FileReader::try_new(file, None);
                        reader.unwrap().next().unwrap().unwrap()
                    }
                };
                let column = found.column(0);
                let words = match column.data_type() {
                    DataType::Struct(_) => column.as_struct().column(0),
                    DataType::List(_) => column.as_list::<i32>().values(),
                    DataType::Map(..) => column.as_map().values(),
                    _ => column,
                };
                let categories = words.as_any_dictionary().values();
                assert_eq!(
                    categories.as_string::<i32>(),
                    &StringArray::from(values.to_vec())
                );
            }
        }
    }
}

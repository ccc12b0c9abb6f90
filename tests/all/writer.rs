//! [`AtomicArrowWriter`]: one Parquet file of a data set, whole or absent.
//!
//! Promises P1, P3 and P8 on the operating system's disk.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use atomic_arrow::arrow::array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, Int32Array, Int64Array, ListArray, MapArray,
    MapBuilder, NullArray, RecordBatch, RecordBatchWriter, StringArray, StringBuilder,
    StringViewArray, StructArray,
};
use atomic_arrow::arrow::buffer::OffsetBuffer;
use atomic_arrow::arrow::compute::cast;
use atomic_arrow::arrow::datatypes::{
    DataType, Field, Fields, Int32Type, Schema, SchemaRef, TimeUnit, UnionMode,
};
use atomic_arrow::arrow::error::ArrowError;
use atomic_arrow::arrow::ipc::reader::FileReader;
use atomic_arrow::format::Format;
use atomic_arrow::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use atomic_arrow::parquet::basic::{Compression, ZstdLevel};
use atomic_arrow::parquet::file::metadata::KeyValue;
use atomic_arrow::parquet::file::properties::WriterProperties;
use atomic_arrow::verify::verify_file;
use atomic_arrow::{
    AtomicArrowWriter, DatasetWriter, Durability, Error, Partition, PartitionBy, PublishMode,
    PublishedFile, Receipt, SchemaPolicy, Verify, WriterOptions,
};

use crate::ground::{
    begun, count_rows, directory, published, read, station, tree, weather, writer,
};

const LEVELS: [Verify; 4] = [
    Verify::Skip,
    Verify::Footer,
    Verify::Checksum,
    Verify::Decode,
];

/// Writes a file without partition columns.
fn write(root: &Path, batches: &[RecordBatch], options: WriterOptions) -> PublishedFile {
    let schema = batches[0].schema();
    let none = Partition::none();
    let mut writer = AtomicArrowWriter::create_with_options(root, &none, schema, options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.commit().unwrap()
}

fn names(schema: &Schema) -> Vec<&str> {
    schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect()
}

#[test]
fn a_file_is_there_as_a_whole_once_it_is_committed_and_not_before() {
    let (_guard, root) = directory();
    let root = root.join("weather");
    let mut writer = writer(&root, WriterOptions::new()).unwrap();
    writer.write(&weather("KSEA", 7)).unwrap();
    writer.write(&weather("KSEA", 5)).unwrap();
    assert_eq!(writer.rows(), 12);
    assert!(writer.memory_size() > 0);
    assert_eq!(names(writer.schema()), ["station_id", "temp"]);
    let path = writer.path().to_owned();
    let staged = writer.finish().unwrap();
    assert_eq!((staged.rows(), staged.path()), (12, &*path));
    assert_eq!(staged.metadata().unwrap().num_row_groups(), 1);
    assert!(!root.exists());
    let file = staged.publish().unwrap();
    assert_eq!(
        (file.rows(), file.row_groups(), file.path()),
        (12, Some(1), &*path)
    );
    assert_eq!(file.bytes(), fs::metadata(&path).unwrap().len());
    assert_eq!(published(&root), std::slice::from_ref(&path));
    let temperatures = |rows| weather("KSEA", rows).column(1).slice(0, rows);
    let found = read(&path);
    let expected = [temperatures(7), temperatures(5)];
    let expected: Vec<&dyn Array> = expected.iter().map(AsRef::as_ref).collect();
    let expected = atomic_arrow::arrow::compute::concat(&expected).unwrap();
    assert_eq!(found[0].column(0), &expected);
}

#[test]
fn names_by_default_are_unlike_each_other_and_sort_by_time() {
    let (_guard, root) = directory();
    let names: Vec<String> = (0..5)
        .map(|_| {
            let file = begun(&root).commit().unwrap();
            file.path()
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert!(
        names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]),
        "{names:?}"
    );
    for name in names {
        let uuid = name
            .strip_prefix("part-")
            .and_then(|name| name.strip_suffix("-00000.parquet"));
        assert_eq!(uuid.map(str::len), Some(36), "{name}");
    }
}

#[test]
fn partition_columns_are_in_the_path_and_in_the_file_only_if_asked_for() {
    let (_guard, root) = directory();
    for (keep, expected) in [(false, &["temp"][..]), (true, &["station_id", "temp"])] {
        let mut writer = writer(&root, WriterOptions::new().keep_partition_columns(keep)).unwrap();
        writer.write(&weather("KSEA", 7)).unwrap();
        let file = writer.commit().unwrap();
        assert!(file.path().starts_with(root.join("station_id=KSEA")));
        assert_eq!(names(&read(file.path())[0].schema()), expected);
    }
    // Kept columns are checked as well.
    let mut writer = writer(&root, WriterOptions::new().keep_partition_columns(true)).unwrap();
    let stray = writer.write(&weather("KPDX", 1));
    assert!(
        matches!(stray, Err(Error::StrayRow { row: 0, .. })),
        "{stray:?}"
    );
}

#[test]
fn a_stray_row_is_told_by_its_number_over_all_batches() {
    let (_guard, root) = directory();
    let stations = |middle: Option<&str>| {
        let mut stations = vec![Some("KSEA"); 9];
        stations[4] = middle;
        let mut columns = weather("KSEA", 9).columns().to_vec();
        columns[0] = Arc::new(StringArray::from(stations));
        RecordBatch::try_new(weather("KSEA", 9).schema(), columns).unwrap()
    };
    for (middle, text) in [(Some("KPDX"), "KPDX"), (None, "__HIVE_DEFAULT_PARTITION__")] {
        let mut writer = begun(&root);
        writer.write(&stations(Some("KSEA"))).unwrap();
        match writer.write(&stations(middle)).unwrap_err() {
            Error::StrayRow {
                row,
                key,
                expected,
                found,
                ..
            } => assert_eq!(
                (row, &*key, &*expected, &*found),
                (7 + 9 + 4, "station_id", "KSEA", text)
            ),
            other => panic!("{other:?}"),
        }
        // The rows are gone for good: no later success may hide that.
        assert!(matches!(
            writer.write(&stations(Some("KSEA"))),
            Err(Error::Poisoned { .. })
        ));
        assert_eq!(writer.rows(), 7 + 9);
        assert!(matches!(writer.finish(), Err(Error::Poisoned { .. })));
    }
    assert_eq!(tree(&root), Vec::<String>::new());
}

#[test]
fn rows_of_null_belong_to_the_partition_of_null() {
    let (_guard, root) = directory();
    let null = Partition::new([("station_id", None::<String>)]).unwrap();
    let schema = weather("KSEA", 0).schema();
    let mut writer = AtomicArrowWriter::create(&root, &null, Arc::clone(&schema)).unwrap();
    let stations: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 2]));
    let temperatures = weather("KSEA", 2).column(1).clone();
    writer
        .write(&RecordBatch::try_new(schema, vec![stations, temperatures]).unwrap())
        .unwrap();
    let file = writer.commit().unwrap();
    assert!(
        file.path()
            .starts_with(root.join("station_id=__HIVE_DEFAULT_PARTITION__"))
    );
}

#[test]
fn metadata_and_nullability_of_a_batch_may_differ_where_its_values_do_not() {
    let (_guard, root) = directory();
    let field = |nullable| Field::new("temp", DataType::Int64, nullable);
    let schema = |nullable| Arc::new(Schema::new(vec![field(nullable)]));
    let batch = |schema: SchemaRef, values: Vec<Option<i64>>| {
        let values: ArrayRef = Arc::new(Int64Array::from(values));
        RecordBatch::try_new(schema, vec![values]).unwrap()
    };
    let noted = Schema::new(vec![
        field(true).with_metadata([("unit".to_owned(), "°C".to_owned())].into()),
    ]);
    let noted = noted.with_metadata([("by".to_owned(), "somebody".to_owned())].into());
    let create = || AtomicArrowWriter::create(&root, &Partition::none(), schema(false)).unwrap();
    let mut writer = create();
    writer.write(&batch(schema(true), vec![Some(1)])).unwrap();
    writer
        .write(&batch(Arc::new(noted), vec![Some(2)]))
        .unwrap();
    assert_eq!(writer.commit().unwrap().rows(), 2);
    let nulls = create().write(&batch(schema(true), vec![Some(1), None]));
    assert!(
        matches!(&nulls, Err(Error::SchemaMismatch { field, expected, found, .. })
            if (&**field, &**expected, &**found) == ("temp", "no nulls", "a null")),
        "{nulls:?}"
    );
}

/// A batch of one struct with two members, in a list whose items are called `item`.
fn pairs(item: &str, names: [&str; 2]) -> RecordBatch {
    let member = |name| {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        (Arc::new(Field::new(name, DataType::Int32, true)), numbers)
    };
    let pairs: ArrayRef = Arc::new(StructArray::from(names.map(member).to_vec()));
    let item = Arc::new(Field::new(item, pairs.data_type().clone(), true));
    let list: ArrayRef = Arc::new(ListArray::new(
        item,
        OffsetBuffer::from_lengths([1, 1]),
        pairs,
        None,
    ));
    RecordBatch::try_from_iter([("pairs", list)]).unwrap()
}

#[test]
fn lists_may_call_their_items_otherwise_but_structs_not_their_members() {
    let (_guard, root) = directory();
    let first = pairs("item", ["lat", "lon"]);
    let create = || AtomicArrowWriter::create(&root, &Partition::none(), first.schema()).unwrap();
    let mut writer = create();
    writer.write(&first).unwrap();
    writer.write(&pairs("element", ["lat", "lon"])).unwrap();
    let file = writer.commit().unwrap();
    assert_eq!(count_rows(file.path()), 4);
    // By position they would be mixed up.
    let swapped = create().write(&pairs("item", ["lon", "lat"]));
    assert!(
        matches!(&swapped, Err(Error::SchemaMismatch { field, .. }) if **field == *"pairs[].lat"),
        "{swapped:?}"
    );
}

#[test]
fn columns_in_another_order_and_other_forms_are_taken_unless_the_policy_is_exact() {
    let (_guard, root) = directory();
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let views: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b"]));
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let given =
        RecordBatch::try_from_iter([("name", Arc::clone(&names)), ("n", Arc::clone(&numbers))])
            .unwrap();
    let other = RecordBatch::try_from_iter([("n", numbers), ("name", views)]).unwrap();
    let create = |options| {
        AtomicArrowWriter::create_with_options(&root, &Partition::none(), given.schema(), options)
            .unwrap()
    };
    let mut writer = create(WriterOptions::new());
    writer.write(&given).unwrap();
    writer.write(&other).unwrap();
    let file = writer.commit().unwrap();
    assert_eq!(count_rows(file.path()), 4);
    let exact = WriterOptions::new().schema_policy(SchemaPolicy::Exact);
    let refused = create(exact).write(&other);
    assert!(
        matches!(&refused, Err(Error::SchemaMismatch { field, .. }) if **field == *"name"),
        "{refused:?}"
    );
}

#[test]
fn it_stands_in_for_arrows_writers() {
    fn generic(mut writer: impl RecordBatchWriter) -> Result<(), ArrowError> {
        writer.write(&weather("KSEA", 7))?;
        writer.write(&weather("KSEA", 7))?;
        writer.close()
    }
    let (_guard, root) = directory();
    generic(writer(&root, WriterOptions::new()).unwrap()).unwrap();
    let files = published(&root);
    assert_eq!(files.len(), 1);
    assert_eq!(count_rows(&files[0]), 14);
}

#[test]
fn a_file_may_have_no_rows_and_batches_none() {
    let (_guard, root) = directory();
    for level in LEVELS {
        let options = || WriterOptions::new().verify(level);
        let file = writer(&root, options()).unwrap().commit().unwrap();
        assert_eq!((file.rows(), count_rows(file.path())), (0, 0));
        assert!(verify_file(file.path(), Verify::Decode).unwrap().is_sound());

        let mut writer = writer(&root, options()).unwrap();
        for rows in [0, 3, 0, 0, 4, 0] {
            writer.write(&weather("KSEA", rows)).unwrap();
        }
        let file = writer.commit().unwrap();
        assert_eq!((file.rows(), count_rows(file.path())), (7, 7));
    }
}

/// parquet-rs calls itself once for each row group that a batch spans.
#[test]
fn a_batch_may_span_very_many_row_groups() {
    const ROWS: usize = 4_000;
    let (_guard, root) = directory();
    let properties = || {
        WriterProperties::builder()
            .set_max_row_group_row_count(Some(1))
            .build()
    };
    let options = move || WriterOptions::new().properties(properties());
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let write = move || write(&root, &[numbers(ROWS)], options());
    let file = small.spawn(write).unwrap().join().unwrap();
    assert_eq!((file.rows(), file.row_groups()), (ROWS as u64, Some(ROWS)));
}

fn numbers(rows: usize) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..rows as i32));
    RecordBatch::try_from_iter([("n", numbers)]).unwrap()
}

#[test]
fn row_groups_are_as_the_properties_say_whatever_the_batches() {
    let (_guard, root) = directory();
    for batches in [&[100][..], &[33, 33, 34], &[1, 99]] {
        let batches: Vec<_> = batches.iter().map(|&rows| numbers(rows)).collect();
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(30))
            .build();
        let file = write(&root, &batches, WriterOptions::new().properties(properties));
        let rows: Vec<_> = file
            .metadata()
            .unwrap()
            .row_groups()
            .iter()
            .map(|g| g.num_rows())
            .collect();
        assert_eq!(rows, [30, 30, 30, 10]);
        assert_eq!(count_rows(file.path()), 100);
    }
}

#[test]
fn compression_and_key_value_metadata_are_as_the_properties_say() {
    let (_guard, root) = directory();
    let compression = |file: &PublishedFile| {
        file.metadata()
            .unwrap()
            .row_group(0)
            .column(0)
            .compression()
    };
    let file = write(&root, &[numbers(9)], WriterOptions::new());
    assert_eq!(compression(&file), Compression::ZSTD(ZstdLevel::default()));
    let pair = KeyValue::new("source".to_owned(), "a station".to_owned());
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(vec![pair.clone()]))
        .build();
    let options = WriterOptions::new()
        .properties(properties)
        .verify(Verify::Decode);
    let file = write(&root, &[numbers(9)], options);
    assert_eq!(compression(&file), Compression::SNAPPY);
    let pairs = file
        .metadata()
        .unwrap()
        .file_metadata()
        .key_value_metadata();
    assert!(
        pairs.is_some_and(|pairs| pairs.contains(&pair)),
        "{pairs:?}"
    );
}

#[test]
fn only_names_that_readers_will_look_at_are_taken() {
    let (_guard, root) = directory();
    let long = "n".repeat(256);
    for name in [
        "", ".", "..", "a/b", "/a", "a/", ".hidden", "_hidden", "a\0b", &long,
    ] {
        let result = writer(&root, WriterOptions::new().file_name(name));
        assert!(
            matches!(result, Err(Error::InvalidPath { .. })),
            "{name:?}: {result:?}"
        );
    }
    assert_eq!(tree(&root), Vec::<String>::new());
    let longest = format!("{}.parquet", "n".repeat(247));
    for name in ["a.parquet", "no suffix", "höhe.parquet", &longest] {
        let mut writer = writer(&root, WriterOptions::new().file_name(name)).unwrap();
        writer.write(&weather("KSEA", 1)).unwrap();
        let file = writer.commit().unwrap();
        assert_eq!(file.path(), root.join("station_id=KSEA").join(name));
    }
}

#[test]
fn a_taken_name_is_refused_early_and_late_unless_replacing_is_asked_for() {
    let (_guard, root) = directory();
    let options = || WriterOptions::new().file_name("part.parquet");
    let write = |options| {
        let mut writer = writer(&root, options)?;
        writer.write(&weather("KSEA", 7))?;
        Ok::<_, Error>(writer)
    };
    let late = write(options()).unwrap();
    let first = write(options()).unwrap().commit().unwrap();
    let early = write(options());
    assert!(
        matches!(early, Err(Error::AlreadyExists { .. })),
        "{early:?}"
    );
    let late = late.commit();
    assert!(matches!(late, Err(Error::AlreadyExists { .. })), "{late:?}");
    assert_eq!(count_rows(first.path()), 7);

    let mut replacing = writer(&root, options().mode(PublishMode::Replace)).unwrap();
    replacing.write(&weather("KSEA", 3)).unwrap();
    replacing.commit().unwrap();
    assert_eq!(count_rows(first.path()), 3);
    assert_eq!(published(&root), [first.path()]);
}

/// A column of each type that Parquet can store, some of its rows null.
fn all_types() -> RecordBatch {
    let source: ArrayRef = Arc::new(Int32Array::from_iter(
        (0..50).map(|row| (row % 7 > 0).then_some(row)),
    ));
    let text: ArrayRef = cast(&source, &DataType::Utf8).unwrap();
    let long: ArrayRef = cast(&source, &DataType::Int64).unwrap();
    let zone = || Some("America/New_York".into());
    use DataType::{Binary, Boolean, Date32, Date64, Int8, Int16, Int32, Int64, Utf8, Utf8View};
    use DataType::{BinaryView, Float16, Float32, Float64, LargeBinary, LargeUtf8};
    use DataType::{Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64};
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    let numbers = [
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Boolean,
        Date32,
        Time32(Second),
        Time32(Millisecond),
    ];
    let longs = [
        Date64,
        Time64(Microsecond),
        Time64(Nanosecond),
        Timestamp(Second, None),
        Timestamp(Millisecond, zone()),
        Timestamp(Microsecond, None),
        Timestamp(Nanosecond, zone()),
        DataType::Duration(Second),
        DataType::Duration(Nanosecond),
        DataType::Decimal32(7, 2),
        DataType::Decimal64(15, 3),
        DataType::Decimal128(38, 4),
        DataType::Decimal256(38, 5),
    ];
    let texts = [
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
        DataType::Dictionary(Box::new(Int8), Box::new(Utf8)),
        DataType::Dictionary(Box::new(UInt32), Box::new(Utf8)),
    ];
    let mut columns: Vec<ArrayRef> = Vec::new();
    columns.extend(numbers.iter().map(|to| cast(&source, to).unwrap()));
    columns.extend(longs.iter().map(|to| match to {
        // Whole days.
        Date64 => cast(&cast(&source, &Date32).unwrap(), to).unwrap(),
        to => cast(&long, to).unwrap(),
    }));
    columns.extend(texts.iter().map(|to| cast(&text, to).unwrap()));
    columns.push(Arc::new(NullArray::new(50)));
    columns.extend(nested(&source, &text));
    let named = columns.into_iter().enumerate();
    let named = named.map(|(at, column)| (format!("c{at}"), column, true));
    RecordBatch::try_from_iter_with_nullable(named).unwrap()
}

fn nested(source: &ArrayRef, text: &ArrayRef) -> Vec<ArrayRef> {
    let list = |row| (row % 5 > 0).then(|| (0..row % 4).map(|item| (item != 2).then_some(item)));
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>((0..50).map(list));
    let pairs = (0..50).map(|row| (row % 3 > 0).then(|| vec![Some(row), None]));
    let pairs = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(pairs, 2);
    let field = |name: &str, array: &ArrayRef| Field::new(name, array.data_type().clone(), true);
    let lists: ArrayRef = Arc::new(lists);
    let fields = Fields::from(vec![
        field("n", source),
        field("t", text),
        field("l", &lists),
    ]);
    let present = BooleanArray::from_iter((0..50).map(|row| Some(row % 6 > 0)));
    let columns = vec![Arc::clone(source), Arc::clone(text), Arc::clone(&lists)];
    let structs = StructArray::new(fields, columns, Some(present.values().clone().into()));
    let large = cast(&lists, &DataType::new_large_list(DataType::Int32, true)).unwrap();
    vec![
        lists,
        large,
        Arc::new(pairs),
        Arc::new(structs),
        Arc::new(map()),
    ]
}

fn map() -> MapArray {
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in 0..50 {
        for item in 0..row % 3 {
            map.keys().append_value(format!("k{item}"));
            map.values()
                .append_option((item > 0).then(|| row.to_string()));
        }
        map.append(row % 4 > 0).unwrap();
    }
    map.finish()
}

/// The batch with the types that Parquet has, for those that it has not.
fn as_stored(batch: &RecordBatch) -> RecordBatch {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, column)| {
        let stored = match field.data_type() {
            DataType::Timestamp(TimeUnit::Second, zone) => {
                DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
            }
            DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
            DataType::Date64 => DataType::Date32,
            DataType::Dictionary(indices, values) if **indices == DataType::Int8 => {
                DataType::Dictionary(Box::new(DataType::Int32), values.clone())
            }
            other => other.clone(),
        };
        (field.name(), cast(column, &stored).unwrap(), true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[test]
fn values_of_every_type_come_back_as_they_went_in_at_every_level_and_durability() {
    let (_guard, root) = directory();
    let batch = all_types();
    let stored = as_stored(&batch);
    for level in LEVELS {
        for durability in [Durability::Synced, Durability::Unsynced] {
            let options = WriterOptions::new().verify(level).durability(durability);
            let file = write(&root, &[batch.slice(0, 20), batch.slice(20, 30)], options);
            assert_eq!(
                read(file.path()),
                std::slice::from_ref(&stored),
                "{level:?}, {durability:?}"
            );
            assert_eq!(file.content_hash().is_some(), level >= Verify::Checksum);
        }
    }
}

#[test]
fn roots_may_be_relative_lead_upwards_or_be_the_current_directory() {
    // The current directory is the whole process's, so another one takes it.
    if let Some(root) = std::env::var_os("ATOMIC_ARROW_TEST_RELATIVE") {
        let file = begun(Path::new(&root)).commit().unwrap();
        assert!(file.path().is_absolute());
        return;
    }
    for (root, expected) in [
        (".", "here"),
        ("sub", "here/sub"),
        ("../there", "there"),
        ("./a/../b", ""),
    ] {
        let (_guard, parent) = directory();
        fs::create_dir(parent.join("here")).unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "writer::roots_may_be_relative_lead_upwards_or_be_the_current_directory",
            ])
            .env("ATOMIC_ARROW_TEST_RELATIVE", root)
            .current_dir(parent.join("here"))
            .output()
            .unwrap()
            .status;
        let files = published(&parent);
        if expected.is_empty() {
            assert!(
                !status.success() && files.is_empty(),
                "{root} leaves what is not there"
            );
        } else {
            assert!(status.success(), "{root}");
            let directory = parent.join(expected).join(station("KSEA").path());
            assert_eq!(files[0].parent(), Some(&*directory), "{root}");
        }
    }
}

#[test]
fn roots_that_cannot_be_are_refused_before_anything_is_touched() {
    let (_guard, parent) = directory();
    fs::write(parent.join("file"), "precious").unwrap();
    for root in ["file", "file/below", "no/../root", "n\0l"] {
        let result = writer(parent.join(root), WriterOptions::new());
        assert!(
            matches!(result, Err(Error::InvalidPath { .. })),
            "{root:?}: {result:?}"
        );
    }
    let result = writer("", WriterOptions::new());
    assert!(
        matches!(result, Err(Error::InvalidPath { .. })),
        "{result:?}"
    );
    assert_eq!(tree(&parent), ["file"]);
}

/// What either writer says of a schema, and that it left nothing.
fn refusals(schema: Schema) -> [Error; 2] {
    let (_guard, root) = directory();
    let schema = Arc::new(schema);
    let single = AtomicArrowWriter::create(&root, &Partition::none(), Arc::clone(&schema));
    let whole = DatasetWriter::builder(&root).build(schema);
    let errors = [single.unwrap_err(), whole.unwrap_err()];
    assert_eq!(tree(&root), Vec::<String>::new());
    errors
}

#[test]
fn what_parquet_cannot_keep_is_refused_by_either_writer_before_anything_is_written() {
    let words = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Int64));
    let sizes = Field::new("odd", words, true).with_dict_is_ordered(true);
    let number = Arc::new(Field::new("n", DataType::Int32, true));
    let union = DataType::Union([(0, number)].into_iter().collect(), UnionMode::Sparse);
    for (field, what) in [
        (sizes, "an ordered dictionary"),
        (Field::new("odd", union, true), "a union"),
        (
            Field::new("odd", DataType::FixedSizeBinary(0), true),
            "no bytes",
        ),
    ] {
        for error in refusals(Schema::new(vec![field.clone()])) {
            assert!(matches!(error, Error::Encode { .. }), "{error:?}");
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(
                cause.contains("column \"odd\"") && cause.contains(what),
                "{cause}"
            );
        }
    }
}

#[test]
fn two_columns_of_one_name_are_refused_by_either_writer_before_anything_is_written() {
    let column = |data_type| Field::new("a", data_type, true);
    let schema = Schema::new(vec![column(DataType::Int32), column(DataType::Utf8)]);
    for error in refusals(schema) {
        assert!(matches!(error, Error::InvalidOption { .. }), "{error:?}");
        assert!(error.to_string().contains("\"a\""), "{error}");
    }
}

#[test]
fn names_that_differ_by_case_alone_are_refused_by_either_writer_unless_allowed() {
    let schema = |names: [&str; 2]| {
        let field = |name| Field::new(name, DataType::Utf8, true);
        Schema::new(names.map(field).to_vec())
    };
    for error in refusals(schema(["a", "A"])) {
        assert!(matches!(error, Error::InvalidOption { .. }), "{error:?}");
        assert!(
            error.to_string().contains("differ by case alone"),
            "{error}"
        );
    }
    let (_guard, root) = directory();
    let alike: SchemaRef = schema(["year", "Year"]).into();
    let by = || DatasetWriter::builder(&root).partition_by(PartitionBy::column("year"));
    assert!(by().build(Arc::clone(&alike)).is_err());
    by().case_sensitive_names(true)
        .build(Arc::clone(&alike))
        .unwrap()
        .discard();
    let partition = Partition::new([("year", "1")]).unwrap();
    let create = |options| {
        AtomicArrowWriter::create_with_options(&root, &partition, Arc::clone(&alike), options)
    };
    assert!(create(WriterOptions::new()).is_err());
    create(WriterOptions::new().case_sensitive_names(true))
        .unwrap()
        .discard();
}

#[test]
fn a_data_set_has_types_that_readers_know_who_do_not_know_the_schema_of_arrow() {
    let (_guard, root) = directory();
    let views: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a"]));
    let views_type = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8View));
    let seconds = cast(
        &(Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        &DataType::Timestamp(TimeUnit::Second, Some("UTC".into())),
    );
    let batch = RecordBatch::try_from_iter([
        ("name", cast(&views, &views_type).unwrap()),
        ("at", seconds.unwrap()),
    ])
    .unwrap();
    let mut writer = DatasetWriter::builder(&root)
        .verify(Verify::Decode)
        .build(batch.schema())
        .unwrap();
    writer.write(&batch).unwrap();
    let receipt = writer.commit().unwrap();
    let path = root.join(receipt.files()[0].path());
    let file = std::fs::File::open(path).unwrap();
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
    let zone = Some("UTC".into());
    let millis = DataType::Timestamp(TimeUnit::Millisecond, zone);
    assert_eq!(batches[0].column(0), &views);
    assert_eq!(batches[0].column(1).data_type(), &millis);
    assert_eq!(
        batches[0].column(1),
        &cast(batch.column(1), &millis).unwrap()
    );
}

#[test]
fn a_file_is_refused_beside_others_that_readers_could_not_take_together_with_it() {
    let (_guard, root) = directory();
    let partition = Partition::new([("station_id", "KSEA")]).unwrap();
    let schema = |data_type| Arc::new(Schema::new(vec![Field::new("temp", data_type, true)]));
    let create = |partition: &Partition, data_type, options: WriterOptions| {
        AtomicArrowWriter::create_with_options(&root, partition, schema(data_type), options)
    };
    let named = || WriterOptions::new().file_name("day.parquet");
    let first = create(&partition, DataType::Int64, named()).unwrap();
    first.commit().unwrap();
    let before = tree(&root);

    let other = create(&partition, DataType::Utf8, WriterOptions::new()).unwrap_err();
    let Error::Incompatible { what, beside, .. } = &other else {
        panic!("{other:?}");
    };
    assert_eq!(
        (what.as_ref(), beside.file_name()),
        ("column \"temp\" is", Some("day.parquet".as_ref()))
    );
    let keys = Partition::new([("year", "2026")]).unwrap();
    let other = create(&keys, DataType::Int64, WriterOptions::new()).unwrap_err();
    assert!(other.to_string().contains("partition keys"), "{other}");
    assert_eq!(tree(&root), before, "nothing is left");

    // What readers take together, what is asked for, and what takes the place of the only other file.
    let narrower = create(&partition, DataType::Int32, WriterOptions::new());
    narrower.unwrap().discard();
    let unchecked = WriterOptions::new().schema_check(false);
    create(&partition, DataType::Utf8, unchecked)
        .unwrap()
        .discard();
    let replacing = named().mode(PublishMode::Replace);
    create(&partition, DataType::Utf8, replacing)
        .unwrap()
        .commit()
        .unwrap();
}

/// What somebody expects who comes from Parquet's own writer.
#[test]
fn row_groups_can_be_ended_and_the_footer_told_more_than_the_properties_say() {
    let (_guard, root) = directory();
    let path = root.join("numbers.parquet");
    let mut writer = AtomicArrowWriter::at(&path, numbers(0).schema()).unwrap();
    assert_eq!((writer.bytes_written(), writer.in_progress_rows()), (4, 0));
    writer.write(&numbers(10)).unwrap();
    assert_eq!((writer.bytes_written(), writer.in_progress_rows()), (4, 10));
    assert!(writer.in_progress_size() > 0 && writer.memory_size() > 0);
    writer.flush().unwrap();
    writer.flush().unwrap();
    assert_eq!(writer.in_progress_rows(), 0);
    assert!(writer.bytes_written() > 4);
    writer.write(&numbers(3)).unwrap();
    writer
        .append_key_value_metadata("source", "station")
        .unwrap();
    let own = writer.append_key_value_metadata("ARROW:schema", "none");
    assert!(
        matches!(
            own,
            Err(Error::InvalidOption {
                option: "metadata",
                ..
            })
        ),
        "{own:?}"
    );
    let staged = writer.finish().unwrap();
    assert_eq!((staged.rows(), staged.row_groups()), (13, Some(2)));
    assert_eq!(
        (staged.format(), staged.content_hash()),
        (Format::Parquet, None)
    );
    let file = staged.publish().unwrap();
    let footer = file.metadata().unwrap();
    let rows: Vec<_> = footer.row_groups().iter().map(|it| it.num_rows()).collect();
    assert_eq!(rows, [10, 3]);
    let file = fs::File::open(&path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let pairs = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap()
        .clone();
    let pair = pairs.iter().find(|pair| pair.key == "source").unwrap();
    assert_eq!(pair.value.as_deref(), Some("station"));
    assert!(
        atomic_arrow::verify::verify_file(&path, Verify::Decode)
            .unwrap()
            .is_sound()
    );

    let text = root.join("numbers.csv");
    let mut writer = AtomicArrowWriter::at(&text, numbers(0).schema()).unwrap();
    let refused = writer
        .append_key_value_metadata("source", "station")
        .unwrap_err();
    assert_eq!(refused.to_string(), "metadata: csv has no place for it");
    writer.flush().unwrap();
    writer.write(&numbers(3)).unwrap();
    writer.commit().unwrap();

    let stream = root.join("numbers.arrow");
    let mut writer = AtomicArrowWriter::at(&stream, numbers(0).schema()).unwrap();
    writer
        .append_key_value_metadata("source", "station")
        .unwrap();
    writer.write(&numbers(3)).unwrap();
    writer.commit().unwrap();
    let reader = FileReader::try_new(fs::File::open(&stream).unwrap(), None).unwrap();
    assert_eq!(reader.custom_metadata()["source"], "station");
    assert!(
        atomic_arrow::verify::verify_file(&stream, Verify::Decode)
            .unwrap()
            .is_sound()
    );
}

#[test]
fn keys_and_orders_are_given_in_text_and_a_receipt_knows_its_root() {
    let (_guard, root) = directory();
    let batch = RecordBatch::try_from_iter([
        (
            "station_id",
            Arc::new(StringArray::from(vec!["KSEA", "KPDX", "KSEA"])) as ArrayRef,
        ),
        ("n", Arc::new(Int32Array::from(vec![1, 2, 3]))),
    ])
    .unwrap();
    let builder = DatasetWriter::builder(root.join("lake"))
        .partition_by(["station=station_id"])
        .sort_by("n desc");
    assert!(format!("{builder:?}").contains("lake"));
    let mut writer = builder.clone().build(batch.schema()).unwrap();
    assert_eq!(writer.memory_size(), 0);
    writer.write(&batch).unwrap();
    assert!(writer.memory_size() > 0);
    let receipt = writer.commit().unwrap();
    assert_eq!(receipt.root(), Some(root.join("lake").as_path()));
    let read_back = Receipt::from_json(receipt.to_json().unwrap()).unwrap();
    assert_eq!((read_back.root(), &read_back), (None, &receipt));
    let file = receipt
        .into_files()
        .into_iter()
        .find(|file| file.rows() == 2)
        .unwrap();
    assert!(file.path().starts_with("station=KSEA/"), "{}", file.path());
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![3, 1]));
    assert_eq!(
        read(&root.join("lake").join(file.path()))[0].column(0),
        &numbers
    );

    for wrong in ["year(station_id", "a,,b"] {
        let error = DatasetWriter::builder(root.join("other")).partition_by(wrong);
        let error = error.build(batch.schema()).unwrap_err();
        assert!(matches!(error, Error::Partition(_)), "{error:?}");
        assert!(error.to_string().contains(wrong), "{error}");
    }
    for none in ["", "n,"] {
        let none = DatasetWriter::builder(root.join("other")).sort_by(none);
        assert!(none.build(batch.schema()).is_err());
    }
    assert!(!root.join("other").exists());
}

//! Every type of Arrow is kept as it is by a format, or refused before the first row.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, concat, concat_batches, take, take_record_batch};
use arrow::datatypes::*;
use arrow::ipc::reader::FileReader;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use atomic_arrow::format::Format;
use atomic_arrow::schema::{common_schema, fit};
use atomic_arrow::verify::verify_file;
use atomic_arrow::{
    DatasetWriter, DatasetWriterBuilder, Durability, Error, PartitionBy, SchemaPolicy,
    StagedWrites, Verify,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::LogicalType;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

const ROWS: usize = 6;

/// Six values of which the third is null, of numbers.
fn numbers() -> Int64Array {
    Int64Array::from(vec![Some(1), Some(-2), None, Some(0), Some(3), Some(1)])
}

fn texts() -> StringArray {
    let long = "longer than twelve bytes";
    let texts = [Some("b"), Some(""), None, Some(long), Some("a"), Some("b")];
    StringArray::from(texts.to_vec())
}

fn as_type(array: &dyn Array, data_type: &DataType) -> ArrayRef {
    cast(array, data_type).unwrap_or_else(|error| panic!("{data_type}: {error}"))
}

fn item(data_type: &DataType) -> FieldRef {
    Arc::new(Field::new("item", data_type.clone(), true))
}

/// Lists of the values, by two, one of none, and one that is null.
fn list(values: &ArrayRef) -> ArrayRef {
    let offsets = OffsetBuffer::from_lengths([2, 0, 0, 1, 2, 1]);
    let nulls = vec![true, true, false, true, true, true].into();
    let item = item(values.data_type());
    Arc::new(ListArray::new(
        item,
        offsets,
        Arc::clone(values),
        Some(nulls),
    ))
}

fn fixed_list(values: &ArrayRef) -> ArrayRef {
    let twice = concat(&[values.as_ref(), values.as_ref()]).unwrap();
    let nulls = vec![true, true, false, true, true, true].into();
    let item = item(values.data_type());
    Arc::new(FixedSizeListArray::new(item, 2, twice, Some(nulls)))
}

fn structs(values: &ArrayRef) -> ArrayRef {
    let nulls = vec![true, true, true, false, true, true].into();
    let fields = vec![
        item(values.data_type()),
        Arc::new(Field::new("n", DataType::Int64, true)),
    ];
    let columns = vec![Arc::clone(values), Arc::new(numbers()) as ArrayRef];
    Arc::new(StructArray::new(fields.into(), columns, Some(nulls)))
}

fn map(values: &ArrayRef, sorted: bool) -> ArrayRef {
    let keys = StringArray::from(vec!["a", "b", "a", "a", "b", "c"]);
    let fields: Fields = vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", values.data_type().clone(), true),
    ]
    .into();
    let entries = StructArray::new(
        fields.clone(),
        vec![Arc::new(keys), Arc::clone(values)],
        None,
    );
    let entries_field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
    let offsets = OffsetBuffer::from_lengths([2, 0, 0, 1, 2, 1]);
    let nulls = vec![true, true, false, true, true, true].into();
    Arc::new(MapArray::new(
        entries_field,
        offsets,
        entries,
        Some(nulls),
        sorted,
    ))
}

fn dictionary(indices: DataType, values: ArrayRef) -> ArrayRef {
    let keys = Int32Array::from(vec![Some(1), Some(0), None, Some(2), Some(1), Some(1)]);
    let keys = as_type(&keys, &indices);
    let data_type = DataType::Dictionary(Box::new(indices), Box::new(values.data_type().clone()));
    let data = keys.to_data().into_builder().data_type(data_type);
    make_array(data.child_data(vec![values.to_data()]).build().unwrap())
}

/// Three values, and one that no row of a [`dictionary`] has.
fn few(values: &ArrayRef) -> ArrayRef {
    take(values, &UInt32Array::from(vec![4, 0, 3, 1]), None).unwrap()
}

fn union(mode: UnionMode) -> ArrayRef {
    let fields = UnionFields::try_new(
        [0, 1],
        [
            Field::new("n", DataType::Int64, true),
            Field::new("s", DataType::Utf8, true),
        ],
    );
    let ids = ScalarBuffer::from(vec![0_i8, 1, 0, 1, 0, 1]);
    let offsets = matches!(mode, UnionMode::Dense).then(|| (0..6).collect::<Vec<i32>>().into());
    let children: Vec<ArrayRef> = vec![Arc::new(numbers()), Arc::new(texts())];
    Arc::new(UnionArray::try_new(fields.unwrap(), ids, offsets, children).unwrap())
}

fn runs() -> ArrayRef {
    let ends = Int32Array::from(vec![2, 3, 6]);
    let values = StringArray::from(vec![Some("a"), None, Some("b")]);
    Arc::new(RunArray::try_new(&ends, &values).unwrap())
}

/// A column of each type, of six rows.
fn columns() -> Vec<(Field, ArrayRef)> {
    use DataType::*;
    let mut all: Vec<ArrayRef> = vec![Arc::new(NullArray::new(ROWS))];
    let numbers = numbers();
    let small = [
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        Float32,
        Float64,
        Date32,
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
        Time32(TimeUnit::Second),
        Time32(TimeUnit::Millisecond),
    ];
    let positive: ArrayRef = Arc::new(Int64Array::from(vec![
        Some(1),
        Some(2),
        None,
        Some(0),
        Some(3),
        Some(1),
    ]));
    for data_type in small {
        let from: &dyn Array = match data_type {
            Time32(_) | Time64(_) => &positive,
            _ => &numbers,
        };
        let through = match data_type {
            Date32 | Time32(_) => as_type(from, &Int32),
            _ => from.slice(0, ROWS),
        };
        all.push(as_type(&through, &data_type));
    }
    for data_type in [UInt8, UInt16, UInt32, UInt64] {
        all.push(as_type(&positive, &data_type));
    }
    let halves = [
        Some(0.5),
        Some(-2.0),
        None,
        Some(f32::INFINITY),
        Some(0.0),
        Some(1.0),
    ];
    all.push(as_type(&Float32Array::from(halves.to_vec()), &Float16));
    let days = numbers.iter().map(|day| day.map(|day| day * 86_400_000));
    all.push(Arc::new(Date64Array::from_iter(days)));
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        all.push(as_type(&numbers, &Duration(unit)));
        for zone in [None, Some("UTC"), Some("Europe/Paris"), Some("+02:00")] {
            all.push(as_type(&numbers, &Timestamp(unit, zone.map(Into::into))));
        }
    }
    all.push(Arc::new(IntervalYearMonthArray::from(vec![
        Some(1),
        Some(-2),
        None,
        Some(0),
        Some(3),
        Some(1),
    ])));
    let days = [
        Some((1, 2)),
        Some((-1, 0)),
        None,
        Some((0, 0)),
        Some((3, -4)),
        Some((1, 2)),
    ];
    let days = days.map(|day| day.map(|(days, millis)| IntervalDayTime::new(days, millis)));
    all.push(Arc::new(IntervalDayTimeArray::from_iter(days)));
    let nanos = [Some(1), Some(-1), None, Some(0), Some(3), Some(1)];
    let nanos = nanos.map(|n| n.map(|n| IntervalMonthDayNano::new(n, 2, i64::from(n))));
    all.push(Arc::new(IntervalMonthDayNanoArray::from_iter(nanos)));
    for decimal in [
        Decimal32(7, 2),
        Decimal64(12, 3),
        Decimal128(30, 4),
        Decimal256(60, 5),
    ] {
        all.push(as_type(&numbers, &decimal));
    }
    let texts: ArrayRef = Arc::new(texts());
    for data_type in [Utf8, LargeUtf8, Utf8View, Binary, LargeBinary, BinaryView] {
        all.push(as_type(&texts, &data_type));
    }
    let fixed = [
        Some([1, 2, 3]),
        Some([0; 3]),
        None,
        Some([9; 3]),
        Some([3, 2, 1]),
        Some([1, 2, 3]),
    ];
    let fixed: ArrayRef = Arc::new(
        FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed.into_iter(), 3).unwrap(),
    );
    all.push(fixed);
    let empty = std::iter::repeat_n(Some([0_u8; 0]), ROWS);
    all.push(Arc::new(
        FixedSizeBinaryArray::try_from_sparse_iter_with_size(empty, 0).unwrap(),
    ));
    all.extend([union(UnionMode::Sparse), union(UnionMode::Dense), runs()]);
    let seconds = as_type(&numbers, &Timestamp(TimeUnit::Second, None));
    let text_views = as_type(&texts, &Utf8View);
    let nothing: ArrayRef = Arc::new(NullArray::new(ROWS));
    for values in [&texts, &seconds, &text_views, &nothing] {
        all.extend([
            list(values),
            structs(values),
            fixed_list(values),
            map(values, false),
        ]);
    }
    all.extend([
        list(&structs(&texts)),
        list(&list(&texts)),
        map(&texts, true),
    ]);
    all.push(as_type(&list(&texts), &LargeList(item(&Utf8))));
    all.push(as_type(&list(&texts), &ListView(item(&Utf8))));
    all.push(as_type(&list(&texts), &LargeListView(item(&Utf8))));
    all.push(list(&runs()));
    all.push(Arc::new(StructArray::new_empty_fields(ROWS, None)));
    for indices in [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64] {
        all.push(dictionary(indices, few(&texts)));
    }
    let booleans: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true, true]));
    let fixed = few(&all[all
        .iter()
        .position(|a| *a.data_type() == FixedSizeBinary(3))
        .unwrap()]);
    let decimal = as_type(&Int64Array::from(vec![1, 2, 3, 4]), &Decimal128(10, 2));
    for values in [
        few(&as_type(&texts, &LargeUtf8)),
        few(&text_views),
        few(&as_type(&texts, &Binary)),
        few(&seconds),
        as_type(&Int64Array::from(vec![4, 3, 2, 1]), &Int64),
        as_type(&Float64Array::from(vec![4.0, 3.0, 2.0, f64::NAN]), &Float64),
        booleans,
        fixed,
        decimal,
        few(&structs(&texts)),
        few(&list(&texts)),
        few(&nothing),
        new_null_array(&Utf8, 4),
    ] {
        all.push(dictionary(Int8, values));
    }
    let words = dictionary(Int8, few(&texts));
    all.extend([
        list(&words),
        structs(&words),
        fixed_list(&words),
        map(&words, false),
    ]);
    all.extend([list(&structs(&words)), dictionary(Int16, few(&words))]);
    let field = |column: &ArrayRef| Field::new("c", column.data_type().clone(), true);
    let mut all: Vec<_> = all
        .into_iter()
        .map(|column| (field(&column), column))
        .collect();
    all.push((field(&words).with_dict_is_ordered(true), words));
    all
}

type Columns = Vec<(Field, ArrayRef)>;

fn batch(columns: &Columns) -> RecordBatch {
    let places = Int32Array::from_iter_values(0..ROWS as i32);
    let keys = Int32Array::from_iter_values((0..ROWS as i32).map(|n| n % 2));
    let mut fields = vec![
        Field::new("place", DataType::Int32, false),
        Field::new("key", DataType::Int32, false),
    ];
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(places), Arc::new(keys)];
    for (field, array) in columns {
        fields.push(field.clone());
        arrays.push(Arc::clone(array));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn read(format: Format, path: &Path) -> Vec<RecordBatch> {
    let file = File::open(path).unwrap();
    match format {
        Format::Ipc => {
            let reader = FileReader::try_new(file, None).unwrap();
            reader.map(Result::unwrap).collect()
        }
        _ => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            reader.build().unwrap().map(Result::unwrap).collect()
        }
    }
}

fn builder(format: Format, root: &Path) -> DatasetWriterBuilder {
    DatasetWriter::builder(root)
        .partition_by(PartitionBy::column("key"))
        .format(format)
        .verify(Verify::Decode)
        .durability(Durability::Unsynced)
        .threads(1)
}

/// What is read of rows that were written, without the key.
fn written(format: Format, batches: &[RecordBatch], memory_limit: u64) -> RecordBatch {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("lake");
    let builder = builder(format, &root).memory_limit(memory_limit);
    let mut writer = builder.build(batches[0].schema()).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    let receipt = writer.commit().unwrap();
    let files = receipt.files().iter();
    let found: Vec<RecordBatch> = files
        .flat_map(|file| read(format, &root.join(file.path())))
        .collect();
    let found = concat_batches(&found[0].schema(), &found).unwrap();
    let places = found.column(0).as_primitive::<Int32Type>().values();
    let order: UInt32Array = (0..ROWS as i32)
        .map(|place| places.iter().position(|found| *found == place).unwrap() as u32)
        .collect();
    take_record_batch(&found, &order).unwrap()
}

/// The batch as one, by rows, and in two parts with values that only one of them has.
fn ways(batch: &RecordBatch) -> [Vec<RecordBatch>; 3] {
    let rows = (0..ROWS).map(|row| batch.slice(row, 1)).collect();
    let parts = vec![batch.slice(0, 1), batch.slice(1, ROWS - 1)];
    [vec![batch.clone()], rows, parts]
}

fn shown(array: &ArrayRef) -> Vec<String> {
    let options = FormatOptions::new().with_null("null");
    let formatter = ArrayFormatter::try_new(array, &options).unwrap();
    (0..array.len())
        .map(|row| formatter.value(row).to_string())
        .collect()
}

/// The columns that the format takes, and why it does not take the others.
fn divided(format: Format) -> (Columns, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for (field, column) in columns() {
        let batch = batch(&vec![(field.clone(), Arc::clone(&column))]);
        let error = match builder(format, &directory.path().join("lake")).build(batch.schema()) {
            Ok(_) => {
                let name = taken.len().to_string();
                taken.push((field.with_name(name), column));
                continue;
            }
            Err(error) => error,
        };
        assert!(matches!(error, Error::Encode { .. }), "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            source.contains("column \"c\"") || source.contains("column \"c."),
            "{source}"
        );
        refused.push(source.split(" is ").last().unwrap().to_owned());
    }
    (taken, refused)
}

#[test]
fn ipc_files_have_every_type_that_was_given() {
    let (taken, refused) = divided(Format::Ipc);
    let expected = [
        "of binary values of no bytes",
        "of runs within another type",
        "a dictionary whose values are dictionaries",
    ];
    assert_eq!(refused.len(), expected.len(), "{refused:?}");
    for (refused, expected) in refused.iter().zip(expected) {
        assert!(refused.starts_with(expected), "{refused}");
    }
    let batch = batch(&taken);
    for batches in ways(&batch) {
        for memory_limit in [1 << 30, 100_000] {
            let found = written(Format::Ipc, &batches, memory_limit);
            for (number, (field, column)) in taken.iter().enumerate() {
                assert_eq!(found.schema().field(number + 1), field);
                assert_eq!(shown(found.column(number + 1)), shown(column), "{field}");
            }
        }
    }
}

#[test]
fn parquet_files_have_every_value_that_was_given() {
    let (taken, refused) = divided(Format::Parquet);
    let expected = [
        "an interval",
        "an interval",
        "an interval",
        "a decimal of more than 38 digits",
        "of binary values of no bytes",
        "a union",
        "a union",
        "of runs within another type",
        "a struct without members",
    ];
    assert_eq!(refused.len(), expected.len(), "{refused:?}");
    for (refused, expected) in refused.iter().zip(expected) {
        assert!(refused.starts_with(expected), "{refused}");
    }
    let batch = batch(&taken);
    for batches in ways(&batch) {
        for memory_limit in [1 << 30, 100_000] {
            let found = written(Format::Parquet, &batches, memory_limit);
            for (number, (field, column)) in taken.iter().enumerate() {
                let found = match field.data_type() {
                    // Read as a date, which is shown without a time.
                    DataType::Date64 => &cast(found.column(number + 1), &DataType::Date64).unwrap(),
                    _ => found.column(number + 1),
                };
                assert_eq!(shown(found), shown(column), "{field}");
            }
        }
    }
}

/// The indices of a dictionary become wider where all values together need that, and only there.
#[test]
fn ipc_files_have_the_indices_that_were_given_while_there_is_room() {
    let part = |from: i32, indices: DataType| {
        let texts = StringArray::from_iter_values((from..from + 100).map(|n| n.to_string()));
        let keys = as_type(&Int32Array::from_iter_values(0..100), &indices);
        let data_type = DataType::Dictionary(Box::new(indices), Box::new(DataType::Utf8));
        let data = keys.to_data().into_builder().data_type(data_type);
        make_array(data.child_data(vec![texts.to_data()]).build().unwrap())
    };
    let batch = |column: ArrayRef| RecordBatch::try_from_iter([("c", column)]).unwrap();
    for (indices, second, expected) in [
        (DataType::Int8, 0, DataType::Int8),
        (DataType::Int8, 28, DataType::Int8),
        (DataType::Int8, 29, DataType::Int32),
        (DataType::UInt8, 100, DataType::UInt8),
        (DataType::Int64, 100, DataType::Int64),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("lake");
        let parts = [part(0, indices.clone()), part(second, indices)].map(batch);
        let builder = DatasetWriter::builder(&root).format(Format::Ipc);
        let mut writer = builder.build(parts[0].schema()).unwrap();
        for part in &parts {
            writer.write(part).unwrap();
        }
        let receipt = writer.commit().unwrap();
        let found = read(Format::Ipc, &root.join(receipt.files()[0].path()));
        let texts: Vec<String> = found.iter().flat_map(|b| shown(b.column(0))).collect();
        let numbers = (0..100).chain(second..second + 100);
        assert_eq!(texts, numbers.map(|n| n.to_string()).collect::<Vec<_>>());
        let is = found[0].column(0).data_type();
        assert!(
            matches!(is, DataType::Dictionary(is, _) if **is == expected),
            "{is}"
        );
    }
}

/// Runs are stored as their values, whatever these are.
#[test]
fn parquet_files_have_every_value_of_runs() {
    let (taken, _) = divided(Format::Parquet);
    let is_run = |column: &ArrayRef| matches!(column.data_type(), DataType::RunEndEncoded(..));
    let plain = taken.into_iter().filter(|(_, column)| !is_run(column));
    let runs: Columns = plain
        .map(|(field, column)| {
            let ends = Int32Array::from_iter_values(1..=ROWS as i32);
            let runs = RunArray::try_new(&ends, &column).unwrap();
            let field = Field::new(field.name(), runs.data_type().clone(), true);
            (field, Arc::new(runs) as ArrayRef)
        })
        .collect();
    let batch = batch(&runs);
    for batches in ways(&batch) {
        let found = written(Format::Parquet, &batches, 1 << 30);
        for (number, (field, column)) in runs.iter().enumerate() {
            let DataType::RunEndEncoded(_, values) = field.data_type() else {
                panic!("{field}");
            };
            let found = match values.data_type() {
                DataType::Date64 => &cast(found.column(number + 1), &DataType::Date64).unwrap(),
                _ => found.column(number + 1),
            };
            let given = cast(column, values.data_type()).unwrap();
            assert_eq!(shown(found), shown(&given), "{field}");
        }
    }
}

/// In their order, those that no row has among them, in every file.
#[test]
fn files_have_all_values_of_ordered_dictionaries() {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["small", "medium", "large", "huge"]));
    let sizes = dictionary(DataType::Int8, values.clone());
    let field = Field::new("c", sizes.data_type().clone(), true).with_dict_is_ordered(true);
    let batch = batch(&vec![(field, sizes)]);
    let formats = [Format::Ipc, Format::Parquet];
    let ways = ways(&batch);
    for (format, batches) in formats.iter().flat_map(|f| ways.iter().map(|b| (*f, b))) {
        for memory_limit in [1 << 30, 1_000] {
            let directory = tempfile::tempdir().unwrap();
            let root = directory.path().join("lake");
            let builder = builder(format, &root).memory_limit(memory_limit);
            let mut writer = builder.build(batch.schema()).unwrap();
            batches
                .iter()
                .for_each(|batch| writer.write(batch).unwrap());
            for file in writer.commit().unwrap().files() {
                let found = read(format, &root.join(file.path()));
                assert_eq!(found[0].schema().field(1).dict_is_ordered(), Some(true));
                assert_eq!(found[0].column(1).as_any_dictionary().values(), &values);
            }
        }
    }
}

#[test]
fn a_dictionary_that_takes_too_much_memory_is_refused_with_its_column() {
    let directory = tempfile::tempdir().unwrap();
    let builder = builder(Format::Ipc, &directory.path().join("lake")).memory_limit(100_000);
    let long = |n: i32| format!("{n} {}", "x".repeat(20_000));
    let texts = StringArray::from_iter_values((0..100).map(long));
    let all = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let texts = as_type(&texts, &all);
    let key: ArrayRef = Arc::new(Int32Array::from(vec![1; 100]));
    let batch = RecordBatch::try_from_iter([("key", key), ("words", texts)]).unwrap();
    let error = builder
        .build(batch.schema())
        .unwrap()
        .write(&batch)
        .unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("column \"words\""), "{source}");
}

/// A column of an extension type, and the annotation of Parquet that says the same.
fn annotated() -> Vec<(Field, ArrayRef, LogicalType)> {
    let extension = |name: &str, metadata: &str, array: &ArrayRef| {
        let pairs = [
            ("ARROW:extension:name".to_owned(), name.to_owned()),
            ("ARROW:extension:metadata".to_owned(), metadata.to_owned()),
        ];
        let pairs = pairs
            .into_iter()
            .filter(|(_, value)| name == "arrow.json" || !value.is_empty());
        Field::new(name, array.data_type().clone(), true).with_metadata(pairs.collect())
    };
    let ids = [Some([7_u8; 16]), None, Some([0; 16])].into_iter();
    let ids: ArrayRef =
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids, 16).unwrap());
    let documents: ArrayRef = Arc::new(StringArray::from(vec![Some("{}"), None, Some("[1]")]));
    // Two points, the least that is well-known binary.
    let point = |x: f64, y: f64| {
        let mut bytes = vec![1, 1, 0, 0, 0];
        bytes.extend(x.to_le_bytes());
        bytes.extend(y.to_le_bytes());
        bytes
    };
    let points = [Some(point(30.0, 10.0)), None, Some(point(4.5, -1.0))];
    let points: ArrayRef = Arc::new(points.into_iter().collect::<BinaryArray>());
    let bytes = |bytes: &[u8]| -> ArrayRef { Arc::new(BinaryArray::from(vec![bytes; 3])) };
    let variant: ArrayRef = Arc::new(StructArray::from(vec![
        (
            Arc::new(Field::new("metadata", DataType::Binary, false)),
            bytes(&[1, 0, 0]),
        ),
        (
            Arc::new(Field::new("value", DataType::Binary, true)),
            bytes(&[12, 7]),
        ),
    ]));
    let sphere = r#"{"crs":"EPSG:3857","edges":"spherical"}"#;
    let flat = r#"{"crs":"EPSG:3857"}"#;
    let crs = Some("EPSG:3857".to_owned());
    let column = |name, metadata, array: &ArrayRef, logical| {
        (extension(name, metadata, array), Arc::clone(array), logical)
    };
    vec![
        column("arrow.uuid", "", &ids, LogicalType::Uuid),
        column("arrow.json", "", &documents, LogicalType::Json),
        column(
            "geoarrow.wkb",
            flat,
            &points,
            LogicalType::geometry(crs.clone()),
        ),
        column(
            "geoarrow.wkb",
            sphere,
            &points,
            LogicalType::geography(crs, None),
        ),
        column(
            "arrow.parquet.variant",
            "",
            &variant,
            LogicalType::variant(None),
        ),
    ]
}

#[test]
fn extension_types_are_the_logical_types_of_parquet() {
    for (field, column, logical) in annotated() {
        let schema = Arc::new(Schema::new(vec![field.clone()]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("lake");
        let builder = DatasetWriter::builder(&root).verify(Verify::Decode);
        let mut writer = builder.build(Arc::clone(&schema)).unwrap();
        writer.write(&batch).unwrap();
        writer.write(&batch).unwrap();
        let receipt = writer.commit().unwrap();
        let path = root.join(receipt.files()[0].path());
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let stored = reader.parquet_schema().root_schema().get_fields()[0].clone();
        assert_eq!(stored.get_basic_info().logical_type_ref(), Some(&logical));
        let found = reader.schema().field(0);
        assert_eq!(found.extension_type_name(), field.extension_type_name());
        let found = concat_batches(&batch.schema(), &read(Format::Parquet, &path)).unwrap();
        assert_eq!(
            found,
            concat_batches(&batch.schema(), [&batch, &batch]).unwrap()
        );
        assert!(verify_file(&path, Verify::Decode).unwrap().is_sound());
    }
}

#[test]
fn the_schemas_metadata_are_the_footers_and_do_not_replace_what_was_asked_for() {
    let metadata = [("geo", "{}"), ("a", "given"), ("ARROW:schema", "none")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let field = Field::new("n", DataType::Int64, true);
    let schema = Arc::new(Schema::new_with_metadata(vec![field], metadata.into()));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![numbers]).unwrap();
    let asked = KeyValue::new("a".to_owned(), "asked".to_owned());
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![asked]));
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("lake");
    let builder = DatasetWriter::builder(&root).properties(properties.build());
    let mut writer = builder.build(schema).unwrap();
    writer.write(&batch).unwrap();
    let receipt = writer.commit().unwrap();
    let file = File::open(root.join(receipt.files()[0].path())).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let pairs = reader
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap();
    let value = |key: &str| {
        let mut pairs = pairs.iter().filter(|pair| pair.key == key);
        let value = pairs.next().and_then(|pair| pair.value.clone());
        assert!(pairs.next().is_none(), "{key} twice");
        value
    };
    assert_eq!(value("geo").as_deref(), Some("{}"));
    assert_eq!(value("a").as_deref(), Some("asked"));
    assert_ne!(value("ARROW:schema").as_deref(), Some("none"));
}

/// A batch of bytes, or of geometries by what the schema says of them.
fn geometries(said: Option<&str>, data_type: &DataType) -> RecordBatch {
    let geo = said.map(|said| {
        let geo = format!(
            r#"{{"version":"1.1.0","primary_column":"g","columns":{{"g":{{"encoding":"WKB",{said}}}}}}}"#
        );
        ("geo".to_owned(), geo)
    });
    let fields = vec![
        Field::new("n", DataType::Int64, true),
        Field::new("g", data_type.clone(), true),
    ];
    let schema = Arc::new(Schema::new_with_metadata(fields, geo.into_iter().collect()));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    RecordBatch::try_new(schema, vec![numbers, new_null_array(data_type, 1)]).unwrap()
}

const SWISS: &str = r#""crs":{"name":"CH1903+ / LV95","id":{"authority":"EPSG","code":2056}}"#;
const SWISS_IN_SHORT: &str = r#""crs":{"id":{"authority":"EPSG","code":"2056"}},"edges":"planar""#;

#[test]
fn geometries_go_with_those_of_the_same_reference_system_alone() {
    let of = |said| geometries(said, &DataType::Binary);
    let world = r#""crs":{"id":{"authority":"OGC","code":"CRS84"}}"#;
    let unknown = r#""crs":null"#;
    let sphere = format!(r#"{SWISS},"edges":"spherical""#);
    for (one, two, is_same) in [
        (Some(SWISS), Some(SWISS_IN_SHORT), true),
        (Some(world), Some(r#""edges":"planar""#), true),
        (Some(SWISS), Some(world), false),
        (Some(SWISS), Some(sphere.as_str()), false),
        (Some(world), Some(unknown), false),
        (Some(SWISS), None, false),
    ] {
        for (one, two) in [(of(one), of(two)), (of(two), of(one))] {
            let case = format!("{:?} and {:?}", one.schema(), two.schema());
            let common = common_schema(&one.schema(), &two.schema());
            assert_eq!(common.is_ok(), is_same, "{case}");
            assert_eq!(fit(&two, &one.schema()).is_ok(), is_same, "{case}");
            let directory = tempfile::tempdir().unwrap();
            let writer = || DatasetWriter::builder(directory.path().join("lake"));
            for policy in [SchemaPolicy::Exact, SchemaPolicy::Unify] {
                let mut writer = writer().schema_policy(policy).build(one.schema()).unwrap();
                writer.write(&one).unwrap();
                assert_eq!(writer.write(&two).is_ok(), is_same, "{case}");
            }
            let parts = [&one, &two].map(|batch| {
                let mut writer = writer().build(batch.schema()).unwrap();
                writer.write(batch).unwrap();
                writer.stage().unwrap()
            });
            let committed = StagedWrites::new(parts).commit();
            assert_eq!(committed.is_ok(), is_same, "{case}: {committed:?}");
            if let Err(error) = committed {
                assert!(error.to_string().contains("reproject"), "{error}");
            }
            for (batch, fits) in [(&one, true), (&two, is_same)] {
                let mut writer = writer().build(batch.schema()).unwrap();
                writer.write(batch).unwrap();
                assert_eq!(writer.commit().is_ok(), fits, "{case}");
            }
        }
    }
}

#[test]
fn what_is_said_of_some_geometries_is_not_said_of_all() {
    let of = |said: &str| geometries(Some(&format!("{SWISS},{said}")), &DataType::Binary);
    let west = of(r#""geometry_types":["Point"],"bbox":[0,0,1,1]"#);
    let east = of(r#""geometry_types":["Polygon"],"bbox":[5,5,6,6]"#);
    let common = Arc::new(common_schema(&west.schema(), &east.schema()).unwrap());
    let said = &common.metadata()["geo"];
    assert!(!said.contains("bbox"), "{said}");
    assert!(said.contains(r#"["Point","Polygon"]"#), "{said}");
    for batch in [&west, &east] {
        assert_eq!(fit(batch, &common).unwrap().schema(), common);
    }
    assert!(
        fit(&east, &west.schema())
            .unwrap_err()
            .to_string()
            .contains("bbox")
    );
    let same = common_schema(&west.schema(), &west.schema()).unwrap();
    assert_eq!(same, *west.schema());
}

#[test]
fn nulls_of_no_type_beside_geometries_become_some() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("lake");
    let typed = geometries(Some(SWISS), &DataType::Binary);
    let nulls = geometries(None, &DataType::Null);
    for batch in [&typed, &nulls, &typed] {
        let mut writer = DatasetWriter::builder(&root).build(batch.schema()).unwrap();
        writer.write(batch).unwrap();
        let receipt = writer.commit().unwrap();
        let file = File::open(root.join(receipt.files()[0].path())).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert!(reader.schema().metadata()["geo"].contains("2056"));
    }
    for (one, two) in [(&typed, &nulls), (&nulls, &typed)] {
        let common = common_schema(&one.schema(), &two.schema()).unwrap();
        assert_eq!(common.metadata(), typed.schema().metadata());
    }
}

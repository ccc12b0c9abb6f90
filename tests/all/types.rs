//! docs/types.md: what each Arrow type is in each format, and what the readers of other projects make of it.
//!
//! The document is generated: every cell is what was seen. With ATOMIC_ARROW_WRITE_DOCS=1 it is written anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::*;
use arrow::json::ReaderBuilder;
use atomic_arrow::format::Format;
use atomic_arrow::{DatasetWriter, Durability, Verify};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::parquet_to_arrow_schema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::documents::assert_document;
use crate::support::peers::{READERS, peers, spark};
use crate::support::skip;

const FORMATS: [(Format, &str); 4] = [
    (Format::Parquet, "parquet"),
    (Format::Ipc, "ipc"),
    (Format::Csv, "csv"),
    (Format::Ndjson, "ndjson"),
];

/// A column of some type, with a null where the type has them, and with the least and greatest values.
struct Column {
    name: String,
    field: Field,
    array: ArrayRef,
}

fn column(array: ArrayRef) -> Column {
    let field = Field::new("x", array.data_type().clone(), true);
    let name = short(field.data_type());
    Column { name, field, array }
}

/// Values as JSON writes them.
fn json(data_type: DataType, values: &[&str]) -> Column {
    let field = Field::new("x", data_type, true);
    let schema = Arc::new(Schema::new(vec![field]));
    let mut decoder = ReaderBuilder::new(schema).build_decoder().unwrap();
    for value in values {
        decoder
            .decode(format!("{{\"x\":{value}}}\n").as_bytes())
            .unwrap();
    }
    let batch = decoder.flush().unwrap().unwrap();
    column(Arc::clone(batch.column(0)))
}

fn of_integers(data_type: &DataType, values: &[i64]) -> Column {
    let values = values.iter().copied().map(Some).chain([None]);
    let wide: ArrayRef = Arc::new(Int64Array::from_iter(values));
    let same_width = match data_type {
        DataType::Date32 | DataType::Time32(_) => cast(&wide, &DataType::Int32).unwrap(),
        _ => wide,
    };
    column(cast(&same_width, data_type).unwrap())
}

fn texts() -> ArrayRef {
    let long = "longer than what fits into a view of sixteen bytes";
    Arc::new(StringArray::from(vec![
        Some("a"),
        None,
        Some("ä"),
        Some(long),
        Some("a"),
    ]))
}

fn dictionary(index: DataType, values: &ArrayRef) -> Column {
    let to = DataType::Dictionary(Box::new(index), Box::new(values.data_type().clone()));
    match cast(values, &to) {
        Ok(array) => column(array),
        // What arrow does not cast is put together.
        Err(_) => {
            let keys = Int32Array::from(vec![Some(0), None, Some(1), Some(0)]);
            column(Arc::new(DictionaryArray::new(keys, Arc::clone(values))))
        }
    }
}

fn list_of(item: &ArrayRef) -> Column {
    let field = Arc::new(Field::new_list_field(item.data_type().clone(), true));
    let offsets = OffsetBuffer::from_repeated_length(1, item.len());
    column(Arc::new(ListArray::new(
        field,
        offsets,
        Arc::clone(item),
        None,
    )))
}

/// The name of a type without the names of what is in it.
fn short(data_type: &DataType) -> String {
    match data_type {
        DataType::Map(entries, sorted) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                let (key, value) = (fields[0].data_type(), fields[1].data_type());
                let sorted = if *sorted { ", sorted" } else { "" };
                format!("Map({}, {}{sorted})", short(key), short(value))
            }
            other => format!("Map({other})"),
        },
        DataType::RunEndEncoded(ends, values) => {
            format!(
                "RunEndEncoded({}, {})",
                ends.data_type(),
                values.data_type()
            )
        }
        other => other.to_string(),
    }
}

fn called(mut column: Column, name: &str) -> Column {
    column.name = name.to_owned();
    column
}

fn extension(mut column: Column, extension: &str) -> Column {
    let metadata = [("ARROW:extension:name".to_owned(), extension.to_owned())];
    column.field.set_metadata(metadata.into());
    column.name = format!("{extension} ({})", column.name);
    column
}

fn numbers() -> Vec<Column> {
    use DataType::*;
    let mut all = vec![
        of_integers(&Int8, &[i8::MIN.into(), 0, i8::MAX.into()]),
        of_integers(&Int16, &[i16::MIN.into(), 0, i16::MAX.into()]),
        of_integers(&Int32, &[i32::MIN.into(), 0, i32::MAX.into()]),
        of_integers(&Int64, &[i64::MIN, 0, i64::MAX]),
        of_integers(&UInt8, &[0, u8::MAX.into()]),
        of_integers(&UInt16, &[0, u16::MAX.into()]),
        of_integers(&UInt32, &[0, u32::MAX.into()]),
        column(Arc::new(UInt64Array::from(vec![
            Some(0),
            None,
            Some(u64::MAX),
        ]))),
    ];
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), None, Some(-65504.0)]));
    all.push(column(cast(&floats, &Float16).unwrap()));
    let floats = Float32Array::from(vec![Some(0.1), None, Some(f32::MIN), Some(f32::MAX)]);
    all.push(column(Arc::new(floats)));
    let floats = Float64Array::from(vec![Some(0.1), None, Some(f64::MIN), Some(f64::MAX)]);
    all.push(column(Arc::new(floats)));
    let odd = Float64Array::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5]);
    all.push(called(
        column(Arc::new(odd)),
        "Float64 with NaN and infinity",
    ));
    all.push(json(Boolean, &["true", "null", "false"]));
    all.push(json(
        Decimal32(9, 2),
        &["\"9999999.99\"", "null", "\"-1.50\""],
    ));
    all.push(json(
        Decimal64(18, 2),
        &["\"9999999999999999.99\"", "null", "\"-1.50\""],
    ));
    let nines = "9".repeat(38);
    let most = format!("\"{}.{}\"", &nines[..28], &nines[28..]);
    all.push(json(Decimal128(38, 10), &[&most, "null", "\"-1.5\""]));
    all.push(json(Decimal128(10, -2), &["\"1200\"", "null", "\"-100\""]));
    all.push(json(Decimal256(20, 2), &["\"1.25\"", "null", "\"-1.5\""]));
    let nines = "9".repeat(76);
    let most = format!("\"{}.{}\"", &nines[..66], &nines[66..]);
    all.push(json(Decimal256(76, 10), &[&most, "null", "\"-1.5\""]));
    all
}

fn times() -> Vec<Column> {
    use DataType::*;
    use TimeUnit::*;
    let per_second = |unit: &TimeUnit| match unit {
        Second => 1,
        Millisecond => 1_000,
        Microsecond => 1_000_000,
        Nanosecond => 1_000_000_000,
    };
    let mut all = vec![
        of_integers(&Date32, &[-719_162, 0, 2_932_896]),
        of_integers(&Date64, &[-719_162 * 86_400_000, 0, 2_932_896 * 86_400_000]),
        of_integers(&Time32(Second), &[0, 86_399]),
        of_integers(&Time32(Millisecond), &[0, 86_399_999]),
        of_integers(&Time64(Microsecond), &[0, 86_399_999_999]),
        of_integers(&Time64(Nanosecond), &[0, 86_399_999_999_999]),
    ];
    for unit in [Second, Millisecond, Microsecond, Nanosecond] {
        let per = per_second(&unit);
        // From 1960 to 2262, which is what nanoseconds have, and beyond for others.
        let last = if unit == Nanosecond {
            9_223_372_036
        } else {
            253_402_300_799
        };
        let values = [-315_619_200 * per + 1, 0, last * per];
        for zone in [None, Some("UTC"), Some("Europe/Berlin"), Some("+05:30")] {
            all.push(of_integers(&Timestamp(unit, zone.map(Into::into)), &values));
        }
    }
    all.push(of_integers(
        &Timestamp(Microsecond, Some("-08:00".into())),
        &[-1, 0, 1],
    ));
    for unit in [Second, Millisecond, Microsecond, Nanosecond] {
        let per = per_second(&unit);
        all.push(of_integers(
            &Duration(unit),
            &[-per, 0, 1_000_000 * per + 1],
        ));
    }
    all.push(column(Arc::new(IntervalYearMonthArray::from(vec![
        Some(1),
        None,
        Some(25),
    ]))));
    let days = [Some(IntervalDayTime::new(1, 2)), None];
    all.push(column(Arc::new(IntervalDayTimeArray::from(days.to_vec()))));
    let all_parts = [Some(IntervalMonthDayNano::new(1, 2, 3)), None];
    all.push(column(Arc::new(IntervalMonthDayNanoArray::from(
        all_parts.to_vec(),
    ))));
    all
}

fn texts_and_bytes() -> Vec<Column> {
    use DataType::*;
    let empty: ArrayRef = Arc::new(StringArray::from(vec![Some(""), None, Some("a")]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![
        Some(b"\x00\xff".as_slice()),
        None,
        Some(b"abc"),
    ]));
    let mut all: Vec<Column> = [Utf8, LargeUtf8, Utf8View]
        .iter()
        .map(|to| column(cast(&texts(), to).unwrap()))
        .collect();
    all.push(called(column(empty), "Utf8 with an empty text"));
    all.extend(
        [Binary, LargeBinary, BinaryView]
            .iter()
            .map(|to| column(cast(&bytes, to).unwrap())),
    );
    let fixed = [Some([1_u8, 2, 3]), None, Some([0, 0, 255])];
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed.into_iter(), 3);
    all.push(column(Arc::new(fixed.unwrap())));
    let none =
        FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some([]), None].into_iter(), 0);
    all.push(column(Arc::new(none.unwrap())));
    all
}

fn nested() -> Vec<Column> {
    use DataType::*;
    let item = |data_type| Arc::new(Field::new_list_field(data_type, true));
    let lists = ["[1, null, 3]", "null", "[]", "[2147483647, -2147483648]"];
    let members = Fields::from(vec![
        Field::new("a", Int32, true),
        Field::new("b", Utf8, true),
    ]);
    let entries = |value| {
        let fields = vec![
            Field::new("key", Utf8, false),
            Field::new("value", value, true),
        ];
        Arc::new(Field::new("entries", Struct(fields.into()), false))
    };
    let maps = ["{\"k\": 1, \"l\": null}", "null", "{}"];
    let plain = json(List(item(Int32)), &lists);
    let viewed = |to| column(cast(&plain.array, &to).unwrap());
    let structs = [
        "{\"a\": 1, \"b\": \"x\"}",
        "null",
        "{\"a\": null, \"b\": null}",
    ];
    let inner = json(Struct(members.clone()), &structs);
    let seconds = of_integers(&Timestamp(TimeUnit::Second, None), &[0, 253_402_300_799]);
    let mut all = vec![
        viewed(LargeList(item(Int32))),
        viewed(ListView(item(Int32))),
        viewed(LargeListView(item(Int32))),
        json(
            FixedSizeList(item(Int32), 2),
            &["[1, null]", "null", "[3, 4]"],
        ),
        json(List(item(Utf8)), &["[\"a\", null]", "null", "[]", "[\"\"]"]),
        json(
            List(item(List(item(Int32)))),
            &["[[1], null, []]", "null", "[]"],
        ),
        json(
            List(item(Struct(members.clone()))),
            &["[{\"a\": 1, \"b\": \"x\"}, null]", "null", "[]"],
        ),
        list_of(&seconds.array),
        list_of(&dictionary(Int8, &texts()).array),
        json(Map(entries(Int32), false), &maps),
        json(
            Map(entries(List(item(Int32))), false),
            &["{\"k\": [1, null]}", "null", "{}"],
        ),
        json(
            Struct(
                vec![
                    Field::new("s", Struct(members), true),
                    Field::new("l", List(item(Utf8)), true),
                ]
                .into(),
            ),
            &[
                "{\"s\": {\"a\": 1, \"b\": null}, \"l\": [\"x\"]}",
                "{\"s\": null, \"l\": null}",
                "null",
            ],
        ),
        column(Arc::new(StructArray::new_empty_fields(2, None))),
    ];
    let unsorted = json(Map(entries(Int32), false), &maps);
    let map = unsorted.array.as_map();
    let sorted = MapArray::new(
        entries(Int32),
        map.offsets().clone(),
        map.entries().clone(),
        map.nulls().cloned(),
        true,
    );
    all.push(column(Arc::new(sorted)));
    all.insert(0, plain);
    all.insert(7, inner);
    all
}

fn encoded() -> Vec<Column> {
    use DataType::*;
    let indices = [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64];
    let mut all: Vec<Column> = indices
        .into_iter()
        .map(|i| dictionary(i, &texts()))
        .collect();
    for values in [LargeUtf8, Utf8View, Binary, LargeBinary] {
        all.push(dictionary(Int32, &cast(&texts(), &values).unwrap()));
    }
    let integers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(1)]));
    let values = [
        Int64,
        Float64,
        Boolean,
        Date32,
        Timestamp(TimeUnit::Second, None),
        Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Decimal128(20, 2),
    ];
    for value in values {
        let through = match value {
            Date32 => cast(&integers, &Int32).unwrap(),
            _ => Arc::clone(&integers),
        };
        all.push(dictionary(Int32, &cast(&through, &value).unwrap()));
    }
    let fixed = FixedSizeBinaryArray::try_from_iter([[1_u8, 2], [3, 4]].into_iter());
    all.push(dictionary(Int32, &(Arc::new(fixed.unwrap()) as ArrayRef)));
    let lists = json(
        List(Arc::new(Field::new_list_field(Int32, true))),
        &["[1]", "[2, 3]"],
    );
    all.push(dictionary(Int32, &lists.array));
    let nothing = DictionaryArray::new(
        Int32Array::from(vec![None, None]),
        Arc::new(StringArray::from(Vec::<&str>::new())) as ArrayRef,
    );
    all.push(called(
        column(Arc::new(nothing)),
        "Dictionary(Int32, Utf8) without values",
    ));
    let mut ordered = dictionary(Int32, &texts());
    ordered.field = ordered.field.with_dict_is_ordered(true);
    all.push(called(ordered, "Dictionary(Int32, Utf8), ordered"));
    let member = Fields::from(vec![Field::new(
        "d",
        all[2].array.data_type().clone(),
        true,
    )]);
    let within = StructArray::new(member, vec![Arc::clone(&all[2].array)], None);
    all.push(column(Arc::new(within)));
    let runs = RunArray::try_new(&Int32Array::from(vec![1, 3, 6]), &texts().slice(0, 3)).unwrap();
    all.push(column(Arc::new(runs)));
    let runs = RunArray::try_new(&Int16Array::from(vec![1, 3, 4]), &integers.slice(0, 3)).unwrap();
    all.push(column(Arc::new(runs)));
    all
}

fn others() -> Vec<Column> {
    use DataType::*;
    let nulls: ArrayRef = Arc::new(NullArray::new(3));
    let fields: UnionFields = [(0, Arc::new(Field::new("i", Int32, true)))]
        .into_iter()
        .collect();
    let children: Vec<ArrayRef> = vec![Arc::new(Int32Array::from(vec![1, 2]))];
    let union = UnionArray::try_new(fields, vec![0, 0].into(), None, children).unwrap();
    let sixteen = FixedSizeBinaryArray::try_from_iter([[1_u8; 16], [255; 16]].into_iter()).unwrap();
    let documents = StringArray::from(vec![Some("{\"a\":1}"), None, Some("[]")]);
    vec![
        column(Arc::clone(&nulls)),
        list_of(&nulls),
        column(Arc::new(union)),
        extension(column(Arc::new(sixteen)), "arrow.uuid"),
        extension(column(Arc::new(documents)), "arrow.json"),
        extension(of_integers(&Int64, &[1, 2]), "example.unknown"),
    ]
}

fn every_column() -> Vec<(&'static str, Vec<Column>)> {
    vec![
        ("Numbers", numbers()),
        ("Times", times()),
        ("Texts and bytes", texts_and_bytes()),
        ("Nested", nested()),
        ("Dictionaries and runs", encoded()),
        ("Others", others()),
    ]
}

/// What a reader made of a file.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Seen {
    Read {
        r#type: String,
        same: bool,
        values: bool,
    },
    Failed {
        error: String,
    },
}

impl Seen {
    fn cell(&self) -> String {
        match self {
            Seen::Failed { .. } => "fails".to_owned(),
            Seen::Read {
                same: true,
                values: true,
                ..
            } => "=".to_owned(),
            Seen::Read { same: true, .. } => "= ≠".to_owned(),
            Seen::Read {
                r#type,
                values: true,
                ..
            } => format!("`{type}`"),
            Seen::Read { r#type, .. } => format!("`{type}` ≠"),
        }
    }
}

/// What became of a column in a format.
enum Written {
    Refused,
    Broken(String),
    /// The file, and the type that it tells, or the text of the first value.
    As(PathBuf, String),
}

fn write(column: &Column, format: Format, root: &Path) -> Written {
    let mut fields = vec![column.field.clone()];
    let mut columns = vec![Arc::clone(&column.array)];
    if format == Format::Csv {
        // A null alone would be an empty line, which is refused.
        fields.push(Field::new("n", DataType::Int32, false));
        columns.push(Arc::new(Int32Array::from_iter_values(
            0..column.array.len() as i32,
        )));
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let writer = DatasetWriter::builder(root)
        .format(format)
        .verify(Verify::Decode)
        .durability(Durability::Unsynced)
        .threads(1)
        .build(schema);
    let committed = writer.and_then(|mut writer| {
        writer.write(&batch)?;
        writer.commit()
    });
    match committed {
        Err(error) => {
            // What cannot be kept is refused before any row, and not found in the staged file.
            if matches!(error, atomic_arrow::Error::Damaged { .. }) {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                return Written::Broken(format!("{error}: {}", cause.unwrap_or_default()));
            }
            Written::Refused
        }
        Ok(receipt) => {
            let path = root.join(receipt.files()[0].path());
            let stored = stored(&path, format);
            Written::As(path, stored)
        }
    }
}

fn stored(path: &Path, format: Format) -> String {
    let file = || File::open(path).unwrap();
    match format {
        Format::Parquet => {
            let footer = ArrowReaderMetadata::load(&file(), Default::default()).unwrap();
            let descriptor = footer.metadata().file_metadata().schema_descr();
            let schema = parquet_to_arrow_schema(descriptor, None).unwrap();
            format!("`{}`", short(schema.field(0).data_type()))
        }
        Format::Ipc => {
            let reader = arrow::ipc::reader::FileReader::try_new(file(), None).unwrap();
            format!("`{}`", short(reader.schema().field(0).data_type()))
        }
        _ => {
            let text = fs::read_to_string(path).unwrap();
            let line = text
                .lines()
                .nth(usize::from(format == Format::Csv))
                .unwrap_or_default();
            let line = match format {
                Format::Csv => line.strip_suffix(",0").unwrap_or(line),
                _ => line,
            };
            let shown: String = line.chars().take(60).collect();
            format!("`{shown}`")
        }
    }
}

/// What a reader's script says in its last line, by the ids of what it read.
pub(crate) fn ran<T: DeserializeOwned>(output: &Output, what: &str) -> BTreeMap<String, T> {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {errors}");
    let last = String::from_utf8_lossy(&output.stdout);
    let last = last.lines().last().unwrap_or("{}");
    serde_json::from_str(last).unwrap()
}

/// Whether the files of a format tell the types of their columns.
fn is_typed(id: &str) -> bool {
    id.ends_with(" parquet") || id.ends_with(" ipc")
}

/// The last cell of each row of the document that is there, by format and type.
fn spark_cells(document: &str) -> BTreeMap<(String, String), String> {
    let mut cells = BTreeMap::new();
    let mut format = String::new();
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            format = title.to_owned();
        } else if let Some(row) = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"))
        {
            let row: Vec<&str> = row.split(" | ").collect();
            if let [name, .., last] = row[..] {
                cells.insert((format.clone(), name.to_owned()), last.to_owned());
            }
        }
    }
    cells
}

const INTRODUCTION: &str = include_str!("types/introduction.md");

#[test]
fn the_table_of_types_is_what_every_reader_sees() {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let spark = spark();
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let sections = every_column();
    let mut manifest = Vec::new();
    let mut written = BTreeMap::new();
    for (index, column) in sections.iter().flat_map(|(_, columns)| columns).enumerate() {
        let truth = place.join(format!("{index}.arrow"));
        let schema = Schema::new(vec![column.field.clone()]);
        let batch = RecordBatch::try_new(schema.clone().into(), vec![Arc::clone(&column.array)]);
        let mut ipc =
            arrow::ipc::writer::FileWriter::try_new(File::create(&truth).unwrap(), &schema)
                .unwrap();
        ipc.write(&batch.unwrap()).unwrap();
        ipc.finish().unwrap();
        for (format, name) in FORMATS {
            let id = format!("{index} {name}");
            let outcome = write(column, format, &place.join(&id));
            if let Written::As(path, _) = &outcome {
                manifest.push(serde_json::json!({
                    "id": id, "format": name, "path": path, "truth": truth,
                }));
            }
            written.insert((index, name), outcome);
        }
    }
    fs::write(
        place.join("manifest.json"),
        serde_json::to_vec(&manifest).unwrap(),
    )
    .unwrap();
    ran::<Seen>(
        &peers.run("column_types.py", &[&"truth", &place]).unwrap(),
        "truth",
    );
    let mut seen = Vec::new();
    for reader in READERS {
        seen.push(ran::<Seen>(
            &peers.run("column_types.py", &[&reader, &place]).unwrap(),
            reader,
        ));
    }
    let by_spark = spark.as_ref().map(|spark| {
        ran::<Seen>(
            &spark.run("column_types_spark.py", &[&place]).unwrap(),
            "Spark",
        )
    });

    let document_path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/types.md");
    let there = fs::read_to_string(&document_path).unwrap_or_default();
    let kept = spark_cells(&there);
    let mut document = INTRODUCTION.to_owned();
    let (mut failures, mut broken) = (Vec::new(), Vec::new());
    for (format, name) in FORMATS {
        let title = format.to_string();
        write!(document, "\n## {title}\n").unwrap();
        let mut index = 0;
        for (section, columns) in &sections {
            write!(
                document,
                "\n{section}:\n\n| given | written | pyarrow | pandas | Polars | DuckDB | "
            )
            .unwrap();
            document.push_str("DataFusion | Spark |\n|---|---|---|---|---|---|---|---|\n");
            for column in columns {
                let given = format!("`{}`", column.name);
                let id = format!("{index} {name}");
                match &written[&(index, name)] {
                    Written::Broken(why) => broken.push((&column.name, name, why)),
                    Written::Refused => {
                        writeln!(document, "| {given} | refused | | | | | | |").unwrap();
                    }
                    Written::As(_, stored) => {
                        let mut cells = vec![given.clone(), stored.replace('|', "\\|")];
                        for (reader, seen) in READERS.iter().zip(&seen) {
                            let cell = seen.get(&id);
                            if let Some(Seen::Failed { error }) = cell {
                                failures.push((
                                    format,
                                    column.name.clone(),
                                    *reader,
                                    error.clone(),
                                ));
                            }
                            cells.push(cell.map_or("-".to_owned(), Seen::cell));
                        }
                        cells.push(match &by_spark {
                            Ok(seen) => seen.get(&id).map_or("-".to_owned(), |cell| {
                                if let Seen::Failed { error } = cell {
                                    println!("Spark: {} as {name}: {error}", column.name);
                                }
                                cell.cell()
                            }),
                            Err(_) => {
                                let known = kept.get(&(title.clone(), given.clone()));
                                known.cloned().unwrap_or_default()
                            }
                        });
                        writeln!(document, "| {} |", cells.join(" | ")).unwrap();
                    }
                }
                index += 1;
            }
        }
    }
    for (format, column, reader, error) in &failures {
        println!("{reader}: {column} as {format}: {error}");
    }
    assert!(broken.is_empty(), "{broken:#?}");
    if std::env::var_os("ATOMIC_ARROW_WRITE_DOCS").is_some() {
        spark.as_ref().unwrap();
        fs::write(&document_path, &document).unwrap();
    }
    let changed = |(id, seen): (&String, &Seen)| match seen {
        Seen::Read { values: false, .. } if is_typed(id) => Some(id.clone()),
        _ => None,
    };
    let all = seen.iter().chain(by_spark.as_ref().ok());
    let changed: Vec<String> = all
        .flat_map(|seen| seen.iter().filter_map(changed))
        .collect();
    assert!(
        changed.is_empty(),
        "values that readers see as others: {changed:#?}"
    );
    let unreadable = |(format, _, reader, _): &&(Format, String, &str, String)| {
        *format == Format::Parquet && ["pyarrow", "polars"].contains(reader)
    };
    let unreadable: Vec<_> = failures.iter().filter(unreadable).collect();
    assert!(unreadable.is_empty(), "{unreadable:#?}");
    assert_document("docs/types.md", &document);
    if let Err(reason) = spark {
        skip(format!("Spark's column is taken as it was: {reason}"));
    }
}

//! docs/encodings.md: which readers read what, and what a writer chooses among.
//!
//! The document is generated: every cell is what was seen. With ATOMIC_ARROW_WRITE_DOCS=1 it is written anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::cast;
use arrow::datatypes::*;
use atomic_arrow::{DatasetWriter, Durability};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::basic::Encoding;
use parquet::file::properties::WriterProperties;

use crate::documents::assert_document;
use crate::support::peers::{READERS, peers, spark};
use crate::support::skip;
use crate::types::{Seen, ran};

/// More than a block of differences, and several pages.
const ROWS: i64 = 700;
const PAGE_ROWS: usize = 300;

/// Integers, some of them null, of the given width or narrower.
fn integers(data_type: &DataType, step: i64) -> ArrayRef {
    let values = (0..ROWS).map(|row| (row % 7 != 3).then_some((row * row * step) % 9_973));
    let wide: ArrayRef = Arc::new(Int64Array::from_iter(values));
    cast(&wide, data_type).unwrap()
}

fn texts() -> ArrayRef {
    let texts =
        (0..ROWS).map(|row| (row % 5 != 2).then(|| format!("/lake/day={}/{row}", row / 50)));
    Arc::new(StringArray::from_iter(texts))
}

/// The columns that are tried with an encoding.
fn columns(encoding: Encoding) -> Vec<ArrayRef> {
    let all_integers = || {
        let mut columns = vec![
            integers(&DataType::Int32, 1),
            integers(&DataType::UInt32, 1),
            integers(&DataType::Int64, 1_000_003),
            integers(&DataType::UInt64, 1_000_003),
            cast(&integers(&DataType::Int32, 1), &DataType::Date32).unwrap(),
        ];
        for unit in [
            TimeUnit::Millisecond,
            TimeUnit::Microsecond,
            TimeUnit::Nanosecond,
        ] {
            columns.push(integers(&DataType::Timestamp(unit, None), 86_400_000_000));
        }
        columns.push(integers(&DataType::Time64(TimeUnit::Microsecond), 1));
        columns.push(cast(&integers(&DataType::Int32, 1), &DataType::Decimal128(9, 2)).unwrap());
        columns.push(cast(&integers(&DataType::Int32, 1), &DataType::Decimal128(18, 2)).unwrap());
        columns
    };
    let floats = || {
        let thirds = integers(&DataType::Int64, 1);
        let thirds = cast(&thirds, &DataType::Float64).unwrap();
        let thirds: Float64Array = thirds
            .as_primitive::<Float64Type>()
            .unary(|value| value / 3.0);
        vec![
            cast(&thirds, &DataType::Float32).unwrap(),
            Arc::new(thirds) as ArrayRef,
        ]
    };
    let bytes = || vec![texts(), cast(&texts(), &DataType::Binary).unwrap()];
    let fixed = || {
        let sixteen =
            (0..ROWS).map(|row| (row % 5 != 1).then(|| i128::from(row * row % 97).to_be_bytes()));
        let sixteen = FixedSizeBinaryArray::try_from_sparse_iter_with_size(sixteen, 16).unwrap();
        let decimals = cast(&integers(&DataType::Int32, 1), &DataType::Decimal128(38, 2)).unwrap();
        vec![Arc::new(sixteen) as ArrayRef, decimals]
    };
    let few_fixed = || {
        let few =
            (0..ROWS).map(|row| (row % 5 != 1).then(|| i128::from(row * row % 7).to_be_bytes()));
        let few = FixedSizeBinaryArray::try_from_sparse_iter_with_size(few, 16).unwrap();
        let decimals =
            (0..ROWS).map(|row| (row % 3 != 0).then(|| i128::from(row * row % 11) << 70));
        let decimals = Decimal128Array::from_iter(decimals).with_precision_and_scale(38, 2);
        vec![Arc::new(few) as ArrayRef, Arc::new(decimals.unwrap())]
    };
    let booleans = || {
        let values = (0..ROWS).map(|row| (row % 11 != 4).then_some(row % 200 < 90));
        vec![Arc::new(BooleanArray::from_iter(values)) as ArrayRef]
    };
    match encoding {
        Encoding::PLAIN => [booleans(), all_integers(), floats(), bytes(), fixed()].concat(),
        Encoding::RLE_DICTIONARY => [all_integers(), floats(), bytes(), few_fixed()].concat(),
        Encoding::RLE => booleans(),
        Encoding::DELTA_BINARY_PACKED => all_integers(),
        Encoding::DELTA_LENGTH_BYTE_ARRAY => bytes(),
        Encoding::DELTA_BYTE_ARRAY => [bytes(), fixed()].concat(),
        Encoding::BYTE_STREAM_SPLIT => [all_integers(), floats(), fixed()].concat(),
        other => panic!("{other}"),
    }
}

const ENCODINGS: [Encoding; 7] = [
    Encoding::PLAIN,
    Encoding::RLE_DICTIONARY,
    Encoding::RLE,
    Encoding::DELTA_BINARY_PACKED,
    Encoding::DELTA_LENGTH_BYTE_ARRAY,
    Encoding::DELTA_BYTE_ARRAY,
    Encoding::BYTE_STREAM_SPLIT,
];

/// Whether a writer chooses the encoding for the type by itself.
fn is_chosen(encoding: Encoding, data_type: &DataType) -> bool {
    let is_bytes = matches!(data_type, DataType::Utf8 | DataType::Binary);
    match encoding {
        Encoding::DELTA_BYTE_ARRAY => is_bytes,
        Encoding::BYTE_STREAM_SPLIT => data_type.is_floating(),
        _ => true,
    }
}

/// Writes a column as a file of its own in an encoding.
fn write(root: &Path, column: &ArrayRef, encoding: Encoding) -> PathBuf {
    let field = Field::new("x", column.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(column)]).unwrap();
    let properties = WriterProperties::builder()
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS);
    let is_fixed = matches!(
        column.data_type(),
        DataType::FixedSizeBinary(_) | DataType::Decimal128(38, _)
    );
    let properties = match encoding {
        // What is named is encoded by parquet-rs, in which byte strings of one length have no dictionary.
        Encoding::RLE_DICTIONARY if is_fixed => properties,
        Encoding::RLE_DICTIONARY => properties.set_encoding(Encoding::PLAIN),
        encoding => properties
            .set_dictionary_enabled(false)
            .set_encoding(encoding),
    };
    let mut writer = DatasetWriter::builder(root)
        .durability(Durability::Unsynced)
        .threads(1)
        .properties(properties.build())
        .build(schema)
        .unwrap();
    writer.write(&batch).unwrap();
    let receipt = writer.commit().unwrap();
    let path = root.join(receipt.files()[0].path());
    let metadata = ArrowReaderMetadata::load(&File::open(&path).unwrap(), Default::default());
    let chunk = metadata.unwrap().metadata().row_group(0).column(0).clone();
    assert!(
        chunk.encodings().any(|found| found == encoding),
        "{encoding} {}",
        column.data_type()
    );
    path
}

/// What a reader makes of a file, beside what it makes of the same values in PLAIN.
fn cell(seen: &BTreeMap<String, Seen>, id: &str, plain: &str) -> &'static str {
    match (seen.get(id), seen.get(plain)) {
        (Some(Seen::Read { values: true, .. }), _) => "yes",
        (Some(seen), Some(plain)) if seen == plain => "as PLAIN",
        (Some(Seen::Read { .. }), _) => "no: other values",
        (Some(Seen::Failed { .. }), _) => "no",
        (None, _) => "-",
    }
}

const INTRODUCTION: &str = include_str!("encodings/introduction.md");

#[test]
fn the_table_of_encodings_is_what_every_reader_reads() {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let spark = match spark() {
        Ok(spark) => spark,
        Err(reason) => return skip(reason),
    };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let mut manifest = Vec::new();
    let mut written: Vec<(Encoding, DataType, String)> = Vec::new();
    for encoding in ENCODINGS {
        for column in columns(encoding) {
            let id = format!("{encoding} {}", column.data_type());
            let number = written.len();
            let path = write(&place.join(number.to_string()), &column, encoding);
            let truth = place.join(format!("{number}.arrow"));
            let batch = RecordBatch::try_from_iter([("x", Arc::clone(&column))]).unwrap();
            let file = File::create(&truth).unwrap();
            let mut ipc = arrow::ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
            ipc.write(&batch).unwrap();
            ipc.finish().unwrap();
            manifest.push(serde_json::json!({
                "id": id, "format": "parquet", "path": path, "truth": truth,
            }));
            written.push((encoding, column.data_type().clone(), id));
        }
    }
    let manifest = serde_json::to_vec(&manifest).unwrap();
    fs::write(place.join("manifest.json"), manifest).unwrap();
    let truth = peers.run("column_types.py", &[&"truth", &place]).unwrap();
    ran::<serde_json::Value>(&truth, "truth");
    let mut seen = Vec::new();
    for reader in READERS {
        let output = peers.run("column_types.py", &[&reader, &place]).unwrap();
        seen.push((reader, ran::<Seen>(&output, reader)));
    }
    let output = spark.run("column_types_spark.py", &[&place]).unwrap();
    seen.push(("Spark", ran::<Seen>(&output, "Spark")));

    let mut document = INTRODUCTION.to_owned();
    let mut unread = Vec::new();
    for encoding in ENCODINGS {
        let title =
            format!("\n## {encoding}\n\n| type | `auto` | pyarrow | pandas | Polars | DuckDB | ");
        document.push_str(&title);
        document.push_str("DataFusion | Spark |\n|---|---|---|---|---|---|---|---|\n");
        for (_, data_type, id) in written.iter().filter(|(of, _, _)| *of == encoding) {
            let plain = format!("{} {data_type}", Encoding::PLAIN);
            let cells: Vec<_> = seen
                .iter()
                .map(|(_, seen)| cell(seen, id, &plain))
                .collect();
            let chosen = is_chosen(encoding, data_type);
            for ((reader, seen), cell) in seen.iter().zip(&cells) {
                if cell.starts_with("no") {
                    println!("{reader}: {id}: {:?}", seen.get(id));
                    if chosen {
                        unread.push((*reader, id));
                    }
                }
            }
            let chosen = if chosen { "yes" } else { "no" };
            writeln!(
                document,
                "| `{data_type}` | {chosen} | {} |",
                cells.join(" | ")
            )
            .unwrap();
        }
    }
    if std::env::var_os("ATOMIC_ARROW_WRITE_DOCS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/encodings.md");
        fs::write(path, &document).unwrap();
    }
    assert!(
        unread.is_empty(),
        "chosen, and not read by all: {unread:#?}"
    );
    assert_document("docs/encodings.md", &document);
}

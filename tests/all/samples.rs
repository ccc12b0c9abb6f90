//! Small files of every format, and what they hold.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use atomic_arrow::arrow::csv;
use atomic_arrow::arrow::datatypes::Int64Type;
use atomic_arrow::arrow::ipc::CompressionType;
use atomic_arrow::arrow::ipc::reader::{FileReader, StreamReader};
use atomic_arrow::arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use atomic_arrow::format::Format;
use atomic_arrow::parquet::arrow::ArrowWriter;
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use atomic_arrow::parquet::basic::{Compression, ZstdLevel};
use atomic_arrow::parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder,
};
use bytes::Bytes;

/// A file that is in order.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
}

/// Rows of several types, some of them null.
pub(crate) fn batch(rows: usize) -> RecordBatch {
    let stations = (0..rows).map(|row| (row % 5 > 0).then(|| format!("K{:03}", row % 7)));
    let stations: ArrayRef = Arc::new(stations.collect::<StringArray>());
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values(
        (0..rows as i64).map(|row| 1_700_000_000 + row * 3600),
    ));
    let temperatures: ArrayRef = Arc::new(Float64Array::from_iter(
        (0..rows).map(|row| (row % 3 > 0).then_some(row as f64 / 4.0)),
    ));
    let columns = [
        ("station", stations),
        ("time", times),
        ("temp", temperatures),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

pub(crate) fn nested() -> RecordBatch {
    let lists = [
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
        Some(vec![Some(3)]),
    ];
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists));
    let flat = batch(4);
    let structs = StructArray::from(flat.slice(0, 4));
    RecordBatch::try_from_iter([("list", lists), ("struct", Arc::new(structs) as ArrayRef)])
        .unwrap()
}

fn parquet(batch: &RecordBatch, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let properties = Some(properties.build());
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), properties).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn plain() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
}

fn ipc(compression: Option<CompressionType>) -> Vec<u8> {
    let batch = batch(12);
    let options = IpcWriteOptions::default()
        .try_with_compression(compression)
        .unwrap();
    let mut writer =
        FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn ipc_stream() -> Vec<u8> {
    let batch = batch(12);
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// A file that another project's writer made.
fn odd(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/odd");
    fs::read(directory.join(name)).unwrap()
}

/// One of each kind, small enough for every bit to be flipped.
pub(crate) fn small() -> Vec<Sample> {
    let zstd =
        || WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    let snappy = WriterProperties::builder().set_compression(Compression::SNAPPY);
    let chunk = snappy.set_statistics_enabled(EnabledStatistics::Chunk);
    let sample = |name, format, bytes| Sample {
        name,
        format,
        bytes,
    };
    let parquet = |name, bytes| sample(name, Format::Parquet, bytes);
    vec![
        parquet("parquet, plain", self::parquet(&batch(12), plain())),
        parquet("parquet, zstd, index", self::parquet(&batch(12), zstd())),
        parquet(
            "parquet, statistics",
            self::parquet(&batch(12), chunk.set_offset_index_disabled(true)),
        ),
        parquet(
            "parquet, bloom filter",
            self::parquet(
                &batch(12),
                plain()
                    .set_bloom_filter_enabled(true)
                    .set_bloom_filter_max_ndv(12),
            ),
        ),
        parquet("parquet, nested", self::parquet(&nested(), zstd())),
        parquet("parquet, page CRCs", odd("good.parquet")),
        parquet("parquet, by pyarrow", odd("page-index.parquet")),
        sample("IPC", Format::Ipc, ipc(None)),
        sample(
            "IPC, LZ4",
            Format::Ipc,
            ipc(Some(CompressionType::LZ4_FRAME)),
        ),
        sample("IPC stream", Format::IpcStream, ipc_stream()),
        sample("CSV", Format::Csv, odd("good.csv")),
        sample("NDJSON", Format::Ndjson, odd("good.ndjson")),
        sample("JSON", Format::Json, odd("good.json")),
    ]
}

/// Too large for that.
pub(crate) fn large() -> Sample {
    Sample {
        name: "parquet, large",
        format: Format::Parquet,
        bytes: parquet(
            &batch(60_000),
            WriterProperties::builder().set_data_page_row_count_limit(2_000),
        ),
    }
}

/// What a reader gets of a file.
#[derive(Debug, PartialEq)]
pub(crate) enum Rows {
    Batches(Vec<RecordBatch>),
    Values(Vec<serde_json::Value>),
}

/// What a reader gets of a file; `None` if it gets an error, or panics.
pub(crate) fn rows(format: Format, bytes: &[u8]) -> Option<Rows> {
    std::panic::catch_unwind(|| read(format, bytes))
        .ok()
        .flatten()
}

fn read(format: Format, bytes: &[u8]) -> Option<Rows> {
    let bytes = Bytes::copy_from_slice(bytes);
    let batches: Result<Vec<RecordBatch>, _> = match format {
        Format::Parquet => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).ok()?;
            reader.build().ok()?.collect()
        }
        Format::Ipc => FileReader::try_new(Cursor::new(bytes), None)
            .ok()?
            .collect(),
        Format::IpcStream => StreamReader::try_new(Cursor::new(bytes), None)
            .ok()?
            .collect(),
        Format::Csv => {
            let format = csv::reader::Format::default().with_header(true);
            let (schema, _) = format.infer_schema(Cursor::new(&bytes), None).ok()?;
            let builder = csv::ReaderBuilder::new(Arc::new(schema)).with_header(true);
            builder.build(Cursor::new(&bytes)).ok()?.collect()
        }
        _ => {
            let values = serde_json::Deserializer::from_slice(&bytes).into_iter();
            return values.collect::<Result<_, _>>().ok().map(Rows::Values);
        }
    };
    batches.ok().map(Rows::Batches)
}

//! Encoding one column as a Parquet file, beside parquet-rs, type by type: time by criterion, and the size of both files.
//!
//! Neither syncs nor verifies, and both compress with zstd. `ours` chooses encodings; `parquet-rs` is its `ArrowWriter`,
//! which gives every column a dictionary. Compare within one run only.
//!
//! `cargo bench --bench encoder [-- NAME]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use atomic_arrow::arrow::array::*;
use atomic_arrow::arrow::compute::cast;
use atomic_arrow::arrow::datatypes::*;
use atomic_arrow::parquet::arrow::ArrowWriter;
use atomic_arrow::parquet::basic::{Compression, ZstdLevel};
use atomic_arrow::parquet::file::properties::WriterProperties;
use atomic_arrow::{AtomicArrowWriter, Durability, PublishMode, Verify, WriterOptions};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ROWS: usize = 200_000;

fn noise(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

fn integers(value: impl Fn(usize, u64) -> Option<i64>) -> ArrayRef {
    let values = noise(1).take(ROWS).enumerate();
    Arc::new(
        values
            .map(|(row, noise)| value(row, noise))
            .collect::<Int64Array>(),
    )
}

fn columns() -> Vec<(&'static str, ArrayRef)> {
    let few = integers(|_, noise| Some((noise % 300) as i64));
    let names = noise(2)
        .take(ROWS)
        .map(|noise| Some(format!("station {}", noise % 500)));
    let names: ArrayRef = Arc::new(names.collect::<StringArray>());
    let texts = noise(3)
        .take(ROWS)
        .map(|noise| Some(format!("{noise:x} of {}", noise % 90)));
    let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
    let measured = noise(4).take(ROWS).enumerate();
    let measured = measured.map(|(row, noise)| {
        Some((row as f64 / 900.0).sin() * 40.0 + (noise % 1000) as f64 / 1000.0)
    });
    let measured: ArrayRef = Arc::new(measured.collect::<Float64Array>());
    let tenths = noise(5)
        .take(ROWS)
        .map(|noise| Some((noise % 400) as f64 / 10.0));
    let tenths: ArrayRef = Arc::new(tenths.collect::<Float64Array>());
    let rising = integers(|row, noise| Some(row as i64 * 1_000_000 + (noise % 900_000) as i64));
    let rising = cast(&rising, &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let dictionary = cast(&names, &dictionary).unwrap();
    let decimals = cast(&few, &DataType::Decimal128(30, 2)).unwrap();
    let flags: BooleanArray = noise(6)
        .take(ROWS)
        .map(|noise| Some(noise % 3 == 0))
        .collect();
    vec![
        ("few integers", few),
        (
            "integers without a pattern",
            integers(|_, noise| Some(noise.cast_signed())),
        ),
        (
            "integers, a third null",
            integers(|row, noise| (row % 3 > 0).then_some((noise % 9000) as i64)),
        ),
        ("rising timestamps", rising),
        ("measurements", measured),
        ("tenths", tenths),
        ("few texts", names),
        ("few texts in a dictionary", dictionary),
        ("texts without a pattern", texts),
        ("decimals", decimals),
        ("booleans", Arc::new(flags)),
    ]
}

fn properties() -> WriterProperties {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    WriterProperties::builder().set_compression(zstd).build()
}

fn ours(batch: &RecordBatch, path: &Path) {
    let options = WriterOptions::new()
        .durability(Durability::Unsynced)
        .verify(Verify::Skip)
        .mode(PublishMode::Replace)
        .properties(properties());
    let mut writer = AtomicArrowWriter::at_with_options(path, batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.commit().unwrap();
}

fn theirs(batch: &RecordBatch, path: &Path) {
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties())).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

fn encoders(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (
        directory.path().join("a.parquet"),
        directory.path().join("b.parquet"),
    );
    println!("| column | ours, bytes | parquet-rs, bytes | ratio |\n|---|---|---|---|");
    for (name, column) in columns() {
        let batch = RecordBatch::try_from_iter([("c", column)]).unwrap();
        ours(&batch, &one);
        theirs(&batch, &other);
        let length = |path: &Path| path.metadata().unwrap().len();
        let (mine, his) = (length(&one), length(&other));
        println!(
            "| {name} | {mine} | {his} | {:.2} |",
            mine as f64 / his as f64
        );
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        group.throughput(Throughput::Elements(ROWS as u64));
        group.bench_function("ours", |bencher| {
            bencher.iter(|| ours(black_box(&batch), &one))
        });
        group.bench_function("parquet-rs", |bencher| {
            bencher.iter(|| theirs(black_box(&batch), &other))
        });
        group.finish();
    }
}

criterion_group!(benches, encoders);
criterion_main!(benches);

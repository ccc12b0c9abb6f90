//! Times of `DatasetWriter`: splitting batches, and whole commits.
//!
//! `cargo bench --bench dataset`, or with a filter, as `cargo bench --bench dataset -- commit/shuffled`.
//! Times of different moments compare only on a machine that does nothing else; `peers` compares
//! writers by turns.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use atomic_arrow::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use atomic_arrow::{DatasetWriter, Durability, PartitionBy};
use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};

const BATCH_ROWS: usize = 1 << 16;
const WITHOUT_LIMIT: u64 = 1 << 30;

#[derive(Clone, Copy)]
enum Order {
    Sorted,
    Shuffled,
}

impl Order {
    const ALL: [(&str, Order); 2] = [("sorted", Order::Sorted), ("shuffled", Order::Shuffled)];
}

/// Observations of `stations` stations.
fn batches(rows: usize, stations: usize, order: Order) -> Vec<RecordBatch> {
    let station = |row: usize| match order {
        Order::Sorted => row * stations / rows,
        Order::Shuffled => scattered(row) % stations,
    };
    (0..rows)
        .step_by(BATCH_ROWS)
        .map(|start| {
            let rows = start..rows.min(start + BATCH_ROWS);
            let names = rows.clone().map(|row| format!("K{:06}", station(row)));
            let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
            let hours = Int64Array::from_iter_values(rows.clone().map(|row| row as i64 * 3600));
            let temps = rows.clone().map(|row| (scattered(row) % 700) as f64 / 10.0);
            let temps: ArrayRef = Arc::new(Float64Array::from_iter_values(temps));
            let winds =
                rows.map(|row| (!scattered(row).is_multiple_of(11)).then_some(row as f64 * 0.37));
            let winds: ArrayRef = Arc::new(Float64Array::from_iter(winds));
            let columns = [
                ("station_id", names),
                ("hour", Arc::new(hours)),
                ("temp", temps),
                ("wind", winds),
            ];
            RecordBatch::try_from_iter(columns).unwrap()
        })
        .collect()
}

/// A number that follows no pattern of `row`'s, and is the same in every run.
fn scattered(row: usize) -> usize {
    let mixed = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as usize
}

fn by_station() -> PartitionBy {
    PartitionBy::column("station_id")
}

fn split(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("split");
    for (name, order) in Order::ALL {
        for stations in [1, 100, 10_000] {
            let batch = batches(BATCH_ROWS, stations, order).remove(0);
            let splitter = by_station().bind(&batch.schema(), false).unwrap();
            group.throughput(Throughput::Elements(BATCH_ROWS as u64));
            group.bench_function(BenchmarkId::new(name, stations), |bencher| {
                bencher.iter(|| splitter.split(black_box(&batch)).unwrap());
            });
        }
    }
}

fn commit(criterion: &mut Criterion) {
    const ROWS: usize = 400_000;
    let mut group = criterion.benchmark_group("commit");
    group.throughput(Throughput::Elements(ROWS as u64));
    for (name, order) in Order::ALL {
        for stations in [1, 100, 1_000] {
            let id = BenchmarkId::new(name, stations);
            write(
                &mut group,
                id,
                &batches(ROWS, stations, order),
                WITHOUT_LIMIT,
            );
        }
    }
    let shuffled = batches(ROWS, 1_000, Order::Shuffled);
    for megabytes in [4, 8, 64] {
        let id = BenchmarkId::new("shuffled, 1000, limit in MB", megabytes);
        write(&mut group, id, &shuffled, megabytes << 20);
    }
}

fn commit_very_many(criterion: &mut Criterion) {
    const ROWS: usize = 1_000_000;
    let mut group = criterion.benchmark_group("commit, very many");
    group.throughput(Throughput::Elements(ROWS as u64));
    for stations in [10_000, 100_000] {
        let shuffled = batches(ROWS, stations, Order::Shuffled);
        let id = BenchmarkId::new("shuffled", stations);
        write(&mut group, id, &shuffled, 256 << 20);
    }
}

fn write(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    batches: &[RecordBatch],
    memory_limit: u64,
) {
    let lake = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut number = 0;
    let mut next = || {
        number += 1;
        lake.path().join(format!("weather-{number}"))
    };
    group.bench_function(id, |bencher| {
        bencher.iter_batched(
            &mut next,
            |root| {
                let mut writer = DatasetWriter::builder(root)
                    .partition_by(by_station())
                    .memory_limit(memory_limit)
                    .durability(Durability::Unsynced)
                    .build(batches[0].schema())
                    .unwrap();
                for batch in batches {
                    writer.write(batch).unwrap();
                }
                writer.commit().unwrap()
            },
            BatchSize::PerIteration,
        );
    });
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
}

criterion_group! {
    name = benches;
    config = quick();
    targets = split, commit, commit_very_many
}
criterion_main!(benches);

//! `COPY … STORED AS ATOMIC_PARQUET` beside DataFusion's own `STORED AS PARQUET`, by turns: 5 million rows in 500 partitions.
//!
//! Both take the same rows from memory, in the same order. The ratio is ours to theirs, as each is by default: ours is synced
//! and verified, theirs is neither.
//!
//! `cargo bench -p atomic-arrow-datafusion -- [--rounds N] [--rows N]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use atomic_arrow_datafusion::{OnReceipt, register};
use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;

const STATIONS: usize = 500;
const BATCH: usize = 8192;

#[derive(Clone, Copy, PartialEq)]
enum Writer {
    Theirs,
    Ours(&'static str),
}

fn argument(name: &str) -> Option<usize> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1)?.parse().ok()
}

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let rows = argument("--rows").unwrap_or(if full { 5_000_000 } else { 20_000 });
    let rounds = argument("--rounds").unwrap_or(if full { 5 } else { 1 });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(compare(rows, rounds));
}

async fn compare(rows: usize, rounds: usize) {
    let parent = std::env::var_os("ATOMIC_ARROW_BENCH_DIR")
        .unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    let lake = tempfile::tempdir_in(parent).unwrap();
    println!("{rows} rows in {STATIONS} partitions, {rounds} rounds\n");
    println!("| | to COPY … STORED AS PARQUET | seconds, theirs | seconds, ours |");
    println!("|---|---|---|---|");
    for (order, sorted) in [("rows as they come", false), ("rows by station", true)] {
        let context = SessionContext::new();
        register(&context, OnReceipt::default()).unwrap();
        let batches = (0..rows.div_ceil(BATCH))
            .map(|number| batch(number, rows, sorted))
            .collect::<Vec<_>>();
        let schema = batches[0].schema();
        // As a scan of several files would give them.
        let parts = batches
            .chunks(batches.len().div_ceil(2))
            .map(<[_]>::to_vec)
            .collect();
        context
            .register_table(
                "weather",
                Arc::new(MemTable::try_new(schema, parts).unwrap()),
            )
            .unwrap();
        for (name, options) in [
            ("defaults", ""),
            ("the same codec", "OPTIONS ('compression' 'zstd(3)')"),
        ] {
            let (mut ratios, mut times) = (vec![], [vec![], vec![]]);
            for round in 0..rounds {
                let mut lineup = [Writer::Theirs, Writer::Ours(options)];
                if round % 2 == 1 {
                    lineup.reverse();
                }
                let mut taken = [Duration::ZERO; 2];
                for writer in lineup {
                    let place = usize::from(writer != Writer::Theirs);
                    taken[place] = copy(&context, lake.path(), writer, rows).await;
                    times[place].push(taken[place].as_secs_f64());
                }
                ratios.push(taken[1].div_duration_f64(taken[0]));
            }
            let [theirs, ours] = times.map(summary);
            println!(
                "| {order}, {name} | {} | {theirs} | {ours} |",
                summary(ratios)
            );
        }
    }
}

async fn copy(context: &SessionContext, lake: &Path, writer: Writer, rows: usize) -> Duration {
    let root = lake.join("weather");
    let (format, options) = match writer {
        Writer::Theirs => ("PARQUET", ""),
        Writer::Ours(options) => ("ATOMIC_PARQUET", options),
    };
    let sql = format!(
        "COPY weather TO '{}/' STORED AS {format} PARTITIONED BY (station_id) {options}",
        root.display()
    );
    let start = Instant::now();
    context.sql(&sql).await.unwrap().collect().await.unwrap();
    let taken = start.elapsed();
    let written = context
        .read_parquet(format!("{}/", root.display()), Default::default())
        .await
        .unwrap();
    assert_eq!(written.count().await.unwrap(), rows);
    // What is there is in the cache of listings.
    context
        .runtime_env()
        .cache_manager
        .get_list_files_cache()
        .inspect(|cache| cache.clear());
    std::fs::remove_dir_all(&root).unwrap();
    // What the writer before has not synced is not to be paid by the next one.
    rustix::fs::sync();
    taken
}

/// Made-up weather of many stations, hour by hour, or station by station.
fn batch(number: usize, rows: usize, sorted: bool) -> RecordBatch {
    let range = number * BATCH..((number + 1) * BATCH).min(rows);
    let of_station = rows.div_ceil(STATIONS);
    let station = |row: usize| match sorted {
        true => row / of_station,
        // Not one after another in the same order.
        false => (row.wrapping_mul(2_654_435_761) >> 7) % STATIONS,
    };
    let noise = |row: usize, of: usize| {
        (row.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(of) >> 33) % 1000
    };
    let stations =
        StringArray::from_iter_values(range.clone().map(|row| format!("K{:03}", station(row))));
    let times = TimestampMicrosecondArray::from_iter_values(
        range
            .clone()
            .map(|row| 1_700_000_000_000_000 + (row / STATIONS) as i64 * 3_600_000_000),
    );
    let temperatures = Float64Array::from_iter(range.clone().map(|row| {
        let noise = noise(row, 1);
        (noise > 20).then(|| noise as f64 / 10.0 - 40.0)
    }));
    let pressures = Float64Array::from_iter_values(
        range.clone().map(|row| 950.0 + noise(row, 2) as f64 / 10.0),
    );
    let winds = Int64Array::from_iter_values(range.clone().map(|row| noise(row, 3) as i64 / 20));
    let notes = StringArray::from_iter_values(range.map(|row| match noise(row, 4) % 50 {
        0 => format!("observer {} saw hail", row % 977),
        other => format!("code {}", other % 7),
    }));
    RecordBatch::try_from_iter([
        ("station_id", Arc::new(stations) as ArrayRef),
        ("time_hour", Arc::new(times)),
        ("temp", Arc::new(temperatures)),
        ("pressure", Arc::new(pressures)),
        ("wind", Arc::new(winds)),
        ("note", Arc::new(notes)),
    ])
    .unwrap()
}

/// The median, with the least and the most.
fn summary(mut numbers: Vec<f64>) -> String {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers[numbers.len() / 2];
    format!(
        "{middle:.2} ({:.2}–{:.2})",
        numbers[0],
        numbers[numbers.len() - 1]
    )
}

//! The price of atomicity in absolute figures, by criterion: how long each writer takes.
//!
//! Ratios between writers are `paired.rs`'s: here they run one after another, and a machine that
//! slows down in between looks like a slow writer.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Bench, Case, Writer};
use criterion::{Criterion, SamplingMode, Throughput};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut bench = Bench::new(false);
    for case in Case::all() {
        measure(&mut criterion, &mut bench, &case());
    }
    criterion.final_summary();
}

fn measure(criterion: &mut Criterion, bench: &mut Bench, case: &Case) {
    let mut group = criterion.benchmark_group(case.name);
    group
        .throughput(Throughput::Bytes(case.bytes()))
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(5));
    let writers = [Writer::Bare, Writer::BareSynced];
    for writer in writers.into_iter().chain(Writer::ATOMIC) {
        group.bench_function(writer.name(), |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| bench.run(case, writer).total).sum());
        });
    }
    group.finish();
}

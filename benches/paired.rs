//! The price of atomicity as ratios: each writer beside the bare one, by turns.
//!
//! A round runs the bare writer, the bare writer that syncs, and an atomic one, next to each other, and
//! takes the ratio of their times; the median of the rounds is what is quoted. Whatever slows the
//! machine down for longer than a round slows all of them.
//!
//! `cargo bench --bench paired -- [--rounds N] [CASE…]`
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod common;

use atomic_arrow::Durability;
use common::{Bench, Case, Sample, Writer};

fn main() {
    let (rounds, wanted) = arguments();
    let mut bench = Bench::new();
    for case in Case::all() {
        let case = case();
        if wanted.is_empty() || wanted.iter().any(|name| name == case.name) {
            compare(&mut bench, &case, rounds);
        }
    }
}

/// The number of rounds, and the cases asked for.
fn arguments() -> (usize, Vec<String>) {
    let (mut rounds, mut wanted) = (None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    let mut full = false;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => full = true,
            "--rounds" => rounds = arguments.next().and_then(|number| number.parse().ok()),
            _ => wanted.push(argument),
        }
    }
    let default = if full { 7 } else { 1 };
    (rounds.unwrap_or(default).max(1), wanted)
}

fn compare(bench: &mut Bench, case: &Case, rounds: usize) {
    let megabytes = bench.bytes_on_disk(case) as f64 / 1e6;
    println!(
        "\n{}: {megabytes:.1} MB as Parquet, {rounds} rounds\n",
        case.name
    );
    println!("| | to bare | to bare, both without their syncs | to bare, synced |");
    println!("|---|---|---|---|");
    // Directories above that nobody has synced yet, allocators, caches.
    bench.run(case, Writer::ATOMIC[0]);
    row(bench, case, rounds, Writer::BareSynced);
    for writer in Writer::ATOMIC {
        row(bench, case, rounds, writer);
    }
}

/// One line of the table.
fn row(bench: &mut Bench, case: &Case, rounds: usize, writer: Writer) {
    let is_synced = matches!(writer, Writer::Atomic(Durability::Synced, _));
    let (mut to_bare, mut without_syncs, mut to_synced) = (vec![], vec![], vec![]);
    for round in 0..rounds {
        let mut lineup = vec![Writer::Bare, writer];
        if is_synced {
            lineup.push(Writer::BareSynced);
        }
        // Nobody always comes after the same one.
        if round % 2 == 1 {
            lineup.reverse();
        }
        let samples: Vec<(Writer, Sample)> = lineup
            .into_iter()
            .map(|writer| (writer, bench.run(case, writer)))
            .collect();
        let of = |wanted: Writer| samples.iter().find(|(writer, _)| *writer == wanted);
        let ((_, bare), (_, ours)) = (of(Writer::Bare).unwrap(), of(writer).unwrap());
        to_bare.push(ours.total.div_duration_f64(bare.total));
        without_syncs.push((ours.total - ours.syncing).div_duration_f64(bare.total));
        if is_synced {
            let (_, synced) = of(Writer::BareSynced).unwrap();
            to_synced.push(ours.total.div_duration_f64(synced.total));
        }
    }
    println!(
        "| {} | {} | {} | {} |",
        writer.name(),
        summary(to_bare),
        summary(without_syncs),
        summary(to_synced)
    );
}

/// The median, with the least and the most.
fn summary(mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (ratios.first(), ratios.last()) else {
        return String::new();
    };
    let middle = ratios.len() / 2;
    let median = if ratios.len() % 2 == 1 {
        ratios[middle]
    } else {
        (ratios[middle - 1] + ratios[middle]) / 2.0
    };
    format!("{median:.2} ({least:.2}–{most:.2})")
}

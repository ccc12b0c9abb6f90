//! The price of atomicity as ratios: each writer beside the bare one, by turns.
//!
//! A round runs the bare writer, the bare writer that syncs, and an atomic one, next to each other, and
//! takes the ratio of their times; the median of the rounds is what is quoted. Whatever slows the
//! machine down for longer than a round slows all of them.
//!
//! With `--same-encoder` both are told to chunk by content, for which ours leaves the encoding to parquet-rs: the price of what
//! surrounds it alone.
//!
//! `cargo bench --bench paired -- [--rounds N] [--case NAME] [--writer NAME] [--same-encoder]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use atomic_arrow::Durability;
use common::{Bench, Case, Sample, Writer};

fn main() {
    let wanted = Wanted::from_arguments();
    let mut bench = Bench::new(wanted.same_encoder);
    for case in Case::all() {
        let case = case();
        if wanted.case.as_deref().is_none_or(|name| name == case.name) {
            compare(&mut bench, &case, &wanted);
        }
    }
}

/// What to run; of cases and writers all, unless one is named.
struct Wanted {
    rounds: usize,
    case: Option<String>,
    writer: Option<String>,
    same_encoder: bool,
}

impl Wanted {
    fn from_arguments() -> Wanted {
        let arguments: Vec<String> = std::env::args().collect();
        let value = |option: &str| {
            let at = arguments.iter().position(|argument| argument == option)?;
            arguments.get(at + 1).cloned()
        };
        let is_given = |flag: &str| arguments.iter().any(|argument| argument == flag);
        let full = is_given("--bench");
        let default = if full { 7 } else { 1 };
        let rounds = value("--rounds").and_then(|number| number.parse().ok());
        Wanted {
            rounds: rounds.unwrap_or(default).max(1),
            case: value("--case"),
            writer: value("--writer"),
            same_encoder: is_given("--same-encoder"),
        }
    }
}

fn compare(bench: &mut Bench, case: &Case, wanted: &Wanted) {
    let rounds = wanted.rounds;
    let megabytes = bench.bytes_on_disk(case) as f64 / 1e6;
    println!(
        "\n{}: {megabytes:.1} MB as Parquet, {rounds} rounds\n",
        case.name
    );
    println!("| | to bare | to bare, both without their syncs | to bare, synced |");
    println!("|---|---|---|---|");
    // Directories above that nobody has synced yet, allocators, caches.
    bench.run(case, Writer::ATOMIC[0]);
    for writer in [Writer::BareSynced].into_iter().chain(Writer::ATOMIC) {
        if wanted
            .writer
            .as_ref()
            .is_none_or(|name| *name == writer.name())
        {
            row(bench, case, rounds, writer);
        }
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

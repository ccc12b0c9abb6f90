//! One write of ours, in a process of its own: `WRITER INPUT DESTINATION [KEY…]`, and options.
//!
//! `atomic` is [`DatasetWriter`] as it is by default, `unsynced` the same without syncing files, and
//! `sketch` the least that can be done on parquet-rs: rows grouped once, gathered once a partition,
//! encoded and written to the final path, one thread a core, neither synced nor verified nor atomic.
//! What `atomic` takes beyond `sketch` is its overhead.
//!
//! The input, an Arrow IPC file, is in memory before the clock starts. One line of JSON says what it took;
//! `syncing` is the time spent in sync calls, of all threads together.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

#[path = "../common/disk.rs"]
mod disk;
#[path = "../common/process.rs"]
mod process;
mod sketch;

use std::path::PathBuf;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::{DatasetWriter, Durability, PartitionBy, Verify};

use disk::Stopwatch;
use process::properties;

struct Arguments {
    writer: String,
    input: PathBuf,
    to: PathBuf,
    keys: Vec<String>,
    rows: usize,
    commits: bool,
    memory_limit: Option<u64>,
    threads: Option<usize>,
    skip_verification: bool,
    skip_checksums: bool,
}

impl Arguments {
    fn parse() -> Option<Arguments> {
        let mut plain = Vec::new();
        let (mut memory_limit, mut threads) = (None, None);
        let (mut rows, mut commits) = (usize::MAX, false);
        let (mut skip_verification, mut skip_checksums) = (false, false);
        let mut given = std::env::args().skip(1);
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--rows" => rows = given.next()?.parse().ok()?,
                "--commits" => commits = true,
                "--memory-limit" => memory_limit = Some(given.next()?.parse().ok()?),
                "--threads" => threads = Some(given.next()?.parse().ok()?),
                "--skip-verification" => skip_verification = true,
                "--skip-checksums" => skip_checksums = true,
                _ => plain.push(argument),
            }
        }
        let mut plain = plain.into_iter();
        Some(Arguments {
            writer: plain.next()?,
            input: plain.next()?.into(),
            to: plain.next()?.into(),
            keys: plain.collect(),
            rows,
            commits,
            memory_limit,
            threads,
            skip_verification,
            skip_checksums,
        })
    }
}

fn main() {
    let Some(arguments) = Arguments::parse() else {
        println!(
            "usage: atomic|unsynced|sketch INPUT DESTINATION [KEY…] [--rows N] [--commits] \
             [--memory-limit BYTES] [--threads N] [--skip-verification] [--skip-checksums]"
        );
        return;
    };
    let batches = process::read(&arguments.input, arguments.rows);
    let commits: Vec<&[RecordBatch]> = if arguments.commits {
        batches.chunks(1).collect()
    } else {
        vec![&batches]
    };
    let syncs = Stopwatch::default();
    let taken = process::taken(|| {
        for (number, batches) in commits.into_iter().enumerate() {
            write(&arguments, number, batches, &syncs);
        }
    });
    let syncing = syncs.total().as_secs_f64();
    println!("{{{taken}, \"syncing\": {syncing:.4}}}");
}

/// Writes batches as one commit.
fn write(arguments: &Arguments, number: usize, batches: &[RecordBatch], syncs: &Stopwatch) {
    let keys = &arguments.keys;
    let durability = match arguments.writer.as_str() {
        "atomic" => Durability::Synced,
        "unsynced" => Durability::Unsynced,
        "sketch" => {
            let name = format!("part-{number}.parquet");
            return sketch::write(&arguments.to, &name, batches, keys, &properties());
        }
        other => panic!("there is no writer {other:?}"),
    };
    let by = keys
        .iter()
        .fold(PartitionBy::none(), |by, key| by.then_column(key));
    let mut builder = DatasetWriter::builder(&arguments.to)
        .partition_by(by)
        .durability(durability)
        .properties(properties())
        .page_checksums(!arguments.skip_checksums)
        .disk(syncs.disk());
    if let Some(bytes) = arguments.memory_limit {
        builder = builder.memory_limit(bytes);
    }
    if let Some(threads) = arguments.threads {
        builder = builder.threads(threads);
    }
    if arguments.skip_verification {
        builder = builder.verify(Verify::Skip);
    }
    let mut writer = builder.build(batches[0].schema()).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.commit().unwrap();
}

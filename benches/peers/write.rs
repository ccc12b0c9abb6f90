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
mod sketch;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::arrow::ipc::reader::FileReader;
use atomic_arrow::parquet::basic::{Compression, ZstdLevel};
use atomic_arrow::parquet::file::properties::WriterProperties;
use atomic_arrow::{DatasetWriter, Durability, PartitionBy, Verify};

use disk::Stopwatch;

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
    let batches = read(&arguments.input, arguments.rows);
    let commits: Vec<&[RecordBatch]> = if arguments.commits {
        batches.chunks(1).collect()
    } else {
        vec![&batches]
    };
    let syncs = Stopwatch::default();
    let before = memory("VmRSS");
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let (user, system) = processor_time();
    let start = Instant::now();
    for (number, batches) in commits.into_iter().enumerate() {
        write(&arguments, number, batches, &syncs);
    }
    let seconds = start.elapsed().as_secs_f64();
    let (user, system) = (processor_time().0 - user, processor_time().1 - system);
    let (peak, syncing) = (memory("VmHWM"), syncs.total().as_secs_f64());
    println!(
        "{{\"seconds\": {seconds:.4}, \"syncing\": {syncing:.4}, \"user\": {user:.2}, \"sys\": {system:.2}, \
         \"before\": {before}, \"peak\": {peak}}}"
    );
}

/// The first rows of an Arrow IPC file.
fn read(path: &Path, mut rows: usize) -> Vec<RecordBatch> {
    let reader = FileReader::try_new(File::open(path).unwrap(), None).unwrap();
    let mut batches = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let taken = batch.num_rows().min(rows);
        rows -= taken;
        batches.push(batch.slice(0, taken));
        if rows == 0 {
            break;
        }
    }
    batches
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .build()
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

/// A figure of this process's memory, in bytes.
fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    let figure = line.split_whitespace().nth(1).unwrap();
    figure.parse::<u64>().unwrap() << 10
}

/// Seconds of all threads, of programs' own and of the system's code; in ticks of 10 ms.
fn processor_time() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    let ticks = |at| {
        let field = fields.split_whitespace().nth(at).unwrap();
        field.parse::<u64>().unwrap() as f64 / 100.0
    };
    (ticks(11), ticks(12))
}

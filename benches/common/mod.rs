//! What the two benchmarks share: what is written, by which writer, and how long that took.
//!
//! Each of them uses a part of it.
#![allow(dead_code)]

mod disk;
mod weather;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::parquet::arrow::ArrowWriter;
use atomic_arrow::parquet::basic::{Compression, ZstdLevel};
use atomic_arrow::parquet::file::properties::{CdcOptions, WriterProperties};
use atomic_arrow::{AtomicArrowWriter, Durability, Partition, Verify, WriterOptions};
use tempfile::TempDir;

use disk::Stopwatch;

/// Names a directory on the file system to measure, instead of Cargo's target directory.
const DIRECTORY: &str = "ATOMIC_ARROW_BENCH_DIR";
const FILE_NAME: &str = "part-0.parquet";
/// How many bytes of data sets are left lying before they are removed.
///
/// For minutes after a removal ext4 passes over the freed inodes one by one when it makes files,
/// which would cost the writer that makes more names at one place the more.
const LEFT_LYING: u64 = 8 << 30;

/// Files to write, each into a partition of its own.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    files: Vec<(Partition, Vec<RecordBatch>)>,
}

impl Case {
    /// All of them, as small as they get unless this is a run of `cargo bench`.
    pub(crate) fn all() -> Vec<fn() -> Case> {
        if std::env::args().any(|argument| argument == "--bench") {
            vec![
                || Case::one_file("1 MB", 37_000),
                || Case::one_file("100 MB", 4_400_000),
                || Case::many_files("1,000 files", 1000),
            ]
        } else {
            vec![|| Case::one_file("1 MB", 100), || {
                Case::many_files("1,000 files", 2)
            }]
        }
    }

    fn one_file(name: &'static str, rows: usize) -> Case {
        let partition = Partition::new([("station_id", "KSEA"), ("year", "2026")]).unwrap();
        let files = vec![(partition, weather::batches(rows, 1))];
        Case { name, files }
    }

    fn many_files(name: &'static str, count: usize) -> Case {
        let file = |number: usize| {
            let station = format!("K{:03}", number / 20);
            let year = (2000 + number % 20).to_string();
            let partition = Partition::new([("station_id", station), ("year", year)]).unwrap();
            (partition, weather::batches(1000, number as u64))
        };
        let files = (0..count).map(file).collect();
        Case { name, files }
    }

    /// How many bytes all batches take in memory.
    pub(crate) fn bytes(&self) -> u64 {
        let batches = self.files.iter().flat_map(|(_, batches)| batches);
        batches
            .map(|batch| batch.get_array_memory_size() as u64)
            .sum()
    }
}

/// Who writes, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// A bare `ArrowWriter` on the final path.
    Bare,
    /// The same, which then syncs all that has to be for the file to survive a power cut: the file,
    /// its directory, and the parent of every directory made on the way.
    BareSynced,
    /// `AtomicArrowWriter`.
    Atomic(Durability, Verify),
}

impl Writer {
    pub(crate) const ATOMIC: [Writer; 8] = [
        Writer::Atomic(Durability::Synced, Verify::Skip),
        Writer::Atomic(Durability::Synced, Verify::Footer),
        Writer::Atomic(Durability::Synced, Verify::Checksum),
        Writer::Atomic(Durability::Synced, Verify::Decode),
        Writer::Atomic(Durability::Unsynced, Verify::Skip),
        Writer::Atomic(Durability::Unsynced, Verify::Footer),
        Writer::Atomic(Durability::Unsynced, Verify::Checksum),
        Writer::Atomic(Durability::Unsynced, Verify::Decode),
    ];

    pub(crate) fn name(self) -> String {
        match self {
            Writer::Bare => "bare".to_owned(),
            Writer::BareSynced => "bare, synced".to_owned(),
            Writer::Atomic(durability, verify) => {
                format!("{durability:?}, {verify:?}").to_lowercase()
            }
        }
    }
}

/// How long writing took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) total: Duration,
    /// The part of it that was spent in sync calls.
    pub(crate) syncing: Duration,
}

/// A directory to write data sets into.
pub(crate) struct Bench {
    directory: TempDir,
    properties: WriterProperties,
    runs: usize,
    left_lying: u64,
}

impl Bench {
    /// With the encoder of parquet-rs in all writers, or with each one's own.
    pub(crate) fn new(same_encoder: bool) -> Bench {
        let place = std::env::var_os(DIRECTORY)
            .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
        Bench {
            directory: tempfile::tempdir_in(place).unwrap(),
            properties: WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .set_content_defined_chunking(same_encoder.then(CdcOptions::default))
                .build(),
            runs: 0,
            left_lying: 0,
        }
    }

    /// Writes a case once, as a new data set.
    pub(crate) fn run(&mut self, case: &Case, writer: Writer) -> Sample {
        self.runs += 1;
        let lake = self.directory.path();
        let root = lake.join(format!("weather-{}", self.runs));
        let syncs = Stopwatch::default();
        let start = Instant::now();
        for (partition, batches) in &case.files {
            match writer {
                Writer::Bare => self.bare(&root, partition, batches, None),
                Writer::BareSynced => self.bare(&root, partition, batches, Some(&syncs)),
                Writer::Atomic(durability, verify) => {
                    let options = WriterOptions::new()
                        .durability(durability)
                        .verify(verify)
                        .disk(syncs.disk())
                        .file_name(FILE_NAME)
                        .properties(self.properties.clone());
                    atomic(&root, partition, batches, options);
                }
            }
        }
        let total = start.elapsed();
        self.rest(case);
        let syncing = syncs.total();
        Sample { total, syncing }
    }

    /// Lets the disk come to rest, so that no run pays for what the one before it left to be written.
    fn rest(&mut self, case: &Case) {
        let lake = self.directory.path();
        // More than the files take: they are compressed.
        self.left_lying += case.bytes();
        if self.left_lying > LEFT_LYING {
            for entry in fs::read_dir(lake).unwrap() {
                fs::remove_dir_all(entry.unwrap().path()).unwrap();
            }
            self.left_lying = 0;
        }
        sync_all(lake);
    }

    /// How many bytes the files of a case take on disk.
    pub(crate) fn bytes_on_disk(&self, case: &Case) -> u64 {
        let lake = tempfile::tempdir_in(self.directory.path()).unwrap();
        let mut bytes = 0;
        for (partition, batches) in &case.files {
            self.bare(lake.path(), partition, batches, None);
            let file = lake.path().join(partition.path()).join(FILE_NAME);
            bytes += fs::metadata(file).unwrap().len();
        }
        bytes
    }

    fn bare(
        &self,
        root: &Path,
        partition: &Partition,
        batches: &[RecordBatch],
        syncs: Option<&Stopwatch>,
    ) {
        let directory = root.join(partition.path());
        let made: Vec<PathBuf> = directory
            .ancestors()
            .take_while(|above| syncs.is_some() && !above.exists())
            .map(Path::to_owned)
            .collect();
        fs::create_dir_all(&directory).unwrap();
        let file = File::create_new(directory.join(FILE_NAME)).unwrap();
        let properties = Some(self.properties.clone());
        let mut writer = ArrowWriter::try_new(file, batches[0].schema(), properties).unwrap();
        for batch in batches {
            writer.write(batch).unwrap();
        }
        writer.finish().unwrap();
        if let Some(syncs) = syncs {
            timed(syncs, || writer.inner().sync_all()).unwrap();
            for directory in made.iter().filter_map(|made| made.parent()) {
                sync_directory(directory, syncs).unwrap();
            }
            sync_directory(&directory, syncs).unwrap();
        }
    }
}

fn atomic(root: &Path, partition: &Partition, batches: &[RecordBatch], options: WriterOptions) {
    let schema = batches[0].schema();
    let mut writer =
        AtomicArrowWriter::create_with_options(root, partition, schema, options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.commit().unwrap();
}

fn timed(syncs: &Stopwatch, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let start = Instant::now();
    let done = sync();
    syncs.add(start);
    done
}

#[cfg(unix)]
fn sync_directory(path: &Path, syncs: &Stopwatch) -> io::Result<()> {
    let directory = File::open(path)?;
    timed(syncs, || directory.sync_all())
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path, _syncs: &Stopwatch) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn sync_all(path: &Path) {
    rustix::fs::syncfs(File::open(path).unwrap()).unwrap();
}

#[cfg(not(target_os = "linux"))]
fn sync_all(_path: &Path) {}

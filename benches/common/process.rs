//! What a process of a benchmark is given, and what its work takes.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

use atomic_arrow::arrow::array::RecordBatch;
use atomic_arrow::arrow::ipc::reader::FileReader;
use atomic_arrow::parquet::basic::{Compression, ZstdLevel};
use atomic_arrow::parquet::file::properties::WriterProperties;

/// The first rows of an Arrow IPC file.
pub(crate) fn read(path: &Path, mut rows: usize) -> Vec<RecordBatch> {
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

/// What every writer of Parquet is told: zstd at level 3.
pub(crate) fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .build()
}

/// What some work took.
pub(crate) struct Taken {
    seconds: f64,
    /// Seconds of all threads in programs' own code.
    user: f64,
    /// Seconds of all threads in the system's code.
    system: f64,
    /// The memory before it, in bytes.
    before: u64,
    /// The most memory during it, in bytes.
    peak: u64,
}

/// Does some work and says what it took.
pub(crate) fn taken(work: impl FnOnce()) -> Taken {
    let before = memory("VmRSS");
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let (user, system) = processor_time();
    let start = Instant::now();
    work();
    let seconds = start.elapsed().as_secs_f64();
    let now = processor_time();
    Taken {
        seconds,
        user: now.0 - user,
        system: now.1 - system,
        before,
        peak: memory("VmHWM"),
    }
}

/// The members of an object of JSON.
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"seconds\": {:.4}, \"user\": {:.2}, \"sys\": {:.2}, \"before\": {}, \"peak\": {}",
            self.seconds, self.user, self.system, self.before, self.peak
        )
    }
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

//! How long one commit of very many staged writes takes, and how much memory: made-up records of work that workers
//! staged, and one driver that commits them all.
//!
//! ```sh
//! cargo run --release --example commit_scale -- 1000 100      # tasks, and files of each
//! ```
//!
//! One task is staged as workers do; the others are copies of it with other names. The files go to as many partitions as
//! a task has files. `ATOMIC_ARROW_BENCH_DIR` names a directory on the file system to measure; by default it is Cargo's
//! target directory.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use atomic_arrow::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use atomic_arrow::uuid::Uuid;
use atomic_arrow::{DatasetWriter, PartitionBy, StagedWrite, StagedWrites};

type Done<T> = Result<T, Box<dyn Error>>;

#[allow(clippy::print_stdout)]
fn main() -> Done<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| -> Done<usize> {
        Ok(arguments.next().map_or(Ok(default), |text| text.parse())?)
    };
    let (tasks, files) = (number(100)?, number(100)?);
    let directory = std::env::var_os("ATOMIC_ARROW_BENCH_DIR");
    let directory = directory.map_or_else(|| "target".into(), PathBuf::from);
    let lake = tempfile::tempdir_in(fs::canonicalize(directory)?)?;
    let root = lake.path().join("lake");

    let first = stage(&root, files)?;
    let mut staged = Vec::with_capacity(tasks);
    for _ in 1..tasks {
        staged.push(copy(&root, &first)?);
    }
    staged.push(first);

    let (before, start) = (most_memory()?, Instant::now());
    let receipt = StagedWrites::new(staged).job("scale").commit()?;
    let (seconds, memory) = (start.elapsed().as_secs_f64(), most_memory()?);
    assert_eq!(receipt.files().len(), tasks * files);
    println!("{tasks} tasks, {} files", receipt.files().len());
    println!(
        "{seconds:.2} s, {:.1} µs for each file",
        seconds * 1e6 / (tasks * files) as f64
    );
    println!(
        "{} MiB at most, {} MiB before the commit",
        memory >> 10,
        before >> 10
    );
    if let Some(metrics) = receipt.metrics() {
        println!("{metrics}");
    }
    Ok(())
}

/// What a worker stages: a row for each of as many partitions as there are to be files.
fn stage(root: &Path, files: usize) -> Done<StagedWrite> {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..i64::try_from(files)?));
    let values: ArrayRef = Arc::new(Float64Array::from_iter_values((0..files).map(|n| n as f64)));
    let rows = RecordBatch::try_from_iter([("key", keys), ("value", values)])?;
    let builder = DatasetWriter::builder(root)
        .partition_by(PartitionBy::column("key"))
        .job("scale");
    let mut writer = builder.build(rows.schema())?;
    writer.write(&rows)?;
    Ok(writer.stage()?)
}

/// The same work under another name, as another worker would have staged it.
fn copy(root: &Path, first: &StagedWrite) -> Done<StagedWrite> {
    let name = first.transaction().ok_or("nothing is staged")?.to_string();
    let other = Uuid::now_v7().to_string();
    let area = root.with_file_name(".lake.atomic");
    let (from, to) = (area.join(&name), area.join(&other));
    fs::create_dir(&to)?;
    for entry in fs::read_dir(&from)? {
        let entry = entry?;
        let path = to.join(entry.file_name());
        match entry
            .path()
            .extension()
            .is_some_and(|suffix| suffix == "record")
        {
            true => fs::write(
                path,
                fs::read_to_string(entry.path())?.replace(&name, &other),
            )?,
            false => drop(fs::copy(entry.path(), path)?),
        }
    }
    Ok(StagedWrite::from_json(
        first.to_json()?.replace(&name, &other),
    )?)
}

/// The most memory that this process has had, in KiB.
fn most_memory() -> Done<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("the system does not tell")?.parse()?)
}

//! Where tests on the operating system's disk write, and what they find there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use atomic_arrow::{
    AtomicArrowWriter, CommitMode, DatasetWriter, DatasetWriterBuilder, Error, Partition,
    PartitionBy, Receipt, WriterOptions,
};
use tempfile::TempDir;

/// Rows that a station reported, as a batch that still has the partition's column.
pub(crate) fn weather(station: &str, rows: usize) -> RecordBatch {
    stations(&vec![station; rows])
}

/// Rows of these stations, in this order.
pub(crate) fn stations(names: &[impl AsRef<str>]) -> RecordBatch {
    let rows = names.len();
    let stations: ArrayRef = Arc::new(StringArray::from_iter_values(
        names.iter().map(AsRef::as_ref),
    ));
    let temperatures: ArrayRef = Arc::new(Float64Array::from_iter(
        (0..rows).map(|row| (row % 3 > 0).then_some(row as f64)),
    ));
    let fields = [("station_id", stations, true), ("temp", temperatures, true)];
    RecordBatch::try_from_iter_with_nullable(fields).unwrap()
}

/// The partition of a station.
pub(crate) fn station(id: &str) -> Partition {
    Partition::new([("station_id", id)]).unwrap()
}

/// A writer of [`weather`] of the station KSEA.
pub(crate) fn writer(
    root: impl AsRef<Path>,
    options: WriterOptions,
) -> Result<AtomicArrowWriter, Error> {
    let schema = weather("KSEA", 0).schema();
    AtomicArrowWriter::create_with_options(root, &station("KSEA"), schema, options)
}

/// A writer of [`weather`] that has taken some rows.
pub(crate) fn begun(root: impl AsRef<Path>) -> AtomicArrowWriter {
    let mut writer = writer(root, WriterOptions::new()).unwrap();
    writer.write(&weather("KSEA", 7)).unwrap();
    writer
}

/// A writer of [`stations`], by station.
pub(crate) fn builder(root: &Path, mode: CommitMode) -> DatasetWriterBuilder {
    DatasetWriter::builder(root)
        .partition_by(PartitionBy::column("station_id"))
        .mode(mode)
        .threads(1)
}

/// Commits rows of these stations.
pub(crate) fn commit(builder: DatasetWriterBuilder, names: &[&str]) -> Result<Receipt, Error> {
    let batch = stations(names);
    let mut writer = builder.build(batch.schema())?;
    writer.write(&batch)?;
    writer.commit()
}

/// The rows of a Parquet file as one batch each row group or less.
pub(crate) fn read(path: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    reader.collect::<Result<_, _>>().unwrap()
}

pub(crate) fn count_rows(path: &Path) -> usize {
    read(path).iter().map(RecordBatch::num_rows).sum()
}

/// A new empty directory: its real path, and what removes it in the end.
pub(crate) fn directory() -> (TempDir, PathBuf) {
    let guard = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(guard.path()).unwrap();
    (guard, path)
}

/// All that is below `root`, hidden or not, sorted: paths relative to it, directories with a `/`. A
/// control directory with nothing but the lock in it, which every data set has, is left out.
pub(crate) fn tree(root: &Path) -> Vec<String> {
    const LOCK: &str = ".atomic/lock";
    let mut found = whole_tree(root);
    let locks = found.iter().filter(|name| name.ends_with(LOCK));
    let controls: Vec<String> = locks
        .filter_map(|name| name.strip_suffix("lock"))
        .map(str::to_owned)
        .collect();
    for control in controls {
        let below = found.iter().filter(|name| name.starts_with(&control));
        if below.count() == 2 {
            found.retain(|name| !name.starts_with(&control));
        }
    }
    found
}

/// All that is below `root`, as [`tree`] gives it, with every control directory.
fn whole_tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    open.retain(|root| root.exists());
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if entry.file_type().unwrap().is_dir() {
                found.push(format!("{name}/"));
                open.push(path);
            } else {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

/// The files below `root` that are staged.
pub(crate) fn staged(root: &Path) -> Vec<PathBuf> {
    let names = tree(root)
        .into_iter()
        .filter(|name| name.ends_with(".staged"));
    names.map(|name| root.join(name)).collect()
}

/// The data files below `root`.
pub(crate) fn published(root: &Path) -> Vec<PathBuf> {
    let names = tree(root)
        .into_iter()
        .filter(|name| name.ends_with(".parquet"));
    names.map(|name| root.join(name)).collect()
}

/// A small file system of its own; dropping it unmounts it.
pub(crate) struct Mount {
    path: PathBuf,
    _parent: Option<TempDir>,
}

impl Mount {
    /// A file system in memory of `kilobytes`; the error is the reason to skip a test.
    pub(crate) fn tmpfs(kilobytes: usize) -> Result<Self, String> {
        let (guard, parent) = directory();
        let path = parent.join("mounted");
        fs::create_dir(&path).unwrap();
        let mut mount = Self::tmpfs_at(&path, kilobytes)?;
        mount._parent = Some(guard);
        Ok(mount)
    }

    /// [`Mount::tmpfs`] over an existing directory.
    pub(crate) fn tmpfs_at(path: &Path, kilobytes: usize) -> Result<Self, String> {
        let size = format!("size={kilobytes}k");
        let mut command = Command::new("mount");
        Self::attach(command.args(["-t", "tmpfs", "-o", &size, "none"]), path)
    }

    /// Shows a directory at the place of another one: the same file system, but no rename reaches it.
    pub(crate) fn bind(directory: &Path, path: &Path) -> Result<Self, String> {
        let mut command = Command::new("mount");
        Self::attach(command.arg("--bind").arg(directory), path)
    }

    /// A file system of layers over an existing directory: what is there is the lower one, and all
    /// that is written goes to an upper one in `parent`.
    pub(crate) fn overlay(parent: &Path, path: &Path) -> Result<Self, String> {
        let [upper, work] = ["upper", "work"].map(|name| parent.join(name));
        for layer in [&upper, &work] {
            fs::create_dir(layer).unwrap();
        }
        let [lower, upper, work] = [path, &upper, &work].map(Path::display);
        let layers = format!("lowerdir={lower},upperdir={upper},workdir={work},redirect_dir=off");
        let mut command = Command::new("mount");
        Self::attach(command.args(["-t", "overlay", "-o", &layers, "none"]), path)
    }

    fn attach(command: &mut Command, path: &Path) -> Result<Self, String> {
        let mounted = command
            .arg(path)
            .output()
            .map_err(|error| format!("mount: {error}"))?;
        match mounted.status.success() {
            true => Ok(Mount {
                path: path.to_owned(),
                _parent: None,
            }),
            false => Err(String::from_utf8_lossy(&mounted.stderr).trim().to_owned()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, so that a failed test's open files do not keep it.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

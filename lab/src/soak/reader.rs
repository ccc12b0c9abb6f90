//! The readers of the soak, and the files that they see.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use atomic_arrow::arrow::array::{AsArray as _, RecordBatch};
use atomic_arrow::arrow::datatypes::Int64Type;
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Wrong;

/// The pause between two readings, which leaves the users time.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Every file that a reader sees, below the root: not those that a name hides.
pub(super) fn visible(root: &Path) -> Result<Vec<PathBuf>, Wrong> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            // An overwrite took it away.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Wrong(format!("{}: {error}", directory.display()))),
        };
        for entry in entries {
            let entry =
                entry.map_err(|error| Wrong(format!("{}: {error}", directory.display())))?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    Ok(found)
}

/// The values in a Parquet file; nothing where the file is gone.
pub(super) fn values(path: &Path) -> Result<Option<Vec<i64>>, Wrong> {
    let wrong = |error: &dyn std::fmt::Display| Wrong(format!("{}: {error}", path.display()));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(&error)),
    };
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| wrong(&error))?;
    let batches = reader.build().map_err(|error| wrong(&error))?;
    let batches: Vec<RecordBatch> = batches
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(&error))?;
    let column = |batch: &RecordBatch| {
        let column = batch.column_by_name("v")?;
        Some(column.as_primitive_opt::<Int64Type>()?.values().to_vec())
    };
    let columns: Option<Vec<Vec<i64>>> = batches.iter().map(column).collect();
    let columns = columns.ok_or_else(|| wrong(&"no column v of integers"))?;
    Ok(Some(columns.concat()))
}

/// Reads everything over and over, until it is over; every file must be whole.
pub(super) fn read_until(root: &Path, over: &AtomicBool, read: &AtomicUsize) -> Result<(), Wrong> {
    while !over.load(Ordering::SeqCst) {
        for path in visible(root)? {
            if path.extension().is_some_and(|name| name == "parquet") {
                read.fetch_add(usize::from(values(&path)?.is_some()), Ordering::SeqCst);
            }
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

//! Callbacks of a writer are called by one thread at a time, and may change what they own.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::sleep;
use std::time::Duration;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use atomic_arrow::{DatasetWriter, SyncPolicy};

#[test]
fn counts_never_go_back_and_closures_keep_what_they_count() {
    let lake = tempfile::tempdir().unwrap();
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values((0..4_000).map(|n| n % 400)));
    let batch = RecordBatch::try_from_iter([("key", Arc::clone(&keys)), ("n", keys)]).unwrap();
    let (telling, told) = channel();
    let (naming, named) = channel();
    // What only one thread may touch.
    let (files, mut names) = (Cell::new(0), Vec::new());
    let mut writer = DatasetWriter::builder(lake.path().join("lake"))
        .partition_by("key")
        .threads(8)
        .sync(SyncPolicy::EachFile)
        .on_progress(move |progress| {
            // Meanwhile other threads finish files, and wait.
            sleep(Duration::from_millis(1));
            telling.send(progress).unwrap();
        })
        .on_file(move |file| {
            files.set(files.get() + 1);
            names.push(file.path().to_owned());
            names.dedup();
            naming.send((files.get(), names.len())).unwrap();
        })
        .build(batch.schema())
        .unwrap();
    writer.write(&batch).unwrap();
    writer.commit().unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|progress| (progress.rows, progress.files_finished))
        .collect();
    assert!(told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&(4_000, 400)));
    let expected: Vec<_> = (1..=400).map(|count| (count, count)).collect();
    assert_eq!(named.iter().collect::<Vec<_>>(), expected);
}

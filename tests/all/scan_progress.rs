//! How far those have come who look at what is on disk, as they tell it.

use std::fs;
use std::sync::{Arc, Mutex};

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use atomic_arrow::verify::{VerifyOptions, verify_path_with_options};
use atomic_arrow::{
    DatasetWriter, InspectOptions, RecoverOptions, ScanProgress, inspect_with_options,
    recover_with_options,
};

/// Keeps what is told.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<ScanProgress>>>);

impl Heard {
    fn listener(&self) -> impl Fn(ScanProgress) + Send + Sync + 'static {
        let heard = self.clone();
        move |progress| heard.0.lock().unwrap().push(progress)
    }

    /// What was told since it was asked last: the files of each call, and the bytes of the last one.
    fn take(&self) -> (Vec<u64>, u64) {
        let told = std::mem::take(&mut *self.0.lock().unwrap());
        let bytes = told.last().map_or(0, |last| last.bytes);
        (told.iter().map(|progress| progress.files).collect(), bytes)
    }
}

fn writer(root: &std::path::Path) -> DatasetWriter {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("number", numbers)]).unwrap();
    let mut writer = DatasetWriter::builder(root).build(batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer
}

#[test]
fn each_file_that_is_looked_at_is_told_with_its_bytes_also_if_it_is_damaged() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().join("numbers");
    for _ in 0..2 {
        writer(&root).commit().unwrap();
    }
    fs::write(root.join("torn.parquet"), b"PAR1 and no more").unwrap();
    fs::write(root.join("empty.parquet"), b"").unwrap();
    fs::write(root.join("notes.txt"), b"no data").unwrap();
    let heard = Heard::default();
    let options = VerifyOptions::new().on_progress(heard.listener());
    let summary = verify_path_with_options(&root, &options, |_| Ok(())).unwrap();
    assert_eq!(heard.take(), (vec![1, 2, 3, 4], summary.bytes));
    let options = InspectOptions::new().on_progress(heard.listener());
    let inspection = inspect_with_options(&root, &options).unwrap();
    assert_eq!(heard.take(), (vec![1, 2, 3, 4], inspection.totals().bytes));
}

#[test]
fn each_leftover_is_told_once() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().join("numbers");
    let (staged, live) = (writer(&root).stage().unwrap(), writer(&root));
    let dead = "0199a000-0000-7000-8000-000000000000.staged";
    fs::write(lake.path().join(".numbers.atomic").join(dead), b"x").unwrap();
    let heard = Heard::default();
    for files in [vec![1, 2, 3], vec![1, 2]] {
        let options = RecoverOptions::new().on_progress(heard.listener());
        let recovery = recover_with_options(&root, &options).unwrap();
        assert_eq!((recovery.staged.len(), recovery.alive.len()), (1, 1));
        assert_eq!(heard.take(), (files, 0));
    }
    drop((staged, live));
}

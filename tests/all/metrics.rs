//! Receipts say what the time of a commit was spent on.

use std::sync::Arc;
use std::time::Duration;

use atomic_arrow::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use atomic_arrow::disk::tap::{Call, Tap, Verb, Verdict, Watch};
use atomic_arrow::disk::{Disk, OsDisk};
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, Durability, Metrics, Receipt, StagedWrites,
    Step,
};

const PAUSE: Duration = Duration::from_millis(40);

/// A disk on which each call of one kind takes long, below names that hold a text.
#[derive(Debug)]
struct Slow(Verb, &'static str);

impl Watch for Slow {
    fn before(&self, call: &Call) -> Verdict {
        if call.verb == self.0 && call.path.to_string_lossy().contains(self.1) {
            std::thread::sleep(PAUSE);
        }
        Verdict::Pass
    }
}

fn slow(verb: Verb, below: &'static str) -> Arc<dyn Disk> {
    Tap::on(Arc::new(OsDisk), Arc::new(Slow(verb, below)))
}

fn batch() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..4));
    RecordBatch::try_from_iter([("key", Arc::clone(&numbers)), ("number", numbers)]).unwrap()
}

fn commit(builder: DatasetWriterBuilder) -> Receipt {
    let mut writer = builder.build(batch().schema()).unwrap();
    writer.write(&batch()).unwrap();
    writer.commit().unwrap()
}

fn metrics(builder: DatasetWriterBuilder) -> Metrics {
    commit(builder).metrics().unwrap()
}

#[test]
fn each_part_grows_with_the_work_that_it_is_named_for() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().join("lake");
    let on = |verb, below| {
        let builder = DatasetWriter::builder(&root).disk(slow(verb, below));
        metrics(builder.partition_by("key"))
    };
    // Each happens once for each of the four files.
    let files = 4 * PAUSE;
    assert!(on(Verb::SyncFile, ".staged").syncing >= files);
    assert!(on(Verb::OpenFile, ".staged").verifying >= files);
    assert!(on(Verb::Write, ".staged").encoding >= files);
    assert!(on(Verb::Rename, "key=").publishing >= files);
    let slow_to_take = DatasetWriter::builder(&root)
        .partition_by("key")
        .interrupt_when(|step| {
            if step == Step::WriteRows {
                std::thread::sleep(PAUSE);
            }
            false
        });
    assert!(metrics(slow_to_take).splitting >= PAUSE);
}

#[test]
fn no_time_of_one_thread_counts_twice() {
    let lake = tempfile::tempdir().unwrap();
    for verb in [Verb::OpenFile, Verb::Write, Verb::Rename] {
        let builder = DatasetWriter::builder(lake.path().join("lake"))
            .partition_by("key")
            .threads(1)
            // Files are then verified by the thread that encodes.
            .durability(Durability::Unsynced)
            .disk(slow(verb, ""));
        let Metrics {
            splitting,
            encoding,
            syncing,
            verifying,
            publishing,
            wall,
            ..
        } = metrics(builder);
        let parts = splitting + encoding + syncing + verifying + publishing;
        assert!(parts <= wall, "{verb:?}");
    }
}

#[test]
fn the_commit_of_staged_writes_counts_the_work_of_their_writers() {
    let lake = tempfile::tempdir().unwrap();
    let root = lake.path().join("lake");
    let staged: Vec<_> = (0..2)
        .map(|_| {
            let builder = DatasetWriter::builder(&root).disk(slow(Verb::Write, ".staged"));
            let mut writer = builder.build(batch().schema()).unwrap();
            writer.write(&batch()).unwrap();
            writer.stage().unwrap()
        })
        .collect();
    for staged in &staged {
        assert!(staged.metrics().unwrap().encoding >= PAUSE);
    }
    let receipt = StagedWrites::new(staged).commit().unwrap();
    assert!(receipt.metrics().unwrap().encoding >= 2 * PAUSE);
}

#[test]
fn the_receipt_of_an_earlier_write_of_the_same_name_has_none() {
    let lake = tempfile::tempdir().unwrap();
    let builder = DatasetWriter::builder(lake.path().join("lake"))
        .write_id("monday")
        .mode(CommitMode::Append);
    let first = commit(builder.clone());
    assert!(first.metrics().is_some());
    let again = builder.already_committed().unwrap().unwrap();
    assert_eq!((again.metrics(), &again), (None, &first));
    assert_eq!(commit(builder).metrics(), None);
}

//! Jobs: all that any process stages for one is committed or discarded as one, and nothing after that.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use atomic_arrow::disk::tap::{Call, Tap, Verdict, Watch};
use atomic_arrow::disk::{Disk, OsDisk};
use atomic_arrow::{
    CommitMode, DatasetWriter, DatasetWriterBuilder, Error, ErrorKind, Outcome, StagedWrite,
    StagedWrites, staged,
};

use crate::ground::{builder, directory, published, stations};

fn of_job(root: &Path) -> DatasetWriterBuilder {
    builder(root, CommitMode::Append).job("monday")
}

fn begun(builder: DatasetWriterBuilder) -> DatasetWriter {
    let batch = stations(&["A", "B", "B"]);
    let mut writer = builder.build(batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer
}

fn stage(root: &Path, task: &str) -> StagedWrite {
    begun(of_job(root).task(task)).stage().unwrap()
}

fn job(root: &Path) -> StagedWrites {
    StagedWrites::new([]).expect_root(root).job("monday")
}

fn root() -> (tempfile::TempDir, PathBuf) {
    let (guard, parent) = directory();
    (guard, parent.join("weather"))
}

#[track_caller]
fn is_closed<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    assert!(
        matches!(&error, Error::JobClosed { job, .. } if job == "monday"),
        "{error:?}"
    );
    let classes = (error.outcome(), error.kind());
    assert_eq!(classes, (Outcome::NotPublished, ErrorKind::Conflict));
}

#[test]
fn its_commit_discards_what_nobody_handed_over_and_closes_it() {
    let (_guard, root) = root();
    let orphan = stage(&root, "part 1");
    let (one, two) = (stage(&root, "part 1"), stage(&root, "part 2"));
    let other = begun(builder(&root, CommitMode::Append).job("tuesday"));
    let other = other.stage().unwrap();
    let straggler = begun(of_job(&root));

    let receipt = StagedWrites::new([one.clone(), two.clone()])
        .commit()
        .unwrap();
    assert_eq!(receipt.totals().rows, 6);
    assert_eq!(receipt.write_id(), Some("job:monday"));
    let waiting: Vec<_> = staged(&root).unwrap();
    let waiting: Vec<_> = waiting
        .iter()
        .map(|waiting| waiting.write().job())
        .collect();
    assert_eq!(waiting, [Some("tuesday")]);

    is_closed(straggler.stage());
    is_closed(of_job(&root).build(stations(&["A"]).schema()));
    assert_eq!(staged(&root).unwrap().len(), 1);
    assert_eq!(published(&root).len(), 4);
    // Repeated, it is done once, whatever it is given.
    for writes in [vec![one, two], vec![orphan], Vec::new()] {
        let again = StagedWrites::new(writes)
            .expect_root(&root)
            .job("monday")
            .commit();
        assert_eq!(again.unwrap().transaction(), receipt.transaction());
    }
    assert_eq!(
        StagedWrites::new([other]).commit().unwrap().totals().rows,
        3
    );
}

#[test]
fn discarded_nothing_of_it_is_left_nor_committed() {
    let (_guard, root) = root();
    let writes = [stage(&root, "part 1"), stage(&root, "part 2")];
    job(&root).discard().unwrap();
    assert!(staged(&root).unwrap().is_empty());
    is_closed(StagedWrites::new(writes).commit());
    is_closed(of_job(&root).build(stations(&["A"]).schema()));
    job(&root).discard().unwrap();
    assert_eq!(published(&root), Vec::<PathBuf>::new());
}

#[test]
fn what_is_committed_is_not_taken_back_by_a_discard() {
    let (_guard, root) = root();
    StagedWrites::new([stage(&root, "part 1")])
        .commit()
        .unwrap();
    job(&root).discard().unwrap();
    assert_eq!(published(&root).len(), 2);
}

#[test]
fn one_without_any_write_is_committed_as_nothing() {
    let (_guard, root) = root();
    let receipt = job(&root).commit().unwrap();
    assert_eq!(
        (receipt.totals().rows, receipt.write_id()),
        (0, Some("job:monday"))
    );
    is_closed(of_job(&root).build(stations(&["A"]).schema()));
    let nothing = StagedWrites::new([]).expect_root(&root).commit().unwrap();
    assert_eq!((nothing.totals().files, nothing.write_id()), (0, None));
    let error = StagedWrites::new([]).commit().unwrap_err();
    assert!(matches!(error, Error::InvalidOption { .. }), "{error:?}");
}

#[test]
fn names_that_do_not_go_together_are_refused() {
    let (_guard, root) = root();
    let one = stage(&root, "part 1");
    let none = begun(builder(&root, CommitMode::Append)).stage().unwrap();
    let named = || begun(builder(&root, CommitMode::Append)).stage().unwrap();
    for (writes, what) in [
        (
            StagedWrites::new([one.clone(), none.clone()]),
            "more than one job",
        ),
        (StagedWrites::new([none]).job("monday"), "more than one job"),
        (
            StagedWrites::new([one.clone()]).job("tuesday"),
            "more than one job",
        ),
        (StagedWrites::new([one]).write_id("x"), "named by the job"),
        (
            StagedWrites::new([named()]).write_id("job:x"),
            "take another",
        ),
    ] {
        let error = writes.commit().unwrap_err();
        assert!(matches!(error, Error::InvalidOption { .. }), "{error:?}");
        assert!(error.to_string().contains(what), "{error}");
    }
    let schema = stations(&["A"]).schema();
    for (builder, option) in [
        (
            builder(&root, CommitMode::Append).write_id("job:x"),
            "write_id",
        ),
        (builder(&root, CommitMode::Append).job(""), "job"),
        (builder(&root, CommitMode::Append).task("a\nb"), "task"),
        (
            builder(&root, CommitMode::Append).job("x".repeat(4096)),
            "job",
        ),
    ] {
        let error = builder.build(schema.clone()).unwrap_err();
        let is_it =
            matches!(&error, Error::InvalidOption { option: named, .. } if *named == option);
        assert!(is_it, "{error:?}");
    }
    for builder in [of_job(&root), builder(&root, CommitMode::Append).task("x")] {
        let error = begun(builder).commit().unwrap_err();
        assert!(matches!(error, Error::InvalidOption { .. }), "{error:?}");
    }
    assert_eq!(published(&root), Vec::<PathBuf>::new());
}

#[test]
fn what_waits_is_listed_as_it_was_handed_over() {
    let (_guard, root) = root();
    assert!(staged(&root).unwrap().is_empty());
    let given = [stage(&root, "part 1"), stage(&root, "part 2")];
    let seen = staged(&root).unwrap();
    let seen: Vec<_> = seen.iter().map(|waiting| waiting.write()).collect();
    let facts = |write: &StagedWrite| {
        let task = write.task().map(str::to_owned);
        (
            write.transaction(),
            task,
            write.totals(),
            write.root().to_owned(),
            write.mode(),
        )
    };
    let (seen, given): (Vec<_>, Vec<_>) = (
        seen.into_iter().map(facts).collect(),
        given.iter().map(facts).collect(),
    );
    assert_eq!(seen, given);
    // A driver that lost them commits what is listed.
    let writes = staged(&root).unwrap();
    let writes = writes.iter().map(|waiting| waiting.write().clone());
    assert_eq!(StagedWrites::new(writes).commit().unwrap().totals().rows, 6);
}

type Deed = Box<dyn FnOnce() + Send>;

/// Does something right before one call.
struct Before {
    at: usize,
    count: AtomicUsize,
    deed: Mutex<Option<Deed>>,
}

impl std::fmt::Debug for Before {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Before")
    }
}

impl Watch for Before {
    fn before(&self, _: &Call) -> Verdict {
        if self.count.fetch_add(1, Ordering::SeqCst) == self.at
            && let Some(deed) = self.deed.lock().unwrap().take()
        {
            deed();
        }
        Verdict::Pass
    }
}

/// Lets the job be ended right before each call of a straggler's stage in turn.
fn straggles(end: fn(&Path)) {
    let mut at = 0;
    loop {
        let (_guard, root) = root();
        let place = root.clone();
        let watch = Arc::new(Before {
            at,
            count: AtomicUsize::new(0),
            deed: Mutex::new(Some(Box::new(move || end(&place)))),
        });
        let disk: Arc<dyn Disk> = Tap::on(Arc::new(OsDisk), Arc::clone(&watch) as _);
        let batch = stations(&["A"]);
        let built = of_job(&root).disk(disk).build(batch.schema());
        let staging = built.and_then(|mut writer| {
            writer.write(&batch)?;
            writer.stage()
        });
        if watch.deed.lock().unwrap().is_some() {
            break;
        }
        match staging {
            // Or, if it had staged when the job ended, it was told nothing.
            Ok(_) | Err(Error::JobClosed { .. }) => {}
            Err(error) => panic!("before call {at}: {error:?}"),
        }
        let waiting = staged(&root).unwrap();
        assert!(waiting.is_empty(), "before call {at}: {waiting:?}");
        at += 1;
    }
    assert!(at > 50, "{at}");
}

#[test]
fn a_straggler_leaves_nothing_whenever_its_job_is_discarded() {
    straggles(|root| job(root).discard().unwrap());
}

#[test]
fn a_straggler_leaves_nothing_whenever_its_job_is_committed() {
    straggles(|root| drop(job(root).commit().unwrap()));
}

/// Counts calls.
#[derive(Debug, Default)]
struct Count(AtomicUsize);

impl Watch for Count {
    fn before(&self, _: &Call) -> Verdict {
        self.0.fetch_add(1, Ordering::Relaxed);
        Verdict::Pass
    }
}

#[test]
fn staging_takes_no_more_calls_where_much_waits() {
    let (_guard, root) = root();
    let count = Arc::new(Count::default());
    let disk: Arc<dyn Disk> = Tap::on(Arc::new(OsDisk), Arc::clone(&count) as _);
    let calls = |task: usize| {
        count.0.store(0, Ordering::Relaxed);
        let builder = of_job(&root).task(task.to_string()).disk(Arc::clone(&disk));
        begun(builder).stage().unwrap();
        count.0.load(Ordering::Relaxed)
    };
    let calls: Vec<usize> = (0..40).map(calls).collect();
    assert!(calls[39] <= calls[2], "{calls:?}");
}

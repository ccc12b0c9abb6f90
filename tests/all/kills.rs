//! Real processes, killed at every system call of a data-set commit, and of its recovery, in turn.
//!
//! Promises P1, P6 and P7. A first run is recorded; then there is one run for each recorded call, in
//! which SIGKILL comes at the entry of that call: before it, and after the one before. Calls that
//! change nothing on disk (reading, listing) are left out: a kill at one of them leaves what a kill
//! at the next call leaves. By default some points of each kind of call are run, the first and the
//! last among them; with `ATOMIC_ARROW_FULL=1` all are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use atomic_arrow::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use atomic_arrow::arrow::datatypes::Int64Type;
use atomic_arrow::{
    CommitMode, DatasetWriter, Error, PartitionBy, Receipt, Recovery, SyncPolicy, recover,
};
use tempfile::TempDir;

use crate::child::{Child, Part, heard, say};
use crate::ground::{directory, read, tree};
use crate::support::skip;

/// Where this is set to 1, tests run every case and not a sample.
const FULL: &str = "ATOMIC_ARROW_FULL";
/// How many points of each kind of call are run in each scenario, unless all are.
const SAMPLE: usize = 3;

/// The calls that change what is on disk, or who has a lock there; `open` may create.
const CALLS: [&str; 26] = [
    "open",
    "openat",
    "creat",
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "syncfs",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlinkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "flock",
    "ftruncate",
    "fallocate",
    "fchmod",
    "fchmodat",
    "fchown",
];

/// Whether every case is to be run.
pub(crate) fn full() -> bool {
    std::env::var_os(FULL).is_some_and(|value| value == "1")
}

/// Says something on standard error, which the harness does not capture.
pub(crate) fn report(line: impl Display) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// How a data set is committed in which a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// All by one thread, which syncs the file system once.
    Plain,
    /// By several threads, which sync a file each.
    ManyThreads,
    /// Like `Plain`, and the write has a name.
    Named,
    /// Like `Plain`, where directories cannot be exchanged and a rename cannot refuse to replace.
    OldFileSystem,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) mode: CommitMode,
    pub(crate) way: Way,
}

pub(crate) const SCENARIOS: [Scenario; 9] = [
    Scenario::new(CommitMode::Append, Way::Plain),
    Scenario::new(CommitMode::ErrorIfExists, Way::Plain),
    Scenario::new(CommitMode::OverwritePartitions, Way::Plain),
    Scenario::new(CommitMode::Overwrite, Way::Plain),
    Scenario::new(CommitMode::OverwritePartitions, Way::ManyThreads),
    Scenario::new(CommitMode::Append, Way::Named),
    Scenario::new(CommitMode::Append, Way::OldFileSystem),
    Scenario::new(CommitMode::OverwritePartitions, Way::OldFileSystem),
    Scenario::new(CommitMode::Overwrite, Way::OldFileSystem),
];

/// The numbers of the rows in each partition.
pub(crate) type Rows = BTreeMap<String, BTreeSet<i64>>;

impl Scenario {
    const fn new(mode: CommitMode, way: Way) -> Self {
        Scenario { mode, way }
    }

    fn name(self) -> String {
        format!("{:?} {:?}", self.mode, self.way)
    }

    /// Commits some rows, in the way of this scenario: two to a partition, of which some are new.
    fn commit(self, root: &Path) -> Result<Receipt, Error> {
        let stations: &[&str] = match self.mode {
            CommitMode::ErrorIfExists => &["KLGA", "KPDX", "KGEG"],
            _ => &["KSEA", "KJFK", "KLGA"],
        };
        let mut builder = DatasetWriter::builder(root)
            .partition_by(PartitionBy::column("station_id"))
            .mode(self.mode);
        builder = match self.way {
            Way::ManyThreads => builder.threads(2).sync(SyncPolicy::EachFile),
            _ => builder.threads(1).sync(SyncPolicy::FileSystem),
        };
        if self.way == Way::Named {
            builder = builder.write_id("monday");
        }
        commit(builder, &batch(stations, 10))
    }

    /// What a data set holds once that is committed.
    pub(crate) fn after(self, before: &Rows) -> Rows {
        let (_guard, parent) = directory();
        let root = parent.join("weather");
        self.commit(&root).unwrap();
        let new = rows(&root);
        let mut after = match self.mode {
            CommitMode::Overwrite => Rows::new(),
            _ => before.clone(),
        };
        for (partition, numbers) in new {
            let there = after.entry(partition).or_default();
            if self.mode == CommitMode::OverwritePartitions {
                there.clear();
            }
            there.extend(numbers);
        }
        after
    }

    /// What a reader may find while a commit is not finished, and must not take for torn.
    fn is_legal(self, found: &Rows, before: &Rows, after: &Rows) -> bool {
        let none = BTreeSet::new();
        let partitions: BTreeSet<&String> = [found, before, after]
            .into_iter()
            .flat_map(|rows| rows.keys())
            .collect();
        let each = |legal: &dyn Fn([&BTreeSet<i64>; 3]) -> bool| {
            partitions.iter().all(|partition| {
                legal([found, before, after].map(|rows| rows.get(*partition).unwrap_or(&none)))
            })
        };
        match (self.mode, self.way) {
            // The new files come, and then the old ones go.
            (CommitMode::OverwritePartitions, Way::OldFileSystem) => {
                each(&|[found, before, after]| {
                    found == before || found == after || *found == before | after
                })
            }
            (CommitMode::Overwrite, Way::OldFileSystem) => {
                let has = |rows: &Rows| {
                    rows.iter().all(|(partition, rows)| {
                        found
                            .get(partition)
                            .is_some_and(|found| found.is_superset(rows))
                    })
                };
                (has(before) || has(after))
                    && each(&|[found, before, after]| found.is_subset(&(before | after)))
            }
            (CommitMode::Overwrite, _) => found == before || found == after,
            _ => each(&|[found, before, after]| found == before || found == after),
        }
    }

    pub(crate) fn run(self) -> Run<'static> {
        Run {
            name: self.name(),
            prepare: &prepared,
            part: Part::Kill,
            told: self.name(),
            failing: self.failing(),
        }
    }

    /// Calls that fail all along, and so cannot be killed at.
    fn failing(self) -> &'static [&'static str] {
        match self.way {
            Way::OldFileSystem => &["-e", "inject=renameat2:error=EINVAL"],
            _ => &[],
        }
    }
}

/// Two rows of each station, numbered from `first`.
fn batch(stations: &[&str], first: i64) -> RecordBatch {
    let count = 2 * stations.len();
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + count as i64));
    let stations = (0..count).map(|row| stations[row % stations.len()]);
    let stations: ArrayRef = Arc::new(StringArray::from_iter_values(stations));
    RecordBatch::try_from_iter([("station_id", stations), ("number", numbers)]).unwrap()
}

fn commit(
    builder: atomic_arrow::DatasetWriterBuilder,
    batch: &RecordBatch,
) -> Result<Receipt, Error> {
    let mut writer = builder.build(batch.schema())?;
    writer.write(batch)?;
    writer.commit()
}

/// Adds rows of these stations.
fn append(root: &Path, stations: &[&str], first: i64) {
    let builder = DatasetWriter::builder(root)
        .partition_by(PartitionBy::column("station_id"))
        .threads(1);
    commit(builder, &batch(stations, first)).unwrap();
}

/// Reads every file below a root as a scan of the whole data set does, which fails if one is torn or
/// is no data file.
pub(crate) fn rows(root: &Path) -> Rows {
    let mut rows = Rows::new();
    let names = tree(root).into_iter().filter(|name| !name.ends_with('/'));
    for name in names {
        if name.starts_with(".atomic/") {
            let path = root.join(name);
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 0, "{path:?}");
            continue;
        }
        assert!(name.ends_with(".parquet"), "{name} in the data set");
        let (partition, _) = name.split_once('/').unwrap();
        let found = rows.entry(partition.to_owned()).or_default();
        for batch in read(&root.join(&name)) {
            for number in batch["number"].as_primitive::<Int64Type>().values() {
                assert!(found.insert(*number), "{number} is twice in {partition}");
            }
        }
    }
    rows
}

/// Waits to be told what to do, as a process that may be killed at any call from then on.
pub(crate) fn ready() -> Option<String> {
    // Calls are counted by thread: those of this one are to come after the harness's own.
    for _ in 0..100 {
        drop(std::fs::File::open("/dev/null").unwrap());
    }
    say("ready");
    heard()
}

/// The part of a process that is told what to commit.
pub(crate) fn play(root: &Path) {
    let told = ready().unwrap();
    let scenario = SCENARIOS.iter().find(|scenario| scenario.name() == told);
    match scenario.unwrap().commit(root) {
        Ok(_) => say("done"),
        Err(error) => say(&format!("{:?} {error:?}", error.outcome())),
    }
}

/// A call of a recorded run: of the calls of its name which its thread had made, the how many-th.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) call: String,
    pub(crate) number: usize,
    /// The whole line of the record.
    pub(crate) line: String,
}

impl Point {
    /// The call with the names of what it is about, without the machine's directories.
    fn shown(&self) -> String {
        let names = self.line.split('"').skip(1).step_by(2);
        let last = names.filter_map(|path| path.rsplit('/').next()).last();
        format!("{} {}", self.call, last.unwrap_or_default())
    }
}

/// What is run again and again: something that is there before, and a part that is played upon it.
pub(crate) struct Run<'a> {
    pub(crate) name: String,
    prepare: &'a (dyn Fn() -> (TempDir, PathBuf) + Sync),
    part: Part,
    told: String,
    failing: &'static [&'static str],
}

impl Run<'_> {
    pub(crate) fn start(&self, options: &[&str], root: &Path) -> Result<Child, String> {
        let options: Vec<&str> = self.failing.iter().chain(options).copied().collect();
        let mut child = Child::start_under_strace(&options, self.part, root)?;
        assert_eq!(child.says().as_deref(), Some("ready"));
        child.tell(&self.told);
        Ok(child)
    }

    /// The calls between being told and having said so, in their order.
    pub(crate) fn record(&self) -> Result<Vec<Point>, String> {
        let (_guard, root) = (self.prepare)();
        let log = root.with_extension("log");
        let known = CALLS.map(|call| format!("?{call}")).join(",");
        let options = ["-o", log.to_str().unwrap(), "-e", &format!("trace={known}")];
        let (said, well) = self.start(&options, &root)?.end();
        assert!(well && said == ["done"], "{}: {said:?}", self.name);

        let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
        // Calls that are made before it begins, which are not to be killed at.
        let mut early: HashMap<&str, usize> = HashMap::new();
        let mut begun = false;
        let mut points: Vec<Point> = Vec::new();
        let log = std::fs::read_to_string(&log).unwrap();
        for line in log.lines() {
            let Some((thread, rest)) = line.split_once(' ') else {
                continue;
            };
            let Some((call, _)) = rest.trim_start().split_once('(') else {
                continue;
            };
            if !CALLS.contains(&call) {
                continue;
            }
            let number = counts.entry((thread, call)).or_default();
            *number += 1;
            if !begun {
                early.insert(call, *number);
                begun = line.contains("child says ready");
                continue;
            }
            let taken = points
                .iter()
                .any(|point| point.call == call && point.number == *number);
            let tampered = format!("inject={call}:");
            let tampered = self
                .failing
                .iter()
                .any(|option| option.starts_with(&tampered));
            if *number > early.get(call).copied().unwrap_or(0) && !taken && !tampered {
                points.push(Point {
                    call: call.to_owned(),
                    number: *number,
                    line: line.to_owned(),
                });
            }
            if line.contains("child says done") {
                break;
            }
        }
        Ok(points)
    }

    /// Kills it there, and gives what is then on disk, whether it had said that it was done, and
    /// whether it was killed at all.
    fn kill_at(&self, point: &Point) -> (TempDir, PathBuf, bool, bool) {
        let (guard, root) = (self.prepare)();
        let inject = format!("inject={}:signal=KILL:when={}", point.call, point.number);
        let child = self
            .start(&["-o", "/dev/null", "-e", &inject], &root)
            .unwrap();
        let (said, well) = child.end();
        (guard, root, said == ["done"], !well)
    }

    /// Kills it at every point, or some of each call, and has `check` look at what is left.
    fn kill_everywhere(
        &self,
        check: impl Fn(usize, &Point, &Path, bool) + Sync,
    ) -> Result<(), String>
    where
        Self: Sync,
    {
        let points = sample(self.record()?);
        let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            while let Some((number, point)) = {
                let number = next.fetch_add(1, Ordering::Relaxed);
                points.get(number).map(|point| (number, point))
            } {
                let (_guard, root, acknowledged, dead) = self.kill_at(point);
                killed.fetch_add(usize::from(dead), Ordering::Relaxed);
                check(number, point, &root, acknowledged);
            }
        };
        std::thread::scope(|scope| {
            (0..2).for_each(|_| drop(scope.spawn(work)));
        });
        let mut calls: Vec<&str> = points.iter().map(|point| point.call.as_str()).collect();
        calls.sort_unstable();
        calls.dedup();
        let killed = killed.into_inner();
        report(format_args!(
            "{}: killed at {killed} of {} points: {}",
            self.name,
            points.len(),
            calls.join(" ")
        ));
        // Where threads share the work, one of them may not come as far as in the recorded run.
        assert!(
            killed + points.len() / 5 >= points.len(),
            "{}: only {killed} of {points:?}",
            self.name
        );
        Ok(())
    }
}

/// All points, or of each call the first, the last and some between.
pub(crate) fn sample(points: Vec<Point>) -> Vec<Point> {
    if full() {
        return points;
    }
    let mut calls: BTreeMap<&str, Vec<&Point>> = BTreeMap::new();
    for point in &points {
        calls.entry(&point.call).or_default().push(point);
    }
    let mut chosen = Vec::new();
    for of_call in calls.into_values() {
        let last = of_call.len() - 1;
        let mut places: Vec<usize> = (0..SAMPLE)
            .map(|number| number * last / (SAMPLE - 1))
            .collect();
        places.dedup();
        chosen.extend(places.into_iter().map(|place| of_call[place].clone()));
    }
    chosen
}

/// A data set with some rows, and its root.
pub(crate) fn prepared() -> (TempDir, PathBuf) {
    let (guard, parent) = directory();
    let root = parent.join("weather");
    append(&root, &["KSEA", "KJFK", "KBOI"], 0);
    (guard, root)
}

pub(crate) fn recovered(root: &Path) -> Recovery {
    let recovery = recover(root).unwrap();
    assert!(
        recovery.failed.is_empty() && recovery.alive.is_empty(),
        "{recovery:?}"
    );
    recovery
}

/// What is left in the staging area, the lock and the memory of named writes aside.
pub(crate) fn leftovers(root: &Path) -> Vec<String> {
    let area = root.with_file_name(".weather.atomic");
    if !area.exists() {
        return Vec::new();
    }
    let receipt =
        |name: &str| name == "writes/" || name.starts_with("writes/") && name.ends_with(".record");
    tree(&area)
        .into_iter()
        .filter(|name| name != "lock" && !receipt(name))
        .collect()
}

#[test]
fn a_commit_killed_at_any_call_is_there_as_a_whole_or_not_at_all() {
    let (guard, root) = prepared();
    let before = rows(&root);
    drop(guard);
    for scenario in SCENARIOS {
        let after = scenario.after(&before);
        let run = scenario.run();
        let check = |number: usize, point: &Point, root: &Path, acknowledged: bool| {
            let place = format!("{}, killed at {}", scenario.name(), point.line);
            let found = rows(root);
            assert!(
                scenario.is_legal(&found, &before, &after),
                "{place}: {found:?}"
            );
            let mut left = if number.is_multiple_of(2) {
                recovered(root);
                rows(root)
            } else {
                append(root, &["KNEXT"], 100);
                let mut found = rows(root);
                assert_eq!(found.remove("station_id=KNEXT").unwrap().len(), 2);
                found
            };
            assert!(
                left == after || (left == before && !acknowledged),
                "{place}: {left:?}"
            );
            if scenario.way == Way::Named {
                scenario.commit(root).unwrap();
                left = rows(root);
                left.remove("station_id=KNEXT");
                assert_eq!(left, after, "{place}, then done again");
            }
            assert_eq!(leftovers(root), [""; 0], "{place}");
        };
        if let Err(reason) = run.kill_everywhere(check) {
            return skip(reason);
        }
    }
}

/// The moments of a commit after which there is something to recover: before its decision, right
/// after it, and when some of it is published.
fn moments(points: &[Point]) -> Vec<Point> {
    let decided = points
        .iter()
        .position(|point| point.call == "renameat2" && point.line.contains("decision.record"))
        .unwrap();
    let mut renames = points[decided + 1..]
        .iter()
        .filter(|point| point.call == "renameat2");
    let [first, second] = [(); 2].map(|()| renames.next().unwrap().clone());
    vec![points[decided].clone(), first, second]
}

#[test]
fn a_recovery_killed_at_any_call_is_finished_by_the_next() {
    let (guard, root) = prepared();
    let before = rows(&root);
    drop(guard);
    let modes = [
        CommitMode::Append,
        CommitMode::OverwritePartitions,
        CommitMode::Overwrite,
    ];
    for scenario in modes.map(|mode| Scenario::new(mode, Way::Plain)) {
        let after = scenario.after(&before);
        let commit = scenario.run();
        let points = match commit.record() {
            Ok(points) => points,
            Err(reason) => return skip(reason),
        };
        for (number, moment) in moments(&points).into_iter().enumerate() {
            let expected = if number == 0 { &before } else { &after };
            let recovery = Run {
                name: format!(
                    "recovery of {}, killed at {}",
                    scenario.name(),
                    moment.shown()
                ),
                // Not a copy of it: what is published is told by its inodes.
                prepare: &|| {
                    let (guard, root, ..) = commit.kill_at(&moment);
                    (guard, root)
                },
                part: Part::RecoverOnce,
                told: String::new(),
                failing: &[],
            };
            let check = |_, point: &Point, root: &Path, acknowledged: bool| {
                let place = format!("{}, killed at {}", recovery.name, point.line);
                let found = rows(root);
                assert!(
                    scenario.is_legal(&found, &before, &after),
                    "{place}: {found:?}"
                );
                assert!(!acknowledged || found == *expected, "{place}: {found:?}");
                recovered(root);
                assert_eq!(rows(root), *expected, "{place}");
                assert_eq!(leftovers(root), [""; 0], "{place}");
            };
            recovery.kill_everywhere(check).unwrap();
        }
    }
}

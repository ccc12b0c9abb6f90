//! Many processes commit to the same data sets, and are killed, while other projects' readers scan.
//!
//! Promises P1, P4, P7 and P8. There are two data sets: one that is only appended to, whose readers
//! must never fail, and one whose partitions are replaced all the time. Each version of a partition
//! carries the history of all commits before it, so that in the end nothing that was acknowledged
//! can be missing, be there twice, or have been replaced unseen. By default this takes seconds; with
//! `ATOMIC_ARROW_FULL=1` a minute, and a thousand processes are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use atomic_arrow::arrow::array::{
    Array as _, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray,
};
use atomic_arrow::arrow::datatypes::Int64Type;
use atomic_arrow::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use atomic_arrow::{
    AtomicArrowWriter, CommitMode, DatasetWriter, DatasetWriterBuilder, Error, PartitionBy, recover,
};

use crate::child::{Child, Part, heard, say};
use crate::ground::{directory, station, tree};
use crate::kills::{full, report};
use crate::support::peers::{Ended, Peers, peers};
use crate::support::skip;

const STATIONS: [&str; 4] = ["KSEA", "KJFK", "KLGA", "KBOI"];
/// The rows that a commit has in each of its partitions.
const ROWS: i64 = 6;
/// The file, beside the data sets, at which processes end.
const STOP: &str = "stop";

fn builder(root: &Path) -> DatasetWriterBuilder {
    DatasetWriter::builder(root)
        .partition_by(PartitionBy::column("station_id"))
        .threads(1)
}

/// Rows of the given stations, as `(station, number, history)`, of one version or commit.
fn batch(name: &str, rows: &[(&str, Option<i64>, Option<String>)]) -> RecordBatch {
    let stations: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)));
    let names: ArrayRef = Arc::new(StringArray::from(vec![name; rows.len()]));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.1)));
    let histories: ArrayRef =
        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.2.clone())));
    RecordBatch::try_from_iter_with_nullable([
        ("station_id", stations, false),
        ("version", Arc::clone(&names), false),
        ("commit", names, false),
        ("number", numbers, true),
        ("history", histories, true),
    ])
    .unwrap()
}

/// Commits rows of three stations.
fn append(root: &Path, name: &str, named: bool) -> Result<(), Error> {
    let rows = (0..3 * ROWS).map(|row| (STATIONS[row as usize % 3], Some(row / 3), None));
    let batch = batch(name, &rows.collect::<Vec<_>>());
    let mut builder = builder(root);
    if named {
        builder = builder.write_id(name);
    }
    let mut writer = builder.build(batch.schema())?;
    writer.write(&batch)?;
    writer.commit().map(drop)
}

/// The stations that a writer's commit of this number replaces.
fn replaced(writer: usize, number: usize) -> [&'static str; 2] {
    let first = (writer + number) % STATIONS.len();
    let second = (first + 1 + number % 3) % STATIONS.len();
    [STATIONS[first], STATIONS[second]]
}

/// Replaces some partitions by a version that knows all that was there.
fn overwrite(root: &Path, name: &str, stations: &[&str], named: bool) -> Result<(), Error> {
    // In two files, so that a reader could see one of an old version and one of a new.
    let mut builder = builder(root)
        .mode(CommitMode::OverwritePartitions)
        .target_file_rows(ROWS as u64 / 2);
    if named {
        builder = builder.write_id(name);
    }
    let rows = stations
        .iter()
        .flat_map(|station| (1..ROWS).map(|row| (*station, Some(row), None)));
    let rows = batch(name, &rows.collect::<Vec<_>>());
    let mut writer = builder.build(rows.schema())?;
    // From its first row on, whoever changes a partition is in conflict with this write.
    writer.write(&rows)?;
    for station in stations {
        let mut history = Partition::settled(root, station).names();
        history.push(name.to_owned());
        writer.write(&batch(name, &[(station, Some(0), Some(history.join(" ")))]))?;
    }
    writer.commit().map(drop)
}

/// Adds one file to a partition that others replace.
fn drop_in(root: &Path, name: &str, at: &str, alone: bool) -> Result<(), Error> {
    let batch = batch(name, &[(at, None, None)]);
    if alone {
        let mut writer = AtomicArrowWriter::create(root, &station(at), batch.schema())?;
        writer.write(&batch)?;
        return writer.commit().map(drop);
    }
    let mut writer = builder(root).build(batch.schema())?;
    writer.write(&batch)?;
    writer.commit().map(drop)
}

/// What somebody who lists one partition and opens what is listed finds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Partition {
    /// The numbers of the rows of each version.
    versions: BTreeMap<String, Vec<i64>>,
    /// Every commit that the versions know of.
    history: Vec<String>,
    /// Those that came since.
    dropped_in: Vec<String>,
}

impl Partition {
    /// # Errors
    /// That a file which was listed is not there any more.
    fn read(root: &Path, station: &str) -> io::Result<Self> {
        let mut partition = Partition::default();
        for entry in fs::read_dir(root.join(format!("station_id={station}")))? {
            let file = File::open(entry?.path())?;
            for batch in ParquetRecordBatchReaderBuilder::try_new(file)
                .unwrap()
                .build()
                .unwrap()
            {
                let batch = batch.unwrap();
                let names = batch["version"].as_string::<i32>();
                let numbers = batch["number"].as_primitive::<Int64Type>();
                let histories = batch["history"].as_string::<i32>();
                for row in 0..batch.num_rows() {
                    let name = names.value(row).to_owned();
                    if numbers.is_null(row) {
                        partition.dropped_in.push(name);
                        continue;
                    }
                    partition
                        .versions
                        .entry(name)
                        .or_default()
                        .push(numbers.value(row));
                    if histories.is_valid(row) {
                        let history = histories.value(row).split(' ').map(str::to_owned);
                        partition.history.extend(history);
                    }
                }
            }
        }
        partition
            .versions
            .values_mut()
            .for_each(|numbers| numbers.sort_unstable());
        Ok(partition)
    }

    fn is_whole(&self) -> bool {
        self.versions.len() == 1
            && self
                .versions
                .values()
                .all(|numbers| numbers.iter().copied().eq(0..ROWS))
    }

    /// Reads until nobody comes between listing and opening.
    fn settled(root: &Path, station: &str) -> Self {
        loop {
            match Partition::read(root, station) {
                Ok(partition) if partition.is_whole() => return partition,
                Ok(partition) if partition.versions.len() > 1 => panic!("{station}: {partition:?}"),
                Err(error) if error.kind() != io::ErrorKind::NotFound => panic!("{error}"),
                _ => {}
            }
        }
    }

    /// Every commit that is known here.
    fn names(self) -> Vec<String> {
        self.history.into_iter().chain(self.dropped_in).collect()
    }
}

/// What a process of the crowd does, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Append,
    Overwrite,
    DropIn,
}

/// The part of a process of the crowd: it is told its work, its number, whether its writes have names,
/// what all its commits are called, and the number of the first.
pub(crate) fn play(root: &Path) {
    let told = heard().unwrap();
    let words: Vec<&str> = told.split(' ').collect();
    let [work, writer, named, called, first] = words[..] else {
        panic!("{told}")
    };
    let (writer, named): (usize, bool) = (writer.parse().unwrap(), named.parse().unwrap());
    let stop = root.with_file_name(STOP);
    for number in first.parse::<usize>().unwrap().. {
        if stop.exists() {
            return;
        }
        let name = format!("{called}-{number}");
        let stations: &[&str] = match work {
            "Append" => &STATIONS[..3],
            "Overwrite" => &replaced(writer, number),
            _ => &[STATIONS[number % STATIONS.len()]],
        };
        say(&format!("try {name} {}", stations.join(" ")));
        loop {
            let committed = match work {
                "Append" => append(root, &name, named),
                "Overwrite" => overwrite(root, &name, stations, named),
                _ => drop_in(root, &name, stations[0], number % 2 == 0),
            };
            match committed {
                Ok(()) => break,
                Err(Error::Conflict { .. }) if work == "Overwrite" => say("conflict"),
                Err(error) => panic!("{name}: {error:?}"),
            }
        }
        say(&format!("done {name}"));
    }
}

/// What was heard of the processes that played one part after another.
#[derive(Debug, Default)]
struct Heard {
    /// Every commit that was begun, and the stations that it is about.
    tried: BTreeMap<String, Vec<String>>,
    done: BTreeSet<String>,
    conflicts: usize,
    killed: usize,
}

impl Heard {
    fn hear(&mut self, line: &str) {
        let mut words = line.split(' ').map(str::to_owned);
        match (words.next().as_deref(), words.next()) {
            (Some("try"), Some(name)) => drop(self.tried.insert(name, words.collect())),
            (Some("done"), Some(name)) => drop(self.done.insert(name)),
            (Some("conflict"), None) => self.conflicts += 1,
            other => panic!("{other:?}"),
        }
    }

    fn add(&mut self, other: Heard) {
        self.tried.extend(other.tried);
        self.done.extend(other.done);
        self.conflicts += other.conflicts;
        self.killed += other.killed;
    }
}

/// A place in the crowd: when its process is killed, another one takes it.
#[derive(Debug, Clone, Copy)]
struct Post {
    work: Work,
    writer: usize,
    /// Whether writes have names, under which they are done again by the next process.
    named: bool,
    /// How many commits a process begins at most before it is killed, if it is.
    lives: Option<usize>,
}

impl Post {
    /// Keeps the post filled until there is a file [`STOP`].
    fn hold(self, root: &Path, killed: &AtomicUsize) -> Heard {
        let stop = root.with_file_name(STOP);
        let mut heard = Heard::default();
        let mut random = Random(self.writer as u64 + 1);
        while !stop.exists() {
            let Post {
                work,
                writer,
                named,
                ..
            } = self;
            let (called, first) = match named {
                true => (format!("{work:?}{writer}"), heard.done.len()),
                false => (format!("{work:?}{writer}.{}", heard.killed), 0),
            };
            let mut child = Child::start(Part::Crowd, root);
            child.tell(&format!("{work:?} {writer} {named} {called} {first}"));
            let mut left = self
                .lives
                .map_or(usize::MAX, |lives| 1 + random.below(lives));
            while left > 0
                && let Some(line) = child.says()
            {
                left -= usize::from(line.starts_with("try"));
                heard.hear(&line);
            }
            if left > 0 {
                assert!(
                    stop.exists() && child.end().1,
                    "a process of {self:?} failed"
                );
                break;
            }
            // Somewhere in the commit that it has begun.
            thread::sleep(Duration::from_micros(random.below(40_000) as u64));
            child
                .kill_and_listen()
                .iter()
                .for_each(|line| heard.hear(line));
            heard.killed += 1;
            killed.fetch_add(1, Ordering::Relaxed);
        }
        heard
    }
}

/// Numbers without much of a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// A reader that looks at a data set again and again.
struct Watch {
    name: String,
    scans: Arc<Mutex<BTreeMap<String, usize>>>,
    thread: JoinHandle<Ended>,
}

impl Watch {
    fn start(peers: &Peers, reader: &str, root: &Path, kind: &str) -> Self {
        let until = root.with_file_name("until");
        let args: [&dyn AsRef<std::ffi::OsStr>; 5] =
            [&reader, &root, &until, &kind, &ROWS.to_string()];
        let running = peers.start("watch_loop.py", &args).unwrap();
        let scans: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let seen = Arc::clone(&scans);
        let thread = thread::spawn(move || {
            while let Some(line) = running.next_line() {
                let scan: serde_json::Value = serde_json::from_str(&line).unwrap();
                let found = scan["found"].as_str().unwrap();
                *seen.lock().unwrap().entry(found.to_owned()).or_default() += 1;
                if found == "gap" {
                    report(format_args!("{line}"));
                }
            }
            running.finish().unwrap()
        });
        Watch {
            name: format!("{reader} of {kind}"),
            scans,
            thread,
        }
    }

    fn count(&self, found: &str) -> usize {
        self.scans.lock().unwrap().get(found).copied().unwrap_or(0)
    }

    fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    fn finish(self) {
        let ended = self.thread.join().unwrap();
        let scans = self.scans.lock().unwrap();
        report(format_args!("{}: {scans:?}", self.name));
        assert!(ended.status.success(), "{}: {}", self.name, ended.stderr);
    }
}

/// Ends everybody, also when a test fails.
struct End<'a>(&'a Path);

impl Drop for End<'_> {
    fn drop(&mut self) {
        for name in [STOP, "until"] {
            let _ = fs::write(self.0.join(name), "");
        }
    }
}

/// The rows of each commit in each partition of a data set that is only appended to.
fn commits(root: &Path) -> BTreeMap<String, BTreeMap<String, Vec<i64>>> {
    let mut commits: BTreeMap<String, BTreeMap<String, Vec<i64>>> = BTreeMap::new();
    for at in &STATIONS[..3] {
        for (name, numbers) in Partition::read(root, at).unwrap().versions {
            commits
                .entry(name)
                .or_default()
                .insert((*at).to_owned(), numbers);
        }
    }
    commits
}

fn check_appended(root: &Path, heard: &Heard) {
    let found = commits(root);
    for (name, partitions) in &found {
        let tried = heard
            .tried
            .get(name)
            .unwrap_or_else(|| panic!("{name} is of nobody"));
        let there: BTreeSet<&String> = partitions.keys().collect();
        assert_eq!(there, tried.iter().collect(), "{name} is there in part");
        for numbers in partitions.values() {
            assert!(
                numbers.iter().copied().eq(0..ROWS),
                "{name}: {partitions:?}"
            );
        }
    }
    let lost: Vec<_> = heard
        .done
        .iter()
        .filter(|name| !found.contains_key(*name))
        .collect();
    assert_eq!(lost, Vec::<&String>::new(), "acknowledged, and lost");
}

fn check_overwritten(root: &Path, heard: &Heard) {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for at in STATIONS {
        let partition = Partition::read(root, at).unwrap();
        assert!(partition.is_whole(), "{at}: {partition:?}");
        for name in partition.names() {
            let new = found.entry(name.clone()).or_default().insert(at.to_owned());
            assert!(new, "{name} is twice in {at}");
        }
    }
    found.remove("begin").unwrap();
    for (name, partitions) in &found {
        let tried = heard
            .tried
            .get(name)
            .unwrap_or_else(|| panic!("{name} is of nobody"));
        assert_eq!(
            *partitions,
            tried.iter().cloned().collect(),
            "{name} is there in part"
        );
    }
    let lost: Vec<_> = heard
        .done
        .iter()
        .filter(|name| !found.contains_key(*name))
        .collect();
    assert_eq!(lost, Vec::<&String>::new(), "acknowledged, and lost");
}

/// Recovers, and sees that nothing is left beside the data set, named receipts aside.
fn recover_all(root: &Path) {
    let recovery = recover(root).unwrap();
    assert!(
        recovery.failed.is_empty() && recovery.alive.is_empty(),
        "{recovery:?}"
    );
    let name = root.file_name().unwrap().to_str().unwrap();
    let area = root.with_file_name(format!(".{name}.atomic"));
    let left = |name: &String| name != "lock" && !name.starts_with("writes/");
    let left: Vec<_> = if area.exists() {
        tree(&area)
    } else {
        Vec::new()
    }
    .into_iter()
    .filter(left)
    .collect();
    assert_eq!(left, [""; 0]);
}

/// Waits until every reader has scanned some times and `enough` says so, or until one has ended.
fn wait(watches: &[Watch], scans: usize, enough: impl Fn() -> bool) {
    let scanned = |watch: &Watch| watch.count("whole") >= scans;
    while !(enough() && watches.iter().all(scanned)) {
        if watches.iter().any(Watch::is_over) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_ten_processes_append_and_overwrite_is_there_once_and_readers_see_nothing_else() {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let (_guard, parent) = directory();
    let [appended, overwritten] = ["appended", "overwritten"].map(|name| parent.join(name));
    append(&appended, "begin", false).unwrap();
    begin(&overwritten);
    let post = |work, writer, named, lives| Post {
        work,
        writer,
        named,
        lives,
    };
    let posts = [
        post(Work::Append, 0, false, None),
        post(Work::Append, 1, false, Some(12)),
        post(Work::Append, 2, true, Some(12)),
        post(Work::Append, 3, true, None),
        post(Work::Overwrite, 4, false, None),
        post(Work::Overwrite, 5, false, Some(12)),
        post(Work::Overwrite, 6, true, Some(12)),
        post(Work::Overwrite, 7, true, None),
        post(Work::DropIn, 8, false, Some(12)),
        post(Work::DropIn, 9, false, None),
    ];
    let (polls, missing, gaps) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let killed = AtomicUsize::new(0);
    let mut heard = [Heard::default(), Heard::default()];
    let watches: Vec<Watch> = ["pyarrow", "polars", "duckdb"]
        .into_iter()
        .flat_map(|reader| {
            [("commits", &appended), ("versions", &overwritten)]
                .map(|(kind, root)| Watch::start(&peers, reader, root, kind))
        })
        .collect();
    thread::scope(|scope| {
        let end = End(&parent);
        let held = posts.map(|post| {
            let root = if post.work == Work::Append {
                &appended
            } else {
                &overwritten
            };
            let killed = &killed;
            (post.work, scope.spawn(move || post.hold(root, killed)))
        });
        let poller = scope.spawn(|| {
            while !parent.join(STOP).exists() {
                polls.fetch_add(1, Ordering::Relaxed);
                match Partition::read(&overwritten, "KSEA") {
                    Ok(partition) if partition.is_whole() => {}
                    Ok(partition) => {
                        assert!(partition.versions.len() < 2, "old and new: {partition:?}");
                        gaps.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::NotFound);
                        missing.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        let begun = Instant::now();
        let seconds = Duration::from_secs(if full() { 60 } else { 4 });
        wait(&watches, 3, || {
            begun.elapsed() >= seconds || poller.is_finished()
        });
        fs::write(parent.join(STOP), "").unwrap();
        for (work, post) in held {
            heard[usize::from(work != Work::Append)].add(post.join().unwrap());
        }
        poller.join().unwrap();
        drop(end);
    });
    watches.into_iter().for_each(Watch::finish);
    for heard in &heard {
        let (tried, done) = (heard.tried.len(), heard.done.len());
        report(format_args!(
            "tried {tried}, done {done}, conflicts {}, killed {}",
            heard.conflicts, heard.killed
        ));
        assert!(done > 10 && heard.killed > 0);
    }
    report(format_args!(
        "polls of a partition {polls:?}: not found when opened {missing:?}, gaps {gaps:?}"
    ));
    heard[0].tried.insert(
        "begin".to_owned(),
        STATIONS[..3].iter().map(|at| (*at).to_owned()).collect(),
    );
    recover_all(&appended);
    check_appended(&appended, &heard[0]);
    recover_all(&overwritten);
    check_overwritten(&overwritten, &heard[1]);
}

/// The first version of every partition.
fn begin(root: &Path) {
    let rows = STATIONS.iter().flat_map(|at| {
        (0..ROWS).map(|row| (*at, Some(row), (row == 0).then(|| "begin".to_owned())))
    });
    let batch = batch("begin", &rows.collect::<Vec<_>>());
    let mut writer = builder(root).build(batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.commit().unwrap();
}

#[test]
fn no_reader_is_disturbed_by_any_number_of_killed_writers() {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let kills = if full() { 1000 } else { 20 };
    let (_guard, parent) = directory();
    let root = parent.join("appended");
    append(&root, "begin", false).unwrap();
    let killed = AtomicUsize::new(0);
    let watches = ["pyarrow", "polars", "duckdb", "datafusion"]
        .map(|reader| Watch::start(&peers, reader, &root, "commits"));
    let post = Post {
        work: Work::Append,
        writer: 0,
        named: false,
        lives: Some(2),
    };
    let mut heard = thread::scope(|scope| {
        let end = End(&parent);
        let held = scope.spawn(|| post.hold(&root, &killed));
        wait(&watches, 3, || {
            killed.load(Ordering::Relaxed) >= kills || held.is_finished()
        });
        fs::write(parent.join(STOP), "").unwrap();
        let heard = held.join().unwrap();
        drop(end);
        heard
    });
    watches.into_iter().for_each(Watch::finish);
    report(format_args!(
        "tried {}, done {}, killed {}",
        heard.tried.len(),
        heard.done.len(),
        heard.killed
    ));
    assert!(heard.killed >= kills);
    heard.tried.insert(
        "begin".to_owned(),
        STATIONS[..3].iter().map(|at| (*at).to_owned()).collect(),
    );
    recover_all(&root);
    check_appended(&root, &heard);
}

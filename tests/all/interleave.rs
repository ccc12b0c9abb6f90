//! Somebody else does something right before any one call of a writer, on the simulated disk.
//!
//! Promises P1, P2, P6 and P8. Where threads race, chance decides what is tested; here nothing is left
//! to it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atomic_arrow::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use atomic_arrow::disk::sim::{FaultTime, Lie, SimDisk};
use atomic_arrow::disk::{Disk, LockKind, LockOutcome};
use atomic_arrow::parquet::file::properties::WriterProperties;
use atomic_arrow::{
    AtomicArrowWriter, AtomicFile, Error, FileOptions, Partition, PublishMode, RecoverOptions,
    Recovery, StagedFile, Step, Verify, WriterOptions, recover_with_options,
};

const ROOT: &str = "/lake/weather";
const PARQUET: &str = "/lake/weather/station_id=KSEA/year=2026/part.parquet";
const LOCK: &str = "/lake/weather/.atomic/lock";
const ORPHAN: &str = "/lake/.weather.atomic/01890a5d-ac96-774b-bcce-b302099a8057.staged";
const HOUR: Duration = Duration::from_secs(60 * 60);
const EIO: i32 = 5;
const EACCES: i32 = 13;

fn batch() -> RecordBatch {
    let stations: ArrayRef = Arc::new(StringArray::from(vec!["KSEA"; 4]));
    let temperatures: ArrayRef = Arc::new(Float64Array::from(vec![
        Some(11.5),
        None,
        Some(-3.25),
        Some(0.0),
    ]));
    RecordBatch::try_from_iter([("station_id", stations), ("temp", temperatures)]).unwrap()
}

fn weather_writer(
    disk: &Arc<dyn Disk>,
    mode: PublishMode,
    verify: Verify,
) -> Result<AtomicArrowWriter, Error> {
    let options = WriterOptions::new()
        .disk(Arc::clone(disk))
        .mode(mode)
        .verify(verify)
        .file_name("part.parquet");
    let partition = Partition::new([("station_id", "KSEA"), ("year", "2026")]).unwrap();
    let root = Path::new("/lake/weather");
    AtomicArrowWriter::create_with_options(root, &partition, batch().schema(), options)
}

fn shared(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// Commits a file of `batches` batches, by which it is told from another.
fn commit(disk: &SimDisk, mode: PublishMode, batches: usize) -> Result<(), Error> {
    let mut writer = weather_writer(&shared(disk), mode, Verify::Footer)?;
    (0..batches).try_for_each(|_| writer.write(&batch()))?;
    writer.commit().map(drop)
}

fn staged(disk: &SimDisk) -> StagedFile {
    let mut writer = weather_writer(&shared(disk), PublishMode::CreateNew, Verify::Footer).unwrap();
    writer.write(&batch()).unwrap();
    writer.finish().unwrap()
}

fn bytes(batches: usize) -> Vec<u8> {
    let disk = SimDisk::new();
    commit(&disk, PublishMode::CreateNew, batches).unwrap();
    disk.read(PARQUET).unwrap()
}

fn recover(disk: &SimDisk, dry_run: bool) -> Recovery {
    let options = RecoverOptions::new().disk(shared(disk)).dry_run(dry_run);
    recover_with_options(ROOT, &options).unwrap()
}

fn put(disk: &SimDisk, path: &str) -> Result<(), Error> {
    let mut file = AtomicFile::create_with_options(path, FileOptions::new().disk(shared(disk)))?;
    file.write_all(path.as_bytes()).unwrap();
    file.commit().map(drop)
}

/// What another process does meanwhile, and whether it committed a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Recover,
    DryRun,
    Create,
    Replace,
    Discard,
    RemoveEmptyDirectories,
}

impl Meanwhile {
    const ALL: [Meanwhile; 6] = [
        Meanwhile::Recover,
        Meanwhile::DryRun,
        Meanwhile::Create,
        Meanwhile::Replace,
        Meanwhile::Discard,
        Meanwhile::RemoveEmptyDirectories,
    ];

    fn act(self, disk: &SimDisk) -> Option<Result<(), Error>> {
        match self {
            Meanwhile::Recover => drop(recover(disk, false)),
            Meanwhile::DryRun => drop(recover(disk, true)),
            Meanwhile::Create => return Some(commit(disk, PublishMode::CreateNew, 2)),
            Meanwhile::Replace => return Some(commit(disk, PublishMode::Replace, 2)),
            Meanwhile::Discard => {
                drop(weather_writer(
                    &shared(disk),
                    PublishMode::Replace,
                    Verify::Footer,
                ));
            }
            Meanwhile::RemoveEmptyDirectories => {
                for directory in disk.directories().into_iter().rev() {
                    if directory.starts_with(ROOT) {
                        let _ = disk.remove_directory(&directory);
                    }
                }
            }
        }
        None
    }
}

/// A writer before one of whose calls something happens.
struct Interleaving {
    mode: PublishMode,
    meanwhile: Meanwhile,
    ours: Result<(), Error>,
    theirs: Option<Result<(), Error>>,
    disk: SimDisk,
}

impl Interleaving {
    /// Lets `meanwhile` happen before the call of this name and number.
    fn run(mode: PublishMode, meanwhile: Meanwhile, call: &'static str, number: usize) -> Self {
        let disk = SimDisk::new();
        (0..number).for_each(|_| disk.before_call(call, || {}));
        let theirs = Arc::new(Mutex::new(None));
        let (other, keep) = (disk.clone(), Arc::clone(&theirs));
        disk.before_call(call, move || {
            let result = meanwhile.act(&other);
            *keep.lock().unwrap() = result;
        });
        let ours = commit(&disk, mode, 1);
        let theirs = theirs.lock().unwrap().take();
        Interleaving {
            mode,
            meanwhile,
            ours,
            theirs,
            disk,
        }
    }

    fn check(&self, mine: &[u8], other: &[u8]) -> Result<(), String> {
        let taken = |result| matches!(result, Some(&Err(Error::AlreadyExists { .. })));
        let they_won = matches!(self.theirs, Some(Ok(())));
        if let Some(Err(error)) = &self.theirs
            && !(taken(self.theirs.as_ref()) && self.ours.is_ok())
        {
            return Err(format!("the other failed: {error:?}"));
        }
        let contents = match &self.ours {
            Ok(()) if they_won && self.meanwhile == Meanwhile::Create => match self.mode {
                PublishMode::Replace => vec![mine],
                _ => return Err("both won".to_owned()),
            },
            // Replacing before us or after us.
            Ok(()) if they_won => vec![mine, other],
            Ok(()) => vec![mine],
            Err(Error::AlreadyExists { .. }) if they_won && self.mode == PublishMode::CreateNew => {
                vec![other]
            }
            Err(error) => return Err(format!("a failure for nothing: {error:?}")),
        };
        let found = self.disk.read(PARQUET).ok();
        if !contents
            .iter()
            .any(|content| found.as_deref() == Some(content))
        {
            return Err("not what was committed".to_owned());
        }
        for found in self.disk.moments().last().unwrap().after_power_loss() {
            let found = found.read(PARQUET).ok();
            if ![mine, other].contains(&found.as_deref().unwrap_or_default()) {
                return Err("lost when the power fails".to_owned());
            }
        }
        let leaked = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == "staged");
        match self.disk.files().into_iter().find(leaked) {
            Some(path) => Err(format!("{} leaked", path.display())),
            None => Ok(()),
        }
    }
}

/// The names of a writer's calls, and how often it makes each.
fn calls(mode: PublishMode) -> BTreeMap<&'static str, usize> {
    let disk = SimDisk::new();
    commit(&disk, mode, 1).unwrap();
    let mut counts = BTreeMap::new();
    for call in disk.calls() {
        let name = call.split(' ').next().unwrap().to_owned();
        *counts.entry(&*name.leak()).or_default() += 1;
    }
    counts
}

#[test]
fn whatever_happens_before_whichever_call_a_commit_succeeds_or_loses_to_another() {
    let (mine, other) = (bytes(1), bytes(2));
    let mut count = 0;
    for mode in [PublishMode::CreateNew, PublishMode::Replace] {
        for (call, times) in calls(mode) {
            for number in 0..times {
                for meanwhile in Meanwhile::ALL {
                    let run = Interleaving::run(mode, meanwhile, call, number);
                    count += 1;
                    run.check(&mine, &other).unwrap_or_else(|wrong| {
                        panic!("{mode:?}, {meanwhile:?} before {call} {number}: {wrong}")
                    });
                }
            }
        }
    }
    assert!(count > 300, "too few to mean anything: {count}");
}

/// Commits files and lets time pass, so that the directories on the way are known to be durable.
fn know(disk: &SimDisk, paths: &[&str]) {
    for path in paths {
        put(disk, path).unwrap();
        disk.advance(HOUR);
    }
}

/// The number of a removed directory is given to the next one, and clocks have a grain.
#[test]
fn a_directory_made_anew_is_synced_though_it_looks_like_a_known_one() {
    let second = "/lake/raw/k=1/second";
    for by_us in [false, true] {
        let disk = SimDisk::new();
        disk.lie(Lie::SameDirectory);
        disk.put("/lake/raw/x", b"").unwrap();
        let directory = Path::new("/lake/raw/k=1");
        match by_us {
            true => know(&disk, &["/lake/raw/k=1/a", "/lake/raw/k=1/b"]),
            // The clock has not moved on.
            false => put(&disk, "/lake/raw/k=1/a").unwrap(),
        }
        for file in disk
            .files()
            .iter()
            .filter(|file| file.starts_with(directory))
        {
            disk.remove_file(file).unwrap();
        }
        disk.remove_directory(directory).unwrap();
        if !by_us {
            disk.create_directory(directory).unwrap();
        }
        put(&disk, second).unwrap();
        for found in disk.moments().last().unwrap().after_power_loss() {
            let content = found.read(second);
            assert!(content.is_ok(), "made by us: {by_us}");
        }
    }
}

/// Another process moves a directory whose name was made durable; its new name is not.
#[test]
fn a_directory_that_was_renamed_is_synced_under_its_new_name() {
    for to in ["/lake/raw/k=2", "/lake/other/k=1"] {
        let disk = SimDisk::new();
        disk.put("/lake/other/x", b"").unwrap();
        know(&disk, &["/lake/raw/k=1/a", "/lake/raw/k=1/b"]);
        let from = Path::new("/lake/raw/k=1");
        Disk::rename(&disk, from, Path::new(to), PublishMode::CreateNew).unwrap();
        let second = format!("{to}/second");
        put(&disk, &second).unwrap();
        for found in disk.moments().last().unwrap().after_power_loss() {
            assert_eq!(found.read(&second).unwrap(), second.as_bytes(), "{to}");
        }
    }
}

/// The first commit leaves behind what this process knows to be durable; the second rests on it.
#[test]
fn a_second_commit_in_a_partition_is_as_durable_as_the_first() {
    let disk = SimDisk::new();
    let paths = ["/lake/raw/k=1/j=2/first", "/lake/raw/k=1/j=2/second"];
    let committed = paths.map(|path| {
        know(&disk, &[path]);
        disk.moments().len()
    });
    for (number, moment) in disk.moments().iter().enumerate() {
        for found in moment.after_power_loss() {
            for (path, committed) in paths.iter().zip(committed) {
                let content = found.read(path);
                let whole = content
                    .as_deref()
                    .is_ok_and(|bytes| bytes == path.as_bytes());
                let absent = content.is_err() && number + 1 < committed;
                assert!(whole || absent, "{path} after {}", moment.call);
            }
        }
    }
    let before = disk.calls().len();
    put(&disk, "/lake/raw/k=1/j=2/third").unwrap();
    let calls = &disk.calls()[before..];
    let syncs = calls.iter().filter(|call| call.starts_with("sync_dir"));
    assert_eq!(
        syncs.count(),
        1,
        "only the directory of the file: {calls:?}"
    );
}

#[test]
fn a_directory_whose_sync_failed_is_not_taken_for_durable_by_the_next_commit() {
    let begin = || {
        let disk = SimDisk::new();
        disk.put("/lake/x", b"").unwrap();
        // Made by somebody who died before the sync.
        for directory in ["/lake/raw", "/lake/raw/k=1"] {
            disk.create_directory(directory.as_ref()).unwrap();
        }
        disk.advance(HOUR);
        disk
    };
    let clean = begin();
    put(&clean, "/lake/raw/k=1/first").unwrap();
    let calls = clean.calls();
    let syncs = (0..calls.len()).filter(|&call| calls[call].starts_with("sync_directory"));
    for call in syncs {
        let disk = begin();
        disk.fail_call(call, EIO, FaultTime::Before);
        put(&disk, "/lake/raw/k=1/first").unwrap_err();
        let second = "/lake/raw/k=1/second";
        put(&disk, second).unwrap();
        for found in disk.moments().last().unwrap().after_power_loss() {
            assert_eq!(
                found.read(second).unwrap(),
                second.as_bytes(),
                "{}",
                calls[call]
            );
        }
    }
}

/// Commits a file while the sync of one directory fails for want of permission; the result, and
/// whether the file is published.
fn put_unsynced(path: &str, directory: &str) -> (Result<(), Error>, bool) {
    let begin = || {
        let disk = SimDisk::new();
        disk.put("/lake/x", b"").unwrap();
        disk
    };
    let clean = begin();
    put(&clean, path).unwrap();
    let call = format!("sync_directory {directory}");
    let call = clean.calls().iter().position(|made| *made == call);
    let disk = begin();
    disk.fail_call(call.unwrap(), EACCES, FaultTime::Before);
    let result = put(&disk, path);
    (result, disk.read(path).is_ok())
}

/// The directories of a lone file are made early, for its area.
#[test]
fn a_directory_that_others_made_need_not_be_ours_to_sync_but_one_that_we_made_must() {
    let cases = [
        ("/lake/raw/k=1/data", ["/lake", "/lake/raw"]),
        ("/lake/deep/er/data", ["/lake", "/lake/deep"]),
    ];
    for (path, above_ours) in cases {
        let (result, published) = put_unsynced(path, "/");
        assert!(result.is_ok() && published, "{path}: {result:?}");
        for directory in above_ours {
            let (result, published) = put_unsynced(path, directory);
            let step = result.as_ref().map_err(Error::step);
            assert_eq!(step, Err(Some(Step::CreateDirectory)), "{directory}");
            assert!(!published);
        }
    }
}

#[test]
fn a_staging_file_that_may_be_published_is_left_to_the_sweep() {
    let clean = SimDisk::new();
    commit(&clean, PublishMode::CreateNew, 1).unwrap();
    let calls = clean.calls();
    let rename = calls.iter().position(|call| call.starts_with("rename"));
    let disk = SimDisk::new();
    // Nor can be looked whether it has happened.
    for call in 0..3 {
        disk.fail_call(rename.unwrap() + call, EIO, FaultTime::Before);
    }
    let unknown = commit(&disk, PublishMode::CreateNew, 1).unwrap_err();
    assert!(matches!(unknown, Error::Unknown { .. }), "{unknown:?}");
    let left = recover(&disk, true).removed;
    assert_eq!(left.len(), 1);
    assert!(disk.files().contains(&left[0]));
    assert_eq!(recover(&disk, false).removed, left);
}

#[test]
fn a_failed_commit_removes_the_directories_that_it_made_and_no_others() {
    let disk = SimDisk::new();
    disk.put("/lake/weather/x", b"").unwrap();
    let before = disk.directories();
    let other = disk.clone();
    disk.before_call("rename", move || {
        let staged = other.files().into_iter().find(|file| {
            let suffix = file.extension();
            suffix.is_some_and(|suffix| suffix == "staged")
        });
        other.remove_file(&staged.unwrap()).unwrap();
    });
    let lost = commit(&disk, PublishMode::CreateNew, 1).unwrap_err();
    assert!(matches!(lost, Error::StagingLost { .. }), "{lost:?}");
    let new: Vec<_> = disk.directories();
    let area = Path::new(LOCK).parent().unwrap();
    let left = new.iter().filter(|directory| *directory != area);
    assert!(left.eq(&before), "{new:?}");
}

#[test]
fn the_lock_against_exchanges_is_shared_by_publishers_until_the_directory_is_synced() {
    let disk = SimDisk::new();
    let first = staged(&disk);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let look = {
        let (other, seen) = (disk.clone(), Arc::clone(&seen));
        move || {
            let ask = |kind| {
                let lock = other.open_or_create_file(LOCK.as_ref()).unwrap();
                lock.try_lock(kind).unwrap()
            };
            let answers = [LockKind::Exclusive, LockKind::Shared].map(ask);
            seen.lock().unwrap().push(answers);
        }
    };
    let (other, after) = (disk.clone(), look.clone());
    disk.before_call("rename", move || {
        look();
        // The directories above have been synced by now.
        other.before_call("sync_directory", after);
    });
    first.publish().unwrap();
    let shared_only = [LockOutcome::Busy, LockOutcome::Held];
    assert_eq!(*seen.lock().unwrap(), [shared_only; 2]);
}

#[test]
fn a_publisher_waits_for_an_exchange_to_end() {
    let disk = SimDisk::new();
    let staged = staged(&disk);
    disk.put(LOCK, b"").unwrap();
    let exchange = disk.open_or_create_file(LOCK.as_ref()).unwrap();
    exchange.try_lock(LockKind::Exclusive).unwrap();
    let (asks, asked) = std::sync::mpsc::channel();
    let done = asks.clone();
    disk.before_call("lock", move || asks.send(()).unwrap());
    let publisher = std::thread::spawn(move || {
        let published = staged.publish().map(drop);
        let _ = done.send(());
        published
    });
    asked.recv().unwrap();
    // It has asked and not been given it: nothing more happens until the exchange is over.
    assert!(disk.read(PARQUET).is_err());
    disk.put("/lake/exchanged", b"").unwrap();
    let over = disk.calls().len();
    drop(exchange);
    publisher.join().unwrap().unwrap();
    let calls = disk.calls();
    let rename = calls.iter().position(|call| call.starts_with("rename"));
    assert!(rename.unwrap() >= over, "{calls:?}");
}

#[test]
fn where_locks_are_not_trusted_a_leftover_is_kept_for_a_day() {
    let disk = SimDisk::new();
    disk.set_trusts_locks(false);
    disk.put(ORPHAN, b"half a fi").unwrap();
    for (hours, dead) in [(0, false), (23, false), (2, true)] {
        disk.advance(hours * HOUR);
        let dry = recover(&disk, true);
        let expected = (usize::from(dead), usize::from(!dead));
        assert_eq!((dry.removed.len(), dry.alive.len()), expected);
        assert!(disk.files().contains(&ORPHAN.into()));
    }
    assert_eq!(recover(&disk, false).removed, [Path::new(ORPHAN)]);
    assert!(!disk.files().contains(&ORPHAN.into()));
    // A lock that is held is believed everywhere.
    let staged = staged(&disk);
    disk.advance(48 * HOUR);
    assert_eq!(recover(&disk, false).alive, [staged.staging_path()]);
    staged.publish().unwrap();
}

#[test]
fn a_writer_costs_no_more_calls_however_many_others_this_process_has_open() {
    let disk = SimDisk::new();
    let mut open = Vec::new();
    let mut costs = Vec::new();
    for number in 0..100 {
        let before = disk.calls().len();
        let path = format!("/lake/raw/k=1/{number}");
        let options = FileOptions::new().disk(shared(&disk));
        open.push(AtomicFile::create_with_options(path, options).unwrap());
        costs.push(disk.calls().len() - before);
    }
    assert!(costs.iter().all(|cost| *cost <= costs[0]), "{costs:?}");
}

#[test]
fn a_caught_panic_leaves_a_writer_poisoned() {
    let disk = SimDisk::new();
    let one_row_each = WriterProperties::builder()
        .set_max_row_group_row_count(Some(1))
        .build();
    let options = WriterOptions::new()
        .disk(shared(&disk))
        .properties(one_row_each);
    let schema = batch().schema();
    let create = AtomicArrowWriter::create_with_options;
    let mut writer = create(ROOT, &Partition::none(), schema, options).unwrap();
    writer.write(&batch()).unwrap();
    disk.before_call("write", || std::panic::resume_unwind(Box::new("a bug")));
    let work = AssertUnwindSafe(|| (0..10_000).try_for_each(|_| writer.write(&batch())));
    let caught = catch_unwind(work);
    assert!(caught.is_err(), "{caught:?}");
    let more = writer.write(&batch());
    assert!(matches!(more, Err(Error::Poisoned { .. })), "{more:?}");
    let committed = writer.commit();
    assert!(matches!(committed, Err(Error::Poisoned { .. })));
    assert_eq!(disk.files(), Vec::<PathBuf>::new());
}

#[test]
fn a_caught_panic_leaves_a_file_of_any_bytes_poisoned() {
    for writes in 0..3 {
        let disk = SimDisk::new();
        let options = FileOptions::new().disk(shared(&disk));
        let mut file = AtomicFile::create_with_options("/data", options).unwrap();
        file.write_all(b"one").unwrap();
        (0..writes).for_each(|_| disk.before_call("write", || {}));
        disk.before_call("write", || std::panic::resume_unwind(Box::new("a bug")));
        let big = vec![b'x'; 1 << 20];
        let work = AssertUnwindSafe(|| (0..3).try_for_each(|_| file.write_all(&big)));
        assert!(catch_unwind(work).is_err());
        let error = file.write_all(b"more").and_then(|()| file.flush());
        let error = error.unwrap_err().downcast::<Error>().unwrap();
        assert!(matches!(error, Error::Poisoned { .. }), "{error:?}");
        let committed = file.commit();
        assert!(matches!(committed, Err(Error::Poisoned { .. })));
        assert_eq!(disk.files(), Vec::<PathBuf>::new());
    }
}

#[test]
fn what_is_checked_byte_by_byte_is_read_from_the_medium() {
    let levels = [
        (Verify::Footer, false),
        (Verify::Checksum, true),
        (Verify::Decode, true),
    ];
    for (level, from_the_medium) in levels {
        let disk = SimDisk::new();
        let mut writer = weather_writer(&shared(&disk), PublishMode::CreateNew, level).unwrap();
        writer.write(&batch()).unwrap();
        writer.commit().unwrap();
        let calls = disk.calls();
        let first = |name| calls.iter().position(|call| call.starts_with(name));
        let dropped = first("drop_cache");
        assert_eq!(dropped.is_some(), from_the_medium, "{level:?}");
        // What is not synced cannot be dropped, what is read already was not read anew.
        assert!(
            dropped.is_none_or(|at| Some(at) > first("sync_file") && Some(at) < first("read_at"))
        );
    }
}

#[test]
fn a_staging_file_that_a_sweep_has_locked_is_left_to_it() {
    let disk = SimDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (other, held) = (disk.clone(), Arc::new(Mutex::new(None)));
    let keep = Arc::clone(&held);
    disk.before_call("try_lock", move || {
        let staged = other
            .files()
            .into_iter()
            .find(|file| file.starts_with("/lake/.weather.atomic"))
            .unwrap();
        let file = other.open_file(&staged, true).unwrap();
        file.try_lock(LockKind::Exclusive).unwrap();
        *keep.lock().unwrap() = Some((staged, file));
    });
    let writer = weather_writer(&shared, PublishMode::CreateNew, Verify::Footer).unwrap();
    let taken = held.lock().unwrap().take().unwrap();
    assert!(
        !disk.files().contains(&taken.0),
        "a file that nobody writes was left behind"
    );
    drop(taken);
    let mut writer = writer;
    writer.write(&batch()).unwrap();
    writer.commit().unwrap();
}

/// Whether a file that is damaged on its way from memory to the disk is published.
fn is_published(verify: Verify, lie: &Lie) -> bool {
    let disk = SimDisk::new();
    disk.lie(lie.clone());
    let mut writer = weather_writer(&shared(&disk), PublishMode::CreateNew, verify).unwrap();
    writer.write(&batch()).unwrap();
    let committed = writer.commit();
    if committed.is_err() {
        assert!(
            matches!(committed, Err(Error::Damaged { .. })),
            "{committed:?}"
        );
        assert_eq!(disk.files(), Vec::<PathBuf>::new(), "{verify:?} {lie:?}");
    }
    committed.is_ok()
}

#[test]
fn without_verification_damage_between_memory_and_disk_is_published() {
    // Each level finds what the one before it cannot.
    for lie in [&Lie::FlippedByte(0), &Lie::ShortWrite] {
        assert!(is_published(Verify::Skip, lie));
        assert!(!is_published(Verify::Footer, lie));
    }
    let in_a_page = Lie::FlippedByte(40);
    assert!(is_published(Verify::Footer, &in_a_page));
    assert!(!is_published(Verify::Checksum, &in_a_page));
    assert!(!is_published(Verify::Decode, &in_a_page));
}

#[test]
fn a_discarded_file_leaves_no_directory_either() {
    let disk = SimDisk::new();
    staged(&disk).discard();
    assert_eq!(disk.directories(), Vec::<PathBuf>::new());
}

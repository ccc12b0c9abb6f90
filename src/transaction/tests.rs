//! Who may commit what, and when not. What a crash leaves is looked at by the crash laboratory.

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::backend::LocalBackend;
use crate::disk::Disk;
use crate::disk::sim::{FaultTime, Lie, Moment, SimDisk};
use crate::error::{IoContext as _, Step};
use crate::file::AtomicFile;
use crate::options::{Durability, FileOptions, StagingPlace};
use crate::partition::Partition;
use crate::receipt::{CommitMode, Note, WriteName};
use crate::staging::{Area, home_of_root, staged_name};

const ROOT: &str = "/lake";
const CONTROL: &str = "/lake/.atomic";

type Found = BTreeMap<PathBuf, Vec<u8>>;

fn backend(disk: &SimDisk) -> Arc<LocalBackend> {
    target_at(disk, &StagingPlace::Auto)
}

fn target_at(disk: &SimDisk, place: &StagingPlace) -> Arc<LocalBackend> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let home = home_of_root(disk.as_ref(), Path::new(ROOT), place).unwrap();
    let area = Area::open(&disk, home).unwrap();
    Arc::new(LocalBackend::new(area))
}

/// What a reader of the data set sees.
fn seen(disk: &SimDisk) -> Found {
    let shown = |file: &PathBuf| file.starts_with(ROOT) && !file.starts_with(CONTROL);
    let files = disk.files().into_iter().filter(shown);
    files
        .map(|file| (file.clone(), disk.read(&file).unwrap()))
        .collect()
}

fn write(
    backend: &Arc<LocalBackend>,
    mode: CommitMode,
    write_id: Option<&str>,
    files: &[(&str, &[u8])],
) -> Result<Receipt> {
    let name = write_id.map(|id| WriteName::new(id, None));
    write_with(backend, Durability::Synced, mode, name.as_ref(), files)
}

fn write_with(
    backend: &Arc<LocalBackend>,
    durability: Durability,
    mode: CommitMode,
    name: Option<&WriteName>,
    files: &[(&str, &[u8])],
) -> Result<Receipt> {
    let (transaction, conflicts, staged) = stage_with(backend, durability, mode, files)?;
    let id = transaction.id();
    let committed =
        transaction.commit(&conflicts, staged, name, |_| Ok(receipt(id, mode, name)))?;
    Ok(committed.expect("no mode of these tests ignores a write"))
}

fn receipt(id: Uuid, mode: CommitMode, name: Option<&WriteName>) -> Receipt {
    let receipt = Receipt::new(id, mode, Vec::new()).unwrap();
    match name {
        Some(name) => receipt.with_name(name).unwrap(),
        None => receipt,
    }
}

fn stage(
    backend: &Arc<LocalBackend>,
    mode: CommitMode,
    files: &[(&str, &[u8])],
) -> Result<(Transaction, ConflictCheck, Vec<StagedName>)> {
    stage_with(backend, Durability::Synced, mode, files)
}

fn stage_with(
    backend: &Arc<LocalBackend>,
    durability: Durability,
    mode: CommitMode,
    files: &[(&str, &[u8])],
) -> Result<(Transaction, ConflictCheck, Vec<StagedName>)> {
    let transaction = Transaction::begin(Arc::clone(backend) as Arc<dyn Backend>, durability)?;
    let conflicts = ConflictCheck::begin(backend.as_ref(), mode, Path::new(""), false)?;
    let workspace = backend.workspace(transaction.id())?;
    let mut staged = Vec::new();
    for (number, (directory, bytes)) in files.iter().enumerate() {
        let number = number as u64;
        let partition = Partition::parse(directory).unwrap();
        conflicts.touch(backend.as_ref(), &partition)?;
        let mut draft = workspace.create(false)?;
        let written = draft.write_all(bytes);
        written.at(Step::WriteRows, draft.path())?;
        draft.sync(durability, None)?;
        draft.disown();
        staged.push(StagedName {
            staged: staged_name(number),
            directory: directory.into(),
            name: format!("part-{}-{number:05}.parquet", transaction.id()),
        });
    }
    Ok((transaction, conflicts, staged))
}

const NEW: [(&str, &[u8]); 2] = [("year=1", b"new one"), ("year=2", b"new two")];

/// A disk on which the data set has files in two partitions, one of which every write touches.
fn old_disk(journaled: bool, exchanges: bool) -> SimDisk {
    let disk = SimDisk::new();
    disk.set_journaled(journaled);
    disk.set_exchanges(exchanges);
    disk.put("/lake/year=1/old.parquet", b"old one").unwrap();
    disk.put("/lake/year=3/old.parquet", b"old three").unwrap();
    disk
}

fn recover(disk: &SimDisk) -> Result<()> {
    for (_, recovered) in
        recover_all(backend(disk).as_ref(), (false, false), &mut || {})?.transactions
    {
        assert_ne!(recovered?, Recovered::Alive);
    }
    Ok(())
}

/// What is left in the staging area, and in the control directory but its lock.
fn left(disk: &SimDisk) -> Vec<PathBuf> {
    let in_area = |file: &PathBuf| file.starts_with("/.lake.atomic") || file.starts_with(CONTROL);
    let left = disk.files().into_iter().filter(in_area);
    left.filter(|file| !file.ends_with("lock")).collect()
}

/// A write on a disk without exchanges of which all calls fail that remove an old file.
fn write_without_removing(mode: CommitMode) -> (SimDisk, Receipt) {
    const EACCES: i32 = 13;
    let removes = |call: &str| call == "remove_file /lake/year=1/old.parquet";
    let disk = || {
        let disk = old_disk(true, false);
        let backend = backend(&disk);
        (disk, backend)
    };
    let mut failing = Vec::new();
    loop {
        let (disk, backend) = disk();
        for &call in &failing {
            disk.fail_call(call, EACCES, FaultTime::Before);
        }
        let receipt = write(&backend, mode, None, &NEW).unwrap();
        let calls = disk.calls();
        let all = calls.iter().enumerate().filter(|(_, call)| removes(call));
        let all: Vec<usize> = all.map(|(number, _)| number).collect();
        if all == failing {
            return (disk, receipt);
        }
        failing = all;
    }
}

#[test]
fn an_old_file_that_stays_where_nothing_can_be_exchanged_is_a_note_and_goes_later() {
    let old = Path::new("/lake/year=1/old.parquet");
    for mode in [CommitMode::OverwritePartitions, CommitMode::Overwrite] {
        for another in [false, true] {
            let (disk, receipt) = write_without_removing(mode);
            let notes: Vec<&str> = receipt.notes().iter().map(Note::kind).collect();
            assert_eq!(notes, ["leftover"], "{mode:?}");
            assert!(seen(&disk).contains_key(old), "{mode:?}");
            if another {
                // Not the file that was to go.
                disk.remove_file(old).unwrap();
                disk.put(old, b"another").unwrap();
            }
            let recovered =
                recover_all(backend(&disk).as_ref(), (false, false), &mut || {}).unwrap();
            assert!(recovered.left.is_empty(), "{:?}", recovered.left);
            assert_eq!(seen(&disk).contains_key(old), another, "{mode:?}");
            assert_eq!(left(&disk), Vec::<PathBuf>::new());
        }
    }
}

#[test]
fn a_commit_of_another_that_is_published_and_cannot_be_forgotten_is_a_leftover_and_no_more() {
    const EACCES: i32 = 13;
    let removes = |call: &String| call.starts_with("remove_file") && call.ends_with(DECIDED);
    let dead = || {
        let disk = old_disk(true, true);
        write(&backend(&disk), CommitMode::Append, None, &NEW).unwrap();
        let moments = disk.moments();
        let decided = |moment: &&Moment| moment.call.ends_with(DECIDED);
        let found = moments.iter().find(decided).unwrap().after_power_loss();
        let whole = found.into_iter().find(|disk| {
            disk.set_journaled(true);
            disk.files()
                .iter()
                .any(|file| file.ends_with("decision.record"))
        });
        whole.unwrap()
    };
    let twin = dead();
    let of_twin = target_at_rest(&twin);
    recover_all(of_twin.as_ref(), (false, false), &mut || {}).unwrap();
    let at = twin.calls().iter().position(removes).unwrap();
    let disk = dead();
    let target = target_at_rest(&disk);
    disk.fail_call(at, EACCES, FaultTime::Before);
    let recovered = recover_all(target.as_ref(), (false, false), &mut || {}).unwrap();
    let (_, told) = recovered.transactions.into_iter().next().unwrap();
    let error = told.unwrap_err();
    assert!(matches!(error, Error::NotRemoved { .. }), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotPublished);
    let published = seen(&disk);
    assert_eq!(published.len(), 4);
    recover(&disk).unwrap();
    assert_eq!(seen(&disk), published);
}

const DECIDED: &str = "/decision.record";

/// The backend of a data set, without recovering anything.
fn target_at_rest(disk: &SimDisk) -> Arc<LocalBackend> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let home = home_of_root(disk.as_ref(), Path::new(ROOT), &StagingPlace::Auto).unwrap();
    let area = Area::at(&disk, home, PathBuf::from("/.lake.atomic"));
    Arc::new(LocalBackend::new(area))
}

const MODES: [CommitMode; 4] = [
    CommitMode::Append,
    CommitMode::ErrorIfExists,
    CommitMode::OverwritePartitions,
    CommitMode::Overwrite,
];

fn modes_that_succeed() -> impl Iterator<Item = CommitMode> {
    MODES
        .into_iter()
        .filter(|mode| *mode != CommitMode::ErrorIfExists)
}

#[test]
fn a_writer_that_was_taken_for_dead_finds_its_transaction_aborted() {
    let disk = old_disk(true, true);
    let before = seen(&disk);
    let backend = backend(&disk);
    let (transaction, conflicts, staged) = stage(&backend, CommitMode::Append, &NEW).unwrap();
    // With it, the area stays.
    disk.put("/.lake.atomic/other", b"").unwrap();
    disk.set_trusts_locks(false);
    disk.lie(Lie::Locks);
    disk.advance(Duration::from_secs(25 * 60 * 60));
    recover(&disk).unwrap();
    let error = transaction
        .commit(&conflicts, staged, None, |_| {
            Ok(receipt(Uuid::nil(), CommitMode::Append, None))
        })
        .unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotPublished, "{error:?}");
    assert_eq!(seen(&disk), before);
}

#[test]
fn an_overwrite_that_meets_another_commit_in_between_is_a_conflict() {
    for mode in [CommitMode::OverwritePartitions, CommitMode::Overwrite] {
        for other in modes_that_succeed() {
            let disk = old_disk(true, true);
            let backend = backend(&disk);
            let (transaction, conflicts, staged) = stage(&backend, mode, &NEW).unwrap();
            write(&backend, other, None, &[("year=1", b"other")]).unwrap();
            let between = seen(&disk);
            let error = transaction
                .commit(&conflicts, staged, None, |_| {
                    Ok(receipt(Uuid::nil(), CommitMode::Append, None))
                })
                .unwrap_err();
            assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
            assert_eq!(seen(&disk), between);
            assert_eq!(left(&disk), Vec::<PathBuf>::new());
        }
    }
}

#[test]
fn a_write_of_a_name_that_was_committed_publishes_nothing_and_gives_the_first_receipt() {
    let disk = old_disk(true, true);
    let backend = backend(&disk);
    let first = write(&backend, CommitMode::Append, Some("monday"), &NEW).unwrap();
    let there = seen(&disk);
    let again = write(&backend, CommitMode::Append, Some("monday"), &NEW[..1]).unwrap();
    assert_eq!((first, there), (again, seen(&disk)));
    write(&backend, CommitMode::Append, Some("tuesday"), &NEW[..1]).unwrap();
    assert_ne!(left(&disk), Vec::<PathBuf>::new());
}

#[test]
fn the_name_of_a_write_is_remembered_for_thirty_days() {
    let day = Duration::from_secs(24 * 60 * 60);
    let disk = old_disk(true, true);
    let backend = backend(&disk);
    let commit = |name| write(&backend, CommitMode::Append, Some(name), &NEW).unwrap();
    let first = commit("monday");
    disk.advance(29 * day);
    commit("tuesday");
    assert_eq!(commit("monday"), first);
    disk.advance(2 * day);
    commit("wednesday");
    assert_eq!(left(&disk).len(), 4, "{:?}", left(&disk));
    assert_ne!(commit("monday"), first);
}

#[test]
fn a_partition_that_has_files_is_refused_where_nothing_may_be() {
    let disk = old_disk(true, true);
    let before = seen(&disk);
    let error = write(&backend(&disk), CommitMode::ErrorIfExists, None, &NEW).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
    assert_eq!((seen(&disk), left(&disk)), (before, Vec::new()));
    write(&backend(&disk), CommitMode::ErrorIfExists, None, &NEW[1..]).unwrap();
}

#[test]
fn a_new_partition_that_others_tidy_away_before_the_rename_is_made_again_durably() {
    let disk = old_disk(true, true);
    let backend = backend(&disk);
    // The third rename is that of the file in the new partition, after the record and another file.
    let (first, second, third) = (disk.clone(), disk.clone(), disk.clone());
    disk.before_call("rename", move || {
        first.before_call("rename", move || {
            second.before_call("rename", move || {
                third.remove_directory(Path::new("/lake/year=2")).unwrap();
            });
        });
    });
    write(&backend, CommitMode::Append, None, &NEW).unwrap();
    let committed = seen(&disk);
    assert_eq!(committed.len(), 4);
    for found in disk.moments().last().unwrap().after_power_loss() {
        assert_eq!(seen(&found), committed);
    }
}

#[test]
fn the_parent_of_many_new_partitions_is_synced_for_all_of_them_at_once() {
    let disk = old_disk(true, true);
    let names: Vec<String> = (10..50).map(|year| format!("year={year}")).collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), b"new".as_slice()))
        .collect();
    write(&backend(&disk), CommitMode::Append, None, &files).unwrap();
    let committed = seen(&disk);
    assert_eq!(committed.len(), 42);
    let moments = disk.moments();
    let syncs_of_root = moments
        .iter()
        .filter(|moment| moment.call == "sync_directory /lake");
    assert_eq!(
        syncs_of_root.count(),
        3,
        "as the lock is made, before the renames, and after"
    );
    for found in moments.last().unwrap().after_power_loss() {
        assert_eq!(seen(&found), committed);
    }
}

#[test]
fn an_overwrite_that_is_staged_inside_the_data_set_shows_readers_no_data_file_there() {
    let in_area = |path: &Path| path.starts_with("/lake/.atomic");
    let data = |disk: &SimDisk| {
        let seen = seen(disk).into_iter();
        seen.filter(|(path, _)| !in_area(path)).collect::<Found>()
    };
    for mode in [CommitMode::OverwritePartitions, CommitMode::Overwrite] {
        let disk = old_disk(true, true);
        let before = data(&disk);
        let first = disk.moments().len();
        let backend = target_at(&disk, &StagingPlace::Inside);
        write(&backend, mode, None, &NEW).unwrap();
        let after = data(&disk);
        let old = |path: &str| after.contains_key(Path::new(path));
        assert_eq!(
            after.len(),
            if old("/lake/year=3/old.parquet") {
                3
            } else {
                2
            }
        );
        assert!(!old("/lake/year=1/old.parquet"));
        assert_eq!(
            old("/lake/year=3/old.parquet"),
            mode != CommitMode::Overwrite
        );
        for moment in &disk.moments()[first..] {
            for found in moment.after_power_loss() {
                let shown = |disk: &SimDisk| {
                    let files = disk.files().into_iter().chain(disk.directories());
                    let mut files = files.filter(|path| in_area(path));
                    files.find(|path| path.extension().is_some_and(|end| end == "parquet"))
                };
                assert_eq!(shown(&found), None, "{mode:?}, {}", moment.call);
                for (_, recovered) in recover_all(
                    target_at(&found, &StagingPlace::Inside).as_ref(),
                    (false, false),
                    &mut || {},
                )
                .unwrap()
                .transactions
                {
                    assert_ne!(recovered.unwrap(), Recovered::Alive);
                }
                let recovered = data(&found);
                assert!(
                    recovered == before || recovered == after,
                    "{mode:?}, {}: {recovered:?}",
                    moment.call
                );
            }
        }
    }
}

#[test]
fn an_unsynced_commit_syncs_its_record_and_the_removal_of_that_alone() {
    for mode in modes_that_succeed() {
        let disk = old_disk(true, true);
        // The first commit into a data set syncs its lock's directory.
        drop(
            backend(&disk)
                .lock(LockKind::Shared, None, &HashSet::new())
                .unwrap(),
        );
        let before = disk.calls().len();
        write_with(&backend(&disk), Durability::Unsynced, mode, None, &NEW).unwrap();
        let calls = disk.calls();
        let syncs: Vec<&String> = calls[before..]
            .iter()
            .filter(|call| call.starts_with("sync"))
            .collect();
        assert_eq!(syncs.len(), 2, "{mode:?}: {syncs:?}");
        assert!(syncs[0].starts_with("sync_file "), "{syncs:?}");
        assert!(syncs[1].starts_with("sync_directory /.lake.atomic/"));
    }
}

/// What the files of the data set hold, in order.
fn contents(disk: &SimDisk) -> Vec<Vec<u8>> {
    let mut contents: Vec<Vec<u8>> = seen(disk).into_values().collect();
    contents.sort();
    contents
}

/// Lets every call of a disk from one until before another fail, as for a process that is dead from then on.
fn fail_calls(disk: &SimDisk, calls: Range<usize>) {
    for call in calls {
        disk.fail_call(call, 5, FaultTime::Before);
    }
}

/// Recovers a disk after the calls that fail are over. Says if all of a commit is there; else it is as it was before.
fn recovered_whole(
    disk: &SimDisk,
    calls: usize,
    (before, after): (&[Vec<u8>], &[Vec<u8>]),
    place: &str,
) -> bool {
    while disk.calls().len() < calls {
        let _ = disk.place(Path::new("/"));
    }
    recover(disk).unwrap();
    let found = contents(disk);
    assert!(found == before || found == after, "{place}");
    assert_eq!(left(disk), Vec::<PathBuf>::new(), "{place}");
    found == after
}

#[test]
fn an_unsynced_commit_whose_process_dies_is_published_whole_or_not_at_all() {
    const CALLS: usize = 200;
    for mode in modes_that_succeed() {
        let whole = old_disk(true, true);
        write_with(&backend(&whole), Durability::Unsynced, mode, None, &NEW).unwrap();
        let (before, after) = (contents(&old_disk(true, true)), contents(&whole));
        let (mut none, mut all) = (0, 0);
        for lived in 0.. {
            let disk = old_disk(true, true);
            let backend = backend(&disk);
            let dies = disk.calls().len() + lived;
            fail_calls(&disk, dies..dies + CALLS);
            let done = write_with(&backend, Durability::Unsynced, mode, None, &NEW);
            if disk.calls().len() <= dies {
                done.unwrap();
                break;
            }
            let place = format!("{mode:?}, {lived}");
            match recovered_whole(&disk, dies + CALLS, (&before, &after), &place) {
                true => all += 1,
                false => none += 1,
            }
        }
        assert!(none > 0 && all > 0, "{mode:?}");
    }
}

#[test]
fn a_commit_of_so_many_files_that_threads_share_them_is_published_whole_or_not_at_all() {
    const FILES: usize = 260;
    let directories: Vec<String> = (0..FILES).map(|n| format!("year={}", n % 7)).collect();
    let files: Vec<(&str, &[u8])> = directories
        .iter()
        .map(|directory| (directory.as_str(), b"new".as_slice()))
        .collect();
    for mode in modes_that_succeed() {
        let whole = old_disk(true, true);
        let first = whole.calls().len();
        write(&backend(&whole), mode, None, &files).unwrap();
        let (before, after) = (contents(&old_disk(true, true)), contents(&whole));
        let last = whole.calls().len();
        let (mut none, mut all) = (0, 0);
        for dies in (first..last).rev().step_by((last - first) / 6) {
            let disk = old_disk(true, true);
            let backend = backend(&disk);
            fail_calls(&disk, dies..last + FILES);
            let done = write(&backend, mode, None, &files);
            let place = format!("{mode:?}, {dies} of {last}: {done:?}");
            match recovered_whole(&disk, last + FILES, (&before, &after), &place) {
                true => all += 1,
                false => none += 1,
            }
        }
        assert!(none > 0 && all > 0, "{mode:?}");
    }
}

#[test]
fn a_power_cut_in_an_unsynced_commit_keeps_nobody_from_committing() {
    for mode in modes_that_succeed() {
        let disk = old_disk(true, true);
        let first = disk.moments().len();
        write_with(&backend(&disk), Durability::Unsynced, mode, None, &NEW[..1]).unwrap();
        // What a cut may leave at any other moment is a part of what it may leave at one of these.
        let shows = |moment: &&Moment| {
            let calls = ["rename", "exchange", "remove_file"];
            calls.iter().any(|call| moment.call.starts_with(call))
        };
        for moment in disk.moments()[first..].iter().filter(shows) {
            for found in moment.after_power_loss() {
                recover(&found).unwrap();
                write(&backend(&found), CommitMode::Append, None, &NEW).unwrap();
                let old = found.read("/lake/year=3/old.parquet");
                let untouched = old.is_ok_and(|content| content == b"old three");
                assert!(untouched || mode == CommitMode::Overwrite, "{mode:?}");
            }
        }
    }
}

#[test]
fn a_power_cut_after_unsynced_overwrites_harms_no_synced_file_after_them() {
    let disk = old_disk(true, true);
    let (mode, path) = (
        CommitMode::OverwritePartitions,
        "/lake/year=1/later.parquet",
    );
    for _ in 0..2 {
        write_with(&backend(&disk), Durability::Unsynced, mode, None, &NEW[..1]).unwrap();
    }
    let options = FileOptions::new().disk(Arc::new(disk.clone()));
    let mut file = AtomicFile::create_with_options(path, options).unwrap();
    file.write_all(b"later").unwrap();
    file.commit().unwrap();
    for found in disk.moments().last().unwrap().after_power_loss() {
        recover(&found).unwrap();
        assert_eq!(found.read(path).unwrap(), b"later");
    }
}

#[test]
fn whoever_finishes_an_overwrite_leaves_a_file_that_was_written_under_an_old_name_since() {
    const EIO: i32 = 5;
    let overwrite = |disk: &SimDisk| {
        let backend = target_at(disk, &StagingPlace::Inside);
        write(&backend, CommitMode::Overwrite, None, &NEW)
    };
    let whole = old_disk(true, true);
    overwrite(&whole).unwrap();
    let calls = whole.calls();
    let decided = calls
        .iter()
        .position(|call| call.starts_with("rename") && call.contains("decision.record"))
        .unwrap();

    let disk = old_disk(true, true);
    for call in decided + 1..calls.len() + 100 {
        disk.fail_call(call, EIO, FaultTime::Before);
    }
    assert_ne!(
        overwrite(&disk).unwrap_err().outcome(),
        Outcome::NotPublished
    );
    while disk.calls().len() < calls.len() + 100 {
        let _ = disk.place(Path::new("/"));
    }
    disk.remove_file(Path::new("/lake/year=1/old.parquet"))
        .unwrap();
    disk.put("/lake/year=1/old.parquet", b"later").unwrap();
    let backend = target_at(&disk, &StagingPlace::Inside);
    for (_, recovered) in recover_all(backend.as_ref(), (false, false), &mut || {})
        .unwrap()
        .transactions
    {
        assert_eq!(recovered.unwrap(), Recovered::Finished);
    }
    let mut found = contents(&disk);
    found.retain(|content| !content.is_empty());
    assert_eq!(
        found,
        [b"later".to_vec(), b"new one".to_vec(), b"new two".to_vec()]
    );
}

/// Commits staged in a directory that is then gone, as it is for whoever comes by another path.
mod by_another_path {
    use super::*;

    const GIVEN: &str = "/given";

    fn given() -> StagingPlace {
        StagingPlace::Directory(GIVEN.into())
    }

    fn hide(disk: &SimDisk) {
        let below = |path: &PathBuf| path.starts_with(GIVEN);
        for file in disk.files().into_iter().filter(below) {
            disk.remove_file(&file).unwrap();
        }
        let mut directories = disk.directories();
        directories.retain(below);
        for directory in directories.iter().rev() {
            disk.remove_directory(directory).unwrap();
        }
    }

    /// After each loss of power from a moment on, writes again what was written since: it is refused, known to be committed, or
    /// written where nothing of it was decided, and whatever else is there stays.
    fn check_repeated(
        disk: &SimDisk,
        (first, before): (usize, &Found),
        of: &str,
        again: impl Fn(&Arc<LocalBackend>, &str) -> Result<Receipt>,
    ) {
        let after = seen(disk);
        let (mut refused, mut known, mut free) = (0, 0, 0);
        for moment in &disk.moments()[first..] {
            for found in moment.after_power_loss() {
                let place = format!("{of}, {}", moment.call);
                let there = seen(&found);
                let mut files = found.files().into_iter();
                let decided = files.any(|file| file.ends_with("decision.record"));
                hide(&found);
                match again(&backend(&found), &place) {
                    Err(Error::OutOfReach { area, .. }) => {
                        refused += 1;
                        assert_eq!(area.as_deref(), Some(Path::new(GIVEN)), "{place}");
                    }
                    Err(Error::AlreadyCommitted { .. }) => {
                        known += 1;
                        assert_eq!(there, after, "{place}");
                    }
                    done => {
                        done.unwrap();
                        free += 1;
                        assert_eq!(&there, before, "{place}");
                        assert!(!decided, "{place}");
                        continue;
                    }
                }
                assert_eq!(seen(&found), there, "{place}");
            }
        }
        assert!(refused > 0 && known > 0 && free > 0, "{of}");
    }

    #[test]
    fn nothing_is_published_beside_a_commit_that_may_be_unfinished_where_nobody_sees_it() {
        for mode in modes_that_succeed() {
            let disk = old_disk(true, true);
            // Another commit long ago, so that there is a lock.
            write(&backend(&disk), CommitMode::Append, None, &NEW[..1]).unwrap();
            let before = (disk.moments().len(), &seen(&disk));
            write(&target_at(&disk, &given()), mode, Some("monday"), &NEW).unwrap();
            check_repeated(&disk, before, &format!("{mode:?}"), |other, _| {
                write(other, CommitMode::Append, Some("monday"), &NEW[..1])
            });
        }
    }

    #[test]
    fn of_a_stream_the_latest_number_that_is_published_is_known_all_the_same() {
        let write = |backend: &Arc<LocalBackend>, sequence| {
            let name = WriteName::new("monday", Some(sequence));
            let (synced, mode) = (Durability::Synced, CommitMode::Append);
            write_with(backend, synced, mode, Some(&name), &NEW[..1])
        };
        let disk = old_disk(true, true);
        write(&target_at(&disk, &given()), 1).unwrap();
        let before = (disk.moments().len(), &seen(&disk));
        write(&target_at(&disk, &given()), 2).unwrap();
        check_repeated(&disk, before, "a stream", |other, place| {
            // In no state the one before is forgotten while this one is not yet known.
            if let Ok(earlier) = write(other, 1) {
                assert!(earlier.replayed(), "{place}");
            }
            write(other, 2)
        });
    }

    #[test]
    fn whoever_sees_the_area_by_its_marker_finishes_what_is_in_it() {
        for mode in modes_that_succeed() {
            let disk = old_disk(true, true);
            let first = disk.moments().len();
            write(&target_at(&disk, &given()), mode, None, &NEW).unwrap();
            let after = seen(&disk);
            let mut finished = 0;
            for moment in &disk.moments()[first..] {
                for found in moment.after_power_loss() {
                    let mut files = found.files().into_iter();
                    if !files.any(|file| file.ends_with("decision.record")) {
                        continue;
                    }
                    let place = format!("{mode:?}, {}", moment.call);
                    write(&backend(&found), CommitMode::Append, None, &[]).unwrap();
                    assert_eq!(seen(&found), after, "{place}");
                    finished += 1;
                }
            }
            assert!(finished > 0, "{mode:?}");
        }
    }
}

#[test]
fn a_root_that_is_exchanged_keeps_the_names_of_its_writes() {
    let disk = old_disk(true, true);
    let backend = backend(&disk);
    let first = write(&backend, CommitMode::Append, Some("monday"), &NEW).unwrap();
    write(&backend, CommitMode::Overwrite, None, &NEW).unwrap();
    let markers = |disk: &SimDisk| {
        let files = disk.files().into_iter();
        let writes = files.filter(|file| file.starts_with("/lake/.atomic/writes"));
        writes.count()
    };
    assert_eq!(markers(&disk), 1);
    for found in disk.moments().last().unwrap().after_power_loss() {
        recover(&found).unwrap();
        assert_eq!(markers(&found), 1);
    }
    let again = write(&backend, CommitMode::Append, Some("monday"), &NEW).unwrap();
    assert_eq!(first, again);
}

#[test]
fn whoever_waits_for_the_lock_of_a_root_that_is_exchanged_gets_that_of_the_new_one() {
    let disk = old_disk(true, true);
    let backend = backend(&disk);
    drop(
        backend
            .lock(LockKind::Shared, None, &HashSet::new())
            .unwrap(),
    );
    let held = disk
        .open_or_create_file(Path::new("/lake/.atomic/lock"))
        .unwrap();
    held.try_lock(LockKind::Exclusive).unwrap();
    let other = disk.clone();
    // As the other is about to wait, the root gets another lock.
    disk.before_call("lock", move || {
        other.remove_file(Path::new("/lake/.atomic/lock")).unwrap();
        drop(held);
    });
    let lock = backend
        .lock(LockKind::Exclusive, None, &HashSet::new())
        .unwrap();
    let now = disk
        .open_file(Path::new("/lake/.atomic/lock"), true)
        .unwrap();
    let asked = now.try_lock(LockKind::Shared).unwrap();
    assert_eq!(asked, crate::disk::LockOutcome::Busy);
    drop(lock);
}

//! Many threads and several processes at once, for the same names and directories.
//!
//! Promises P1, P6 and P8.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use atomic_arrow::disk::Disk as _;
use atomic_arrow::disk::sim::SimDisk;
use atomic_arrow::{
    AtomicFile, DatasetWriter, Error, FileOptions, PartitionBy, WriterOptions, recover,
};

use crate::child::{Child, Part, ROUNDS, is_whole, replace, version};
use crate::ground::{begun, count_rows, directory, published, staged, tree, weather, writer};
use crate::support::skip;

/// The numbers of those of `threads` threads whose work, begun at once, was a success.
fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        let run = |number| {
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                work(number)
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// Is set in the end, also by a panic, so that whoever waits for it ends too.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn of_many_threads_that_create_one_name_one_wins_and_its_bytes_are_intact() {
    let (_guard, root) = directory();
    for round in 0..20 {
        let path = root.join(format!("{round}.json"));
        let results = at_once(8, |number| {
            let mut file = AtomicFile::create(&path)?;
            let text = version(number as u32, round);
            file.write_all(text.as_bytes()).unwrap();
            file.commit().map(|_| text)
        });
        let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        let text = won.into_iter().next().unwrap().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        for error in lost {
            assert!(
                matches!(&error, Err(Error::AlreadyExists { path: taken }) if *taken == path),
                "{error:?}"
            );
        }
    }
    assert_eq!(tree(&root).len(), 20, "{:?}", tree(&root));
}

#[test]
fn of_several_processes_that_publish_one_name_one_wins_and_its_bytes_are_intact() {
    let (_guard, root) = directory();
    one_wins_each_round(&root, (0..4).map(|_| Child::start(Part::Race, &root)));
}

/// Some file systems do not know how to rename without replacing; two names of one file do instead.
#[cfg(target_os = "linux")]
#[test]
fn where_a_rename_cannot_refuse_to_replace_still_one_process_wins() {
    for errno in ["EINVAL", "ENOSYS", "EPERM"] {
        let (_guard, root) = directory();
        let injected = format!("renameat2:error={errno}");
        let start = |_| Child::start_with(&injected, Part::Race, &root);
        match (0..2).map(start).collect::<Result<Vec<_>, _>>() {
            Ok(children) => one_wins_each_round(&root, children),
            Err(reason) => return skip(reason),
        }
    }
}

fn one_wins_each_round(root: &Path, children: impl IntoIterator<Item = Child>) {
    let mut children: Vec<Child> = children.into_iter().collect();
    children
        .iter_mut()
        .for_each(|child| assert_eq!(child.says().as_deref(), Some("ready")));
    children.iter_mut().for_each(Child::go_on);
    let mut winners: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for child in &mut children {
        for _ in 0..ROUNDS {
            let said = child.says().unwrap();
            let mut words = said.split(' ');
            if words.next() == Some("won") {
                let mut number = || words.next().unwrap().parse::<usize>().unwrap();
                let (round, id) = (number(), number());
                winners.entry(round).or_default().push(id as u32);
            }
        }
    }
    children.into_iter().for_each(Child::finish);
    assert_eq!(winners.len(), ROUNDS);
    for (round, ids) in winners {
        assert_eq!(ids.len(), 1, "round {round} was won by {ids:?}");
        let text = fs::read_to_string(root.join(format!("{round}.json"))).unwrap();
        assert_eq!(text, version(ids[0], round));
    }
    assert_eq!(tree(root).len(), ROUNDS, "{:?}", tree(root));
}

#[test]
fn whoever_reads_a_name_that_many_replace_sees_one_whole_version() {
    let (_guard, root) = directory();
    let path = root.join("latest.txt");
    replace(&path, &version(0, 0)).unwrap();
    let mut children: Vec<Child> = (0..2).map(|_| Child::start(Part::Replace, &path)).collect();
    children
        .iter_mut()
        .for_each(|child| assert_eq!(child.says().as_deref(), Some("ready")));
    let done = AtomicBool::new(false);
    let reads = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let text = fs::read_to_string(&path);
                    let whole = text.as_ref().is_ok_and(|text| is_whole(text));
                    reads.fetch_add(1, Ordering::Relaxed);
                    assert!(whole, "not one whole version: {text:?}");
                }
            });
        }
        let _done = Done(&done);
        children.iter_mut().for_each(Child::go_on);
        at_once(4, |number| {
            for round in 0..ROUNDS {
                replace(&path, &version(number as u32, round)).unwrap();
            }
        });
        children.into_iter().for_each(Child::finish);
    });
    assert!(reads.into_inner() > 0);
    assert_eq!(tree(&root), ["latest.txt"]);
}

#[test]
fn no_live_file_is_lost_to_sweeps_by_threads_and_processes() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    fs::create_dir(&root).unwrap();
    let part = |part| Child::start(part, &root);
    let mut writers = [Part::Commit, Part::Commit].map(part);
    let mut sweepers = [Part::Recover, Part::Recover].map(part);
    for child in writers.iter_mut().chain(&mut sweepers) {
        assert_eq!(child.says().as_deref(), Some("ready"));
    }
    writers
        .iter_mut()
        .chain(&mut sweepers)
        .for_each(Child::go_on);
    let here = at_once(4, |number| {
        let mut paths = Vec::new();
        for _ in 0..ROUNDS {
            if number == 0 {
                assert!(recover(&root).unwrap().failed.is_empty());
                begun(&root).discard();
            } else {
                paths.push(begun(&root).commit().unwrap().path().to_owned());
            }
        }
        paths
    });
    let mut committed: Vec<_> = here.into_iter().flatten().collect();
    for child in &mut writers {
        committed.extend((0..ROUNDS).map(|_| child.says().unwrap().into()));
    }
    writers.into_iter().chain(sweepers).for_each(Child::finish);
    committed.sort();
    assert_eq!(committed.len(), 5 * ROUNDS);
    assert_eq!(published(&root), committed);
    assert!(committed.iter().all(|path| count_rows(path) == 7));
    assert_eq!(staged(&parent), Vec::<std::path::PathBuf>::new());
}

/// Threads make the same new directories at once while others, whose files were lost, remove them.
#[test]
fn directories_that_others_remove_while_they_are_empty_are_made_again() {
    let (_guard, parent) = directory();
    let mut committed = 0;
    for round in 0..40 {
        let root = parent.join(format!("weather-{round}"));
        let staged: Vec<_> = (0..6)
            .map(|_| Some(begun(&root).finish().unwrap()))
            .collect();
        let staged = staged.into_iter().enumerate().map(|(number, file)| {
            if number % 2 == 1 {
                fs::remove_file(file.as_ref().unwrap().staging_path()).unwrap();
            }
            std::sync::Mutex::new(file)
        });
        let staged: Arc<[_]> = staged.collect();
        let results = at_once(6, |number| {
            let file = staged[number].lock().unwrap().take().unwrap();
            file.publish().map(drop)
        });
        for (number, result) in results.into_iter().enumerate() {
            match result {
                Ok(()) if number % 2 == 0 => committed += 1,
                Err(Error::StagingLost { .. }) if number % 2 == 1 => {}
                other => panic!("round {round}, writer {number}: {other:?}"),
            }
        }
        assert_eq!(published(&root).len(), 3);
    }
    assert_eq!(committed, 120);
}

#[test]
fn commits_succeed_while_a_cleaner_removes_every_empty_directory() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let partition = root.join("station_id=KSEA");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Fewer than a writer puts up with for one file.
            let mut removals = 0;
            while removals < 90 && !done.load(Ordering::Relaxed) {
                for directory in [&partition, &root] {
                    removals += usize::from(fs::remove_dir(directory).is_ok());
                }
            }
        });
        let _done = Done(&done);
        let results = at_once(2, |_| {
            for _ in 0..ROUNDS {
                let mut writer = writer(&root, WriterOptions::new())?;
                writer.write(&weather("KSEA", 7))?;
                let published = writer.commit()?;
                // The last one out leaves the directory empty again.
                fs::remove_file(published.path()).unwrap();
            }
            Ok::<_, Error>(())
        });
        results.into_iter().for_each(|result| result.unwrap());
    });
}

/// The area of a lone file in a new directory, and the directories made for it, come and go.
#[test]
fn writers_find_their_area_again_where_others_tidy_it_away() {
    let (_guard, parent) = directory();
    for round in 0..40 {
        let path = parent.join(format!("{round}/deep/er"));
        let results = at_once(6, |number| {
            let mut file = AtomicFile::create(path.join(format!("{number}.json")))?;
            file.write_all(b"{}").unwrap();
            match number % 2 {
                0 => file.commit().map(drop),
                _ => {
                    file.discard();
                    Ok(())
                }
            }
        });
        for result in results {
            result.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        }
        assert_eq!(tree(&path), ["0.json", "2.json", "4.json"]);
    }
}

/// The same on the simulated disk, where it happens each time.
#[test]
fn directories_above_an_area_that_are_removed_while_it_is_made_are_made_again() {
    let disk = SimDisk::new();
    let other = disk.clone();
    disk.before_call("create_directory", || {});
    disk.before_call("create_directory", move || {
        other.remove_directory("/deep".as_ref()).unwrap();
    });
    let options = FileOptions::new().disk(Arc::new(disk.clone()));
    let file = AtomicFile::create_with_options("/deep/er/data.json", options).unwrap();
    file.commit().unwrap();
    assert_eq!(disk.files(), [std::path::Path::new("/deep/er/data.json")]);
}

/// The same where the data set and its partition are there before, and go before any look at them.
#[test]
fn directories_that_others_tidy_away_right_before_a_look_at_them_are_made_again() {
    let by_itself = |disk: &SimDisk| {
        let options = FileOptions::new().disk(Arc::new(disk.clone()));
        let mut file = AtomicFile::create_with_options("/lake/raw/k=v/data.json", options)?;
        file.write_all(b"{}").unwrap();
        file.commit().map(drop)
    };
    let as_data_set = |disk: &SimDisk| {
        let rows = weather("v", 3);
        let builder = DatasetWriter::builder("/lake/raw")
            .partition_by(PartitionBy::column("station_id"))
            .threads(1)
            .disk(Arc::new(disk.clone()));
        let mut writer = builder.build(rows.schema())?;
        writer.write(&rows)?;
        writer.commit().map(drop)
    };
    type Write<'a> = &'a dyn Fn(&SimDisk) -> Result<(), Error>;
    let writes: [(Write<'_>, &str); 2] = [(&by_itself, "k=v"), (&as_data_set, "station_id=v")];
    for (write, partition) in writes {
        for call in ["project", "place", "check_writable", "open_directory"] {
            for looks in 0..20 {
                let disk = SimDisk::new();
                let partition = Path::new("/lake/raw").join(partition);
                for directory in [Path::new("/lake"), Path::new("/lake/raw"), &partition] {
                    disk.create_directory(directory).unwrap();
                }
                let other = disk.clone();
                (0..looks).for_each(|_| disk.before_call(call, || {}));
                disk.before_call(call, move || {
                    // What has something in it stays.
                    let _ = other.remove_directory(&partition);
                    let _ = other.remove_directory("/lake/raw".as_ref());
                });
                let done = write(&disk);
                assert!(done.is_ok(), "{call} {looks}: {done:?}");
            }
        }
    }
}

/// The file comes to be in a directory that is not the one which was opened before the rename.
#[test]
fn a_directory_that_others_make_anew_right_before_the_rename_is_synced_all_the_same() {
    let disk = SimDisk::new();
    let other = disk.clone();
    disk.before_call("rename", move || {
        let directory = Path::new("/lake/raw/k=v");
        other.remove_directory(directory).unwrap();
        other.create_directory(directory).unwrap();
    });
    let options = FileOptions::new().disk(Arc::new(disk.clone()));
    let path = "/lake/raw/k=v/data.json";
    let mut file = AtomicFile::create_with_options(path, options).unwrap();
    file.write_all(b"{}").unwrap();
    file.commit().unwrap();
    for found in disk.moments().last().unwrap().after_power_loss() {
        assert_eq!(found.read(path).unwrap(), b"{}");
    }
}

#[test]
fn of_writers_of_one_parquet_file_name_one_wins() {
    let (_guard, parent) = directory();
    let root = parent.join("weather");
    let results = at_once(6, |number| {
        let options = WriterOptions::new().file_name("part.parquet");
        let mut writer = writer(&root, options)?;
        writer.write(&weather("KSEA", 10 + number)).unwrap();
        writer.commit()
    });
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    let winner = won.into_iter().next().unwrap().unwrap();
    for error in lost {
        assert!(
            matches!(&error, Err(Error::AlreadyExists { path }) if path == winner.path()),
            "{error:?}"
        );
    }
    assert_eq!(published(&root), [winner.path()]);
    assert_eq!(count_rows(winner.path()) as u64, winner.rows());
}

//! Other projects' readers scan a data set while it is written, and after every kind of leftover.
//!
//! Promise P4.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use atomic_arrow::{AtomicArrowWriter, StagingPlace, WriterOptions};

use crate::child::{Child, Part};
use crate::ground::{begun, directory, staged, station, weather, writer};
use crate::support::peers::{Ended, Peers, READERS, peers};
use crate::support::skip;

/// The rows of every file.
const ROWS: usize = 7;
/// How many files are committed under the readers' eyes.
const COMMITS: usize = 40;

/// A reader that scans again and again.
struct Scans {
    reader: &'static str,
    rows: Arc<(Mutex<Vec<u64>>, Condvar)>,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Ended>,
}

impl Scans {
    /// Lets it scan `root` until there is a file `until`.
    fn start(peers: &Peers, reader: &'static str, root: &Path, until: &Path) -> Self {
        let running = peers
            .start("scan_loop.py", &[&reader, &root, &until])
            .unwrap();
        let rows = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let (seen, over) = (Arc::clone(&rows), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            while let Some(line) = running.next_line() {
                let scan: serde_json::Value = serde_json::from_str(&line).unwrap();
                seen.0.lock().unwrap().push(scan["rows"].as_u64().unwrap());
                seen.1.notify_all();
            }
            over.store(true, Ordering::Relaxed);
            seen.1.notify_all();
            running.finish().unwrap()
        });
        Scans {
            reader,
            rows,
            ended,
            thread,
        }
    }

    /// Waits until it has scanned once more, or has ended.
    fn once_more(&self) {
        let mut rows = self.rows.0.lock().unwrap();
        let before = rows.len();
        while rows.len() == before && !self.ended.load(Ordering::Relaxed) {
            // A limit, since the end may be told between the look and the wait.
            let limit = std::time::Duration::from_millis(100);
            rows = self.rows.1.wait_timeout(rows, limit).unwrap().0;
        }
    }

    /// Its end must be a good one, and what it has seen the sums of whole files, never fewer.
    fn finish(self, committed: u64) {
        let ended = self.thread.join().unwrap();
        assert!(ended.status.success(), "{}", ended.stderr);
        let rows = self.rows.0.lock().unwrap();
        let reader = self.reader;
        assert!(
            rows.iter().all(|rows| rows % ROWS as u64 == 0),
            "{reader}: {rows:?}"
        );
        assert!(rows.is_sorted(), "{reader}: {rows:?}");
        assert_eq!(rows.last(), Some(&committed), "{reader}: {rows:?}");
    }
}

fn commit(root: &Path, id: &str) {
    let batch = weather(id, ROWS);
    let mut writer = AtomicArrowWriter::create(root, &station(id), batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.commit().unwrap();
}

/// A writer that is killed in the middle of its work.
fn killed(root: &Path) {
    let mut child = Child::start(Part::Hold, root);
    assert_eq!(child.says().as_deref(), Some("begun"));
    child.kill();
}

fn installed() -> Option<Peers> {
    peers().map_err(skip).ok()
}

#[test]
fn every_reader_sees_whole_files_only_while_others_are_written_dropped_and_killed() {
    let Some(peers) = installed() else { return };
    let (_guard, parent) = directory();
    let (root, until) = (parent.join("weather"), parent.join("until"));
    commit(&root, "KSEA");
    let scans = READERS.map(|reader| Scans::start(&peers, reader, &root, &until));
    scans.iter().for_each(Scans::once_more);

    // One is in the middle of its file all along.
    let held = begun(&root);
    for number in 1..COMMITS {
        commit(&root, ["KSEA", "KPDX", "K BOI", "KGEG"][number % 4]);
        match number % 10 {
            0 => killed(&root),
            1..5 => begun(&root).discard(),
            5 => begun(&root).finish().unwrap().discard(),
            _ => {}
        }
        scans[number % scans.len()].once_more();
    }

    // What may be left: a dead writer's file, and directories without files.
    drop(held);
    killed(&root);
    fs::create_dir_all(root.join("station_id=KLAX")).unwrap();
    assert_eq!(staged(&parent).len(), 1);
    fs::write(&until, "").unwrap();
    for scan in scans {
        scan.finish((COMMITS * ROWS) as u64);
    }
}

/// Where files have to be staged within the data set, Polars alone trips over them: the front page
/// says so.
#[test]
fn files_staged_inside_the_data_set_disturb_polars_alone() {
    let Some(peers) = installed() else { return };
    let (_guard, parent) = directory();
    let (root, until) = (parent.join("weather"), parent.join("until"));
    commit(&root, "KSEA");
    let inside = WriterOptions::new().staging(StagingPlace::Inside);
    let mut held = writer(&root, inside).unwrap();
    held.write(&weather("KSEA", ROWS)).unwrap();
    // Finished, since an empty file disturbs nobody.
    let held = held.finish().unwrap();
    let area = root.join(".atomic");
    assert_eq!(
        staged(&root)
            .iter()
            .map(|file| file.parent().unwrap())
            .collect::<Vec<_>>(),
        [area]
    );
    fs::write(&until, "").unwrap();
    let scans = READERS.map(|reader| Scans::start(&peers, reader, &root, &until));
    for scan in scans {
        if scan.reader == "polars" {
            let ended = scan.thread.join().unwrap();
            assert!(
                !ended.status.success(),
                "the front page need not warn of Polars any more"
            );
        } else {
            scan.finish(ROWS as u64);
        }
    }
    drop(held);
    assert_eq!(staged(&root), Vec::<PathBuf>::new());
}

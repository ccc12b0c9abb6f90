//! What comes between the first and the last file of one `write`.
//!
//! Publishers share a lock with whoever exchanges directories; holding it alone stops a write at its
//! first file, where a test can then do its mischief.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::run::{KEYS, Place, Ran, testdata, wait_until};

/// A write of the weather that is about to publish its first file, and the lock that it waits for.
fn stopped_write(place: &Place, more: &[&str]) -> (Child, File) {
    place.file("lake/.weather.atomic/lock", "");
    let lock = File::open(place.path("lake/.weather.atomic/lock")).unwrap();
    lock.lock().unwrap();
    let weather = testdata("weather.csv");
    let args = [
        "write",
        &weather,
        "--to",
        "lake/weather",
        "--partition-by",
        KEYS,
    ];
    let child = place.start(args.iter().chain(more));
    let pid = child.id().to_string();
    wait_until("the write waits for the lock", || {
        // Those who wait are listed with an arrow before them.
        let locks = fs::read_to_string("/proc/locks").unwrap();
        locks
            .lines()
            .any(|line| line.contains("->") && line.split_whitespace().any(|word| word == pid))
    });
    (child, lock)
}

fn end(child: Child, lock: File) -> Ran {
    drop(lock);
    child.wait_with_output().unwrap().into()
}

#[test]
fn a_signal_while_publishing_says_which_files_were_published() {
    let place = Place::new();
    let (child, lock) = stopped_write(&place, &[]);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = end(child, lock)
        .exits(4)
        .says("interrupted after some files were published");
    let files = place.files("lake/weather");
    assert_eq!(files.len(), 1);
    let published: Vec<_> = ran
        .stderr
        .lines()
        .filter(|l| l.starts_with("published: "))
        .collect();
    assert_eq!(published.len(), 1);
    assert!(published[0].ends_with(&files[0]), "{published:?}");
    assert_eq!(ran.stderr.matches("\nnot published: ").count(), 35);
    assert!(place.staged().is_empty());
    place.run(["verify", "lake/weather"]).exits(0);
}

#[test]
fn a_file_that_cannot_be_published_ends_the_rest_and_the_receipt_tells() {
    let place = Place::new();
    let (child, lock) = stopped_write(&place, &["--json"]);
    // EWR comes before JFK.
    place.file("lake/weather/station_id=JFK", "in the way");
    let ran = end(child, lock).exits(4).says("station_id=JFK");
    let receipt = ran.json();
    assert_eq!(receipt["totals"]["files"], 12);
    assert_eq!(receipt["files"].as_array().unwrap().len(), 12);
    assert_eq!(receipt["not_published"].as_array().unwrap().len(), 24);
    assert_eq!(receipt["doubtful"].as_array().unwrap().len(), 0);
    assert_eq!(place.files("lake/weather").len(), 13);
    assert!(place.staged().is_empty());
}

#[test]
fn when_the_first_file_cannot_be_published_nothing_is() {
    let place = Place::new();
    let (child, lock) = stopped_write(&place, &[]);
    place.file("lake/weather/station_id=EWR", "in the way");
    end(child, lock).exits(1).says("station_id=EWR");
    assert_eq!(place.files("lake/weather"), ["station_id=EWR"]);
    assert!(place.staged().is_empty());
}

/// Kills a write that has staged all its files and published none.
fn killed_write(place: &Place) {
    let (mut child, lock) = stopped_write(place, &[]);
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    drop(lock);
    assert_eq!(place.staged().len(), 36);
}

#[test]
fn what_a_killed_write_left_is_shown_by_inspect_and_removed_by_recover() {
    let place = Place::new();
    place.write_weather(&["-q"]).exits(0);
    let before = place.files("lake/weather");
    killed_write(&place);
    assert_eq!(place.files("lake/weather"), before);
    let inspection = place
        .run(["inspect", "lake/weather", "--json"])
        .exits(0)
        .json();
    let oddities = inspection["oddities"].as_array().unwrap();
    assert_eq!(
        oddities
            .iter()
            .filter(|odd| odd["kind"] == "staging-leftover")
            .count(),
        36
    );
    let report = place
        .run(["recover", "lake/weather", "--json"])
        .exits(0)
        .json();
    assert_eq!(report["removed"].as_array().unwrap().len(), 36);
    assert!(place.staged().is_empty());
    assert_eq!(place.files("lake/weather"), before);
}

#[test]
fn what_a_killed_write_left_is_removed_by_the_next_write() {
    let place = Place::new();
    killed_write(&place);
    assert!(place.files("lake/weather").is_empty());
    place
        .write_weather(&[])
        .exits(0)
        .prints("26,115 rows in 36 files of 36 partitions");
    assert!(place.staged().is_empty());
    place
        .run(["verify", "lake/weather", "--level", "decode"])
        .exits(0);
}

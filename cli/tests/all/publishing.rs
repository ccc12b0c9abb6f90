//! What comes between the first and the last step of one commit.
//!
//! Publishers share a lock with whoever exchanges directories; holding it alone stops a write before
//! it decides, where a test can then do its mischief. Once the record of the decision is there, a
//! write can be stopped by a signal.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use crate::run::{KEYS, Place, Ran, testdata, wait_until};

/// Keys that make 93 partitions of the weather, so that publishing takes its time.
const MANY: &str = "station_id=origin,day";

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn start(place: &Place, keys: &str, more: &[&str]) -> Child {
    let weather = testdata("weather.csv");
    let args = ["write", &weather, "--to", "lake/weather"];
    place.start(args.iter().chain(&["--partition-by", keys]).chain(more))
}

/// A write of the weather whose files are all staged, and the lock that it waits for.
fn stopped_write(place: &Place, more: &[&str]) -> (Child, File) {
    place.file("lake/weather/.atomic/lock", "");
    let lock = File::open(place.path("lake/weather/.atomic/lock")).unwrap();
    lock.lock().unwrap();
    let child = start(place, KEYS, more);
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

/// Whether the record of a decision is in the staging area.
fn is_decided(place: &Place) -> bool {
    let area = place.files("lake/.weather.atomic");
    area.iter().any(|name| name.ends_with("/decision.record"))
}

/// A write into 93 partitions that is decided and stopped before all of them are published.
fn decided_write(place: &Place) -> Child {
    for _ in 0..20 {
        let before = place.files("lake/weather").len();
        let mut child = start(place, MANY, &[]);
        wait_until("it is decided", || {
            is_decided(place) || child.try_wait().unwrap().is_some()
        });
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&child), Signal::STOP);
        let stat = format!("/proc/{}/stat", child.id());
        wait_until("it is stopped or at its end", || {
            // There is none once it was waited for.
            let Ok(stat) = fs::read_to_string(&stat) else {
                return true;
            };
            let (_, state) = stat.rsplit_once(") ").unwrap();
            state.starts_with(['T', 'Z'])
        });
        if place.files("lake/weather").len() < before + 93 && is_decided(place) {
            return child;
        }
        let _ = kill_process(Pid::from_child(&child), Signal::CONT);
        child.wait().unwrap();
    }
    panic!("a write was never stopped between its decision and its end");
}

#[test]
fn a_signal_before_the_decision_publishes_nothing() {
    let place = Place::new();
    let (child, lock) = stopped_write(&place, &[]);
    send(&child, Signal::TERM);
    end(child, lock)
        .exits(130)
        .says("interrupted: nothing was published");
    assert!(place.files("lake/weather").is_empty());
    assert!(place.staged().is_empty());
}

#[test]
fn a_second_signal_before_the_decision_ends_it_at_once() {
    let place = Place::new();
    let (child, lock) = stopped_write(&place, &[]);
    send(&child, Signal::INT);
    send(&child, Signal::TERM);
    // The lock is still held.
    let ran: Ran = child.wait_with_output().unwrap().into();
    ran.exits(130);
    drop(lock);
    place.run(["recover", "lake/weather"]).exits(0);
    assert!(place.staged().is_empty());
    assert!(place.files("lake/weather").is_empty());
}

#[test]
fn signals_after_the_decision_do_not_keep_it_from_being_carried_out() {
    let place = Place::new();
    let child = decided_write(&place);
    send(&child, Signal::INT);
    send(&child, Signal::TERM);
    send(&child, Signal::CONT);
    let before = place.files("lake/weather").len() / 93 * 93;
    let ran: Ran = child.wait_with_output().unwrap().into();
    ran.exits(0)
        .says("the signal came when the write was committed already: it is done")
        .prints("26,115 rows in 93 files of 93 partitions");
    assert_eq!(place.files("lake/weather").len(), before + 93);
    assert!(place.staged().is_empty());
}

#[test]
fn a_write_killed_after_the_decision_is_finished_by_recover_or_the_next_write() {
    for heal in ["recover", "write"] {
        let place = Place::new();
        let mut child = decided_write(&place);
        send(&child, Signal::KILL);
        child.wait().unwrap();
        let left = place.files("lake/weather").len() % 93;
        let whole = place.files("lake/weather").len() - left + 93;
        if heal == "recover" {
            place
                .run(["recover", "lake/weather"])
                .exits(0)
                .prints("published the rest of ")
                .prints("finished 1 commit and removed 0 leftovers of dead writers");
            assert_eq!(place.files("lake/weather").len(), whole);
        } else {
            start(&place, MANY, &[]).wait().unwrap();
            assert_eq!(place.files("lake/weather").len(), whole + 93);
        }
        assert!(place.staged().is_empty());
        place
            .run(["verify", "lake/weather", "--level", "decode"])
            .exits(0);
    }
}

#[test]
fn what_is_in_the_way_of_a_file_is_found_before_the_decision() {
    let place = Place::new();
    let (child, lock) = stopped_write(&place, &["--json"]);
    place.file("lake/weather/station_id=JFK", "in the way");
    let ran = end(child, lock).exits(1).says("station_id=JFK");
    assert_eq!(ran.stdout, "", "no receipt of what is not done");
    assert_eq!(place.files("lake/weather"), ["station_id=JFK"]);
    fs::remove_file(place.path("lake/weather/station_id=JFK")).unwrap();
    place.write_weather(&[]).exits(0);
    assert_eq!(place.files("lake/weather").len(), 36);
    assert!(place.staged().is_empty());
}

#[test]
fn another_commit_in_between_is_a_conflict_of_overwriting() {
    let place = Place::new();
    place.write_weather(&["-q"]).exits(0);
    let child = {
        let (child, lock) = stopped_write(&place, &["--mode", "overwrite-partitions"]);
        place.file(
            "lake/weather/station_id=EWR/year=2013/month=1/x.parquet",
            "",
        );
        end(child, lock)
    };
    child
        .exits(5)
        .says("month=1: was changed by another commit");
    assert_eq!(place.files("lake/weather").len(), 37);
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
        1
    );
    let report = place
        .run(["recover", "lake/weather", "--json"])
        .exits(0)
        .json();
    assert_eq!(report["dry_run"], false);
    assert_eq!(report["aborted"].as_array().unwrap().len(), 1);
    assert_eq!(report["finished"].as_array().unwrap().len(), 0);
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

//! Signals, kills and broken pipes in the middle of the work.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::run::{KEYS, Place, Ran, testdata, wait_until};

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A write that has read most of its input and waits for more.
fn paused_write(place: &Place, more: &[&str]) -> Child {
    let args = [
        "write",
        "-",
        "--input-format",
        "csv",
        "--to",
        "lake/weather",
    ];
    let mut child = place.start(args.iter().chain(&["--partition-by", KEYS]).chain(more));
    let weather = std::fs::read(testdata("weather.csv")).unwrap();
    // More than a pipe holds, so that when it is written most of it has been read; whole lines.
    let middle = weather.len() / 4 * 3;
    let most = middle
        + weather[middle..]
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap()
        + 1;
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(&weather[..most])
        .unwrap();
    child
}

#[test]
fn sigint_and_sigterm_discard_everything_and_exit_with_130() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = Place::new();
        let child = paused_write(&place, &[]);
        send(&child, signal);
        // Its input stays open: it must not wait for that.
        let mut child = child;
        let stdin = child.stdin.take();
        let ran: Ran = child.wait_with_output().unwrap().into();
        drop(stdin);
        ran.exits(130).says("interrupted: nothing was published");
        assert!(place.files("lake").is_empty(), "{:?}", place.files("lake"));
    }
}

#[test]
fn error_if_exists_sees_a_file_that_came_while_input_was_read() {
    let place = Place::new();
    let child = paused_write(&place, &["--mode", "error-if-exists"]);
    place.file(
        "lake/weather/station_id=EWR/year=2013/month=1/x.parquet",
        "",
    );
    let ran: Ran = child.wait_with_output().unwrap().into();
    ran.exits(5).says("month=1: has files already");
    assert_eq!(place.files("lake/weather").len(), 1);
}

#[test]
fn a_put_that_waits_for_its_input_can_be_interrupted() {
    let place = Place::new();
    let mut child = place.start(["put", "-", "lake/weather/k=1/out"]);
    wait_until("a file is staged", || !place.staged().is_empty());
    send(&child, Signal::INT);
    let stdin = child.stdin.take();
    let ran: Ran = child.wait_with_output().unwrap().into();
    drop(stdin);
    ran.exits(130).says("interrupted: nothing was published");
    assert!(place.files("lake").is_empty());
}

/// Waits until the command waits for a lock, which a thread of its own does.
#[cfg(target_os = "linux")]
pub(crate) fn wait_for_the_wait(child: &Child) {
    let tasks = format!("/proc/{}/task", child.id());
    wait_until("it waits for the lock", || {
        let tasks = std::fs::read_dir(&tasks).into_iter().flatten().flatten();
        tasks.map(|task| task.path().join("comm")).any(|name| {
            std::fs::read_to_string(name).is_ok_and(|name| name.starts_with("atomic-arrow-lo"))
        })
    });
}

#[cfg(target_os = "linux")]
#[test]
fn who_waits_for_the_lock_of_a_data_set_can_be_interrupted() {
    let place = Place::new();
    let weather = testdata("weather.csv");
    place.write_weather(&["-q"]).exits(0);
    let before = place.files("lake/weather");
    let lock = std::fs::File::options()
        .write(true)
        .open(place.path("lake/weather/.atomic/lock"))
        .unwrap();
    lock.lock().unwrap();
    let write = [
        "write",
        &weather,
        "--to",
        "lake/weather",
        "--partition-by",
        KEYS,
    ];
    let named = [&write[..], &["--write-id", "monday"]].concat();
    for args in [
        &write[..],
        &named,
        &["put", &weather, "lake/weather/station_id=EWR/copy.csv"],
    ] {
        for signal in [Signal::INT, Signal::TERM] {
            let child = place.start(args);
            wait_for_the_wait(&child);
            send(&child, signal);
            let ran: Ran = child.wait_with_output().unwrap().into();
            ran.exits(130).says("interrupted: nothing was published");
        }
    }
    assert_eq!(place.files("lake/weather"), before);
    assert!(place.staged().is_empty());
    drop(lock);
    place.run(named).exits(0);
}

/// How many files there are of each transaction, which their names tell.
fn files_of_transactions(place: &Place) -> BTreeMap<String, usize> {
    let mut files = BTreeMap::new();
    for file in place.files("lake/weather") {
        let (stem, _) = file.rsplit_once('-').unwrap();
        let (_, transaction) = stem.rsplit_once("part-").unwrap();
        *files.entry(transaction.to_owned()).or_default() += 1;
    }
    files
}

#[test]
fn a_write_killed_at_any_moment_leaves_all_of_it_or_nothing_and_recovery_heals() {
    let place = Place::new();
    for (round, mode) in ["append", "overwrite-partitions", "overwrite", "append"]
        .into_iter()
        .cycle()
        .take(16)
        .enumerate()
    {
        let weather = testdata("weather.csv");
        let args = ["write", &weather, "--to", "lake/weather", "--mode", mode];
        // Little memory, so that it is killed while spilling too.
        let more = ["--partition-by", KEYS, "--memory-limit", "1MiB"];
        let mut child = place.start(args.iter().chain(&more));
        std::thread::sleep(Duration::from_millis(round as u64 * 60));
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&child), Signal::KILL);
        child.wait().unwrap();
        if round % 2 == 0 {
            place.run(["recover", "lake/weather"]).exits(0);
        } else {
            place.write_weather(&["-q"]).exits(0);
        }
        assert!(place.staged().is_empty());
        let files = files_of_transactions(&place);
        assert!(files.values().all(|count| *count == 36), "{files:?}");
        if !files.is_empty() {
            place
                .run(["verify", "lake/weather", "--level", "decode"])
                .exits(0);
        }
    }
    place
        .write_weather(&["--mode", "overwrite"])
        .exits(0)
        .prints("26,115 rows in 36 files of 36 partitions");
    assert_eq!(files_of_transactions(&place).len(), 1);
    assert!(place.staged().is_empty());
    place
        .run(["verify", "lake/weather", "--level", "decode"])
        .exits(0);
}

#[test]
fn a_broken_pipe_is_a_quiet_end_of_the_output_and_not_of_the_work() {
    let place = Place::new();
    let odd = testdata("odd");
    let weather = testdata("weather.csv");
    place.write_weather(&["-q"]).exits(0);
    for (args, code) in [
        (&["completions", "bash"][..], 0),
        (&["inspect", "lake/weather"], 0),
        (&["recover", "lake/weather"], 0),
        (&["verify", &odd], 3),
        (&["write", &weather, "--to", "lake/other", "--json"], 0),
        (&["write", &weather, "--to", "lake/other", "--dry-run"], 0),
        (&["put", &weather, "lake/copy.csv", "--json"], 0),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.command(args);
        command.stdout(Stdio::from(writer)).stderr(Stdio::piped());
        let ran: Ran = command.spawn().unwrap().wait_with_output().unwrap().into();
        let stderr = ran.exits(code).stderr;
        assert_eq!(stderr, "", "{args:?}");
    }
    assert_eq!(place.files("lake/other").len(), 1);
    assert!(place.path("lake/copy.csv").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure_unless_something_was_published() {
    let place = Place::new();
    let weather = testdata("weather.csv");
    place.write_weather(&["-q"]).exits(0);
    for (args, code) in [
        (&["inspect", "lake/weather"][..], 1),
        (&["verify", "lake/weather"], 1),
        (&["put", &weather, "lake/copy.csv"], 0),
    ] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let mut command = place.command(args);
        command.stdout(Stdio::from(full)).stderr(Stdio::piped());
        let ran: Ran = command.spawn().unwrap().wait_with_output().unwrap().into();
        ran.exits(code)
            .says("standard output: the result cannot be written");
    }
}

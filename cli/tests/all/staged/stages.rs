//! `stage`: what is printed, what is on disk, and what becomes of it when nobody gets the record.

use std::fs::File;
use std::process::Stdio;

use super::{BY, part, published, rows, stage, weather};
use crate::run::{KEYS, Place, Ran};

#[test]
fn a_stage_prints_one_record_and_publishes_nothing() {
    let place = Place::new();
    part(&place, "a.csv", "KSEA", &[1, 2]);
    let ran = stage(&place, "a.csv", &["--task", "part a", "-v"]).exits(0);
    assert_eq!(ran.stdout.matches('\n').count(), 1, "{}", ran.stdout);
    let record = ran.json();
    assert_eq!(record["task"], "part a");
    assert_eq!(record["mode"], "append");
    assert_eq!(record["totals"]["rows"], 2);
    let ran = ran.says("columns: station Utf8, number Int64");
    let ran = ran.says("lake/weather/station=KSEA/part-").says("time: ");
    ran.says("lake/weather: staged 2 rows in 1 file of 1 partition");
    assert_eq!(published(&place), [""; 0]);
    assert_eq!(place.staged().len(), 1);
    // In silence, the record is printed all the same.
    let quiet = stage(&place, "a.csv", &["-q"]).exits(0);
    assert_eq!((quiet.stderr.as_str(), rows(&place)), ("", 0));
    assert_eq!(quiet.json()["task"], serde_json::Value::Null);
}

#[test]
fn options_without_effect_are_refused_with_what_has_it() {
    let place = Place::new();
    part(&place, "a.csv", "KSEA", &[1]);
    for (more, reason) in [
        (&["--write-id", "x"][..], "give it to `commit`"),
        (&["--rewrite-missing"], "give it to `commit`"),
        (&["--success-file"], "give it to `commit`"),
        (&["--dry-run"], "`write --dry-run`"),
        (&["--json"], "the record is JSON always"),
        (&["--task", ""], "is empty"),
        (&["--task", "a\nb"], "control characters"),
        (&["--keep-staged", "soon"], "such as 30min, 12h or 7d"),
        (&["--file-name", "day"], "--file-name: "),
        (&["--escape", ","], "--escape: the character divides"),
    ] {
        stage(&place, "a.csv", more).exits(2).says(reason);
    }
    let file = ["stage", "a.csv", "--to", "lake/prices.parquet"];
    place
        .run(file)
        .exits(2)
        .says("is one file, which `write` publishes; a directory is lake/prices.parquet/");
    assert_eq!(place.files("lake"), [""; 0]);
    for hidden in ["--write-id", "--dry-run"] {
        let help = place.run(["stage", "--help"]).exits(0).stdout;
        assert!(!help.contains(hidden), "{help}");
    }
}

#[test]
fn bad_input_stages_nothing() {
    let place = Place::new();
    place.file("bad.csv", "station,number\nKSEA,1,2\n");
    let ran = stage(&place, "bad.csv", &[]).exits(1);
    assert_eq!(ran.stdout, "");
    assert!(place.staged().is_empty());
}

#[test]
fn what_nobody_commits_in_its_time_is_removed() {
    let place = Place::new();
    part(&place, "a.csv", "KSEA", &[1]);
    let record = stage(&place, "a.csv", &["--keep-staged", "0s"]).exits(0);
    place.run(["recover", "lake/weather"]).exits(0);
    assert!(place.staged().is_empty());
    let late = place.run_with(record.stdout.as_bytes(), ["commit"]);
    late.exits(1).says("is no longer staged");
    stage(&place, "a.csv", &["--keep-staged", "2days 12h"]).exits(0);
    stage(&place, "a.csv", &["--keep-staged", "3600"]).exits(0);
    place.run(["recover", "lake/weather"]).exits(0);
    assert_eq!(place.staged().len(), 2);
}

/// A stage that waits for more of its input.
#[cfg(unix)]
fn paused(place: &Place) -> std::process::Child {
    let args = [
        "stage",
        "-",
        "--input-format",
        "csv",
        "--to",
        "lake/weather",
    ];
    let mut child = place.start(args.iter().chain(&["--partition-by", KEYS]));
    let csv = std::fs::read(weather()).unwrap();
    let line = csv.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), &csv[..line]).unwrap();
    child
}

#[cfg(unix)]
#[test]
fn a_stage_that_is_interrupted_or_killed_leaves_nothing_staged() {
    use rustix::process::{Pid, Signal, kill_process};
    for (signal, code) in [
        (Signal::INT, Some(130)),
        (Signal::TERM, Some(130)),
        (Signal::KILL, None),
    ] {
        let place = Place::new();
        let mut child = paused(&place);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let stdin = child.stdin.take();
        let ran: Ran = child.wait_with_output().unwrap().into();
        drop(stdin);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (code, ""),
            "{}",
            ran.stderr
        );
        place.run(["recover", "lake/weather"]).exits(0);
        assert!(place.staged().is_empty(), "{signal:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_record_that_nobody_gets_leaves_nothing_staged() {
    // The reader is gone.
    let place = Place::new();
    let mut child = paused(&place);
    drop(child.stdout.take());
    drop(child.stdin.take());
    let ran: Ran = child.wait_with_output().unwrap().into();
    ran.exits(1)
        .says("the record cannot be written")
        .says("hint: what was staged is removed")
        .says("Broken pipe");
    assert!(place.staged().is_empty(), "{:?}", place.staged());
    // The disk that the record goes to is full.
    part(&place, "a.csv", "KSEA", &[1]);
    let mut full = place.command(["stage", "a.csv", "--to", "lake/weather"].iter().chain(&BY));
    let Ok(device) = File::options().write(true).open("/dev/full") else {
        return;
    };
    let ran: Ran = full
        .stdout(device)
        .stderr(Stdio::piped())
        .output()
        .unwrap()
        .into();
    ran.exits(1).says("the record cannot be written");
    assert!(place.staged().is_empty(), "{:?}", place.staged());
}

//! `commit` and `discard`: all records, or nothing.

use super::{BY, part, published, rows, stage};
use crate::run::{Place, Ran};

/// Stages some parts, one for each station, and gives their records.
fn records(place: &Place, stations: &[&str], more: &[&str]) -> Vec<String> {
    let stage = |station: &&str| {
        let name = format!("{station}.csv");
        part(place, &name, station, &[1, 2]);
        stage(place, &name, more).exits(0).stdout
    };
    stations.iter().map(stage).collect()
}

/// How many writes wait to be committed.
fn waiting(place: &Place, more: &[&str]) -> usize {
    let args = ["recover", "lake/weather", "--json"];
    let ran = place.run(args.iter().chain(more)).exits(0);
    ran.json()["staged"].as_array().unwrap().len()
}

#[test]
fn the_records_of_several_processes_become_one_commit() {
    let place = Place::new();
    let stations = ["KSEA", "KJFK", "KLAX", "KORD"];
    let children: Vec<_> = stations
        .iter()
        .map(|station| {
            let name = format!("{station}.csv");
            part(&place, &name, station, &[1, 2, 3]);
            place.start(["stage", &name, "--to", "lake/weather"].iter().chain(&BY))
        })
        .collect();
    let mut all = String::new();
    for child in children {
        let ran: Ran = child.wait_with_output().unwrap().into();
        all += &ran.exits(0).stdout;
    }
    assert_eq!((published(&place).len(), rows(&place)), (0, 0));
    let args = ["commit", "--to", "lake/weather", "-v", "--success-file"];
    let ran = place.run_with(all.as_bytes(), args);
    ran.exits(0)
        .prints("lake/weather/station=KJFK/part-")
        .prints("lake/weather: 12 rows in 4 files of 4 partitions")
        .prints("time: ");
    assert!(place.path("lake/weather/_SUCCESS").exists());
    assert_eq!((published(&place).len(), rows(&place)), (5, 12));
    assert!(place.staged().is_empty());
}

#[cfg(unix)]
#[test]
fn a_shell_pipes_records_into_a_file_and_that_into_the_commit() {
    let place = Place::new();
    for number in 0..5 {
        part(&place, &format!("raw/{number}.csv"), "KSEA", &[number]);
    }
    let command = env!("CARGO_BIN_EXE_atomic-arrow");
    let script = format!(
        "ls raw/*.csv | xargs -P 4 -I @ {command} stage @ --to lake/weather --task @ -q > staged.json && \
         {command} commit staged.json --write-id monday --json"
    );
    let mut shell = std::process::Command::new("sh");
    let shell = shell.arg("-c").arg(script).current_dir(place.path(""));
    let ran: Ran = shell.output().unwrap().into();
    let receipt = ran.exits(0).json();
    assert_eq!(receipt["totals"]["rows"], 5);
    assert_eq!(receipt["write_id"], "monday");
    assert_eq!(rows(&place), 5);
}

#[test]
fn of_work_that_was_done_twice_the_first_counts() {
    let place = Place::new();
    part(&place, "a.csv", "KSEA", &[1, 2]);
    let attempts = ["a", "a", "b"].map(|task| {
        let ran = stage(&place, "a.csv", &["--task", task]);
        ran.exits(0).stdout
    });
    // One record twice is one, too.
    let all = attempts.concat() + &attempts[2];
    place.run_with(all.as_bytes(), ["commit", "-q"]).exits(0);
    assert_eq!(rows(&place), 4);
    assert!(place.staged().is_empty());
}

#[test]
fn a_named_commit_is_done_once_and_without_a_name_the_second_is_refused() {
    let place = Place::new();
    let once = records(&place, &["KSEA"], &[]).concat();
    place.run_with(once.as_bytes(), ["commit"]).exits(0);
    let again = place.run_with(once.as_bytes(), ["commit"]).exits(1);
    again.says("is no longer staged").says("hint: ");
    let named = records(&place, &["KJFK"], &[]).concat();
    for expected in [", committed", ", already committed"] {
        let args = ["commit", "-", "--write-id", "monday"];
        let ran = place.run_with(named.as_bytes(), args).exits(0);
        ran.prints("2 rows in 1 file").prints(expected);
    }
    // What was staged since under the name is discarded.
    let more = records(&place, &["KJFK"], &[]).concat();
    let args = ["commit", "--write-id", "monday", "--json"];
    let ran = place.run_with(more.as_bytes(), args).exits(0);
    assert_eq!(ran.json()["totals"]["rows"], 2);
    assert_eq!(rows(&place), 4);
    assert!(place.staged().is_empty());
    std::fs::remove_dir_all(place.path("lake/weather/station=KJFK")).unwrap();
    let more = records(&place, &["KJFK"], &[]).concat();
    let args = ["commit", "--write-id", "monday", "--rewrite-missing"];
    let ran = place.run_with(more.as_bytes(), args).exits(0);
    ran.prints(", committed");
    assert_eq!(rows(&place), 4);
}

#[test]
fn what_is_discarded_is_gone_and_what_is_published_stays() {
    let place = Place::new();
    let [one, two, three] = &records(&place, &["KSEA", "KJFK", "KLAX"], &[])[..] else {
        panic!("three are staged");
    };
    place.run_with(one.as_bytes(), ["commit"]).exits(0);
    let both = format!("{one}{two}");
    for _ in 0..2 {
        let ran = place.run_with(both.as_bytes(), ["discard"]).exits(0);
        ran.prints("lake/weather: nothing of what the records tell of is staged");
    }
    assert_eq!((place.staged().len(), rows(&place)), (1, 2));
    let ran = place.run_with(three.as_bytes(), ["discard", "-q"]).exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    assert!(place.staged().is_empty());
    let gone = place.run_with(two.as_bytes(), ["commit"]).exits(1);
    gone.says("is no longer staged");
    assert_eq!(rows(&place), 2);
}

#[test]
fn a_job_is_ended_with_all_that_was_staged_for_it() {
    let place = Place::new();
    let job = ["--job", "monday"];
    let [_orphan, one] = &records(&place, &["KSEA", "KJFK"], &job)[..] else {
        panic!("two are staged");
    };
    let ran = place.run(["recover", "lake/weather"]).exits(0);
    ran.prints("job monday").prints("and 2 writes staged");
    let ran = place
        .run_with(one.as_bytes(), ["commit", "--json"])
        .exits(0);
    assert_eq!(ran.json()["write_id"], "job:monday");
    assert!(
        place.staged().iter().all(|path| path.contains("writes")),
        "{:?}",
        place.staged()
    );
    assert_eq!(rows(&place), 2);
    stage(&place, "KSEA.csv", &job)
        .exits(5)
        .says("the job \"monday\" is closed");

    records(&place, &["KLAX"], &["--job", "tuesday"]);
    place
        .run(["discard", "--job", "tuesday"])
        .exits(2)
        .says("needs --to");
    let args = ["discard", "--job", "tuesday", "--to", "lake/weather"];
    place.run(args).exits(0).prints(
        "discarded 1 staged write with 2 rows: nothing of the job tuesday is staged any more",
    );
    place
        .run(args)
        .exits(0)
        .prints("lake/weather: nothing of the job tuesday is staged any more");
    stage(&place, "KSEA.csv", &["--job", "tuesday"])
        .exits(5)
        .says("is closed");
    // One whose work had no rows; unless that is said, what made the records may have failed.
    let job = ["--job", "wednesday"];
    records(&place, &["KLAX"], &job);
    let commit = ["commit", "--to", "lake/weather"];
    let args = || commit.into_iter().chain(job);
    place.run_with(b"", args()).exits(1).says("has no records");
    assert_eq!(waiting(&place, &[]), 1);
    place
        .run(args().chain(["--without-records"]))
        .exits(0)
        .says("note: lake/weather: discarded 1 staged write with 2 rows, of which no record was given");
    assert_eq!(waiting(&place, &[]), 0);
    place
        .run(["commit", "--job", "thursday", "--without-records"])
        .exits(2)
        .says("--to");
    assert_eq!(rows(&place), 2);
}

#[test]
fn a_job_of_which_no_record_is_left_is_ended_where_it_was_staged() {
    let place = Place::new();
    std::fs::create_dir(place.path("staging")).unwrap();
    let there = ["--staging", "staging"];
    let job = ["--job", "monday"];
    let args: Vec<&str> = job.into_iter().chain(there).collect();
    records(&place, &["KSEA"], &args);
    assert_eq!(waiting(&place, &there), 1);
    let commit = ["commit", "--to", "lake/weather", "--without-records"];
    place
        .run(commit.into_iter().chain(args.iter().copied()))
        .exits(0);
    assert_eq!(waiting(&place, &there), 0);
    stage(&place, "KSEA.csv", &args).exits(5);
}

#[test]
fn one_bad_record_refuses_all_and_leaves_them_staged() {
    let place = Place::new();
    let [good] = &records(&place, &["KSEA"], &[])[..] else {
        panic!("one is staged");
    };
    let torn = &good[..good.len() / 2];
    let unknown = good.replace("\"version\":1", "\"version\":2");
    let relative = good.replace("\"root\":\"/", "\"root\":\"");
    let long = format!("{good}{}\n", "x".repeat(3 << 20));
    for bad in [
        format!("{good}{torn}"),
        format!("{good}\n\n{unknown}"),
        format!("{good}{relative}"),
        format!("{good}{{}}\n"),
        format!("{good}\u{0}\n"),
        long,
        format!("{torn}{good}"),
    ] {
        for command in ["commit", "discard"] {
            let ran = place.run_with(bad.as_bytes(), [command]).exits(1);
            ran.says("standard input: line ")
                .says("no record of what is staged")
                .says("nothing was done");
        }
        assert_eq!((place.staged().len(), rows(&place)), (1, 0));
    }
    place.file("bad.json", torn);
    place.file("good.json", good);
    let ran = place.run(["commit", "good.json", "bad.json"]).exits(1);
    ran.says("bad.json: line 1: no record");
    place.run(["commit", "good.json"]).exits(0);
    assert_eq!(rows(&place), 2);
}

#[test]
fn no_records_are_a_failure_and_not_an_empty_commit() {
    let place = Place::new();
    place.file("empty.json", "");
    for args in [&["commit"][..], &["discard"], &["commit", "empty.json"]] {
        for stdin in [&b""[..], b"\n \n"] {
            let ran = place.run_with(stdin, args).exits(1);
            ran.says("has no records").says("hint: `stage` prints one");
        }
    }
    place
        .run(["commit", "missing.json"])
        .exits(1)
        .says("missing.json");
    place.run(["commit", "-", "-"]).exits(2).says("read once");
    assert_eq!(place.files("lake"), [""; 0]);
}

#[test]
fn an_overwrite_replaces_what_all_of_its_records_touch_and_modes_are_not_mixed() {
    let place = Place::new();
    let before = records(&place, &["KSEA", "KJFK"], &[]).concat();
    place.run_with(before.as_bytes(), ["commit"]).exits(0);
    let overwrite = ["--mode", "overwrite-partitions"];
    let mut all = records(&place, &["KJFK", "KLAX"], &overwrite).concat();
    let mixed = all.clone() + &records(&place, &["KORD"], &[]).concat();
    let refused = place.run_with(mixed.as_bytes(), ["commit"]);
    refused.exits(2).says("more than one mode");
    all += "\n";
    let done = place.run_with(all.as_bytes(), ["commit"]).exits(0);
    done.prints("4 rows in 2 files of 2 partitions")
        .prints("1 file removed");
    assert_eq!(rows(&place), 6);
}

#[test]
fn a_conflict_publishes_nothing_and_leaves_all_staged() {
    let place = Place::new();
    let mode = ["--mode", "error-if-exists"];
    let staged = records(&place, &["KSEA", "KJFK"], &mode).concat();
    place.file("lake/weather/station=KJFK/theirs.parquet", "");
    let ran = place.run_with(staged.as_bytes(), ["commit"]).exits(5);
    ran.says("station=KJFK: has files already")
        .says("what is still staged stays so");
    assert_eq!((published(&place).len(), place.staged().len()), (1, 2));
    place.run_with(staged.as_bytes(), ["discard"]).exits(0);
    assert!(place.staged().is_empty());
}

#[test]
fn records_of_another_data_set_are_refused() {
    let place = Place::new();
    let staged = records(&place, &["KSEA"], &[]).concat();
    for command in ["commit", "discard"] {
        let args = [command, "--to", "lake/other"];
        let ran = place.run_with(staged.as_bytes(), args).exits(2);
        ran.says("they belong to ")
            .says("lake/weather, and not to ");
    }
    let elsewhere = place.run(["stage", "KSEA.csv", "--to", "lake/other", "-q"]);
    let both = staged.clone() + &elsewhere.exits(0).stdout;
    let ran = place.run_with(both.as_bytes(), ["commit"]).exits(2);
    ran.says("more than one data set");
    assert_eq!((place.staged().len(), rows(&place)), (1, 0));
}

#[test]
fn parts_that_do_not_go_together_are_refused_unless_that_is_allowed() {
    let place = Place::new();
    let mut all = records(&place, &["KSEA"], &[]).concat();
    place.file("text.csv", "station,number\nKJFK,many\n");
    all += &stage(&place, "text.csv", &[]).exits(0).stdout;
    let ran = place.run_with(all.as_bytes(), ["commit"]).exits(5);
    ran.says("`--schema-check off`");
    let args = ["commit", "--schema-check", "off"];
    place.run_with(all.as_bytes(), args).exits(0);
    let cased = place.file("cased.csv", "station,NUMBER\nKORD,1\n");
    let ran = stage(&place, cased.to_str().unwrap(), &[]);
    let cased = ran.exits(0).stdout;
    let ran = place.run_with(cased.as_bytes(), ["commit"]);
    ran.exits(5).says("`--case-sensitive-names`");
    let args = ["commit", "--case-sensitive-names"];
    place.run_with(cased.as_bytes(), args).exits(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_commit_that_is_interrupted_publishes_nothing_and_can_be_repeated() {
    use rustix::process::{Pid, Signal, kill_process};
    let place = Place::new();
    let before = records(&place, &["KSEA"], &[]).concat();
    place.run_with(before.as_bytes(), ["commit"]).exits(0);
    place.file("staged.json", records(&place, &["KJFK"], &[]).concat());
    let lock = place.path("lake/weather/.atomic/lock");
    let lock = std::fs::File::options().write(true).open(lock).unwrap();
    lock.lock().unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let child = place.start(["commit", "staged.json"]);
        crate::signals::wait_for_the_wait(&child);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ran: Ran = child.wait_with_output().unwrap().into();
        ran.exits(130)
            .says("interrupted: nothing was published")
            .says("`commit` can be repeated");
        assert_eq!(place.staged().len(), 1);
    }
    drop(lock);
    place.run(["commit", "staged.json"]).exits(0);
    assert_eq!((rows(&place), place.staged().len()), (4, 0));
}

//! `recover`.

use crate::run::Place;

const DEAD: &str = "lake/.weather.atomic/0199a000-0000-7000-8000-000000000000.staged";

#[test]
fn what_a_dead_writer_left_is_removed_and_named() {
    let place = Place::new();
    place.write_weather(&["-q"]).exits(0);
    place.file(DEAD, "x");
    let dry = place.run(["recover", "lake/weather", "--dry-run"]).exits(0);
    assert!(dry.stdout.starts_with("would remove "), "{}", dry.stdout);
    assert!(place.path(DEAD).exists());
    let report = place
        .run(["recover", "lake/weather", "--dry-run", "--json"])
        .exits(0)
        .json();
    assert_eq!(report["dry_run"], true);
    assert_eq!(report["removed"][0], place.path(DEAD).to_str().unwrap());
    let ran = place.run(["recover", "lake/weather"]).exits(0);
    assert_eq!(ran.stdout.lines().count(), 2);
    ran.prints("finished 0 commits and removed 1 leftover of dead writers, left 0 of live ones");
    assert!(!place.path(DEAD).exists());
    assert_eq!(
        place.files("lake/weather").len(),
        36,
        "published files are left alone"
    );
    place
        .run(["recover", "lake/weather"])
        .exits(0)
        .prints("removed 0 leftovers");
}

#[test]
fn a_live_writer_s_work_is_left() {
    let place = Place::new();
    let mut child = place.start(["put", "-", "lake/weather/k=1/out"]);
    crate::run::wait_until("a file is staged", || !place.staged().is_empty());
    let report = place
        .run(["recover", "lake/weather", "--json"])
        .exits(0)
        .json();
    assert_eq!(report["removed"].as_array().unwrap().len(), 0);
    assert_eq!(report["alive"].as_array().unwrap().len(), 1);
    place
        .run(["recover", "lake/weather"])
        .exits(0)
        .prints("its writer is alive");
    child.stdin.take();
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(place.path("lake/weather/k=1/out").exists());
}

#[test]
fn a_root_that_is_not_there_has_nothing_to_recover() {
    let place = Place::new();
    place
        .run(["recover", "no"])
        .exits(0)
        .says("no: there is no such directory");
    place.file("file", "x");
    place
        .run(["recover", "file"])
        .exits(1)
        .says("file: is not a directory");
}

#[test]
fn what_is_staged_elsewhere_is_left_and_found_there() {
    for (named, area) in [
        ("beside", "lake/.flat.atomic"),
        ("inside", "lake/flat/.atomic"),
        ("lake/own", "lake/own"),
    ] {
        let place = Place::new();
        place.file("lake/flat/a.txt", "");
        place.file("lake/own/keep", "");
        let mut child = place.start(["put", "-", "lake/flat/out", "--staging", named]);
        let staged = || {
            let files = place.files(area).into_iter();
            files.filter(|name| name.ends_with(".staged")).count()
        };
        crate::run::wait_until("a file is staged", || staged() == 1);
        child.kill().unwrap();
        child.wait().unwrap();
        let run = |command: &str| place.run([command, "lake/flat", "--staging", named, "--json"]);
        let oddities = run("inspect").exits(0).json()["oddities"].to_string();
        assert!(oddities.contains(".staged"), "{oddities}");
        let removed = run("recover").exits(0).json()["removed"].clone();
        assert_eq!(removed.as_array().unwrap().len(), 1, "{named}");
        assert_eq!(staged(), 0);
    }
}

#[test]
fn a_data_set_is_written_where_it_is_told_to_stage() {
    let place = Place::new();
    place.file("lake/own/keep", "");
    for named in ["beside", "inside", "lake/own"] {
        place.write_weather(&["-q", "--staging", named]).exits(0);
    }
    let files = place.files("lake/weather").into_iter();
    let data = files.filter(|name| name.ends_with(".parquet"));
    assert_eq!(data.count(), 3 * 36);
    let files_before = place.files("lake/weather").len();
    place
        .write_weather(&["--staging", "lake/own/keep"])
        .exits(1);
    assert_eq!(place.files("lake/weather").len(), files_before);
}

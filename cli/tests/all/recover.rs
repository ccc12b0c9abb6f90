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

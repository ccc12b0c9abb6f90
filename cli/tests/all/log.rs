//! `ATOMIC_ARROW_LOG` tells on standard error what is done.

use crate::run::{Place, Ran, testdata};

fn write(place: &Place, log: Option<&str>) -> Ran {
    let weather = testdata("weather.csv");
    let mut command = place.command(["write", &weather, "--to", "lake/weather/"]);
    command.args(["--partition-by", "station_id=origin", "--mode", "overwrite"]);
    match log {
        Some(log) => command.env("ATOMIC_ARROW_LOG", log),
        None => command.env_remove("ATOMIC_ARROW_LOG"),
    };
    Ran::from(command.output().unwrap())
}

#[test]
fn each_step_is_told_with_the_write_that_it_is_of() {
    let place = Place::new();
    let silent = write(&place, None).exits(0);
    assert_eq!(silent.stderr, "");
    let told = write(&place, Some("debug")).exits(0);
    assert_eq!(told.stdout.lines().count(), silent.stdout.lines().count());
    for text in [
        "verified a staging file",
        "decided the commit",
        "committed the write",
    ] {
        let line = told.stderr.lines().find(|line| line.contains(text));
        let line = line.unwrap_or_else(|| panic!("{text}: {}", told.stderr));
        assert!(line.contains("write{root="), "{line}");
    }
    let only = write(&place, Some("warn,atomic_arrow::commit=info")).exits(0);
    assert!(
        only.stderr.contains("committed the write"),
        "{}",
        only.stderr
    );
    assert!(!only.stderr.contains("verified"), "{}", only.stderr);
}

#[test]
fn what_is_no_filter_is_wrong_usage() {
    let place = Place::new();
    for wrong in ["debg", "info,hyper=debug"] {
        let refused = write(&place, Some(wrong)).exits(2);
        assert!(
            refused.stderr.contains("ATOMIC_ARROW_LOG"),
            "{}",
            refused.stderr
        );
        assert!(!place.path("lake").exists());
    }
    write(&place, Some("")).exits(0);
}

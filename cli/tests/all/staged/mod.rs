//! `stage`, `commit` and `discard`: several processes stage, and one publishes all of it or nothing.

mod commits;
mod stages;

use std::path::PathBuf;

use crate::run::{Place, Ran, testdata};

/// The keys of the data set.
const BY: [&str; 2] = ["--partition-by", "station"];

/// Writes a file of rows of one station.
fn part(place: &Place, name: &str, station: &str, numbers: &[u32]) -> PathBuf {
    let rows = numbers
        .iter()
        .map(|number| format!("{station},{number}\n"))
        .collect::<String>();
    place.file(name, format!("station,number\n{rows}"))
}

/// Stages a file for `lake/weather`, with more arguments.
fn stage(place: &Place, name: &str, more: &[&str]) -> Ran {
    let args = ["stage", name, "--to", "lake/weather"];
    place.run(args.iter().chain(&BY).chain(more))
}

/// The files of the data set that readers see.
fn published(place: &Place) -> Vec<String> {
    place.files("lake/weather")
}

/// How many rows readers see.
fn rows(place: &Place) -> u64 {
    if !place.path("lake/weather").exists() {
        return 0;
    }
    let seen = place.run(["inspect", "lake/weather", "--json"]).exits(0);
    seen.json()["totals"]["rows"].as_u64().unwrap()
}

/// The name of a file of weather from which much is staged.
fn weather() -> String {
    testdata("weather.csv")
}

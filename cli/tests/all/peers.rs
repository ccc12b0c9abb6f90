//! What the command wrote is what other projects' readers find.

use crate::run::{Place, testdata};
use crate::support::peers::{READERS, peers};
use crate::support::skip;

/// Reads `lake/weather` back with every reader, and compares it with the CSV, null for null.
fn read_back(place: &Place) {
    let peers = match peers() {
        Ok(peers) => peers,
        Err(reason) => return skip(reason),
    };
    let (root, csv) = (place.path("lake/weather"), testdata("weather.csv"));
    for reader in READERS {
        let output = peers
            .run("compare_csv.py", &[&reader, &root, &csv])
            .unwrap();
        assert!(
            output.status.success(),
            "{reader}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn every_reader_finds_the_rows_of_the_csv_null_for_null() {
    let place = Place::new();
    place.write_weather(&[]).exits(0);
    read_back(&place);
}

#[test]
fn files_of_many_small_row_groups_and_another_codec_are_read_alike() {
    let place = Place::new();
    place
        .write_weather(&["--row-group-size", "50", "--compression", "snappy"])
        .exits(0);
    read_back(&place);
}

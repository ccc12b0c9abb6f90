//! `put`: any bytes to one path.

use std::fs;
use std::io::Write as _;

use crate::run::{Place, testdata};

#[test]
fn bytes_arrive_at_their_path_with_its_directories() {
    let place = Place::new();
    place.file("in", "hello");
    let dest = "raw/station_id=123/year=2024/month=10/data.json";
    let ran = place.run(["put", "in", dest]).exits(0);
    assert_eq!(ran.stdout, format!("{dest}: 5 B\n"));
    assert_eq!(fs::read(place.path(dest)).unwrap(), b"hello");
    assert_eq!(
        place.files("raw"),
        ["station_id=123/year=2024/month=10/data.json"]
    );
}

#[test]
fn standard_input_is_a_dash() {
    let place = Place::new();
    let bytes = vec![7; 3_000_000];
    place.run_with(&bytes, ["put", "-", "out", "-q"]).exits(0);
    assert_eq!(fs::read(place.path("out")).unwrap(), bytes);
}

#[test]
fn a_taken_path_is_a_conflict_unless_it_may_be_replaced() {
    let place = Place::new();
    place.file("in", "new");
    place.file("out", "old");
    place
        .run(["put", "in", "out"])
        .exits(5)
        .says("out: already exists");
    assert_eq!(fs::read(place.path("out")).unwrap(), b"old");
    place.run(["put", "in", "out", "--replace"]).exits(0);
    assert_eq!(fs::read(place.path("out")).unwrap(), b"new");
}

#[test]
fn what_does_not_parse_is_never_published() {
    for (check, good, bad) in [
        ("json", "good.json", "cut.json"),
        ("ndjson", "good.ndjson", "cut.ndjson"),
        ("parquet", "good.parquet", "cut-in-page.parquet"),
        ("ipc", "good.arrow", "cut.arrow"),
        ("ipc-stream", "good.arrows", "cut.arrows"),
    ] {
        let place = Place::new();
        let input = |name| testdata(&format!("odd/{name}"));
        place
            .run(["put", &input(bad), "out", "--check", check])
            .exits(3)
            .says("out: ");
        assert!(place.files("").is_empty(), "{check}");
        place
            .run(["put", &input(good), "out", "--check", check])
            .exits(0);
        place
            .run(["put", &input(bad), "out", "--replace", "--check", check])
            .exits(3);
        let kept = fs::read(place.path("out")).unwrap();
        assert_eq!(kept, fs::read(input(good)).unwrap(), "{check}");
    }
}

#[test]
fn csv_that_is_cut_or_ragged_is_never_published() {
    for bad in ["a,b\n1,\"x", "a,b\n1\n", "a,b\n1,2,3\n", ""] {
        let place = Place::new();
        place.file("bad.csv", bad);
        let put = ["put", "bad.csv", "out.csv", "--check", "csv"];
        place.run(put).exits(3).says("out.csv: ");
        assert_eq!(place.files(""), ["bad.csv"]);
    }
    let place = Place::new();
    place.file("good.csv", "a,b\n1,\"x, y\"\n");
    place
        .run(["put", "good.csv", "out.csv", "--check", "csv"])
        .exits(0);
}

#[test]
fn what_is_not_compressed_as_its_name_says_or_names_a_thing_twice_is_never_published() {
    for (name, check, content) in [
        ("out.csv.gz", "csv", ""),
        ("out.ndjson.zst", "ndjson", ""),
        ("out.csv.gz", "csv", "a,b\n1,2\n"),
        ("out.tsv", "csv", "a\tb\n1\n"),
        ("out.ndjson", "ndjson", "{\"a\":1,\"a\":2}\n"),
        ("out.json", "json", "[{\"a\":1,\"a\":2}]\n"),
    ] {
        let place = Place::new();
        place.file("in", content);
        place
            .run(["put", "in", name, "--check", check])
            .exits(3)
            .says(&format!("{name}: "));
        assert_eq!(place.files(""), ["in"]);
        // The same file, put there by somebody else.
        place.file(name, content);
        place
            .run(["verify", name])
            .exits(3)
            .prints(&format!("{name}: "));
    }
    let place = Place::new();
    place.file("good.tsv", "a\tb\n1\tx, y\n");
    place.run(["verify", "."]).exits(0).prints("1 sound");
}

#[test]
fn the_json_receipt_has_the_content_hash_that_was_asked_for() {
    let place = Place::new();
    place.file("in", "hello");
    let receipt = place.run(["put", "in", "out", "--json"]).exits(0).json();
    assert_eq!(receipt["path"], place.path("out").to_str().unwrap());
    assert_eq!(
        (&receipt["bytes"], &receipt["content_hash"]),
        (&5.into(), &serde_json::Value::Null)
    );
    for verify in ["checksum", "decode"] {
        let args = [
            "put",
            "in",
            "out",
            "--replace",
            "--json",
            "--verify",
            verify,
        ];
        let receipt = place.run(args).exits(0).json();
        assert_eq!(receipt["content_hash"].as_str().unwrap().len(), 32);
    }
    for more in [["--verify", "skip"], ["--durability", "unsynced"]] {
        place
            .run(["put", "in", "out", "--replace"].iter().chain(&more))
            .exits(0);
    }
}

#[test]
fn what_cannot_be_read_or_written_to_is_named() {
    let place = Place::new();
    place.file("in", "hello");
    place.file("dir/x", "x");
    place
        .run(["put", "no", "out"])
        .exits(1)
        .says("no: cannot be read")
        .says("No such file");
    place
        .run(["put", "dir", "out"])
        .exits(1)
        .says("dir: cannot be read")
        .says("directory");
    place
        .run(["put", "in", "dir"])
        .exits(1)
        .says("dir: is a directory");
    place
        .run(["put", "in", "new/"])
        .exits(1)
        .says("new/: names a directory");
    place
        .run(["put", "in", "dir/x/y"])
        .exits(1)
        .says("lies below a file");
    assert_eq!(place.files(""), ["dir/x", "in"]);
}

#[test]
fn a_name_of_255_bytes_is_the_longest() {
    let place = Place::new();
    place.file("in", "hello");
    let longest = "n".repeat(255);
    place.run(["put", "in", &longest]).exits(0);
    assert_eq!(fs::read(place.path(&longest)).unwrap(), b"hello");
    place
        .run(["put", "in", &"n".repeat(256)])
        .exits(1)
        .says("longer than 255 bytes");
    assert_eq!(place.files("").len(), 2);
}

#[test]
fn of_processes_racing_for_one_name_one_wins_and_its_bytes_are_whole() {
    let place = Place::new();
    let contents: Vec<Vec<u8>> = (0..8).map(|n| vec![n; 200_000]).collect();
    let mut children: Vec<_> = contents
        .iter()
        .map(|_| place.start(["put", "-", "out"]))
        .collect();
    for (child, content) in children.iter_mut().zip(&contents) {
        child.stdin.as_mut().unwrap().write_all(content).unwrap();
    }
    // All have begun before any can end.
    for child in &mut children {
        child.stdin.take();
    }
    let codes: Vec<_> = children
        .into_iter()
        .map(|child| child.wait_with_output().unwrap().status.code())
        .collect();
    let winners: Vec<_> = (0..8).filter(|n| codes[*n] == Some(0)).collect();
    assert_eq!(winners.len(), 1, "{codes:?}");
    assert_eq!(
        codes.iter().filter(|code| **code == Some(5)).count(),
        7,
        "{codes:?}"
    );
    assert_eq!(fs::read(place.path("out")).unwrap(), contents[winners[0]]);
    assert_eq!(place.files(""), ["out"]);
}

#[test]
fn parquet_is_checked_as_closely_as_is_asked_for() {
    let place = Place::new();
    place.file("in.csv", "n\n1\n2\n");
    place
        .run([
            "write",
            "in.csv",
            "--to",
            "sound.parquet",
            "--page-checksums",
            "off",
        ])
        .exits(0);
    let mut bytes = fs::read(place.path("sound.parquet")).unwrap();
    // The first page, of which the footer tells nothing but where it is.
    bytes[4..20].fill(0xff);
    place.file("torn.parquet", bytes);
    let put = |more: [&str; 2]| {
        let args = [
            "put",
            "torn.parquet",
            "out.parquet",
            "--replace",
            "--check",
            "parquet",
        ];
        place.run(args.iter().chain(&more))
    };
    put(["--verify", "footer"]).exits(0);
    fs::remove_file(place.path("out.parquet")).unwrap();
    put(["--verify", "decode"]).exits(3);
    put(["--verify", "skip"]).exits(2).says("--verify: ");
    assert!(!place.path("out.parquet").exists());
}

//! Encrypted Parquet: the keys are in files and variables, and in nothing that is printed.

use std::process::Command;

use crate::run::{Place, Ran, binary};

const FOOTER: &str = "30313233343536373839616263646566";
const NOTE: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";
const OTHER: &str = "ffffffffffffffffffffffffffffffff";

fn place() -> Place {
    let place = Place::new();
    place.file("rows.csv", "k,id,note\na,1,x\nb,2,y\na,3,z\n");
    place.file("note.key", format!("{NOTE}\n"));
    place
}

/// Runs the command with the footer's key in a variable; nothing that it prints shows a key.
fn run(place: &Place, args: &[&str]) -> Ran {
    let mut command: Command = binary();
    command.current_dir(place.path(".")).args(args);
    command.env("FOOTER_KEY", FOOTER).env("OTHER_KEY", OTHER);
    command.env("SHORT_KEY", "secret-but-short");
    let ran = Ran::from(command.output().unwrap());
    for text in [&ran.stdout, &ran.stderr] {
        for key in [
            FOOTER,
            NOTE,
            OTHER,
            "secret-but",
            "0123456789abcdef",
            "fedcba98",
        ] {
            assert!(!text.contains(key), "{text}");
        }
    }
    ran
}

const KEYS: [&str; 4] = [
    "--footer-key",
    "env:FOOTER_KEY",
    "--column-keys",
    "note=file:note.key",
];

#[test]
fn what_is_written_with_keys_is_checked_and_inspected_with_them_alone() {
    let place = place();
    let write = [
        "write",
        "rows.csv",
        "--to",
        "lake",
        "--partition-by",
        "k",
        "--json",
    ];
    run(&place, &[&write[..], &KEYS].concat()).exits(0);
    let check = ["verify", "lake", "--level", "decode", "--json"];
    let report = run(&place, &[&check[..], &KEYS].concat()).exits(0).json();
    assert_eq!((&report["sound"], &report["rows"]), (&2.into(), &3.into()));
    let report = run(&place, &check).exits(1).json();
    assert_eq!(report["not_checkable"].as_array().unwrap().len(), 2);
    run(
        &place,
        &["verify", "lake", "--footer-key", "env:FOOTER_KEY"],
    )
    .exits(1)
    .prints("column \"note\": cannot be checked: it is encrypted, and its key is not known");
    run(&place, &["verify", "lake", "--footer-key", "env:OTHER_KEY"])
        .exits(3)
        .prints("cannot be decrypted");
    let report = run(
        &place,
        &[&["inspect", "lake", "--json"], &KEYS[..]].concat(),
    )
    .exits(0)
    .json();
    assert_eq!(report["totals"]["rows"], 3);
    let report = run(&place, &["inspect", "lake", "--json"]).exits(0).json();
    assert_eq!(report["totals"]["rows"], 0);
    run(&place, &["write", "lake", "--to", "copy", "--no-hive"])
        .exits(1)
        .says("encrypted");
}

#[test]
fn one_file_and_its_footer_and_prefix_are_as_they_are_asked_for() {
    let place = place();
    let write = [
        "write",
        "rows.csv",
        "--to",
        "rows.parquet",
        "--aad-prefix",
        "rows",
        "--store-aad-prefix",
        "off",
        "--plaintext-footer",
        "on",
        "--footer-key",
        "env:FOOTER_KEY",
    ];
    run(&place, &write).exits(0);
    let bytes = std::fs::read(place.path("rows.parquet")).unwrap();
    assert!(bytes.starts_with(b"PAR1"), "the footer is in the clear");
    let check = [
        "verify",
        "rows.parquet",
        "--level",
        "decode",
        "--footer-key",
        "env:FOOTER_KEY",
    ];
    run(&place, &[&check[..], &["--aad-prefix", "rows"]].concat()).exits(0);
    run(&place, &[&check[..], &["--aad-prefix", "other"]].concat()).exits(3);
}

#[test]
fn keys_that_are_nowhere_or_no_keys_are_refused_and_nothing_is_written() {
    let place = place();
    for (args, reason) in [
        (
            vec!["--footer-key", FOOTER],
            "--footer-key: is the place of a key",
        ),
        (
            vec!["--footer-key", "env:NO_SUCH_KEY"],
            "--footer-key: there is no variable NO_SUCH_KEY",
        ),
        (
            vec!["--footer-key", "file:no.key"],
            "--footer-key: the key in no.key: No such file",
        ),
        (
            vec!["--footer-key", "env:SHORT_KEY"],
            "--footer-key: env:SHORT_KEY has no key of 16 or 32 bytes",
        ),
        (
            vec!["--footer-key", "file:rows.csv"],
            "--footer-key: file:rows.csv has no key",
        ),
        (
            vec!["--column-keys", "note=file:note.key"],
            "--column-keys: the key of the footer is needed",
        ),
        (
            vec!["--footer-key", "env:FOOTER_KEY", "--column-keys", NOTE],
            "--column-keys: a column with the place",
        ),
        (
            vec![
                "--footer-key",
                "env:FOOTER_KEY",
                "--column-keys",
                "other=file:note.key",
            ],
            "--column-keys: there is no column",
        ),
        (
            vec!["--footer-key", "env:FOOTER_KEY", "--format", "csv"],
            "--footer-key: is an option of Parquet",
        ),
        (
            vec!["--footer-key", "env:FOOTER_KEY", "--aad-prefix", ""],
            "--aad-prefix: is empty",
        ),
        (
            vec!["--plaintext-footer", "on"],
            "--plaintext-footer: has no effect",
        ),
    ] {
        let write = ["write", "rows.csv", "--to", "lake"];
        run(&place, &[&write[..], &args].concat())
            .exits(2)
            .says(reason);
        assert!(!place.path("lake").exists());
    }
    // A key in the place of a name is not shown.
    for of in ["env:", "file:"] {
        let by_mistake = format!("{of}{FOOTER}");
        let args = [
            "write",
            "rows.csv",
            "--to",
            "lake",
            "--footer-key",
            &by_mistake,
        ];
        let ran = run(&place, &args).exits(2);
        assert!(!ran.stderr.contains(FOOTER), "{}", ran.stderr);
        ran.says("--footer-key: a key stands where");
    }
    for command in ["verify", "inspect"] {
        run(&place, &[command, ".", "--footer-key", FOOTER])
            .exits(2)
            .says("--footer-key: is the place of a key");
    }
}

#[cfg(unix)]
#[test]
fn a_key_is_read_once_and_no_more_of_it_than_a_key_can_be() {
    let place = place();
    let fifo = place.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    // One that is opened twice waits for a second writer, who never comes.
    let writer = std::thread::spawn({
        let fifo = fifo.clone();
        move || std::fs::write(fifo, FOOTER)
    });
    let mut write = binary();
    write
        .current_dir(place.path("."))
        .args(["write", "rows.csv"]);
    write.args(["--to", "lake", "--footer-key", "file:pipe"]);
    Ran::from(write.output().unwrap()).exits(0);
    writer.join().unwrap().unwrap();
    let endless = ["verify", "lake", "--footer-key", "file:/dev/zero"];
    run(&place, &endless)
        .exits(2)
        .says("has no key of 16 or 32");
}

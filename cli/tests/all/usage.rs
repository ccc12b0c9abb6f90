//! Help, versions and wrong usage.

use crate::run::{Place, testdata};

const COMMANDS: [&str; 10] = [
    "write",
    "stage",
    "commit",
    "discard",
    "put",
    "verify",
    "inspect",
    "recover",
    "completions",
    "manual",
];

#[test]
fn help_names_every_command_and_exit_code() {
    let place = Place::new();
    let help = place.run(["--help"]).exits(0);
    let one_target = "ATOMIC_ARROW_LOG=atomic_arrow::commit=debug";
    assert!(help.stdout.contains(one_target), "{}", help.stdout);
    for command in COMMANDS {
        assert!(
            help.stdout.contains(&format!("\n  {command} ")),
            "{}",
            help.stdout
        );
    }
    for command in COMMANDS
        .iter()
        .filter(|command| !["completions", "manual"].contains(command))
    {
        let help = place.run([command, &"--help"]).exits(0);
        for code in [
            "  0  done",
            "  1  ",
            "  2  ",
            "  3  ",
            "  4  ",
            "\n       that it cannot be; or not known to be published, or to be durable\n",
            "  5  ",
            "130  interrupted",
        ] {
            assert!(
                help.stdout.contains(code),
                "{command}: no {code:?} in {}",
                help.stdout
            );
        }
    }
}

#[test]
fn the_short_help_has_examples_and_no_exit_codes() {
    let place = Place::new();
    let helpers = ["completions", "manual"];
    for command in COMMANDS.iter().filter(|command| !helpers.contains(command)) {
        let help = place.run([command, &"-h"]).exits(0).stdout;
        assert!(
            help.contains(&format!("  atomic-arrow {command} ")),
            "{help}"
        );
        assert!(!help.contains("Exit codes"), "{help}");
    }
}

#[test]
fn the_short_help_of_every_command_fits_on_a_screen() {
    let place = Place::new();
    for command in COMMANDS {
        let help = place.run([command, "-h"]).exits(0).stdout;
        let lines: Vec<&str> = help.lines().collect();
        assert!(lines.len() <= 40, "{}: {help}", lines.len());
        for line in lines {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
        let long = place.run([command, "--help"]).exits(0).stdout;
        let options = |help: &str| help.matches("\n      --").count();
        // What the short help leaves out it says that it does.
        let leaves_out = options(&long) > options(&help);
        assert_eq!(help.contains("More options"), leaves_out, "{help}");
    }
    let all = place.run(["-h"]).exits(0).stdout;
    assert!(all.lines().count() <= 40, "{all}");
    let write = place.run(["write", "--help"]).exits(0).stdout;
    for rare in ["--escape", "--bloom-filters", "--max-open-files", "--sync"] {
        assert!(write.contains(&format!("\n      {rare}")), "no {rare}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    let all = place.run(["manual"]).exits(0).stdout;
    for command in COMMANDS {
        assert!(all.contains(command), "no {command} in {all}");
        let page = place.run(["manual", command]).exits(0).stdout;
        let plain = page.replace('\\', "");
        assert!(plain.contains(&format!("atomic-arrow-{command}")), "{page}");
    }
    let write = place.run(["manual", "write"]).exits(0).stdout;
    assert!(
        write.replace('\\', "").contains("--partition-by"),
        "{write}"
    );
    place
        .run(["manual", "wrtie"])
        .exits(2)
        .says("none of write, stage, commit, discard, put");
}

#[test]
fn help_states_defaults() {
    let help = Place::new().run(["write", "--help"]).exits(0).stdout;
    for default in [
        "append", "zstd(1)", "1048576", "footer", "synced", "auto", "parquet", "64", "10000",
    ] {
        assert!(
            help.contains(&format!("[default: {default}]")),
            "no {default} in {help}"
        );
    }
}

#[test]
fn names_are_taken_in_any_case_and_sizes_with_any_unit() {
    let place = Place::new();
    for more in [
        "--mode error_if_exists --compression ZSTD(3) --target-file-size 1M --memory-limit 512mib",
        "--mode Append --compression UNCOMPRESSED --sync each_file --threads 1",
        "--format jsonl --compression GZIP --json-non-finite NULL",
        "--format arrow --compression LZ4 --verify CHECKSUM",
        "--sort-by time_hour,temp\u{a0}DESC",
    ] {
        let more = more.split(' ').map(|word| word.replace('\u{a0}', " "));
        let more: Vec<String> = more.collect();
        let to = format!("lake/{}", more.len());
        let args = ["write", &testdata("weather.csv"), "--schema-check", "off"];
        let args = args.into_iter().map(str::to_owned).chain(more);
        place.run(args.chain(["--to".to_owned(), to])).exits(0);
    }
    place.file("rows.csv", "a,b\n1\n");
    place
        .run(["put", "rows.csv", "copy.csv", "--check", "CSV"])
        .exits(3);
    place
        .run(["inspect", "lake/8", "--small-file", "1k"])
        .exits(0);
}

#[test]
fn version_is_that_of_the_package() {
    let version = format!("atomic-arrow {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(Place::new().run(["-V"]).exits(0).stdout, version);
}

#[test]
fn wrong_usage_exits_with_2_and_does_nothing() {
    let place = Place::new();
    let weather = testdata("weather.csv");
    place.run(["--nonsense"]).exits(2);
    place.run([""; 0]).exits(2).says("Usage");
    place.run(["write", &weather]).exits(2).says("--to");
    place.run(["write", "--to", "lake"]).exits(2).says("INPUT");
    for (option, value, reason) in [
        ("--partition-by", "", "names no key"),
        ("--partition-by", "year=", "--partition-by"),
        ("--partition-by", "week(time_hour)", "week"),
        ("--partition-by", "year,year", "twice"),
        ("--mode", "error", "error-if-exists"),
        (
            "--mode",
            "overwritepartitions",
            "a similar value exists: 'overwrite-partitions'",
        ),
        ("--compression", "zstd(99)", "22"),
        ("--compression", "zstd(x)", "level"),
        ("--compression", "snappy(1)", "no levels"),
        ("--compression", "rar", "none of zstd"),
        ("--compression", "zsdt", "did you mean \"zstd\"?"),
        ("--metadata", "ab", "--metadata: no key is named for \"ab\""),
        (
            "--field-ids",
            "id",
            "--field-ids: no column is named for \"id\"",
        ),
        ("--row-group-size", "0", "at least 1"),
        ("--max-open-files", "7", "8.."),
        ("--memory-limit", "0", "at least 1 byte"),
        ("--memory-limit", "0MiB", "at least 1 byte"),
        ("--memory-limit", "lots", "512MiB"),
        ("--memory-limit", "-1", "-1"),
        ("--threads", "0", "at least 1"),
        ("--target-file-size", "0", "at least 1 byte"),
        ("--target-file-rows", "0", "at least 1"),
        ("--sort-by", "", "names no column"),
        ("--sort-by", "temp,", "names no column"),
        (
            "--sort-by",
            "tempp",
            "--sort-by: there is no column \"tempp\"",
        ),
        (
            "--sort-by",
            "temp,temp desc",
            "--sort-by: column \"temp\" is given twice",
        ),
        ("--write-id", "", "--write-id: "),
        ("--sync", "some", "each-file"),
        ("--format", "json", "ndjson"),
        ("--verify", "some", "footer"),
        ("--durability", "some", "synced"),
        ("--delimiter", "ab", "one ASCII character"),
        ("--delimiter", "\"", "quotes and ends of lines"),
        ("--delimiter", "\n", "quotes and ends of lines"),
        ("--escape", "\"", "quotes and ends of lines"),
        ("--comment", "\r", "quotes and ends of lines"),
        ("--escape", ",", "--escape: the character divides"),
        ("--comment", "\\t", "--comment: the character divides"),
        ("--schema", "temp=Flot64", "temp"),
        ("--input-format", "xls", "csv"),
    ] {
        place
            .run(["write", &weather, "--to", "lake", option, value])
            .exits(2)
            .says(reason);
    }
    place
        .run(["write", &weather, "--to", "lake", "-q", "-v"])
        .exits(2);
    for (options, reason) in [
        (
            "--delimiter ; --comment ;",
            "--comment: the character divides",
        ),
        (
            "--escape # --comment #",
            "--comment: the character is that of --escape",
        ),
        ("--format csv --compression snappy", "--compression: text"),
        ("--format ndjson --csv-null x", "--csv-null: says how CSV"),
        (
            "--json-non-finite null",
            "--json-non-finite: says how NDJSON",
        ),
        (
            "--format ipc --compression gzip",
            "--compression: Arrow IPC has zstd",
        ),
        (
            "--format ipc --row-group-size 10",
            "--row-group-size: is an option of Parquet",
        ),
        (
            "--format csv --bloom-filters temp",
            "--bloom-filters: is an option of Parquet",
        ),
        (
            "--format csv --compression temp=zstd",
            "--compression: is an option of Parquet",
        ),
        (
            "--partition-by origin --bloom-filters origin",
            "--bloom-filters: column \"origin\" is a partition key",
        ),
        ("--dictionary tmp=off", "--dictionary: there is no column"),
        ("--bloom-filters temp(fpp=2)", "--bloom-filters: \"fpp=2\""),
        (
            "--format csv --page-checksums off",
            "--page-checksums: csv has no pages",
        ),
        ("--durability unsynced --sync each-file", "--sync"),
        (
            "--sort-by year --partition-by year",
            "--sort-by: column \"year\" is a partition key",
        ),
    ] {
        let args = ["write", &weather, "--to", "lake"];
        place
            .run(args.into_iter().chain(options.split(' ')))
            .exits(2)
            .says(reason);
    }
    place.run(["put", "a"]).exits(2).says("DEST");
    place
        .run(["put", "a", "b", "--check", "xml"])
        .exits(2)
        .says("ndjson");
    place.run(["verify"]).exits(2).says("PATH");
    place
        .run(["verify", "x", "--level", "skip"])
        .exits(2)
        .says("decode");
    place.run(["inspect"]).exits(2).says("ROOT");
    place.run(["recover"]).exits(2).says("ROOT");
    place.run(["completions", "cmd"]).exits(2).says("bash");
    assert!(place.files("").is_empty());
}

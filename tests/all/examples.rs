//! The programs in `examples/` do what they say.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support;

/// What the example prints when it is run with one argument; none where it has not been built.
fn run(name: &str, argument: &Path) -> Option<String> {
    let program = directory_of_examples().join(name);
    if !program.exists() {
        support::skip(format!(
            "{} is not built: leave out --test",
            program.display()
        ));
        return None;
    }
    let output = Command::new(program).arg(argument).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Beside the directory of this test's own program.
fn directory_of_examples() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join("examples")
}

#[test]
fn a_data_set_is_written_and_its_partitions_are_replaced() {
    let lake = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let Some(printed) = run("dataset", &lake.path().join("daily")) else {
            return;
        };
        assert_eq!(printed.matches("30 rows in ").count(), 3, "{printed}");
    }
    let found = atomic_arrow::inspect::inspect(lake.path().join("daily")).unwrap();
    assert_eq!(found.totals().rows, 90);
}

#[test]
fn one_file_is_written() {
    let lake = tempfile::tempdir().unwrap();
    let Some(printed) = run("one_file", &lake.path().join("weather")) else {
        return;
    };
    assert!(printed.contains("3 rows in "), "{printed}");
    assert!(printed.contains("station_id=KSEA/year=2026/"), "{printed}");
}

#[test]
fn text_that_is_no_json_does_not_replace_a_file() {
    let lake = tempfile::tempdir().unwrap();
    let path = lake.path().join("station.json");
    let Some(printed) = run("any_bytes", &path) else {
        return;
    };
    assert!(printed.contains("refused: "), "{printed}");
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        r#"{"station_id":123,"temp":11.5}"#
    );
}

#[test]
fn what_several_processes_stage_is_committed_at_once() {
    let lake = tempfile::tempdir().unwrap();
    let Some(printed) = run("staging", &lake.path().join("counts")) else {
        return;
    };
    assert_eq!(printed, "3000 rows in 3 files\n");
}

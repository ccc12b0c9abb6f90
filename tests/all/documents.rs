//! What is written about the steps is what the steps say of themselves.

use std::path::Path;

use atomic_arrow::Step;

fn text(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Holds a generated document to what was seen.
pub(crate) fn assert_document(file: &str, seen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let there = std::fs::read_to_string(path).unwrap_or_default();
    let differing = there
        .lines()
        .zip(seen.lines())
        .find(|(there, seen)| there != seen);
    assert!(
        there == seen,
        "{file} is not what was seen; with ATOMIC_ARROW_WRITE_DOCS=1 it is written. First: {differing:#?}"
    );
}

#[test]
fn the_front_page_has_the_table_of_the_steps() {
    let table: String = Step::table()
        .lines()
        .map(|line| format!("//! {line}\n"))
        .collect();
    assert!(
        text("src/lib.rs").contains(&table),
        "src/lib.rs should have:\n{table}"
    );
}

#[test]
fn the_guarantees_have_the_table_of_the_steps() {
    let table = Step::table();
    assert!(
        text("docs/guarantees.md").contains(&table),
        "docs/guarantees.md should have:\n{table}"
    );
}

/// The sources below a directory, all in one.
fn sources(directory: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &sources(&path);
        } else if path
            .extension()
            .is_some_and(|end| end == "rs" || end == "py")
        {
            all += &std::fs::read_to_string(path).unwrap();
        }
    }
    all
}

/// Asserts that each row of the tables of a document names tests, which are in the sources, and gives their number.
#[track_caller]
fn rows_of_tests(document: &str) -> usize {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directories = ["src", "tests", "cli/tests", "lab/tests", "python/tests"];
    let sources: String = directories
        .iter()
        .map(|directory| sources(&top.join(directory)))
        .collect();
    let is_there = |name: &&str| {
        let ways = ["#[test]\nfn ", "#[test]\n    fn ", "\ndef "];
        ways.iter()
            .any(|way| sources.contains(&format!("{way}{name}(")))
    };
    let document = text(document);
    let rows: Vec<&str> = document
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .collect();
    for row in &rows {
        let quoted = row.split('`').skip(1).step_by(2);
        let (there, missing): (Vec<_>, Vec<_>) =
            quoted.filter(|name| name.contains('_')).partition(is_there);
        assert!(missing.is_empty(), "{missing:?}");
        assert!(!there.is_empty(), "no test holds: {row}");
    }
    rows.len()
}

#[test]
fn every_test_that_the_security_model_names_is_there() {
    let held = rows_of_tests("SECURITY.md");
    assert!(held > 10, "{held}");
}

#[test]
fn every_test_that_holds_a_kind_of_input_is_there() {
    let held = rows_of_tests("tests/README.md");
    assert!(held > 25, "{held}");
}
